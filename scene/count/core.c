/* The pure core of the count: its making, and what a passage does; see core.h. What a second does is in tick.c. */
#include "base/mem.h"
#include "scene/count/state.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#define NEXT_KEPT_MS 10000 /* a changed set of cameras is looked at again not more often than this, a camera */
#define TRIP_SHARE 0.35    /* mean trip over the diagonal: two random places of a square are 0.52 of its side, 0.37 of its diagonal apart */
#define METRES_A_DEGREE 111320.0
#define EXPOSE_MS 10000     /* how often the waiting is counted; a fraction of a gap */
#define EXPOSE_MAX_MS 60000 /* a pause of the whole program is not waiting */
#define LIVE_MS 30000       /* what arrived longer ago is a replay */
#define DETOUR_MAX 4.0      /* silent cameras make an expectation at most this much longer */

/* ---- making ---- */

/* Free-flow seconds of a trip as the network's size lets one expect: TRIP_SHARE of its diagonal at its mean speed limit. */
static double trip_of(const struct road_network *network)
{
    double east_m = network->high.lon - network->low.lon, north_m = network->high.lat - network->low.lat;
    if (network->is_geographic) {
        east_m *= METRES_A_DEGREE * cos((network->low.lat + network->high.lat) / 2 * M_PI / 180);
        north_m *= METRES_A_DEGREE;
    }
    double length_m = 0, time_s = 0;
    for (uint32_t i = 0; i < network->n_edges; i++) {
        length_m += network->edges[i].length_m;
        time_s += road_edge_free_flow_s(&network->edges[i]);
    }
    return fmax(TRIP_SHARE * hypot(east_m, north_m) * time_s / length_m, 60);
}

enum err count_create(const struct count_settings *settings, const struct count_map *map, struct count **ret_count)
{
    assert(map->n_areas > 0 && map->n_areas <= UINT16_MAX && settings->keep_s > 0);
    struct count *count = mem_alloc_zero(1, sizeof(*count));
    if (count == NULL)
        return ERR_NO_MEMORY;
    count->settings = *settings;
    count->map = *map;
    count->now_ms = count->tick_ms = count->first_tick_ms = count->scanned_ms = count->exposed_ms = INT64_MIN;
    count->trip_s = trip_of(map->network);
    count_expect_init(&count->expect, settings, count->trip_s);
    count->has_camera = mem_alloc_zero(map->network->n_edges, 1);
    count->speaks = mem_alloc_zero(map->network->n_edges, 1);
    count->areas = mem_alloc_zero(map->n_areas, sizeof(*count->areas));
    count->is_stale = mem_alloc_zero(map->n_areas, sizeof(*count->is_stale));
    count->told = mem_alloc_zero(map->n_areas, sizeof(*count->told));
    count->record = mem_alloc_zero(map->n_areas, sizeof(*count->record));
    count->sums = mem_alloc_zero(map->n_areas, sizeof(*count->sums));
    count_vehicles_init(&count->vehicles, settings->vehicles_max, settings->keep_s * 1000);
    enum err err = count_travel_init(&count->travel, map->network, settings->pairs_max);
    if (err == ERR_OK)
        err = count_figures_init(&count->figures, map, settings);
    if (err == ERR_OK)
        err = count_faults_init(&count->faults, map->network);
    if (count->has_camera == NULL || count->speaks == NULL || count->areas == NULL || count->is_stale == NULL || count->told == NULL ||
        count->record == NULL || count->sums == NULL)
        err = ERR_NO_MEMORY;
    if (err != ERR_OK) {
        count_destroy(count);
        return err;
    }
    for (size_t i = 0; i < map->n_areas; i++)
        count->areas[i].stale_since_ms = COUNT_FRESH;
    for (uint32_t i = 0; i < map->network->n_edges; i++)
        for (int32_t a = map->edge_areas[i]; a >= 0 && !count->areas[a].has_edge; a = map->area_parents[a])
            count->areas[a].has_edge = true;
    *ret_count = count;
    return ERR_OK;
}

void count_destroy(struct count *count)
{
    if (count == NULL)
        return;
    count_vehicles_finish(&count->vehicles);
    count_travel_finish(&count->travel);
    count_figures_finish(&count->figures);
    count_faults_finish(&count->faults);
    mem_free(count->cameras);
    mem_free(count->has_camera);
    mem_free(count->speaks);
    mem_free(count->areas);
    mem_free(count->is_stale);
    mem_free(count->told);
    mem_free(count->record);
    mem_free(count->sums);
    mem_free(count);
}

enum err count_camera_add(struct count *count, uint32_t edge, uint32_t *ret_camera)
{
    assert(edge < count->map.network->n_edges);
    if (count->n_cameras >= count->settings.cameras_max)
        return ERR_FULL;
    if (count->n_cameras == count->cap_cameras) {
        uint32_t cap = count->cap_cameras == 0 ? 64 : count->cap_cameras * 2;
        struct count_camera *grown = mem_resize(count->cameras, cap * sizeof(*grown));
        if (grown == NULL)
            return ERR_NO_MEMORY;
        count->cameras = grown;
        count->cap_cameras = cap;
    }
    enum err err = count_faults_camera(&count->faults, count->n_cameras, edge);
    if (err != ERR_OK)
        return err;
    count->cameras[count->n_cameras] = (struct count_camera){.edge = edge, .looked_ms = INT64_MIN};
    if (count->has_camera[edge] < UINT8_MAX)
        count->has_camera[edge]++;
    if (count->speaks[edge] < UINT8_MAX)
        count->speaks[edge]++;
    count->version++;
    for (int32_t a = count->map.edge_areas[edge]; a >= 0; a = count->map.area_parents[a])
        count->areas[a].has_camera = true;
    *ret_camera = count->n_cameras++;
    return ERR_OK;
}

uint32_t count_n_roads(const struct count *count)
{
    return count->figures.n_groups;
}

struct count_road count_road_at(const struct count *count, uint32_t road)
{
    return (struct count_road){count->figures.groups[road].name, count->figures.groups[road].area};
}

const struct count_counters *count_counters(const struct count *count)
{
    return &count->counters;
}

const struct count_vehicles *count_known_vehicles(const struct count *count)
{
    return &count->vehicles;
}

/* ---- time ---- */

/* Every EXPOSE_MS: how long each vehicle was waited for, so that what is expected can be learned. */
static void expose(struct count *count)
{
    bool is_first_time = count->exposed_ms == INT64_MIN;
    if (!is_first_time && count->now_ms - count->exposed_ms < EXPOSE_MS)
        return;
    double for_s = is_first_time ? 0 : fmin((double)(count->now_ms - count->exposed_ms), (double)EXPOSE_MAX_MS) / 1000;
    count->exposed_ms = count->now_ms;
    count_vehicles_expire(&count->vehicles, count->now_ms);
    count_expect_fade(&count->expect, count->now_ms / 1000);
    for (uint32_t i = 0; i < count->vehicles.n_slab; i++) {
        const struct count_vehicle *vehicle = &count->vehicles.slab[i];
        if (vehicle->n_sightings > 0 && count->now_ms > vehicle->last_ms)
            count_expect_expose(&count->expect, vehicle->n_sightings == 1, (double)(count->now_ms - vehicle->last_ms) / 1000,
                (double)vehicle->expected_s, for_s);
    }
    count_expect_solve(&count->expect);
}

void count_advance(struct count *count, int64_t now_ms)
{
    if (now_ms <= count->now_ms)
        return;
    count_faults_learn(count, now_ms);
    count->now_ms = now_ms;
    expose(count);
}

/* ---- a passage ---- */

/* How far the next cameras are, looked up again when the set of cameras changed, not too often. */
static void look_ahead(struct count *count, struct count_camera *camera)
{
    bool is_kept =
        camera->looked_at == count->version ||
        (camera->looked_ms != INT64_MIN && count->now_ms - camera->looked_ms < NEXT_KEPT_MS && count->now_ms >= camera->looked_ms);
    if (is_kept && camera->base_s > 0)
        return;
    camera->looked_at = count->version;
    camera->looked_ms = count->now_ms;
    camera->base_s = count_travel_next_s(&count->travel, camera->edge, count->has_camera);
    if (camera->base_s <= 0)
        camera->base_s = count->settings.base_default_s;
    camera->base_now_s = count_travel_next_s(&count->travel, camera->edge, count->speaks);
    if (camera->base_now_s <= 0)
        camera->base_now_s = camera->base_s * DETOUR_MAX;
}

/* Seconds to the next sighting after this camera, as things stand. */
static double expected_gap_s(struct count *count, struct count_camera *camera)
{
    look_ahead(count, camera);
    double detour = fmin(fmax(camera->base_now_s / camera->base_s, 1), DETOUR_MAX);
    return count_expect_gap_s(&count->expect, &camera->gaps, camera->base_s) * detour;
}

static void hear(struct count *count, struct count_camera *camera, int64_t heard_ms)
{
    count_silence_hear(&camera->heard, heard_ms, count->settings.window_s);
    if (camera->is_silent) {
        camera->is_silent = false;
        if (count->speaks[camera->edge] < UINT8_MAX)
            count->speaks[camera->edge]++;
        count->version++;
    }
    for (int32_t a = count->map.edge_areas[camera->edge]; a >= 0; a = count->map.area_parents[a])
        count_silence_hear(&count->areas[a].heard, heard_ms, count->settings.window_s);
}

/* Driven from one camera to the next: what it says of the roads between. */
static void observe_link(struct count *count, uint32_t from, uint32_t to, double gap_s, int64_t at_ms)
{
    const struct count_settings *settings = &count->settings;
    /* A way that no car could have driven in this time need not be looked for. */
    double max_s = fmax(gap_s / settings->delay_min, 60);
    const struct count_pair *pair =
        count_travel_pair(&count->travel, from, count->cameras[from].edge, to, count->cameras[to].edge, fmin(max_s, COUNT_NEXT_S));
    count->counters.n_links++;
    if (pair->free_flow_s <= 0) {
        count->counters.n_impossible += max_s < COUNT_NEXT_S; /* looked for as far as a car could have come */
        return;
    }
    if (gap_s < settings->delay_min * (double)pair->free_flow_s)
        count->counters.n_impossible++;
    else if (gap_s > settings->delay_max * (double)pair->free_flow_s + settings->delay_slack_s)
        count->counters.n_stops++;
    else
        count_figures_link(&count->figures, pair, gap_s, at_ms);
}

static void first_sighting(struct count *count, const struct count_camera *camera, int64_t at_ms)
{
    struct count_area *area = &count->areas[count->map.edge_areas[camera->edge]];
    double expected_s = count_expect_gap_s(&count->expect, &camera->gaps, camera->base_s);
    double weight = 1;
    if (at_ms > area->faded_ms) {
        area->lead_s *= area->lead_s > 0 ? exp(-(double)(at_ms - area->faded_ms) / 1000 / count->settings.window_s) : 0;
        area->faded_ms = at_ms;
    } else {
        weight = exp(-(double)(area->faded_ms - at_ms) / 1000 / count->settings.window_s);
    }
    area->lead_s += weight * count_expect_lead_s(&count->expect, expected_s);
}

bool count_is_duplicate(const struct count *count, const struct count_vehicle *vehicle, const struct count_passage *passage)
{
    int64_t within_ms = count->settings.duplicate_ms;
    return (vehicle->camera == passage->camera && llabs(passage->time_ms - vehicle->last_ms) <= within_ms) ||
           (vehicle->before_camera == passage->camera && llabs(passage->time_ms - vehicle->before_ms) <= within_ms);
}

/* Moves the vehicle to this sighting. */
static void place(struct count *count, uint32_t at, const struct count_passage *passage, int64_t seen_ms)
{
    struct count_camera *camera = &count->cameras[passage->camera];
    struct count_vehicle *vehicle = &count->vehicles.slab[at];
    vehicle->before_ms = vehicle->last_ms;
    vehicle->before_camera = vehicle->camera;
    vehicle->last_ms = seen_ms;
    vehicle->camera = passage->camera;
    vehicle->expected_s = (float)expected_gap_s(count, camera);
    vehicle->area = count->map.edge_areas[camera->edge];
}

/* A vehicle that is known already, sighted again. */
static void sight_again(struct count *count, uint32_t at, const struct count_passage *passage, int64_t seen_ms)
{
    struct count_vehicle *vehicle = &count->vehicles.slab[at];
    if (seen_ms < vehicle->last_ms) {
        count->counters.n_out_of_order++;
        return;
    }
    struct count_camera *from = &count->cameras[vehicle->camera];
    double gap_s = (double)(seen_ms - vehicle->last_ms) / 1000;
    bool is_live = count->now_ms - passage->arrived_ms < LIVE_MS;
    look_ahead(count, from);
    /* What expose() has not counted yet of this waiting. */
    if (is_live && count->exposed_ms != INT64_MIN)
        count_expect_expose(&count->expect, vehicle->n_sightings == 1, gap_s, (double)vehicle->expected_s,
            fmax((double)(seen_ms - count->exposed_ms) / 1000, 0));
    count_expect_observe(&count->expect, &from->gaps, count->now_ms / 1000, vehicle->n_sightings == 1, is_live, gap_s,
        (double)vehicle->expected_s, from->base_s);
    observe_link(count, vehicle->camera, passage->camera, gap_s, passage->arrived_ms);
    vehicle->n_sightings++;
    count_vehicles_renew(&count->vehicles, at);
    place(count, at, passage, seen_ms);
}

/* Refuses what its own times speak against; false then. */
static bool is_timely(struct count *count, const struct count_passage *passage)
{
    if (passage->arrived_ms < 0 || passage->arrived_ms > COUNT_TIME_MAX_MS ||
        passage->time_ms > passage->arrived_ms + count->settings.future_max_ms) {
        count->counters.n_future++;
        return false;
    }
    if (passage->time_ms < 0 || passage->time_ms < passage->arrived_ms - count->settings.late_max_ms) {
        count->counters.n_late++;
        return false;
    }
    return true;
}

static void on_passage(struct count *count, const struct count_passage *as_told)
{
    assert(as_told->camera < count->n_cameras);
    struct count_passage corrected = count_faults_hear(&count->faults, as_told), *passage = &corrected;
    if (!is_timely(count, passage))
        return;
    count_advance(count, passage->arrived_ms);
    struct count_camera *camera = &count->cameras[passage->camera];
    hear(count, camera, passage->arrived_ms);
    int64_t seen_ms = passage->time_ms < passage->arrived_ms ? passage->time_ms : passage->arrived_ms;
    uint32_t at = count_faults_track(count, count_vehicles_find(&count->vehicles, passage->vehicle), passage, seen_ms);
    bool is_first = at == COUNT_NONE;
    if (!is_first && count_is_duplicate(count, &count->vehicles.slab[at], passage)) {
        count->counters.n_duplicates++;
        return;
    }
    count->counters.n_passages++;
    count_figures_passage(&count->figures, camera->edge, passage->arrived_ms);
    if (!is_first) {
        sight_again(count, at, passage, seen_ms);
        return;
    }
    at = count_vehicles_add(&count->vehicles, passage->vehicle);
    if (at == COUNT_NONE)
        return; /* no memory for even one: its flow is counted, it cannot be */
    look_ahead(count, camera);
    first_sighting(count, camera, passage->arrived_ms);
    place(count, at, passage, seen_ms);
}

void count_step(struct count *count, const struct count_event *event, struct count_updates *ret_updates)
{
    *ret_updates = (struct count_updates){.time_ms = count->now_ms};
    if (event->type == COUNT_PASSAGE)
        on_passage(count, &event->passage);
    else
        count_tick(count, event->now_ms, ret_updates);
}
