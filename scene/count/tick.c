/*
 * What a second does: who is silent, how many vehicles each area has, what is told, and at the end of a period the record.
 * See core.h.
 */
#include "scene/count/state.h"

#include <assert.h>
#include <math.h>

#define SILENCE_SCAN_MS 5000 /* how often each camera's silence is looked at */
#define TICK_MAX_MS 600000   /* a longer gap between ticks says nothing of the clock's speed */
#define SILENCE_TICKS 4      /* a fast clock ticks far apart: shorter than this many ticks is no silence */
#define RATE_LEAST_S 60      /* no rate of first sightings is told from less than a minute */

static void scan_cameras(struct count *count)
{
    if (count->scanned_ms != INT64_MIN && count->now_ms - count->scanned_ms < SILENCE_SCAN_MS)
        return;
    count->scanned_ms = count->now_ms;
    const struct count_settings *settings = &count->settings;
    int64_t least_ms =
        settings->camera_silent_ms > SILENCE_TICKS * count->tick_gap_ms ? settings->camera_silent_ms : SILENCE_TICKS * count->tick_gap_ms;
    for (uint32_t i = 0; i < count->n_cameras; i++) {
        struct count_camera *camera = &count->cameras[i];
        if (camera->is_silent ||
            !count_silence_is_silent(&camera->heard, count->now_ms, settings->window_s, least_ms, settings->silence_gaps))
            continue;
        camera->is_silent = true;
        count->speaks[camera->edge]--;
        count->version++;
    }
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

/* Each vehicle by its chance to be still on its way. */
static void count_vehicles(const struct count *count, struct count_area_figures *told)
{
    for (uint32_t i = 0; i < count->vehicles.n_slab; i++) {
        const struct count_vehicle *vehicle = &count->vehicles.slab[i];
        if (vehicle->n_sightings == 0)
            continue;
        double age_s = fmax((double)(count->now_ms - vehicle->last_ms) / 1000, 0);
        double alive = count_expect_alive(&count->expect, vehicle->n_sightings == 1, age_s, (double)vehicle->expected_s);
        told[vehicle->area].vehicles += alive;
        told[vehicle->area].n_vehicles += alive >= 0.5;
    }
}

/* Vehicles seen, and those that entered and were not seen yet, rolled up. */
static void count_areas(struct count *count)
{
    struct count_area_figures *told = count->told;
    const struct count_settings *settings = &count->settings;
    for (size_t i = 0; i < count->map.n_areas; i++) {
        struct count_area *area = &count->areas[i];
        double lead_s = area->lead_s > 0 ? area->lead_s * exp(-(double)(count->now_ms - area->faded_ms) / 1000 / settings->window_s) : 0;
        double age_s = fmax((double)(area->heard.last_ms - area->heard.first_ms) / 1000, RATE_LEAST_S);
        told[i].vehicles = 0;
        told[i].n_vehicles = 0;
        told[i].unseen = lead_s / (settings->window_s * -expm1(-age_s / settings->window_s));
        told[i].n_passages =
            (uint32_t)lround(count_silence_was_heard(&area->heard)
                                 ? area->heard.n * exp(-(double)(count->now_ms - area->heard.last_ms) / 1000 / settings->window_s)
                                 : 0);
        told[i].is_told = area->has_camera || area->has_edge;
        told[i].stale_since_ms = area->stale_since_ms;
    }
    count_vehicles(count, told);
    for (size_t i = count->map.n_areas; i-- > 0;) {
        int32_t above = count->map.area_parents[i];
        if (above >= 0) {
            told[above].vehicles += told[i].vehicles;
            told[above].n_vehicles += told[i].n_vehicles;
            told[above].unseen += told[i].unseen;
        }
        bool is_known = count->areas[i].has_camera && !count->is_stale[i];
        told[i].vehicles = is_known ? told[i].vehicles + told[i].unseen : NAN;
        if (!is_known) {
            told[i].unseen = NAN;
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

/* The clock was set back by more than passages may be late: what was known is from a time that has not come. */
static void reset(struct count *count)
{
    count_vehicles_clear(&count->vehicles);
    count_figures_clear(&count->figures);
    count_expect_init(&count->expect, &count->settings, count->trip_s);
    count_faults_clear(&count->faults);
    for (uint32_t i = 0; i < count->n_cameras; i++) {
        struct count_camera *camera = &count->cameras[i];
        if (camera->is_silent)
            count->speaks[camera->edge]++;
        *camera = (struct count_camera){.edge = camera->edge, .looked_ms = INT64_MIN};
    }
    for (size_t i = 0; i < count->map.n_areas; i++) {
        struct count_area *area = &count->areas[i];
        *area = (struct count_area){.has_camera = area->has_camera, .has_edge = area->has_edge, .stale_since_ms = COUNT_FRESH};
        count->sums[i] = (struct count_record_sums){0};
        count->is_stale[i] = false;
    }
    count->version++;
    count->now_ms = count->tick_ms = count->first_tick_ms = count->scanned_ms = count->exposed_ms = INT64_MIN;
    count->counters.n_resets++;
}

void count_tick(struct count *count, int64_t now_ms, struct count_updates *ret_updates)
{
    assert(now_ms >= 0 && now_ms <= COUNT_TIME_MAX_MS);
    if (count->now_ms != INT64_MIN && now_ms < count->now_ms - count->settings.late_max_ms)
        reset(count);
    int64_t before_ms = count->tick_ms;
    count_advance(count, now_ms);
    if (count->first_tick_ms == INT64_MIN)
        count->first_tick_ms = count->now_ms;
    count->tick_ms = count->now_ms;
    if (before_ms == INT64_MIN)
        count->tick_gap_ms = TICK_MAX_MS; /* one tick says nothing of the clock's speed, so nothing is judged silent by it */
    else
        count->tick_gap_ms = count->now_ms - before_ms < TICK_MAX_MS ? count->now_ms - before_ms : TICK_MAX_MS;
    bool is_changed = judge_areas(count);
    if (!count->is_stale[0])
        scan_cameras(count);
    count_areas(count);
    count_figures_tick(&count->figures, count->now_ms, count->is_stale, is_changed, count->told);
    *ret_updates = (struct count_updates){.time_ms = count->now_ms,
        .areas = count->told,
        .edges = count->figures.states,
        .n_edges = count->figures.n_states,
        .roads = count->figures.roads,
        .n_roads = count->figures.n_roads,
        .junctions = count->figures.junctions.states,
        .n_junctions = count->figures.junctions.n_states,
        .record = keep_record(count, before_ms),
        .clones = count->faults.clones.told,
        .n_clones = count->faults.clones.n_told};
    count->faults.clones.n_told = 0;
}
