/*
 * A face: the cockpit on one HTTP loop. It gets each snapshot once, renders each event once an area, and sends it to all
 * viewers of that area.
 */
#include "base/log.h"
#include "base/mem.h"
#include "cockpit/cockpit_internal.h"

#include <stddef.h>

#define PING_MS 10000
#define EVENT_MAX (8u << 20) /* bytes of one event: the full road states of a city, 60,000 edges of about 40 bytes, with room */
#define RANKING_LIVE 12      /* roads in the live event */

static void send_to(struct cockpit_viewer *viewer, const char *event, struct str data)
{
    /* ERR_FULL closes the stream, and on_close takes the viewer off the list. */
    enum err err = http_stream_send(viewer->stream, event, data);
    if (err != ERR_OK)
        log_write(LOG_INFO, "cockpit", "a slow viewer was let go", LOG_ERR(err), LOG_END);
}

static void send_to_all(struct cockpit_face *face, int area, const char *event)
{
    if (face->scratch.err != ERR_OK) {
        log_write(LOG_ERROR, "cockpit", "an event could not be composed", LOG_TEXT("event", event), LOG_ERR(face->scratch.err), LOG_END);
        return;
    }
    for (struct cockpit_viewer *viewer = face->viewers[area], *next; viewer; viewer = next) {
        next = viewer->next;
        send_to(viewer, event, buf_str(&face->scratch));
    }
}

static struct json_writer begin(struct cockpit_face *face)
{
    struct json_writer w;
    buf_reset(&face->scratch);
    json_writer_init(&w, &face->scratch);
    return w;
}

static void render_ranking(struct cockpit_face *face, const struct cockpit_snapshot *s, int area)
{
    struct arena arena;
    arena_init(&arena, (COCKPIT_ROADS_MAX + 1) * sizeof(void *) + 4096);
    struct json_writer w = begin(face);
    cockpit_view_ranking(s, area, RANKING_LIVE, &w, &arena);
    arena_finish(&arena);
}

static void send_recorded(struct cockpit_face *face, const struct cockpit_snapshot *s, int area)
{
    for (size_t i = 0; i < s->n_recorded; i++) {
        if (s->recorded[i].area != area && area_at(s->areas, (size_t)s->recorded[i].area)->parent != area)
            continue;
        struct json_writer w = begin(face);
        cockpit_view_recorded(s, &s->recorded[i], &w);
        send_to_all(face, area, "recorded");
    }
}

static void show(struct cockpit_face *face, const struct cockpit_snapshot *s, uint64_t after)
{
    for (int area = 0; area < (int)area_n(s->areas); area++) {
        if (!face->viewers[area])
            continue;
        struct json_writer w = begin(face);
        cockpit_view_live(s, area, &w);
        send_to_all(face, area, "indicators");
        w = begin(face);
        cockpit_view_edges(s, area, after, &w);
        send_to_all(face, area, "road_states");
        render_ranking(face, s, area);
        send_to_all(face, area, "ranking");
        if (s->sources_changed) {
            w = begin(face);
            cockpit_view_sources(s, area, &w);
            send_to_all(face, area, "sources");
        }
        send_recorded(face, s, area);
    }
}

static void take_snapshots(void *context, void **items, size_t n)
{
    struct cockpit_face *face = context;
    for (size_t i = 0; i < n; i++) {
        struct cockpit_snapshot *snapshot = items[i], *old = face->latest;
        face->latest = snapshot;
        show(face, snapshot, old ? old->number : 0);
        cockpit_snapshot_release(old);
    }
}

void cockpit_face_give(struct cockpit_face *face, struct cockpit_snapshot *snapshot)
{
    if (queue_push(face->snapshots, cockpit_snapshot_hold(snapshot)) != ERR_OK)
        cockpit_snapshot_release(snapshot);
}

static void on_ping(struct loop_timer *timer)
{
    struct cockpit_face *face = container_of(timer, struct cockpit_face, ping_timer);
    struct json_writer w = begin(face);
    json_begin_object(&w);
    json_field_i64(&w, "time", clock_wall(face->cockpit->options.clock).ms);
    json_end_object(&w);
    for (size_t area = 0; area < area_n(hub_areas(face->cockpit->options.hub)); area++)
        send_to_all(face, (int)area, "ping");
    if (loop_timer_start(face->loop, timer, PING_MS) != ERR_OK)
        log_write(LOG_ERROR, "cockpit", "pings stopped", LOG_END);
}

/* ---- viewers ---- */

static void viewer_closed(void *context)
{
    struct cockpit_viewer *viewer = context;
    *viewer->at = viewer->next;
    if (viewer->next)
        viewer->next->at = viewer->at;
    mem_free(viewer);
}

/* All that the viewer needs to draw, once; from then on what changes. */
static void greet(struct cockpit_face *face, struct cockpit_viewer *viewer)
{
    const struct cockpit_snapshot *s = face->latest;
    static const char *const events[] = {"indicators", "road_states", "ranking", "sources"};
    for (size_t i = 0; i < 4; i++) {
        struct json_writer w = begin(face);
        if (i == 0)
            cockpit_view_live(s, viewer->area, &w);
        else if (i == 1)
            cockpit_view_edges(s, viewer->area, 0, &w);
        else if (i == 2)
            render_ranking(face, s, viewer->area);
        else
            cockpit_view_sources(s, viewer->area, &w);
        if (face->scratch.err != ERR_OK || http_stream_send(viewer->stream, events[i], buf_str(&face->scratch)) != ERR_OK)
            return; /* it is being closed */
    }
}

void cockpit_face_live(struct cockpit_face *face, struct http_exchange *x, int area)
{
    struct cockpit_viewer *viewer = mem_alloc_zero(1, sizeof(*viewer));
    if (!viewer) {
        http_reply_err(x, ERR_NO_MEMORY, STR("no memory for another viewer; try again later"));
        return;
    }
    *viewer = (struct cockpit_viewer){.face = face, .area = area, .next = face->viewers[area], .at = &face->viewers[area]};
    enum err err = http_reply_stream(x, viewer_closed, viewer, &viewer->stream);
    if (err != ERR_OK) { /* it has answered 503 by itself */
        mem_free(viewer);
        return;
    }
    if (viewer->next)
        viewer->next->at = &viewer->next;
    face->viewers[area] = viewer;
    if (face->latest)
        greet(face, viewer);
}

/* ---- life ---- */

static void release_face(struct cockpit_face *face)
{
    queue_destroy(face->snapshots);
    cockpit_snapshot_release(face->latest);
    buf_finish(&face->scratch);
    mem_free(face->viewers);
    mem_free(face);
}

enum err cockpit_face_create(struct cockpit *cockpit, struct loop *http_loop, struct cockpit_face **ret_face)
{
    struct cockpit_face *face = mem_alloc_zero(1, sizeof(*face));
    if (!face)
        return ERR_NO_MEMORY;
    *face = (struct cockpit_face){.cockpit = cockpit, .loop = http_loop, .ping_timer = {.fn = on_ping}};
    buf_init(&face->scratch, EVENT_MAX);
    enum err err = ERR_NO_MEMORY;
    face->viewers = mem_alloc_zero(area_n(hub_areas(cockpit->options.hub)), sizeof(struct cockpit_viewer *));
    if (face->viewers)
        err = queue_create(http_loop, COCKPIT_SNAPSHOTS_WAITING, take_snapshots, face, &face->snapshots);
    if (err == ERR_OK)
        err = loop_timer_start(http_loop, &face->ping_timer, PING_MS);
    if (err == ERR_OK) {
        pthread_mutex_lock(&cockpit->mutex);
        if (cockpit->n_faces == COCKPIT_FACES_MAX)
            err = ERR_FULL;
        else
            cockpit->faces[cockpit->n_faces++] = face;
        if (err == ERR_OK && cockpit->latest)
            face->latest = cockpit_snapshot_hold(cockpit->latest);
        pthread_mutex_unlock(&cockpit->mutex);
    }
    if (err != ERR_OK) {
        loop_timer_stop(&face->ping_timer);
        release_face(face);
        return err;
    }
    *ret_face = face;
    return ERR_OK;
}

struct http_mount cockpit_face_mount(struct cockpit_face *face)
{
    return (struct http_mount){.routes = cockpit_routes, .n_routes = cockpit_n_routes, .context = face};
}

static void nothing(void *context) {}

void cockpit_face_destroy(struct cockpit_face *face)
{
    if (!face)
        return;
    struct cockpit *cockpit = face->cockpit;
    pthread_mutex_lock(&cockpit->mutex);
    for (size_t i = 0; i < cockpit->n_faces; i++)
        if (cockpit->faces[i] == face)
            cockpit->faces[i] = cockpit->faces[--cockpit->n_faces];
    pthread_mutex_unlock(&cockpit->mutex);
    loop_thread_call(cockpit->thread, nothing, NULL); /* a snapshot on its way has arrived */
    release_face(face);
}
