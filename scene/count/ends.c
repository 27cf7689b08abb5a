/* A car wanders over the network; see ends.h. */
#include "scene/count/ends.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

#define SWEEPS_MAX 200    /* a wanderer without a camera within 200 edges is far enough */
#define SETTLED 0.001     /* share by which the mean changes in a sweep at the end */
#define FAR_S 3600.0      /* where no camera is ever met ... */
#define FAR_WAITS 50.0    /* ... and signals there */
#define SIGNAL_S 11.25    /* a mean wait: red for 45 s of 90, 45^2 / (2 * 90) */
#define TRIP_MOST_S 900.0 /* trips of a large city are not from any place to any */
#define FAR 1.15          /* of any two places: the mean distance along one axis, over the standard deviation of all */
#define DEGREE_M 111320.0
#define LEAST 0.2 /* a ratio outside of these says that the network is no city's */
#define MOST 4.0

static bool is_way(const struct road_network *network, const struct road_connection *connection)
{
    /* A U-turn is taken by who has no other way. */
    return connection->is_for_cars && (connection->direction != 't' || network->edges[connection->from].n_out == 1);
}

/* What is summed along the way: seconds of free flow, or signals, each at its edge's end. */
struct wander {
    const struct road_network *network;
    const uint8_t *has_camera;
    bool is_of_waits, has_signals; /* where a network has none, every junction counts */
    double most;
    double *sums; /* [n_edges] from the edge's beginning to the end of the first one with a camera */
};

static double cost_of(const struct wander *wander, uint32_t edge)
{
    const struct road_network *network = wander->network;
    if (!wander->is_of_waits)
        return road_edge_free_flow_s(&network->edges[edge]);
    return !wander->has_signals || network->junctions[network->edges[edge].to].has_signal ? 1 : 0;
}

/* Mean over the ways on from `edge` of the crossing and the sum behind it; 0 where there is none. */
static double onward(const struct wander *wander, uint32_t edge)
{
    const struct road_edge *from = &wander->network->edges[edge];
    double sum = 0, n = 0;
    for (uint32_t i = 0; i < from->n_out; i++) {
        const struct road_connection *connection = &wander->network->connections[from->first_out + i];
        if (!is_way(wander->network, connection))
            continue;
        sum += (wander->is_of_waits ? 0 : (double)connection->crossing_s) + wander->sums[connection->to];
        n++;
    }
    return n > 0 ? sum / n : 0;
}

static double mean_of(const struct wander *wander)
{
    double sum = 0, n = 0;
    for (uint32_t e = 0; e < wander->network->n_edges; e++)
        if (wander->network->edges[e].n_car_lanes > 0) {
            sum += wander->sums[e];
            n++;
        }
    return n > 0 ? sum / n : 0;
}

/* Means: from anywhere to the first camera, its own wait included; and between two. 0 without a camera. */
static void walk(const struct wander *wander, double *ret_before, double *ret_between)
{
    const struct road_network *network = wander->network;
    double mean = 0, before, between = 0, n = 0;
    int sweep = 0;
    memset(wander->sums, 0, network->n_edges * sizeof(*wander->sums));
    do {
        before = mean;
        for (uint32_t e = network->n_edges; e-- > 0;)
            wander->sums[e] = fmin(cost_of(wander, e) + (wander->has_camera[e] ? 0 : onward(wander, e)), wander->most);
        mean = mean_of(wander);
    } while (fabs(mean - before) > SETTLED * mean && ++sweep < SWEEPS_MAX);
    for (uint32_t e = 0; e < network->n_edges; e++)
        if (wander->has_camera[e]) {
            between += onward(wander, e);
            n++;
        }
    *ret_before = mean;
    *ret_between = n > 0 ? between / n : 0;
}

/* Of a camera's own edge, in the mean. */
static double own_cost(const struct wander *wander)
{
    double sum = 0, n = 0;
    for (uint32_t e = 0; e < wander->network->n_edges; e++)
        if (wander->has_camera[e]) {
            sum += cost_of(wander, e);
            n++;
        }
    return n > 0 ? sum / n : 0;
}

/* Seconds between any two places, along the axes, waits included. */
static double trip_of(const struct road_network *network)
{
    double n = 0, x_m = 0, y_m = 0, xx = 0, yy = 0, length_m = 0, free_s = 0, n_signals = 0;
    for (uint32_t e = 0; e < network->n_edges; e++) {
        const struct road_edge *edge = &network->edges[e];
        if (edge->n_car_lanes == 0)
            continue;
        struct road_point at = road_edge_middle(network, e);
        double unit_m = network->is_geographic ? DEGREE_M : 1, narrow = network->is_geographic ? cos(at.lat * M_PI / 180) : 1;
        double x = (at.lon - network->low.lon) * unit_m * narrow, y = (at.lat - network->low.lat) * unit_m;
        x_m += x;
        y_m += y;
        xx += x * x;
        yy += y * y;
        length_m += edge->length_m;
        free_s += road_edge_free_flow_s(edge);
        n_signals += network->junctions[edge->to].has_signal;
        n++;
    }
    if (length_m <= 0)
        return TRIP_MOST_S;
    double far_m = FAR * (sqrt(fmax(xx / n - x_m / n * (x_m / n), 0)) + sqrt(fmax(yy / n - y_m / n * (y_m / n), 0)));
    return fmin(far_m / length_m * (free_s + SIGNAL_S * n_signals), TRIP_MOST_S);
}

enum err count_ends_learn(const struct road_network *network, const uint8_t *has_camera, struct count_ends *ret_ends)
{
    struct wander wander = {.network = network, .has_camera = has_camera, .most = FAR_S};
    struct count_ends ends = COUNT_ENDS_UNKNOWN;
    double before, between;
    wander.sums = mem_alloc_zero(network->n_edges, sizeof(*wander.sums));
    if (wander.sums == NULL)
        return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < network->n_junctions && !wander.has_signals; i++)
        wander.has_signals = network->junctions[i].has_signal;
    walk(&wander, &before, &between);
    bool has_cameras = between > 0;
    if (has_cameras) {
        ends.before = fmin(fmax(before / between, LEAST), MOST);
        ends.after = fmin(fmax((before - own_cost(&wander)) / between, 0), MOST);
        ends.way_s = between;
        ends.trip_s = trip_of(network);
    }
    wander.is_of_waits = true;
    wander.most = FAR_WAITS;
    walk(&wander, &before, &between);
    if (has_cameras && between > 0) {
        ends.waits_after = fmin(fmax((before - own_cost(&wander)) / between, 0), MOST);
        ends.waits = fmax(between, 1);
        ends.way_s += wander.has_signals ? SIGNAL_S * between : 0;
    }
    /* Whoever does not meet a second camera in half a trip meets none. */
    ends.way_s = fmin(ends.way_s, ends.trip_s / 2);
    mem_free(wander.sums);
    *ret_ends = ends;
    return ERR_OK;
}
