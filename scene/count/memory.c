/* What a count holds of memory; see core.h. To be kept true by who adds a table to state.h. */
#include "scene/count/state.h"

size_t count_memory(const struct count *count)
{
    const struct count_vehicles *vehicles = &count->vehicles;
    const struct count_clocks *clocks = &count->faults.clocks;
    const struct count_recall *recall = &count->faults.recall;
    size_t n_edges = count->map.network->n_edges, n_areas = count->map.n_areas;
    size_t bytes = sizeof(*count) + vehicles->n_slab * sizeof(*vehicles->slab) + vehicles->n_slots * sizeof(*vehicles->slots);
    bytes += vehicles->spans != NULL ? COUNT_SPANS * sizeof(*vehicles->spans) : 0;
    bytes += count_travel_memory(&count->travel);
    bytes += count->cap_cameras * (sizeof(*count->cameras) + sizeof(*count->accounts));
    bytes += count->n_cameras * (size_t)count->balance.n_cohorts * sizeof(struct count_cohort);
    bytes += clocks->cap * (sizeof(*clocks->clocks) + COUNT_CLOCK_SIDE * sizeof(*clocks->scratch) + sizeof(*clocks->n_scratch));
    bytes += recall->cap * sizeof(*recall->cameras) + COUNT_RECALL_GAPS * (sizeof(*recall->gaps) + sizeof(*recall->tags)) +
             n_edges * sizeof(*recall->edge_cameras);
    bytes += COUNT_SUSPECTS * sizeof(*count->faults.clones.suspects);
    bytes += n_edges * sizeof(*count->spread.on_edges) + count->figures.n_groups * sizeof(*count->spread.on_roads);
    bytes += n_edges * (sizeof(*count->figures.edges) + sizeof(*count->figures.active) + sizeof(*count->figures.edge_groups) +
                           sizeof(*count->figures.states) + sizeof(*count->figures.facts) + sizeof(*count->figures.edge_classes) +
                           sizeof(*count->has_camera));
    bytes +=
        count->figures.n_groups * (sizeof(*count->figures.groups) + sizeof(*count->figures.group_sums) + sizeof(*count->figures.roads));
    bytes += n_areas * (sizeof(*count->figures.area_sums) + sizeof(*count->figures.index_sums) + sizeof(*count->is_stale));
    const struct count_loops *loops = &count->loops;
    bytes += loops->cap * sizeof(*loops->loops) + (loops->edge_loops != NULL ? n_edges * sizeof(*loops->edge_loops) : 0);
    for (uint32_t i = 0; i < loops->n; i++)
        bytes += loops->loops[i].n_lanes * sizeof(*loops->loops[i].lanes) +
                 (loops->loops[i].bins != NULL ? COUNT_LOOP_BINS * sizeof(*loops->loops[i].bins) : 0);
    const struct count_junctions *junctions = &count->figures.junctions;
    bytes += count->map.network->n_junctions *
             (sizeof(*junctions->is_junction) + sizeof(*junctions->sums) + sizeof(*junctions->touched) + sizeof(*junctions->states));
    bytes +=
        n_areas * (sizeof(*count->areas) + sizeof(*count->below) + sizeof(*count->told) + sizeof(*count->record) + sizeof(*count->sums));
    return bytes;
}
