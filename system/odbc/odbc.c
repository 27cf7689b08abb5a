/*
 * The connector: its sessions for the pool (hub/department_pool.h), and its slots. ODBC blocks, so nothing here trusts a driver to come
 * back: a thread of its own looks for what is late and has it cancelled (SQLCancel), each by a thread that may hang, and what does not heed
 * that is answered without it and left to itself.
 */
#include "system/odbc/inside.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define LOOK_MS 50

/* ---- a session on a thread of the pool's ---- */

static void *session_make(void *context)
{
    struct odbc_session *session = mem_alloc_zero(1, sizeof *session);
    if (session)
        odbc_session_init(session, context);
    return session;
}

static void session_destroy(void *context)
{
    odbc_session_finish(context);
    mem_free(context);
}

static enum err session_open(void *session, char detail[HUB_DEPARTMENT_DETAIL_MAX])
{
    return odbc_session_open(session, detail);
}

static enum err session_look(
    void *session, const struct hub_table *table, struct arena *arena, struct diag_list *diags, struct hub_seen *ret_seen)
{
    return odbc_look(session, table, arena, diags, ret_seen);
}

static bool session_is_open(const void *context)
{
    return ((const struct odbc_session *)context)->dbc != SQL_NULL_HDBC;
}

static void session_close(void *context)
{
    odbc_session_close(context);
}

static enum err session_ping(void *session, const struct hub_seen *seen)
{
    (void)seen;
    return odbc_session_ping(session);
}

static enum err session_run(
    void *session, const struct hub_seen *seen, struct hub_pool_run *run, char detail[HUB_DEPARTMENT_DETAIL_MAX], bool *ret_is_changed)
{
    return odbc_run(session, seen, run, detail, ret_is_changed);
}

/* Its time is over: the canceller sees to it. */
static void session_cancel(void *context)
{
    struct odbc_session *session = context;
    pthread_mutex_lock(&session->lock);
    session->deadline.ns = 0;
    pthread_mutex_unlock(&session->lock);
}

static const struct hub_pool_ops pool_ops = {
    .name = "odbc",
    .make = session_make,
    .destroy = session_destroy,
    .open = session_open,
    .look = session_look,
    .is_open = session_is_open,
    .close = session_close,
    .ping = session_ping,
    .run = session_run,
    .cancel = session_cancel,
};

/* ---- the slots ---- */

/* On the hub's loop: never waits. */
static void on_look(struct loop_timer *timer)
{
    struct odbc_system *system = container_of(timer, struct odbc_system, look);
    hub_pool_expire(&system->pool);
    hub_pool_give_up(&system->pool, system->timeout_ms + 2 * HUB_POOL_GRACE_MS);
    hub_commands_give_up(&system->commands, 1000 * ODBC_CONNECT_S + 2 * system->timeout_ms + 2 * HUB_POOL_GRACE_MS);
    (void)!loop_timer_start(system->loop, timer, LOOK_MS);
}

static void start(struct loop_timer *timer)
{
    struct odbc_system *system = container_of(timer, struct odbc_system, start);
    system->has_canceller = pthread_create(&system->canceller, NULL, odbc_cancel, system) == 0;
    if (!system->has_canceller)
        hub_department_report(&system->department, HUB_DOWN, HUB_DETAIL(no_thread));
    hub_pool_start(&system->pool, system->has_canceller ? (size_t)system->n_connections : 0, system->timeout_ms);
    on_look(&system->look);
}

static void odbc_fetch(void *context, struct hub_fetch *fetch)
{
    struct hub_plan *plan = context;
    struct odbc_system *system = plan->system;
    hub_pool_fetch(&system->pool, plan, fetch);
}

static enum err odbc_compile(void *context, const struct hub_grant *grant, struct diag_list *diags, void **ret_plan)
{
    struct odbc_system *system = context;
    return hub_tables_compile(&system->pool.tables, system, grant, ret_plan);
}

static enum err odbc_bind(void *context, const struct hub_resource *resource, struct yaml_node binding, struct diag_list *diags)
{
    struct odbc_system *system = context;
    if (resource->kind == HUB_COMMAND && system->dialect != SQL_SQLITE && yaml_is_none(yaml_get(binding, "user")))
        return yaml_error(
            binding, diags, ERR_NOT_FOUND, "user: is missing; it names who may write into the department's inbox, and nowhere else");
    if (resource->kind == HUB_COMMAND)
        return hub_commands_bind(&system->commands, resource, binding, diags);
    return hub_pool_bind(&system->pool, resource, binding, diags);
}

static void odbc_act(void *context, struct hub_ask *ask)
{
    struct odbc_system *system = context;
    hub_commands_act(&system->commands, ask);
}

static void destroy(struct odbc_system *system)
{
    hub_commands_finish(&system->commands);
    hub_pool_finish(&system->pool);
    odbc_gate_leave(system->gate);
    pthread_mutex_destroy(&system->lock);
    hub_department_finish(&system->department);
    mem_free(system);
}

static void odbc_close(void *context)
{
    struct odbc_system *system = context;
    if (!system)
        return;
    loop_timer_stop(&system->start);
    loop_timer_stop(&system->look);
    bool all = hub_commands_stop(&system->commands, ODBC_STOP_MS);
    all = hub_pool_stop(&system->pool, ODBC_STOP_MS) && all;
    atomic_store(&system->is_over, true);
    if (!all)
        return; /* a driver is still in there, with our memory */
    if (system->has_canceller)
        pthread_join(system->canceller, NULL);
    destroy(system);
}

static enum err odbc_open(const struct hub_system_env *env, struct yaml_node root, struct diag_list *diags, void **ret_system)
{
    struct odbc_system *system = mem_alloc_zero(1, sizeof *system);
    struct yaml_node connection;
    if (!system)
        return ERR_NO_MEMORY;
    hub_commands_init(&system->commands, &system->department, &odbc_command_ops, system, env->check_only);
    system->start.fn = start;
    system->look.fn = on_look;
    system->loop = env->loop;
    system->zone = env->zone;
    pthread_mutex_init(&system->lock, NULL);
    hub_pool_init(&system->pool, &system->department, &pool_ops, system);
    enum err err = hub_department_init(&system->department, env, "odbc", root, diags, &connection);
    if (!err)
        err = odbc_read_connection(system, connection, diags);
    if (!err)
        err = odbc_gate_create(&system->gate);
    if (!err && system->dialect == SQL_MARIADB)
        odbc_gate_narrow(system->gate);
    if (!err && !env->check_only)
        err = loop_timer_start(env->loop, &system->start, 0);
    if (err) {
        destroy(system);
        return err;
    }
    *ret_system = system;
    return ERR_OK;
}

static void odbc_measure(void *context, struct metric_page *page, struct str name)
{
    struct odbc_system *system = context;
    hub_pool_measure(&system->pool, page, name);
    hub_commands_measure(&system->commands, page, name);
}

static const struct hub_system_door figures = {.measure = odbc_measure};
static const struct hub_system_tables tables = {.compile = odbc_compile, .fetch = odbc_fetch};

const struct hub_system_ops system_odbc_ops = {
    .connector = "odbc",
    .open = odbc_open,
    .bind = odbc_bind,
    .tables = &tables,
    .act = odbc_act,
    .door = &figures,
    .close = odbc_close,
};
