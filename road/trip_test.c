/* Trips between places of the small network: parts of edges, both sides of a road, GeoJSON. */
#include "road/trip.h"

#include "base/json.h"
#include "base/test.h"
#include "road/test_net.h"

#include <math.h>

struct world {
    struct road_network *network;
    struct road_nearest *nearest;
    struct road_router *router;
};

static void world_init(struct world *world, struct str text)
{
    assert_ok(road_network_parse(text, "test.net.xml", NULL, &world->network));
    assert_ok(road_nearest_create(world->network, &world->nearest));
    assert_ok(road_router_create(world->network, &world->router));
}

static void world_finish(struct world *world)
{
    road_router_destroy(world->router);
    road_nearest_destroy(world->nearest);
    road_network_destroy(world->network);
}

static struct road_stop near(const struct world *world, double x, double y)
{
    struct road_stop stop;
    assert_true(road_stop_near(world->network, world->nearest, (struct road_point){x, y}, &stop));
    return stop;
}

static uint32_t edge(const struct world *world, const char *id)
{
    return road_edge_find(world->network, str_from_c(id));
}

static bool is_near(double a, double b)
{
    return fabs(a - b) < 0.01;
}

static void trips_take_parts_of_edges(void **state)
{
    struct world world;
    struct road_trip trip;
    world_init(&world, STR(NET_HEAD NET_FLAT NET_BODY NET_TAIL));
    /* From a third of AB to half of BD: 350 m at 14, the turn's 2.5 s, 245 m at 10. */
    struct road_stop from = near(&world, 140, 480), to = near(&world, 503, 755);
    assert_int_equal(from.n_sides, 2); /* AB and BA */
    assert_ok(road_trip_find(world.router, &from, &to, &trip));
    assert_int_equal(trip.first_edge, edge(&world, "AB"));
    assert_int_equal(trip.n_edges, 1);
    assert_true(is_near(trip.time_s, 25 + 2.5 + 24.5) && is_near(trip.length_m, 350 + 15 + 245) && is_near(trip.to_m, 245));
    /* Along one edge; the other side of the road is as good when the place lies behind. */
    to = near(&world, 280, 480);
    assert_ok(road_trip_find(world.router, &from, &to, &trip));
    assert_true(trip.n_edges == 0 && is_near(trip.time_s, 10) && is_near(trip.length_m, 140));
    assert_ok(road_trip_find(world.router, &to, &from, &trip));
    assert_true(trip.n_edges == 0 && trip.first_edge == edge(&world, "BA") && is_near(trip.time_s, 10));
    /* Between ends, as road_route_find() has it; and no trip at all is one of no length. */
    from = road_stop_at_end(world.network, edge(&world, "AB"));
    to = road_stop_at_end(world.network, edge(&world, "BA"));
    assert_ok(road_trip_find(world.router, &from, &to, &trip));
    assert_true(trip.n_edges == 3 && is_near(trip.time_s, 107) && is_near(trip.length_m, 490 * 3 + 20));
    assert_ok(road_trip_find(world.router, &from, &from, &trip));
    assert_true(trip.n_edges == 0 && trip.time_s <= 0 && trip.length_m <= 0);
    assert_err(road_trip_find(world.router, &to, &from, &trip), ERR_NOT_FOUND);
    /* A closed edge can be left from its end only. */
    float edge_s[6] = {10, 10, 10, 10, 10, 10};
    edge_s[edge(&world, "AB")] = INFINITY;
    road_router_set_times(world.router, edge_s);
    to = road_stop_at_end(world.network, edge(&world, "BC"));
    assert_ok(road_trip_find(world.router, &from, &to, &trip));
    from = (struct road_stop){{{edge(&world, "AB"), 100}}, 1};
    assert_err(road_trip_find(world.router, &from, &to, &trip), ERR_NOT_FOUND);
    struct road_stop stop;
    assert_false(road_stop_near(world.network, world.nearest, (struct road_point){5000, 5000}, &stop));
    world_finish(&world);
}

static void a_trip_is_drawn_between_its_places(void **state)
{
    struct world world;
    struct road_trip trip;
    struct buf text;
    world_init(&world, STR(NET_HEAD NET_FLAT NET_BODY NET_TAIL));
    struct road_stop from = near(&world, 140, 480), to = near(&world, 503, 755);
    assert_ok(road_trip_find(world.router, &from, &to, &trip));
    buf_init(&text, 1u << 16);
    road_trip_write(world.network, &trip, &text);
    assert_ok(text.err);
    assert_str(buf_str(&text), "{\"type\":\"Feature\",\"properties\":{\"seconds\":52,\"length_m\":610,\"edges\":[\"AB\",\"BD\"]},"
                               "\"geometry\":{\"type\":\"LineString\","
                               "\"coordinates\":[[140,498.4],[490,498.4],[501.6,510],[501.6,700],[501.6,755]]}}");
    buf_finish(&text);
    world_finish(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trips_take_parts_of_edges),
        cmocka_unit_test(a_trip_is_drawn_between_its_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
