/*
 * A trip between two places on the road, not between the ends of edges: the rest of the first edge, a way, a part of the last.
 *
 * A place beside a two-way road is on both of its edges, and the trip may begin and end on either.
 */
#ifndef ROAD_TRIP_H
#define ROAD_TRIP_H

#include "base/buf.h"
#include "road/nearest.h"
#include "road/route.h"

#define ROAD_STOP_REACH_M 500.0 /* a place farther from every road is on none */
#define ROAD_STOP_BESIDE_M 25.0 /* as much farther the other side of the road may be */

struct road_stop { /* a place on one edge, or on both directions of a road */
    struct {
        uint32_t edge;
        double offset_m;
    } sides[2];
    uint32_t n_sides;
};

struct road_trip {
    double time_s, length_m;
    uint32_t first_edge;   /* begun at from_m */
    const uint32_t *edges; /* those after it, the last one up to to_m; borrowed until the router's next search */
    uint32_t n_edges;      /* 0: it ends on the first */
    double from_m, to_m;
};

/* An edge's end, as cameras stand there. */
struct road_stop road_stop_at_end(const struct road_network *network, uint32_t edge);
/* The nearest road for cars; false when there is none within ROAD_STOP_REACH_M. */
bool road_stop_near(
    const struct road_network *network, const struct road_nearest *nearest, struct road_point point, struct road_stop *ret_stop) MUST_CHECK;
/* An edge's id (its end; an edge may have any name, so names come first), or LON,LAT. NULL, or what is wrong with it, in words after it. */
const char *road_stop_parse(
    const struct road_network *network, const struct road_nearest *nearest, struct str text, struct road_stop *ret_stop) MUST_CHECK;
/* The fastest trip. ERR_NOT_FOUND: there is none. */
enum err road_trip_find(
    struct road_router *router, const struct road_stop *from, const struct road_stop *to, struct road_trip *ret_trip) MUST_CHECK;
/* A GeoJSON Feature, a LineString with the properties seconds, length_m and edges; in the network's own metres where it has no
 * projection. Appends; out->err sticks. */
void road_trip_write(const struct road_network *network, const struct road_trip *trip, struct buf *out);

#endif
