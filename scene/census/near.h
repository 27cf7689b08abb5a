/*
 * What stands near what: for each sighting the others that can be the same object, and how thick others of its class and survey stand
 * around it, by a grid of cells.
 */
#ifndef SCENE_CENSUS_NEAR_H
#define SCENE_CENSUS_NEAR_H

#include "scene/census/core.h"

#define NEAR_MAX 40 /* nearest others of a sighting that can be the same object */

struct near {
    double inner_m, outer_m, ring_m2; /* in which `around` was counted */
    double crowd;                     /* sightings of one's own survey that stand within two errors of one, a mean */
    float *around;                    /* [n] sightings of its class and survey in the ring around one near here: a mean */
    uint32_t *starts;                 /* [n + 1] into `neighbours` */
    uint32_t *neighbours;             /* of any class: one may have been misread */
};

/* ERR_FULL: too many at one place; ERR_NO_MEMORY. Finish it in any case. */
enum err near_init(struct near *near, const struct census_sighting *sightings, uint32_t n) MUST_CHECK;
void near_finish(struct near *near);

#endif
