/*
 * A customizable contraction hierarchy (Dibbelt, Strasser, Wagner, JEA 21, 2016) over the edges of a road network: what depends on the
 * map alone, and so is made once. Travel times come in later and often (route.h).
 *
 * Its nodes are the network's edges and its arcs the turns that connect them, so that a turn that is not connected is never made and each
 * turn has a cost of its own. Nodes are contracted in the order of order.h; their number here is their rank in it. Contracting a node
 * gives every way over it a shortcut between two higher ones. An arc that goes up from its tail is an `up` arc of the tail; one that
 * comes down to its head is a `down` arc of the head: each belongs to its lower end. Directions between which no way can exist have no arc
 * at all.
 *
 * Immutable once made: routers of many threads may share one.
 */
#ifndef ROAD_HIERARCHY_H
#define ROAD_HIERARCHY_H

#include "road/network.h"

#define ROAD_ARCS_MAX 500000000u /* 4 bytes each and 16 for its triangles; a nation's roads in one file need about 60 million */

struct road_turn { /* from an edge onto the next; the quickest of its lanes */
    uint32_t to;
    uint32_t crossing_ms;
    float crossing_m;
};

/* An arc seen from its upper end: its lower end's arcs on to what is above both are one side of a triangle. */
struct road_below {
    uint32_t node;        /* the lower end */
    uint32_t arc;         /* its number */
    uint32_t first, last; /* of the lower end's arcs in the other direction: those to nodes above the upper end */
};

struct road_arcs { /* one direction */
    uint32_t n;
    uint32_t *first;           /* [n_nodes + 1]: arcs of a node, by rank of the other end */
    uint32_t *ends;            /* [n] the upper end */
    uint32_t *turns;           /* [n] the turn it stands for; ROAD_NONE: a shortcut only */
    uint32_t *first_below;     /* [n_nodes + 1] */
    struct road_below *belows; /* [n] by upper end, then by lower */
};

struct road_hierarchy {
    const struct road_network *network;
    uint32_t n; /* nodes: edges of the network */
    uint32_t *edges, *ranks;
    uint32_t *first_turn; /* [n + 1] by edge */
    struct road_turn *turns;
    uint32_t n_turns;
    struct road_arcs up, down;
    uint32_t *parents; /* of the elimination tree: every search from a node stays on its way to the root. ROAD_NONE at a root */
};

/* `network` is kept. ERR_NO_MEMORY; ERR_TOO_LARGE past ROAD_ARCS_MAX. */
enum err road_hierarchy_create(const struct road_network *network, struct road_hierarchy **ret_hierarchy) MUST_CHECK;
void road_hierarchy_destroy(struct road_hierarchy *hierarchy); /* takes NULL */

#endif
