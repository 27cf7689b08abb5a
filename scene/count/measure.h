/*
 * What the scene counts besides vehicles, for who operates it (base/metric.h): what became of passages and points, what was refused or
 * lost, how full its tables are. The scene's thread leaves it here each second; any thread tells it.
 */
#ifndef SCENE_COUNT_MEASURE_H
#define SCENE_COUNT_MEASURE_H

#include "base/metric.h"
#include "scene/count/detectors.h"
#include "scene/count/gps.h"
#include "scene/count/health.h"
#include "scene/count/kept.h"

enum count_measured_value {
    COUNT_M_TAKEN,
    COUNT_M_DUPLICATE,
    COUNT_M_OUT_OF_ORDER,
    COUNT_M_LATE,
    COUNT_M_FUTURE,
    COUNT_M_AHEAD,
    COUNT_M_LINKS,
    COUNT_M_IMPOSSIBLE,
    COUNT_M_STOPS,
    COUNT_M_RESETS,
    COUNT_M_DRIVES,
    COUNT_M_DRIVES_ODD,
    COUNT_M_ALERTS,
    COUNT_M_ALERTS_REFUSED,
    COUNT_M_CLONES_UNTOLD,
    COUNT_M_BATCHES_DROPPED,
    COUNT_M_JUNCTIONS_DROPPED,
    COUNT_M_UNLEARNED,
    COUNT_M_VEHICLES,
    COUNT_M_CAMERAS,
    COUNT_M_RECORDS,
    COUNT_M_CLONES,
    COUNT_M_POSITIONS,                                        /* COUNT_GPS_N_VERDICTS of them */
    COUNT_M_LOOPS = COUNT_M_POSITIONS + COUNT_GPS_N_VERDICTS, /* COUNT_LOOP_N_VERDICTS, and two of the detectors' */
    COUNT_M_LOOPS_BROKEN = COUNT_M_LOOPS + COUNT_LOOP_N_VERDICTS,
    COUNT_M_LOOPS_BESIDE,
    COUNT_M_N
};

struct count_measured {
    struct str party; /* kept */
    uint64_t vehicles_max, cameras_max, records_max;
    bool has_gps, has_loops;
    _Atomic uint64_t values[COUNT_M_N];
    struct metric_counter n_evicted, n_records_lost, n_clones_lost;
};

/* Where it is looked at; all borrowed. */
struct count_measured_of {
    const struct count *count;
    const struct count_kept *kept;
    const struct count_health *health;
    const struct count_gps *gps; /* NULL: no floating cars */
    const struct count_detectors *detectors;
    uint64_t n_dropped, n_junctions_dropped, n_unlearned, n_records, n_records_lost;
};

/* On the scene's thread. */
void count_measured_take(struct count_measured *measured, const struct count_measured_of *of);
/* Any thread. */
void count_measured_tell(const struct count_measured *measured, struct metric_page *page);

#endif
