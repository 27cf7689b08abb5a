/*
 * Vehicles in transit (在途量) of the whole city, from the balance (balance.h) and the life table (lifetable.h): those that are sighted
 * again, those that end before, those that no camera has seen yet.
 *
 * The balance is right in a city with queues and noisy in a small one; the life table is precise and lags behind queues that grow. Both
 * stand in the sum, each by the variance of the other. docs/count-method.md has the formulas.
 */
#ifndef SCENE_COUNT_TRANSIT_H
#define SCENE_COUNT_TRANSIT_H

#include "scene/count/balance.h"

struct count_transit {
    double balanced, tabled; /* to be sighted again, by the balance and by the life table, each by its weight: the sum is what counts */
    double unseen;           /* no camera has seen them yet */
    double way_s;            /* from one sighting to the next */
    double known;            /* share of it that is learned; the rest is expected (ends.h) */
};

/* To be sighted again after unsettled passages, by the balance; may be negative by chance. */
double count_transit_coming(const struct count_open *open);
/* Seen for the last time, and on their way still, beside those `coming`. */
double count_transit_ending(const struct count_balance *balance, const struct count_open *open, double coming);
/* `open`: of the whole city, with `coming` by the balance, at least 0. */
struct count_transit count_transit_city(const struct count_balance *balance, const struct count_open *open, double coming, int64_t now_ms);

#endif
