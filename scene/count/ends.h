/*
 * Before the first camera and behind the last one: how far, by the network alone?
 *
 * Trips begin and end anywhere; cameras stand where signals are. Between two cameras the network is known by those who drive there; how far
 * a trip's first edge is from a camera nobody sees. So a car is let wander over the network: at each junction it takes any way on alike.
 * The mean time from an edge's beginning to the first camera, over that between two cameras, is what demand, whatever it is, is likely to
 * have. Looked at backwards it is the way from the last camera to a trip's end, but that who comes to the end of an edge is sighted there;
 * and but for the signals: a way between two cameras ends with the wait at the second one, a trip's end waits only at those that have no
 * camera.
 */
#ifndef SCENE_COUNT_ENDS_H
#define SCENE_COUNT_ENDS_H

#include "road/network.h"

struct count_ends {
    /* over those between two cameras */
    double before;      /* free-flow time to the first camera */
    double after;       /* free-flow time behind the last camera */
    double waits_after; /* signals behind the last camera */
    /* what is expected before anything was learned */
    double waits;  /* signals between two cameras, at least 1 */
    double way_s;  /* between two cameras, with the mean wait at signals */
    double trip_s; /* between any two places, and no longer than most trips are */
};

#define COUNT_ENDS_UNKNOWN ((struct count_ends){.before = 1, .after = 1, .waits_after = 1, .waits = 1, .way_s = 45, .trip_s = 900})

/* `has_camera` [n_edges]: not 0 where one stands at the edge's end; without any: unknown. ERR_NO_MEMORY. */
enum err count_ends_learn(const struct road_network *network, const uint8_t *has_camera, struct count_ends *ret_ends) MUST_CHECK;

#endif
