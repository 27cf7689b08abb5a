/*
 * Induction loops (线圈): how many vehicles passed in an interval, lane by lane or over the whole of an edge. No plates.
 *
 * Two things are theirs alone. The flow of an edge, also where no camera stands and also of vehicles whose plates nobody could read. And,
 * on an edge with a camera, how many of those that pass it the camera reads: its passages over the loop's vehicles in the same seconds,
 * which asks for no way, no free road and no third camera as recall.h does, and tells a dead camera from a road on which nobody drives.
 *
 * Both sides of that share are put into bins of COUNT_LOOP_BIN_MS by the time at which vehicles passed. A bin is closed when no passage of
 * it may come any more, and counts when the loop told all of it. So reports may be late, and missing ones weigh nothing.
 *
 * An edge's lanes must all be told before anything is said of the edge: half of a road is no flow. Bounded: COUNT_LOOPS_MAX edges. How
 * many vehicles there are in between nobody learns from flows (docs/loops.md has the figures): who stands passes no loop.
 */
#ifndef SCENE_COUNT_LOOPS_H
#define SCENE_COUNT_LOOPS_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define COUNT_LOOPS_MAX 16384u          /* edges with loops */
#define COUNT_LOOP_PERIOD_MAX_MS 900000 /* a quarter of an hour: longer ones say nothing of now */
#define COUNT_LOOP_LANE_MAX_PER_S 1.5   /* vehicles over one lane, far beyond what drives: more is a broken detector ... */
#define COUNT_LOOP_SLACK 5.0            /* ... and so many more in any interval */
#define COUNT_LOOP_BIN_MS 10000
#define COUNT_LOOP_BINS 192 /* passages may be late, and a report as late as its interval is long */

struct road_network;

/* Of one lane, or of a whole edge. */
struct count_loop_row {
    int64_t to_ms; /* end of the interval, on the detectors' clock */
    int64_t arrived_ms;
    uint32_t edge, period_ms, vehicles;
    uint8_t lane; /* any number of its own from 1 on; 0: all of the edge */
};

enum count_loop_verdict {
    COUNT_LOOP_TAKEN,
    COUNT_LOOP_NO_INTERVAL, /* it ends before it begins, or is longer than COUNT_LOOP_PERIOD_MAX_MS */
    COUNT_LOOP_NO_COUNT,    /* negative, or more than any road carries */
    COUNT_LOOP_LATE,        /* also of a clock that begins in the year 2000 */
    COUNT_LOOP_AHEAD,
    COUNT_LOOP_REPEATED, /* its interval, or a part of it, was told before */
    COUNT_LOOP_NO_LANE,  /* more lanes than the edge has, or lanes and all of the edge by turns */
    COUNT_LOOP_FULL,     /* COUNT_LOOPS_MAX, or no memory */
    COUNT_LOOP_N_VERDICTS
};
const char *count_loop_verdict_text(enum count_loop_verdict verdict);

/* A row from numbers that may be anything; `arrived_ms` of our own clock. Only NO_INTERVAL, NO_COUNT and NO_LANE are known here. */
enum count_loop_verdict count_loop_row_make(
    int64_t from_ms, int64_t to_ms, int64_t lane, int64_t vehicles, int64_t arrived_ms, struct count_loop_row *ret_row);

struct count_loop_lane {
    uint8_t number;     /* as told */
    uint32_t period_ms; /* of its last report */
    int64_t to_ms;      /* its end */
    double n, s;        /* vehicles and seconds told, faded */
};

/* Of COUNT_LOOP_BIN_MS. */
struct count_loop_bin {
    int32_t number; /* since the clock's epoch, from 1; 0: none */
    uint32_t n_read;
    float n_passed, told; /* told: share of it, 1 when all lanes told all of it */
};

struct count_loop {
    uint32_t edge;
    uint8_t n_lanes, n_told_lanes; /* of the edge; of these those that spoke */
    struct count_loop_lane *lanes; /* [n_lanes] */
    struct count_loop_bin *bins;   /* [COUNT_LOOP_BINS] by number; NULL: no camera stands here */
    int32_t closed;                /* bins up to this number */
    double n_read, n_passed;       /* of closed bins, faded */
};

struct count_loops {
    const struct road_network *network; /* borrowed */
    double window_s;
    int64_t late_max_ms, future_max_ms;
    uint32_t *edge_loops; /* [n_edges] place from 1; 0: none. NULL until the first loop */
    struct count_loop *loops;
    uint32_t n, cap;
    int64_t faded_ms;
    uint64_t n_rows[COUNT_LOOP_N_VERDICTS]; /* since the start */
};

void count_loops_init(
    struct count_loops *loops, const struct road_network *network, double window_s, int64_t late_max_ms, int64_t future_max_ms);
void count_loops_finish(struct count_loops *loops);
void count_loops_clear(struct count_loops *loops); /* all of them: they are met again with their next rows */
/* `has_camera`: one camera stands on the edge, alone. */
enum count_loop_verdict count_loops_add(struct count_loops *loops, const struct count_loop_row *row, bool has_camera);
/* A passage of the camera on that edge; nothing where there is no loop. */
void count_loops_read(struct count_loops *loops, uint32_t edge, int64_t seen_ms);
/* Closes bins, fades; every half a minute. */
void count_loops_learn(struct count_loops *loops, int64_t now_ms);
/* Vehicles an hour; NAN: no loop, not of all lanes, or silent for two of its intervals and a minute. */
double count_loops_flow(const struct count_loops *loops, uint32_t edge, int64_t now_ms);
/* Share of the vehicles that the edge's camera read, misread ones among them; NAN: not known, of less than COUNT_RECALL_LEAST. */
double count_loops_recall(const struct count_loops *loops, uint32_t edge, double *ret_n);

/* The core's: rows by what became of them, [COUNT_LOOP_N_VERDICTS] since the start. */
struct count;
const uint64_t *count_loop_rows(const struct count *count);

/* For who reads a state back (snapshot_loops.c). A new place for an edge that has none; NULL: no room. */
struct count_loop *count_loops_place(struct count_loops *loops, uint32_t edge);
struct count_loop_bin *count_loop_bins(void); /* [COUNT_LOOP_BINS], of the loop it is put into; NULL: no memory */

#endif
