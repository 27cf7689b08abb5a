/* The census: draws, a bootstrap that tells how wrong such draws are here, and what both say of each area and class; see core.h. */
#include "scene/census/core.h"

#include "base/mem.h"
#include "scene/census/again.h"
#include "scene/census/draws.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CHAINS 2u /* one from all alone, one from all joined that is likely one: where they agree, neither start matters */
#define DRAWS_MOST 300u
#define DRAWS_LEAST 120u
#define DRAWS_WORK 3e7 /* sightings over all draws */
#define WARM_UP 100u   /* sweeps of a chain that are thrown away */
#define REPLICATES_MOST 12u
#define REPLICATES_LEAST 4u
#define REPLICATES_WORK 1e6
#define REPLICATE_WARM_UP 50u
#define REPLICATE_DRAWS 50u
#define BELIEVED 6.0 /* replicates that the draws' own spread is worth beside the bootstrap's */
#define SAFE 1.2     /* what densities, priors and short chains leave out; chosen on forests that are not those of docs/census.md */
#define WIDER_MIN 1.0
#define WIDER_MAX 3.0
#define LOW 0.05
#define HIGH 0.95

struct run {
    const struct census_settings *settings;
    struct census_result *result;
    struct draws draws, replicate;
    struct again again;
    uint32_t n_replicates, n_replicated;
    double *sums, *squares; /* [rows] of log(count / truth) over replicates */
};

/* ---- what a draw is used for ---- */

static void number_objects(const struct match *match, struct census_result *result, uint32_t *numbers)
{
    uint32_t n_objects = 0;
    for (uint32_t i = 0; i < match->n; i++) {
        const struct match_cluster *cluster = &match->clusters[i];
        if (cluster->n == 0)
            continue;
        uint16_t seen = match_seen(cluster);
        result->objects[n_objects] = (struct census_object){.x_m = match->origin_x + cluster->x / cluster->weight,
            .y_m = match->origin_y + cluster->y / cluster->weight,
            .error_m = (float)(match->error_scale / sqrt(cluster->weight)),
            .n_sightings = cluster->n,
            .covers = cluster->covers | seen,
            .seen = seen,
            .area = cluster->area,
            .class = cluster->kinds[match_kind(cluster)].class};
        numbers[i] = n_objects++;
    }
    result->n_objects = n_objects;
    for (uint32_t i = 0; i < match->n; i++)
        result->object_of[i] = numbers[match->cluster_of[i]];
}

static int compare_floats(const void *a, const void *b)
{
    float left = *(const float *)a, right = *(const float *)b;
    return left < right ? -1 : left > right;
}

/* Between two draws. */
static double quantile(const float *draws, uint32_t n, double share)
{
    double at = share * (n - 1);
    uint32_t below = (uint32_t)at, above = below + 1 < n ? below + 1 : below;
    return draws[below] + (at - below) * (draws[above] - draws[below]);
}

/* Gelman and Rubin's: the spread of all draws over that within a chain, 1 where chains agree. */
static double disagreement(const struct draws *draws, const float *counts)
{
    uint32_t n_each = draws->n_each;
    double mean[CHAINS] = {0}, within = 0, between = 0, all = 0;
    for (uint32_t c = 0; c < CHAINS; c++) {
        for (uint32_t i = 0; i < n_each; i++)
            mean[c] += (double)counts[c * n_each + i] / n_each;
        for (uint32_t i = 0; i < n_each; i++)
            within += (counts[c * n_each + i] - mean[c]) * (counts[c * n_each + i] - mean[c]) / (n_each - 1.0) / CHAINS;
        all += mean[c] / CHAINS;
    }
    for (uint32_t c = 0; c < CHAINS; c++)
        between += (mean[c] - all) * (mean[c] - all) / (CHAINS - 1.0);
    return within > 0 ? sqrt((n_each - 1.0) / n_each + between / within) : 1;
}

/* The median of a row. Puts its draws in order. */
static double middle(struct draws *draws, size_t row)
{
    uint32_t n = draws->n_chains * draws->n_each;
    qsort(draws->counts + row * n, n, sizeof(*draws->counts), compare_floats);
    return quantile(draws->counts + row * n, n, 0.5);
}

static enum err replicate(struct run *run, struct match *match)
{
    enum err err = again_survey(&run->again, run->settings, match);
    if (err != ERR_OK || run->again.n == 0)
        return err;
    run->replicate = (struct draws){.settings = run->settings,
        .sightings = run->again.sightings,
        .n = (uint32_t)run->again.n,
        .n_chains = 1,
        .n_each = REPLICATE_DRAWS,
        .n_warm_up = REPLICATE_WARM_UP,
        .seed = census_random_bits(&match->random)};
    err = draws_run(&run->replicate);
    for (size_t i = 0; err == ERR_OK && i < census_n_rows(run->settings); i++) {
        double wrong = log((middle(&run->replicate, i) + 0.5) / (run->again.truth[i] + 0.5));
        run->sums[i] += wrong;
        run->squares[i] += wrong * wrong;
    }
    draws_finish(&run->replicate);
    run->n_replicated += err == ERR_OK;
    return err;
}

static enum err on_draw(void *context, struct match *match, uint32_t chain, uint32_t nth)
{
    struct run *run = context;
    enum err err = ERR_OK;
    if (chain + 1 == CHAINS && nth + 1 == run->draws.n_each) {
        uint32_t *numbers = mem_alloc_zero(match->n, sizeof(*numbers));
        if (numbers == NULL)
            return ERR_NO_MEMORY;
        number_objects(match, run->result, numbers);
        mem_free(numbers);
    }
    uint32_t done = chain * run->draws.n_each + nth + 1, all = CHAINS * run->draws.n_each;
    while (err == ERR_OK && run->n_replicated < (uint64_t)run->n_replicates * done / all)
        err = replicate(run, match);
    return err;
}

static void on_progress(void *context, double share)
{
    const struct run *run = context;
    if (run->settings->on_progress != NULL)
        run->settings->on_progress(run->settings->context, share);
}

/* ---- what all draws say ---- */

/*
 * The draws' own quantiles, moved by what the bootstrap found such draws to be wrong by, and stretched (or not) to how much they were wrong
 * by more or less than that.
 */
static void tell_row(struct run *run, size_t i)
{
    struct census_row *row = &run->result->rows[i];
    uint32_t n_draws = CHAINS * run->draws.n_each, n = run->n_replicated;
    const float *counts = run->draws.counts + i * n_draws;
    double count = middle(&run->draws, i), mean = n > 0 ? run->sums[i] / n : 0, own = 0, log_mean = 0;
    for (uint32_t d = 0; d < n_draws; d++)
        log_mean += log(counts[d] + 0.5) / n_draws;
    for (uint32_t d = 0; d < n_draws; d++)
        own += (log(counts[d] + 0.5) - log_mean) * (log(counts[d] + 0.5) - log_mean) / (n_draws - 1);
    double found = n > 0 ? fmax(run->squares[i] - n * mean * mean, 0) : 0;
    double variance = (BELIEVED * own + found) / (BELIEVED + n - 1) * (n > 0 ? 1 + 1.0 / n : 1);
    double wider = own > 0 ? fmin(WIDER_MAX, fmax(WIDER_MIN, SAFE * sqrt(variance / own))) : 1;
    row->count = count * exp(-mean);
    row->low = row->count * pow((quantile(counts, n_draws, LOW) + 0.5) / (count + 0.5), wider);
    row->high = row->count * pow((quantile(counts, n_draws, HIGH) + 0.5) / (count + 0.5), wider);
    row->n_objects = run->draws.objects[i] / n_draws;
}

static void tell_surveys(const struct run *run)
{
    const struct census_settings *settings = run->settings;
    const struct draws *draws = &run->draws;
    struct census_result *result = run->result;
    for (uint32_t i = 0; i < draws->n; i++) {
        const struct census_sighting *one = &draws->sightings[i];
        result->surveys[one->survey].n_sightings++;
        census_row(result, settings, settings->n_areas, settings->n_classes)->n_sightings++;
        census_row(result, settings, settings->n_areas, one->class)->n_sightings++;
        if (one->area < settings->n_areas) {
            census_row(result, settings, one->area, settings->n_classes)->n_sightings++;
            census_row(result, settings, one->area, one->class)->n_sightings++;
        }
    }
    for (uint32_t k = 0; k < settings->n_surveys; k++) {
        result->surveys[k].detection = draws->detection[k] / draws->n_drawn;
        result->surveys[k].duplicates = draws->duplicates[k] / draws->n_drawn;
    }
    result->error_scale = draws->error_scale / draws->n_drawn;
    result->misread = draws->misread / draws->n_drawn;
    result->heterogeneity = draws->has_spread ? draws->spread / draws->n_drawn : NAN;
    result->n_draws = draws->n_drawn;
    result->n_replicates = run->n_replicated;
}

/* ---- the run ---- */

static enum err check(const struct census_settings *settings, const struct census_sighting *sightings, size_t n, uint32_t *ret_survey)
{
    if (n > CENSUS_SIGHTINGS_MAX)
        return ERR_TOO_LARGE;
    if (n == 0 || settings->n_surveys < 1 || settings->n_surveys > CENSUS_SURVEYS_MAX || settings->n_classes < 1 ||
        settings->n_classes > CENSUS_CLASSES_MAX || settings->n_areas > CENSUS_AREAS_MAX || settings->n_draws > CENSUS_DRAWS_MAX ||
        (settings->n_draws > 0 && settings->n_draws < CENSUS_DRAWS_MIN) || settings->n_replicates > CENSUS_REPLICATES_MAX)
        return ERR_RANGE;
    uint16_t all = (uint16_t)((1u << settings->n_surveys) - 1), shared = 0, present = 0;
    for (size_t i = 0; i < n; i++) {
        const struct census_sighting *one = &sightings[i];
        if (one->survey >= settings->n_surveys || one->class >= settings->n_classes || (one->covers & ~all) != 0 ||
            (one->area >= settings->n_areas && one->area != CENSUS_NO_AREA) || !(one->error_m >= (float)CENSUS_ERROR_MIN_M) ||
            !(one->error_m <= (float)CENSUS_ERROR_MAX_M) || !(fabs(one->x_m - sightings[0].x_m) <= CENSUS_REACH_MAX_M) ||
            !(fabs(one->y_m - sightings[0].y_m) <= CENSUS_REACH_MAX_M))
            return ERR_RANGE;
        uint16_t covers = one->covers | (uint16_t)(1u << one->survey);
        present |= (uint16_t)(1u << one->survey);
        if ((covers & (covers - 1)) != 0)
            shared |= covers;
    }
    for (uint32_t k = 0; k < settings->n_surveys; k++)
        if ((present & ~shared) >> k & 1) {
            if (ret_survey != NULL)
                *ret_survey = k;
            return ERR_STATE;
        }
    return ERR_OK;
}

static enum err run_all(struct run *run)
{
    size_t size = census_n_rows(run->settings);
    struct census_result *result = run->result;
    result->rows = mem_alloc_zero(size, sizeof(*result->rows));
    result->objects = mem_alloc_zero(run->draws.n, sizeof(*result->objects));
    result->object_of = mem_alloc_zero(run->draws.n, sizeof(*result->object_of));
    run->sums = mem_alloc_zero(size, sizeof(*run->sums));
    run->squares = mem_alloc_zero(size, sizeof(*run->squares));
    if (result->rows == NULL || result->objects == NULL || result->object_of == NULL || run->sums == NULL || run->squares == NULL)
        return ERR_NO_MEMORY;
    enum err err = draws_run(&run->draws);
    if (err != ERR_OK)
        return err;
    result->disagreement = disagreement(&run->draws, run->draws.counts + (size - 1) * CHAINS * run->draws.n_each);
    for (size_t i = 0; i < size; i++)
        tell_row(run, i);
    tell_surveys(run);
    return ERR_OK;
}

static double limited(double value, double least, double most)
{
    return fmin(most, fmax(least, value));
}

enum err census_run(const struct census_settings *settings, const struct census_sighting *sightings, size_t n,
    struct census_result *ret_result, uint32_t *ret_survey)
{
    enum err err = check(settings, sightings, n, ret_survey);
    if (err != ERR_OK)
        return err;
    struct census_result result = {.n_objects = 0};
    struct run run = {.settings = settings, .result = &result};
    double n_draws = settings->n_draws > 0 ? settings->n_draws : limited(DRAWS_WORK / (double)n, DRAWS_LEAST, DRAWS_MOST);
    run.n_replicates = settings->n_replicates > 0 ? settings->n_replicates
                                                  : (uint32_t)limited(REPLICATES_WORK / (double)n, REPLICATES_LEAST, REPLICATES_MOST);
    run.draws = (struct draws){.settings = settings,
        .sightings = sightings,
        .n = (uint32_t)n,
        .n_chains = CHAINS,
        .n_each = (uint32_t)n_draws / CHAINS,
        .n_warm_up = WARM_UP,
        .seed = settings->seed,
        .on_draw = on_draw,
        .on_progress = on_progress,
        .context = &run};
    err = run_all(&run);
    draws_finish(&run.draws);
    again_finish(&run.again);
    mem_free(run.sums);
    mem_free(run.squares);
    if (err == ERR_OK)
        *ret_result = result;
    else
        census_result_finish(&result);
    return err;
}

void census_result_finish(struct census_result *result)
{
    if (result == NULL)
        return;
    mem_free(result->rows);
    mem_free(result->objects);
    mem_free(result->object_of);
    *result = (struct census_result){.n_objects = 0};
}
