/*
 * A grant as SQL: only the granted columns, only the rows of the predicate, keys as bound parameters. What is not granted is not in the
 * statement, so that it never leaves the file.
 *
 *     SELECT "plate", "status" FROM (SELECT "plate", "status", … FROM "vehicle") WHERE (predicate) AND "plate" = ?1 LIMIT 1001
 *
 * SQLite flattens the inner SELECT, so that the key uses the department's own index.
 */
#include "base/buf.h"
#include "system/sqlite/inside.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* ---- the predicate ---- */

static bool is_word(struct str word, const char *const *words)
{
    for (; *words; words++)
        if (str_equal_nocase(word, str_from_c(*words)))
            return true;
    return false;
}

/* The end of a quoted text or name that begins at `at`; len when it does not end. Doubled quotes stand for one. */
static size_t skip_quoted(struct str text, size_t at)
{
    char quote = text.ptr[at] == '[' ? ']' : text.ptr[at];
    for (at++; at < text.len; at++) {
        if (text.ptr[at] != quote)
            continue;
        if (quote != ']' && at + 1 < text.len && text.ptr[at + 1] == quote)
            at++;
        else
            return at + 1;
    }
    return text.len + 1;
}

bool sqlite_is_expression(struct str text, const char **ret_why)
{
    static const char *const forbidden[] = {
        "select", "with", "union", "values", "attach", "pragma", "insert", "update", "delete", "raise", NULL};
    int depth = 0;
    *ret_why = "it is empty";
    if (str_is_empty(str_trim(text)))
        return false;
    for (size_t at = 0; at < text.len;) {
        unsigned char c = (unsigned char)text.ptr[at];
        if (c == '\'' || c == '"' || c == '`' || c == '[') {
            at = skip_quoted(text, at);
            *ret_why = "a quote does not end";
            if (at > text.len)
                return false;
        } else if (isalpha(c) || c == '_' || c >= 0x80) {
            size_t from = at;
            while (at < text.len && (isalnum((unsigned char)text.ptr[at]) || text.ptr[at] == '_' || (unsigned char)text.ptr[at] >= 0x80))
                at++;
            *ret_why = "it may only speak of the resource's own fields, not ask other tables";
            if (is_word(str_slice(text, from, at - from), forbidden))
                return false;
        } else {
            bool is_comment = at + 1 < text.len && ((c == '-' && text.ptr[at + 1] == '-') || (c == '/' && text.ptr[at + 1] == '*'));
            *ret_why = "it holds a semicolon, a comment, a parameter or a NUL";
            if (is_comment || c == ';' || c == '\0' || c == '?' || c == ':' || c == '@' || c == '$' || c == '#')
                return false;
            depth += (c == '(') - (c == ')');
            *ret_why = "its parentheses do not match";
            if (depth < 0)
                return false;
            at++;
        }
    }
    return depth == 0;
}

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

/* ---- SQL ---- */

enum err sqlite_plan_sql(
    const struct sqlite_plan *plan, const uint16_t *keys, size_t n_keys, const uint16_t *fields, size_t n_fields, char *out)
{
    const struct hub_field *all = plan->table->resource->fields;
    struct buf sql;
    buf_init(&sql, SQLITE_SQL_MAX - 1);
    buf_append_c(&sql, "SELECT ");
    for (size_t i = 0; i < n_fields; i++) {
        assert(plan->granted >> fields[i] & 1); /* the decision saw to it */
        buf_printf(&sql, "%s\"" STR_FORMAT "\"", i ? ", " : "", STR_ARG(all[fields[i]].name));
    }
    buf_append_c(&sql, " FROM ");
    buf_append_str(&sql, plan->table->source);
    buf_append_c(&sql, " WHERE (");
    buf_append_str(&sql, str_is_empty(plan->predicate) ? STR("1") : plan->predicate);
    buf_append_c(&sql, ")");
    for (size_t i = 0; i < n_keys; i++)
        buf_printf(&sql, " AND \"" STR_FORMAT "\" = ?%zu", STR_ARG(all[keys[i]].name), i + 1);
    buf_printf(&sql, " LIMIT ?%zu", n_keys + 1);
    enum err err = sql.err;
    if (!err) {
        memcpy(out, sql.ptr, sql.len);
        out[sql.len] = '\0';
    }
    buf_finish(&sql);
    return err;
}

/* ---- statements kept prepared ---- */

void sqlite_plan_forget(struct sqlite_plan *plan)
{
    for (size_t i = 0; i < plan->n_statements; i++)
        sqlite3_finalize(plan->statements[i].statement);
    plan->n_statements = 0;
}

static bool is_for(const struct sqlite_statement *statement, const struct hub_fetch *fetch)
{
    return statement->n_keys == fetch->n_keys && statement->n_fields == fetch->n_fields &&
           memcmp(statement->keys, fetch->key_fields, fetch->n_keys * sizeof(uint16_t)) == 0 &&
           memcmp(statement->fields, fetch->fields, fetch->n_fields * sizeof(uint16_t)) == 0;
}

static struct sqlite_statement *oldest(struct sqlite_plan *plan)
{
    if (plan->n_statements < SQLITE_STATEMENTS_MAX)
        return &plan->statements[plan->n_statements++];
    struct sqlite_statement *found = &plan->statements[0];
    for (size_t i = 1; i < plan->n_statements; i++)
        if (plan->statements[i].used < found->used)
            found = &plan->statements[i];
    sqlite3_finalize(found->statement);
    return found;
}

static enum err find_statement(struct sqlite_plan *plan, struct sqlite_connection *connection, const struct hub_fetch *fetch, char *detail,
    size_t size, sqlite3_stmt **ret)
{
    char sql[SQLITE_SQL_MAX];
    sqlite3_stmt *prepared;
    for (size_t i = 0; i < plan->n_statements; i++)
        if (is_for(&plan->statements[i], fetch)) {
            plan->statements[i].used = ++connection->n_used;
            *ret = plan->statements[i].statement;
            return ERR_OK;
        }
    enum err err = sqlite_plan_sql(plan, fetch->key_fields, fetch->n_keys, fetch->fields, fetch->n_fields, sql);
    if (!err)
        err = sqlite_prepare(connection, sql, detail, size, &prepared);
    if (err)
        return err;
    struct sqlite_statement *statement = oldest(plan);
    statement->statement = prepared;
    statement->n_keys = fetch->n_keys;
    statement->n_fields = fetch->n_fields;
    memcpy(statement->keys, fetch->key_fields, fetch->n_keys * sizeof(uint16_t));
    memcpy(statement->fields, fetch->fields, fetch->n_fields * sizeof(uint16_t));
    statement->used = ++connection->n_used;
    *ret = prepared;
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
        return stored == SQLITE_FLOAT || stored == SQLITE_INTEGER;
    case VALUE_TEXT:
        ret_value->s.ptr = (const char *)sqlite3_column_text(statement, at);
        ret_value->s.len = (size_t)sqlite3_column_bytes(statement, at);
        return stored == SQLITE_TEXT;
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
        snprintf(detail, size, "a statement ran longer than %lld ms", (long long)connection->timeout_ms);
        return ERR_TIMEOUT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        snprintf(detail, size, "the file is locked by another program");
        return ERR_UNAVAILABLE;
    case SQLITE_TOOBIG:
        snprintf(detail, size, "a value is longer than %d bytes", SQLITE_VALUE_MAX);
        return ERR_TOO_LARGE;
    case SQLITE_NOMEM:
        return ERR_NO_MEMORY;
    default:
        snprintf(detail, size, "%s", sqlite3_errmsg(connection->db));
        return ERR_UNAVAILABLE;
    }
}

static enum err read_rows(const struct sqlite_plan *plan, struct sqlite_connection *connection, sqlite3_stmt *statement,
    struct hub_fetch *fetch, char *detail, size_t size)
{
    struct value values[HUB_FIELDS_MAX];
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        if (rows_n(fetch->rows) == fetch->n_rows_max) {
            fetch->is_truncated = true;
            return ERR_OK;
        }
        for (size_t i = 0; i < fetch->n_fields; i++) {
            const struct hub_field *field = &plan->table->resource->fields[fetch->fields[i]];
            if (!column_value(statement, (int)i, field->type, &values[i])) {
                snprintf(detail, size, "field \"" STR_FORMAT "\" of " STR_FORMAT " holds a value that is not of type %s",
                    STR_ARG(field->name), STR_ARG(plan->table->resource->name), value_type_name(field->type));
                return ERR_CORRUPT;
            }
        }
        enum err err = rows_add(fetch->rows, values);
        if (err)
            return err;
    }
    return code == SQLITE_DONE ? ERR_OK : step_err(connection, code, detail, size);
}

enum err sqlite_plan_run(
    struct sqlite_plan *plan, struct sqlite_connection *connection, struct hub_fetch *fetch, char *detail, size_t detail_size)
{
    sqlite3_stmt *statement;
    int code = SQLITE_OK;
    connection->deadline.ns = clock_mono(connection->clock).ns + connection->timeout_ms * 1000000;
    fetch->is_truncated = false;
    fetch->rows = NULL;
    enum err err = find_statement(plan, connection, fetch, detail, detail_size, &statement);
    if (err)
        return err == ERR_SYNTAX ? ERR_UNAVAILABLE : err; /* the table changed under us */
    for (size_t i = 0; i < fetch->n_keys && code == SQLITE_OK; i++)
        code = bind_value(statement, (int)i + 1, fetch->key_values[i]);
    if (code == SQLITE_OK)
        code = sqlite3_bind_int64(statement, (int)fetch->n_keys + 1, (int64_t)fetch->n_rows_max + 1);
    err =
        code == SQLITE_OK ? rows_create(fetch->n_fields, SQLITE_ANSWER_MAX, &fetch->rows) : step_err(connection, code, detail, detail_size);
    if (!err)
        err = read_rows(plan, connection, statement, fetch, detail, detail_size);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    if (err) {
        rows_release(fetch->rows);
        fetch->rows = NULL;
    }
    return err;
}
