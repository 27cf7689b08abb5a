/*
 * Classes of plates, as a screen tells them apart: where a plate is from, and across that what drives it; and what is known of each in a
 * zone. Pure.
 */
#ifndef SCENE_ZONE_CLASSES_H
#define SCENE_ZONE_CLASSES_H

#include "scene/zone/core.h"

enum zone_class {
    ZONE_CLASS_ALL,
    ZONE_CLASS_LOCAL,
    ZONE_CLASS_PROVINCE,
    ZONE_CLASS_OTHER,
    ZONE_CLASS_SPECIAL,
    ZONE_CLASS_NEW_ENERGY,
    ZONE_N_CLASSES
};
extern const char *const zone_class_names[ZONE_N_CLASSES];

double zone_class_seen_now(const uint32_t now[ZONE_N_GROUPS], enum zone_class class);
double zone_class_seen_today(const uint64_t through[ZONE_N_GROUPS], enum zone_class class);
struct zone_estimate zone_class_now(const struct zone_figures *figures, enum zone_class class);
struct zone_estimate zone_class_today(const struct zone_figures *figures, enum zone_class class);

#endif
