/*
 * Which hub a name belongs to: the tree of hubs (枢纽树), and the way between two of them.
 *
 * A hub serves the area it is named after and everything below that has no hub of its own: "hangzhou.xihu.gudang/toilet/stall" is the
 * street's when the street runs a hub, else the district's, else the city's. The way goes up to the nearest common ancestor and down again;
 * NATS leaf nodes follow the same tree and carry it.
 */
#ifndef DISTRICT_ROUTE_H
#define DISTRICT_ROUTE_H

#include "base/str.h"

#define DISTRICT_NODES_MAX 4096 /* a city with a hub in every street has some 200 */
#define DISTRICT_PATH_MAX 16    /* hubs on one way, both ends included: five levels up and five down, and room */

struct district_node {
    struct str area; /* "hangzhou.xihu" */
    int parent;      /* the nearest hub above; -1: none */
};

/* Fills in the parents. `nodes` in any order; areas are unique. */
void district_nodes_link(struct district_node *nodes, size_t n);
/* The hub of a name "area/…", or of an area; -1: none serves it. */
int district_home(const struct district_node *nodes, size_t n, struct str name);
/* The hubs from `from` to `to`, both included; 0: they share no root, or the way is too long. */
size_t district_path(const struct district_node *nodes, int from, int to, int path[DISTRICT_PATH_MAX]);

#endif
