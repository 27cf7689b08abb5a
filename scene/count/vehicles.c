/* The vehicles the count knows; see vehicles.h. A timing wheel of one second holds the counted ones, a queue the remembered. */
#include "scene/count/vehicles.h"

#include "base/mem.h"

#include <assert.h>
#include <string.h>

#define SLAB_FIRST 1024

enum err count_vehicles_init(struct count_vehicles *vehicles, uint32_t max, size_t n_areas, int64_t remember_s)
{
    assert(max > 0 && max < COUNT_NONE / 4);
    memset(vehicles, 0, sizeof(*vehicles));
    vehicles->max = max;
    vehicles->n_areas = n_areas;
    vehicles->remember_s = remember_s;
    vehicles->first_free = vehicles->oldest = vehicles->newest = COUNT_NONE;
    vehicles->now_s = INT64_MIN;
    memset(vehicles->wheel, 0xff, sizeof(vehicles->wheel));
    vehicles->n_by_area = mem_alloc_zero(n_areas, sizeof(*vehicles->n_by_area));
    return vehicles->n_by_area == NULL ? ERR_NO_MEMORY : ERR_OK;
}

void count_vehicles_finish(struct count_vehicles *vehicles)
{
    if (vehicles == NULL)
        return;
    mem_free(vehicles->vehicles);
    mem_free(vehicles->slots);
    mem_free(vehicles->n_by_area);
    memset(vehicles, 0, sizeof(*vehicles));
}

void count_vehicles_clear(struct count_vehicles *vehicles)
{
    vehicles->n_slab = vehicles->n_counted = vehicles->n_remembered = 0;
    vehicles->first_free = vehicles->oldest = vehicles->newest = COUNT_NONE;
    vehicles->now_s = INT64_MIN;
    memset(vehicles->wheel, 0xff, sizeof(vehicles->wheel));
    memset(vehicles->n_by_area, 0, vehicles->n_areas * sizeof(*vehicles->n_by_area));
    if (vehicles->n_slots > 0)
        memset(vehicles->slots, 0, vehicles->n_slots * sizeof(*vehicles->slots));
}

/* ---- the table ---- */

/* MurmurHash3's finaliser (A. Appleby, public domain): keys may be anything. */
static uint32_t home_of(const struct count_vehicles *vehicles, uint64_t key)
{
    key = (key ^ (key >> 33)) * 0xff51afd7ed558ccdu;
    key = (key ^ (key >> 33)) * 0xc4ceb9fe1a85ec53u;
    return (uint32_t)(key ^ (key >> 33)) & (vehicles->n_slots - 1);
}

/* The slot that holds `key`, or the free one where it belongs. */
static uint32_t slot_of(const struct count_vehicles *vehicles, uint64_t key)
{
    uint32_t at = home_of(vehicles, key);
    while (vehicles->slots[at] != 0 && vehicles->vehicles[vehicles->slots[at] - 1].key != key)
        at = (at + 1) & (vehicles->n_slots - 1);
    return at;
}

uint32_t count_vehicles_find(const struct count_vehicles *vehicles, uint64_t key)
{
    if (vehicles->n_slots == 0)
        return COUNT_NONE;
    uint32_t slot = vehicles->slots[slot_of(vehicles, key)];
    return slot == 0 ? COUNT_NONE : slot - 1;
}

/* Removes without tombstones: what a later probe would miss moves back (Knuth, TAOCP 3, 6.4 R). */
static void remove_slot(struct count_vehicles *vehicles, uint64_t key)
{
    uint32_t mask = vehicles->n_slots - 1, hole = slot_of(vehicles, key);
    for (uint32_t at = (hole + 1) & mask; vehicles->slots[at] != 0; at = (at + 1) & mask) {
        uint32_t home = home_of(vehicles, vehicles->vehicles[vehicles->slots[at] - 1].key);
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            vehicles->slots[hole] = vehicles->slots[at];
            hole = at;
        }
    }
    vehicles->slots[hole] = 0;
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
    uint32_t *slots = mem_alloc_zero(n_slots, sizeof(*slots));
    if (slots == NULL)
        return false;
    struct count_vehicle *grown = mem_resize(vehicles->vehicles, cap * sizeof(*grown));
    if (grown == NULL) {
        mem_free(slots);
        return false;
    }
    vehicles->vehicles = grown;
    vehicles->cap_slab = cap;
    mem_free(vehicles->slots);
    vehicles->slots = slots;
    vehicles->n_slots = n_slots;
    for (uint32_t i = 0; i < vehicles->n_slab; i++)
        if (grown[i].state != COUNT_FREE)
            slots[slot_of(vehicles, grown[i].key)] = i + 1;
    return true;
}

/* ---- the lists ---- */

static void unlink_vehicle(struct count_vehicles *vehicles, uint32_t at)
{
    struct count_vehicle *vehicle = &vehicles->vehicles[at];
    bool is_counted = vehicle->state == COUNT_COUNTED;
    uint32_t *first = is_counted ? &vehicles->wheel[vehicle->due_s & (COUNT_WHEEL_S - 1)] : &vehicles->oldest;
    if (vehicle->previous != COUNT_NONE)
        vehicles->vehicles[vehicle->previous].next = vehicle->next;
    else
        *first = vehicle->next;
    if (vehicle->next != COUNT_NONE)
        vehicles->vehicles[vehicle->next].previous = vehicle->previous;
    else if (!is_counted)
        vehicles->newest = vehicle->previous;
    if (is_counted) {
        assert(vehicles->n_counted > 0 && vehicles->n_by_area[vehicle->area] > 0);
        vehicles->n_counted--;
        vehicles->n_by_area[vehicle->area]--;
    } else {
        vehicles->n_remembered--;
    }
}

static void link_counted(struct count_vehicles *vehicles, uint32_t at, int64_t due_s)
{
    struct count_vehicle *vehicle = &vehicles->vehicles[at];
    uint32_t *first = &vehicles->wheel[due_s & (COUNT_WHEEL_S - 1)];
    vehicle->state = COUNT_COUNTED;
    vehicle->due_s = due_s;
    vehicle->previous = COUNT_NONE;
    vehicle->next = *first;
    if (*first != COUNT_NONE)
        vehicles->vehicles[*first].previous = at;
    *first = at;
    vehicles->n_counted++;
    vehicles->n_by_area[vehicle->area]++;
}

static void link_remembered(struct count_vehicles *vehicles, uint32_t at, int64_t since_s)
{
    struct count_vehicle *vehicle = &vehicles->vehicles[at];
    vehicle->state = COUNT_REMEMBERED;
    vehicles->n_timed_out++;
    vehicles->n_timed_out_single += vehicle->n_sightings == 1;
    vehicle->due_s = since_s + vehicles->remember_s;
    vehicle->next = COUNT_NONE;
    vehicle->previous = vehicles->newest;
    if (vehicles->newest != COUNT_NONE)
        vehicles->vehicles[vehicles->newest].next = at;
    else
        vehicles->oldest = at;
    vehicles->newest = at;
    vehicles->n_remembered++;
}

/* Its place is free. */
static void forget(struct count_vehicles *vehicles, uint32_t at)
{
    struct count_vehicle *vehicle = &vehicles->vehicles[at];
    unlink_vehicle(vehicles, at);
    remove_slot(vehicles, vehicle->key);
    vehicle->state = COUNT_FREE;
    vehicle->next = vehicles->first_free;
    vehicles->first_free = at;
}

static bool evict(struct count_vehicles *vehicles)
{
    uint32_t victim = vehicles->oldest;
    for (int64_t i = 1; victim == COUNT_NONE && vehicles->n_counted > 0 && i <= COUNT_WHEEL_S; i++)
        victim = vehicles->wheel[(vehicles->now_s + i) & (COUNT_WHEEL_S - 1)];
    if (victim == COUNT_NONE)
        return false;
    forget(vehicles, victim);
    vehicles->n_evicted++;
    return true;
}

uint32_t count_vehicles_add(struct count_vehicles *vehicles, uint64_t key)
{
    bool is_room = vehicles->first_free != COUNT_NONE || vehicles->n_slab < vehicles->cap_slab || grow(vehicles) || evict(vehicles);
    if (!is_room)
        return COUNT_NONE;
    uint32_t at = vehicles->first_free;
    if (at != COUNT_NONE)
        vehicles->first_free = vehicles->vehicles[at].next;
    else
        at = vehicles->n_slab++;
    vehicles->vehicles[at] = (struct count_vehicle){.key = key,
        .next = COUNT_NONE,
        .previous = COUNT_NONE,
        .state = COUNT_FREE,
        .camera = COUNT_NONE,
        .before_camera = COUNT_NONE,
        .last_ms = INT64_MIN,
        .before_ms = INT64_MIN};
    vehicles->slots[slot_of(vehicles, key)] = at + 1;
    return at;
}

void count_vehicles_place(struct count_vehicles *vehicles, uint32_t at, uint16_t area, int64_t due_s)
{
    assert(due_s < vehicles->now_s + COUNT_WHEEL_S && area < vehicles->n_areas);
    if (vehicles->vehicles[at].state != COUNT_FREE)
        unlink_vehicle(vehicles, at);
    vehicles->vehicles[at].area = area;
    if (due_s > vehicles->now_s)
        link_counted(vehicles, at, due_s);
    else
        link_remembered(vehicles, at, vehicles->now_s);
}

void count_vehicles_advance(struct count_vehicles *vehicles, int64_t now_s)
{
    if (now_s <= vehicles->now_s)
        return;
    /* A leap over the whole wheel looks at each slot once, in the order of the time-outs. */
    bool is_first = vehicles->now_s == INT64_MIN;
    int64_t n_slots = is_first ? 0 : now_s - vehicles->now_s < COUNT_WHEEL_S ? now_s - vehicles->now_s : COUNT_WHEEL_S;
    for (int64_t i = 1; i <= n_slots; i++) {
        int64_t s = vehicles->now_s + i;
        uint32_t at;
        while ((at = vehicles->wheel[s & (COUNT_WHEEL_S - 1)]) != COUNT_NONE) {
            int64_t due_s = vehicles->vehicles[at].due_s;
            unlink_vehicle(vehicles, at);
            link_remembered(vehicles, at, due_s);
        }
    }
    vehicles->now_s = now_s;
    while (vehicles->oldest != COUNT_NONE && vehicles->vehicles[vehicles->oldest].due_s <= now_s)
        forget(vehicles, vehicles->oldest);
}
