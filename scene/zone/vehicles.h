/*
 * The vehicles that were seen in or before a zone today: where each is, what is known of its pass, what was claimed of it.
 *
 * Known by a hash of the day's pseudonym; no plate is here. Those of yesterday make room for those of today. Bounded: at the limit the one
 * that was heard of longest ago goes, first of those that are in no zone now, and is counted when it was of today.
 */
#ifndef SCENE_ZONE_VEHICLES_H
#define SCENE_ZONE_VEHICLES_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ZONE_NONE UINT32_MAX

/* Lists: of those that are in no zone, in the order of coming; and of those that are in one, a list a span of time in which they were seen
 * last, so that who is overdue is found also when passages come late, or from a camera whose clock is ahead. */
#define ZONE_SPANS 256 /* round and round; more than any time-out (gaps.h) */
#define ZONE_SPAN_MS 8000
enum zone_vehicle_list { ZONE_ELSEWHERE, ZONE_INSIDE, ZONE_N_LISTS = ZONE_INSIDE + ZONE_SPANS };

struct zone_vehicle {
    uint64_t id;
    int64_t seen_ms;               /* the last sighting, on the camera's clock */
    int64_t asked_ms;              /* when the table of passes was asked; 0: never */
    int64_t same_from, same_until; /* ms: between them the answer is `allowed` */
    uint32_t older, newer, chain;  /* in its list, by which was put there sooner; of the same slot */
    int32_t day;                   /* of its pseudonym */
    uint16_t allowed;              /* zones where a pass lets it be, by the answer; one bit a zone, as the next */
    uint16_t inside;               /* where it is now */
    uint16_t headed;               /* where the last sighting left it */
    uint16_t through;              /* where it was seen today */
    uint16_t breached;             /* where a breach was found */
    uint16_t waiting;              /* where a check of it is put off */
    uint8_t group;                 /* enum zone_group */
    uint16_t list;                 /* enum zone_vehicle_list */
};

struct zone_vehicles {
    struct zone_vehicle *slab; /* [cap] */
    uint32_t *slots;           /* [n_slots] place + 1 */
    uint32_t n, cap, n_slots, max;
    uint32_t oldest[ZONE_N_LISTS], newest[ZONE_N_LISTS];
    int64_t first_span, last_span; /* in which anybody who is in a zone was seen last */
    uint64_t n_forgotten;          /* of today, for want of room */
};

void zone_vehicles_init(struct zone_vehicles *vehicles, uint32_t max); /* allocates nothing */
void zone_vehicles_finish(struct zone_vehicles *vehicles);
struct zone_vehicle *zone_vehicles_find(const struct zone_vehicles *vehicles, uint64_t id); /* NULL: not known. Until the next add */
/* Elsewhere, the newest. In place of one of a day that is over, last seen before `before_ms`, so that the table is as large as a day; at
 * the limit, or without memory, in place of the oldest, which `leave` is told of before it goes. NULL only when there is no memory for even
 * one. */
struct zone_vehicle *zone_vehicles_add(struct zone_vehicles *vehicles, uint64_t id, int32_t today, int64_t before_ms,
    void (*leave)(void *context, struct zone_vehicle *vehicle), void *context);
/* It was heard of now: the newest of the list in which it belongs by `inside`. */
void zone_vehicles_renew(struct zone_vehicles *vehicles, struct zone_vehicle *vehicle);
/* Calls `look` with each that is in a zone and was last seen before; it may renew the vehicle. */
void zone_vehicles_each_before(
    struct zone_vehicles *vehicles, int64_t before_ms, void (*look)(void *context, struct zone_vehicle *vehicle), void *context);
/* Our clock was set back: nobody was seen later than now. */
void zone_vehicles_set_back(struct zone_vehicles *vehicles, int64_t now_ms);
/* From the oldest of a list on; NULL: no more. */
struct zone_vehicle *zone_vehicles_first(const struct zone_vehicles *vehicles, enum zone_vehicle_list list);
struct zone_vehicle *zone_vehicles_next(const struct zone_vehicles *vehicles, const struct zone_vehicle *vehicle);

#endif
