/*
 * The nearest road to a place: which edge does this camera watch, on which road stands this point.
 *
 * A packed R-tree over the segments of the edges' shapes (sort-tile-recursive: Leutenegger, Lopez, Edgington, ICDE 1997), made
 * once, then immutable: any thread may ask. Distances are on the flat earth around the asked place, good to a part in a
 * thousand within some kilometres.
 */
#ifndef ROAD_NEAREST_H
#define ROAD_NEAREST_H

#include "road/network.h"

#define ROAD_AROUND_MAX 16u

struct road_nearest;

struct road_nearest_query {
    struct road_point point;
    bool has_heading;
    double heading;           /* degrees clockwise from north, of the traffic */
    double heading_tolerance; /* degrees to each side; 180 takes all */
    double max_distance_m;
    bool cars_only; /* edges with a lane for cars */
};

struct road_match {
    uint32_t edge;
    double distance_m;       /* from the asked place to the shape */
    double offset_m;         /* along the edge from its start, in the edge's own length */
    double heading;          /* of the shape there */
    struct road_point point; /* on the shape */
};

/* `network` is kept. ERR_NO_MEMORY. */
enum err road_nearest_create(const struct road_network *network, struct road_nearest **ret_nearest) MUST_CHECK;
void road_nearest_destroy(struct road_nearest *nearest); /* takes NULL */
/* False, and the output untouched, when there is none within the bounds. Of equally near edges the first of the file. */
bool road_nearest_find(const struct road_nearest *nearest, const struct road_nearest_query *query, struct road_match *ret_match) MUST_CHECK;
/* The nearest place on each edge within the bounds, nearest first, equally near ones by edge: at most `max` of them, 1 to
 * ROAD_AROUND_MAX, the nearest. Returns how many. */
uint32_t road_nearest_around(
    const struct road_nearest *nearest, const struct road_nearest_query *query, struct road_match *ret_matches, uint32_t max);
/* Metres between two places, on the flat earth around the first. */
double road_distance_m(const struct road_network *network, struct road_point a, struct road_point b);

#endif
