/*
 * What the scene's own file names: the road network, the index object, and how floating cars are followed.
 */
#ifndef SCENE_COUNT_LOAD_H
#define SCENE_COUNT_LOAD_H

#include "road/nearest.h"
#include "scene/count/gps.h"
#include "scene/count/index.h"
#include "scene/scene.h"

/* `network:`; with env->check_only one in the data folder is not looked at, and both stay untouched. What was made so far is the caller's
 * also on a failure. Every mistake is told in `diags`. */
enum err count_load_network(const struct scene_env *env, struct yaml_node config, struct diag_list *diags,
    struct road_network **ret_network, struct road_nearest **ret_nearest) MUST_CHECK;
/* `index:`, a file of the city's folder; untouched where the scene's file has none. */
enum err count_load_index(
    const struct scene_env *env, struct yaml_node config, struct diag_list *diags, struct count_index **ret_index) MUST_CHECK;
/* `gps:`, what a city may turn of its floating cars; left out, the settings stay. Every mistake is told, the first is returned. */
enum err count_load_gps(struct yaml_node config, struct diag_list *diags, struct count_gps_settings *settings) MUST_CHECK;

/* An optional key that was left out is none's fault. */
static inline enum err first_of(enum err err, enum err one)
{
    return err != ERR_OK ? err : one == ERR_NOT_FOUND ? ERR_OK : one;
}

#endif
