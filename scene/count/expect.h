/*
 * Is a vehicle that was seen then and there still on its way? A soft time-out against what the network lets one expect.
 *
 * For each camera the expected time to a vehicle's next sighting: the network's free-flow time to the next cameras, times the
 * city's ratio of observed to free-flow times, drawn toward this camera's own observations as they come. The age v of a sighting
 * is counted in units of what was expected. Of all sightings of age v, how many are followed by the next in the next moment? That
 * is the hazard h(v): events over exposure in the last minutes, as in a life table of a period, so that a city that fills or
 * empties does not bias it. From it
 *
 *     S(v) = exp(-sum of h up to v)      not seen again by age v: still coming, or gone
 *     p    = S(infinity)                 gone: this was the last sighting of its trip
 *     w(v) = 1 - p / S(v)                still coming, not seen by age v
 *
 * First sightings have a table of their own, since misread plates are sighted once. docs/count.md has the whole.
 */
#ifndef SCENE_COUNT_EXPECT_H
#define SCENE_COUNT_EXPECT_H

#include "scene/count/settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COUNT_AGE_BINS 81 /* eight to a doubling, from 1/16 to 64 of the expectation; the first from 0 */

enum { COUNT_FIRST, COUNT_LATER, COUNT_TABLES }; /* of first sightings; of all others */

struct count_table {
    double events[COUNT_AGE_BINS], exposure[COUNT_AGE_BINS]; /* faded; exposure in units of the expectation */
    /* as solved last: at the upper end of each bin */
    double alive[COUNT_AGE_BINS]; /* chance to count: still coming, or gone on to its end out of sight */
    double ended;                 /* p */
    double mean;                  /* gap of those that are seen again */
    double real;                  /* share of those gone that were vehicles, not misread plates */
};

struct count_expect {
    struct count_settings settings;
    struct count_table tables[COUNT_TABLES];
    double trip_s;                       /* free flow of a trip, by the size of the network: the prior of p */
    double sum_gap_s, sum_base_s, sum_w; /* observed and free-flow times to the next sighting, city-wide, faded */
    int64_t faded_s;
    double upper[COUNT_AGE_BINS]; /* end of each bin */
};

/* A camera's own gaps. */
struct count_camera_gaps {
    double sum_gap_s, sum_w;
    int64_t faded_s;
};

/* `trip_s`: free-flow seconds of a trip, by the size of the network. */
void count_expect_init(struct count_expect *expect, const struct count_settings *settings, double trip_s);
/* Expected seconds to the next sighting after a camera whose next ones are `base_s` of free flow away. */
double count_expect_gap_s(const struct count_expect *expect, const struct count_camera_gaps *gaps, double base_s);
/* A vehicle was seen again after `gap_s`, where `expected_s` was expected and free flow was `base_s`. `is_first`: its first sighting
 * was the one before. `is_live`: it happened now, while exposure was counted; otherwise only the means learn from it. */
void count_expect_observe(struct count_expect *expect, struct count_camera_gaps *gaps, int64_t now_s, bool is_first, bool is_live,
    double gap_s, double expected_s, double base_s);
/* Fading to `now_s`; then count_expect_expose() for each vehicle known, then count_expect_solve(). */
void count_expect_fade(struct count_expect *expect, int64_t now_s);
/* It was not seen for `age_s` up to now, of these the last `for_s`. */
void count_expect_expose(struct count_expect *expect, bool is_first, double age_s, double expected_s, double for_s);
void count_expect_solve(struct count_expect *expect);
/* The chance that it counts: 0 to 1. */
double count_expect_alive(const struct count_expect *expect, bool is_first, double age_s, double expected_s);
/* Mean seconds on the road before a first sighting where `expected_s` is expected, by the share of first sightings that are real. */
double count_expect_lead_s(const struct count_expect *expect, double expected_s);

#endif
