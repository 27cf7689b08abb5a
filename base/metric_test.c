/* The page's text byte for byte, its order, its limits; failing memory is told and nothing is lost. */
#include "base/mem.h"
#include "base/metric.h"
#include "base/test.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

static const struct metric uses = {"t_uses_total", METRIC_COUNTER, "Uses", {"use", "status"}};
static const struct metric length = {"t_queue_bytes", METRIC_GAUGE, "What waits", {NULL}};
static const struct metric took = {"t_took_seconds", METRIC_HISTOGRAM, "How long", {"department"}};

static void samples_of_one_metric_stand_together(void **state)
{
    struct metric_page *page;
    struct metric_counter counter = {0};
    struct buf out;
    metric_add(&counter, 40);
    metric_add(&counter, 2);
    assert_ok(metric_page_create(&page));
    metric_put_counter(page, &uses, &counter, METRIC_VALUES(STR("call"), STR("200")));
    metric_put(page, &length, 0.5, NULL);
    metric_put_count(page, &uses, UINT64_MAX, METRIC_VALUES(STR("a\"b\\c\nd"), STR("\xff")));
    buf_init(&out, METRIC_PAGE_MAX);
    assert_ok(metric_page_write(page, &out));
    assert_str(buf_str(&out), "# HELP t_uses_total Uses\n# TYPE t_uses_total counter\nt_uses_total{use=\"call\",status=\"200\"} 42\n"
                              "t_uses_total{use=\"a\\\"b\\\\c\\nd\",status=\"?\"} 18446744073709551615\n"
                              "# HELP t_queue_bytes What waits\n# TYPE t_queue_bytes gauge\nt_queue_bytes 0.5\n");
    buf_finish(&out);
    metric_page_destroy(page);
}

static void what_is_no_number_is_written_as_such(void **state)
{
    struct metric_page *page;
    struct buf out;
    assert_ok(metric_page_create(&page));
    metric_put(page, &length, NAN, NULL);
    metric_put(page, &length, -HUGE_VAL, NULL);
    buf_init(&out, METRIC_PAGE_MAX);
    assert_ok(metric_page_write(page, &out));
    assert_str(buf_str(&out), "# HELP t_queue_bytes What waits\n# TYPE t_queue_bytes gauge\nt_queue_bytes NaN\nt_queue_bytes -Inf\n");
    buf_finish(&out);
    metric_page_destroy(page);
}

/* Each bound belongs to its own bucket (le: less or equal); buckets are cumulative, and the last one counts all. */
static void a_histogram_counts_up_to_each_bound(void **state)
{
    struct metric_histogram histogram = {0};
    static const int64_t us[] = {-5, 100, 101, 10000000, 10000001};
    struct metric_page *page;
    struct buf out;
    for (size_t i = 0; i < sizeof us / sizeof us[0]; i++)
        metric_observe_us(&histogram, us[i]);
    assert_ok(metric_page_create(&page));
    metric_put_histogram(page, &took, &histogram, METRIC_VALUES(STR("police")));
    buf_init(&out, METRIC_PAGE_MAX);
    assert_ok(metric_page_write(page, &out));
    buf_append_byte(&out, '\0'); /* for strstr */
    assert_non_null(strstr(out.ptr, "t_took_seconds_bucket{department=\"police\",le=\"0.0001\"} 2\n"));
    assert_non_null(strstr(out.ptr, "t_took_seconds_bucket{department=\"police\",le=\"0.00025\"} 3\n"));
    assert_non_null(strstr(out.ptr, "t_took_seconds_bucket{department=\"police\",le=\"5\"} 3\n"));
    assert_non_null(strstr(out.ptr, "t_took_seconds_bucket{department=\"police\",le=\"10\"} 4\n"));
    assert_non_null(strstr(out.ptr, "t_took_seconds_bucket{department=\"police\",le=\"+Inf\"} 5\n"));
    assert_non_null(
        strstr(out.ptr, "t_took_seconds_sum{department=\"police\"} 20.000202\nt_took_seconds_count{department=\"police\"} 5\n"));
    buf_finish(&out);
    metric_page_destroy(page);
}

static void more_metrics_than_a_page_takes_are_told(void **state)
{
    static struct metric many[METRIC_FAMILIES_MAX + 1];
    struct metric_page *page;
    struct buf out;
    assert_ok(metric_page_create(&page));
    for (size_t i = 0; i < METRIC_FAMILIES_MAX + 1; i++) {
        many[i] = length;
        metric_put(page, &many[i], 1, NULL);
    }
    buf_init(&out, METRIC_PAGE_MAX);
    assert_err(metric_page_write(page, &out), ERR_FULL);
    buf_finish(&out);
    metric_page_destroy(page);
}

static void memory_that_fails_is_told(void **state)
{
    int64_t before = mem_n_live();
    enum err err = ERR_NO_MEMORY;
    for (uint64_t nth = 1; err; nth++) {
        struct metric_page *page = NULL;
        struct buf out;
        buf_init(&out, METRIC_PAGE_MAX);
        mem_fail_nth(nth);
        err = metric_page_create(&page);
        if (!err) {
            metric_put(page, &length, 1, NULL);
            metric_put_count(page, &uses, 1, METRIC_VALUES(STR("call"), STR("200")));
            err = metric_page_write(page, &out);
        }
        mem_fail_nth(0);
        assert_true(!err || err == ERR_NO_MEMORY);
        if (!err) {
            buf_append_byte(&out, '\0'); /* for strstr */
            assert_non_null(strstr(out.ptr, "t_queue_bytes 1\n"));
        }
        buf_finish(&out);
        metric_page_destroy(page);
        assert_int_equal(mem_n_live(), before);
    }
}

struct many {
    struct metric_counter counter;
    struct metric_histogram histogram;
};

static void *count(void *context)
{
    struct many *many = context;
    for (int i = 0; i < 10000; i++) {
        metric_add(&many->counter, 1);
        metric_observe_us(&many->histogram, i);
    }
    return NULL;
}

static void threads_lose_no_count(void **state)
{
    struct many many = {0};
    pthread_t threads[4];
    uint64_t n = 0;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count, &many), 0);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(metric_get(&many.counter), 40000);
    for (size_t i = 0; i <= METRIC_BOUNDS; i++)
        n += many.histogram.buckets[i];
    assert_int_equal(n, 40000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(samples_of_one_metric_stand_together),
        cmocka_unit_test(what_is_no_number_is_written_as_such),
        cmocka_unit_test(a_histogram_counts_up_to_each_bound),
        cmocka_unit_test(more_metrics_than_a_page_takes_are_told),
        cmocka_unit_test(memory_that_fails_is_told),
        cmocka_unit_test(threads_lose_no_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
