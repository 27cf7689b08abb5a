/* Written into a growing buffer, read with base's bounded reader. Numbers are big-endian; a text is its length in 32 bits, then its bytes.
 */
#include "system/bus/codec.h"

#include "base/bytes.h"

#include <math.h>
#include <string.h>

#define VERSION 1
#define OUTPUTS_MAX 256
#define WHERE_MAX 64
#define ORDER_MAX 64

static const enum err errors[] = {/* by their number on the wire */
    ERR_OK, ERR_UNAVAILABLE, ERR_TIMEOUT, ERR_TOO_LARGE, ERR_FULL, ERR_RANGE, ERR_DENIED, ERR_NOT_FOUND, ERR_STATE, ERR_IO};
#define N_ERRORS (sizeof errors / sizeof errors[0])

/* ---- pieces ---- */

static void put(struct buf *out, uint64_t number, size_t n_bytes)
{
    char *at = buf_reserve(out, n_bytes);
    if (!at)
        return;
    for (size_t i = 0; i < n_bytes; i++)
        at[i] = (char)(number >> 8 * (n_bytes - 1 - i));
    buf_advance(out, n_bytes);
}

static void put_text(struct buf *out, struct str text)
{
    put(out, text.len, 4);
    buf_append_str(out, text);
}

static void put_value(struct buf *out, struct value value)
{
    uint64_t bits = (uint64_t)value.i;
    put(out, value.type, 1);
    switch (value.type) {
    case VALUE_NULL:
        return;
    case VALUE_TEXT:
    case VALUE_BYTES:
        put_text(out, value.s);
        return;
    case VALUE_REAL:
        memcpy(&bits, &value.r, sizeof bits);
        break;
    case VALUE_BOOLEAN:
    case VALUE_INTEGER:
    case VALUE_TIME:
        break;
    }
    put(out, bits, 8);
}

static struct str get_text(struct bytes_reader *reader)
{
    return bytes_read_str(reader, bytes_read_u32be(reader));
}

static struct value get_value(struct bytes_reader *reader)
{
    struct value value = {.type = (enum value_type)bytes_read_u8(reader)};
    switch (value.type) {
    case VALUE_NULL:
        break;
    case VALUE_TEXT:
        value.s = get_text(reader);
        if (!str_is_utf8(value.s))
            reader->err = ERR_SYNTAX;
        break;
    case VALUE_BYTES:
        value.s = get_text(reader);
        break;
    case VALUE_REAL:
        value.r = bytes_read_f64be(reader);
        if (!isfinite(value.r))
            reader->err = ERR_SYNTAX;
        break;
    case VALUE_BOOLEAN:
    case VALUE_INTEGER:
    case VALUE_TIME:
        value.i = (int64_t)bytes_read_u64be(reader);
        if (value.type == VALUE_BOOLEAN && value.i != 0 && value.i != 1)
            reader->err = ERR_SYNTAX;
        break;
    default:
        reader->err = ERR_SYNTAX;
    }
    return value;
}

static void begin(struct buf *out, enum system_bus_what what)
{
    put(out, VERSION, 1);
    put(out, what, 1);
}

/* ---- questions, written ---- */

static void put_column(struct buf *out, const struct hub_resource *resource, uint16_t column)
{
    put_text(out, column < resource->n_fields ? resource->fields[column].name : STR_NONE);
}

void system_bus_fetch_write(
    const struct system_bus_fetch *head, const struct hub_resource *resource, const struct hub_fetch *fetch, struct buf *out)
{
    begin(out, SYSTEM_BUS_FETCH);
    put_text(out, resource->name);
    put_text(out, head->contract);
    buf_append(out, head->hash.bytes, sizeof head->hash.bytes);
    put_text(out, head->receipt);
    put(out, fetch->n_rows_max, 8);
    put(out, fetch->n_bytes_max, 8);
    put(out, fetch->n_outputs, 2);
    for (size_t i = 0; i < fetch->n_outputs; i++) {
        put(out, fetch->outputs[i].aggregate, 1);
        if (fetch->outputs[i].aggregate != SQL_COUNT_ALL)
            put_column(out, resource, fetch->outputs[i].column);
    }
    put(out, fetch->n_where, 2);
    for (size_t i = 0; i < fetch->n_where; i++) {
        const struct sql_constraint *one = &fetch->where[i];
        put(out, one->op, 1);
        put_column(out, resource, one->column);
        put(out, one->n_values, 2);
        for (size_t j = 0; j < one->n_values; j++)
            put_value(out, one->values[j]);
    }
    put_text(out, fetch->also ? sql_condition_source(fetch->also) : STR_NONE);
    put(out, fetch->n_order, 2);
    for (size_t i = 0; i < fetch->n_order; i++) {
        put(out, fetch->order[i].is_descending, 1);
        put_column(out, resource, fetch->order[i].column);
    }
}

void system_bus_act_write(const struct hub_ask *ask, struct buf *out)
{
    begin(out, SYSTEM_BUS_ACT);
    put_text(out, ask->resource->name);
    put_text(out, ask->key);
    put_text(out, ask->party);
    put_text(out, ask->receipt);
    put(out, (uint64_t)ask->time.ms, 8);
    put(out, ask->resource->n_fields, 2);
    for (size_t i = 0; i < ask->resource->n_fields; i++) {
        put_text(out, ask->resource->fields[i].name);
        put_value(out, ask->values[i]);
    }
}

void system_bus_health_write(struct str system, struct buf *out)
{
    begin(out, SYSTEM_BUS_HEALTH);
    put_text(out, system);
}

/* ---- questions, read ---- */

struct reading {
    struct bytes_reader reader;
    struct arena *arena;
    const struct hub_resource *resource;
    enum err err; /* beside the reader's: a name that is not there, no memory */
};

static void fail(struct reading *reading, enum err err)
{
    if (!reading->err)
        reading->err = err;
}

static bool goes_on(const struct reading *reading)
{
    return !reading->err && !reading->reader.err;
}

static uint16_t get_column(struct reading *reading)
{
    struct str name = get_text(&reading->reader);
    int at = goes_on(reading) ? hub_field_find(reading->resource, name) : 0;
    if (at < 0)
        fail(reading, ERR_NOT_FOUND);
    return at < 0 ? 0 : (uint16_t)at;
}

/* Room for as many as are told; fewer are allowed than would fit into what is left of the bytes, so that nobody makes us allocate. */
static void *get_array(struct reading *reading, size_t max, size_t size, size_t *ret_n)
{
    size_t n = bytes_read_u16be(&reading->reader);
    if (n > max || n > bytes_reader_left(&reading->reader))
        reading->reader.err = ERR_SYNTAX;
    *ret_n = 0;
    if (!goes_on(reading))
        return NULL;
    void *array = arena_alloc_zero(reading->arena, n + 1, size);
    if (!array)
        fail(reading, ERR_NO_MEMORY);
    else
        *ret_n = n;
    return array;
}

static void read_outputs(struct reading *reading, struct hub_fetch *fetch)
{
    struct sql_output *outputs = get_array(reading, OUTPUTS_MAX, sizeof *outputs, &fetch->n_outputs);
    for (size_t i = 0; i < fetch->n_outputs && goes_on(reading); i++) {
        outputs[i].aggregate = bytes_read_u8(&reading->reader);
        if (outputs[i].aggregate > SQL_MAX)
            reading->reader.err = ERR_SYNTAX;
        if (outputs[i].aggregate != SQL_COUNT_ALL)
            outputs[i].column = get_column(reading);
    }
    if (fetch->n_outputs == 0)
        reading->reader.err = ERR_SYNTAX;
    fetch->outputs = outputs;
}

static void read_constraint(struct reading *reading, struct sql_constraint *one)
{
    one->op = bytes_read_u8(&reading->reader);
    one->column = get_column(reading);
    struct value *values = get_array(reading, SQL_IN_MAX, sizeof *values, &one->n_values);
    for (size_t i = 0; i < one->n_values && goes_on(reading); i++) {
        values[i] = get_value(&reading->reader);
        if (values[i].type == VALUE_NULL)
            fail(reading, ERR_RANGE);
    }
    bool takes_none = one->op == SQL_IS_NULL || one->op == SQL_NOT_NULL;
    if (one->op > SQL_NOT_NULL || (takes_none ? one->n_values != 0 : one->n_values == 0) ||
        (one->op != SQL_IN && !takes_none && one->n_values != 1))
        reading->reader.err = ERR_SYNTAX;
    one->values = values;
}

static void read_also(struct reading *reading, struct hub_fetch *fetch)
{
    struct str text = get_text(&reading->reader);
    if (!goes_on(reading) || str_is_empty(text))
        return;
    enum err err = sql_condition_parse(reading->arena, text, reading->resource->columns, reading->resource->n_fields, NULL, &fetch->also);
    if (err)
        fail(reading, err);
}

static void read_fetch(struct reading *reading, struct system_bus_question *question)
{
    struct bytes_reader *reader = &reading->reader;
    struct hub_fetch *fetch = &question->fetch;
    question->head.resource = reading->resource->name;
    question->head.contract = get_text(reader);
    struct str hash = bytes_read_str(reader, sizeof question->head.hash.bytes);
    if (!reader->err)
        memcpy(question->head.hash.bytes, hash.ptr, hash.len);
    question->head.receipt = get_text(reader);
    fetch->n_rows_max = (size_t)bytes_read_u64be(reader);
    fetch->n_bytes_max = (size_t)bytes_read_u64be(reader);
    read_outputs(reading, fetch);
    struct sql_constraint *where = get_array(reading, WHERE_MAX, sizeof *where, &fetch->n_where);
    for (size_t i = 0; i < fetch->n_where && goes_on(reading); i++)
        read_constraint(reading, &where[i]);
    fetch->where = where;
    read_also(reading, fetch);
    struct sql_order *order = get_array(reading, ORDER_MAX, sizeof *order, &fetch->n_order);
    for (size_t i = 0; i < fetch->n_order && goes_on(reading); i++) {
        order[i].is_descending = bytes_read_u8(reader) == 1;
        order[i].column = get_column(reading);
    }
    fetch->order = order;
    if (question->head.receipt.len >= HUB_RECEIPT_MAX)
        reader->err = ERR_SYNTAX;
}

static void read_act(struct reading *reading, struct system_bus_question *question)
{
    struct bytes_reader *reader = &reading->reader;
    struct hub_ask *ask = &question->ask;
    size_t n;
    ask->resource = reading->resource;
    ask->key = get_text(reader);
    ask->party = get_text(reader);
    ask->receipt = get_text(reader);
    ask->time.ms = (int64_t)bytes_read_u64be(reader);
    struct value *given = get_array(reading, HUB_FIELDS_MAX, sizeof *given, &n);
    struct value *values = arena_alloc_zero(reading->arena, reading->resource->n_fields + 1, sizeof *values); /* all NULL */
    if (!values)
        fail(reading, ERR_NO_MEMORY);
    for (size_t i = 0; i < n && goes_on(reading); i++) {
        uint16_t column = get_column(reading);
        struct value value = get_value(reader);
        if (!goes_on(reading))
            return;
        if (value.type != VALUE_NULL && value.type != reading->resource->fields[column].type)
            fail(reading, ERR_RANGE);
        values[column] = value;
    }
    ask->values = values;
}

enum err system_bus_question_read(
    struct arena *arena, struct str bytes, system_bus_find_fn find, void *context, struct system_bus_question *ret_question)
{
    struct reading reading = {.arena = arena};
    struct system_bus_question question = {0};
    bytes_reader_init(&reading.reader, bytes.ptr, bytes.len);
    uint8_t version = bytes_read_u8(&reading.reader);
    question.what = (enum system_bus_what)bytes_read_u8(&reading.reader);
    struct str name = get_text(&reading.reader);
    if (reading.reader.err || version != VERSION || question.what < SYSTEM_BUS_FETCH || question.what > SYSTEM_BUS_HEALTH)
        return ERR_SYNTAX;
    if (question.what == SYSTEM_BUS_HEALTH)
        question.system = name;
    else {
        question.resource = reading.resource = find(context, name);
        if (!reading.resource)
            return ERR_NOT_FOUND;
        if (reading.resource->kind != (question.what == SYSTEM_BUS_FETCH ? HUB_TABLE : HUB_COMMAND))
            return ERR_NOT_FOUND;
        if (question.what == SYSTEM_BUS_FETCH)
            read_fetch(&reading, &question);
        else
            read_act(&reading, &question);
    }
    if (!reading.err && (reading.reader.err || bytes_reader_left(&reading.reader)))
        return ERR_SYNTAX;
    if (!reading.err)
        *ret_question = question;
    return reading.err;
}

/* ---- answers ---- */

static void put_error(struct buf *out, enum err err)
{
    size_t number = 0;
    while (number < N_ERRORS - 1 && errors[number] != err)
        number++;
    put(out, VERSION, 1);
    put(out, number, 1);
}

static enum err get_error(struct bytes_reader *reader)
{
    uint8_t version = bytes_read_u8(reader), number = bytes_read_u8(reader);
    if (version != VERSION || number >= N_ERRORS)
        reader->err = ERR_SYNTAX;
    return reader->err ? ERR_IO : errors[number];
}

void system_bus_error_write(enum err err, struct buf *out)
{
    put_error(out, err ? err : ERR_IO);
}

size_t system_bus_rows_write(const struct rows *rows, size_t from, bool is_truncated, struct buf *out)
{
    size_t start = out->len, n = 0;
    put_error(out, ERR_OK);
    put(out, is_truncated, 1);
    put(out, rows_n_fields(rows), 2);
    for (; from + n < rows_n(rows) && out->len - start < SYSTEM_BUS_PART && !out->err; n++) {
        const struct value *values = rows_at(rows, from + n);
        put(out, 1, 1); /* one more row */
        for (size_t i = 0; i < rows_n_fields(rows); i++)
            put_value(out, values[i]);
    }
    put(out, 0, 1);
    return n;
}

enum err system_bus_rows_read(
    struct str bytes, const enum value_type *types, size_t n_types, struct rows *rows, bool *ret_truncated, enum err *ret_err)
{
    struct bytes_reader reader;
    struct value values[OUTPUTS_MAX];
    bytes_reader_init(&reader, bytes.ptr, bytes.len);
    enum err told = get_error(&reader);
    if (!reader.err && told) {
        *ret_err = told;
        return bytes_reader_left(&reader) ? ERR_SYNTAX : ERR_OK;
    }
    uint8_t is_truncated = bytes_read_u8(&reader);
    if (bytes_read_u16be(&reader) != n_types || n_types > OUTPUTS_MAX || is_truncated > 1)
        return ERR_SYNTAX;
    while (!reader.err && bytes_read_u8(&reader) == 1) {
        for (size_t i = 0; i < n_types; i++) {
            values[i] = get_value(&reader);
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

void system_bus_act_answer_write(enum err err, struct str answer, struct buf *out)
{
    put_error(out, err);
    put_text(out, answer);
}

enum err system_bus_act_answer_read(struct str bytes, struct str *ret_answer, enum err *ret_err)
{
    struct bytes_reader reader;
    bytes_reader_init(&reader, bytes.ptr, bytes.len);
    enum err told = get_error(&reader);
    struct str answer = get_text(&reader);
    if (reader.err || bytes_reader_left(&reader))
        return ERR_SYNTAX;
    *ret_answer = answer;
    *ret_err = told;
    return ERR_OK;
}

void system_bus_health_answer_write(const struct system_bus_health *health, struct buf *out)
{
    put_error(out, ERR_OK);
    put(out, health->health, 1);
    put(out, (uint64_t)health->last_heard_ms, 8);
    put_text(out, health->detail);
}

enum err system_bus_health_answer_read(struct str bytes, struct system_bus_health *ret_health)
{
    struct bytes_reader reader;
    struct system_bus_health health;
    bytes_reader_init(&reader, bytes.ptr, bytes.len);
    enum err told = get_error(&reader);
    if (!reader.err && told)
        return told == ERR_OK ? ERR_SYNTAX : told;
    uint8_t number = bytes_read_u8(&reader);
    health.health = (enum hub_health)number;
    health.last_heard_ms = (int64_t)bytes_read_u64be(&reader);
    health.detail = get_text(&reader);
    if (reader.err || bytes_reader_left(&reader) || number > HUB_DOWN || !str_is_utf8(health.detail))
        return ERR_SYNTAX;
    *ret_health = health;
    return ERR_OK;
}
