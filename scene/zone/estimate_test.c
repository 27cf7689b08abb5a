/* Estimates by hand, and a made-up zone whose truth is known: vehicles come and go, cameras see some of them. */
#include "scene/zone/estimate.h"

#include "base/test.h"

#include <math.h>
#include <string.h>
#include <time.h>

#define assert_near(value_, wanted_, within_) assert_true(fabs((value_) - (wanted_)) <= (within_))

static void now_is_the_count_by_the_shares_that_were_seen(void **state)
{
    const struct zone_estimate counted = {200, 180, 220};
    struct zone_estimate all = zone_estimate_now(120, 120, &counted), local = zone_estimate_now(90, 120, &counted),
                         rest = zone_estimate_now(30, 120, &counted), none = zone_estimate_now(0, 120, &counted),
                         unseen = zone_estimate_now(0, 0, &counted), alone = zone_estimate_now(7, 9, NULL);
    assert_near(all.value, 200, 1e-9);
    assert_near(all.low, 180, 1e-6); /* of all the interval is the count's own */
    assert_near(all.high, 220, 1e-6);
    assert_near(local.value, 150, 1e-9);
    assert_near(rest.value, 50, 1e-9);
    assert_true(local.high - local.low > 0.75 * (all.high - all.low)); /* the share is not certain either */
    assert_true(none.value == 0 && none.low == 0 && none.high > 0 && none.high < 10);
    assert_true(unseen.value == 0 && isnan(unseen.low));
    assert_true(alone.value == 7 && isnan(alone.low) && isnan(alone.high)); /* without a count: what was seen */
}

static void today_without_a_count_is_what_was_seen(void **state)
{
    struct zone_stays stays = {0};
    assert_true(isnan(zone_stays_factor(&stays)));
    for (int i = 0; i < 500; i++) {
        zone_stays_gap(&stays, 60, true);
        stays.n_headed++;
    }
    zone_stays_tick(&stays, 3600, NULL);
    assert_true(isnan(zone_stays_factor(&stays)));
    struct zone_estimate today = zone_estimate_today(40, zone_stays_factor(&stays));
    assert_true(today.value == 40 && isnan(today.low) && isnan(today.high));
    const struct zone_estimate counted = {10, 8, 12};
    zone_stays_tick(&stays, 3600, &counted);
    assert_true(isnan(zone_stays_factor(&stays))); /* for half of the day there was none */
}

static uint64_t draw(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Vehicles pass eight junctions a minute apart; so many of a hundred have cameras. Two hours of one every two seconds. */
static void today_of_a_road_with_few_cameras(void **state)
{
    enum { JUNCTIONS = 8, GAP_S = 60, VEHICLES = 3600 };
    uint64_t seed = (uint64_t)time(NULL) * 2654435761u | 1;
    print_message("seed %llu\n", (unsigned long long)seed);
    for (int coverage = 25; coverage <= 100; coverage += 25) {
        struct zone_stays stays = {0};
        double n_seen = 0;
        for (int i = 0; i < VEHICLES; i++) { /* each on a road of its own draw */
            int last = -1;
            for (int at = 0; at < JUNCTIONS; at++) {
                if ((int)(draw(&seed) % 100) >= coverage)
                    continue;
                bool is_last = at == JUNCTIONS - 1; /* the last is the way out */
                stays.n_headed += !is_last;
                stays.n_found += last < 0;
                if (last >= 0)
                    zone_stays_gap(&stays, (at - last) * GAP_S, true);
                last = at;
            }
            n_seen += last >= 0;
        }
        const struct zone_estimate counted = {(double)VEHICLES * JUNCTIONS * GAP_S / 7200, 0, 0};
        zone_stays_tick(&stays, 7200, &counted);
        struct zone_estimate today = zone_estimate_today(n_seen, zone_stays_factor(&stays));
        print_message("%d %%: %.0f seen, %.0f told\n", coverage, n_seen, today.value);
        assert_true(today.value >= n_seen);
        assert_near(today.value, VEHICLES, 0.25 * VEHICLES);
        assert_true(today.low < VEHICLES && VEHICLES < today.high);
    }
}

static void gaps_that_are_other_visits(void **state)
{
    struct zone_stays stays = {0};
    zone_stays_gap(&stays, -1, true);
    zone_stays_gap(&stays, 1801, true);
    assert_int_equal(stays.n_gaps, 0);
    zone_stays_gap(&stays, 100, false);
    assert_near(stays.inside_s, 50, 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(now_is_the_count_by_the_shares_that_were_seen),
        cmocka_unit_test(today_without_a_count_is_what_was_seen),
        cmocka_unit_test(today_of_a_road_with_few_cameras),
        cmocka_unit_test(gaps_that_are_other_visits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
