/*
 * A router's inside: route.c asks the hierarchy, reach.c walks the turns. Only these two include it.
 */
#ifndef ROAD_ROUTER_H
#define ROAD_ROUTER_H

#include "road/route.h"

#define MAX_MS ROAD_ROUTE_MAX_MS

struct road_label { /* of a node in one search through the hierarchy */
    uint32_t ms;
    uint32_t before; /* the node before it */
    uint32_t arc;    /* from there */
};

struct road_reached { /* of an edge in a walk over the turns */
    uint32_t ms;
    uint32_t search;  /* the walk that wrote it */
    uint32_t heap_at; /* place in the heap + 1; 0 when settled */
};

struct road_step { /* an arc that is still to be unpacked */
    uint32_t from, to, arc;
    bool is_up;
};

struct road_router {
    const struct road_hierarchy *hierarchy;
    struct road_hierarchy *owned;      /* NULL: somebody else's */
    uint32_t *edge_ms;                 /* [n] by edge */
    uint32_t *up_ms, *down_ms;         /* by arc */
    uint32_t *scratch;                 /* [n] by node; MAX_MS throughout between searches */
    struct road_label *ahead, *behind; /* [n] by node; ms is MAX_MS between searches */
    struct road_step *steps;           /* [n + 1] */
    uint32_t *path;                    /* [n + 1] edges */
    struct road_reached *reached;      /* [n] by edge */
    uint32_t *heap;                    /* [n] edges by time */
    uint32_t n_heap, search;
};

static inline uint32_t road_add_ms(uint32_t a, uint32_t b) /* neither above MAX_MS */
{
    return a + b < MAX_MS ? a + b : MAX_MS;
}

#endif
