/*
 * The life table of the city: how long do vehicles take to their next sighting, those included that have not had it yet?
 *
 * Hazards by the time since the last sighting, from who was sighted again and who waited (Kaplan and Meier 1958, with fading), say which of
 * the vehicles that were seen a while ago, and not since, are still to come. The balance (balance.h) does without the age of a sighting,
 * and so without an error where queues grow; but of few vehicles it knows less by chance. transit.h has both, each by its weight.
 */
#ifndef SCENE_COUNT_LIFETABLE_H
#define SCENE_COUNT_LIFETABLE_H

#include <stdbool.h>
#include <stdint.h>

#define COUNT_AGE_MS 10000 /* sightings within this are alike */
#define COUNT_AGES 360     /* an hour; older ones are not looked at */
#define COUNT_SIGHTINGS 6  /* classes of sightings of a trip: the 1st, 2nd, 3rd-4th, 5th-6th, 7th-9th, later */

struct count_lifetable {
    int64_t number;                               /* of COUNT_AGE_MS since the clock's epoch, from 1, the running one; 0: no time yet */
    int32_t n_ages;                               /* older sightings are of trips that ended */
    uint32_t open[COUNT_AGES][COUNT_SIGHTINGS];   /* vehicles not seen since, by the number of their last sighting */
    double again[COUNT_AGES], waited[COUNT_AGES]; /* by age, faded: were sighted again at it, and waited at its middle */
    double gaps_s, n_gaps;                        /* to the next sighting, faded */
    double first_gaps_s, n_first_gaps;            /* of these after a trip's first one */
    double ahead[COUNT_AGES + 1];                 /* hazard from this age on, as learned last */
    double way_s;                                 /* mean time to the next sighting, of those that have one; 0: unknown */
};

/* Of the vehicles that were seen. */
struct count_alive {
    double coming;   /* to be sighted again */
    double variance; /* of it, by chance alone */
};

/* Allocates nothing. */
void count_lifetable_init(struct count_lifetable *table, int64_t keep_s);
/* A sighting of class `k`; and one that was followed by another `gap_s` later. */
void count_lifetable_open(struct count_lifetable *table, int64_t seen_ms, int k);
void count_lifetable_close(struct count_lifetable *table, int64_t seen_ms, int k, double gap_s);
/* Time goes on: each COUNT_AGE_MS is learned from, and fades with `fade_s`. */
void count_lifetable_advance(struct count_lifetable *table, int64_t now_ms, double fade_s);
/* Would it learn now? Then what was seen before is to be told before. */
static inline bool count_lifetable_learns(const struct count_lifetable *table, int64_t now_ms)
{
    return now_ms / COUNT_AGE_MS + 1 > table->number;
}
/* `again` [COUNT_SIGHTINGS]: the share of each class that is sighted again, sooner or later, below 1. */
struct count_alive count_lifetable_alive(const struct count_lifetable *table, int64_t now_ms, const double *again);
/* Mean time from a trip's first sighting to the second one, over that between any two; 1 where nothing is known. */
double count_lifetable_first_ratio(const struct count_lifetable *table);

#endif
