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

/* `SELECT fields FROM binding` after `before`; one field alone when `only` >= 0. NULL: the text does not fit, or a name cannot be one. */
static const char *describing(struct buf *sql, const char *before, const struct hub_table *table, int only)
{
    buf_reset(sql);
    buf_append_c(sql, before);
    hub_table_append_select(sql, SQL_POSTGRES, table, only);
    buf_append_byte(sql, '\0');
    return sql->err ? NULL : sql->ptr;
}

/* ---- one table ---- */

struct look {
    struct hub_look hub;
    struct postgres_system *system;
    PGconn *pg;
    uint64_t session;
    _Atomic bool *is_cancelled;
    struct mono_time deadline;
    struct buf sql;
    unsigned oids[HUB_FIELDS_MAX];
    int modifiers[HUB_FIELDS_MAX];
};

static enum err ask(struct look *look, const char *before, int only, bool is_describe, PGresult **ret_result)
{
    const char *sql = describing(&look->sql, before, look->hub.table, only);
    if (!sql)
        return look->sql.err;
    enum err err = postgres_session_ask(look->system, look->pg, sql, is_describe, look->is_cancelled, look->deadline, ret_result);
    if (!is_describe)
        hub_audit_ran(look->system->audit, look->session, false); /* EXPLAIN runs nothing, and is audited all the same */
    return err;
}

/* Refused by the description or, as the role has no right, by EXPLAIN, which runs nothing either. */
static enum err describe(void *context, int only, char words[HUB_WORDS_MAX])
{
    struct look *look = context;
    size_t n = look->hub.table->resource->n_fields;
    PGresult *result = NULL;
    enum err err = only < 0 ? ask(look, "", only, true, &result) : ERR_OK;
    if (!err && only < 0 && PQnfields(result) != (int)n)
        err = ERR_SYNTAX;
    for (size_t i = 0; i < n && only < 0 && !err; i++) {
        look->oids[i] = PQftype(result, (int)i);
        look->modifiers[i] = PQfmod(result, (int)i);
    }
    if (!err) {
        PQclear(result);
        result = NULL;
        err = ask(look, "EXPLAIN ", only, false, &result);
    }
    const char *why = err == ERR_SYNTAX ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    snprintf(words, HUB_WORDS_MAX, "%.190s", why ? why : "refused");
    PQclear(result);
    return err;
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
    if (look->hub.table->kind == HUB_BIND_SELECT)
        return ERR_OK;
    hub_table_append(&look->sql, SQL_POSTGRES, look->hub.table);
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
        int at = hub_field_find(look->hub.table->resource, str_from_c(PQgetvalue(result, i, 0)));
        snprintf(text, sizeof text, "has a collation that holds different texts equal; bind a SELECT with the column COLLATE \"C\"");
        if (at >= 0)
            err = hub_look_wrong(&look->hub, (size_t)at, ERR_UNSUPPORTED, HUB_DETAIL(field_collation), "", text);
    }
    PQclear(result);
    return err;
}

static enum err check_types(struct look *look, struct sql_column *columns, enum postgres_fit *fits)
{
    const struct hub_resource *resource = look->hub.table->resource;
    uint64_t *bounded = arena_alloc_zero(look->hub.arena, 1, sizeof *bounded);
    enum err first = bounded ? ERR_OK : ERR_NO_MEMORY;
    if (first)
        return first;
    look->hub.seen->own = bounded;
    for (size_t i = 0; i < resource->n_fields; i++) {
        enum value_type type = resource->fields[i].type;
        columns[i] = (struct sql_column){.name = resource->fields[i].name, .type = type};
        fits[i] = postgres_type_fit(type, look->oids[i], look->modifiers[i]);
        if (postgres_type_bytes(look->oids[i], look->modifiers[i]) <= POSTGRES_VALUE_MAX)
            *bounded |= UINT64_C(1) << i;
        if (fits[i] == POSTGRES_PADDED)
            columns[i].after = "::bpchar";
        else if (fits[i] >= POSTGRES_MOMENT) {
            columns[i].before = "to_timestamp(";
            columns[i].after = "::bigint / 1000.0)";
        }
        if (fits[i] != POSTGRES_UNFIT)
            continue;
        enum err err = hub_look_unfit(&look->hub, i, type_text(look->oids[i]), takes(type));
        if (err && !first)
            first = err;
    }
    return first;
}

static enum err make_source(struct look *look, const enum postgres_fit *fits)
{
    const struct hub_resource *resource = look->hub.table->resource;
    buf_reset(&look->sql);
    buf_append_c(&look->sql, "(SELECT ");
    for (size_t i = 0; i < resource->n_fields; i++) {
        const char *cast = fits[i] == POSTGRES_FINE_MOMENT ? "::timestamptz(3)" : fits[i] == POSTGRES_FINE_CIVIL ? "::timestamp(3)" : NULL;
        buf_append_c(&look->sql, i ? ", " : "");
        hub_table_append_name(&look->sql, SQL_POSTGRES, resource->fields[i].name);
        if (cast) {
            buf_printf(&look->sql, "%s AS ", cast);
            hub_table_append_name(&look->sql, SQL_POSTGRES, resource->fields[i].name);
        }
    }
    buf_append_c(&look->sql, " FROM ");
    hub_table_append(&look->sql, SQL_POSTGRES, look->hub.table);
    buf_append_c(&look->sql, ")");
    return look->sql.err ? look->sql.err : arena_copy_str(look->hub.arena, buf_str(&look->sql), &look->hub.seen->source);
}

enum err postgres_schema_look(struct postgres_system *system, PGconn *pg, uint64_t session, const struct hub_table *table,
    struct arena *arena, _Atomic bool *is_cancelled, struct mono_time deadline, struct diag_list *diags, struct hub_seen *ret_seen)
{
    struct hub_seen seen = {0};
    struct look look = {.system = system, .pg = pg, .session = session, .is_cancelled = is_cancelled, .deadline = deadline};
    enum postgres_fit fits[HUB_FIELDS_MAX];
    struct sql_column *columns = arena_alloc_zero(arena, table->resource->n_fields, sizeof *columns);
    if (!columns)
        return ERR_NO_MEMORY;
    look.hub = (struct hub_look){&system->department, table, arena, diags, &seen, describe, &look};
    buf_init(&look.sql, POSTGRES_SQL_MAX);
    enum err err = hub_look_describe(&look.hub);
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
    schema->n = system->tables.n;
    schema->tables = arena_alloc_zero(&schema->arena, schema->n + 1, sizeof *schema->tables);
    enum err err = schema->tables ? ERR_OK : ERR_NO_MEMORY;
    for (const struct hub_table *table = system->tables.first; table && !err; table = table->next)
        err = postgres_schema_look(system, pg, session, table, &schema->arena, is_cancelled, deadline, NULL, &schema->tables[table->at]);
    if (err) {
        postgres_schema_destroy(schema);
        return err;
    }
    *ret_schema = schema;
    return ERR_OK;
}
