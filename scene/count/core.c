/* The pure core of the count: its making, and what a passage does; see core.h. What a second does is in tick.c. */
#include "base/mem.h"
#include "scene/count/ends.h"
#include "scene/count/move.h"
#include "scene/count/quick.h"
#include "scene/count/state.h"
#include "scene/count/transit.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#define NEW_CAMERAS_MS 600000 /* so long without a new camera, or half as many more: what the network says of them is asked anew */

/* ---- making ---- */

enum err count_create(const struct count_settings *settings, const struct count_map *map, struct count **ret_count)
{
    assert(map->n_areas > 0 && map->n_areas <= UINT16_MAX && settings->keep_s > 0);
    struct count *count = mem_alloc_zero(1, sizeof(*count));
    if (count == NULL)
        return ERR_NO_MEMORY;
    count->settings = *settings;
    count->map = *map;
    count->now_ms = count->tick_ms = count->whole_ms = count->first_tick_ms = count->scanned_ms = INT64_MIN;
    count->camera_ms = INT64_MIN;
    count->has_camera = mem_alloc_zero(map->network->n_edges, 1);
    count->areas = mem_alloc_zero(map->n_areas, sizeof(*count->areas));
    count->below = mem_alloc_zero(map->n_areas, sizeof(*count->below));
    count->is_stale = mem_alloc_zero(map->n_areas, sizeof(*count->is_stale));
    count->told = mem_alloc_zero(map->n_areas, sizeof(*count->told));
    count->record = mem_alloc_zero(map->n_areas, sizeof(*count->record));
    count->sums = mem_alloc_zero(map->n_areas, sizeof(*count->sums));
    count_fade_init(&count->fade, settings->window_s);
    count_balance_init(&count->balance, settings);
    count_loops_init(&count->loops, map->network, settings->window_s, settings->late_max_ms, settings->future_max_ms);
    count_vehicles_init(&count->vehicles, settings->vehicles_max, settings->keep_s * 1000);
    enum err err = count_travel_init(&count->travel, map->network, settings->pairs_max);
    if (err == ERR_OK)
        err = count_figures_init(&count->figures, map, settings, &count->fade, &count->loops);
    count->figures.has_camera = count->has_camera;
    if (err == ERR_OK)
        err = count_faults_init(&count->faults, map->network);
    if (err == ERR_OK)
        err = count_spread_init(&count->spread, map->network->n_edges, count->figures.n_groups);
    if (count->has_camera == NULL || count->areas == NULL || count->below == NULL || count->is_stale == NULL || count->told == NULL ||
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
    count_spread_finish(&count->spread);
    count_loops_finish(&count->loops);
    for (uint32_t i = 0; i < count->n_cameras; i++)
        count_account_finish(&count->accounts[i]);
    mem_free(count->accounts);
    mem_free(count->cameras);
    mem_free(count->has_camera);
    mem_free(count->areas);
    mem_free(count->below);
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
        struct count_camera *grown = mem_resize_lines(count->cameras, count->n_cameras * sizeof(*grown), cap * sizeof(*grown));
        if (grown == NULL)
            return ERR_NO_MEMORY;
        count->cameras = grown;
        struct count_account *grown_accounts =
            mem_resize_lines(count->accounts, count->n_cameras * sizeof(*grown_accounts), cap * sizeof(*grown_accounts));
        if (grown_accounts == NULL)
            return ERR_NO_MEMORY;
        count->accounts = grown_accounts;
        count->cap_cameras = cap;
    }
    enum err err = count_faults_camera(&count->faults, count->n_cameras, edge);
    if (err != ERR_OK)
        return err;
    err = count_account_init(
        &count->balance, &count->accounts[count->n_cameras], &count->areas[count->map.edge_areas[edge]].open, count->now_ms);
    if (err != ERR_OK)
        return err;
    count->has_camera[edge] = 1;
    count->cameras[count->n_cameras] = (struct count_camera){.edge = edge};
    for (int32_t a = count->map.edge_areas[edge]; a >= 0; a = count->map.area_parents[a])
        count->areas[a].has_camera = true;
    count->camera_ms = count->now_ms;
    *ret_camera = count->n_cameras++;
    return ERR_OK;
}

void count_edge_times(const struct count *count, float *edge_s)
{
    count_figures_times(&count->figures, edge_s);
}

uint32_t count_n_roads(const struct count *count)
{
    return count->figures.n_groups;
}

struct count_road count_road_at(const struct count *count, uint32_t road)
{
    return (struct count_road){count->figures.groups[road].name, count->figures.groups[road].area};
}

struct count_interval count_edge_vehicles(const struct count *count, uint32_t edge)
{
    return count_spread_tell(count, (double)count->spread.on_edges[edge]);
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

/* Is the way to the first camera to be looked at anew? That walks the whole network, many times: not for each camera that is first heard.
 */
static bool has_new_cameras(const struct count *count)
{
    uint32_t n = count->n_cameras, n_seen = count->n_seen_cameras;
    bool are_many = n >= n_seen + n_seen / 2 + n_seen % 2;
    return n != n_seen && (are_many || count->camera_ms == INT64_MIN || count->now_ms - count->camera_ms >= NEW_CAMERAS_MS);
}

/* Every COUNT_AGE_MS, as at a start most cameras are first heard within seconds; and not at the first passage, when there may be one only:
 * all that is known of a start is what the network says of its cameras. */
static void look_at_ends(struct count *count)
{
    if (count->balance.begun_ms != INT64_MIN && has_new_cameras(count) &&
        count_ends_learn(count->map.network, count->has_camera, &count->balance.ends) == ERR_OK)
        count->n_seen_cameras = count->n_cameras; /* without memory for it: the next time */
}

/* Every COUNT_AGE_MS: how fast vehicles are sighted now, and how long a way is. */
static void rate(struct count *count)
{
    count_balance_rate(&count->balance, count->now_ms);
    struct count_open open = {.expected = 0};
    for (size_t i = 0; i < count->map.n_areas; i++)
        count_open_add(&open, &count->areas[i].open);
    count->balance.way_s = count_transit_city(&count->balance, &open, fmax(count_transit_coming(&open), 0), count->now_ms).way_s;
}

/* Every COUNT_LEARN_MS, from the first camera on: which passages are settled, and what they teach. */
static void learn(struct count *count)
{
    int64_t learned_ms = count->balance.learned_ms;
    if (count->n_cameras == 0 || (learned_ms != INT64_MIN && count->now_ms - learned_ms < COUNT_LEARN_MS))
        return;
    count_vehicles_expire(&count->vehicles, count->now_ms);
    for (size_t i = 0; i < count->map.n_areas; i++)
        count->areas[i].open = (struct count_open){.expected = 0};
    count_balance_learn(&count->balance, count->accounts, count->n_cameras, count->now_ms);
}

bool count_learns(const struct count *count, int64_t arrived_ms)
{
    int64_t learned_ms = count->balance.learned_ms, faults_ms = count->faults.learned_ms;
    return learned_ms == INT64_MIN || faults_ms == INT64_MIN || arrived_ms - learned_ms >= COUNT_LEARN_MS ||
           arrived_ms - faults_ms >= COUNT_LEARN_MS || count_lifetable_learns(&count->balance.table, arrived_ms);
}

void count_advance(struct count *count, int64_t now_ms)
{
    if (now_ms <= count->now_ms)
        return;
    count_faults_learn(count, now_ms);
    count->now_ms = now_ms;
    bool is_rated = count_lifetable_learns(&count->balance.table, now_ms);
    count_lifetable_advance(&count->balance.table, now_ms, count->settings.settled_fade_s);
    if (is_rated)
        look_at_ends(count);
    learn(count);
    if (is_rated)
        rate(count);
}

/* ---- a passage ---- */

static void hear(struct count *count, struct count_camera *camera, int64_t heard_ms)
{
    camera->is_silent = false;
    count_silence_hear(&camera->heard, heard_ms, &count->fade);
    for (int32_t a = count->map.edge_areas[camera->edge]; a >= 0; a = count->map.area_parents[a])
        count_silence_hear(&count->areas[a].heard, heard_ms, &count->fade);
}

/* Driven from one camera to the next: what it says of the roads between. */
static void observe_link(struct count *count, const struct count_move *move, double gap_s)
{
    const struct count_settings *settings = &count->settings;
    uint32_t from = count_move_last(move)->camera, to = move->camera;
    int64_t came_ms = move->seen_ms;
    /* A way that no car could have driven in this time need not be looked for. */
    double max_s = count_more(gap_s / settings->delay_min, 60);
    const struct count_pair *pair = move->has_way && !move->way.is_apart ? move->way.pair : NULL; /* looked for as far, just now */
    if (pair == NULL)
        pair = count_travel_pair(
            &count->travel, from, count->cameras[from].edge, to, count->cameras[to].edge, count_less(max_s, COUNT_NEXT_S));
    count->counters.n_links++;
    if (pair->free_flow_s <= 0) {
        count->counters.n_impossible += max_s < COUNT_NEXT_S; /* looked for as far as a car could have come */
        return;
    }
    if (gap_s < settings->delay_min * (double)pair->free_flow_s) {
        count->counters.n_impossible++;
        return;
    }
    count_account_link(&count->balance, &count->accounts[from], &count->accounts[to], to, (double)pair->free_flow_s, pair->n_edges,
        came_ms - (int64_t)(gap_s * 1000), came_ms);
    if (gap_s > settings->delay_max * (double)pair->free_flow_s + settings->delay_slack_s)
        count->counters.n_stops++;
    else if (!count->map.is_vehicles_alone)
        count_figures_link(&count->figures, pair, gap_s, came_ms, move->arrived_ms);
}

static void first_sighting(struct count *count, const struct count_camera *camera, int64_t at_ms)
{
    struct count_area *area = &count->areas[count->map.edge_areas[camera->edge]];
    int64_t at_s = at_ms / 1000;
    double weight = 1;
    if (area->n_first <= 0) {
        area->faded_s = at_s;
    } else if (at_s > area->faded_s) {
        area->n_first *= count_fade_keep(&count->fade, area->faded_s, at_s);
        area->faded_s = at_s;
    } else {
        weight = count_fade_keep(&count->fade, at_s, area->faded_s);
    }
    area->n_first += weight;
}

/* The trip's `n_sightings`-th. */
static void open_account(struct count *count, const struct count_move *move, uint32_t n_sightings)
{
    count_account_open(&count->balance, &count->accounts[move->camera], move->seen_ms, n_sightings);
}

/* A vehicle that is known already, sighted again. */
static void sight_again(struct count *count, const struct count_move *move)
{
    const struct count_trail *last = count_move_last(move);
    if (move->seen_ms < last->ms) {
        count->counters.n_out_of_order++;
        return;
    }
    uint32_t from = last->camera;
    double gap_s = (double)(move->seen_ms - last->ms) / 1000;
    observe_link(count, move, gap_s);
    count_account_close(&count->balance, &count->accounts[from], last->ms, last->n_sightings, gap_s);
    open_account(count, move, last->n_sightings + 1);
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

bool count_hear(struct count *count, struct count_passage *passage)
{
    assert(passage->camera < count->n_cameras);
    count_faults_hear(&count->faults, passage);
    if (!is_timely(count, passage))
        return false;
    count_advance(count, passage->arrived_ms);
    hear(count, &count->cameras[passage->camera], passage->arrived_ms);
    if (passage->time_ms > passage->arrived_ms)
        passage->time_ms = passage->arrived_ms; /* by which it is known again */
    return true;
}

void count_tell(struct count *count, const struct count_move *move)
{
    const struct count_camera *camera = &count->cameras[move->camera];
    if (move->has_plate)
        count_faults_link(count, move);
    count->counters.n_links += move->is_split;
    count->counters.n_impossible += move->is_split;
    if (move->kind == COUNT_MOVE_REPEATED) {
        count->counters.n_duplicates++;
        return;
    }
    count->counters.n_passages++;
    if (count->loops.n > 0)
        count_loops_read(&count->loops, camera->edge, move->seen_ms);
    if (!count->map.is_vehicles_alone)
        count_figures_passage(&count->figures, camera->edge, move->arrived_ms);
    if (move->kind == COUNT_MOVE_AGAIN) {
        sight_again(count, move);
    } else if (move->kind == COUNT_MOVE_FIRST) {
        first_sighting(count, camera, move->arrived_ms);
        open_account(count, move, 1);
    }
}

static void on_passage(struct count *count, const struct count_passage *as_told, const struct count_ahead *ahead)
{
    struct count_passage passage = *as_told;
    struct count_move move;
    if (!count_hear(count, &passage))
        return;
    if (ahead != NULL)
        count_travel_guess(&count->travel, ahead->pair);
    count_track(count, &passage, ahead != NULL ? ahead->vehicle : COUNT_NONE, &move);
    count_tell(count, &move);
}

/* What the loops told says nothing of time: a detector's clock is nobody's. */
static void on_loop(struct count *count, const struct count_loop_row *row)
{
    uint32_t camera = count->faults.recall.edge_cameras[row->edge];
    if (count_loops_add(&count->loops, row, camera < count->n_cameras) == COUNT_LOOP_TAKEN && !count->map.is_vehicles_alone)
        count_figures_loop(&count->figures, row->edge, row->arrived_ms);
}

const uint64_t *count_loop_rows(const struct count *count)
{
    return count->loops.n_rows;
}

/* Its slot, and what there is of its camera. */
static inline void fetch_first(const struct count *count, const struct count_passage *passage, struct count_ahead *ahead)
{
    *ahead = (struct count_ahead){count_vehicles_fetch_slot(&count->vehicles, passage->vehicle), COUNT_NONE, COUNT_NONE};
    __builtin_prefetch(&count->cameras[passage->camera]);
    __builtin_prefetch(&count->accounts[passage->camera]);
    __builtin_prefetch(&count->faults.clocks.clocks[passage->camera]);
}

/* Where it comes from: what is known of the way and of the camera there. */
static inline void fetch_from(const struct count *count, const struct count_passage *passage, const struct count_ahead *ahead)
{
    if (ahead->vehicle >= count->vehicles.n_slab)
        return;
    const struct count_vehicle *vehicle = &count->vehicles.slab[ahead->vehicle];
    uint32_t from = vehicle->camera;
    if (from >= count->n_cameras)
        return;
    count_travel_fetch(&count->travel, from, passage->camera);
    __builtin_prefetch(&count->cameras[from]);
    __builtin_prefetch(&count->accounts[from]);
    __builtin_prefetch(&count->accounts[from].branches[1]);
    __builtin_prefetch(&count->faults.clocks.clocks[from]);
    __builtin_prefetch(count->faults.clocks.clocks[from].to);
    count_recall_fetch(&count->faults.recall, from, passage->camera);
    count_recall_fetch(&count->faults.recall, vehicle->before_camera, passage->camera);
}

/* The pair of cameras itself, and the cohort that will be closed. */
static inline void fetch_pair(const struct count *count, const struct count_passage *passage, struct count_ahead *ahead)
{
    if (ahead->vehicle >= count->vehicles.n_slab)
        return;
    const struct count_vehicle *vehicle = &count->vehicles.slab[ahead->vehicle];
    uint32_t from = vehicle->camera;
    if (from >= count->n_cameras)
        return;
    ahead->pair = count_travel_fetch_pair(&count->travel, from, passage->camera);
    count_clocks_fetch(&count->faults.clocks, from, passage->camera);
    count_account_fetch(&count->balance, &count->accounts[from], (int64_t)vehicle->last_ms);
}

static inline void fetch_edges(const struct count *count, const struct count_ahead *ahead)
{
    if (count->map.is_vehicles_alone || ahead->pair == COUNT_PAIR_NONE)
        return;
    const struct count_pair *pair = &count->travel.pairs[ahead->pair];
    for (uint32_t i = 0; i < pair->n_edges && i < 4; i++) {
        __builtin_prefetch(&count->figures.edges[pair->edges[i]]);
        __builtin_prefetch(&count->map.network->edges[pair->edges[i]].length_m);
    }
}

#define APART 5u /* passages from one stage to the next: as long as memory takes to answer */
#define AT(back_) ((next - 1 - (back_)*APART) % COUNT_RING)

void count_fetch(const struct count *count, const struct count_event *ring, struct count_ahead *ahead, uint32_t next, uint32_t n)
{
    static_assert(COUNT_RING > 4 * APART, "the stages fit into the ring");
    fetch_first(count, &ring[AT(0)].passage, &ahead[AT(0)]);
    if (n > APART) {
        const struct count_passage *passage = &ring[AT(1)].passage;
        ahead[AT(1)].vehicle = count_vehicles_fetch(&count->vehicles, passage->vehicle, ahead[AT(1)].slot);
        count_account_fetch(&count->balance, &count->accounts[passage->camera], passage->time_ms);
    }
    if (n > 2 * APART)
        fetch_from(count, &ring[AT(2)].passage, &ahead[AT(2)]);
    if (n > 3 * APART)
        fetch_pair(count, &ring[AT(3)].passage, &ahead[AT(3)]);
    if (n > 4 * APART)
        fetch_edges(count, &ahead[AT(4)]);
}

void count_step(struct count *count, const struct count_event *event, struct count_updates *ret_updates)
{
    *ret_updates = (struct count_updates){.time_ms = count->now_ms};
    if (event->type == COUNT_PASSAGE)
        on_passage(count, &event->passage, event->ahead);
    else if (event->type == COUNT_LOOP)
        on_loop(count, &event->loop);
    else
        count_tick(count, event->now_ms, event->type == COUNT_TICK && !count->map.is_vehicles_alone, ret_updates);
}
