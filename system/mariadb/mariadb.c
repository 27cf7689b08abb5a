/*
 * The connector: its sessions for the pool (hub/department_pool.h), and its slots.
 */
#include "system/mariadb/inside.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

/* ---- a session on a thread of the pool's ---- */

static void *session_make(void *context)
{
    struct mariadb_session *session = mem_alloc_zero(1, sizeof *session);
    mysql_thread_init();
    if (session)
        mariadb_session_init(session, context);
    return session;
}

static void session_destroy(void *context)
{
    struct mariadb_session *session = context;
    mariadb_session_finish(session);
    mem_free(session);
    mysql_thread_end();
}

static enum err session_open(void *session, char detail[HUB_DEPARTMENT_DETAIL_MAX])
{
    return mariadb_session_open(session, detail);
}

static enum err session_look(
    void *context, const struct hub_table *table, struct arena *arena, struct diag_list *diags, struct hub_seen *ret_seen)
{
    struct mariadb_session *session = context;
    mariadb_give(session, MARIADB_CONNECT_MS);
    return mariadb_look(session, table, arena, diags, ret_seen);
}

static bool session_is_open(const void *context)
{
    return ((const struct mariadb_session *)context)->mysql != NULL;
}

static void session_close(void *context)
{
    mariadb_session_close(context);
}

static enum err session_ping(void *context, const struct hub_seen *seen)
{
    struct mariadb_session *session = context;
    mariadb_give(session, session->system->server.timeout_ms + HUB_POOL_GRACE_MS);
    return mariadb_ping(session, seen) ? ERR_UNAVAILABLE : ERR_OK;
}

static enum err session_run(
    void *context, const struct hub_seen *seen, struct hub_pool_run *run, char detail[HUB_DEPARTMENT_DETAIL_MAX], bool *ret_is_changed)
{
    struct mariadb_session *session = context;
    session->fetch = run->fetch;
    session->is_ended = false;
    enum err err = mariadb_run(session, seen, run, detail, ret_is_changed);
    session->fetch = NULL;
    return err;
}

static const struct hub_pool_ops pool_ops = {
    .name = "mariadb",
    .make = session_make,
    .destroy = session_destroy,
    .open = session_open,
    .look = session_look,
    .is_open = session_is_open,
    .close = session_close,
    .ping = session_ping,
    .run = session_run,
};

/* ---- the slots ---- */

static void mariadb_fetch(void *context, struct hub_fetch *fetch)
{
    struct hub_plan *plan = context;
    struct mariadb_system *system = plan->system;
    hub_pool_fetch(&system->pool, plan, fetch);
}

static enum err mariadb_compile(void *context, const struct hub_grant *grant, struct diag_list *diags, void **ret_plan)
{
    struct mariadb_system *system = context;
    return hub_tables_compile(&system->pool.tables, system, grant, ret_plan);
}

static enum err mariadb_bind(void *context, const struct hub_resource *resource, struct yaml_node binding, struct diag_list *diags)
{
    struct mariadb_system *system = context;
    if (resource->kind == HUB_COMMAND)
        return hub_commands_bind(&system->commands, resource, binding, diags);
    return hub_pool_bind(&system->pool, resource, binding, diags);
}

static void mariadb_act(void *context, struct hub_ask *ask)
{
    struct mariadb_system *system = context;
    hub_commands_act(&system->commands, ask);
}

static void start(struct loop_timer *timer)
{
    struct mariadb_system *system = container_of(timer, struct mariadb_system, start);
    hub_pool_start(&system->pool, system->server.n_connections, system->server.timeout_ms);
}

static void destroy(struct mariadb_system *system)
{
    hub_commands_finish(&system->commands);
    hub_pool_finish(&system->pool);
    hub_audit_close(system->audit);
    hub_department_finish(&system->department);
    mem_free(system);
}

static void mariadb_close(void *context)
{
    struct mariadb_system *system = context;
    if (!system)
        return;
    loop_timer_stop(&system->start);
    (void)!hub_commands_stop(&system->commands, -1);
    (void)!hub_pool_stop(&system->pool, -1); /* everything here has a deadline, and sees that it is over */
    destroy(system);
}

static enum err mariadb_open(const struct hub_system_env *env, struct yaml_node root, struct diag_list *diags, void **ret_system)
{
    struct mariadb_system *system = mem_alloc_zero(1, sizeof *system);
    struct yaml_node connection;
    if (!system)
        return ERR_NO_MEMORY;
    hub_pool_init(&system->pool, &system->department, &pool_ops, system);
    hub_commands_init(&system->commands, &system->department, &mariadb_command_ops, system, env->check_only);
    system->start.fn = start;
    system->server.zone = env->zone;
    enum err err = hub_department_init(&system->department, env, "mariadb", root, diags, &connection);
    if (!err && mysql_library_init(0, NULL, NULL) != 0)
        err = ERR_NO_MEMORY;
    if (!err)
        err = mariadb_read_connection(system, connection, diags);
    if (!err)
        err = hub_audit_open(&system->department, env, HUB_AUDIT_SERVER_AUDIT, system->server.database, diags, &system->audit);
    if (!err && !env->check_only)
        err = loop_timer_start(env->loop, &system->start, 0);
    if (err) {
        destroy(system);
        return err;
    }
    *ret_system = system;
    return ERR_OK;
}

static void mariadb_measure(void *context, struct metric_page *page, struct str name)
{
    struct mariadb_system *system = context;
    hub_pool_measure(&system->pool, page, name);
    hub_audit_measure(system->audit, page, name);
    hub_commands_measure(&system->commands, page, name);
}

static const struct hub_system_door figures = {.measure = mariadb_measure};
static const struct hub_system_tables tables = {.compile = mariadb_compile, .fetch = mariadb_fetch};

const struct hub_system_ops system_mariadb_ops = {
    .connector = "mariadb",
    .open = mariadb_open,
    .bind = mariadb_bind,
    .tables = &tables,
    .act = mariadb_act,
    .door = &figures,
    .close = mariadb_close,
};
