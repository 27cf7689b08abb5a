/*
 * Floating cars: the rules of a point, each by a row; what they say of the ring's edges, alone and beside cameras; rows; limits.
 */
#include "scene/count/position.h"

#include "base/mem.h"
#include "base/test_random.h"
#include "road/gcj02.h"
#include "road/nearest.h"
#include "scene/count/city_testing.h"

#include <string.h>

#define T0 1700000000000
#define ON (COUNT_GPS_IGNITION | COUNT_GPS_LOCATED)

struct bench {
    struct city city;
    struct road_nearest *nearest;
    struct count *count;
    struct count_gps *gps;
    struct count_updates updates;
    uint32_t n_drives;
};

static void on_drive(void *context, const struct count_drive *drive)
{
    struct bench *bench = context;
    bench->n_drives++;
    count_drive(bench->count, drive);
}

static void bench_make(struct bench *bench, const struct count_gps_settings *settings)
{
    const struct count_settings defaults = COUNT_SETTINGS_DEFAULT;
    *bench = (struct bench){.n_drives = 0};
    city_make(&bench->city);
    assert_ok(count_create(&defaults, &bench->city.map, &bench->count));
    assert_ok(road_nearest_create(bench->city.network, &bench->nearest));
    assert_ok(count_gps_create(count_hierarchy(bench->count), bench->nearest, settings, on_drive, bench, &bench->gps));
}

static void bench_finish(struct bench *bench)
{
    count_gps_destroy(bench->gps);
    road_nearest_destroy(bench->nearest);
    count_destroy(bench->count);
    city_finish(&bench->city);
}

static struct count_gps_point point_at(uint64_t vehicle, double s, double x)
{
    return (struct count_gps_point){.vehicle = vehicle,
        .fix = {.time_ms = T0 + (int64_t)(s * 1000), .point = {x, 2}, .speed_mps = NAN, .heading = NAN},
        .arrived_ms = T0 + (int64_t)(s * 1000) + 300,
        .has_status = true,
        .status = ON};
}

/* A vehicle drives from x on at a speed, for so long, with a point each 10 s. */
static void drive(struct bench *bench, uint64_t vehicle, double from_s, double from_x, double speed_mps, double for_s)
{
    for (double s = 0; s <= for_s; s += 10) {
        struct count_gps_point point = point_at(vehicle, from_s + s, from_x + speed_mps * s);
        assert_int_equal(count_gps_add(bench->gps, &point), COUNT_GPS_TAKEN);
    }
}

static void tick(struct bench *bench, double s)
{
    struct count_event event = {.type = COUNT_TICK, .now_ms = T0 + (int64_t)(s * 1000)};
    count_gps_tick(bench->gps, event.now_ms);
    count_step(bench->count, &event, &bench->updates);
}

static const struct count_edge_state *edge_told(const struct bench *bench, int edge)
{
    for (uint32_t i = 0; i < bench->updates.n_edges; i++)
        if (bench->updates.edges[i].edge == bench->city.edges[edge])
            return &bench->updates.edges[i];
    fail_msg("e%d is not told", edge);
    return NULL;
}

/* A camera on an edge sees a vehicle. */
static void pass(struct bench *bench, uint32_t *camera, int edge, uint64_t vehicle, double s)
{
    if (*camera == COUNT_NONE)
        assert_ok(count_camera_add(bench->count, bench->city.edges[edge], camera));
    int64_t time_ms = T0 + (int64_t)(s * 1000);
    struct count_event event = {.type = COUNT_PASSAGE, .passage = {vehicle, *camera, time_ms, time_ms}};
    count_step(bench->count, &event, &bench->updates);
}

/* ---- the rules ---- */

static void each_rule_has_its_row(void **state)
{
    static const struct {
        double lon, lat;
        int64_t off_ms; /* of the terminal's clock */
        int status;     /* -1: none */
        enum count_gps_verdict verdict;
    } rows[] = {
        {120.13, 30.28, 0, ON, COUNT_GPS_TAKEN},
        {120.13, 30.28, 0, -1, COUNT_GPS_TAKEN},
        {120.13, 30.28, -600000, ON, COUNT_GPS_TAKEN},
        {120.13, 30.28, 60000, ON, COUNT_GPS_TAKEN},
        {120.13, 30.28, 0, COUNT_GPS_IGNITION, COUNT_GPS_NOT_LOCATED},
        {0, 0, 0, COUNT_GPS_IGNITION, COUNT_GPS_NOT_LOCATED},
        {0, 0, 0, ON, COUNT_GPS_NO_PLACE},
        {0.001, -0.002, 0, -1, COUNT_GPS_NO_PLACE},
        {NAN, 30.28, 0, ON, COUNT_GPS_NO_PLACE},
        {120.13, INFINITY, 0, ON, COUNT_GPS_NO_PLACE},
        {180.5, 30.28, 0, ON, COUNT_GPS_NO_PLACE},
        {120.13, -90.5, 0, ON, COUNT_GPS_NO_PLACE},
        {30.28, 120.13, 0, ON, COUNT_GPS_NO_PLACE}, /* the wrong way round: no such latitude */
        {121.47, 31.23, 0, ON, COUNT_GPS_OUTSIDE},
        {120.13, 30.20, 0, ON, COUNT_GPS_OUTSIDE},
        {120.13, 30.265, 0, ON, COUNT_GPS_TAKEN}, /* a little beside the network is a garage */
        {120.13, 30.28, -600001, ON, COUNT_GPS_LATE},
        {120.13, 30.28, 946684800000 - T0, ON, COUNT_GPS_LATE}, /* 2000-01-01: a clock that was never set */
        {120.13, 30.28, -T0 - 5, ON, COUNT_GPS_LATE},
        {120.13, 30.28, 60001, ON, COUNT_GPS_AHEAD},
        {120.13, 30.28, INT64_MAX - T0, ON, COUNT_GPS_AHEAD},
        {120.13, 30.28, 0, COUNT_GPS_LOCATED, COUNT_GPS_PARKED},
        {121.47, 31.23, 0, COUNT_GPS_LOCATED, COUNT_GPS_PARKED},
    };
    static const struct road_network network = {.is_geographic = true, .low = {120.12, 30.27}, .high = {120.14, 30.29}};
    const struct count_gps_settings settings = COUNT_GPS_SETTINGS_DEFAULT;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct count_gps_point point = {
            .fix = {.time_ms = T0 + rows[i].off_ms, .point = {rows[i].lon, rows[i].lat}, .speed_mps = 8, .heading = 0},
            .arrived_ms = T0,
            .has_status = rows[i].status >= 0,
            .status = (uint32_t)rows[i].status};
        enum count_gps_verdict verdict = count_gps_judge(&network, &settings, &point);
        if (verdict != rows[i].verdict)
            fail_msg("row %zu: %s", i + 1, count_gps_verdict_text(verdict));
        assert_true(point.fix.speed_mps == 8 && point.fix.heading == 0);
    }
    for (int v = 0; v < COUNT_GPS_N_VERDICTS; v++)
        assert_non_null(count_gps_verdict_text((enum count_gps_verdict)v));
}

/* The same place by both datums; a place in the wrong one is some 500 m beside. */
static void a_source_has_a_datum(void **state)
{
    static const struct road_network network = {.is_geographic = true, .low = {120.12, 30.27}, .high = {120.14, 30.29}};
    struct count_gps_settings settings = COUNT_GPS_SETTINGS_DEFAULT;
    const struct road_point place = {120.13, 30.28}, shifted = road_gcj02_of_wgs84(place);
    assert_true(road_distance_m(&network, place, shifted) > 300 && road_distance_m(&network, place, shifted) < 900);
    for (int is_gcj02 = 0; is_gcj02 <= 1; is_gcj02++) {
        struct count_gps_point point = {.fix = {.time_ms = T0, .point = is_gcj02 ? shifted : place}, .arrived_ms = T0};
        settings.is_gcj02 = is_gcj02;
        assert_int_equal(count_gps_judge(&network, &settings, &point), COUNT_GPS_TAKEN);
        assert_true(road_distance_m(&network, place, point.fix.point) < 0.01);
    }
}

/* What a terminal says of its speed and heading is believed as far as it can be. */
static void odd_speeds_are_not_told(void **state)
{
    static const double odd_speeds[] = {-1, 100.1, 6553.5, NAN, INFINITY}, odd_headings[] = {-0.1, 360.5, 65535, NAN};
    static const struct road_network network = {.is_geographic = true, .low = {120.12, 30.27}, .high = {120.14, 30.29}};
    const struct count_gps_settings settings = COUNT_GPS_SETTINGS_DEFAULT;
    for (size_t i = 0; i < 5; i++) {
        struct count_gps_point point = {
            .fix = {.time_ms = T0, .point = {120.13, 30.28}, .speed_mps = odd_speeds[i], .heading = odd_headings[i % 4]}, .arrived_ms = T0};
        assert_int_equal(count_gps_judge(&network, &settings, &point), COUNT_GPS_TAKEN);
        assert_true(isnan(point.fix.speed_mps) && isnan(point.fix.heading));
    }
}

static void a_vehicles_points_have_an_order(void **state)
{
    struct bench bench;
    const struct count_gps_settings settings = COUNT_GPS_SETTINGS_DEFAULT;
    static const struct {
        uint64_t vehicle;
        double s, x;
        uint32_t status;
        enum count_gps_verdict verdict;
    } rows[] = {
        {1, 10, 100, ON, COUNT_GPS_TAKEN},
        {1, 10, 100, ON, COUNT_GPS_REPEATED},
        {1, 5, 50, ON, COUNT_GPS_OLDER},
        {2, 5, 50, ON, COUNT_GPS_TAKEN},
        {1, 20, 200, ON, COUNT_GPS_TAKEN},
        {1, 9, 90, COUNT_GPS_LOCATED, COUNT_GPS_OLDER}, /* a late parking is none */
        {1, 30, 300, COUNT_GPS_LOCATED, COUNT_GPS_PARKED},
        {1, 25, 250, ON, COUNT_GPS_TAKEN}, /* nobody is known by that name any more */
        {2, 15, 99999, ON, COUNT_GPS_OUTSIDE},
        {3, 15, 99999, ON, COUNT_GPS_OUTSIDE},
    };
    bench_make(&bench, &settings);
    uint64_t n[COUNT_GPS_N_VERDICTS] = {0};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct count_gps_point point = point_at(rows[i].vehicle, rows[i].s, rows[i].x);
        point.status = rows[i].status;
        enum count_gps_verdict verdict = count_gps_add(bench.gps, &point);
        if (verdict != rows[i].verdict)
            fail_msg("row %zu: %s", i + 1, count_gps_verdict_text(verdict));
        n[verdict]++;
    }
    for (int v = 0; v < COUNT_GPS_N_VERDICTS; v++)
        assert_true(count_gps_n(bench.gps, (enum count_gps_verdict)v) == n[v]);
    assert_int_equal(count_gps_n_vehicles(bench.gps), 1);
    bench_finish(&bench);
}

/* ---- figures ---- */

/* 5 m/s over edges of 10 m/s: index 2, without any camera on the edge, and no word of its flow. */
static void floating_cars_alone_have_a_speed(void **state)
{
    struct bench bench;
    const struct count_gps_settings settings = COUNT_GPS_SETTINGS_DEFAULT;
    uint32_t camera = COUNT_NONE;
    bench_make(&bench, &settings);
    pass(&bench, &camera, 7, 99, 0);
    drive(&bench, 1, 0, 250, 5, 400); /* e0 in part, e1 to e3 whole, e4 in part */
    pass(&bench, &camera, 7, 98, 400);
    tick(&bench, 401);
    for (int e = 1; e <= 3; e++) {
        const struct count_edge_state *state_of = edge_told(&bench, e);
        assert_near(state_of->speed_mps, 5, 0.05);
        assert_near(state_of->delay_index, 2, 0.02);
        assert_true(isnan(state_of->flow_vph));
        assert_int_equal(state_of->sources, COUNT_SOURCE_GPS);
    }
    assert_near(bench.updates.areas[0].speed_mps, 5, 0.05);
    assert_near(bench.updates.areas[0].delay_index, 2, 0.02);
    assert_false(isnan(bench.updates.areas[0].flow_vph)); /* the camera's, not thinned by edges that have none */
    assert_int_equal(edge_told(&bench, 7)->sources, 0);
    assert_int_equal(bench.n_drives, 3);
    /* They fade, and are told as not observed. */
    for (int s = 402; s < 1000; s += 20) {
        pass(&bench, &camera, 7, 1000 + (uint64_t)s, s);
        tick(&bench, s);
    }
    for (uint32_t i = 0; i < bench.updates.n_edges; i++)
        assert_int_equal(bench.updates.edges[i].sources & COUNT_SOURCE_GPS, 0);
    bench_finish(&bench);
}

/* One by cameras in 50 s, two floating in 100 s, at the same time: they weigh as the vehicles that they are. */
static void both_sources_are_weighed_by_vehicles(void **state)
{
    struct bench bench;
    const struct count_gps_settings settings = COUNT_GPS_SETTINGS_DEFAULT;
    uint32_t first = COUNT_NONE, last = COUNT_NONE;
    bench_make(&bench, &settings);
    drive(&bench, 1, 0, 250, 5, 180); /* at the end of e1 at 150 s, and on e2 at 180 */
    drive(&bench, 2, 0, 250, 5, 180);
    pass(&bench, &first, 0, 5, 100); /* the end of e0 */
    pass(&bench, &last, 1, 5, 150);  /* the end of e1, 50 s later */
    tick(&bench, 151);
    const struct count_edge_state *edge = edge_told(&bench, 1);
    assert_int_equal(edge->sources, COUNT_SOURCE_CAMERA | COUNT_SOURCE_GPS);
    assert_int_equal(edge->n, 3);
    assert_near(edge->speed_mps, 1500.0 / 250, 0.05);
    assert_near(edge->delay_index, 250.0 / 150, 0.02);
    assert_false(isnan(edge->flow_vph));
    bool is_road_told = false;
    for (uint32_t i = 0; i < bench.updates.n_roads; i++) {
        is_road_told = true;
        assert_int_equal(bench.updates.roads[i].sources, COUNT_SOURCE_CAMERA | COUNT_SOURCE_GPS);
        assert_near(bench.updates.roads[i].speed_mps, 1500.0 / 250, 0.05);
    }
    assert_true(is_road_told);
    bench_finish(&bench);
}

/* As between cameras: who flies has a wrong clock, who stands for half an hour has stopped. */
static void odd_drives_move_nothing(void **state)
{
    struct bench bench;
    const struct count_gps_settings settings = COUNT_GPS_SETTINGS_DEFAULT;
    bench_make(&bench, &settings);
    static const double took_s[] = {24, 900, 25.5, 800};
    for (size_t i = 0; i < 4; i++) {
        const struct count_drive one = {bench.city.edges[2], took_s[i], 50, 500, T0};
        count_drive(bench.count, &one);
    }
    assert_true(count_counters(bench.count)->n_drives == 4 && count_counters(bench.count)->n_drives_odd == 2);
    tick(&bench, 1);
    assert_int_equal(edge_told(&bench, 2)->n, 2);
    bench_finish(&bench);
}

/* Silence ends a trip: its last edges are told then. A clock that is set back begins anew. */
static void silence_and_clocks(void **state)
{
    struct bench bench;
    const struct count_gps_settings settings = COUNT_GPS_SETTINGS_DEFAULT;
    bench_make(&bench, &settings);
    drive(&bench, 1, 0, 250, 10, 100);
    tick(&bench, 104);
    assert_int_equal(count_gps_n_vehicles(bench.gps), 1);
    tick(&bench, 410);
    assert_int_equal(count_gps_n_vehicles(bench.gps), 0);
    drive(&bench, 2, 1000, 250, 10, 20);
    tick(&bench, 1021);
    struct count_gps_point before = point_at(2, 0, 250);
    assert_int_equal(count_gps_add(bench.gps, &before), COUNT_GPS_OLDER);
    tick(&bench, 0);
    assert_int_equal(count_gps_n_vehicles(bench.gps), 0);
    assert_int_equal(count_gps_add(bench.gps, &before), COUNT_GPS_TAKEN);
    bench_finish(&bench);
}

/* ---- rows ---- */

static void rows_become_points(void **state)
{
    struct value row[] = {value_text(STR("v1")), value_time(T0), value_real(120.13), value_real(30.28), value_real(8), value_real(90),
        value_integer((int64_t)ON)};
    struct count_gps_point point;
    assert_true(count_position_read(row, T0 + 5, &point));
    assert_true(point.fix.time_ms == T0 && point.arrived_ms == T0 + 5 && point.has_status && point.status == ON);
    assert_true(point.fix.point.lon == 120.13 && point.fix.point.lat == 30.28 && point.fix.speed_mps == 8 && point.fix.heading == 90);
    struct count_gps_point other;
    row[0] = value_text(STR("v2"));
    assert_true(count_position_read(row, T0, &other) && other.vehicle != point.vehicle);
    for (int i = 2; i < 7; i++)
        row[i] = VALUE_NONE;
    assert_true(count_position_read(row, T0, &point));
    assert_true(!point.has_status && isnan(point.fix.point.lon) && isnan(point.fix.speed_mps) && isnan(point.fix.heading));
    row[1] = VALUE_NONE;
    assert_false(count_position_read(row, T0, &point));
    row[1] = value_time(T0);
    row[0] = value_text(STR(""));
    assert_false(count_position_read(row, T0, &point));
    row[0] = VALUE_NONE;
    assert_false(count_position_read(row, T0, &point));
}

/* ---- limits ---- */

/* Ten thousand names from an attacker, any place, any time: memory stays, and every point has its verdict. */
static void hostile_points_are_counted(void **state)
{
    struct bench bench;
    struct count_gps_settings settings = COUNT_GPS_SETTINGS_DEFAULT;
    settings.follow.vehicles_max = 50;
    bench_make(&bench, &settings);
    uint64_t first = test_seed(), seed = first;
    int64_t n_most = 0, n_before = mem_n_live();
    enum { N = 20000 };
    for (int i = 0; i < N; i++) {
        struct count_gps_point point =
            point_at(random_next(&seed) % 10000, (double)(random_next(&seed) % 2000), (double)(random_next(&seed) % 6000));
        point.fix.point.lat = (double)(random_next(&seed) % 40) - 20;
        point.fix.speed_mps = (double)(random_next(&seed) % 200) - 10;
        point.fix.heading = (double)(random_next(&seed) % 800) - 100;
        point.status = (uint32_t)random_next(&seed);
        point.has_status = random_next(&seed) % 8 == 0;
        if (random_next(&seed) % 10 == 0)
            point.fix.time_ms = (int64_t)(random_next(&seed) << 11);
        if (random_next(&seed) % 10 == 0)
            point.fix.point.lon = NAN;
        count_gps_add(bench.gps, &point);
        assert_true(count_gps_n_vehicles(bench.gps) <= 50);
        n_most = mem_n_live() > n_most ? mem_n_live() : n_most;
    }
    assert_true(n_most - n_before <= 50 * 2 + 4);
    uint64_t n = 0;
    for (int v = 0; v < COUNT_GPS_N_VERDICTS; v++)
        n += count_gps_n(bench.gps, (enum count_gps_verdict)v);
    assert_true(n == N && count_gps_n(bench.gps, COUNT_GPS_NO_ROOM) == 0);
    tick(&bench, 3000);
    bench_finish(&bench);
}

static void memory_can_be_short(void **state)
{
    struct bench bench;
    const struct count_gps_settings settings = COUNT_GPS_SETTINGS_DEFAULT;
    bench_make(&bench, &settings);
    struct count_gps_point point = point_at(1, 10, 100);
    mem_fail_nth(1);
    assert_int_equal(count_gps_add(bench.gps, &point), COUNT_GPS_NO_ROOM);
    mem_fail_nth(0);
    assert_int_equal(count_gps_add(bench.gps, &point), COUNT_GPS_TAKEN);
    int64_t n_live = mem_n_live();
    enum err err = ERR_NO_MEMORY;
    for (uint64_t nth = 1; err == ERR_NO_MEMORY; nth++) {
        struct count_gps *gps = NULL;
        mem_fail_nth(nth);
        err = count_gps_create(count_hierarchy(bench.count), bench.nearest, &settings, on_drive, &bench, &gps);
        mem_fail_nth(0);
        count_gps_destroy(gps);
        assert_int_equal(mem_n_live(), n_live);
    }
    assert_ok(err);
    bench_finish(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_rule_has_its_row),
        cmocka_unit_test(a_source_has_a_datum),
        cmocka_unit_test(odd_speeds_are_not_told),
        cmocka_unit_test(a_vehicles_points_have_an_order),
        cmocka_unit_test(floating_cars_alone_have_a_speed),
        cmocka_unit_test(both_sources_are_weighed_by_vehicles),
        cmocka_unit_test(odd_drives_move_nothing),
        cmocka_unit_test(silence_and_clocks),
        cmocka_unit_test(rows_become_points),
        cmocka_unit_test(hostile_points_are_counted),
        cmocka_unit_test(memory_can_be_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
