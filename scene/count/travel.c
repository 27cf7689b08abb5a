/* Ways between cameras; see travel.h. */
#include "scene/count/travel.h"

#include "base/mem.h"
#include "scene/count/quick.h"

#include <string.h>

#define LINE alignof(struct count_pair)

enum err count_travel_init(struct count_travel *travel, const struct road_network *network, uint32_t pairs_max)
{
    *travel = (struct count_travel){.network = network, .n_rows = 1};
    while (travel->n_rows * COUNT_PAIRS_ROW < pairs_max)
        travel->n_rows *= 2;
    travel->memory = mem_alloc_zero(1, count_travel_memory(travel));
    if (travel->memory == NULL)
        return ERR_NO_MEMORY;
    travel->rows = (void *)(((uintptr_t)travel->memory + LINE - 1) / LINE * LINE);
    travel->pairs = (void *)(travel->rows + travel->n_rows);
    return road_router_create(network, &travel->router);
}

void count_travel_finish(struct count_travel *travel)
{
    if (travel == NULL)
        return;
    mem_free(travel->memory);
    road_router_destroy(travel->router);
    *travel = (struct count_travel){.n_rows = 0};
}

size_t count_travel_memory(const struct count_travel *travel)
{
    return (size_t)travel->n_rows * (sizeof(struct count_pair_row) + COUNT_PAIRS_ROW * sizeof(struct count_pair)) + LINE;
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

/* Its row, and its tag there, which is not 0. */
static uint32_t row_of(const struct count_travel *travel, uint32_t from, uint32_t to, uint32_t *ret_tag)
{
    uint64_t hash = (((uint64_t)from << 32) | to) * 0x9E3779B97F4A7C15u;
    hash = (hash ^ hash >> 32) * 0x9E3779B97F4A7C15u;
    *ret_tag = (uint32_t)hash | 1;
    return (uint32_t)(hash >> 32) & (travel->n_rows - 1);
}

static uint32_t find_pair(struct count_travel *travel, uint32_t from, uint32_t to)
{
    uint32_t tag, at = row_of(travel, from, to, &tag), oldest = 0;
    struct count_pair_row *row = &travel->rows[at];
    struct count_pair *pairs = &travel->pairs[(size_t)at * COUNT_PAIRS_ROW];
    for (uint32_t places = count_match8(row->tags, tag); places != 0; places &= places - 1) {
        uint32_t i = (uint32_t)__builtin_ctz(places);
        if (pairs[i].from == from && pairs[i].to == to)
            return at * COUNT_PAIRS_ROW + i;
    }
    for (uint32_t i = 1; i < COUNT_PAIRS_ROW && row->tags[oldest] != 0; i++)
        if (row->tags[i] == 0 || travel->used - row->used[i] > travel->used - row->used[oldest])
            oldest = i;
    travel->n_replaced += row->tags[oldest] != 0;
    row->tags[oldest] = tag;
    pairs[oldest] = (struct count_pair){.from = from, .to = to};
    return at * COUNT_PAIRS_ROW + oldest;
}

const struct count_pair *count_travel_pair(
    struct count_travel *travel, uint32_t from, uint32_t from_edge, uint32_t to, uint32_t to_edge, double max_s)
{
    struct count_pair *found = &travel->pairs[travel->last];
    uint32_t i = travel->last % COUNT_PAIRS_ROW;
    if (found->from != from || found->to != to || travel->rows[travel->last / COUNT_PAIRS_ROW].tags[i] == 0) {
        travel->last = find_pair(travel, from, to);
        found = &travel->pairs[travel->last];
        i = travel->last % COUNT_PAIRS_ROW;
    }
    travel->rows[travel->last / COUNT_PAIRS_ROW].used[i] = ++travel->used;
    /* Looked for in vain before, but not as far. */
    if (found->free_flow_s <= 0 && (double)found->searched_s < max_s)
        search_pair(travel, found, from_edge, to_edge, max_s);
    return found;
}

void count_travel_fetch(const struct count_travel *travel, uint32_t from, uint32_t to)
{
    uint32_t tag;
    __builtin_prefetch(&travel->rows[row_of(travel, from, to, &tag)]);
}

uint32_t count_travel_fetch_pair(const struct count_travel *travel, uint32_t from, uint32_t to)
{
    uint32_t tag, at = row_of(travel, from, to, &tag), places = count_match8(travel->rows[at].tags, tag);
    if (places == 0)
        return COUNT_PAIR_NONE;
    at = at * COUNT_PAIRS_ROW + (uint32_t)__builtin_ctz(places);
    __builtin_prefetch(&travel->pairs[at]);
    return at;
}

void count_travel_guess(struct count_travel *travel, uint32_t place)
{
    if (place < travel->n_rows * COUNT_PAIRS_ROW)
        travel->last = place;
}
