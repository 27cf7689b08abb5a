/*
 * The scene around the core: rows in, figures, questions and alerts out. The hub is a stand-in that keeps what is published and asked; the
 * real one is held against the scene in tests/e2e/zone_test.py.
 */
#include "scene/zone/scene_testing.h"

#include "base/test.h"

#include <math.h>
#include <string.h>

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
    assert_str(indicator("zone_now", "h.x")[HUB_INDICATOR_BASIS].s, "h.log/512");
    assert_int_equal(zone_state("b")[ZONE_STATE_NOW].i, 1);
    /* Both fall silent, the one of zone a two seconds earlier. */
    tick(&bench, T0 + 500 * SECOND);
    assert_int_equal(indicator("zone_now", "h.x")[HUB_INDICATOR_STALE_SINCE].i, T0 + 60 * SECOND + 100);
    assert_int_equal(zone_state("b")[ZONE_STATE_STALE_SINCE].i, T0 + 62 * SECOND + 100);
    assert_int_equal(zone_state("b")[ZONE_STATE_NOW].type, VALUE_NULL);
    bench_stop(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contracts_are_held_against_what_is_kept),
        cmocka_unit_test(two_zones_of_one_area),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
