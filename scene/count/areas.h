/*
 * The areas that `citybrain count` tells of: polygons of a GeoJSON file, laid over the road network.
 *
 * An edge belongs to the smallest area that holds its middle; an area is part of the smallest larger one that holds more than half of its
 * edges, and counts what its parts count. So areas may nest, and may overlap a little at their borders. Area 0 is the whole network.
 */
#ifndef SCENE_COUNT_AREAS_H
#define SCENE_COUNT_AREAS_H

#include "base/diag.h"
#include "base/str.h"
#include "road/network.h"

#define COUNT_AREAS_MAX 2048u            /* a city with its districts, streets and communities */
#define COUNT_AREAS_FILE_MAX (64u << 20) /* bytes */
#define COUNT_AREA_POINTS_MAX 2000000u   /* of all polygons */
#define COUNT_AREA_NAME_MAX 255u         /* bytes */

struct count_areas {
    size_t n;             /* with area 0 */
    uint16_t *edge_areas; /* [n_edges of the network] */
    int32_t *parents;     /* [n] parents stand before their children; -1: the root */
    uint32_t *n_edges;    /* [n] that it holds */
    struct str *names;    /* [n]; area 0 has none */
    char *bytes;          /* of the names */
};

/* The whole network alone. ERR_NO_MEMORY; finish it all the same. */
enum err count_areas_whole(const struct road_network *network, struct count_areas *ret_areas) MUST_CHECK;
/* `path`: a FeatureCollection of Polygons and MultiPolygons, each named by its property `area`, or `name`; features of one name are one
 * area. In WGS 84; in the network's own coordinates where that has no projection. Errors are told in `diag`: ERR_NOT_FOUND, ERR_IO,
 * ERR_SYNTAX, ERR_FULL, ERR_TOO_LARGE, ERR_NO_MEMORY; finish it all the same. */
enum err count_areas_load(
    const char *path, const struct road_network *network, struct diag *diag, struct count_areas *ret_areas) MUST_CHECK;
/* The same from memory. */
enum err count_areas_parse(
    struct str text, const char *name, const struct road_network *network, struct diag *diag, struct count_areas *ret_areas) MUST_CHECK;
void count_areas_finish(struct count_areas *areas);

#endif
