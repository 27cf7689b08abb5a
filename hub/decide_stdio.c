/*
 * `citybrain decide --stdio`: the decision over lines of JSON, in the strict form of docs/decide.md. A key given twice, an
 * unknown or missing key, a number that is not an integer in ±2^53: not of this form.
 *
 * It is for strangers who compare their own implementation; the hub's uses call decide() directly.
 */
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"
#include "hub/decide.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_MAX 4096

/* One reading of a line; the first cause sticks. */
struct form {
    const char *cause; /* NULL: so far of the form */
    const char *where; /* the key it is about */
};

static void fail(struct form *form, const char *where, const char *cause)
{
    if (!form->cause) {
        form->cause = cause;
        form->where = where;
    }
}

/* An object with exactly these keys (NULL-terminated). */
static void check_keys(struct form *form, const char *where, json_t *object, const char *const *keys)
{
    if (!json_is_object(object)) {
        fail(form, where, "is not an object");
        return;
    }
    size_t n = 0;
    for (; keys[n]; n++)
        if (!json_object_get(object, keys[n]))
            fail(form, keys[n], "is missing");
    if (json_object_size(object) != n)
        fail(form, where, "has an unknown key");
}

static struct str get_text(struct form *form, json_t *object, const char *key)
{
    json_t *member = json_object_get(object, key);
    if (!json_is_string(member)) {
        fail(form, key, "is not a string");
        return STR_NONE;
    }
    return (struct str){json_string_value(member), json_string_length(member)};
}

static int64_t get_integer(struct form *form, json_t *object, const char *key, bool may_be_null)
{
    json_t *member = json_object_get(object, key);
    if (may_be_null && json_is_null(member))
        return DECIDE_NONE;
    if (!json_is_integer(member)) {
        fail(form, key, may_be_null ? "is neither an integer nor null" : "is not an integer");
        return 0;
    }
    int64_t i = json_integer_value(member);
    if (i > DECIDE_INTEGER_MAX || i < -DECIDE_INTEGER_MAX)
        fail(form, key, "is outside of 2^53");
    return i;
}

static const struct str *get_names(struct form *form, struct arena *arena, json_t *object, const char *key, size_t *ret_n)
{
    json_t *list = json_object_get(object, key);
    if (!json_is_array(list)) {
        fail(form, key, "is not a list");
        return NULL;
    }
    size_t n = json_array_size(list);
    if (n > DECIDE_NAMES_MAX) {
        fail(form, key, "has too many names");
        return NULL;
    }
    struct str *names = arena_alloc_zero(arena, n ? n : 1, sizeof *names);
    if (!names) {
        fail(form, key, "is too large");
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        json_t *name = json_array_get(list, i);
        if (!json_is_string(name)) {
            fail(form, key, "has an item that is not a string");
            return NULL;
        }
        names[i] = (struct str){json_string_value(name), json_string_length(name)};
    }
    *ret_n = n;
    return names;
}

static void get_contract(struct form *form, struct arena *arena, json_t *object, struct decide_contract *out)
{
    static const char *const keys[] = {"state", "provider", "consumer", "resource", "uses", "fields", "purpose", "from_ms", "until_ms",
        "fresh_until_ms", "per_second", "per_day", "per_month", "min_subjects", NULL};
    check_keys(form, "contract", object, keys);
    if (form->cause)
        return;
    out->state = get_text(form, object, "state");
    out->provider = get_text(form, object, "provider");
    out->consumer = get_text(form, object, "consumer");
    out->resource = get_text(form, object, "resource");
    out->purpose = get_text(form, object, "purpose");
    out->uses = get_names(form, arena, object, "uses", &out->n_uses);
    out->fields = get_names(form, arena, object, "fields", &out->n_fields);
    out->from_ms = get_integer(form, object, "from_ms", true);
    out->until_ms = get_integer(form, object, "until_ms", true);
    out->fresh_until_ms = get_integer(form, object, "fresh_until_ms", true);
    out->per_second = get_integer(form, object, "per_second", true);
    out->per_day = get_integer(form, object, "per_day", true);
    out->per_month = get_integer(form, object, "per_month", true);
    out->min_subjects = get_integer(form, object, "min_subjects", true);
}

static void get_request(struct form *form, struct arena *arena, json_t *object, struct decide_request *out)
{
    static const char *const keys[] = {"party", "resource", "use", "fields", "purpose", "subjects", NULL};
    check_keys(form, "request", object, keys);
    if (form->cause)
        return;
    out->party = get_text(form, object, "party");
    out->resource = get_text(form, object, "resource");
    out->use = get_text(form, object, "use");
    out->fields = get_names(form, arena, object, "fields", &out->n_fields);
    out->purpose = get_text(form, object, "purpose");
    out->subjects = get_integer(form, object, "subjects", true);
}

static void get_counters(struct form *form, json_t *object, struct decide_counters *out)
{
    static const char *const keys[] = {"second", "day", "month", NULL};
    check_keys(form, "counters", object, keys);
    if (form->cause)
        return;
    out->second = get_integer(form, object, "second", false);
    out->day = get_integer(form, object, "day", false);
    out->month = get_integer(form, object, "month", false);
}

/* The rule for one parsed line; -1 when it is not of the form (then form->cause is set). */
static int decide_json(struct form *form, struct arena *arena, json_t *root)
{
    static const char *const keys[] = {"contract", "request", "now_ms", "counters", NULL};
    struct decide_contract contract = {0};
    struct decide_request request = {0};
    struct decide_counters counters = {0};
    check_keys(form, "the line", root, keys);
    if (form->cause)
        return -1;
    get_contract(form, arena, json_object_get(root, "contract"), &contract);
    get_request(form, arena, json_object_get(root, "request"), &request);
    int64_t now_ms = get_integer(form, root, "now_ms", false);
    get_counters(form, json_object_get(root, "counters"), &counters);
    return form->cause ? -1 : decide(&contract, &request, now_ms, &counters);
}

void decide_line(struct str line, struct buf *answer)
{
    json_error_t error;
    struct form form = {0};
    struct arena arena;
    struct json_writer w;
    int rule = -1;

    arena_init(&arena, 4 * DECIDE_NAMES_MAX * sizeof(struct str));
    /* Not json_read(): a name may hold any character here, U+0000 too, and compares byte for byte. */
    json_t *root = NULL;
    if (!json_has_nul(line))
        root = json_loadb(line.ptr ? line.ptr : "", line.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    else
        fail(&form, "the line", "has a zero byte");
    if (root)
        rule = decide_json(&form, &arena, root);
    else if (!form.cause)
        fail(&form, "the line", json_error_code(&error) == json_error_duplicate_key ? "has a key twice" : "is not JSON");

    json_writer_init(&w, answer);
    json_begin_object(&w);
    if (rule < 0) {
        char text[128];
        snprintf(text, sizeof text, "%s %s", form.where, form.cause);
        json_field_c(&w, "error", text);
    } else {
        json_field_bool(&w, "permit", rule == 0);
        json_field_i64(&w, "rule", rule);
    }
    json_end_object(&w);
    json_decref(root);
    arena_finish(&arena);
}

/* The lines of a descriptor. Nobody waits for an answer while there is more to read at hand: they are flushed before a wait for more. */
struct lines {
    int fd;
    FILE *out;
    size_t at, n;
    char bytes[65536];
};

/* ERR_CANCELLED at the end of the input. */
static enum err more(struct lines *in)
{
    ssize_t n;
    if (fflush(in->out) != 0)
        return err_from_errno(errno);
    do
        n = read(in->fd, in->bytes, sizeof in->bytes);
    while (n < 0 && errno == EINTR);
    in->at = 0;
    in->n = n > 0 ? (size_t)n : 0;
    return n > 0 ? ERR_OK : n == 0 ? ERR_CANCELLED : ERR_IO;
}

/* Reads one line into `line`, at most DECIDE_LINE_MAX bytes of it. ERR_CANCELLED at the end of the input. */
static enum err read_line(struct lines *in, struct buf *line)
{
    bool has_begun = false;
    for (;;) {
        enum err err = in->at == in->n ? more(in) : ERR_OK;
        if (err)
            return err == ERR_CANCELLED && has_begun ? ERR_OK : err; /* the last one may lack its newline */
        const char *from = in->bytes + in->at, *end = memchr(from, '\n', in->n - in->at);
        size_t n = end ? (size_t)(end - from) : in->n - in->at;
        buf_append(line, from, n); /* past the limit the error sticks and the rest of the line is skipped */
        in->at += n + (end ? 1 : 0);
        if (end)
            return ERR_OK;
        has_begun = true;
    }
}

enum err hub_decide_stdio(int in, FILE *out)
{
    struct lines lines = {.fd = in, .out = out};
    struct buf line, answer;
    enum err err;
    buf_init(&line, DECIDE_LINE_MAX);
    buf_init(&answer, ANSWER_MAX);
    for (;;) {
        buf_reset(&line);
        buf_reset(&answer);
        err = read_line(&lines, &line);
        if (err)
            break;
        if (line.err == ERR_TOO_LARGE)
            buf_append_c(&answer, "{\"error\":\"the line is longer than 1 MiB\"}");
        else if (line.err)
            err = line.err;
        else
            decide_line(buf_str(&line), &answer);
        buf_append_byte(&answer, '\n');
        if (!err)
            err = answer.err;
        if (!err && fwrite(answer.ptr, 1, answer.len, out) != answer.len)
            err = err_from_errno(errno);
        if (err)
            break;
    }
    buf_finish(&line);
    buf_finish(&answer);
    return err == ERR_CANCELLED ? ERR_OK : err;
}
