/*
 * How honest a census is: forests and streets whose trees are known, surveyed by chance, counted. For each kind how many of the 90 %
 * intervals hold the truth, and how far off the counts are; a table of it for docs/census.md beside the lines of bench/run.
 *
 *     bench/run census                    ten forests a kind
 *     CENSUS_FORESTS=100 bench/run census the table; CENSUS_KIND=NAME only one, CENSUS_SEED=N another first seed, CENSUS_EACH=1 tells each
 */
#include "scene/census/forest_testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define FIRST_SEED 1001 /* constants were chosen on forests below */

static struct surveyed surveyed;

struct score {
    uint32_t n, n_held, n_below, n_parts, n_parts_held;
    double bias, square, wide;
};

static int is_held(const struct census_row *row, double truth)
{
    return truth >= row->low - 0.5 && truth <= row->high + 0.5; /* figures are whole trees */
}

static void add(const struct forest *forest, uint64_t seed, struct score *score)
{
    struct census_settings settings = {.n_surveys = forest->n_surveys, .n_classes = forest->n_classes, .n_areas = 2, .seed = seed};
    struct census_result result;
    forest_survey(forest, seed, &surveyed);
    if (census_run(&settings, surveyed.sightings, surveyed.n, &result, NULL) != ERR_OK) {
        fprintf(stderr, "%s, seed %llu: cannot count\n", forest->name, (unsigned long long)seed);
        exit(1);
    }
    const struct census_row *all = census_row(&result, &settings, 2, forest->n_classes);
    double wrong = all->count / surveyed.all - 1;
    score->n++;
    score->n_held += (uint32_t)is_held(all, surveyed.all);
    score->n_below += all->high + 0.5 < surveyed.all;
    score->bias += wrong;
    score->square += wrong * wrong;
    score->wide += (all->high - all->low) / surveyed.all;
    for (uint32_t area = 0; area < 2; area++)
        for (uint32_t class = 0; class < forest->n_classes; class ++) {
            score->n_parts++;
            score->n_parts_held += (uint32_t)is_held(census_row(&result, &settings, area, class), surveyed.truth[area][class]);
        }
    if (getenv("CENSUS_EACH") != NULL) {
        fprintf(stderr,
            "seed %llu: %.0f trees, %u sightings, counted %.1f (%.1f to %.1f), %.1f seen, errors x %.2f, unequal %.2f, chains %.2f:",
            (unsigned long long)seed, surveyed.all, surveyed.n, all->count, all->low, all->high, all->n_objects, result.error_scale,
            result.heterogeneity, result.disagreement);
        for (uint32_t k = 0; k < forest->n_surveys; k++)
            fprintf(stderr, " %.2f/%.3f", result.surveys[k].detection, result.surveys[k].duplicates);
        fputc('\n', stderr);
    }
    census_result_finish(&result);
}

static void tell(const struct forest *forest, const struct score *score)
{
    char name[32];
    snprintf(name, sizeof(name), "%s", forest->name);
    for (char *at = name; *at != 0; at++)
        *at = *at == '-' ? '_' : *at;
    double n = score->n, held = 100 * score->n_held / n, bias = 100 * score->bias / n, wide = 100 * score->wide / n;
    printf("census_%s_held_pct %.1f %%\n", name, held);
    printf("census_%s_bias_pct %.2f %%\n", name, bias);
    printf("census_%s_width_pct %.2f %%\n", name, wide);
    fflush(stdout);
    fprintf(stderr, "| %s | %u | %.1f %% | %+.1f %% | %.1f %% | %.0f %% | %u, %u | %.0f %% |\n", forest->name, score->n, wide, bias,
        100 * sqrt(score->square / n), held, score->n_below, score->n - score->n_held - score->n_below,
        100.0 * score->n_parts_held / score->n_parts);
}

int main(void)
{
    const char *asked = getenv("CENSUS_FORESTS"), *only = getenv("CENSUS_KIND"), *first = getenv("CENSUS_SEED");
    long n = asked != NULL ? strtol(asked, NULL, 10) : 10, from = first != NULL ? strtol(first, NULL, 10) : FIRST_SEED;
    if (n < 1 || from < 0) {
        fprintf(stderr, "CENSUS_FORESTS is not a number of forests, or CENSUS_SEED not a seed\n");
        return 2;
    }
    fprintf(stderr, "| forest | forests | interval | bias | root mean square | holds the truth | too low, too high | parts |\n");
    for (size_t i = 0; i < N_FORESTS; i++) {
        struct score score = {.n = 0};
        if (only != NULL && strcmp(only, forests[i].name) != 0)
            continue;
        for (long seed = from; seed < from + n; seed++)
            add(&forests[i], (uint64_t)seed, &score);
        tell(&forests[i], &score);
    }
    return 0;
}
