/* Ways between cameras; see travel.h. */
#include "scene/count/travel.h"

#include "base/mem.h"

#include <string.h>

#define ROW 8u

enum err count_travel_init(struct count_travel *travel, const struct road_network *network, uint32_t pairs_max)
{
    *travel = (struct count_travel){.network = network, .n_rows = 1};
    while (travel->n_rows * ROW < pairs_max)
        travel->n_rows *= 2;
    travel->pairs = mem_alloc_zero((size_t)travel->n_rows * ROW, sizeof(*travel->pairs));
    if (travel->pairs == NULL)
        return ERR_NO_MEMORY;
    return road_router_create(network, &travel->router);
}

void count_travel_finish(struct count_travel *travel)
{
    if (travel == NULL)
        return;
    mem_free(travel->pairs);
    road_router_destroy(travel->router);
    *travel = (struct count_travel){.n_rows = 0};
}

static void search_pair(struct count_travel *travel, struct count_pair *pair, uint32_t from_edge, uint32_t to_edge, double max_s)
{
    struct road_limits limits = {max_s, COUNT_PAIR_EXPANDED};
    struct road_route route;
    pair->searched_s = (float)max_s;
    pair->free_flow_s = 0;
    pair->n_edges = 0;
    if (road_route_find(travel->router, from_edge, to_edge, &limits, &route) != ERR_OK)
        return;
    pair->free_flow_s = (float)route.time_s;
    if (route.n_edges > COUNT_PATH_MAX)
        return;
    double edges_s = 0, edges_m = 0;
    for (uint32_t i = 0; i < route.n_edges; i++) {
        edges_s += road_edge_free_flow_s(&travel->network->edges[route.edges[i]]);
        edges_m += travel->network->edges[route.edges[i]].length_m;
    }
    pair->edges_s = (float)edges_s;
    pair->detour = (float)(route.length_m / edges_m);
    pair->n_edges = route.n_edges;
    memcpy(pair->edges, route.edges, route.n_edges * sizeof(*pair->edges));
}

const struct count_pair *count_travel_pair(
    struct count_travel *travel, uint32_t from, uint32_t from_edge, uint32_t to, uint32_t to_edge, double max_s)
{
    uint64_t hash = (((uint64_t)from << 32) | to) * 0x9E3779B97F4A7C15u;
    struct count_pair *row = &travel->pairs[(size_t)((hash >> 32) & (travel->n_rows - 1)) * ROW], *found = NULL, *oldest = row;
    for (uint32_t i = 0; i < ROW && found == NULL; i++) {
        if (row[i].used != 0 && row[i].from == from && row[i].to == to)
            found = &row[i];
        else if (row[i].used < oldest->used)
            oldest = &row[i];
    }
    if (found == NULL) {
        travel->n_replaced += oldest->used != 0;
        *oldest = (struct count_pair){.from = from, .to = to};
        found = oldest;
    }
    found->used = ++travel->used;
    /* Looked for in vain before, but not as far. */
    if (found->free_flow_s <= 0 && (double)found->searched_s < max_s)
        search_pair(travel, found, from_edge, to_edge, max_s);
    return found;
}
