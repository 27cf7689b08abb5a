/* Polygons laid over the road network; see areas.h. */
#include "scene/count/areas.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str_map.h"
#include "road/geojson.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RINGS_MAX 200000u
#define SEED 0x6172656173u

struct ring {
    uint32_t polygon; /* number of its polygon; rings of one stand together */
    uint32_t first, n;
};

struct polygon {
    uint32_t area; /* by name */
    uint32_t first_ring, n_rings;
    struct road_point low, high;
};

struct reading {
    const char *file;
    struct diag *diag;
    struct str_map names;
    struct road_point *points;
    struct ring *rings;
    struct polygon *polygons;
    uint32_t n_points, cap_points, n_rings, cap_rings, n_polygons, cap_polygons;
    size_t feature; /* from 1 */
};

/* ---- the file ---- */

static enum err refuse(const struct reading *reading, enum err err, const char *why)
{
    return diag_set(reading->diag, err, reading->file, 0, "feature %zu: %s", reading->feature, why);
}

static enum err grow(void **items, uint32_t n, uint32_t *cap, size_t size)
{
    if (n < *cap)
        return ERR_OK;
    uint32_t more = *cap == 0 ? 64 : *cap * 2;
    void *grown = mem_resize(*items, more * size);
    if (grown == NULL)
        return ERR_NO_MEMORY;
    *items = grown;
    *cap = more;
    return ERR_OK;
}

static enum err read_ring(struct reading *reading, const json_t *json)
{
    enum err err = reading->n_rings < RINGS_MAX ? ERR_OK : refuse(reading, ERR_FULL, "more rings than are allowed; simplify the polygons");
    if (err == ERR_OK)
        err = grow((void **)&reading->rings, reading->n_rings, &reading->cap_rings, sizeof(*reading->rings));
    if (err != ERR_OK)
        return err;
    struct polygon *polygon = &reading->polygons[reading->n_polygons - 1];
    struct ring *ring = &reading->rings[reading->n_rings++];
    *ring = (struct ring){.polygon = reading->n_polygons - 1, .first = reading->n_points, .n = (uint32_t)json_array_size(json)};
    polygon->n_rings++;
    if (!json_is_array(json) || ring->n < 4)
        return refuse(reading, ERR_SYNTAX, "a ring is a list of at least four positions, the last like the first");
    if (reading->n_points + ring->n > COUNT_AREA_POINTS_MAX)
        return refuse(reading, ERR_FULL, "more points than are allowed; simplify the polygons");
    for (size_t i = 0; i < ring->n; i++) {
        const json_t *position = json_array_get(json, i);
        const json_t *x = json_array_get(position, 0), *y = json_array_get(position, 1);
        if (!json_is_number(x) || !json_is_number(y))
            return refuse(reading, ERR_SYNTAX, "a position is [longitude, latitude]");
        err = grow((void **)&reading->points, reading->n_points, &reading->cap_points, sizeof(*reading->points));
        if (err != ERR_OK)
            return err;
        struct road_point point = {json_number_value(x), json_number_value(y)};
        reading->points[reading->n_points++] = point;
        polygon->low = (struct road_point){fmin(polygon->low.lon, point.lon), fmin(polygon->low.lat, point.lat)};
        polygon->high = (struct road_point){fmax(polygon->high.lon, point.lon), fmax(polygon->high.lat, point.lat)};
    }
    return ERR_OK;
}

static enum err read_polygon(struct reading *reading, const json_t *rings, uint32_t area)
{
    if (!json_is_array(rings) || json_array_size(rings) == 0)
        return refuse(reading, ERR_SYNTAX, "a polygon is a list of rings");
    enum err err = grow((void **)&reading->polygons, reading->n_polygons, &reading->cap_polygons, sizeof(*reading->polygons));
    if (err != ERR_OK)
        return err;
    reading->polygons[reading->n_polygons++] =
        (struct polygon){.area = area, .first_ring = reading->n_rings, .low = {INFINITY, INFINITY}, .high = {-INFINITY, -INFINITY}};
    for (size_t i = 0; i < json_array_size(rings) && err == ERR_OK; i++)
        err = read_ring(reading, json_array_get(rings, i));
    return err;
}

static bool is_good_name(struct str name)
{
    if (name.len == 0 || name.len > COUNT_AREA_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.ptr[i] < ' ' || name.ptr[i] == ',' || name.ptr[i] == '"')
            return false;
    return true;
}

static enum err read_feature(struct reading *reading, const json_t *feature)
{
    struct str name = road_geojson_name(feature, "area", "name"), type;
    const json_t *geometry = json_object_get(feature, "geometry"), *coordinates = json_object_get(geometry, "coordinates");
    uint32_t area;
    if (!is_good_name(name))
        return refuse(reading, ERR_SYNTAX,
            "it has no property \"area\" (or \"name\") that is a name: 1 to 255 bytes without commas and quotes; give it one");
    if (json_get_str(geometry, "type", &type) != ERR_OK)
        return refuse(reading, ERR_SYNTAX, "it has no geometry; give it a Polygon or MultiPolygon");
    enum err err = str_map_add(&reading->names, name, &area);
    if (err == ERR_FULL)
        return refuse(reading, ERR_FULL, "more areas than are allowed (2,047); leave out the smallest");
    if (err == ERR_OK && str_equal_c(type, "Polygon"))
        return read_polygon(reading, coordinates, area);
    if (err == ERR_OK && (!str_equal_c(type, "MultiPolygon") || !json_is_array(coordinates)))
        return refuse(reading, ERR_SYNTAX, "its geometry is neither a Polygon nor a MultiPolygon");
    for (size_t i = 0; err == ERR_OK && i < json_array_size(coordinates); i++)
        err = read_polygon(reading, json_array_get(coordinates, i), area);
    return err;
}

static enum err read_features(struct reading *reading, struct str text)
{
    json_t *json = NULL;
    enum err err = road_geojson_read(text, reading->file, reading->diag, &json);
    if (err != ERR_OK)
        return err;
    const json_t *features = json_object_get(json, "features");
    for (size_t i = 0; err == ERR_OK && i < json_array_size(features); i++) {
        reading->feature = i + 1;
        err = read_feature(reading, json_array_get(features, i));
    }
    json_decref(json);
    return err;
}

/* ---- which areas hold a place ---- */

/* Even-odd over all of its rings, so that a hole is a hole. */
static bool polygon_holds(const struct reading *reading, const struct polygon *polygon, struct road_point at)
{
    if (!(at.lon >= polygon->low.lon && at.lon <= polygon->high.lon && at.lat >= polygon->low.lat && at.lat <= polygon->high.lat))
        return false;
    bool is_inside = false;
    for (uint32_t r = 0; r < polygon->n_rings; r++) {
        const struct ring *ring = &reading->rings[polygon->first_ring + r];
        const struct road_point *points = reading->points + ring->first;
        for (uint32_t i = 0, j = ring->n - 1; i < ring->n; j = i++) {
            struct road_point a = points[i], b = points[j];
            if ((a.lat > at.lat) != (b.lat > at.lat) && at.lon < (b.lon - a.lon) * (at.lat - a.lat) / (b.lat - a.lat) + a.lon)
                is_inside = !is_inside;
        }
    }
    return is_inside;
}

/* The areas (by name) that hold the middle of an edge, each once. */
static uint32_t areas_of_edge(const struct reading *reading, const struct road_network *network, uint32_t edge, uint16_t *ret_areas)
{
    struct road_point middle = road_edge_middle(network, edge);
    uint32_t n = 0;
    for (uint32_t i = 0; i < reading->n_polygons; i++) {
        const struct polygon *polygon = &reading->polygons[i];
        bool is_there = !polygon_holds(reading, polygon, middle);
        for (uint32_t k = 0; k < n && !is_there; k++)
            is_there = ret_areas[k] == polygon->area;
        if (!is_there)
            ret_areas[n++] = (uint16_t)polygon->area;
    }
    return n;
}

/* ---- the tree ---- */

struct laying {
    uint32_t n;       /* names */
    uint32_t *holds;  /* [n] edges */
    uint32_t *common; /* [n * n] edges that two hold both */
    uint16_t *order;  /* [n] names from the largest to the smallest */
    uint16_t *rank;   /* [n] place in `order` */
    uint16_t *around; /* [n] of one edge */
};

static enum err lay(const struct reading *reading, const struct road_network *network, struct laying *laying)
{
    uint32_t n = laying->n;
    laying->holds = mem_alloc_zero(n, sizeof(*laying->holds));
    laying->common = mem_alloc_zero((size_t)n * n, sizeof(*laying->common));
    laying->order = mem_alloc_zero(n, sizeof(*laying->order));
    laying->rank = mem_alloc_zero(n, sizeof(*laying->rank));
    laying->around = mem_alloc_zero(n, sizeof(*laying->around));
    if (laying->holds == NULL || laying->common == NULL || laying->order == NULL || laying->rank == NULL || laying->around == NULL)
        return ERR_NO_MEMORY;
    for (uint32_t edge = 0; edge < network->n_edges; edge++) {
        uint32_t n_around = areas_of_edge(reading, network, edge, laying->around);
        for (uint32_t i = 0; i < n_around; i++) {
            laying->holds[laying->around[i]]++;
            for (uint32_t k = 0; k < n_around; k++)
                laying->common[laying->around[i] * n + laying->around[k]]++;
        }
    }
    /* By insertion: they are few, and equal ones stay in the file's order. */
    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = i;
        for (; at > 0 && laying->holds[laying->order[at - 1]] < laying->holds[i]; at--)
            laying->order[at] = laying->order[at - 1];
        laying->order[at] = (uint16_t)i;
    }
    for (uint32_t i = 0; i < n; i++)
        laying->rank[laying->order[i]] = (uint16_t)i;
    return ERR_OK;
}

static void make_tree(
    const struct reading *reading, const struct road_network *network, const struct laying *laying, struct count_areas *areas)
{
    for (uint32_t i = 0; i < laying->n; i++) {
        uint32_t name = laying->order[i];
        areas->names[i + 1] = str_map_key(&reading->names, name);
        areas->n_edges[i + 1] = laying->holds[name];
        areas->parents[i + 1] = 0;
        for (uint32_t k = i; k-- > 0 && areas->parents[i + 1] == 0;)
            if (laying->common[name * laying->n + laying->order[k]] * 2 > laying->holds[name])
                areas->parents[i + 1] = (int32_t)k + 1;
    }
    for (uint32_t edge = 0; edge < network->n_edges; edge++) {
        uint32_t n = areas_of_edge(reading, network, edge, laying->around);
        for (uint32_t i = 0; i < n; i++) {
            uint16_t place = (uint16_t)(laying->rank[laying->around[i]] + 1);
            if (place > areas->edge_areas[edge])
                areas->edge_areas[edge] = place;
        }
    }
}

/* The names' bytes outlive the reading. */
static enum err keep_names(struct count_areas *areas)
{
    size_t len = 1, at = 0;
    for (size_t i = 1; i < areas->n; i++)
        len += areas->names[i].len;
    areas->bytes = mem_alloc(len);
    if (areas->bytes == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 1; i < areas->n; i++) {
        memcpy(areas->bytes + at, areas->names[i].ptr, areas->names[i].len);
        areas->names[i].ptr = areas->bytes + at;
        at += areas->names[i].len;
    }
    return ERR_OK;
}

static enum err make(const struct road_network *network, size_t n, struct count_areas *ret_areas)
{
    ret_areas->n = n;
    ret_areas->edge_areas = mem_alloc_zero(network->n_edges, sizeof(*ret_areas->edge_areas));
    ret_areas->parents = mem_alloc_zero(n, sizeof(*ret_areas->parents));
    ret_areas->n_edges = mem_alloc_zero(n, sizeof(*ret_areas->n_edges));
    ret_areas->names = mem_alloc_zero(n, sizeof(*ret_areas->names));
    if (ret_areas->edge_areas == NULL || ret_areas->parents == NULL || ret_areas->n_edges == NULL || ret_areas->names == NULL)
        return ERR_NO_MEMORY;
    ret_areas->parents[0] = -1;
    ret_areas->n_edges[0] = network->n_edges;
    return ERR_OK;
}

enum err count_areas_whole(const struct road_network *network, struct count_areas *ret_areas)
{
    *ret_areas = (struct count_areas){0};
    return make(network, 1, ret_areas);
}

enum err count_areas_parse(
    struct str text, const char *name, const struct road_network *network, struct diag *diag, struct count_areas *ret_areas)
{
    struct reading reading = {.file = name, .diag = diag};
    struct laying laying = {0};
    *ret_areas = (struct count_areas){0};
    str_map_init(&reading.names, COUNT_AREAS_MAX - 1, SEED);
    enum err err = read_features(&reading, text);
    laying.n = reading.names.n;
    if (err == ERR_OK && laying.n == 0)
        err = diag_set(diag, ERR_SYNTAX, name, 0, "there is no area in it; give it features with polygons");
    if (err == ERR_OK)
        err = make(network, laying.n + 1, ret_areas);
    if (err == ERR_OK)
        err = lay(&reading, network, &laying);
    if (err == ERR_OK) {
        make_tree(&reading, network, &laying, ret_areas);
        err = keep_names(ret_areas);
    }
    mem_free(laying.holds);
    mem_free(laying.common);
    mem_free(laying.order);
    mem_free(laying.rank);
    mem_free(laying.around);
    mem_free(reading.points);
    mem_free(reading.rings);
    mem_free(reading.polygons);
    str_map_finish(&reading.names);
    return err;
}

enum err count_areas_load(const char *path, const struct road_network *network, struct diag *diag, struct count_areas *ret_areas)
{
    struct buf text;
    *ret_areas = (struct count_areas){0};
    buf_init(&text, COUNT_AREAS_FILE_MAX);
    enum err err = file_read(path, &text);
    if (err == ERR_OK)
        err = count_areas_parse(buf_str(&text), path, network, diag, ret_areas);
    else if (err == ERR_TOO_LARGE)
        err = diag_set(diag, err, path, 0, "larger than 64 MiB; simplify the polygons");
    else
        err = diag_set(diag, err, path, 0, "cannot read: %s; mend the path", err_text(err));
    buf_finish(&text);
    return err;
}

void count_areas_finish(struct count_areas *areas)
{
    mem_free(areas->edge_areas);
    mem_free(areas->parents);
    mem_free(areas->n_edges);
    mem_free(areas->names);
    mem_free(areas->bytes);
    *areas = (struct count_areas){0};
}
