/* Induction loops: what is wrong with a row, flow of lanes and edges, recall in a made town whose truth is known, the same over a restart.
 */
#include "scene/count/loops.h"

#include "base/mem.h"
#include "scene/count/recall.h"
#include "scene/count/snapshot.h"
#include "scene/count/state.h"
#include "scene/count/traffic_testing.h"
#include "scene/keeper.h"

#define T0 ((int64_t)1700000000000)
#define LATE_MS 600000
#define FUTURE_MS 60000

static const struct count_settings defaults = COUNT_SETTINGS_DEFAULT;

/* ---- rows ---- */

/* e0 has one lane for cars; e1 is given two. */
struct bench {
    struct city city;
    struct count_loops loops;
};

static void make(struct bench *bench)
{
    city_make(&bench->city);
    struct road_edge *edges = (struct road_edge *)(uintptr_t)bench->city.network->edges;
    edges[bench->city.edges[1]].n_car_lanes = 2;
    count_loops_init(&bench->loops, bench->city.network, 120, LATE_MS, FUTURE_MS);
}

static void finish(struct bench *bench)
{
    count_loops_finish(&bench->loops);
    city_finish(&bench->city);
}

/* Seconds after T0, arriving with the interval's end. */
static enum count_loop_verdict add(struct bench *bench, int edge, int lane, int from_s, int to_s, uint32_t vehicles)
{
    struct count_loop_row row;
    int64_t to_ms = T0 + (int64_t)to_s * 1000;
    enum count_loop_verdict verdict = count_loop_row_make(T0 + (int64_t)from_s * 1000, to_ms, lane, vehicles, to_ms, &row);
    if (verdict != COUNT_LOOP_TAKEN)
        return verdict;
    row.edge = bench->city.edges[edge];
    return count_loops_add(&bench->loops, &row, false);
}

static double flow(const struct bench *bench, int edge, int at_s)
{
    return count_loops_flow(&bench->loops, bench->city.edges[edge], T0 + (int64_t)at_s * 1000);
}

static void numbers_that_cannot_be_are_no_row(void **state)
{
    static const struct {
        int64_t from_ms, to_ms, lane, vehicles;
        enum count_loop_verdict verdict;
    } rows[] = {
        {T0, T0 + 60000, 0, 12, COUNT_LOOP_TAKEN},
        {T0, T0 + 900000, 255, 0, COUNT_LOOP_TAKEN},
        {T0, T0, 0, 12, COUNT_LOOP_NO_INTERVAL},
        {T0 + 1, T0, 0, 12, COUNT_LOOP_NO_INTERVAL},
        {T0, T0 + 900001, 0, 12, COUNT_LOOP_NO_INTERVAL},
        {-1, 60000, 0, 12, COUNT_LOOP_NO_INTERVAL},
        {INT64_MIN, INT64_MAX, 0, 12, COUNT_LOOP_NO_INTERVAL},
        {0, INT64_MAX, 0, 12, COUNT_LOOP_NO_INTERVAL},
        {T0, T0 + 60000, 0, -1, COUNT_LOOP_NO_COUNT},
        {T0, T0 + 60000, 0, INT64_MAX, COUNT_LOOP_NO_COUNT},
        {T0, T0 + 60000, -1, 12, COUNT_LOOP_NO_LANE},
        {T0, T0 + 60000, 256, 12, COUNT_LOOP_NO_LANE},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct count_loop_row row = {.period_ms = 7};
        enum count_loop_verdict verdict = count_loop_row_make(rows[i].from_ms, rows[i].to_ms, rows[i].lane, rows[i].vehicles, T0, &row);
        assert_int_equal(verdict, rows[i].verdict);
        assert_int_equal(row.period_ms, verdict == COUNT_LOOP_TAKEN ? rows[i].to_ms - rows[i].from_ms : 7);
    }
    for (int i = 0; i < COUNT_LOOP_N_VERDICTS; i++)
        assert_non_null(count_loop_verdict_text((enum count_loop_verdict)i));
}

static void what_is_not_of_now_or_told_before_is_counted_and_not_used(void **state)
{
    struct bench bench;
    make(&bench);
    uint32_t edge = bench.city.edges[0];
    static const struct {
        int64_t to_ms, arrived_ms;
        uint32_t vehicles;
        enum count_loop_verdict verdict;
    } rows[] = {
        {T0 + 60000, T0 + 61000, 10, COUNT_LOOP_TAKEN}, {T0 + 60000, T0 + 61000, 10, COUNT_LOOP_REPEATED}, /* again */
        {T0 + 90000, T0 + 91000, 10, COUNT_LOOP_REPEATED},                                                 /* half of it again */
        {T0 + 60000, T0 + 61000 + LATE_MS, 10, COUNT_LOOP_LATE},
        {946684800000, T0 + 61000, 10, COUNT_LOOP_LATE}, /* 2000-01-01: its clock never was set */
        {T0 + 120000 + FUTURE_MS, T0 + 119000, 10, COUNT_LOOP_AHEAD},
        {T0 + 120000, T0 + 120500, 96, COUNT_LOOP_NO_COUNT},                                                  /* one lane, 60 s */
        {T0 + 120000, T0 + 120500, 95, COUNT_LOOP_TAKEN}, {T0 + 60000, T0 + 121000, 10, COUNT_LOOP_REPEATED}, /* time goes back */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct count_loop_row row = {rows[i].to_ms, rows[i].arrived_ms, edge, 60000, rows[i].vehicles, 0};
        assert_int_equal(count_loops_add(&bench.loops, &row, false), rows[i].verdict);
    }
    assert_int_equal(bench.loops.n_rows[COUNT_LOOP_TAKEN], 2);
    assert_int_equal(bench.loops.n_rows[COUNT_LOOP_REPEATED], 3);
    assert_int_equal(bench.loops.n_rows[COUNT_LOOP_LATE], 2);
    finish(&bench);
}

/* ---- flow ---- */

static void a_flow_is_vehicles_over_seconds_told(void **state)
{
    struct bench bench;
    make(&bench);
    assert_true(isnan(flow(&bench, 0, 0)));
    assert_int_equal(add(&bench, 0, 0, 0, 60, 10), COUNT_LOOP_TAKEN);
    assert_near(flow(&bench, 0, 60), 600, 1e-9);
    assert_int_equal(add(&bench, 0, 0, 60, 120, 20), COUNT_LOOP_TAKEN);
    double old = exp(-60.0 / 120);
    assert_near(flow(&bench, 0, 120), 3600 * (20 + old * 10) / (60 + old * 60), 1e-9);
    /* A report that was lost is no road without vehicles. */
    assert_int_equal(add(&bench, 0, 0, 600, 660, 20), COUNT_LOOP_TAKEN);
    assert_true(flow(&bench, 0, 660) > 1150 && flow(&bench, 0, 660) < 1200);
    /* Silent for two intervals and a minute: nothing is known. */
    assert_false(isnan(flow(&bench, 0, 660 + 180)));
    assert_true(isnan(flow(&bench, 0, 660 + 181)));
    /* And nothing passed is not nothing known. */
    assert_int_equal(add(&bench, 0, 0, 840, 900, 0), COUNT_LOOP_TAKEN);
    assert_true(flow(&bench, 0, 900) < 500);
    assert_true(isnan(flow(&bench, 2, 900)));
    finish(&bench);
}

static void lanes_are_summed_and_half_a_road_is_no_flow(void **state)
{
    struct bench bench;
    make(&bench);
    assert_int_equal(add(&bench, 1, 3, 0, 60, 10), COUNT_LOOP_TAKEN);
    assert_true(isnan(flow(&bench, 1, 60)));
    assert_int_equal(add(&bench, 1, 1, 0, 60, 5), COUNT_LOOP_TAKEN);
    assert_near(flow(&bench, 1, 60), 900, 1e-9);
    assert_int_equal(add(&bench, 1, 2, 0, 60, 5), COUNT_LOOP_NO_LANE);   /* a third one */
    assert_int_equal(add(&bench, 1, 0, 60, 120, 5), COUNT_LOOP_NO_LANE); /* and now all of it? */
    assert_int_equal(add(&bench, 1, 3, 60, 120, 10), COUNT_LOOP_TAKEN);
    assert_true(isnan(flow(&bench, 1, 60 + 181))); /* one lane is silent */
    assert_int_equal(add(&bench, 0, 0, 0, 60, 10), COUNT_LOOP_TAKEN);
    assert_int_equal(add(&bench, 0, 1, 60, 120, 10), COUNT_LOOP_NO_LANE);
    finish(&bench);
}

static void no_memory_is_no_loop_and_the_next_row_finds_it(void **state)
{
    for (uint64_t fail = 1;; fail++) {
        struct bench bench;
        make(&bench);
        struct count_loop_row row = {T0 + 60000, T0 + 60000, bench.city.edges[0], 60000, 10, 0};
        mem_fail_nth(fail);
        enum count_loop_verdict verdict = count_loops_add(&bench.loops, &row, true);
        mem_fail_nth(0);
        assert_true(verdict == COUNT_LOOP_TAKEN || verdict == COUNT_LOOP_FULL);
        if (verdict == COUNT_LOOP_FULL)
            assert_int_equal(count_loops_add(&bench.loops, &row, true), COUNT_LOOP_TAKEN);
        assert_near(flow(&bench, 0, 60), 600, 1e-9);
        finish(&bench);
        if (verdict == COUNT_LOOP_TAKEN) {
            assert_true(fail > 4);
            return;
        }
    }
}

/* ---- a town ---- */

#define EVERY_S 60
#define MINUTES 120

struct run {
    struct town town;
    struct count *count;
    uint32_t cameras[TOWN_EDGES];         /* by edge; COUNT_NONE */
    uint32_t passed[TOWN_EDGES][MINUTES]; /* vehicles that left the edge in each minute */
    double right;                         /* share of the vehicles that loops count */
    size_t next;                          /* passage */
    int64_t now_ms;
    uint64_t seed;
    bool has_no_loops;
    double vehicle_km_ph; /* of the last tick */
};

static bool has_loop(uint32_t edge)
{
    return edge % 3 == 0;
}

static void add_loops(struct run *run, int64_t now_ms)
{
    int minute = (int)(now_ms / 60000) - 1;
    for (uint32_t e = 0; e < TOWN_EDGES; e++) {
        uint32_t n = 0;
        for (uint32_t i = 0; i < run->passed[e][minute]; i++)
            n += (double)(random_next(&run->seed) % 1000) < run->right * 1000;
        struct count_event event = {.type = COUNT_LOOP, .loop = {T0 + now_ms, T0 + now_ms + 5000, e, EVERY_S * 1000, n, (uint8_t)(e % 2)}};
        struct count_updates updates;
        if (has_loop(e) && !run->has_no_loops)
            count_step(run->count, &event, &updates);
    }
}

static void tick(struct run *run, int64_t now_ms)
{
    struct count_event event = {.type = COUNT_TICK, .now_ms = T0 + now_ms};
    struct count_updates updates;
    count_step(run->count, &event, &updates);
    run->vehicle_km_ph = updates.areas[0].vehicle_km_ph;
}

/* Until then, with a tick each ten seconds. */
static void drive(struct run *run, int64_t until_ms)
{
    for (; run->now_ms < until_ms; run->now_ms += 10000) {
        if (run->now_ms > 0 && run->now_ms % 60000 == 0)
            add_loops(run, run->now_ms);
        for (; run->next < run->town.n_passages && run->town.passages[run->next].arrived_ms < run->now_ms + 10000; run->next++) {
            const struct town_passage *passage = &run->town.passages[run->next];
            struct count_event event = {.type = COUNT_PASSAGE,
                .passage = {.vehicle = passage->vehicle,
                    .camera = run->cameras[passage->edge],
                    .time_ms = T0 + passage->time_ms,
                    .arrived_ms = T0 + passage->arrived_ms}};
            struct count_updates updates;
            if (run->cameras[passage->edge] != COUNT_NONE)
                count_step(run->count, &event, &updates);
        }
        tick(run, run->now_ms + 10000);
    }
}

static bool misses(struct run *run, const struct town_passage *passage)
{
    double recall = passage->edge % 2 == 0 ? 0.9 : 0.5;
    return (double)(random_next(&run->seed) % 100000) >= recall * 100000;
}

/* The town tells what every edge's camera would have read of everybody; what stands here is half of that, and the recall ours. */
static void begin(struct run *run, double misread, double right)
{
    const struct town_options options = {.coverage = 1, .recall = 1, .n_trips = 30000, .for_ms = 90 * 60000, .misread = misread};
    memset(run, 0, sizeof(*run));
    run->right = right;
    run->seed = 5;
    town_make(&run->town, &options, 11);
    size_t n = 0;
    for (size_t i = 0; i < run->town.n_passages; i++) {
        const struct town_passage *passage = &run->town.passages[i];
        if (passage->time_ms / 60000 < MINUTES)
            run->passed[passage->edge][passage->time_ms / 60000]++;
        if (!misses(run, passage))
            run->town.passages[n++] = *passage;
    }
    run->town.n_passages = n;
    assert_ok(count_create(&defaults, &run->town.map, &run->count));
    for (uint32_t e = 0; e < TOWN_EDGES; e++) {
        run->cameras[e] = COUNT_NONE;
        if (e % 5 != 0)
            assert_ok(count_camera_add(run->count, e, &run->cameras[e]));
    }
}

static void end(struct run *run)
{
    count_destroy(run->count);
    town_finish(&run->town);
}

/* Mean of its error, of all cameras with a loop; *ret_bias with its sign. */
static double recall_error(struct run *run, double misread, double *ret_bias)
{
    double error = 0, gaps_error = 0, bias = 0;
    int n = 0, n_gaps = 0;
    drive(run, 90 * 60000);
    for (uint32_t e = 0; e < TOWN_EDGES; e++) {
        struct count_camera_health health;
        if (run->cameras[e] == COUNT_NONE || !has_loop(e))
            continue;
        count_camera_health(run->count, run->cameras[e], &health);
        double of, right = (e % 2 == 0 ? 0.9 : 0.5) * (1 - misread),
                   gaps = count_recall_of(&run->count->faults.recall, run->cameras[e], &of);
        assert_false(isnan(health.recall));
        assert_true(health.n_recall >= COUNT_RECALL_LEAST);
        error += fabs(health.recall - right);
        bias += health.recall - right;
        n++;
        n_gaps += !isnan(gaps);
        gaps_error += isnan(gaps) ? 0 : fabs(gaps - right);
    }
    print_message("loops that count %.2f: recall of %d cameras wrong by %.3f in the mean (%+.3f); by gaps of %d of them, by %.3f\n",
        run->right, n, error / n, bias / n, n_gaps, gaps_error / n_gaps);
    assert_true(n > 80 && n_gaps < n);
    *ret_bias = bias / n;
    return error / n;
}

/* 250 vehicles at each, so by chance it is wrong by 0.02; loops that miss 3 % make it too high by as much, and so do misread plates. */
static void recall_is_what_the_loops_say(void **state)
{
    struct run run;
    double bias = 0;
    begin(&run, 0, 1);
    assert_true(recall_error(&run, 0, &bias) < 0.03);
    assert_true(fabs(bias) < 0.01);
    end(&run);
    begin(&run, 0.02, 0.97);
    assert_true(recall_error(&run, 0.02, &bias) < 0.05);
    assert_true(bias > 0 && bias < 0.045);
    end(&run);
}

static void a_flow_is_the_loops_also_where_no_camera_stands(void **state)
{
    struct run run;
    begin(&run, 0.02, 0.97);
    drive(&run, 60 * 60000);
    int n = 0, n_bare = 0;
    double told = 0, true_vph = 0;
    for (uint32_t i = 0; i < run.count->figures.n_states; i++) {
        const struct count_edge_state *of = &run.count->figures.states[i];
        if (!has_loop(of->edge)) {
            assert_int_equal(of->sources & COUNT_SOURCE_LOOP, 0);
            continue;
        }
        assert_int_equal(of->sources & COUNT_SOURCE_LOOP, COUNT_SOURCE_LOOP);
        double weights = 0, vehicles = 0, weight = 1;
        for (int m = 58; m >= 0; m--, weight *= exp(-60.0 / 120)) { /* the last report is of the 59th minute */
            weights += weight / 60;
            vehicles += weight * run.passed[of->edge][m];
        }
        told += of->flow_vph;
        true_vph += vehicles / weights;
        n++;
        n_bare += run.cameras[of->edge] == COUNT_NONE;
    }
    print_message("flows of %d edges, %d without a camera: %.0f told, %.0f true\n", n, n_bare, told, true_vph);
    assert_true(n == TOWN_EDGES / 3 && n_bare > 10);
    assert_near(told / true_vph, 0.97, 0.01);
    end(&run);
}

/* True vehicle-kilometres an hour, by the same fading window, up to the end of the minute. */
static double true_vehicle_km(const struct run *run, int minute)
{
    double sum = 0, weights = 0, weight = 1;
    for (int m = minute; m >= 0; m--, weight *= exp(-60.0 / 120)) {
        weights += weight / 60;
        for (uint32_t e = 0; e < TOWN_EDGES; e++)
            sum += weight * run->passed[e][m] * TOWN_EDGE_M / 1000;
    }
    return sum / weights;
}

/* Edges without a loop: of them cameras know too few vehicles, and by how much the others say. */
static void an_areas_traffic_is_that_of_all_vehicles(void **state)
{
    double error[2];
    for (int has_loops = 0; has_loops < 2; has_loops++) {
        struct run run;
        begin(&run, 0.02, 1);
        run.has_no_loops = !has_loops;
        drive(&run, 60 * 60000);
        error[has_loops] = run.vehicle_km_ph / true_vehicle_km(&run, 59) - 1;
        end(&run);
    }
    print_message("vehicle-kilometres of the town: %+.1f %% without loops, %+.1f %% with them\n", 100 * error[0], 100 * error[1]);
    assert_true(error[0] < -0.1);
    assert_true(fabs(error[1]) < 0.05);
}

/* No sum of the first seconds that grows as edges are met, and none without the factor once there was one: NAN until both are known. */
static void an_areas_traffic_is_none_before_it_is_known(void **state)
{
    struct run run;
    begin(&run, 0.02, 1);
    double first = NAN;
    int64_t first_ms = 0;
    for (int64_t ms = 10000; ms <= 10 * 60000; ms += 10000) {
        drive(&run, ms);
        if (isnan(first) && !isnan(run.vehicle_km_ph)) {
            first = run.vehicle_km_ph / true_vehicle_km(&run, (int)(ms / 60000) - 1);
            first_ms = ms;
        }
        assert_true(isnan(first) == isnan(run.vehicle_km_ph));
    }
    print_message("vehicle-kilometres from %lld s on, then %.2f of the true ones\n", (long long)first_ms / 1000, first);
    assert_true(first_ms > 240000);
    assert_true(first > 0.8 && first < 1.25); /* the town was empty when it began, and fills */
    run.has_no_loops = true;                  /* they fall silent, and with them what they say of the other roads */
    drive(&run, 15 * 60000);
    assert_true(isnan(run.vehicle_km_ph));
    run.has_no_loops = false;
    drive(&run, 20 * 60000);
    assert_true(run.vehicle_km_ph > 0);
    end(&run);
}

/* A dead camera and a road without traffic look alike, but for a loop. */
static void a_dead_camera_is_found_by_the_loop_before_it(void **state)
{
    struct run run;
    begin(&run, 0, 0.97);
    uint32_t dead = 6 * 6, camera = run.cameras[dead];
    assert_true(has_loop(dead) && camera != COUNT_NONE);
    drive(&run, 30 * 60000);
    struct count_camera_health health;
    count_camera_health(run.count, camera, &health);
    assert_true(health.recall > 0.8);
    run.cameras[dead] = COUNT_NONE;
    drive(&run, 85 * 60000);
    count_camera_health(run.count, camera, &health);
    assert_true(health.is_silent);
    assert_true(health.recall < 0.4);
    end(&run);
}

/* ---- over a restart, and in parts of the state ---- */

static void tell(const struct count *count, struct buf *out)
{
    buf_init(out, COUNT_SNAPSHOT_MAX);
    count_snapshot_write(count, STR("own"), out);
    assert_ok(out->err);
}

static void a_restart_loses_nothing_of_the_loops(void **state)
{
    struct run run;
    struct buf bytes, after;
    begin(&run, 0.02, 0.97);
    drive(&run, 25 * 60000 + 10000);
    tell(run.count, &bytes);
    scene_seal(&bytes);
    struct count *read = NULL;
    struct str extra;
    struct diag diag = {""};
    if (count_snapshot_read(buf_str(&bytes), &defaults, &run.town.map, &diag, &extra, &read) != ERR_OK)
        fail_msg("%s", diag.text);
    struct run other = run;
    drive(&run, 40 * 60000);
    other.count = read;
    drive(&other, 40 * 60000);
    struct buf one, two;
    tell(run.count, &one);
    tell(other.count, &two);
    assert_int_equal(one.len, two.len);
    assert_memory_equal(one.ptr, two.ptr, one.len);
    /* And forgets them with all else. */
    count_reset(read);
    assert_int_equal(read->loops.n, 0);
    tell(read, &after);
    buf_finish(&after);
    buf_finish(&one);
    buf_finish(&two);
    buf_finish(&bytes);
    count_destroy(read);
    end(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_that_cannot_be_are_no_row),
        cmocka_unit_test(what_is_not_of_now_or_told_before_is_counted_and_not_used),
        cmocka_unit_test(a_flow_is_vehicles_over_seconds_told),
        cmocka_unit_test(lanes_are_summed_and_half_a_road_is_no_flow),
        cmocka_unit_test(no_memory_is_no_loop_and_the_next_row_finds_it),
        cmocka_unit_test(recall_is_what_the_loops_say),
        cmocka_unit_test(a_flow_is_the_loops_also_where_no_camera_stands),
        cmocka_unit_test(an_areas_traffic_is_that_of_all_vehicles),
        cmocka_unit_test(an_areas_traffic_is_none_before_it_is_known),
        cmocka_unit_test(a_dead_camera_is_found_by_the_loop_before_it),
        cmocka_unit_test(a_restart_loses_nothing_of_the_loops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
