/*
 * How many vehicles are in transit within drawn outlines (of restricted zones, say): the outlines come as an object of the hub, whoever
 * drew them; a stream `outline` of the scene tells each second what the core thinks is on the edges whose middle lies within.
 *
 * Outlines may overlap, and lie across areas. A scene whose file names none tells nothing.
 */
#ifndef SCENE_COUNT_OUTLINES_H
#define SCENE_COUNT_OUTLINES_H

#include "scene/count/core.h"
#include "scene/scene.h"

#define COUNT_OUTLINES_MAX 64
#define COUNT_OUTLINE_NAME_MAX 63

struct count_outline {
    char name[COUNT_OUTLINE_NAME_MAX + 1];
    uint32_t *edges; /* whose middle lies within */
    uint32_t n_edges;
};

struct count_outlines {
    size_t n;
    struct count_outline outlines[COUNT_OUTLINES_MAX];
};

/* A FeatureCollection of Polygons, each with the property `zone`; WGS 84, or the network's own coordinates where that has no projection.
 * ERR_SYNTAX, ERR_FULL, ERR_NO_MEMORY: what was read so far is gone. */
enum err count_outlines_parse(struct str geojson, const struct road_network *network, struct count_outlines *ret_outlines) MUST_CHECK;
void count_outlines_finish(struct count_outlines *outlines);
/* In transit on its edges together, as of the last tick. */
struct count_interval count_outline_vehicles(const struct count *count, const struct count_outline *outline);

/* ---- the scene's ---- */

struct count_outline_tell;

/* NULL when the file has no `outlines:`. What it names and the stream are looked up, and the contract; env->check_only makes nothing. */
enum err count_outline_tell_start(const struct scene_env *env, struct yaml_node config, const struct road_network *network,
    struct diag_list *diags, struct count_outline_tell **ret_tell) MUST_CHECK;
void count_outline_tell_tick(struct count_outline_tell *tell, const struct count *count, int64_t now_ms); /* takes NULL */
void count_outline_tell_stop(struct count_outline_tell *tell);                                            /* takes NULL */

#endif
