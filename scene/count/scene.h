/*
 * 数数: the counting scene, as the scene host sees it. config: city/NAME/scenes/count.yaml; the core is in core.h.
 */
#ifndef SCENE_COUNT_SCENE_H
#define SCENE_COUNT_SCENE_H

#include "scene/scene.h"

extern const struct scene_ops scene_count_ops;

#endif
