/* Dijkstra's walk (Numerische Mathematik 1, 1959) over the turns with a binary heap, for those who stop early; see route.h. */
#include "road/router.h"

#include <string.h>

/* ---- the heap: by time, then by edge, so that equal times have one order ---- */

static bool is_before(const struct road_router *router, uint32_t a, uint32_t b)
{
    uint32_t x = router->reached[a].ms, y = router->reached[b].ms;
    return x < y || (x == y && a < b);
}

static void put(struct road_router *router, uint32_t at, uint32_t edge)
{
    router->heap[at] = edge;
    router->reached[edge].heap_at = at + 1;
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
    router->reached[first].heap_at = 0;
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

static void reach(struct road_router *router, uint32_t edge, uint32_t ms)
{
    struct road_reached *reached = &router->reached[edge];
    bool is_new = reached->search != router->search;
    if (!is_new && (reached->heap_at == 0 || reached->ms <= ms))
        return;
    uint32_t at = is_new ? router->n_heap++ : reached->heap_at - 1;
    *reached = (struct road_reached){.ms = ms, .search = router->search, .heap_at = at + 1};
    router->heap[at] = edge;
    rise(router, at);
}

static void expand(struct road_router *router, uint32_t edge, uint32_t ms, uint32_t max_ms)
{
    const struct road_hierarchy *hierarchy = router->hierarchy;
    for (uint32_t t = hierarchy->first_turn[edge]; t < hierarchy->first_turn[edge + 1]; t++) {
        const struct road_turn *turn = &hierarchy->turns[t];
        uint32_t reached_ms = road_add_ms(ms, road_add_ms(turn->crossing_ms, router->edge_ms[turn->to]));
        if (reached_ms <= max_ms)
            reach(router, turn->to, reached_ms);
    }
}

void road_route_each(struct road_router *router, uint32_t from, const struct road_limits *limits,
    bool (*visit)(void *context, uint32_t edge, double time_s), void *context)
{
    double limit_ms = limits->max_s * 1000;
    uint32_t max_ms = !(limit_ms > 0) ? 0 : limit_ms < MAX_MS ? (uint32_t)limit_ms : MAX_MS - 1;
    router->n_heap = 0;
    router->search++;
    if (router->search == 0) { /* wrapped after 4 billion walks: old marks could be taken for new ones */
        memset(router->reached, 0, router->hierarchy->n * sizeof(*router->reached));
        router->search = 1;
    }
    expand(router, from, 0, max_ms);
    for (uint32_t n = 0; router->n_heap > 0 && n < limits->max_expanded; n++) {
        uint32_t edge = take_first(router), ms = router->reached[edge].ms;
        if (visit(context, edge, ms / 1000.0))
            expand(router, edge, ms, max_ms);
    }
}
