/*
 * The connector "district": resources that are at home at another hub, declared here with the fields that are used. It reads nothing by
 * itself; a plan is the contract's name, and a fetch, an act, an object's opening and each piece of it, and what is new in a stream, one
 * question over the federation.
 *
 *     party: hangzhou.xihu/parking
 *     connector: district
 *     resources: […]
 */
#include "base/mem.h"
#include "district/parts.h"

struct remote {
    struct district *district;
    int hub;
    struct district_plan *plans;
};

static enum err open_remote(const struct hub_system_env *env, struct yaml_node system, struct diag_list *diags, void **ret_system)
{
    static const char *const keys[] = {"party", "connector", "resources", NULL};
    enum err err = yaml_check_keys(system, keys, diags);
    struct remote *remote = mem_alloc_zero(1, sizeof *remote);
    if (!remote)
        return ERR_NO_MEMORY;
    remote->district = env->district;
    remote->hub = -1;
    if (!env->district && !env->check_only)
        err = yaml_error(yaml_get(system, "connector"), diags, ERR_NOT_FOUND,
            "connector: district is for a hub that is joined to others; add district: to city.yaml");
    if (!err && env->district) {
        const struct federation *federation = district_federation(env->district);
        remote->hub = district_home(federation->nodes, federation->n_hubs, env->party);
        if (remote->hub < 0 || remote->hub == district_self(env->district))
            err = yaml_error(yaml_get(system, "party"), diags, ERR_RANGE,
                "party \"" STR_FORMAT "\" is at home at %s; declare its resources with the connector of its own system",
                STR_ARG(env->party), remote->hub < 0 ? "no hub of the federation" : "this hub");
        else if (!federation_between(federation, remote->hub, district_self(env->district)))
            err = yaml_error(yaml_get(system, "party"), diags, ERR_NOT_FOUND,
                "there is no agreement with the hub \"" STR_FORMAT "\"; make one in federation.yaml",
                STR_ARG(federation->hubs[remote->hub].area));
    }
    if (err) {
        mem_free(remote);
        return err;
    }
    *ret_system = remote;
    return ERR_OK;
}

static enum err bind_remote(void *system, const struct hub_resource *resource, struct yaml_node binding, struct diag_list *diags)
{
    if (!yaml_is_none(binding))
        return yaml_error(binding, diags, ERR_UNSUPPORTED, "the resource is bound at its own hub; leave out bind:");
    return ERR_OK;
}

static enum err compile_remote(void *system, const struct hub_grant *grant, struct diag_list *diags, void **ret_plan)
{
    struct remote *remote = system;
    struct district_plan *plan = mem_alloc_zero(1, sizeof *plan);
    if (!plan)
        return ERR_NO_MEMORY;
    *plan = (struct district_plan){
        .district = remote->district, .resource = grant->resource, .contract = grant->contract, .hub = remote->hub, .next = remote->plans};
    remote->plans = plan;
    *ret_plan = plan;
    return ERR_OK;
}

static void fetch_remote(void *plan, struct hub_fetch *fetch)
{
    district_ask(plan, fetch);
}

static void on_act(struct loop_task *task)
{
    struct hub_ask *act = container_of(task, struct hub_ask, task);
    const struct remote *remote = act->system_state;
    district_use_act(remote->district, remote->hub, act);
}

static void refused(struct loop_task *task)
{
    struct hub_ask *act = container_of(task, struct hub_ask, task);
    act->done(act);
}

static void act_remote(void *system, struct hub_ask *act)
{
    struct remote *remote = system;
    act->system_state = remote;
    act->twin[0] = '\0';
    act->task.fn = on_act;
    if (!remote->district || !district_post(remote->district, &act->task)) {
        act->err = ERR_UNAVAILABLE;
        act->task.fn = refused;
        loop_post(act->loop, &act->task);
    }
}

/* ---- objects ---- */

static void object_refused(struct loop_task *task)
{
    struct hub_object_ask *ask = container_of(task, struct hub_object_ask, task);
    ask->done(ask);
}

static void post_object(struct district *district, struct hub_object_ask *ask, void (*fn)(struct loop_task *task))
{
    ask->task.fn = fn;
    if (!district || !district_post(district, &ask->task)) {
        ask->err = ERR_UNAVAILABLE;
        ask->task.fn = object_refused;
        loop_post(ask->loop, &ask->task);
    }
}

static void on_open(struct loop_task *task)
{
    struct hub_object_ask *ask = container_of(task, struct hub_object_ask, task);
    const struct remote *remote = ask->system_state;
    district_object_open(remote->district, remote->hub, ask);
}

static void open_object(void *system, struct hub_object_ask *ask)
{
    struct remote *remote = system;
    ask->system_state = remote;
    ask->object = NULL;
    ask->twin[0] = '\0';
    post_object(remote->district, ask, on_open);
}

static void on_read(struct loop_task *task)
{
    struct hub_object_ask *ask = container_of(task, struct hub_object_ask, task);
    district_object_read(ask->system_state, ask);
}

static void read_object(void *context, struct hub_object_ask *ask)
{
    struct district_long *object = context;
    ask->system_state = object;
    post_object(object->district, ask, on_read);
}

static void close_long(void *object)
{
    district_long_close(object);
}

/* ---- streams ---- */

static void take_refused(struct loop_task *task)
{
    struct hub_take *take = container_of(task, struct hub_take, task);
    take->done(take);
}

static void on_take(struct loop_task *task)
{
    struct hub_take *take = container_of(task, struct hub_take, task);
    const struct remote *remote = take->system_state;
    district_stream_take(remote->district, remote->hub, take);
}

static void take_remote(void *system, struct hub_take *take)
{
    struct remote *remote = system;
    take->system_state = remote;
    take->task.fn = on_take;
    if (!remote->district || !district_post(remote->district, &take->task)) {
        take->err = ERR_UNAVAILABLE;
        take->task.fn = take_refused;
        loop_post(take->loop, &take->task);
    }
}

static bool may_take_remote(void *system)
{
    const struct remote *remote = system;
    int peer = remote->district && remote->hub >= 0 ? remote->district->peer_of[remote->hub] : -1;
    return peer >= 0 && atomic_load_explicit(&remote->district->may_ask[peer], memory_order_relaxed);
}

/* ---- life ---- */

static void close_remote(void *system)
{
    struct remote *remote = system;
    for (struct district_plan *plan = remote->plans, *next; plan; plan = next) {
        next = plan->next;
        mem_free(plan);
    }
    mem_free(remote);
}

static const struct hub_system_objects objects = {.open = open_object, .read = read_object, .close = close_long, .needs_intent = true};
static const struct hub_system_streams streams = {.take = take_remote, .may_take = may_take_remote, .close = close_long};
static const struct hub_system_tables tables = {.compile = compile_remote, .fetch = fetch_remote, .is_remote = true};

const struct hub_system_ops district_system_ops = {.connector = "district",
    .open = open_remote,
    .bind = bind_remote,
    .tables = &tables,
    .act = act_remote,
    .objects = &objects,
    .streams = &streams,
    .close = close_remote};
