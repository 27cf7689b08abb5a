/*
 * A passage whose vehicle is known: what it says of roads and cameras, and nothing of who it is. Between two halves of the core: who passed
 * (track.c: the vehicles and their plates) and what that says (core.c: everything else). In one process the one is called after the other;
 * where a city is counted by several, each part has the vehicles of its plates, and moves are all that it tells (parts.h).
 *
 * A part may know its vehicles ahead of the rest: what count_track() needs of the rest changes with count_learns() and with a tick alone.
 */
#ifndef SCENE_COUNT_MOVE_H
#define SCENE_COUNT_MOVE_H

#include "scene/count/core.h"

enum count_move_kind {
    COUNT_MOVE_REPEATED, /* the same passage again */
    COUNT_MOVE_FIRST,    /* of a trip */
    COUNT_MOVE_AGAIN,    /* sighted before: `last` */
    COUNT_MOVE_LOST,     /* there was no memory for its vehicle */
    COUNT_MOVE_N_KINDS
};

/* Where a vehicle had been seen, the sightings of its trip so far. */
struct count_trail {
    uint32_t camera, before_camera;
    int64_t ms, before_ms;
    uint32_t n_sightings;
};

static inline void count_trail_read(const struct count_vehicle *vehicle, struct count_trail *ret_trail)
{
    ret_trail->camera = vehicle->camera;
    ret_trail->before_camera = vehicle->before_camera;
    ret_trail->ms = (int64_t)vehicle->last_ms;
    ret_trail->before_ms = count_vehicle_before_ms(vehicle);
    ret_trail->n_sightings = vehicle->n_sightings;
}

/* The fastest way between two sightings of a plate. */
struct count_way {
    bool is_apart;                 /* nobody could have driven it in this time */
    const struct count_pair *pair; /* NULL: there is no way, or it is too long to matter */
    double gap_s, least_s;         /* at the limits; 0: unknown */
};

struct count_move {
    enum count_move_kind kind;
    bool has_plate; /* what `plate` says of clocks and cameras is to be learned */
    bool is_split;  /* the plate was apart from `plate`, and its second vehicle is new: a link that nobody drove */
    uint32_t camera;
    int64_t seen_ms, arrived_ms; /* seen: corrected, and not after it arrived */
    struct count_trail plate;    /* of the vehicle that has the plate */
    bool is_same;                /* the vehicle that passed is that one: `last` is not filled in */
    struct count_trail last;     /* of the vehicle that passed: the plate's second, or `plate` tells nothing */
    bool has_way;                /* `way`, from `plate`'s camera, is at hand; otherwise it is looked for again */
    struct count_way way;
};

static inline const struct count_trail *count_move_last(const struct count_move *move)
{
    return move->is_same ? &move->plate : &move->last;
}

/* Time and place of a passage, before anybody asks who it was: its time is put right and never after its arrival, its camera is heard, and
 * time goes on by it. False: refused. */
bool count_hear(struct count *count, struct count_passage *passage);
/* Would the next passage that arrives then, or a tick, teach anything? Then moves from before are to be told before it. */
bool count_learns(const struct count *count, int64_t arrived_ms);
/* Who it was, of a passage that was heard. `guess`: its vehicle's likely place, COUNT_NONE. */
void count_track(struct count *count, struct count_passage *passage, uint32_t guess, struct count_move *ret_move);
/* What it says. */
void count_tell(struct count *count, const struct count_move *move);

#endif
