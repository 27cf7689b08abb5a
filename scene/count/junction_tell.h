/*
 * Delays at junctions, as rows of the scene's own stream `junction_index`: what the core tells of them (junctions.h), with a name that
 * people know, a place and an area. A city that does not declare the stream has none.
 *
 * A junction's name is that of the roads that meet there, "天目山路 / 学院路"; where no road has a name, its number in the network.
 */
#ifndef SCENE_COUNT_JUNCTION_TELL_H
#define SCENE_COUNT_JUNCTION_TELL_H

#include "scene/count/core.h"
#include "scene/scene.h"

struct count_junction_tell {
    struct hub *hub; /* borrowed, as all but the two arrays */
    const struct area_tree *tree;
    const struct road_network *network;
    const struct hub_resource *resource; /* NULL: nothing is told */
    uint32_t (*names)[2];                /* [n_junctions] numbers of road names; ROAD_NONE */
    int32_t *areas;                      /* [n_junctions] found when it is told first */
    int64_t told_ms;
    uint64_t n_dropped; /* batches that the hub did not take: it gets newer ones */
};

/* The stream, where the scene's file declares it; otherwise NULL. ERR_RANGE: its fields are others. */
enum err count_junction_tell_find(
    const struct scene_env *env, struct yaml_node config, struct diag_list *diags, const struct hub_resource **ret_resource) MUST_CHECK;
/* ERR_NO_MEMORY; finish it all the same. */
enum err count_junction_tell_init(struct count_junction_tell *tell, struct hub *hub, const struct area_tree *tree,
    const struct road_network *network, const struct hub_resource *resource) MUST_CHECK;
void count_junction_tell_finish(struct count_junction_tell *tell); /* takes NULL */
/* Each tick; publishes now and then. */
void count_junction_tell_tick(struct count_junction_tell *tell, const struct count_updates *updates);

#endif
