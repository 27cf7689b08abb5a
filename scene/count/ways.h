/*
 * Ways now (此刻最快路径): a router on the running scene's live travel times, and the table `route` with which other scenes and programs
 * ask it, under contract: the fastest way between two places, and how long it is expected to take.
 *
 * Each ten seconds the router takes over what is known of every edge (core.h, count_edge_times()); in between it answers with that. All
 * of it is the scene's loop's: a customisation is a millisecond for a city of 2,000 junctions, a question some microseconds.
 */
#ifndef SCENE_COUNT_WAYS_H
#define SCENE_COUNT_WAYS_H

#include "road/nearest.h"
#include "scene/count/core.h"
#include "scene/scene.h"

#define COUNT_WAYS_EVERY_MS 10000 /* how often travel times are taken over */

enum count_ways_field {
    COUNT_WAYS_FROM,
    COUNT_WAYS_TO,
    COUNT_WAYS_TIME,
    COUNT_WAYS_SECONDS,
    COUNT_WAYS_FREE_FLOW_S,
    COUNT_WAYS_LENGTH_M,
    COUNT_WAYS_OBSERVED,
    COUNT_WAYS_EDGES,
    COUNT_WAYS_N_FIELDS
};

struct count_ways;

/* The table, where the scene's file declares it; otherwise NULL. ERR_RANGE with a word in `diags`: it has other fields. */
enum err count_ways_find(
    const struct scene_env *env, struct yaml_node config, struct diag_list *diags, const struct hub_resource **ret_resource) MUST_CHECK;
/* Free flow until the first tick. `count` and `nearest` are kept. ERR_NO_MEMORY. */
enum err count_ways_create(const struct count *count, const struct road_nearest *nearest, struct count_ways **ret_ways) MUST_CHECK;
void count_ways_destroy(struct count_ways *ways); /* takes NULL; the table is offered no more */
/* The same, offered as `route` on the scene's loop; without such a table *ret_ways stays. ERR_NO_MEMORY, ERR_STATE. */
enum err count_ways_start(const struct scene_env *env, const struct hub_resource *route, const struct count *count,
    const struct road_nearest *nearest, struct count_ways **ret_ways) MUST_CHECK;
void count_ways_tick(struct count_ways *ways, int64_t now_ms); /* after the core's; takes NULL */
/* As hub/offer.h asks; `ways` is the context. */
enum err count_ways_answer(void *ways, const struct value *keys, struct value *ret_values) MUST_CHECK;

#endif
