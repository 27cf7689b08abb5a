/* The core's state as bytes; see snapshot.h. One walk (snapshot_walk.h) says the format for both directions. */
#include "scene/count/snapshot.h"

#include "scene/count/snapshot_walk.h"
#include "scene/keeper.h"

#include <math.h>
#include <string.h>

static const char magic[8] = {'c', 'b', 'c', 'o', 'u', 'n', 't', '\n'};

/* ---- the parts ---- */

static uint64_t digest_of(const struct road_network *network)
{
    uint64_t digest = network->n_edges;
    for (uint32_t i = 0; i < network->n_edges; i++)
        digest = (digest ^ str_hash(network->edges[i].id)) * 0x9E3779B97F4A7C15u + (uint64_t)(network->edges[i].length_m * 1000);
    return digest;
}

#define SHAPE_LEN ((size_t)5 * 8)

static void walk_shape(struct walk *walk, const struct count *count)
{
    uint64_t areas = count->map.n_areas;
    for (size_t i = 0; i < count->map.n_areas; i++)
        areas = areas * 0x100000001b3u + (uint64_t)(uint32_t)count->map.area_parents[i];
    for (uint32_t i = 0; i < count->map.network->n_edges; i++)
        areas = areas * 0x100000001b3u + count->map.edge_areas[i];
    walk_same(walk, digest_of(count->map.network), "the road network");
    walk_same(walk, areas, "the areas");
    walk_same(walk, (uint64_t)count->settings.keep_s, "how long a trip is waited for");
    walk_same(walk, (uint64_t)count->settings.record_ms, "the period of the record");
    walk_same(walk, (uint64_t)(count->settings.window_s * 1000), "the window of the figures");
}

static void walk_silence(struct walk *walk, struct count_silence *heard)
{
    walk_past(walk, &heard->first_ms);
    walk_past(walk, &heard->last_ms);
    walk_past(walk, &heard->faded_s);
    walk_real(walk, &heard->n, 0, HUGE_SUM);
}

static void walk_number(struct walk *walk, int32_t *number)
{
    uint32_t value = (uint32_t)*number;
    walk_u32(walk, &value, (uint32_t)(COUNT_TIME_MAX_MS / COUNT_COHORT_MS) + 1, "a cohort's number");
    *number = (int32_t)value;
}

static void walk_cohorts(struct walk *walk, const struct count_balance *balance, struct count_account *account)
{
    uint32_t n = 0;
    for (int32_t i = 0; i < balance->n_cohorts; i++)
        n += account->cohorts[i].number != 0;
    walk_u32(walk, &n, (uint32_t)balance->n_cohorts, "a camera's cohorts");
    for (uint32_t i = 0, at = 0; i < n; i++, at++) {
        while (!is_reading(walk) && account->cohorts[at].number == 0)
            at++;
        struct count_cohort cohort = {.number = 0};
        if (!is_reading(walk))
            cohort = account->cohorts[at];
        walk_number(walk, &cohort.number);
        for (int k = 0; k < COUNT_SIGHTINGS; k++) {
            walk_u16(walk, &cohort.n[k]);
            walk_u16(walk, &cohort.open[k]);
            if (cohort.open[k] > cohort.n[k])
                fail(walk, ERR_CORRUPT, "a cohort");
        }
        if (is_reading(walk) && walk->err == ERR_OK)
            account->cohorts[cohort.number % balance->n_cohorts] = cohort;
    }
}

static void walk_account(struct walk *walk, const struct count *count, struct count_account *account)
{
    walk_cohorts(walk, &count->balance, account);
    walk_u32(walk, &account->n_branches, COUNT_BRANCHES, "a camera's next ones");
    for (uint32_t i = 0; i < account->n_branches && walk->err == ERR_OK; i++) {
        walk_u32(walk, &account->branches[i].to, count->n_cameras - 1, "a next camera");
        walk_float(walk, &account->branches[i].free_s, 0, 1e6F);
        walk_float(walk, &account->branches[i].n, 0, 1e9F);
        walk_number(walk, &account->branches[i].left);
        walk_number(walk, &account->branches[i].came);
    }
    walk_time(walk, &account->clock_ms);
    walk_real(walk, &account->lateness_s, 0, 1e9);
    walk_real(walk, &account->gaps_s, 0, HUGE_SUM);
    walk_real(walk, &account->n_gaps, 0, HUGE_SUM);
    int64_t settled = account->settled_before == INT32_MIN ? INT64_MIN : account->settled_before;
    walk_time(walk, &settled);
    if (settled > INT32_MAX)
        fail(walk, ERR_CORRUPT, "a cohort's number");
    account->settled_before = settled == INT64_MIN ? INT32_MIN : (int32_t)settled;
    walk_real(walk, &account->share, 0, HUGE_SUM);
}

static void walk_lifetable(struct walk *walk, struct count_lifetable *table)
{
    double *sums[] = {&table->gaps_s, &table->n_gaps, &table->first_gaps_s, &table->n_first_gaps};
    walk_past(walk, &table->number);
    for (int32_t age = 0; age < COUNT_AGES; age++) {
        for (int k = 0; k < COUNT_SIGHTINGS; k++)
            walk_u32(walk, &table->open[age][k], UINT32_MAX, "vehicles of an age");
        walk_real(walk, &table->again[age], 0, HUGE_SUM);
        walk_real(walk, &table->waited[age], 0, HUGE_SUM);
        walk_real(walk, &table->ahead[age], 0, HUGE_SUM);
    }
    walk_real(walk, &table->way_s, 0, HUGE_SUM);
    if (table->number > COUNT_TIME_MAX_MS / COUNT_AGE_MS + 1)
        fail(walk, ERR_CORRUPT, "an age's number");
    for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++)
        walk_real(walk, sums[i], 0, HUGE_SUM);
}

static void walk_balance(struct walk *walk, struct count_balance *balance)
{
    double *sums[] = {&balance->n_passages, &balance->n_first, &balance->n_gaps, &balance->gaps_s, &balance->n_ways, &balance->ways_s,
        &balance->ends.before, &balance->ends.after, &balance->ends.waits_after, &balance->ends.waits, &balance->ends.way_s,
        &balance->ends.trip_s, &balance->window_s, &balance->way_s};
    for (int k = 0; k < COUNT_SIGHTINGS; k++)
        walk_real(walk, &balance->again[k], 0, 1);
    walk_real(walk, &balance->ghosts, 0, 1);
    walk_real(walk, &balance->fall, 1, 2);
    walk_real(walk, &balance->late_share, 0, 1);
    for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++)
        walk_real(walk, sums[i], 0, HUGE_SUM);
    walk_time(walk, &balance->learned_ms);
    walk_time(walk, &balance->begun_ms);
    walk_time(walk, &balance->rated_ms);
    walk_lifetable(walk, &balance->table);
}

static void walk_areas(struct walk *walk, struct count *count)
{
    for (size_t i = 0; i < count->map.n_areas; i++) {
        struct count_area *area = &count->areas[i];
        struct count_record_sums *sums = &count->sums[i];
        double *reals[] = {&area->n_first, &area->open.expected, &area->open.ending, &area->open.n_again, &area->open.n_known,
            &sums->vehicles, &sums->unseen, &sums->low, &sums->high, &sums->flow, &sums->speed, &sums->delay, &sums->vehicles_ms,
            &sums->flow_ms, &sums->speed_ms, &sums->delay_ms, &sums->congestion, &sums->congestion_ms, &sums->vehicle_km,
            &sums->vehicle_km_ms};
        uint64_t *numbers[] = {&sums->n_vehicles, &sums->n_passages, &sums->n_links, &sums->n_ticks};
        walk_silence(walk, &area->heard);
        walk_past(walk, &area->faded_s);
        walk_time(walk, &area->stale_since_ms);
        walk_bool(walk, &count->is_stale[i]);
        for (size_t k = 0; k < sizeof(reals) / sizeof(reals[0]); k++)
            walk_sum(walk, reals[k]);
        for (size_t k = 0; k < sizeof(numbers) / sizeof(numbers[0]); k++)
            walk_u64(walk, numbers[k]);
    }
}

static void walk_figures(struct walk *walk, struct count_figures *figures)
{
    walk_time(walk, &figures->first_ms);
    walk_time(walk, &figures->refreshed_ms);
    walk_u32(walk, &figures->n_active, figures->map.network->n_edges, "the observed edges");
    for (uint32_t i = 0; i < figures->n_active && walk->err == ERR_OK; i++) {
        walk_u32(walk, &figures->active[i], figures->map.network->n_edges - 1, "an edge");
        struct count_edge_sums *sums = &figures->edges[figures->active[i]];
        if (is_reading(walk) && sums->is_active)
            fail(walk, ERR_CORRUPT, "an edge that is there twice");
        float *reals[] = {
            &sums->actual_s, &sums->free_s, &sums->driven_m, &sums->n_passed, &sums->lost_s, &sums->n, &sums->n_flow, &sums->n_gps};
        for (size_t k = 0; k < sizeof(reals) / sizeof(reals[0]); k++)
            walk_float(walk, reals[k], 0, 1e15F);
        sums->is_active = true;
        walk_bool(walk, &sums->is_changed);
        walk_past(walk, &sums->faded_s);
    }
    for (uint32_t i = 0; i < figures->n_groups; i++)
        walk_bool(walk, &figures->groups[i].was_told);
}

static void walk_spread(struct walk *walk, struct count *count)
{
    for (uint32_t i = 0; i < count->map.network->n_edges && walk->err == ERR_OK; i++)
        walk_float(walk, &count->spread.on_edges[i], 0, 1e9F);
    walk_real(walk, &count->spread.all, 0, HUGE_SUM);
    walk_time(walk, &count->spread.learned_ms);
    count_spread_sum(count);
}

static void walk_vehicle(struct walk *walk, const struct count *count, struct count_vehicle *vehicle)
{
    int64_t last_ms = (int64_t)vehicle->last_ms, before_ms = count_vehicle_before_ms(vehicle);
    uint32_t n_sightings = vehicle->n_sightings;
    bool has_twin = vehicle->has_twin;
    walk_u64(walk, &vehicle->key);
    walk_past(walk, &last_ms);
    walk_time(walk, &before_ms);
    walk_u32(walk, &vehicle->camera, count->n_cameras - 1, "a vehicle's camera");
    walk_u32(walk, &vehicle->before_camera, COUNT_NONE, "a vehicle's camera");
    walk_u32(walk, &n_sightings, COUNT_SIGHTINGS_MAX, "a vehicle");
    walk_bool(walk, &has_twin);
    bool was_before = before_ms != INT64_MIN;
    bool is_one = n_sightings > 0 && count->n_cameras > 0 && (!was_before || vehicle->before_camera < count->n_cameras) &&
                  (vehicle->before_camera != COUNT_NONE) == was_before && last_ms <= COUNT_TIME_MAX_MS &&
                  (!was_before || (before_ms <= last_ms && last_ms - before_ms <= UINT32_MAX));
    if (!is_one)
        fail(walk, ERR_CORRUPT, "a vehicle");
    vehicle->last_ms = (uint64_t)last_ms;
    vehicle->gap_ms = was_before ? (uint32_t)(last_ms - before_ms) : 0;
    vehicle->n_sightings = n_sightings;
    vehicle->has_twin = has_twin;
}

static void walk_vehicles(struct walk *walk, struct count *count)
{
    struct count_vehicles *vehicles = &count->vehicles;
    uint32_t n = vehicles->n_known, at = 0;
    walk_u32(walk, &n, UINT32_MAX / 8, "the vehicles");
    walk_u64(walk, &vehicles->n_evicted);
    for (uint32_t i = 0; i < n && walk->err == ERR_OK; i++, at++) {
        struct count_vehicle vehicle = {.before_camera = COUNT_NONE};
        while (!is_reading(walk) && vehicles->slab[at].n_sightings == 0)
            at++;
        if (!is_reading(walk))
            vehicle = vehicles->slab[at];
        walk_vehicle(walk, count, &vehicle);
        if (!is_reading(walk) || walk->err != ERR_OK)
            continue;
        if (count_vehicles_find(vehicles, vehicle.key) != COUNT_NONE) {
            fail(walk, ERR_CORRUPT, "a vehicle that is there twice");
            continue;
        }
        uint32_t place = count_vehicles_add(vehicles, vehicle.key, vehicle.camera, (int64_t)vehicle.last_ms);
        if (place == COUNT_NONE) {
            fail(walk, ERR_NO_MEMORY, "the vehicles");
            continue;
        }
        vehicle.next = vehicles->slab[place].next;
        vehicles->slab[place] = vehicle;
    }
}

/* ---- faults ---- */

static void walk_least(struct walk *walk, struct count_least *least, uint8_t *n_held)
{
    for (int w = 0; w < 2; w++) {
        for (int i = 0; i < COUNT_CLOCK_LEAST; i++)
            walk_float(walk, &least->least_s[w][i], -1e12F, INFINITY);
        walk_u32(walk, &least->n[w], UINT32_MAX, "a window");
    }
    uint32_t held = *n_held;
    walk_u32(walk, &held, UINT8_MAX, "a window");
    *n_held = (uint8_t)held;
}

static void walk_clocks(struct walk *walk, struct count_clocks *clocks)
{
    for (uint32_t c = 0; c < clocks->n; c++) {
        struct count_clock *clock = &clocks->clocks[c];
        walk_least(walk, &clock->delay, &clock->delay_held);
        walk_u32(walk, &clock->n_ways, COUNT_CLOCK_WAYS, "a clock's ways");
        for (uint32_t i = 0; i < clock->n_ways && walk->err == ERR_OK; i++) {
            walk_u32(walk, &clock->to[i], clocks->n - 1, "a clock's way");
            walk_float(walk, &clock->road_s[i], 0, 1e6F);
            walk_least(walk, &clock->over[i], &clock->over_held[i]);
        }
        walk_u32(walk, &clock->n_heard, UINT32_MAX, "a clock");
        walk_u32(walk, &clock->n_later, UINT32_MAX, "a clock");
        walk_real(walk, &clock->error_s, -COUNT_CLOCK_MAX_S, COUNT_CLOCK_MAX_S);
        walk_real(walk, &clock->uncertain_s, 0, COUNT_CLOCK_UNKNOWN_S);
        walk_time(walk, &clock->changed_ms);
    }
    walk_real(walk, &clocks->delay_s, -1e6, 1e6);
    walk_time(walk, &clocks->turned_ms);
}

static void walk_sighting(struct walk *walk, const struct count *count, struct count_sighting *sighting)
{
    walk_u32(walk, &sighting->camera, count->n_cameras > 0 ? count->n_cameras - 1 : 0, "a sighting's camera");
    walk_past(walk, &sighting->time_ms);
}

static void walk_apart(struct walk *walk, const struct count *count, struct count_apart *pair)
{
    walk_sighting(walk, count, &pair->a);
    walk_sighting(walk, count, &pair->b);
    walk_real(walk, &pair->least_s, 0, HUGE_SUM);
}

static void walk_clones(struct walk *walk, struct count *count)
{
    struct count_clones *clones = &count->faults.clones;
    uint32_t n = 0;
    for (uint32_t i = 0; i < COUNT_SUSPECTS; i++)
        n += clones->suspects[i].used_ms != 0;
    walk_u32(walk, &n, COUNT_SUSPECTS, "the plates at two places");
    for (uint32_t i = 0, at = 0; i < n && walk->err == ERR_OK; i++, at++) {
        while (!is_reading(walk) && clones->suspects[at].used_ms == 0)
            at++;
        walk_u32(walk, &at, COUNT_SUSPECTS - 1, "a plate's place");
        struct count_suspect *suspect = &clones->suspects[at];
        walk_u64(walk, &suspect->vehicle);
        walk_apart(walk, count, &suspect->first);
        walk_past(walk, &suspect->told_ms);
        walk_past(walk, &suspect->used_ms);
    }
    walk_u32(walk, &clones->n_told, COUNT_CLONES_TOLD, "the plates to tell");
    for (uint32_t i = 0; i < clones->n_told && walk->err == ERR_OK; i++) {
        walk_u64(walk, &clones->told[i].vehicle);
        walk_apart(walk, count, &clones->told[i].first);
        walk_apart(walk, count, &clones->told[i].second);
    }
    walk_u64(walk, &clones->n_apart);
    walk_u64(walk, &clones->n_found);
    walk_u64(walk, &clones->n_untold);
}

static void walk_recall(struct walk *walk, struct count_recall *recall)
{
    uint32_t n = 0;
    for (uint32_t c = 0; c < recall->n; c++) {
        walk_bool(walk, &recall->cameras[c].is_silent);
        walk_real(walk, &recall->cameras[c].n_read, 0, HUGE_SUM);
        walk_real(walk, &recall->cameras[c].n_missed, 0, HUGE_SUM);
    }
    for (uint32_t i = 0; i < COUNT_RECALL_GAPS; i++)
        n += recall->gaps[i].used != 0;
    walk_u32(walk, &n, recall->n > 0 ? COUNT_RECALL_GAPS : 0, "the gaps");
    for (uint32_t i = 0, at = 0; i < n && walk->err == ERR_OK; i++, at++) {
        while (!is_reading(walk) && recall->gaps[at].used == 0)
            at++;
        walk_u32(walk, &at, COUNT_RECALL_GAPS - 1, "a gap's place");
        struct count_recall_gap *gap = &recall->gaps[at];
        walk_u32(walk, &gap->from, recall->n - 1, "a gap");
        walk_u32(walk, &gap->to, recall->n - 1, "a gap");
        walk_u32(walk, &gap->between, recall->n - 1, "a gap");
        walk_float(walk, &gap->past_s, 0, 1e6F);
        walk_u64(walk, &gap->used);
    }
    if (is_reading(walk))
        count_recall_retag(recall);
    walk_u64(walk, &recall->used);
    uint32_t left = (uint32_t)recall->n_searches;
    walk_u32(walk, &left, COUNT_RECALL_SEARCHES, "the searches left");
    recall->n_searches = (int32_t)left;
    walk_time(walk, &recall->faded_ms);
}

/* ---- the whole ---- */

static void walk_cameras(struct walk *walk, struct count *count)
{
    uint32_t n = count->n_cameras;
    walk_u32(walk, &n, count->settings.cameras_max, "the cameras");
    for (uint32_t c = 0; c < n && walk->err == ERR_OK; c++) {
        uint32_t edge = is_reading(walk) ? 0 : count->cameras[c].edge, number;
        walk_u32(walk, &edge, count->map.network->n_edges - 1, "a camera's edge");
        if (is_reading(walk) && walk->err == ERR_OK && count_camera_add(count, edge, &number) != ERR_OK)
            fail(walk, ERR_NO_MEMORY, "the cameras");
    }
    if (walk->err != ERR_OK)
        return;
    for (uint32_t c = 0; c < n; c++) {
        walk_silence(walk, &count->cameras[c].heard);
        walk_bool(walk, &count->cameras[c].is_silent);
        walk_account(walk, count, &count->accounts[c]);
    }
}

static void walk_count(struct walk *walk, struct count *count)
{
    struct count_counters *counters = &count->counters;
    uint64_t *numbers[] = {&counters->n_passages, &counters->n_duplicates, &counters->n_out_of_order, &counters->n_late,
        &counters->n_future, &counters->n_links, &counters->n_impossible, &counters->n_stops, &counters->n_resets, &counters->n_drives,
        &counters->n_drives_odd};
    int64_t *times[] = {&count->now_ms, &count->tick_ms, &count->first_tick_ms, &count->scanned_ms, &count->tick_gap_ms,
        &count->faults.learned_ms, &count->camera_ms};
    walk_cameras(walk, count);
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
        walk_time(walk, times[i]);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        walk_u64(walk, numbers[i]);
    if (is_reading(walk))
        count->whole_ms = count->tick_ms;
    bool is_begun = count->tick_ms != INT64_MIN;
    if (count->tick_gap_ms < 0 || count->tick_gap_ms > 600000 || is_begun != (count->first_tick_ms != INT64_MIN) ||
        (is_begun && count->now_ms == INT64_MIN))
        fail(walk, ERR_CORRUPT, "a time");
    if (walk->err != ERR_OK)
        return;
    walk_balance(walk, &count->balance);
    walk_u32(walk, &count->n_seen_cameras, count->n_cameras, "the cameras");
    walk_areas(walk, count);
    walk_figures(walk, &count->figures);
    walk_spread(walk, count);
    walk_vehicles(walk, count);
    walk_clocks(walk, &count->faults.clocks);
    walk_clones(walk, count);
    walk_recall(walk, &count->faults.recall);
    count_snapshot_loops(walk, &count->loops);
}

void count_snapshot_write(const struct count *count, struct str extra, struct buf *out)
{
    struct walk walk = {.out = out};
    /* The walk changes nothing where it writes. */
    struct count *walked = (struct count *)(uintptr_t)count;
    uint32_t version = COUNT_SNAPSHOT_VERSION, n_extra = (uint32_t)extra.len;
    buf_append(out, magic, sizeof(magic));
    walk_u32(&walk, &version, UINT32_MAX, "");
    walk_shape(&walk, count);
    walk_u32(&walk, &n_extra, UINT32_MAX, "");
    buf_append_str(out, extra);
    walk_count(&walk, walked);
    if (walk.err != ERR_OK && out->err == ERR_OK)
        out->err = ERR_RANGE;
}

/* Magic, digest, version; `walk` stands behind them. */
static enum err open_sealed(struct str bytes, struct diag *diag, struct walk *walk)
{
    struct str body = STR_NONE;
    uint32_t version = 0;
    if (bytes.len < sizeof(magic) + 4 + SCENE_SEAL_LEN || memcmp(bytes.ptr, magic, sizeof(magic)) != 0)
        return diag_set(diag, ERR_CORRUPT, NULL, 0, "this is no snapshot of a count");
    if (!scene_unseal(bytes, &body))
        return diag_set(diag, ERR_CORRUPT, NULL, 0, "the snapshot of the count is not whole: its digest is another");
    *walk = (struct walk){.err = ERR_OK};
    bytes_reader_init(&walk->in, body.ptr, body.len);
    bytes_read_str(&walk->in, sizeof(magic));
    walk_u32(walk, &version, UINT32_MAX, "its version");
    if (version != COUNT_SNAPSHOT_VERSION)
        return diag_set(
            diag, ERR_UNSUPPORTED, NULL, 0, "the snapshot of the count is of version %u, not %u", version, COUNT_SNAPSHOT_VERSION);
    return ERR_OK;
}

static struct str read_owner(struct walk *walk)
{
    uint32_t n = 0;
    walk_u32(walk, &n, UINT32_MAX, "the owner's bytes");
    struct str owner = bytes_read_str(&walk->in, n);
    if (walk->in.err != ERR_OK)
        fail(walk, ERR_CORRUPT, "the owner's bytes");
    return owner;
}

enum err count_snapshot_owner(struct str bytes, struct diag *diag, struct str *ret_extra)
{
    struct walk walk;
    enum err err = open_sealed(bytes, diag, &walk);
    if (err != ERR_OK)
        return err;
    bytes_read_str(&walk.in, SHAPE_LEN);
    struct str owner = read_owner(&walk);
    if (walk.err != ERR_OK)
        return diag_set(diag, walk.err, NULL, 0, "the snapshot of the count is wrong about %s", walk.wrong);
    *ret_extra = owner;
    return ERR_OK;
}

enum err count_snapshot_read(struct str bytes, const struct count_settings *settings, const struct count_map *map, struct diag *diag,
    struct str *ret_extra, struct count **ret_count)
{
    struct walk walk;
    struct count *count = NULL;
    enum err err = open_sealed(bytes, diag, &walk);
    if (err != ERR_OK)
        return err;
    err = count_create(settings, map, &count);
    if (err != ERR_OK)
        return err;
    walk_shape(&walk, count);
    struct str extra = read_owner(&walk);
    if (walk.err == ERR_OK)
        walk_count(&walk, count);
    if (walk.err == ERR_OK && bytes_reader_left(&walk.in) > 0)
        fail(&walk, ERR_CORRUPT, "its end");
    if (walk.err != ERR_OK) {
        count_destroy(count);
        return diag_set(diag, walk.err, NULL, 0,
            walk.err == ERR_STATE ? "the snapshot of the count was made with another %s" : "the snapshot of the count is wrong about %s",
            walk.wrong);
    }
    *ret_extra = extra;
    *ret_count = count;
    return ERR_OK;
}
