/*
 * The vehicles the count knows: who was last seen where, and until when each counts as in transit.
 *
 * A vehicle is *counted* from a sighting until its time-out, then *remembered* for a while, so that one that comes back is known
 * to have been on its way all along; then it is forgotten, its chain of sightings closed. Bounded: at the limit of memory the
 * longest remembered goes first, then the one whose time-out is nearest, and both are counted.
 *
 * Time is what the caller says; nothing here has a clock.
 */
#ifndef SCENE_COUNT_VEHICLES_H
#define SCENE_COUNT_VEHICLES_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COUNT_NONE UINT32_MAX
#define COUNT_WHEEL_S 4096 /* seconds ahead that a time-out may lie; above every time-out allowed by the settings */

enum count_vehicle_state { COUNT_FREE, COUNT_COUNTED, COUNT_REMEMBERED };

struct count_vehicle {
    uint64_t key;               /* hash of the pseudonym */
    int64_t last_ms, before_ms; /* the last sighting and the one before it, on the cameras' clocks */
    int64_t due_s;              /* counted: gone from the count at this second; remembered: forgotten at it */
    uint32_t camera, before_camera;
    uint32_t next, previous; /* in its list */
    uint32_t n_sightings;    /* of this trip */
    uint16_t area;           /* where it is counted */
    uint8_t state;
};

struct count_vehicles {
    struct count_vehicle *vehicles; /* slab */
    uint32_t n_slab, cap_slab, max, first_free;
    uint32_t *slots; /* index + 1 by hash of key; a power of two, at most half full */
    uint32_t n_slots;
    uint32_t wheel[COUNT_WHEEL_S]; /* first counted vehicle by due_s modulo the size */
    uint32_t oldest, newest;       /* the remembered ones, in the order of their time-outs */
    uint32_t n_counted, n_remembered;
    uint32_t *n_by_area; /* [n_areas] counted ones */
    size_t n_areas;
    int64_t now_s;
    int64_t remember_s;
    /* Since the start; the owner reads differences. */
    uint64_t n_timed_out, n_timed_out_single; /* all, and those that were sighted once */
    uint64_t n_evicted;                       /* forgotten early, for want of room */
};

/* `max`: most vehicles known at once. ERR_NO_MEMORY. */
enum err count_vehicles_init(struct count_vehicles *vehicles, uint32_t max, size_t n_areas, int64_t remember_s) MUST_CHECK;
void count_vehicles_finish(struct count_vehicles *vehicles); /* takes NULL */
void count_vehicles_clear(struct count_vehicles *vehicles);  /* forgets every vehicle, and the time; keeps the counters */
/* COUNT_NONE when it is not known. */
uint32_t count_vehicles_find(const struct count_vehicles *vehicles, uint64_t key);
/* A new one, in no list: count_vehicles_place() must follow. Without memory, or at the limit, another one is forgotten for it;
 * COUNT_NONE only when there is no memory for even one. */
uint32_t count_vehicles_add(struct count_vehicles *vehicles, uint64_t key);
/* Counts it in `area` until the second `due_s`; when that is past, it is only remembered. */
void count_vehicles_place(struct count_vehicles *vehicles, uint32_t at, uint16_t area, int64_t due_s);
/* Time goes on to `now_s`; never backward. */
void count_vehicles_advance(struct count_vehicles *vehicles, int64_t now_s);

#endif
