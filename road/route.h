/*
 * Ways through the network by travel time: Dijkstra over directed edges, so that turns that are not connected are never made.
 *
 * A way leads from the end of one edge (its stop line, where a camera stands) to the end of another: the edge driven onto,
 * and what driving through the junctions takes, are in its time; the first edge is not. One router is one thread's; it holds
 * the search's memory and nothing is allocated by a search. Fast routing over a whole city is not here yet.
 */
#ifndef ROAD_ROUTE_H
#define ROAD_ROUTE_H

#include "road/network.h"

struct road_router;

struct road_limits {
    double max_s;          /* of travel time */
    uint32_t max_expanded; /* edges looked at */
};

struct road_route {
    double time_s, length_m; /* junctions included */
    const uint32_t *edges;   /* after the first edge, up to and with the last; borrowed until the next search */
    uint32_t n_edges;
};

/* `network` is kept. ERR_NO_MEMORY. */
enum err road_router_create(const struct road_network *network, struct road_router **ret_router) MUST_CHECK;
void road_router_destroy(struct road_router *router); /* takes NULL */
/* Seconds over each edge ([n_edges], kept; at least 0), or NULL for free flow. */
void road_router_set_times(struct road_router *router, const float *edge_s);
/* The fastest way from the end of `from` to the end of `to`; from == to is the fastest round. ERR_NOT_FOUND: none within the limits. */
enum err road_route_find(
    struct road_router *router, uint32_t from, uint32_t to, const struct road_limits *limits, struct road_route *ret_route) MUST_CHECK;
/* Every edge that can be reached within the limits, nearest first: `visit` gets the time to its end and says whether to go on
 * beyond it. `visit` must not search with this router. */
void road_route_each(struct road_router *router, uint32_t from, const struct road_limits *limits,
    bool (*visit)(void *context, uint32_t edge, double time_s), void *context);

#endif
