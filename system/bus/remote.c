/*
 * The hub's side: a system whose askings become messages to the department's own process. Nothing is connected to here; how the system is
 * doing is asked each second, and a process that does not answer makes it down.
 */
#include "base/log.h"
#include "base/mem.h"
#include "hub/detail.h"
#include "hub/quality.h"
#include "system/bus/remote_inside.h"
#include "system/bus/watch.h"

#include <string.h>

#define LOOK_MS 1000
#define LOOK_TIMEOUT_MS 3000
#define TELL_TIMEOUT_MS 3000
#define WATCH_MS 100    /* a fetch whose asker has gone is cancelled after that, and HUB_CANCEL_MS on the other side */
#define TIMEOUT_MS 5000 /* of a statement, where the file says nothing: the connectors' own */

struct remote_plan {
    struct remote_plan *next;
    struct remote *remote;
    const struct hub_resource *resource;
    struct str contract;
};

void remote_hold(struct remote *remote)
{
    atomic_fetch_add(&remote->n_holders, 1);
}

void remote_release(struct remote *remote)
{
    if (atomic_fetch_sub(&remote->n_holders, 1) != 1)
        return;
    pthread_mutex_destroy(&remote->lock);
    arena_finish(&remote->arena);
    mem_free(remote);
}

/* ---- tables ---- */

struct remote_fetch {
    struct bus_ask ask;
    struct remote *remote;
    struct hub_fetch *fetch;
    struct rows *rows;
    struct remote_fetch *next, **at; /* of remote->watched */
    uint64_t number;
    enum err err; /* of reading an answer, or told in it */
    bool is_told, is_truncated, is_cancelled;
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

enum err remote_err(enum err err, bool is_told)
{
    switch (err) {
    case ERR_OK:
    case ERR_TIMEOUT:
    case ERR_TOO_LARGE:
    case ERR_FULL:
    case ERR_NO_MEMORY:
        return err;
    case ERR_RANGE:
    case ERR_CANCELLED:
        return is_told ? err : ERR_UNAVAILABLE;
    default:
        return ERR_UNAVAILABLE;
    }
}

/* ---- an asker that goes ---- */

static void told(struct bus_ask *ask)
{
    mem_free(ask);
}

void remote_tell(struct remote *remote, const struct buf *question)
{
    struct bus_ask *ask = question->err || !remote->reach->peer ? NULL : mem_alloc_zero(1, sizeof *ask);
    if (!ask)
        return;
    *ask = (struct bus_ask){.party = remote->party,
        .bytes = buf_str(question),
        .timeout_ms = TELL_TIMEOUT_MS,
        .may_repeat = true,
        .loop = remote->loop,
        .done = told};
    bus_peer_ask(remote->reach->peer, ask);
}

static void tell_cancelled(struct remote *remote, uint64_t number)
{
    struct buf question;
    buf_init(&question, 64);
    system_bus_cancel_write(number, &question);
    remote_tell(remote, &question);
    buf_finish(&question);
}

static void on_watch(struct loop_timer *timer)
{
    struct remote *remote = container_of(timer, struct remote, watch);
    bool goes_on;
    pthread_mutex_lock(&remote->lock);
    for (struct remote_fetch *one = remote->watched; one; one = one->next)
        if (!one->is_cancelled && hub_fetch_is_cancelled(one->fetch)) {
            one->is_cancelled = true;
            tell_cancelled(remote, one->number);
        }
    goes_on = remote->watched && !remote->is_closed && !loop_timer_start(remote->loop, timer, WATCH_MS);
    remote->is_watching = goes_on;
    pthread_mutex_unlock(&remote->lock);
    if (!goes_on)
        remote_release(remote);
}

static void start_watching(struct loop_task *task)
{
    on_watch(&container_of(task, struct remote, watch_task)->watch);
}

static void watch(struct remote_fetch *one)
{
    struct remote *remote = one->remote;
    pthread_mutex_lock(&remote->lock);
    one->next = remote->watched;
    one->at = &remote->watched;
    if (one->next)
        one->next->at = &one->next;
    remote->watched = one;
    bool is_first = !remote->is_watching;
    remote->is_watching = true;
    if (is_first)
        remote_hold(remote);
    pthread_mutex_unlock(&remote->lock);
    if (is_first)
        loop_post(remote->loop, &remote->watch_task);
}

static void unwatch(struct remote_fetch *one)
{
    if (!one->at)
        return;
    pthread_mutex_lock(&one->remote->lock);
    *one->at = one->next;
    if (one->next)
        one->next->at = one->at;
    pthread_mutex_unlock(&one->remote->lock);
}

/* ---- tables, asked ---- */

static void on_fetched(struct bus_ask *ask)
{
    struct remote_fetch *one = container_of(ask, struct remote_fetch, ask);
    struct hub_fetch *fetch = one->fetch;
    if (one->err && !one->is_told)
        log_write(LOG_WARNING, "bus", "a department's process answers with what is no answer", LOG_STR("party", ask->party), LOG_END);
    else if (one->err == ERR_DENIED || one->err == ERR_NOT_FOUND || one->err == ERR_STATE)
        log_write(LOG_WARNING, "bus", "a department's process does not grant what the hub's files grant; are its files the same?",
            LOG_STR("party", ask->party), LOG_ERR(one->err), LOG_END);
    unwatch(one);
    fetch->err = ask->err ? remote_err(ask->err, false) : remote_err(one->err, one->is_told);
    fetch->is_truncated = one->is_truncated;
    fetch->rows = fetch->err ? NULL : one->rows;
    if (fetch->err)
        rows_release(one->rows);
    remote_release(one->remote);
    mem_free(one);
    fetch->done(fetch);
}

static void fetch_failed(struct loop_task *task)
{
    struct hub_fetch *fetch = container_of(task, struct hub_fetch, task);
    fetch->done(fetch);
}

enum err remote_head(
    struct remote *remote, struct str contract, bool has_intent, uint64_t intent, char receipt[HUB_RECEIPT_MAX], struct sha256 *ret_hash)
{
    struct hub_contract_info info = {.name = STR_NONE};
    if (!str_equal_c(contract, HUB_QUALITY_GRANT) && !hub_contract_find(remote->hub, contract, &info))
        return ERR_UNAVAILABLE;
    *ret_hash = info.hash;
    receipt[0] = '\0';
    if (has_intent)
        hub_receipt_name(remote->hub, intent, receipt);
    return ERR_OK;
}

static enum err write_question(const struct remote_plan *plan, const struct hub_fetch *fetch, uint64_t number, struct buf *out)
{
    char receipt[HUB_RECEIPT_MAX];
    struct system_bus_fetch head = {.contract = plan->contract, .number = number};
    enum err err = remote_head(plan->remote, plan->contract, fetch->has_intent, fetch->intent, receipt, &head.hash);
    if (err)
        return err;
    head.receipt = str_from_c(receipt);
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
    if (!err) {
        crypto_random(&one->number, sizeof one->number);
        err = write_question(plan, fetch, one->number, &question);
    }
    fetch->rows = NULL;
    if (!err) {
        one->fetch = fetch;
        one->remote = plan->remote;
        remote_hold(one->remote);
        one->n_types = fetch->n_outputs;
        for (size_t i = 0; i < fetch->n_outputs; i++)
            one->types[i] = sql_output_type(&select, &fetch->outputs[i]);
        one->ask = (struct bus_ask){.party = plan->remote->party,
            .bytes = buf_str(&question),
            .timeout_ms = plan->remote->timeout_ms + REMOTE_ON_TOP_MS,
            .may_repeat = true,
            .loop = fetch->loop,
            .on_part = on_part,
            .done = on_fetched};
        if (fetch->is_cancelled)
            watch(one);
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
    remote_release(one->remote);
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
        remote_hold(remote);
        one->ask = (struct bus_ask){.party = remote->party,
            .bytes = buf_str(&question),
            .timeout_ms = remote->timeout_ms + REMOTE_ON_TOP_MS,
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
    remote_release(remote);
}

static void on_look(struct loop_timer *timer)
{
    struct remote *remote = container_of(timer, struct remote, look);
    struct buf question;
    buf_init(&question, 4096);
    system_bus_health_write(remote->source, &question);
    if (!remote->is_looking && remote->reach->peer && !question.err) {
        remote->is_looking = true;
        remote_hold(remote);
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

static void leave_reach(struct remote *remote)
{
    struct remote **at = &remote->reach->remotes;
    while (*at != remote)
        at = &(*at)->next_remote;
    *at = remote->next_remote;
}

static enum err remote_open(const struct hub_system_env *env, struct yaml_node root, struct diag_list *diags, void **ret_system)
{
    struct remote *remote = mem_alloc_zero(1, sizeof *remote);
    if (!remote)
        return ERR_NO_MEMORY;
    atomic_store(&remote->n_holders, 1);
    arena_init(&remote->arena, 1u << 20);
    remote->reach = env->reach;
    remote->next_remote = remote->reach->remotes;
    remote->reach->remotes = remote;
    remote->hub = env->hub;
    remote->clock = env->clock;
    remote->loop = env->loop;
    remote->timeout_ms = TIMEOUT_MS;
    remote->look.fn = on_look;
    remote->watch.fn = on_watch;
    remote->watch_task.fn = start_watching;
    pthread_mutex_init(&remote->lock, NULL);
    enum err err = read_file(remote, env, root, diags);
    if (!err && !env->check_only)
        err = bus_watch_create(env, &remote->reach->peer, &remote->twins);
    if (!err && !env->check_only && !remote->reach->is_without_streams)
        err = remote_alerts_bind(remote);
    if (!err)
        err = loop_timer_start(env->loop, &remote->look, 0);
    if (err) {
        bus_watch_close(remote->twins);
        leave_reach(remote);
        remote_streams_close(remote);
        remote_release(remote);
        return err;
    }
    *ret_system = remote;
    return ERR_OK;
}

static enum err remote_bind(void *system, const struct hub_resource *resource, struct yaml_node binding, struct diag_list *diags)
{
    struct remote *remote = system; /* against the real table its own process looks */
    enum err err = remote->twins ? bus_watch_resource(remote->twins, resource) : ERR_OK;
    if (!err && resource->kind == HUB_STREAM && !remote->reach->is_without_streams) {
        err = remote->twins ? bus_watch_stream(remote->twins, resource) : ERR_OK;
        err = err ? err : remote_stream_bind(remote, resource);
    }
    return err;
}

static void remote_close(void *system)
{
    struct remote *remote = system;
    loop_timer_stop(&remote->look);
    bus_watch_close(remote->twins);
    remote->is_closed = true;
    leave_reach(remote);
    remote_streams_close(remote);
    if (remote->watch.heap_at) {
        loop_timer_stop(&remote->watch);
        remote_release(remote);
    }
    remote_release(remote);
}

static const struct hub_system_tables tables = {.compile = remote_compile, .fetch = remote_fetch, .needs_intent = true};

/* As much as the connector beside the database offers. */
#define OPS(tables_, act_, objects_)                                                                                                       \
    {                                                                                                                                      \
        .connector = "bus", .open = remote_open, .bind = remote_bind, .tables = tables_, .act = act_, .objects = objects_,                 \
        .close = remote_close                                                                                                              \
    }
static const struct hub_system_ops offered[2][2][2] = {
    {{OPS(NULL, NULL, NULL), OPS(NULL, NULL, &remote_objects)}, {OPS(NULL, remote_act, NULL), OPS(NULL, remote_act, &remote_objects)}},
    {{OPS(&tables, NULL, NULL), OPS(&tables, NULL, &remote_objects)},
        {OPS(&tables, remote_act, NULL), OPS(&tables, remote_act, &remote_objects)}}};

const struct hub_system_ops *system_bus_ops(void *context, struct str party, const struct hub_system_ops *declared)
{
    const struct system_bus_reach *reach = context;
    for (size_t i = 0; reach->parties[i]; i++)
        if (str_equal_c(party, reach->parties[i]) &&
            !hub_system_has_door(declared)) /* doors stay where others bring their rows: with the brain */
            return &offered[declared->tables != NULL][declared->act != NULL][declared->objects != NULL];
    return NULL;
}
