/*
 * The scene over a longer time: a camera whose clock goes wrong and is mended, and a stop with a start after it.
 */
#include "scene/count/scene_testing.h"

#include <limits.h>

/* A passage as pass() makes it, by a camera whose clock is ahead, and not every one as long on its way. */
static void pass_ahead(struct bench *bench, const char *camera, const char *vehicle, int64_t ms, double lon, int64_t ahead_ms)
{
    pass_at(bench, camera, vehicle, ms + ahead_ms, ms + 100 + ms / 1000 % 7 * 50, lon, 90);
}

/* A camera twenty seconds ahead is told as a fault of whose passages they are, each camera's health once a period; mended, it is told
 * again. */
static void a_wrong_clock_is_an_alert_and_a_figure(void **state)
{
    struct bench bench;
    struct diag_list diags;
    bool is_mended = false;
    assert_ok(bench_start(&bench, CONFIG "network: '{data}/n.net.xml'\nrecord_every: 60s\n", &diags));
    for (int s = 0; s < 3000 && !is_mended; s++) {
        char vehicle[16];
        snprintf(vehicle, sizeof(vehicle), "v%d", s);
        pass_ahead(&bench, "west", vehicle, (int64_t)s * 1000, 120.1295, s < 600 ? 20000 : 0);
        snprintf(vehicle, sizeof(vehicle), "v%d", s - 110);
        pass_ahead(&bench, "east", vehicle, (int64_t)s * 1000 + 20, 120.1398, 0);
        tick(&bench, (int64_t)s * 1000 + 500);
        if (s == 599) {
            assert_int_equal(n_alerts, 1);
            assert_string_equal(
                alerts[0], "data.quality|h.x.west|h/police|camera/west/clock|red|A camera's clock is 20 s ahead|+20.0 s ± 2.0 s");
            const struct rows *rows = published[4][n_published[4] - 1];
            assert_int_equal(rows_n(rows), 2);
            const struct value *west = rows_at(rows, 0);
            assert_str(west[COUNT_HEALTH_CAMERA].s, "west");
            assert_near((double)west[COUNT_HEALTH_CLOCK_MS].i, 20000, 200);
            assert_near((double)rows_at(rows, 1)[COUNT_HEALTH_CLOCK_MS].i, 0, 200);
            assert_false(west[COUNT_HEALTH_SILENT].i);
            assert_int_equal(west[COUNT_HEALTH_RECALL].type, VALUE_NULL);
        }
        is_mended = n_alerts == 2;
        if (s % 500 == 499)
            forget_published();
    }
    assert_true(is_mended);
    assert_non_null(strstr(alerts[1], "camera/west/clock|green|"));
    bench_stop(&bench);
}

/* Both cameras, the western one with its clock ahead. */
static void drive_ahead(struct bench *bench, int from, int to, int64_t ahead_ms)
{
    for (int s = from; s < to; s++) {
        char vehicle[16];
        snprintf(vehicle, sizeof(vehicle), "v%d", s);
        pass_ahead(bench, "west", vehicle, (int64_t)s * 1000, 120.1295, ahead_ms);
        snprintf(vehicle, sizeof(vehicle), "v%d", s - 110);
        pass_ahead(bench, "east", vehicle, (int64_t)s * 1000 + 20, 120.1398, 0);
        tick(bench, (int64_t)s * 1000 + 500);
        if (s % 400 == 399)
            forget_published();
    }
}

/* What the hub does not take is told later, and what was told is known over a restart: a clock that was mended meanwhile is told green. */
static void no_alarm_is_lost(void **state)
{
    struct bench bench;
    struct diag_list diags;
    static const char config[] = CONFIG "network: '{data}/n.net.xml'\nrecord_every: 60s\n";
    assert_ok(bench_start(&bench, config, &diags));
    is_deaf = true;
    drive_ahead(&bench, 0, 600, 20000);
    assert_true(n_unheard > 0);
    is_deaf = false;
    drive_ahead(&bench, 600, 700, 20000);
    assert_int_equal(n_alerts, 1);
    assert_non_null(strstr(alerts[0], "camera/west/clock|red|"));
    bench_halt(&bench);
    assert_ok(bench_start_at(&bench, 700 * 1000, config, &diags));
    is_deaf = true;
    int s = 700;
    for (; s < 4000 && n_unheard == 0; s += 10)
        drive_ahead(&bench, s, s + 10, 0);
    assert_int_equal(n_unheard, 1);
    is_deaf = false;
    drive_ahead(&bench, s, s + 100, 0);
    assert_int_equal(n_alerts, 1);
    assert_non_null(strstr(alerts[0], "camera/west/clock|green|"));
    bench_stop(&bench);
}

/* Both cameras from second `from` on; what is before `told_from` was there before the start and is replayed, without ticks. */
static void drive_on(struct bench *bench, int from, int told_from, int to)
{
    for (int s = from; s < to; s++) {
        char vehicle[16];
        snprintf(vehicle, sizeof(vehicle), "v%d", s);
        pass(bench, "west", vehicle, (int64_t)s * 1000, 120.1295, 90);
        snprintf(vehicle, sizeof(vehicle), "v%d", s - 110);
        pass(bench, "east", vehicle, (int64_t)s * 1000 + 20, 120.1398, 90);
        if (s >= told_from)
            tick(bench, (int64_t)s * 1000 + 500);
        if (s % 400 == 399)
            forget_published();
    }
}

/* The snapshot cannot be used, and with it is lost what was told: a camera that is in order is told green once, and one that is not, red.
 */
static void alarms_are_closed_without_a_snapshot_too(void **state)
{
    struct bench bench;
    struct diag_list diags;
    char path[128];
    static const char config[] = CONFIG "network: '{data}/n.net.xml'\nrecord_every: 60s\n";
    for (int is_mended = 0; is_mended < 2; is_mended++) {
        assert_ok(bench_start(&bench, config, &diags));
        drive_ahead(&bench, 0, 600, 20000);
        assert_int_equal(n_alerts, 1);
        bench_halt(&bench);
        snprintf(path, sizeof(path), "%s/count/h.count.snapshot", folder);
        write_text(path, "cbcount\nof a version that nobody knows any more, and long enough to hold a digest");
        assert_ok(bench_start_at(&bench, 600 * 1000, config, &diags));
        drive_ahead(&bench, 600, 1300, is_mended ? 0 : 20000);
        bool is_closed = false, is_red = false;
        for (size_t i = 0; i < n_alerts; i++) {
            is_closed |= strstr(alerts[i], "camera/west/clock|green|") != NULL;
            is_red |= strstr(alerts[i], "|red|") != NULL;
        }
        assert_int_equal(n_alerts, 2); /* the other camera is in order */
        assert_true(is_closed == is_mended && is_red == !is_mended);
        bench_stop(&bench);
    }
}

/* A plate at two places, found while the hub took nothing, is told at the next tick that it does, once. */
static void a_clone_waits_for_the_hub(void **state)
{
    struct bench bench;
    struct diag_list diags;
    assert_ok(bench_start(&bench, CONFIG "network: '{data}/n.net.xml'\n", &diags));
    drive_ahead(&bench, 0, 300, 0); /* so that both clocks are known to be right */
    is_deaf = true;
    for (int s = 300; s < 440; s++) {
        if (s == 300 || s == 430)
            pass(&bench, "west", "one of two", (int64_t)s * 1000, 120.1295, 90);
        if (s == 302 || s == 432)
            pass(&bench, "east", "one of two", (int64_t)s * 1000, 120.1398, 90);
        drive_ahead(&bench, s, s + 1, 0);
    }
    assert_true(n_unheard > 0);
    is_deaf = false;
    drive_ahead(&bench, 440, 450, 0);
    assert_int_equal(n_alerts, 1);
    assert_true(strncmp(alerts[0], "plate.cloned|h.x.east|h/police|plate-", 37) == 0);
    bench_stop(&bench);
}

/* Stopped and started anew, with the last minutes replayed: the figures are those of one that never stopped. */
static void a_restart_leaves_no_dent(void **state)
{
    struct bench bench;
    struct diag_list diags;
    double whole[2], broken[2];
    static const char config[] = CONFIG "network: '{data}/n.net.xml'\n";
    assert_ok(bench_start(&bench, config, &diags));
    drive_on(&bench, 0, 0, 1000);
    whole[0] = indicator("vehicles_in_transit", "h", 1000)[HUB_INDICATOR_VALUE].r;
    whole[1] = indicator("flow", "h.x.east", 1000)[HUB_INDICATOR_VALUE].r;
    bench_stop(&bench);
    assert_ok(bench_start(&bench, config, &diags));
    drive_on(&bench, 0, 0, 800);
    bench_halt(&bench);
    assert_ok(bench_start_at(&bench, 800 * 1000, config, &diags));
    drive_on(&bench, 300, 800, 1000);
    broken[0] = indicator("vehicles_in_transit", "h", 1000)[HUB_INDICATOR_VALUE].r;
    broken[1] = indicator("flow", "h.x.east", 1000)[HUB_INDICATOR_VALUE].r;
    assert_near(broken[0], whole[0], 1e-9);
    assert_near(broken[1], whole[1], 1e-9);
    bench_stop(&bench);
}

/* The brain woke up with its clock eight hours ahead, took passages so, and the clock was set back: what comes from then on counts, also
 * after the next restart, whose replay has what was told ahead, too. So it does when the clock was mended while nobody ran. */
static void a_clock_that_was_ahead_swallows_nothing(void **state)
{
    struct bench bench;
    struct diag_list diags;
    static const char config[] = CONFIG "network: '{data}/n.net.xml'\n";
    enum { AHEAD_S = 8 * 3600 };
    assert_ok(bench_start(&bench, config, &diags));
    drive_on(&bench, 0, 0, 390);
    double whole = indicator("vehicles_in_transit", "h", 1000)[HUB_INDICATOR_VALUE].r;
    bench_stop(&bench);
    for (int is_down = 0; is_down < 2; is_down++) {
        assert_ok(bench_start_at(&bench, (int64_t)AHEAD_S * 1000, config, &diags));
        drive_on(&bench, AHEAD_S, AHEAD_S, AHEAD_S + 100);
        if (!is_down)
            drive_on(&bench, 0, 0, 200);
        bench_halt(&bench);
        assert_ok(bench_start_at(&bench, 200 * 1000, config, &diags));
        drive_on(&bench, AHEAD_S, INT_MAX, AHEAD_S + 100);
        drive_on(&bench, 0, 200, 390);
        assert_near(indicator("vehicles_in_transit", "h", 1000)[HUB_INDICATOR_VALUE].r, whole, whole * 0.02);
        bench_stop(&bench);
    }
}

/* A camera that was moved while nobody ran is a new one, and the old one nobody's: there is one of its name, and what is kept of both goes
 * on over the starts after it. */
static void a_moved_camera_is_moved_once(void **state)
{
    struct bench bench;
    struct diag_list diags;
    static const char config[] = CONFIG "network: '{data}/n.net.xml'\nrecord_every: 60s\n";
    assert_ok(bench_start(&bench, config, &diags));
    drive_on(&bench, 0, 0, 200);
    for (int start = 1; start < 4; start++) {
        bench_halt(&bench);
        assert_ok(bench_start_at(&bench, start * 200000, config, &diags));
        for (int s = start * 200; s < start * 200 + 190; s++) {
            char vehicle[16];
            snprintf(vehicle, sizeof(vehicle), "v%d", s);
            pass(&bench, "west", vehicle, (int64_t)s * 1000, 120.1398, 90);
            tick(&bench, (int64_t)s * 1000 + 500);
            if (s == start * 200)
                assert_true(indicator("vehicles_in_transit", "h", 1000)[HUB_INDICATOR_N].i > 100); /* it goes on */
        }
        const struct rows *cameras = published[4][n_published[4] - 1];
        assert_int_equal(rows_n(cameras), 2);
        for (size_t i = 0; i < 2; i++)
            assert_str(rows_at(cameras, i)[COUNT_HEALTH_CAMERA].s, i == 0 ? "east" : "west");
    }
    bench_stop(&bench);
}

/* The figures of who operates it. */
static void read_page(struct bench *bench, struct buf *page)
{
    struct metric_page *metrics = NULL;
    assert_ok(metric_page_create(&metrics));
    scene_count_ops.measure(bench->scene, metrics);
    buf_init(page, METRIC_PAGE_MAX);
    assert_ok(metric_page_write(metrics, page));
    buf_append_be(page, 0, 1);
    metric_page_destroy(metrics);
}

/* What is refused, dropped and lost in a running city is on the page of who operates it. */
static void what_becomes_of_passages_is_told(void **state)
{
    struct bench bench;
    struct diag_list diags;
    struct buf page;
    assert_ok(bench_start(&bench, CONFIG "network: '{data}/n.net.xml'\nvehicles_max: 1000\nrecord_every: 1s\n", &diags));
    drive_on(&bench, 0, 0, 20);
    pass(&bench, "west", "v19", 19000, 120.1295, 90);                    /* again */
    pass_at(&bench, "west", "late", 0, 900000, 120.1295, 90);            /* in the future by our clock */
    pass_at(&bench, "west", "late", -700000, 20100, 120.1295, 90);       /* eleven minutes late */
    pass_at(&bench, "west", "ahead", 10 * 3600000, 20100, 120.1295, 90); /* a clock hours ahead */
    is_refusing = true;
    for (int ms = 20500; ms < 60500; ms += 1000)
        tick(&bench, ms);
    read_page(&bench, &page);
    static const char *const lines[] = {"citybrain_count_passages_total{party=\"h/count\",verdict=\"taken\"} 40\n",
        "citybrain_count_passages_total{party=\"h/count\",verdict=\"duplicate\"} 1\n",
        "citybrain_count_passages_total{party=\"h/count\",verdict=\"late\"} 1\n",
        "citybrain_count_passages_total{party=\"h/count\",verdict=\"future\"} 1\n",
        "citybrain_count_passages_total{party=\"h/count\",verdict=\"ahead\"} 1\n",
        "citybrain_queue_length{queue=\"count_vehicles\",of=\"h/count\"} 40\n",
        "citybrain_queue_limit{queue=\"count_vehicles\",of=\"h/count\"} 1000\n",
        "citybrain_queue_refused_total{queue=\"count_vehicles\",of=\"h/count\"} 0\n",
        "citybrain_queue_length{queue=\"count_records\",of=\"h/count\"} 30\n",
        "citybrain_queue_refused_total{queue=\"count_records\",of=\"h/count\"} 10\n"};
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        if (strstr(page.ptr, lines[i]) == NULL)
            fail_msg("no %s in\n%s", lines[i], page.ptr);
    assert_null(strstr(page.ptr, "citybrain_count_points_total")); /* no floating cars here */
    buf_finish(&page);
    bench_stop(&bench);
}

/* Batches with means of periods. */
static size_t n_records_published(void)
{
    size_t n = 0;
    for (size_t i = 0; i < n_published[0]; i++)
        n += rows_n(published[0][i]) > 0 && rows_at(published[0][i], 0)[HUB_INDICATOR_PERIOD_MS].i == 2000;
    return n;
}

/* At the end of a period there was no memory for its rows: it is lost, and counted as that. */
static void a_record_without_memory_is_counted(void **state)
{
    struct bench bench;
    struct diag_list diags;
    uint64_t n_lost = 0;
    assert_ok(bench_start(&bench, CONFIG "network: '{data}/n.net.xml'\nrecord_every: 2s\n", &diags));
    drive_on(&bench, 0, 0, 20);
    for (int nth = 1; nth < 60; nth++) {
        size_t n_before = n_records_published();
        mem_fail_nth((uint64_t)nth);
        tick(&bench, 20000 + nth * 2000);
        mem_fail_nth(0);
        size_t n_after = n_records_published();
        n_lost += n_after == n_before;
    }
    assert_true(n_lost > 0);
    struct buf page;
    read_page(&bench, &page);
    const char *sample = "citybrain_queue_refused_total{queue=\"count_records\",of=\"h/count\"} ", *at = strstr(page.ptr, sample);
    assert_non_null(at);
    assert_int_equal(strtoull(at + strlen(sample), NULL, 10), n_lost);
    buf_finish(&page);
    bench_stop(&bench);
}

/* A snapshot that cannot be used, and a folder that cannot be written: the count begins anew, and runs. */
static void a_broken_snapshot_is_no_obstacle(void **state)
{
    struct bench bench;
    struct diag_list diags;
    char path[128];
    static const char config[] = CONFIG "network: '{data}/n.net.xml'\n";
    assert_ok(bench_start(&bench, config, &diags));
    drive_on(&bench, 0, 0, 100);
    bench_halt(&bench);
    snprintf(path, sizeof(path), "%s/count/h.count.snapshot", folder);
    write_text(path, "cbcount\nand nothing that it could be, though it is long enough to hold a digest");
    assert_ok(bench_start(&bench, config, &diags));
    drive_on(&bench, 100, 100, 110);
    assert_true(indicator("vehicles_in_transit", "h", 1000)[HUB_INDICATOR_N].i < 30);
    bench_stop(&bench);
    snprintf(path, sizeof(path), "%s/count", folder);
    write_text(path, "a file where the folder should be");
    assert_ok(bench_start(&bench, config, &diags));
    drive_on(&bench, 0, 0, 100);
    assert_true(indicator("vehicles_in_transit", "h", 1000)[HUB_INDICATOR_N].i > 50);
    bench_halt(&bench);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrong_clock_is_an_alert_and_a_figure),
        cmocka_unit_test(no_alarm_is_lost),
        cmocka_unit_test(alarms_are_closed_without_a_snapshot_too),
        cmocka_unit_test(a_clone_waits_for_the_hub),
        cmocka_unit_test(a_restart_leaves_no_dent),
        cmocka_unit_test(a_clock_that_was_ahead_swallows_nothing),
        cmocka_unit_test(a_moved_camera_is_moved_once),
        cmocka_unit_test(what_becomes_of_passages_is_told),
        cmocka_unit_test(a_record_without_memory_is_counted),
        cmocka_unit_test(a_broken_snapshot_is_no_obstacle),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
