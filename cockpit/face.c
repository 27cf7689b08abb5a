/*
 * A face: the cockpit on one HTTP loop. It gets each snapshot once, renders each event once an area, and sends it to all
 * viewers of that area.
 */
#include "base/log.h"
#include "base/mem.h"
#include "cockpit/cockpit_internal.h"

#include <stddef.h>

#define PING_MS 10000
#define EVENT_MAX (1u << 20) /* bytes of one event: no more than a viewer's queue holds; lists that may be longer go in parts */
#define RANKING_LIVE 12      /* roads in the live event */
#define JUNCTIONS_LIVE 12    /* junctions */

static void send_to_all(struct cockpit_face *face, int area, const char *event)
{
    if (face->scratch.err != ERR_OK) {
        log_write(LOG_ERROR, "cockpit", "an event could not be composed", LOG_TEXT("event", event), LOG_ERR(face->scratch.err), LOG_END);
        return;
    }
    for (struct cockpit_viewer *viewer = face->viewers[area], *next; viewer; viewer = next) {
        next = viewer->next;
        cockpit_viewer_send(viewer, event);
    }
}

struct json_writer cockpit_face_begin(struct cockpit_face *face)
{
    struct json_writer w;
    buf_reset(&face->scratch);
    json_writer_init(&w, &face->scratch);
    return w;
}

void cockpit_face_ranking(struct cockpit_face *face, const struct cockpit_snapshot *s, int area)
{
    struct arena arena;
    arena_init(&arena, (COCKPIT_ROADS_MAX + 1) * sizeof(void *) + 4096);
    struct json_writer w = cockpit_face_begin(face);
    cockpit_view_ranking(s, area, RANKING_LIVE, &w, &arena);
    arena_finish(&arena);
}

void cockpit_face_junctions(struct cockpit_face *face, const struct cockpit_snapshot *s, int area)
{
    struct arena arena;
    arena_init(&arena, (COCKPIT_JUNCTIONS_MAX + 1) * sizeof(void *) + 4096);
    struct json_writer w = cockpit_face_begin(face);
    cockpit_view_junctions(s, area, JUNCTIONS_LIVE, &w, &arena);
    arena_finish(&arena);
}

void cockpit_face_zones(struct cockpit_face *face, const struct cockpit_snapshot *s, int area)
{
    struct json_writer w = cockpit_face_begin(face);
    cockpit_view_zones(s, area, &w);
}

static void send_recorded(struct cockpit_face *face, const struct cockpit_snapshot *s, int area)
{
    for (size_t i = 0; i < s->n_recorded; i++) {
        if (s->recorded[i].area != area && area_at(s->areas, (size_t)s->recorded[i].area)->parent != area)
            continue;
        struct json_writer w = cockpit_face_begin(face);
        cockpit_view_recorded(s, &s->recorded[i], &w);
        send_to_all(face, area, "recorded");
    }
}

/* What changed, once for all viewers of the area; when that is too much at once, all of it to each as it takes it. */
static void show_edges(struct cockpit_face *face, const struct cockpit_snapshot *s, int area, uint64_t after)
{
    struct cockpit_part part = {.end = s->n_edges, .limit = COCKPIT_EDGES_PART};
    for (int i = 0; i < COCKPIT_EDGES_PARTS && (i == 0 || part.at < part.end); i++) {
        struct json_writer w = cockpit_face_begin(face);
        cockpit_view_edges(s, area, after, &part, &w);
        if (i == 0 || part.n > 0)
            send_to_all(face, area, "road_states");
    }
    for (struct cockpit_viewer *viewer = face->viewers[area], *next; viewer && part.at < part.end; viewer = next) {
        next = viewer->next;
        cockpit_viewer_tell_edges(viewer);
    }
}

static void show_sources(struct cockpit_face *face, const struct cockpit_snapshot *s, int area)
{
    struct cockpit_part part = {.end = s->n_sources, .limit = COCKPIT_SOURCES_PART};
    struct json_writer w = cockpit_face_begin(face);
    cockpit_view_sources(s, area, &part, &w);
    if (part.at == part.end) {
        send_to_all(face, area, "sources");
        return;
    }
    for (struct cockpit_viewer *viewer = face->viewers[area], *next; viewer; viewer = next) {
        next = viewer->next;
        cockpit_viewer_tell_sources(viewer);
    }
}

static void show(struct cockpit_face *face, const struct cockpit_snapshot *s, uint64_t after)
{
    for (int area = 0; area < (int)area_n(s->areas); area++) {
        if (!face->viewers[area])
            continue;
        struct json_writer w = cockpit_face_begin(face);
        cockpit_view_live(s, area, &w);
        send_to_all(face, area, "indicators");
        show_edges(face, s, area, after);
        cockpit_face_ranking(face, s, area);
        send_to_all(face, area, "ranking");
        cockpit_face_junctions(face, s, area);
        send_to_all(face, area, "junctions");
        cockpit_face_zones(face, s, area);
        send_to_all(face, area, "zone_states");
        if (s->sources_changed)
            show_sources(face, s, area);
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
    struct json_writer w = cockpit_face_begin(face);
    json_begin_object(&w);
    json_field_i64(&w, "time", clock_wall(face->cockpit->options.clock).ms);
    json_end_object(&w);
    for (size_t area = 0; area < area_n(hub_areas(face->cockpit->options.hub)); area++)
        send_to_all(face, (int)area, "ping");
    if (loop_timer_start(face->loop, timer, PING_MS) != ERR_OK)
        log_write(LOG_ERROR, "cockpit", "pings stopped", LOG_END);
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
    return (struct http_mount){.routes = cockpit_routes, .n_routes = cockpit_n_routes, .context = face, .schemas = cockpit_schemas};
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
