/*
 * From what cameras saw of a zone, and what the count thinks is on its roads, how many vehicles are in it and were in it today, each with a
 * 90 % interval. docs/zone.md has the formulas; bench/count/zone_accuracy_bench.py how good they are. Pure.
 *
 * Without a count for the zone what was seen is told, without an interval: it is too small where cameras do not see every way in.
 */
#ifndef SCENE_ZONE_ESTIMATE_H
#define SCENE_ZONE_ESTIMATE_H

#include <stdbool.h>
#include <stdint.h>

struct zone_estimate {
    double value, low, high; /* low and high NAN: not known */
};

/* What was seen of stays in a zone since midnight, and what the count said meanwhile. */
struct zone_stays {
    double inside_s; /* between sightings of one vehicle, of which the first left it in the zone; outside by the next: half */
    uint64_t n_gaps;
    uint64_t n_headed;          /* sightings that left one in the zone */
    uint64_t n_found;           /* sightings within of one that was not known to be */
    double counted_s;           /* the count's vehicles times seconds */
    double with_count_s, all_s; /* seconds with a count, and all */
};

void zone_stays_tick(struct zone_stays *stays, double seconds, const struct zone_estimate *counted); /* `counted` NULL: not known */
void zone_stays_gap(struct zone_stays *stays, double gap_s, bool is_within);
/* So many times as many as were seen have been in it; NAN: not known. At least 1. */
double zone_stays_factor(const struct zone_stays *stays);

/* `n_seen` of `n_all_seen` are of a class. `counted` NULL: not known. */
struct zone_estimate zone_estimate_now(double n_seen, double n_all_seen, const struct zone_estimate *counted);
struct zone_estimate zone_estimate_today(double n_seen, double factor); /* `factor` NAN: not known */

#endif
