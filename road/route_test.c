/* Ways: a small network by hand. Random ones: route_random_test.c. */
#include "road/route.h"

#include "base/mem.h"
#include "base/test.h"
#include "road/test_net.h"

#include <math.h>

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
    /* Limits: 107 s just does, less does not. */
    struct road_limits limits = {107.001, 0};
    assert_ok(road_route_find(router, find(network, "AB"), find(network, "BA"), &limits, &route));
    limits.max_s = 106.9;
    assert_err(road_route_find(router, find(network, "AB"), find(network, "BA"), &limits, &route), ERR_NOT_FOUND);
    /* Live times instead of free flow. */
    float edge_s[6];
    for (int i = 0; i < 6; i++)
        edge_s[i] = 100;
    road_router_set_times(router, edge_s);
    assert_ok(road_route_find(router, find(network, "AB"), find(network, "BC"), &wide, &route));
    assert_true(fabs(route.time_s - 102) < 1e-6);
    assert_int_equal(road_route_ms(router, find(network, "AB"), find(network, "BC")), 102000);
    /* What takes no time takes a millisecond; what takes for ever is closed, and what has no number. */
    edge_s[find(network, "BC")] = 0;
    edge_s[find(network, "BD")] = INFINITY;
    edge_s[find(network, "BA")] = NAN;
    road_router_set_times(router, edge_s);
    assert_int_equal(road_route_ms(router, find(network, "AB"), find(network, "BC")), 2001);
    assert_int_equal(road_route_ms(router, find(network, "AB"), find(network, "BD")), ROAD_ROUTE_MAX_MS);
    assert_err(road_route_find(router, find(network, "AB"), find(network, "BA"), &wide, &route), ERR_NOT_FOUND);
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

static void memory_can_be_short(void **state)
{
    struct road_network *network = parse(STR(NET_HEAD NET_FLAT NET_BODY NET_TAIL));
    int64_t n_live = mem_n_live();
    enum err err = ERR_NO_MEMORY;
    for (uint64_t nth = 1; err == ERR_NO_MEMORY; nth++) {
        struct road_router *router = NULL;
        mem_fail_nth(nth);
        err = road_router_create(network, &router);
        mem_fail_nth(0);
        road_router_destroy(router);
        assert_int_equal(mem_n_live(), n_live);
    }
    assert_ok(err);
    road_network_destroy(network);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ways_of_the_small_network),
        cmocka_unit_test(each_is_visited_in_order_and_can_stop),
        cmocka_unit_test(memory_can_be_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
