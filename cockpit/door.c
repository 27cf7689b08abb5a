/*
 * The cockpit's routes. Formats: docs/cockpit.md. All are for officials (HTTP_OFFICIAL): a program uses the hub, under a contract of its
 * own, and a citizen sees who used their data. An area outside of the asker's subtree looks like one that does not exist.
 */
#include "cockpit/cockpit_internal.h"

#include <stddef.h>

#define ANSWER_MAX (64u << 20)
#define RANKING_LIMIT_MAX 1000
#define DAY_MS 86400000

int cockpit_area_asked(struct cockpit_face *face, struct http_exchange *x)
{
    const struct http_identity *identity = http_identity(x);
    struct str asked = http_query(x, "area");
    if (str_is_empty(asked))
        asked = identity->area;
    int area = area_find(hub_areas(face->cockpit->options.hub), asked);
    if (area < 0 || !area_is_within(asked, identity->area)) {
        http_reply_err(x, ERR_NOT_FOUND, STR("no such area for you; GET /cockpit/v1/areas lists yours"));
        return -1;
    }
    return area;
}

/* What most routes share: the area, a snapshot, a buffer, one view, the answer. */
static void reply_view(
    struct http_exchange *x, void *context, void (*view)(const struct cockpit_snapshot *s, int area, struct json_writer *w))
{
    struct cockpit_face *face = context;
    struct buf out;
    struct json_writer w;
    int area = cockpit_area_asked(face, x);
    if (area < 0)
        return;
    if (!face->latest) {
        http_reply_err(x, ERR_UNAVAILABLE, STR("the cockpit is starting; try again in a second"));
        return;
    }
    buf_init(&out, ANSWER_MAX);
    json_writer_init(&w, &out);
    view(face->latest, area, &w);
    if (out.err == ERR_OK)
        http_reply_json(x, 200, buf_str(&out));
    else
        http_reply_err(x, out.err, STR("the answer could not be composed"));
    buf_finish(&out);
}

static void view_all_edges(const struct cockpit_snapshot *s, int area, struct json_writer *w)
{
    struct cockpit_part all = {.end = s->n_edges, .limit = s->n_edges};
    cockpit_view_edges(s, area, 0, &all, w);
}

static void view_all_sources(const struct cockpit_snapshot *s, int area, struct json_writer *w)
{
    struct cockpit_part all = {.end = s->n_sources, .limit = s->n_sources};
    cockpit_view_sources(s, area, &all, w);
}

static void handle_indicators(struct http_exchange *x, void *context)
{
    reply_view(x, context, cockpit_view_indicators);
}
static void handle_road_states(struct http_exchange *x, void *context)
{
    reply_view(x, context, view_all_edges);
}
static void handle_zone_states(struct http_exchange *x, void *context)
{
    reply_view(x, context, cockpit_view_zones);
}
static void handle_sources(struct http_exchange *x, void *context)
{
    reply_view(x, context, view_all_sources);
}

/* A list of which the worst `limit` are asked for. */
static void reply_worst(struct http_exchange *x, struct cockpit_face *face,
    void (*view)(const struct cockpit_snapshot *s, int area, size_t limit, struct json_writer *w, struct arena *arena))
{
    uint64_t limit = 20;
    struct buf out;
    struct json_writer w;
    int area = cockpit_area_asked(face, x);
    if (area < 0)
        return;
    struct str asked = http_query(x, "limit");
    if (!str_is_empty(asked) && (str_to_u64(asked, &limit) != ERR_OK || limit == 0 || limit > RANKING_LIMIT_MAX)) {
        http_reply_err(x, ERR_RANGE, STR("limit is a number from 1 to 1000"));
        return;
    }
    if (!face->latest) {
        http_reply_err(x, ERR_UNAVAILABLE, STR("the cockpit is starting; try again in a second"));
        return;
    }
    buf_init(&out, ANSWER_MAX);
    json_writer_init(&w, &out);
    view(face->latest, area, limit, &w, http_arena(x));
    http_reply_json(x, 200, buf_str(&out));
    buf_finish(&out);
}

static void handle_ranking(struct http_exchange *x, void *context)
{
    reply_worst(x, context, cockpit_view_ranking);
}
static void handle_junctions(struct http_exchange *x, void *context)
{
    reply_worst(x, context, cockpit_view_junctions);
}

static void put_outline(struct json_writer *w, const struct area *area)
{
    json_key(w, "outline");
    json_begin_array(w);
    for (size_t i = 0; i < area->n_points; i++) {
        json_begin_array(w);
        json_put_fixed(w, area->points[i].lon, 6);
        json_put_fixed(w, area->points[i].lat, 6);
        json_end_array(w);
    }
    json_end_array(w);
}

static void put_area(const struct area_tree *areas, const struct area *area, bool is_own, struct json_writer *w)
{
    struct cockpit_text title = {area->title_zh, area->title_en};
    json_begin_object(w);
    json_field_str(w, "name", area->name);
    json_key(w, "parent");
    if (area->parent >= 0)
        json_put_str(w, area_at(areas, (size_t)area->parent)->name);
    else
        json_put_null(w);
    json_field_str(w, "level", area->level);
    cockpit_put_text(w, "title", &title);
    json_field_bool(w, "own", is_own);
    if (is_own)
        put_outline(w, area);
    json_end_object(w);
}

/* The asker's subtree, and for the way up the names of what lies above. */
static void handle_areas(struct http_exchange *x, void *context)
{
    struct cockpit_face *face = context;
    const struct area_tree *areas = hub_areas(face->cockpit->options.hub);
    struct str own = http_identity(x)->area;
    struct buf out;
    struct json_writer w;
    buf_init(&out, ANSWER_MAX);
    json_writer_init(&w, &out);
    json_begin_array(&w);
    for (size_t i = 0; i < area_n(areas); i++) {
        const struct area *area = area_at(areas, i);
        bool is_own = area_is_within(area->name, own);
        if (is_own || area_is_within(own, area->name))
            put_area(areas, area, is_own, &w);
    }
    json_end_array(&w);
    if (out.err == ERR_OK)
        http_reply_json(x, 200, buf_str(&out));
    else
        http_reply_err(x, out.err, STR("the answer could not be composed"));
    buf_finish(&out);
}

/* ---- history: read on the store's thread, answered on this loop ---- */

struct history_request {
    struct cockpit_history history;
    struct http_exchange *x;
};

static void history_read(struct cockpit_history *history)
{
    struct history_request *request = container_of(history, struct history_request, history);
    enum err err = history->err;
    struct buf out;
    struct json_writer w;
    buf_init(&out, ANSWER_MAX);
    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_field_str(&w, "indicator", history->indicator->name);
    json_field_str(&w, "area", history->area);
    json_field_i64(&w, "period_ms", history->indicator->period_ms);
    json_key(&w, "points");
    json_put_raw(&w, buf_str(&history->points));
    json_end_object(&w);
    err = err != ERR_OK ? err : out.err;
    buf_finish(&history->points); /* now: the request lies in the exchange's arena, and may be gone with the reply */
    if (err == ERR_OK)
        http_reply_json(request->x, 200, buf_str(&out));
    else
        http_reply_err(request->x, err, STR("the history could not be read"));
    buf_finish(&out);
}

static bool read_ms(struct http_exchange *x, const char *name, int64_t otherwise, int64_t *ret_ms)
{
    struct str text = http_query(x, name);
    *ret_ms = otherwise;
    return str_is_empty(text) || str_to_i64(text, ret_ms) == ERR_OK;
}

static void handle_history(struct http_exchange *x, void *context)
{
    struct cockpit_face *face = context;
    int64_t now = clock_wall(face->cockpit->options.clock).ms, from, to;
    int area = cockpit_area_asked(face, x);
    if (area < 0)
        return;
    int indicator = cockpit_config_find(face->cockpit->options.config, http_query(x, "indicator"));
    if (indicator < 0) {
        http_reply_err(x, ERR_NOT_FOUND, STR("no such indicator; GET /cockpit/v1/indicators lists them"));
        return;
    }
    if (!read_ms(x, "to", now + 1, &to) || !read_ms(x, "from", to - DAY_MS, &from) || from > to) {
        http_reply_err(x, ERR_RANGE, STR("from and to are milliseconds since 1970, from not after to"));
        return;
    }
    struct history_request *request = arena_alloc_zero(http_arena(x), 1, sizeof(*request));
    if (!request) {
        http_reply_err(x, ERR_NO_MEMORY, STR("no memory"));
        return;
    }
    request->x = x;
    request->history = (struct cockpit_history){.indicator = cockpit_config_at(face->cockpit->options.config, (size_t)indicator),
        .area = area_at(hub_areas(face->cockpit->options.hub), (size_t)area)->name,
        .from_ms = from,
        .to_ms = to,
        .loop = face->loop,
        .done = history_read};
    cockpit_store_read(face->cockpit->store, &request->history);
}

/* ---- the map ---- */

#define NO_FEATURES STR("{\"type\":\"FeatureCollection\",\"features\":[]}")

static void reply_object(struct http_exchange *x, struct cockpit_object *object, struct str missing)
{
    struct cockpit_bytes *bytes = cockpit_object_take(object);
    if (!bytes) {
        http_reply_err(x, ERR_UNAVAILABLE, missing);
        return;
    }
    http_add_header(x, "Citybrain-Receipt", str_from_c(bytes->receipt));
    http_reply(x, 200, "application/geo+json", buf_str(&bytes->bytes));
    cockpit_bytes_release(bytes);
}

static void handle_roads(struct http_exchange *x, void *context)
{
    struct cockpit_face *face = context;
    reply_object(x, &face->cockpit->roads, STR("the roads are not there yet; try again in a moment"));
}

/* A city without zones has an empty map of them. */
static void handle_zones(struct http_exchange *x, void *context)
{
    struct cockpit_face *face = context;
    if (str_is_empty(face->cockpit->zones.resource))
        http_reply(x, 200, "application/geo+json", NO_FEATURES);
    else
        reply_object(x, &face->cockpit->zones, STR("the zones are not there yet; try again in a moment"));
}

static void handle_ground(struct http_exchange *x, void *context)
{
    struct cockpit_face *face = context;
    if (face->cockpit->options.ground_path)
        http_reply_file(x, face->cockpit->options.ground_path, "private, max-age=3600");
    else
        http_reply(x, 200, "application/geo+json", NO_FEATURES);
}

static void handle_live(struct http_exchange *x, void *context)
{
    struct cockpit_face *face = context;
    int area = cockpit_area_asked(face, x);
    if (area >= 0)
        cockpit_face_live(face, x, area);
}

const struct http_route cockpit_routes[] = {
    {HTTP_GET, "/cockpit/v1/areas", HTTP_OFFICIAL, 0, handle_areas, "The asker's areas, with their outlines", .answer = "Areas"},
    {HTTP_GET, "/cockpit/v1/indicators", HTTP_OFFICIAL, 0, handle_indicators, "Every indicator of an area, with its newest value",
        .answer = "Indicators", .query = "area?"},
    {HTTP_GET, "/cockpit/v1/history", HTTP_OFFICIAL, 0, handle_history, "Recorded values of one indicator and area", .answer = "History",
        .query = "indicator area? from? to?"},
    {HTTP_GET, "/cockpit/v1/ranking", HTTP_OFFICIAL, 0, handle_ranking, "Roads of an area, the slowest first", .answer = "Ranking",
        .query = "area? limit?"},
    {HTTP_GET, "/cockpit/v1/junctions", HTTP_OFFICIAL, 0, handle_junctions, "Junctions within an area, the longest wait first",
        .answer = "Junctions", .query = "area? limit?"},
    {HTTP_GET, "/cockpit/v1/road_states", HTTP_OFFICIAL, 0, handle_road_states, "Speed, delay index and flow of each road edge",
        .answer = "RoadStates", .query = "area?"},
    {HTTP_GET, "/cockpit/v1/roads", HTTP_OFFICIAL, 0, handle_roads,
        "The road network as GeoJSON; its receipt is in the header Citybrain-Receipt", .answer = "GeoJson",
        .media_type = "application/geo+json"},
    {HTTP_GET, "/cockpit/v1/ground", HTTP_OFFICIAL, 0, handle_ground, "Water and green of the map as GeoJSON", .answer = "GeoJson",
        .media_type = "application/geo+json"},
    {HTTP_GET, "/cockpit/v1/zones", HTTP_OFFICIAL, 0, handle_zones,
        "Outlines of restricted zones as GeoJSON; its receipt is in the header Citybrain-Receipt", .answer = "GeoJson",
        .media_type = "application/geo+json"},
    {HTTP_GET, "/cockpit/v1/zone_states", HTTP_OFFICIAL, 0, handle_zone_states,
        "Vehicles in each restricted zone now and through it today, by class of plates", .answer = "ZoneStates", .query = "area?"},
    {HTTP_GET, "/cockpit/v1/sources", HTTP_OFFICIAL, 0, handle_sources, "Sources of an area and their health", .answer = "Sources",
        .query = "area?"},
    {HTTP_GET, "/cockpit/v1/why", HTTP_OFFICIAL, 0, cockpit_handle_why,
        "Why this number: definition, source, contract, freshness and receipt", .answer = "Why", .query = "indicator area?"},
    {HTTP_GET, "/cockpit/v1/live", HTTP_OFFICIAL, 0, handle_live, "Live values as server-sent events (docs/cockpit.md)",
        .media_type = "text/event-stream", .query = "area?"},
};
const size_t cockpit_n_routes = sizeof(cockpit_routes) / sizeof(cockpit_routes[0]);
