/* Merging, the cursor, the bytes. */
#include "hub/uses_page.h"

#include "hub/asking.h"

#include <string.h>

#define VERSION 1
#define N_TEXTS 6

/* ---- merging ---- */

size_t hub_uses_merge(struct hub_uses_part *parts, size_t n_parts, size_t max, struct hub_uses_taken *out)
{
    size_t n = 0;
    for (size_t i = 0; i < n_parts; i++)
        parts[i].n_taken = 0;
    while (n < max) {
        struct hub_uses_part *newest = NULL;
        for (size_t i = 0; i < n_parts; i++) {
            struct hub_uses_part *part = &parts[i];
            if (!part->err && part->n_taken == part->n && part->has_more)
                return n; /* its next one may be the newest of all, and is not here */
            if (!part->err && part->n_taken < part->n &&
                (!newest || part->uses[part->n_taken].time_ms > newest->uses[newest->n_taken].time_ms))
                newest = part;
        }
        if (!newest)
            return n;
        out[n++] = (struct hub_uses_taken){newest, &newest->uses[newest->n_taken++]};
    }
    return n;
}

/* ---- the cursor ---- */

struct str hub_uses_log_name(struct str own, struct str log)
{
    if (log.len <= own.len + 1 || !str_starts_with(log, own) || log.ptr[own.len] != '.')
        return STR_NONE;
    struct str name = str_slice(log, own.len + 1, log.len);
    bool is_one = str_is_name(name) && !memchr(name.ptr, '.', name.len) && !str_equal_c(name, "sm"); /* the parallel log's */
    return is_one ? name : STR_NONE;
}

bool hub_uses_has_next(const struct hub_uses_part *parts, size_t n_parts)
{
    for (size_t i = 0; i < n_parts; i++)
        if (!parts[i].err && (parts[i].has_more || parts[i].n_taken < parts[i].n))
            return true;
    return false;
}

/* Behind what was taken; untouched: where it was asked from, and from the top at what there was, so that no later page has newer uses. */
static int64_t place_of(const struct hub_uses_part *part)
{
    if (!part->err && part->n_taken)
        return (int64_t)part->uses[part->n_taken - 1].index;
    if (!part->err && part->before > (int64_t)part->end)
        return (int64_t)part->end;
    return part->before;
}

void hub_uses_cursor_write(const struct hub_uses_part *parts, size_t n_parts, struct buf *out)
{
    for (size_t i = 0; i < n_parts; i++) {
        int64_t place = place_of(&parts[i]);
        if (i == 0)
            buf_printf(out, "%lld", (long long)place);
        else if (place != HUB_USES_FROM_TOP)
            buf_printf(out, "," STR_FORMAT ":%lld", STR_ARG(hub_uses_log_name(parts[0].log, parts[i].log)), (long long)place);
    }
}

static enum err read_place(struct str text, int64_t *ret_place)
{
    int64_t place;
    if (str_to_i64(text, &place) || place < 0)
        return ERR_SYNTAX;
    *ret_place = place;
    return ERR_OK;
}

enum err hub_uses_cursor_read(struct str text, struct hub_uses_part *parts, size_t n_parts)
{
    struct str first = text, rest = STR_NONE;
    int64_t places[HUB_USES_LOGS_MAX], place;
    if (text.len > HUB_USES_CURSOR_MAX || n_parts > HUB_USES_LOGS_MAX)
        return ERR_SYNTAX;
    for (size_t i = 0; i < n_parts; i++)
        places[i] = HUB_USES_FROM_TOP;
    bool has_more = str_cut(text, ',', &first, &rest);
    enum err err = read_place(has_more ? first : text, &places[0]);
    while (!err && has_more) {
        struct str one = rest, name, number, next = STR_NONE;
        has_more = str_cut(rest, ',', &one, &next);
        if (!str_cut(has_more ? one : rest, ':', &name, &number) || read_place(number, &place))
            return ERR_SYNTAX;
        for (size_t i = 1; i < n_parts; i++)
            if (str_equal(hub_uses_log_name(parts[0].log, parts[i].log), name))
                places[i] = place;
        rest = next;
    }
    for (size_t i = 0; i < n_parts && !err; i++)
        parts[i].before = places[i];
    return err;
}

/* ---- questions ---- */

void hub_uses_question_write(const struct hub_uses_question *question, struct buf *out)
{
    hub_put_number(out, VERSION, 1);
    hub_put_number(out, question->what, 1);
    if (question->what == HUB_USES_LIST) {
        hub_put_text(out, question->subject);
        hub_put_number(out, (uint64_t)question->before, 8);
        hub_put_number(out, question->n_max, 2);
        return;
    }
    hub_put_number(out, question->index, 8);
    if (question->what == HUB_USES_OPENING)
        hub_put_text(out, question->party);
}

bool hub_uses_question_is(struct str bytes)
{
    return bytes.len >= 2 && bytes.ptr[0] == VERSION && bytes.ptr[1] >= HUB_USES_LIST && bytes.ptr[1] <= HUB_USES_OPENING;
}

/* As JSON has texts: UTF-8, and no NUL. */
static struct str get_text(struct bytes_reader *in, size_t max)
{
    struct str text = hub_get_text(in);
    if (!in->err && (text.len > max || !str_is_utf8(text) || (text.len && memchr(text.ptr, '\0', text.len))))
        in->err = ERR_SYNTAX;
    return in->err ? STR_NONE : text;
}

enum err hub_uses_question_read(struct str bytes, struct hub_uses_question *ret_question)
{
    struct bytes_reader in;
    struct hub_uses_question question = {0};
    if (!hub_uses_question_is(bytes))
        return ERR_SYNTAX;
    question.what = (enum hub_uses_what)bytes.ptr[1];
    bytes_reader_init(&in, bytes.ptr + 2, bytes.len - 2);
    if (question.what == HUB_USES_LIST) {
        question.subject = get_text(&in, HUB_USES_SUBJECT_MAX);
        question.before = (int64_t)bytes_read_u64be(&in);
        question.n_max = bytes_read_u16be(&in);
        if (question.before < 0 || question.n_max < 1 || question.n_max > HUB_USES_PAGE_MAX)
            return ERR_SYNTAX;
    } else {
        question.index = bytes_read_u64be(&in);
        if (question.what == HUB_USES_OPENING)
            question.party = get_text(&in, HUB_USES_TEXT_MAX);
    }
    if (in.err || bytes_reader_left(&in))
        return ERR_SYNTAX;
    *ret_question = question;
    return ERR_OK;
}

/* ---- answers ---- */

/* The texts of a use in the order in which they are sent. */
static void texts_of(struct hub_use_info *use, struct str *texts[N_TEXTS])
{
    texts[0] = &use->use;
    texts[1] = &use->consumer;
    texts[2] = &use->provider;
    texts[3] = &use->resource;
    texts[4] = &use->contract;
    texts[5] = &use->purpose;
}

/* As much of it as the other side reads. */
static struct str shown(struct str text)
{
    size_t n = text.len;
    if (n > HUB_USES_TEXT_MAX)
        for (n = HUB_USES_TEXT_MAX; n > 0 && ((unsigned char)text.ptr[n] & 0xc0) == 0x80;) /* within a character */
            n--;
    return str_slice(text, 0, n);
}

static size_t n_bytes_of(struct hub_use_info *use)
{
    struct str *texts[N_TEXTS];
    size_t n = 16;
    texts_of(use, texts);
    for (size_t i = 0; i < N_TEXTS; i++)
        n += 4 + shown(*texts[i]).len;
    return n;
}

void hub_uses_part_write(const struct hub_uses_part *part, struct buf *out)
{
    size_t n = 0, n_bytes = 64;
    hub_put_number(out, VERSION, 1);
    hub_put_number(out, HUB_USES_LIST, 1);
    hub_put_error(out, part->err);
    if (part->err)
        return;
    while (n < part->n && n_bytes + n_bytes_of(&part->uses[n]) <= HUB_USES_ANSWER_MAX)
        n_bytes += n_bytes_of(&part->uses[n++]);
    hub_put_number(out, part->end, 8);
    hub_put_number(out, part->is_complete, 1);
    hub_put_number(out, part->has_more || n < part->n, 1);
    hub_put_number(out, n, 2);
    for (size_t i = 0; i < n; i++) {
        struct str *texts[N_TEXTS];
        hub_put_number(out, part->uses[i].index, 8);
        hub_put_number(out, (uint64_t)part->uses[i].time_ms, 8);
        texts_of(&part->uses[i], texts);
        for (size_t at = 0; at < N_TEXTS; at++)
            hub_put_text(out, shown(*texts[at]));
    }
}

static bool get_head(struct bytes_reader *in, enum hub_uses_what what, enum err *ret_told)
{
    bool is_ours = bytes_read_u8(in) == VERSION && bytes_read_u8(in) == what;
    *ret_told = hub_get_error(in);
    return is_ours && !in->err;
}

/* The newest first, each before the one before it: or a page would never end. */
static enum err get_uses(struct bytes_reader *in, struct hub_uses_part *part)
{
    int64_t before = part->before < (int64_t)part->end ? part->before : (int64_t)part->end;
    for (size_t i = 0; i < part->n; i++) {
        struct hub_use_info *use = &part->uses[i];
        struct str *texts[N_TEXTS];
        use->index = bytes_read_u64be(in);
        use->time_ms = (int64_t)bytes_read_u64be(in);
        texts_of(use, texts);
        for (size_t at = 0; at < N_TEXTS; at++)
            *texts[at] = get_text(in, HUB_USES_TEXT_MAX);
        if (in->err || use->index >= (uint64_t)before)
            return ERR_SYNTAX;
        before = (int64_t)use->index;
    }
    return ERR_OK;
}

enum err hub_uses_part_read(struct arena *arena, struct str bytes, size_t n_max, struct hub_uses_part *part)
{
    struct bytes_reader in;
    struct hub_uses_part read = {.log = part->log, .before = part->before};
    bytes_reader_init(&in, bytes.ptr, bytes.len);
    if (!get_head(&in, HUB_USES_LIST, &read.err))
        return ERR_SYNTAX;
    if (!read.err) {
        read.end = bytes_read_u64be(&in);
        uint8_t is_complete = bytes_read_u8(&in), has_more = bytes_read_u8(&in);
        read.n = bytes_read_u16be(&in);
        if (in.err || is_complete > 1 || has_more > 1 || read.n > n_max || read.end > INT64_MAX || (has_more && read.n == 0))
            return ERR_SYNTAX;
        read.is_complete = is_complete == 1;
        read.has_more = has_more == 1;
        read.uses = arena_alloc_zero(arena, read.n + 1, sizeof *read.uses);
        if (!read.uses)
            return ERR_NO_MEMORY;
        if (get_uses(&in, &read))
            return ERR_SYNTAX;
    }
    if (in.err || bytes_reader_left(&in))
        return ERR_SYNTAX;
    *part = read;
    return ERR_OK;
}

void hub_uses_json_write(enum hub_uses_what what, enum err told, struct str json, struct buf *out)
{
    hub_put_number(out, VERSION, 1);
    hub_put_number(out, what, 1);
    told = !told && json.len > HUB_USES_JSON_MAX ? ERR_TOO_LARGE : told;
    hub_put_error(out, told);
    if (!told)
        hub_put_text(out, json);
}

enum err hub_uses_json_read(enum hub_uses_what what, struct str bytes, struct str *ret_json, enum err *ret_told)
{
    struct bytes_reader in;
    struct str json = STR_NONE;
    enum err told;
    bytes_reader_init(&in, bytes.ptr, bytes.len);
    if (!get_head(&in, what, &told))
        return ERR_SYNTAX;
    if (!told)
        json = get_text(&in, HUB_USES_JSON_MAX);
    if (in.err || bytes_reader_left(&in))
        return ERR_SYNTAX;
    *ret_json = json;
    *ret_told = told;
    return ERR_OK;
}
