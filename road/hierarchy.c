/* Making a hierarchy: turns, order, contraction; see hierarchy.h. */
#include "road/hierarchy.h"

#include "base/mem.h"
#include "road/order.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CAP_MIN 1024u

/* One direction while it grows: for each node the arcs that end there, as a list. */
struct growing {
    struct road_arcs *arcs;
    uint32_t cap;
    uint32_t *tails;      /* [cap] the lower end */
    uint32_t *next_below; /* [cap] the next arc with the same upper end */
    uint32_t *last_below; /* [n] the arc found last of those with this upper end; ROAD_NONE */
};

struct making {
    struct road_hierarchy *hierarchy;
    struct growing up, down;
    uint32_t *first_into, *into; /* turns by the edge they lead onto: CSR of places in `turns` */
    uint32_t *turn_tails;        /* [n_turns] edges */
    uint32_t *seen;              /* [n] by node: the search that saw it last */
    uint32_t *turn_at;           /* [n] by node seen: the turn there; ROAD_NONE */
    uint32_t *found;             /* [n] nodes seen */
    uint32_t n_found, search;
};

static int compare_numbers(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* ---- turns ---- */

static uint32_t crossing_ms(const struct road_connection *connection)
{
    double ms = (double)connection->crossing_s * 1000;
    return ms < 1e9 ? (uint32_t)lround(ms) : 1000000000u;
}

/* One turn for the lanes that make it, the quickest. They are sorted by where they lead. */
static void add_turns(struct road_hierarchy *hierarchy, uint32_t edge)
{
    const struct road_network *network = hierarchy->network;
    uint32_t first = hierarchy->first_turn[edge] = hierarchy->n_turns;
    for (uint32_t i = 0; i < network->edges[edge].n_out; i++) {
        const struct road_connection *connection = &network->connections[network->edges[edge].first_out + i];
        if (!connection->is_for_cars)
            continue;
        struct road_turn turn = {connection->to, crossing_ms(connection), connection->crossing_m};
        uint32_t at = hierarchy->n_turns;
        for (; at > first && hierarchy->turns[at - 1].to > turn.to; at--)
            ;
        bool is_known = at > first && hierarchy->turns[at - 1].to == turn.to;
        if (is_known && turn.crossing_ms < hierarchy->turns[at - 1].crossing_ms)
            hierarchy->turns[at - 1] = turn;
        if (is_known)
            continue;
        memmove(&hierarchy->turns[at + 1], &hierarchy->turns[at], (hierarchy->n_turns - at) * sizeof(turn));
        hierarchy->turns[at] = turn;
        hierarchy->n_turns++;
    }
}

static enum err fill_turns(struct making *making)
{
    struct road_hierarchy *hierarchy = making->hierarchy;
    uint32_t n = hierarchy->n, n_connections = hierarchy->network->n_connections;
    hierarchy->first_turn = mem_alloc_zero((size_t)n + 1, sizeof(*hierarchy->first_turn));
    hierarchy->turns = mem_alloc_zero((size_t)n_connections + 1, sizeof(*hierarchy->turns));
    making->turn_tails = mem_alloc_zero((size_t)n_connections + 1, sizeof(*making->turn_tails));
    making->into = mem_alloc_zero((size_t)n_connections + 1, sizeof(*making->into));
    making->first_into = mem_alloc_zero((size_t)n + 2, sizeof(*making->first_into));
    if (hierarchy->first_turn == NULL || hierarchy->turns == NULL || making->turn_tails == NULL || making->into == NULL ||
        making->first_into == NULL)
        return ERR_NO_MEMORY;
    for (uint32_t e = 0; e < n; e++) {
        add_turns(hierarchy, e);
        for (uint32_t t = hierarchy->first_turn[e]; t < hierarchy->n_turns; t++) {
            making->turn_tails[t] = e;
            making->first_into[hierarchy->turns[t].to + 2]++;
        }
    }
    hierarchy->first_turn[n] = hierarchy->n_turns;
    for (uint32_t e = 0; e < n; e++)
        making->first_into[e + 2] += making->first_into[e + 1];
    for (uint32_t t = 0; t < hierarchy->n_turns; t++) /* what stands one place on moves up to where the next begins */
        making->into[making->first_into[hierarchy->turns[t].to + 1]++] = t;
    return ERR_OK;
}

/* ---- the elimination tree: Liu, SIAM J. Matrix Anal. Appl. 11, 1990, section 4 ---- */

static void climb(struct road_hierarchy *hierarchy, uint32_t *tops, uint32_t below, uint32_t node)
{
    while (below < node) {
        uint32_t top = tops[below];
        tops[below] = node; /* who climbs here again skips the way */
        if (top == ROAD_NONE) {
            hierarchy->parents[below] = node;
            return;
        }
        below = top;
    }
}

static void fill_parents(struct making *making)
{
    struct road_hierarchy *hierarchy = making->hierarchy;
    uint32_t *tops = making->found; /* not needed for anything else yet */
    for (uint32_t x = 0; x < hierarchy->n; x++) {
        uint32_t e = hierarchy->edges[x];
        hierarchy->parents[x] = tops[x] = ROAD_NONE;
        for (uint32_t t = hierarchy->first_turn[e]; t < hierarchy->first_turn[e + 1]; t++)
            climb(hierarchy, tops, hierarchy->ranks[hierarchy->turns[t].to], x);
        for (uint32_t i = making->first_into[e]; i < making->first_into[e + 1]; i++)
            climb(hierarchy, tops, hierarchy->ranks[making->turn_tails[making->into[i]]], x);
    }
}

/* ---- contraction ---- */

static void see(struct making *making, uint32_t node, uint32_t turn)
{
    if (making->seen[node] == making->search) {
        if (turn != ROAD_NONE)
            making->turn_at[node] = turn;
        return;
    }
    making->seen[node] = making->search;
    making->turn_at[node] = turn;
    making->found[making->n_found++] = node;
}

/* The higher nodes that `node` is joined to by way of a lower one: up from where it comes down to, and the other way round. */
static void see_over_lower(struct making *making, const struct growing *there, const struct growing *back, uint32_t node)
{
    for (uint32_t arc = there->last_below[node]; arc != ROAD_NONE; arc = there->next_below[arc]) {
        uint32_t lower = there->tails[arc];
        for (uint32_t i = back->arcs->first[lower]; i < back->arcs->first[lower + 1]; i++)
            if (back->arcs->ends[i] > node)
                see(making, back->arcs->ends[i], ROAD_NONE);
    }
}

static enum err grow(struct growing *growing, uint32_t n_more)
{
    struct road_arcs *arcs = growing->arcs;
    if (n_more > ROAD_ARCS_MAX - arcs->n)
        return ERR_TOO_LARGE;
    uint32_t cap = growing->cap < CAP_MIN ? CAP_MIN : growing->cap;
    while (cap < arcs->n + n_more)
        cap *= 2;
    if (cap == growing->cap)
        return ERR_OK;
    uint32_t **const arrays[] = {&arcs->ends, &arcs->turns, &growing->tails, &growing->next_below};
    for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++) {
        uint32_t *array = mem_resize(*arrays[i], (size_t)cap * sizeof(*array));
        if (array == NULL)
            return ERR_NO_MEMORY;
        *arrays[i] = array;
    }
    growing->cap = cap;
    return ERR_OK;
}

/* What was seen becomes the arcs of `node`. */
static enum err add_arcs(struct making *making, struct growing *growing, uint32_t node)
{
    struct road_arcs *arcs = growing->arcs;
    enum err err = grow(growing, making->n_found);
    if (err != ERR_OK)
        return err;
    qsort(making->found, making->n_found, sizeof(*making->found), compare_numbers);
    for (uint32_t i = 0; i < making->n_found; i++) {
        uint32_t end = making->found[i], arc = arcs->n++;
        arcs->ends[arc] = end;
        arcs->turns[arc] = making->turn_at[end];
        growing->tails[arc] = node;
        growing->next_below[arc] = growing->last_below[end];
        growing->last_below[end] = arc;
    }
    arcs->first[node + 1] = arcs->n;
    return ERR_OK;
}

static enum err contract(struct making *making)
{
    const struct road_hierarchy *hierarchy = making->hierarchy;
    enum err err = ERR_OK;
    memset(making->seen, 0, hierarchy->n * sizeof(*making->seen));
    making->search = 0;
    for (uint32_t x = 0; x < hierarchy->n && err == ERR_OK; x++) {
        uint32_t e = hierarchy->edges[x];
        making->search++;
        making->n_found = 0;
        for (uint32_t t = hierarchy->first_turn[e]; t < hierarchy->first_turn[e + 1]; t++)
            if (hierarchy->ranks[hierarchy->turns[t].to] > x)
                see(making, hierarchy->ranks[hierarchy->turns[t].to], t);
        see_over_lower(making, &making->down, &making->up, x);
        err = add_arcs(making, &making->up, x);
        if (err != ERR_OK)
            break;
        making->search++;
        making->n_found = 0;
        for (uint32_t i = making->first_into[e]; i < making->first_into[e + 1]; i++) {
            uint32_t tail = hierarchy->ranks[making->turn_tails[making->into[i]]];
            if (tail > x)
                see(making, tail, making->into[i]);
        }
        see_over_lower(making, &making->up, &making->down, x);
        err = add_arcs(making, &making->down, x);
    }
    return err;
}

/* The arcs by their upper end, and the triangles that each is a side of. */
static enum err fill_belows(const struct growing *growing, const struct road_arcs *back, uint32_t n)
{
    struct road_arcs *arcs = growing->arcs;
    arcs->belows = mem_alloc(((size_t)arcs->n + 1) * sizeof(*arcs->belows));
    arcs->first_below = mem_alloc_zero((size_t)n + 2, sizeof(*arcs->first_below));
    if (arcs->belows == NULL || arcs->first_below == NULL)
        return ERR_NO_MEMORY;
    for (uint32_t arc = 0; arc < arcs->n; arc++)
        arcs->first_below[arcs->ends[arc] + 2]++;
    for (uint32_t x = 0; x < n; x++)
        arcs->first_below[x + 2] += arcs->first_below[x + 1];
    for (uint32_t arc = 0; arc < arcs->n; arc++) {
        uint32_t end = arcs->ends[arc], lower = growing->tails[arc], first = back->first[lower];
        while (first < back->first[lower + 1] && back->ends[first] <= end)
            first++;
        arcs->belows[arcs->first_below[end + 1]++] = (struct road_below){lower, arc, first, back->first[lower + 1]};
    }
    return ERR_OK;
}

static enum err growing_init(struct growing *growing, struct road_arcs *arcs, uint32_t n)
{
    *growing = (struct growing){.arcs = arcs};
    arcs->first = mem_alloc_zero((size_t)n + 1, sizeof(*arcs->first));
    growing->last_below = mem_alloc((size_t)n * sizeof(*growing->last_below));
    if (arcs->first == NULL || growing->last_below == NULL)
        return ERR_NO_MEMORY;
    memset(growing->last_below, 0xff, n * sizeof(*growing->last_below)); /* ROAD_NONE */
    return grow(growing, 1);
}

static void making_finish(struct making *making)
{
    mem_free(making->up.tails);
    mem_free(making->up.next_below);
    mem_free(making->up.last_below);
    mem_free(making->down.tails);
    mem_free(making->down.next_below);
    mem_free(making->down.last_below);
    mem_free(making->first_into);
    mem_free(making->into);
    mem_free(making->turn_tails);
    mem_free(making->seen);
    mem_free(making->turn_at);
    mem_free(making->found);
}

static enum err make(struct making *making)
{
    struct road_hierarchy *hierarchy = making->hierarchy;
    size_t n = hierarchy->n, size = sizeof(uint32_t);
    if ((hierarchy->edges = mem_alloc(n * size)) == NULL || (hierarchy->ranks = mem_alloc(n * size)) == NULL ||
        (hierarchy->parents = mem_alloc(n * size)) == NULL || (making->seen = mem_alloc(n * size)) == NULL ||
        (making->turn_at = mem_alloc(n * size)) == NULL || (making->found = mem_alloc(n * size)) == NULL)
        return ERR_NO_MEMORY;
    enum err err = road_order_find(hierarchy->network, hierarchy->edges);
    if (err == ERR_OK)
        err = fill_turns(making);
    if (err == ERR_OK)
        err = growing_init(&making->up, &hierarchy->up, hierarchy->n);
    if (err == ERR_OK)
        err = growing_init(&making->down, &hierarchy->down, hierarchy->n);
    if (err != ERR_OK)
        return err;
    for (uint32_t x = 0; x < hierarchy->n; x++)
        hierarchy->ranks[hierarchy->edges[x]] = x;
    fill_parents(making);
    err = contract(making);
    if (err == ERR_OK)
        err = fill_belows(&making->up, &hierarchy->down, hierarchy->n);
    if (err == ERR_OK)
        err = fill_belows(&making->down, &hierarchy->up, hierarchy->n);
    return err;
}

enum err road_hierarchy_create(const struct road_network *network, struct road_hierarchy **ret_hierarchy)
{
    struct making making = {.hierarchy = mem_alloc_zero(1, sizeof(struct road_hierarchy))};
    if (making.hierarchy == NULL)
        return ERR_NO_MEMORY;
    making.hierarchy->network = network;
    making.hierarchy->n = network->n_edges;
    enum err err = make(&making);
    making_finish(&making);
    if (err != ERR_OK)
        road_hierarchy_destroy(making.hierarchy);
    else
        *ret_hierarchy = making.hierarchy;
    return err;
}

static void arcs_finish(struct road_arcs *arcs)
{
    mem_free(arcs->first);
    mem_free(arcs->ends);
    mem_free(arcs->turns);
    mem_free(arcs->first_below);
    mem_free(arcs->belows);
}

void road_hierarchy_destroy(struct road_hierarchy *hierarchy)
{
    if (hierarchy == NULL)
        return;
    mem_free(hierarchy->edges);
    mem_free(hierarchy->ranks);
    mem_free(hierarchy->first_turn);
    mem_free(hierarchy->turns);
    mem_free(hierarchy->parents);
    arcs_finish(&hierarchy->up);
    arcs_finish(&hierarchy->down);
    mem_free(hierarchy);
}
