/*
 * How fast ways are found: route_load NETWORK.net.xml prints
 *
 *     route_prepare_ms        the map's own part, made once (order, contraction)
 *     route_customise_ms      live travel times taken over as a whole: the median of N_CUSTOMISE, each with other times
 *     route_query_us          one way's time, between edges drawn by chance
 *     route_path_us           the same with its edges and length
 *     route_all_us            the times to every edge
 *     route_memory_mb         the hierarchy and one router
 *     route_dijkstra_us       what a search without a hierarchy takes for the same questions, and whether it says the same
 *
 * On one thread. Of questions that take microseconds the mean of a batch is taken, and the median of N_BATCHES of them. Every query of the
 * first N_CHECKED is checked against Dijkstra's search; one difference fails the run.
 */
#include "base/clock.h"
#include "road/route.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#define N_CUSTOMISE 101
#define N_BATCHES 201
#define N_QUERY 100 /* in a batch */
#define N_ALL 10
#define N_CHECKED 200
#define SEED 20261122u

static uint64_t state = SEED;

static uint32_t draw(uint32_t n)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((state >> 33) % n);
}

static double used_mb(void) /* large blocks have mappings of their own */
{
    struct mallinfo2 info = mallinfo2();
    return (double)(info.uordblks + info.hblkhd) / 1e6;
}

static double now_us(void)
{
    return (double)clock_mono(clock_system()).ns / 1000;
}

static int compare(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

struct wanted {
    uint32_t edge;
    double time_s;
};

static bool until_wanted(void *context, uint32_t edge, double time_s)
{
    struct wanted *wanted = context;
    if (edge != wanted->edge || wanted->time_s >= 0)
        return wanted->time_s < 0;
    wanted->time_s = time_s;
    return false;
}

/* Times as a morning has them: some roads at their limit, some at walking pace. */
static void vary(const struct road_network *network, float *edge_s)
{
    for (uint32_t e = 0; e < network->n_edges; e++)
        edge_s[e] = (float)(road_edge_free_flow_s(&network->edges[e]) * (1 + draw(900) / 100.0 * (draw(4) == 0)));
}

static int check(struct road_router *router, const struct road_network *network)
{
    double started = now_us();
    int n_wrong = 0;
    for (int i = 0; i < N_CHECKED; i++) {
        uint32_t from = draw(network->n_edges), to = draw(network->n_edges);
        struct wanted wanted = {to, -1};
        const struct road_limits limits = {1e9, UINT32_MAX};
        road_route_each(router, from, &limits, until_wanted, &wanted);
        uint32_t ms = road_route_ms(router, from, to);
        if (wanted.time_s < 0 ? ms < ROAD_ROUTE_MAX_MS : ms != (uint32_t)(wanted.time_s * 1000 + 0.5))
            n_wrong++;
    }
    printf("route_dijkstra_us %.1f us\n", (now_us() - started) / N_CHECKED);
    return n_wrong;
}

enum question { QUESTION_TIME, QUESTION_WAY, QUESTION_ALL };

static uint64_t ask(struct road_router *router, enum question question, uint32_t n_edges, uint32_t *all_ms)
{
    const struct road_limits limits = {1e9, 0};
    struct road_route route;
    uint32_t from = draw(n_edges), to = draw(n_edges);
    if (question == QUESTION_TIME)
        return road_route_ms(router, from, to);
    if (question == QUESTION_WAY)
        return road_route_find(router, from, to, &limits, &route) == ERR_OK ? route.n_edges : 0;
    road_route_all_ms(router, from, all_ms);
    return all_ms[to];
}

static void measure(const char *name, struct road_router *router, enum question question, uint32_t n_edges, uint32_t *all_ms)
{
    double took_us[N_BATCHES];
    uint64_t sum = 0; /* so that nothing is left out */
    int n = question == QUESTION_ALL ? N_ALL : N_QUERY;
    for (int i = 0; i < N_BATCHES; i++) {
        double started = now_us();
        for (int k = 0; k < n; k++)
            sum += ask(router, question, n_edges, all_ms);
        took_us[i] = (now_us() - started) / n;
    }
    qsort(took_us, N_BATCHES, sizeof(*took_us), compare);
    printf("%s %.2f us\n", name, took_us[N_BATCHES / 2]);
    fprintf(stderr, "%s: %.2f to %.2f, sum %" PRIu64 "\n", name, took_us[0], took_us[N_BATCHES - 1], sum);
}

int main(int argc, char **argv)
{
    struct diag diag = {""};
    struct road_network *network = NULL;
    if (argc != 2 || road_network_load(argv[1], &diag, &network) != ERR_OK) {
        fprintf(stderr, "route_load: %s\n", argc == 2 ? diag.text : "give a network");
        return 2;
    }
    struct road_hierarchy *hierarchy = NULL;
    struct road_router *router = NULL;
    double before = used_mb(), started = now_us();
    if (road_hierarchy_create(network, &hierarchy) != ERR_OK)
        return 2;
    printf("route_prepare_ms %.1f ms\n", (now_us() - started) / 1000);
    float *edge_s = malloc(network->n_edges * sizeof(*edge_s));
    uint32_t *all_ms = malloc(network->n_edges * sizeof(*all_ms));
    if (road_router_create_on(hierarchy, &router) != ERR_OK || edge_s == NULL || all_ms == NULL)
        return 2;
    printf("route_memory_mb %.1f MB\n", used_mb() - before);
    uint64_t n_triangles = 0;
    for (uint32_t i = 0; i < hierarchy->up.n; i++)
        n_triangles += hierarchy->up.belows[i].last - hierarchy->up.belows[i].first;
    for (uint32_t i = 0; i < hierarchy->down.n; i++)
        n_triangles += hierarchy->down.belows[i].last - hierarchy->down.belows[i].first;
    fprintf(stderr, "%u edges, %u junctions, %u turns; %u arcs up, %u down, %" PRIu64 " triangles\n", network->n_edges,
        network->n_junctions, hierarchy->n_turns, hierarchy->up.n, hierarchy->down.n, n_triangles);
    double took_ms[N_CUSTOMISE];
    for (int i = 0; i < N_CUSTOMISE; i++) {
        vary(network, edge_s);
        started = now_us();
        road_router_set_times(router, edge_s);
        took_ms[i] = (now_us() - started) / 1000;
    }
    qsort(took_ms, N_CUSTOMISE, sizeof(*took_ms), compare);
    printf("route_customise_ms %.3f ms\n", took_ms[N_CUSTOMISE / 2]);
    measure("route_query_us", router, QUESTION_TIME, network->n_edges, all_ms);
    measure("route_path_us", router, QUESTION_WAY, network->n_edges, all_ms);
    measure("route_all_us", router, QUESTION_ALL, network->n_edges, all_ms);
    int n_wrong = check(router, network);
    if (n_wrong > 0)
        fprintf(stderr, "route_load: %d of %d answers are not Dijkstra's\n", n_wrong, N_CHECKED);
    free(edge_s);
    free(all_ms);
    road_router_destroy(router);
    road_hierarchy_destroy(hierarchy);
    road_network_destroy(network);
    return n_wrong > 0;
}
