/* Questions and answers of consumers on the bus. */
#include "hub/bus_ask.h"

#include "hub/asking.h"
#include "hub/query.h"

#include <string.h>

#define VERSION 1
#define NO_RULE 255

/* ---- questions, written ---- */

static void put_names(struct buf *out, const struct hub_bus_ask *ask)
{
    hub_put_number(out, ask->n_values, 2);
    for (size_t i = 0; i < ask->n_values; i++) {
        if (ask->what != HUB_BUS_QUERY)
            hub_put_text(out, ask->names[i]);
        hub_put_value(out, ask->values[i]);
    }
}

void hub_bus_ask_write(const struct hub_bus_ask *ask, struct buf *out)
{
    hub_put_number(out, VERSION, 1);
    hub_put_number(out, ask->what, 1);
    hub_put_number(out, ask->wait_ms, 4);
    if (ask->what == HUB_BUS_QUERY) {
        hub_put_text(out, ask->purpose);
        hub_put_text(out, ask->sql);
        hub_put_number(out, ask->is_explain, 1);
        put_names(out, ask);
        return;
    }
    hub_put_text(out, ask->resource);
    if (ask->what == HUB_BUS_TERMS)
        return;
    hub_put_text(out, ask->purpose);
    hub_put_text(out, ask->contract);
    if (ask->what == HUB_BUS_ACT)
        hub_put_text(out, ask->key);
    put_names(out, ask);
    if (ask->what == HUB_BUS_CALL) {
        hub_put_number(out, ask->n_fields, 2);
        for (size_t i = 0; i < ask->n_fields; i++)
            hub_put_text(out, ask->fields[i]);
    }
}

/* ---- questions, read ---- */

bool hub_bus_ask_is(struct str bytes)
{
    return bytes.len >= 2 && bytes.ptr[0] == VERSION && bytes.ptr[1] >= HUB_BUS_CALL && bytes.ptr[1] <= HUB_BUS_TERMS;
}

/* As JSON has texts: UTF-8, and no NUL. */
static struct str get_text(struct bytes_reader *in)
{
    struct str text = hub_get_text(in);
    if (!in->err && (!str_is_utf8(text) || (text.len && memchr(text.ptr, '\0', text.len))))
        in->err = ERR_SYNTAX;
    return text;
}

/* What a program can ask for at the HTTP door: no bytes; a query's parameters are no times. */
static struct value get_value(struct bytes_reader *in, enum hub_bus_what what)
{
    struct value value = hub_get_value(in);
    if (value.type == VALUE_BYTES || (value.type == VALUE_TIME && what == HUB_BUS_QUERY) ||
        (value.type == VALUE_TEXT && value.s.len && memchr(value.s.ptr, '\0', value.s.len)))
        in->err = ERR_SYNTAX;
    return value;
}

/* How many follow: no more than may be, nor than there are bytes, so that nobody makes us allocate. */
static size_t get_count(struct bytes_reader *in, size_t max)
{
    size_t n = bytes_read_u16be(in);
    if (n > max || n > bytes_reader_left(in))
        in->err = ERR_SYNTAX;
    return in->err ? 0 : n;
}

static enum err get_fields(struct arena *arena, struct bytes_reader *in, struct hub_bus_ask *ask)
{
    size_t n = get_count(in, HUB_FIELDS_MAX);
    struct str *fields = arena_alloc_zero(arena, n + 1, sizeof *fields);
    if (!fields)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < n; i++)
        fields[i] = get_text(in);
    ask->fields = fields;
    ask->n_fields = n;
    return ERR_OK;
}

static enum err get_values(struct arena *arena, struct bytes_reader *in, struct hub_bus_ask *ask)
{
    size_t n = get_count(in, ask->what == HUB_BUS_QUERY ? HUB_QUERY_PARAMETERS_MAX : HUB_FIELDS_MAX);
    struct str *names = arena_alloc_zero(arena, n + 1, sizeof *names);
    struct value *values = arena_alloc_zero(arena, n + 1, sizeof *values);
    if (!names || !values)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < n && !in->err; i++) {
        if (ask->what != HUB_BUS_QUERY)
            names[i] = get_text(in);
        values[i] = get_value(in, ask->what);
    }
    ask->names = names;
    ask->values = values;
    ask->n_values = n;
    return ERR_OK;
}

static enum err read_query(struct arena *arena, struct bytes_reader *in, struct hub_bus_ask *ask)
{
    ask->purpose = get_text(in);
    ask->sql = get_text(in);
    uint8_t is_explain = bytes_read_u8(in);
    if (is_explain > 1)
        in->err = ERR_SYNTAX;
    ask->is_explain = is_explain == 1;
    return get_values(arena, in, ask);
}

static enum err read_use(struct arena *arena, struct bytes_reader *in, struct hub_bus_ask *ask)
{
    ask->resource = get_text(in);
    if (ask->what == HUB_BUS_TERMS)
        return ERR_OK;
    ask->purpose = get_text(in);
    ask->contract = get_text(in);
    if (ask->what == HUB_BUS_ACT)
        ask->key = get_text(in);
    enum err err = get_values(arena, in, ask);
    if (!err && ask->what == HUB_BUS_ACT && ask->n_values == 0)
        in->err = ERR_SYNTAX;
    return !err && ask->what == HUB_BUS_CALL ? get_fields(arena, in, ask) : err;
}

enum err hub_bus_ask_read(struct arena *arena, struct str bytes, struct hub_bus_ask *ret_ask)
{
    struct bytes_reader in;
    struct hub_bus_ask ask = {0};
    if (bytes.len > HUB_BUS_ASK_MAX)
        return ERR_TOO_LARGE;
    if (!hub_bus_ask_is(bytes))
        return ERR_SYNTAX;
    ask.what = (enum hub_bus_what)bytes.ptr[1];
    bytes_reader_init(&in, bytes.ptr + 2, bytes.len - 2);
    ask.wait_ms = bytes_read_u32be(&in);
    enum err err = ask.what == HUB_BUS_QUERY ? read_query(arena, &in, &ask) : read_use(arena, &in, &ask);
    if (err)
        return err;
    if (in.err || bytes_reader_left(&in))
        return ERR_SYNTAX;
    *ret_ask = ask;
    return ERR_OK;
}

/* ---- answers ---- */

/* 1 in the error's place: the words and the status say all, and what is denied and what is unknown are told alike. */
void hub_bus_problem_write(const struct http_problem *problem, struct str receipt, struct buf *out)
{
    hub_put_number(out, VERSION, 1);
    hub_put_number(out, 1, 1);
    hub_put_number(out, (uint64_t)problem->status, 2);
    hub_put_number(out, problem->rule >= 0 && problem->rule < NO_RULE ? (uint64_t)problem->rule : NO_RULE, 1);
    hub_put_text(out, problem->detail);
    hub_put_text(out, receipt);
}

static void begin(struct buf *out)
{
    hub_put_number(out, VERSION, 1);
    hub_put_number(out, 0, 1);
}

size_t hub_bus_rows_write(const struct hub_call *call, size_t from, size_t n_bytes, struct buf *out)
{
    begin(out);
    hub_put_text(out, str_from_c(call->receipt));
    return hub_put_rows(out, call->rows, from, n_bytes, call->is_truncated);
}

void hub_bus_json_write(struct str json, struct buf *out)
{
    begin(out);
    hub_put_text(out, json);
}

void hub_bus_acted_write(bool is_refused, bool is_repeated, struct str receipt, struct str json, struct buf *out)
{
    begin(out);
    hub_put_number(out, is_refused, 1);
    hub_put_number(out, is_repeated, 1);
    hub_put_text(out, receipt);
    hub_put_text(out, json);
}

static void get_problem(struct bytes_reader *in, struct hub_bus_answer *answer)
{
    answer->problem.status = bytes_read_u16be(in);
    uint8_t rule = bytes_read_u8(in);
    answer->problem.rule = rule == NO_RULE ? -1 : rule;
    answer->problem.detail = get_text(in);
    answer->receipt = get_text(in);
    if (answer->problem.status < 400 || answer->problem.status > 599)
        in->err = ERR_SYNTAX;
}

enum err hub_bus_answer_read(enum hub_bus_what what, struct str bytes, struct hub_bus_answer *ret_answer)
{
    struct bytes_reader in;
    struct hub_bus_answer answer = {.problem.rule = -1};
    bytes_reader_init(&in, bytes.ptr, bytes.len);
    uint8_t version = bytes_read_u8(&in), is_problem = bytes_read_u8(&in);
    if (in.err || version != VERSION || is_problem > 1)
        return ERR_SYNTAX;
    if (is_problem)
        get_problem(&in, &answer);
    else if (what == HUB_BUS_CALL) {
        answer.receipt = get_text(&in);
        answer.rest = bytes_read_str(&in, bytes_reader_left(&in));
    } else {
        if (what == HUB_BUS_ACT) {
            uint8_t is_refused = bytes_read_u8(&in), is_repeated = bytes_read_u8(&in);
            if (is_refused > 1 || is_repeated > 1)
                return ERR_SYNTAX;
            answer.is_refused = is_refused == 1;
            answer.is_repeated = is_repeated == 1;
            answer.receipt = get_text(&in);
        }
        answer.json = hub_get_text(&in); /* a piece may end inside of a character */
    }
    if (in.err || bytes_reader_left(&in))
        return ERR_SYNTAX;
    *ret_answer = answer;
    return ERR_OK;
}

enum err hub_bus_rows_json(struct str rows, const struct str *fields, size_t n_fields, struct json_writer *w, bool *ret_truncated)
{
    struct bytes_reader in;
    bytes_reader_init(&in, rows.ptr, rows.len);
    enum err told = hub_get_error(&in);
    uint8_t is_truncated = bytes_read_u8(&in);
    if (bytes_read_u16be(&in) != n_fields || told || is_truncated > 1)
        return ERR_SYNTAX;
    while (!in.err && bytes_read_u8(&in) == 1) {
        json_begin_object(w);
        for (size_t i = 0; i < n_fields; i++) {
            struct value value = hub_get_value(&in);
            if (in.err) /* what was begun stays open: nothing more is written to it */
                return ERR_SYNTAX;
            json_key_str(w, fields[i]);
            json_put_value(w, value);
        }
        json_end_object(w);
    }
    if (in.err || bytes_reader_left(&in))
        return ERR_SYNTAX;
    *ret_truncated = is_truncated == 1;
    return w->out->err;
}
