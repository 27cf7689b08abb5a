/* The record: acknowledged is on disk, the usual day, reading back over a restart. */
#include "cockpit/cockpit_test.h"
#include "cockpit/store.h"

#include <stdatomic.h>

#define T0 1795276800000
#define DAY 86400000

struct told {
    _Atomic int n;
    struct cockpit_value last;
};

static void on_recorded(void *context, const struct cockpit_record *record, enum err err)
{
    struct told *told = context;
    assert_ok(err);
    told->last = record->value;
    told->n++;
}

static void wait_for(struct told *told, int n)
{
    for (int i = 0; i < 10000 && told->n < n; i++)
        usleep(1000);
    assert_int_equal(told->n, n);
}

static _Atomic bool is_read;

static void read_done(struct cockpit_history *history)
{
    is_read = true;
}

static void expect_points(
    struct cockpit_store *store, struct loop *loop, const struct cockpit_indicator *indicator, int64_t from, int64_t to, const char *points)
{
    struct cockpit_history history = {
        .indicator = indicator, .area = STR("h"), .from_ms = from, .to_ms = to, .loop = loop, .done = read_done};
    is_read = false;
    cockpit_store_read(store, &history);
    for (int i = 0; i < 10000 && !is_read; i++)
        usleep(1000);
    assert_true(is_read);
    assert_ok(history.err);
    assert_str(buf_str(&history.points), points);
    buf_finish(&history.points);
}

static struct cockpit_record record_at(const struct cockpit_indicator *indicator, int64_t time_ms, double number, bool has_number)
{
    return (struct cockpit_record){.indicator = indicator->name,
        .area = STR("h"),
        .value = {.is_there = true,
            .has_number = has_number,
            .number = number,
            .time = {time_ms},
            .period_ms = 120000,
            .n = 5,
            .receipt = "h.log/1"}};
}

static void remove_store(char *path)
{
    char side[128];
    snprintf(side, sizeof(side), "%s-wal", path);
    unlink(side);
    snprintf(side, sizeof(side), "%s-shm", path);
    unlink(side);
    test_remove(path);
}

static void what_is_told_is_there_after_a_restart(void **state)
{
    struct cockpit_config *config = test_config();
    const struct cockpit_indicator *speed = cockpit_config_at(config, 2); /* shown × 3.6 with one decimal */
    char *path = test_file("");
    struct diag diag = {""};
    struct told told = {0};
    struct loop_thread *thread;
    struct cockpit_store *store;
    unlink(path);
    assert_ok(loop_thread_start(clock_system(), "test", &thread));
    assert_ok(cockpit_store_open(path, thread, clock_system(), on_recorded, &told, &diag, &store));
    for (int day = 0; day < 3; day++) {
        struct cockpit_record record = record_at(speed, T0 + (int64_t)day * DAY, 10 + 2 * day, true);
        assert_ok(cockpit_store_put(store, &record));
        wait_for(&told, day + 1);
        assert_int_equal(told.last.has_usual, day > 0);
    }
    assert_true(told.last.usual == 11); /* the mean of 10 and 12, the two days before */
    struct cockpit_record again = record_at(speed, T0, 20, true), missed = record_at(speed, T0 + 120000, 0, false);
    assert_ok(cockpit_store_put(store, &again));
    assert_ok(cockpit_store_put(store, &missed));
    wait_for(&told, 5);
    cockpit_store_close(store);
    assert_ok(cockpit_store_open(path, thread, clock_system(), on_recorded, &told, &diag, &store));
    struct loop *loop = loop_thread_loop(thread);
    expect_points(store, loop, speed, T0, T0 + DAY, "[[1795276800000,72],[1795276920000,null]]");
    expect_points(store, loop, speed, T0 + DAY, T0 + DAY + 1, "[[1795363200000,43.2]]");
    expect_points(store, loop, speed, 0, T0, "[]");
    cockpit_store_close(store);
    loop_thread_stop(thread);
    cockpit_config_destroy(config);
    remove_store(path);
}

static void closing_commits_what_waits(void **state)
{
    struct cockpit_config *config = test_config();
    char *path = test_file("");
    struct diag diag = {""};
    struct told told = {0};
    struct loop_thread *thread;
    struct cockpit_store *store;
    unlink(path);
    assert_ok(loop_thread_start(clock_system(), "test", &thread));
    assert_ok(cockpit_store_open(path, thread, clock_system(), on_recorded, &told, &diag, &store));
    for (int i = 0; i < 500; i++) {
        struct cockpit_record record = record_at(cockpit_config_at(config, 0), T0 + i, i, true);
        assert_ok(cockpit_store_put(store, &record));
    }
    cockpit_store_close(store);
    assert_int_equal(told.n, 500);
    loop_thread_stop(thread);
    cockpit_config_destroy(config);
    test_remove(path);
}

static void a_path_that_cannot_be_is_an_error(void **state)
{
    struct diag diag = {""};
    struct loop_thread *thread;
    struct cockpit_store *store;
    int64_t n_live = mem_n_live();
    assert_ok(loop_thread_start(clock_system(), "test", &thread));
    assert_true(cockpit_store_open("/nonexistent/folder/x.sqlite", thread, clock_system(), on_recorded, NULL, &diag, &store) != ERR_OK);
    assert_true(strlen(diag.text) > 10);
    loop_thread_stop(thread);
    assert_int_equal(mem_n_live(), n_live);
}

#define N_READINGS 64
#define N_POINTS 10000 /* the first reading takes its time, so that the others wait behind it */

static _Atomic int n_answered;

static void count_answer(struct cockpit_history *history)
{
    assert_ok(history->err);
    assert_true(str_starts_with(buf_str(&history->points), STR("[[1795276800000,36]")));
    n_answered++;
}

static void nothing(void *context) {}

/* A viewer who asks for history while the brain goes down has an exchange that waits for its answer. */
static void closing_answers_every_reading(void **state)
{
    static struct cockpit_history readings[N_READINGS];
    struct cockpit_config *config = test_config();
    const struct cockpit_indicator *speed = cockpit_config_at(config, 2);
    char *path = test_file("");
    struct diag diag = {""};
    struct told told = {0};
    struct loop_thread *thread, *viewers;
    struct cockpit_store *store;
    unlink(path);
    assert_ok(loop_thread_start(clock_system(), "test", &thread));
    assert_ok(loop_thread_start(clock_system(), "viewers", &viewers));
    assert_ok(cockpit_store_open(path, thread, clock_system(), on_recorded, &told, &diag, &store));
    for (int i = 0; i < N_POINTS; i++) {
        struct cockpit_record record = record_at(speed, T0 + i, 10, true);
        assert_ok(cockpit_store_put(store, &record));
    }
    wait_for(&told, N_POINTS);
    for (int i = 0; i < N_READINGS; i++) {
        readings[i] = (struct cockpit_history){.indicator = speed,
            .area = STR("h"),
            .from_ms = T0,
            .to_ms = i == 0 ? T0 + N_POINTS : T0 + 1,
            .loop = loop_thread_loop(viewers),
            .done = count_answer};
        cockpit_store_read(store, &readings[i]);
        if (i == 0)
            usleep(1000); /* it has begun */
    }
    cockpit_store_close(store);
    loop_thread_call(viewers, nothing, NULL);
    assert_int_equal(n_answered, N_READINGS);
    for (int i = 0; i < N_READINGS; i++)
        buf_finish(&readings[i].points);
    loop_thread_stop(viewers);
    loop_thread_stop(thread);
    cockpit_config_destroy(config);
    remove_store(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_told_is_there_after_a_restart),
        cmocka_unit_test(closing_commits_what_waits),
        cmocka_unit_test(closing_answers_every_reading),
        cmocka_unit_test(a_path_that_cannot_be_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
