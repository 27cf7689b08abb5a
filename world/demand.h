/*
 * Demand (出行需求): how many vehicles the city has on its roads at an hour, where each trip begins and ends, and its way.
 * Read from city/NAME/world/demand.yaml; pure after that: network, plan and seed give the same trips everywhere.
 *
 * A trip runs within the map, into it, out of it or through it. Ends outside are the roads that stop at the map's border.
 * Homes lie along small streets, work around the centres; mornings go to work, evenings come back. Ways are the fastest by
 * times that vary a little from trip to trip, so that neighbours do not all take the same street.
 */
#ifndef WORLD_DEMAND_H
#define WORLD_DEMAND_H

#include "base/diag.h"
#include "road/network.h"
#include "world/rng.h"

#define DEMAND_POINTS_MAX 64
#define DEMAND_CENTRES_MAX 64
#define DEMAND_DAY_S 86400

struct demand_centre {
    struct road_point place;
    double reach_m, pull;
};

enum demand_kind { DEMAND_INNER, DEMAND_IN, DEMAND_OUT, DEMAND_THROUGH, DEMAND_N_KINDS };

struct demand_plan {
    double peak; /* vehicles */
    size_t n_points, n_centres;
    struct demand_point {
        int32_t second; /* of the day, rising */
        double share;
    } points[DEMAND_POINTS_MAX];
    struct demand_centre centres[DEMAND_CENTRES_MAX];
    double morning[DEMAND_N_KINDS], evening[DEMAND_N_KINDS];
};

enum err demand_plan_load(const char *path, struct diag_list *diags, struct demand_plan *ret_plan) MUST_CHECK;
/* Share of the peak at a second of the day (any number; the day repeats). */
double demand_share(const struct demand_plan *plan, double second);

struct demand;

struct demand_trip {
    const uint32_t *edges; /* at least 2; borrowed until the next trip */
    uint32_t n_edges;
    double time_s; /* as planned, waiting at signals included roughly */
};

/* `plan` and `network` are kept. ERR_NO_MEMORY; ERR_NOT_FOUND when the network has no road to begin or end at. */
enum err demand_create(
    const struct demand_plan *plan, const struct road_network *network, uint64_t seed, struct demand **ret_demand) MUST_CHECK;
void demand_destroy(struct demand *demand); /* takes NULL */
/* ERR_NOT_FOUND: no way was found in some attempts. */
enum err demand_next(struct demand *demand, double second, struct demand_trip *ret_trip) MUST_CHECK;
/* Mean planned time of some trips at that second, to set the rate of departures: vehicles on the road over it. */
double demand_mean_time_s(struct demand *demand, double second);
/* Cuts a trip down to what is left of it after a random part of its time: a vehicle that is on its way already. */
void demand_cut(struct demand *demand, struct demand_trip *trip);

#endif
