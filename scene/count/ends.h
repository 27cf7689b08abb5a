/*
 * Before the first camera: how long, by the network alone?
 *
 * Trips begin anywhere; cameras stand where signals are. Between two cameras the network is known by those who drive there; how far a
 * trip's first edge is from a camera nobody sees. So a car is let wander over the network: at each junction it takes any way on alike. The
 * mean time from an edge's beginning to the first camera, over that between two cameras, is what demand, whatever it is, is likely to have.
 */
#ifndef SCENE_COUNT_ENDS_H
#define SCENE_COUNT_ENDS_H

#include "road/network.h"

/* *ret_before: in free-flow times between two cameras. `has_camera` [n_edges]: not 0 where one stands at the edge's end; without any, 1.
 * ERR_NO_MEMORY. */
enum err count_ends_before(const struct road_network *network, const uint8_t *has_camera, double *ret_before) MUST_CHECK;

#endif
