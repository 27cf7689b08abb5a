/*
 * What a department's file says about how its MariaDB is reached.
 */
#include "system/mariadb/inside.h"

#include <stdio.h>

enum err mariadb_read_connection(struct mariadb_system *system, struct yaml_node connection, struct diag_list *diags)
{
    const struct hub_server_form form = {.port = 3306, .is_database = true};
    enum err err = hub_department_read_server(&system->department, connection, &form, diags, &system->server);
    if (!err && system->server.tls == HUB_TLS_VERIFY_CA)
        err = yaml_error(yaml_get(connection, "tls"), diags, ERR_UNSUPPORTED,
            "connector mariadb looks at authority and name together; write tls: verify-full");
    snprintf(system->time_after, sizeof system->time_after,
        " + %lld), -62135596800000), 253402300799999) * 1000, TIMESTAMP'1970-01-01 00:00:00')", 1000LL * system->server.zone.offset_s);
    return err;
}
