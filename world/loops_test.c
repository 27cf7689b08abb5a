/* Induction loops of the world: which roads have one, what a row says, minutes without a broker. */
#include "world/loops.h"

#include "base/mem.h"
#include "base/test.h"
#include "world/streets_setup.h"

#include <math.h>
#include <string.h>

#define EDGES 300u

/* A street of many edges, each 100 m eastward of two lanes for cars and a footpath; every second one has a camera, edge 0 two. */
static struct road_network *street(void)
{
    struct buf text;
    struct road_network *network;
    struct diag diag = {""};
    buf_init(&text, 1u << 20);
    buf_append_c(
        &text, "<net><location netOffset=\"-13371697.23,-3539592.25\" projParameter=\"+proj=merc +R=6378137 +units=m +no_defs\"/>");
    for (uint32_t i = 0; i < EDGES; i++) {
        buf_printf(&text, "<edge id=\"e%u\" from=\"j%u\" to=\"j%u\">", i, i, i + 1);
        for (uint32_t lane = 0; lane < 3; lane++)
            buf_printf(&text, "<lane id=\"e%u_%u\" index=\"%u\" %s speed=\"10\" length=\"100\" shape=\"%u,0 %u,0\"/>", i, lane, lane,
                lane == 0 ? "allow=\"pedestrian\"" : "", i * 116, i * 116 + 116);
        buf_append_c(&text, "</edge>");
    }
    for (uint32_t i = 0; i <= EDGES; i++)
        buf_printf(&text, "<junction id=\"j%u\" type=\"priority\" x=\"%u\" y=\"0\"/>", i, i * 116);
    buf_append_c(&text, "</net>");
    if (road_network_parse(buf_str(&text), "street.net.xml", &diag, &network) != ERR_OK)
        fail_msg("%s", diag.text);
    buf_finish(&text);
    return network;
}

struct bench {
    struct road_network *network;
    struct world_city city;
    struct streets_sights sights;
    struct streets_counted counted;
};

static void make(struct bench *bench)
{
    static uint32_t edges[EDGES / 2 + 1];
    *bench = (struct bench){.network = street(), .city = {.name = "h", .n_cameras = EDGES / 2 + 1}, .sights = {edges}};
    for (uint32_t c = 0; c < EDGES / 2; c++)
        edges[c] = c * 2;
    edges[EDGES / 2] = 0;
    assert_ok(streets_counted_init(&bench->city, bench->network, &bench->sights, &bench->counted));
}

static void finish(struct bench *bench)
{
    streets_counted_finish(&bench->counted);
    road_network_destroy(bench->network);
}

static void some_roads_have_a_loop(void **state)
{
    struct bench bench;
    make(&bench);
    uint32_t n_watched = bench.counted.n - bench.counted.n_bare;
    assert_true(n_watched > EDGES / 2 / STREETS_COUNT_CAMERAS / 2 && n_watched < EDGES / 2 / STREETS_COUNT_CAMERAS * 2);
    assert_true(bench.counted.n_bare > EDGES / 2 / STREETS_COUNT_BARE / 2 && bench.counted.n_bare < EDGES / 2 / STREETS_COUNT_BARE * 2);
    for (uint32_t i = 0; i < bench.counted.n; i++) {
        uint32_t camera = bench.counted.cameras[i];
        assert_true(i == 0 || bench.counted.edges[i - 1] < bench.counted.edges[i]);
        assert_true(camera == STREETS_NONE ? bench.counted.edges[i] % 2 == 1 : bench.sights.edges[camera] == bench.counted.edges[i]);
        assert_true(bench.counted.edges[i] != 0 || camera == 0); /* of two cameras one counts */
    }
    finish(&bench);
}

/* Two lanes for cars: two rows a minute, told when it is over, and none of a minute that was not seen from its beginning. */
static void minutes_without_a_broker_are_lost_and_counted(void **state)
{
    struct bench bench;
    struct brain_clock clock;
    struct loops *loops = NULL;
    struct loops_counts counts;
    make(&bench);
    (void)snprintf(bench.city.loops.broker, sizeof bench.city.loops.broker, "/nonexistent/mqtt.sock");
    brain_clock_init(&clock, 1);
    assert_ok(loops_create(&bench.city, bench.network, &bench.counted, &clock, 1, &loops));
    for (int s = 0; s < 300; s++) {
        if (s == 30) /* until then nobody knows what time it is */
            brain_clock_hear(&clock, (struct wall_time){1795331430000}, (struct mono_time){30000000000}, (struct mono_time){30000000000});
        for (uint32_t i = 0; i < bench.counted.n + 5; i++)
            loops_add(loops, &(struct streets_passage){.camera = 0, .counted = i, .lane = 1 + i % 3});
        loops_add(loops, &(struct streets_passage){.counted = STREETS_NONE, .lane = 1});
        loops_tick(loops, (struct mono_time){(int64_t)s * 1000000000});
    }
    loops_count(loops, &counts);
    assert_int_equal(counts.n, 2 * bench.counted.n);
    assert_true(!counts.is_connected && counts.n_sent == 0);
    assert_int_equal(counts.n_dropped, (uint64_t)3 * counts.n); /* those that ended at 15:12, 15:13, 15:14 */
    loops_destroy(loops);
    loops_destroy(NULL);
    finish(&bench);
}

static void a_row_has_what_the_connector_reads(void **state)
{
    struct bench bench;
    struct buf out;
    struct json_writer w;
    make(&bench);
    buf_init(&out, 4096);
    json_writer_init(&w, &out);
    loops_write(&w, bench.network, &(struct loops_row){.edge = 7, .lane = 2, .n = 13, .to_ms = 1795331460000});
    assert_ok(out.err);
    json_t *json = json_loadb(out.ptr, out.len, 0, NULL);
    assert_non_null(json);
    assert_string_equal(json_string_value(json_object_get(json, "detector")), "e7#2");
    assert_string_equal(json_string_value(json_object_get(json, "from")), "2026-11-22T15:10:00.000+08:00");
    assert_string_equal(json_string_value(json_object_get(json, "to")), "2026-11-22T15:11:00.000+08:00");
    assert_int_equal(json_integer_value(json_object_get(json, "count")), 13);
    assert_int_equal(json_integer_value(json_object_get(json, "lane")), 2);
    double share = (json_real_value(json_object_get(json, "lon")) - 120.12 - 7 * 116 / 111319.49) / (116 / 111319.49);
    assert_true(share > 0.7 && share < 0.9 && fabs(json_number_value(json_object_get(json, "heading")) - 90) < 0.5);
    json_decref(json);
    buf_finish(&out);
    finish(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(some_roads_have_a_loop),
        cmocka_unit_test(minutes_without_a_broker_are_lost_and_counted),
        cmocka_unit_test(a_row_has_what_the_connector_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
