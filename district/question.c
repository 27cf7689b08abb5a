/* Questions and answers as bytes. */
#include "district/question.h"

#include "hub/asking.h"

#define KEYS_MAX HUB_FIELDS_MAX

/* ---- writing ---- */

void district_question_write(const struct district_question *question, struct buf *out)
{
    hub_put_text(out, question->contract);
    hub_put_number(out, question->n_keys, 1);
    for (size_t i = 0; i < question->n_keys; i++) {
        hub_put_text(out, question->key_names[i]);
        hub_put_value(out, question->keys[i]);
    }
    hub_put_number(out, question->n_fields, 1);
    for (size_t i = 0; i < question->n_fields; i++)
        hub_put_text(out, question->fields[i]);
}

void district_reply_write(const struct district_reply *reply, const struct rows *rows, struct buf *out)
{
    hub_put_number(out, (uint64_t)reply->err, 1);
    hub_put_number(out, (uint64_t)reply->rule, 1);
    hub_put_number(out, reply->is_truncated, 1);
    if (reply->err)
        return;
    hub_put_number(out, rows_n_fields(rows), 1);
    hub_put_number(out, rows_n(rows), 4);
    for (size_t i = 0; i < rows_n(rows); i++)
        for (size_t j = 0; j < rows_n_fields(rows); j++)
            hub_put_value(out, rows_at(rows, i)[j]);
}

/* ---- reading ---- */

static enum err get_value(struct bytes_reader *in, struct value *ret_value)
{
    *ret_value = hub_get_value(in);
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
    question.contract = hub_get_text(&in);
    question.n_keys = bytes_read_u8(&in);
    if (question.n_keys > KEYS_MAX)
        return ERR_TOO_LARGE;
    for (size_t i = 0; i < question.n_keys; i++) {
        names[i] = hub_get_text(&in);
        enum err err = get_value(&in, &keys[i]);
        if (err)
            return err;
    }
    question.n_fields = bytes_read_u8(&in);
    if (question.n_fields > HUB_FIELDS_MAX)
        return ERR_TOO_LARGE;
    for (size_t i = 0; i < question.n_fields; i++)
        fields[i] = hub_get_text(&in);
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
