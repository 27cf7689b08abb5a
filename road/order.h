/*
 * The order in which a hierarchy contracts edges: nested dissection of the junctions.
 *
 * The map is cut in two where few roads cross (inertial flow: Schild, Sommer, SEA 2015), each half again, down to single junctions.
 * A half's edges come before those that cross its cut, so that a search climbs from a quarter to a district to the city and never
 * sideways. Of a cut's edges those of one direction come before those of the other: then no two of the first lot ever need a
 * shortcut between them (Buchhold, Wagner, Zeitz, Zündorf, ATMOS 2020).
 *
 * Only the shape of the network counts here, never a travel time.
 */
#ifndef ROAD_ORDER_H
#define ROAD_ORDER_H

#include "road/network.h"

/* `ret_edges[n_edges]`: every edge once, the first contracted first. ERR_NO_MEMORY. */
enum err road_order_find(const struct road_network *network, uint32_t *ret_edges) MUST_CHECK;

#endif
