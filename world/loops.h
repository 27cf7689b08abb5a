/*
 * Induction loops that count (线圈): on some of the approaches with a camera, and on some roads without one, each lane's vehicles of a
 * minute, as the police's gateway of detectors gives them on: a list of rows to its MQTT broker (docs/loops.md). No plates.
 *
 * A loop misses a vehicle now and then. Without a broker a minute's rows are lost, and counted.
 */
#ifndef WORLD_LOOPS_H
#define WORLD_LOOPS_H

#include "base/json.h"
#include "world/brain_clock.h"
#include "world/city.h"
#include "world/rng.h"
#include "world/streets.h"

#define LOOPS_PERIOD_MS 60000
#define LOOPS_RIGHT 0.97 /* share of the vehicles that a loop counts */

struct loops_row { /* of one lane and minute */
    uint32_t edge;
    uint8_t lane; /* from the middle of the road outwards, from 1 */
    uint32_t n;
    int64_t to_ms; /* the brain's time at which the minute ended */
};

struct loops_counts {
    uint64_t n_sent;    /* messages that the broker acknowledged */
    uint64_t n_dropped; /* rows, while it was away */
    uint32_t n;         /* lanes with a loop */
    bool is_connected;
};

struct loops;

/* Kept: `city`, `network`, `clock`, `counted`. Connects by itself. ERR_NO_MEMORY. */
enum err loops_create(const struct world_city *city, const struct road_network *network, const struct streets_counted *counted,
    const struct brain_clock *clock, uint64_t seed, struct loops **ret_loops) MUST_CHECK;
void loops_destroy(struct loops *loops); /* takes NULL */
/* A vehicle has left a loop behind; nothing where that loop is a camera's alone. */
void loops_add(struct loops *loops, const struct streets_passage *passage);
/* When a minute of the brain's clock is over its rows go out. Also looks after the connection. Never waits. */
void loops_tick(struct loops *loops, struct mono_time now);
void loops_count(const struct loops *loops, struct loops_counts *ret_counts);

/* One row as the gateway gives it. For tests too. */
void loops_write(struct json_writer *w, const struct road_network *network, const struct loops_row *row);

#endif
