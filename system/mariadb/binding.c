/*
 * What a department's file says about its MariaDB, held against the database; a department that is down is no error of its file.
 */
#include "system/mariadb/inside.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

enum err mariadb_read_connection(struct mariadb_system *system, struct yaml_node connection, struct diag_list *diags)
{
    const struct hub_server_form form = {.port = 3306, .is_database = true};
    enum err err = hub_department_read_server(&system->department, connection, &form, diags, &system->server);
    if (!err && system->server.tls == HUB_TLS_VERIFY_CA)
        err = yaml_error(yaml_get(connection, "tls"), diags, ERR_UNSUPPORTED,
            "connector mariadb looks at authority and name together; write tls: verify-full");
    snprintf(system->time_after, sizeof system->time_after, " + %lld) * 1000, TIMESTAMP'1970-01-01 00:00:00')",
        1000LL * system->server.zone.offset_s);
    return err;
}

/* The connection while a city is loaded, tried once. False: the department is down. */
static bool probe(struct mariadb_system *system, struct diag_list *diags, enum err *ret_err)
{
    char detail[HUB_DEPARTMENT_DETAIL_MAX] = "", english[HUB_DEPARTMENT_DETAIL_MAX];
    *ret_err = ERR_OK;
    if (system->probe.mysql || system->is_probed)
        return system->probe.mysql != NULL;
    system->is_probed = true;
    enum err err = mariadb_session_open(&system->probe, detail);
    if (err == ERR_DENIED) {
        hub_detail_english(str_from_c(detail), english, sizeof english);
        *ret_err = yaml_error(yaml_get(system->department.root, "connection"), diags, err, "%s", english);
    }
    return err == ERR_OK;
}

enum err mariadb_bind(void *context, const struct hub_resource *resource, struct yaml_node binding, struct diag_list *diags)
{
    struct mariadb_system *system = context;
    struct mariadb_seen seen;
    struct arena arena;
    if (resource->kind != HUB_TABLE)
        return yaml_error(hub_department_field_node(&system->department, resource, STR_NONE), diags, ERR_UNSUPPORTED,
            "connector mariadb offers tables only; write kind: table");
    struct mariadb_table *table = arena_alloc_zero(&system->department.arena, 1, sizeof *table);
    if (!table)
        return ERR_NO_MEMORY;
    table->resource = resource;
    enum err err = hub_department_binding(&system->department, resource, binding, diags, &table->kind, &table->text);
    if (err)
        return err;
    table->at = system->n_tables++;
    table->next = system->tables;
    system->tables = table;
    if (!probe(system, diags, &err))
        return err;
    arena_init(&arena, 1u << 20);
    mariadb_give(&system->probe, MARIADB_CONNECT_MS);
    err = mariadb_look(&system->probe, table, &arena, diags, &seen);
    arena_finish(&arena);
    if (err == ERR_UNAVAILABLE || err == ERR_TIMEOUT) { /* down meanwhile: looked at again when it is back */
        mariadb_session_close(&system->probe);
        err = ERR_OK;
    }
    return err;
}

enum err mariadb_compile(void *context, const struct hub_grant *grant, struct diag_list *diags, void **ret_plan)
{
    struct mariadb_system *system = context;
    const struct mariadb_table *table = system->tables;
    while (table && table->resource != grant->resource)
        table = table->next;
    if (!table)
        return ERR_OK; /* its binding was refused, and told */
    struct mariadb_plan *plan = mem_alloc_zero(1, sizeof *plan);
    if (!plan)
        return ERR_NO_MEMORY;
    plan->system = system;
    plan->table = table;
    plan->rows = grant->rows;
    for (size_t i = 0; i < grant->n_fields; i++)
        plan->granted |= UINT64_C(1) << grant->fields[i];
    plan->next = system->plans;
    system->plans = plan;
    *ret_plan = plan;
    return ERR_OK;
}
