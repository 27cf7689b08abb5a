/* The soft time-out: its laws, and a made-up stream of trips whose parameters it must find again. */
#include "scene/count/expect.h"

#include "scene/count/city_testing.h"

static const struct count_settings settings = COUNT_SETTINGS_DEFAULT;

/* Before anything was observed: the network's time, its ratio and slack; chances fall with age and lie in 0 to 1. */
static void begins_with_the_network(void **state)
{
    struct count_expect expect;
    struct count_camera_gaps gaps = {0};
    count_expect_init(&expect, &settings, 600);
    assert_near(count_expect_gap_s(&expect, &gaps, 100), settings.slack_s + 100 * settings.ratio_prior, 1e-9);
    for (int is_first = 0; is_first < 2; is_first++) {
        double before = 1;
        assert_near(count_expect_alive(&expect, is_first, 0, 100), 1, 1e-9);
        for (int age_s = 1; age_s < 20000; age_s += 1 + age_s / 10) {
            double alive = count_expect_alive(&expect, is_first, age_s, 100);
            assert_true(alive <= before + 1e-12 && alive >= 0);
            before = alive;
        }
        assert_true(before < 0.05);
    }
    /* The same age in units of what was expected is the same chance. */
    assert_near(count_expect_alive(&expect, false, 300, 100), count_expect_alive(&expect, false, 600, 200), 1e-12);
}

static double random_unit(uint64_t *seed)
{
    return ((double)random_next(seed) + 0.5) / 9007199254740992.0;
}

#define N_MADE 200000
#define MADE_GAP_S 120.0

/*
 * Trips whose sightings are followed with chance 1 - p by another after an exponential gap, from the start of a city that only fills: the
 * ages are cut off where the day has come to, yet p and the mean must be found, and the sum of chances be what is really coming.
 */
static void finds_what_was_made_up(void **state)
{
    uint64_t seed = 20261122;
    static double at_s[N_MADE], gap_s[N_MADE]; /* gap negative: none follows */
    double p = 0.2;
    for (int i = 0; i < N_MADE; i++) {
        at_s[i] = random_unit(&seed) * 3000;
        gap_s[i] = random_unit(&seed) < p ? -1 : -log(random_unit(&seed)) * MADE_GAP_S;
    }
    struct count_expect expect;
    struct count_camera_gaps gaps = {0};
    count_expect_init(&expect, &settings, 600);
    for (int64_t now_s = 10; now_s <= 3000; now_s += 10) {
        count_expect_fade(&expect, now_s);
        for (int i = 0; i < N_MADE; i++) {
            double age_s = (double)now_s - at_s[i];
            if (age_s <= 0)
                continue;
            bool is_seen = gap_s[i] >= 0 && gap_s[i] <= age_s;
            double waited_s = is_seen ? gap_s[i] : age_s, since_s = fmin(10, age_s);
            if (!is_seen)
                count_expect_expose(&expect, false, age_s, 100, since_s);
            else if (age_s - since_s < waited_s) {
                count_expect_expose(&expect, false, waited_s, 100, waited_s - (age_s - since_s));
                count_expect_observe(&expect, &gaps, now_s, false, true, gap_s[i], 100, 60);
            }
        }
        count_expect_solve(&expect);
    }
    const struct count_table *table = &expect.tables[COUNT_LATER];
    assert_near(table->ended, p, 0.01);
    assert_near(table->mean, MADE_GAP_S / 100, 0.06);
    /* Chances without the way after the last camera: 1 - p / S. */
    double coming = 0, sum = 0, after = settings.after_share * table->mean;
    for (int i = 0; i < N_MADE; i++) {
        double age_s = 3000 - at_s[i];
        if (gap_s[i] >= 0 && gap_s[i] <= age_s)
            continue;
        coming += gap_s[i] > age_s;
        double v = age_s / 100, fall = exp(-v / after);
        sum += (count_expect_alive(&expect, false, age_s, 100) - fall) / (1 - fall);
    }
    assert_near(sum / coming, 1, 0.05);
    /* The camera has learned its own gap. */
    assert_near(count_expect_gap_s(&expect, &gaps, 60), settings.slack_s + MADE_GAP_S, 4);
}

/* One in five first sightings is a misread plate, never seen again: they count less, and less is on its way before them. */
static void misread_plates_count_less(void **state)
{
    struct count_expect clean, ghosts;
    struct count_camera_gaps gaps = {0};
    for (int with = 0; with < 2; with++) {
        struct count_expect *expect = with ? &ghosts : &clean;
        count_expect_init(expect, &settings, 600);
        count_expect_fade(expect, 0);
        /* 2,000 vehicles: nine in ten come, after exponential gaps around one expectation; the others are waited for for fifteen. */
        for (int t = 0; t < COUNT_TABLES; t++)
            for (int i = 0; i < 2000; i++) {
                bool comes = i % 10 != 0 && !(with && t == COUNT_FIRST && i % 5 == 1);
                double gap_s = comes ? -log(((i * 7919) % 2000 + 0.5) / 2000) * 100 : 1500;
                for (int age_s = 0; age_s < gap_s; age_s += 10)
                    count_expect_expose(expect, t == COUNT_FIRST, fmin(age_s + 10, gap_s), 100, fmin(10, gap_s - age_s));
                if (comes)
                    count_expect_observe(expect, &gaps, 0, t == COUNT_FIRST, true, gap_s, 100, 60);
            }
        count_expect_solve(expect);
    }
    assert_near(ghosts.tables[COUNT_LATER].ended, 0.1, 0.015);
    assert_near(ghosts.tables[COUNT_FIRST].ended, 0.3, 0.02);
    assert_near(clean.tables[COUNT_FIRST].real, 1, 0.05);
    assert_true(ghosts.tables[COUNT_FIRST].real < 0.5);
    assert_true(count_expect_alive(&ghosts, true, 20, 100) < count_expect_alive(&clean, true, 20, 100) - 0.1);
    assert_true(count_expect_lead_s(&ghosts, 100) < 0.85 * count_expect_lead_s(&clean, 100));
}

/* What was learned fades: after many time constants the prior is back. */
static void what_was_learned_fades(void **state)
{
    struct count_expect expect, fresh;
    struct count_camera_gaps gaps = {0};
    count_expect_init(&fresh, &settings, 600);
    count_expect_init(&expect, &settings, 600);
    count_expect_fade(&expect, 0);
    for (int i = 0; i < 1000; i++)
        count_expect_observe(&expect, &gaps, 0, false, true, 500, 100, 60);
    count_expect_solve(&expect);
    assert_true(fabs(count_expect_alive(&expect, false, 100, 100) - count_expect_alive(&fresh, false, 100, 100)) > 0.01);
    count_expect_fade(&expect, (int64_t)(30 * settings.fade_s));
    count_expect_solve(&expect);
    assert_near(count_expect_alive(&expect, false, 100, 100), count_expect_alive(&fresh, false, 100, 100), 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(begins_with_the_network),
        cmocka_unit_test(finds_what_was_made_up),
        cmocka_unit_test(misread_plates_count_less),
        cmocka_unit_test(what_was_learned_fades),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
