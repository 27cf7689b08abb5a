/*
 * The streets: the city's traffic in SUMO. Vehicles of the register depart by the demand, drive, pass the cameras' stop lines
 * and arrive; how many are where is counted. Everything about TraCI and SUMO ends here.
 *
 * One thread. A step is one simulated second.
 */
#ifndef WORLD_STREETS_H
#define WORLD_STREETS_H

#include "world/city.h"
#include "world/demand.h"
#include "world/plates.h"

#define STREETS_FILL_S 6    /* seconds over which vehicles that are on their way already are put on the roads */
#define STREETS_DEPART_S 90 /* who could not depart by then stays at home; SUMO gives up after 60 */

struct streets_options {
    const struct world_city *city;       /* kept */
    const struct road_network *network;  /* kept */
    const struct demand_plan *plan;      /* kept; its peak counts */
    struct plates *plates;               /* kept */
    const char *network_path, *data_dir; /* {data}/world/ gets the loops' file and SUMO's log */
    double from_s;                       /* second of the day at which the city comes alive */
    uint64_t seed;
};

/* Edges whose vehicles are counted by induction loops: some with a camera, some without one. */
struct streets_counted {
    uint32_t *edges;   /* [n] in their order */
    uint32_t *cameras; /* [n] whose loop at the stop line counts; STREETS_NONE: it has loops of its own */
    uint32_t n, n_bare;
};
#define STREETS_NONE UINT32_MAX

/* A vehicle has left a loop behind: a camera's stop line, or one that counts only. */
struct streets_passage {
    uint32_t camera, plate; /* camera: STREETS_NONE where none stands */
    uint32_t counted;       /* place in streets_counted(); STREETS_NONE: this loop counts for nobody */
    uint32_t lane;          /* from the middle of the road outwards, from 1 */
    double speed_mps;       /* -1: not measured */
    double age_s;           /* how long before the end of the step */
};
typedef void (*streets_passage_fn)(void *context, const struct streets_passage *passage);

/* A vehicle that is followed, on a road (not inside a junction), every so many seconds. */
struct streets_position {
    uint32_t plate;
    struct road_point point;
    double speed_mps, heading;
};
typedef void (*streets_position_fn)(void *context, const struct streets_position *position);

struct streets;

/* Writes the loops, starts SUMO. Errors with a place and a mend. */
enum err streets_create(const struct streets_options *options, struct diag *diag, struct streets **ret_streets) MUST_CHECK;
void streets_destroy(struct streets *streets); /* ends SUMO; takes NULL */
/* One of `one_in` vehicles is followed from its departure on: `fn` gets its place every `every_s` steps, by streets_step(). Before
 * streets_warm_up(). */
void streets_follow(struct streets *streets, uint32_t one_in, uint32_t every_s, streets_position_fn fn, void *context);
/* Runs until the roads are as full as the hour asks: about STREETS_FILL_S and `settle_s` simulated seconds, as fast as it goes. No
 * passages. ERR_CANCELLED as soon as `is_over` (may be NULL) says so. */
enum err streets_warm_up(struct streets *streets, uint32_t settle_s, bool (*is_over)(void)) MUST_CHECK;
/* ERR_UNAVAILABLE: SUMO is gone. */
enum err streets_step(struct streets *streets, streets_passage_fn fn, void *context) MUST_CHECK;

const struct streets_counted *streets_counted(const struct streets *streets);
double streets_time_s(const struct streets *streets);      /* simulated seconds since SUMO's start */
double streets_day_s(const struct streets *streets);       /* second of the day */
uint32_t streets_n_running(const struct streets *streets); /* departed and not yet arrived */
/* Vehicles on the roads of each area, those of its parts included; [n_areas] of the city. The root is streets_n_running(). */
const uint32_t *streets_area_counts(const struct streets *streets);
uint64_t streets_n_teleported(const struct streets *streets); /* taken out of a jam by SUMO: a city in order has few */
uint64_t streets_n_stayed(const struct streets *streets);     /* could not depart */
uint64_t streets_n_refused(const struct streets *streets, const char **ret_why);

#endif
