/*
 * Forests and streets of trees whose number is known, and surveys of them that miss some, see some twice and err in place. For tests and
 * measurements; everything comes from the seed.
 */
#ifndef SCENE_CENSUS_FOREST_TESTING_H
#define SCENE_CENSUS_FOREST_TESTING_H

#include "scene/census/core.h"
#include "scene/census/random.h"

#include <assert.h>
#include <string.h>

#define FOREST_SIGHTINGS_MAX 20000u

enum forest_layout { FOREST_RANDOM, FOREST_CLUMPS, FOREST_ROWS };

struct forest {
    const char *name;
    enum forest_layout layout;
    uint32_t n_trees;
    uint32_t n_surveys, n_classes;
    double detection;  /* of the first survey and class; others see up to a quarter less */
    double duplicates; /* chance of a further sighting, each time */
    double error_m, told_error_m;
    double side_m;  /* of the square where trees stand at random */
    double spread;  /* of the trees' log odds of being seen */
    double misread; /* share of sightings with another class than the tree's */
    double overlap; /* 1: each survey covers all; less: as wide a strip, the first on the left, the last on the right */
};

struct surveyed {
    uint32_t n;
    double truth[2][CENSUS_CLASSES_MAX + 1]; /* by area (left and right half) and class; the last is all of the area */
    double all;                              /* covered by one survey or more */
    struct census_sighting sightings[FOREST_SIGHTINGS_MAX];
};

static const struct forest forests[] = {
    /* name, layout, trees, surveys, classes, sees, doubles, error, told, side, unequal, misread, overlap */
    {"two", FOREST_RANDOM, 300, 2, 1, 0.80, 0.02, 2.0, 2.0, 250, 0, 0, 1},
    {"two-poor", FOREST_RANDOM, 300, 2, 1, 0.55, 0.05, 2.0, 2.0, 400, 0, 0, 1},
    {"three-classes", FOREST_RANDOM, 300, 3, 3, 0.75, 0.05, 2.0, 2.0, 220, 0, 0, 1},
    {"misread", FOREST_RANDOM, 300, 3, 3, 0.75, 0.03, 2.0, 2.0, 300, 0, 0.05, 1},
    {"four-partial", FOREST_RANDOM, 400, 4, 2, 0.70, 0.05, 2.0, 2.0, 300, 0, 0, 0.5},
    {"five-good", FOREST_RANDOM, 300, 5, 1, 0.90, 0.03, 2.0, 2.0, 250, 0, 0, 1},
    {"six-poor", FOREST_RANDOM, 250, 6, 1, 0.50, 0.05, 3.0, 3.0, 250, 0, 0, 1},
    {"doubles", FOREST_RANDOM, 300, 3, 1, 0.75, 0.15, 1.5, 1.5, 350, 0, 0, 1},
    {"clumps", FOREST_CLUMPS, 320, 3, 1, 0.75, 0.03, 1.5, 1.5, 400, 0, 0, 1},
    {"rows-two", FOREST_ROWS, 400, 2, 1, 0.80, 0.03, 2.0, 2.0, 0, 0, 0, 1},
    {"rows-three", FOREST_ROWS, 400, 3, 1, 0.80, 0.03, 2.5, 2.5, 0, 0, 0, 1},
    {"rows-near", FOREST_ROWS, 400, 3, 1, 0.80, 0.03, 1.0, 1.0, 0, 0, 0, 1},
    {"told-wrong", FOREST_RANDOM, 300, 3, 1, 0.75, 0.03, 3.0, 2.0, 300, 0, 0, 1},
    {"unequal", FOREST_RANDOM, 400, 5, 1, 0.55, 0.03, 2.0, 2.0, 300, 1, 0, 1},
};
#define N_FORESTS (sizeof(forests) / sizeof(forests[0]))

static inline void forest_place(const struct forest *forest, struct census_random *random, uint32_t tree, double place[2], double parent[2])
{
    switch (forest->layout) {
    case FOREST_RANDOM:
        place[0] = forest->side_m * census_random_unit(random);
        place[1] = forest->side_m * census_random_unit(random);
        break;
    case FOREST_CLUMPS: /* of eight, 6 m wide */
        if (tree % 8 == 0) {
            parent[0] = forest->side_m * census_random_unit(random);
            parent[1] = forest->side_m * census_random_unit(random);
        }
        place[0] = parent[0] + 6 * census_random_normal(random);
        place[1] = parent[1] + 6 * census_random_normal(random);
        break;
    case FOREST_ROWS: /* streets 60 m apart, a row on each side, 18 m apart; a tree each 5 m, planted within 20 cm */
        place[0] = 5 * (tree % 50) + 0.2 * census_random_normal(random);
        place[1] = 60 * (tree / 100) + 18 * (tree / 50 % 2) + 0.2 * census_random_normal(random);
        break;
    }
}

/* The strip that a survey covers, by its place from west to east. */
static inline bool forest_covers(const struct forest *forest, uint32_t survey, double x_m, double wide_m)
{
    double from = (1 - forest->overlap) * wide_m * (forest->n_surveys > 1 ? (double)survey / (forest->n_surveys - 1) : 0);
    return forest->overlap >= 1 || (x_m >= from && x_m <= from + forest->overlap * wide_m);
}

static inline void forest_survey(const struct forest *forest, uint64_t seed, struct surveyed *out)
{
    struct census_random random = {seed * 1000003u + 17};
    double parent[2] = {0, 0}, wide_m = forest->layout == FOREST_ROWS ? 250 : forest->side_m;
    memset(out, 0, sizeof(*out));
    for (uint32_t tree = 0; tree < forest->n_trees; tree++) {
        double place[2] = {0, 0};
        forest_place(forest, &random, tree, place, parent);
        uint8_t class = (uint8_t)(census_random_below(&random, forest->n_classes * 2) / 2);
        uint32_t area = place[0] >= wide_m / 2;
        double effect = forest->spread * census_random_normal(&random);
        uint16_t covers = 0;
        for (uint32_t k = 0; k < forest->n_surveys; k++)
            covers |= (uint16_t)(forest_covers(forest, k, place[0], wide_m) << k);
        if (covers == 0)
            continue;
        out->all++;
        out->truth[area][class]++;
        out->truth[area][forest->n_classes]++;
        for (uint32_t k = 0; k < forest->n_surveys; k++) {
            double detection = forest->detection * (1 - 0.25 * k / forest->n_surveys) * (1 - 0.1 * class);
            double log_odds = log(detection / (1 - detection)) + effect;
            if ((covers >> k & 1) == 0 || census_random_unit(&random) >= 1 / (1 + exp(-log_odds)))
                continue;
            do {
                assert(out->n < FOREST_SIGHTINGS_MAX);
                double x_m = place[0] + forest->error_m * census_random_normal(&random);
                double y_m = place[1] + forest->error_m * census_random_normal(&random);
                uint16_t told = 0; /* what a polygon would say of where it was seen */
                for (uint32_t j = 0; j < forest->n_surveys; j++)
                    told |= (uint16_t)(forest_covers(forest, j, x_m, wide_m) << j);
                uint8_t read = class;
                if (forest->misread > 0 && census_random_unit(&random) < forest->misread)
                    read = (uint8_t)((class + 1 + census_random_below(&random, forest->n_classes - 1)) % forest->n_classes);
                out->sightings[out->n++] = (struct census_sighting){.x_m = x_m,
                    .y_m = y_m,
                    .error_m = (float)forest->told_error_m,
                    .covers = told,
                    .area = (uint16_t)(x_m >= wide_m / 2),
                    .survey = (uint8_t)k,
                    .class = read};
            } while (census_random_unit(&random) < forest->duplicates);
        }
    }
}

#endif
