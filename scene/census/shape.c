/* Polygons of GeoJSON and hulls; see shape.h. */
#include "scene/census/shape.h"

#include "base/file.h"
#include "base/mem.h"
#include "road/geojson.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reading {
    const char *file, *key, *or_key;
    struct diag *diag;
    uint32_t feature; /* from 1 */
    uint32_t n_points;
};

static enum err wrong(const struct reading *reading, const char *what)
{
    return diag_set(reading->diag, ERR_SYNTAX, reading->file, 0, "feature %u: %s", reading->feature, what);
}

/* ---- geometry ---- */

/* Adds a ring's points, or counts them when `shape` has no room yet. */
static enum err read_ring(struct reading *reading, const json_t *ring, struct shape *shape)
{
    size_t n = json_array_size(ring);
    if (!json_is_array(ring) || n < 4)
        return wrong(reading, "a ring has at least four places, the last like the first");
    if (n > SHAPE_POINTS_MAX - reading->n_points)
        return diag_set(reading->diag, ERR_TOO_LARGE, reading->file, 0, "more than %u places; simplify the polygons", SHAPE_POINTS_MAX);
    double(*points)[2] = mem_resize(shape->points, (shape->n_points + n) * sizeof(*points));
    if (points == NULL)
        return ERR_NO_MEMORY;
    shape->points = points;
    uint32_t *ends = mem_resize(shape->ends, (shape->n_rings + 1) * sizeof(*ends));
    if (ends == NULL)
        return ERR_NO_MEMORY;
    shape->ends = ends;
    for (size_t i = 0; i < n; i++) {
        const json_t *place = json_array_get(ring, i), *x = json_array_get(place, 0), *y = json_array_get(place, 1);
        if (!json_is_number(x) || !json_is_number(y))
            return wrong(reading, "a place is not [x, y]");
        points[shape->n_points][0] = json_number_value(x);
        points[shape->n_points++][1] = json_number_value(y);
    }
    shape->ends[shape->n_rings++] = shape->n_points;
    reading->n_points += (uint32_t)n;
    return ERR_OK;
}

static enum err read_polygon(struct reading *reading, const json_t *rings, struct shape *shape)
{
    size_t at;
    json_t *ring;
    if (!json_is_array(rings) || json_array_size(rings) == 0)
        return wrong(reading, "a polygon is a list of rings");
    json_array_foreach(rings, at, ring)
    {
        enum err err = read_ring(reading, ring, shape);
        if (err != ERR_OK)
            return err;
    }
    return ERR_OK;
}

static void set_bounds(struct shape *shape)
{
    for (int axis = 0; axis < 2; axis++) {
        shape->low[axis] = INFINITY;
        shape->high[axis] = -INFINITY;
        for (uint32_t i = 0; i < shape->n_points; i++) {
            shape->low[axis] = fmin(shape->low[axis], shape->points[i][axis]);
            shape->high[axis] = fmax(shape->high[axis], shape->points[i][axis]);
        }
    }
}

/* ---- features ---- */

static enum err read_name(struct reading *reading, const json_t *feature, struct shape *shape)
{
    struct str name = road_geojson_name(feature, reading->key, reading->or_key);
    char told[200];
    if (!str_is_empty(name) && name.len <= SHAPE_NAME_MAX && memchr(name.ptr, ',', name.len) == NULL &&
        memchr(name.ptr, '\n', name.len) == NULL && str_to_c(name, shape->name, sizeof(shape->name)) == ERR_OK)
        return ERR_OK;
    snprintf(told, sizeof(told), "its property \"%.40s\"%s%.40s%s is not a name of 1 to %d bytes without a comma; add it", reading->key,
        reading->or_key != NULL ? " (or \"" : "", reading->or_key != NULL ? reading->or_key : "", reading->or_key != NULL ? "\")" : "",
        SHAPE_NAME_MAX);
    return wrong(reading, told);
}

static enum err read_feature(struct reading *reading, const json_t *feature, struct shape *shape)
{
    const json_t *geometry = json_object_get(feature, "geometry"), *coordinates = json_object_get(geometry, "coordinates");
    struct str type;
    enum err err = read_name(reading, feature, shape);
    if (err != ERR_OK)
        return err;
    if (json_get_str(geometry, "type", &type) != ERR_OK)
        return wrong(reading, "it has no geometry with a type");
    if (str_equal_c(type, "Polygon"))
        err = read_polygon(reading, coordinates, shape);
    else if (str_equal_c(type, "MultiPolygon") && json_is_array(coordinates)) {
        size_t at;
        json_t *polygon;
        json_array_foreach(coordinates, at, polygon)
        {
            err = read_polygon(reading, polygon, shape);
            if (err != ERR_OK)
                return err;
        }
    } else
        return wrong(reading, "its geometry is neither a Polygon nor a MultiPolygon");
    set_bounds(shape);
    return err;
}

enum err shapes_parse(struct str text, const char *file, const char *key, const char *or_key, struct diag *diag, struct shapes *ret_shapes)
{
    struct reading reading = {.file = file, .key = key, .or_key = or_key, .diag = diag};
    struct shapes shapes = {NULL, 0};
    json_t *json = NULL;
    enum err err = road_geojson_read(text, file, diag, &json);
    const json_t *features = json_object_get(json, "features");
    size_t n = json_array_size(features);
    if (err == ERR_OK && n == 0)
        err = diag_set(diag, ERR_SYNTAX, file, 0, "there is no feature in it; export the polygons anew");
    else if (err == ERR_OK && n > SHAPES_MAX)
        err = diag_set(diag, ERR_TOO_LARGE, file, 0, "more than %d features; join them", SHAPES_MAX);
    if (err == ERR_OK && (shapes.shapes = mem_alloc_zero(n, sizeof(*shapes.shapes))) == NULL)
        err = ERR_NO_MEMORY;
    for (size_t i = 0; err == ERR_OK && i < n; i++) {
        reading.feature = (uint32_t)i + 1;
        shapes.n++;
        err = read_feature(&reading, json_array_get(features, i), &shapes.shapes[i]);
    }
    json_decref(json);
    if (err == ERR_OK)
        *ret_shapes = shapes;
    else
        shapes_finish(&shapes);
    if (err == ERR_NO_MEMORY)
        diag_set(diag, err, file, 0, "no memory for its polygons");
    return err;
}

enum err shapes_load(const char *path, const char *key, const char *or_key, struct diag *diag, struct shapes *ret_shapes)
{
    struct buf text;
    buf_init(&text, SHAPE_FILE_MAX);
    enum err err = file_read(path, &text);
    if (err != ERR_OK)
        diag_set(diag, err, path, 0, "cannot read: %s; mend the path", err_text(err));
    else
        err = shapes_parse(buf_str(&text), path, key, or_key, diag, ret_shapes);
    buf_finish(&text);
    return err;
}

void shape_finish(struct shape *shape)
{
    mem_free(shape->points);
    mem_free(shape->ends);
    *shape = (struct shape){.n_points = 0};
}

void shapes_finish(struct shapes *shapes)
{
    for (uint32_t i = 0; i < shapes->n; i++)
        shape_finish(&shapes->shapes[i]);
    mem_free(shapes->shapes);
    *shapes = (struct shapes){NULL, 0};
}

/* ---- questions ---- */

bool shape_contains(const struct shape *shape, double x, double y)
{
    if (shape->n_points == 0 || x < shape->low[0] || x > shape->high[0] || y < shape->low[1] || y > shape->high[1])
        return false;
    bool is_inside = false;
    uint32_t begin = 0;
    for (uint32_t ring = 0; ring < shape->n_rings; begin = shape->ends[ring++])
        for (uint32_t i = begin, before = shape->ends[ring] - 1; i < shape->ends[ring]; before = i++) {
            const double *a = shape->points[i], *b = shape->points[before];
            if ((a[1] > y) != (b[1] > y) && x < (b[0] - a[0]) * (y - a[1]) / (b[1] - a[1]) + a[0])
                is_inside = !is_inside;
        }
    return is_inside;
}

static int compare_points(const void *a, const void *b)
{
    const double *left = a, *right = b;
    if (left[0] != right[0])
        return left[0] < right[0] ? -1 : 1;
    return left[1] < right[1] ? -1 : left[1] > right[1];
}

static bool turns_left(const double *a, const double *b, const double *c)
{
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]) > 0;
}

enum err shape_hull(double (*points)[2], uint32_t n, struct shape *ret_shape)
{
    struct shape shape = {.points = mem_alloc((2 * (size_t)n + 2) * sizeof(*shape.points)), .ends = mem_alloc(sizeof(*shape.ends))};
    if (shape.points == NULL || shape.ends == NULL) {
        shape_finish(&shape);
        return ERR_NO_MEMORY;
    }
    qsort(points, n, sizeof(*points), compare_points);
    uint32_t at = 0;
    for (uint32_t i = 0; i < n; i++) {
        while (at >= 2 && !turns_left(shape.points[at - 2], shape.points[at - 1], points[i]))
            at--;
        memcpy(shape.points[at++], points[i], sizeof(points[i]));
    }
    for (uint32_t i = n, lower = at + 1; i > 1; i--) {
        while (at >= lower && !turns_left(shape.points[at - 2], shape.points[at - 1], points[i - 2]))
            at--;
        memcpy(shape.points[at++], points[i - 2], sizeof(points[0]));
    }
    shape.n_points = at >= 4 ? at : 0;
    shape.n_rings = at >= 4;
    shape.ends[0] = shape.n_points;
    set_bounds(&shape);
    *ret_shape = shape;
    return ERR_OK;
}
