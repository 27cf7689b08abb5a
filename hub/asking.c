/* Written into a growing buffer, read with base's bounded reader. */
#include "hub/asking.h"

#include <math.h>
#include <string.h>

#define VERSION 1
#define WHERE_MAX 64
#define ORDER_MAX 64

static const enum err errors[] = {/* by their number on the wire */
    ERR_OK, ERR_UNAVAILABLE, ERR_TIMEOUT, ERR_TOO_LARGE, ERR_FULL, ERR_RANGE, ERR_DENIED, ERR_NOT_FOUND, ERR_STATE, ERR_IO, ERR_BUSY,
    ERR_EXISTS, ERR_CANCELLED};
#define N_ERRORS (sizeof errors / sizeof errors[0])
#define NUMBER_OF_IO 9

/* ---- pieces ---- */

void hub_put_number(struct buf *out, uint64_t number, size_t n_bytes)
{
    char *at = buf_reserve(out, n_bytes);
    if (!at)
        return;
    for (size_t i = 0; i < n_bytes; i++)
        at[i] = (char)(number >> 8 * (n_bytes - 1 - i));
    buf_advance(out, n_bytes);
}

void hub_put_text(struct buf *out, struct str text)
{
    hub_put_number(out, text.len, 4);
    buf_append_str(out, text);
}

void hub_put_value(struct buf *out, struct value value)
{
    uint64_t bits = (uint64_t)value.i;
    hub_put_number(out, value.type, 1);
    switch (value.type) {
    case VALUE_NULL:
        return;
    case VALUE_TEXT:
    case VALUE_BYTES:
        hub_put_text(out, value.s);
        return;
    case VALUE_REAL:
        memcpy(&bits, &value.r, sizeof bits);
        break;
    case VALUE_BOOLEAN:
    case VALUE_INTEGER:
    case VALUE_TIME:
        break;
    }
    hub_put_number(out, bits, 8);
}

struct str hub_get_text(struct bytes_reader *in)
{
    return bytes_read_str(in, bytes_read_u32be(in));
}

struct value hub_get_value(struct bytes_reader *in)
{
    struct value value = {.type = (enum value_type)bytes_read_u8(in)};
    switch (value.type) {
    case VALUE_NULL:
        break;
    case VALUE_TEXT:
        value.s = hub_get_text(in);
        if (!str_is_utf8(value.s))
            in->err = ERR_SYNTAX;
        break;
    case VALUE_BYTES:
        value.s = hub_get_text(in);
        break;
    case VALUE_REAL:
        value.r = bytes_read_f64be(in);
        if (!isfinite(value.r))
            in->err = ERR_SYNTAX;
        break;
    case VALUE_BOOLEAN:
    case VALUE_INTEGER:
    case VALUE_TIME:
        value.i = (int64_t)bytes_read_u64be(in);
        if (value.type == VALUE_BOOLEAN && value.i != 0 && value.i != 1)
            in->err = ERR_SYNTAX;
        break;
    default:
        in->err = ERR_SYNTAX;
    }
    return value;
}

/* ---- what is asked, written ---- */

static void put_column(struct buf *out, const struct hub_resource *resource, uint16_t column)
{
    hub_put_text(out, column < resource->n_fields ? resource->fields[column].name : STR_NONE);
}

void hub_put_fetch(struct buf *out, const struct hub_resource *resource, const struct hub_fetch *fetch)
{
    hub_put_number(out, fetch->n_rows_max, 8);
    hub_put_number(out, fetch->n_bytes_max, 8);
    hub_put_number(out, fetch->n_outputs, 2);
    for (size_t i = 0; i < fetch->n_outputs; i++) {
        hub_put_number(out, fetch->outputs[i].aggregate, 1);
        if (fetch->outputs[i].aggregate != SQL_COUNT_ALL)
            put_column(out, resource, fetch->outputs[i].column);
    }
    hub_put_number(out, fetch->n_where, 2);
    for (size_t i = 0; i < fetch->n_where; i++) {
        const struct sql_constraint *one = &fetch->where[i];
        hub_put_number(out, one->op, 1);
        put_column(out, resource, one->column);
        hub_put_number(out, one->n_values, 2);
        for (size_t j = 0; j < one->n_values; j++)
            hub_put_value(out, one->values[j]);
    }
    hub_put_text(out, fetch->also ? sql_condition_source(fetch->also) : STR_NONE);
    hub_put_number(out, fetch->n_order, 2);
    for (size_t i = 0; i < fetch->n_order; i++) {
        hub_put_number(out, fetch->order[i].is_descending, 1);
        put_column(out, resource, fetch->order[i].column);
    }
}

void hub_put_values(struct buf *out, const struct hub_resource *resource, const struct value *values)
{
    hub_put_number(out, resource->n_fields, 2);
    for (size_t i = 0; i < resource->n_fields; i++) {
        hub_put_text(out, resource->fields[i].name);
        hub_put_value(out, values[i]);
    }
}

/* ---- what is asked, read ---- */

void hub_asking_init(struct hub_asking *asking, struct arena *arena, struct str bytes)
{
    *asking = (struct hub_asking){.arena = arena};
    bytes_reader_init(&asking->in, bytes.ptr, bytes.len);
}

static void fail(struct hub_asking *asking, enum err err)
{
    if (!asking->err)
        asking->err = err;
}

bool hub_asking_goes_on(const struct hub_asking *asking)
{
    return !asking->err && !asking->in.err;
}

static uint16_t get_column(struct hub_asking *asking)
{
    struct str name = hub_get_text(&asking->in);
    int at = hub_asking_goes_on(asking) ? hub_field_find(asking->resource, name) : 0;
    if (at < 0)
        fail(asking, ERR_NOT_FOUND);
    return at < 0 ? 0 : (uint16_t)at;
}

/* Room for as many as are told; fewer are allowed than would fit into what is left of the bytes, so that nobody makes us allocate. */
static void *get_array(struct hub_asking *asking, size_t max, size_t size, size_t *ret_n)
{
    size_t n = bytes_read_u16be(&asking->in);
    if (n > max || n > bytes_reader_left(&asking->in))
        asking->in.err = ERR_SYNTAX;
    *ret_n = 0;
    if (!hub_asking_goes_on(asking))
        return NULL;
    void *array = arena_alloc_zero(asking->arena, n + 1, size);
    if (!array)
        fail(asking, ERR_NO_MEMORY);
    else
        *ret_n = n;
    return array;
}

static void read_outputs(struct hub_asking *asking, struct hub_fetch *fetch)
{
    struct sql_output *outputs = get_array(asking, HUB_ASKING_OUTPUTS_MAX, sizeof *outputs, &fetch->n_outputs);
    for (size_t i = 0; i < fetch->n_outputs && hub_asking_goes_on(asking); i++) {
        outputs[i].aggregate = bytes_read_u8(&asking->in);
        if (outputs[i].aggregate > SQL_MAX)
            asking->in.err = ERR_SYNTAX;
        if (outputs[i].aggregate != SQL_COUNT_ALL)
            outputs[i].column = get_column(asking);
    }
    if (fetch->n_outputs == 0)
        asking->in.err = ERR_SYNTAX;
    fetch->outputs = outputs;
}

static void read_constraint(struct hub_asking *asking, struct sql_constraint *one)
{
    one->op = bytes_read_u8(&asking->in);
    one->column = get_column(asking);
    struct value *values = get_array(asking, SQL_IN_MAX, sizeof *values, &one->n_values);
    for (size_t i = 0; i < one->n_values && hub_asking_goes_on(asking); i++) {
        values[i] = hub_get_value(&asking->in);
        if (values[i].type == VALUE_NULL)
            fail(asking, ERR_RANGE);
    }
    bool takes_none = one->op == SQL_IS_NULL || one->op == SQL_NOT_NULL;
    if (one->op > SQL_NOT_NULL || (takes_none ? one->n_values != 0 : one->n_values == 0) ||
        (one->op != SQL_IN && !takes_none && one->n_values != 1))
        asking->in.err = ERR_SYNTAX;
    one->values = values;
}

static void read_also(struct hub_asking *asking, struct hub_fetch *fetch)
{
    struct str text = hub_get_text(&asking->in);
    if (!hub_asking_goes_on(asking) || str_is_empty(text))
        return;
    enum err err = sql_condition_parse(asking->arena, text, asking->resource->columns, asking->resource->n_fields, NULL, &fetch->also);
    if (err)
        fail(asking, err);
}

void hub_get_fetch(struct hub_asking *asking, struct hub_fetch *fetch)
{
    fetch->n_rows_max = (size_t)bytes_read_u64be(&asking->in);
    fetch->n_bytes_max = (size_t)bytes_read_u64be(&asking->in);
    read_outputs(asking, fetch);
    struct sql_constraint *where = get_array(asking, WHERE_MAX, sizeof *where, &fetch->n_where);
    for (size_t i = 0; i < fetch->n_where && hub_asking_goes_on(asking); i++)
        read_constraint(asking, &where[i]);
    fetch->where = where;
    read_also(asking, fetch);
    struct sql_order *order = get_array(asking, ORDER_MAX, sizeof *order, &fetch->n_order);
    for (size_t i = 0; i < fetch->n_order && hub_asking_goes_on(asking); i++) {
        order[i].is_descending = bytes_read_u8(&asking->in) == 1;
        order[i].column = get_column(asking);
    }
    fetch->order = order;
}

const struct value *hub_get_values(struct hub_asking *asking)
{
    size_t n;
    struct value *given = get_array(asking, HUB_FIELDS_MAX, sizeof *given, &n);
    struct value *values = arena_alloc_zero(asking->arena, asking->resource->n_fields + 1, sizeof *values); /* all NULL */
    if (!values)
        fail(asking, ERR_NO_MEMORY);
    for (size_t i = 0; i < n && hub_asking_goes_on(asking); i++) {
        uint16_t column = get_column(asking);
        struct value value = hub_get_value(&asking->in);
        if (!hub_asking_goes_on(asking))
            break;
        if (value.type != VALUE_NULL && value.type != asking->resource->fields[column].type)
            fail(asking, ERR_RANGE);
        values[column] = value;
    }
    return values;
}

enum err hub_asking_end(const struct hub_asking *asking)
{
    if (!asking->err && (asking->in.err || bytes_reader_left(&asking->in)))
        return ERR_SYNTAX;
    return asking->err;
}

/* ---- answers ---- */

void hub_put_error(struct buf *out, enum err err)
{
    size_t number = 0;
    while (number < N_ERRORS && errors[number] != err)
        number++;
    hub_put_number(out, VERSION, 1);
    hub_put_number(out, number < N_ERRORS ? number : NUMBER_OF_IO, 1);
}

enum err hub_get_error(struct bytes_reader *in)
{
    uint8_t version = bytes_read_u8(in), number = bytes_read_u8(in);
    if (version != VERSION || number >= N_ERRORS)
        in->err = ERR_SYNTAX;
    return in->err ? ERR_IO : errors[number];
}

size_t hub_put_rows(struct buf *out, const struct rows *rows, size_t from, size_t n_bytes, bool is_truncated)
{
    size_t start = out->len, n = 0;
    hub_put_error(out, ERR_OK);
    hub_put_number(out, is_truncated, 1);
    hub_put_number(out, rows_n_fields(rows), 2);
    for (; from + n < rows_n(rows) && out->len - start < n_bytes && !out->err; n++) {
        const struct value *values = rows_at(rows, from + n);
        hub_put_number(out, 1, 1); /* one more row */
        for (size_t i = 0; i < rows_n_fields(rows); i++)
            hub_put_value(out, values[i]);
    }
    hub_put_number(out, 0, 1);
    return n;
}

enum err hub_get_rows(
    struct str bytes, const enum value_type *types, size_t n_types, struct rows *rows, bool *ret_truncated, enum err *ret_err)
{
    struct bytes_reader reader;
    struct value values[HUB_ASKING_OUTPUTS_MAX];
    bytes_reader_init(&reader, bytes.ptr, bytes.len);
    enum err told = hub_get_error(&reader);
    if (!reader.err && told) {
        *ret_err = told;
        return bytes_reader_left(&reader) ? ERR_SYNTAX : ERR_OK;
    }
    uint8_t is_truncated = bytes_read_u8(&reader);
    if (bytes_read_u16be(&reader) != n_types || n_types > HUB_ASKING_OUTPUTS_MAX || is_truncated > 1)
        return ERR_SYNTAX;
    while (!reader.err && bytes_read_u8(&reader) == 1) {
        for (size_t i = 0; i < n_types; i++) {
            values[i] = hub_get_value(&reader);
            if (values[i].type != VALUE_NULL && values[i].type != types[i])
                return ERR_SYNTAX; /* a department's process that lies about its types */
        }
        enum err err = reader.err ? ERR_SYNTAX : rows_add(rows, values);
        if (err)
            return err;
    }
    if (reader.err || bytes_reader_left(&reader))
        return ERR_SYNTAX;
    *ret_truncated = is_truncated == 1;
    *ret_err = ERR_OK;
    return ERR_OK;
}

/* ---- objects ---- */

void hub_put_opened(struct buf *out, const struct hub_object_ask *ask)
{
    hub_put_error(out, ERR_OK);
    hub_put_number(out, ask->n_bytes, 8);
    hub_put_text(out, str_from_c(ask->media_type));
    hub_put_text(out, str_from_c(ask->version));
    hub_put_number(out, ask->is_version_weak, 1);
}

/* True: what follows is an answer; else *ret_err is told, and nothing follows. */
static bool get_told(struct bytes_reader *in, enum err *ret_err)
{
    *ret_err = hub_get_error(in);
    if (!in->err && *ret_err && bytes_reader_left(in))
        in->err = ERR_SYNTAX;
    return !in->err && !*ret_err;
}

/* A name that goes into a header: no byte of it ends one. */
static bool is_plain(struct str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= ' ' || text.ptr[i] > '~' || text.ptr[i] == '"')
            return false;
    return true;
}

enum err hub_get_opened(struct str bytes, struct hub_object_ask *ask, enum err *ret_err)
{
    struct bytes_reader in;
    struct str type, version;
    bytes_reader_init(&in, bytes.ptr, bytes.len);
    if (!get_told(&in, ret_err))
        return in.err ? ERR_SYNTAX : ERR_OK;
    uint64_t n_bytes = bytes_read_u64be(&in);
    type = hub_get_text(&in);
    version = hub_get_text(&in);
    uint8_t is_weak = bytes_read_u8(&in);
    if (in.err || bytes_reader_left(&in) || is_weak > 1 || n_bytes > INT64_MAX || !is_plain(version) ||
        str_to_c(version, ask->version, sizeof ask->version) || str_to_c(type, ask->media_type, sizeof ask->media_type))
        return ERR_SYNTAX;
    for (size_t i = 0; i < type.len; i++)
        if (type.ptr[i] < ' ' || type.ptr[i] > '~')
            return ERR_SYNTAX;
    ask->n_bytes = n_bytes;
    ask->is_version_weak = is_weak == 1;
    return ERR_OK;
}

void hub_put_piece(struct buf *out, struct str piece)
{
    hub_put_error(out, ERR_OK);
    hub_put_text(out, piece);
}

enum err hub_get_piece(struct str bytes, struct str *ret_piece, enum err *ret_err)
{
    struct bytes_reader in;
    bytes_reader_init(&in, bytes.ptr, bytes.len);
    if (!get_told(&in, ret_err))
        return in.err ? ERR_SYNTAX : ERR_OK;
    *ret_piece = hub_get_text(&in);
    return in.err || bytes_reader_left(&in) ? ERR_SYNTAX : ERR_OK;
}
