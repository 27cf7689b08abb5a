/* Another department's system, in a department's own process: its files are read, since contracts name its resources, and nothing more. */
#include "system/bus/absent.h"

static enum err absent_open(const struct hub_system_env *env, struct yaml_node system, struct diag_list *diags, void **ret_system)
{
    static const char nothing;
    *ret_system = (void *)(uintptr_t)&nothing;
    return ERR_OK;
}

static enum err absent_bind(void *system, const struct hub_resource *resource, struct yaml_node binding, struct diag_list *diags)
{
    return ERR_OK;
}

static enum err absent_compile(void *system, const struct hub_grant *grant, struct diag_list *diags, void **ret_plan)
{
    *ret_plan = NULL; /* hub_provide_fetch(): ERR_UNAVAILABLE */
    return ERR_OK;
}

static void no_fetch(struct loop_task *task)
{
    struct hub_fetch *fetch = container_of(task, struct hub_fetch, task);
    fetch->done(fetch);
}

static void absent_fetch(void *plan, struct hub_fetch *fetch)
{
    fetch->err = ERR_UNAVAILABLE;
    fetch->task.fn = no_fetch;
    loop_post(fetch->loop, &fetch->task);
}

static void no_act(struct loop_task *task)
{
    struct hub_ask *ask = container_of(task, struct hub_ask, task);
    ask->done(ask);
}

static void absent_act(void *system, struct hub_ask *ask)
{
    ask->err = ERR_UNAVAILABLE;
    ask->task.fn = no_act;
    loop_post(ask->loop, &ask->task);
}

static void no_object(struct loop_task *task)
{
    struct hub_object_ask *ask = container_of(task, struct hub_object_ask, task);
    ask->done(ask);
}

static void absent_object(void *system, struct hub_object_ask *ask)
{
    ask->err = ERR_UNAVAILABLE;
    ask->task.fn = no_object;
    loop_post(ask->loop, &ask->task);
}

static void absent_close_object(void *object) {}
static void absent_close(void *system) {}

static const struct hub_system_tables tables = {.compile = absent_compile, .fetch = absent_fetch};
static const struct hub_system_objects objects = {.open = absent_object, .read = absent_object, .close = absent_close_object};
static const struct hub_system_ops absent = {.connector = "absent",
    .open = absent_open,
    .bind = absent_bind,
    .tables = &tables,
    .act = absent_act,
    .objects = &objects,
    .close = absent_close};

const struct hub_system_ops *system_absent_ops(void *context, struct str party, const struct hub_system_ops *declared)
{
    return str_equal_c(party, context) && !hub_system_has_door(declared) ? NULL : &absent; /* doors stay with the brain */
}
