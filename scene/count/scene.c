/*
 * 数数 (count): the shell around the pure core. Rows of camera passages become its events, its figures become rows of the
 * scene's own streams; nothing is computed here.
 *
 * Each second: indicators of every area with cameras or roads, the edges and roads that changed. At the end of each period the
 * same indicators as the period's means, for the record. At the start: the network as GeoJSON, once.
 *
 * A publisher that is refused (a subscriber is behind) drops what the next second tells anew, and keeps what is for the record.
 */
#include "scene/count/scene.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/str_map.h"
#include "hub/indicator.h"
#include "hub/need.h"
#include "road/geojson.h"
#include "road/nearest.h"
#include "scene/count/core.h"
#include "scene/count/detectors.h"
#include "scene/count/health.h"
#include "scene/count/junction_tell.h"
#include "scene/count/kept.h"
#include "scene/count/load.h"
#include "scene/count/measure.h"
#include "scene/count/outlines.h"
#include "scene/count/parts_live.h"
#include "scene/count/position.h"
#include "scene/count/usual_day.h"
#include "scene/count/ways.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define CAMERA_DISTANCE_M 40.0     /* from a camera to the stop line it watches: a wide junction */
#define CAMERA_HEADING_DEG 45.0    /* between the camera's heading and its road's */
#define ROWS_BYTES_MAX (32u << 20) /* one batch: 100,000 edges a second are 20 MB */
#define GEOJSON_BYTES_MAX (512u << 20)
#define RECORDS_KEPT 30 /* batches for the record that wait for a slow subscriber: an hour of two minutes */
#define REPLAY_MS 3600000

enum passage_field {
    PASSAGE_CAMERA,
    PASSAGE_VEHICLE,
    PASSAGE_TIME,
    PASSAGE_ARRIVED,
    PASSAGE_LON,
    PASSAGE_LAT,
    PASSAGE_HEADING,
    PASSAGE_CONFIDENCE,
    PASSAGE_N_FIELDS
};

static const char *const passage_fields[] = {"camera", "vehicle", "time", "arrived", "lon", "lat", "heading", "confidence", NULL};

enum need { NEED_PASSAGE, NEED_POSITION, NEED_LOOP };
static const struct scene_need needs[] = {
    [NEED_PASSAGE] = {"passage", "traffic.count", passage_fields, REPLAY_MS, false},
    [NEED_POSITION] = {"position", "traffic.count", count_position_fields, 0, true},
    [NEED_LOOP] = {"loop", "traffic.count", count_loop_fields, 0, true},
};

struct scene_count {
    struct hub *hub;
    const struct area_tree *tree;
    struct road_network *network;
    struct road_nearest *nearest;
    uint16_t *edge_areas;  /* [n_edges] */
    int32_t *area_parents; /* [area_n(tree)] */
    struct clock *clock;
    struct count *count;
    struct count_gps *gps;            /* NULL: the scene's file names no floating cars */
    struct count_detectors detectors; /* of loops */
    struct count_kept kept;           /* its cameras by name, and its state on the disk */
    struct scene_env env;
    struct count_live live; /* where the plates are */
    struct count_health health;
    struct count_index *index;     /* NULL: the city has none */
    struct count_usual_day *usual; /* NULL: it learns no usual day */
    struct count_junction_tell junctions;
    struct count_outline_tell *outlines; /* NULL: the scene's file names none */
    struct count_ways *ways;             /* NULL: the scene's file declares no table `route` */
    const struct hub_resource *indicator, *road_state, *road_index, *road, *junction_index, *route; /* the last two may be NULL */
    char basis[HUB_RECEIPT_MAX]; /* receipt of the window that the latest passages came in */
    int64_t record_ms, keep_ms;
    struct rows *records[RECORDS_KEPT]; /* oldest first; owned */
    size_t n_records;
    uint64_t n_dropped, n_records_lost; /* batches */
    uint64_t n_points_refused;
    struct count_measured measured;
};

/* ---- passages ---- */

/* The road that a camera watches, by its place and heading in a passage; ROAD_NONE: it tells none, or there is none. */
static uint32_t camera_edge(struct scene_count *scene, const struct value *row)
{
    struct road_nearest_query query = {.heading_tolerance = CAMERA_HEADING_DEG, .max_distance_m = CAMERA_DISTANCE_M, .cars_only = true};
    struct road_match match;
    if (!value_to_real(row[PASSAGE_LON], &query.point.lon) || !value_to_real(row[PASSAGE_LAT], &query.point.lat))
        return ROAD_NONE;
    query.has_heading = value_to_real(row[PASSAGE_HEADING], &query.heading);
    return road_nearest_find(scene->nearest, &query, &match) ? match.edge : ROAD_NONE;
}

/* The core's number of a camera, found on the network the first time it speaks. COUNT_NONE: it watches no road of ours. */
static uint32_t camera_number(struct scene_count *scene, const struct value *row)
{
    uint32_t number;
    if (count_kept_find(&scene->kept, row[PASSAGE_CAMERA].s, &number))
        return number;
    if (row[PASSAGE_LON].type == VALUE_NULL || row[PASSAGE_LAT].type == VALUE_NULL)
        return COUNT_NONE;
    return count_kept_place(&scene->kept, row[PASSAGE_CAMERA].s, camera_edge(scene, row));
}

/* As the core has it: a camera that tells none is believed, and one that tells 0 is not. */
static uint8_t confidence_of(struct value value)
{
    int64_t told = value.type == VALUE_INTEGER ? value.i : -1;
    return told < 0 ? 0 : told == 0 ? 1 : told > 100 ? 100 : (uint8_t)told;
}

static void on_passages(struct scene_count *scene, const struct hub_window *window, const struct rows *rows)
{
    snprintf(scene->basis, sizeof(scene->basis), STR_FORMAT, STR_ARG(window->receipt));
    for (size_t i = 0; i < rows_n(rows); i++) {
        const struct value *row = rows_at(rows, i);
        if (row[PASSAGE_CAMERA].type != VALUE_TEXT || row[PASSAGE_VEHICLE].type != VALUE_TEXT || row[PASSAGE_TIME].type != VALUE_TIME ||
            row[PASSAGE_ARRIVED].type != VALUE_TIME || str_is_empty(row[PASSAGE_VEHICLE].s))
            continue; /* a passage without a plate that could be read: the camera kept it, it moves nothing here */
        uint32_t camera = camera_number(scene, row);
        if (camera == COUNT_NONE || count_kept_was_taken(&scene->kept, row[PASSAGE_ARRIVED].i))
            continue;
        struct count_event event = {.type = COUNT_PASSAGE,
            .passage = {.vehicle = str_hash(row[PASSAGE_VEHICLE].s),
                .camera = camera,
                .time_ms = row[PASSAGE_TIME].i,
                .arrived_ms = row[PASSAGE_ARRIVED].i,
                .confidence = confidence_of(row[PASSAGE_CONFIDENCE])}};
        count_live_passage(&scene->live, &event);
    }
}

/* ---- points of floating cars ---- */

/* Logged at powers of two, by why; neither vehicle nor place stands there. */
static void tell_refused(struct scene_count *scene, enum count_gps_verdict why)
{
    scene->n_points_refused++;
    if ((scene->n_points_refused & (scene->n_points_refused - 1)) == 0)
        log_write(LOG_INFO, "scene/count", "a point of a floating car is not used", LOG_TEXT("why", count_gps_verdict_text(why)),
            LOG_INT("points", (int64_t)scene->n_points_refused), LOG_END);
}

static void on_drive(void *context, const struct count_drive *drive)
{
    count_drive(context, drive);
}

static void on_positions(struct scene_count *scene, const struct rows *rows)
{
    int64_t now_ms = clock_wall(scene->clock).ms;
    for (size_t i = 0; i < rows_n(rows) && scene->gps != NULL; i++) {
        struct count_gps_point point;
        if (!count_position_read(rows_at(rows, i), now_ms, &point))
            continue; /* nobody's point, or of no time */
        enum count_gps_verdict verdict = count_gps_add(scene->gps, &point);
        if (verdict != COUNT_GPS_TAKEN && verdict != COUNT_GPS_PARKED)
            tell_refused(scene, verdict);
    }
}

static void on_event(void *self, size_t need, const struct hub_window *window, struct rows *rows)
{
    struct scene_count *scene = self;
    if (need == NEED_POSITION)
        on_positions(self, rows);
    else if (need == NEED_LOOP)
        count_detectors_take(&scene->detectors, rows, clock_wall(scene->clock).ms, &scene->live);
    else
        on_passages(self, window, rows);
}

/* ---- figures ---- */

static struct value sources_text(unsigned sources)
{
    static const struct str texts[] = {STR_INIT(""), STR_INIT("camera"), STR_INIT("gps"), STR_INIT("camera gps"), STR_INIT("loop"),
        STR_INIT("camera loop"), STR_INIT("gps loop"), STR_INIT("camera gps loop")};
    return sources == 0 ? VALUE_NONE : value_text(texts[sources & (COUNT_SOURCE_CAMERA | COUNT_SOURCE_GPS | COUNT_SOURCE_LOOP)]);
}

static struct value real_or_null(double real)
{
    return isfinite(real) ? value_real(real) : VALUE_NONE;
}

struct figure { /* one indicator of an area */
    const char *name, *made_by;
    double real;
    uint32_t n;
    double usual;
};

static enum err add_indicator(struct scene_count *scene, struct rows *rows, const struct figure *figure, size_t area, int64_t time_ms,
    int64_t period_ms, int64_t stale_since_ms)
{
    struct value values[HUB_INDICATOR_N_FIELDS_MAX] = {
        [HUB_INDICATOR_NAME] = value_text(str_from_c(figure->name)),
        [HUB_INDICATOR_AREA] = value_text(area_at(scene->tree, area)->name),
        [HUB_INDICATOR_TIME] = value_time(time_ms),
        [HUB_INDICATOR_PERIOD_MS] = value_integer(period_ms),
        [HUB_INDICATOR_VALUE] = real_or_null(figure->real),
        [HUB_INDICATOR_N] = value_integer(figure->n),
        [HUB_INDICATOR_STALE_SINCE] = stale_since_ms == COUNT_FRESH ? VALUE_NONE : value_time(stale_since_ms),
        [HUB_INDICATOR_BASIS] = value_text(str_from_c(scene->basis)),
        [HUB_INDICATOR_MADE_BY] = value_text(str_from_c(figure->made_by)),
        [HUB_INDICATOR_USUAL] = real_or_null(figure->usual),
    };
    return rows_add(rows, values);
}

/* Takes `rows`. */
static struct rows *whole_or_none(struct rows *rows, enum err err)
{
    if (err == ERR_OK)
        return rows;
    rows_release(rows);
    return NULL;
}

/* The formulas' names and versions are those of docs/count-method.md; the indices' are the city's own. */
static struct rows *indicator_rows(struct scene_count *scene, const struct count_area_figures *areas, int64_t time_ms, int64_t period_ms)
{
    struct rows *rows = NULL;
    const char *index = count_index_made_by(scene->index), *count = "count.balance/2";
    bool has_congestion = scene->index != NULL && scene->index->measure != COUNT_MEASURE_NONE;
    enum err err = rows_create(HUB_INDICATOR_N_FIELDS_MAX, ROWS_BYTES_MAX, &rows);
    for (size_t i = 0; i < area_n(scene->tree) && err == ERR_OK; i++) {
        const struct count_area_figures *area = &areas[i];
        double usual = scene->usual != NULL ? count_usual_day_area(scene->usual, i).usual : NAN;
        const struct figure figures[] = {
            {"vehicles_in_transit", count, area->vehicles, area->n_vehicles, NAN},
            {"vehicles_in_transit_low", count, area->low, area->n_vehicles, NAN}, /* the 90 % interval */
            {"vehicles_in_transit_high", count, area->high, area->n_vehicles, NAN},
            {"flow", "flow.mean/2", area->flow_vph, area->n_passages, NAN},
            {"mean_speed", "speed.space_mean/2", area->speed_mps, area->n_links, NAN},
            {"delay_index", index, area->delay_index, area->n_links, usual},
            {"vehicle_km", "vkt.observed/2", area->vehicle_km_ph, area->n_passages, NAN},
            {"congestion_index", index, area->congestion_index, area->n_links, NAN}, /* the last: not every city has one */
        };
        for (size_t k = 0; area->is_told && k < sizeof(figures) / sizeof(figures[0]) - !has_congestion && err == ERR_OK; k++)
            err = add_indicator(scene, rows, &figures[k], i, time_ms, period_ms, area->stale_since_ms);
    }
    return whole_or_none(rows, err);
}

static struct value level_or_null(uint8_t level)
{
    return level != COUNT_LEVEL_NONE ? value_integer(level) : VALUE_NONE;
}

static struct rows *state_rows(struct scene_count *scene, const struct count_updates *updates)
{
    struct rows *rows = NULL;
    enum err err = rows_create(HUB_ROAD_STATE_N_FIELDS, ROWS_BYTES_MAX, &rows);
    for (uint32_t i = 0; i < updates->n_edges && err == ERR_OK; i++) {
        const struct count_edge_state *state = &updates->edges[i];
        struct value values[HUB_ROAD_STATE_N_FIELDS] = {
            [HUB_ROAD_STATE_EDGE] = value_text(scene->network->edges[state->edge].id),
            [HUB_ROAD_STATE_TIME] = value_time(updates->time_ms),
            [HUB_ROAD_STATE_SPEED_MPS] = real_or_null(state->speed_mps),
            [HUB_ROAD_STATE_DELAY_INDEX] = real_or_null(state->delay_index),
            [HUB_ROAD_STATE_FLOW_VPH] = real_or_null(state->flow_vph),
            [HUB_ROAD_STATE_N] = value_integer(state->n),
            [HUB_ROAD_STATE_SOURCES] = sources_text(state->sources),
            [HUB_ROAD_STATE_LEVEL] = level_or_null(state->level),
            [HUB_ROAD_STATE_MADE_BY] = value_text(str_from_c(count_index_made_by(scene->index))),
        };
        err = rows_add(rows, values);
    }
    return whole_or_none(rows, err);
}

/* The usual day of a road, into its row. */
static void put_usual(const struct scene_count *scene, uint32_t road, struct value values[HUB_ROAD_INDEX_N_FIELDS])
{
    if (scene->usual == NULL)
        return; /* null, all of it */
    struct count_usual_now now = count_usual_day_road(scene->usual, road);
    values[HUB_ROAD_INDEX_USUAL] = real_or_null(now.usual);
    values[HUB_ROAD_INDEX_USUAL_STATE] = value_text(str_from_c(count_usual_state_names[now.state]));
    values[HUB_ROAD_INDEX_USUAL_SINCE] = now.since_ms > 0 ? value_time(now.since_ms) : VALUE_NONE;
    values[HUB_ROAD_INDEX_USUAL_DAYS] = value_integer(now.n_days);
}

static struct rows *index_rows(struct scene_count *scene, const struct count_updates *updates)
{
    struct rows *rows = NULL;
    enum err err = rows_create(HUB_ROAD_INDEX_N_FIELDS, ROWS_BYTES_MAX, &rows);
    for (uint32_t i = 0; i < updates->n_roads && err == ERR_OK; i++) {
        const struct count_road_state *road = &updates->roads[i];
        const struct count_level *level = road->level != COUNT_LEVEL_NONE ? &scene->index->levels[road->level] : NULL;
        struct value values[HUB_ROAD_INDEX_N_FIELDS] = {
            [HUB_ROAD_INDEX_ROAD] = value_text(str_map_key(scene->network->names, road->name)),
            [HUB_ROAD_INDEX_AREA] = value_text(area_at(scene->tree, road->area)->name),
            [HUB_ROAD_INDEX_TIME] = value_time(updates->time_ms),
            [HUB_ROAD_INDEX_SPEED_MPS] = real_or_null(road->speed_mps),
            [HUB_ROAD_INDEX_DELAY_INDEX] = real_or_null(road->delay_index),
            [HUB_ROAD_INDEX_FLOW_VPH] = real_or_null(road->flow_vph),
            [HUB_ROAD_INDEX_LENGTH_M] = real_or_null(road->length_m),
            [HUB_ROAD_INDEX_N] = value_integer(road->n),
            [HUB_ROAD_INDEX_SOURCES] = sources_text(road->sources),
            [HUB_ROAD_INDEX_VEHICLE_KM_PH] = real_or_null(road->vehicle_km_ph),
            [HUB_ROAD_INDEX_LEVEL] = level_or_null(road->level),
            [HUB_ROAD_INDEX_LEVELS] = value_integer(scene->index != NULL ? (int64_t)scene->index->n_levels : 0),
            [HUB_ROAD_INDEX_LEVEL_ZH] = level != NULL ? value_text(level->title_zh) : VALUE_NONE,
            [HUB_ROAD_INDEX_LEVEL_EN] = level != NULL ? value_text(level->title_en) : VALUE_NONE,
            [HUB_ROAD_INDEX_MADE_BY] = value_text(str_from_c(count_index_made_by(scene->index))),
            [HUB_ROAD_INDEX_VEHICLES] = real_or_null(road->vehicles.value),
            [HUB_ROAD_INDEX_VEHICLES_LOW] = real_or_null(road->vehicles.low),
            [HUB_ROAD_INDEX_VEHICLES_HIGH] = real_or_null(road->vehicles.high),
        };
        put_usual(scene, road->road, values);
        err = rows_add(rows, values);
    }
    return whole_or_none(rows, err);
}

/* For the screen: what is refused now is told anew in a second. Takes `rows`, which may be NULL (no memory). */
static void publish_now(struct scene_count *scene, const struct hub_resource *resource, struct rows *rows)
{
    bool is_empty = rows != NULL && rows_n(rows) == 0;
    if (!is_empty && (rows == NULL || hub_publish(scene->hub, resource, rows) != ERR_OK)) {
        /* Logged at powers of two, so that a long trouble does not fill the log. */
        scene->n_dropped++;
        if ((scene->n_dropped & (scene->n_dropped - 1)) == 0)
            log_write(LOG_WARNING, "scene/count", "figures of a second were not taken", LOG_STR("resource", resource->name),
                LOG_INT("dropped", (int64_t)scene->n_dropped), LOG_END);
    }
    rows_release(rows);
}

static void lose_record(struct scene_count *scene, const char *why)
{
    scene->n_records_lost++;
    log_write(LOG_ERROR, "scene/count", "a period of the record is lost", LOG_TEXT("why", why),
        LOG_INT("lost", (int64_t)scene->n_records_lost), LOG_END);
}

/* The period's figures join those that wait. Takes `rows`; NULL: they could not be made. */
static void keep_record(struct scene_count *scene, struct rows *rows)
{
    if (rows == NULL) {
        lose_record(scene, "there is no memory for it, or it has more rows than a batch may");
        return;
    }
    if (scene->n_records == RECORDS_KEPT) {
        rows_release(scene->records[0]);
        memmove(scene->records, scene->records + 1, (RECORDS_KEPT - 1) * sizeof(*scene->records));
        scene->n_records--;
        lose_record(scene, "its subscriber does not take it");
    }
    scene->records[scene->n_records++] = rows;
}

/* For the record: what is refused waits its turn, in order. */
static void publish_records(struct scene_count *scene)
{
    size_t n_taken = 0;
    while (n_taken < scene->n_records && hub_publish(scene->hub, scene->indicator, scene->records[n_taken]) == ERR_OK)
        rows_release(scene->records[n_taken++]);
    scene->n_records -= n_taken;
    memmove(scene->records, scene->records + n_taken, scene->n_records * sizeof(*scene->records));
}

/* For who asks on another thread. */
static void leave_measured(struct scene_count *scene)
{
    const struct count_measured_of of = {scene->count, &scene->kept, &scene->health, scene->gps, &scene->detectors, scene->n_dropped,
        scene->junctions.n_dropped, count_usual_day_n_unlearned(scene->usual), scene->n_records, scene->n_records_lost};
    count_measured_take(&scene->measured, &of);
}

static void measure(const void *self, struct metric_page *page)
{
    const struct scene_count *scene = self;
    count_measured_tell(&scene->measured, page);
}

static void tell(void *context, const struct count_updates *updates)
{
    struct scene_count *scene = context;
    if (scene->usual != NULL)
        count_usual_day_tick(scene->usual, updates, scene->basis);
    publish_now(scene, scene->indicator, indicator_rows(scene, updates->areas, updates->time_ms, 1000));
    publish_now(scene, scene->road_state, state_rows(scene, updates));
    publish_now(scene, scene->road_index, index_rows(scene, updates));
    count_junction_tell_tick(&scene->junctions, updates);
    if (count_kept_tick(&scene->kept, count_live_is_full(&scene->live)))
        count_live_mark(&scene->live, count_kept_from(&scene->kept));
    count_outline_tell_tick(scene->outlines, scene->count, updates->time_ms);
    count_health_clones(&scene->health, scene->count, updates->clones, updates->n_clones);
    if (updates->record != NULL) {
        count_health_tell(&scene->health, scene->count, updates->time_ms);
        int64_t end_ms = updates->time_ms / scene->record_ms * scene->record_ms;
        keep_record(scene, indicator_rows(scene, updates->record, end_ms, scene->record_ms));
    }
}

static void on_taken(void *context, const struct count_event *event)
{
    struct scene_count *scene = context;
    count_kept_take(&scene->kept, event->passage.arrived_ms);
}

static void on_mark(void *context, const struct count_parts_mark *mark)
{
    struct scene_count *scene = context;
    count_kept_write(&scene->kept, mark);
}

static void on_tick(void *self, struct wall_time now)
{
    struct scene_count *scene = self;
    struct count_event event = {.type = COUNT_TICK, .now_ms = now.ms > 0 ? now.ms : 0};
    if (scene->gps != NULL)
        count_gps_tick(scene->gps, event.now_ms);
    const struct count_area_figures *stale = count_live_tick(&scene->live, &event);
    if (stale != NULL)
        publish_now(scene, scene->indicator, indicator_rows(scene, stale, event.now_ms, 1000));
    count_ways_tick(scene->ways, event.now_ms);
    publish_records(scene);
    leave_measured(scene);
}

/* ---- start and stop ---- */

static const char *const config_keys[] = {"scene", "party", "title", "needs", "network", "index", "record_every", "keep_every",
    "stale_after", "vehicles_max", "gps", "parts", "outlines", "resources", NULL};

static const struct hub_resource *own_resource(const struct scene_env *env, struct yaml_node config, struct diag_list *diags,
    const char *name, const char *const *fields, size_t n_fields)
{
    return hub_need_own(env->hub, env->party, name, fields, n_fields, "docs/count.md", config, diags);
}

static enum err find_resources(struct scene_count *scene, const struct scene_env *env, struct yaml_node config, struct diag_list *diags)
{
    scene->indicator = own_resource(env, config, diags, "indicator", hub_indicator_field_names, HUB_INDICATOR_N_FIELDS_MAX);
    scene->road_state = own_resource(env, config, diags, "road_state", hub_road_state_field_names, HUB_ROAD_STATE_N_FIELDS);
    scene->road_index = own_resource(env, config, diags, "road_index", hub_road_index_field_names, HUB_ROAD_INDEX_N_FIELDS);
    scene->road = own_resource(env, config, diags, "road", NULL, 0);
    enum err err = count_junction_tell_find(env, config, diags, &scene->junction_index);
    err = err != ERR_OK ? err : count_ways_find(env, config, diags, &scene->route);
    bool are_there = scene->indicator != NULL && scene->road_state != NULL && scene->road_index != NULL && scene->road != NULL;
    return are_there ? err : ERR_NOT_FOUND;
}

static struct str name_of_camera(void *context, uint32_t camera)
{
    struct scene_count *scene = context;
    return count_kept_name(&scene->kept, camera);
}

static struct str area_of_camera(void *context, uint32_t camera)
{
    const struct scene_count *scene = context;
    return area_at(scene->tree, scene->edge_areas[count_camera_edge(scene->count, camera)])->name;
}

/* Alerts go to whose passages they are about; the stream of cameras is told where the file declares it. */
static enum err prepare_health(struct scene_count *scene, const struct scene_env *env, struct yaml_node config, struct diag_list *diags)
{
    struct str resource;
    char full[256];
    int len = snprintf(full, sizeof(full), STR_FORMAT "/camera", STR_ARG(env->party));
    scene->health =
        (struct count_health){.hub = env->hub, .zone = env->zone, .name_of = name_of_camera, .area_of = area_of_camera, .context = scene};
    enum err err = yaml_get_str(yaml_get(config, "needs"), "passage", true, diags, &resource);
    if (err != ERR_OK)
        return err;
    for (size_t i = 0; i < resource.len; i++)
        if (resource.ptr[i] == '/')
            scene->health.provider = str_slice(resource, 0, i);
    if (hub_resource_find(env->hub, (struct str){full, (size_t)len}) == NULL)
        return ERR_OK;
    scene->health.camera = own_resource(env, config, diags, "camera", count_health_field_names, COUNT_HEALTH_N_FIELDS);
    return scene->health.camera == NULL ? ERR_RANGE : ERR_OK;
}

/* Each edge in the deepest area that holds its middle; beside every outline in the root. */
static enum err place_edges(struct scene_count *scene)
{
    size_t n_areas = area_n(scene->tree);
    scene->edge_areas = mem_alloc_zero(scene->network->n_edges, sizeof(*scene->edge_areas));
    scene->area_parents = mem_alloc_zero(n_areas, sizeof(*scene->area_parents));
    if (scene->edge_areas == NULL || scene->area_parents == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < n_areas; i++)
        scene->area_parents[i] = area_at(scene->tree, i)->parent;
    for (uint32_t i = 0; i < scene->network->n_edges; i++) {
        struct road_point middle = road_edge_middle(scene->network, i);
        int area = area_of_point(scene->tree, (struct point){middle.lon, middle.lat});
        scene->edge_areas[i] = area < 0 ? 0 : (uint16_t)area;
    }
    return ERR_OK;
}

static struct str area_of_edge(void *context, uint32_t edge)
{
    const struct scene_count *scene = context;
    return area_at(scene->tree, scene->edge_areas[edge])->name;
}

static enum err put_road(struct scene_count *scene)
{
    struct buf geojson;
    buf_init(&geojson, GEOJSON_BYTES_MAX);
    enum err err = road_geojson_write(scene->network, area_of_edge, scene, &geojson);
    if (err == ERR_OK)
        err = hub_object_put(scene->hub, scene->road, STR(ROAD_GEOJSON_MEDIA_TYPE), buf_str(&geojson));
    buf_finish(&geojson);
    return err;
}

/* Every mistake is told, the first is returned. */
static enum err read_settings(struct scene_count *scene, struct yaml_node config, struct diag_list *diags, struct count_settings *settings)
{
    int64_t vehicles_max = settings->vehicles_max;
    scene->keep_ms = COUNT_KEPT_MS;
    enum err err = first_of(ERR_OK, yaml_check_keys(config, config_keys, diags));
    err = first_of(err, yaml_get_duration_ms(config, "record_every", false, diags, &settings->record_ms));
    err = first_of(err, yaml_get_duration_ms(config, "keep_every", false, diags, &scene->keep_ms));
    err = first_of(err, yaml_get_duration_ms(config, "stale_after", false, diags, &settings->stale_after_ms));
    err = first_of(err, yaml_get_i64(config, "vehicles_max", false, diags, 1000, 1 << 24, &vehicles_max));
    if (settings->record_ms < 1000 || settings->record_ms > 3600000)
        err = first_of(err, yaml_error(yaml_get(config, "record_every"), diags, ERR_RANGE, "record_every must be from 1s to 1h"));
    if (scene->keep_ms < 1000 || scene->keep_ms > 600000)
        err = first_of(err, yaml_error(yaml_get(config, "keep_every"), diags, ERR_RANGE, "keep_every must be from 1s to 10min"));
    if (settings->stale_after_ms < 2000 || settings->stale_after_ms > 3600000)
        err = first_of(err, yaml_error(yaml_get(config, "stale_after"), diags, ERR_RANGE, "stale_after must be from 2s to 1h"));
    settings->vehicles_max = (uint32_t)vehicles_max;
    err = first_of(err, count_live_read(config, &scene->env, diags, &scene->live));
    scene->record_ms = settings->record_ms;
    return err;
}

/* Only where the scene's file names a stream of positions: the followers' memory is nobody else's. */
static enum err start_gps(struct scene_count *scene, struct yaml_node config, const struct count_gps_settings *settings)
{
    if (yaml_is_none(yaml_get(yaml_get(config, "needs"), needs[NEED_POSITION].name)))
        return ERR_OK;
    return count_gps_create(count_hierarchy(scene->count), scene->nearest, settings, on_drive, scene->count, &scene->gps);
}

/* Only where the index object has rules of the usual day. */
static enum err start_usual(struct scene_count *scene, const struct scene_env *env, struct diag_list *diags)
{
    const struct count_usual_day_options options = {
        env->hub, scene->tree, scene->network, scene->count, scene->index, env->party, env->zone, env->data_dir};
    struct diag diag = {""};
    if (scene->index == NULL || scene->index->usual == NULL)
        return ERR_OK;
    enum err err = count_usual_day_check(scene->index, scene->tree, diags);
    if (err != ERR_OK)
        return err;
    err = count_usual_day_start(&options, &diag, &scene->usual);
    return err == ERR_OK ? err : diag_add(diags, err, NULL, 0, "%s", diag.text[0] != 0 ? diag.text : err_text(err));
}

static void stop(void *self)
{
    struct scene_count *scene = self;
    if (scene == NULL)
        return;
    for (size_t i = 0; i < scene->n_records; i++)
        rows_release(scene->records[i]);
    count_usual_day_stop(scene->usual);
    count_junction_tell_finish(&scene->junctions);
    count_outline_tell_stop(scene->outlines);
    count_gps_destroy(scene->gps);
    count_detectors_finish(&scene->detectors);
    count_ways_destroy(scene->ways);
    count_live_stop(&scene->live);
    count_kept_finish(&scene->kept);
    count_index_destroy(scene->index);
    road_nearest_destroy(scene->nearest);
    road_network_destroy(scene->network);
    count_health_finish(&scene->health);
    mem_free(scene->edge_areas);
    mem_free(scene->area_parents);
    mem_free(scene);
}

/* `citybrain check`: all that start() would say of the file, at once. */
static enum err check(const struct scene_env *env, struct yaml_node config, struct diag_list *diags)
{
    struct scene_count scene = {.env = *env};
    struct count_settings settings = COUNT_SETTINGS_DEFAULT;
    struct count_gps_settings gps_settings = COUNT_GPS_SETTINGS_DEFAULT;
    enum err err = first_of(read_settings(&scene, config, diags, &settings), count_load_gps(config, diags, &gps_settings));
    enum err one = env->hub != NULL ? find_resources(&scene, env, config, diags) : ERR_OK;
    err = err != ERR_OK ? err : one;
    one = env->hub != NULL ? prepare_health(&scene, env, config, diags) : ERR_OK;
    err = err != ERR_OK ? err : one;
    err = first_of(err, count_outline_tell_start(env, config, NULL, diags, NULL));
    one = count_load_index(env, config, diags, &scene.index);
    if (one == ERR_OK && env->hub != NULL && hub_areas(env->hub) != NULL)
        one = count_usual_day_check(scene.index, hub_areas(env->hub), diags);
    err = err != ERR_OK ? err : one;
    one = count_load_network(env, config, diags, &scene.network, &scene.nearest);
    count_index_destroy(scene.index);
    road_nearest_destroy(scene.nearest);
    road_network_destroy(scene.network);
    return err != ERR_OK ? err : one;
}

static enum err start(const struct scene_env *env, struct yaml_node config, struct diag_list *diags, void **ret_scene)
{
    if (env->check_only)
        return check(env, config, diags);
    struct scene_count *scene = mem_alloc_zero(1, sizeof(*scene));
    if (scene == NULL)
        return ERR_NO_MEMORY;
    scene->env = *env;
    scene->hub = env->hub;
    scene->clock = env->clock;
    scene->tree = hub_areas(env->hub);
    struct count_settings settings = COUNT_SETTINGS_DEFAULT;
    struct count_gps_settings gps_settings = COUNT_GPS_SETTINGS_DEFAULT;
    enum err err = read_settings(scene, config, diags, &settings);
    if (err == ERR_OK)
        err = count_load_gps(config, diags, &gps_settings);
    if (err == ERR_OK)
        err = find_resources(scene, env, config, diags);
    if (err == ERR_OK)
        err = prepare_health(scene, env, config, diags);
    if (err == ERR_OK)
        err = count_load_index(env, config, diags, &scene->index);
    if (err == ERR_OK)
        err = count_load_network(env, config, diags, &scene->network, &scene->nearest);
    if (err == ERR_OK)
        err = place_edges(scene);
    count_detectors_init(&scene->detectors, scene->nearest);
    if (err == ERR_OK) {
        struct count_map map = {scene->network, scene->edge_areas, scene->area_parents, area_n(scene->tree), scene->index};
        err = count_kept_start(&scene->kept, &scene->env, scene->live.n, scene->keep_ms, &settings, &map, &scene->count);
        scene->health.told = scene->kept.told;
        const struct count_live_options live = {.env = &scene->env,
            .count = scene->count,
            .map = &map,
            .settings = &settings,
            .from = count_kept_from(&scene->kept),
            .on_updates = tell,
            .on_taken = on_taken,
            .on_mark = on_mark,
            .context = scene};
        if (err == ERR_OK)
            err = count_live_start(&scene->live, &live);
    }
    if (err == ERR_OK)
        err = start_gps(scene, config, &gps_settings);
    if (err == ERR_OK)
        err = start_usual(scene, env, diags);
    if (err == ERR_OK)
        err = count_ways_start(env, scene->route, scene->count, scene->nearest, &scene->ways);
    if (err == ERR_OK)
        err = count_junction_tell_init(&scene->junctions, env->hub, scene->tree, scene->network, scene->junction_index);
    err = err != ERR_OK ? err : count_outline_tell_start(env, config, scene->network, diags, &scene->outlines);
    if (err == ERR_OK)
        err = put_road(scene);
    if (err != ERR_OK) {
        stop(scene);
        return err;
    }
    scene->measured.party = env->party;
    scene->measured.vehicles_max = settings.vehicles_max;
    scene->measured.cameras_max = settings.cameras_max;
    scene->measured.records_max = RECORDS_KEPT;
    scene->measured.has_gps = scene->gps != NULL;
    scene->measured.has_loops = !yaml_is_none(yaml_get(yaml_get(config, "needs"), needs[NEED_LOOP].name));
    *ret_scene = scene;
    return ERR_OK;
}

/* The table of contents: a scene's slots, in the order of its life. */
const struct scene_ops scene_count_ops = {
    .name = "count",
    .needs = needs,
    .n_needs = sizeof(needs) / sizeof(needs[0]),
    .start = start,
    .on_event = on_event,
    .on_tick = on_tick,
    .stop = stop,
    .measure = measure,
};
