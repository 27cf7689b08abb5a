/*
 * Flow, speed and delay: per directed edge from passages, driven ways and floating cars, rolled up to named roads and areas.
 *
 * Every sum fades exponentially with the window. Between two cameras nobody knows where the time went. So each edge of the way gets its
 * free-flow time, the junctions' part included, and of what is beyond a share like what vehicles lately lost on it (the E step of an EM on
 * line; Vardi, J. Am. Stat. Assoc. 91, 1996, has the same problem): ways that share an edge tell the edges apart. An edge of which nothing
 * is known is taken to be one before a signal, or not. What is spread weighs as of when the vehicle left the edge, not as of when it came
 * to the camera. Whoever knows the time on each edge tells it by count_figures_drive(), into the same sums.
 *
 * What weighs an edge in its area is its vehicle-kilometres (VKT, 车公里): the vehicles that are known to have driven it, times its length.
 */
#ifndef SCENE_COUNT_FIGURES_H
#define SCENE_COUNT_FIGURES_H

#include "scene/count/core.h"
#include "scene/count/fade.h"
#include "scene/count/junctions.h"
#include "scene/count/loops.h"
#include "scene/count/travel.h"

struct count_edge_sums {
    float actual_s, free_s, driven_m, n_passed; /* of vehicles that drove it, faded since they left it */
    float lost_s, n;                            /* of the same, faded since it was known: seconds beyond free flow, vehicles */
    float n_flow;                               /* vehicles, faded */
    float n_gps;                                /* of n: floating cars */
    bool is_active;                             /* in the list of what is observed */
    bool is_changed;                            /* since it was told last */
    int64_t faded_s;
};

/* Of the network, what each way over an edge needs of it: a line of the cache instead of the network's several. */
struct count_edge_facts {
    float wait_s; /* what a vehicle is taken to lose there, before anything is known */
    float free_s, length_m;
};

struct count_group_sums { /* of a road in an area, or an area */
    double actual_s, free_s, driven_m, n;
    double vehicle_m, delay_m; /* vehicle-metres of edges with a speed; the same times their delay index */
    double flow_m, length_m;   /* flow times length, length: of observed edges */
    double flow_length_m;      /* length of those with a flow */
    double driven_length_m;    /* length of those with a speed */
    unsigned sources;          /* of speeds and flows */
};

struct count_road_group {
    uint32_t name; /* name_number */
    uint16_t area;
    uint8_t road_class; /* that most of its length is of */
    uint32_t parent;    /* the same road in the area above; COUNT_NONE */
    bool was_told;      /* with figures, by the last tick */
};

struct count_figures {
    struct count_map map;            /* borrowed parts of the city */
    const struct count_fade *fade;   /* borrowed */
    const struct count_loops *loops; /* borrowed */
    const uint8_t *has_camera;       /* [n_edges] borrowed, the owner's; NULL: nowhere */
    double whole[2];                 /* vehicles over those that are known, of edges without and with a camera; of this tick */
    bool has_vehicle_km; /* two windows' passages are known, and where there are loops, what they say of the others; of this tick */
    double road_least;
    int64_t first_ms;               /* of the first passage: flows of the first window are not too low */
    struct count_edge_sums *edges;  /* [n_edges] */
    struct count_edge_facts *facts; /* [n_edges] */
    uint32_t *active;               /* [n_edges] */
    uint32_t n_active;
    uint8_t *edge_classes;           /* [n_edges] of the index object */
    uint32_t *edge_groups;           /* [n_edges] its road in its area; COUNT_NONE without a name */
    struct count_road_group *groups; /* parents before children */
    uint32_t n_groups, cap_groups;
    struct count_group_sums *group_sums, *area_sums;
    struct count_index_sums *index_sums; /* [n_areas] */
    struct count_junctions junctions;
    struct count_edge_state *states; /* [n_edges] told by the last tick */
    struct count_road_state *roads;  /* [n_groups] the same */
    uint32_t n_states, n_roads;
    int64_t refreshed_ms;
};

enum err count_figures_init(struct count_figures *figures, const struct count_map *map, const struct count_settings *settings,
    const struct count_fade *fade, const struct count_loops *loops) MUST_CHECK;
void count_figures_finish(struct count_figures *figures); /* takes NULL */
void count_figures_clear(struct count_figures *figures);  /* forgets every observation */
/* One vehicle on an edge at `at_ms`, which may lie before what is known already: then it weighs what is left of it. */
void count_figures_passage(struct count_figures *figures, uint32_t edge, int64_t at_ms);
/* One vehicle over a way in `actual_s`, at its end at `came_ms`, as was told at `at_ms`. */
void count_figures_link(struct count_figures *figures, const struct count_pair *pair, double actual_s, int64_t came_ms, int64_t at_ms);
/* One floating car over the whole edge in `actual_s`, at its end at `at_ms`; `free_s` and `driven_m` with the junction before it. It says
 * nothing of the flow: nobody knows of how many it is one. */
void count_figures_drive(struct count_figures *figures, uint32_t edge, double actual_s, double free_s, double driven_m, int64_t at_ms);
/* An edge's loop spoke: its flow is the loop's as long as it does (loops.h). */
void count_figures_loop(struct count_figures *figures, uint32_t edge, int64_t at_ms);
void count_figures_times(const struct count_figures *figures, float *edge_s); /* as count_edge_times() */
/* Fills states, roads and junctions, and each area's speed, delay, congestion, flow, VKT and n. `is_stale` ([n_areas]): no figures there;
 * `tell_all`: every observed edge is told, changed or not. */
void count_figures_tick(
    struct count_figures *figures, int64_t now_ms, const bool *is_stale, bool tell_all, struct count_area_figures *areas);

#endif
