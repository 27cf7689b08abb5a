/* A car wanders over the network; see ends.h. */
#include "scene/count/ends.h"

#include "base/mem.h"

#include <math.h>

#define SWEEPS_MAX 200 /* a wanderer without a camera within 200 edges is far enough */
#define SETTLED 0.001  /* share by which the mean changes in a sweep at the end */
#define FAR_S 3600.0   /* where no camera is ever met */
#define LEAST 0.2      /* a ratio outside of these says that the network is no city's */
#define MOST 4.0

static bool is_way(const struct road_network *network, const struct road_connection *connection)
{
    /* A U-turn is taken by who has no other way. */
    return connection->is_for_cars && (connection->direction != 't' || network->edges[connection->from].n_out == 1);
}

static double seconds_of(const struct road_network *network, uint32_t edge)
{
    return road_edge_free_flow_s(&network->edges[edge]);
}

/* Mean over the ways on from `edge` of the crossing and what `times` says of the edge behind it; 0 where there is none. */
static double onward_s(const struct road_network *network, uint32_t edge, const double *times)
{
    const struct road_edge *from = &network->edges[edge];
    double sum = 0, n = 0;
    for (uint32_t i = 0; i < from->n_out; i++) {
        const struct road_connection *connection = &network->connections[from->first_out + i];
        if (!is_way(network, connection))
            continue;
        sum += (double)connection->crossing_s + times[connection->to];
        n++;
    }
    return n > 0 ? sum / n : 0;
}

static double mean_of(const struct road_network *network, const double *times)
{
    double sum = 0, n = 0;
    for (uint32_t e = 0; e < network->n_edges; e++)
        if (network->edges[e].n_car_lanes > 0) {
            sum += times[e];
            n++;
        }
    return n > 0 ? sum / n : 0;
}

/* `times`: from the beginning of each edge to the end of the first one with a camera. */
static double walk_before(const struct road_network *network, const uint8_t *has_camera, double *times)
{
    double mean = 0, before;
    int sweep = 0;
    do {
        before = mean;
        for (uint32_t e = network->n_edges; e-- > 0;)
            times[e] = fmin(seconds_of(network, e) + (has_camera[e] ? 0 : onward_s(network, e, times)), FAR_S);
        mean = mean_of(network, times);
    } while (fabs(mean - before) > SETTLED * mean && ++sweep < SWEEPS_MAX);
    return mean;
}

enum err count_ends_before(const struct road_network *network, const uint8_t *has_camera, double *ret_before)
{
    double *times = mem_alloc_zero(network->n_edges, sizeof(*times));
    if (times == NULL)
        return ERR_NO_MEMORY;
    double before_s = walk_before(network, has_camera, times), between_s = 0, n = 0;
    for (uint32_t e = 0; e < network->n_edges; e++)
        if (has_camera[e]) {
            between_s += onward_s(network, e, times);
            n++;
        }
    mem_free(times);
    *ret_before = between_s > 0 ? fmin(fmax(before_s / (between_s / n), LEAST), MOST) : 1;
    return ERR_OK;
}
