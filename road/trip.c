/* Trips between places; see trip.h. */
#include "road/trip.h"

#include "base/json.h"

#include <math.h>

#define RADIANS (M_PI / 180)

struct road_stop road_stop_at_end(const struct road_network *network, uint32_t edge)
{
    return (struct road_stop){{{edge, network->edges[edge].length_m}}, 1};
}

bool road_stop_near(
    const struct road_network *network, const struct road_nearest *nearest, struct road_point point, struct road_stop *ret_stop)
{
    struct road_nearest_query query = {.point = point, .max_distance_m = ROAD_STOP_REACH_M, .cars_only = true};
    struct road_match match, other;
    if (!road_nearest_find(nearest, &query, &match))
        return false;
    *ret_stop = (struct road_stop){{{match.edge, match.offset_m}}, 1};
    query.has_heading = true;
    query.heading = match.heading + 180;
    query.heading_tolerance = 30;
    query.max_distance_m = match.distance_m + ROAD_STOP_BESIDE_M;
    if (road_nearest_find(nearest, &query, &other) && network->edges[other.edge].from == network->edges[match.edge].to &&
        network->edges[other.edge].to == network->edges[match.edge].from) {
        ret_stop->sides[1].edge = other.edge;
        ret_stop->sides[1].offset_m = other.offset_m;
        ret_stop->n_sides = 2;
    }
    return true;
}

const char *road_stop_parse(
    const struct road_network *network, const struct road_nearest *nearest, struct str text, struct road_stop *ret_stop)
{
    uint32_t edge = road_edge_find(network, text);
    if (edge != ROAD_NONE) {
        *ret_stop = road_stop_at_end(network, edge);
        return NULL;
    }
    struct str x, y;
    struct road_point point;
    if (!str_cut(text, ',', &x, &y) || str_to_double(str_trim(x), &point.lon) != ERR_OK || str_to_double(str_trim(y), &point.lat) != ERR_OK)
        return "is neither an edge of the network nor a place like 120.153,30.287";
    if (road_stop_near(network, nearest, point, ret_stop))
        return NULL;
    struct road_stop other;
    struct road_point turned = {point.lat, point.lon};
    return road_stop_near(network, nearest, turned, &other)
               ? "is farther than 500 m from every road for cars, and LAT,LON swapped it is not; give LON,LAT"
               : "is farther than 500 m from every road for cars";
}

struct side {
    uint32_t edge;
    double share; /* of the edge, that lies before the place */
};

static struct side side_of(const struct road_network *network, const struct road_stop *stop, uint32_t i)
{
    double length_m = network->edges[stop->sides[i].edge].length_m;
    return (struct side){stop->sides[i].edge, fmin(fmax(stop->sides[i].offset_m / length_m, 0), 1)};
}

static bool is_on_the_way(struct side from, struct side to)
{
    return from.edge == to.edge && from.share <= to.share;
}

static double trip_ms(struct road_router *router, struct side from, struct side to)
{
    double from_ms = road_router_edge_ms(router, from.edge), to_ms = road_router_edge_ms(router, to.edge);
    if (from.share < 1 && from_ms >= ROAD_ROUTE_MAX_MS && !(is_on_the_way(from, to) && from.share >= to.share))
        return INFINITY;
    if (is_on_the_way(from, to))
        return (to.share - from.share) * from_ms;
    uint32_t way_ms = road_route_ms(router, from.edge, to.edge);
    return way_ms >= ROAD_ROUTE_MAX_MS ? INFINITY : (1 - from.share) * from_ms + way_ms - (1 - to.share) * to_ms;
}

enum err road_trip_find(struct road_router *router, const struct road_stop *from, const struct road_stop *to, struct road_trip *ret_trip)
{
    const struct road_network *network = road_router_network(router);
    struct side first = {0, 0}, last = {0, 0};
    double best_ms = INFINITY;
    for (uint32_t i = 0; i < from->n_sides; i++)
        for (uint32_t k = 0; k < to->n_sides; k++) {
            struct side a = side_of(network, from, i), b = side_of(network, to, k);
            double ms = trip_ms(router, a, b);
            if (ms >= best_ms)
                continue;
            best_ms = ms;
            first = a;
            last = b;
        }
    if (isinf(best_ms))
        return ERR_NOT_FOUND;
    double first_m = network->edges[first.edge].length_m, last_m = network->edges[last.edge].length_m;
    struct road_trip trip = {
        .time_s = best_ms / 1000, .first_edge = first.edge, .from_m = first.share * first_m, .to_m = last.share * last_m};
    if (is_on_the_way(first, last))
        trip.length_m = trip.to_m - trip.from_m;
    else {
        const struct road_limits limits = {INFINITY, 0};
        struct road_route route;
        enum err err = road_route_find(router, first.edge, last.edge, &limits, &route);
        if (err != ERR_OK)
            return err;
        trip.edges = route.edges;
        trip.n_edges = route.n_edges;
        trip.length_m = first_m - trip.from_m + route.length_m - (last_m - trip.to_m);
    }
    *ret_trip = trip;
    return ERR_OK;
}

/* ---- as GeoJSON ---- */

static void put_point(struct json_writer *w, const struct road_network *network, struct road_point point)
{
    int decimals = network->is_geographic ? 6 : 2;
    json_begin_array(w);
    json_put_fixed(w, point.lon, decimals);
    json_put_fixed(w, point.lat, decimals);
    json_end_array(w);
}

static double step_length(const struct road_network *network, uint32_t at)
{
    struct road_point a = network->points[at], b = network->points[at + 1];
    double east = (b.lon - a.lon) * (network->is_geographic ? cos((a.lat + b.lat) / 2 * RADIANS) : 1);
    return hypot(east, b.lat - a.lat);
}

/* The part of the edge's shape between two shares of its length: both ends, and the bends between. */
static void put_part(struct json_writer *w, const struct road_network *network, uint32_t number, double from, double to)
{
    const struct road_edge *edge = &network->edges[number];
    double total = 0, done = 0;
    for (uint32_t i = edge->first_point; i + 1 < edge->first_point + edge->n_points; i++)
        total += step_length(network, i);
    bool is_begun = false;
    for (uint32_t i = edge->first_point; i + 1 < edge->first_point + edge->n_points; i++) {
        struct road_point a = network->points[i], b = network->points[i + 1];
        double step = total > 0 ? step_length(network, i) / total : 0;
        double share = step > 0 ? fmin(fmax((from - done) / step, 0), 1) : 0;
        if (!is_begun && done + step >= from) {
            put_point(w, network, (struct road_point){a.lon + share * (b.lon - a.lon), a.lat + share * (b.lat - a.lat)});
            is_begun = true;
        }
        share = step > 0 ? fmin(fmax((to - done) / step, 0), 1) : 1;
        if (is_begun)
            put_point(w, network, (struct road_point){a.lon + share * (b.lon - a.lon), a.lat + share * (b.lat - a.lat)});
        done += step;
        if (is_begun && done >= to)
            return;
    }
}

void road_trip_write(const struct road_network *network, const struct road_trip *trip, struct buf *out)
{
    struct json_writer w;
    json_writer_init(&w, out);
    json_begin_object(&w);
    json_field_c(&w, "type", "Feature");
    json_key(&w, "properties");
    json_begin_object(&w);
    json_key(&w, "seconds");
    json_put_fixed(&w, trip->time_s, 3);
    json_key(&w, "length_m");
    json_put_fixed(&w, trip->length_m, 1);
    json_key(&w, "edges");
    json_begin_array(&w);
    json_put_str(&w, network->edges[trip->first_edge].id);
    for (uint32_t i = 0; i < trip->n_edges; i++)
        json_put_str(&w, network->edges[trip->edges[i]].id);
    json_end_array(&w);
    json_end_object(&w);
    json_key(&w, "geometry");
    json_begin_object(&w);
    json_field_c(&w, "type", "LineString");
    json_key(&w, "coordinates");
    json_begin_array(&w);
    double to_share = trip->to_m / network->edges[trip->n_edges > 0 ? trip->edges[trip->n_edges - 1] : trip->first_edge].length_m;
    double from_share = trip->from_m / network->edges[trip->first_edge].length_m;
    if (trip->n_edges == 0 || from_share < 1) /* who begins at an edge's end has nothing of it */
        put_part(&w, network, trip->first_edge, from_share, trip->n_edges > 0 ? 1 : to_share);
    for (uint32_t i = 0; i < trip->n_edges; i++)
        put_part(&w, network, trip->edges[i], 0, i + 1 < trip->n_edges ? 1 : to_share);
    json_end_array(&w);
    json_end_object(&w);
    json_end_object(&w);
}
