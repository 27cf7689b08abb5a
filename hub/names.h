/*
 * A table from names to objects: filled while a city is loaded, then read from any thread, while one thread may still add what was
 * reserved for.
 *
 * Names come from a city's own files, so the plain hash is enough; it does not own what it points to. base/str_map.h is for one thread:
 * it numbers keys that come from outside, copies them, and moves them when it grows.
 */
#ifndef HUB_NAMES_H
#define HUB_NAMES_H

#include "base/str.h"

struct names_slot {
    struct str name; /* borrowed; ptr NULL: free */
    void *object;
};

struct names {
    struct names_slot *slots; /* owned */
    size_t n, n_slots;        /* n_slots is a power of two */
};

void names_finish(struct names *names);
/* Room for `n` names in all, so that putting them moves nothing that others read. */
enum err names_reserve(struct names *names, size_t n) MUST_CHECK;
/* ERR_EXISTS: the name is there already. Keeps `name`. */
enum err names_put(struct names *names, struct str name, void *object) MUST_CHECK;
/* The slot of a name; NULL: none. */
struct names_slot *names_slot(const struct names *names, struct str name);
void *names_object(const struct names_slot *slot);
void names_replace(struct names_slot *slot, void *object);
void *names_get(const struct names *names, struct str name); /* NULL: none */

#endif
