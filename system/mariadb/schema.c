/*
 * The department's tables as they are: each declared field, is it there, of a type that fits, and what SQL makes it compare as ours does.
 *
 * The server prepares `SELECT the fields FROM the binding` and nothing runs. Columns stay as they are wherever they can, so that the
 * department's indexes are used; only times with more digits than milliseconds are cut.
 */
#include "system/mariadb/inside.h"

#include <stdio.h>
#include <string.h>

#define BINARY 63 /* the character set of bytes */

enum fit { UNFIT, AS_IS, MOMENT, FINE_MOMENT };

static enum fit fit_of(enum value_type type, const MYSQL_FIELD *field)
{
    bool is_bytes = field->charsetnr == BINARY;
    switch (field->type) {
    case MYSQL_TYPE_TINY:
        if (type == VALUE_BOOLEAN)
            return AS_IS;
        /* fall through */
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_YEAR:
        return type == VALUE_INTEGER || type == VALUE_REAL ? AS_IS : UNFIT;
    case MYSQL_TYPE_LONGLONG:
        return type == VALUE_INTEGER || type == VALUE_TIME ? AS_IS : UNFIT;
    case MYSQL_TYPE_NEWDECIMAL:
    case MYSQL_TYPE_DECIMAL:
        return type == VALUE_REAL || (type == VALUE_INTEGER && field->decimals == 0) ? AS_IS : UNFIT;
    case MYSQL_TYPE_FLOAT:
    case MYSQL_TYPE_DOUBLE:
        return type == VALUE_REAL ? AS_IS : UNFIT;
    case MYSQL_TYPE_DATE:
    case MYSQL_TYPE_NEWDATE:
        return type == VALUE_TIME ? MOMENT : UNFIT;
    case MYSQL_TYPE_DATETIME:
    case MYSQL_TYPE_TIMESTAMP:
        return type != VALUE_TIME ? UNFIT : field->decimals <= 3 ? MOMENT : FINE_MOMENT;
    case MYSQL_TYPE_VARCHAR:
    case MYSQL_TYPE_VAR_STRING:
    case MYSQL_TYPE_STRING:
    case MYSQL_TYPE_TINY_BLOB:
    case MYSQL_TYPE_MEDIUM_BLOB:
    case MYSQL_TYPE_LONG_BLOB:
    case MYSQL_TYPE_BLOB:
        if (field->flags & SET_FLAG)
            return UNFIT;
        return type == (is_bytes ? VALUE_BYTES : VALUE_TEXT) ? AS_IS : UNFIT;
    default:
        return UNFIT;
    }
}

static const char *type_text(const MYSQL_FIELD *field)
{
    bool is_bytes = field->charsetnr == BINARY;
    switch (field->type) {
    case MYSQL_TYPE_TINY:
        return "TINYINT";
    case MYSQL_TYPE_SHORT:
        return "SMALLINT";
    case MYSQL_TYPE_INT24:
        return "MEDIUMINT";
    case MYSQL_TYPE_LONG:
        return "INT";
    case MYSQL_TYPE_LONGLONG:
        return "BIGINT";
    case MYSQL_TYPE_YEAR:
        return "YEAR";
    case MYSQL_TYPE_NEWDECIMAL:
        return field->decimals ? "DECIMAL with decimals" : "DECIMAL";
    case MYSQL_TYPE_FLOAT:
        return "FLOAT";
    case MYSQL_TYPE_DOUBLE:
        return "DOUBLE";
    case MYSQL_TYPE_DATE:
        return "DATE";
    case MYSQL_TYPE_DATETIME:
        return "DATETIME";
    case MYSQL_TYPE_TIMESTAMP:
        return "TIMESTAMP";
    case MYSQL_TYPE_VAR_STRING:
        return is_bytes ? "VARBINARY" : "VARCHAR";
    case MYSQL_TYPE_STRING:
        return field->flags & SET_FLAG ? "SET" : is_bytes ? "BINARY" : "CHAR";
    case MYSQL_TYPE_BLOB:
        return is_bytes ? "BLOB" : "TEXT";
    default:
        return "of a type of its own";
    }
}

static const char *takes(enum value_type type)
{
    static const char *const texts[] = {[VALUE_NULL] = "",
        [VALUE_BOOLEAN] = "TINYINT of 0 and 1",
        [VALUE_INTEGER] = "TINYINT to BIGINT or DECIMAL(n,0)",
        [VALUE_REAL] = "FLOAT, DOUBLE, DECIMAL or TINYINT to INT",
        [VALUE_TEXT] = "CHAR, VARCHAR, TEXT or ENUM",
        [VALUE_TIME] = "DATETIME, TIMESTAMP, DATE, or a BIGINT of milliseconds since 1970 UTC",
        [VALUE_BYTES] = "BINARY, VARBINARY or BLOB"};
    return texts[type];
}

struct look {
    struct hub_look hub;
    struct mariadb_session *session;
    struct buf sql;
    MYSQL_FIELD fields[HUB_FIELDS_MAX]; /* numbers alone are looked at */
};

/* Prepares `SELECT fields FROM binding`. */
static enum err describe(void *context, int only, char words[HUB_WORDS_MAX])
{
    struct look *look = context;
    struct mariadb_session *session = look->session;
    buf_reset(&look->sql);
    hub_table_append_select(&look->sql, SQL_MARIADB, look->hub.table, only);
    snprintf(words, HUB_WORDS_MAX, "a name that cannot be one");
    if (look->sql.err)
        return look->sql.err;
    MYSQL_STMT *statement = mysql_stmt_init(session->mysql);
    if (!statement)
        return ERR_NO_MEMORY;
    enum err err = ERR_OK;
    MYSQL_RES *described = NULL;
    if (mariadb_prepare(session, statement, look->sql.ptr, look->sql.len)) {
        err = mariadb_is_broken(mariadb_code(session, statement)) ? ERR_UNAVAILABLE : ERR_SYNTAX;
        snprintf(words, HUB_WORDS_MAX, "%.190s", mysql_stmt_error(statement));
    } else if (mysql_stmt_param_count(statement) || !(described = mysql_stmt_result_metadata(statement))) {
        err = ERR_SYNTAX;
        snprintf(words, HUB_WORDS_MAX, "it holds a parameter, or gives no rows");
    }
    for (unsigned i = 0; described && only < 0 && i < mysql_num_fields(described) && i < HUB_FIELDS_MAX; i++)
        look->fields[i] = *mysql_fetch_field_direct(described, i);
    mysql_free_result(described);
    mariadb_statement_close(session, statement);
    return err;
}

static enum err check_types(struct look *look, struct sql_column *columns, enum fit *fits)
{
    const struct hub_resource *resource = look->hub.table->resource;
    enum err first = ERR_OK;
    for (size_t i = 0; i < resource->n_fields; i++) {
        enum value_type type = resource->fields[i].type;
        const char *there = type_text(&look->fields[i]);
        columns[i] = (struct sql_column){.name = resource->fields[i].name, .type = type};
        fits[i] = fit_of(type, &look->fields[i]);
        if (fits[i] >= MOMENT) { /* the department's civil time, also before 1970 and after 2038, where FROM_UNIXTIME() is NULL; and at the
                                    ends of what a DATETIME holds, which the zone's offset would pass: that too is NULL */
            columns[i].before = "TIMESTAMPADD(MICROSECOND, LEAST(GREATEST((";
            columns[i].after = look->session->system->time_after;
        }
        if (fits[i] != UNFIT)
            continue;
        enum err err = hub_look_unfit(&look->hub, i, there, takes(type));
        if (err && !first)
            first = err;
    }
    return first;
}

static enum err make_source(struct look *look, const enum fit *fits)
{
    const struct hub_resource *resource = look->hub.table->resource;
    buf_reset(&look->sql);
    buf_append_c(&look->sql, "(SELECT ");
    for (size_t i = 0; i < resource->n_fields; i++) {
        buf_append_c(&look->sql, i ? ", " : "");
        buf_append_c(&look->sql, fits[i] == FINE_MOMENT ? "CAST(" : "");
        hub_table_append_name(&look->sql, SQL_MARIADB, resource->fields[i].name);
        if (fits[i] == FINE_MOMENT) {
            buf_append_c(&look->sql, " AS DATETIME(3)) AS ");
            hub_table_append_name(&look->sql, SQL_MARIADB, resource->fields[i].name);
        }
    }
    buf_append_c(&look->sql, " FROM ");
    hub_table_append(&look->sql, SQL_MARIADB, look->hub.table);
    buf_append_c(&look->sql, ")");
    return look->sql.err ? look->sql.err : arena_copy_str(look->hub.arena, buf_str(&look->sql), &look->hub.seen->source);
}

enum err mariadb_look(
    struct mariadb_session *session, const struct hub_table *table, struct arena *arena, struct diag_list *diags, struct hub_seen *ret_seen)
{
    struct hub_seen seen = {0};
    struct look look = {.session = session};
    enum fit fits[HUB_FIELDS_MAX];
    struct sql_column *columns = arena_alloc_zero(arena, table->resource->n_fields, sizeof *columns);
    if (!columns)
        return ERR_NO_MEMORY;
    look.hub = (struct hub_look){&session->system->department, table, arena, diags, &seen, describe, &look};
    buf_init(&look.sql, MARIADB_SQL_MAX);
    enum err err = hub_look_describe(&look.hub);
    if (!err && str_is_empty(seen.wrong))
        err = check_types(&look, columns, fits);
    if (!err && str_is_empty(seen.wrong))
        err = make_source(&look, fits);
    buf_finish(&look.sql);
    seen.columns = columns;
    if (!err)
        *ret_seen = seen;
    return err;
}
