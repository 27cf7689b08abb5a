/* The way before the first camera on the ring, by hand. */
#include "scene/count/ends.h"

#include "base/mem.h"
#include "scene/count/city_testing.h"

/*
 * Cameras at the ends of e0 and e3. To the first one from the beginnings of e0 to e9: 50, 150, 100, 50, 350, 300, 250, 200, 150, 100 s, 170
 * in the mean. Between two: 150 from e0 to e3, 350 from e3 to e0, 250 in the mean. The ring has no signals, so each junction is one: 3.4 to
 * the first camera, its own included, and 5 between two.
 */
static void the_way_before_is_the_networks(void **state)
{
    struct city city;
    city_make(&city);
    uint8_t has_camera[CITY_EDGES] = {0};
    struct count_ends ends = {.before = 0};
    assert_ok(count_ends_learn(city.network, has_camera, &ends));
    assert_near(ends.before, 1, 0); /* no camera, nothing to say */
    assert_near(ends.waits_after, 1, 0);
    has_camera[city.edges[0]] = has_camera[city.edges[3]] = 1;
    assert_ok(count_ends_learn(city.network, has_camera, &ends));
    assert_near(ends.before, 170.0 / 250, 1e-3);
    assert_near(ends.waits_after, 2.4 / 5, 1e-3);
    assert_near(ends.after, 120.0 / 250, 1e-3); /* one's own edge has the last camera at its end, or it has none */
    assert_near(ends.waits, 5, 1e-9);
    /* Places 500 m apart on a line: a standard deviation of 1,436 m. A way of 250 s is longer than half of such a trip. */
    assert_near(ends.trip_s, 1.15 * 143.6, 1);
    assert_near(ends.way_s, ends.trip_s / 2, 1e-9);
    for (int i = 0; i < CITY_EDGES; i++)
        has_camera[i] = 1;
    assert_ok(count_ends_learn(city.network, has_camera, &ends));
    assert_near(ends.before, 1, 1e-9);
    assert_near(ends.way_s, 50, 1e-9);
    assert_near(ends.waits_after, 0, 1e-9); /* whoever ends behind a camera meets no other junction */
    mem_fail_nth(1);
    ends.before = 7;
    assert_err(count_ends_learn(city.network, has_camera, &ends), ERR_NO_MEMORY);
    mem_fail_nth(0);
    assert_near(ends.before, 7, 0);
    city_finish(&city);
}

/*
 * Signals at the ends of e0, e3 and e6, cameras at the first two. Signals to the first camera, its own included: from e4, e5 and e6 two,
 * from the others one, 1.3 in the mean; between the two cameras 1 and 2.
 */
static void waits_are_at_signals(void **state)
{
    struct buf text;
    struct diag diag = {""};
    struct road_network *network;
    uint8_t has_camera[CITY_EDGES] = {0};
    struct count_ends ends;
    buf_init(&text, 1u << 16);
    buf_append_c(&text, "<net>");
    for (int i = 0; i < CITY_EDGES; i++)
        buf_printf(&text,
            "<edge id=\"e%d\" from=\"j%d\" to=\"j%d\"><lane id=\"e%d_0\" index=\"0\" speed=\"10\" length=\"500\" shape=\"0,0 "
            "500,0\"/></edge>",
            i, i, (i + 1) % CITY_EDGES, i);
    for (int i = 0; i < CITY_EDGES; i++)
        buf_printf(&text, "<junction id=\"j%d\" type=\"%s\" x=\"0\" y=\"0\"/>", i, i % 3 == 1 ? "traffic_light" : "priority");
    for (int i = 0; i < CITY_EDGES; i++)
        buf_printf(&text, "<connection from=\"e%d\" to=\"e%d\" fromLane=\"0\" toLane=\"0\"/>", i, (i + 1) % CITY_EDGES);
    buf_append_c(&text, "</net>");
    if (road_network_parse(buf_str(&text), "ring.net.xml", &diag, &network) != ERR_OK)
        fail_msg("%s", diag.text);
    buf_finish(&text);
    has_camera[road_edge_find(network, STR("e0"))] = has_camera[road_edge_find(network, STR("e3"))] = 1;
    assert_ok(count_ends_learn(network, has_camera, &ends));
    assert_near(ends.before, 170.0 / 250, 1e-3);
    assert_near(ends.waits_after, 0.3 / 1.5, 1e-3);
    assert_near(ends.waits, 1.5, 1e-3);
    road_network_destroy(network);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_way_before_is_the_networks),
        cmocka_unit_test(waits_are_at_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
