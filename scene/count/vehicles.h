/*
 * The vehicles the count knows: who was last seen where and when.
 *
 * One is known from its first sighting until nothing was heard of it for `keep_s`; then its trip is over and it is forgotten. Bounded:
 * at the limit of memory the one that was heard of longest ago goes early, and is counted.
 *
 * Time is what the caller says; nothing here has a clock.
 */
#ifndef SCENE_COUNT_VEHICLES_H
#define SCENE_COUNT_VEHICLES_H

#include "base/err.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COUNT_NONE UINT32_MAX

/* Half a line of the cache: of all that a passage looks at nothing is as far away. */
struct count_vehicle {
    alignas(32) uint64_t key;       /* hash of the pseudonym */
    uint64_t last_ms : 44;          /* of the last sighting */
    uint64_t n_sightings : 19;      /* of this trip, at most COUNT_SIGHTINGS_MAX; 0: this place of the slab is free */
    uint64_t has_twin : 1;          /* another vehicle has its plate (clones.h) */
    uint32_t gap_ms;                /* from the sighting before it to the last; 0 where there is none */
    uint32_t camera, before_camera; /* of both; COUNT_NONE */
    uint32_t next;                  /* in its span, or of the free places; COUNT_NONE: none */
};

#define COUNT_SIGHTINGS_MAX ((1u << 19) - 1)

/* The sighting before the last; INT64_MIN: none. */
static inline int64_t count_vehicle_before_ms(const struct count_vehicle *vehicle)
{
    return vehicle->before_camera == COUNT_NONE ? INT64_MIN : (int64_t)vehicle->last_ms - vehicle->gap_ms;
}

/* A place of the table. The tag spares the look at another vehicle's memory. */
struct count_slot {
    uint32_t tag;   /* of the hash's other half */
    uint32_t place; /* in the slab, + 1; 0: free */
};

/* Vehicles whose last sightings lay in one span of time when they were put there; those seen again since are moved on when it is its turn.
 */
#define COUNT_SPAN_MS 16384
#define COUNT_SPANS 2048u /* keep_s is at most eight hours, and a passage may come a while late; a power of two */

struct count_span {
    uint32_t first, last; /* places; COUNT_NONE: none, and `last` is nobody's */
};

struct count_vehicles {
    struct count_vehicle *slab; /* [max] at once, of which what was never used has no memory; [n_slab] with free places */
    uint32_t n_slab, max, first_free;
    uint32_t n_known;
    struct count_slot *slots; /* by hash of key; a power of two, at most half full */
    uint32_t n_slots;
    struct count_span *spans; /* [COUNT_SPANS] by number */
    int64_t first_span;       /* no vehicle stands in one before it */
    int64_t keep_ms;
    uint64_t n_evicted; /* forgotten early, for want of room, since the start */
};

/* `max`: most vehicles known at once. Allocates nothing. */
void count_vehicles_init(struct count_vehicles *vehicles, uint32_t max, int64_t keep_ms);
void count_vehicles_finish(struct count_vehicles *vehicles); /* takes NULL */
void count_vehicles_clear(struct count_vehicles *vehicles);  /* forgets every vehicle; keeps the counter */
/* It will be asked for soon, and memory is slower than all the rest of a passage's work: what it needs is fetched into the cache. First its
 * slot; some time after that, with what this answered, what the slot points to, whose place is answered (COUNT_NONE: a guess is that it is
 * not known). */
uint32_t count_vehicles_fetch_slot(const struct count_vehicles *vehicles, uint64_t key);
uint32_t count_vehicles_fetch(const struct count_vehicles *vehicles, uint64_t key, uint32_t slot);
/* Its place in the slab; COUNT_NONE when it is not known. `guess` is looked at first, whatever it is. */
uint32_t count_vehicles_find(const struct count_vehicles *vehicles, uint64_t key);
uint32_t count_vehicles_find_at(const struct count_vehicles *vehicles, uint64_t key, uint32_t guess);
/* A new one, sighted for the first time. Without memory, or at the limit, the one that was seen longest ago, to a span, is forgotten for
 * it; COUNT_NONE only when there is no memory for even one. */
uint32_t count_vehicles_add(struct count_vehicles *vehicles, uint64_t key, uint32_t camera, int64_t seen_ms);
/* It was sighted again, not before its last sighting. */
static inline void count_vehicle_move(struct count_vehicle *vehicle, uint32_t camera, int64_t seen_ms)
{
    vehicle->gap_ms = (uint32_t)(seen_ms - (int64_t)vehicle->last_ms);
    vehicle->before_camera = vehicle->camera;
    vehicle->last_ms = (uint64_t)seen_ms;
    vehicle->camera = camera;
    vehicle->n_sightings += vehicle->n_sightings < COUNT_SIGHTINGS_MAX;
}
/* Forgets those that were not seen since `now_ms` - keep_ms. */
void count_vehicles_expire(struct count_vehicles *vehicles, int64_t now_ms);

#endif
