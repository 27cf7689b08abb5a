/*
 * 普查 (census): how many objects that stand still there are, from repeated, overlapping surveys that miss some, see some twice and
 * err in place. The pure core: sightings in, counts with intervals out; the same input and seed give the same answer. docs/census.md has
 * the model, its formulas and their sources.
 *
 * It does not read files (file.h), and knows of areas and coverage only what each sighting carries.
 */
#ifndef SCENE_CENSUS_CORE_H
#define SCENE_CENSUS_CORE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CENSUS_SURVEYS_MAX 16
#define CENSUS_CLASSES_MAX 64
#define CENSUS_AREAS_MAX 256
#define CENSUS_SIGHTINGS_MAX 1000000u
#define CENSUS_ERROR_MIN_M 0.05
#define CENSUS_ERROR_MAX_M 20.0
#define CENSUS_REACH_MAX_M 1e6 /* of places from the first */
#define CENSUS_NO_AREA 0xffffu
#define CENSUS_DRAWS_MIN 20u
#define CENSUS_DRAWS_MAX 5000u
#define CENSUS_REPLICATES_MAX 1000u

struct census_sighting {
    double x_m, y_m;
    float error_m;   /* standard error in each direction */
    uint16_t covers; /* one bit a survey that covered this place; its own counts whatever it says */
    uint16_t area;   /* or CENSUS_NO_AREA: in no area, in the total */
    uint8_t survey, class;
};

struct census_settings {
    uint32_t n_surveys, n_classes, n_areas;
    uint32_t n_draws;      /* of all chains, CENSUS_DRAWS_MIN and more; 0: as many as are worth their time (120 to 300) */
    uint32_t n_replicates; /* of the bootstrap; 0: the same (4 to 12) */
    uint64_t seed;
    void (*on_progress)(void *context, double share); /* 0 to 1; may be NULL */
    void *context;
};

struct census_object { /* one likely reading of which sightings are one; what the map shows */
    double x_m, y_m;
    float error_m;
    uint32_t n_sightings;
    uint16_t covers, seen; /* surveys that covered it, and that saw it */
    uint16_t area;
    uint8_t class;
};

struct census_row {
    double count, low, high; /* 90 % interval */
    double n_objects;        /* different objects seen, as far as matching tells */
    uint64_t n_sightings;
};

struct census_survey {
    uint64_t n_sightings;
    double detection;  /* share of the objects it covered that it saw */
    double duplicates; /* share of its sightings that are further ones of an object it saw */
};

struct census_result {
    struct census_row *rows; /* [(n_areas + 1) * (n_classes + 1)]; the last of each is all of them */
    struct census_object *objects;
    uint32_t n_objects;
    uint32_t *object_of; /* [n] by sighting */
    struct census_survey surveys[CENSUS_SURVEYS_MAX];
    double error_scale;   /* the true errors over those that were told */
    double heterogeneity; /* standard deviation of the objects' log odds of being seen; NAN: two surveys at most cannot tell */
    double misread;       /* share of the sightings whose class is another than the object's */
    double disagreement;  /* of the chains about the count of all: 1 is none; past 1.2 more draws are needed */
    uint32_t n_draws, n_replicates;
};

/* The row of an area (or n_areas) and a class (or n_classes). */
static inline struct census_row *census_row(
    const struct census_result *result, const struct census_settings *settings, uint32_t area, uint32_t class)
{
    return &result->rows[(size_t)area * (settings->n_classes + 1) + class];
}

static inline size_t census_n_rows(const struct census_settings *settings)
{
    return (size_t)(settings->n_areas + 1) * (settings->n_classes + 1);
}

/* To the four rows that an object of this area and class counts in. */
static inline void census_add_to_rows(const struct census_settings *settings, double *rows, uint32_t area, uint32_t class, double value)
{
    size_t width = settings->n_classes + 1;
    rows[settings->n_areas * width + class] += value;
    rows[settings->n_areas * width + settings->n_classes] += value;
    if (area < settings->n_areas) {
        rows[area * width + class] += value;
        rows[area * width + settings->n_classes] += value;
    }
}

/* Borrows `sightings`. ERR_RANGE: numbers outside of the limits above, of the settings, or not finite; ERR_TOO_LARGE: too many sightings;
 * ERR_FULL: more at one place than can be told apart; ERR_STATE: a survey shares no place with another (*ret_survey, may be NULL), so that
 * nothing tells how many it missed; ERR_NO_MEMORY. */
enum err census_run(const struct census_settings *settings, const struct census_sighting *sightings, size_t n,
    struct census_result *ret_result, uint32_t *ret_survey) MUST_CHECK;
void census_result_finish(struct census_result *result); /* takes NULL */

#endif
