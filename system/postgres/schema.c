/*
 * The department's tables as they are: each declared field, is it there, of a type that fits, and what SQL makes it compare as ours does.
 *
 * The server prepares, describes and explains `SELECT the fields FROM the binding`, and nothing runs. The source that comes out is the SQL
 * after FROM for every statement on the table. Columns stay as they are wherever they can, so that the department's indexes are used; only
 * times with more digits than milliseconds are cut (an index on that expression serves: the cast is immutable).
 */
#include "system/postgres/inside.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define SCHEMA_ARENA_MAX (16u << 20)

/* ---- names of types, for people ---- */

static const char *type_text(unsigned oid)
{
    switch (oid) {
    case POSTGRES_BOOL:
        return "boolean";
    case POSTGRES_BYTEA:
        return "bytea";
    case POSTGRES_INT2:
        return "smallint";
    case POSTGRES_INT4:
        return "integer";
    case POSTGRES_INT8:
        return "bigint";
    case POSTGRES_TEXT:
        return "text";
    case POSTGRES_FLOAT4:
        return "real";
    case POSTGRES_FLOAT8:
        return "double precision";
    case POSTGRES_BPCHAR:
        return "char(n)";
    case POSTGRES_VARCHAR:
        return "varchar";
    case POSTGRES_DATE:
        return "date";
    case POSTGRES_TIMESTAMP:
        return "timestamp";
    case POSTGRES_TIMESTAMPTZ:
        return "timestamptz";
    case POSTGRES_NUMERIC:
        return "numeric";
    default:
        return NULL;
    }
}

static const char *takes(enum value_type type)
{
    static const char *const texts[] = {[VALUE_NULL] = "",
        [VALUE_BOOLEAN] = "boolean",
        [VALUE_INTEGER] = "smallint, integer, bigint or numeric(n,0)",
        [VALUE_REAL] = "real, double precision, numeric, smallint or integer",
        [VALUE_TEXT] = "text, varchar or char(n)",
        [VALUE_TIME] = "timestamptz, timestamp, date, or a bigint of milliseconds since 1970 UTC",
        [VALUE_BYTES] = "bytea"};
    return texts[type];
}

/* ---- SQL ---- */

static void append_name(struct buf *sql, struct str name)
{
    if (sql_append_name(sql, SQL_POSTGRES, name) && !sql->err)
        sql->err = ERR_SYNTAX;
}

/* The binding after FROM: "schema"."table", or the department's own SELECT. */
static void append_binding(struct buf *sql, const struct postgres_table *table)
{
    struct str schema, name = table->text;
    if (table->kind == HUB_BIND_SELECT) {
        buf_append_c(sql, "(");
        buf_append_str(sql, table->text);
        buf_append_c(sql, "\n) b"); /* the line's end closes a comment at the SELECT's */
        return;
    }
    if (str_cut(table->text, '.', &schema, &name)) {
        append_name(sql, schema);
        buf_append_c(sql, ".");
    }
    append_name(sql, name);
}

/* `SELECT fields FROM binding` after `before`; one field alone when `only` >= 0. NULL: the text does not fit, or a name cannot be one. */
static const char *describing(struct buf *sql, const char *before, const struct postgres_table *table, int only)
{
    const struct hub_resource *resource = table->resource;
    buf_reset(sql);
    buf_append_c(sql, before);
    buf_append_c(sql, "SELECT ");
    for (size_t i = 0; i < resource->n_fields; i++) {
        if (only >= 0 && i != (size_t)only)
            continue;
        buf_append_c(sql, i && only < 0 ? ", " : "");
        append_name(sql, resource->fields[i].name);
    }
    buf_append_c(sql, " FROM ");
    append_binding(sql, table);
    buf_append_byte(sql, '\0');
    return sql->err ? NULL : sql->ptr;
}

/* ---- one table ---- */

struct look {
    struct postgres_system *system;
    PGconn *pg;
    uint64_t session;
    const struct postgres_table *table;
    struct arena *arena;
    _Atomic bool *is_cancelled;
    struct mono_time deadline;
    struct diag_list *diags;
    struct postgres_seen *seen;
    struct buf sql;
    unsigned oids[HUB_FIELDS_MAX];
    int modifiers[HUB_FIELDS_MAX];
};

static enum err wrong(struct look *look, size_t field, enum err err, const char *code, const char *more, const char *long_text)
{
    return hub_department_wrong(
        &look->system->department, look->table->resource, field, look->arena, &look->seen->wrong, look->diags, err, code, more, long_text);
}

static enum err refused(struct look *look, size_t field, const PGresult *result)
{
    char text[400];
    const char *words = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    snprintf(text, sizeof text,
        "is not to be had from the department's database: %.200s; mend the field's name or bind:, or the role's rights",
        words ? words : "refused");
    return wrong(look, field, ERR_NOT_FOUND, HUB_DETAIL(field_refused), "", text);
}

static enum err ask(struct look *look, const char *before, int only, bool is_describe, PGresult **ret_result)
{
    const char *sql = describing(&look->sql, before, look->table, only);
    if (!sql)
        return look->sql.err;
    enum err err = postgres_session_ask(look->system, look->pg, sql, is_describe, look->is_cancelled, look->deadline, ret_result);
    if (!is_describe)
        hub_audit_ran(look->system->audit, look->session, false); /* EXPLAIN runs nothing, and is audited all the same */
    return err;
}

/* The types of all fields. ERR_SYNTAX: refused, by the description or, as the role has no right, by EXPLAIN, which runs nothing either. */
static enum err describe(struct look *look)
{
    size_t n = look->table->resource->n_fields;
    PGresult *result = NULL;
    enum err err = ask(look, "", -1, true, &result);
    if (!err && PQnfields(result) != (int)n)
        err = ERR_SYNTAX;
    for (size_t i = 0; i < n && !err; i++) {
        look->oids[i] = PQftype(result, (int)i);
        look->modifiers[i] = PQfmod(result, (int)i);
    }
    PQclear(result);
    if (err)
        return err;
    result = NULL;
    err = ask(look, "EXPLAIN ", -1, false, &result);
    PQclear(result);
    return err;
}

/* Refused: which fields? */
static enum err find_refused(struct look *look)
{
    enum err first = ERR_OK;
    for (size_t i = 0; i < look->table->resource->n_fields; i++) {
        PGresult *result = NULL;
        enum err err = ask(look, "EXPLAIN ", (int)i, false, &result);
        enum err told = err == ERR_SYNTAX ? refused(look, i, result) : ERR_OK;
        PQclear(result);
        if (err && err != ERR_SYNTAX)
            return err;
        if (told && !first)
            first = told;
    }
    if (str_is_empty(look->seen->wrong)) /* one by one it goes, together it does not */
        first = wrong(look, 0, ERR_UNSUPPORTED, HUB_DETAIL(field_alone), "", "cannot be asked together with the other fields");
    return first;
}

/* The server may hold text equal that is not the same bytes: such a collation breaks the contracts' conditions. */
static enum err check_collations(struct look *look)
{
    char text[200];
    PGresult *result = NULL;
    buf_reset(&look->sql);
    buf_append_c(&look->sql,
        "SELECT a.attname FROM pg_attribute a JOIN pg_collation c ON c.oid = a.attcollation WHERE NOT c.collisdeterministic "
        "AND a.attrelid = to_regclass('");
    size_t from = look->sql.len;
    if (look->table->kind == HUB_BIND_SELECT)
        return ERR_OK;
    append_binding(&look->sql, look->table);
    if (memchr(look->sql.ptr + from, '\'', look->sql.len - from) || memchr(look->sql.ptr + from, '\\', look->sql.len - from))
        return ERR_OK;
    buf_append_c(&look->sql, "')");
    buf_append_byte(&look->sql, '\0');
    if (look->sql.err)
        return look->sql.err;
    enum err err = postgres_session_ask(look->system, look->pg, look->sql.ptr, false, look->is_cancelled, look->deadline, &result);
    if (err == ERR_SYNTAX) { /* a product without such catalogs has no such collations */
        PQclear(result);
        return ERR_OK;
    }
    if (err)
        return err;
    for (int i = 0; i < PQntuples(result) && !err; i++) {
        int at = hub_field_find(look->table->resource, str_from_c(PQgetvalue(result, i, 0)));
        snprintf(text, sizeof text, "has a collation that holds different texts equal; bind a SELECT with the column COLLATE \"C\"");
        if (at >= 0)
            err = wrong(look, (size_t)at, ERR_UNSUPPORTED, HUB_DETAIL(field_collation), "", text);
    }
    PQclear(result);
    return err;
}

static enum err check_types(struct look *look, struct sql_column *columns, enum postgres_fit *fits)
{
    const struct hub_resource *resource = look->table->resource;
    char types[160], long_text[400];
    enum err first = ERR_OK;
    for (size_t i = 0; i < resource->n_fields; i++) {
        enum value_type type = resource->fields[i].type;
        const char *there = type_text(look->oids[i]);
        columns[i] = (struct sql_column){.name = resource->fields[i].name, .type = type};
        fits[i] = postgres_type_fit(type, look->oids[i], look->modifiers[i]);
        if (postgres_type_bytes(look->oids[i], look->modifiers[i]) <= POSTGRES_VALUE_MAX)
            look->seen->bounded |= UINT64_C(1) << i;
        if (fits[i] == POSTGRES_PADDED)
            columns[i].after = "::bpchar";
        else if (fits[i] >= POSTGRES_MOMENT) {
            columns[i].before = "to_timestamp(";
            columns[i].after = "::bigint / 1000.0)";
        }
        if (fits[i] != POSTGRES_UNFIT)
            continue;
        snprintf(types, sizeof types, "|%s|%s", value_type_name(type), there ? there : "-");
        snprintf(long_text, sizeof long_text,
            "is declared as %s, but the department's column is %s; a%s %s field takes %s: declare the type that is there, or bind a SELECT "
            "that converts it",
            value_type_name(type), there ? there : "of another type", type == VALUE_INTEGER ? "n" : "", value_type_name(type), takes(type));
        enum err err = wrong(look, i, ERR_RANGE, HUB_DETAIL(field_type), types, long_text);
        if (err && !first)
            first = err;
    }
    return first;
}

static enum err make_source(struct look *look, const enum postgres_fit *fits)
{
    const struct hub_resource *resource = look->table->resource;
    buf_reset(&look->sql);
    buf_append_c(&look->sql, "(SELECT ");
    for (size_t i = 0; i < resource->n_fields; i++) {
        const char *cast = fits[i] == POSTGRES_FINE_MOMENT ? "::timestamptz(3)" : fits[i] == POSTGRES_FINE_CIVIL ? "::timestamp(3)" : NULL;
        buf_append_c(&look->sql, i ? ", " : "");
        append_name(&look->sql, resource->fields[i].name);
        if (cast) {
            buf_printf(&look->sql, "%s AS ", cast);
            append_name(&look->sql, resource->fields[i].name);
        }
    }
    buf_append_c(&look->sql, " FROM ");
    append_binding(&look->sql, look->table);
    buf_append_c(&look->sql, ")");
    return look->sql.err ? look->sql.err : arena_copy_str(look->arena, buf_str(&look->sql), &look->seen->source);
}

enum err postgres_schema_look(struct postgres_system *system, PGconn *pg, uint64_t session, const struct postgres_table *table,
    struct arena *arena, _Atomic bool *is_cancelled, struct mono_time deadline, struct diag_list *diags, struct postgres_seen *ret_seen)
{
    struct postgres_seen seen = {0};
    struct look look = {.system = system,
        .pg = pg,
        .session = session,
        .table = table,
        .arena = arena,
        .is_cancelled = is_cancelled,
        .deadline = deadline,
        .diags = diags,
        .seen = &seen};
    enum postgres_fit fits[HUB_FIELDS_MAX];
    struct sql_column *columns = arena_alloc_zero(arena, table->resource->n_fields, sizeof *columns);
    if (!columns)
        return ERR_NO_MEMORY;
    buf_init(&look.sql, POSTGRES_SQL_MAX);
    enum err err = describe(&look);
    if (err == ERR_SYNTAX)
        err = find_refused(&look);
    if (!err && str_is_empty(seen.wrong))
        err = check_types(&look, columns, fits);
    if (!err && str_is_empty(seen.wrong))
        err = check_collations(&look);
    if (!err && str_is_empty(seen.wrong))
        err = make_source(&look, fits);
    buf_finish(&look.sql);
    seen.columns = columns;
    if (!err)
        *ret_seen = seen;
    return err;
}

/* ---- all tables ---- */

void postgres_schema_destroy(struct postgres_schema *schema)
{
    if (!schema)
        return;
    arena_finish(&schema->arena);
    mem_free(schema);
}

enum err postgres_schema_read(struct postgres_system *system, PGconn *pg, uint64_t session, _Atomic bool *is_cancelled,
    struct mono_time deadline, struct postgres_schema **ret_schema)
{
    struct postgres_schema *schema = mem_alloc_zero(1, sizeof *schema);
    if (!schema)
        return ERR_NO_MEMORY;
    arena_init(&schema->arena, SCHEMA_ARENA_MAX);
    schema->n = system->n_tables;
    schema->tables = arena_alloc_zero(&schema->arena, system->n_tables + 1, sizeof *schema->tables);
    enum err err = schema->tables ? ERR_OK : ERR_NO_MEMORY;
    for (struct postgres_table *table = system->tables; table && !err; table = table->next)
        err = postgres_schema_look(system, pg, session, table, &schema->arena, is_cancelled, deadline, NULL, &schema->tables[table->at]);
    if (err) {
        postgres_schema_destroy(schema);
        return err;
    }
    *ret_schema = schema;
    return ERR_OK;
}
