/*
 * Rows of induction loops as they come from the hub: which road a loop lies in, found by its place and heading the first time it speaks,
 * as a camera's is. Its number, or name, is the department's own; one that was moved is looked for again at the next start.
 *
 * Bounded: COUNT_DETECTORS_MAX names; further ones are not used, and counted.
 */
#ifndef SCENE_COUNT_DETECTORS_H
#define SCENE_COUNT_DETECTORS_H

#include "base/rows.h"
#include "base/str_map.h"
#include "road/nearest.h"
#include "scene/count/parts_live.h"

#define COUNT_DETECTORS_MAX 65536u

extern const char *const count_loop_fields[]; /* NULL-terminated, in the order of the rows */

struct count_detectors {
    const struct road_nearest *nearest; /* borrowed */
    struct str_map names;
    uint32_t *edges; /* [cap] by name; ROAD_NONE: it lies in no road of ours */
    uint32_t cap;
    /* since the start: rows that are none; of detectors beside every road, or that found no room */
    uint64_t n_broken, n_beside;
};

/* Allocates nothing. */
void count_detectors_init(struct count_detectors *detectors, const struct road_nearest *nearest);
void count_detectors_finish(struct count_detectors *detectors);
/* Each row into the count, in its order; one that is none, or of no road, is counted, a detector beside every road logged once. */
void count_detectors_take(struct count_detectors *detectors, const struct rows *rows, int64_t now_ms, struct count_live *live);

#endif
