/* Questions and the heads of answers as bytes. */
#include "district/question.h"

#include "hub/object.h"

/* ---- questions ---- */

static void put_names(struct buf *out, const struct str *names, size_t n)
{
    hub_put_number(out, n, 1);
    for (size_t i = 0; i < n; i++)
        hub_put_text(out, names[i]);
}

static void put_take(struct buf *out, const struct district_take *take)
{
    hub_put_number(out, take->epoch, 8);
    hub_put_number(out, take->from, 8);
    hub_put_number(out, take->confirmed, 8);
}

void district_question_write(const struct district_question *question, struct buf *out)
{
    hub_put_number(out, question->what, 1);
    if (question->what == DISTRICT_TAKE) {
        put_take(out, &question->take);
        return;
    }
    if (question->what == DISTRICT_MORE || question->what == DISTRICT_READ) {
        hub_put_number(out, question->from, 8);
        if (question->what == DISTRICT_READ)
            hub_put_number(out, question->left, 8);
        return;
    }
    hub_put_text(out, question->contract);
    switch (question->what) {
    case DISTRICT_ACT:
        hub_put_text(out, question->key);
        hub_put_values(out, question->resource, question->values);
        return;
    case DISTRICT_QUERY:
        put_names(out, question->fields, question->n_fields);
        hub_put_fetch(out, question->resource, &question->fetch);
        return;
    case DISTRICT_CALL:
        hub_put_fetch(out, question->resource, &question->fetch);
        return;
    case DISTRICT_OBJECT:
        hub_put_text(out, question->key);
        hub_put_text(out, question->range);
        return;
    case DISTRICT_WINDOW:
        put_names(out, question->fields, question->n_fields);
        put_take(out, &question->take);
        return;
    case DISTRICT_MORE:
    case DISTRICT_READ:
    case DISTRICT_TAKE:
    case DISTRICT_WHATS:
        return;
    }
}

static void get_names(struct hub_asking *asking, struct district_question *question)
{
    size_t n = bytes_read_u8(&asking->in);
    struct str *names = arena_alloc_zero(asking->arena, HUB_FIELDS_MAX, sizeof *names);
    if (!names)
        asking->err = ERR_NO_MEMORY;
    if (n > HUB_FIELDS_MAX)
        asking->in.err = ERR_SYNTAX;
    for (size_t i = 0; i < n && hub_asking_goes_on(asking); i++)
        names[i] = hub_get_text(&asking->in);
    question->fields = names;
    question->n_fields = n;
}

static void get_take(struct hub_asking *asking, struct district_take *take)
{
    take->epoch = bytes_read_u64be(&asking->in);
    take->from = bytes_read_u64be(&asking->in);
    take->confirmed = bytes_read_u64be(&asking->in);
}

static void get_object(struct hub_asking *asking, struct district_question *question)
{
    question->key = hub_get_text(&asking->in);
    question->range = hub_get_text(&asking->in);
    if (question->key.len > HUB_OBJECT_KEY_MAX || question->range.len > HUB_OBJECT_RANGE_MAX)
        asking->in.err = ERR_SYNTAX;
}

/* What is asked of the contract's resource. */
static void get_asked(struct hub_asking *asking, struct district_question *question)
{
    switch (question->what) {
    case DISTRICT_ACT:
        question->key = hub_get_text(&asking->in);
        question->values = hub_get_values(asking);
        return;
    case DISTRICT_OBJECT:
        get_object(asking, question);
        return;
    case DISTRICT_WINDOW:
        get_names(asking, question);
        get_take(asking, &question->take);
        return;
    case DISTRICT_QUERY:
        get_names(asking, question);
        break;
    default:
        break;
    }
    if (hub_asking_goes_on(asking))
        hub_get_fetch(asking, &question->fetch);
}

enum err district_question_read(
    struct arena *arena, struct str bytes, district_find_fn find, void *context, struct district_question *ret_question)
{
    static const enum hub_kind kinds[DISTRICT_WHATS] = {[DISTRICT_CALL] = HUB_TABLE,
        [DISTRICT_QUERY] = HUB_TABLE,
        [DISTRICT_ACT] = HUB_COMMAND,
        [DISTRICT_OBJECT] = HUB_OBJECT,
        [DISTRICT_WINDOW] = HUB_STREAM};
    struct hub_asking asking;
    struct district_question question = {0};
    hub_asking_init(&asking, arena, bytes);
    uint8_t what = bytes_read_u8(&asking.in);
    if (asking.in.err || what < DISTRICT_CALL || what >= DISTRICT_WHATS)
        return ERR_SYNTAX;
    question.what = (enum district_what)what;
    if (question.what == DISTRICT_TAKE) {
        get_take(&asking, &question.take);
    } else if (question.what == DISTRICT_MORE || question.what == DISTRICT_READ) {
        question.from = bytes_read_u64be(&asking.in);
        question.left = question.what == DISTRICT_READ ? bytes_read_u64be(&asking.in) : 0;
    } else {
        question.contract = hub_get_text(&asking.in);
        if (asking.in.err)
            return ERR_SYNTAX;
        question.resource = asking.resource = find(context, question.contract);
        if (!asking.resource || asking.resource->kind != kinds[question.what])
            return ERR_NOT_FOUND;
        get_asked(&asking, &question);
    }
    enum err err = hub_asking_end(&asking);
    if (!err)
        *ret_question = question;
    return err;
}

/* ---- answers ---- */

void district_reply_write(const struct district_reply *reply, struct buf *out)
{
    hub_put_number(out, (uint64_t)reply->rule, 1);
    hub_put_number(out, reply->is_more, 1);
}

enum err district_reply_read(struct str bytes, struct district_reply *ret_reply, struct str *ret_rest)
{
    struct bytes_reader in;
    bytes_reader_init(&in, bytes.ptr, bytes.len);
    struct district_reply reply = {.rule = bytes_read_u8(&in)};
    uint8_t is_more = bytes_read_u8(&in);
    if (in.err || is_more > 1)
        return ERR_SYNTAX;
    reply.is_more = is_more == 1;
    *ret_reply = reply;
    *ret_rest = bytes_read_str(&in, bytes_reader_left(&in));
    return ERR_OK;
}
