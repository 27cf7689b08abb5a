/* Ways on live travel times, by hand: on the ring of city_testing.h, and on one with a second road beside the first. */
#include "scene/count/ways.h"

#include "base/mem.h"
#include "scene/count/city_testing.h"

#include <string.h>

#define START_S 1000

/* a → b → d by 800 m and a → c → d by 1,000 m, 10 m/s: 80 s and 100 s of free flow; e leads on. Cameras can stand anywhere. */
static const char fork_xml[] =
    "<net><edge id=\"a\" from=\"A\" to=\"J\"><lane id=\"a_0\" index=\"0\" speed=\"10\" length=\"100\" shape=\"0,0 100,0\"/></edge>"
    "<edge id=\"b\" from=\"J\" to=\"K\"><lane id=\"b_0\" index=\"0\" speed=\"10\" length=\"700\" shape=\"100,0 800,0\"/></edge>"
    "<edge id=\"c\" from=\"J\" to=\"K\"><lane id=\"c_0\" index=\"0\" speed=\"10\" length=\"900\" shape=\"100,0 450,-250 800,0\"/></edge>"
    "<edge id=\"d\" from=\"K\" to=\"D\"><lane id=\"d_0\" index=\"0\" speed=\"10\" length=\"100\" shape=\"800,0 900,0\"/></edge>"
    "<edge id=\"lost\" from=\"X\" to=\"Y\"><lane id=\"l_0\" index=\"0\" speed=\"10\" length=\"100\" shape=\"0,900 100,900\"/></edge>"
    "<junction id=\"A\" type=\"priority\" x=\"0\" y=\"0\"/><junction id=\"J\" type=\"priority\" x=\"100\" y=\"0\"/>"
    "<junction id=\"K\" type=\"priority\" x=\"800\" y=\"0\"/><junction id=\"D\" type=\"priority\" x=\"900\" y=\"0\"/>"
    "<junction id=\"X\" type=\"priority\" x=\"0\" y=\"900\"/><junction id=\"Y\" type=\"priority\" x=\"100\" y=\"900\"/>"
    "<connection from=\"a\" to=\"b\" fromLane=\"0\" toLane=\"0\"/><connection from=\"a\" to=\"c\" fromLane=\"0\" toLane=\"0\"/>"
    "<connection from=\"b\" to=\"d\" fromLane=\"0\" toLane=\"0\"/><connection from=\"c\" to=\"d\" fromLane=\"0\" toLane=\"0\"/></net>";

struct bench {
    struct road_network *network;
    struct road_nearest *nearest;
    uint16_t edge_areas[8];
    struct count *count;
    struct count_ways *ways;
    uint32_t cameras[2]; /* at the ends of a and b */
    int64_t now_s;
};

static const int32_t one_area[] = {-1};

static void make(struct bench *bench)
{
    const struct count_settings settings = COUNT_SETTINGS_DEFAULT;
    struct diag diag = {""};
    *bench = (struct bench){.now_s = START_S};
    if (road_network_parse(str_from_c(fork_xml), "fork.net.xml", &diag, &bench->network) != ERR_OK)
        fail_msg("%s", diag.text);
    assert_ok(road_nearest_create(bench->network, &bench->nearest));
    struct count_map map = {bench->network, bench->edge_areas, one_area, 1, NULL};
    assert_ok(count_create(&settings, &map, &bench->count));
    assert_ok(count_camera_add(bench->count, road_edge_find(bench->network, STR("a")), &bench->cameras[0]));
    assert_ok(count_camera_add(bench->count, road_edge_find(bench->network, STR("b")), &bench->cameras[1]));
    assert_ok(count_ways_create(bench->count, bench->nearest, &bench->ways));
}

static void finish(struct bench *bench)
{
    count_ways_destroy(bench->ways);
    count_destroy(bench->count);
    road_nearest_destroy(bench->nearest);
    road_network_destroy(bench->network);
}

static void tick(struct bench *bench, int64_t at_s)
{
    struct count_event event = {.type = COUNT_TICK, .now_ms = at_s * 1000};
    struct count_updates updates;
    count_step(bench->count, &event, &updates);
    count_ways_tick(bench->ways, at_s * 1000);
    bench->now_s = at_s;
}

static void pass(struct bench *bench, int camera, uint64_t vehicle, int64_t at_s)
{
    struct count_event event = {.type = COUNT_PASSAGE,
        .passage = {.vehicle = vehicle, .camera = bench->cameras[camera], .time_ms = at_s * 1000, .arrived_ms = at_s * 1000}};
    struct count_updates updates;
    count_step(bench->count, &event, &updates);
}

static enum err ask(struct bench *bench, const char *from, const char *to, struct value values[COUNT_WAYS_N_FIELDS])
{
    struct value keys[COUNT_WAYS_N_FIELDS] = {value_text(str_from_c(from)), value_text(str_from_c(to))};
    memset(values, 0, COUNT_WAYS_N_FIELDS * sizeof(*values));
    return count_ways_answer(bench->ways, keys, values);
}

static void a_jam_sends_the_next_ones_round_it(void **state)
{
    struct bench bench;
    struct value values[COUNT_WAYS_N_FIELDS];
    make(&bench);
    assert_ok(ask(&bench, "a", "d", values));
    assert_int_equal(values[COUNT_WAYS_TIME].type, VALUE_NULL);
    assert_near(values[COUNT_WAYS_SECONDS].r, 80, 0.1);
    assert_near(values[COUNT_WAYS_OBSERVED].r, 0, 0);
    assert_str(values[COUNT_WAYS_EDGES].s, "a b d");
    /* Nine vehicles need 170 s over b, where 70 are free flow: with one of free flow that is 160 s. */
    for (uint64_t i = 0; i < 9; i++)
        pass(&bench, 0, 100 + i, START_S);
    for (uint64_t i = 0; i < 9; i++)
        pass(&bench, 1, 100 + i, START_S + 170);
    tick(&bench, START_S + 170);
    assert_ok(ask(&bench, "a", "b", values));
    assert_near(values[COUNT_WAYS_SECONDS].r, 160, 0.1);
    assert_near(values[COUNT_WAYS_FREE_FLOW_S].r, 70, 0.1);
    assert_near(values[COUNT_WAYS_LENGTH_M].r, 700, 0.1);
    assert_near(values[COUNT_WAYS_OBSERVED].r, 1, 1e-9);
    assert_int_equal(values[COUNT_WAYS_TIME].i, (START_S + 170) * 1000);
    assert_ok(ask(&bench, "a", "d", values));
    assert_near(values[COUNT_WAYS_SECONDS].r, 100, 0.1);
    assert_near(values[COUNT_WAYS_FREE_FLOW_S].r, 100, 0.1);
    assert_near(values[COUNT_WAYS_OBSERVED].r, 0, 0);
    assert_str(values[COUNT_WAYS_EDGES].s, "a c d");
    /* From the middle of b, where nobody can turn, to the middle of d. */
    assert_ok(ask(&bench, "450,0", " 850 , 3", values));
    assert_near(values[COUNT_WAYS_SECONDS].r, 80 + 5, 0.1);
    assert_near(values[COUNT_WAYS_FREE_FLOW_S].r, 35 + 5, 0.1);
    assert_near(values[COUNT_WAYS_OBSERVED].r, 350 / 400.0, 1e-3);
    assert_str(values[COUNT_WAYS_EDGES].s, "b d");
    /* On one edge. */
    assert_ok(ask(&bench, "200,0", "300,0", values));
    assert_near(values[COUNT_WAYS_SECONDS].r, 160 / 7.0, 0.1);
    assert_str(values[COUNT_WAYS_EDGES].s, "b");
    finish(&bench);
}

/* Times are taken over each ten seconds, and are those of free flow again when nothing is known any more; a clock set back is no stop. */
static void times_follow_what_is_known(void **state)
{
    struct bench bench;
    struct value values[COUNT_WAYS_N_FIELDS];
    make(&bench);
    tick(&bench, START_S);
    for (uint64_t i = 0; i < 9; i++)
        pass(&bench, 0, 100 + i, START_S);
    for (uint64_t i = 0; i < 9; i++)
        pass(&bench, 1, 100 + i, START_S + 20 + 150);
    tick(&bench, START_S + 171);
    assert_ok(ask(&bench, "a", "b", values));
    double jam_s = values[COUNT_WAYS_SECONDS].r;
    assert_true(jam_s > 150);
    for (uint64_t i = 0; i < 9; i++)
        pass(&bench, 0, 200 + i, START_S + 108);
    for (uint64_t i = 0; i < 9; i++)
        pass(&bench, 1, 200 + i, START_S + 178);
    tick(&bench, START_S + 180);
    assert_ok(ask(&bench, "a", "b", values));
    assert_near(values[COUNT_WAYS_SECONDS].r, jam_s, 0);
    tick(&bench, START_S + 181);
    assert_ok(ask(&bench, "a", "b", values));
    assert_true(values[COUNT_WAYS_SECONDS].r < jam_s - 20);
    for (int64_t s = 182; s < 1500; s += 10)
        tick(&bench, START_S + s);
    assert_ok(ask(&bench, "a", "b", values));
    assert_near(values[COUNT_WAYS_SECONDS].r, 70, 0.1);
    assert_near(values[COUNT_WAYS_OBSERVED].r, 0, 0);
    tick(&bench, 10);
    assert_ok(ask(&bench, "a", "b", values));
    assert_int_equal(values[COUNT_WAYS_TIME].i, 10000);
    finish(&bench);
}

static void what_cannot_be_asked_is_refused(void **state)
{
    struct bench bench;
    struct value values[COUNT_WAYS_N_FIELDS], keys[COUNT_WAYS_N_FIELDS] = {value_text(STR("a"))};
    make(&bench);
    static const char *const wrong[] = {"", "none", "450", "450,", "450,north", "9000,9000", "nan,0", "1e999,0"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(ask(&bench, wrong[i], "d", values), ERR_RANGE);
        assert_int_equal(ask(&bench, "a", wrong[i], values), ERR_RANGE);
    }
    assert_int_equal(count_ways_answer(bench.ways, keys, values), ERR_RANGE); /* no `to` */
    assert_int_equal(ask(&bench, "d", "a", values), ERR_NOT_FOUND);
    assert_int_equal(ask(&bench, "a", "lost", values), ERR_NOT_FOUND);
    finish(&bench);
}

static void memory_may_fail_anywhere(void **state)
{
    struct bench bench;
    make(&bench);
    for (uint64_t nth = 1;; nth++) {
        struct count_ways *ways = NULL;
        int64_t before = mem_n_live();
        mem_fail_nth(nth);
        enum err err = count_ways_create(bench.count, bench.nearest, &ways);
        mem_fail_nth(0);
        count_ways_destroy(ways);
        assert_int_equal(mem_n_live(), before);
        if (err == ERR_OK)
            break;
        assert_true(nth < 100);
    }
    finish(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_jam_sends_the_next_ones_round_it),
        cmocka_unit_test(times_follow_what_is_known),
        cmocka_unit_test(what_cannot_be_asked_is_refused),
        cmocka_unit_test(memory_may_fail_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
