/* The index object: its file with every mistake at its line, levels at their very bounds, and the congestion index by hand and by law. */
#include "scene/count/index.h"

#include "base/mem.h"
#include "scene/count/city_testing.h"

#include <string.h>

#define HEAD "index: t\nversion: 3\ntitle: {zh: 指数, en: Index}\ntext: {zh: 文, en: Text}\n"
#define LEVELS                                                                                                                             \
    "levels:\n  - {level: free, title: {zh: 好, en: Free}}\n  - {level: slow, title: {zh: 缓, en: Slow}}\n  - {level: jam, title: {zh: " \
    "堵, en: Jam}}\n"
#define ROADS                                                                                                                              \
    "roads:\n  - {class: main, title: {zh: 主, en: Main}, types: [a, b], least_kmh: [36, 18]}\n  - {class: rest, title: {zh: 支, en: "   \
    "Rest}, types: [\"*\"], least_kmh: [18, 9]}\n"
#define CONGESTION "congestion: {measure: slow_length, slow_from: jam, scale: [[0, 0], [0.1, 4], [0.5, 10]]}\n"

static struct count_index *parsed(const char *text)
{
    struct diag_list diags = {.n = 0};
    struct count_index *index = NULL;
    if (count_index_parse(str_from_c(text), "i.yaml", &diags, &index) != ERR_OK)
        fail_msg("%s", diags.n > 0 ? diags.diags[0].text : "no reason");
    return index;
}

static void speeds_have_levels(void **state)
{
    static const struct {
        const char *type;
        double kmh;
        uint8_t level;
    } rows[] = {
        {"a", 120, 0},
        {"a", 36, 0},
        {"a", 35.9, 1},
        {"b", 18, 1},
        {"b", 17.9, 2},
        {"b", 0, 2},
        {"c", 18, 0},
        {"", 17.9, 1},
        {"c", 8.9, 2},
    };
    struct count_index *index = parsed(HEAD LEVELS ROADS CONGESTION);
    assert_string_equal(count_index_made_by(index), "t/3");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t class = count_index_class(index, str_from_c(rows[i].type));
        assert_int_equal(count_index_level(index, class, rows[i].kmh / 3.6 + 1e-9), rows[i].level);
    }
    assert_int_equal(count_index_level(index, 0, NAN), COUNT_LEVEL_NONE);
    count_index_destroy(index);
    /* Without an object: the formula that needs none, and no level. */
    assert_string_equal(count_index_made_by(NULL), "delay.ratio/1");
    assert_int_equal(count_index_class(NULL, STR("a")), 0);
    assert_int_equal(count_index_level(NULL, 0, 10), COUNT_LEVEL_NONE);
}

/* Main roads: 1 of 4 km jammed, 300 vehicle-km of which 200 there. Rest: 1 of 10 km jammed, 100 vehicle-km, 5 there. */
static void fill(const struct count_index *index, struct count_index_sums *sums)
{
    *sums = (struct count_index_sums){.slow_vehicle_m = 0};
    count_index_add(index, sums, 0, 2, 200e3, 1000);
    count_index_add(index, sums, 0, 1, 100e3, 3000);
    count_index_add(index, sums, 1, 2, 5e3, 1000);
    count_index_add(index, sums, 1, 0, 95e3, 9000);
}

static void congestion_by_hand(void **state)
{
    static const struct {
        const char *congestion;
        double index;
    } rows[] = {
        /* 3/4 of the vehicle-km on main roads with 1/4 slow, 1/4 on the rest with 1/10: 0.2125, between 0.1 → 4 and 0.5 → 10 */
        {CONGESTION, 4 + 6 * (0.2125 - 0.1) / 0.4},
        {"congestion: {measure: slow_length, slow_from: jam}\n", 0.2125},
        {"congestion: {measure: slow_length, slow_from: slow}\n", 0.75 + 0.25 * 0.1},
        {"congestion: {measure: slow_vkt, slow_from: jam}\n", 205.0 / 400},
        {"congestion: {measure: slow_vkt, slow_from: slow}\n", 305.0 / 400},
        {"congestion: {measure: slow_vkt, slow_from: jam, scale: [[0, 1], [0.5, 10]]}\n", 10},  /* past the last point */
        {"congestion: {measure: slow_vkt, slow_from: jam, scale: [[0.6, 1], [0.9, 10]]}\n", 1}, /* before the first */
        {"congestion: {measure: time_ratio}\n", 1.7},
        {"congestion: {measure: time_ratio, scale: [[1, 0], [2, 10]]}\n", 7},
        {"congestion: {measure: none}\n", NAN},
        {"", NAN},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[4096];
        snprintf(text, sizeof(text), HEAD LEVELS ROADS "%s", rows[i].congestion);
        struct count_index *index = parsed(text);
        struct count_index_sums sums, none = {.slow_vehicle_m = 0};
        fill(index, &sums);
        double got = count_index_congestion(index, &sums, 1.7);
        if (isnan(rows[i].index) ? !isnan(got) : !(fabs(got - rows[i].index) < 1e-9))
            fail_msg("row %zu: %.9g is not %.9g", i, got, rows[i].index);
        assert_true(isnan(count_index_congestion(index, &none, NAN)));
        count_index_destroy(index);
    }
    assert_true(isnan(count_index_congestion(NULL, &(struct count_index_sums){.slow_vehicle_m = 0}, 1.7)));
}

/* Whatever is driven: areas joined are one area added up, and one more jammed edge never makes a city freer. */
static void congestion_keeps_its_laws(void **state)
{
    uint64_t seed = 0x1d3e5;
    print_message("seed %#llx\n", (unsigned long long)seed);
    struct count_index *index =
        parsed(HEAD LEVELS ROADS "congestion: {measure: slow_vkt, slow_from: jam, scale: [[0, 0], [0.1, 4], [1, 10]]}\n");
    for (int round = 0; round < 2000; round++) {
        struct count_index_sums a = {.slow_vehicle_m = 0}, b = a, all = a;
        int n = 1 + (int)(random_next(&seed) % 12);
        for (int i = 0; i < n; i++) {
            uint8_t class = (uint8_t)(random_next(&seed) % 2), level = (uint8_t)(random_next(&seed) % 3);
            double vehicle_m = (double)(random_next(&seed) % 1000), length_m = 1 + (double)(random_next(&seed) % 500);
            count_index_add(index, i % 2 == 0 ? &a : &b, class, level, vehicle_m, length_m);
            count_index_add(index, &all, class, level, vehicle_m, length_m);
        }
        count_index_join(&a, &b);
        double joined = count_index_congestion(index, &a, 1), whole = count_index_congestion(index, &all, 1);
        assert_true(isnan(whole) ? isnan(joined) : fabs(joined - whole) < 1e-9 && whole >= 0 && whole <= 10);
        count_index_add(index, &all, 0, 2, 100, 100);
        assert_true(isnan(whole) || count_index_congestion(index, &all, 1) >= whole - 1e-9);
    }
    count_index_destroy(index);
}

struct refused {
    const char *text, *says;
};

static const struct refused refused[] = {
    {"version: 1\n", "i.yaml:1: "},
    {HEAD, "levels needs a list of 2 to 8; it has 0"},
    {HEAD LEVELS, "roads needs a list of 1 to 8; it has 0"},
    {"index: \"a b\"\nversion: 1\n", "i.yaml:1: \"a b\" is not a name"},
    {"index: a\nversion: 0\n", "version"},
    {"index: a\nversion: 1\ntitle: x\n", "title needs words in both languages"},
    {HEAD "extra: 1\n", "\"extra\" is not a key here"},
    {HEAD "levels:\n  - {level: a, title: {zh: 一, en: a}}\n  - {level: a, title: {zh: 一, en: a}}\n",
        "i.yaml:7: the level \"a\" is there twice"},
    {HEAD LEVELS "roads:\n  - {class: all, title: {zh: 主, en: Main}, types: [a], least_kmh: [36, 18]}\n",
        "i.yaml:10: the last road class, and no other"},
    {HEAD LEVELS
        "roads:\n  - {class: m, title: {zh: 主, en: M}, types: [a, a], least_kmh: [36, 18]}\n  - {class: r, title: {zh: 支, en: R}, "
        "types: [\"*\"], least_kmh: [18, 9]}\n",
        "i.yaml:10: \"a\" belongs to \"m\" already"},
    {HEAD LEVELS "roads:\n  - {class: all, title: {zh: 主, en: Main}, types: [\"*\"], least_kmh: [18, 36]}\n",
        "i.yaml:10: 36 km/h is not slower than the level before it"},
    {HEAD LEVELS "roads:\n  - {class: all, title: {zh: 主, en: Main}, types: [\"*\"], least_kmh: [18]}\n",
        "least_kmh needs a list of 2 to 2; it has 1"},
    {HEAD LEVELS "roads:\n  - {class: all, title: {zh: 主, en: Main}, types: [\"*\"], least_kmh: [18, quick]}\n", "\"quick\" is no number"},
    {HEAD LEVELS ROADS "congestion: {measure: feeling}\n", "slow_length, slow_vkt"},
    {HEAD LEVELS ROADS "congestion: {measure: slow_vkt}\n", "slow_from"},
    {HEAD LEVELS ROADS "congestion: {measure: slow_vkt, slow_from: free}\n", "i.yaml:12: \"free\" is none of the levels, or the best"},
    {HEAD LEVELS ROADS "congestion: {measure: slow_vkt, slow_from: jam, scale: [[0.2, 1], [0.1, 2]]}\n", "the scale does not rise here"},
    {HEAD LEVELS ROADS "congestion: {measure: slow_vkt, slow_from: jam, scale: [1, 2]}\n", "a point of the scale is [measure, index]"},
};

static void mistakes_are_told_with_their_place(void **state)
{
    int64_t before = mem_n_live();
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct diag_list diags = {.n = 0};
        struct count_index *index = NULL;
        assert_int_not_equal(count_index_parse(str_from_c(refused[i].text), "i.yaml", &diags, &index), ERR_OK);
        bool is_said = false;
        for (size_t k = 0; k < diags.n; k++)
            is_said |= strstr(diags.diags[k].text, refused[i].says) != NULL;
        if (!is_said || index != NULL)
            fail_msg("row %zu: \"%s\"", i, diags.n > 0 ? diags.diags[0].text : "");
    }
    struct diag_list diags = {.n = 0};
    struct count_index *index = NULL;
    assert_int_not_equal(count_index_load("/nowhere/i.yaml", &diags, &index), ERR_OK);
    assert_non_null(strstr(diags.diags[0].text, "/nowhere/i.yaml"));
    assert_int_equal(mem_n_live(), before);
}

static void memory_may_fail_anywhere(void **state)
{
    for (uint64_t nth = 1;; nth++) {
        int64_t before = mem_n_live();
        struct diag_list diags = {.n = 0};
        struct count_index *index = NULL;
        mem_fail_nth(nth);
        enum err err = count_index_parse(STR(HEAD LEVELS ROADS CONGESTION), "i.yaml", &diags, &index);
        mem_fail_nth(0);
        count_index_destroy(index);
        assert_int_equal(mem_n_live(), before);
        if (err == ERR_OK)
            break;
        assert_true(nth < 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(speeds_have_levels),
        cmocka_unit_test(congestion_by_hand),
        cmocka_unit_test(congestion_keeps_its_laws),
        cmocka_unit_test(mistakes_are_told_with_their_place),
        cmocka_unit_test(memory_may_fail_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
