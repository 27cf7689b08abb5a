/* Short ways by distance; see walk.h. */
#include "road/walk.h"

#include "base/mem.h"

#include <math.h>
#include <string.h>

struct place {
    double m;        /* to its start */
    uint32_t before; /* edge; ROAD_NONE after the first */
    uint32_t search; /* that wrote it */
    uint32_t wanted; /* the search that asks for it */
    bool is_settled;
};

struct waiting {
    double m;
    uint32_t edge;
};

struct road_walk {
    const struct road_hierarchy *hierarchy;
    struct place *places; /* [n] by edge */
    struct waiting *heap; /* [n_turns + 1]; an edge is in it once for each time it got nearer */
    uint32_t *path;       /* [n] */
    uint32_t n_heap, search;
};

enum err road_walk_create(const struct road_hierarchy *hierarchy, struct road_walk **ret_walk)
{
    struct road_walk *walk = mem_alloc_zero(1, sizeof(*walk));
    if (walk == NULL)
        return ERR_NO_MEMORY;
    walk->hierarchy = hierarchy;
    walk->places = mem_alloc_zero(hierarchy->n, sizeof(*walk->places));
    walk->heap = mem_alloc(((size_t)hierarchy->n_turns + 1) * sizeof(*walk->heap));
    walk->path = mem_alloc(hierarchy->n * sizeof(*walk->path));
    if (walk->places == NULL || walk->heap == NULL || walk->path == NULL) {
        road_walk_destroy(walk);
        return ERR_NO_MEMORY;
    }
    *ret_walk = walk;
    return ERR_OK;
}

void road_walk_destroy(struct road_walk *walk)
{
    if (walk == NULL)
        return;
    mem_free(walk->places);
    mem_free(walk->heap);
    mem_free(walk->path);
    mem_free(walk);
}

static bool is_before(struct waiting a, struct waiting b)
{
    return a.m < b.m || (a.m <= b.m && a.edge < b.edge);
}

static void push(struct road_walk *walk, double m, uint32_t edge, uint32_t before)
{
    struct place *place = &walk->places[edge];
    bool is_new = place->search != walk->search;
    if (!is_new && (place->is_settled || place->m <= m))
        return;
    place->m = m;
    place->before = before;
    place->search = walk->search;
    place->is_settled = false;
    struct waiting waiting = {m, edge};
    uint32_t at = walk->n_heap++;
    for (; at > 0 && is_before(waiting, walk->heap[(at - 1) / 2]); at = (at - 1) / 2)
        walk->heap[at] = walk->heap[(at - 1) / 2];
    walk->heap[at] = waiting;
}

static struct waiting pop(struct road_walk *walk)
{
    struct waiting first = walk->heap[0], moved = walk->heap[--walk->n_heap];
    uint32_t at = 0;
    for (uint32_t child = 1; child < walk->n_heap; child = 2 * at + 1) {
        if (child + 1 < walk->n_heap && is_before(walk->heap[child + 1], walk->heap[child]))
            child++;
        if (!is_before(walk->heap[child], moved))
            break;
        walk->heap[at] = walk->heap[child];
        at = child;
    }
    walk->heap[at] = moved;
    return first;
}

static void expand(struct road_walk *walk, uint32_t edge, double m, uint32_t before, double max_m)
{
    const struct road_hierarchy *hierarchy = walk->hierarchy;
    for (uint32_t t = hierarchy->first_turn[edge]; t < hierarchy->first_turn[edge + 1]; t++) {
        double start_m = m + (double)hierarchy->turns[t].crossing_m;
        if (start_m <= max_m)
            push(walk, start_m, hierarchy->turns[t].to, before);
    }
}

static void begin(struct road_walk *walk)
{
    walk->n_heap = 0;
    walk->search++;
    if (walk->search == 0) { /* wrapped: old marks could be taken for new ones */
        memset(walk->places, 0, walk->hierarchy->n * sizeof(*walk->places));
        walk->search = 1;
    }
}

void road_walk_find(struct road_walk *walk, uint32_t from, const uint32_t *to, uint32_t n, double max_m, double *ret_m)
{
    uint32_t n_wanted = 0;
    begin(walk);
    for (uint32_t i = 0; i < n; i++) {
        n_wanted += walk->places[to[i]].wanted != walk->search;
        walk->places[to[i]].wanted = walk->search;
    }
    expand(walk, from, 0, ROAD_NONE, max_m);
    for (uint32_t n_expanded = 0; walk->n_heap > 0 && n_wanted > 0 && n_expanded < ROAD_WALK_EXPANDED_MAX;) {
        struct waiting next = pop(walk);
        struct place *place = &walk->places[next.edge];
        if (place->is_settled)
            continue;
        place->is_settled = true;
        n_wanted -= place->wanted == walk->search;
        n_expanded++;
        expand(walk, next.edge, place->m + walk->hierarchy->network->edges[next.edge].length_m, next.edge, max_m);
    }
    for (uint32_t i = 0; i < n; i++) {
        const struct place *place = &walk->places[to[i]];
        ret_m[i] = place->search == walk->search && place->is_settled ? place->m : INFINITY;
    }
}

const uint32_t *road_walk_path(struct road_walk *walk, uint32_t to, uint32_t *ret_n)
{
    uint32_t n = 0;
    for (uint32_t at = to; at != ROAD_NONE; at = walk->places[at].before)
        n++;
    uint32_t left = n;
    for (uint32_t at = to; at != ROAD_NONE; at = walk->places[at].before)
        walk->path[--left] = at;
    *ret_n = n;
    return walk->path;
}
