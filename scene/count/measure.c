/* What the scene counts, told; see measure.h. */
#include "scene/count/measure.h"

#define PARTY "party"

static const struct metric passages = {"citybrain_count_passages_total", METRIC_COUNTER,
    "Passages: taken; told twice, or older than the vehicle's last one; refused by their own times; arrived in the future by our clock",
    {PARTY, "verdict"}};
static const struct metric links = {
    "citybrain_count_links_total", METRIC_COUNTER, "Pairs of sightings of one vehicle, from one camera to the next", {PARTY}};
static const struct metric links_odd = {
    "citybrain_count_links_odd_total", METRIC_COUNTER, "Of these: no car can have driven it so, or one stopped on the way", {PARTY, "why"}};
static const struct metric resets = {
    "citybrain_count_resets_total", METRIC_COUNTER, "The clock was set back, and the count began anew", {PARTY}};
static const struct metric points = {
    "citybrain_count_points_total", METRIC_COUNTER, "Points of floating cars, by what became of them", {PARTY, "verdict"}};
static const struct metric drives = {"citybrain_count_drives_total", METRIC_COUNTER,
    "Edges that floating cars drove over, whole: used, or odd, too fast or with a stop", {PARTY, "as"}};
static const struct metric loops = {
    "citybrain_count_loop_rows_total", METRIC_COUNTER, "Rows of induction loops, by what became of them", {PARTY, "verdict"}};
static const struct metric alerts = {
    "citybrain_count_alerts_total", METRIC_COUNTER, "Alerts on cameras and plates; refused ones are told again", {PARTY, "as"}};
static const struct metric untold = {"citybrain_count_plates_untold_total", METRIC_COUNTER,
    "Plates at two places, found within one second beyond those that it can tell", {PARTY}};
static const struct metric dropped = {"citybrain_count_batches_dropped_total", METRIC_COUNTER,
    "Figures of a second that a subscriber did not take; those for the record are a queue", {PARTY, "of"}};
static const struct metric unlearned = {
    "citybrain_count_usual_unlearned_total", METRIC_COUNTER, "Values of the usual day that found no room", {PARTY}};

/* In the order of the enum; a label, or NULL. The first ones only: tables are queues, and points follow. */
static const struct {
    const struct metric *metric;
    struct str label;
} rows[] = {
    [COUNT_M_TAKEN] = {&passages, STR_INIT("taken")},
    [COUNT_M_DUPLICATE] = {&passages, STR_INIT("duplicate")},
    [COUNT_M_OUT_OF_ORDER] = {&passages, STR_INIT("out_of_order")},
    [COUNT_M_LATE] = {&passages, STR_INIT("late")},
    [COUNT_M_FUTURE] = {&passages, STR_INIT("future")},
    [COUNT_M_AHEAD] = {&passages, STR_INIT("ahead")},
    [COUNT_M_LINKS] = {&links, STR_INIT("")},
    [COUNT_M_IMPOSSIBLE] = {&links_odd, STR_INIT("impossible")},
    [COUNT_M_STOPS] = {&links_odd, STR_INIT("stop")},
    [COUNT_M_RESETS] = {&resets, STR_INIT("")},
    [COUNT_M_DRIVES] = {&drives, STR_INIT("used")},
    [COUNT_M_DRIVES_ODD] = {&drives, STR_INIT("odd")},
    [COUNT_M_ALERTS] = {&alerts, STR_INIT("taken")},
    [COUNT_M_ALERTS_REFUSED] = {&alerts, STR_INIT("refused")},
    [COUNT_M_CLONES_UNTOLD] = {&untold, STR_INIT("")},
    [COUNT_M_BATCHES_DROPPED] = {&dropped, STR_INIT("roads and indicators")},
    [COUNT_M_JUNCTIONS_DROPPED] = {&dropped, STR_INIT("junctions")},
    [COUNT_M_UNLEARNED] = {&unlearned, STR_INIT("")},
};

static const struct str verdicts[COUNT_GPS_N_VERDICTS] = {
    [COUNT_GPS_TAKEN] = STR_INIT("taken"),
    [COUNT_GPS_NOT_LOCATED] = STR_INIT("not_located"),
    [COUNT_GPS_NO_PLACE] = STR_INIT("no_place"),
    [COUNT_GPS_OUTSIDE] = STR_INIT("outside"),
    [COUNT_GPS_LATE] = STR_INIT("late"),
    [COUNT_GPS_AHEAD] = STR_INIT("ahead"),
    [COUNT_GPS_REPEATED] = STR_INIT("repeated"),
    [COUNT_GPS_OLDER] = STR_INIT("older"),
    [COUNT_GPS_PARKED] = STR_INIT("parked"),
    [COUNT_GPS_NO_ROOM] = STR_INIT("no_room"),
};

static const struct str loop_verdicts[COUNT_M_N - COUNT_M_LOOPS] = {
    [COUNT_LOOP_TAKEN] = STR_INIT("taken"),
    [COUNT_LOOP_NO_INTERVAL] = STR_INIT("no_interval"),
    [COUNT_LOOP_NO_COUNT] = STR_INIT("no_count"),
    [COUNT_LOOP_LATE] = STR_INIT("late"),
    [COUNT_LOOP_AHEAD] = STR_INIT("ahead"),
    [COUNT_LOOP_REPEATED] = STR_INIT("repeated"),
    [COUNT_LOOP_NO_LANE] = STR_INIT("no_lane"),
    [COUNT_LOOP_FULL] = STR_INIT("full"),
    [COUNT_M_LOOPS_BROKEN - COUNT_M_LOOPS] = STR_INIT("broken"),
    [COUNT_M_LOOPS_BESIDE - COUNT_M_LOOPS] = STR_INIT("beside"),
};

static void set(_Atomic uint64_t *value, uint64_t n)
{
    atomic_store_explicit(value, n, memory_order_relaxed);
}

void count_measured_take(struct count_measured *measured, const struct count_measured_of *of)
{
    const struct count_counters *core = count_counters(of->count);
    const struct count_vehicles *vehicles = count_known_vehicles(of->count);
    const uint64_t values[COUNT_M_POSITIONS] = {
        [COUNT_M_TAKEN] = core->n_passages - core->n_out_of_order,
        [COUNT_M_DUPLICATE] = core->n_duplicates,
        [COUNT_M_OUT_OF_ORDER] = core->n_out_of_order,
        [COUNT_M_LATE] = core->n_late,
        [COUNT_M_FUTURE] = core->n_future,
        [COUNT_M_AHEAD] = of->kept->n_ahead,
        [COUNT_M_LINKS] = core->n_links,
        [COUNT_M_IMPOSSIBLE] = core->n_impossible,
        [COUNT_M_STOPS] = core->n_stops,
        [COUNT_M_RESETS] = core->n_resets,
        [COUNT_M_DRIVES] = core->n_drives - core->n_drives_odd,
        [COUNT_M_DRIVES_ODD] = core->n_drives_odd,
        [COUNT_M_ALERTS] = of->health->n_alerts,
        [COUNT_M_ALERTS_REFUSED] = of->health->n_refused,
        [COUNT_M_CLONES_UNTOLD] = count_n_clones_untold(of->count),
        [COUNT_M_BATCHES_DROPPED] = of->n_dropped,
        [COUNT_M_JUNCTIONS_DROPPED] = of->n_junctions_dropped,
        [COUNT_M_UNLEARNED] = of->n_unlearned,
        [COUNT_M_VEHICLES] = vehicles->n_known,
        [COUNT_M_CAMERAS] = count_n_cameras(of->count),
        [COUNT_M_RECORDS] = of->n_records,
        [COUNT_M_CLONES] = of->health->n_due,
    };
    for (int i = 0; i < COUNT_M_POSITIONS; i++)
        set(&measured->values[i], values[i]);
    for (int v = 0; v < COUNT_GPS_N_VERDICTS && of->gps != NULL; v++)
        set(&measured->values[COUNT_M_POSITIONS + v], count_gps_n(of->gps, (enum count_gps_verdict)v));
    for (int v = 0; v < COUNT_LOOP_N_VERDICTS; v++)
        set(&measured->values[COUNT_M_LOOPS + v], count_loop_rows(of->count)[v]);
    set(&measured->values[COUNT_M_LOOPS_BROKEN], of->detectors->n_broken);
    set(&measured->values[COUNT_M_LOOPS_BESIDE], of->detectors->n_beside);
    set(&measured->n_evicted.n, vehicles->n_evicted);
    set(&measured->n_records_lost.n, of->n_records_lost);
    set(&measured->n_clones_lost.n, of->health->n_lost);
}

static uint64_t get(const struct count_measured *measured, int value)
{
    return atomic_load_explicit(&measured->values[value], memory_order_relaxed);
}

void count_measured_tell(const struct count_measured *measured, struct metric_page *page)
{
    struct str party = measured->party;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        metric_put_count(page, rows[i].metric, get(measured, (int)i), METRIC_VALUES(party, rows[i].label));
    for (int v = 0; v < COUNT_GPS_N_VERDICTS && measured->has_gps; v++)
        metric_put_count(page, &points, get(measured, COUNT_M_POSITIONS + v), METRIC_VALUES(party, verdicts[v]));
    for (int v = COUNT_M_LOOPS; v < COUNT_M_N && measured->has_loops; v++)
        metric_put_count(page, &loops, get(measured, v), METRIC_VALUES(party, loop_verdicts[v - COUNT_M_LOOPS]));
    metric_put_queue(page, "count_vehicles", party, get(measured, COUNT_M_VEHICLES), measured->vehicles_max, &measured->n_evicted);
    metric_put_queue(page, "count_cameras", party, get(measured, COUNT_M_CAMERAS), measured->cameras_max, NULL);
    metric_put_queue(page, "count_records", party, get(measured, COUNT_M_RECORDS), measured->records_max, &measured->n_records_lost);
    metric_put_queue(page, "count_plates_untold", party, get(measured, COUNT_M_CLONES), COUNT_CLONES_TOLD, &measured->n_clones_lost);
}
