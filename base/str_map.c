/* The map's slots are at most half full, so that a probe ends soon. */
#include "base/str_map.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>

#define STR_MAP_KEYS_FIRST 16

void str_map_init(struct str_map *map, uint32_t limit, uint64_t seed)
{
    *map = (struct str_map){.limit = limit, .seed = seed};
    arena_init(&map->arena, SIZE_MAX / 2); /* the limit on keys, and the callers' on their length, bound it */
}

void str_map_finish(struct str_map *map)
{
    if (!map)
        return;
    arena_finish(&map->arena);
    mem_free(map->keys);
    mem_free(map->slots);
    *map = (struct str_map){.limit = map->limit, .seed = map->seed};
}

static uint32_t slot_of(const struct str_map *map, struct str key)
{
    uint64_t hash = (str_hash(key) ^ map->seed) * 0x9E3779B97F4A7C15u;
    uint32_t at = (uint32_t)(hash >> 32) & (map->n_slots - 1);
    while (map->slots[at] != 0 && !str_equal(map->keys[map->slots[at] - 1], key))
        at = (at + 1) & (map->n_slots - 1);
    return at;
}

int64_t str_map_find(const struct str_map *map, struct str key)
{
    if (map->n == 0)
        return -1;
    return (int64_t)map->slots[slot_of(map, key)] - 1;
}

static enum err grow(struct str_map *map)
{
    uint32_t n_keys = map->n ? map->n * 2 : STR_MAP_KEYS_FIRST;
    struct str *keys = mem_resize(map->keys, n_keys * sizeof(*keys));
    if (!keys)
        return ERR_NO_MEMORY;
    map->keys = keys;
    uint32_t *slots = mem_alloc_zero(n_keys * 2, sizeof(*slots));
    if (!slots)
        return ERR_NO_MEMORY;
    mem_free(map->slots);
    map->slots = slots;
    map->n_slots = n_keys * 2;
    for (uint32_t i = 0; i < map->n; i++)
        slots[slot_of(map, keys[i])] = i + 1;
    return ERR_OK;
}

enum err str_map_add(struct str_map *map, struct str key, uint32_t *ret_number)
{
    int64_t found = str_map_find(map, key);
    if (found >= 0) {
        *ret_number = (uint32_t)found;
        return ERR_OK;
    }
    if (map->n >= map->limit)
        return ERR_FULL;
    if (map->n * 2 >= map->n_slots) {
        enum err err = grow(map);
        if (err != ERR_OK)
            return err;
    }
    struct str copy;
    enum err err = arena_copy_str(&map->arena, key, &copy);
    if (err != ERR_OK)
        return err;
    map->keys[map->n] = copy;
    map->slots[slot_of(map, key)] = map->n + 1;
    *ret_number = map->n++;
    return ERR_OK;
}

struct str str_map_key(const struct str_map *map, uint32_t number)
{
    assert(number < map->n);
    return map->keys[number];
}
