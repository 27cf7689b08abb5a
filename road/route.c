/*
 * Customisation, query and unpacking (Dibbelt, Strasser, Wagner, JEA 21, 2016, sections 7 and 8); see route.h and hierarchy.h.
 *
 * A query climbs the elimination tree from both ends. There is no heap: a node's arcs lead only to nodes above it on that way, and
 * so rank order is the right order.
 */
#include "road/router.h"

#include "base/mem.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static enum err router_init(struct road_router *router)
{
    const struct road_hierarchy *hierarchy = router->hierarchy;
    size_t n = hierarchy->n;
    if ((router->edge_ms = mem_alloc(n * sizeof(*router->edge_ms))) == NULL ||
        (router->up_ms = mem_alloc(((size_t)hierarchy->up.n + 1) * sizeof(*router->up_ms))) == NULL ||
        (router->down_ms = mem_alloc(((size_t)hierarchy->down.n + 1) * sizeof(*router->down_ms))) == NULL ||
        (router->scratch = mem_alloc(n * sizeof(*router->scratch))) == NULL ||
        (router->ahead = mem_alloc(n * sizeof(*router->ahead))) == NULL ||
        (router->behind = mem_alloc(n * sizeof(*router->behind))) == NULL ||
        (router->steps = mem_alloc((n + 1) * sizeof(*router->steps))) == NULL ||
        (router->path = mem_alloc((n + 1) * sizeof(*router->path))) == NULL ||
        (router->reached = mem_alloc_zero(n, sizeof(*router->reached))) == NULL ||
        (router->heap = mem_alloc(n * sizeof(*router->heap))) == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < n; i++)
        router->scratch[i] = router->ahead[i].ms = router->behind[i].ms = MAX_MS;
    road_router_set_times(router, NULL);
    return ERR_OK;
}

enum err road_router_create_on(const struct road_hierarchy *hierarchy, struct road_router **ret_router)
{
    struct road_router *router = mem_alloc_zero(1, sizeof(*router));
    if (router == NULL)
        return ERR_NO_MEMORY;
    router->hierarchy = hierarchy;
    enum err err = router_init(router);
    if (err != ERR_OK)
        road_router_destroy(router);
    else
        *ret_router = router;
    return err;
}

enum err road_router_create(const struct road_network *network, struct road_router **ret_router)
{
    struct road_hierarchy *hierarchy = NULL;
    enum err err = road_hierarchy_create(network, &hierarchy);
    if (err != ERR_OK)
        return err;
    err = road_router_create_on(hierarchy, ret_router);
    if (err != ERR_OK)
        road_hierarchy_destroy(hierarchy);
    else
        (*ret_router)->owned = hierarchy;
    return err;
}

void road_router_destroy(struct road_router *router)
{
    if (router == NULL)
        return;
    mem_free(router->edge_ms);
    mem_free(router->up_ms);
    mem_free(router->down_ms);
    mem_free(router->scratch);
    mem_free(router->ahead);
    mem_free(router->behind);
    mem_free(router->steps);
    mem_free(router->path);
    mem_free(router->reached);
    mem_free(router->heap);
    road_hierarchy_destroy(router->owned);
    mem_free(router);
}

/* ---- customisation ---- */

/* The arcs of `node` in one direction: the turns' own times, or what is quicker over a node below both ends. `there_ms` are the times of
 * the arcs that join those to `node`, `back_ms` of the arcs in the direction that is being filled. */
static void customise_node(const struct road_router *router, uint32_t node, const struct road_arcs *there, const uint32_t *there_ms,
    const struct road_arcs *back, uint32_t *back_ms)
{
    uint32_t *const best = router->scratch, first = back->first[node], last = back->first[node + 1];
    if (first == last)
        return;
    for (uint32_t i = first; i < last; i++)
        best[back->ends[i]] = back_ms[i];
    for (uint32_t k = there->first_below[node]; k < there->first_below[node + 1]; k++) {
        struct road_below below = there->belows[k];
        uint32_t to_ms = there_ms[below.arc];
        for (uint32_t i = below.first; i < below.last; i++) {
            uint32_t ms = to_ms + back_ms[i], end = back->ends[i];
            best[end] = ms < best[end] ? ms : best[end];
        }
    }
    for (uint32_t i = first; i < last; i++) {
        back_ms[i] = best[back->ends[i]];
        best[back->ends[i]] = MAX_MS;
    }
}

static void fill_turn_times(const struct road_router *router, const struct road_arcs *arcs, uint32_t *arc_ms)
{
    const struct road_turn *turns = router->hierarchy->turns;
    for (uint32_t i = 0; i < arcs->n; i++) {
        uint32_t turn = arcs->turns[i];
        arc_ms[i] = turn == ROAD_NONE ? MAX_MS : road_add_ms(turns[turn].crossing_ms, router->edge_ms[turns[turn].to]);
    }
}

void road_router_set_times(struct road_router *router, const float *edge_s)
{
    const struct road_hierarchy *hierarchy = router->hierarchy;
    for (uint32_t e = 0; e < hierarchy->n; e++) {
        double ms = (edge_s != NULL ? (double)edge_s[e] : road_edge_free_flow_s(&hierarchy->network->edges[e])) * 1000;
        router->edge_ms[e] = !(ms < MAX_MS) ? MAX_MS : ms < 1 ? 1 : (uint32_t)(ms + 0.5);
    }
    fill_turn_times(router, &hierarchy->up, router->up_ms);
    fill_turn_times(router, &hierarchy->down, router->down_ms);
    for (uint32_t x = 0; x < hierarchy->n; x++) {
        customise_node(router, x, &hierarchy->down, router->down_ms, &hierarchy->up, router->up_ms);
        customise_node(router, x, &hierarchy->up, router->up_ms, &hierarchy->down, router->down_ms);
    }
}

const struct road_network *road_router_network(const struct road_router *router)
{
    return router->hierarchy->network;
}

const struct road_hierarchy *road_router_hierarchy(const struct road_router *router)
{
    return router->hierarchy;
}

uint32_t road_router_edge_ms(const struct road_router *router, uint32_t edge)
{
    return router->edge_ms[edge];
}

uint32_t road_router_turn_ms(const struct road_router *router, uint32_t from, uint32_t to)
{
    const struct road_hierarchy *hierarchy = router->hierarchy;
    for (uint32_t t = hierarchy->first_turn[from]; t < hierarchy->first_turn[from + 1]; t++)
        if (hierarchy->turns[t].to == to)
            return road_add_ms(hierarchy->turns[t].crossing_ms, router->edge_ms[to]);
    return MAX_MS;
}

/* ---- the query ---- */

static void relax(const struct road_arcs *arcs, const uint32_t *arc_ms, struct road_label *labels, uint32_t node)
{
    uint32_t ms = labels[node].ms;
    for (uint32_t i = arcs->first[node]; i < arcs->first[node + 1]; i++) {
        struct road_label *label = &labels[arcs->ends[i]];
        if (ms + arc_ms[i] < label->ms)
            *label = (struct road_label){ms + arc_ms[i], node, i};
    }
}

/* The time from one node to another, and the highest node on the way. The labels on the way from there to both ends stay as they
 * are but for their times, until the next query. MAX_MS: none is quicker than `below_ms`; what is not, is not followed. */
static uint32_t query(struct road_router *router, uint32_t from, uint32_t to, uint32_t below_ms, uint32_t *ret_top)
{
    const struct road_hierarchy *hierarchy = router->hierarchy;
    struct road_label *ahead = router->ahead, *behind = router->behind;
    uint32_t best = below_ms, top = ROAD_NONE, x = from, y = to;
    ahead[from].ms = behind[to].ms = 0;
    while (x != y) /* where one is above the other, or a root, the other climbs */
        if (x < y) {
            if (ahead[x].ms < best)
                relax(&hierarchy->up, router->up_ms, ahead, x);
            ahead[x].ms = MAX_MS;
            x = hierarchy->parents[x];
        } else {
            if (behind[y].ms < best)
                relax(&hierarchy->down, router->down_ms, behind, y);
            behind[y].ms = MAX_MS;
            y = hierarchy->parents[y];
        }
    for (; x != ROAD_NONE; x = hierarchy->parents[x]) {
        if (ahead[x].ms + behind[x].ms < best) {
            best = ahead[x].ms + behind[x].ms;
            top = x;
        }
        if (ahead[x].ms < best)
            relax(&hierarchy->up, router->up_ms, ahead, x);
        if (behind[x].ms < best)
            relax(&hierarchy->down, router->down_ms, behind, x);
        ahead[x].ms = behind[x].ms = MAX_MS;
    }
    *ret_top = top;
    return top != ROAD_NONE ? best : MAX_MS;
}

/* Of the ways that leave `edge` and come back to it, the first turn of the fastest. */
static uint32_t query_round(struct road_router *router, uint32_t edge, uint32_t *ret_second)
{
    const struct road_hierarchy *hierarchy = router->hierarchy;
    uint32_t best = MAX_MS, top;
    for (uint32_t t = hierarchy->first_turn[edge]; t < hierarchy->first_turn[edge + 1]; t++) {
        uint32_t next = hierarchy->turns[t].to, ms = road_add_ms(hierarchy->turns[t].crossing_ms, router->edge_ms[next]);
        if (next != edge)
            ms = road_add_ms(ms, query(router, hierarchy->ranks[next], hierarchy->ranks[edge], MAX_MS, &top));
        if (ms < best) {
            best = ms;
            *ret_second = next;
        }
    }
    return best;
}

uint32_t road_route_ms(struct road_router *router, uint32_t from, uint32_t to)
{
    uint32_t unused;
    if (from == to)
        return query_round(router, from, &unused);
    return query(router, router->hierarchy->ranks[from], router->hierarchy->ranks[to], MAX_MS, &unused);
}

/* ---- unpacking ---- */

/* The node below both ends over which a shortcut leads: two arcs whose times add up to its own. */
static void split_step(
    struct road_router *router, struct road_step step, uint32_t ms, struct road_step *ret_first, struct road_step *ret_second)
{
    const struct road_arcs *down = &router->hierarchy->down, *up = &router->hierarchy->up;
    uint32_t i = down->first_below[step.from], k = up->first_below[step.to];
    for (;;) {
        assert(i < down->first_below[step.from + 1] && k < up->first_below[step.to + 1]);
        struct road_below a = down->belows[i], b = up->belows[k];
        if (a.node == b.node && router->down_ms[a.arc] + router->up_ms[b.arc] == ms) {
            *ret_first = (struct road_step){step.from, a.node, a.arc, false};
            *ret_second = (struct road_step){a.node, step.to, b.arc, true};
            return;
        }
        i += a.node <= b.node;
        k += b.node <= a.node;
    }
}

/* Appends the edges after the step's first to the path. */
static void unpack(struct road_router *router, struct road_step step, uint32_t *n_path)
{
    const struct road_hierarchy *hierarchy = router->hierarchy;
    uint32_t n = 0;
    router->steps[n++] = step;
    while (n > 0) {
        step = router->steps[--n];
        uint32_t ms = step.is_up ? router->up_ms[step.arc] : router->down_ms[step.arc];
        uint32_t turn = step.is_up ? hierarchy->up.turns[step.arc] : hierarchy->down.turns[step.arc];
        if (turn != ROAD_NONE && road_add_ms(hierarchy->turns[turn].crossing_ms, router->edge_ms[hierarchy->turns[turn].to]) == ms) {
            router->path[(*n_path)++] = hierarchy->edges[step.to];
            continue;
        }
        struct road_step first, second;
        split_step(router, step, ms, &first, &second);
        router->steps[n++] = second; /* every piece is a turn at least: no more of them than edges */
        router->steps[n++] = first;
    }
}

/* The way that the last query found, over `top`. */
static void unpack_way(struct road_router *router, uint32_t from, uint32_t to, uint32_t top, uint32_t *n_path)
{
    const struct road_label *ahead = router->ahead, *behind = router->behind;
    uint32_t n_up = 0;
    for (uint32_t x = top; x != from; x = ahead[x].before)
        router->scratch[n_up++] = x;
    for (uint32_t i = n_up; i-- > 0;) {
        uint32_t x = router->scratch[i];
        router->scratch[i] = MAX_MS;
        unpack(router, (struct road_step){ahead[x].before, x, ahead[x].arc, true}, n_path);
    }
    for (uint32_t x = top; x != to; x = behind[x].before)
        unpack(router, (struct road_step){x, behind[x].before, behind[x].arc, false}, n_path);
}

static double way_length_m(const struct road_router *router, uint32_t from, uint32_t n_path)
{
    const struct road_hierarchy *hierarchy = router->hierarchy;
    double length_m = 0;
    for (uint32_t i = 0; i < n_path; i++) {
        uint32_t edge = router->path[i], t = hierarchy->first_turn[from];
        while (hierarchy->turns[t].to != edge)
            t++;
        length_m += (double)hierarchy->turns[t].crossing_m + hierarchy->network->edges[edge].length_m;
        from = edge;
    }
    return length_m;
}

/* ---- near by ---- */

static uint32_t least_ms(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/*
 * Most ways that are asked for lead to the next edge, or to the one after it. Where one of these is quicker than any other way can be,
 * nothing need be searched: every way but those goes on beyond an edge two turns ahead, and takes longer than to there. Answers the
 * milliseconds and appends to the path; MAX_MS: it has to be searched for, and *below_ms comes down to what is longer than such a way.
 */
static uint32_t find_near(struct road_router *router, uint32_t from, uint32_t to, uint32_t *n_path, uint32_t *below_ms)
{
    const struct road_hierarchy *hierarchy = router->hierarchy;
    const struct road_turn *turns = hierarchy->turns;
    uint32_t best = MAX_MS, others = MAX_MS, over = to; /* without the edge `to`, which is a part of all of them */
    for (uint32_t i = hierarchy->first_turn[from]; i < hierarchy->first_turn[from + 1]; i++) {
        uint32_t next = turns[i].to, next_ms = road_add_ms(turns[i].crossing_ms, router->edge_ms[next]);
        uint32_t first = next == to ? i : hierarchy->first_turn[next], last = next == to ? i + 1 : hierarchy->first_turn[next + 1];
        for (uint32_t k = first; k < last; k++) {
            uint32_t ms = road_add_ms(next == to ? 0 : next_ms, turns[k].crossing_ms);
            if (turns[k].to != to) {
                others = least_ms(others, road_add_ms(ms, router->edge_ms[turns[k].to]));
            } else if (ms < best) {
                others = least_ms(others, best);
                best = ms;
                over = next;
            } else {
                others = least_ms(others, ms);
            }
        }
    }
    if (best >= others || router->edge_ms[to] >= MAX_MS) {
        *below_ms = least_ms(*below_ms, road_add_ms(road_add_ms(best, router->edge_ms[to]), 1));
        return MAX_MS;
    }
    if (over != to)
        router->path[(*n_path)++] = over;
    router->path[(*n_path)++] = to;
    return road_add_ms(best, router->edge_ms[to]);
}

enum err road_route_find(
    struct road_router *router, uint32_t from, uint32_t to, const struct road_limits *limits, struct road_route *ret_route)
{
    const uint32_t *ranks = router->hierarchy->ranks;
    uint32_t n_path = 0, top = ROAD_NONE, begin = from, ms, below_ms = MAX_MS;
    if (limits->max_s < MAX_MS / 1000)
        below_ms = limits->max_s < 0 ? 0 : (uint32_t)(limits->max_s * 1000) + 1;
    if (from == to) {
        ms = query_round(router, from, &begin);
        if (ms < MAX_MS)
            router->path[n_path++] = begin;
    } else if ((ms = find_near(router, from, to, &n_path, &below_ms)) < MAX_MS) {
        begin = to;
    } else {
        ms = query(router, ranks[from], ranks[to], below_ms, &top);
    }
    if (ms >= MAX_MS || ms > limits->max_s * 1000)
        return ERR_NOT_FOUND;
    if (from == to && begin != to)
        query(router, ranks[begin], ranks[to], MAX_MS, &top);
    if (begin != to)
        unpack_way(router, ranks[begin], ranks[to], top, &n_path);
    *ret_route = (struct road_route){ms / 1000.0, way_length_m(router, from, n_path), router->path, n_path};
    return ERR_OK;
}

/* ---- all at once: one climb and one sweep down (PHAST: Delling, Goldberg, Nowatzyk, Werneck, JPDC 73, 2013) ---- */

void road_route_all_ms(struct road_router *router, uint32_t from, uint32_t *ret_ms)
{
    const struct road_hierarchy *hierarchy = router->hierarchy;
    const struct road_arcs *up = &hierarchy->up, *down = &hierarchy->down;
    uint32_t *node_ms = router->scratch, start = hierarchy->ranks[from];
    node_ms[start] = 0;
    for (uint32_t x = start; x != ROAD_NONE; x = hierarchy->parents[x])
        for (uint32_t i = up->first[x]; i < up->first[x + 1] && node_ms[x] < MAX_MS; i++)
            if (node_ms[x] + router->up_ms[i] < node_ms[up->ends[i]])
                node_ms[up->ends[i]] = node_ms[x] + router->up_ms[i];
    for (uint32_t x = hierarchy->n; x-- > 0;) {
        uint32_t best = node_ms[x];
        for (uint32_t i = down->first[x]; i < down->first[x + 1]; i++) {
            uint32_t ms = node_ms[down->ends[i]] + router->down_ms[i];
            best = ms < best ? ms : best;
        }
        node_ms[x] = best;
    }
    for (uint32_t x = 0; x < hierarchy->n; x++) {
        ret_ms[hierarchy->edges[x]] = node_ms[x];
        node_ms[x] = MAX_MS;
    }
    ret_ms[from] = road_route_ms(router, from, from);
}
