/*
 * A world like the one that was found, surveyed again by chance: what a census of it gets wrong is what the census itself may get wrong.
 * Objects stand where a draw puts them, as many unseen ones as it draws between them, and each survey misses, doubles, errs and misreads as
 * the draw says.
 */
#ifndef SCENE_CENSUS_AGAIN_H
#define SCENE_CENSUS_AGAIN_H

#include "scene/census/match.h"

struct again {
    struct census_sighting *sightings;
    size_t n, cap;
    double *truth;                         /* rows as in core.h */
    double duplicates[CENSUS_SURVEYS_MAX]; /* of this time: from none to twice those of the draw, since they are known worst */
};

/* Surveys again what stands in `match` at this draw; replaces what is there. Changes no state of `match` but its chance. Finish it in any
 * case. */
enum err again_survey(struct again *again, const struct census_settings *settings, struct match *match) MUST_CHECK;
void again_finish(struct again *again);

#endif
