/*
 * The network as GeoJSON (RFC 7946): what the map of a cockpit draws, an object of the hub. And what all who read polygons begin with.
 *
 * A FeatureCollection with one LineString an edge that cars may use, in driving direction, and the properties
 * edge, road, class, lanes, speed_limit_mps, length_m, area. Places have six decimals (0.1 m).
 */
#ifndef ROAD_GEOJSON_H
#define ROAD_GEOJSON_H

#include "base/buf.h"
#include "base/json.h"
#include "road/network.h"

#define ROAD_GEOJSON_MEDIA_TYPE "application/geo+json"

/* Appends to `out`, whose own error sticks. `area` gives the name of the area of an edge (empty: none); may be NULL.
 * ERR_UNSUPPORTED for a network without a projection: GeoJSON knows only WGS 84. */
enum err road_geojson_write(
    const struct road_network *network, struct str (*area)(void *context, uint32_t edge), void *context, struct buf *out) MUST_CHECK;
/* A FeatureCollection: *ret_json has a list "features". A byte order mark before it is passed over, as some editors write one. Errors are
 * told in `diag` with `file` as their place: ERR_SYNTAX, ERR_TOO_LARGE, ERR_EXISTS; ERR_NO_MEMORY is not. The caller drops it with
 * json_decref(). */
enum err road_geojson_read(struct str text, const char *file, struct diag *diag, json_t **ret_json) MUST_CHECK;
/* The name of a feature: its property `key`, or where that is no text or empty `or_key` (NULL: none); empty where neither is. Borrows. */
struct str road_geojson_name(const json_t *feature, const char *key, const char *or_key);
/* "secondary" of "highway.secondary"; the whole type when it has no dot. Borrows. */
struct str road_edge_class(const struct road_edge *edge);

#endif
