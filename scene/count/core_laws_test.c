/* Laws of the core that hold for any events, under a printed seed: sums, order, bounds of memory. */
#include "base/mem.h"
#include "scene/count/core_testing.h"
#include "scene/count/state.h"

#include <stdlib.h>
#include <time.h>

static void random_events(
    struct bench *bench, uint64_t seed, int n, void (*after_tick)(struct bench *bench, uint64_t seed, void *context), void *context)
{
    double s = 0;
    uint64_t first_seed = seed;
    for (int i = 0; i < n; i++) {
        s += (double)(random_next(&seed) % 1000) / 1000;
        if (random_next(&seed) % 2000 == 0)
            s += (double)(random_next(&seed) % 3000);
        double delay_s = random_next(&seed) % 50 == 0 ? (double)(random_next(&seed) % 900) - 100 : 0.3;
        pass_late(bench, (int)(random_next(&seed) % CITY_EDGES), random_next(&seed) % 500, s, delay_s);
        if (random_next(&seed) % 4 == 0) {
            tick(bench, s + 1);
            after_tick(bench, first_seed, context);
        }
    }
}

static double zero_if_nan(double x)
{
    return isnan(x) ? 0 : x;
}

static void check_sums(struct bench *bench, uint64_t seed, void *context)
{
    const struct count_area_figures *a = bench->updates.areas;
    bool is_right = true;
    for (int i = 0; i < 4; i++) {
        is_right &= isnan(a[i].vehicles) || (a[i].vehicles >= 0 && a[i].unseen >= 0 && a[i].vehicles < 1e6);
        is_right &= isnan(a[i].flow_vph) || a[i].flow_vph >= 0;
        is_right &= isnan(a[i].speed_mps) || (a[i].speed_mps > 0 && a[i].speed_mps <= 10 / defaults.delay_min + 0.01);
        is_right &= isnan(a[i].delay_index) || a[i].delay_index >= defaults.delay_min - 0.01;
        is_right &= (a[i].stale_since_ms == COUNT_FRESH) || isnan(a[i].vehicles);
    }
    /* Streets together are not more than their district, the district not more than the city; equal in this city but for e9. */
    double streets = zero_if_nan(a[2].vehicles) + zero_if_nan(a[3].vehicles);
    is_right &= isnan(a[1].vehicles) || streets <= a[1].vehicles + 1e-6;
    is_right &= isnan(a[0].vehicles) || zero_if_nan(a[1].vehicles) <= a[0].vehicles + 1e-6;
    if (!is_right)
        fail_msg("seed %llu: %g %g %g %g vehicles", (unsigned long long)seed, a[0].vehicles, a[1].vehicles, a[2].vehicles, a[3].vehicles);
}

static void any_events_keep_the_laws(void **state)
{
    uint64_t seed = (uint64_t)time(NULL) * 2654435761u + 1;
    for (int i = 0; i < 5; i++) {
        struct bench bench;
        bench_make(&bench, &defaults);
        random_events(&bench, seed + (uint64_t)i, 20000, check_sums, NULL);
        bench_finish(&bench);
    }
    print_message("seed %llu\n", (unsigned long long)seed);
}

static void fold(struct bench *bench, uint64_t seed, void *context)
{
    uint64_t *hash = context;
    struct str areas = {(const char *)bench->updates.areas, 4 * sizeof(struct count_area_figures)};
    *hash = *hash * 31 + str_hash(areas);
    for (uint32_t i = 0; i < bench->updates.n_edges; i++)
        *hash = *hash * 31 + str_hash((struct str){(const char *)&bench->updates.edges[i].speed_mps, 3 * sizeof(double)});
}

/* The same events give the same bytes. */
static void the_same_events_give_the_same_figures(void **state)
{
    uint64_t hashes[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        struct bench bench;
        bench_make(&bench, &defaults);
        random_events(&bench, 4711, 20000, fold, &hashes[i]);
        bench_finish(&bench);
    }
    assert_true(hashes[0] != 0 && hashes[0] == hashes[1]);
}

/* Passages that arrive in the same moment may come in any order. */
static void simultaneous_arrivals_may_be_in_any_order(void **state)
{
    uint64_t seed = (uint64_t)time(NULL) * 2654435761u + 1, first_seed = seed;
    double vehicles[2] = {0}, speed[2] = {0};
    uint32_t n_vehicles[2] = {0};
    for (int run = 0; run < 2; run++) {
        struct bench bench;
        bench_make(&bench, &defaults);
        for (int e = 0; e < CITY_EDGES; e++) /* cameras are numbered alike in both runs */
            pass(&bench, e, 900000 + (uint64_t)e, 0);
        uint64_t shuffle = seed;
        for (int s = 1; s < 900; s++) {
            int order[CITY_EDGES];
            for (int k = 0; k < CITY_EDGES; k++)
                order[k] = k;
            for (int k = CITY_EDGES - 1; k > 0 && run == 1; k--) {
                int with = (int)(random_next(&shuffle) % (uint64_t)(k + 1)), kept = order[k];
                order[k] = order[with];
                order[with] = kept;
            }
            for (int k = 0; k < CITY_EDGES; k++) {
                /* Vehicle v enters at second v on e(v mod 10) and passes an edge each 70 s. */
                int v = s - 70 * order[k];
                if (v > 0)
                    pass(&bench, (v + order[k]) % CITY_EDGES, (uint64_t)v, s);
            }
        }
        const struct count_area_figures *areas = tick(&bench, 901);
        vehicles[run] = areas[0].vehicles;
        speed[run] = areas[0].speed_mps;
        n_vehicles[run] = areas[0].n_vehicles;
        bench_finish(&bench);
    }
    /* What one camera learned from another's vehicle in the same moment is all that may differ. */
    assert_int_equal(n_vehicles[0], n_vehicles[1]);
    if (fabs(vehicles[0] - vehicles[1]) > 1e-3 * vehicles[0] || fabs(speed[0] - speed[1]) > 1e-4 * speed[0])
        fail_msg("seed %llu: %.9g and %.9g vehicles, %.9g and %.9g m/s", (unsigned long long)first_seed, vehicles[0], vehicles[1], speed[0],
            speed[1]);
    assert_near(speed[0], CITY_EDGE_M / 70, 0.01);
    print_message("seed %llu\n", (unsigned long long)first_seed);
}

/* A million plates of an attacker in ten minutes: memory stays, the oldest go, and are counted. */
static void memory_is_bounded(void **state)
{
    struct count_settings settings = COUNT_SETTINGS_DEFAULT;
    settings.vehicles_max = 5000;
    struct bench bench;
    bench_make(&bench, &settings);
    for (int i = 0; i < 20000; i++)
        pass(&bench, i % CITY_EDGES, (uint64_t)i, i * 0.0006);
    int64_t live = mem_n_live();
    for (int i = 20000; i < 1000000; i++) {
        pass(&bench, i % CITY_EDGES, (uint64_t)i, i * 0.0006);
        if (i % 20000 == 0)
            tick(&bench, i * 0.0006 + 1);
    }
    assert_int_equal(mem_n_live(), live);
    assert_int_equal(count_known_vehicles(bench.count)->n_known, 5000);
    assert_int_equal(count_known_vehicles(bench.count)->n_evicted, 995000);
    /* Cameras have a limit of their own. */
    settings.cameras_max = 1;
    struct bench narrow;
    bench_make(&narrow, &settings);
    pass(&narrow, 0, 1, 1);
    uint32_t camera;
    assert_err(count_camera_add(narrow.count, narrow.city.edges[1], &camera), ERR_FULL);
    bench_finish(&narrow);
    bench_finish(&bench);
}

static void memory_may_fail_anywhere(void **state)
{
    struct city city;
    city_make(&city);
    int64_t before = mem_n_live();
    uint64_t nth = 1;
    for (;; nth++) {
        struct count *count = NULL;
        mem_fail_nth(nth);
        enum err err = count_create(&defaults, &city.map, &count);
        mem_fail_nth(0);
        if (err == ERR_OK) {
            count_destroy(count);
            break;
        }
        assert_err(err, ERR_NO_MEMORY);
        assert_int_equal(mem_n_live(), before);
    }
    assert_true(nth > 15);
    city_finish(&city);
}

/* Who asks for the vehicles alone gets the same ones; the rest waits for whoever asks for it. */
static void vehicles_alone_are_the_same_vehicles(void **state)
{
    struct bench one, other;
    uint64_t seed = 20261122;
    bench_make(&one, &defaults);
    bench_make(&other, &defaults);
    bool was_recorded = false;
    for (int s = 1; s < 600; s++) {
        for (uint64_t n = random_next(&seed) % 4; n > 0; n--) {
            int edge = (int)(random_next(&seed) % 5) * 2;
            uint64_t vehicle = random_next(&seed) % 60;
            pass(&one, edge, vehicle, s - 0.5);
            pass(&other, edge, vehicle, s - 0.5);
        }
        bool is_whole = s % 10 == 0;
        const struct count_area_figures *all = tick(&one, s);
        struct count_event event = {.type = is_whole ? COUNT_TICK : COUNT_TICK_VEHICLES, .now_ms = T0 + s * 1000};
        count_step(other.count, &event, &other.updates);
        for (int a = 0; a < 4; a++) {
            const struct count_area_figures *figures = &other.updates.areas[a];
            assert_true(figures->vehicles == all[a].vehicles || (isnan(figures->vehicles) && isnan(all[a].vehicles)));
            assert_true(figures->low == all[a].low || isnan(all[a].low));
            assert_true(figures->high == all[a].high || isnan(all[a].high));
            assert_int_equal(figures->n_passages, all[a].n_passages);
            assert_true(is_whole || (isnan(figures->flow_vph) && isnan(figures->delay_index) && figures->n_links == 0));
            if (is_whole && !isnan(all[a].delay_index)) {
                assert_near(figures->delay_index / all[a].delay_index, 1, 1e-5);
                assert_near(figures->flow_vph / all[a].flow_vph, 1, 1e-5);
                assert_int_equal(figures->n_links, all[a].n_links);
            }
        }
        assert_true(is_whole || (other.updates.n_edges + other.updates.n_roads + other.updates.n_junctions == 0));
        if (one.updates.record != NULL && s > 300) { /* a period ends at a whole ten seconds here */
            assert_non_null(other.updates.record);
            assert_near(other.updates.record[0].vehicles / one.updates.record[0].vehicles, 1, 0.1);
            assert_near(other.updates.record[0].delay_index / one.updates.record[0].delay_index, 1, 0.1);
            was_recorded = true;
        }
    }
    assert_true(was_recorded);
    bench_finish(&one);
    bench_finish(&other);
}

/* The city's count is the same however it is cut into areas: here an area where trips begin and one where they end, or none. */
static void areas_do_not_change_the_city(void **state)
{
    struct bench cut, whole;
    bench_make(&cut, &defaults);
    bench_make(&whole, &defaults);
    memset(whole.city.edge_areas, 0, sizeof(whole.city.edge_areas)); /* all edges are the city's own */
    uint64_t seed = 17;
    for (int s = 1; s <= 2400; s++) {
        for (int edge = 0; edge < 9; edge++) { /* vehicle v comes at second v and passes an edge in 70 s; one of eight is not read */
            int v = s - 70 * edge;
            if (v <= 0 || (edge > 4 && v % 3 == 0) || random_next(&seed) % 8 == 0)
                continue;
            pass(&cut, edge, (uint64_t)v, s);
            pass(&whole, edge, (uint64_t)v, s);
        }
        const struct count_area_figures *of_cut = tick(&cut, s + 0.5), *of_whole = tick(&whole, s + 0.5);
        if (s % 60 != 0 || s < 600) /* until then an area has no camera that was heard */
            continue;
        assert_near(of_cut[0].vehicles / of_whole[0].vehicles, 1, 1e-9);
        assert_near(of_cut[0].low, of_whole[0].low, 1e-6);
        assert_near(of_cut[0].high, of_whole[0].high, 1e-6);
        assert_near(of_cut[2].vehicles + of_cut[3].vehicles, of_cut[1].vehicles, 1e-6); /* and each is the sum of what it holds */
        assert_near(of_cut[1].vehicles, of_cut[0].vehicles, 1e-6);
    }
    bench_finish(&cut);
    bench_finish(&whole);
}

/* A vehicle each two seconds, at e0 to e9 by turns; each passes an edge each 70 s, five of them. */
static void pass_second(struct bench *bench, int s)
{
    for (int k = 0; k < 5; k++) {
        int v = s - 70 * k;
        if (v >= 0 && v % 2 == 0)
            pass(bench, (v / 2 + k) % CITY_EDGES, (uint64_t)v + 1, s);
    }
}

/* The scene runs before its cameras do: what passed until the first passage is no time in which nobody drove, and what the network says of
 * the cameras is known as soon as they are heard. */
static void silence_before_the_first_passage_is_nothing(void **state)
{
    struct bench at_once, waited;
    bench_make(&at_once, &defaults);
    bench_make(&waited, &defaults);
    for (int s = -617; s < 0; s++)
        assert_true(isnan(tick(&waited, s)[0].vehicles));
    for (int s = 0; s < 600; s++) {
        pass_second(&at_once, s);
        pass_second(&waited, s);
        const struct count_area_figures *of_at_once = tick(&at_once, s + 0.5), *of_waited = tick(&waited, s + 0.5);
        assert_false(isnan(of_waited[0].vehicles));
        assert_near(of_waited[0].vehicles, of_at_once[0].vehicles, 1e-9);
        assert_near(of_waited[0].unseen, of_at_once[0].unseen, 1e-9);
        assert_near(of_waited[0].low, of_at_once[0].low, 1e-9);
        assert_near(of_waited[0].high, of_at_once[0].high, 1e-9);
        /* Ends of one camera, of two ... are no city's: they are looked at when some were heard, and again when there are more. */
        uint32_t n_seen = waited.count->n_seen_cameras;
        assert_true(n_seen == (s < 10 ? 0 : s < 20 ? 6 : CITY_EDGES));
        assert_near(waited.count->balance.ends.way_s, at_once.count->balance.ends.way_s, 0);
        if (s >= 20)
            assert_near(waited.count->balance.ends.way_s, CITY_EDGE_S, 1);
    }
    bench_finish(&at_once);
    bench_finish(&waited);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_events_keep_the_laws),
        cmocka_unit_test(the_same_events_give_the_same_figures),
        cmocka_unit_test(simultaneous_arrivals_may_be_in_any_order),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(memory_may_fail_anywhere),
        cmocka_unit_test(vehicles_alone_are_the_same_vehicles),
        cmocka_unit_test(areas_do_not_change_the_city),
        cmocka_unit_test(silence_before_the_first_passage_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
