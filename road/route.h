/*
 * Ways through the network by travel time (路径规划), over directed edges, so that turns that are not connected are never made.
 *
 * A way leads from the end of one edge (its stop line, where a camera stands) to the end of another: the edge driven onto,
 * and what driving through the junctions takes, are in its time; the first edge is not. Three questions, on the same travel times:
 * one way (a query of some microseconds), the times to every edge at once (some ten), and the edges around, nearest first (for those who
 * stop early). New travel times are taken over as a whole (a millisecond for a city of 2,000 junctions); the map's own part, which
 * takes longer, is made once and can be shared (hierarchy.h).
 *
 * Times are whole milliseconds inside: sums are exact, and every question gives the same. An edge takes at least one. One router is one
 * thread's; it holds the travel times and the search's memory, and nothing is allocated by a question.
 */
#ifndef ROAD_ROUTE_H
#define ROAD_ROUTE_H

#include "road/hierarchy.h"

#define ROAD_ROUTE_MAX_MS 0x3fffffffu /* 12 days: an edge that takes as long is closed, and a way never takes longer */

struct road_router;

struct road_limits {
    double max_s;          /* of travel time */
    uint32_t max_expanded; /* edges looked at by road_route_each() */
};

struct road_route {
    double time_s, length_m; /* junctions included */
    const uint32_t *edges;   /* after the first edge, up to and with the last; borrowed until the next search */
    uint32_t n_edges;
};

/* With a hierarchy of its own, and free flow. `network` is kept. ERR_NO_MEMORY, ERR_TOO_LARGE. */
enum err road_router_create(const struct road_network *network, struct road_router **ret_router) MUST_CHECK;
/* On a hierarchy that others may use, too: kept. ERR_NO_MEMORY. */
enum err road_router_create_on(const struct road_hierarchy *hierarchy, struct road_router **ret_router) MUST_CHECK;
void road_router_destroy(struct road_router *router); /* takes NULL */
/* Seconds over each edge ([n_edges], read now; infinite or not a number: closed), or NULL for free flow. */
void road_router_set_times(struct road_router *router, const float *edge_s);
const struct road_network *road_router_network(const struct road_router *router);     /* borrowed */
const struct road_hierarchy *road_router_hierarchy(const struct road_router *router); /* the same */
/* What the router counts for an edge; ROAD_ROUTE_MAX_MS when it is closed. */
uint32_t road_router_edge_ms(const struct road_router *router, uint32_t edge);
/* From the end of an edge through the junction to the end of the next; ROAD_ROUTE_MAX_MS: that turn is not connected, or closed. */
uint32_t road_router_turn_ms(const struct road_router *router, uint32_t from, uint32_t to);

/* The fastest way from the end of `from` to the end of `to`; from == to is the fastest round. ERR_NOT_FOUND: none in `limits->max_s`. */
enum err road_route_find(
    struct road_router *router, uint32_t from, uint32_t to, const struct road_limits *limits, struct road_route *ret_route) MUST_CHECK;
/* The same way's time alone; ROAD_ROUTE_MAX_MS: there is none. */
uint32_t road_route_ms(struct road_router *router, uint32_t from, uint32_t to);
/* The times of the ways from the end of `from` to the end of each edge: ret_ms[n_edges] as road_route_ms() gives them. */
void road_route_all_ms(struct road_router *router, uint32_t from, uint32_t *ret_ms);
/* Every edge that can be reached within the limits, nearest first: `visit` gets the time to its end and says whether to go on
 * beyond it. `visit` must not search with this router. */
void road_route_each(struct road_router *router, uint32_t from, const struct road_limits *limits,
    bool (*visit)(void *context, uint32_t edge, double time_s), void *context);

#endif
