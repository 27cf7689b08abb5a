/*
 * Shapes on the ground: polygons of GeoJSON (RFC 7946) with a name each, and hulls of points. For the areas that surveys covered, and for
 * those that are counted. Coordinates stay as the file has them; edges are straight in them.
 */
#ifndef SCENE_CENSUS_SHAPE_H
#define SCENE_CENSUS_SHAPE_H

#include "base/diag.h"
#include "base/str.h"

#define SHAPE_NAME_MAX 64          /* bytes */
#define SHAPES_MAX 4096            /* of a file */
#define SHAPE_POINTS_MAX 1000000u  /* of a file */
#define SHAPE_FILE_MAX (64u << 20) /* bytes */

struct shape { /* rings, even and odd: holes and several polygons need no telling apart */
    char name[SHAPE_NAME_MAX + 1];
    double (*points)[2];
    uint32_t *ends; /* [n_rings] after the last point of each ring */
    uint32_t n_points, n_rings;
    double low[2], high[2];
};

struct shapes {
    struct shape *shapes;
    uint32_t n;
};

/* The Polygon and MultiPolygon features; each named by its property `key`, or else `or_key` (NULL: none). ERR_SYNTAX, ERR_TOO_LARGE,
 * ERR_NO_MEMORY, told in `diag`. */
enum err shapes_parse(
    struct str text, const char *file, const char *key, const char *or_key, struct diag *diag, struct shapes *ret_shapes) MUST_CHECK;
enum err shapes_load(const char *path, const char *key, const char *or_key, struct diag *diag, struct shapes *ret_shapes) MUST_CHECK;
/* The convex hull of points, sorted on the way (Andrew's monotone chain). Fewer than three that are not in line: an empty shape. */
enum err shape_hull(double (*points)[2], uint32_t n, struct shape *ret_shape) MUST_CHECK;
bool shape_contains(const struct shape *shape, double x, double y);
void shape_finish(struct shape *shape);
void shapes_finish(struct shapes *shapes);

#endif
