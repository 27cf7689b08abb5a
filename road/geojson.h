/*
 * The network as GeoJSON (RFC 7946): what the map of a cockpit draws, an object of the hub.
 *
 * A FeatureCollection with one LineString an edge that cars may use, in driving direction, and the properties
 * edge, road, class, lanes, speed_limit_mps, length_m, area. Places have six decimals (0.1 m).
 */
#ifndef ROAD_GEOJSON_H
#define ROAD_GEOJSON_H

#include "base/buf.h"
#include "road/network.h"

#define ROAD_GEOJSON_MEDIA_TYPE "application/geo+json"

/* Appends to `out`, whose own error sticks. `area` gives the name of the area of an edge (empty: none); may be NULL.
 * ERR_UNSUPPORTED for a network without a projection: GeoJSON knows only WGS 84. */
enum err road_geojson_write(
    const struct road_network *network, struct str (*area)(void *context, uint32_t edge), void *context, struct buf *out) MUST_CHECK;
/* "secondary" of "highway.secondary"; the whole type when it has no dot. Borrows. */
struct str road_edge_class(const struct road_edge *edge);

#endif
