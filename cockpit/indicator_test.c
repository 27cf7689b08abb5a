/* indicators.yaml: the good one read whole, each kind of mistake refused with its line and its mend. */
#include "cockpit/cockpit_test.h"

static void reads_all_of_a_declaration(void **state)
{
    struct cockpit_config *config = test_config();
    assert_int_equal(cockpit_config_n(config), 4);
    int at = cockpit_config_find(config, STR("speed"));
    assert_int_equal(at, 2);
    const struct cockpit_indicator *speed = cockpit_config_at(config, 2);
    assert_str(speed->title.zh, "一");
    assert_str(speed->source, "h/count/indicator");
    assert_int_equal(speed->period_ms, 120000);
    assert_int_equal(speed->stale_after_ms, 10000);
    assert_int_equal(speed->roll_up, COCKPIT_ROLL_WEIGHTED);
    assert_int_equal(speed->decimals, 1);
    assert_true(speed->scale == 3.6 && speed->has_amber && speed->amber == 5 && speed->has_red && !speed->is_above);
    assert_true(cockpit_config_at(config, 1)->is_sampled);
    assert_false(speed->is_sampled);
    assert_int_equal(cockpit_config_find(config, STR("nothing")), -1);
    assert_str(cockpit_config_needs(config)->party, "h/cockpit");
    assert_true(str_is_empty(cockpit_config_needs(config)->road));
    cockpit_config_destroy(config);
}

static void a_mistake_is_told_with_line_and_mend(void **state)
{
    static const struct {
        const char *text, *line, *words;
    } rows[] = {
        {"party: h/c\npurpose: p\nindicators: 3\n", ":1:", "no list of indicators"},
        {"party: h/c\nindicators: []\n", ":1:", "purpose"},
        {"party: h/c\npurpose: p\nindicatorz: []\nindicators: []\n", ":3:", "indicators"},
        {"party: h/c\npurpose: p\nindicators:\n  - {name: a}\n", ":4:", "definition needs words in both languages"},
        {"party: h/c\npurpose: p\nindicators:\n" TEST_INDICATOR("a", "s", "none", "") TEST_INDICATOR("a", "s", "none", ""),
            ":14:", "declared twice"},
        {"party: h/c\npurpose: p\nindicators:\n" TEST_INDICATOR("A b", "s", "none", ""), ":4:", "is not a name"},
        {"party: h/c\npurpose: p\nindicators:\n" TEST_INDICATOR("a", "s", "median", ""), ":13:", "weighted"},
        {"party: h/c\npurpose: p\nindicators:\n" TEST_INDICATOR("a", "s", "sum", "    thresholds: {amber: 3, red: 2, direction: above}\n"),
            ":14:", "swap them"},
        {"party: h/c\npurpose: p\nindicators:\n" TEST_INDICATOR("a", "s", "sum", "    decimals: 99\n"), ":14:", "decimals"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cockpit_config *config = NULL;
        struct diag_list *diags = mem_alloc_zero(1, sizeof(*diags));
        char *path = test_file(rows[i].text);
        assert_true(cockpit_config_load(path, diags, &config) != ERR_OK);
        assert_null(config);
        bool is_told = false;
        for (size_t d = 0; d < diags->n; d++)
            is_told = is_told || (strstr(diags->diags[d].text, rows[i].words) && strstr(diags->diags[d].text, rows[i].line));
        if (!is_told)
            fail_msg("row %zu: \"%s\" at %s was not told; first was: %s", i, rows[i].words, rows[i].line,
                diags->n ? diags->diags[0].text : "nothing");
        test_remove(path);
        mem_free(diags);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_all_of_a_declaration),
        cmocka_unit_test(a_mistake_is_told_with_line_and_mend),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
