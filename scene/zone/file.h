/*
 * Zones from a city's file: what stands under `zones:` of scenes/zone.yaml (docs/zone.md), every mistake with file, line, cause and mend.
 */
#ifndef SCENE_ZONE_FILE_H
#define SCENE_ZONE_FILE_H

#include "base/yaml.h"
#include "scene/zone/zones.h"

/* `list`: the value of `zones:`. `has_area`: may an area of this name be said (NULL: every name may). ERR_SYNTAX, ERR_RANGE, ERR_NOT_FOUND,
 * ERR_EXISTS, ERR_TOO_LARGE; all mistakes are in `diags`, and the first is returned. *ret_zones is then of no use. */
enum err zones_read(struct yaml_node config, struct time_zone time_zone, bool (*has_area)(const void *context, struct str area),
    const void *context, struct diag_list *diags, struct zones *ret_zones) MUST_CHECK;

#endif
