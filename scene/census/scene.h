/*
 * 普查: the census as the scene host sees it: surveys of what stands still, from the city's files, as indicators. config:
 * city/NAME/scenes/census.yaml; the core is in core.h.
 */
#ifndef SCENE_CENSUS_SCENE_H
#define SCENE_CENSUS_SCENE_H

#include "scene/scene.h"

extern const struct scene_ops scene_census_ops;

#endif
