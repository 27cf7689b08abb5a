/* The vehicles the count knows; see vehicles.h. A hash table over a slab, and spans of time. */
#include "scene/count/vehicles.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>

#define KNOWN_FIRST 1024
#define LARGE_SLOTS (1u << 16) /* from here on vehicles get large pages: a small city's would take more memory in them */

void count_vehicles_init(struct count_vehicles *vehicles, uint32_t max, int64_t keep_ms)
{
    assert(max > 0 && max < COUNT_NONE / 4);
    *vehicles = (struct count_vehicles){.max = max, .keep_ms = keep_ms, .first_free = COUNT_NONE};
}

void count_vehicles_finish(struct count_vehicles *vehicles)
{
    if (vehicles == NULL)
        return;
    mem_release(vehicles->slab, vehicles->max * sizeof(*vehicles->slab));
    mem_free(vehicles->slots);
    mem_free(vehicles->spans);
    memset(vehicles, 0, sizeof(*vehicles));
}

void count_vehicles_clear(struct count_vehicles *vehicles)
{
    vehicles->n_slab = vehicles->n_known = 0;
    vehicles->first_free = COUNT_NONE;
    if (vehicles->spans != NULL)
        memset(vehicles->spans, 0xff, COUNT_SPANS * sizeof(*vehicles->spans));
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
            __builtin_prefetch(&vehicles->slab[vehicles->slots[slot].place - 1]);
            return vehicles->slots[slot].place - 1;
        }
    return COUNT_NONE;
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

/* Slots for twice as many; false when there is no memory. */
static bool grow(struct count_vehicles *vehicles)
{
    uint32_t n_slots = vehicles->n_slots == 0 ? 2 * KNOWN_FIRST : vehicles->n_slots * 2;
    struct count_slot *slots = mem_alloc_zero(n_slots, sizeof(*slots));
    if (slots == NULL)
        return false;
    mem_advise_random(slots, n_slots * sizeof(*slots));
    if (n_slots >= LARGE_SLOTS)
        mem_advise_random(vehicles->slab, vehicles->max * sizeof(*vehicles->slab));
    mem_free(vehicles->slots);
    vehicles->slots = slots;
    vehicles->n_slots = n_slots;
    for (uint32_t i = 0; i < vehicles->n_slab; i++)
        if (vehicles->slab[i].n_sightings > 0)
            fill_slot(vehicles, i);
    return true;
}

/* The tables whose size does not change. */
static bool begin(struct count_vehicles *vehicles)
{
    size_t n_bytes = vehicles->max * sizeof(struct count_vehicle);
    struct count_vehicle *slab = mem_reserve(n_bytes);
    struct count_span *spans = mem_alloc(COUNT_SPANS * sizeof(*spans));
    if (slab == NULL || spans == NULL) {
        mem_release(slab, n_bytes);
        mem_free(spans);
        return false;
    }
    memset(spans, 0xff, COUNT_SPANS * sizeof(*spans));
    vehicles->slab = slab;
    vehicles->spans = spans;
    return true;
}

/* ---- spans ---- */

static int64_t span_of(int64_t ms)
{
    return ms / COUNT_SPAN_MS;
}

/* Into the span of its last sighting, or the nearest that there is, as its last. */
static void put(struct count_vehicles *vehicles, uint32_t at)
{
    int64_t number = span_of((int64_t)vehicles->slab[at].last_ms), last = vehicles->first_span + COUNT_SPANS - 1;
    number = number < vehicles->first_span ? vehicles->first_span : number > last ? last : number;
    struct count_span *span = &vehicles->spans[(uint64_t)number % COUNT_SPANS];
    if (span->first == COUNT_NONE)
        span->first = at;
    else
        vehicles->slab[span->last].next = at;
    span->last = at;
    vehicles->slab[at].next = COUNT_NONE;
}

/* The first of the first span; COUNT_NONE: there is none. */
static uint32_t take(struct count_vehicles *vehicles)
{
    struct count_span *span = &vehicles->spans[(uint64_t)vehicles->first_span % COUNT_SPANS];
    uint32_t at = span->first;
    if (at != COUNT_NONE)
        span->first = vehicles->slab[at].next;
    return at;
}

static void forget(struct count_vehicles *vehicles, uint32_t at)
{
    remove_slot(vehicles, vehicles->slab[at].key);
    vehicles->slab[at].n_sightings = 0;
    vehicles->slab[at].next = vehicles->first_free;
    vehicles->first_free = at;
    vehicles->n_known--;
}

/* There is one at least. */
static void forget_oldest(struct count_vehicles *vehicles)
{
    for (;;) {
        uint32_t at = take(vehicles);
        if (at == COUNT_NONE) {
            vehicles->first_span++;
        } else if (span_of((int64_t)vehicles->slab[at].last_ms) > vehicles->first_span) {
            put(vehicles, at);
        } else {
            forget(vehicles, at);
            return;
        }
    }
}

uint32_t count_vehicles_add(struct count_vehicles *vehicles, uint64_t key, uint32_t camera, int64_t seen_ms)
{
    if (vehicles->slab == NULL && !begin(vehicles))
        return COUNT_NONE;
    if (vehicles->n_known >= vehicles->max || (vehicles->n_known * 2 >= vehicles->n_slots && !grow(vehicles))) {
        if (vehicles->n_known == 0)
            return COUNT_NONE;
        forget_oldest(vehicles);
        vehicles->n_evicted++;
    }
    if (vehicles->n_known == 0 || span_of(seen_ms) < vehicles->first_span)
        vehicles->first_span = span_of(seen_ms); /* older than all: one that came late, or of a snapshot */
    uint32_t at = vehicles->first_free;
    if (at != COUNT_NONE)
        vehicles->first_free = vehicles->slab[at].next;
    else
        at = vehicles->n_slab++;
    vehicles->slab[at] =
        (struct count_vehicle){.key = key, .last_ms = (uint64_t)seen_ms, .n_sightings = 1, .camera = camera, .before_camera = COUNT_NONE};
    fill_slot(vehicles, at);
    vehicles->n_known++;
    put(vehicles, at);
    return at;
}

void count_vehicles_expire(struct count_vehicles *vehicles, int64_t now_ms)
{
    int64_t before_ms = now_ms - vehicles->keep_ms, last = span_of(before_ms);
    while (vehicles->n_known > 0 && before_ms > 0 && vehicles->first_span <= last) {
        struct count_span *span = &vehicles->spans[(uint64_t)vehicles->first_span % COUNT_SPANS];
        uint32_t at = span->first, next;
        bool is_last = vehicles->first_span == last;
        span->first = COUNT_NONE;
        vehicles->first_span += !is_last;
        for (; at != COUNT_NONE; at = next) {
            next = vehicles->slab[at].next;
            if ((int64_t)vehicles->slab[at].last_ms < before_ms)
                forget(vehicles, at);
            else
                put(vehicles, at);
        }
        if (is_last)
            return;
    }
}
