/*
 * Draws from what a census cannot know: Markov chains over matching and detection, and from each draw the count of every area and class.
 */
#ifndef SCENE_CENSUS_DRAWS_H
#define SCENE_CENSUS_DRAWS_H

#include "scene/census/match.h"

struct draws {
    /* asked */
    const struct census_settings *settings;
    const struct census_sighting *sightings; /* borrowed */
    uint32_t n, n_chains, n_each, n_warm_up; /* chains: every other one starts all alone, the others all joined that is likely one */
    uint64_t seed;
    /* After each draw that counts; may use up the chain's chance, and nothing else of it. May be NULL. */
    enum err (*on_draw)(void *context, struct match *match, uint32_t chain, uint32_t nth);
    void (*on_progress)(void *context, double share); /* may be NULL */
    void *context;
    /* answered */
    float *counts;   /* [rows][n_chains * n_each] */
    double *objects; /* [rows] different ones that were seen, a sum over draws as the next */
    double detection[CENSUS_SURVEYS_MAX], duplicates[CENSUS_SURVEYS_MAX], error_scale, spread, misread;
    bool has_spread;
    uint32_t n_drawn;
    double *row; /* [rows] its own */
};

/* Errors of match_init() and of on_draw. Finish it in any case. */
enum err draws_run(struct draws *draws) MUST_CHECK;
void draws_finish(struct draws *draws);

#endif
