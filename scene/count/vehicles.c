/* The vehicles the count knows; see vehicles.h. A hash table over a slab, and a list from the oldest to the newest. */
#include "scene/count/vehicles.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>

#define SLAB_FIRST 1024

void count_vehicles_init(struct count_vehicles *vehicles, uint32_t max, int64_t keep_ms)
{
    assert(max > 0 && max < COUNT_NONE / 4);
    *vehicles =
        (struct count_vehicles){.max = max, .keep_ms = keep_ms, .first_free = COUNT_NONE, .oldest = COUNT_NONE, .newest = COUNT_NONE};
}

void count_vehicles_finish(struct count_vehicles *vehicles)
{
    if (vehicles == NULL)
        return;
    mem_free(vehicles->slab);
    mem_free(vehicles->slots);
    memset(vehicles, 0, sizeof(*vehicles));
}

void count_vehicles_clear(struct count_vehicles *vehicles)
{
    vehicles->n_slab = vehicles->n_known = 0;
    vehicles->first_free = vehicles->oldest = vehicles->newest = COUNT_NONE;
    if (vehicles->n_slots > 0)
        memset(vehicles->slots, 0, vehicles->n_slots * sizeof(*vehicles->slots));
}

/* ---- the table ---- */

/* MurmurHash3's finaliser (A. Appleby, public domain): keys may be anything. */
static uint64_t hash_of(uint64_t key)
{
    key = (key ^ (key >> 33)) * 0xff51afd7ed558ccdu;
    key = (key ^ (key >> 33)) * 0xc4ceb9fe1a85ec53u;
    return key ^ (key >> 33);
}

static uint32_t home_of(const struct count_vehicles *vehicles, uint64_t hash)
{
    return (uint32_t)hash & (vehicles->n_slots - 1);
}

/* The slot that holds `key`, or the free one where it belongs. */
static struct count_slot *slot_of(const struct count_vehicles *vehicles, uint64_t key)
{
    uint64_t hash = hash_of(key);
    uint32_t at = home_of(vehicles, hash), tag = (uint32_t)(hash >> 32);
    for (;; at = (at + 1) & (vehicles->n_slots - 1)) {
        struct count_slot *slot = &vehicles->slots[at];
        if (slot->place == 0 || (slot->tag == tag && vehicles->slab[slot->place - 1].key == key))
            return slot;
    }
}

/* Of one that is not in the table. */
static void fill_slot(struct count_vehicles *vehicles, uint32_t place)
{
    uint64_t hash = hash_of(vehicles->slab[place].key);
    uint32_t at = home_of(vehicles, hash);
    while (vehicles->slots[at].place != 0)
        at = (at + 1) & (vehicles->n_slots - 1);
    vehicles->slots[at] = (struct count_slot){(uint32_t)(hash >> 32), place + 1};
}

uint32_t count_vehicles_fetch_slot(const struct count_vehicles *vehicles, uint64_t key)
{
    if (vehicles->n_slots == 0)
        return 0;
    uint32_t slot = home_of(vehicles, hash_of(key));
    __builtin_prefetch(&vehicles->slots[slot]);
    return slot;
}

uint32_t count_vehicles_fetch(const struct count_vehicles *vehicles, uint64_t key, uint32_t slot)
{
    if (slot >= vehicles->n_slots)
        return COUNT_NONE;
    uint32_t tag = (uint32_t)(hash_of(key) >> 32);
    for (; vehicles->slots[slot].place != 0; slot = (slot + 1) & (vehicles->n_slots - 1))
        if (vehicles->slots[slot].tag == tag) {
            const struct count_vehicle *vehicle = &vehicles->slab[vehicles->slots[slot].place - 1];
            __builtin_prefetch(vehicle);
            __builtin_prefetch((const char *)(vehicle + 1) - 1); /* it may lie across two lines */
            return vehicles->slots[slot].place - 1;
        }
    return COUNT_NONE;
}

void count_vehicles_fetch_list(const struct count_vehicles *vehicles, uint32_t at)
{
    const struct count_vehicle *vehicle = &vehicles->slab[at];
    if (vehicle->older < vehicles->n_slab)
        __builtin_prefetch(&vehicles->slab[vehicle->older].newer);
    if (vehicle->newer < vehicles->n_slab)
        __builtin_prefetch(&vehicles->slab[vehicle->newer].older);
}

uint32_t count_vehicles_find(const struct count_vehicles *vehicles, uint64_t key)
{
    if (vehicles->n_slots == 0)
        return COUNT_NONE;
    uint32_t place = slot_of(vehicles, key)->place;
    return place == 0 ? COUNT_NONE : place - 1;
}

uint32_t count_vehicles_find_at(const struct count_vehicles *vehicles, uint64_t key, uint32_t guess)
{
    if (guess < vehicles->n_slab && vehicles->slab[guess].key == key && vehicles->slab[guess].n_sightings > 0)
        return guess;
    return count_vehicles_find(vehicles, key);
}

/* Removes without tombstones: what a later probe would miss moves back (Knuth, TAOCP 3, 6.4 R). */
static void remove_slot(struct count_vehicles *vehicles, uint64_t key)
{
    struct count_slot *slots = vehicles->slots;
    uint32_t mask = vehicles->n_slots - 1, hole = (uint32_t)(slot_of(vehicles, key) - slots);
    for (uint32_t at = (hole + 1) & mask; slots[at].place != 0; at = (at + 1) & mask) {
        uint32_t home = home_of(vehicles, hash_of(vehicles->slab[slots[at].place - 1].key));
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            slots[hole] = slots[at];
            hole = at;
        }
    }
    slots[hole] = (struct count_slot){.place = 0};
}

/* Twice the room; false when there is no memory or the limit is reached. */
static bool grow(struct count_vehicles *vehicles)
{
    uint32_t cap = vehicles->cap_slab == 0 ? SLAB_FIRST : vehicles->cap_slab * 2;
    if (cap > vehicles->max)
        cap = vehicles->max;
    if (cap <= vehicles->cap_slab)
        return false;
    uint32_t n_slots = 2;
    while (n_slots < cap * 2)
        n_slots *= 2;
    struct count_slot *slots = mem_alloc_zero(n_slots, sizeof(*slots));
    if (slots == NULL)
        return false;
    struct count_vehicle *slab = mem_resize(vehicles->slab, cap * sizeof(*slab));
    if (slab == NULL) {
        mem_free(slots);
        return false;
    }
    mem_advise_random(slots, n_slots * sizeof(*slots));
    mem_advise_random(slab, cap * sizeof(*slab));
    vehicles->slab = slab;
    vehicles->cap_slab = cap;
    mem_free(vehicles->slots);
    vehicles->slots = slots;
    vehicles->n_slots = n_slots;
    for (uint32_t i = 0; i < vehicles->n_slab; i++)
        if (slab[i].n_sightings > 0)
            fill_slot(vehicles, i);
    return true;
}

/* ---- the list ---- */

static void unlink_vehicle(struct count_vehicles *vehicles, uint32_t at)
{
    const struct count_vehicle *vehicle = &vehicles->slab[at];
    if (vehicle->older != COUNT_NONE)
        vehicles->slab[vehicle->older].newer = vehicle->newer;
    else
        vehicles->oldest = vehicle->newer;
    if (vehicle->newer != COUNT_NONE)
        vehicles->slab[vehicle->newer].older = vehicle->older;
    else
        vehicles->newest = vehicle->older;
}

static void link_newest(struct count_vehicles *vehicles, uint32_t at)
{
    vehicles->slab[at].older = vehicles->newest;
    vehicles->slab[at].newer = COUNT_NONE;
    if (vehicles->newest != COUNT_NONE)
        vehicles->slab[vehicles->newest].newer = at;
    else
        vehicles->oldest = at;
    vehicles->newest = at;
}

static void forget(struct count_vehicles *vehicles, uint32_t at)
{
    unlink_vehicle(vehicles, at);
    remove_slot(vehicles, vehicles->slab[at].key);
    vehicles->slab[at].n_sightings = 0;
    vehicles->slab[at].newer = vehicles->first_free;
    vehicles->first_free = at;
    vehicles->n_known--;
}

void count_vehicles_renew(struct count_vehicles *vehicles, uint32_t at)
{
    unlink_vehicle(vehicles, at);
    link_newest(vehicles, at);
}

uint32_t count_vehicles_add(struct count_vehicles *vehicles, uint64_t key)
{
    bool is_room = vehicles->first_free != COUNT_NONE || vehicles->n_slab < vehicles->cap_slab || grow(vehicles);
    if (!is_room) {
        if (vehicles->oldest == COUNT_NONE)
            return COUNT_NONE;
        forget(vehicles, vehicles->oldest);
        vehicles->n_evicted++;
    }
    uint32_t at = vehicles->first_free;
    if (at != COUNT_NONE)
        vehicles->first_free = vehicles->slab[at].newer;
    else
        at = vehicles->n_slab++;
    vehicles->slab[at] = (struct count_vehicle){
        .key = key, .camera = COUNT_NONE, .before_camera = COUNT_NONE, .last_ms = INT64_MIN, .before_ms = INT64_MIN, .n_sightings = 1};
    fill_slot(vehicles, at);
    vehicles->n_known++;
    link_newest(vehicles, at);
    return at;
}

void count_vehicles_expire(struct count_vehicles *vehicles, int64_t now_ms)
{
    while (vehicles->oldest != COUNT_NONE && vehicles->slab[vehicles->oldest].last_ms < now_ms - vehicles->keep_ms)
        forget(vehicles, vehicles->oldest);
}
