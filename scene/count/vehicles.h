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

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COUNT_NONE UINT32_MAX

struct count_vehicle {
    uint64_t key;               /* hash of the pseudonym */
    int64_t last_ms, before_ms; /* the last sighting and the one before it; INT64_MIN: none */
    uint32_t camera, before_camera;
    uint32_t older, newer; /* in the order of the last sightings' coming */
    uint32_t n_sightings;  /* of this trip; 0: this place of the slab is free */
    bool has_twin;         /* another vehicle has its plate (clones.h) */
};

/* A place of the table. The tag spares the look at another vehicle's memory. */
struct count_slot {
    uint32_t tag;   /* of the hash's other half */
    uint32_t place; /* in the slab, + 1; 0: free */
};

struct count_vehicles {
    struct count_vehicle *slab; /* [n_slab], with free places */
    uint32_t n_slab, cap_slab, max, first_free;
    uint32_t n_known;
    struct count_slot *slots; /* by hash of key; a power of two, at most half full */
    uint32_t n_slots;
    uint32_t oldest, newest;
    int64_t keep_ms;
    uint64_t n_evicted; /* forgotten early, for want of room, since the start */
};

/* `max`: most vehicles known at once. Allocates nothing. */
void count_vehicles_init(struct count_vehicles *vehicles, uint32_t max, int64_t keep_ms);
void count_vehicles_finish(struct count_vehicles *vehicles); /* takes NULL */
void count_vehicles_clear(struct count_vehicles *vehicles);  /* forgets every vehicle; keeps the counter */
/* It will be asked for soon, and memory is slower than all the rest of a passage's work: what it needs is fetched into the cache. First its
 * slot; some time after that, with what this answered, what the slot points to, whose place is answered (COUNT_NONE: a guess is that it is
 * not known); at last those beside it in the list. */
uint32_t count_vehicles_fetch_slot(const struct count_vehicles *vehicles, uint64_t key);
uint32_t count_vehicles_fetch(const struct count_vehicles *vehicles, uint64_t key, uint32_t slot);
void count_vehicles_fetch_list(const struct count_vehicles *vehicles, uint32_t at);
/* Its place in the slab; COUNT_NONE when it is not known. `guess` is looked at first, whatever it is. */
uint32_t count_vehicles_find(const struct count_vehicles *vehicles, uint64_t key);
uint32_t count_vehicles_find_at(const struct count_vehicles *vehicles, uint64_t key, uint32_t guess);
/* A new one, as the newest, with no sighting yet: the caller fills in the first at once. Without memory, or at the limit, the oldest is
 * forgotten for it; COUNT_NONE only when there is no memory for even one. */
uint32_t count_vehicles_add(struct count_vehicles *vehicles, uint64_t key);
/* It was sighted now: it becomes the newest. */
void count_vehicles_renew(struct count_vehicles *vehicles, uint32_t at);
/* Forgets those of whom nothing was heard since `now_ms` - keep_ms. */
void count_vehicles_expire(struct count_vehicles *vehicles, int64_t now_ms);

#endif
