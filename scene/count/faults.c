/* Where the core meets clocks, clones and recall; see faults.h. */
#include "scene/count/faults.h"

#include "scene/count/move.h"
#include "scene/count/quick.h"
#include "scene/count/state.h"

#include <math.h>

#define FAR_S 1800.0   /* after this a car can be anywhere */
#define HELD_UP_S 10.0 /* two passages that came in the wrong order, and by less: one of them was held up on its way to us */

enum err count_faults_init(struct count_faults *faults, const struct road_network *network)
{
    faults->learned_ms = INT64_MIN;
    count_clocks_init(&faults->clocks);
    enum err err = count_clones_init(&faults->clones);
    enum err one = count_recall_init(&faults->recall, network->n_edges);
    return err != ERR_OK ? err : one;
}

void count_faults_finish(struct count_faults *faults)
{
    count_clocks_finish(&faults->clocks);
    count_clones_finish(&faults->clones);
    count_recall_finish(&faults->recall);
}

void count_faults_clear(struct count_faults *faults)
{
    faults->learned_ms = INT64_MIN;
    count_clocks_clear(&faults->clocks);
    count_clones_clear(&faults->clones);
    count_recall_clear(&faults->recall);
}

enum err count_faults_camera(struct count_faults *faults, uint32_t camera, uint32_t edge)
{
    enum err err = faults->clocks.n > camera ? ERR_OK : count_clocks_add(&faults->clocks);
    return err != ERR_OK || faults->recall.n > camera ? err : count_recall_add(&faults->recall, edge);
}

void count_faults_hear(struct count_faults *faults, struct count_passage *passage)
{
    if (passage->time_ms < 0 || passage->time_ms > COUNT_TIME_MAX_MS || passage->arrived_ms < 0 || passage->arrived_ms > COUNT_TIME_MAX_MS)
        return; /* refused by the core */
    count_clocks_hear(&faults->clocks, passage->camera, passage->time_ms, passage->arrived_ms);
    int64_t time_ms = count_clocks_correct(&faults->clocks, passage->camera, passage->time_ms);
    passage->time_ms = time_ms > 0 ? time_ms : 0;
}

/* One way a plate may have come: from where a vehicle was seen last. Late passages come in the wrong order: then it is asked whether the
 * car can have driven there from here. */
static void find_way(struct count *count, uint32_t there, int64_t last_ms, uint32_t here, int64_t seen_ms, struct count_way *ret_way)
{
    bool is_back = seen_ms < last_ms;
    uint32_t from = is_back ? here : there, to = is_back ? there : here;
    double gap_s = fabs((double)(seen_ms - last_ms)) / 1000, least_s;
    *ret_way = (struct count_way){.gap_s = gap_s};
    if (from == to || gap_s > FAR_S)
        return;
    double max_s = count_less(count_more(gap_s / count->settings.delay_min, 60), COUNT_NEXT_S);
    const struct count_pair *pair = count_travel_pair(&count->travel, from, count->cameras[from].edge, to, count->cameras[to].edge, max_s);
    least_s = (double)pair->free_flow_s;
    if (least_s <= 0 || least_s > max_s) { /* the table may know it from another question */
        uint32_t least_ms = road_route_ms(count->travel.router, count->cameras[from].edge, count->cameras[to].edge);
        pair = NULL;
        least_s = least_ms >= ROAD_ROUTE_MAX_MS ? 0 : (double)least_ms / 1000; /* no way at all is the map's mistake */
    }
    const struct count_clock *clocks = count->faults.clocks.clocks;
    ret_way->pair = pair;
    ret_way->least_s = least_s;
    ret_way->is_apart = count_clones_is_apart(gap_s, least_s, clocks[from].uncertain_s + clocks[to].uncertain_s);
}

/* The pair's edges are those of the fastest way. */
void count_faults_link(struct count *count, const struct count_move *move)
{
    const struct count_trail *plate = &move->plate;
    uint32_t here = move->camera;
    struct count_way found;
    const struct count_way *way = &move->way;
    if (!move->has_way) {
        find_way(count, plate->camera, plate->ms, here, move->seen_ms, &found);
        way = &found;
    }
    bool is_back = move->seen_ms < plate->ms;
    if (!is_back)
        count_clocks_way(&count->faults.clocks, plate->camera, here, way->least_s, plate->ms, move->seen_ms, move->arrived_ms);
    else if (way->gap_s > HELD_UP_S && way->gap_s < COUNT_CLOCK_MAX_S) {
        /* It came here after it was there, by the order of arrivals: the ways' own direction is asked for. */
        double least_s = (double)road_route_ms(count->travel.router, count->cameras[plate->camera].edge, count->cameras[here].edge) / 1000;
        count_clocks_way(&count->faults.clocks, plate->camera, here, least_s, plate->ms, move->seen_ms, move->arrived_ms);
        return;
    }
    if (is_back || way->is_apart || way->pair == NULL)
        return;
    struct count_recall_pass pass = {plate->camera, COUNT_RECALL_NONE, here, way->gap_s};
    count_recall_pass(&count->faults.recall, count->travel.router, &pass, way->pair->edges, way->pair->n_edges);
    if (plate->n_sightings < 2 || plate->before_camera == here)
        return;
    pass = (struct count_recall_pass){plate->before_camera, plate->camera, here, (double)(move->seen_ms - plate->before_ms) / 1000};
    count_recall_pass(&count->faults.recall, count->travel.router, &pass, NULL, 0);
}

/* The plate was seen there, and is here: a witness that there are two. */
static void tell_apart(struct count *count, uint64_t plate, const struct count_vehicle *vehicle, const struct count_passage *passage,
    int64_t seen_ms, const struct count_way *way)
{
    struct count_sighting here = {passage->camera, seen_ms}, there = {vehicle->camera, (int64_t)vehicle->last_ms};
    struct count_apart pair = {seen_ms < there.time_ms ? here : there, seen_ms < there.time_ms ? there : here, way->least_s};
    bool is_doubtful = passage->confidence != 0 && passage->confidence < COUNT_CLONE_CONFIDENCE;
    count_clones_apart(&count->faults.clones, plate, &pair, is_doubtful);
}

/* Both vehicles with this plate are known: on whose way does it lie? */
static uint32_t of_both(struct count *count, uint32_t at, uint32_t twin_at, struct count_passage *passage, int64_t seen_ms)
{
    const struct count_vehicle *one = &count->vehicles.slab[at], *twin = &count->vehicles.slab[twin_at];
    uint64_t twin_key = twin->key;
    if (count_is_duplicate(count, one, passage))
        return at;
    if (count_is_duplicate(count, twin, passage)) {
        passage->vehicle = twin_key;
        return twin_at;
    }
    /* A second question may take the place of the first one's pair; only its answer is kept. */
    struct count_way from_one, from_twin;
    find_way(count, one->camera, (int64_t)one->last_ms, passage->camera, seen_ms, &from_one);
    find_way(count, twin->camera, (int64_t)twin->last_ms, passage->camera, seen_ms, &from_twin);
    bool is_twin = from_one.is_apart ||
                   (!from_twin.is_apart && from_twin.gap_s * fmax(from_one.least_s, 1) < from_one.gap_s * fmax(from_twin.least_s, 1));
    if (from_one.is_apart && !from_twin.is_apart)
        tell_apart(count, passage->vehicle, one, passage, seen_ms, &from_one);
    else if (!from_one.is_apart && from_twin.is_apart)
        tell_apart(count, passage->vehicle, twin, passage, seen_ms, &from_twin);
    if (is_twin)
        passage->vehicle = twin_key;
    return is_twin ? twin_at : at;
}

uint32_t count_faults_track(struct count *count, uint32_t at, struct count_passage *passage, struct count_move *move)
{
    struct count_vehicles *vehicles = &count->vehicles;
    if (at == COUNT_NONE)
        return COUNT_NONE;
    int64_t seen_ms = move->seen_ms;
    struct count_vehicle *vehicle = &vehicles->slab[at];
    uint64_t twin_key = count_clones_twin(passage->vehicle);
    uint32_t twin_at = vehicle->has_twin ? count_vehicles_find(vehicles, twin_key) : COUNT_NONE;
    if (twin_at != COUNT_NONE)
        return of_both(count, at, twin_at, passage, seen_ms);
    vehicle->has_twin = false;
    if (count_is_duplicate(count, vehicle, passage))
        return at;
    find_way(count, vehicle->camera, (int64_t)vehicle->last_ms, passage->camera, seen_ms, &move->way);
    count_trail_read(vehicle, &move->plate);
    move->has_plate = move->has_way = true;
    if (!move->way.is_apart)
        return at;
    tell_apart(count, passage->vehicle, vehicle, passage, seen_ms, &move->way);
    vehicle->has_twin = true;
    passage->vehicle = twin_key;
    twin_at = count_vehicles_find(vehicles, twin_key);
    move->is_split = twin_at == COUNT_NONE;
    return twin_at;
}

static bool is_silent(const struct count *count, uint32_t camera)
{
    return count->cameras[camera].is_silent;
}

void count_faults_learn(struct count *count, int64_t now_ms)
{
    struct count_faults *faults = &count->faults;
    if (faults->learned_ms != INT64_MIN && now_ms - faults->learned_ms < COUNT_LEARN_MS)
        return;
    faults->learned_ms = now_ms;
    count_clocks_learn(&faults->clocks, now_ms);
    for (uint32_t i = 0; i < count->n_cameras; i++)
        faults->recall.cameras[i].is_silent = is_silent(count, i);
    count_recall_learn(&faults->recall, now_ms);
    count_loops_learn(&count->loops, now_ms);
}

/* Of all passages: misread plates are first sightings, of which they are a known share. */
static double misread_share(const struct count_balance *balance)
{
    return balance->n_passages > 0 ? balance->ghosts * fmin(balance->n_first / balance->n_passages, 1) : 0;
}

void count_camera_health(const struct count *count, uint32_t camera, struct count_camera_health *ret_health)
{
    const struct count_clock *clock = &count->faults.clocks.clocks[camera];
    double n = 0, n_loop = 0, recall = count_recall_of(&count->faults.recall, camera, &n);
    uint32_t edge = count->cameras[camera].edge;
    /* A loop under the camera knows it best: of all that passed, not of some on their way elsewhere. */
    double read = count->faults.recall.edge_cameras[edge] == camera ? count_loops_recall(&count->loops, edge, &n_loop) : NAN;
    if (!isnan(read)) {
        recall = read * (1 - misread_share(&count->balance));
        n = n_loop;
    }
    *ret_health = (struct count_camera_health){.is_silent = is_silent(count, camera),
        .heard_ms = count->cameras[camera].heard.last_ms,
        .clock_s = clock->error_s,
        .clock_within_s = clock->uncertain_s,
        .recall = recall,
        .n_recall = (uint32_t)n};
}

uint64_t count_n_clones_untold(const struct count *count)
{
    return count->faults.clones.n_untold;
}

int64_t count_camera_time(const struct count *count, uint32_t camera, int64_t corrected_ms)
{
    return 2 * corrected_ms - count_clocks_correct(&count->faults.clocks, camera, corrected_ms);
}

uint32_t count_camera_edge(const struct count *count, uint32_t camera)
{
    return count->cameras[camera].edge;
}

uint32_t count_n_cameras(const struct count *count)
{
    return count->n_cameras;
}
