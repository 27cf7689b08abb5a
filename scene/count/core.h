/*
 * 数数, the pure core: passages and time in, figures out. How many vehicles are in transit (在途量), how fast, with what delay.
 *
 * count_step() is the whole of it. No clock, no file, no hub: the same events give the same figures, bit for bit. Memory is
 * bounded by the settings; what does not fit is forgotten and counted. docs/count.md defines it, docs/count-method.md has the formulas.
 *
 * An event's way: passage → heard (silence.h) → vehicle known? (vehicles.h) → the way driven (travel.h) → speeds (figures.h) and
 * accounts (balance.h). A tick → who is silent → what the accounts leave open, by area → figures of areas, roads, edges; at the end of a
 * period the record.
 */
#ifndef SCENE_COUNT_CORE_H
#define SCENE_COUNT_CORE_H

#include "road/hierarchy.h"
#include "scene/count/index.h"
#include "scene/count/loops.h"
#include "scene/count/settings.h"
#include "scene/count/vehicles.h"

#define COUNT_FRESH INT64_MIN /* stale_since_ms of what is fresh */

/* The city, as the core knows it; all borrowed until count_destroy(). */
struct count_map {
    const struct road_network *network;
    const uint16_t *edge_areas;  /* [n_edges] the area each edge lies in */
    const int32_t *area_parents; /* [n_areas] parents stand before their children; -1: the root */
    size_t n_areas;
    const struct count_index *index; /* levels and the congestion index; NULL: none of them */
    bool is_vehicles_alone; /* nobody will ask for flow, speed and delay: they are not kept, and COUNT_TICK is COUNT_TICK_VEHICLES */
};

struct count_clone; /* clones.h */

struct count_passage {
    uint64_t vehicle;   /* hash of its pseudonym */
    uint32_t camera;    /* of count_camera_add() */
    int64_t time_ms;    /* on the camera's clock */
    int64_t arrived_ms; /* on ours; 0 to 2^43 */
    uint8_t confidence; /* of the reading, 1 to 100; 0: unknown */
};

enum count_event_type {
    COUNT_PASSAGE,
    COUNT_TICK,
    COUNT_LOOP,          /* a row of an induction loop */
    COUNT_TICK_VEHICLES, /* for the vehicles in transit alone: flow, speed, delay and their record wait for the next COUNT_TICK */
};

/* Of a passage that will come soon: where in the tables its vehicle and its pair of cameras are. Guesses, which are looked at when it
 * comes. */
struct count_ahead {
    uint32_t slot, vehicle, pair;
};

struct count_event {
    enum count_event_type type;
    union {
        struct count_passage passage;
        struct count_loop_row loop;
        int64_t now_ms; /* ticks */
    };
    const struct count_ahead *ahead; /* of a passage that was fetched; may be NULL. Borrowed */
};

/* An estimate with its 90 % interval; all NAN: not known. */
struct count_interval {
    double value, low, high;
};

struct count_area_figures {
    bool is_told;            /* the area has a camera or an edge */
    int64_t stale_since_ms;  /* its sources are silent since then, and every figure below is NAN; COUNT_FRESH */
    double vehicles;         /* in transit: seen and still on their way, and those not yet seen; NAN where there is no camera */
    double unseen;           /* of these: entered and not yet seen by a camera */
    double low, high;        /* 90 % interval of vehicles */
    double flow_vph;         /* vehicles an hour, mean over the length of the observed edges; NAN: none observed */
    double speed_mps;        /* metres driven over seconds taken; NAN: nothing observed */
    double delay_index;      /* actual over free-flow time, edges weighted by vehicle-metres; NAN: nothing observed */
    double congestion_index; /* as the index object says; NAN: nothing observed, or it has none */
    double vehicle_km_ph;    /* vehicle-kilometres an hour (VKT) on the observed edges; NAN: none observed */
    uint32_t n_vehicles, n_passages, n_links; /* what they rest on: vehicles seen, passages and driven edges in the window */
};

#define COUNT_SOURCE_CAMERA 1u /* where speed and delay come from: a bit each */
#define COUNT_SOURCE_GPS 2u
#define COUNT_SOURCE_LOOP 4u /* where the flow comes from, when it is not the camera's */

struct count_edge_state {
    uint32_t edge;
    double speed_mps, delay_index, flow_vph; /* NAN: not observed lately */
    uint32_t n;
    unsigned sources; /* COUNT_SOURCE_… */
    uint8_t level;    /* of the index object; COUNT_LEVEL_NONE */
};

struct count_road { /* a name in an area */
    uint32_t name;  /* name_number of its edges */
    uint16_t area;
};

struct count_road_state {
    uint32_t road; /* of count_road_at() */
    uint32_t name; /* name_number of its edges */
    uint16_t area;
    double speed_mps, delay_index, flow_vph, length_m;
    double vehicle_km_ph;
    struct count_interval vehicles; /* in transit on it, its unobserved parts too */
    uint32_t n;
    unsigned sources;
    uint8_t level; /* by the class of road that most of its length is of */
};

/* A junction that is one: with a signal, or where more than two ways meet. */
struct count_junction_state {
    uint32_t junction;
    double delay_s;     /* a vehicle, beyond free flow, on the edge before it: its waiting there, and what it lost on the way to it */
    double delay_index; /* actual over free-flow time of the edges that lead to it */
    uint32_t n;
};

/* What a tick tells; all borrowed until the next step. A passage tells nothing. */
struct count_updates {
    int64_t time_ms;
    const struct count_area_figures *areas;       /* [n_areas of the map] */
    const struct count_edge_state *edges;         /* that changed */
    const struct count_road_state *roads;         /* that were observed; once with NAN when they are not any more */
    const struct count_junction_state *junctions; /* that were observed */
    const struct count_area_figures *record;      /* at the end of a period: its means; otherwise NULL */
    const struct count_clone *clones;             /* plates found at two places at once since the last tick */
    uint32_t n_edges, n_roads, n_junctions, n_clones;
};

/* How well a camera works, from its passages and those around it. */
struct count_camera_health {
    bool is_silent;
    int64_t heard_ms;               /* last; 0: never */
    double clock_s, clock_within_s; /* its clock is ahead by this, known to within that; it is taken off the passages' times */
    double recall;                  /* share of the passing vehicles that it reads right; NAN: not known yet */
    uint32_t n_recall;              /* on so many vehicles */
};

/* Since the start. */
struct count_counters {
    uint64_t n_passages;                     /* taken */
    uint64_t n_duplicates;                   /* the same passage again */
    uint64_t n_out_of_order;                 /* older than the vehicle's last sighting */
    uint64_t n_late, n_future;               /* refused by their time */
    uint64_t n_links, n_impossible, n_stops; /* pairs of sightings; too fast; with a stop on the way */
    uint64_t n_resets;                       /* the clock was set back */
    uint64_t n_drives, n_drives_odd;         /* edges that floating cars drove over; of these too fast, or with a stop on the way */
};

struct count;

/* Which of `n` processes counts this vehicle, from 0: all its passages go to one. Of the hash's upper half, as tables use the lower. */
static inline uint32_t count_part_of(uint64_t vehicle, uint32_t n)
{
    return (uint32_t)((vehicle * 0x9E3779B97F4A7C15u >> 32) * n >> 32);
}

/* ERR_NO_MEMORY. */
enum err count_create(const struct count_settings *settings, const struct count_map *map, struct count **ret_count) MUST_CHECK;
void count_destroy(struct count *count); /* takes NULL */
/* A camera at the end of an edge. ERR_FULL, ERR_NO_MEMORY. */
enum err count_camera_add(struct count *count, uint32_t edge, uint32_t *ret_camera) MUST_CHECK;
/* Passages that will come soon, the newest of `n` just put before ring[next % COUNT_RING]: what they will need is fetched into the cache,
 * in stages, as each looks at what the one before has fetched. To be called for each; `ahead` [COUNT_RING] has what was found of them.
 * Changes nothing else. */
#define COUNT_RING 32u /* a power of two */
void count_fetch(const struct count *count, const struct count_event *ring, struct count_ahead *ahead, uint32_t next, uint32_t n);
/* The whole of the core. */
void count_step(struct count *count, const struct count_event *event, struct count_updates *ret_updates);
/* Forgets all but its cameras: the clock was set back by more than passages may be late, and what was known is from a time that has not
 * come; or what was known is known no more to be true. */
void count_reset(struct count *count);
/* What a floating car tells of an edge (gps.h): it weighs there as one vehicle between two cameras does. See drive.c. */
struct count_drive;
void count_drive(struct count *count, const struct count_drive *drive);
const struct road_hierarchy *count_hierarchy(const struct count *count); /* of its network; borrowed until count_destroy() */
/* Seconds over each edge now ([n_edges], without the junction before it), as of the last tick; NAN: nothing is known. One vehicle's worth
 * of free flow is in it: of a road that one slow vehicle told of, that is all there is to say. */
void count_edge_times(const struct count *count, float *edge_s);
/* Every road of every area, whether observed or not: a road that crosses areas is one in each of them and in those above. */
uint32_t count_n_roads(const struct count *count);
struct count_road count_road_at(const struct count *count, uint32_t road);
/* In transit on one edge at the last tick. */
struct count_interval count_edge_vehicles(const struct count *count, uint32_t edge);
const struct count_counters *count_counters(const struct count *count);
/* What it holds of memory, in bytes: its tables as they are allocated, without the network, its hierarchy and its router, and without what
 * malloc adds. */
size_t count_memory(const struct count *count);
const struct count_vehicles *count_known_vehicles(const struct count *count);
uint32_t count_n_cameras(const struct count *count);
uint32_t count_camera_edge(const struct count *count, uint32_t camera);
/* A corrected time as the camera's own clock told it. */
int64_t count_camera_time(const struct count *count, uint32_t camera, int64_t corrected_ms);
uint64_t count_n_clones_untold(const struct count *count); /* since the start: found beyond what a tick can tell */
void count_camera_health(const struct count *count, uint32_t camera, struct count_camera_health *ret_health);

#endif
