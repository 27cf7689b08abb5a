/*
 * Ways through random networks with random times, against relaxing every connection until nothing changes (Bellman, Ford). What the
 * hierarchy says of one way, of all ways and of a path must be what relaxing says, to the millisecond.
 */
#include "road/route.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/test_random.h"
#include "road/order.h"
#include "road/test_net.h"

#include <math.h>

static const struct road_limits wide = {1e9, 1u << 30};
static uint64_t first_seed, seed;

static uint32_t random_below(uint32_t n)
{
    return (uint32_t)(test_random(&seed) % n);
}

static bool chance(uint32_t percent)
{
    return random_below(100) < percent;
}

/* ---- networks ---- */

struct drawn {
    uint32_t from, to;
};

struct plan {
    uint32_t wide, high;                   /* junctions, set out as a grid */
    uint32_t two_way, diagonal, long_jump; /* percent */
    uint32_t turn, u_turn;                 /* percent of turns that are connected */
};

static const struct plan plans[] = {
    {8, 6, 90, 10, 0, 95, 20},  /* a town */
    {8, 6, 50, 0, 0, 70, 0},    /* many one-way streets and forbidden turns: parts cannot be reached */
    {40, 1, 100, 0, 0, 100, 0}, /* one long road */
    {6, 6, 80, 40, 25, 90, 50}, /* bridges and tunnels everywhere */
    {1, 1, 100, 0, 0, 100, 0},  /* one junction, loops only */
    {5, 5, 0, 0, 0, 5, 0},      /* almost nothing is connected */
};
#define N_PLANS (sizeof(plans) / sizeof(plans[0]))
#define DRAWN_MAX 1000u

static void draw_road(const struct plan *plan, struct drawn *drawn, uint32_t *n, uint32_t a, uint32_t b)
{
    if (*n + 2 > DRAWN_MAX)
        return;
    bool is_turned = chance(50);
    drawn[(*n)++] = (struct drawn){is_turned ? b : a, is_turned ? a : b};
    if (chance(plan->two_way))
        drawn[(*n)++] = (struct drawn){is_turned ? a : b, is_turned ? b : a};
}

static uint32_t draw_roads(const struct plan *plan, struct drawn *drawn)
{
    uint32_t n = 0, n_junctions = plan->wide * plan->high;
    for (uint32_t y = 0; y < plan->high; y++)
        for (uint32_t x = 0; x < plan->wide; x++) {
            uint32_t at = y * plan->wide + x;
            if (x + 1 < plan->wide)
                draw_road(plan, drawn, &n, at, at + 1);
            if (y + 1 < plan->high)
                draw_road(plan, drawn, &n, at, at + plan->wide);
            if (x + 1 < plan->wide && y + 1 < plan->high && chance(plan->diagonal))
                draw_road(plan, drawn, &n, at, at + plan->wide + 1);
            if (chance(plan->long_jump))
                draw_road(plan, drawn, &n, at, random_below(n_junctions)); /* a loop now and then */
        }
    while (n < 12)
        draw_road(plan, drawn, &n, random_below(n_junctions), random_below(n_junctions));
    return n;
}

static struct road_network *draw_network(const struct plan *plan)
{
    struct drawn drawn[DRAWN_MAX];
    uint32_t n = draw_roads(plan, drawn);
    struct buf text;
    buf_init(&text, 4u << 20);
    buf_append_c(&text, NET_HEAD NET_FLAT);
    for (uint32_t i = 0; i < n; i++)
        buf_printf(&text,
            "<edge id=\"e%u\" from=\"j%u\" to=\"j%u\"><lane id=\"e%u_0\" index=\"0\" speed=\"%u\" length=\"%u\" shape=\"0,0 1,1\"/></edge>",
            i, drawn[i].from, drawn[i].to, i, 5 + random_below(20), 20 + random_below(500));
    for (uint32_t j = 0; j < plan->wide * plan->high; j++)
        buf_printf(&text, "<junction id=\"j%u\" type=\"priority\" x=\"%u\" y=\"%u\"/>", j, j % plan->wide * 100 + random_below(60),
            j / plan->wide * 100 + random_below(60));
    for (uint32_t a = 0; a < n; a++)
        for (uint32_t b = 0; b < n; b++)
            if (drawn[a].to == drawn[b].from && chance(drawn[a].from == drawn[b].to ? plan->u_turn : plan->turn))
                buf_printf(&text, "<connection from=\"e%u\" to=\"e%u\" fromLane=\"0\" toLane=\"0\"/>", a, b);
    buf_append_c(&text, NET_TAIL);
    struct road_network *network = NULL;
    struct diag diag = {""};
    if (road_network_parse(buf_str(&text), "random.net.xml", &diag, &network) != ERR_OK)
        fail_msg("seed %llu: %s", (unsigned long long)first_seed, diag.text);
    buf_finish(&text);
    return network;
}

/* ---- what must be ---- */

/* The times to the end of every edge. */
static void relax(const struct road_network *network, const struct road_router *router, uint32_t from, uint32_t *ret_ms)
{
    for (uint32_t i = 0; i < network->n_edges; i++)
        ret_ms[i] = ROAD_ROUTE_MAX_MS;
    bool is_changed = true;
    for (bool is_first = true; is_changed; is_first = false) {
        is_changed = false;
        for (uint32_t i = 0; i < network->n_connections; i++) {
            const struct road_connection *c = &network->connections[i];
            uint64_t before = is_first && c->from == from ? 0 : ret_ms[c->from];
            uint64_t after = before + (uint64_t)lround((double)c->crossing_s * 1000) + road_router_edge_ms(router, c->to);
            if (before < ROAD_ROUTE_MAX_MS && after < ret_ms[c->to]) {
                ret_ms[c->to] = (uint32_t)after;
                is_changed = true;
            }
        }
    }
}

/* A way is made of connected turns and takes what it says. */
static bool holds(
    const struct road_network *network, const struct road_router *router, uint32_t from, uint32_t to, const struct road_route *route)
{
    uint64_t sum_ms = 0;
    double sum_m = 0;
    uint32_t at = from;
    for (uint32_t i = 0; i < route->n_edges; i++) {
        bool is_connected = false;
        for (uint32_t k = 0; k < network->edges[at].n_out; k++)
            is_connected |= network->connections[network->edges[at].first_out + k].to == route->edges[i];
        if (!is_connected)
            return false;
        at = route->edges[i];
        sum_ms += road_router_edge_ms(router, at);
        sum_m += network->edges[at].length_m;
    }
    return at == to && route->n_edges > 0 && fabs((double)sum_ms / 1000 - route->time_s) < 1e-9 && fabs(sum_m - route->length_m) < 1e-6;
}

struct reached {
    uint32_t *ms;
    double last_s;
    bool is_ordered;
};

static bool on_edge(void *context, uint32_t edge, double time_s)
{
    struct reached *reached = context;
    reached->is_ordered &= time_s >= reached->last_s;
    reached->last_s = time_s;
    reached->ms[edge] = (uint32_t)lround(time_s * 1000);
    return true;
}

static void draw_times(const struct road_network *network, struct road_router *router)
{
    float *edge_s = mem_alloc(network->n_edges * sizeof(*edge_s));
    assert_non_null(edge_s);
    uint32_t kind = random_below(4); /* of times: free flow, wild, many equal, many closed */
    for (uint32_t e = 0; e < network->n_edges; e++)
        edge_s[e] = kind == 1 ? (float)random_below(1000000) / 1000 : kind == 2 ? 10 : chance(10) ? INFINITY : (float)random_below(60);
    road_router_set_times(router, kind == 0 ? NULL : edge_s);
    mem_free(edge_s);
}

static void agree_from(const struct road_network *network, struct road_router *router, uint32_t from, uint32_t *expected, uint32_t *all_ms)
{
    relax(network, router, from, expected);
    road_route_all_ms(router, from, all_ms);
    struct reached reached = {mem_alloc(network->n_edges * sizeof(*reached.ms)), 0, true};
    assert_non_null(reached.ms);
    for (uint32_t e = 0; e < network->n_edges; e++)
        reached.ms[e] = ROAD_ROUTE_MAX_MS;
    road_route_each(router, from, &wide, on_edge, &reached);
    for (uint32_t to = 0; to < network->n_edges; to++) {
        struct road_route route;
        enum err err = road_route_find(router, from, to, &wide, &route);
        uint32_t ms = err == ERR_OK ? (uint32_t)lround(route.time_s * 1000) : ROAD_ROUTE_MAX_MS;
        if (ms != expected[to] || all_ms[to] != expected[to] || reached.ms[to] != expected[to] ||
            road_route_ms(router, from, to) != expected[to] || !reached.is_ordered)
            fail_msg("seed %llu: from e%u to e%u %u ms, of all %u ms, walked %u ms, expected %u ms", (unsigned long long)first_seed, from,
                to, ms, all_ms[to], reached.ms[to], expected[to]);
        if (err == ERR_OK && !holds(network, router, from, to, &route))
            fail_msg("seed %llu: the way from e%u to e%u does not hold", (unsigned long long)first_seed, from, to);
    }
    mem_free(reached.ms);
}

static void agrees_with_relaxing(void **state)
{
    for (int round = 0; round < TEST_TIMES(24); round++) {
        struct road_network *network = draw_network(&plans[(size_t)round % N_PLANS]);
        struct road_router *router = NULL;
        assert_ok(road_router_create(network, &router));
        uint32_t *expected = mem_alloc(network->n_edges * sizeof(*expected)), *all_ms = mem_alloc(network->n_edges * sizeof(*all_ms));
        assert_true(expected != NULL && all_ms != NULL);
        for (int times = 0; times < 4; times++) {
            draw_times(network, router);
            for (int i = 0; i < 12; i++)
                agree_from(network, router, random_below(network->n_edges), expected, all_ms);
        }
        mem_free(expected);
        mem_free(all_ms);
        road_router_destroy(router);
        road_network_destroy(network);
    }
}

/* Each edge once; and no search needs what it does not keep: of two routers on one hierarchy none disturbs the other. */
static void an_order_has_each_edge_once(void **state)
{
    for (size_t i = 0; i < N_PLANS; i++) {
        struct road_network *network = draw_network(&plans[i]);
        uint32_t *order = mem_alloc(network->n_edges * sizeof(*order));
        uint8_t *seen = mem_alloc_zero(network->n_edges, 1);
        assert_true(order != NULL && seen != NULL);
        assert_ok(road_order_find(network, order));
        for (uint32_t k = 0; k < network->n_edges; k++) {
            assert_true(order[k] < network->n_edges && !seen[order[k]]);
            seen[order[k]] = 1;
        }
        mem_free(order);
        mem_free(seen);
        road_network_destroy(network);
    }
}

static void routers_share_a_hierarchy(void **state)
{
    struct road_network *network = draw_network(&plans[0]);
    struct road_hierarchy *hierarchy = NULL;
    struct road_router *a = NULL, *b = NULL;
    assert_ok(road_hierarchy_create(network, &hierarchy));
    assert_ok(road_router_create_on(hierarchy, &a));
    assert_ok(road_router_create_on(hierarchy, &b));
    float *edge_s = mem_alloc(network->n_edges * sizeof(*edge_s));
    assert_non_null(edge_s);
    for (uint32_t e = 0; e < network->n_edges; e++)
        edge_s[e] = 100;
    uint32_t before = road_route_ms(a, 0, 7);
    road_router_set_times(b, edge_s);
    assert_int_equal(road_route_ms(a, 0, 7), before);
    assert_true(before == ROAD_ROUTE_MAX_MS || road_route_ms(b, 0, 7) % 100000 == 0);
    road_router_destroy(a);
    road_router_destroy(b);
    road_hierarchy_destroy(hierarchy);
    mem_free(edge_s);
    road_network_destroy(network);
}

int main(void)
{
    seed = first_seed = test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_relaxing),
        cmocka_unit_test(an_order_has_each_edge_once),
        cmocka_unit_test(routers_share_a_hierarchy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
