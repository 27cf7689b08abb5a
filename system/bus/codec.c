/* The heads of askings, and health; what is asked of a table or a command is hub/asking.c's. */
#include "system/bus/codec.h"

#include "hub/asking.h"
#include "hub/object.h"

#include <string.h>

#define VERSION 1

static void begin(struct buf *out, enum system_bus_what what)
{
    hub_put_number(out, VERSION, 1);
    hub_put_number(out, what, 1);
}

/* ---- questions, written ---- */

void system_bus_fetch_write(
    const struct system_bus_fetch *head, const struct hub_resource *resource, const struct hub_fetch *fetch, struct buf *out)
{
    begin(out, SYSTEM_BUS_FETCH);
    hub_put_text(out, resource->name);
    hub_put_text(out, head->contract);
    buf_append(out, head->hash.bytes, sizeof head->hash.bytes);
    hub_put_text(out, head->receipt);
    hub_put_number(out, head->number, 8);
    hub_put_fetch(out, resource, fetch);
}

void system_bus_act_write(const struct hub_ask *ask, struct buf *out)
{
    begin(out, SYSTEM_BUS_ACT);
    hub_put_text(out, ask->resource->name);
    hub_put_text(out, ask->key);
    hub_put_text(out, ask->party);
    hub_put_text(out, ask->receipt);
    hub_put_number(out, (uint64_t)ask->time.ms, 8);
    hub_put_values(out, ask->resource, ask->values);
}

void system_bus_health_write(struct str system, struct buf *out)
{
    begin(out, SYSTEM_BUS_HEALTH);
    hub_put_text(out, system);
}

void system_bus_cancel_write(uint64_t number, struct buf *out)
{
    begin(out, SYSTEM_BUS_CANCEL);
    hub_put_text(out, STR_NONE);
    hub_put_number(out, number, 8);
}

void system_bus_object_write(
    enum system_bus_what what, const struct hub_resource *resource, const struct system_bus_object *object, struct buf *out)
{
    begin(out, what);
    hub_put_text(out, resource->name);
    hub_put_text(out, object->contract);
    buf_append(out, object->hash.bytes, sizeof object->hash.bytes);
    hub_put_text(out, object->receipt);
    hub_put_number(out, object->handle, 8);
    hub_put_value(out, object->key);
    if (what != SYSTEM_BUS_READ)
        return;
    hub_put_text(out, object->version);
    hub_put_number(out, object->at, 8);
    hub_put_number(out, object->n, 4);
    hub_put_number(out, object->is_last, 1);
}

void system_bus_close_write(uint64_t handle, struct buf *out)
{
    begin(out, SYSTEM_BUS_CLOSE);
    hub_put_text(out, STR_NONE);
    hub_put_number(out, handle, 8);
}

void system_bus_take_write(const struct hub_resource *resource, const struct system_bus_take *take, struct buf *out)
{
    begin(out, SYSTEM_BUS_TAKE);
    hub_put_text(out, resource->name);
    hub_put_number(out, take->epoch, 8);
    hub_put_number(out, take->from, 8);
    hub_put_number(out, take->confirmed, 8);
}

/* ---- questions, read ---- */

static void get_hash(struct bytes_reader *in, struct sha256 *ret_hash)
{
    struct str hash = bytes_read_str(in, sizeof ret_hash->bytes);
    if (!in->err)
        memcpy(ret_hash->bytes, hash.ptr, hash.len);
}

static void read_fetch(struct hub_asking *asking, struct system_bus_question *question)
{
    struct bytes_reader *in = &asking->in;
    question->head.resource = asking->resource->name;
    question->head.contract = hub_get_text(in);
    get_hash(in, &question->head.hash);
    question->head.receipt = hub_get_text(in);
    question->head.number = bytes_read_u64be(in);
    hub_get_fetch(asking, &question->fetch);
    if (question->head.receipt.len >= HUB_RECEIPT_MAX)
        in->err = ERR_SYNTAX;
}

static void read_act(struct hub_asking *asking, struct system_bus_question *question)
{
    struct hub_ask *ask = &question->ask;
    ask->resource = asking->resource;
    ask->key = hub_get_text(&asking->in);
    ask->party = hub_get_text(&asking->in);
    ask->receipt = hub_get_text(&asking->in);
    ask->time.ms = (int64_t)bytes_read_u64be(&asking->in);
    ask->values = hub_get_values(asking);
}

static void read_object(struct hub_asking *asking, struct system_bus_question *question)
{
    struct bytes_reader *in = &asking->in;
    struct system_bus_object *object = &question->object;
    object->contract = hub_get_text(in);
    get_hash(in, &object->hash);
    object->receipt = hub_get_text(in);
    object->handle = bytes_read_u64be(in);
    object->key = hub_get_value(in);
    if (question->what == SYSTEM_BUS_READ) {
        object->version = hub_get_text(in);
        object->at = bytes_read_u64be(in);
        object->n = bytes_read_u32be(in);
        object->is_last = bytes_read_u8(in) == 1;
        if (object->n == 0 || object->n > HUB_OBJECT_PIECE || object->version.len >= HUB_OBJECT_VERSION_MAX)
            in->err = ERR_SYNTAX;
    }
    if (object->receipt.len >= HUB_RECEIPT_MAX || (object->key.type == VALUE_TEXT && object->key.s.len > HUB_OBJECT_KEY_MAX))
        in->err = ERR_SYNTAX;
    if (object->key.type != VALUE_NULL && object->key.type != VALUE_TEXT && object->key.type != VALUE_INTEGER)
        in->err = ERR_SYNTAX;
}

/* Of what is asked with a resource's name. */
static enum err read_of_resource(struct hub_asking *asking, struct system_bus_question *question, const struct hub_resource *resource)
{
    static const enum hub_kind kinds[] = {[SYSTEM_BUS_FETCH] = HUB_TABLE,
        [SYSTEM_BUS_ACT] = HUB_COMMAND,
        [SYSTEM_BUS_OPEN] = HUB_OBJECT,
        [SYSTEM_BUS_READ] = HUB_OBJECT,
        [SYSTEM_BUS_TAKE] = HUB_STREAM};
    if (!resource || resource->kind != kinds[question->what])
        return ERR_NOT_FOUND;
    question->resource = asking->resource = resource;
    if (question->what == SYSTEM_BUS_FETCH)
        read_fetch(asking, question);
    else if (question->what == SYSTEM_BUS_ACT)
        read_act(asking, question);
    else if (question->what == SYSTEM_BUS_TAKE) {
        question->take.epoch = bytes_read_u64be(&asking->in);
        question->take.from = bytes_read_u64be(&asking->in);
        question->take.confirmed = bytes_read_u64be(&asking->in);
    } else
        read_object(asking, question);
    return ERR_OK;
}

enum err system_bus_question_read(
    struct arena *arena, struct str bytes, system_bus_find_fn find, void *context, struct system_bus_question *ret_question)
{
    struct hub_asking asking;
    struct system_bus_question question = {0};
    enum err err = ERR_OK;
    hub_asking_init(&asking, arena, bytes);
    uint8_t version = bytes_read_u8(&asking.in);
    question.what = (enum system_bus_what)bytes_read_u8(&asking.in);
    struct str name = hub_get_text(&asking.in);
    if (asking.in.err || version != VERSION || question.what < SYSTEM_BUS_FETCH || question.what > SYSTEM_BUS_TAKE)
        return ERR_SYNTAX;
    if (question.what == SYSTEM_BUS_HEALTH)
        question.system = name;
    else if (question.what == SYSTEM_BUS_CANCEL)
        question.head.number = bytes_read_u64be(&asking.in);
    else if (question.what == SYSTEM_BUS_CLOSE)
        question.object.handle = bytes_read_u64be(&asking.in);
    else
        err = read_of_resource(&asking, &question, find(context, name));
    if (!err)
        err = hub_asking_end(&asking);
    if (!err)
        *ret_question = question;
    return err;
}

/* ---- answers ---- */

void system_bus_error_write(enum err err, struct buf *out)
{
    hub_put_error(out, err ? err : ERR_IO);
}

size_t system_bus_rows_write(const struct rows *rows, size_t from, bool is_truncated, struct buf *out)
{
    return hub_put_rows(out, rows, from, SYSTEM_BUS_PART, is_truncated);
}

enum err system_bus_rows_read(
    struct str bytes, const enum value_type *types, size_t n_types, struct rows *rows, bool *ret_truncated, enum err *ret_err)
{
    return hub_get_rows(bytes, types, n_types, rows, ret_truncated, ret_err);
}

void system_bus_opened_write(const struct hub_object_ask *ask, struct buf *out)
{
    hub_put_opened(out, ask);
}

enum err system_bus_opened_read(struct str bytes, struct hub_object_ask *ask, enum err *ret_err)
{
    return hub_get_opened(bytes, ask, ret_err);
}

void system_bus_piece_write(struct str piece, struct buf *out)
{
    hub_put_piece(out, piece);
}

enum err system_bus_piece_read(struct str bytes, struct str *ret_piece, enum err *ret_err)
{
    return hub_get_piece(bytes, ret_piece, ret_err);
}

void system_bus_act_answer_write(enum err err, struct str answer, struct buf *out)
{
    hub_put_error(out, err);
    hub_put_text(out, answer);
}

enum err system_bus_act_answer_read(struct str bytes, struct str *ret_answer, enum err *ret_err)
{
    struct bytes_reader reader;
    bytes_reader_init(&reader, bytes.ptr, bytes.len);
    enum err told = hub_get_error(&reader);
    struct str answer = hub_get_text(&reader);
    if (reader.err || bytes_reader_left(&reader))
        return ERR_SYNTAX;
    *ret_answer = answer;
    *ret_err = told;
    return ERR_OK;
}

void system_bus_health_answer_write(const struct system_bus_health *health, struct buf *out)
{
    hub_put_error(out, ERR_OK);
    hub_put_number(out, health->health, 1);
    hub_put_number(out, (uint64_t)health->last_heard_ms, 8);
    hub_put_text(out, health->detail);
}

enum err system_bus_health_answer_read(struct str bytes, struct system_bus_health *ret_health)
{
    struct bytes_reader reader;
    struct system_bus_health health;
    bytes_reader_init(&reader, bytes.ptr, bytes.len);
    enum err told = hub_get_error(&reader);
    if (!reader.err && told)
        return told == ERR_OK ? ERR_SYNTAX : told;
    uint8_t number = bytes_read_u8(&reader);
    health.health = (enum hub_health)number;
    health.last_heard_ms = (int64_t)bytes_read_u64be(&reader);
    health.detail = hub_get_text(&reader);
    if (reader.err || bytes_reader_left(&reader) || number > HUB_DOWN || !str_is_utf8(health.detail))
        return ERR_SYNTAX;
    *ret_health = health;
    return ERR_OK;
}
