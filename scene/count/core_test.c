/*
 * The pure core on the ring of city_testing.h: speeds, flows and delays by hand; silence; clocks. What holds for any events is in
 * core_laws_test.c.
 */
#include "scene/count/core.h"

#include "scene/count/core_testing.h"
#include "scene/count/state.h"

static const struct count_edge_state *edge_told(const struct bench *bench, int edge)
{
    for (uint32_t i = 0; i < bench->updates.n_edges; i++)
        if (bench->updates.edges[i].edge == bench->city.edges[edge])
            return &bench->updates.edges[i];
    return NULL;
}

static const struct count_road_state *road_told(const struct bench *bench, const char *name, uint16_t area)
{
    for (uint32_t i = 0; i < bench->updates.n_roads; i++)
        if (bench->updates.roads[i].area == area &&
            str_equal_c(str_map_key(bench->city.network->names, bench->updates.roads[i].name), name))
            return &bench->updates.roads[i];
    return NULL;
}

/* One vehicle: there from its first sighting, certain at first, known as long as it may come back, then forgotten. */
static void one_vehicle_comes_and_goes(void **state)
{
    struct bench bench;
    bench_make(&bench, &defaults);
    assert_true(isnan(tick(&bench, 0)[0].vehicles)); /* no camera yet: nothing can be said */
    pass(&bench, 0, 77, 1);
    const struct count_area_figures *areas = tick(&bench, 2);
    assert_near(areas[0].vehicles - areas[0].unseen, 1, 0.03); /* with the chance that it was misread or is at its end */
    assert_int_equal(areas[0].n_vehicles, 1);
    assert_near(areas[2].vehicles, areas[0].vehicles, 1e-12); /* e0's street */
    assert_true(isnan(areas[3].vehicles));                    /* the other street has no camera */
    assert_true(areas[3].is_told);
    assert_int_equal(areas[0].stale_since_ms, COUNT_FRESH);
    for (int s = 3; s < defaults.keep_s; s += 9) {
        pass(&bench, 0, 1000000 + (uint64_t)s, s); /* others, so that the camera is not silent */
        tick(&bench, s + 1);
        const struct count_vehicles *known = count_known_vehicles(bench.count);
        assert_int_not_equal(count_vehicles_find(known, 77), COUNT_NONE);
    }
    pass(&bench, 0, 5, (double)defaults.keep_s + 30);
    areas = tick(&bench, (double)defaults.keep_s + 31);
    assert_int_equal(count_vehicles_find(count_known_vehicles(bench.count), 77), COUNT_NONE);
    assert_true(areas[0].vehicles < 2); /* nobody was ever sighted twice: they are taken for misread plates, all of them */
    bench_finish(&bench);
}

/*
 * Two vehicles from e0 to e2, 1,000 m of 100 s free flow, in 200 and in 100 s. On e2, 75 s in the mean:
 *     speed 500 m / 75 s = 6.667 m/s, delay index 75 / 50 = 1.5.
 * They left e1 100 s and 50 s before they were seen: there the mean is (100 e^-100/120 + 50 e^-50/120) / (e^-100/120 + e^-50/120) = 69.87
 * s. Together 2 x (69.87 + 75) s over 2,000 m. A third from e2 to e9 in 700 s, free flow 350 s: 3,500 m at 5 m/s, index 2.
 */
static void speeds_and_delays_are_the_hand_computed(void **state)
{
    struct bench bench;
    struct count_settings settings = COUNT_SETTINGS_DEFAULT;
    settings.road_least = 0.5;
    bench_make(&bench, &settings);
    pass(&bench, 0, 1, 0);
    pass(&bench, 0, 2, 100);
    pass(&bench, 2, 1, 200);
    pass(&bench, 2, 2, 200);
    const struct count_area_figures *areas = tick(&bench, 201);
    static const double edge_s[] = {0, 69.87, 75}, mean_s = (69.87 + 75) / 2;
    for (int e = 1; e <= 2; e++) {
        const struct count_edge_state *edge = edge_told(&bench, e);
        assert_non_null(edge);
        assert_near(edge->speed_mps, 500 / edge_s[e], 1e-3);
        assert_near(edge->delay_index, edge_s[e] / 50, 1e-3);
        assert_int_equal(edge->n, e); /* of those that left e1 about one is of now */
    }
    assert_true(isnan(edge_told(&bench, 0)->speed_mps)); /* passed, but no way ends there */
    assert_null(edge_told(&bench, 3));
    assert_near(areas[0].speed_mps, 500 / mean_s, 1e-3);
    assert_near(areas[0].delay_index, mean_s / 50, 1e-3);
    assert_near(areas[2].delay_index, mean_s / 50, 1e-3);
    assert_true(isnan(areas[3].speed_mps));
    const struct count_road_state *road = road_told(&bench, "环路", 0);
    assert_near(road->speed_mps, 500 / mean_s, 1e-3);
    assert_near(road->delay_index, mean_s / 50, 1e-3);
    assert_near(road->length_m, 1500, 1e-9); /* e0, e1, e2 */
    assert_null(road_told(&bench, "南路", 0));
    assert_null(road_told(&bench, "环路", 3));
    /* e3 to e9: the named road goes to e7, the other is e8 and e9; street 3 has e5 to e8. */
    pass(&bench, 2, 3, 210);
    for (int s = 220; s < 910; s += 10)
        pass(&bench, 2, 100 + (uint64_t)s, s);
    pass(&bench, 9, 3, 910);
    areas = tick(&bench, 911);
    assert_near(edge_told(&bench, 5)->speed_mps, 5, 1e-3);
    assert_near(edge_told(&bench, 5)->delay_index, 2, 1e-4);
    assert_near(areas[3].speed_mps, 5, 1e-3);
    assert_near(road_told(&bench, "南路", 0)->speed_mps, 5, 1e-3);
    assert_near(road_told(&bench, "南路", 1)->length_m, 1000, 1e-9);
    assert_near(road_told(&bench, "南路", 3)->length_m, 500, 1e-9);
    assert_near(road_told(&bench, "环路", 3)->length_m, 1500, 1e-9);
    bench_finish(&bench);
}

/* A vehicle every 10 s is 360 an hour, from the first window on. */
static void flows_are_vehicles_an_hour(void **state)
{
    struct bench bench;
    bench_make(&bench, &defaults);
    for (int i = 0; i < 120; i++) {
        pass(&bench, 4, (uint64_t)i + 1, i * 10.0);
        if (i == 5 || i == 119) {
            const struct count_area_figures *areas = tick(&bench, i * 10.0 + 5);
            assert_near(edge_told(&bench, 4)->flow_vph, 360, i == 5 ? 45 : 15);
            assert_near(areas[0].flow_vph, 360, i == 5 ? 45 : 15);
            assert_near(areas[0].n_passages, i == 5 ? 6 : 12, 2);
        }
    }
    bench_finish(&bench);
}

/* One slow car ranks no road: it is told from two vehicles over its observed length on. */
static void roads_are_told_from_enough_vehicles(void **state)
{
    struct bench bench;
    bench_make(&bench, &defaults);
    for (uint64_t v = 1; v <= 3; v++) {
        pass(&bench, 0, v, 0);
        pass(&bench, 2, v, 200 + (double)v);
        tick(&bench, 200.5 + (double)v);
        assert_int_equal(road_told(&bench, "环路", 0) != NULL, v == 3); /* two and a little faded are not yet two */
        assert_non_null(edge_told(&bench, 1));
    }
    bench_finish(&bench);
}

struct refusal {
    double s, delay_s;
    int edge;
    uint64_t vehicle;
    uint64_t n_passages, n_duplicates, n_out_of_order, n_late, n_future; /* counters after it */
};

static const struct refusal refusals[] = {
    {1000, 0.2, 0, 1, 1, 0, 0, 0, 0}, {1000, 3, 0, 1, 1, 1, 0, 0, 0}, /* the same, sent again */
    {1000.9, 3, 0, 1, 1, 2, 0, 0, 0},                                 /* a second picture of the same passing */
    {1100, 0.2, 2, 1, 2, 2, 0, 0, 0},                                 /* on its way */
    {1000, 120, 0, 1, 2, 3, 0, 0, 0},                                 /* the first once more, after the second */
    {1050, 80, 1, 1, 3, 3, 1, 0, 0},                                  /* between the two, late: flow, but it moves nothing */
    {500, 601, 0, 2, 3, 3, 1, 1, 0},                                  /* more than ten minutes late */
    {1200, -61, 0, 3, 3, 3, 1, 1, 1},                                 /* from the future */
    {1200, -59, 0, 3, 4, 3, 1, 1, 1},                                 /* a clock that is a little fast */
    {1300, 0.2, 2, 1, 5, 3, 1, 1, 1},                                 /* the same camera again, once around */
};

static void duplicates_and_wrong_times_are_told_apart(void **state)
{
    struct bench bench;
    bench_make(&bench, &defaults);
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        const struct refusal *row = &refusals[i];
        pass_late(&bench, row->edge, row->vehicle, row->s, row->delay_s);
        const struct count_counters *counters = count_counters(bench.count);
        if (counters->n_passages != row->n_passages || counters->n_duplicates != row->n_duplicates ||
            counters->n_out_of_order != row->n_out_of_order || counters->n_late != row->n_late || counters->n_future != row->n_future)
            fail_msg("row %zu: %llu passages, %llu duplicates, %llu out of order, %llu late, %llu from the future", i,
                (unsigned long long)counters->n_passages, (unsigned long long)counters->n_duplicates,
                (unsigned long long)counters->n_out_of_order, (unsigned long long)counters->n_late, (unsigned long long)counters->n_future);
    }
    bench_finish(&bench);
}

/* Too fast for any car, and so slow that it stopped on the way: no speed from either. */
static void impossible_links_and_stops_move_no_speed(void **state)
{
    struct bench bench;
    bench_make(&bench, &defaults);
    pass(&bench, 0, 1, 0);
    pass(&bench, 4, 1, 90); /* 2,000 m, 200 s of free flow */
    pass(&bench, 0, 2, 0);
    pass(&bench, 2, 2, 1500); /* 100 s of free flow: 12 times that and 240 s are 1,440 */
    tick(&bench, 1501);
    assert_int_equal(count_counters(bench.count)->n_links, 2);
    assert_int_equal(count_counters(bench.count)->n_impossible, 1);
    assert_int_equal(count_counters(bench.count)->n_stops, 1);
    assert_null(edge_told(&bench, 1));
    bench_finish(&bench);
}

/* A vehicle a second on each of two cameras, then nothing: fresh at 8 s, stale after, with no number in any figure; then healed. */
static void silence_is_stale_and_heals(void **state)
{
    struct bench bench;
    bench_make(&bench, &defaults);
    for (int s = 0; s < 300; s++) {
        pass(&bench, 0, (uint64_t)s + 1, s);
        pass(&bench, 2, (uint64_t)s - 119, s); /* 120 s later */
        tick(&bench, s + 0.5);
        if (s > 130)
            assert_int_equal(bench.updates.areas[0].stale_since_ms, COUNT_FRESH);
    }
    for (int i = 0; i < 8; i++)
        tick(&bench, 300 + i);
    const struct count_area_figures *areas = bench.updates.areas;
    assert_false(isnan(areas[0].vehicles));
    areas = tick(&bench, 308);
    /* The last arrived at 299.2 s. */
    for (int a = 0; a < 4; a++) {
        assert_int_equal(areas[a].stale_since_ms, T0 + 299200);
        assert_true(isnan(areas[a].vehicles) && isnan(areas[a].flow_vph) && isnan(areas[a].speed_mps) && isnan(areas[a].delay_index));
        assert_int_equal(areas[a].n_vehicles, 0);
    }
    assert_non_null(edge_told(&bench, 1)); /* told at once, as not observed */
    assert_true(isnan(edge_told(&bench, 1)->speed_mps) && isnan(edge_told(&bench, 1)->flow_vph));
    assert_true(isnan(road_told(&bench, "环路", 0)->speed_mps));
    tick(&bench, 309);
    assert_null(road_told(&bench, "环路", 0)); /* told once */
    pass(&bench, 0, 100000, 330);
    areas = tick(&bench, 331);
    assert_int_equal(areas[0].stale_since_ms, COUNT_FRESH);
    assert_true(areas[0].vehicles > 50);
    assert_false(isnan(areas[0].speed_mps));
    bench_finish(&bench);
}

/* A quiet street: a vehicle a minute. Two minutes without one are no silence there; ten are. */
static void quiet_is_not_silent(void **state)
{
    struct bench bench;
    bench_make(&bench, &defaults);
    for (int i = 0; i < 30; i++)
        pass(&bench, 0, (uint64_t)i + 1, i * 60.0);
    for (int s = 0; s < 120; s++)
        assert_int_equal(tick(&bench, 1740 + s)[0].stale_since_ms, COUNT_FRESH);
    for (int s = 120; s < 600; s++)
        tick(&bench, 1740 + s);
    assert_int_equal(bench.updates.areas[0].stale_since_ms, T0 + 1740200);
    bench_finish(&bench);
}

/* Nothing was ever heard: after stale_after the city says so. */
static void never_heard_is_stale(void **state)
{
    struct bench bench;
    bench_make(&bench, &defaults);
    assert_int_equal(tick(&bench, 0)[0].stale_since_ms, COUNT_FRESH);
    for (int s = 1; s < 12; s++)
        tick(&bench, s);
    assert_int_equal(bench.updates.areas[0].stale_since_ms, T0);
    assert_int_equal(bench.updates.areas[2].stale_since_ms, T0);
    bench_finish(&bench);
}

/* A clock ten times as fast ticks every ten seconds: eight seconds without a passage are then no silence. */
static void fast_clocks_are_not_silent(void **state)
{
    struct bench bench;
    bench_make(&bench, &defaults);
    for (int i = 0; i < 30; i++) {
        for (int k = 0; k < 10; k++)
            pass(&bench, 0, (uint64_t)(i * 10 + k + 1), i * 10.0 + k * 0.1);
        assert_int_equal(tick(&bench, i * 10.0 + 9.9)[0].stale_since_ms, COUNT_FRESH);
    }
    bench_finish(&bench);
}

/* Cameras that are first heard over hours: the whole network is not walked for each of them, and in the end it was walked for all. */
static void the_network_is_not_walked_for_each_camera(void **state)
{
    struct bench bench;
    bench_make(&bench, &defaults);
    int n_walks = 0, s = 0;
    uint32_t seen = 0;
    for (; s < 100 * 61; s++) {
        uint32_t camera;
        if (s == 0)
            pass(&bench, 0, 1, 0);
        else if (s % 61 == 0)
            assert_ok(count_camera_add(bench.count, bench.city.edges[s / 61 % CITY_EDGES], &camera));
        tick(&bench, s);
        n_walks += bench.count->n_seen_cameras != seen;
        seen = bench.count->n_seen_cameras;
        if (s >= 31)
            assert_true(seen > 0 && seen * 2 >= bench.count->n_cameras);
    }
    assert_true(n_walks < 20);
    for (; s < 100 * 61 + 700; s++)
        tick(&bench, s);
    assert_int_equal(bench.count->n_seen_cameras, 100);
    bench_finish(&bench);
}

/* A street's camera that nobody has heard yet: nothing is known there, which is no zero, while the other street is counted. */
static void an_unheard_street_has_no_count(void **state)
{
    struct bench bench;
    bench_make(&bench, &defaults);
    assert_ok(count_camera_add(bench.count, bench.city.edges[6], &bench.cameras[6]));
    assert_true(isnan(tick(&bench, 0)[0].vehicles));
    for (int s = 1; s < 400; s++) {
        pass(&bench, 0, (uint64_t)s + 1, s);
        if (s == 300)
            pass(&bench, 6, 1, s);
        const struct count_area_figures *areas = tick(&bench, s + 0.5);
        assert_false(isnan(areas[0].vehicles));
        assert_true(areas[3].is_told);
        if (s < 300)
            assert_true(isnan(areas[3].vehicles) && isnan(areas[3].high));
        if (s == 300)
            assert_false(isnan(areas[3].vehicles));
    }
    bench_finish(&bench);
}

/* One vehicle, or none: by chance there may be three, and the interval says so. */
static void few_vehicles_are_not_certain(void **state)
{
    struct bench bench;
    bench_make(&bench, &defaults);
    pass(&bench, 0, 1, 0);
    for (int s = 1; s < 8; s++)
        assert_true(tick(&bench, s)[0].high >= 2.99);
    assert_near(bench.updates.areas[0].low, 0, 1e-12);
    bench_finish(&bench);
}

/* One street's cameras fall silent while the other speaks: that street is stale, the city is not, and does not count it as empty. */
static void one_silent_street(void **state)
{
    struct bench bench;
    bench_make(&bench, &defaults);
    for (int s = 0; s < 400; s++) {
        pass(&bench, 0, (uint64_t)s + 1, s);
        if (s < 300)
            pass(&bench, 6, (uint64_t)s - 299, s);
        tick(&bench, s + 0.5);
    }
    const struct count_area_figures *areas = bench.updates.areas;
    assert_int_equal(areas[0].stale_since_ms, COUNT_FRESH);
    assert_int_equal(areas[2].stale_since_ms, COUNT_FRESH);
    assert_int_equal(areas[3].stale_since_ms, T0 + 299200);
    assert_true(isnan(areas[3].vehicles));
    assert_false(isnan(areas[0].vehicles));
    bench_finish(&bench);
}

/* The period's means, at its end, on the clock's own multiples of it; none where less than half was fresh. */
static void periods_are_recorded(void **state)
{
    struct bench bench;
    bench_make(&bench, &defaults);
    int64_t into_s = T0 / 1000 % 120, n_records = 0;
    double sum = 0;
    int n = 0;
    for (int s = 0; s < 700; s++) {
        if (s < 420)
            pass(&bench, 0, (uint64_t)s + 1, s);
        tick(&bench, s + 0.9);
        bool is_end = (s + into_s) % 120 == 0 && s > 0;
        assert_int_equal(bench.updates.record != NULL, is_end);
        double vehicles = bench.updates.areas[0].vehicles;
        if (!isnan(vehicles)) {
            sum += vehicles;
            n++;
        }
        if (!is_end)
            continue;
        const struct count_area_figures *record = &bench.updates.record[0];
        if (n_records > 0 && n >= 61)
            assert_near(record->vehicles, sum / n, 0.02 * sum / n);
        else if (n_records > 0 && n < 59)
            assert_true(isnan(record->vehicles));
        if (n < 59 && n_records > 0)
            assert_int_not_equal(record->stale_since_ms, COUNT_FRESH);
        sum = 0;
        n = 0;
        n_records++;
    }
    assert_true(n_records >= 5);
    bench_finish(&bench);
}

/* The clock goes back an hour: what was known is forgotten, and the count goes on. A leap of years ahead empties it. */
static void clocks_may_jump(void **state)
{
    struct bench bench;
    bench_make(&bench, &defaults);
    for (int s = 0; s < 60; s++)
        pass(&bench, 0, (uint64_t)s + 1, s);
    assert_true(tick(&bench, 60)[0].vehicles > 50);
    tick(&bench, 60 - 3600);
    assert_int_equal(count_counters(bench.count)->n_resets, 1);
    assert_int_equal(count_known_vehicles(bench.count)->n_known, 0);
    for (int s = 0; s < 60; s++)
        pass(&bench, 0, (uint64_t)s + 1, s - 3600);
    assert_true(tick(&bench, 60 - 3600)[0].vehicles > 50);
    assert_int_equal(bench.updates.areas[0].stale_since_ms, COUNT_FRESH);
    tick(&bench, 1e9);
    tick(&bench, 1e9 + 1);
    pass(&bench, 0, 9, 1e9 + 2);
    assert_near(tick(&bench, 1e9 + 3)[0].n_vehicles, 1, 0);
    bench_finish(&bench);
}

/* A hundred vehicles from e0 to e5 and around, ten minutes of them. */
static void drive_around(struct bench *bench, double from_s)
{
    tick(bench, from_s);
    for (int s = 0; s < 600; s += 6) {
        pass(bench, 0, (uint64_t)s + 1, from_s + s);
        if (s >= 250)
            pass(bench, 5, (uint64_t)(s - 250) / 6 * 6 + 1, from_s + s + 1);
        tick(bench, from_s + s + 2);
    }
}

/* The clock is set back, and what comes then is told as by a count that has just begun: the way to the first camera, too. */
static void after_a_reset_it_counts_as_a_new_one(void **state)
{
    struct bench bench, fresh;
    bench_make(&bench, &defaults);
    bench_make(&fresh, &defaults);
    drive_around(&bench, 0);
    drive_around(&bench, -3600);
    drive_around(&fresh, -3600);
    assert_int_equal(count_counters(bench.count)->n_resets, 1);
    assert_true(fresh.updates.areas[0].unseen > 1);
    assert_near(bench.updates.areas[0].unseen, fresh.updates.areas[0].unseen, 1e-9);
    assert_near(bench.updates.areas[0].vehicles, fresh.updates.areas[0].vehicles, 1e-9);
    bench_finish(&bench);
    bench_finish(&fresh);
}

/* A clock twenty seconds ahead, of which nothing is known yet: the same passage, told twice, is one. */
static void told_twice_by_a_clock_ahead_is_once(void **state)
{
    struct bench bench;
    bench_make(&bench, &defaults);
    pass_late(&bench, 0, 7, 20, -19.8);
    pass_late(&bench, 0, 7, 20, -18.8);
    pass_late(&bench, 0, 7, 60, -19.8); /* forty seconds later: another one */
    assert_int_equal(count_counters(bench.count)->n_duplicates, 1);
    assert_int_equal(count_counters(bench.count)->n_passages, 2);
    bench_finish(&bench);
}

/* A replay after a start: passages of the last hour while the clock is at now. Old ones are gone, fresh ones count, rates are of now. */
static void replayed_passages_are_of_their_time(void **state)
{
    struct bench bench;
    bench_make(&bench, &defaults);
    tick(&bench, 3600);
    for (int s = 0; s < 3600; s += 2)
        pass(&bench, 0, (uint64_t)s + 1, s);
    const struct count_area_figures *areas = tick(&bench, 3601);
    assert_int_equal(areas[0].stale_since_ms, COUNT_FRESH);
    assert_near(areas[0].flow_vph, 1800, 60);
    assert_near(areas[0].n_passages, 60, 3);
    assert_true(areas[0].n_vehicles > 50 && areas[0].n_vehicles < 900);
    /* Nothing comes any more: the same silence as if it had been live. */
    for (int s = 2; s < 14; s++)
        assert_int_equal(tick(&bench, 3600 + s)[0].stale_since_ms, COUNT_FRESH); /* half a passage a second: 16 s are silence */
    for (int s = 14; s < 20; s++)
        tick(&bench, 3600 + s);
    assert_int_equal(bench.updates.areas[0].stale_since_ms, T0 + 3598200);
    bench_finish(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_vehicle_comes_and_goes),
        cmocka_unit_test(speeds_and_delays_are_the_hand_computed),
        cmocka_unit_test(roads_are_told_from_enough_vehicles),
        cmocka_unit_test(flows_are_vehicles_an_hour),
        cmocka_unit_test(duplicates_and_wrong_times_are_told_apart),
        cmocka_unit_test(impossible_links_and_stops_move_no_speed),
        cmocka_unit_test(silence_is_stale_and_heals),
        cmocka_unit_test(quiet_is_not_silent),
        cmocka_unit_test(never_heard_is_stale),
        cmocka_unit_test(fast_clocks_are_not_silent),
        cmocka_unit_test(the_network_is_not_walked_for_each_camera),
        cmocka_unit_test(an_unheard_street_has_no_count),
        cmocka_unit_test(few_vehicles_are_not_certain),
        cmocka_unit_test(one_silent_street),
        cmocka_unit_test(periods_are_recorded),
        cmocka_unit_test(clocks_may_jump),
        cmocka_unit_test(after_a_reset_it_counts_as_a_new_one),
        cmocka_unit_test(told_twice_by_a_clock_ahead_is_once),
        cmocka_unit_test(replayed_passages_are_of_their_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
