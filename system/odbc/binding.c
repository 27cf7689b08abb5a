/*
 * What a department's file says about its database and the driver for it; a department that is down is no error of its file.
 */
#include "system/odbc/inside.h"

#include <stdio.h>
#include <string.h>

#define TIMEOUT_MS 2000
#define CONNECTIONS 4

static enum err get_text(struct yaml_node connection, const char *key, struct diag_list *diags, char *out, size_t size)
{
    struct str text;
    enum err err = yaml_get_str(connection, key, false, diags, &text);
    if (err)
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    if (str_is_empty(text) || str_to_c(text, out, size) || strpbrk(out, "{};=\r\n"))
        return yaml_error(yaml_get(connection, key), diags, ERR_RANGE, "%s: is empty, too long, or has one of {};=", key);
    return ERR_OK;
}

/* The driver's own keys; a secret stands in none of them. */
static enum err read_options(struct odbc_system *system, struct yaml_node connection, struct diag_list *diags)
{
    static const char *const taken[] = {"DRIVER", "DSN", "UID", "PWD", "USER", "USERNAME", "PASSWORD", "FILEDSN", "SAVEFILE"};
    struct yaml_node map = yaml_get(connection, "options");
    if (yaml_is_none(map))
        return ERR_OK;
    if (yaml_kind(map) != YAML_MAP || yaml_n_items(map) > ODBC_OPTIONS_MAX)
        return yaml_error(map, diags, ERR_SYNTAX, "options: is a map of at most %d keys of the driver, {Server: db.example, Database: x}",
            ODBC_OPTIONS_MAX);
    for (size_t i = 0; i < yaml_n_items(map); i++) {
        struct str key = yaml_text(yaml_map_key(map, i)), value = yaml_text(yaml_map_value(map, i));
        char path[HUB_DEPARTMENT_PATH_MAX];
        for (size_t j = 0; j < sizeof taken / sizeof *taken; j++)
            if (str_equal_nocase(key, str_from_c(taken[j])))
                return yaml_error(yaml_map_key(map, i), diags, ERR_RANGE,
                    "options: \"" STR_FORMAT "\" does not stand here; write driver:, dsn:, user: or password_file:", STR_ARG(key));
        if (yaml_kind(yaml_map_value(map, i)) != YAML_SCALAR || key.len == 0 || key.len > 63 || memchr(key.ptr, '=', key.len) ||
            memchr(key.ptr, ';', key.len) || (value.len && (memchr(value.ptr, '\n', value.len) || memchr(value.ptr, '\0', value.len))))
            return yaml_error(yaml_map_key(map, i), diags, ERR_SYNTAX, "options: takes plain keys and values");
        if (str_starts_with(value, STR("{data}/"))) {
            if (hub_department_path(&system->department, value, path) ||
                arena_copy_str(&system->department.arena, str_from_c(path), &value))
                return yaml_error(yaml_map_value(map, i), diags, ERR_TOO_LARGE, "options: the path is too long");
        }
        system->options[system->n_options].key = key;
        system->options[system->n_options++].value = value;
    }
    return ERR_OK;
}

enum err odbc_read_connection(struct odbc_system *system, struct yaml_node connection, struct diag_list *diags)
{
    static const char *const keys[] = {
        "driver", "dsn", "dialect", "options", "user", "password_file", "timeout", "connections", "zone", NULL};
    static const char *const dialects[] = {"sqlite", "postgres", "mariadb", "ansi", NULL};
    size_t dialect = SQL_ANSI;
    struct str zone;
    enum err err = yaml_check_keys(connection, keys, diags);
    if (!err)
        err = get_text(connection, "driver", diags, system->driver, sizeof system->driver);
    if (!err)
        err = get_text(connection, "dsn", diags, system->dsn, sizeof system->dsn);
    if (!err)
        err = get_text(connection, "user", diags, system->user, sizeof system->user);
    if (!err)
        err = hub_department_get_path(&system->department, connection, "password_file", diags, system->password_file);
    if (!err)
        err = read_options(system, connection, diags);
    if (!err)
        err = yaml_get_choice(connection, "dialect", true, diags, dialects, &dialect);
    if (err)
        return err;
    if ((system->driver[0] != '\0') == (system->dsn[0] != '\0'))
        return yaml_error(
            connection, diags, ERR_NOT_FOUND, "connection: names a driver: (of /etc/odbcinst.ini, or its file) or a dsn:, one of the two");
    system->dialect = (enum sql_dialect)dialect;
    system->timeout_ms = TIMEOUT_MS;
    system->n_connections = CONNECTIONS;
    err = yaml_get_duration_ms(connection, "timeout", false, diags, &system->timeout_ms);
    if (!err || err == ERR_NOT_FOUND)
        err = yaml_get_i64(connection, "connections", false, diags, 1, HUB_SERVER_CONNECTIONS_MAX, &system->n_connections);
    if (!err || err == ERR_NOT_FOUND)
        err = yaml_get_str(connection, "zone", false, diags, &zone);
    if (!err && time_zone_parse(zone, &system->zone))
        err = yaml_error(yaml_get(connection, "zone"), diags, ERR_RANGE, "zone: takes Asia/Shanghai, UTC or an offset as +08:00");
    if (err && err != ERR_NOT_FOUND)
        return err;
    if (system->timeout_ms < 1 || system->timeout_ms > 60000)
        return yaml_error(yaml_get(connection, "timeout"), diags, ERR_RANGE, "the time for a statement lies between 1ms and 60s");
    snprintf(system->time_after, sizeof system->time_after,
        " + %lld), -62135596800000), 253402300799999) * 1000, TIMESTAMP'1970-01-01 00:00:00')", 1000LL * system->zone.offset_s);
    return ERR_OK;
}
