/* Ways: a small network by hand, and random ones against relaxing every connection until nothing changes. */
#include "road/route.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/test.h"
#include "road/test_net.h"

#include <math.h>
#include <time.h>

static const struct road_limits wide = {1e9, 1u << 30};

static struct road_network *parse(struct str text)
{
    struct road_network *network = NULL;
    struct diag diag = {""};
    if (road_network_parse(text, "test.net.xml", &diag, &network) != ERR_OK)
        fail_msg("%s", diag.text);
    return network;
}

static uint32_t find(const struct road_network *network, const char *id)
{
    return road_edge_find(network, str_from_c(id));
}

/* Times of test_net.h: 490 m at 14 m/s are 35 s, at 10 m/s 49 s; crossings 20 m in 2 s and 15 m in 2.5 s. */
static void ways_of_the_small_network(void **state)
{
    struct road_network *network = parse(STR(NET_HEAD NET_FLAT NET_BODY NET_TAIL));
    struct road_router *router = NULL;
    assert_ok(road_router_create(network, &router));
    struct road_route route;
    assert_ok(road_route_find(router, find(network, "AB"), find(network, "BC"), &wide, &route));
    assert_true(fabs(route.time_s - 37) < 1e-6 && fabs(route.length_m - 510) < 1e-4);
    assert_int_equal(route.n_edges, 1);
    assert_ok(road_route_find(router, find(network, "AB"), find(network, "BD"), &wide, &route));
    assert_true(fabs(route.time_s - 51.5) < 1e-6);
    /* To the end of BA: straight on, turned at C, back. */
    assert_ok(road_route_find(router, find(network, "AB"), find(network, "BA"), &wide, &route));
    assert_true(fabs(route.time_s - (2 + 35 + 35 + 35)) < 1e-6);
    assert_int_equal(route.n_edges, 3);
    assert_int_equal(route.edges[0], find(network, "BC"));
    assert_int_equal(route.edges[1], find(network, "CB"));
    assert_int_equal(route.edges[2], find(network, "BA"));
    /* BA is a dead end here; no way back onto AB. */
    assert_err(road_route_find(router, find(network, "BA"), find(network, "AB"), &wide, &route), ERR_NOT_FOUND);
    assert_err(road_route_find(router, find(network, "AB"), find(network, "AB"), &wide, &route), ERR_NOT_FOUND);
    /* Limits: 107 s just does, less does not; nor do two edges looked at. */
    struct road_limits limits = {107.001, 100};
    assert_ok(road_route_find(router, find(network, "AB"), find(network, "BA"), &limits, &route));
    limits.max_s = 106.9;
    assert_err(road_route_find(router, find(network, "AB"), find(network, "BA"), &limits, &route), ERR_NOT_FOUND);
    limits = (struct road_limits){1e9, 2};
    assert_err(road_route_find(router, find(network, "AB"), find(network, "BA"), &limits, &route), ERR_NOT_FOUND);
    /* Live times instead of free flow. */
    float edge_s[6];
    for (int i = 0; i < 6; i++)
        edge_s[i] = 100;
    road_router_set_times(router, edge_s);
    assert_ok(road_route_find(router, find(network, "AB"), find(network, "BC"), &wide, &route));
    assert_true(fabs(route.time_s - 102) < 1e-4);
    road_router_destroy(router);
    road_network_destroy(network);
}

struct visited {
    uint32_t edges[8];
    double times_s[8];
    int n;
    uint32_t stop_at;
};

static bool visit(void *context, uint32_t edge, double time_s)
{
    struct visited *visited = context;
    visited->edges[visited->n] = edge;
    visited->times_s[visited->n++] = time_s;
    return edge != visited->stop_at;
}

static void each_is_visited_in_order_and_can_stop(void **state)
{
    struct road_network *network = parse(STR(NET_HEAD NET_FLAT NET_BODY NET_TAIL));
    struct road_router *router = NULL;
    assert_ok(road_router_create(network, &router));
    struct visited visited = {.stop_at = ROAD_NONE};
    road_route_each(router, find(network, "AB"), &wide, visit, &visited);
    assert_int_equal(visited.n, 4);
    assert_int_equal(visited.edges[0], find(network, "BC"));
    assert_int_equal(visited.edges[1], find(network, "BD"));
    assert_true(fabs(visited.times_s[1] - 51.5) < 1e-6);
    assert_int_equal(visited.edges[3], find(network, "BA"));
    visited = (struct visited){.stop_at = find(network, "BC")};
    road_route_each(router, find(network, "AB"), &wide, visit, &visited);
    assert_int_equal(visited.n, 2);
    road_router_destroy(router);
    road_network_destroy(network);
}

static uint64_t seed;

static uint32_t random_below(uint32_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)((seed >> 20) % n);
}

/* The times to the end of every edge by relaxing (Bellman, Ford) until nothing changes. */
static void relax(const struct road_network *network, uint32_t from, double *times_s)
{
    for (uint32_t i = 0; i < network->n_edges; i++)
        times_s[i] = INFINITY;
    bool is_changed = true;
    for (bool is_first = true; is_changed; is_first = false) {
        is_changed = false;
        for (uint32_t i = 0; i < network->n_connections; i++) {
            const struct road_connection *c = &network->connections[i];
            double before = fmin(times_s[c->from], is_first && c->from == from ? 0 : INFINITY);
            double after = before + c->crossing_s + network->edges[c->to].length_m / network->edges[c->to].speed_mps;
            if (after < times_s[c->to]) {
                times_s[c->to] = after;
                is_changed = true;
            }
        }
    }
}

#define N_RANDOM 120

static void agrees_with_relaxing(void **state)
{
    uint64_t first_seed = (uint64_t)time(NULL) * 2654435761u + 1;
    seed = first_seed;
    struct buf text;
    buf_init(&text, 1u << 20);
    buf_append_c(&text, NET_HEAD NET_FLAT);
    for (int i = 0; i < N_RANDOM; i++)
        buf_printf(&text,
            "<edge id=\"e%d\" from=\"J\" to=\"J\"><lane id=\"e%d_0\" index=\"0\" speed=\"%u\" length=\"%u\" shape=\"0,0 1,1\"/></edge>", i,
            i, 5 + random_below(20), 20 + random_below(500));
    buf_append_c(&text, "<junction id=\"J\" type=\"dead_end\" x=\"0\" y=\"0\"/>");
    for (int i = 0; i < 2 * N_RANDOM; i++)
        buf_printf(
            &text, "<connection from=\"e%u\" to=\"e%u\" fromLane=\"0\" toLane=\"0\"/>", random_below(N_RANDOM), random_below(N_RANDOM));
    buf_append_c(&text, NET_TAIL);
    struct road_network *network = parse(buf_str(&text));
    struct road_router *router = NULL;
    assert_ok(road_router_create(network, &router));
    double expected[N_RANDOM];
    for (uint32_t from = 0; from < N_RANDOM; from++) {
        relax(network, from, expected);
        for (uint32_t to = 0; to < N_RANDOM; to++) {
            struct road_route route = {.time_s = INFINITY};
            enum err err = road_route_find(router, from, to, &wide, &route);
            bool is_same = err == ERR_OK ? fabs(route.time_s - expected[to]) < 1e-6 : isinf(expected[to]);
            if (!is_same)
                fail_msg(
                    "seed %llu: from %u to %u %g s, expected %g s", (unsigned long long)first_seed, from, to, route.time_s, expected[to]);
        }
    }
    print_message("seed %llu\n", (unsigned long long)first_seed);
    road_router_destroy(router);
    road_network_destroy(network);
    buf_finish(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ways_of_the_small_network),
        cmocka_unit_test(each_is_visited_in_order_and_can_stop),
        cmocka_unit_test(agrees_with_relaxing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
