/* Questions and answers as bytes. */
#include "district/question.h"

#include "base/bytes.h"

#include <string.h>

#define KEYS_MAX HUB_FIELDS_MAX

/* ---- writing ---- */

static void put_number(struct buf *out, uint64_t number, size_t n_bytes)
{
    for (size_t i = n_bytes; i-- > 0;)
        buf_append_byte(out, (char)(number >> (8 * i)));
}

static void put_text(struct buf *out, struct str text)
{
    put_number(out, text.len, 4);
    buf_append_str(out, text);
}

static void put_value(struct buf *out, struct value value)
{
    uint64_t bits;
    buf_append_byte(out, (char)value.type);
    switch (value.type) {
    case VALUE_NULL:
        return;
    case VALUE_BOOLEAN:
    case VALUE_INTEGER:
    case VALUE_TIME:
        put_number(out, (uint64_t)value.i, 8);
        return;
    case VALUE_REAL:
        memcpy(&bits, &value.r, sizeof bits);
        put_number(out, bits, 8);
        return;
    case VALUE_TEXT:
    case VALUE_BYTES:
        put_text(out, value.s);
        return;
    }
}

void district_question_write(const struct district_question *question, struct buf *out)
{
    put_text(out, question->contract);
    put_number(out, question->n_keys, 1);
    for (size_t i = 0; i < question->n_keys; i++) {
        put_text(out, question->key_names[i]);
        put_value(out, question->keys[i]);
    }
    put_number(out, question->n_fields, 1);
    for (size_t i = 0; i < question->n_fields; i++)
        put_text(out, question->fields[i]);
}

void district_reply_write(const struct district_reply *reply, const struct rows *rows, struct buf *out)
{
    put_number(out, (uint64_t)reply->err, 1);
    put_number(out, (uint64_t)reply->rule, 1);
    put_number(out, reply->is_truncated, 1);
    if (reply->err)
        return;
    put_number(out, rows_n_fields(rows), 1);
    put_number(out, rows_n(rows), 4);
    for (size_t i = 0; i < rows_n(rows); i++)
        for (size_t j = 0; j < rows_n_fields(rows); j++)
            put_value(out, rows_at(rows, i)[j]);
}

/* ---- reading ---- */

static struct str get_text(struct bytes_reader *in)
{
    return bytes_read_str(in, bytes_read_u32be(in));
}

static enum err get_value(struct bytes_reader *in, struct value *ret_value)
{
    struct value value = {.type = (enum value_type)bytes_read_u8(in)};
    switch (value.type) {
    case VALUE_NULL:
        break;
    case VALUE_BOOLEAN:
        value.i = bytes_read_u64be(in) != 0;
        break;
    case VALUE_INTEGER:
    case VALUE_TIME:
        value.i = (int64_t)bytes_read_u64be(in);
        break;
    case VALUE_REAL:
        value.r = bytes_read_f64be(in);
        if (!(value.r - value.r == 0)) /* a value is finite */
            return ERR_SYNTAX;
        break;
    case VALUE_TEXT:
    case VALUE_BYTES:
        value.s = get_text(in);
        if (value.type == VALUE_TEXT && !str_is_utf8(value.s))
            return ERR_SYNTAX;
        break;
    default:
        return ERR_SYNTAX;
    }
    *ret_value = value;
    return in->err;
}

enum err district_question_read(struct arena *arena, struct str bytes, struct district_question *ret_question)
{
    struct bytes_reader in;
    struct district_question question = {.n_keys = 0};
    struct str *names = arena_alloc_zero(arena, KEYS_MAX, sizeof *names), *fields = arena_alloc_zero(arena, HUB_FIELDS_MAX, sizeof *fields);
    struct value *keys = arena_alloc_zero(arena, KEYS_MAX, sizeof *keys);
    if (!names || !fields || !keys)
        return ERR_NO_MEMORY;
    bytes_reader_init(&in, bytes.ptr, bytes.len);
    question.contract = get_text(&in);
    question.n_keys = bytes_read_u8(&in);
    if (question.n_keys > KEYS_MAX)
        return ERR_TOO_LARGE;
    for (size_t i = 0; i < question.n_keys; i++) {
        names[i] = get_text(&in);
        enum err err = get_value(&in, &keys[i]);
        if (err)
            return err;
    }
    question.n_fields = bytes_read_u8(&in);
    if (question.n_fields > HUB_FIELDS_MAX)
        return ERR_TOO_LARGE;
    for (size_t i = 0; i < question.n_fields; i++)
        fields[i] = get_text(&in);
    if (in.err || bytes_reader_left(&in) > 0)
        return ERR_SYNTAX;
    question.key_names = names;
    question.keys = keys;
    question.fields = fields;
    *ret_question = question;
    return ERR_OK;
}

static enum err get_rows(struct bytes_reader *in, const enum value_type *types, size_t n_types, size_t max_rows, struct rows *rows)
{
    struct value values[HUB_FIELDS_MAX];
    size_t n_fields = bytes_read_u8(in), n_rows = bytes_read_u32be(in);
    if (n_fields != n_types)
        return ERR_SYNTAX;
    if (n_rows > max_rows)
        return ERR_TOO_LARGE;
    for (size_t i = 0; i < n_rows; i++) {
        for (size_t j = 0; j < n_fields; j++) {
            enum err err = get_value(in, &values[j]);
            if (!err && values[j].type != VALUE_NULL && values[j].type != types[j])
                err = ERR_SYNTAX;
            if (err)
                return err;
        }
        enum err err = rows_add(rows, values);
        if (err)
            return err;
    }
    return in->err || bytes_reader_left(in) > 0 ? ERR_SYNTAX : ERR_OK;
}

enum err district_reply_read(struct str bytes, const enum value_type *types, size_t n_types, size_t max_bytes, size_t max_rows,
    struct district_reply *ret_reply, struct rows **ret_rows)
{
    struct bytes_reader in;
    struct rows *rows = NULL;
    bytes_reader_init(&in, bytes.ptr, bytes.len);
    struct district_reply reply = {.err = (enum err)bytes_read_u8(&in)};
    reply.rule = bytes_read_u8(&in);
    reply.is_truncated = bytes_read_u8(&in) == 1;
    if (in.err || reply.err >= ERR_COUNT || n_types > HUB_FIELDS_MAX)
        return ERR_SYNTAX;
    if (!reply.err) {
        enum err err = rows_create(n_types, max_bytes, &rows);
        if (!err)
            err = get_rows(&in, types, n_types, max_rows, rows);
        if (err) {
            rows_release(rows);
            return err;
        }
    } else if (bytes_reader_left(&in) > 0) {
        return ERR_SYNTAX;
    }
    *ret_reply = reply;
    *ret_rows = rows;
    return ERR_OK;
}
