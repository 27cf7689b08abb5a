/*
 * Delay at junctions (路口延误): what the edges that lead to each lose, a vehicle. Waiting at a junction happens before it, on the edge
 * that ends there; so a junction's delay is that of its incoming edges, and an edge is one junction's.
 *
 * Between two cameras nobody knows before which junction a vehicle has waited: its delay is shared out among those between by what others
 * lost there (figures.h). Where neighbouring junctions both see, and where ways come with a time for each edge, it is exact.
 */
#ifndef SCENE_COUNT_JUNCTIONS_H
#define SCENE_COUNT_JUNCTIONS_H

#include "scene/count/core.h"

struct count_junction_sums {
    float actual_s, free_s, n;
};

struct count_junctions {
    const struct road_network *network;
    uint8_t *is_junction;                /* [n_junctions] */
    struct count_junction_sums *sums;    /* [n_junctions] of this tick */
    uint32_t *touched;                   /* [n_junctions] those with sums */
    struct count_junction_state *states; /* [n_junctions] told by the last tick */
    uint32_t n_touched, n_states;
};

/* ERR_NO_MEMORY; finish it all the same. */
enum err count_junctions_init(struct count_junctions *junctions, const struct road_network *network) MUST_CHECK;
void count_junctions_finish(struct count_junctions *junctions); /* takes NULL */
/* One tick: begin, each observed edge with its sums, tell. `least`: vehicles that a junction is told from. */
void count_junctions_begin(struct count_junctions *junctions);
void count_junctions_add(struct count_junctions *junctions, uint32_t edge, float actual_s, float free_s, float n);
void count_junctions_tell(struct count_junctions *junctions, double least);

#endif
