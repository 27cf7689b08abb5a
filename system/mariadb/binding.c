/*
 * What a department's file says about its MariaDB, held against the database; a department that is down is no error of its file.
 */
#include "system/mariadb/inside.h"

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
    struct hub_seen seen;
    struct arena arena;
    struct hub_table *table;
    enum err err = hub_tables_add(&system->tables, &system->department, resource, binding, diags, &table);
    if (err)
        return err;
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
