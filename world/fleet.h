/*
 * The fleet: taxis whose terminals (JT/T 808) tell where they are, as their company's gateway gives it on: message 0x0200 as JSON, a list
 * of positions a second, to the company's MQTT broker (docs/gps.md). The world knows the broker from the city's files; the brain is the
 * broker's affair.
 *
 * Receivers err by some metres, and now and then know nothing. Without a broker the positions of a second are lost, as those of a gateway
 * are: it is tried again, and counted.
 */
#ifndef WORLD_FLEET_H
#define WORLD_FLEET_H

#include "base/json.h"
#include "world/brain_clock.h"
#include "world/city.h"
#include "world/rng.h"

#define FLEET_ONE_IN 20  /* vehicles, that are taxis */
#define FLEET_EVERY_S 10 /* a taxi tells where it is */
#define FLEET_ERROR_M 5.0
#define FLEET_LOST 0.005         /* share of positions of a receiver that sees no satellite */
#define FLEET_POSITIONS_MAX 2000 /* of one message; 256 KB are what the brain takes */

struct fleet_position { /* as it is */
    uint32_t vehicle;
    struct road_point point;
    double speed_mps, heading;
};

struct fleet_counts {
    uint64_t n_sent;    /* messages that the broker acknowledged */
    uint64_t n_dropped; /* positions, while it was away */
    bool is_connected;
};

struct fleet;

/* Kept: `city`, `clock`. Connects by itself. ERR_NO_MEMORY. */
enum err fleet_create(const struct world_city *city, const struct brain_clock *clock, uint64_t seed, struct fleet **ret_fleet) MUST_CHECK;
void fleet_destroy(struct fleet *fleet); /* takes NULL */
/* A position of this second, with its error from here on. */
void fleet_add(struct fleet *fleet, const struct fleet_position *position);
/* The second is over: what was added goes out. Also looks after the connection; oftener, with nothing added, does no harm. Never waits. */
void fleet_tick(struct fleet *fleet, struct mono_time now);
void fleet_count(const struct fleet *fleet, struct fleet_counts *ret_counts);

/* One position as a terminal at (lon, lat) would see it: by the same chance the same. For tests too. */
void fleet_write(struct json_writer *w, const struct fleet_position *position, struct wall_time time, uint32_t serial, struct rng *rng);

#endif
