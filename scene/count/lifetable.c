/* The life table of the city; see lifetable.h. */
#include "scene/count/lifetable.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#define HAZARD_MOST 3.0 /* of one age: all but a twentieth are sighted again in it */

static int64_t number_of(int64_t ms)
{
    return ms / COUNT_AGE_MS + 1;
}

void count_lifetable_init(struct count_lifetable *table, int64_t keep_s)
{
    memset(table, 0, sizeof(*table));
    int64_t n_ages = keep_s * 1000 / COUNT_AGE_MS;
    table->n_ages = (int32_t)(n_ages < COUNT_AGES ? n_ages : COUNT_AGES);
}

static bool is_kept(const struct count_lifetable *table, int64_t number)
{
    return number <= table->number && number > table->number - table->n_ages;
}

void count_lifetable_open(struct count_lifetable *table, int64_t seen_ms, int k)
{
    int64_t number = number_of(seen_ms);
    if (is_kept(table, number))
        table->open[number % COUNT_AGES][k]++;
}

void count_lifetable_close(struct count_lifetable *table, int64_t seen_ms, int k, double gap_s)
{
    int64_t number = number_of(seen_ms);
    if (is_kept(table, number) && table->open[number % COUNT_AGES][k] > 0)
        table->open[number % COUNT_AGES][k]--;
    double age = gap_s * 1000 / COUNT_AGE_MS;
    if (age < table->n_ages)
        table->again[(int32_t)age]++;
    table->gaps_s += gap_s;
    table->n_gaps++;
    if (k == 0) {
        table->first_gaps_s += gap_s;
        table->n_first_gaps++;
    }
}

/* The running number ends. Whoever was seen within it is up to one age old, half of one in the mean. */
static void step(struct count_lifetable *table, double keep)
{
    for (int32_t age = 0; age < table->n_ages; age++) {
        double waited = 0;
        for (int k = 0; k < COUNT_SIGHTINGS && age < table->number; k++)
            waited += table->open[(table->number - age) % COUNT_AGES][k];
        table->again[age] *= keep;
        table->waited[age] = table->waited[age] * keep + waited;
    }
    table->gaps_s *= keep;
    table->n_gaps *= keep;
    table->first_gaps_s *= keep;
    table->n_first_gaps *= keep;
    table->number++;
    memset(table->open[table->number % COUNT_AGES], 0, sizeof(table->open[0]));
}

/* Of those that are sighted again the share that is not yet, where this much of the hazard is `ahead`. */
static double share_at(const struct count_lifetable *table, double ahead)
{
    double never = exp(-table->ahead[0]);
    return never < 1 ? fmax((exp(ahead - table->ahead[0]) - never) / (1 - never), 0) : 0;
}

static void learn(struct count_lifetable *table)
{
    table->ahead[COUNT_AGES] = 0;
    for (int32_t age = COUNT_AGES; age-- > 0;) {
        double hazard = age < table->n_ages && table->waited[age] > 0 ? fmin(table->again[age] / table->waited[age], HAZARD_MOST) : 0;
        table->ahead[age] = table->ahead[age + 1] + hazard;
    }
    table->way_s = 0;
    for (int32_t age = 0; age < table->n_ages; age++)
        table->way_s += share_at(table, (table->ahead[age] + table->ahead[age + 1]) / 2) * COUNT_AGE_MS / 1000;
}

void count_lifetable_advance(struct count_lifetable *table, int64_t now_ms, double fade_s)
{
    int64_t number = number_of(now_ms);
    if (number <= table->number)
        return;
    if (table->number == 0 || number - table->number > COUNT_AGES) {
        memset(table->open, 0, sizeof(table->open)); /* whoever was seen then has ended its trip */
        table->number = number;
        return;
    }
    double keep = exp(-(double)COUNT_AGE_MS / 1000 / fade_s);
    while (table->number < number)
        step(table, keep);
    learn(table);
}

struct count_alive count_lifetable_alive(const struct count_lifetable *table, int64_t now_ms, const double *again)
{
    struct count_alive alive = {0, 0};
    /* Those of the running number were seen within a part of an age, those before one age longer ago each. */
    double part = (double)(now_ms % COUNT_AGE_MS) / COUNT_AGE_MS;
    for (int32_t age = 0; age < table->n_ages && age < table->number; age++) {
        double at = age == 0 ? part / 2 : age - 0.5 + part;
        int32_t from = (int32_t)at;
        double share = share_at(table, table->ahead[from] + (at - from) * (table->ahead[from + 1] - table->ahead[from]));
        const uint32_t *open = table->open[(table->number - age) % COUNT_AGES];
        for (int k = 0; k < COUNT_SIGHTINGS; k++) {
            if (open[k] == 0)
                continue;
            double chance = again[k] * share / (again[k] * share + 1 - again[k]);
            alive.coming += open[k] * chance;
            alive.variance += open[k] * chance * (1 - chance);
        }
    }
    return alive;
}

double count_lifetable_first_ratio(const struct count_lifetable *table)
{
    if (table->n_gaps <= 0 || table->gaps_s <= 0)
        return 1;
    double mean_s = table->gaps_s / table->n_gaps;
    return (table->first_gaps_s + mean_s) / (table->n_first_gaps + 1) / mean_s;
}
