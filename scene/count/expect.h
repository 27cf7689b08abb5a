/*
 * How long after a sighting a vehicle still counts: time-outs that follow the network and what is observed.
 *
 * For each camera the expected time to a vehicle's next sighting: the network's free-flow time to the next speaking cameras,
 * times the city's ratio of observed to free-flow times, drawn toward this camera's own observations as they come. Observed
 * gaps, in units of what was expected, fill one histogram of the city. The time-out is tau times the expectation, and tau is
 * where what the time-outs add equals what they miss (docs/count.md, "The time-out"):
 *
 *     tau = n E[(v - tau)+] + c r
 *
 * v: a gap over its expectation; n: gaps for each chain that ends, at present; c: share of chains that are trips, not single
 * ghosts; r: the mean of what is left of a gap at a random moment, E[v^2] / 2 E[v], times a constant: the way from the last
 * camera to the trip's end. When a city fills n is high, when it empties low, and the time-outs follow.
 * All sums fade with a time constant, and have a prior, so that the first minute has figures.
 */
#ifndef SCENE_COUNT_EXPECT_H
#define SCENE_COUNT_EXPECT_H

#include "scene/count/settings.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COUNT_GAP_BINS 96 /* from 1/16 to 64 of the expectation, eight to a doubling and more at the ends */

struct count_expect {
    struct count_settings settings;
    double trip_s;
    double bins[COUNT_GAP_BINS];             /* faded weights of gaps */
    double sum_v, sum_v2, sum_w;             /* the same, unbinned */
    double sum_gap_s, sum_base_s;            /* observed over free flow, city-wide */
    double sum_links, sum_ended, sum_plural; /* gaps; chains that ended; of these with two sightings and more */
    double links_prior;                      /* gaps of a chain, before anything ended */
    int64_t faded_s;                         /* when the sums were faded last */
    double tau, residual, plural;            /* as solved last */
};

/* A camera's own gaps. */
struct count_camera_gaps {
    double sum_gap_s, sum_w;
    int64_t faded_s;
};

/* `trip_s`: free-flow seconds of a trip, by the size of the network. */
void count_expect_init(struct count_expect *expect, const struct count_settings *settings, double trip_s);
/* Fades to `now_s` and solves for tau; once a second is enough. */
void count_expect_solve(struct count_expect *expect, int64_t now_s);
/* Expected seconds to the next sighting after a camera whose next ones are `base_s` of free flow away. */
double count_expect_gap_s(const struct count_expect *expect, const struct count_camera_gaps *gaps, double base_s);
/* A vehicle was seen again after `gap_s`, where `expected_s` was expected and free flow was `base_s`. */
void count_expect_observe(
    struct count_expect *expect, struct count_camera_gaps *gaps, int64_t now_s, double gap_s, double expected_s, double base_s);
/* `n` chains timed out, `n_single` of them with one sighting. */
void count_expect_end(struct count_expect *expect, uint64_t n, uint64_t n_single);
/* One of them had not ended: it was sighted again. */
void count_expect_return(struct count_expect *expect, bool is_single);
double count_expect_timeout_s(const struct count_expect *expect, double expected_s); /* within the settings' bounds */
/* Mean seconds on the road before a first sighting where `expected_s` is expected: its share of unseen entries. */
double count_expect_lead_s(const struct count_expect *expect, double expected_s);

#endif
