/* Chains, and what each draw counts; see draws.h. */
#include "scene/census/draws.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define JOINED_SWEEPS 5 /* of a chain that starts joined */
#define HELD_SWEEPS 15  /* in which detection stays as it starts, while the partition settles */

struct chain {
    struct match match;
    struct detect detect;
    struct detect_pattern *patterns; /* in order */
    size_t n_patterns;
    uint64_t *keys;
    size_t n_keys;
    bool has_spread;
};

/* ---- patterns: how many objects of each sort ---- */

static int compare_keys(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

static void make_patterns(struct chain *chain)
{
    qsort(chain->keys, chain->n_keys, sizeof(*chain->keys), compare_keys);
    chain->n_patterns = 0;
    for (size_t i = 0; i < chain->n_keys; i++) {
        if (chain->n_patterns == 0 || chain->patterns[chain->n_patterns - 1].key != chain->keys[i])
            chain->patterns[chain->n_patterns++] = (struct detect_pattern){chain->keys[i], 0};
        chain->patterns[chain->n_patterns - 1].n++;
    }
}

/* Areas left out: where it stands says nothing of how it is seen. */
static void patterns_to_learn(struct chain *chain)
{
    chain->n_keys = 0;
    for (uint32_t i = 0; i < chain->match.n; i++) {
        const struct match_cluster *cluster = &chain->match.clusters[i];
        if (cluster->n == 0)
            continue;
        uint16_t seen = match_seen(cluster), covers = cluster->covers | seen;
        chain->has_spread = chain->has_spread || __builtin_popcount(covers) >= 3;
        chain->keys[chain->n_keys++] = detect_key(cluster->kinds[match_kind(cluster)].class, covers, seen, 0);
    }
    make_patterns(chain);
}

/* The class that an object is, drawn from what it was read as: seen once it may have been misread. */
static uint8_t draw_class(struct match *match, const struct match_cluster *cluster)
{
    double chances[MATCH_KINDS_MAX], others = 1, all = 0;
    if (match->detect->n_classes == 1)
        return 0;
    for (uint32_t i = 0; i < cluster->n_kinds; i++) {
        double share = match->share[cluster->kinds[i].class];
        others -= share;
        all += chances[i] = share * exp((match->log_read - match->log_misread) * cluster->kinds[i].n);
    }
    double left = census_random_unit(&match->random) * (all + fmax(others, 0));
    for (uint32_t i = 0; i < cluster->n_kinds; i++) {
        if (left < chances[i])
            return cluster->kinds[i].class;
        left -= chances[i];
    }
    for (uint32_t c = 0; c < match->detect->n_classes; c++) {
        bool is_read = false;
        for (uint32_t i = 0; i < cluster->n_kinds; i++)
            is_read = is_read || cluster->kinds[i].class == c;
        if (!is_read && left < match->share[c])
            return (uint8_t)c;
        left -= is_read ? 0 : match->share[c];
    }
    return cluster->kinds[match_kind(cluster)].class;
}

static void patterns_to_count(struct chain *chain)
{
    chain->n_keys = 0;
    for (uint32_t i = 0; i < chain->match.n; i++) {
        const struct match_cluster *cluster = &chain->match.clusters[i];
        if (cluster->n == 0)
            continue;
        uint16_t seen = match_seen(cluster);
        chain->keys[chain->n_keys++] = detect_key(draw_class(&chain->match, cluster), cluster->covers | seen, seen, cluster->area);
    }
    make_patterns(chain);
}

/* ---- a draw: what it says of each area and class ---- */

static void record(struct draws *draws, struct chain *chain)
{
    const struct census_settings *settings = draws->settings;
    double objects[CENSUS_SURVEYS_MAX] = {0}, seen[CENSUS_SURVEYS_MAX] = {0};
    size_t size = census_n_rows(settings), n_draws = (size_t)draws->n_chains * draws->n_each;
    memset(draws->row, 0, size * sizeof(*draws->row));
    patterns_to_count(chain);
    for (size_t i = 0; i < chain->n_patterns; i++) {
        const struct detect_pattern *pattern = &chain->patterns[i];
        uint8_t class = (uint8_t)(pattern->key >> 48);
        uint16_t covers = (uint16_t)(pattern->key >> 32), area = (uint16_t)pattern->key;
        double none = fmin(detect_chance(&chain->detect, class, covers, 0), DETECT_UNSEEN_MAX);
        /* How many more were seen by none: a negative binomial, of as many successes as were seen. */
        double mean = census_random_gamma(&chain->match.random, pattern->n) * none / (1 - none);
        double all = pattern->n + census_random_poisson(&chain->match.random, mean);
        census_add_to_rows(settings, draws->row, area, class, all);
        census_add_to_rows(settings, draws->objects, area, class, pattern->n);
        for (uint32_t k = 0; k < settings->n_surveys; k++)
            if (covers >> k & 1) {
                objects[k] += all;
                seen[k] += all * chain->detect.mean[class][k];
            }
    }
    for (size_t i = 0; i < size; i++)
        draws->counts[i * n_draws + draws->n_drawn] = (float)draws->row[i];
    for (uint32_t k = 0; k < settings->n_surveys; k++) {
        draws->detection[k] += objects[k] > 0 ? seen[k] / objects[k] : 0;
        draws->duplicates[k] += chain->match.duplicates[k];
    }
    draws->error_scale += chain->match.error_scale;
    draws->spread += chain->detect.spread;
    draws->misread += chain->match.misread;
    draws->n_drawn++;
}

/* ---- a chain ---- */

static void turn(const struct draws *draws, struct chain *chain, bool is_joined, uint32_t sweep)
{
    if (is_joined && sweep < JOINED_SWEEPS)
        match_join(&chain->match);
    match_sweep(&chain->match);
    patterns_to_learn(chain);
    if (sweep >= HELD_SWEEPS)
        detect_draw(&chain->detect, chain->patterns, chain->n_patterns, chain->has_spread, sweep < draws->n_warm_up, &chain->match.random);
    match_draw(&chain->match);
}

static enum err run_chain(struct draws *draws, struct chain *chain, uint32_t which, uint64_t seed)
{
    uint32_t n_sweeps = draws->n_warm_up + draws->n_each;
    chain->patterns = mem_alloc_zero(draws->n, sizeof(*chain->patterns));
    chain->keys = mem_alloc_zero(draws->n, sizeof(*chain->keys));
    if (chain->patterns == NULL || chain->keys == NULL)
        return ERR_NO_MEMORY;
    detect_init(&chain->detect, draws->settings->n_surveys, draws->settings->n_classes);
    enum err err = match_init(&chain->match, draws->sightings, draws->n, &chain->detect, seed);
    if (err != ERR_OK)
        return err;
    match_draw(&chain->match);
    for (uint32_t sweep = 0; err == ERR_OK && sweep < n_sweeps; sweep++) {
        turn(draws, chain, which % 2 == 0, sweep);
        if (draws->on_progress != NULL)
            draws->on_progress(draws->context, (which + (sweep + 1.0) / n_sweeps) / draws->n_chains);
        if (sweep < draws->n_warm_up)
            continue;
        record(draws, chain);
        if (draws->on_draw != NULL)
            err = draws->on_draw(draws->context, &chain->match, which, sweep - draws->n_warm_up);
    }
    return err;
}

enum err draws_run(struct draws *draws)
{
    size_t size = census_n_rows(draws->settings);
    struct census_random seeds = {draws->seed};
    draws->counts = mem_alloc_zero(size * draws->n_chains * draws->n_each, sizeof(*draws->counts));
    draws->objects = mem_alloc_zero(size, sizeof(*draws->objects));
    draws->row = mem_alloc_zero(size, sizeof(*draws->row));
    struct chain *chain = mem_alloc(sizeof(*chain));
    enum err err = draws->counts == NULL || draws->objects == NULL || draws->row == NULL || chain == NULL ? ERR_NO_MEMORY : ERR_OK;
    for (uint32_t which = 0; err == ERR_OK && which < draws->n_chains; which++) {
        memset(chain, 0, sizeof(*chain));
        err = run_chain(draws, chain, which, census_random_bits(&seeds));
        draws->has_spread = chain->has_spread;
        match_finish(&chain->match);
        mem_free(chain->patterns);
        mem_free(chain->keys);
    }
    mem_free(chain);
    return err;
}

void draws_finish(struct draws *draws)
{
    mem_free(draws->counts);
    mem_free(draws->objects);
    mem_free(draws->row);
    draws->counts = NULL;
    draws->objects = draws->row = NULL;
}
