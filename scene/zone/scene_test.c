/*
 * The scene around the core: rows in, figures, questions and alerts out. The hub is a stand-in that keeps what is published and asked; the
 * real one is held against the scene in tests/e2e/zone_test.py.
 */
#include "scene/zone/scene_testing.h"

#include "base/test.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Nothing is kept for longer than a contract says: neither a plate that waits nor an answer. */
static void contracts_are_held_against_what_is_kept(void **state)
{
    struct bench bench;
    int64_t plates_ms = 0, answers_ms = 0;
    bench_start(&bench, T0);
    for (size_t i = 0; i < n_needs; i++) {
        assert_str(needed[i].purpose, "traffic.zone");
        if (str_equal_c(needed[i].resource, "h/police/passage"))
            plates_ms = needed[i].keep_ms;
        else if (str_equal_c(needed[i].resource, "h/permit/pass"))
            answers_ms = needed[i].keep_ms;
    }
    assert_int_equal(plates_ms, 24 * HOUR);
    assert_int_equal(answers_ms, 60 * SECOND);
    bench_stop(&bench);
}

/* Of an area with two zones: their sum, and when one is silent, since when it is. */
static void two_zones_of_one_area(void **state)
{
    struct bench bench;
    bench_start(&bench, T0);
    tick(&bench, T0);
    assert_int_equal(indicator("zone_now", "h.x")[HUB_INDICATOR_STALE_SINCE].i, T0); /* nothing was ever heard: since the start */
    pass(&bench, "C1", "v1", T0 + 60 * SECOND, IN_A);
    tick(&bench, T0 + 61 * SECOND);
    assert_int_equal(indicator("zone_now", "h.x")[HUB_INDICATOR_VALUE].type, VALUE_NULL);
    assert_int_equal(indicator("zone_now", "h.x")[HUB_INDICATOR_STALE_SINCE].i, T0);
    tick(&bench, T0 + 200 * SECOND); /* a is silent, too, but not for as long */
    assert_int_equal(indicator("zone_now", "h.x")[HUB_INDICATOR_STALE_SINCE].i, T0);
    bench_stop(&bench);
    bench_start(&bench, T0);
    pass(&bench, "C1", "v1", T0 + 60 * SECOND, IN_A);
    pass(&bench, "C2", "v2", T0 + 62 * SECOND, IN_B);
    tick(&bench, T0 + 63 * SECOND);
    assert_int_equal(indicator("zone_now", "h.x")[HUB_INDICATOR_STALE_SINCE].type, VALUE_NULL);
    assert_true(indicator("zone_now", "h.x")[HUB_INDICATOR_VALUE].r == 2);
    assert_int_equal(indicator("zone_now", "h.x")[HUB_INDICATOR_N].i, 2);
    assert_true(indicator("zone_today_other", "h.x")[HUB_INDICATOR_VALUE].r == 2);
    assert_true(indicator("zone_today_local", "h.x")[HUB_INDICATOR_VALUE].r == 0);
    assert_true(indicator("zone_now", "h")[HUB_INDICATOR_VALUE].r == 2); /* and of the area above */
    assert_str(indicator("zone_now", "h.x")[HUB_INDICATOR_BASIS].s, "h.log/512");
    assert_true(zone_state("b")[HUB_ZONE_STATE_NOW].r == 1);
    /* Both fall silent, the one of zone a two seconds earlier. */
    tick(&bench, T0 + 500 * SECOND);
    assert_int_equal(indicator("zone_now", "h.x")[HUB_INDICATOR_STALE_SINCE].i, T0 + 60 * SECOND + 100);
    assert_int_equal(zone_state("b")[HUB_ZONE_STATE_STALE_SINCE].i, T0 + 62 * SECOND + 100);
    assert_int_equal(zone_state("b")[HUB_ZONE_STATE_NOW].type, VALUE_NULL);
    bench_stop(&bench);
}

/* Who drives from one zone of an area into another is one vehicle of the area, and one of each zone. */
static void a_vehicle_in_two_zones(void **state)
{
    struct bench bench;
    bench_start(&bench, T0);
    pass(&bench, "C1", "v1", T0, IN_A);
    pass(&bench, "C2", "v1", T0 + 10 * SECOND, IN_B);
    pass(&bench, "C2", "v2", T0 + 11 * SECOND, IN_B);
    for (int restart = 0; restart < 2; restart++) {
        tick(&bench, T0 + 12 * SECOND);
        assert_true(zone_state("a")[HUB_ZONE_STATE_TODAY].r == 1 && zone_state("b")[HUB_ZONE_STATE_TODAY].r == 2);
        assert_true(zone_state("a")[HUB_ZONE_STATE_NOW].r == 0 && zone_state("b")[HUB_ZONE_STATE_NOW].r == 2);
        assert_true(indicator("zone_today", "h.x")[HUB_INDICATOR_VALUE].r == 2);
        assert_true(indicator("zone_today", "h")[HUB_INDICATOR_VALUE].r == 2);
        assert_true(indicator("zone_now", "h.x")[HUB_INDICATOR_VALUE].r == 2);
        if (restart == 0) {
            bench_halt(&bench);
            bench_start(&bench, T0 + 12 * SECOND);
        }
    }
    bench_stop(&bench);
}

/* Each class of plates has its row, the rows of where a plate is from are all of them, and new energy lies across. */
static void a_row_of_each_class(void **state)
{
    static const struct {
        const char *class;
        double n;
    } classes[] = {{"all", 8}, {"local", 2}, {"province", 2}, {"other", 3}, {"special", 1}, {"new_energy", 3}};
    struct bench bench;
    char vehicle[8];
    bench_start(&bench, T0);
    for (size_t i = 0; i < ZONE_N_GROUPS + 1; i++) { /* one of each, and one more of other provinces */
        snprintf(vehicle, sizeof(vehicle), "v%zu", i);
        pass_of(&bench, "C1", vehicle, i < ZONE_N_GROUPS ? zone_group_names[i] : "other", T0, T0 + 100, IN_A);
    }
    tick(&bench, T0 + SECOND);
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        const struct value *row = zone_class("a", classes[i].class);
        assert_true(row[HUB_ZONE_STATE_NOW].r == classes[i].n);
        assert_true(row[HUB_ZONE_STATE_TODAY].r == classes[i].n);
        assert_int_equal(row[HUB_ZONE_STATE_BREACHES].type, i == 0 ? VALUE_INTEGER : VALUE_NULL);
        assert_str(row[HUB_ZONE_STATE_AREA].s, "h.x");
    }
    bench_stop(&bench);
}

/* The counting scene says how many are on a zone's roads. */
static void counted(struct bench *bench, const char *zone, int64_t time_ms, double vehicles)
{
    const struct hub_window window = {.contract = STR("h/c-66"), .receipt = STR("h.log/9")};
    const struct value values[] = {value_text(str_from_c(zone)), value_time(time_ms), isnan(vehicles) ? VALUE_NONE : value_real(vehicles),
        value_real(vehicles - 10), value_real(vehicles + 12)};
    struct rows *rows = NULL;
    assert_ok(rows_create(sizeof(values) / sizeof(values[0]), 4096, &rows));
    assert_ok(rows_add(rows, values));
    scene_zone_ops.on_event(bench->scene, 1, &window, rows);
    rows_release(rows);
}

/* While it speaks, its number is how many there are, and what was seen says of which class; when it is silent, what was seen is told. */
static void the_count_of_a_zone(void **state)
{
    struct bench bench;
    bench_start(&bench, T0);
    assert_true(scene_zone_ops.needs[1].is_optional);
    counted(&bench, "a", T0, 40);
    counted(&bench, "elsewhere", T0, 7);
    pass(&bench, "C2", "v9", T0, IN_B);
    tick(&bench, T0 + SECOND); /* nobody was seen in a: so many are there, nobody knows of which class; but a has no camera that speaks */
    assert_int_equal(zone_class("a", "all")[HUB_ZONE_STATE_NOW].type, VALUE_NULL);
    for (int i = 0; i < 3; i++) {
        const char *vehicles[] = {"v1", "v2", "v3"};
        pass_of(&bench, "C1", vehicles[i], i == 0 ? "local" : "other", T0 + SECOND, T0 + SECOND + 100, IN_A);
    }
    counted(&bench, "a", T0 + 2 * SECOND, 60);
    tick(&bench, T0 + 2 * SECOND);
    const struct value *all = zone_class("a", "all"), *other = zone_class("a", "other"), *of_b = zone_class("b", "all");
    assert_true(all[HUB_ZONE_STATE_NOW].r == 60 && fabs(all[HUB_ZONE_STATE_NOW_LOW].r - 49) < 0.1 &&
                fabs(all[HUB_ZONE_STATE_NOW_HIGH].r - 71) < 0.1);
    assert_true(
        fabs(other[HUB_ZONE_STATE_NOW].r - 40) < 1e-9 && other[HUB_ZONE_STATE_NOW_LOW].r < 30 && other[HUB_ZONE_STATE_NOW_HIGH].r > 50);
    assert_true(of_b[HUB_ZONE_STATE_NOW].r == 1 && of_b[HUB_ZONE_STATE_NOW_LOW].type == VALUE_NULL);
    assert_true(fabs(indicator("zone_now", "h.x")[HUB_INDICATOR_VALUE].r - 61) < 1e-9);
    assert_true(all[HUB_ZONE_STATE_TODAY].r == 3 && all[HUB_ZONE_STATE_TODAY_LOW].type == VALUE_NULL); /* of three nothing is learned */
    counted(&bench, "a", T0 + 3 * SECOND, (double)NAN);                                                /* it does not know */
    pass(&bench, "C1", "v3", T0 + 13 * SECOND, IN_A);
    tick(&bench, T0 + 13 * SECOND);
    assert_true(zone_class("a", "all")[HUB_ZONE_STATE_NOW].r == 3);
    assert_int_equal(zone_class("a", "all")[HUB_ZONE_STATE_NOW_LOW].type, VALUE_NULL);
    bench_stop(&bench);
}

/* ---- cameras ---- */

static void where_a_camera_stands(void **state)
{
    struct bench bench;
    bench_start(&bench, T0);
    pass(&bench, "C1", "v1", T0, (double)NAN); /* it tells no place: its passages are nowhere */
    tick(&bench, T0 + SECOND);
    assert_int_equal(indicator("zone_now", "h.x")[HUB_INDICATOR_STALE_SINCE].i, T0);
    assert_int_equal(n_queries, 0);
    pass(&bench, "C1", "v1", T0 + SECOND, IN_A);
    pass(&bench, "C2", "v2", T0 + SECOND, IN_B);
    tick(&bench, T0 + 2 * SECOND);
    assert_true(zone_state("a")[HUB_ZONE_STATE_NOW].r == 1);
    pass(&bench, "C1", "v3", T0 + 3 * SECOND, IN_B); /* it was moved: that counts from this passage on */
    tick(&bench, T0 + 4 * SECOND);
    assert_true(zone_state("a")[HUB_ZONE_STATE_NOW].r == 1);
    assert_true(zone_state("b")[HUB_ZONE_STATE_NOW].r == 2);
    pass(&bench, "C1", "v1", T0 + 5 * SECOND, OUT);
    tick(&bench, T0 + 6 * SECOND);
    assert_true(zone_state("a")[HUB_ZONE_STATE_NOW].r == 0);
    assert_true(zone_state("b")[HUB_ZONE_STATE_NOW].r == 2);
    bench_stop(&bench);
}

static void the_outlines_are_an_object(void **state)
{
    struct bench bench;
    bench_start(&bench, T0);
    assert_str(buf_str(&object), "{\"type\":\"FeatureCollection\",\"features\":[{\"type\":\"Feature\",\"properties\":{\"kind\":\"zone\","
                                 "\"zone\":\"a\",\"area\":\"h.x\",\"zh\":\"甲\","
                                 "\"en\":\"A\"},\"geometry\":{\"type\":\"Polygon\",\"coordinates\":[[[120.1,30.27],[120.11,30.27],[120.11,"
                                 "30.29],[120.1,30.29],[120.1,30.27]]]}},"
                                 "{\"type\":\"Feature\",\"properties\":{\"kind\":\"zone\",\"zone\":\"b\",\"area\":\"h.x\",\"zh\":\"乙\","
                                 "\"en\":\"B\"},\"geometry\":{\"type\":\"Polygon\","
                                 "\"coordinates\":[[[120.12,30.27],[120.13,30.27],[120.13,30.29],[120.12,30.29],[120.12,30.27]]]}}]}");
    bench_stop(&bench);
}

/* ---- questions and alerts ---- */

static void a_breach_becomes_an_alert(void **state)
{
    struct bench bench;
    bench_start(&bench, T0);
    pass(&bench, "C1", "v1", T0, IN_A);
    tick(&bench, T0 + SECOND);
    assert_non_null(asked);
    assert_str(asked->party, "h/zone");
    assert_str(asked->purpose, "traffic.zone");
    assert_str(asked->sql, "SELECT plate, zone, valid_from, valid_until FROM \"h/permit/pass\" WHERE plate IN (?) AND valid_until > ?");
    assert_int_equal(asked->n_parameters, 2);
    assert_str(asked->parameters[0].s, "沪A12345");
    assert_int_equal(n_alerts, 0); /* nothing is claimed before the answer */
    answer_query("");
    assert_int_equal(n_alerts, 1);
    assert_string_equal(alerts[0], "zone.breach|h.x.west|h/zone|a/2026-09-21/v1|A: a vehicle with another province's plates has no "
                                   "pass|zone_seen|2026-09-21 08:00:00|C1|v1|h.log/7");
    assert_null(strstr(alerts[0], "12345")); /* no plate */
    pass(&bench, "C2", "v2", T0 + 10 * SECOND, IN_B);
    tick(&bench, T0 + 11 * SECOND);
    answer_query("[\"沪A12345\",null,\"2026-01-01T00:00:00Z\",\"2027-01-01T00:00:00Z\"]");
    assert_int_equal(n_alerts, 1); /* it has a pass */
    bench_stop(&bench);
}

/* Over quota, a department that is down, an answer of another form: nothing is claimed; what may pass is asked again, what may not is not.
 */
static void a_question_that_is_refused(void **state)
{
    static const enum err passing[] = {ERR_BUSY, ERR_UNAVAILABLE, ERR_TIMEOUT, ERR_DENIED};
    struct bench bench;
    bench_start(&bench, T0);
    int64_t now = T0;
    pass(&bench, "C1", "v1", T0, IN_A);
    for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++) {
        for (int s = 0; s < 61 && asked == NULL; s++)
            tick(&bench, now += SECOND);
        refuse_query(passing[i]);
        tick(&bench, now += SECOND);
        assert_int_equal(n_alerts, 0);
        assert_true(indicator("zone_checks_waiting", "h")[HUB_INDICATOR_VALUE].r == 1);
    }
    for (int s = 0; s < 61 && asked == NULL; s++)
        tick(&bench, now += SECOND);
    answer_query("[\"沪A12345\",null,\"soon\",\"later\"]");
    tick(&bench, now += SECOND);
    assert_int_equal(n_alerts, 0);
    assert_true(indicator("zone_checks_waiting", "h")[HUB_INDICATOR_VALUE].r == 0);
    assert_int_equal(n_queries, 5);
    bench_stop(&bench);
}

/* A scene that stops while it is asked: the answer touches nothing. */
static void an_answer_after_the_end(void **state)
{
    struct bench bench;
    int64_t before = mem_n_live();
    bench_start(&bench, T0);
    pass(&bench, "C1", "v1", T0, IN_A);
    tick(&bench, T0 + SECOND);
    assert_false(atomic_load(&asked->is_cancelled));
    scene_zone_ops.stop(bench.scene);
    bench.scene = NULL;
    assert_true(atomic_load(&asked->is_cancelled));
    answer_query("");
    assert_int_equal(n_alerts, 0);
    bench_stop(&bench);
    assert_int_equal(mem_n_live(), before);
}

static double today_of(const char *name)
{
    const struct value *row = indicator(name, "h.x");
    assert_int_equal(row[HUB_INDICATOR_VALUE].type, VALUE_REAL);
    return row[HUB_INDICATOR_VALUE].r;
}

/* Six hours into the day the brain is stopped, and started a minute later: the last hour is handed over again, and the figures are those of
 * one that never stopped; no case is told twice. */
static void a_restart_forgets_nobody(void **state)
{
    struct bench bench;
    bench_start(&bench, T0);
    pass(&bench, "C1", "v1", T0, IN_A);
    tick(&bench, T0 + SECOND);
    answer_query("");
    assert_int_equal(n_alerts, 1);
    int64_t stopped = T0 + 6 * HOUR;
    pass(&bench, "C1", "v2", stopped - 20 * SECOND, IN_A);
    pass(&bench, "C2", "v2", stopped - 10 * SECOND, IN_B);
    tick(&bench, stopped);
    answer_query("");
    assert_int_equal(n_alerts, 3);
    bench_halt(&bench);

    bench_start(&bench, stopped + 60 * SECOND);
    tick(&bench, stopped + 60 * SECOND);
    pass(&bench, "C1", "v2", stopped - 20 * SECOND, IN_A);
    pass(&bench, "C2", "v2", stopped - 10 * SECOND, IN_B);
    pass(&bench, "C1", "v1", stopped + 58 * SECOND, IN_A);
    pass(&bench, "C1", "v3", stopped + 59 * SECOND, IN_A);
    pass(&bench, "C2", "v4", stopped + 59 * SECOND, IN_B);
    tick(&bench, stopped + 61 * SECOND);
    assert_true(today_of("zone_today") == 4); /* v1, v2, v3 in a; v2, v4 in b: one vehicle each */
    assert_true(today_of("zone_now") == 4);
    assert_int_equal(indicator("zone_today", "h.x")[HUB_INDICATOR_STALE_SINCE].i, T0 - 8 * HOUR); /* of the first start, not the second */
    assert_true(today_of("zone_breaches") == 3);
    answer_query("");
    assert_int_equal(n_alerts, 2); /* v3 and v4, and none of before */
    tick(&bench, stopped + 62 * SECOND);
    assert_true(today_of("zone_breaches") == 5);
    bench_stop(&bench);
}

/* What was stopped for longer than is handed over again knows less than the day: it says so until midnight, also after another restart. */
static void a_long_stop_is_told(void **state)
{
    struct bench bench;
    int64_t next = T0 + 24 * HOUR, back = next + 3 * HOUR, midnight = next + 16 * HOUR;
    bench_start(&bench, T0);
    pass(&bench, "C1", "v0", T0, IN_A);
    tick(&bench, T0 + SECOND);
    assert_true(zone_state("a")[HUB_ZONE_STATE_TODAY].r == 1); /* the first start of all: at least, from midnight on */
    assert_int_equal(zone_state("a")[HUB_ZONE_STATE_MISSING_SINCE].i, T0 - 8 * HOUR);
    pass(&bench, "C1", "v1", next, IN_A);
    pass(&bench, "C2", "v2", next, IN_B);
    tick(&bench, next + SECOND);
    assert_int_equal(zone_state("a")[HUB_ZONE_STATE_MISSING_SINCE].type, VALUE_NULL);
    assert_int_equal(indicator("zone_today", "h.x")[HUB_INDICATOR_STALE_SINCE].type, VALUE_NULL);
    bench_halt(&bench);
    for (int restart = 0; restart < 2; restart++) {
        bench_start(&bench, back);
        pass(&bench, "C1", "v3", back, IN_A);
        pass(&bench, "C2", "v4", back, IN_B);
        tick(&bench, back + SECOND);
        assert_true(today_of("zone_today") == 4 && today_of("zone_now") == 2); /* at least */
        assert_int_equal(indicator("zone_today", "h.x")[HUB_INDICATOR_STALE_SINCE].i, next + SECOND);
        assert_int_equal(indicator("zone_breaches", "h.x")[HUB_INDICATOR_STALE_SINCE].i, next + SECOND);
        assert_int_equal(indicator("zone_now", "h.x")[HUB_INDICATOR_STALE_SINCE].type, VALUE_NULL);
        assert_int_equal(zone_state("a")[HUB_ZONE_STATE_MISSING_SINCE].i, next + SECOND);
        if (restart == 0)
            bench_halt(&bench);
    }
    pass(&bench, "C1", "w1", midnight + SECOND, IN_A);
    pass(&bench, "C2", "w2", midnight + SECOND, IN_B);
    tick(&bench, midnight + 2 * SECOND);
    assert_true(today_of("zone_today") == 2);
    assert_int_equal(indicator("zone_today", "h.x")[HUB_INDICATOR_STALE_SINCE].type, VALUE_NULL);
    assert_true(zone_state("a")[HUB_ZONE_STATE_TODAY].r == 1);
    bench_stop(&bench);
}

/* A snapshot that is not whole is none, and the day is not known whole then. */
static void a_snapshot_that_is_broken(void **state)
{
    struct bench bench;
    char path[FILE_PATH_MAX];
    bench_start(&bench, T0);
    pass(&bench, "C1", "v1", T0, IN_A);
    tick(&bench, T0 + SECOND);
    bench_halt(&bench);
    assert_ok(scene_keeper_path(folder, "zone", STR("h/zone"), path));
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, 60, SEEK_SET), 0);
    assert_int_equal(fputc(0x55, file), 0x55);
    assert_int_equal(fclose(file), 0);
    bench_start(&bench, T0 + 60 * SECOND);
    pass(&bench, "C1", "v2", T0 + 60 * SECOND, IN_A);
    pass(&bench, "C2", "v3", T0 + 60 * SECOND, IN_B);
    tick(&bench, T0 + 61 * SECOND);
    assert_true(today_of("zone_today") == 2);
    assert_int_equal(indicator("zone_today", "h.x")[HUB_INDICATOR_STALE_SINCE].i, T0 - 8 * HOUR); /* midnight */
    bench_stop(&bench);
}

/* It is written each minute, so that a crash loses nothing that is not replayed. */
static void a_crash_loses_no_more_than_a_minute(void **state)
{
    struct bench bench;
    char path[FILE_PATH_MAX];
    bench_start(&bench, T0);
    assert_ok(scene_keeper_path(folder, "zone", STR("h/zone"), path));
    tick(&bench, T0 + SECOND);
    clock_fake_advance_ms(&bench.clock, ZONE_KEPT_MS);
    tick(&bench, T0 + 61 * SECOND);
    for (int i = 0; i < 6000 && access(path, R_OK) != 0; i++)
        usleep(10000); /* a thread writes it */
    assert_int_equal(access(path, R_OK), 0);
    bench_stop(&bench);
}

/* ---- what is lost is counted, and can be read ---- */

static void assert_measured(const struct bench *bench, const char *line)
{
    struct metric_page *page = NULL;
    struct buf out;
    buf_init(&out, METRIC_PAGE_MAX);
    assert_ok(metric_page_create(&page));
    scene_zone_ops.measure(bench->scene, page);
    assert_ok(metric_page_write(page, &out));
    buf_append(&out, "", 1);
    if (strstr(buf_str(&out).ptr, line) == NULL)
        fail_msg("not \"%s\" in %s", line, buf_str(&out).ptr);
    metric_page_destroy(page);
    buf_finish(&out);
}

#define OF "{party=\"h/zone\""

static void what_is_lost_can_be_read(void **state)
{
    struct bench bench;
    bench_start(&bench, T0);
    pass(&bench, "C1", "v1", T0, IN_A);
    pass(&bench, "C1", "v2", T0 - HOUR, IN_A); /* its camera tells the time of an hour ago, and it arrived then: not late */
    pass_at(&bench, "C1", "v3", T0 - HOUR, T0, IN_A);
    pass_at(&bench, "C1", "v4", T0 + HOUR, T0, IN_A);
    tick(&bench, T0 + SECOND);
    assert_measured(&bench, "citybrain_zone_passages_total" OF ",what=\"taken\"} 2\n");
    assert_measured(&bench, "citybrain_zone_passages_total" OF ",what=\"late\"} 1\n");
    assert_measured(&bench, "citybrain_zone_passages_total" OF ",what=\"future\"} 1\n");
    assert_measured(&bench, "citybrain_queue_length{queue=\"zone_checks\",of=\"h/zone\"} 2\n");
    refuse_query(ERR_UNAVAILABLE);
    tick(&bench, T0 + 2 * SECOND);
    assert_measured(&bench, "citybrain_zone_checks_total" OF ",how=\"put_off\"} 2\n");
    assert_measured(&bench, "citybrain_zone_questions_unanswered_total" OF "} 1\n");
    is_refusing = true;
    tick(&bench, T0 + 3 * SECOND);
    answer_query("");
    tick(&bench, T0 + 4 * SECOND);
    assert_measured(&bench, "citybrain_zone_checks_total" OF ",how=\"asked\"} 2\n");
    assert_measured(&bench, "citybrain_zone_batches_dropped_total" OF "} 4\n");
    assert_measured(&bench, "citybrain_queue_length{queue=\"zone_alerts\",of=\"h/zone\"} 2\n");
    bench_stop(&bench);
}

/* The stream of alerts is behind: breaches wait, bounded; past that the oldest is lost and counted, and the rest is told when it can be. */
static void alerts_that_nobody_takes(void **state)
{
    struct bench bench;
    char vehicle[16];
    bench_start(&bench, T0);
    is_refusing = true;
    int64_t now = T0;
    for (int i = 0; i < ZONE_ALERTS_MAX + 100; i++) { /* of both zones, over hours: no more than a thousand an hour of a zone are told */
        snprintf(vehicle, sizeof(vehicle), "v%d", i);
        pass(&bench, i % 2 ? "C1" : "C2", vehicle, now += 4 * SECOND, i % 2 ? IN_A : IN_B);
        if (asked == NULL)
            tick(&bench, now + SECOND);
        answer_query("");
    }
    tick(&bench, now + 2 * SECOND);
    assert_measured(&bench, "citybrain_zone_breaches_not_told_total" OF ",why=\"behind\"} 100\n");
    assert_measured(&bench, "citybrain_queue_refused_total{queue=\"zone_alerts\",of=\"h/zone\"} 100\n");
    assert_int_equal(n_alerts, 0);
    is_refusing = false;
    tick(&bench, now + 3 * SECOND);
    assert_int_equal(n_alerts, ZONE_ALERTS_MAX);
    assert_non_null(strstr(alerts[0], "/v100|")); /* the oldest that was left */
    assert_measured(&bench, "citybrain_queue_length{queue=\"zone_alerts\",of=\"h/zone\"} 0\n");
    bench_stop(&bench);
}

static void a_camera_without_room(void **state)
{
    struct bench bench;
    char camera[16];
    bench_start(&bench, T0);
    for (int i = 0; i < ZONE_CAMERAS_MAX + 3; i++) {
        snprintf(camera, sizeof(camera), "C%d", i);
        pass(&bench, camera, "", T0, OUT);
    }
    pass(&bench, "C7", "v1", T0, IN_A);
    tick(&bench, T0 + SECOND);
    assert_measured(&bench, "citybrain_zone_passages_total" OF ",what=\"no_room\"} 3\n");
    assert_measured(&bench, "citybrain_queue_refused_total{queue=\"zone_cameras\",of=\"h/zone\"} 3\n");
    assert_true(zone_state("a")[HUB_ZONE_STATE_NOW].r == 1);
    bench_stop(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contracts_are_held_against_what_is_kept),
        cmocka_unit_test(two_zones_of_one_area),
        cmocka_unit_test(a_vehicle_in_two_zones),
        cmocka_unit_test(a_row_of_each_class),
        cmocka_unit_test(the_count_of_a_zone),
        cmocka_unit_test(where_a_camera_stands),
        cmocka_unit_test(the_outlines_are_an_object),
        cmocka_unit_test(a_breach_becomes_an_alert),
        cmocka_unit_test(a_question_that_is_refused),
        cmocka_unit_test(an_answer_after_the_end),
        cmocka_unit_test(a_restart_forgets_nobody),
        cmocka_unit_test(a_long_stop_is_told),
        cmocka_unit_test(a_snapshot_that_is_broken),
        cmocka_unit_test(a_crash_loses_no_more_than_a_minute),
        cmocka_unit_test(what_is_lost_can_be_read),
        cmocka_unit_test(alerts_that_nobody_takes),
        cmocka_unit_test(a_camera_without_room),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
