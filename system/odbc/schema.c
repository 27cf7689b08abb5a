/*
 * The department's tables as they are: each declared field, is it there, of a type that fits. `SELECT the fields FROM the binding WHERE
 * 1 = 0` is run, which every driver describes, and no engine reads rows for.
 */
#include "system/odbc/inside.h"

#include <stdio.h>
#include <string.h>

static const char *type_text(SQLSMALLINT type)
{
    switch (type) {
    case SQL_BIT:
        return "BIT";
    case SQL_TINYINT:
    case SQL_SMALLINT:
    case SQL_INTEGER:
        return "INTEGER";
    case SQL_BIGINT:
        return "BIGINT";
    case SQL_NUMERIC:
    case SQL_DECIMAL:
        return "NUMERIC";
    case SQL_REAL:
    case SQL_FLOAT:
    case SQL_DOUBLE:
        return "DOUBLE";
    case SQL_CHAR:
    case SQL_VARCHAR:
    case SQL_LONGVARCHAR:
    case SQL_WCHAR:
    case SQL_WVARCHAR:
    case SQL_WLONGVARCHAR:
        return "VARCHAR";
    case SQL_BINARY:
    case SQL_VARBINARY:
    case SQL_LONGVARBINARY:
        return "VARBINARY";
    case SQL_TYPE_DATE:
        return "DATE";
    case SQL_TYPE_TIMESTAMP:
        return "TIMESTAMP";
    default:
        return "of a type of its own";
    }
}

static bool fits(enum value_type type, SQLSMALLINT there, SQLSMALLINT digits, enum sql_dialect dialect)
{
    bool is_small = there == SQL_TINYINT || there == SQL_SMALLINT || there == SQL_INTEGER, is_whole = is_small || there == SQL_BIGINT;
    bool is_decimal = there == SQL_NUMERIC || there == SQL_DECIMAL,
         is_real = there == SQL_REAL || there == SQL_FLOAT || there == SQL_DOUBLE;
    bool is_text = strcmp(type_text(there), "VARCHAR") == 0;
    switch (type) {
    case VALUE_BOOLEAN: /* PostgreSQL's driver calls them texts unless BoolsAsChar=0 */
        return there == SQL_BIT || there == SQL_TINYINT || (is_whole && dialect == SQL_SQLITE) || (is_text && dialect == SQL_POSTGRES);
    case VALUE_INTEGER:
        return is_whole || (is_decimal && digits <= 0);
    case VALUE_REAL:
        return is_real || is_decimal || is_small;
    case VALUE_TEXT:
        return is_text;
    case VALUE_TIME:
        return there == SQL_TYPE_TIMESTAMP || there == SQL_TYPE_DATE || there == SQL_BIGINT || (is_whole && dialect == SQL_SQLITE);
    case VALUE_BYTES:
        return strcmp(type_text(there), "VARBINARY") == 0;
    case VALUE_NULL:
        break;
    }
    return false;
}

static const char *takes(enum value_type type)
{
    static const char *const texts[] = {[VALUE_NULL] = "",
        [VALUE_BOOLEAN] = "BIT or TINYINT of 0 and 1",
        [VALUE_INTEGER] = "TINYINT to BIGINT or NUMERIC(n,0)",
        [VALUE_REAL] = "REAL, DOUBLE, NUMERIC or TINYINT to INTEGER",
        [VALUE_TEXT] = "CHAR, VARCHAR or LONGVARCHAR",
        [VALUE_TIME] = "TIMESTAMP, DATE, or a BIGINT of milliseconds since 1970 UTC",
        [VALUE_BYTES] = "BINARY, VARBINARY or LONGVARBINARY"};
    return texts[type];
}

struct look {
    struct hub_look hub;
    struct odbc_session *session;
    SQLSMALLINT *types, digits[HUB_FIELDS_MAX];
    bool is_zoned[HUB_FIELDS_MAX];
    struct buf sql;
};

/* PostgreSQL's two kinds of moments have one SQL type and two names. */
static bool is_zoned(SQLHSTMT statement, SQLUSMALLINT column)
{
    SQLWCHAR name[32] = {0};
    SQLSMALLINT len = 0;
    static const char zoned[] = "timestamptz";
    if (!SQL_SUCCEEDED(SQLColAttributeW(statement, column, SQL_DESC_TYPE_NAME, name, sizeof name, &len, NULL)))
        return false;
    for (size_t i = 0; i < sizeof zoned - 1; i++)
        if (name[i] != (SQLWCHAR)zoned[i])
            return false;
    return true;
}

static enum err describe(void *context, int only, char words[HUB_WORDS_MAX])
{
    struct look *look = context;
    struct odbc_session *session = look->session;
    char state[6];
    SQLHSTMT statement;
    SQLSMALLINT n = 0;
    buf_reset(&look->sql);
    hub_table_append_select(&look->sql, session->system->dialect, look->hub.table, only);
    buf_append_c(&look->sql, " WHERE 1 = 0");
    snprintf(words, HUB_WORDS_MAX, "a name that cannot be one");
    if (look->sql.err)
        return look->sql.err;
    arena_reset(&session->scratch);
    enum err err = odbc_statement_make(session, 1000 * ODBC_CONNECT_S, &statement);
    if (err)
        return err;
    err = odbc_execute(session, statement, buf_str(&look->sql));
    if (err == ERR_IO) {
        bool is_changed, is_broken = false;
        char detail[HUB_DEPARTMENT_DETAIL_MAX];
        odbc_why(SQL_HANDLE_STMT, statement, state, words);
        err = odbc_meaning(session, statement, detail, &is_changed, &is_broken);
        err = is_broken || err == ERR_TIMEOUT ? ERR_UNAVAILABLE : ERR_SYNTAX;
    } else if (!err &&
               (!SQL_SUCCEEDED(SQLNumResultCols(statement, &n)) || (only < 0 && (size_t)n != look->hub.table->resource->n_fields))) {
        snprintf(words, HUB_WORDS_MAX, "it gives no rows");
        err = ERR_SYNTAX;
    }
    for (SQLSMALLINT i = 0; i < n && only < 0 && !err; i++) {
        SQLWCHAR name[2];
        SQLSMALLINT len, nullable;
        SQLULEN size;
        if (!SQL_SUCCEEDED(
                SQLDescribeColW(statement, (SQLUSMALLINT)(i + 1), name, 1, &len, &look->types[i], &size, &look->digits[i], &nullable)))
            err = ERR_UNAVAILABLE;
        look->is_zoned[i] = is_zoned(statement, (SQLUSMALLINT)(i + 1));
    }
    odbc_statement_free(session, statement);
    return err;
}

/* A value of time meets a moment in the engine's own words; SQL_ANSI has a parameter of that type. */
static void around(const struct look *look, size_t field, struct sql_column *column)
{
    bool is_moment = look->types[field] == SQL_TYPE_TIMESTAMP || look->types[field] == SQL_TYPE_DATE;
    enum sql_dialect dialect = look->session->system->dialect;
    if (column->type != VALUE_TIME || !is_moment || dialect == SQL_SQLITE)
        return;
    column->before = dialect == SQL_POSTGRES ? "to_timestamp(" : dialect == SQL_MARIADB ? "TIMESTAMPADD(MICROSECOND, LEAST(GREATEST((" : "";
    column->after = dialect == SQL_POSTGRES ? "::bigint / 1000.0)" : dialect == SQL_MARIADB ? look->session->system->time_after : "";
}

static enum err check_types(struct look *look, struct sql_column *columns)
{
    const struct hub_resource *resource = look->hub.table->resource;
    enum sql_dialect dialect = look->session->system->dialect;
    enum err first = ERR_OK;
    for (size_t i = 0; i < resource->n_fields; i++) {
        enum value_type type = resource->fields[i].type;
        const char *there = type_text(look->types[i]);
        columns[i] = (struct sql_column){.name = resource->fields[i].name, .type = type};
        around(look, i, &columns[i]);
        bool is_free = dialect == SQL_SQLITE && look->hub.table->kind == HUB_BIND_SELECT; /* its expressions have no types */
        if (is_free || fits(type, look->types[i], look->digits[i], dialect))
            continue;
        enum err err = hub_look_unfit(&look->hub, i, there, takes(type));
        first = first ? first : err;
    }
    return first;
}

/* "(SELECT fields FROM binding)", moments finer than milliseconds cut to these. */
static enum err make_source(struct look *look)
{
    const struct hub_resource *resource = look->hub.table->resource;
    enum sql_dialect dialect = look->session->system->dialect;
    buf_reset(&look->sql);
    buf_append_c(&look->sql, "(SELECT ");
    for (size_t i = 0; i < resource->n_fields; i++) {
        bool is_fine = look->types[i] == SQL_TYPE_TIMESTAMP && look->digits[i] > 3 && (dialect == SQL_POSTGRES || dialect == SQL_MARIADB);
        buf_append_c(&look->sql, i ? ", " : "");
        buf_append_c(&look->sql, is_fine ? "CAST(" : "");
        hub_table_append_name(&look->sql, dialect, resource->fields[i].name);
        if (is_fine) {
            buf_append_c(&look->sql, dialect == SQL_MARIADB ? " AS DATETIME(3)) AS "
                                     : look->is_zoned[i]    ? " AS timestamptz(3)) AS "
                                                            : " AS timestamp(3)) AS ");
            hub_table_append_name(&look->sql, dialect, resource->fields[i].name);
        }
    }
    buf_append_c(&look->sql, " FROM ");
    hub_table_append(&look->sql, dialect, look->hub.table);
    buf_append_c(&look->sql, ")");
    return look->sql.err ? look->sql.err : arena_copy_str(look->hub.arena, buf_str(&look->sql), &look->hub.seen->source);
}

enum err odbc_look(
    struct odbc_session *session, const struct hub_table *table, struct arena *arena, struct diag_list *diags, struct hub_seen *ret_seen)
{
    struct hub_seen seen = {0};
    struct look look = {.session = session};
    struct sql_column *columns = arena_alloc_zero(arena, table->resource->n_fields, sizeof *columns);
    look.types = arena_alloc_zero(arena, table->resource->n_fields, sizeof *look.types);
    if (!columns || !look.types)
        return ERR_NO_MEMORY;
    look.hub = (struct hub_look){&session->system->department, table, arena, diags, &seen, describe, &look};
    buf_init(&look.sql, ODBC_SQL_MAX);
    enum err err = hub_look_describe(&look.hub);
    if (!err && str_is_empty(seen.wrong))
        err = check_types(&look, columns);
    if (!err && str_is_empty(seen.wrong))
        err = make_source(&look);
    buf_finish(&look.sql);
    seen.columns = columns;
    seen.own = look.types;
    if (!err)
        *ret_seen = seen;
    return err;
}
