/* Twins of a stream's rows: a row for each rule, and random orders of answers and lines that all fit. */
#include "system/bus/takes.h"

#include "base/test_random.h"

static struct bus_takes takes;
static uint64_t seed;

static uint64_t next(void)
{
    return test_random(&seed);
}

static int setup(void **state)
{
    takes = (struct bus_takes){0};
    bus_takes_begin(&takes);
    takes.n_lost = 0; /* as when nobody asked before */
    return 0;
}

static void expect(uint64_t n_missing, uint64_t n_unasked)
{
    assert_int_equal(takes.n_missing, n_missing);
    assert_int_equal(takes.n_unasked, n_unasked);
}

static void rule_17_who_took_them_is_this_hub(void **state)
{
    bus_takes_line(&takes, 1); /* a line is on disk before its answer is here */
    bus_takes_tick(&takes, BUS_TAKES_WAIT_MS - 1, false);
    bus_takes_answer(&takes, 1, false);
    bus_takes_tick(&takes, BUS_TAKES_WAIT_MS, true);
    expect(0, 0);
    bus_takes_answer(&takes, 2, false);
    bus_takes_line(&takes, 2);
    bus_takes_line(&takes, 2); /* the same records, given out once more */
    bus_takes_line(&takes, 3);
    bus_takes_lost(&takes);
    bus_takes_tick(&takes, BUS_TAKES_WAIT_MS, false); /* that they are not heard is no excuse */
    expect(0, 1);                                     /* one was ours and got no answer */
    assert_int_equal(takes.n_lines, 0);
    for (int i = 0; i < 1000; i++)
        bus_takes_lost(&takes);
    for (int i = 0; i < 1000; i++)
        bus_takes_line(&takes, 10);
    expect(0, 1 + 1000 - BUS_TAKES_MAX - BUS_TAKES_LOST_MAX); /* at once, what finds no place */
    bus_takes_tick(&takes, BUS_TAKES_WAIT_MS, true);
    expect(0, 1 + 1000 - BUS_TAKES_LOST_MAX);
}

static void rule_18_what_we_got_stands_in_their_journal(void **state)
{
    bus_takes_answer(&takes, 1, false);
    bus_takes_answer(&takes, 2, true); /* its line may have been before those that we look at */
    bus_takes_tick(&takes, BUS_TAKES_WAIT_MS - 1, true);
    bus_takes_tick(&takes, 1000000, false); /* not heard: no time of theirs */
    expect(0, 0);
    bus_takes_tick(&takes, 1, true);
    expect(1, 0);
    assert_int_equal(takes.n_answers, 0);
}

static void another_journal_begins_anew(void **state)
{
    bus_takes_line(&takes, 1);
    bus_takes_answer(&takes, 2, false);
    bus_takes_begin(&takes);
    bus_takes_line(&takes, 3); /* of who asked before us */
    bus_takes_tick(&takes, BUS_TAKES_WAIT_MS, true);
    expect(0, 0);
}

/* Each has its twin, in whatever order they come. */
static void all_that_fits(void **state)
{
    seed = test_seed();
    uint64_t n_answers = 0, n_lines = 0;
    for (int i = 0; i < 100000; i++) {
        bool is_line = n_lines + BUS_TAKES_MAX / 2 < n_answers || (n_answers + BUS_TAKES_MAX / 2 > n_lines && next() % 2);
        if (is_line)
            bus_takes_line(&takes, ++n_lines);
        else
            bus_takes_answer(&takes, ++n_answers, false);
        bus_takes_tick(&takes, (int64_t)(next() % 10), true);
    }
    while (n_lines < n_answers)
        bus_takes_line(&takes, ++n_lines);
    while (n_answers < n_lines)
        bus_takes_answer(&takes, ++n_answers, false);
    bus_takes_tick(&takes, 1, true);
    expect(0, 0);
    assert_int_equal(takes.n_lines + takes.n_answers, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(rule_17_who_took_them_is_this_hub, setup),
        cmocka_unit_test_setup(rule_18_what_we_got_stands_in_their_journal, setup),
        cmocka_unit_test_setup(another_journal_begins_anew, setup),
        cmocka_unit_test_setup(all_that_fits, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
