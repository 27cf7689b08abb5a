/* A slab, chains by hash, lists by when they were heard of. */
#include "scene/zone/vehicles.h"

#include "base/mem.h"

#include <string.h>

#define FIRST_CAP 1024u

void zone_vehicles_init(struct zone_vehicles *vehicles, uint32_t max)
{
    *vehicles = (struct zone_vehicles){.max = max, .first_span = INT64_MAX, .last_span = INT64_MIN};
    for (size_t list = 0; list < ZONE_N_LISTS; list++)
        vehicles->oldest[list] = vehicles->newest[list] = ZONE_NONE;
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

static enum zone_vehicle_list list_of_span(int64_t span)
{
    return ZONE_INSIDE + (enum zone_vehicle_list)((uint64_t)span % ZONE_SPANS);
}

static void link_newest(struct zone_vehicles *vehicles, struct zone_vehicle *vehicle, enum zone_vehicle_list list)
{
    uint32_t place = place_of(vehicles, vehicle);
    vehicle->list = (uint16_t)list;
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
    if (vehicle->inside == 0) {
        link_newest(vehicles, vehicle, ZONE_ELSEWHERE);
        return;
    }
    int64_t span = vehicle->seen_ms / ZONE_SPAN_MS;
    vehicles->first_span = span < vehicles->first_span ? span : vehicles->first_span;
    vehicles->last_span = span > vehicles->last_span ? span : vehicles->last_span;
    link_newest(vehicles, vehicle, list_of_span(span));
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

/* ---- spans ---- */

/* Nobody looked for longer than the lists go round: one may hold vehicles of several spans. */
static bool is_lapped(const struct zone_vehicles *vehicles)
{
    return vehicles->first_span <= vehicles->last_span && vehicles->last_span - vehicles->first_span >= ZONE_SPANS;
}

/* The first that has anybody; past the last: nobody is in a zone. */
static int64_t find_first_span(struct zone_vehicles *vehicles)
{
    if (vehicles->first_span > vehicles->last_span)
        return INT64_MAX;
    int64_t span = is_lapped(vehicles) ? vehicles->last_span - ZONE_SPANS + 1 : vehicles->first_span;
    while (span <= vehicles->last_span && vehicles->oldest[list_of_span(span)] == ZONE_NONE)
        span++;
    if (!is_lapped(vehicles))
        vehicles->first_span = span;
    return span;
}

void zone_vehicles_each_before(
    struct zone_vehicles *vehicles, int64_t before_ms, void (*look)(void *context, struct zone_vehicle *vehicle), void *context)
{
    bool is_all = is_lapped(vehicles);
    for (int64_t span = find_first_span(vehicles); span <= vehicles->last_span && (is_all || span * ZONE_SPAN_MS < before_ms); span++)
        for (struct zone_vehicle *vehicle = zone_vehicles_first(vehicles, list_of_span(span)), *next; vehicle != NULL; vehicle = next) {
            next = zone_vehicles_next(vehicles, vehicle);
            if (vehicle->seen_ms < before_ms)
                look(context, vehicle);
        }
    if (is_all)
        vehicles->first_span = vehicles->last_span - ZONE_SPANS + 1;
}

void zone_vehicles_set_back(struct zone_vehicles *vehicles, int64_t now_ms)
{
    for (uint32_t i = 0; i < vehicles->n; i++) {
        struct zone_vehicle *vehicle = &vehicles->slab[i];
        if (vehicle->seen_ms > now_ms) {
            vehicle->seen_ms = now_ms;
            vehicle->headed = 0; /* the gap until it is seen again would be made up */
            if (vehicle->inside != 0)
                zone_vehicles_renew(vehicles, vehicle);
        }
        vehicle->asked_ms = vehicle->asked_ms > now_ms ? 0 : vehicle->asked_ms;
    }
    vehicles->last_span = vehicles->last_span > now_ms / ZONE_SPAN_MS ? now_ms / ZONE_SPAN_MS : vehicles->last_span;
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

/* Its pseudonym is of a day that is over, and nothing of it can come any more. */
static bool is_over(const struct zone_vehicle *vehicle, int32_t today, int64_t before_ms)
{
    return vehicle != NULL && vehicle->day < today && vehicle->seen_ms < before_ms && vehicle->waiting == 0;
}

struct zone_vehicle *zone_vehicles_add(struct zone_vehicles *vehicles, uint64_t id, int32_t today, int64_t before_ms,
    void (*leave)(void *context, struct zone_vehicle *vehicle), void *context)
{
    struct zone_vehicle *vehicle = zone_vehicles_first(vehicles, ZONE_ELSEWHERE);
    if (!is_over(vehicle, today, before_ms) && (vehicles->n < vehicles->cap || grow(vehicles))) {
        vehicle = &vehicles->slab[vehicles->n++];
    } else {
        vehicle = zone_vehicles_first(vehicles, ZONE_ELSEWHERE);
        int64_t span = vehicle == NULL ? find_first_span(vehicles) : 0;
        vehicle = vehicle != NULL ? vehicle : span > vehicles->last_span ? NULL : zone_vehicles_first(vehicles, list_of_span(span));
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
