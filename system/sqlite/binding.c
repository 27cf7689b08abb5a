/*
 * What a department's file says about SQLite, checked against the real table: connection, bindings, fields, and the contracts' grants.
 *
 * While a city is loaded each check opens the file for itself; a department that is down is no error of its file.
 */
#include "base/buf.h"
#include "base/mem.h"
#include "system/sqlite/inside.h"

#include <stdio.h>
#include <string.h>

#define TIMEOUT_MS 2000 /* of a statement, unless the file says otherwise */

enum err sqlite_read_connection(struct sqlite_system *system, struct yaml_node connection, struct diag_list *diags)
{
    static const char *const keys[] = {"file", "timeout", NULL};
    struct yaml_node audit = yaml_get(system->department.root, "audit");
    if (!yaml_is_none(audit))
        return yaml_error(audit, diags, ERR_UNSUPPORTED, "audit: SQLite has none that could be watched; leave it out");
    enum err err = yaml_check_keys(connection, keys, diags);
    if (!err && yaml_is_none(yaml_get(connection, "file")))
        err = yaml_error(connection, diags, ERR_NOT_FOUND, "file: is missing; write file: \"{data}/departments/NAME.sqlite\"");
    if (!err)
        err = hub_department_get_path(&system->department, connection, "file", diags, system->path);
    if (err)
        return err;
    system->timeout_ms = TIMEOUT_MS;
    err = yaml_get_duration_ms(connection, "timeout", false, diags, &system->timeout_ms);
    if (err && err != ERR_NOT_FOUND)
        return err;
    if (system->timeout_ms < 1 || system->timeout_ms > 60000)
        return yaml_error(yaml_get(connection, "timeout"), diags, ERR_RANGE, "the time for a statement lies between 1ms and 60s");
    return ERR_OK;
}

/* The binding as the SQL after FROM, with the declared fields alone. */
static enum err make_seen(struct sqlite_system *system, struct hub_table *table, struct yaml_node binding, struct diag_list *diags)
{
    struct hub_seen *seen = arena_alloc_zero(&system->department.arena, 1, sizeof *seen);
    struct buf source;
    if (!seen)
        return ERR_NO_MEMORY;
    buf_init(&source, SQLITE_SQL_MAX);
    buf_append_c(&source, "(");
    hub_table_append_select(&source, SQL_SQLITE, table, -1);
    buf_append_c(&source, ")");
    enum err err = source.err ? source.err : arena_copy_str(&system->department.arena, buf_str(&source), &seen->source);
    buf_finish(&source);
    if (err)
        return yaml_error(binding, diags, err, "bind: is too long, or names what cannot be a name");
    seen->columns = table->resource->columns;
    table->own = seen;
    return ERR_OK;
}

/* One declared field: is it there, and of a type that fits? */
static enum err check_field(
    struct sqlite_system *system, struct sqlite_connection *connection, const struct hub_table *table, size_t at, struct diag_list *diags)
{
    const struct hub_field *field = &table->resource->fields[at];
    struct yaml_node node = hub_department_field_node(&system->department, table->resource, field->name);
    char detail[HUB_DEPARTMENT_DETAIL_MAX];
    sqlite3_stmt *statement;
    struct buf sql;
    buf_init(&sql, SQLITE_SQL_MAX);
    hub_table_append_select(&sql, SQL_SQLITE, table, (int)at);
    enum err err = sql.err ? sql.err : sqlite_prepare(connection, buf_str(&sql), detail, sizeof detail, &statement);
    buf_finish(&sql);
    if (err == ERR_SYNTAX)
        return yaml_error(node, diags, ERR_NOT_FOUND,
            "field \"" STR_FORMAT "\" is not to be had from the department's database: %s; mend the field's name or bind:",
            STR_ARG(field->name), detail);
    if (err)
        return err == ERR_UNAVAILABLE ? ERR_OK : err; /* down meanwhile: looked at again when a statement is prepared */
    const char *declared = sqlite3_column_decltype(statement, 0);
    if (!sqlite_type_fits(field->type, declared))
        err = yaml_error(node, diags, ERR_RANGE,
            "field \"" STR_FORMAT "\" is declared as %s, but the department's column is %s; declare the type that is there, "
            "or bind a SELECT that converts it (a time is an integer of milliseconds since 1970 UTC)",
            STR_ARG(field->name), value_type_name(field->type), declared);
    sqlite3_finalize(statement);
    return err;
}

enum err sqlite_bind(void *context, const struct hub_resource *resource, struct yaml_node binding, struct diag_list *diags)
{
    struct sqlite_system *system = context;
    struct sqlite_connection connection;
    struct hub_table *table;
    char detail[HUB_DEPARTMENT_DETAIL_MAX];
    if (resource->kind == HUB_COMMAND)
        return hub_commands_bind(&system->commands, resource, binding, diags);
    enum err err = hub_tables_add(&system->tables, &system->department, resource, binding, diags, &table);
    if (!err)
        err = make_seen(system, table, binding, diags);
    if (err)
        return err;
    if (sqlite_connect(system->path, system->department.clock, system->timeout_ms, SQLITE_TRY_MS, detail, sizeof detail, &connection))
        return ERR_OK; /* the department is down: no fault of its file */
    for (size_t i = 0; i < resource->n_fields; i++) {
        enum err one = check_field(system, &connection, table, i, diags);
        if (one && !err)
            err = one;
    }
    sqlite_disconnect(&connection);
    return err;
}

static enum err try_plan(const struct hub_plan *plan, const struct hub_grant *grant, struct diag_list *diags)
{
    struct sqlite_system *system = plan->system;
    struct sqlite_connection connection;
    char detail[HUB_DEPARTMENT_DETAIL_MAX];
    sqlite3_stmt *statement;
    struct sql_output outputs[HUB_FIELDS_MAX];
    const struct value *parameters;
    size_t n_parameters;
    struct buf sql;
    for (size_t i = 0; i < grant->n_fields; i++)
        outputs[i] = (struct sql_output){.column = grant->fields[i]};
    const struct hub_fetch all = {.outputs = outputs, .n_outputs = grant->n_fields};
    const struct sql_select select = hub_plan_select(plan, plan->table->own, &all);
    if (sqlite_connect(system->path, system->department.clock, system->timeout_ms, SQLITE_TRY_MS, detail, sizeof detail, &connection))
        return ERR_OK;
    buf_init(&sql, SQLITE_SQL_MAX);
    enum err err = sql_text(&select, SQL_SQLITE, &sql, &connection.arena, &parameters, &n_parameters);
    if (!err)
        err = sqlite_prepare(&connection, buf_str(&sql), detail, sizeof detail, &statement);
    if (!err)
        sqlite3_finalize(statement);
    else if (err == ERR_SYNTAX)
        err = yaml_error(grant->place, diags, ERR_SYNTAX, "the department's database refuses it: %s; mend rows: or the fields", detail);
    else if (err == ERR_UNAVAILABLE)
        err = ERR_OK; /* down meanwhile */
    buf_finish(&sql);
    sqlite_disconnect(&connection);
    return err;
}

enum err sqlite_compile(void *context, const struct hub_grant *grant, struct diag_list *diags, void **ret_plan)
{
    struct sqlite_system *system = context;
    void *compiled = NULL;
    pthread_mutex_lock(&system->lock); /* a contract may come into force while the threads run */
    enum err err = hub_tables_compile(&system->tables, system, grant, &compiled);
    struct hub_plan *plan = compiled;
    if (plan && !plan->table->own)
        plan = NULL; /* as if it were not there: its binding was refused, and told */
    if (plan && !(plan->own = arena_alloc_zero(&system->department.arena, 1, sizeof(struct sqlite_caches))))
        err = ERR_NO_MEMORY;
    pthread_mutex_unlock(&system->lock);
    if (!err && plan)
        err = try_plan(plan, grant, diags);
    if (!err && plan)
        *ret_plan = plan;
    return err;
}
