/* The three rules over a value: staleness and thresholds as tables, roll-up by hand-made sums. */
#include "cockpit/cockpit_test.h"
#include "cockpit/value.h"

static struct cockpit_value number_at(double number, int64_t n, int64_t time_ms)
{
    return (struct cockpit_value){.is_there = true, .has_number = true, .number = number, .n = n, .time = {time_ms}};
}

static void stale_is_old_or_said_or_without_a_number(void **state)
{
    struct cockpit_config *config = test_config();
    const struct cockpit_indicator *count = cockpit_config_at(config, 0);
    struct cockpit_value value = number_at(5, 1, 100000);
    assert_int_equal(cockpit_stale_since(count, &value, (struct wall_time){100000}), 0);
    assert_int_equal(cockpit_stale_since(count, &value, (struct wall_time){110000}), 0);
    assert_int_equal(cockpit_stale_since(count, &value, (struct wall_time){110001}), 100000);
    value.stale_since_ms = 95000;
    assert_int_equal(cockpit_stale_since(count, &value, (struct wall_time){100000}), 95000);
    value.stale_since_ms = 0;
    value.has_number = false;
    assert_int_equal(cockpit_stale_since(count, &value, (struct wall_time){100000}), 100000);
    cockpit_config_destroy(config);
}

static void thresholds_in_both_directions(void **state)
{
    static const struct {
        const char *indicator;
        double number;
        enum cockpit_state state;
    } rows[] = {
        {"count", 1e9, COCKPIT_CALM},
        {"delay", 1.79, COCKPIT_CALM},
        {"delay", 1.8, COCKPIT_AMBER},
        {"delay", 2.49, COCKPIT_AMBER},
        {"delay", 2.5, COCKPIT_RED},
        {"speed", 5.1, COCKPIT_CALM},
        {"speed", 5, COCKPIT_AMBER},
        {"speed", 3, COCKPIT_RED},
    };
    struct cockpit_config *config = test_config();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct cockpit_indicator *indicator =
            cockpit_config_at(config, (size_t)cockpit_config_find(config, str_from_c(rows[i].indicator)));
        struct cockpit_value value = number_at(rows[i].number, 1, 1000);
        assert_string_equal(
            cockpit_state_name(cockpit_value_state(indicator, &value, (struct wall_time){2000})), cockpit_state_name(rows[i].state));
        assert_int_equal(cockpit_value_state(indicator, &value, (struct wall_time){20000}), COCKPIT_STALE);
    }
    struct cockpit_value nothing = {0};
    assert_int_equal(cockpit_value_state(cockpit_config_at(config, 0), &nothing, (struct wall_time){1}), COCKPIT_NONE);
    cockpit_config_destroy(config);
}

/* Areas: 0 h, 1 h.x, 2 h.y, 3 h.x.a, 4 h.x.b. */
static void parents_without_a_value_take_their_childrens(void **state)
{
    struct cockpit_config *config = test_config();
    struct area_tree *areas = test_areas();
    struct cockpit_value sum[5] = {0};
    sum[3] = number_at(100, 10, 5000);
    sum[4] = number_at(40, 30, 4000);
    sum[2] = number_at(7, 1, 6000);
    cockpit_roll_up(cockpit_config_at(config, 1), areas, sum);
    assert_true(sum[1].is_rolled_up && sum[1].number == 140 && sum[1].n == 40);
    assert_true(sum[1].time.ms == 4000); /* as old as its oldest part */
    assert_true(sum[0].number == 147);

    struct cockpit_value weighted[5] = {0};
    weighted[3] = number_at(10, 10, 5000);
    weighted[4] = number_at(6, 30, 5000);
    cockpit_roll_up(cockpit_config_at(config, 2), areas, weighted);
    assert_true(weighted[1].number == 7); /* (10·10 + 6·30) / 40 */

    struct cockpit_value mean[5] = {0};
    mean[3] = number_at(1, 10, 5000);
    mean[4] = number_at(3, 1000, 5000);
    mean[0] = number_at(9, 1, 5000);
    cockpit_roll_up(cockpit_config_at(config, 3), areas, mean);
    assert_true(mean[1].number == 2);
    assert_true(mean[0].number == 9 && !mean[0].is_rolled_up); /* its own value stands */
    assert_false(mean[2].is_there);                            /* no children, no value: nothing is made up */

    struct cockpit_value none[5] = {0};
    none[3] = number_at(1, 1, 5000);
    cockpit_roll_up(cockpit_config_at(config, 0), areas, none);
    assert_false(none[1].is_there);
    area_tree_destroy(areas);
    cockpit_config_destroy(config);
}

static void half_a_sum_is_no_sum(void **state)
{
    struct cockpit_config *config = test_config();
    struct area_tree *areas = test_areas();
    struct cockpit_value sum[5] = {0};
    sum[3] = number_at(100, 10, 5000);
    sum[4] = (struct cockpit_value){.is_there = true, .time = {5000}};
    cockpit_roll_up(cockpit_config_at(config, 1), areas, sum);
    assert_true(sum[1].is_there && !sum[1].has_number);
    sum[4] = number_at(1, 1, 6000); /* it heals */
    sum[4].stale_since_ms = 3000;
    cockpit_roll_up(cockpit_config_at(config, 1), areas, sum);
    assert_true(sum[1].has_number && sum[1].number == 101 && sum[1].stale_since_ms == 3000); /* as stale as its stalest part */
    area_tree_destroy(areas);
    cockpit_config_destroy(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stale_is_old_or_said_or_without_a_number),
        cmocka_unit_test(thresholds_in_both_directions),
        cmocka_unit_test(parents_without_a_value_take_their_childrens),
        cmocka_unit_test(half_a_sum_is_no_sum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
