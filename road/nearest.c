/* The nearest road; see nearest.h. */
#include "road/nearest.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

#define FANOUT 16u
#define LEVELS_MAX 8 /* 16^8 segments: more than ROAD_POINTS_MAX */
#define RADIANS (M_PI / 180)
#define WGS84_A 6378137.0
#define WGS84_E2 0.00669437999014

struct box {
    double low_lon, low_lat, high_lon, high_lat;
};

struct segment {
    uint32_t edge, point; /* from `point` to the one after it */
};

struct road_nearest {
    const struct road_network *network;
    struct segment *segments; /* in the order of the leaves */
    uint32_t n_segments;
    struct box *boxes[LEVELS_MAX]; /* [0]: of each FANOUT segments; the last level has one */
    uint32_t n_boxes[LEVELS_MAX];
    uint32_t n_levels;
    double *along; /* by point: share of its edge's shape that lies before it */
};

/* Metres a degree (or a metre) at a place: meridian and normal radius of the WGS 84 ellipsoid. */
struct scale {
    double east_m, north_m;
};

static struct scale scale_at(const struct road_network *network, double lat)
{
    if (!network->is_geographic)
        return (struct scale){1, 1};
    double s = sin(lat * RADIANS), w = 1 - WGS84_E2 * s * s;
    return (struct scale){WGS84_A / sqrt(w) * cos(lat * RADIANS) * RADIANS, WGS84_A * (1 - WGS84_E2) / (w * sqrt(w)) * RADIANS};
}

double road_distance_m(const struct road_network *network, struct road_point a, struct road_point b)
{
    struct scale scale = scale_at(network, a.lat);
    return hypot((b.lon - a.lon) * scale.east_m, (b.lat - a.lat) * scale.north_m);
}

/* ---- making ---- */

struct sort_item {
    double key;
    struct segment segment;
};

static int compare_items(const void *a, const void *b)
{
    const struct sort_item *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->segment.point < y->segment.point ? -1 : x->segment.point > y->segment.point;
}

/* Tiles: sorted by longitude, cut into slices, each sorted by latitude. */
static enum err tile_segments(struct road_nearest *nearest)
{
    const struct road_point *points = nearest->network->points;
    uint32_t n = nearest->n_segments;
    struct sort_item *items = mem_alloc(n * sizeof(*items));
    if (items == NULL)
        return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < n; i++) {
        struct segment segment = nearest->segments[i];
        items[i] = (struct sort_item){points[segment.point].lon + points[segment.point + 1].lon, segment};
    }
    qsort(items, n, sizeof(*items), compare_items);
    uint32_t n_leaves = (n + FANOUT - 1) / FANOUT;
    uint32_t slice = FANOUT * (uint32_t)ceil(sqrt(n_leaves));
    for (uint32_t at = 0; at < n; at += slice) {
        uint32_t n_slice = n - at < slice ? n - at : slice;
        for (uint32_t i = at; i < at + n_slice; i++)
            items[i].key = points[items[i].segment.point].lat + points[items[i].segment.point + 1].lat;
        qsort(items + at, n_slice, sizeof(*items), compare_items);
    }
    for (uint32_t i = 0; i < n; i++)
        nearest->segments[i] = items[i].segment;
    mem_free(items);
    return ERR_OK;
}

static struct box box_of_segment(const struct road_nearest *nearest, uint32_t at)
{
    struct road_point a = nearest->network->points[nearest->segments[at].point];
    struct road_point b = nearest->network->points[nearest->segments[at].point + 1];
    return (struct box){fmin(a.lon, b.lon), fmin(a.lat, b.lat), fmax(a.lon, b.lon), fmax(a.lat, b.lat)};
}

static void widen(struct box *box, struct box other)
{
    box->low_lon = fmin(box->low_lon, other.low_lon);
    box->low_lat = fmin(box->low_lat, other.low_lat);
    box->high_lon = fmax(box->high_lon, other.high_lon);
    box->high_lat = fmax(box->high_lat, other.high_lat);
}

static enum err build_levels(struct road_nearest *nearest)
{
    uint32_t n_below = nearest->n_segments;
    do {
        uint32_t level = nearest->n_levels, n = (n_below + FANOUT - 1) / FANOUT;
        struct box *boxes = mem_alloc(n * sizeof(*boxes));
        if (boxes == NULL)
            return ERR_NO_MEMORY;
        for (uint32_t i = 0; i < n_below; i++) {
            struct box below = level == 0 ? box_of_segment(nearest, i) : nearest->boxes[level - 1][i];
            if (i % FANOUT == 0)
                boxes[i / FANOUT] = below;
            else
                widen(&boxes[i / FANOUT], below);
        }
        nearest->boxes[level] = boxes;
        nearest->n_boxes[level] = n;
        nearest->n_levels++;
        n_below = n;
    } while (n_below > 1 && nearest->n_levels < LEVELS_MAX);
    return ERR_OK;
}

static enum err measure_shapes(struct road_nearest *nearest)
{
    const struct road_network *network = nearest->network;
    nearest->along = mem_alloc_zero(network->n_points, sizeof(*nearest->along));
    if (nearest->along == NULL)
        return ERR_NO_MEMORY;
    for (uint32_t e = 0; e < network->n_edges; e++) {
        const struct road_edge *edge = &network->edges[e];
        double total = 0;
        for (uint32_t i = edge->first_point + 1; i < edge->first_point + edge->n_points; i++) {
            total += road_distance_m(network, network->points[i - 1], network->points[i]);
            nearest->along[i] = total;
        }
        for (uint32_t i = edge->first_point + 1; i < edge->first_point + edge->n_points && total > 0; i++)
            nearest->along[i] /= total;
    }
    return ERR_OK;
}

enum err road_nearest_create(const struct road_network *network, struct road_nearest **ret_nearest)
{
    struct road_nearest *nearest = mem_alloc_zero(1, sizeof(*nearest));
    if (nearest == NULL)
        return ERR_NO_MEMORY;
    nearest->network = network;
    size_t n = 0;
    for (uint32_t i = 0; i < network->n_edges; i++)
        n += network->edges[i].n_points - 1;
    nearest->segments = mem_alloc(n * sizeof(*nearest->segments));
    enum err err = nearest->segments == NULL ? ERR_NO_MEMORY : ERR_OK;
    if (err == ERR_OK) {
        for (uint32_t i = 0; i < network->n_edges; i++)
            for (uint32_t k = 0; k + 1 < network->edges[i].n_points; k++)
                nearest->segments[nearest->n_segments++] = (struct segment){i, network->edges[i].first_point + k};
        err = tile_segments(nearest);
    }
    if (err == ERR_OK)
        err = build_levels(nearest);
    if (err == ERR_OK)
        err = measure_shapes(nearest);
    if (err != ERR_OK) {
        road_nearest_destroy(nearest);
        return err;
    }
    *ret_nearest = nearest;
    return ERR_OK;
}

void road_nearest_destroy(struct road_nearest *nearest)
{
    if (nearest == NULL)
        return;
    for (uint32_t i = 0; i < nearest->n_levels; i++)
        mem_free(nearest->boxes[i]);
    mem_free(nearest->segments);
    mem_free(nearest->along);
    mem_free(nearest);
}

/* ---- asking ---- */

struct search {
    const struct road_nearest *nearest;
    const struct road_nearest_query *query;
    struct scale scale;
    double best_m2; /* squared distance of the best so far, or the bound */
    bool is_found;
    uint32_t edge, point;
    double share; /* along the segment */
};

static double box_distance_m2(const struct search *search, const struct box *box)
{
    struct road_point p = search->query->point;
    double east = fmax(fmax(box->low_lon - p.lon, p.lon - box->high_lon), 0) * search->scale.east_m;
    double north = fmax(fmax(box->low_lat - p.lat, p.lat - box->high_lat), 0) * search->scale.north_m;
    return east * east + north * north;
}

static bool heading_fits(const struct search *search, double east, double north)
{
    if (!search->query->has_heading)
        return true;
    double off = fabs(remainder(atan2(east, north) / RADIANS - search->query->heading, 360));
    return off <= search->query->heading_tolerance;
}

static void try_segment(struct search *search, struct segment segment)
{
    const struct road_network *network = search->nearest->network;
    if (search->query->cars_only && network->edges[segment.edge].n_car_lanes == 0)
        return;
    struct road_point a = network->points[segment.point], b = network->points[segment.point + 1], p = search->query->point;
    double east = (b.lon - a.lon) * search->scale.east_m, north = (b.lat - a.lat) * search->scale.north_m;
    double to_east = (p.lon - a.lon) * search->scale.east_m, to_north = (p.lat - a.lat) * search->scale.north_m;
    double length_m2 = east * east + north * north;
    double share = length_m2 > 0 ? fmin(fmax((to_east * east + to_north * north) / length_m2, 0), 1) : 0;
    double off_east = to_east - share * east, off_north = to_north - share * north;
    double distance_m2 = off_east * off_east + off_north * off_north;
    if (distance_m2 > search->best_m2)
        return;
    bool is_same = search->is_found && distance_m2 == search->best_m2;
    if (is_same && (segment.edge > search->edge || (segment.edge == search->edge && segment.point > search->point)))
        return;
    if (!heading_fits(search, east, north))
        return;
    search->is_found = true;
    search->best_m2 = distance_m2;
    search->edge = segment.edge;
    search->point = segment.point;
    search->share = share;
}

/* Depth is the tree's, at most LEVELS_MAX. */
static void descend(struct search *search, uint32_t level, uint32_t at)
{
    const struct road_nearest *nearest = search->nearest;
    uint32_t n_below = level == 0 ? nearest->n_segments : nearest->n_boxes[level - 1];
    uint32_t first = at * FANOUT, last = first + FANOUT < n_below ? first + FANOUT : n_below;
    if (level == 0) {
        for (uint32_t i = first; i < last; i++)
            try_segment(search, nearest->segments[i]);
        return;
    }
    /* The nearest child first, so that the others are mostly cut off. */
    uint32_t order[FANOUT], n = 0;
    double distances[FANOUT];
    for (uint32_t i = first; i < last; i++) {
        double distance = box_distance_m2(search, &nearest->boxes[level - 1][i]);
        uint32_t k = n++;
        for (; k > 0 && distances[k - 1] > distance; k--) {
            distances[k] = distances[k - 1];
            order[k] = order[k - 1];
        }
        distances[k] = distance;
        order[k] = i;
    }
    for (uint32_t i = 0; i < n && distances[i] <= search->best_m2; i++)
        descend(search, level - 1, order[i]);
}

/* A place on the segment as an answer; the offset is in the edge's own length: the shape and the length may differ. */
static struct road_match match_at(const struct road_nearest *nearest, uint32_t edge, uint32_t point, double share, double distance_m)
{
    const struct road_network *network = nearest->network;
    struct road_point a = network->points[point], b = network->points[point + 1];
    double before = nearest->along[point], after = nearest->along[point + 1];
    return (struct road_match){.edge = edge,
        .distance_m = distance_m,
        .offset_m = (before + share * (after - before)) * network->edges[edge].length_m,
        .heading = road_heading(network, a, b),
        .point = {a.lon + share * (b.lon - a.lon), a.lat + share * (b.lat - a.lat)}};
}

bool road_nearest_find(const struct road_nearest *nearest, const struct road_nearest_query *query, struct road_match *ret_match)
{
    struct search search = {.nearest = nearest,
        .query = query,
        .scale = scale_at(nearest->network, query->point.lat),
        .best_m2 = query->max_distance_m * query->max_distance_m};
    if (!isfinite(query->point.lon) || !isfinite(query->point.lat))
        return false;
    descend(&search, nearest->n_levels - 1, 0);
    if (!search.is_found)
        return false;
    *ret_match = match_at(nearest, search.edge, search.point, search.share, sqrt(search.best_m2));
    return true;
}

/* ---- all around ---- */

struct near_edge {
    double distance_m2, share;
    uint32_t edge, point;
};

struct around {
    struct search search;                    /* best_m2: the bound; once `edges` is full the farthest of it */
    struct near_edge edges[ROAD_AROUND_MAX]; /* nearest first */
    uint32_t n, max;
};

static bool is_nearer(const struct near_edge *a, const struct near_edge *b)
{
    return a->distance_m2 != b->distance_m2 ? a->distance_m2 < b->distance_m2 : a->edge < b->edge;
}

static void keep(struct around *around, struct near_edge found)
{
    uint32_t at = 0;
    while (at < around->n && around->edges[at].edge != found.edge)
        at++;
    if (at < around->n && !is_nearer(&found, &around->edges[at]))
        return;
    if (at == around->n && around->n == around->max && !is_nearer(&found, &around->edges[--at]))
        return;
    if (at == around->n)
        around->n++;
    for (; at > 0 && is_nearer(&found, &around->edges[at - 1]); at--)
        around->edges[at] = around->edges[at - 1];
    around->edges[at] = found;
    if (around->n == around->max)
        around->search.best_m2 = around->edges[around->n - 1].distance_m2;
}

static void descend_around(struct around *around, uint32_t level, uint32_t at)
{
    struct search *search = &around->search;
    const struct road_nearest *nearest = search->nearest;
    uint32_t n_below = level == 0 ? nearest->n_segments : nearest->n_boxes[level - 1];
    uint32_t first = at * FANOUT, last = first + FANOUT < n_below ? first + FANOUT : n_below;
    for (uint32_t i = first; i < last; i++) {
        if (level > 0) {
            if (box_distance_m2(search, &nearest->boxes[level - 1][i]) <= search->best_m2)
                descend_around(around, level - 1, i);
            continue;
        }
        double bound_m2 = search->best_m2;
        search->is_found = false;
        try_segment(search, nearest->segments[i]);
        struct near_edge found = {search->best_m2, search->share, search->edge, search->point};
        search->best_m2 = bound_m2;
        if (search->is_found)
            keep(around, found);
    }
}

uint32_t road_nearest_around(
    const struct road_nearest *nearest, const struct road_nearest_query *query, struct road_match *ret_matches, uint32_t max)
{
    struct around around = {.search = {.nearest = nearest,
                                .query = query,
                                .scale = scale_at(nearest->network, query->point.lat),
                                .best_m2 = query->max_distance_m * query->max_distance_m},
        .max = max < ROAD_AROUND_MAX ? max : ROAD_AROUND_MAX};
    if (!isfinite(query->point.lon) || !isfinite(query->point.lat) || max == 0)
        return 0;
    descend_around(&around, nearest->n_levels - 1, 0);
    for (uint32_t i = 0; i < around.n; i++)
        ret_matches[i] =
            match_at(nearest, around.edges[i].edge, around.edges[i].point, around.edges[i].share, sqrt(around.edges[i].distance_m2));
    return around.n;
}
