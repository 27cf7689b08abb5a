/*
 * Streams at the hub's side: what is new is asked for (a question that the department's process answers when there is something), handed to
 * the subscribers in order, and only then the next is asked for: so subscribers that are behind slow the department's sources. Each record
 * has a number; what comes twice is known by it.
 *
 * What was handed over is confirmed two seconds later (hub/place.h), so that subscribers have that long to write down what they took: when
 * this process is killed, the next one gets from the last confirmation on, and who takes must know a row that comes again. Nothing is kept
 * here on disk: the department's record is it.
 */
#include "base/log.h"
#include "base/mem.h"
#include "hub/alert.h"
#include "hub/place.h"
#include "system/bus/remote_inside.h"
#include "system/bus/watch.h"

#include <string.h>

#define TIMEOUT_MS 6000              /* of a question; the other side answers after 2 s at the latest */
#define AGAIN_MS 500                 /* after one that got no answer */
#define BEHIND_MS 5                  /* while a subscriber is behind */
#define SUBSCRIBERS_MS 10000         /* for so long the first subscriber is waited for after the start */
#define ALERTS_BYTES_MAX (16u << 20) /* of one record's, unpacked: as any record's */

struct remote_stream {
    struct remote_stream *next_stream;
    struct remote *remote;
    const struct hub_resource *resource;
    bool is_alerts; /* the department's words for people: hub_alert_resource(), which is known when the loop runs */
    struct bus_ask ask;
    struct loop_timer timer;
    struct mono_time began;
    bool is_asking, is_silent, is_refused;
    struct hub_place place;
    struct rows *waiting[HUB_TAKEN_MAX]; /* came, and is not handed over */
    size_t n_waiting, at;
    int64_t watermark_ms;
};

static void go_on(struct remote_stream *stream);

static void later(struct remote_stream *stream, int64_t ms)
{
    if (loop_timer_start(stream->remote->loop, &stream->timer, ms))
        log_write(LOG_ERROR, "bus", "no memory for a timer; a stream stands still", LOG_STR("resource", stream->resource->name), LOG_END);
}

static void on_timer(struct loop_timer *timer)
{
    go_on(container_of(timer, struct remote_stream, timer));
}

/* ---- what came ---- */

static void drop_waiting(struct remote_stream *stream)
{
    while (stream->at < stream->n_waiting)
        rows_release(stream->waiting[stream->at++]);
    stream->at = stream->n_waiting = 0;
}

/* *rows: the alerts of the department's own audit; others are left out. */
static enum err sift_alerts(const struct remote_stream *stream, struct rows **rows)
{
    struct rows *own;
    size_t n = rows_n(*rows), n_own = 0;
    enum err err = rows_create(HUB_ALERT_N_FIELDS, ALERTS_BYTES_MAX, &own);
    if (err)
        return err;
    for (size_t i = 0; i < n && !err; i++)
        if (system_bus_alert_is_own(stream->remote->party, rows_at(*rows, i)) && !(err = rows_add(own, rows_at(*rows, i))))
            n_own++;
    if (n_own < n && !err)
        log_write(LOG_WARNING, "bus", "a department's process tells of what is not its own audit's; left out",
            LOG_STR("party", stream->remote->party), LOG_END);
    rows_release(err ? own : *rows);
    if (!err)
        *rows = own;
    return err;
}

static enum err take(struct remote_stream *stream, struct str answer, enum err *ret_told)
{
    struct hub_taken *taken = mem_alloc(sizeof *taken);
    size_t skip;
    int64_t time_ms;
    if (!taken)
        return ERR_NO_MEMORY;
    enum err err = hub_taken_read(answer, taken, ret_told);
    if (err || *ret_told) {
        mem_free(taken);
        return err;
    }
    bus_watch_took(stream->remote->twins, stream->resource, taken->epoch, taken->first, taken->n);
    if (hub_place_answer(&stream->place, taken->epoch, taken->first, taken->n, &skip) > 0 && taken->n > 0)
        log_write(LOG_WARNING, "bus", "a stream goes on further on: what lay between is not there any more",
            LOG_STR("resource", stream->resource->name), LOG_END);
    for (size_t i = skip; i < taken->n; i++) {
        struct rows *rows;
        enum err one = hub_events_read(taken->records[i], stream->resource, UINT64_MAX, &time_ms, &rows);
        if (!one && stream->is_alerts && (one = sift_alerts(stream, &rows)))
            rows_release(rows);
        if (one == ERR_NO_MEMORY) { /* asked for again */
            err = one;
            break;
        }
        stream->place.next++;
        if (one)
            log_write(LOG_ERROR, "bus", "rows of a stream are of another form than declared here, and left out; are the files the same?",
                LOG_STR("resource", stream->resource->name), LOG_END);
        else
            stream->waiting[stream->n_waiting++] = rows;
    }
    stream->watermark_ms = taken->watermark_ms;
    mem_free(taken);
    return err;
}

static void on_taken(struct bus_ask *ask)
{
    struct remote_stream *stream = container_of(ask, struct remote_stream, ask);
    struct remote *remote = stream->remote;
    enum err told = ERR_OK;
    stream->is_asking = false;
    if (!remote->is_closed) {
        enum err err = ask->err ? ask->err : take(stream, ask->answer, &told);
        if (err && err != ERR_UNAVAILABLE) /* else it was certainly not sent */
            bus_watch_took_nothing(remote->twins, stream->resource);
        if (ask->is_repeated) /* nor is known what became of it the first time */
            bus_watch_took_nothing(remote->twins, stream->resource);
        if ((err || told) && !stream->is_silent)
            log_write(LOG_WARNING, "bus", "a department's process does not give a stream; it keeps what comes",
                LOG_STR("resource", stream->resource->name), LOG_ERR(err ? err : told), LOG_END);
        stream->is_silent = err || told;
        if (stream->is_silent)
            later(stream, AGAIN_MS);
        else
            go_on(stream);
    }
    remote_release(remote);
}

/* ---- asking ---- */

static void ask_for_more(struct remote_stream *stream)
{
    struct remote *remote = stream->remote;
    const struct system_bus_take take = {.epoch = stream->place.epoch, .from = stream->place.next, .confirmed = stream->place.confirmed};
    struct buf question;
    if (!remote->reach->peer) {
        later(stream, AGAIN_MS);
        return;
    }
    buf_init(&question, 1024);
    system_bus_take_write(stream->resource, &take, &question);
    stream->is_asking = true;
    remote_hold(remote);
    stream->ask = (struct bus_ask){.party = remote->party,
        .bytes = buf_str(&question), /* without memory an empty one, which is refused */
        .timeout_ms = TIMEOUT_MS,
        .may_repeat = true,
        .loop = remote->loop,
        .done = on_taken};
    bus_peer_ask(remote->reach->peer, &stream->ask);
    buf_finish(&question);
}

/* ---- handing over ---- */

/* In how many milliseconds to try again; 0: all is handed over. */
static int64_t hand_over(struct remote_stream *stream)
{
    while (stream->at < stream->n_waiting) {
        enum err err = hub_publish(stream->remote->hub, stream->resource, stream->waiting[stream->at]);
        bool is_refused = err && err != ERR_FULL; /* full: a subscriber is behind */
        if (is_refused && !stream->is_refused)
            log_write(LOG_ERROR, "bus", "rows of a department's stream cannot be handed on here; they wait",
                LOG_STR("resource", stream->resource->name), LOG_ERR(err), LOG_END);
        stream->is_refused = is_refused;
        if (err)
            return is_refused ? AGAIN_MS : BEHIND_MS;
        rows_release(stream->waiting[stream->at++]);
    }
    stream->at = stream->n_waiting = 0;
    return hub_is_handed_over(stream->resource) ? 0 : BEHIND_MS;
}

static void go_on(struct remote_stream *stream)
{
    struct mono_time now = clock_mono(stream->remote->clock);
    if (stream->is_asking)
        return;
    if (stream->is_alerts)
        stream->resource = hub_alert_resource(stream->remote->hub);
    if (stream->began.ns == 0)
        stream->began = now;
    if (stream->place.epoch == 0 && !hub_is_subscribed(stream->resource) && mono_ms_between(stream->began, now) < SUBSCRIBERS_MS) {
        later(stream, BEHIND_MS * 10); /* what comes now would be lost on nobody */
        return;
    }
    int64_t wait_ms = hand_over(stream);
    if (wait_ms > 0) {
        later(stream, wait_ms);
        return;
    }
    if (stream->watermark_ms && !stream->is_alerts)
        hub_stream_watermark(stream->resource, (struct wall_time){stream->watermark_ms});
    hub_place_confirm(&stream->place, now.ns / 1000000);
    ask_for_more(stream);
}

/* ---- life ---- */

static enum err begin(struct remote *remote, const struct hub_resource *resource, bool is_alerts)
{
    struct remote_stream *stream = arena_alloc_zero(&remote->arena, 1, sizeof *stream);
    if (!stream)
        return ERR_NO_MEMORY;
    stream->remote = remote;
    stream->resource = resource;
    stream->is_alerts = is_alerts;
    stream->timer.fn = on_timer;
    stream->next_stream = remote->streams;
    remote->streams = stream;
    return loop_timer_start(remote->loop, &stream->timer, 0);
}

enum err remote_stream_bind(struct remote *remote, const struct hub_resource *resource)
{
    return begin(remote, resource, false);
}

enum err remote_alerts_bind(struct remote *remote)
{
    for (const struct remote *other = remote->reach->remotes; other; other = other->next_remote)
        if (other != remote && str_equal(other->party, remote->party))
            return ERR_OK; /* by that one: a process has one voice */
    return begin(remote, NULL, true);
}

void remote_streams_close(struct remote *remote)
{
    for (struct remote_stream *stream = remote->streams; stream; stream = stream->next_stream) {
        loop_timer_stop(&stream->timer);
        drop_waiting(stream);
    }
}
