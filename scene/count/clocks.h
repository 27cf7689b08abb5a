/*
 * The clocks of cameras: how far is each one from ours, learned from the passages themselves and taken off before they are used.
 *
 * Two witnesses for the error s of a camera's clock (its time less the true one):
 *   - arrivals: a passage cannot arrive before it was. The least of arrival less camera's time is the way's own delay less s. A clock that
 *     is ahead shows for certain; one that is behind looks like a slow way to us.
 *   - travel times: nobody drives from a to b faster than the network lets him. The least time between two cameras over what the road takes
 *     bounds s_b - s_a from above. Ways that lead here bound s from above, ways that lead on from below; the median over each side is
 * taken, so that one neighbour's wrong clock convinces nobody.
 *
 * Where arrivals are quick they say the error, to some milliseconds. Where they look late, travel times say whether the clock is behind or
 * the way slow. Where there are no arrivals but the camera's own times over again (an export), travel times alone say what they can. Least
 * times are the third least of a window, two windows by turns, of ten minutes or as long as it takes to have enough, at most an hour: one
 * wrong line is no least time. Bounded: COUNT_CLOCK_WAYS ways a camera. Formulas and limits: docs/count.md.
 */
#ifndef SCENE_COUNT_CLOCKS_H
#define SCENE_COUNT_CLOCKS_H

#include "base/mem.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>

#define COUNT_CLOCK_WAYS 6         /* to next cameras that are remembered for one; the least used makes room */
#define COUNT_CLOCK_LEAST 3        /* the third least is the least */
#define COUNT_CLOCK_SIDE 8         /* ways that lead to a camera, taken into its bound */
#define COUNT_CLOCK_UNKNOWN_S 60.0 /* how wrong a clock of which nothing is known may be */
#define COUNT_CLOCK_MAX_S 900.0    /* a larger error is told, and not corrected */

/* The least of a window, and of the one before. */
struct count_least {
    float least_s[2][COUNT_CLOCK_LEAST]; /* ascending; INFINITY: none yet */
    uint32_t n[2];
};

/* In lines of the cache: what a passage says of its own clock; the ways; two of them each. */
struct count_clock {
    alignas(MEM_LINE) double error_s; /* s, as learned last: what is taken off */
    double uncertain_s;               /* how wrong that may be */
    int64_t changed_ms;               /* when it changed by a second or more: passages from before have another time */
    uint32_t n_heard, n_later;        /* passages; those that took longer than the least. Halved with each window */
    struct count_least delay;         /* arrival less camera's time */

    uint32_t to[COUNT_CLOCK_WAYS];  /* the camera that each way leads to */
    float road_s[COUNT_CLOCK_WAYS]; /* free flow there */
    uint32_t n_ways;
    uint8_t delay_held, over_held[COUNT_CLOCK_WAYS]; /* times that it was too early to turn: too few yet */

    alignas(MEM_LINE) struct count_least over[COUNT_CLOCK_WAYS]; /* of each way, by the cameras' own clocks, less its free flow */
};

struct count_clocks {
    struct count_clock *clocks; /* [n] by the number of the camera */
    uint32_t n, cap;
    double delay_s; /* of the city's cameras, in the median: nobody's error */
    int64_t turned_ms;
    double *scratch; /* [cap][COUNT_CLOCK_SIDE] bounds from ways that lead there */
    uint8_t *n_scratch;
};

void count_clocks_init(struct count_clocks *clocks);
void count_clocks_finish(struct count_clocks *clocks);
void count_clocks_clear(struct count_clocks *clocks);              /* what was learned; the cameras stay */
enum err count_clocks_add(struct count_clocks *clocks) MUST_CHECK; /* the next camera. ERR_NO_MEMORY */
/* A passage came in: what its camera's clock said, and when it was here. */
void count_clocks_hear(struct count_clocks *clocks, uint32_t camera, int64_t time_ms, int64_t arrived_ms);
/* The camera's time without its error. */
int64_t count_clocks_correct(const struct count_clocks *clocks, uint32_t camera, int64_t time_ms);
/* count_clocks_way() will be asked this soon: what it needs is fetched into the cache. */
void count_clocks_fetch(const struct count_clocks *clocks, uint32_t from, uint32_t to);
/* A vehicle, seen at `from` at `left_ms`, came to `to` at `came_ms`, both corrected; on the fastest way that takes `road_s`. `arrived_ms`:
 * when the later passage was here; one that was on its way for long says nothing. */
void count_clocks_way(
    struct count_clocks *clocks, uint32_t from, uint32_t to, double road_s, int64_t left_ms, int64_t came_ms, int64_t arrived_ms);
/* Every half a minute or so: the errors anew. */
void count_clocks_learn(struct count_clocks *clocks, int64_t now_ms);

#endif
