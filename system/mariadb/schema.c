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

static void append_name(struct buf *sql, struct str name)
{
    if (sql_append_name(sql, SQL_MARIADB, name) && !sql->err)
        sql->err = ERR_SYNTAX;
}

struct look {
    struct mariadb_session *session;
    const struct hub_table *table;
    struct arena *arena;
    struct diag_list *diags;
    struct hub_seen *seen;
    struct buf sql;
    MYSQL_FIELD fields[HUB_FIELDS_MAX]; /* numbers alone are looked at */
};

static enum err wrong(struct look *look, size_t field, enum err err, const char *code, const char *more, const char *long_text)
{
    return hub_department_wrong(&look->session->system->department, look->table->resource, field, look->arena, &look->seen->wrong,
        look->diags, err, code, more, long_text);
}

/* Prepares `SELECT fields FROM binding`, one field alone when `only` >= 0. ERR_SYNTAX: refused, why in `words`. */
static enum err describe(struct look *look, int only, char words[200])
{
    struct mariadb_session *session = look->session;
    buf_reset(&look->sql);
    hub_table_append_select(&look->sql, SQL_MARIADB, look->table, only);
    snprintf(words, 200, "a name that cannot be one");
    if (look->sql.err)
        return look->sql.err;
    MYSQL_STMT *statement = mysql_stmt_init(session->mysql);
    if (!statement)
        return ERR_NO_MEMORY;
    enum err err = ERR_OK;
    MYSQL_RES *described = NULL;
    if (mariadb_prepare(session, statement, look->sql.ptr, look->sql.len)) {
        err = mariadb_is_broken(mariadb_code(session, statement)) ? ERR_UNAVAILABLE : ERR_SYNTAX;
        snprintf(words, 200, "%.190s", mysql_stmt_error(statement));
    } else if (mysql_stmt_param_count(statement) || !(described = mysql_stmt_result_metadata(statement))) {
        err = ERR_SYNTAX;
        snprintf(words, 200, "it holds a parameter, or gives no rows");
    }
    for (unsigned i = 0; described && only < 0 && i < mysql_num_fields(described) && i < HUB_FIELDS_MAX; i++)
        look->fields[i] = *mysql_fetch_field_direct(described, i);
    mysql_free_result(described);
    mariadb_statement_close(session, statement);
    return err;
}

static enum err find_refused(struct look *look, const char *all_words)
{
    char words[200], text[400];
    enum err first = ERR_OK;
    for (size_t i = 0; i < look->table->resource->n_fields; i++) {
        enum err err = describe(look, (int)i, words);
        if (err == ERR_OK)
            continue;
        if (err != ERR_SYNTAX)
            return err;
        snprintf(text, sizeof text,
            "is not to be had from the department's database: %s; mend the field's name or bind:, or the user's rights", words);
        enum err told = wrong(look, i, ERR_NOT_FOUND, HUB_DETAIL(field_refused), "", text);
        if (told && !first)
            first = told;
    }
    if (str_is_empty(look->seen->wrong)) { /* one by one it goes, together it does not */
        snprintf(text, sizeof text, "cannot be asked together with the other fields: %s", all_words);
        first = wrong(look, 0, ERR_UNSUPPORTED, HUB_DETAIL(field_alone), "", text);
    }
    return first;
}

static enum err check_types(struct look *look, struct sql_column *columns, enum fit *fits)
{
    const struct hub_resource *resource = look->table->resource;
    char types[160], long_text[400];
    enum err first = ERR_OK;
    for (size_t i = 0; i < resource->n_fields; i++) {
        enum value_type type = resource->fields[i].type;
        const char *there = type_text(&look->fields[i]);
        columns[i] = (struct sql_column){.name = resource->fields[i].name, .type = type};
        fits[i] = fit_of(type, &look->fields[i]);
        if (fits[i] >= MOMENT) { /* the department's civil time, also before 1970 and after 2038, where FROM_UNIXTIME() is NULL */
            columns[i].before = "TIMESTAMPADD(MICROSECOND, (";
            columns[i].after = look->session->system->time_after;
        }
        if (fits[i] != UNFIT)
            continue;
        snprintf(types, sizeof types, "|%s|%s", value_type_name(type), there);
        snprintf(long_text, sizeof long_text,
            "is declared as %s, but the department's column is %s; a%s %s field takes %s: declare the type that is there, or bind a SELECT "
            "that converts it",
            value_type_name(type), there, type == VALUE_INTEGER ? "n" : "", value_type_name(type), takes(type));
        enum err err = wrong(look, i, ERR_RANGE, HUB_DETAIL(field_type), types, long_text);
        if (err && !first)
            first = err;
    }
    return first;
}

static enum err make_source(struct look *look, const enum fit *fits)
{
    const struct hub_resource *resource = look->table->resource;
    buf_reset(&look->sql);
    buf_append_c(&look->sql, "(SELECT ");
    for (size_t i = 0; i < resource->n_fields; i++) {
        buf_append_c(&look->sql, i ? ", " : "");
        buf_append_c(&look->sql, fits[i] == FINE_MOMENT ? "CAST(" : "");
        append_name(&look->sql, resource->fields[i].name);
        if (fits[i] == FINE_MOMENT) {
            buf_append_c(&look->sql, " AS DATETIME(3)) AS ");
            append_name(&look->sql, resource->fields[i].name);
        }
    }
    buf_append_c(&look->sql, " FROM ");
    hub_table_append(&look->sql, SQL_MARIADB, look->table);
    buf_append_c(&look->sql, ")");
    return look->sql.err ? look->sql.err : arena_copy_str(look->arena, buf_str(&look->sql), &look->seen->source);
}

enum err mariadb_look(
    struct mariadb_session *session, const struct hub_table *table, struct arena *arena, struct diag_list *diags, struct hub_seen *ret_seen)
{
    struct hub_seen seen = {0};
    struct look look = {.session = session, .table = table, .arena = arena, .diags = diags, .seen = &seen};
    enum fit fits[HUB_FIELDS_MAX];
    char words[200];
    struct sql_column *columns = arena_alloc_zero(arena, table->resource->n_fields, sizeof *columns);
    if (!columns)
        return ERR_NO_MEMORY;
    buf_init(&look.sql, MARIADB_SQL_MAX);
    enum err err = describe(&look, -1, words);
    if (err == ERR_SYNTAX)
        err = find_refused(&look, words);
    else if (!err)
        err = check_types(&look, columns, fits);
    if (!err && str_is_empty(seen.wrong))
        err = make_source(&look, fits);
    buf_finish(&look.sql);
    seen.columns = columns;
    if (!err)
        *ret_seen = seen;
    return err;
}

enum err mariadb_look_at_all(struct mariadb_session *session)
{
    struct mariadb_system *system = session->system;
    arena_reset(&session->schema_arena);
    session->tables = arena_alloc_zero(&session->schema_arena, system->tables.n + 1, sizeof *session->tables);
    enum err err = session->tables ? ERR_OK : ERR_NO_MEMORY;
    mariadb_give(session, MARIADB_CONNECT_MS);
    for (const struct hub_table *table = system->tables.first; table && !err; table = table->next)
        err = mariadb_look(session, table, &session->schema_arena, NULL, &session->tables[table->at]);
    return err;
}
