/*
 * The core's state, for core.c (what a passage says), track.c (whose it is), tick.c (what a second does) and faults.c. Nobody else includes
 * it.
 */
#ifndef SCENE_COUNT_STATE_H
#define SCENE_COUNT_STATE_H

#include "base/mem.h"
#include "scene/count/balance.h"
#include "scene/count/core.h"
#include "scene/count/fade.h"
#include "scene/count/faults.h"
#include "scene/count/figures.h"
#include "scene/count/loops.h"
#include "scene/count/silence.h"
#include "scene/count/spread.h"
#include "scene/count/travel.h"

#include <stdalign.h>

#define COUNT_LEARN_MS 30000                 /* how often the balance, clocks and cameras are learned: a fraction of a gap */
#define COUNT_TIME_MAX_MS ((int64_t)1 << 43) /* the year 2248 */

/* A camera, at the end of its edge; one line of the cache, as what each passage needs of an account and of a clock is, too. */
struct count_camera {
    alignas(MEM_LINE) uint32_t edge;
    bool is_silent;
    struct count_silence heard;
};

/* An area's sources. */
struct count_area {
    struct count_silence heard; /* with all below it */
    bool has_camera, has_edge;  /* with all below it */
    double n_first;             /* first sightings, faded */
    int64_t faded_s, stale_since_ms;
    struct count_open open; /* unsettled passages of the cameras on its own edges */
    struct count_seen seen; /* as of this tick, with all below it */
};

/* Of the period that is running. */
struct count_record_sums {
    double vehicles, unseen, low, high, flow, speed, delay; /* times milliseconds */
    double vehicles_ms, flow_ms, speed_ms, delay_ms;
    double congestion, congestion_ms, vehicle_km, vehicle_km_ms;
    uint64_t n_vehicles, n_passages, n_links, n_ticks;
};

struct count {
    struct count_settings settings;
    struct count_map map;
    struct count_vehicles vehicles;
    struct count_travel travel;
    struct count_fade fade; /* of flow, speed and delay, and of who is heard */
    struct count_balance balance;
    struct count_figures figures;
    struct count_spread spread; /* of the count over the roads */
    struct count_faults faults;
    struct count_loops loops;
    struct count_counters counters;
    struct count_camera *cameras;
    struct count_account *accounts; /* of the cameras, for the balance */
    uint32_t n_cameras, cap_cameras;
    uint8_t *has_camera;     /* [n_edges] */
    uint32_t n_seen_cameras; /* those that the way to the first camera was looked at with */
    int64_t camera_ms;       /* when the newest was added; INT64_MIN: before any time was told */
    struct count_area *areas;
    struct count_open *below;        /* [n_areas] unsettled passages in each area and all below it, as of this tick */
    bool *is_stale, is_stale_untold; /* the latter: one of them changed, and no whole tick told so */
    struct count_area_figures *told, *record;
    struct count_record_sums *sums;
    int64_t now_ms, tick_ms, whole_ms, first_tick_ms, scanned_ms; /* whole_ms: of the last tick that was not of vehicles alone */
    int64_t tick_gap_ms;
};

/* Time goes on to `now_ms`, never backward: what is to be expected is learned, those not seen for long are forgotten. */
void count_advance(struct count *count, int64_t now_ms);
/* The same passing of the same camera, told once more? */
bool count_is_duplicate(const struct count *count, const struct count_vehicle *vehicle, const struct count_passage *passage);
/* The whole of a tick; without `is_whole` vehicles alone. */
void count_tick(struct count *count, int64_t now_ms, bool is_whole, struct count_updates *ret_updates);

#endif
