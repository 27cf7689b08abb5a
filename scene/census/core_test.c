/* The census against forests whose trees are known, and what it refuses. How good it is bench/run census measures (docs/census.md). */
#include "scene/census/core.h"

#include "base/mem.h"
#include "base/test.h"
#include "scene/census/forest_testing.h"

#include <stdlib.h>

#define N_EACH (TEST_STEP > 1 ? 1 : 3) /* forests of a kind */

static struct surveyed surveyed;

static void assert_near(double a, double b, double within)
{
    if (!(fabs(a - b) <= within))
        fail_msg("%g is not within %g of %g", a, within, b);
}

static struct census_settings settings_of(const struct forest *forest, uint64_t seed)
{
    return (struct census_settings){
        .n_surveys = forest->n_surveys, .n_classes = forest->n_classes, .n_areas = 2, .n_draws = 100, .n_replicates = 4, .seed = seed};
}

static bool is_within(const struct census_row *row, double truth)
{
    return truth >= row->low - 0.5 && truth <= row->high + 0.5; /* figures are whole trees */
}

/* The law that a census must keep: its 90 % intervals hold the truth. A few small forests of the kinds that it keeps it for, and as it
 * stands in docs/census.md; pooled, so that one may miss. Seeds are fixed, so that it never fails by chance; CENSUS_SEED moves them.
 * bench/run census measures. */
static void intervals_hold_the_truth(void **state)
{
    static const char *const kinds[] = {"five-good", "clumps", "misread", "two"};
    const char *asked = getenv("CENSUS_SEED");
    int64_t first = 1;
    uint32_t n = 0, n_held = 0, n_parts = 0, n_parts_held = 0;
    if (asked != NULL)
        assert_ok(str_to_i64(str_from_c(asked), &first));
    for (size_t i = 0; i < N_FORESTS; i++)
        for (size_t j = 0; j<sizeof(kinds) / sizeof(kinds[0]); j += TEST_STEP> 1 ? 2 : 1) {
            if (strcmp(kinds[j], forests[i].name) != 0)
                continue;
            struct forest forest = forests[i];
            forest.n_trees = 120;
            forest.side_m *= 0.6;
            for (int64_t seed = first; seed < first + N_EACH; seed++) {
                struct census_settings settings = settings_of(&forest, (uint64_t)seed);
                struct census_result result;
                forest_survey(&forest, (uint64_t)seed, &surveyed);
                assert_ok(census_run(&settings, surveyed.sightings, surveyed.n, &result, NULL));
                const struct census_row *all = census_row(&result, &settings, 2, forest.n_classes);
                assert_true(all->low <= all->count && all->count <= all->high);
                assert_near(all->count, surveyed.all, 0.3 * surveyed.all);
                n++;
                n_held += is_within(all, surveyed.all);
                if (!is_within(all, surveyed.all))
                    print_message("%s, seed %lld: %.0f trees, counted %.1f (%.1f to %.1f)\n", forest.name, (long long)seed, surveyed.all,
                        all->count, all->low, all->high);
                for (uint32_t area = 0; area < 2; area++)
                    for (uint32_t class = 0; class < forest.n_classes; class ++) {
                        n_parts++;
                        n_parts_held += is_within(census_row(&result, &settings, area, class), surveyed.truth[area][class]);
                    }
                census_result_finish(&result);
            }
        }
    print_message("%u of %u intervals hold the truth, %u of %u of parts\n", n_held, n, n_parts_held, n_parts);
    assert_true(n > 0 && n_held >= 0.8 * n && n_parts_held >= 0.8 * n_parts);
}

/* Whatever the surveys are like: a count is no less than what one survey saw of it, and parts add up. */
static void counts_are_no_less_than_what_was_seen(void **state)
{
    for (size_t i = 0; i<N_FORESTS; i += TEST_STEP> 1 ? 8 : 3) {
        struct forest forest = forests[i];
        forest.n_trees = 100;
        forest.side_m *= 0.55;
        struct census_settings settings = settings_of(&forest, i + 1);
        struct census_result result;
        settings.n_draws = 40;
        settings.n_replicates = 1;
        forest_survey(&forest, i + 1, &surveyed);
        assert_ok(census_run(&settings, surveyed.sightings, surveyed.n, &result, NULL));
        const struct census_row *all = census_row(&result, &settings, 2, forest.n_classes);
        double objects = 0;
        uint64_t n = 0, n_sightings = 0;
        for (uint32_t class = 0; class < forest.n_classes; class ++)
            for (uint32_t area = 0; area < 2; area++) {
                const struct census_row *row = census_row(&result, &settings, area, class);
                objects += row->n_objects;
                n += row->n_sightings;
                assert_true(row->low >= 0 && row->low <= row->count && row->count <= row->high && isfinite(row->high));
            }
        assert_near(objects, all->n_objects, 1e-6 * objects);
        assert_int_equal(n, surveyed.n);
        for (uint32_t k = 0; k < forest.n_surveys; k++) {
            n_sightings += result.surveys[k].n_sightings;
            assert_true(result.surveys[k].detection > 0 && result.surveys[k].detection < 1);
            assert_true(result.surveys[k].duplicates >= 0 && result.surveys[k].duplicates < 0.6);
        }
        assert_int_equal(n_sightings, surveyed.n);
        n = 0;
        for (uint32_t object = 0; object < result.n_objects; object++)
            n += result.objects[object].n_sightings;
        assert_int_equal(n, surveyed.n); /* each sighting is of one object */
        census_result_finish(&result);
    }
}

/* One in ten classes misread: trees read as two classes by two surveys are one, as they are when nobody misreads. */
static void misread_classes_do_not_make_trees(void **state)
{
    struct forest forest = {"", FOREST_RANDOM, 150, 3, 3, 0.9, 0, 0.5, 0.5, 300, 0, 0.1, 1};
    struct census_settings settings = settings_of(&forest, 1);
    struct census_result result;
    forest_survey(&forest, 4, &surveyed);
    assert_ok(census_run(&settings, surveyed.sightings, surveyed.n, &result, NULL));
    const struct census_row *all = census_row(&result, &settings, 2, 3);
    assert_near(all->count, 150, 6);
    assert_near(result.misread, 0.1, 0.04);
    for (uint32_t class = 0; class < 3; class ++)
        assert_near(census_row(&result, &settings, 2, class)->count, surveyed.truth[0][class] + surveyed.truth[1][class], 12);
    census_result_finish(&result);
}

/* With places as good as exact nothing is left but Lincoln and Petersen's question: n1 n2 / m. */
static void exact_places_are_lincoln_and_petersen(void **state)
{
    static const struct forest forest = {"", FOREST_ROWS, 400, 2, 1, 0.8, 0, 0.06, 0.06, 0, 0, 0, 1};
    struct census_settings settings = settings_of(&forest, 1);
    struct census_result result;
    forest_survey(&forest, 5, &surveyed);
    assert_ok(census_run(&settings, surveyed.sightings, surveyed.n, &result, NULL));
    const struct census_row *all = census_row(&result, &settings, 2, 1);
    double n1 = (double)result.surveys[0].n_sightings, n2 = (double)result.surveys[1].n_sightings, both = n1 + n2 - all->n_objects;
    for (uint32_t i = 0; i < result.n_objects; i++)
        assert_true(result.objects[i].n_sightings <= 2);
    assert_near(all->count, (n1 + 1) * (n2 + 1) / (both + 1) - 1, 4);
    assert_near(result.surveys[0].detection, both / n2, 0.02);
    assert_true(isnan(result.heterogeneity));
    assert_true(all->low < all->count && all->count < all->high);
    census_result_finish(&result);
}

static void the_same_seed_gives_the_same(void **state)
{
    struct census_settings settings = settings_of(&forests[3], 3);
    struct census_result one, other;
    forest_survey(&forests[3], 3, &surveyed);
    settings.n_draws = 20;
    assert_ok(census_run(&settings, surveyed.sightings, surveyed.n, &one, NULL));
    assert_ok(census_run(&settings, surveyed.sightings, surveyed.n, &other, NULL));
    assert_int_equal(one.n_objects, other.n_objects);
    assert_memory_equal(one.rows, other.rows, 3 * 4 * sizeof(*one.rows));
    assert_memory_equal(one.object_of, other.object_of, surveyed.n * sizeof(*one.object_of));
    census_result_finish(&one);
    census_result_finish(&other);
}

static void a_survey_apart_is_refused(void **state)
{
    struct census_sighting sightings[] = {{0, 0, 1, 3, 0, 0, 0}, {0, 1, 1, 3, 0, 1, 0}, {900, 0, 1, 4, 0, 2, 0}};
    struct census_settings settings = {.n_surveys = 3, .n_classes = 1, .n_areas = 1, .n_draws = 20};
    struct census_result result;
    uint32_t survey = 0;
    assert_err(census_run(&settings, sightings, 3, &result, &survey), ERR_STATE);
    assert_int_equal(survey, 2);
    assert_ok(census_run(&settings, sightings, 2, &result, &survey));
    census_result_finish(&result);
}

static void bad_input_is_refused(void **state)
{
    struct census_sighting sightings[] = {{0, 0, 1, 3, 0, 0, 0}, {0, 1, 1, 3, 0, 1, 0}};
    struct census_settings settings = {.n_surveys = 2, .n_classes = 1, .n_areas = 1, .n_draws = 20};
    struct census_result result;
    assert_err(census_run(&settings, sightings, 0, &result, NULL), ERR_RANGE);
    assert_err(census_run(&settings, sightings, CENSUS_SIGHTINGS_MAX + 1, &result, NULL), ERR_TOO_LARGE);
    const struct census_sighting bad[] = {{NAN, 1, 1, 3, 0, 1, 0}, {0, 1e9, 1, 3, 0, 1, 0}, {0, 1, 0, 3, 0, 1, 0}, {0, 1, NAN, 3, 0, 1, 0},
        {0, 1, 1, 4, 0, 1, 0}, {0, 1, 1, 3, 1, 1, 0}, {0, 1, 1, 3, 0, 2, 0}, {0, 1, 1, 3, 0, 1, 1}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        sightings[1] = bad[i];
        assert_err(census_run(&settings, sightings, 2, &result, NULL), ERR_RANGE);
    }
}

/* A million sightings at one place would take a day to match. */
static void a_heap_at_one_place_is_refused(void **state)
{
    enum { N = 17000 };
    struct census_sighting *sightings = mem_alloc_zero(N, sizeof(*sightings));
    assert_non_null(sightings);
    for (uint32_t i = 0; i < N; i++)
        sightings[i] = (struct census_sighting){.error_m = 1, .covers = 3, .survey = i & 1};
    struct census_settings settings = {.n_surveys = 2, .n_classes = 1, .n_areas = 1, .n_draws = 20};
    struct census_result result;
    assert_err(census_run(&settings, sightings, N, &result, NULL), ERR_FULL);
    mem_free(sightings);
}

static void each_allocation_may_fail(void **state)
{
    struct census_sighting sightings[] = {{0, 0, 1, 3, 0, 0, 0}, {0, 1, 1, 3, 0, 1, 0}, {30, 1, 1, 3, 0, 1, 0}};
    struct census_settings settings = {.n_surveys = 2, .n_classes = 1, .n_areas = 1, .n_draws = 20};
    struct census_result result;
    int64_t n_live = mem_n_live();
    for (uint64_t nth = 1;; nth++) {
        mem_fail_nth(nth);
        enum err err = census_run(&settings, sightings, 3, &result, NULL);
        mem_fail_nth(0);
        if (err == ERR_OK)
            break;
        assert_err(err, ERR_NO_MEMORY);
        assert_int_equal(mem_n_live(), n_live);
        assert_true(nth < 1000);
    }
    census_result_finish(&result);
    assert_int_equal(mem_n_live(), n_live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_places_are_lincoln_and_petersen),
        cmocka_unit_test(the_same_seed_gives_the_same),
        cmocka_unit_test(a_survey_apart_is_refused),
        cmocka_unit_test(bad_input_is_refused),
        cmocka_unit_test(a_heap_at_one_place_is_refused),
        cmocka_unit_test(each_allocation_may_fail),
        cmocka_unit_test(counts_are_no_less_than_what_was_seen),
        cmocka_unit_test(misread_classes_do_not_make_trees),
        cmocka_unit_test(intervals_hold_the_truth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
