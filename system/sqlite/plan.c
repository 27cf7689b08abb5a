/*
 * A grant asked: only the granted columns, only the contract's rows, values as bound parameters (db/sql.h has the text). What is not
 * granted is not in the statement, so that it never leaves the file.
 *
 *     SELECT "plate", "status" FROM (SELECT "plate", "status", … FROM "vehicle") t WHERE … AND "plate" COLLATE BINARY = ?2 LIMIT ?3
 *
 * SQLite flattens the inner SELECT, so that the key uses the department's own index.
 */
#include "base/buf.h"
#include "base/mem.h"
#include "system/sqlite/inside.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- types ---- */

/* SQLite's rules of affinity (sqlite.org/datatype3.html §3.1); an expression has no declared type and is checked row by row. */
bool sqlite_type_fits(enum value_type type, const char *declared)
{
    if (!declared || !*declared)
        return true;
    bool is_integer = strcasestr(declared, "int") || strcasestr(declared, "bool");
    bool is_text = strcasestr(declared, "char") || strcasestr(declared, "clob") || strcasestr(declared, "text");
    bool is_blob = strcasestr(declared, "blob") != NULL;
    bool is_real = strcasestr(declared, "real") || strcasestr(declared, "floa") || strcasestr(declared, "doub");
    bool is_numeric = !is_integer && !is_text && !is_blob && !is_real;
    switch (type) {
    case VALUE_BOOLEAN:
    case VALUE_INTEGER:
    case VALUE_TIME:
        return is_integer || is_numeric;
    case VALUE_REAL:
        return is_real || is_integer || is_numeric;
    case VALUE_TEXT:
        return is_text;
    case VALUE_BYTES:
        return is_blob;
    case VALUE_NULL:
        break;
    }
    return false;
}

/* ---- statements kept prepared ---- */

void sqlite_plan_forget(struct hub_plan *plan, size_t worker)
{
    struct sqlite_caches *caches = plan->own;
    struct sqlite_cache *cache = caches ? caches->of[worker] : NULL;
    for (size_t i = 0; cache && i < cache->n_statements; i++)
        sqlite3_finalize(cache->statements[i].statement);
    mem_free(cache);
    if (caches)
        caches->of[worker] = NULL;
}

static struct sqlite_statement *oldest(struct sqlite_cache *cache)
{
    if (cache->n_statements < SQLITE_STATEMENTS_MAX)
        return &cache->statements[cache->n_statements++];
    struct sqlite_statement *found = &cache->statements[0];
    for (size_t i = 1; i < cache->n_statements; i++)
        if (cache->statements[i].used < found->used)
            found = &cache->statements[i];
    sqlite3_finalize(found->statement);
    return found;
}

static struct sqlite_statement *find_statement(struct sqlite_cache *cache, const uint8_t *shape, size_t n_shape)
{
    for (size_t i = 0; i < cache->n_statements && n_shape; i++)
        if (cache->statements[i].n_shape == n_shape && memcmp(cache->statements[i].shape, shape, n_shape) == 0)
            return &cache->statements[i];
    return NULL;
}

/* The statement with its parameters; prepared once a shape. One of no shape is kept too, and never found again. */
static enum err prepare(const struct hub_plan *plan, struct sqlite_connection *connection, const struct sql_select *select, char *detail,
    size_t size, struct sqlite_statement **ret, const struct value **ret_parameters, size_t *ret_n)
{
    uint8_t shape[SQL_SHAPE_MAX];
    size_t n_shape = sql_shape(select, shape);
    struct sqlite_caches *caches = plan->own;
    struct sqlite_cache *cache = caches->of[connection->worker];
    if (!cache)
        cache = caches->of[connection->worker] = mem_alloc_zero(1, sizeof *cache);
    if (!cache)
        return ERR_NO_MEMORY;
    struct sqlite_statement *found = find_statement(cache, shape, n_shape);
    struct buf sql;
    sqlite3_stmt *prepared;
    buf_init(&sql, SQLITE_SQL_MAX);
    enum err err = sql_text(select, SQL_SQLITE, found ? NULL : &sql, &connection->arena, ret_parameters, ret_n);
    if (!err && !found)
        err = sqlite_prepare(connection, buf_str(&sql), detail, size, &prepared);
    buf_finish(&sql);
    if (err == ERR_SYNTAX) { /* the table changed under us; SQLite looks at a schema again that lacks a name, not at one that is refused */
        connection->is_refused = true;
        return ERR_UNAVAILABLE;
    }
    if (err)
        return err;
    if (!found) {
        found = oldest(cache);
        found->statement = prepared;
        found->n_shape = n_shape;
        memcpy(found->shape, shape, n_shape);
    }
    found->used = ++connection->n_used;
    *ret = found;
    return ERR_OK;
}

/* ---- running ---- */

static int bind_value(sqlite3_stmt *statement, int at, struct value value)
{
    switch (value.type) {
    case VALUE_NULL:
        return sqlite3_bind_null(statement, at);
    case VALUE_BOOLEAN:
    case VALUE_INTEGER:
    case VALUE_TIME:
        return sqlite3_bind_int64(statement, at, value.i);
    case VALUE_REAL:
        return sqlite3_bind_double(statement, at, value.r);
    case VALUE_TEXT:
        return sqlite3_bind_text(statement, at, value.s.ptr ? value.s.ptr : "", (int)value.s.len, SQLITE_STATIC);
    case VALUE_BYTES:
        return sqlite3_bind_blob(statement, at, value.s.ptr ? value.s.ptr : "", (int)value.s.len, SQLITE_STATIC);
    }
    return SQLITE_MISUSE;
}

/* False: what stands there is not of the declared type. */
static bool column_value(sqlite3_stmt *statement, int at, enum value_type type, struct value *ret_value)
{
    int stored = sqlite3_column_type(statement, at);
    *ret_value = (struct value){.type = type};
    if (stored == SQLITE_NULL) {
        *ret_value = VALUE_NONE;
        return true;
    }
    switch (type) {
    case VALUE_BOOLEAN:
    case VALUE_INTEGER:
    case VALUE_TIME:
        ret_value->i = sqlite3_column_int64(statement, at);
        return stored == SQLITE_INTEGER && (type != VALUE_BOOLEAN || (ret_value->i & ~INT64_C(1)) == 0);
    case VALUE_REAL:
        ret_value->r = sqlite3_column_double(statement, at);
        return (stored == SQLITE_FLOAT || stored == SQLITE_INTEGER) && isfinite(ret_value->r);
    case VALUE_TEXT:
        ret_value->s.ptr = (const char *)sqlite3_column_text(statement, at);
        ret_value->s.len = (size_t)sqlite3_column_bytes(statement, at);
        return stored == SQLITE_TEXT && str_is_utf8(ret_value->s); /* SQLite takes any bytes for text */
    case VALUE_BYTES:
        ret_value->s.ptr = sqlite3_column_blob(statement, at);
        ret_value->s.len = (size_t)sqlite3_column_bytes(statement, at);
        return stored == SQLITE_BLOB;
    case VALUE_NULL:
        break;
    }
    return false;
}

static enum err step_err(struct sqlite_connection *connection, int code, char *detail, size_t size)
{
    switch (code & 0xff) {
    case SQLITE_INTERRUPT:
        if (connection->fetch && hub_fetch_is_cancelled(connection->fetch))
            return ERR_CANCELLED;
        hub_detail_put(detail, size, HUB_DETAIL(slow), "%lld", (long long)connection->timeout_ms);
        return ERR_TIMEOUT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        snprintf(detail, size, "%s", HUB_DETAIL(file_locked));
        return ERR_UNAVAILABLE;
    case SQLITE_TOOBIG:
        hub_detail_put(detail, size, HUB_DETAIL(value_long), "%d", SQLITE_VALUE_MAX);
        return ERR_TOO_LARGE;
    case SQLITE_NOMEM:
        return ERR_NO_MEMORY;
    default:
        connection->is_refused = true; /* or was prepared anew for a changed schema, and refused */
        hub_detail_put(detail, size, HUB_DETAIL(words), "%s", sqlite3_errmsg(connection->db));
        return ERR_UNAVAILABLE;
    }
}

static enum err read_rows(const struct sql_select *select, struct sqlite_connection *connection, sqlite3_stmt *statement,
    struct hub_fetch *fetch, char *detail, size_t size)
{
    struct value values[SQLITE_OUTPUTS_MAX];
    enum value_type types[SQLITE_OUTPUTS_MAX];
    int code;
    for (size_t i = 0; i < fetch->n_outputs; i++)
        types[i] = sql_output_type(select, &fetch->outputs[i]);
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        if (rows_n(fetch->rows) == fetch->n_rows_max) {
            fetch->is_truncated = true;
            return ERR_OK;
        }
        for (size_t i = 0; i < fetch->n_outputs; i++)
            if (!column_value(statement, (int)i, types[i], &values[i])) {
                hub_detail_put(detail, size, HUB_DETAIL(value_type), STR_FORMAT "|%s",
                    STR_ARG(select->columns[fetch->outputs[i].column].name), value_type_name(types[i]));
                return ERR_CORRUPT;
            }
        enum err err = rows_add(fetch->rows, values);
        if (err)
            return err;
    }
    return code == SQLITE_DONE ? ERR_OK : step_err(connection, code, detail, size);
}

enum err sqlite_plan_run(
    struct hub_plan *plan, struct sqlite_connection *connection, struct hub_fetch *fetch, char *detail, size_t detail_size)
{
    struct sqlite_statement *found;
    const struct value *parameters;
    size_t n_parameters;
    int code = SQLITE_OK;
    connection->deadline.ns = clock_mono(connection->clock).ns + connection->timeout_ms * 1000000;
    fetch->is_truncated = false;
    fetch->rows = NULL;
    if (hub_fetch_is_cancelled(fetch))
        return ERR_CANCELLED;
    if (fetch->n_outputs > SQLITE_OUTPUTS_MAX)
        return ERR_TOO_LARGE;
    connection->fetch = fetch;
    arena_reset(&connection->arena);
    const struct sql_select select = hub_plan_select(plan, plan->table->own, fetch);
    enum err err = prepare(plan, connection, &select, detail, detail_size, &found, &parameters, &n_parameters);
    if (err) {
        connection->fetch = NULL;
        return err;
    }
    for (size_t i = 0; i < n_parameters && code == SQLITE_OK; i++)
        code = bind_value(found->statement, (int)i + 1, parameters[i]);
    err = code == SQLITE_OK ? rows_create(fetch->n_outputs, fetch->n_bytes_max, &fetch->rows)
                            : step_err(connection, code, detail, detail_size);
    if (!err)
        err = read_rows(&select, connection, found->statement, fetch, detail, detail_size);
    sqlite3_reset(found->statement);
    sqlite3_clear_bindings(found->statement); /* they borrow from the asking */
    connection->fetch = NULL;
    if (err) {
        rows_release(fetch->rows);
        fetch->rows = NULL;
    }
    return err;
}
