/* Health, readiness, figures. Whatever has figures is in one list here: tell_all(). */
#include "brain/operate.h"

#include "brain/notify.h"
#include "brain/process.h"
#include "brain/scenes.h"
#include "bus/bus.h"
#include "bus/peer.h"
#include "business/case/desk.h"
#include "business/party/party.h"
#include "cockpit/cockpit.h"
#include "district/join.h"
#include "hub/bus_door.h"
#include "hub/registry.h"
#include "hub/uses.h"
#include "ledger/ledger.h"

#include <stdio.h>

#define BEAT_MS 1000
#define ANSWER_MAX 16384

static void on_beat(struct loop_timer *timer)
{
    struct operate *operate = container_of(timer, struct operate, beat);
    atomic_store_explicit(&operate->beat_ns, clock_mono(operate->clock).ns, memory_order_relaxed);
    notify_alive();
    enum err err = loop_timer_start(timer->loop, timer, BEAT_MS);
    (void)err; /* a timer that has run has its place in the heap */
}

enum err operate_start(struct operate *operate, struct loop *loop)
{
    operate->started = clock_mono(operate->clock);
    atomic_store(&operate->beat_ns, operate->started.ns);
    operate->beat.fn = on_beat;
    return loop_timer_start(loop, &operate->beat, BEAT_MS);
}

void operate_set_server(struct operate *operate, size_t door, struct http_server *server)
{
    pthread_mutex_lock(&operate->lock);
    operate->servers[door] = server;
    pthread_mutex_unlock(&operate->lock);
}

static int64_t beat_age_ms(const struct operate *operate)
{
    return (clock_mono(operate->clock).ns - atomic_load_explicit(&operate->beat_ns, memory_order_relaxed)) / 1000000;
}

/* ---- GET /healthz: does the main loop come round? ---- */

static void handle_health(struct http_exchange *x, void *context)
{
    bool is_stuck = beat_age_ms(context) > OPERATE_STUCK_MS;
    http_add_header(x, "Cache-Control", STR("no-store"));
    http_reply_json(x, is_stuck ? 503 : 200, is_stuck ? STR("{\"status\":\"stuck\"}") : STR("{\"status\":\"ok\"}"));
}

/* ---- GET /readyz: is everything there that an answer needs? ---- */

static void put_missing(struct json_writer *w, size_t *n, bool is_missing, const char *what)
{
    if (!is_missing)
        return;
    json_put_c(w, what);
    ++*n;
}

/* Parts and counts, no names: anybody may ask. */
static size_t put_all_missing(const struct operate *operate, struct json_writer *w)
{
    struct hub_readiness hub;
    size_t n = 0;
    char text[96];
    hub_readiness(operate->hub, &hub);
    put_missing(w, &n, ledger_error(operate->ledger) != ERR_OK, "ledger: the disk has refused, nothing more is acknowledged");
    put_missing(w, &n, ledger_is_full(operate->ledger), "ledger: it takes no receipts, too many wait to be published");
    put_missing(w, &n, !hub.is_started, "hub: it has not started");
    put_missing(w, &n, hub.is_stopping, "hub: it is stopping");
    put_missing(w, &n, hub.is_cut_off, "contracts: their desk is not heard, so nothing is permitted");
    put_missing(w, &n, !party_programs_are_known(operate->people), "programs: the desk has not told of their tokens yet");
    snprintf(text, sizeof(text), "departments: %zu of %zu systems are not bound", hub.n_closed, hub.n_systems);
    put_missing(w, &n, hub.n_closed > 0, text);
    snprintf(text, sizeof(text), "doors: %zu of %zu systems are still starting, or their disk has refused", hub.n_starting, hub.n_systems);
    put_missing(w, &n, hub.n_starting > 0, text);
    put_missing(w, &n, beat_age_ms(operate) > OPERATE_STUCK_MS, "hub: its loop is stuck");
    return n;
}

static void handle_ready(struct http_exchange *x, void *context)
{
    struct buf out;
    struct json_writer w;
    buf_init(&out, ANSWER_MAX);
    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_key(&w, "missing");
    json_begin_array(&w);
    bool is_ready = put_all_missing(context, &w) == 0;
    json_end_array(&w);
    json_field_bool(&w, "ready", is_ready);
    json_end_object(&w);
    http_add_header(x, "Cache-Control", STR("no-store"));
    http_reply_json(x, is_ready && !out.err ? 200 : 503, buf_str(&out));
    buf_finish(&out);
}

/* ---- GET /metrics ---- */

static void tell_brain(const struct operate *operate, struct metric_page *page)
{
    static const struct metric info = {"citybrain_info", METRIC_GAUGE, "Always 1; the program's version", {"version"}};
    static const struct metric uptime = {"citybrain_uptime_seconds", METRIC_GAUGE, "Since the brain was up", {NULL}};
    static const struct metric beat = {"citybrain_loop_beat_age_seconds", METRIC_GAUGE, "Since the main loop came round last", {NULL}};
    metric_put_count(page, &info, 1, METRIC_VALUES(STR(CITYBRAIN_VERSION)));
    metric_put(page, &uptime, (double)(clock_mono(operate->clock).ns - operate->started.ns) / 1e9, NULL);
    metric_put(page, &beat, (double)beat_age_ms(operate) / 1e3, NULL);
}

static void tell_all(struct operate *operate, struct metric_page *page)
{
    tell_brain(operate, page);
    process_measure(page);
    pthread_mutex_lock(&operate->lock);
    for (size_t i = 0; i < OPERATE_DOORS_MAX; i++) {
        char name[16];
        snprintf(name, sizeof(name), "http-%zu", i);
        if (operate->servers[i])
            http_server_measure(operate->servers[i], page, str_from_c(name));
    }
    pthread_mutex_unlock(&operate->lock);
    hub_measure(operate->hub, page);
    if (operate->uses)
        hub_uses_measure(operate->uses, page);
    ledger_measure(operate->ledger, page);
    bus_measure(operate->bus, page);
    if (operate->peer)
        bus_peer_measure(operate->peer, page);
    if (operate->bus_door)
        hub_bus_door_measure(operate->bus_door, page);
    if (operate->district)
        district_measure(operate->district, page);
    party_measure(operate->people, page);
    case_measure(operate->cases, page);
    if (operate->cockpit)
        cockpit_measure(operate->cockpit, page);
    scenes_measure(operate->scenes, page);
}

/* False: answered. */
static bool may_operate(struct http_exchange *x)
{
    if (http_identity(x)->roles & HTTP_OPERATE)
        return true;
    http_reply_problem(x, 403, STR("figures are for the role operate (docs/operate.md)"), -1);
    return false;
}

static void handle_metrics(struct http_exchange *x, void *context)
{
    struct metric_page *page = NULL;
    struct buf out;
    if (!may_operate(x))
        return;
    buf_init(&out, METRIC_PAGE_MAX);
    enum err err = metric_page_create(&page);
    if (err == ERR_OK) {
        tell_all(context, page);
        err = metric_page_write(page, &out);
    }
    metric_page_destroy(page);
    if (err != ERR_OK)
        http_reply_err(x, err, STR("the figures could not be written"));
    else
        http_reply(x, 200, "text/plain; version=0.0.4; charset=utf-8", buf_str(&out));
    buf_finish(&out);
}

const struct http_route operate_routes[] = {
    {HTTP_GET, "/healthz", HTTP_PUBLIC, 0, handle_health, "Does the program's main loop come round", .answer = "Alive"},
    {HTTP_GET, "/readyz", HTTP_PUBLIC, 0, handle_ready, "May traffic be sent here; 503 says what is missing", .answer = "Readiness",
        .refusal = "Readiness"},
    {HTTP_GET, "/metrics", HTTP_SIGNED_IN, 0, handle_metrics, "Figures as Prometheus text, for the role operate",
        .media_type = "text/plain"},
};
const size_t operate_n_routes = sizeof(operate_routes) / sizeof(operate_routes[0]);
