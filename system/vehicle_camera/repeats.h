/*
 * Which passages have been taken already: a camera that got no answer sends again, and each passage counts once.
 *
 * A set of 64-bit keyed fingerprints in two generations: when the young one is full, the old one is forgotten. So between half of the
 * limit and the whole of it, the most recent, are remembered in at most 16 bytes each; what is older than that comes through a second
 * time, if it is still within `accept_past`. One thread at a time.
 */
#ifndef SYSTEM_VEHICLE_CAMERA_REPEATS_H
#define SYSTEM_VEHICLE_CAMERA_REPEATS_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct repeats_generation {
    uint64_t *slots; /* owned; 0: free */
    size_t n_slots, n;
};

struct repeats {
    struct repeats_generation young, old;
    size_t n_generation_max;
};

void repeats_init(struct repeats *repeats, size_t limit); /* allocates nothing */
void repeats_finish(struct repeats *repeats);
/* Room for n more, so that the next n additions cannot fail. */
enum err repeats_reserve(struct repeats *repeats, size_t n) MUST_CHECK;
bool repeats_add(struct repeats *repeats, uint64_t fingerprint) MUST_CHECK; /* false: it is there already */
/* Takes back what was added last; in reverse order, with no reservation between. */
void repeats_undo(struct repeats *repeats, uint64_t fingerprint);

#endif
