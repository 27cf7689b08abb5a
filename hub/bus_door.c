/*
 * One question's way: opened by its session → its party's and the door's limits → read and bounded (bus_ask.c) → hub_call_start(),
 * hub_query_start() or hub_act_start(), as for a program at the HTTP door → the answer in parts, each sealed for the asker alone.
 *
 * That an asker has gone is not seen on a bus. So each question says how long its asker waits, and what still runs then is ended, but a
 * command, whose outcome is kept under its key.
 */
#include "hub/bus_door.h"

#include "base/log.h"
#include "base/mem.h"
#include "hub/problem.h"
#include "hub/query.h"
#include "hub/registry.h"
#include "hub/terms.h"

#define LOOK_MS 250
#define ARENA_MAX (1u << 20) /* of one question: 100 values, and names of as many */
#define PART (200u << 10)    /* bytes of rows in one message, about */
#define PIECE (512u << 10)   /* of a query's answer */
#define TERMS_MAX (256u << 10)

struct serving {
    struct serving *next, **at;
    struct hub_bus_door *door;
    struct bus_question *question;
    struct mono_time due;
    struct arena arena;
    struct hub_bus_ask asked; /* borrows from the question */
    struct hub_call call;
    struct hub_query query;
    struct hub_act act;
};

struct hub_bus_door {
    struct hub *hub;
    struct loop *loop;
    struct bus_peer *peer; /* NULL: not open yet, or stopped */
    bool is_stopping;
    enum err untaken; /* why hellos cannot be taken, told once */
    struct serving *first;
    _Atomic size_t n_under_way;
    struct metric_counter n_refused; /* at a limit, or malformed */
    struct loop_timer look;
};

/* ---- the end of an asking ---- */

static void finish(struct serving *serving)
{
    *serving->at = serving->next;
    if (serving->next)
        serving->next->at = serving->at;
    atomic_fetch_sub(&serving->door->n_under_way, 1);
    bus_question_drop(serving->question);
    arena_finish(&serving->arena);
    mem_free(serving);
}

/* The last part ends the question. */
static enum err send_part(struct serving *serving, const struct buf *part, bool is_last)
{
    enum err err = part->err ? part->err : bus_question_answer(serving->question, buf_str(part), is_last);
    if (!err && is_last)
        serving->question = NULL;
    return err;
}

static void send_last(struct serving *serving, struct buf *part)
{
    enum err err = send_part(serving, part, true);
    if (err)
        log_write(LOG_INFO, "hub", "an answer could not be sent; who asked will hear nothing", LOG_ERR(err), LOG_END);
    finish(serving);
}

static void refuse(struct serving *serving, struct http_problem problem, const char *receipt)
{
    struct buf part;
    buf_init(&part, BUS_PEER_BYTES);
    hub_bus_problem_write(&problem, str_from_c(receipt), &part);
    send_last(serving, &part);
    buf_finish(&part);
}

/* ---- answers ---- */

static void call_done(struct hub_call *call)
{
    struct serving *serving = call->context;
    struct buf part;
    size_t at = 0;
    enum err err;
    if (call->refusal.err) {
        refuse(serving, hub_problem_of(&call->refusal), call->receipt);
        return;
    }
    buf_init(&part, BUS_PEER_BYTES);
    do {
        buf_reset(&part);
        at += hub_bus_rows_write(call, at, PART, &part);
        if (part.err == ERR_TOO_LARGE) { /* a row that no message holds: told, so that nobody waits for his time-out */
            struct http_problem problem = http_problem_of(ERR_TOO_LARGE, STR("a row of the answer is larger than a message may be"));
            buf_reset(&part);
            hub_bus_problem_write(&problem, str_from_c(call->receipt), &part);
            at = rows_n(call->rows);
        }
        err = send_part(serving, &part, at == rows_n(call->rows));
    } while (!err && at < rows_n(call->rows));
    if (err)
        log_write(LOG_INFO, "hub", "an answer could not be sent; who asked will hear nothing", LOG_ERR(err), LOG_END);
    buf_finish(&part);
    finish(serving);
}

static void query_done(struct hub_query *query)
{
    struct serving *serving = query->context;
    struct buf part;
    size_t at = 0;
    enum err err;
    if (query->refusal.err) {
        refuse(serving, hub_problem_of(&query->refusal), "");
        return;
    }
    buf_init(&part, BUS_PEER_BYTES);
    do {
        struct str piece = str_slice(query->json, at, PIECE);
        at += piece.len;
        buf_reset(&part);
        hub_bus_json_write(piece, &part);
        err = send_part(serving, &part, at == query->json.len);
    } while (!err && at < query->json.len);
    if (err)
        log_write(LOG_INFO, "hub", "an answer could not be sent; who asked will hear nothing", LOG_ERR(err), LOG_END);
    buf_finish(&part);
    finish(serving);
}

static void act_done(struct hub_act *act)
{
    struct serving *serving = act->context;
    struct http_problem problem = hub_act_problem(act);
    struct buf part;
    if (problem.status) {
        refuse(serving, problem, act->receipt);
        return;
    }
    buf_init(&part, BUS_PEER_BYTES);
    hub_bus_acted_write(act->state == HUB_ACT_REFUSED, act->is_repeated, str_from_c(act->receipt), act->json, &part);
    send_last(serving, &part);
    buf_finish(&part);
}

static void tell_terms(struct serving *serving)
{
    struct buf json, part;
    buf_init(&json, TERMS_MAX);
    buf_init(&part, BUS_PEER_BYTES);
    enum err err = hub_terms_write(serving->door->hub, bus_question_party(serving->question), serving->asked.resource, &json);
    if (err) {
        struct hub_refusal refusal = {.err = err};
        refuse(serving, hub_problem_of(&refusal), "");
    } else {
        hub_bus_json_write(buf_str(&json), &part);
        send_last(serving, &part);
    }
    buf_finish(&json);
    buf_finish(&part);
}

/* ---- uses ---- */

static void start_call(struct serving *serving)
{
    const struct hub_bus_ask *asked = &serving->asked;
    serving->call = (struct hub_call){.party = bus_question_party(serving->question),
        .resource = asked->resource,
        .purpose = asked->purpose,
        .contract = asked->contract,
        .key_names = asked->names,
        .key_values = asked->values,
        .n_keys = asked->n_values,
        .fields = asked->fields,
        .n_fields = asked->n_fields,
        .loop = serving->door->loop,
        .done = call_done,
        .context = serving};
    hub_call_start(serving->door->hub, &serving->call); /* without memory it is over already */
}

static void start_query(struct serving *serving)
{
    const struct hub_bus_ask *asked = &serving->asked;
    serving->query = (struct hub_query){.party = bus_question_party(serving->question),
        .purpose = asked->purpose,
        .sql = asked->sql,
        .parameters = asked->values,
        .n_parameters = asked->n_values,
        .is_explain = asked->is_explain,
        .loop = serving->door->loop,
        .done = query_done,
        .context = serving};
    hub_query_start(serving->door->hub, &serving->query);
}

static void start_act(struct serving *serving)
{
    const struct hub_bus_ask *asked = &serving->asked;
    serving->act = (struct hub_act){.party = bus_question_party(serving->question),
        .resource = asked->resource,
        .purpose = asked->purpose,
        .contract = asked->contract,
        .key = asked->key,
        .names = asked->names,
        .values = asked->values,
        .n_values = asked->n_values,
        .loop = serving->door->loop,
        .done = act_done,
        .context = serving};
    hub_act_start(serving->door->hub, &serving->act);
}

static void start(struct serving *serving)
{
    switch (serving->asked.what) {
    case HUB_BUS_CALL:
        start_call(serving);
        return;
    case HUB_BUS_QUERY:
        start_query(serving);
        return;
    case HUB_BUS_ACT:
        start_act(serving);
        return;
    case HUB_BUS_TERMS:
        tell_terms(serving);
        return;
    }
}

/* ---- questions ---- */

/* What is wrong with it before it is looked at; status 0: nothing. */
static struct http_problem check(const struct hub_bus_door *door, const struct bus_question *question)
{
    if (door->is_stopping)
        return (struct http_problem){503, STR("the hub is stopping"), -1};
    if (bus_question_n_under_way(question) > HUB_BUS_OF_SESSION_MAX)
        return (struct http_problem){429, STR("too many askings of this session are under way; wait for their answers"), -1};
    if (atomic_load(&door->n_under_way) > HUB_BUS_UNDER_WAY_MAX)
        return http_problem_of(ERR_FULL, STR_NONE);
    return (struct http_problem){.rule = -1};
}

static struct http_problem read_question(struct serving *serving)
{
    struct http_problem problem = check(serving->door, serving->question);
    enum err err = problem.status ? ERR_OK : hub_bus_ask_read(&serving->arena, bus_question_bytes(serving->question), &serving->asked);
    if (err == ERR_SYNTAX)
        return (struct http_problem){400, STR("this is no question to the hub (docs/bus.md)"), -1};
    return err ? http_problem_of(err, STR_NONE) : problem;
}

void hub_bus_door_question(void *context, struct bus_question *question)
{
    struct hub_bus_door *door = context;
    struct serving *serving = mem_alloc_zero(1, sizeof *serving);
    if (!serving) {
        bus_question_drop(question);
        return;
    }
    serving->door = door;
    serving->question = question;
    serving->next = door->first;
    serving->at = &door->first;
    if (serving->next)
        serving->next->at = &serving->next;
    door->first = serving;
    atomic_fetch_add(&door->n_under_way, 1);
    arena_init(&serving->arena, ARENA_MAX);
    struct http_problem problem = read_question(serving);
    if (problem.status) {
        metric_add(&door->n_refused, 1);
        refuse(serving, problem, "");
        return;
    }
    uint32_t wait_ms = serving->asked.wait_ms;
    if (wait_ms == 0 || wait_ms > HUB_BUS_WAIT_MAX_MS)
        wait_ms = HUB_BUS_WAIT_MAX_MS;
    serving->due.ns = clock_mono(clock_system()).ns + (int64_t)wait_ms * 1000000;
    start(serving);
}

/* ---- life ---- */

static void end_late(struct hub_bus_door *door)
{
    struct mono_time now = clock_mono(clock_system());
    for (struct serving *serving = door->first; serving; serving = serving->next)
        if (serving->due.ns && serving->due.ns <= now.ns) {
            atomic_store(&serving->call.is_cancelled, true);
            atomic_store(&serving->query.is_cancelled, true);
        }
}

/* Who cannot decide takes no new sessions: the others of the group do. */
static void take_hellos(struct hub_bus_door *door)
{
    struct hub_readiness readiness;
    if (!door->peer)
        return;
    hub_readiness(door->hub, &readiness);
    enum err err = bus_peer_listen(door->peer, readiness.is_started && !readiness.is_stopping && !readiness.is_cut_off);
    if (err && !door->untaken)
        log_write(LOG_WARNING, "hub", "consumers' hellos cannot be taken; tried again", LOG_ERR(err), LOG_END);
    else if (!err && door->untaken)
        log_write(LOG_NOTICE, "hub", "consumers' hellos are taken again", LOG_END);
    door->untaken = err;
}

static void look(struct loop_timer *timer)
{
    struct hub_bus_door *door = container_of(timer, struct hub_bus_door, look);
    end_late(door);
    take_hellos(door);
    if (loop_timer_start(door->loop, timer, LOOK_MS))
        log_write(LOG_ERROR, "hub", "no memory for a timer", LOG_END);
}

enum err hub_bus_door_create(struct hub *hub, struct loop *loop, struct hub_bus_door **ret_door)
{
    struct hub_bus_door *door = mem_alloc_zero(1, sizeof *door);
    if (!door)
        return ERR_NO_MEMORY;
    door->hub = hub;
    door->loop = loop;
    door->look.fn = look;
    *ret_door = door;
    return ERR_OK;
}

void hub_bus_door_open(struct hub_bus_door *door, struct bus_peer *peer)
{
    door->peer = peer;
    look(&door->look);
}

size_t hub_bus_door_n_under_way(const struct hub_bus_door *door)
{
    return atomic_load(&door->n_under_way);
}

void hub_bus_door_measure(struct hub_bus_door *door, struct metric_page *page)
{
    metric_put_queue(page, "hub_bus_askings", STR("hub"), atomic_load(&door->n_under_way), HUB_BUS_UNDER_WAY_MAX, &door->n_refused);
}

void hub_bus_door_stop(struct hub_bus_door *door)
{
    if (!door)
        return;
    if (door->peer && bus_peer_listen(door->peer, false))
        log_write(LOG_WARNING, "hub", "consumers' hellos are still taken", LOG_END);
    door->peer = NULL;
    door->is_stopping = true;
}

void hub_bus_door_destroy(struct hub_bus_door *door)
{
    if (!door)
        return;
    loop_timer_stop(&door->look);
    while (door->first) /* whose uses the hub took with it */
        finish(door->first);
    mem_free(door);
}
