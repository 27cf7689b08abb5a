/*
 * `connection:` of a department's server, as the connectors to databases and brokers read it.
 */
#include "hub/department.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT_MS 2000 /* of a statement, unless the file says otherwise */
#define CONNECTIONS 4
#define KEYS_MAX 24

/* ---- connection: ---- */

static enum err get_text(struct yaml_node connection, const char *key, bool required, struct diag_list *diags, char *out, size_t size)
{
    struct str text;
    enum err err = yaml_get_str(connection, key, required, diags, &text);
    if (err)
        return err == ERR_NOT_FOUND && !required ? ERR_OK : err;
    if (str_is_empty(text) || str_to_c(text, out, size))
        return yaml_error(yaml_get(connection, key), diags, ERR_RANGE, "%s: is empty or too long", key);
    return ERR_OK;
}

/* Where a server's Unix socket lies may be said by "{data}/…". */
static enum err read_host(
    const struct hub_department *department, struct yaml_node connection, struct diag_list *diags, struct hub_server *server)
{
    char path[HUB_DEPARTMENT_PATH_MAX], here[HUB_DEPARTMENT_PATH_MAX];
    enum err err = get_text(connection, "host", true, diags, server->host, sizeof server->host);
    if (err || !str_starts_with(str_from_c(server->host), STR("{data}/")))
        return err;
    err = hub_department_path(department, str_from_c(server->host), path);
    /* The data folder may be given from where the program was started: a host that is a path begins with a slash. */
    bool is_relative = !err && path[0] != '/';
    if (is_relative && !getcwd(here, sizeof here))
        err = err_from_errno(errno);
    int n = err ? 0 : snprintf(server->host, sizeof server->host, "%s%s%s", is_relative ? here : "", is_relative ? "/" : "", path);
    err = err ? err : n < 0 || n >= (int)sizeof server->host ? ERR_TOO_LARGE : ERR_OK;
    return err ? yaml_error(yaml_get(connection, "host"), diags, err, "host: the path of the socket is too long") : ERR_OK;
}

/* A socket's folder and this machine are reached without TLS; anything else has to be sure of whom it speaks to. */
static bool is_here(const char *host)
{
    return host[0] == '/' || strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

static enum err read_tls(
    const struct hub_department *department, struct hub_server *server, struct yaml_node connection, struct diag_list *diags)
{
    static const char *const modes[] = {"disable", "require", "verify-ca", "verify-full", NULL};
    size_t mode = is_here(server->host) ? HUB_TLS_DISABLE : HUB_TLS_VERIFY_FULL;
    enum err err = yaml_get_choice(connection, "tls", false, diags, modes, &mode);
    if (!err || err == ERR_NOT_FOUND)
        err = hub_department_get_path(department, connection, "tls_ca", diags, server->tls_ca);
    server->tls = (enum hub_tls)mode;
    if (!err && server->tls >= HUB_TLS_VERIFY_CA && !server->tls_ca[0])
        return yaml_error(connection, diags, ERR_NOT_FOUND,
            "tls: %s needs the authority that signed the server's certificate; add tls_ca: \"{data}/secrets/…\", or write tls: require "
            "(encrypted, but to whomever answers)",
            modes[mode]);
    return err;
}

static enum err read_zone(struct hub_server *server, struct yaml_node connection, struct diag_list *diags)
{
    struct str name;
    enum err err = yaml_get_str(connection, "zone", false, diags, &name);
    if (err)
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    if (time_zone_parse(name, &server->zone))
        return yaml_error(yaml_get(connection, "zone"), diags, ERR_RANGE, "zone: takes Asia/Shanghai, UTC or an offset as +08:00");
    return ERR_OK;
}

static enum err check_keys(struct yaml_node connection, const struct hub_server_form *form, struct diag_list *diags)
{
    static const char *const common[] = {"host", "port", "user", "password_file", "tls", "tls_ca", "zone"};
    static const char *const of_databases[] = {"database", "timeout", "connections"};
    const char *keys[KEYS_MAX + 1];
    size_t n = 0;
    for (size_t i = 0; i < sizeof common / sizeof *common; i++)
        keys[n++] = common[i];
    for (size_t i = 0; form->is_database && i < sizeof of_databases / sizeof *of_databases; i++)
        keys[n++] = of_databases[i];
    for (const char *const *key = form->more_keys; key && *key; key++) {
        assert(n < KEYS_MAX);
        keys[n++] = *key;
    }
    keys[n] = NULL;
    return yaml_check_keys(connection, keys, diags);
}

static enum err read_database(struct yaml_node connection, struct diag_list *diags, struct hub_server *server)
{
    int64_t connections = CONNECTIONS;
    enum err err = get_text(connection, "database", true, diags, server->database, sizeof server->database);
    if (err)
        return err;
    err = yaml_get_i64(connection, "connections", false, diags, 1, HUB_SERVER_CONNECTIONS_MAX, &connections);
    server->timeout_ms = TIMEOUT_MS;
    if (!err || err == ERR_NOT_FOUND)
        err = yaml_get_duration_ms(connection, "timeout", false, diags, &server->timeout_ms);
    if (err && err != ERR_NOT_FOUND)
        return err;
    if (server->timeout_ms < 1 || server->timeout_ms > 60000)
        return yaml_error(yaml_get(connection, "timeout"), diags, ERR_RANGE, "the time for a statement lies between 1ms and 60s");
    server->n_connections = (size_t)connections;
    return ERR_OK;
}

enum err hub_department_read_server(const struct hub_department *department, struct yaml_node connection,
    const struct hub_server_form *form, struct diag_list *diags, struct hub_server *server)
{
    int64_t port = form->port;
    enum err err = check_keys(connection, form, diags);
    if (!err)
        err = read_host(department, connection, diags, server);
    if (!err)
        err = get_text(connection, "user", form->is_database, diags, server->user, sizeof server->user);
    if (!err)
        err = hub_department_get_path(department, connection, "password_file", diags, server->password_file);
    if (!err && form->is_database)
        err = read_database(connection, diags, server);
    if (err)
        return err;
    err = yaml_get_i64(connection, "port", false, diags, 1, 65535, &port);
    if (err && err != ERR_NOT_FOUND)
        return err;
    server->port = (int)port;
    err = read_tls(department, server, connection, diags);
    return err ? err : read_zone(server, connection, diags);
}
