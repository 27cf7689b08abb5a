/*
 * Streams at the department's side. The hub asks for what is new; the answer comes when there is something, and after WAIT_MS at the
 * latest. What it has not confirmed stays in the record (record.h), and is sent again to whoever asks for it.
 *
 * Fields that no contract in force grants to anybody do not leave; while there is no such contract nothing does, and what comes meanwhile
 * is passed over, as in a brain with connectors of its own.
 */
#include "base/mem.h"
#include "hub/alert.h"
#include "hub/asking.h"
#include "hub/pack.h"
#include "hub/place.h"
#include "hub/provide.h"
#include "system/bus/serve_inside.h"

#include <string.h>

#define WAIT_MS 2000
#define CREDIT (400u * 1024) /* bytes of records in one answer; the next is asked for when these are with the subscribers */
#define ANSWER_MAX (BUS_PEER_BYTES - 8192)
_Static_assert(CREDIT + HUB_RECORD_MAX < ANSWER_MAX, "an answer has room for its last record");
#define LOOK_MS 250

struct serve_streams {
    struct system_bus_server *server;
    struct serving *waiting; /* TAKEs for which there is nothing yet */
    struct loop_task wake;
    _Atomic bool is_woken;
    struct loop_timer look;
};

/* ---- an answer ---- */

/* With the granted fields alone. */
static enum err put_record(struct hub_pack *pack, const struct rows *rows, int64_t time_ms)
{
    size_t n = hub_events_write(time_ms, pack->resource, rows, 0, &pack->bytes); /* all: with fewer values it is no longer than it was */
    return n < rows_n(rows) ? ERR_CORRUPT : ERR_OK;
}

static void send_taken(struct serving *serving)
{
    struct buf part;
    buf_init(&part, BUS_PEER_BYTES);
    if (serving->append.err)
        system_bus_error_write(ERR_UNAVAILABLE, &part);
    else
        buf_append_str(&part, buf_str(&serving->act_answer));
    serve_answer(serving, &part);
    buf_finish(&part);
}

static void answer(struct serving *serving, const struct hub_pack *pack, uint64_t first)
{
    struct hub_record_place place = hub_record_place(serving->stream);
    struct hub_taken taken;
    hub_pack_answer(pack, place.epoch, place.end, first, clock_wall(clock_system()), &taken);
    buf_finish(&serving->act_answer);
    buf_init(&serving->act_answer, BUS_PEER_BYTES);
    hub_taken_write(&taken, &serving->act_answer);
    if (serving->act_answer.err) {
        serve_refuse(serving, serving->act_answer.err);
        return;
    }
    if (taken.n == 0) {
        send_taken(serving);
        return;
    }
    system_bus_records_name(taken.epoch, taken.first, taken.n, serving->records);
    serving->both = send_taken;
    serving->is_asked = true;
    serve_write_down(serving);
    if (serving->append.err)
        send_taken(serving);
}

/* ---- what there is ---- */

/* Alerts are this department's own words to its hub, names and counts: they need no contract. */
static enum err leaving_fields(const struct serving *serving, uint64_t *ret_mask)
{
    struct hub *hub = serving->server->options.hub;
    if (serving->asked.resource != hub_alert_resource(hub))
        return hub_provide_stream(hub, serving->asked.resource, ret_mask);
    *ret_mask = UINT64_MAX;
    return ERR_OK;
}

/* False: nothing yet. */
static bool try_to_answer(struct serving *serving)
{
    const struct system_bus_take *take = &serving->asked.take;
    struct hub_record_place place = hub_record_place(serving->stream);
    struct hub_pack pack = {.resource = serving->asked.resource,
        .stream = serving->stream,
        .credit = CREDIT,
        .max = ANSWER_MAX,
        .part = "bus",
        .put = put_record};
    const struct hub_place_kept kept = {
        place.epoch, place.first, place.end, place.confirmed, hub_record_agreed(serving->stream, take->epoch)};
    uint64_t from;
    enum hub_place_give what = hub_place_give(&kept, take->epoch, take->from, &from);
    if (what == HUB_PLACE_TELL) {
        answer(serving, NULL, from);
        return true;
    }
    if (what != HUB_PLACE_READ)
        return false;
    if (leaving_fields(serving, &pack.mask)) /* it is not known who may have it: passed over is only what nobody may */
        return false;
    if (pack.mask == 0) {
        answer(serving, NULL, place.end);
        return true;
    }
    if (hub_pack_read(&pack, from))
        serve_refuse(serving, ERR_UNAVAILABLE);
    else
        answer(serving, &pack, 0);
    hub_pack_finish(&pack);
    return true;
}

/* When it has waited long enough; unless there is something that may not leave yet. */
static void nothing_new(struct serving *serving)
{
    if (serving->asked.take.from < hub_record_place(serving->stream).end)
        serve_refuse(serving, ERR_UNAVAILABLE);
    else
        answer(serving, NULL, serving->asked.take.from);
}

static void look_at_all(struct serve_streams *streams, bool is_over)
{
    struct serving *waiting = streams->waiting;
    struct mono_time now = clock_mono(loop_clock(streams->server->options.loop));
    streams->waiting = NULL;
    for (struct serving *one = waiting, *next; one; one = next) {
        next = one->next;
        if (is_over)
            serve_refuse(one, ERR_UNAVAILABLE);
        else if (!try_to_answer(one)) {
            if (now.ns >= one->due.ns)
                nothing_new(one);
            else {
                one->next = streams->waiting;
                streams->waiting = one;
            }
        }
    }
}

static void on_wake(struct loop_task *task)
{
    struct serve_streams *streams = container_of(task, struct serve_streams, wake);
    atomic_store(&streams->is_woken, false);
    look_at_all(streams, false);
}

static void on_durable(void *context)
{
    struct serve_streams *streams = context;
    if (!atomic_exchange(&streams->is_woken, true))
        loop_post(streams->server->options.loop, &streams->wake);
}

static void on_look(struct loop_timer *timer)
{
    struct serve_streams *streams = container_of(timer, struct serve_streams, look);
    look_at_all(streams, false);
    if (streams->waiting && loop_timer_start(streams->server->options.loop, timer, LOOK_MS))
        look_at_all(streams, true);
}

void serve_stream(struct serving *serving)
{
    struct serve_streams *streams = serving->server->streams;
    const struct system_bus_take *take = &serving->asked.take;
    serving->stream = streams ? hub_record_find(serving->server->options.record, serving->asked.resource) : NULL;
    if (!serving->stream) {
        serve_refuse(serving, ERR_DENIED);
        return;
    }
    struct hub_record_place place = hub_record_place(serving->stream);
    if (take->epoch == place.epoch && take->from > place.end) /* our disk is of an older day: the numbers since are given anew */
        hub_record_renew(serving->stream);
    else if (take->epoch == place.epoch)
        hub_record_confirm(serving->stream, take->confirmed);
    if (try_to_answer(serving))
        return;
    serving->due.ns = clock_mono(loop_clock(serving->server->options.loop)).ns + WAIT_MS * INT64_C(1000000);
    serving->next = streams->waiting;
    streams->waiting = serving;
    if (!streams->look.heap_at && loop_timer_start(serving->server->options.loop, &streams->look, LOOK_MS))
        look_at_all(streams, true);
}

/* ---- life ---- */

enum err serve_streams_create(struct system_bus_server *server)
{
    if (!server->options.record)
        return ERR_OK;
    server->streams = mem_alloc_zero(1, sizeof *server->streams);
    if (!server->streams)
        return ERR_NO_MEMORY;
    server->streams->server = server;
    server->streams->wake.fn = on_wake;
    server->streams->look.fn = on_look;
    hub_record_on_durable(server->options.record, on_durable, server->streams);
    return ERR_OK;
}

void serve_streams_stop(struct system_bus_server *server)
{
    if (!server->streams)
        return;
    hub_record_on_durable(server->options.record, NULL, NULL);
    loop_timer_stop(&server->streams->look);
    look_at_all(server->streams, true);
}

void serve_streams_destroy(struct system_bus_server *server)
{
    mem_free(server->streams);
}
