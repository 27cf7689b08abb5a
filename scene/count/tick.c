/*
 * What a second does: who is silent, how many vehicles each area has, what is told, and at the end of a period the record.
 * See core.h.
 */
#include "scene/count/state.h"
#include "scene/count/transit.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define SILENCE_SCAN_MS 5000 /* how often each camera's silence is looked at */
#define TICK_MAX_MS 600000   /* a longer gap between ticks says nothing of the clock's speed */
#define SILENCE_TICKS 4      /* a fast clock ticks far apart: shorter than this many ticks is no silence */
#define NORMAL_90 1.645      /* of a normal distribution 90 % lie within this many standard deviations */
#define NONE_95 2.996        /* -ln 0.05: of so many vehicles by chance none shows, one time in twenty; no upper end is lower */

/* For the cameras' health. The balance does without: a camera in gridlock hears nobody, and is the last to be left out. */
static void scan_cameras(struct count *count)
{
    if (count->scanned_ms != INT64_MIN && count->now_ms - count->scanned_ms < SILENCE_SCAN_MS)
        return;
    count->scanned_ms = count->now_ms;
    const struct count_settings *settings = &count->settings;
    int64_t least_ms =
        settings->camera_silent_ms > SILENCE_TICKS * count->tick_gap_ms ? settings->camera_silent_ms : SILENCE_TICKS * count->tick_gap_ms;
    for (uint32_t i = 0; i < count->n_cameras; i++)
        count->cameras[i].is_silent =
            count_silence_is_silent(&count->cameras[i].heard, count->now_ms, settings->window_s, least_ms, settings->silence_gaps);
}

/* Which areas are stale; true when one changed. */
static bool judge_areas(struct count *count)
{
    const struct count_settings *settings = &count->settings;
    int64_t least_ms =
        settings->stale_after_ms > SILENCE_TICKS * count->tick_gap_ms ? settings->stale_after_ms : SILENCE_TICKS * count->tick_gap_ms;
    bool is_changed = false;
    for (size_t i = 0; i < count->map.n_areas; i++) {
        struct count_area *area = &count->areas[i];
        bool was_stale = count->is_stale[i];
        /* An area is stale with the one above it: parents stand before their children. */
        int32_t above = count->map.area_parents[i];
        bool is_root_unheard = above < 0 && !count_silence_was_heard(&area->heard);
        int64_t since_ms = is_root_unheard ? count->first_tick_ms : area->heard.last_ms;
        bool is_stale = is_root_unheard
                            ? count->now_ms - since_ms > least_ms
                            : count_silence_is_silent(&area->heard, count->now_ms, settings->window_s, least_ms, settings->silence_gaps);
        if (!is_stale && above >= 0 && count->is_stale[above]) {
            is_stale = true;
            since_ms = count->areas[above].stale_since_ms;
        }
        count->is_stale[i] = is_stale;
        area->stale_since_ms =
            is_stale ? (was_stale && area->stale_since_ms != COUNT_FRESH ? area->stale_since_ms : since_ms) : COUNT_FRESH;
        is_changed |= was_stale != is_stale;
    }
    return is_changed;
}

/* Those that were seen, of the city. The balance of a small area may be negative by chance: areas have their part of the city's sum, of the
 * balance's by their positive ones, of the life table's by vehicles not seen since, and of those that end by their passages that end. So
 * the city's count is the same however it is cut into areas: an area of last cameras alone, say, has no passage that is followed to go by.
 */
static struct count_transit count_seen_vehicles(struct count *count)
{
    struct count_open open = {.expected = 0};
    double positive = 0;
    for (size_t i = 0; i < count->map.n_areas; i++) {
        struct count_area *area = &count->areas[i];
        count_open_add(&open, &area->open);
        area->seen.coming = fmax(count_transit_coming(&area->open), 0);
        positive += area->seen.coming;
    }
    struct count_transit transit = count_transit_city(&count->balance, &open, fmax(count_transit_coming(&open), 0), count->now_ms);
    double ending = count_transit_ending(&count->balance, &open, transit.balanced + transit.tabled), ends = 0;
    for (size_t i = 0; i < count->map.n_areas; i++)
        ends += fmax(count->areas[i].open.ending, 0);
    double of_balance = positive > 0 ? transit.balanced / positive : 0, of_known = open.n_known > 0 ? transit.tabled / open.n_known : 0;
    for (size_t i = 0; i < count->map.n_areas; i++) {
        struct count_area *area = &count->areas[i];
        area->seen.coming = of_balance * area->seen.coming + of_known * fmax(area->open.n_known, 0);
        area->seen.ending = ends > 0 ? ending * fmax(area->open.ending, 0) / ends : 0;
    }
    return transit;
}

/* An area's part of those not yet seen: by its first sightings. */
static double first_of(const struct count *count, size_t i)
{
    const struct count_area *area = &count->areas[i];
    int64_t now_s = count->now_ms / 1000;
    return now_s > area->faded_s ? area->n_first * count_fade_keep(&count->fade, area->faded_s, now_s) : area->n_first;
}

/*
 * Three errors, taken as independent: chance (a Poisson count, and which passages are followed), P itself, which stands before all
 * unsettled passages, and what stands for those not yet seen, of which a start knows less.
 */
static void tell_vehicles(const struct count *count, size_t i, double sd_unseen)
{
    const struct count_settings *settings = &count->settings;
    const struct count_area *area = &count->areas[i];
    struct count_area_figures *told = &count->told[i];
    double passages = count->below[i].expected + count->below[i].ending;
    double chance = passages > 0 ? count->below[i].expected * count->below[i].ending / passages : 0;
    told->vehicles = area->seen.coming + area->seen.ending + told->unseen;
    double sd = sqrt(told->vehicles + chance + pow(settings->sd_again * passages, 2) + pow(sd_unseen * told->unseen, 2) +
                     pow(settings->sd_all * told->vehicles, 2));
    told->low = fmax(told->vehicles - NORMAL_90 * sd, 0);
    told->high = fmax(told->vehicles + NORMAL_90 * sd, NONE_95);
}

/* Vehicles seen, and those that entered and were not seen yet, rolled up. */
static void count_areas(struct count *count)
{
    struct count_area_figures *told = count->told;
    struct count_transit transit = count_seen_vehicles(count);
    double unseen = transit.unseen, sd_unseen = count->settings.sd_unseen + (1 - transit.known) * count->settings.sd_start, first = 0;
    for (size_t i = 0; i < count->map.n_areas; i++)
        first += told[i].unseen = first_of(count, i);
    for (size_t i = 0; i < count->map.n_areas; i++) {
        struct count_area *area = &count->areas[i];
        told[i].unseen *= first > 0 ? unseen / first : 0;
        int64_t now_s = count->now_ms / 1000, faded_s = area->heard.faded_s;
        told[i].n_passages =
            (uint32_t)lround(now_s > faded_s ? area->heard.n * count_fade_keep(&count->fade, faded_s, now_s) : area->heard.n);
        told[i].is_told = area->has_camera || area->has_edge;
        told[i].stale_since_ms = area->stale_since_ms;
    }
    /* Children stand after their parents. */
    memset(count->below, 0, count->map.n_areas * sizeof(*count->below));
    for (size_t i = count->map.n_areas; i-- > 0;) {
        int32_t above = count->map.area_parents[i];
        struct count_area *area = &count->areas[i];
        count_open_add(&count->below[i], &area->open);
        if (above >= 0) {
            count_open_add(&count->below[above], &count->below[i]);
            count->areas[above].seen.coming += area->seen.coming;
            count->areas[above].seen.ending += area->seen.ending;
            told[above].unseen += told[i].unseen;
        }
        tell_vehicles(count, i, sd_unseen);
        told[i].n_vehicles = (uint32_t)lround(fmax(count->below[i].n_known, 0));
        /* A camera that nobody has heard says nothing, not that nobody is there. */
        if (!count_silence_was_heard(&area->heard) || count->is_stale[i]) {
            told[i].vehicles = told[i].unseen = told[i].low = told[i].high = NAN;
            told[i].n_vehicles = 0;
            told[i].n_passages = 0;
        }
    }
}

static void sum_up(double value, double ms, double *sum, double *sum_ms)
{
    if (!isnan(value)) {
        *sum += value * ms;
        *sum_ms += ms;
    }
}

/* A mean of a period needs half of it. */
static double mean_of(double sum, double sum_ms, double period_ms)
{
    return sum_ms * 2 >= period_ms ? sum / sum_ms : NAN;
}

/* Adds this tick to the running period; at its end, gives the period's means. */
static const struct count_area_figures *keep_record(struct count *count, int64_t before_ms)
{
    const int64_t period_ms = count->settings.record_ms;
    bool is_end = before_ms != INT64_MIN && count->now_ms / period_ms > before_ms / period_ms;
    double ms = before_ms == INT64_MIN ? 0 : fmin((double)(count->now_ms - before_ms), (double)TICK_MAX_MS);
    for (size_t i = 0; i < count->map.n_areas; i++) {
        const struct count_area_figures *told = &count->told[i];
        struct count_record_sums *sums = &count->sums[i];
        double unused_ms = 0;
        sum_up(told->vehicles, ms, &sums->vehicles, &sums->vehicles_ms);
        sum_up(told->unseen, ms, &sums->unseen, &unused_ms);
        sum_up(told->low, ms, &sums->low, &unused_ms);
        sum_up(told->high, ms, &sums->high, &unused_ms);
        sum_up(told->flow_vph, ms, &sums->flow, &sums->flow_ms);
        sum_up(told->speed_mps, ms, &sums->speed, &sums->speed_ms);
        sum_up(told->delay_index, ms, &sums->delay, &sums->delay_ms);
        sum_up(told->congestion_index, ms, &sums->congestion, &sums->congestion_ms);
        sum_up(told->vehicle_km_ph, ms, &sums->vehicle_km, &sums->vehicle_km_ms);
        sums->n_vehicles += told->n_vehicles;
        sums->n_passages += told->n_passages;
        sums->n_links += told->n_links;
        sums->n_ticks++;
        if (!is_end)
            continue;
        count->record[i] = (struct count_area_figures){.is_told = told->is_told,
            .stale_since_ms = told->stale_since_ms,
            .vehicles = mean_of(sums->vehicles, sums->vehicles_ms, (double)period_ms),
            .unseen = mean_of(sums->unseen, sums->vehicles_ms, (double)period_ms),
            .low = mean_of(sums->low, sums->vehicles_ms, (double)period_ms),
            .high = mean_of(sums->high, sums->vehicles_ms, (double)period_ms),
            .flow_vph = mean_of(sums->flow, sums->flow_ms, (double)period_ms),
            .speed_mps = mean_of(sums->speed, sums->speed_ms, (double)period_ms),
            .delay_index = mean_of(sums->delay, sums->delay_ms, (double)period_ms),
            .congestion_index = mean_of(sums->congestion, sums->congestion_ms, (double)period_ms),
            .vehicle_km_ph = mean_of(sums->vehicle_km, sums->vehicle_km_ms, (double)period_ms),
            .n_vehicles = (uint32_t)(sums->n_vehicles / sums->n_ticks),
            .n_passages = (uint32_t)(sums->n_passages / sums->n_ticks),
            .n_links = (uint32_t)(sums->n_links / sums->n_ticks)};
        *sums = (struct count_record_sums){0};
    }
    return is_end ? count->record : NULL;
}

void count_reset(struct count *count)
{
    count_vehicles_clear(&count->vehicles);
    count_figures_clear(&count->figures);
    count_balance_init(&count->balance, &count->settings);
    count->camera_ms = INT64_MIN;
    count->n_seen_cameras = 0; /* the way to the first camera is the balance's, and asked anew */
    count_faults_clear(&count->faults);
    count_loops_clear(&count->loops);
    count_spread_clear(&count->spread, count->map.network->n_edges, count->figures.n_groups);
    for (uint32_t i = 0; i < count->n_cameras; i++) {
        count->cameras[i] = (struct count_camera){.edge = count->cameras[i].edge};
        count_account_clear(&count->balance, &count->accounts[i]);
    }
    for (size_t i = 0; i < count->map.n_areas; i++) {
        struct count_area *area = &count->areas[i];
        *area = (struct count_area){.has_camera = area->has_camera, .has_edge = area->has_edge, .stale_since_ms = COUNT_FRESH};
        count->sums[i] = (struct count_record_sums){0};
        count->is_stale[i] = false;
    }
    count->now_ms = count->tick_ms = count->whole_ms = count->first_tick_ms = count->scanned_ms = INT64_MIN;
}

/* Flow, speed and delay are not asked for. */
static void leave_out_figures(struct count *count)
{
    for (size_t i = 0; i < count->map.n_areas; i++) {
        struct count_area_figures *told = &count->told[i];
        told->flow_vph = told->speed_mps = told->delay_index = told->congestion_index = told->vehicle_km_ph = NAN;
        told->n_links = 0;
    }
}

void count_tick(struct count *count, int64_t now_ms, bool is_whole, struct count_updates *ret_updates)
{
    assert(now_ms >= 0 && now_ms <= COUNT_TIME_MAX_MS);
    if (count->now_ms != INT64_MIN && now_ms < count->now_ms - count->settings.late_max_ms) {
        count_reset(count);
        count->counters.n_resets++;
    }
    int64_t before_ms = count->tick_ms, whole_before_ms = count->whole_ms;
    count_advance(count, now_ms);
    if (count->first_tick_ms == INT64_MIN)
        count->first_tick_ms = count->now_ms;
    count->tick_ms = count->now_ms;
    if (before_ms == INT64_MIN)
        count->tick_gap_ms = TICK_MAX_MS; /* one tick says nothing of the clock's speed, so nothing is judged silent by it */
    else
        count->tick_gap_ms = count->now_ms - before_ms < TICK_MAX_MS ? count->now_ms - before_ms : TICK_MAX_MS;
    count->is_stale_untold |= judge_areas(count);
    if (!count->is_stale[0])
        scan_cameras(count);
    count_areas(count);
    *ret_updates = (struct count_updates){
        .time_ms = count->now_ms, .areas = count->told, .clones = count->faults.clones.told, .n_clones = count->faults.clones.n_told};
    count->faults.clones.n_told = 0;
    if (!is_whole) {
        leave_out_figures(count);
        return;
    }
    count_figures_tick(&count->figures, count->now_ms, count->is_stale, count->is_stale_untold, count->told);
    count_spread_learn(count);
    for (uint32_t i = 0; i < count->figures.n_roads; i++) {
        struct count_road_state *road = &count->figures.roads[i];
        road->vehicles = count_spread_tell(count, count->spread.on_roads[road->road]);
    }
    count->is_stale_untold = false;
    count->whole_ms = count->now_ms;
    ret_updates->edges = count->figures.states;
    ret_updates->n_edges = count->figures.n_states;
    ret_updates->roads = count->figures.roads;
    ret_updates->n_roads = count->figures.n_roads;
    ret_updates->junctions = count->figures.junctions.states;
    ret_updates->n_junctions = count->figures.junctions.n_states;
    ret_updates->record = keep_record(count, whole_before_ms);
}
