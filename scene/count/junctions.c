/* Delay at junctions; see junctions.h. */
#include "scene/count/junctions.h"

#include "base/mem.h"

#include <math.h>

/* With a signal, or with more than two neighbours: elsewhere a road only bends, or changes its name. */
static enum err find_junctions(struct count_junctions *junctions)
{
    const struct road_network *network = junctions->network;
    uint32_t(*neighbours)[2] = mem_alloc_zero(network->n_junctions, sizeof(*neighbours));
    if (neighbours == NULL)
        return ERR_NO_MEMORY;
    for (uint32_t i = 0; i < network->n_junctions; i++) {
        neighbours[i][0] = neighbours[i][1] = ROAD_NONE;
        junctions->is_junction[i] = network->junctions[i].has_signal;
    }
    for (uint32_t i = 0; i < network->n_edges; i++) {
        const struct road_edge *edge = &network->edges[i];
        if (edge->n_car_lanes == 0)
            continue;
        for (int end = 0; end < 2; end++) {
            uint32_t at = end == 0 ? edge->from : edge->to, other = end == 0 ? edge->to : edge->from, k = 0;
            while (k < 2 && neighbours[at][k] != ROAD_NONE && neighbours[at][k] != other)
                k++;
            if (k < 2)
                neighbours[at][k] = other;
            else
                junctions->is_junction[at] = 1;
        }
    }
    mem_free(neighbours);
    return ERR_OK;
}

enum err count_junctions_init(struct count_junctions *junctions, const struct road_network *network)
{
    *junctions = (struct count_junctions){.network = network};
    junctions->is_junction = mem_alloc_zero(network->n_junctions, 1);
    junctions->sums = mem_alloc_zero(network->n_junctions, sizeof(*junctions->sums));
    junctions->touched = mem_alloc_zero(network->n_junctions, sizeof(*junctions->touched));
    junctions->states = mem_alloc_zero(network->n_junctions, sizeof(*junctions->states));
    if (junctions->is_junction == NULL || junctions->sums == NULL || junctions->touched == NULL || junctions->states == NULL)
        return ERR_NO_MEMORY;
    return find_junctions(junctions);
}

void count_junctions_finish(struct count_junctions *junctions)
{
    if (junctions == NULL)
        return;
    mem_free(junctions->is_junction);
    mem_free(junctions->sums);
    mem_free(junctions->touched);
    mem_free(junctions->states);
    *junctions = (struct count_junctions){.n_states = 0};
}

void count_junctions_begin(struct count_junctions *junctions)
{
    for (uint32_t i = 0; i < junctions->n_touched; i++)
        junctions->sums[junctions->touched[i]] = (struct count_junction_sums){.n = 0};
    junctions->n_touched = 0;
    junctions->n_states = 0;
}

void count_junctions_add(struct count_junctions *junctions, uint32_t edge, float actual_s, float free_s, float n)
{
    uint32_t at = junctions->network->edges[edge].to;
    struct count_junction_sums *sums = &junctions->sums[at];
    if (!junctions->is_junction[at] || n <= 0)
        return;
    if (sums->n <= 0)
        junctions->touched[junctions->n_touched++] = at;
    sums->actual_s += actual_s;
    sums->free_s += free_s;
    sums->n += n;
}

void count_junctions_tell(struct count_junctions *junctions, double least)
{
    for (uint32_t i = 0; i < junctions->n_touched; i++) {
        const struct count_junction_sums *sums = &junctions->sums[junctions->touched[i]];
        if ((double)sums->n < least || sums->free_s <= 0)
            continue;
        junctions->states[junctions->n_states++] = (struct count_junction_state){.junction = junctions->touched[i],
            .delay_s = (double)((sums->actual_s - sums->free_s) / sums->n),
            .delay_index = (double)(sums->actual_s / sums->free_s),
            .n = (uint32_t)lroundf(sums->n)};
    }
}
