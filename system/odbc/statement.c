/*
 * One asking as a prepared statement: its values bound, its rows one by one within their limits. What is taken from the asking is copied
 * before the driver is called: a driver that does not come back in time is left to itself, and the asker has gone on by then.
 */
#include "system/odbc/inside.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- parameters ---- */

struct parameter {
    SQLLEN length;
    union {
        SQLBIGINT i;
        SQLDOUBLE r;
        SQLCHAR bit;
        SQL_TIMESTAMP_STRUCT t;
    } room;
};

static SQL_TIMESTAMP_STRUCT moment_of(int64_t ms, struct time_zone zone)
{
    struct civil_time civil = civil_from_wall((struct wall_time){ms}, zone);
    return (SQL_TIMESTAMP_STRUCT){(SQLSMALLINT)civil.year, (SQLUSMALLINT)civil.month, (SQLUSMALLINT)civil.day, (SQLUSMALLINT)civil.hour,
        (SQLUSMALLINT)civil.minute, (SQLUSMALLINT)civil.second, (SQLUINTEGER)civil.ms * 1000000u};
}

/* A parameter that the driver may look at until the statement ran, and takes by an address that is never NULL. */
static enum err copy_bytes(struct odbc_session *session, struct str bytes, SQLPOINTER *ret_data)
{
    char *copy = arena_alloc(&session->scratch, bytes.len + 1);
    if (!copy)
        return ERR_NO_MEMORY;
    memcpy(copy, bytes.len ? bytes.ptr : "", bytes.len);
    *ret_data = copy;
    return ERR_OK;
}

static enum err bind_one(struct odbc_session *session, SQLHSTMT statement, SQLUSMALLINT at, struct value value, struct parameter *room)
{
    const struct odbc_system *system = session->system;
    SQLSMALLINT c_type = SQL_C_SBIGINT, sql_type = SQL_BIGINT, digits = 0;
    SQLULEN size = 19;
    SQLPOINTER data = &room->room;
    SQLWCHAR *wide;
    size_t n;
    enum err err = ERR_OK;
    room->length = 0;
    switch (value.type) {
    case VALUE_NULL:
        room->length = SQL_NULL_DATA;
        c_type = SQL_C_CHAR;
        sql_type = SQL_VARCHAR;
        size = 1;
        break;
    case VALUE_BOOLEAN:
        room->room.i = value.i;
        if (system->dialect == SQL_POSTGRES) { /* its bigint is no boolean */
            room->room.bit = (SQLCHAR)value.i;
            c_type = SQL_C_BIT;
            sql_type = SQL_BIT;
            size = 1;
        }
        break;
    case VALUE_TIME: /* what reads compares milliseconds, in the engine's own words; what writes gives a moment, where there are any */
        if (system->dialect == SQL_ANSI || (session->writer && system->dialect != SQL_SQLITE)) {
            room->room.t = moment_of(value.i, system->zone);
            c_type = SQL_C_TYPE_TIMESTAMP;
            sql_type = SQL_TYPE_TIMESTAMP;
            size = 23;
            digits = 3;
            break;
        }
        /* fall through */
    case VALUE_INTEGER:
        room->room.i = value.i;
        break;
    case VALUE_REAL:
        room->room.r = value.r;
        c_type = SQL_C_DOUBLE;
        sql_type = SQL_DOUBLE;
        size = 15;
        break;
    case VALUE_TEXT:
        err = odbc_to_wide(&session->scratch, value.s, &wide, &n);
        c_type = SQL_C_WCHAR;
        sql_type = n > 4000 ? SQL_WLONGVARCHAR : SQL_WVARCHAR;
        data = wide;
        size = n ? n : 1;
        room->length = (SQLLEN)(n * sizeof *wide);
        break;
    case VALUE_BYTES:
        err = copy_bytes(session, value.s, &data);
        c_type = SQL_C_BINARY;
        sql_type = SQL_VARBINARY;
        size = value.s.len ? value.s.len : 1;
        room->length = (SQLLEN)value.s.len;
        break;
    }
    if (err)
        return err;
    return SQL_SUCCEEDED(SQLBindParameter(
               statement, at, SQL_PARAM_INPUT, c_type, sql_type, size, digits, data, room->length > 0 ? room->length : 0, &room->length))
               ? ERR_OK
               : ERR_IO;
}

/* ---- values ---- */

struct output {
    enum value_type type;
    SQLSMALLINT stored;
    bool is_sum;
    struct str name; /* of the column, for the report */
};

struct reading {
    struct odbc_session *session;
    SQLHSTMT statement;
    struct hub_pool_run *run;
    struct output outputs[ODBC_OUTPUTS_MAX];
    size_t n_outputs, n_rows_max, n_bytes_max;
    struct buf cell, wide;
    char *detail;
};

/* The driver's terminator is not counted. */
enum err odbc_read_cell(
    struct odbc_session *session, SQLHSTMT statement, SQLUSMALLINT column, SQLSMALLINT c_type, struct buf *out, bool *ret_is_there)
{
    size_t end = c_type == SQL_C_WCHAR ? sizeof(SQLWCHAR) : c_type == SQL_C_CHAR ? 1 : 0;
    buf_reset(out);
    while (!atomic_load(&session->is_cancelled)) {
        SQLLEN length = 0;
        char *room = buf_reserve(out, ODBC_CHUNK);
        if (!room)
            return out->err;
        SQLRETURN code = SQLGetData(statement, column, c_type, room, ODBC_CHUNK, &length);
        if (code == SQL_NO_DATA)
            return ERR_OK;
        if (!SQL_SUCCEEDED(code))
            return ERR_IO;
        *ret_is_there = length != SQL_NULL_DATA;
        if (length == SQL_NULL_DATA)
            return ERR_OK;
        if (length < 0 && length != SQL_NO_TOTAL)
            return ERR_SYNTAX;
        bool is_whole = length != SQL_NO_TOTAL && (size_t)length <= ODBC_CHUNK - end;
        buf_advance(out, is_whole ? (size_t)length : ODBC_CHUNK - end);
        if (is_whole)
            return ERR_OK;
    }
    return ERR_IO;
}

/* "12", "12.000": a whole number, also where an engine answers a decimal. */
static enum err read_whole(struct str text, int64_t *ret)
{
    struct str whole = text, rest = STR_NONE;
    if (str_cut(text, '.', &whole, &rest))
        for (size_t i = 0; i < rest.len; i++)
            if (rest.ptr[i] != '0')
                return ERR_SYNTAX;
    return str_to_i64(whole, ret);
}

static bool read_boolean(struct str text, int64_t *ret)
{
    bool is_true = str_equal_c(text, "1") || str_equal_c(text, "t") || str_equal_c(text, "true");
    *ret = is_true;
    return is_true || str_equal_c(text, "0") || str_equal_c(text, "f") || str_equal_c(text, "false");
}

static enum err read_time(struct reading *reading, SQLUSMALLINT column, struct value *ret)
{
    SQL_TIMESTAMP_STRUCT t;
    SQLLEN length = 0;
    struct wall_time wall;
    memset(&t, 0, sizeof t);
    if (!SQL_SUCCEEDED(SQLGetData(reading->statement, column, SQL_C_TYPE_TIMESTAMP, &t, sizeof t, &length)))
        return ERR_IO;
    if (length == SQL_NULL_DATA)
        return ERR_OK;
    const struct civil_time civil = {t.year, t.month, t.day, t.hour, t.minute, t.second, (int32_t)(t.fraction / 1000000)};
    if (civil_to_wall(civil, reading->session->system->zone, &wall))
        return ERR_SYNTAX;
    *ret = value_time(wall.ms);
    return ERR_OK;
}

static enum err read_real(struct reading *reading, SQLUSMALLINT column, const struct output *output, struct value *ret)
{
    bool is_there = false;
    *ret = value_real(0);
    if (output->stored == SQL_DOUBLE || output->stored == SQL_FLOAT || output->stored == SQL_REAL) {
        SQLLEN length = 0;
        if (!SQL_SUCCEEDED(SQLGetData(reading->statement, column, SQL_C_DOUBLE, &ret->r, sizeof ret->r, &length)))
            return ERR_IO;
        if (length == SQL_NULL_DATA)
            *ret = VALUE_NONE;
        return length == SQL_NULL_DATA || isfinite(ret->r) ? ERR_OK : ERR_SYNTAX;
    }
    enum err err = odbc_read_cell(reading->session, reading->statement, column, SQL_C_CHAR, &reading->cell, &is_there);
    if (err || !is_there) {
        *ret = VALUE_NONE;
        return err;
    }
    return str_to_double(buf_str(&reading->cell), &ret->r) ? ERR_SYNTAX : ERR_OK;
}

/* ERR_SYNTAX: not of the declared type; ERR_IO: the driver says why. Texts live until the next row, in the scratch arena. */
static enum err read_value(struct reading *reading, SQLUSMALLINT column, const struct output *output, struct value *ret)
{
    bool is_there = false, is_moment = output->stored == SQL_TYPE_TIMESTAMP || output->stored == SQL_TYPE_DATE;
    bool is_long = output->type == VALUE_TEXT || output->type == VALUE_BYTES;
    *ret = VALUE_NONE;
    if (output->type == VALUE_TIME && is_moment)
        return read_time(reading, column, ret);
    if (output->type == VALUE_REAL)
        return read_real(reading, column, output, ret);
    struct buf *cell = output->type == VALUE_TEXT ? &reading->wide : &reading->cell;
    enum err err = odbc_read_cell(reading->session, reading->statement, column,
        output->type == VALUE_TEXT ? SQL_C_WCHAR
        : is_long                  ? SQL_C_BINARY
                                   : SQL_C_CHAR,
        cell, &is_there);
    if (err || !is_there)
        return err;
    *ret = (struct value){.type = output->type};
    if (output->type == VALUE_BOOLEAN)
        return read_boolean(buf_str(cell), &ret->i) ? ERR_OK : ERR_SYNTAX;
    if (!is_long)
        return read_whole(buf_str(cell), &ret->i) ? (output->is_sum ? ERR_RANGE : ERR_SYNTAX) : ERR_OK;
    if (output->type == VALUE_TEXT) {
        buf_reset(&reading->cell);
        err = odbc_from_wide((const SQLWCHAR *)(const void *)(cell->ptr ? cell->ptr : ""), cell->len / sizeof(SQLWCHAR), &reading->cell);
        if (err)
            return err;
        cell = &reading->cell;
    }
    return arena_copy_str(&reading->session->scratch, buf_str(cell), &ret->s);
}

static enum err read_row(struct reading *reading)
{
    struct value values[ODBC_OUTPUTS_MAX];
    for (size_t i = 0; i < reading->n_outputs; i++) {
        enum err err = read_value(reading, (SQLUSMALLINT)(i + 1), &reading->outputs[i], &values[i]);
        if (err == ERR_SYNTAX)
            hub_detail_put(reading->detail, HUB_DEPARTMENT_DETAIL_MAX, HUB_DETAIL(field_value), STR_FORMAT "|" STR_FORMAT "|%s",
                STR_ARG(reading->outputs[i].name), STR_ARG(reading->run->plan->table->resource->name),
                value_type_name(reading->outputs[i].type));
        if (err)
            return err == ERR_SYNTAX ? ERR_UNAVAILABLE : err;
    }
    return rows_add(reading->run->rows, values);
}

static enum err read_rows(struct reading *reading)
{
    SQLRETURN code = SQL_ERROR;
    enum err err = rows_create(reading->n_outputs, reading->n_bytes_max, &reading->run->rows);
    while (!err && !atomic_load(&reading->session->is_cancelled) && SQL_SUCCEEDED(code = SQLFetch(reading->statement))) {
        if (rows_n(reading->run->rows) == reading->n_rows_max) {
            reading->run->is_truncated = true;
            return ERR_OK;
        }
        arena_reset(&reading->session->scratch);
        err = read_row(reading);
    }
    return err ? err : code == SQL_NO_DATA ? ERR_OK : ERR_IO;
}

/* ---- running ---- */

/* The text into session->text, the values into the scratch arena. */
static enum err write_question(struct odbc_session *session, const struct sql_select *select, struct value **ret_values, size_t *ret_n)
{
    const struct value *values = NULL;
    size_t n = 0;
    buf_reset(&session->text);
    enum err err = sql_text(select, session->system->dialect, &session->text, &session->scratch, &values, &n);
    struct value *copies = err || n > ODBC_PARAMETERS_MAX ? NULL : arena_alloc(&session->scratch, (n + 1) * sizeof *copies);
    if (!copies)
        return err ? err : ERR_TOO_LARGE;
    for (size_t i = 0; i < n && !err; i++)
        err = value_copy(&session->scratch, values[i], &copies[i]);
    *ret_values = copies;
    *ret_n = n;
    return err;
}

enum err odbc_prepare(struct odbc_session *session, SQLHSTMT statement, struct str sql, const struct value *values, size_t n)
{
    size_t n_wide;
    SQLWCHAR *wide;
    enum err err = odbc_to_wide(&session->scratch, sql, &wide, &n_wide);
    if (err)
        return err;
    struct parameter *rooms = arena_alloc(&session->scratch, (n + 1) * sizeof *rooms);
    if (!rooms)
        return ERR_TOO_LARGE;
    if (!SQL_SUCCEEDED(SQLPrepareW(statement, wide, (SQLINTEGER)n_wide)))
        return ERR_IO;
    for (size_t i = 0; i < n && !err; i++)
        err = bind_one(session, statement, (SQLUSMALLINT)(i + 1), values[i], &rooms[i]);
    return err;
}

/* What is needed of the asking, before anything waits. */
static void copy_asking(struct reading *reading, const struct hub_seen *seen, const struct sql_select *select)
{
    const struct hub_fetch *fetch = reading->run->fetch;
    const SQLSMALLINT *types = seen->own;
    reading->n_outputs = fetch->n_outputs;
    reading->n_rows_max = fetch->n_rows_max;
    reading->n_bytes_max = fetch->n_bytes_max;
    for (size_t i = 0; i < fetch->n_outputs; i++) {
        const struct sql_output *output = &fetch->outputs[i];
        bool is_count = output->aggregate == SQL_COUNT_ALL || output->aggregate == SQL_COUNT || output->aggregate == SQL_COUNT_DISTINCT;
        reading->outputs[i] = (struct output){.type = sql_output_type(select, output),
            .stored = is_count ? SQL_BIGINT : types[output->column],
            .is_sum = output->aggregate == SQL_SUM,
            .name = is_count ? STR_NONE : seen->columns[output->column].name};
    }
}

enum err odbc_run(struct odbc_session *session, const struct hub_seen *seen, struct hub_pool_run *run,
    char detail[HUB_DEPARTMENT_DETAIL_MAX], bool *ret_is_changed)
{
    struct reading reading = {.session = session, .run = run, .detail = detail};
    bool is_broken = false;
    SQLSMALLINT n = 0;
    struct value *values;
    size_t n_values;
    if (run->fetch->n_outputs > ODBC_OUTPUTS_MAX)
        return ERR_TOO_LARGE;
    struct sql_select select = hub_plan_select(run->plan, seen, run->fetch);
    select.is_odbc = true;
    copy_asking(&reading, seen, &select);
    run->is_truncated = false;
    arena_reset(&session->scratch);
    enum err err = write_question(session, &select, &values, &n_values);
    if (err)
        return err;
    hub_pool_copied(&session->system->pool, run);
    err = odbc_statement_make(session, session->system->timeout_ms, &reading.statement);
    if (err) {
        odbc_session_close(session);
        return ERR_BUSY;
    }
    if (session->system->dialect == SQL_ANSI) /* its text has no LIMIT */
        (void)SQLSetStmtAttr(reading.statement, SQL_ATTR_MAX_ROWS, (SQLPOINTER)(uintptr_t)(reading.n_rows_max + 1), SQL_IS_UINTEGER);
    buf_init(&reading.cell, ODBC_VALUE_MAX + ODBC_CHUNK);
    buf_init(&reading.wide, 2 * ODBC_VALUE_MAX + ODBC_CHUNK);
    err = odbc_prepare(session, reading.statement, buf_str(&session->text), values, n_values);
    if (!err) {
        SQLRETURN code = SQLExecute(reading.statement);
        err = SQL_SUCCEEDED(code) || code == SQL_NO_DATA ? ERR_OK : ERR_IO;
    }
    if (!err && (!SQL_SUCCEEDED(SQLNumResultCols(reading.statement, &n)) || (size_t)n != reading.n_outputs))
        err = ERR_UNAVAILABLE;
    if (!err)
        err = read_rows(&reading);
    if (err == ERR_IO || atomic_load(&session->is_cancelled)) /* one that was cancelled may end as if nothing were wrong, with any rows */
        err = odbc_meaning(session, reading.statement, detail, ret_is_changed, &is_broken);
    buf_finish(&reading.cell);
    buf_finish(&reading.wide);
    odbc_statement_free(session, reading.statement);
    if (err) {
        rows_release(run->rows);
        run->rows = NULL;
    }
    if (is_broken)
        odbc_session_close(session);
    return err;
}
