/*
 * A made town with made traffic, for tests of what is learned: TOWN_SIDE x TOWN_SIDE junctions on a grid, every street 300 m both ways at
 * 15 m/s, a camera on all approaches of the junctions that the seed draws. Vehicles depart evenly over time and drive the fastest way
 * between two random edges, each at 0.75 to 1.15 of the limit, and wait up to 30 s at half of the junctions. The same seed makes the same
 * traffic.
 */
#ifndef SCENE_COUNT_TRAFFIC_TESTING_H
#define SCENE_COUNT_TRAFFIC_TESTING_H

#include "base/mem.h"
#include "road/route.h"
#include "scene/count/city_testing.h"

#include <stdlib.h>
#include <string.h>

#define TOWN_SIDE 10
#define TOWN_EDGE_M 300
#define TOWN_EDGES (4 * TOWN_SIDE * (TOWN_SIDE - 1))
#define TOWN_NONE UINT32_MAX
#define TOWN_MOMENT_MS 300000 /* the truth of each edge is kept so often ... */
#define TOWN_MOMENTS 8        /* ... and so many times, from 0 on */

struct town_passage {
    int64_t time_ms, arrived_ms; /* the true time; what is wrong with it is the test's business */
    uint32_t edge, trip;         /* of the network; the vehicle, from 0 */
    uint64_t vehicle;
};

struct town {
    struct road_network *network;
    struct count_map map;
    uint16_t edge_areas[TOWN_EDGES];
    int32_t parents[1];
    bool has_camera[TOWN_EDGES];   /* by the network's number */
    struct town_passage *passages; /* by time of arrival */
    size_t n_passages, cap_passages;
    int64_t *departs_ms, *ends_ms; /* [n_trips] */
    uint16_t on_edges[TOWN_MOMENTS][TOWN_EDGES];
    uint32_t n_trips;
    uint64_t seed;
};

struct town_options {
    double coverage; /* share of the junctions with cameras */
    double recall;
    uint32_t n_trips;
    int64_t for_ms;    /* the last one departs then */
    uint32_t n_cloned; /* so many pairs of vehicles have one plate: 2i and 2i + 1 */
    double misread;    /* share of passages with a plate that nobody has */
};

static inline double town_random(struct town *town)
{
    return (double)(random_next(&town->seed) % 1000000) / 1000000;
}

static inline void town_write(struct buf *text)
{
    buf_append_c(text, "<net>");
    for (int pass = 0; pass < 3; pass++)
        for (int y = 0; y < TOWN_SIDE; y++)
            for (int x = 0; x < TOWN_SIDE; x++) {
                static const int dx[] = {1, 0, -1, 0}, dy[] = {0, 1, 0, -1};
                if (pass == 1)
                    buf_printf(
                        text, "<junction id=\"%d-%d\" type=\"traffic_light\" x=\"%d\" y=\"%d\"/>", x, y, x * TOWN_EDGE_M, y * TOWN_EDGE_M);
                for (int d = 0; d < 4 && pass != 1; d++) {
                    int tx = x + dx[d], ty = y + dy[d];
                    if (tx < 0 || ty < 0 || tx >= TOWN_SIDE || ty >= TOWN_SIDE)
                        continue;
                    if (pass == 0)
                        buf_printf(text,
                            "<edge id=\"%d-%d-%d\" from=\"%d-%d\" to=\"%d-%d\"><lane id=\"%d-%d-%d_0\" index=\"0\" speed=\"15\" "
                            "length=\"%d\" "
                            "shape=\"%d,%d %d,%d\"/></edge>",
                            x, y, d, x, y, tx, ty, x, y, d, TOWN_EDGE_M, x * TOWN_EDGE_M, y * TOWN_EDGE_M, tx * TOWN_EDGE_M,
                            ty * TOWN_EDGE_M);
                    for (int e = 0; e < 4 && pass == 2; e++) { /* everywhere but back */
                        int fx = tx + dx[e], fy = ty + dy[e];
                        if (e != (d + 2) % 4 && fx >= 0 && fy >= 0 && fx < TOWN_SIDE && fy < TOWN_SIDE)
                            buf_printf(
                                text, "<connection from=\"%d-%d-%d\" to=\"%d-%d-%d\" fromLane=\"0\" toLane=\"0\"/>", x, y, d, tx, ty, e);
                    }
                }
            }
    buf_append_c(text, "</net>");
}

static inline void town_add(struct town *town, const struct town_passage *passage)
{
    if (town->n_passages == town->cap_passages) {
        town->cap_passages = town->cap_passages == 0 ? 4096 : town->cap_passages * 2;
        town->passages = mem_resize(town->passages, town->cap_passages * sizeof(*town->passages));
        assert_non_null(town->passages);
    }
    town->passages[town->n_passages++] = *passage;
}

static inline void town_drive(struct town *town, struct road_router *router, const struct town_options *options, uint32_t trip)
{
    uint32_t from = (uint32_t)(town_random(town) * TOWN_EDGES), to = (uint32_t)(town_random(town) * TOWN_EDGES);
    double t_s = town_random(town) * (double)options->for_ms / 1000, pace = 1 / (0.75 + 0.4 * town_random(town));
    struct road_limits limits = {3600, 1u << 20};
    struct road_route route;
    town->departs_ms[trip] = town->ends_ms[trip] = (int64_t)(t_s * 1000);
    if (from == to || road_route_find(router, from, to, &limits, &route) != ERR_OK)
        return;
    uint64_t vehicle = trip / 2 < options->n_cloned ? trip / 2 * 2 + 1 : trip + 1;
    for (uint32_t i = 0; i < route.n_edges; i++) {
        double entered_s = t_s;
        t_s += TOWN_EDGE_M / 15.0 * pace + (town_random(town) < 0.5 ? town_random(town) * 30 : 0);
        for (int m = 0; m < TOWN_MOMENTS; m++)
            town->on_edges[m][route.edges[i]] += entered_s * 1000 <= m * TOWN_MOMENT_MS && m * TOWN_MOMENT_MS < t_s * 1000;
        bool is_read = town_random(town) < options->recall, is_misread = town_random(town) < options->misread;
        double delay_s = -0.3 * log(town_random(town) + 1e-9);
        if (!town->has_camera[route.edges[i]] || !is_read)
            continue;
        int64_t time_ms = (int64_t)(t_s * 1000);
        struct town_passage passage = {time_ms, time_ms + (int64_t)(delay_s * 1000), route.edges[i], trip,
            (is_misread ? (uint64_t)1 << 40 | random_next(&town->seed) : vehicle) * 0x9E3779B97F4A7C15u};
        town_add(town, &passage);
    }
    town->ends_ms[trip] = (int64_t)(t_s * 1000);
}

static inline int town_by_arrival(const void *a, const void *b)
{
    const struct town_passage *x = a, *y = b;
    if (x->arrived_ms != y->arrived_ms)
        return x->arrived_ms > y->arrived_ms ? 1 : -1;
    return (x->trip > y->trip) - (x->trip < y->trip);
}

static inline void town_make(struct town *town, const struct town_options *options, uint64_t seed)
{
    memset(town, 0, sizeof(*town));
    town->seed = seed * 0x9E3779B97F4A7C15u | 1;
    struct buf text;
    buf_init(&text, 1u << 20);
    town_write(&text);
    struct diag diag = {""};
    if (road_network_parse(buf_str(&text), "town.net.xml", &diag, &town->network) != ERR_OK)
        fail_msg("%s", diag.text);
    buf_finish(&text);
    assert_int_equal(town->network->n_edges, TOWN_EDGES);
    town->parents[0] = -1;
    town->map = (struct count_map){town->network, town->edge_areas, town->parents, 1};
    bool is_watched[TOWN_SIDE * TOWN_SIDE];
    for (int i = 0; i < TOWN_SIDE * TOWN_SIDE; i++)
        is_watched[i] = town_random(town) < options->coverage;
    for (int y = 0; y < TOWN_SIDE; y++)
        for (int x = 0; x < TOWN_SIDE; x++)
            for (int d = 0; d < 4; d++) {
                static const int dx[] = {1, 0, -1, 0}, dy[] = {0, 1, 0, -1};
                char id[24];
                snprintf(id, sizeof(id), "%d-%d-%d", x, y, d);
                uint32_t edge = road_edge_find(town->network, str_from_c(id));
                if (edge != ROAD_NONE)
                    town->has_camera[edge] = is_watched[(y + dy[d]) * TOWN_SIDE + x + dx[d]];
            }
    town->n_trips = options->n_trips;
    town->departs_ms = mem_alloc_zero(options->n_trips, sizeof(*town->departs_ms));
    town->ends_ms = mem_alloc_zero(options->n_trips, sizeof(*town->ends_ms));
    struct road_router *router = NULL;
    assert_ok(road_router_create(town->network, &router));
    for (uint32_t i = 0; i < options->n_trips; i++)
        town_drive(town, router, options, i);
    road_router_destroy(router);
    qsort(town->passages, town->n_passages, sizeof(*town->passages), town_by_arrival);
}

static inline void town_finish(struct town *town)
{
    mem_free(town->passages);
    mem_free(town->departs_ms);
    mem_free(town->ends_ms);
    road_network_destroy(town->network);
}

/* True vehicles on the road. */
static inline uint32_t town_running(const struct town *town, int64_t now_ms)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < town->n_trips; i++)
        n += town->departs_ms[i] <= now_ms && now_ms < town->ends_ms[i];
    return n;
}

#endif
