/*
 * The hub's side: a system whose askings become messages to the department's own process. Nothing is connected to here; how the system is
 * doing is asked each second, and a process that does not answer makes it down.
 */
#include "base/log.h"
#include "base/mem.h"
#include "hub/detail.h"
#include "hub/provide.h"
#include "hub/registry.h"
#include "system/bus/codec.h"
#include "system/bus/system_bus.h"

#include <stdatomic.h>
#include <string.h>

#define LOOK_MS 1000
#define LOOK_TIMEOUT_MS 3000
#define TIMEOUT_MS 5000 /* of a statement, where the file says nothing: the connectors' own */
#define ON_TOP_MS 2000  /* the way there and back, and a session */

struct remote {
    const struct system_bus_reach *reach;
    struct hub *hub;
    struct clock *clock;
    struct loop *loop;
    struct arena arena;
    struct str party, name, area, source;
    int64_t timeout_ms;
    struct remote_plan *plans;
    struct loop_timer look;
    struct bus_ask health;
    bool is_looking, is_closed;
    int64_t last_heard_ms;
    atomic_size_t n_holders; /* the system, and each asking under way */
};

struct remote_plan {
    struct remote_plan *next;
    struct remote *remote;
    const struct hub_resource *resource;
    struct str contract;
};

static void release(struct remote *remote)
{
    if (atomic_fetch_sub(&remote->n_holders, 1) != 1)
        return;
    arena_finish(&remote->arena);
    mem_free(remote);
}

/* ---- tables ---- */

struct remote_fetch {
    struct bus_ask ask;
    struct remote *remote;
    struct hub_fetch *fetch;
    struct rows *rows;
    enum err err; /* of reading an answer, or told in it */
    bool is_told, is_truncated;
    size_t n_types;
    enum value_type types[];
};

static void on_part(struct bus_ask *ask, struct str bytes)
{
    struct remote_fetch *one = container_of(ask, struct remote_fetch, ask);
    enum err told = ERR_OK;
    if (one->err)
        return;
    enum err err = system_bus_rows_read(bytes, one->types, one->n_types, one->rows, &one->is_truncated, &told);
    if (!err && rows_n(one->rows) > one->fetch->n_rows_max)
        err = ERR_SYNTAX; /* more than was asked for */
    one->is_told = !err && told;
    one->err = err ? err : told;
}

/* What an asker may be told of an error between here and the department. */
static enum err fetch_err(const struct remote_fetch *one, enum err asked)
{
    enum err err = asked ? asked : one->err;
    switch (err) {
    case ERR_OK:
    case ERR_TIMEOUT:
    case ERR_TOO_LARGE:
    case ERR_FULL:
    case ERR_NO_MEMORY:
        return err;
    case ERR_RANGE:
        return one->is_told ? ERR_RANGE : ERR_UNAVAILABLE;
    default:
        return ERR_UNAVAILABLE;
    }
}

static void on_fetched(struct bus_ask *ask)
{
    struct remote_fetch *one = container_of(ask, struct remote_fetch, ask);
    struct hub_fetch *fetch = one->fetch;
    if (one->err && !one->is_told)
        log_write(LOG_WARNING, "bus", "a department's process answers with what is no answer", LOG_STR("party", ask->party), LOG_END);
    else if (one->err == ERR_DENIED || one->err == ERR_NOT_FOUND || one->err == ERR_STATE)
        log_write(LOG_WARNING, "bus", "a department's process does not grant what the hub's files grant; are its files the same?",
            LOG_STR("party", ask->party), LOG_ERR(one->err), LOG_END);
    fetch->err = fetch_err(one, ask->err);
    fetch->is_truncated = one->is_truncated;
    fetch->rows = fetch->err ? NULL : one->rows;
    if (fetch->err)
        rows_release(one->rows);
    release(one->remote);
    mem_free(one);
    fetch->done(fetch);
}

static void fetch_failed(struct loop_task *task)
{
    struct hub_fetch *fetch = container_of(task, struct hub_fetch, task);
    fetch->done(fetch);
}

static enum err write_question(const struct remote_plan *plan, const struct hub_fetch *fetch, struct buf *out)
{
    struct hub *hub = plan->remote->hub;
    struct hub_contract_info info;
    char receipt[HUB_RECEIPT_MAX] = "";
    if (!hub_contract_find(hub, plan->contract, &info))
        return ERR_UNAVAILABLE;
    if (fetch->has_intent)
        hub_receipt_name(hub, fetch->intent, receipt);
    const struct system_bus_fetch head = {.contract = plan->contract, .hash = info.hash, .receipt = str_from_c(receipt)};
    system_bus_fetch_write(&head, plan->resource, fetch, out);
    return out->err;
}

static void remote_fetch(void *context, struct hub_fetch *fetch)
{
    const struct remote_plan *plan = context;
    const struct sql_select select = {.columns = plan->resource->columns};
    struct remote_fetch *one = mem_alloc_zero(1, sizeof *one + fetch->n_outputs * sizeof one->types[0]);
    struct buf question;
    enum err err = one ? rows_create(fetch->n_outputs, fetch->n_bytes_max, &one->rows) : ERR_NO_MEMORY;
    buf_init(&question, SYSTEM_BUS_MAX);
    if (!err && !plan->remote->reach->peer)
        err = ERR_UNAVAILABLE;
    if (!err)
        err = write_question(plan, fetch, &question);
    fetch->rows = NULL;
    if (!err) {
        one->fetch = fetch;
        one->remote = plan->remote;
        atomic_fetch_add(&one->remote->n_holders, 1);
        one->n_types = fetch->n_outputs;
        for (size_t i = 0; i < fetch->n_outputs; i++)
            one->types[i] = sql_output_type(&select, &fetch->outputs[i]);
        one->ask = (struct bus_ask){.party = plan->remote->party,
            .bytes = buf_str(&question),
            .timeout_ms = plan->remote->timeout_ms + ON_TOP_MS,
            .may_repeat = true,
            .loop = fetch->loop,
            .on_part = on_part,
            .done = on_fetched};
        bus_peer_ask(plan->remote->reach->peer, &one->ask);
    } else {
        if (one)
            rows_release(one->rows);
        mem_free(one);
        fetch->err = err == ERR_NO_MEMORY || err == ERR_TOO_LARGE ? err : ERR_UNAVAILABLE;
        fetch->task.fn = fetch_failed;
        loop_post(fetch->loop, &fetch->task);
    }
    buf_finish(&question);
}

static enum err remote_compile(void *system, const struct hub_grant *grant, struct diag_list *diags, void **ret_plan)
{
    struct remote *remote = system;
    struct remote_plan *plan = arena_alloc_zero(&remote->arena, 1, sizeof *plan);
    if (!plan)
        return ERR_NO_MEMORY;
    *plan = (struct remote_plan){.next = remote->plans, .remote = remote, .resource = grant->resource, .contract = grant->contract};
    remote->plans = plan;
    *ret_plan = plan;
    return ERR_OK;
}

/* ---- commands ---- */

struct remote_act {
    struct bus_ask ask;
    struct remote *remote;
    struct hub_ask *act;
};

/* What is known of a command after an error: ERR_UNAVAILABLE and ERR_FULL say that it was certainly not done. */
static enum err act_err(enum err asked, enum err told)
{
    if (asked)
        return asked == ERR_UNAVAILABLE || asked == ERR_FULL || asked == ERR_NOT_FOUND || asked == ERR_TOO_LARGE ? ERR_UNAVAILABLE
                                                                                                                 : ERR_TIMEOUT;
    return told == ERR_DENIED || told == ERR_NOT_FOUND || told == ERR_STATE ? ERR_UNAVAILABLE : told;
}

static void on_acted(struct bus_ask *ask)
{
    struct remote_act *one = container_of(ask, struct remote_act, ask);
    struct hub_ask *act = one->act;
    struct str answer = STR_NONE;
    enum err told = ERR_OK, err = ask->err;
    if (!err && system_bus_act_answer_read(ask->answer, &answer, &told))
        err = ERR_IO; /* it answered, we do not know what */
    act->err = act_err(err, told);
    buf_reset(act->answer);
    if (act->err == ERR_OK || act->err == ERR_RANGE)
        buf_append_str(act->answer, answer);
    release(one->remote);
    mem_free(one);
    act->done(act);
}

static void act_failed(struct loop_task *task)
{
    struct hub_ask *act = container_of(task, struct hub_ask, task);
    act->done(act);
}

static void remote_act(void *system, struct hub_ask *act)
{
    struct remote *remote = system;
    struct remote_act *one = mem_alloc_zero(1, sizeof *one);
    struct buf question;
    buf_init(&question, SYSTEM_BUS_MAX);
    system_bus_act_write(act, &question);
    if (one && !question.err && remote->reach->peer) {
        one->act = act;
        one->remote = remote;
        atomic_fetch_add(&remote->n_holders, 1);
        one->ask = (struct bus_ask){.party = remote->party,
            .bytes = buf_str(&question),
            .timeout_ms = remote->timeout_ms + ON_TOP_MS,
            .may_repeat = !act->resource->is_at_most_once, /* else the department keeps the key */
            .loop = act->loop,
            .done = on_acted};
        bus_peer_ask(remote->reach->peer, &one->ask);
    } else {
        mem_free(one);
        act->err = ERR_UNAVAILABLE;
        act->task.fn = act_failed;
        loop_post(act->loop, &act->task);
    }
    buf_finish(&question);
}

/* ---- health ---- */

static void report(struct remote *remote, enum hub_health health, struct str detail)
{
    const struct hub_party *party = hub_party_find(remote->hub, remote->party);
    const struct hub_source source = {.party = remote->party,
        .source = remote->source,
        .area = remote->area,
        .title_zh = party ? party->title_zh : STR_NONE,
        .title_en = party ? party->title_en : STR_NONE,
        .health = health,
        .last_heard = {remote->last_heard_ms},
        .detail = detail};
    hub_source_report(remote->hub, &source);
}

static void on_health(struct bus_ask *ask)
{
    struct remote *remote = container_of(ask, struct remote, health);
    struct system_bus_health health;
    remote->is_looking = false;
    if (!remote->is_closed) {
        if (!ask->err && !system_bus_health_answer_read(ask->answer, &health)) {
            if (health.last_heard_ms > remote->last_heard_ms)
                remote->last_heard_ms = health.last_heard_ms;
            report(remote, health.health, health.detail);
        } else
            report(remote, HUB_DOWN, str_from_c(HUB_DETAIL(process_down)));
    }
    release(remote);
}

static void on_look(struct loop_timer *timer)
{
    struct remote *remote = container_of(timer, struct remote, look);
    struct buf question;
    buf_init(&question, 4096);
    system_bus_health_write(remote->source, &question);
    if (!remote->is_looking && remote->reach->peer && !question.err) {
        remote->is_looking = true;
        atomic_fetch_add(&remote->n_holders, 1);
        remote->health = (struct bus_ask){.party = remote->party,
            .bytes = buf_str(&question),
            .timeout_ms = LOOK_TIMEOUT_MS,
            .may_repeat = true,
            .loop = remote->loop,
            .done = on_health};
        bus_peer_ask(remote->reach->peer, &remote->health);
    }
    buf_finish(&question);
    if (loop_timer_start(timer->loop, timer, LOOK_MS))
        log_write(LOG_ERROR, "bus", "no memory for a timer", LOG_END);
}

/* ---- the slots ---- */

static enum err read_file(struct remote *remote, const struct hub_system_env *env, struct yaml_node root, struct diag_list *diags)
{
    struct str connector, rest;
    enum err err = yaml_get_str(root, "connector", true, diags, &connector);
    if (!err)
        err = arena_copy_str(&remote->arena, env->party, &remote->party);
    if (!err)
        err = arena_copy_str(&remote->arena, env->name, &remote->name);
    if (!err)
        err = arena_printf(&remote->arena, &remote->source, STR_FORMAT "/" STR_FORMAT, STR_ARG(connector), STR_ARG(env->name));
    if (err)
        return err;
    if (!str_cut(remote->party, '/', &remote->area, &rest))
        remote->area = remote->party;
    struct yaml_node connection = yaml_get(root, "connection");
    if (!yaml_is_none(connection) && yaml_kind(connection) == YAML_MAP &&
        yaml_get_duration_ms(connection, "timeout", false, NULL, &remote->timeout_ms))
        remote->timeout_ms = TIMEOUT_MS; /* not there; what is wrong with it the department's process says */
    return ERR_OK;
}

static enum err remote_open(const struct hub_system_env *env, struct yaml_node root, struct diag_list *diags, void **ret_system)
{
    struct remote *remote = mem_alloc_zero(1, sizeof *remote);
    if (!remote)
        return ERR_NO_MEMORY;
    atomic_store(&remote->n_holders, 1);
    arena_init(&remote->arena, 1u << 20);
    remote->reach = env->reach;
    remote->hub = env->hub;
    remote->clock = env->clock;
    remote->loop = env->loop;
    remote->timeout_ms = TIMEOUT_MS;
    remote->look.fn = on_look;
    enum err err = read_file(remote, env, root, diags);
    if (!err)
        err = loop_timer_start(env->loop, &remote->look, 0);
    if (err) {
        release(remote);
        return err;
    }
    *ret_system = remote;
    return ERR_OK;
}

static enum err remote_bind(void *system, const struct hub_resource *resource, struct yaml_node binding, struct diag_list *diags)
{
    return ERR_OK; /* against the real table its own process looks */
}

static void remote_close(void *system)
{
    struct remote *remote = system;
    loop_timer_stop(&remote->look);
    remote->is_closed = true;
    release(remote);
}

static const struct hub_system_tables tables = {.compile = remote_compile, .fetch = remote_fetch, .needs_intent = true};

/* As much as the connector beside the database offers, of what goes over the bus. */
static const struct hub_system_ops both = {
    .connector = "bus", .open = remote_open, .bind = remote_bind, .tables = &tables, .act = remote_act, .close = remote_close};
static const struct hub_system_ops only_tables = {
    .connector = "bus", .open = remote_open, .bind = remote_bind, .tables = &tables, .close = remote_close};
static const struct hub_system_ops only_commands = {
    .connector = "bus", .open = remote_open, .bind = remote_bind, .act = remote_act, .close = remote_close};

const struct hub_system_ops *system_bus_ops(void *context, struct str party, const struct hub_system_ops *declared)
{
    const struct system_bus_reach *reach = context;
    for (size_t i = 0; reach->parties[i]; i++)
        if (str_equal_c(party, reach->parties[i])) /* streams and objects stay with the brain: doors where others bring their rows */
            return declared->tables ? declared->act ? &both : &only_tables : declared->act ? &only_commands : NULL;
    return NULL;
}
