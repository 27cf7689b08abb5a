/* The life table on made vehicles: known shares and times, under a printed seed. */
#include "scene/count/lifetable.h"

#include "base/test.h"

#include <math.h>
#include <time.h>

#define KEEP_S 2400
#define FADE_S 900
#define HOUR_MS 3600000
#define N_MAX 20000

static uint64_t random_next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed >> 11;
}

static double random_share(uint64_t *seed)
{
    return ((double)(random_next(seed) % 1000000) + 0.5) / 1e6;
}

static struct vehicle {
    int64_t seen_ms, next_ms; /* next: INT64_MAX, it has ended */
} vehicles[N_MAX];

/* `per_s` sightings a second for an hour, of which `again` are followed after 20 s and exponential `mean_s` more. Returns how many are
 * still to come at its end. */
static double drive(struct count_lifetable *table, uint64_t *seed, double per_s, double again, double mean_s, int64_t *ret_now_ms)
{
    int n = 0;
    double n_coming = 0;
    int64_t from_ms = 10 * (int64_t)HOUR_MS, now_ms;
    count_lifetable_init(table, KEEP_S);
    for (now_ms = from_ms; now_ms < from_ms + HOUR_MS; now_ms += 500) {
        count_lifetable_advance(table, now_ms, FADE_S);
        for (int i = 0; i < n; i++)
            if (vehicles[i].next_ms <= now_ms) {
                count_lifetable_close(table, vehicles[i].seen_ms, i % COUNT_SIGHTINGS, (double)(now_ms - vehicles[i].seen_ms) / 1000);
                vehicles[i].next_ms = INT64_MAX;
            }
        while (n < N_MAX && n < per_s * (double)(now_ms - from_ms) / 1000) {
            double gap_s = 20 - mean_s * log(random_share(seed));
            bool comes = random_share(seed) < again;
            vehicles[n] = (struct vehicle){now_ms, comes ? now_ms + (int64_t)(gap_s * 1000) : INT64_MAX};
            count_lifetable_open(table, now_ms, n % COUNT_SIGHTINGS);
            n++;
        }
    }
    for (int i = 0; i < n; i++)
        n_coming += vehicles[i].next_ms != INT64_MAX;
    *ret_now_ms = now_ms;
    return n_coming;
}

static void who_is_still_to_come_is_known_by_age(void **state)
{
    static const struct {
        double again, mean_s;
    } rows[] = {{0.9, 30}, {0.5, 30}, {0.7, 120}};
    uint64_t seed = (uint64_t)time(NULL) * 2654435761u + 1, first_seed = seed;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        static struct count_lifetable table;
        double shares[COUNT_SIGHTINGS];
        for (int k = 0; k < COUNT_SIGHTINGS; k++)
            shares[k] = rows[i].again;
        int64_t now_ms;
        double coming = drive(&table, &seed, 5, rows[i].again, rows[i].mean_s, &now_ms);
        struct count_alive alive = count_lifetable_alive(&table, now_ms, shares);
        /* Six standard deviations, and a twentieth for the steps of ten seconds. */
        if (fabs(alive.coming - coming) > 6 * sqrt(alive.variance) + 0.05 * coming)
            fail_msg("seed %llu row %zu: %g of %g", (unsigned long long)first_seed, i, alive.coming, coming);
        if (fabs(table.way_s / (20 + rows[i].mean_s) - 1) > 0.15)
            fail_msg("seed %llu row %zu: a way of %g s", (unsigned long long)first_seed, i, table.way_s);
        if (alive.variance <= 0 || alive.variance >= coming || fabs(count_lifetable_first_ratio(&table) - 1) > 0.15)
            fail_msg("seed %llu row %zu: variance %g", (unsigned long long)first_seed, i, alive.variance);
    }
    print_message("seed %llu\n", (unsigned long long)first_seed);
}

/* Nothing known, a sighting older than the table, one closed twice, a silence of more than an hour. */
static void its_edges_hold(void **state)
{
    static struct count_lifetable table;
    const double shares[COUNT_SIGHTINGS] = {0.9, 0.9, 0.9, 0.9, 0.9, 0.9};
    const int64_t now_ms = 10 * (int64_t)HOUR_MS;
    count_lifetable_init(&table, KEEP_S);
    count_lifetable_open(&table, now_ms, 0); /* no time yet */
    assert_true(count_lifetable_alive(&table, now_ms, shares).coming == 0);
    assert_true(count_lifetable_first_ratio(&table) == 1);
    count_lifetable_advance(&table, now_ms, FADE_S);
    count_lifetable_open(&table, now_ms - KEEP_S * 1000 - 20000, 0);
    count_lifetable_open(&table, now_ms, 0);
    count_lifetable_close(&table, now_ms, 0, 20);
    count_lifetable_close(&table, now_ms, 0, 20);
    count_lifetable_close(&table, now_ms - KEEP_S * 1000 - 20000, 0, 1e9);
    for (int age = 0; age < COUNT_AGES; age++)
        assert_int_equal(table.open[age][0], 0);
    count_lifetable_open(&table, now_ms, 0);
    count_lifetable_advance(&table, now_ms - 60000, FADE_S); /* never backward */
    assert_int_equal(table.number, now_ms / COUNT_AGE_MS + 1);
    count_lifetable_advance(&table, now_ms + 2 * HOUR_MS, FADE_S);
    for (int age = 0; age < COUNT_AGES; age++)
        assert_int_equal(table.open[age][0], 0);
    /* A table for less than an hour, and for more. */
    count_lifetable_init(&table, 300);
    assert_int_equal(table.n_ages, 30);
    count_lifetable_init(&table, 8 * 3600);
    assert_int_equal(table.n_ages, COUNT_AGES);
    count_lifetable_advance(&table, 0, FADE_S);
    for (int64_t at_ms = 0; at_ms < 2 * HOUR_MS; at_ms += COUNT_AGE_MS) {
        count_lifetable_advance(&table, at_ms, FADE_S);
        count_lifetable_open(&table, at_ms, 5);
        assert_true(count_lifetable_alive(&table, at_ms, shares).coming >= 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_still_to_come_is_known_by_age),
        cmocka_unit_test(its_edges_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
