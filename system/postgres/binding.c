/*
 * What a department's file says about its PostgreSQL, read and held against the database; a department that is down is no error of its
 * file.
 */
#include "system/postgres/inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- connection: ---- */

enum err postgres_read_connection(struct postgres_system *system, struct yaml_node connection, struct diag_list *diags)
{
    const struct hub_server_form form = {.port = 5432, .is_database = true};
    enum err err = hub_department_read_server(&system->department, connection, &form, diags, &system->server);
    int32_t offset = system->server.zone.offset_s, size = abs(offset) / 60;
    char sign = offset < 0 ? '-' : '+', against = offset < 0 ? '+' : '-'; /* POSIX counts westward */
    snprintf(system->zone, sizeof system->zone, "<%c%02d%02d>%c%02d:%02d", sign, size / 60, size % 60, against, size / 60, size % 60);
    return err;
}

/* ---- bind: ---- */

void postgres_forget_probe(struct postgres_system *system)
{
    PQfinish(system->probe);
    system->probe = NULL;
    hub_audit_closed(system->audit, system->probe_session);
    system->probe_session = 0;
}

/* The connection while a city is loaded, tried once. NULL: the department is down. */
static PGconn *probe(struct postgres_system *system, struct diag_list *diags, enum err *ret_err)
{
    char detail[HUB_DEPARTMENT_DETAIL_MAX] = "", english[HUB_DEPARTMENT_DETAIL_MAX];
    struct mono_time deadline = {clock_mono(system->department.clock).ns + POSTGRES_CONNECT_MS * INT64_C(1000000)};
    *ret_err = ERR_OK;
    if (system->probe || system->is_probed)
        return system->probe;
    system->is_probed = true;
    enum err err = postgres_session_open(system, NULL, deadline, detail, &system->probe);
    if (err == ERR_DENIED) {
        hub_detail_english(str_from_c(detail), english, sizeof english);
        *ret_err = yaml_error(yaml_get(system->department.root, "connection"), diags, err, "%s", english);
    }
    if (!err && postgres_session_tell(system, system->probe, NULL, deadline, &system->probe_session) != ERR_OK)
        postgres_forget_probe(system);
    return system->probe;
}

enum err postgres_bind(void *context, const struct hub_resource *resource, struct yaml_node binding, struct diag_list *diags)
{
    struct postgres_system *system = context;
    struct hub_table *table;
    struct hub_seen seen;
    struct arena arena;
    if (resource->kind == HUB_COMMAND)
        return hub_commands_bind(&system->commands, resource, binding, diags);
    enum err err = hub_tables_add(&system->tables, &system->department, resource, binding, diags, &table);
    if (err)
        return err;
    PGconn *pg = probe(system, diags, &err);
    if (!pg)
        return err;
    struct mono_time deadline = {clock_mono(system->department.clock).ns + POSTGRES_CONNECT_MS * INT64_C(1000000)};
    arena_init(&arena, 1u << 20);
    err = postgres_schema_look(system, pg, system->probe_session, table, &arena, NULL, deadline, diags, &seen);
    arena_finish(&arena);
    if (err == ERR_UNAVAILABLE || err == ERR_TIMEOUT) { /* down meanwhile: looked at again when it is back */
        postgres_forget_probe(system);
        err = ERR_OK;
    }
    return err;
}
