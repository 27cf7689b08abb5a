/*
 * The files that the scene's own file names: the road network and the index object.
 */
#ifndef SCENE_COUNT_LOAD_H
#define SCENE_COUNT_LOAD_H

#include "road/nearest.h"
#include "scene/count/index.h"
#include "scene/scene.h"

/* `network:`; with env->check_only one in the data folder is not looked at, and both stay untouched. What was made so far is the caller's
 * also on a failure. Every mistake is told in `diags`. */
enum err count_load_network(const struct scene_env *env, struct yaml_node config, struct diag_list *diags,
    struct road_network **ret_network, struct road_nearest **ret_nearest) MUST_CHECK;
/* `index:`, a file of the city's folder; untouched where the scene's file has none. */
enum err count_load_index(
    const struct scene_env *env, struct yaml_node config, struct diag_list *diags, struct count_index **ret_index) MUST_CHECK;

#endif
