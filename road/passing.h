/*
 * From matched points to times on edges: when did the vehicle drive onto each edge, and when was it at the end of it.
 *
 * Between two points the time is spread over the way in proportion to its free-flow times; what crossing a junction takes belongs to the
 * edge behind it, as in route.h. An edge is whole when the vehicle drove it from its start to its end.
 */
#ifndef ROAD_PASSING_H
#define ROAD_PASSING_H

#include "road/match.h"

struct road_passing {
    uint32_t edge;
    int64_t enter_ms,
        leave_ms; /* at the end of the edge before; at its own end. Of the first and last edge of a track: of its points there */
    bool is_whole;
    double free_s, length_m; /* of a whole one, with the junction before it: free flow, and what is driven */
};

typedef void (*road_passing_fn)(void *context, const struct road_passing *passing);

struct road_passings { /* of one track; zero at first */
    bool is_on;        /* an edge: `edge`, `offset_m` on it at `time_ms` */
    bool is_from_start;
    uint32_t edge;
    double offset_m, free_s, length_m; /* the latter two of the edge as a whole */
    int64_t enter_ms, time_ms;
};

/* The next matched point of the track: tells every edge that was left since. */
void road_passings_add(struct road_passings *passings, const struct road_hierarchy *hierarchy, const struct road_matched *matched,
    road_passing_fn on_passing, void *context);
/* No more points: tells the edge that the track ends on. */
void road_passings_end(struct road_passings *passings, road_passing_fn on_passing, void *context);

#endif
