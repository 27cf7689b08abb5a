/* A slab, chains by hash, two lists by when they were heard of. */
#include "scene/zone/vehicles.h"

#include "base/mem.h"

#include <string.h>

#define FIRST_CAP 1024u

void zone_vehicles_init(struct zone_vehicles *vehicles, uint32_t max)
{
    *vehicles = (struct zone_vehicles){.max = max, .oldest = {ZONE_NONE, ZONE_NONE}, .newest = {ZONE_NONE, ZONE_NONE}};
}

void zone_vehicles_finish(struct zone_vehicles *vehicles)
{
    mem_free(vehicles->slab);
    mem_free(vehicles->slots);
    zone_vehicles_init(vehicles, vehicles->max);
}

static uint32_t place_of(const struct zone_vehicles *vehicles, const struct zone_vehicle *vehicle)
{
    return (uint32_t)(vehicle - vehicles->slab);
}

static uint32_t *slot_of(const struct zone_vehicles *vehicles, uint64_t id)
{
    return &vehicles->slots[(id ^ id >> 32) & (vehicles->n_slots - 1)];
}

struct zone_vehicle *zone_vehicles_find(const struct zone_vehicles *vehicles, uint64_t id)
{
    if (vehicles->n_slots == 0)
        return NULL;
    for (uint32_t at = *slot_of(vehicles, id); at != 0; at = vehicles->slab[at - 1].chain)
        if (vehicles->slab[at - 1].id == id)
            return &vehicles->slab[at - 1];
    return NULL;
}

/* ---- lists ---- */

static void unlink_one(struct zone_vehicles *vehicles, struct zone_vehicle *vehicle)
{
    if (vehicle->older != ZONE_NONE)
        vehicles->slab[vehicle->older].newer = vehicle->newer;
    else
        vehicles->oldest[vehicle->list] = vehicle->newer;
    if (vehicle->newer != ZONE_NONE)
        vehicles->slab[vehicle->newer].older = vehicle->older;
    else
        vehicles->newest[vehicle->list] = vehicle->older;
}

static void link_newest(struct zone_vehicles *vehicles, struct zone_vehicle *vehicle, enum zone_vehicle_list list)
{
    uint32_t place = place_of(vehicles, vehicle);
    vehicle->list = (uint8_t)list;
    vehicle->older = vehicles->newest[list];
    vehicle->newer = ZONE_NONE;
    if (vehicle->older != ZONE_NONE)
        vehicles->slab[vehicle->older].newer = place;
    else
        vehicles->oldest[list] = place;
    vehicles->newest[list] = place;
}

void zone_vehicles_renew(struct zone_vehicles *vehicles, struct zone_vehicle *vehicle)
{
    unlink_one(vehicles, vehicle);
    link_newest(vehicles, vehicle, vehicle->inside != 0 ? ZONE_INSIDE : ZONE_ELSEWHERE);
}

static struct zone_vehicle *at_place(const struct zone_vehicles *vehicles, uint32_t place)
{
    return place == ZONE_NONE ? NULL : &vehicles->slab[place];
}

struct zone_vehicle *zone_vehicles_first(const struct zone_vehicles *vehicles, enum zone_vehicle_list list)
{
    return at_place(vehicles, vehicles->oldest[list]);
}

struct zone_vehicle *zone_vehicles_next(const struct zone_vehicles *vehicles, const struct zone_vehicle *vehicle)
{
    return at_place(vehicles, vehicle->newer);
}

/* ---- coming and going ---- */

static void rehash(struct zone_vehicles *vehicles)
{
    memset(vehicles->slots, 0, vehicles->n_slots * sizeof(*vehicles->slots));
    for (uint32_t i = 0; i < vehicles->n; i++) {
        uint32_t *slot = slot_of(vehicles, vehicles->slab[i].id);
        vehicles->slab[i].chain = *slot;
        *slot = i + 1;
    }
}

static bool grow(struct zone_vehicles *vehicles)
{
    if (vehicles->cap >= vehicles->max)
        return false;
    uint32_t cap = vehicles->cap == 0 ? FIRST_CAP : vehicles->cap > vehicles->max / 2 ? vehicles->max : vehicles->cap * 2;
    cap = cap < vehicles->max ? cap : vehicles->max;
    uint32_t n_slots = FIRST_CAP;
    while (n_slots < cap)
        n_slots *= 2;
    struct zone_vehicle *slab = mem_resize(vehicles->slab, cap * sizeof(*slab));
    if (slab == NULL)
        return false;
    vehicles->slab = slab;
    uint32_t *slots = n_slots == vehicles->n_slots ? vehicles->slots : mem_resize(vehicles->slots, n_slots * sizeof(*slots));
    if (slots == NULL)
        return false; /* the slab stays larger than it is used */
    vehicles->slots = slots;
    vehicles->n_slots = n_slots;
    vehicles->cap = cap;
    rehash(vehicles);
    return true;
}

static void unchain(struct zone_vehicles *vehicles, const struct zone_vehicle *vehicle)
{
    uint32_t *at = slot_of(vehicles, vehicle->id);
    while (&vehicles->slab[*at - 1] != vehicle)
        at = &vehicles->slab[*at - 1].chain;
    *at = vehicle->chain;
}

struct zone_vehicle *zone_vehicles_add(
    struct zone_vehicles *vehicles, uint64_t id, int32_t today, void (*leave)(void *context, struct zone_vehicle *vehicle), void *context)
{
    struct zone_vehicle *vehicle = NULL;
    if (vehicles->n < vehicles->cap || grow(vehicles)) {
        vehicle = &vehicles->slab[vehicles->n++];
    } else {
        vehicle = zone_vehicles_first(vehicles, ZONE_ELSEWHERE);
        vehicle = vehicle != NULL ? vehicle : zone_vehicles_first(vehicles, ZONE_INSIDE);
        if (vehicle == NULL)
            return NULL;
        vehicles->n_forgotten += vehicle->day == today;
        leave(context, vehicle);
        unlink_one(vehicles, vehicle);
        unchain(vehicles, vehicle);
    }
    uint32_t *slot = slot_of(vehicles, id);
    *vehicle = (struct zone_vehicle){.id = id, .chain = *slot, .seen_ms = INT64_MIN};
    *slot = place_of(vehicles, vehicle) + 1;
    link_newest(vehicles, vehicle, ZONE_ELSEWHERE);
    return vehicle;
}
