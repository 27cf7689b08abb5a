/*
 * See system/bus/watch.h. One round a second: our leaves (watch_leaves.c) and their lines (watch_lines.c) → the step (twin.c) → alerts.
 */
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "hub/alert.h"
#include "hub/leaves.h"
#include "hub/provide.h"
#include "system/bus/served.h"
#include "system/bus/watch_inside.h"

#include <inttypes.h>
#include <stdio.h>

#define ROUND_MS 1000
#define ASK_TIMEOUT_MS 3000
#define STORE_MS 5000
#define ALONE_MS 3600000 /* since another of its processes answered: then again what is not in this one's journal is in none */

static void release(struct bus_watch *watch)
{
    bus_twin_finish(&watch->twin);
    for (struct watch_stream *stream = watch->streams, *next; stream; stream = next) {
        next = stream->next;
        mem_free(stream);
    }
    arena_finish(&watch->arena);
    mem_free(watch);
}

/* ---- asking ---- */

static void on_answer(struct bus_ask *ask)
{
    struct bus_watch *watch = container_of(ask, struct bus_watch, ask);
    watch->is_asking = false;
    if (watch->is_closed) {
        release(watch);
        return;
    }
    if (ask->err == ERR_OK)
        watch_take_answer(watch, ask->answer);
}

static void ask_them(struct bus_watch *watch)
{
    struct buf question;
    if (watch->is_asking || !*watch->peer)
        return;
    buf_init(&question, 64);
    system_bus_served_write(watch->twin.line_next, &question);
    if (!question.err) {
        watch->is_asking = true;
        watch->ask = (struct bus_ask){.party = watch->party,
            .bytes = buf_str(&question),
            .timeout_ms = ASK_TIMEOUT_MS,
            .may_repeat = true,
            .loop = watch->loop,
            .done = on_answer};
        bus_peer_ask(*watch->peer, &watch->ask);
    }
    buf_finish(&question);
}

/* ---- telling ---- */

static const struct {
    const char *kind, *zh, *en, *detail;
} kinds[] = {
    [BUS_TWIN_MISSING] = {"twin.missing", "部门进程没有留下对应记录：",
        "No line of our receipts in the journal of what was served: ", "uses are not in its journal since the start, the last"},
    [BUS_TWIN_UNASKED] = {"twin.unasked", "部门进程服务了本中枢未发出的使用：",
        "Served what the hub did not ask: ", "lines of its journal name no use of ours since the start, the last"},
    [BUS_TWIN_DIFFERS] = {"twin.differs", "部门进程的记录与凭证不一致：", "Served another thing than its receipt says: ",
        "lines of its journal are about another resource or contract since the start, the last"},
    [BUS_TWIN_CUT] = {"twin.missing", "部门进程的服务记录变短：",
        "The journal of what was served has become shorter: ", "times since the start, the last to line"},
    [STREAM_MISSING] = {"twin.missing", "部门进程没有留下所给数据流的记录：",
        "No line of a stream's rows in the journal of what was served: ",
        "answers with rows are not in its journal since the start; streams:"},
    [STREAM_UNASKED] = {"twin.unasked", "部门进程给出了本中枢未取的数据流：",
        "Gave rows of a stream that the hub did not take: ", "lines of its journal are of no answer of ours since the start; streams:"},
};

/* How many of a kind since the start, and its last. */
static uint64_t count_wrong(const struct bus_watch *watch, int what, uint64_t *ret_last)
{
    uint64_t n = 0, n_streams = 0;
    if (what < BUS_TWIN_N_WRONG) {
        *ret_last = watch->twin.last[what];
        return watch->twin.n_wrong[what];
    }
    for (const struct watch_stream *stream = watch->streams; stream; stream = stream->next) {
        uint64_t of_this = what == STREAM_MISSING ? stream->takes.n_missing : stream->takes.n_unasked;
        n += of_this;
        n_streams += of_this > 0;
    }
    *ret_last = n_streams;
    return n;
}

/* One alert about all of a kind since the last: it joins the department's case. */
static void tell(struct bus_watch *watch, int what)
{
    char zh[300], en[300], detail[400], key[200], receipt[HUB_RECEIPT_MAX];
    uint64_t last, n = count_wrong(watch, what, &last);
    if (n == watch->n_told[what])
        return;
    hub_receipt_name(watch->hub, last, receipt);
    snprintf(zh, sizeof zh, "%s" STR_FORMAT, kinds[what].zh, STR_ARG(watch->party));
    snprintf(en, sizeof en, "%s" STR_FORMAT, kinds[what].en, STR_ARG(watch->party));
    snprintf(detail, sizeof detail, "%" PRIu64 " %s %" PRIu64, n, kinds[what].detail, last);
    snprintf(key, sizeof key, STR_FORMAT "/" STR_FORMAT, STR_ARG(watch->party), STR_ARG(watch->name));
    const struct hub_alert alert = {.kind = str_from_c(kinds[what].kind),
        .area = watch->area,
        .party = watch->party,
        .key = str_from_c(key),
        .title_zh = str_from_c(zh),
        .title_en = str_from_c(en),
        .detail = str_from_c(detail),
        .receipt = what == BUS_TWIN_MISSING ? str_from_c(receipt) : STR_NONE};
    log_write(LOG_WARNING, "bus", kinds[what].kind, LOG_STR("party", watch->party), LOG_TEXT("detail", detail), LOG_END);
    if (hub_alert(watch->hub, &alert) == ERR_OK)
        watch->n_told[what] = n;
}

/* ---- the place in their journal, over a restart ---- */

static void store(struct bus_watch *watch)
{
    char text[64];
    int n = snprintf(text, sizeof text, "%" PRIu64 " %" PRIu64 "\n", watch->id, watch->twin.line_next);
    if (watch->twin.line_next == watch->stored_line || !watch->id)
        return;
    enum err err = file_replace(file_ops_system(), watch->path, (struct str){text, (size_t)n});
    if (err)
        log_write(LOG_WARNING, "bus", "the place in a department's journal could not be stored", LOG_ERR(err), LOG_END);
    else
        watch->stored_line = watch->twin.line_next;
}

static void load(struct bus_watch *watch, uint64_t *ret_line)
{
    struct buf text;
    struct str id, line;
    buf_init(&text, 256);
    if (file_read(watch->path, &text) == ERR_OK && str_cut(buf_str(&text), ' ', &id, &line) && line.len > 1 &&
        str_to_u64(str_slice(line, 0, line.len - 1), ret_line) == ERR_OK && str_to_u64(id, &watch->id) != ERR_OK)
        *ret_line = 0; /* unreadable: from the beginning */
    buf_finish(&text);
}

/* ---- rounds ---- */

static void on_round(struct loop_timer *timer)
{
    struct bus_watch *watch = container_of(timer, struct bus_watch, round);
    struct mono_time now = clock_mono(watch->clock);
    int64_t ms = mono_ms_between(watch->last, now);
    watch->last = now;
    watch->shared_ms += watch->shared_ms < ALONE_MS ? ms : 0;
    bool was_current = watch->is_current;
    watch->is_behind = watch->is_current = false;
    watch_follow(watch);
    ask_them(watch);
    bus_twin_tick(&watch->twin, ms, was_current, watch->shared_ms >= ALONE_MS);
    watch_tick_streams(watch, ms, was_current && watch->shared_ms >= ALONE_MS);
    for (int what = 0; what < N_WRONG; what++)
        tell(watch, what);
    if ((watch->unstored_ms += ms) >= STORE_MS) {
        watch->unstored_ms = 0;
        store(watch);
    }
    if (loop_timer_start(timer->loop, timer, watch->is_behind ? BEHIND_MS : ROUND_MS))
        log_write(LOG_ERROR, "bus", "no memory for a timer: twins are not looked for any more", LOG_END);
}

static void on_start(struct loop_timer *timer)
{
    struct bus_watch *watch = container_of(timer, struct bus_watch, round);
    uint64_t line = 0;
    load(watch, &line);
    bus_twin_init(&watch->twin, hub_n_leaves(watch->hub), line); /* lines of before are looked at in the ledger */
    watch->stored_line = line;
    watch->last = clock_mono(watch->clock);
    timer->fn = on_round;
    on_round(timer);
}

enum err bus_watch_create(const struct hub_system_env *env, struct bus_peer *const *peer, struct bus_watch **ret_watch)
{
    struct bus_watch *watch = mem_alloc_zero(1, sizeof *watch);
    struct str rest;
    if (!watch)
        return ERR_NO_MEMORY;
    arena_init(&watch->arena, 1u << 16);
    watch->hub = env->hub;
    watch->peer = peer;
    watch->clock = env->clock;
    watch->loop = env->loop;
    watch->shared_ms = ALONE_MS;
    watch->begun_ms = -1;
    watch->round.fn = on_start;
    enum err err = arena_copy_str(&watch->arena, env->party, &watch->party);
    if (!err)
        err = arena_copy_str(&watch->arena, env->name, &watch->name);
    if (!err && snprintf(watch->path, sizeof watch->path, "%s/store/served-" STR_FORMAT, env->data_dir, STR_ARG(env->name)) >=
                    (int)sizeof watch->path)
        err = ERR_TOO_LARGE;
    if (!err && !str_cut(watch->party, '/', &watch->area, &rest))
        watch->area = watch->party;
    if (!err)
        err = loop_timer_start(env->loop, &watch->round, ROUND_MS);
    if (err)
        release(watch);
    else
        *ret_watch = watch;
    return err;
}

enum err bus_watch_resource(struct bus_watch *watch, const struct hub_resource *resource)
{
    if (resource->kind == HUB_STREAM)
        return ERR_OK;
    if (watch->n_resources == RESOURCES_MAX)
        return ERR_TOO_LARGE;
    watch->resources[watch->n_resources++] = resource;
    return ERR_OK;
}

enum err bus_watch_stream(struct bus_watch *watch, const struct hub_resource *resource)
{
    struct watch_stream *stream = mem_alloc_zero(1, sizeof *stream);
    if (!stream)
        return ERR_NO_MEMORY;
    stream->resource = resource;
    stream->next = watch->streams;
    watch->streams = stream;
    bus_takes_begin(&stream->takes);
    return ERR_OK;
}

void bus_watch_close(struct bus_watch *watch)
{
    if (!watch)
        return;
    loop_timer_stop(&watch->round);
    if (watch->round.fn == on_round)
        store(watch);
    watch->is_closed = true;
    if (!watch->is_asking)
        release(watch);
}
