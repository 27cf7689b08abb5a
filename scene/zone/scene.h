/*
 * 限行区: the zone scene, as the scene host sees it. config: city/NAME/scenes/zone.yaml; the core is in core.h, docs/zone.md has the
 * definitions.
 */
#ifndef SCENE_ZONE_SCENE_H
#define SCENE_ZONE_SCENE_H

#include "scene/scene.h"

extern const struct scene_ops scene_zone_ops;

#endif
