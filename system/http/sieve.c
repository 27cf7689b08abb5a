/*
 * The rows of one asking in an SQLite of their own in memory: an HTTP interface knows neither contracts nor aggregates, so what it does not
 * do itself is done here, by the statement that any other connector would send (db/sql.h), before anything leaves the connector.
 */
#include "system/http/inside.h"

#include "base/mem.h"

#include <sqlite3.h>
#include <string.h>

#define SQL_MAX (64u << 10)
#define PARAMETERS_MAX (4u << 20)

struct http_sieve {
    const struct hub_plan *plan;
    sqlite3 *db;
    sqlite3_stmt *insert, *select;
    size_t n_rows, n_bytes;
    struct arena arena; /* of the parameters */
};

static enum err err_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
        return ERR_OK;
    case SQLITE_NOMEM:
        return ERR_NO_MEMORY;
    case SQLITE_TOOBIG:
    case SQLITE_FULL:
        return ERR_TOO_LARGE;
    default:
        return ERR_RANGE; /* a sum past 64 bits: nothing else is left to fail */
    }
}

static int bind_value(sqlite3_stmt *statement, int at, struct value value)
{
    switch (value.type) {
    case VALUE_NULL:
        return sqlite3_bind_null(statement, at);
    case VALUE_REAL:
        return sqlite3_bind_double(statement, at, value.r);
    case VALUE_TEXT:
        return sqlite3_bind_text64(statement, at, value.s.ptr ? value.s.ptr : "", value.s.len, SQLITE_STATIC, SQLITE_UTF8);
    case VALUE_BYTES:
        return sqlite3_bind_blob64(statement, at, value.s.ptr ? value.s.ptr : "", value.s.len, SQLITE_STATIC);
    default:
        return sqlite3_bind_int64(statement, at, value.i);
    }
}

static struct value column_value(sqlite3_stmt *statement, int at, enum value_type type)
{
    struct value value = {.type = type};
    if (sqlite3_column_type(statement, at) == SQLITE_NULL)
        return VALUE_NONE;
    if (type == VALUE_TEXT || type == VALUE_BYTES) {
        value.s.ptr = type == VALUE_TEXT ? (const char *)sqlite3_column_text(statement, at) : sqlite3_column_blob(statement, at);
        value.s.len = (size_t)sqlite3_column_bytes(statement, at);
    } else if (type == VALUE_REAL) {
        value.r = sqlite3_column_double(statement, at);
    } else {
        value.i = sqlite3_column_int64(statement, at);
    }
    return value;
}

/* ---- making it ---- */

static enum err prepare(struct http_sieve *sieve, struct buf *sql, sqlite3_stmt **ret)
{
    if (sql->err)
        return sql->err;
    return err_of(sqlite3_prepare_v2(sieve->db, sql->ptr, (int)sql->len, ret, NULL));
}

static enum err make_table(struct http_sieve *sieve, struct buf *sql)
{
    const struct hub_resource *resource = sieve->plan->table->resource;
    const char *comma = "";
    enum err err = ERR_OK;
    buf_append_c(sql, "CREATE TABLE answer (");
    for (size_t i = 0; i < resource->n_fields && !err; i++) {
        buf_append_c(sql, i ? ", " : "");
        err = sql_append_name(sql, SQL_SQLITE, resource->fields[i].name);
    }
    buf_append(sql, ")", 2);
    if (err || sql->err)
        return err ? err : sql->err;
    err = err_of(sqlite3_exec(sieve->db, sql->ptr, NULL, NULL, NULL));
    buf_reset(sql);
    buf_append_c(sql, "INSERT INTO answer VALUES (");
    for (size_t i = 0; i < resource->n_fields; i++, comma = ", ")
        buf_printf(sql, "%s?", comma);
    buf_append_c(sql, ")");
    return err ? err : prepare(sieve, sql, &sieve->insert);
}

static enum err make_select(struct http_sieve *sieve, const struct hub_fetch *fetch, struct buf *sql)
{
    const struct value *parameters;
    size_t n;
    const struct hub_seen seen = {.source = STR("answer"), .columns = sieve->plan->table->resource->columns};
    const struct sql_select select = hub_plan_select(sieve->plan, &seen, fetch);
    buf_reset(sql);
    enum err err = sql_text(&select, SQL_SQLITE, sql, &sieve->arena, &parameters, &n);
    if (!err)
        err = prepare(sieve, sql, &sieve->select);
    for (size_t i = 0; i < n && !err; i++)
        err = err_of(bind_value(sieve->select, (int)i + 1, parameters[i]));
    return err;
}

enum err http_sieve_open(const struct hub_plan *plan, const struct hub_fetch *fetch, struct http_sieve **ret_sieve)
{
    struct http_sieve *sieve = mem_alloc_zero(1, sizeof *sieve);
    struct buf sql;
    if (!sieve)
        return ERR_NO_MEMORY;
    sieve->plan = plan;
    arena_init(&sieve->arena, PARAMETERS_MAX);
    buf_init(&sql, SQL_MAX);
    enum err err = err_of(sqlite3_open_v2(":memory:", &sieve->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY | SQLITE_OPEN_NOMUTEX, NULL));
    if (!err) {
        sqlite3_exec(sieve->db, "PRAGMA temp_store = MEMORY; PRAGMA journal_mode = OFF", NULL, NULL, NULL);
        err = make_table(sieve, &sql);
    }
    if (!err)
        err = make_select(sieve, fetch, &sql);
    buf_finish(&sql);
    if (err)
        http_sieve_close(sieve);
    else
        *ret_sieve = sieve;
    return err;
}

void http_sieve_close(struct http_sieve *sieve)
{
    if (!sieve)
        return;
    sqlite3_finalize(sieve->insert);
    sqlite3_finalize(sieve->select);
    sqlite3_close_v2(sieve->db);
    arena_finish(&sieve->arena);
    mem_free(sieve);
}

/* ---- using it ---- */

enum err http_sieve_add(struct http_sieve *sieve, const struct value *values)
{
    size_t n = sieve->plan->table->resource->n_fields;
    int code = SQLITE_OK;
    for (size_t i = 0; i < n && code == SQLITE_OK; i++) {
        bool is_long = values[i].type == VALUE_TEXT || values[i].type == VALUE_BYTES;
        sieve->n_bytes += 16 + (is_long ? values[i].s.len : 0);
        code = bind_value(sieve->insert, (int)i + 1, values[i]);
    }
    if (++sieve->n_rows > (size_t)((const struct http_system *)sieve->plan->system)->rows_max || sieve->n_bytes > HTTP_ROWS_BYTES)
        return ERR_TOO_LARGE;
    if (code == SQLITE_OK && (code = sqlite3_step(sieve->insert)) == SQLITE_DONE)
        code = SQLITE_OK;
    sqlite3_reset(sieve->insert);
    return err_of(code);
}

enum err http_sieve_take(struct http_sieve *sieve, struct hub_fetch *fetch)
{
    const struct sql_column *columns = sieve->plan->table->resource->columns;
    const struct sql_select select = {.columns = columns};
    struct value values[HTTP_OUTPUTS_MAX];
    enum err err = fetch->rows ? ERR_OK : rows_create(fetch->n_outputs, fetch->n_bytes_max, &fetch->rows);
    int code = SQLITE_DONE;
    while (!err && (code = sqlite3_step(sieve->select)) == SQLITE_ROW) {
        if (rows_n(fetch->rows) == fetch->n_rows_max) {
            fetch->is_truncated = true;
            code = SQLITE_DONE;
            break;
        }
        for (size_t i = 0; i < fetch->n_outputs; i++)
            values[i] = column_value(sieve->select, (int)i, sql_output_type(&select, &fetch->outputs[i]));
        err = rows_add(fetch->rows, values);
    }
    if (!err && code != SQLITE_DONE)
        err = err_of(code);
    sqlite3_reset(sieve->select);
    if (!err)
        err = err_of(sqlite3_exec(sieve->db, "DELETE FROM answer", NULL, NULL, NULL));
    return err;
}
