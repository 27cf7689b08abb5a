/* Dijkstra's search (Numerische Mathematik 1, 1959) with a binary heap; see route.h. */
#include "road/route.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

struct node {
    double time_s, length_m;
    uint32_t parent;  /* edge; ROAD_NONE after the first */
    uint32_t search;  /* the search that wrote this node */
    uint32_t heap_at; /* place in the heap + 1; 0 when settled */
};

struct road_router {
    const struct road_network *network;
    const float *edge_s; /* borrowed; NULL: free flow */
    struct node *nodes;  /* [n_edges] */
    uint32_t *heap;      /* [n_edges] edges by time */
    uint32_t *path;      /* [n_edges] */
    uint32_t n_heap, search;
};

enum err road_router_create(const struct road_network *network, struct road_router **ret_router)
{
    struct road_router *router = mem_alloc_zero(1, sizeof(*router));
    if (router == NULL)
        return ERR_NO_MEMORY;
    router->network = network;
    router->nodes = mem_alloc_zero(network->n_edges, sizeof(*router->nodes));
    router->heap = mem_alloc_zero(network->n_edges, sizeof(*router->heap));
    router->path = mem_alloc_zero(network->n_edges, sizeof(*router->path));
    if (router->nodes == NULL || router->heap == NULL || router->path == NULL) {
        road_router_destroy(router);
        return ERR_NO_MEMORY;
    }
    *ret_router = router;
    return ERR_OK;
}

void road_router_destroy(struct road_router *router)
{
    if (router == NULL)
        return;
    mem_free(router->nodes);
    mem_free(router->heap);
    mem_free(router->path);
    mem_free(router);
}

void road_router_set_times(struct road_router *router, const float *edge_s)
{
    router->edge_s = edge_s;
}

/* ---- the heap: by time, then by edge, so that equal times have one order ---- */

static bool is_before(const struct road_router *router, uint32_t a, uint32_t b)
{
    double x = router->nodes[a].time_s, y = router->nodes[b].time_s;
    return x < y || (x == y && a < b);
}

static void put(struct road_router *router, uint32_t at, uint32_t edge)
{
    router->heap[at] = edge;
    router->nodes[edge].heap_at = at + 1;
}

static void rise(struct road_router *router, uint32_t at)
{
    uint32_t edge = router->heap[at];
    while (at > 0 && is_before(router, edge, router->heap[(at - 1) / 2])) {
        put(router, at, router->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    put(router, at, edge);
}

static uint32_t take_first(struct road_router *router)
{
    uint32_t first = router->heap[0], moved = router->heap[--router->n_heap];
    router->nodes[first].heap_at = 0;
    if (router->n_heap == 0)
        return first;
    uint32_t at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= router->n_heap)
            break;
        if (child + 1 < router->n_heap && is_before(router, router->heap[child + 1], router->heap[child]))
            child++;
        if (!is_before(router, router->heap[child], moved))
            break;
        put(router, at, router->heap[child]);
        at = child;
    }
    put(router, at, moved);
    return first;
}

static void reach(struct road_router *router, uint32_t edge, uint32_t parent, double time_s, double length_m)
{
    struct node *node = &router->nodes[edge];
    bool is_new = node->search != router->search;
    if (!is_new && (node->heap_at == 0 || node->time_s <= time_s))
        return;
    uint32_t at = is_new ? router->n_heap++ : node->heap_at - 1;
    *node = (struct node){.time_s = time_s, .length_m = length_m, .parent = parent, .search = router->search, .heap_at = at + 1};
    router->heap[at] = edge;
    rise(router, at);
}

/* Over every connection that leaves `edge`. */
static void expand(struct road_router *router, uint32_t edge, uint32_t parent, double time_s, double length_m, double max_s)
{
    const struct road_network *network = router->network;
    const struct road_connection *out = &network->connections[network->edges[edge].first_out];
    for (uint32_t i = 0; i < network->edges[edge].n_out; i++) {
        if (!out[i].is_for_cars)
            continue;
        const struct road_edge *to = &network->edges[out[i].to];
        double edge_s = router->edge_s != NULL ? (double)router->edge_s[out[i].to] : road_edge_free_flow_s(to);
        double reached_s = time_s + out[i].crossing_s + edge_s;
        if (reached_s <= max_s)
            reach(router, out[i].to, parent, reached_s, length_m + out[i].crossing_m + to->length_m);
    }
}

static void begin(struct road_router *router)
{
    router->n_heap = 0;
    router->search++;
    if (router->search == 0) { /* wrapped after 4 billion searches: old marks could be taken for new ones */
        memset(router->nodes, 0, router->network->n_edges * sizeof(*router->nodes));
        router->search = 1;
    }
}

void road_route_each(struct road_router *router, uint32_t from, const struct road_limits *limits,
    bool (*visit)(void *context, uint32_t edge, double time_s), void *context)
{
    begin(router);
    expand(router, from, ROAD_NONE, 0, 0, limits->max_s);
    for (uint32_t n = 0; router->n_heap > 0 && n < limits->max_expanded; n++) {
        uint32_t edge = take_first(router);
        if (visit(context, edge, router->nodes[edge].time_s))
            expand(router, edge, edge, router->nodes[edge].time_s, router->nodes[edge].length_m, limits->max_s);
    }
}

enum err road_route_find(
    struct road_router *router, uint32_t from, uint32_t to, const struct road_limits *limits, struct road_route *ret_route)
{
    begin(router);
    expand(router, from, ROAD_NONE, 0, 0, limits->max_s);
    for (uint32_t n = 0; router->n_heap > 0 && n < limits->max_expanded; n++) {
        uint32_t edge = take_first(router);
        if (edge != to) {
            expand(router, edge, edge, router->nodes[edge].time_s, router->nodes[edge].length_m, limits->max_s);
            continue;
        }
        uint32_t n_edges = 0;
        for (uint32_t at = to; at != ROAD_NONE; at = router->nodes[at].parent)
            router->path[n_edges++] = at;
        for (uint32_t i = 0; i < n_edges / 2; i++) {
            uint32_t swapped = router->path[i];
            router->path[i] = router->path[n_edges - 1 - i];
            router->path[n_edges - 1 - i] = swapped;
        }
        *ret_route = (struct road_route){router->nodes[to].time_s, router->nodes[to].length_m, router->path, n_edges};
        return ERR_OK;
    }
    return ERR_NOT_FOUND;
}
