/* Twins of a department's process: a row for each rule, and random orders of leaves and lines that all fit. */
#include "base/mem.h"
#include "base/test.h"
#include "system/bus/twin.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const struct bus_twin_what vehicle = {1, 17, false}, driver = {2, 18, false}, act = {3, 0, false}, query = {1, 17, true};
static struct bus_twin twin;

static int setup(void **state)
{
    bus_twin_init(&twin, 100, 5);
    return 0;
}

static int teardown(void **state)
{
    bus_twin_finish(&twin);
    assert_int_equal(mem_n_live(), 0);
    return 0;
}

static void expect(uint64_t missing, uint64_t unasked, uint64_t differs, uint64_t cut)
{
    const uint64_t wanted[BUS_TWIN_N_WRONG] = {missing, unasked, differs, cut};
    for (size_t i = 0; i < BUS_TWIN_N_WRONG; i++)
        assert_int_equal(twin.n_wrong[i], wanted[i]);
}

static void rule_13_what_was_answered_stands_in_their_journal(void **state)
{
    assert_ok(bus_twin_intent(&twin, 100, vehicle));
    bus_twin_outcome(&twin, 100, true, 0);
    bus_twin_followed(&twin, 102);
    bus_twin_tick(&twin, BUS_TWIN_WAIT_MS - 1, true, true);
    bus_twin_tick(&twin, 1000000, false, true); /* not heard: no time of theirs */
    bus_twin_tick(&twin, 1000000, true, false); /* another process of theirs may have it */
    expect(0, 0, 0, 0);
    assert_ok(bus_twin_intent(&twin, 103, vehicle)); /* answered, and served */
    bus_twin_outcome(&twin, 103, true, 0);
    assert_false(bus_twin_line(&twin, 103, vehicle));
    assert_ok(bus_twin_intent(&twin, 105, vehicle)); /* not answered: a time-out, a department that is down */
    bus_twin_outcome(&twin, 105, false, 0);
    assert_ok(bus_twin_intent(&twin, 106, query)); /* needed no row, and asked nobody */
    bus_twin_outcome(&twin, 106, true, 0);
    assert_ok(bus_twin_intent(&twin, 107, vehicle)); /* cut off by a kill: it has no outcome */
    bus_twin_tick(&twin, 1, true, true);
    expect(1, 0, 0, 0);
    assert_int_equal(twin.last[BUS_TWIN_MISSING], 100);
    for (int i = 0; i < 50; i++)
        bus_twin_tick(&twin, BUS_TWIN_WAIT_MS, true, true);
    expect(1, 0, 0, 0);
    assert_int_equal(twin.n_uses, 0);
}

static void rule_14_a_line_is_about_what_its_leaf_is_about(void **state)
{
    assert_ok(bus_twin_intent(&twin, 100, vehicle));
    assert_ok(bus_twin_intent(&twin, 101, act));
    bus_twin_followed(&twin, 102);
    assert_false(bus_twin_line(&twin, 101, (struct bus_twin_what){.resource = 3}));
    expect(0, 0, 0, 0);
    assert_false(bus_twin_line(&twin, 100, driver));
    expect(0, 0, 1, 0);
    assert_false(bus_twin_line(&twin, 100, (struct bus_twin_what){.resource = 1, .contract = 99}));
    expect(0, 0, 2, 0);
    assert_true(bus_twin_line(&twin, 42, vehicle)); /* of before: the caller looks */
    bus_twin_looked(&twin, 42, BUS_TWIN_FITS);
    expect(0, 0, 2, 0);
    bus_twin_looked(&twin, 42, BUS_TWIN_OTHER);
    bus_twin_looked(&twin, 43, BUS_TWIN_NONE);
    bus_twin_foreign(&twin, 7);
    expect(0, 2, 3, 0);
}

static void rule_15_a_leaf_that_does_not_come_was_never_one(void **state)
{
    assert_false(bus_twin_line(&twin, 100, vehicle)); /* ahead of us, and then there */
    assert_false(bus_twin_line(&twin, 5000, vehicle));
    assert_false(bus_twin_line(&twin, 101, vehicle));
    assert_ok(bus_twin_intent(&twin, 100, vehicle));
    bus_twin_followed(&twin, 102); /* 101 is no intent of theirs */
    bus_twin_tick(&twin, 1000, true, true);
    expect(0, 1, 0, 0);
    assert_int_equal(twin.last[BUS_TWIN_UNASKED], 101);
    bus_twin_tick(&twin, BUS_TWIN_WAIT_MS, true, true);
    expect(0, 2, 0, 0);
    for (uint64_t i = 0; i < BUS_TWIN_AHEAD_MAX + 3; i++)
        (void)!bus_twin_line(&twin, 10000 + i, vehicle);
    expect(0, 5, 0, 0); /* more than fit are told at once */
}

static void rule_16_their_journal_only_grows(void **state)
{
    bus_twin_cut(&twin, 3);
    expect(0, 0, 0, 1);
    assert_int_equal(twin.line_next, 3);
}

static void rule_19_who_never_tells_its_journal(void **state)
{
    assert_ok(bus_twin_intent(&twin, 100, vehicle));
    assert_ok(bus_twin_intent(&twin, 101, vehicle)); /* without an answer */
    bus_twin_outcome(&twin, 100, true, 1);
    bus_twin_outcome(&twin, 101, false, 0);
    bus_twin_followed(&twin, 102);
    bus_twin_tick(&twin, BUS_TWIN_GIVEN_UP_MS - 1, false, true);
    expect(0, 0, 0, 0);
    bus_twin_tick(&twin, 1, false, true);
    expect(1, 0, 0, 0);
    assert_int_equal(twin.last[BUS_TWIN_MISSING], 100);
    bus_twin_tick(&twin, BUS_TWIN_GIVEN_UP_MS, false, true);
    expect(1, 0, 0, 0); /* once */
    assert_ok(bus_twin_intent(&twin, 103, vehicle));
    bus_twin_outcome(&twin, 103, true, 1);
    bus_twin_tick(&twin, BUS_TWIN_GIVEN_UP_MS, false, false); /* another process of theirs may have it */
    expect(1, 0, 0, 0);
}

static void whatever_the_order_what_fits_is_not_told(void **state)
{
    const char *given = getenv("TEST_SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
    print_message("TEST_SEED=%u\n", seed);
    for (int round = 0; round < 50; round++) {
        uint64_t leaf = 100, line = 100, outcome = 100;
        bus_twin_finish(&twin);
        bus_twin_init(&twin, 100, 0);
        while (line < 1100 || outcome < 1100) {
            switch (rand_r(&seed) % 4) {
            case 0:
                if (leaf < 1100) {
                    assert_ok(bus_twin_intent(&twin, leaf, vehicle));
                    bus_twin_followed(&twin, ++leaf);
                }
                break;
            case 1: /* never more than a few hundred before us */
                if (line < 1100 && line < leaf + 300 && bus_twin_line(&twin, line++, vehicle))
                    fail_msg("leaf %" PRIu64 " is looked at", line - 1);
                break;
            case 2:
                if (outcome < leaf)
                    bus_twin_outcome(&twin, outcome++, true, 0);
                break;
            default:
                bus_twin_tick(&twin, 1, true, true);
            }
        }
        bus_twin_tick(&twin, 2 * BUS_TWIN_WAIT_MS, true, true);
        expect(0, 0, 0, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rule_13_what_was_answered_stands_in_their_journal, setup, teardown),
        cmocka_unit_test_setup_teardown(rule_14_a_line_is_about_what_its_leaf_is_about, setup, teardown),
        cmocka_unit_test_setup_teardown(rule_15_a_leaf_that_does_not_come_was_never_one, setup, teardown),
        cmocka_unit_test_setup_teardown(rule_16_their_journal_only_grows, setup, teardown),
        cmocka_unit_test_setup_teardown(rule_19_who_never_tells_its_journal, setup, teardown),
        cmocka_unit_test_setup_teardown(whatever_the_order_what_fits_is_not_told, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
