/*
 * Capture and recapture: from who was seen by which surveys, how likely each survey sees an object of each class, and how many were seen by
 * none. Huggins' conditional likelihood, from whose posterior values are drawn by Metropolis steps; with three surveys and more objects
 * differ in how easily they are seen (a normal effect on the log odds). docs/census.md, "Detection".
 */
#ifndef SCENE_CENSUS_DETECT_H
#define SCENE_CENSUS_DETECT_H

#include "scene/census/core.h"
#include "scene/census/random.h"

#define DETECT_NODES 5 /* of Gauss and Hermite */
#define DETECT_UNSEEN_MAX 0.999

struct detect_pattern {
    uint64_t key; /* detect_key() */
    double n;     /* objects */
};

struct detect {
    uint32_t n_surveys, n_classes;
    double log_odds[CENSUS_CLASSES_MAX][CENSUS_SURVEYS_MAX]; /* of the chance to be seen, over objects */
    double usual[CENSUS_SURVEYS_MAX];                        /* log odds over classes, from which a rare class borrows */
    double spread;                                           /* standard deviation of objects' log odds around their own */
    double chance[CENSUS_CLASSES_MAX][CENSUS_SURVEYS_MAX][DETECT_NODES];
    double mean[CENSUS_CLASSES_MAX][CENSUS_SURVEYS_MAX];              /* chance to be seen, over objects */
    double step[CENSUS_CLASSES_MAX][CENSUS_SURVEYS_MAX], step_spread; /* widths of the proposals, learned while it warms up */
};

extern const double detect_node_weights[DETECT_NODES];

/* Which sort of object: ordered by class, what covered it, what saw it, where. */
static inline uint64_t detect_key(uint8_t class, uint16_t covers, uint16_t seen, uint16_t area)
{
    return (uint64_t) class << 48 | (uint64_t)covers << 32 | (uint64_t)seen << 16 | area;
}

void detect_init(struct detect *detect, uint32_t n_surveys, uint32_t n_classes);
/* A draw from where it stands. Patterns in the order of their keys, areas left out. `has_spread`: objects may differ, since three surveys
 * covered some. `is_learning`: widths of the steps are still learned, and no draw is used. */
void detect_draw(struct detect *detect, const struct detect_pattern *patterns, size_t n, bool has_spread, bool is_learning,
    struct census_random *random);
/* Of an object that is seen as easily as most of its class: add its own effect. */
double detect_log_odds(const struct detect *detect, uint8_t class, uint32_t survey);
/* Chance that an object shows `seen` to the surveys of `covers`. */
double detect_chance(const struct detect *detect, uint8_t class, uint16_t covers, uint16_t seen);

#endif
