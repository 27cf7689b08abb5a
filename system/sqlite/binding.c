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

enum err sqlite_path(
    const struct sqlite_system *system, struct str file, struct yaml_node node, struct diag_list *diags, char out[SQLITE_PATH_MAX])
{
    struct str rest = file;
    const char *base = system->city_dir;
    if (str_starts_with(file, STR("{data}/"))) {
        base = system->data_dir;
        rest = str_slice(file, 7, file.len);
    }
    int n = file.len && file.ptr[0] == '/' ? snprintf(out, SQLITE_PATH_MAX, STR_FORMAT, STR_ARG(file))
                                           : snprintf(out, SQLITE_PATH_MAX, "%s/" STR_FORMAT, base, STR_ARG(rest));
    return n >= 0 && n < SQLITE_PATH_MAX ? ERR_OK : yaml_error(node, diags, ERR_TOO_LARGE, "the path is too long");
}

enum err sqlite_read_connection(struct sqlite_system *system, struct yaml_node root, struct diag_list *diags)
{
    static const char *const root_keys[] = {"party", "connector", "connection", "resources", NULL};
    static const char *const keys[] = {"file", "timeout", NULL};
    struct yaml_node connection = yaml_get(root, "connection");
    struct str file;
    enum err err = yaml_check_keys(root, root_keys, diags);
    if (yaml_is_none(connection) || yaml_kind(connection) != YAML_MAP)
        return yaml_error(root, diags, ERR_NOT_FOUND, "connection: is missing; add connection: {file: \"{data}/departments/NAME.sqlite\"}");
    if (!err)
        err = yaml_check_keys(connection, keys, diags);
    if (!err)
        err = yaml_get_str(connection, "file", true, diags, &file);
    if (err)
        return err;
    system->timeout_ms = TIMEOUT_MS;
    err = yaml_get_duration_ms(connection, "timeout", false, diags, &system->timeout_ms);
    if (err && err != ERR_NOT_FOUND)
        return err;
    if (system->timeout_ms < 1 || system->timeout_ms > 60000)
        return yaml_error(yaml_get(connection, "timeout"), diags, ERR_RANGE, "the time for a statement lies between 1ms and 60s");
    return sqlite_path(system, file, yaml_get(connection, "file"), diags, system->path);
}

/* The place of a field's declaration, for errors. */
static struct yaml_node field_node(const struct sqlite_system *system, const struct hub_resource *resource, struct str name)
{
    struct yaml_node list = yaml_get(system->root, "resources");
    for (size_t i = 0; i < yaml_n_items(list); i++) {
        struct yaml_node item = yaml_item(list, i), fields = yaml_get(item, "fields");
        if (!str_ends_with(resource->name, yaml_text(yaml_get(item, "name"))) ||
            resource->name.len != system->party.len + 1 + yaml_text(yaml_get(item, "name")).len)
            continue;
        for (size_t j = 0; j < yaml_n_items(fields); j++)
            if (str_equal(yaml_text(yaml_get(yaml_item(fields, j), "name")), name))
                return yaml_item(fields, j);
        return item;
    }
    return system->root;
}

/* `bind:` as the SQL after FROM, with the declared fields alone. */
static enum err make_source(struct sqlite_system *system, const struct hub_resource *resource, struct yaml_node binding,
    struct diag_list *diags, struct str *ret_source)
{
    static const char *const keys[] = {"table", "view", "select", NULL};
    if (yaml_is_none(binding) || yaml_kind(binding) != YAML_MAP || yaml_n_items(binding) != 1)
        return yaml_error(yaml_is_none(binding) ? field_node(system, resource, STR_NONE) : binding, diags, ERR_SYNTAX,
            "resource \"" STR_FORMAT "\" needs one binding; write bind: {table: …}, {view: …} or {select: \"SELECT …\"}",
            STR_ARG(resource->name));
    enum err err = yaml_check_keys(binding, keys, diags);
    if (err)
        return err;
    struct str text = yaml_text(yaml_map_value(binding, 0));
    bool is_select = str_equal(yaml_text(yaml_map_key(binding, 0)), STR("select"));
    if (str_is_empty(str_trim(text)) || (!is_select && memchr(text.ptr, '"', text.len)))
        return yaml_error(binding, diags, ERR_SYNTAX, "the binding names nothing; write the table, the view or the SELECT");
    struct buf source;
    buf_init(&source, SQLITE_SQL_MAX);
    buf_append_c(&source, "(SELECT ");
    for (size_t i = 0; i < resource->n_fields; i++)
        buf_printf(&source, "%s\"" STR_FORMAT "\"", i ? ", " : "", STR_ARG(resource->fields[i].name));
    buf_printf(&source, is_select ? " FROM (" STR_FORMAT "))" : " FROM \"" STR_FORMAT "\")", STR_ARG(text));
    err = source.err ? source.err : arena_copy_str(&system->arena, buf_str(&source), ret_source);
    buf_finish(&source);
    return err;
}

/* Each declared field: is it there, and of a type that fits? */
static enum err check_field(struct sqlite_system *system, struct sqlite_connection *connection, const struct hub_resource *resource,
    const struct hub_field *field, struct yaml_node binding, struct diag_list *diags)
{
    char sql[SQLITE_SQL_MAX], detail[256];
    struct str text = yaml_text(yaml_map_value(binding, 0));
    bool is_select = str_equal(yaml_text(yaml_map_key(binding, 0)), STR("select"));
    struct yaml_node node = field_node(system, resource, field->name);
    sqlite3_stmt *statement;
    snprintf(sql, sizeof sql,
        is_select ? "SELECT \"" STR_FORMAT "\" FROM (" STR_FORMAT ")" : "SELECT \"" STR_FORMAT "\" FROM \"" STR_FORMAT "\"",
        STR_ARG(field->name), STR_ARG(text));
    enum err err = sqlite_prepare(connection, str_from_c(sql), detail, sizeof detail, &statement);
    if (err == ERR_SYNTAX)
        return yaml_error(node, diags, ERR_NOT_FOUND,
            "field \"" STR_FORMAT "\" is not to be had from the department's database: %s; mend the field's name or bind:",
            STR_ARG(field->name), detail);
    if (err)
        return ERR_OK; /* down meanwhile: looked at again when a statement is prepared */
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
    char detail[256];
    if (resource->kind == HUB_COMMAND)
        return sqlite_bind_command(system, resource, binding, diags);
    if (resource->kind != HUB_TABLE)
        return yaml_error(field_node(system, resource, STR_NONE), diags, ERR_UNSUPPORTED,
            "connector sqlite offers tables and commands only; write kind: table or kind: command");
    struct sqlite_table *table = arena_alloc_zero(&system->arena, 1, sizeof *table);
    if (!table)
        return ERR_NO_MEMORY;
    table->resource = resource;
    enum err err = make_source(system, resource, binding, diags, &table->source);
    if (err)
        return err;
    table->next = system->tables;
    system->tables = table;
    if (sqlite_connect(system->path, system->clock, system->timeout_ms, detail, sizeof detail, &connection))
        return ERR_OK; /* the department is down: no fault of its file */
    for (size_t i = 0; i < resource->n_fields; i++) {
        enum err one = check_field(system, &connection, resource, &resource->fields[i], binding, diags);
        if (one && !err)
            err = one;
    }
    sqlite_disconnect(&connection);
    return err;
}

static enum err try_plan(struct sqlite_plan *plan, const struct hub_grant *grant, struct diag_list *diags)
{
    struct sqlite_system *system = plan->system;
    struct sqlite_connection connection;
    char detail[256];
    sqlite3_stmt *statement;
    struct sql_output outputs[HUB_FIELDS_MAX];
    const struct value *parameters;
    size_t n_parameters;
    struct buf sql;
    for (size_t i = 0; i < grant->n_fields; i++)
        outputs[i] = (struct sql_output){.column = grant->fields[i]};
    const struct hub_fetch all = {.outputs = outputs, .n_outputs = grant->n_fields};
    const struct sql_select select = sqlite_plan_select(plan, &all);
    if (sqlite_connect(system->path, system->clock, system->timeout_ms, detail, sizeof detail, &connection))
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
    const struct sqlite_table *table = system->tables;
    while (table && table->resource != grant->resource)
        table = table->next;
    if (!table)
        return ERR_OK; /* its binding was refused, and told */
    struct sqlite_plan *plan = mem_alloc_zero(1, sizeof *plan);
    if (!plan)
        return ERR_NO_MEMORY;
    plan->system = system;
    plan->table = table;
    plan->rows = grant->rows;
    for (size_t i = 0; i < grant->n_fields; i++)
        plan->granted |= UINT64_C(1) << grant->fields[i];
    enum err err = try_plan(plan, grant, diags);
    if (err) {
        mem_free(plan);
        return err;
    }
    pthread_mutex_lock(&system->lock); /* a contract may come into force while the threads run */
    plan->next = system->plans;
    system->plans = plan;
    pthread_mutex_unlock(&system->lock);
    *ret_plan = plan;
    return ERR_OK;
}
