/*
 * What a department's file says about its PostgreSQL, read and held against the database; a department that is down is no error of its
 * file.
 */
#include "system/postgres/inside.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TIMEOUT_MS 2000 /* of a statement, unless the file says otherwise */
#define CONNECTIONS 4

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

/* A socket's folder and this machine are reached without TLS; anything else has to be sure of whom it speaks to. */
static bool is_here(const char *host)
{
    return host[0] == '/' || strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0;
}

static enum err read_tls(struct postgres_system *system, struct yaml_node connection, struct diag_list *diags)
{
    static const char *const modes[] = {"disable", "require", "verify-ca", "verify-full", NULL};
    size_t mode = is_here(system->host) ? POSTGRES_TLS_DISABLE : POSTGRES_TLS_VERIFY_FULL;
    enum err err = yaml_get_choice(connection, "tls", false, diags, modes, &mode);
    if (!err || err == ERR_NOT_FOUND)
        err = hub_department_get_path(&system->department, connection, "tls_ca", diags, system->tls_ca);
    system->tls = (enum postgres_tls)mode;
    if (!err && system->tls >= POSTGRES_TLS_VERIFY_CA && !system->tls_ca[0])
        return yaml_error(connection, diags, ERR_NOT_FOUND,
            "tls: %s needs the authority that signed the server's certificate; add tls_ca: \"{data}/secrets/…\", or write tls: require "
            "(encrypted, but to whomever answers)",
            modes[mode]);
    return err;
}

static enum err read_zone(struct postgres_system *system, struct yaml_node connection, struct diag_list *diags)
{
    struct str name;
    enum err err = yaml_get_str(connection, "zone", false, diags, &name);
    if (err && err != ERR_NOT_FOUND)
        return err;
    if (!err && time_zone_parse(name, &system->civil_zone))
        return yaml_error(yaml_get(connection, "zone"), diags, ERR_RANGE, "zone: takes Asia/Shanghai, UTC or an offset as +08:00");
    int32_t offset = system->civil_zone.offset_s, size = abs(offset) / 60;
    char sign = offset < 0 ? '-' : '+', against = offset < 0 ? '+' : '-'; /* POSIX counts westward */
    snprintf(system->zone, sizeof system->zone, "<%c%02d%02d>%c%02d:%02d", sign, size / 60, size % 60, against, size / 60, size % 60);
    return ERR_OK;
}

enum err postgres_read_connection(struct postgres_system *system, struct yaml_node connection, struct diag_list *diags)
{
    static const char *const keys[] = {
        "host", "port", "database", "user", "password_file", "tls", "tls_ca", "timeout", "connections", "zone", NULL};
    int64_t port = 5432, connections = CONNECTIONS;
    enum err err = yaml_check_keys(connection, keys, diags);
    if (!err)
        err = get_text(connection, "host", true, diags, system->host, sizeof system->host);
    if (!err)
        err = get_text(connection, "database", true, diags, system->database, sizeof system->database);
    if (!err)
        err = get_text(connection, "user", true, diags, system->user, sizeof system->user);
    if (!err)
        err = hub_department_get_path(&system->department, connection, "password_file", diags, system->password_file);
    if (!err)
        err = yaml_get_i64(connection, "port", false, diags, 1, 65535, &port);
    if (!err || err == ERR_NOT_FOUND)
        err = yaml_get_i64(connection, "connections", false, diags, 1, POSTGRES_CONNECTIONS_MAX, &connections);
    system->timeout_ms = TIMEOUT_MS;
    if (!err || err == ERR_NOT_FOUND)
        err = yaml_get_duration_ms(connection, "timeout", false, diags, &system->timeout_ms);
    if (err && err != ERR_NOT_FOUND)
        return err;
    if (system->timeout_ms < 1 || system->timeout_ms > 60000)
        return yaml_error(yaml_get(connection, "timeout"), diags, ERR_RANGE, "the time for a statement lies between 1ms and 60s");
    snprintf(system->port, sizeof system->port, "%d", (int)port);
    system->n_connections_max = (size_t)connections;
    err = read_tls(system, connection, diags);
    return err ? err : read_zone(system, connection, diags);
}

/* ---- bind: ---- */

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
    return system->probe;
}

static void forget_probe(struct postgres_system *system)
{
    PQfinish(system->probe);
    system->probe = NULL;
}

enum err postgres_bind(void *context, const struct hub_resource *resource, struct yaml_node binding, struct diag_list *diags)
{
    struct postgres_system *system = context;
    struct postgres_seen seen;
    struct arena arena;
    if (resource->kind != HUB_TABLE)
        return yaml_error(hub_department_field_node(&system->department, resource, STR_NONE), diags, ERR_UNSUPPORTED,
            "connector postgres offers tables only; write kind: table");
    struct postgres_table *table = arena_alloc_zero(&system->department.arena, 1, sizeof *table);
    if (!table)
        return ERR_NO_MEMORY;
    table->resource = resource;
    enum err err = hub_department_binding(&system->department, resource, binding, diags, &table->kind, &table->text);
    if (err)
        return err;
    table->at = system->n_tables++;
    table->next = system->tables;
    system->tables = table;
    PGconn *pg = probe(system, diags, &err);
    if (!pg)
        return err;
    struct mono_time deadline = {clock_mono(system->department.clock).ns + POSTGRES_CONNECT_MS * INT64_C(1000000)};
    arena_init(&arena, 1u << 20);
    err = postgres_schema_look(system, pg, table, &arena, NULL, deadline, diags, &seen);
    arena_finish(&arena);
    if (err == ERR_UNAVAILABLE || err == ERR_TIMEOUT) { /* down meanwhile: looked at again when it is back */
        forget_probe(system);
        err = ERR_OK;
    }
    return err;
}

/* ---- contracts ---- */

enum err postgres_compile(void *context, const struct hub_grant *grant, struct diag_list *diags, void **ret_plan)
{
    struct postgres_system *system = context;
    const struct postgres_table *table = system->tables;
    while (table && table->resource != grant->resource)
        table = table->next;
    if (!table)
        return ERR_OK; /* its binding was refused, and told */
    struct postgres_plan *plan = mem_alloc_zero(1, sizeof *plan);
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
