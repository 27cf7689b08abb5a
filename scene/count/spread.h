/*
 * Where the vehicles are that are in transit: so many on each edge, and on each named road of each area.
 *
 * The balance knows for each camera how many of its vehicles have not come to the next one. They are spread over the ways that vehicles
 * take from there, by how many took each, and along a way by the time that each of its edges takes now: a queue holds those who wait in it.
 * Whom no camera has seen yet is thought to be where the others are, so that all edges together hold the city's count. docs/count-method.md
 * has the formulas.
 *
 * Only as fine as cameras stand: between two of them it is a share, and says so in its interval.
 */
#ifndef SCENE_COUNT_SPREAD_H
#define SCENE_COUNT_SPREAD_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct count;
struct count_interval; /* core.h */

struct count_spread {
    float *on_edges;    /* [n_edges] vehicles, as of the last learning; before they are held against the city's count */
    double *on_roads;   /* [n_groups of the figures] sums of them */
    double all;         /* of all edges */
    int64_t learned_ms; /* as of which learning of the balance; INT64_MIN: none */
};

/* For a network of `n_edges`, with `n_roads` in its areas. ERR_NO_MEMORY. */
enum err count_spread_init(struct count_spread *spread, uint32_t n_edges, uint32_t n_roads) MUST_CHECK;
void count_spread_finish(struct count_spread *spread);
void count_spread_clear(struct count_spread *spread, uint32_t n_edges, uint32_t n_roads);
/* Spreads what the balance learned last, if that has not been done: who asks for the vehicles of no road pays for none. */
void count_spread_learn(struct count *count);
/* The roads' sums from the edges', as after a restart. */
void count_spread_sum(struct count *count);
/* Of `n` vehicles as spread, an edge's or a road's: scaled to the city's count of this tick, with 90 % interval. NAN when that is not
 * known. */
struct count_interval count_spread_tell(const struct count *count, double n);

#endif
