/*
 * A map from strings to small numbers: open addressing, linear probing, grows by doubling to its limit. Keys are copied and
 * numbered 0, 1, 2 … in the order of their coming, so that arrays beside it hold what belongs to them. Nothing is removed.
 *
 * The hash is keyed by a seed that the owner gives, so that keys from outside cannot be made to collide.
 */
#ifndef BASE_STR_MAP_H
#define BASE_STR_MAP_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct str_map {
    struct arena arena; /* the keys' bytes */
    struct str *keys;   /* by number */
    uint32_t *slots;    /* number + 1; 0: free */
    uint32_t n, n_slots, limit;
    uint64_t seed;
};

void str_map_init(struct str_map *map, uint32_t limit, uint64_t seed); /* `limit`: most keys; allocates nothing */
void str_map_finish(struct str_map *map);                              /* takes NULL */
int64_t str_map_find(const struct str_map *map, struct str key);       /* its number; -1: not there */
/* Its number, new or old. ERR_FULL at the limit, ERR_NO_MEMORY. */
enum err str_map_add(struct str_map *map, struct str key, uint32_t *ret_number) MUST_CHECK;
struct str str_map_key(const struct str_map *map, uint32_t number); /* borrowed until finish */

#endif
