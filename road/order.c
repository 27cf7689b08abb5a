/* Nested dissection by inertial flow; see order.h. */
#include "road/order.h"

#include "base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define N_DIRECTIONS 8     /* in which the junctions are lined up; the cheapest cut is taken */
#define N_DIRECTIONS_BIG 4 /* with more than BIG junctions: a flow through a nation takes a while */
#define BIG 100000u
#define END_SHARE 4 /* a fourth of the junctions at each end is not cut: no half is smaller */
#define RADIANS (M_PI / 180)

struct link { /* from one junction to a neighbour; its twin goes back */
    uint32_t to, twin;
    int32_t capacity; /* edges between the two, either direction */
    int32_t flow;     /* minus the twin's */
};

struct lined_up {
    double at; /* along the direction */
    uint32_t junction;
};

enum end { END_NONE, END_SOURCE, END_SINK };

struct dissection {
    const struct road_network *network;
    uint32_t *first_link; /* [n_junctions + 1] */
    struct link *links;
    uint32_t *first_edge, *edges; /* edges that leave a junction: CSR */
    uint32_t *junctions;          /* permuted: a cell is a range of it */
    uint32_t *cells;              /* by junction: number of its cell */
    uint32_t n_cells;
    uint8_t *ends;               /* by junction: enum end */
    uint8_t *is_far, *best_far;  /* by junction: on the sinks' side of the cut (of the best so far) */
    uint32_t *levels, *currents; /* of the flow: by junction */
    uint32_t *queue, *path;
    struct lined_up *line;
    uint32_t *out;  /* where the order goes, from its end */
    uint32_t n_out; /* places of it still free */
};

/* ---- the junctions as a graph ---- */

static void fill_edges(struct dissection *d)
{
    const struct road_network *network = d->network;
    for (uint32_t e = 0; e < network->n_edges; e++)
        d->first_edge[network->edges[e].from + 2]++;
    for (uint32_t j = 0; j < network->n_junctions; j++)
        d->first_edge[j + 2] += d->first_edge[j + 1];
    for (uint32_t e = 0; e < network->n_edges; e++) /* what stands one place on moves up to where the next begins */
        d->edges[d->first_edge[network->edges[e].from + 1]++] = e;
}

static int compare_pairs(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* One pair of twin links for all edges between two junctions. `pairs[n_edges]` is scratch: (low << 32 | high) sorted. */
static void fill_links(struct dissection *d, uint64_t *pairs)
{
    const struct road_network *network = d->network;
    uint32_t n = 0, n_links = 0;
    for (uint32_t e = 0; e < network->n_edges; e++) {
        uint64_t from = network->edges[e].from, to = network->edges[e].to;
        if (from != to && network->edges[e].n_car_lanes > 0)
            pairs[n++] = from < to ? from << 32 | to : to << 32 | from;
    }
    qsort(pairs, n, sizeof(*pairs), compare_pairs);
    for (uint32_t i = 0; i < n; i++)
        if (i == 0 || pairs[i] != pairs[i - 1]) {
            d->first_link[(pairs[i] >> 32) + 1]++;
            d->first_link[(pairs[i] & UINT32_MAX) + 1]++;
        }
    for (uint32_t j = 0; j < network->n_junctions; j++)
        d->first_link[j + 1] += d->first_link[j];
    memcpy(d->currents, d->first_link, network->n_junctions * sizeof(*d->currents));
    for (uint32_t i = 0; i < n; i += n_links) {
        for (n_links = 1; i + n_links < n && pairs[i + n_links] == pairs[i]; n_links++)
            ;
        uint32_t a = (uint32_t)(pairs[i] >> 32), b = (uint32_t)pairs[i], to_b = d->currents[a]++, to_a = d->currents[b]++;
        d->links[to_b] = (struct link){.to = b, .twin = to_a, .capacity = (int32_t)n_links};
        d->links[to_a] = (struct link){.to = a, .twin = to_b, .capacity = (int32_t)n_links};
    }
}

/* ---- the flow: Dinic's algorithm (Soviet Math. Doklady 11, 1970), many sources, many sinks ---- */

static bool is_open(const struct dissection *d, const struct link *link, uint32_t cell)
{
    return link->capacity > link->flow && d->cells[link->to] == cell;
}

/* Distances from the sources over open links; false when no sink is reached. */
static bool find_levels(struct dissection *d, uint32_t low, uint32_t high)
{
    uint32_t n = 0, cell = d->cells[d->junctions[low]];
    bool is_reached = false;
    for (uint32_t i = low; i < high; i++) {
        uint32_t u = d->junctions[i];
        d->levels[u] = d->ends[u] == END_SOURCE ? 0 : ROAD_NONE;
        d->currents[u] = d->first_link[u];
        if (d->ends[u] == END_SOURCE)
            d->queue[n++] = u;
    }
    for (uint32_t i = 0; i < n; i++) {
        uint32_t u = d->queue[i];
        if (d->ends[u] == END_SINK) {
            is_reached = true;
            continue;
        }
        for (uint32_t k = d->first_link[u]; k < d->first_link[u + 1]; k++) {
            uint32_t v = d->links[k].to;
            if (!is_open(d, &d->links[k], cell) || d->levels[v] != ROAD_NONE)
                continue;
            d->levels[v] = d->levels[u] + 1;
            d->queue[n++] = v;
        }
    }
    return is_reached;
}

/* One more way from a source to a sink along rising levels; how much went over it. */
static int32_t push_way(struct dissection *d, uint32_t source, uint32_t cell)
{
    uint32_t n = 0, u = source;
    while (d->ends[u] != END_SINK) {
        uint32_t *k = &d->currents[u];
        while (*k < d->first_link[u + 1] && !(is_open(d, &d->links[*k], cell) && d->levels[d->links[*k].to] == d->levels[u] + 1))
            ++*k;
        if (*k < d->first_link[u + 1]) {
            d->path[n++] = *k;
            u = d->links[*k].to;
        } else if (n == 0)
            return 0;
        else { /* a dead end: back, and never here again */
            uint32_t came = d->path[--n];
            u = d->links[d->links[came].twin].to;
            d->currents[u]++;
        }
    }
    int32_t least = INT32_MAX;
    for (uint32_t i = 0; i < n; i++) {
        int32_t left = d->links[d->path[i]].capacity - d->links[d->path[i]].flow;
        least = left < least ? left : least;
    }
    for (uint32_t i = 0; i < n; i++) {
        struct link *link = &d->links[d->path[i]];
        link->flow += least;
        d->links[link->twin].flow -= least;
    }
    return least;
}

/* The least cut between the marked ends; gives up at `max` and returns it. */
static int32_t flow_through(struct dissection *d, uint32_t low, uint32_t high, int32_t max)
{
    uint32_t cell = d->cells[d->junctions[low]];
    int32_t sum = 0;
    for (uint32_t i = low; i < high; i++)
        for (uint32_t k = d->first_link[d->junctions[i]]; k < d->first_link[d->junctions[i] + 1]; k++)
            d->links[k].flow = 0;
    while (find_levels(d, low, high))
        for (uint32_t i = low; i < high; i++) {
            if (d->ends[d->junctions[i]] != END_SOURCE)
                continue;
            for (int32_t more = 1; more > 0 && sum < max; sum += more)
                more = push_way(d, d->junctions[i], cell);
            if (sum >= max)
                return max;
        }
    return sum;
}

/* The cut next to the sinks: what still reaches them is far. Returns how many are. */
static uint32_t mark_far(struct dissection *d, uint32_t low, uint32_t high)
{
    uint32_t n = 0, cell = d->cells[d->junctions[low]];
    for (uint32_t i = low; i < high; i++) {
        uint32_t u = d->junctions[i];
        d->is_far[u] = d->ends[u] == END_SINK;
        if (d->is_far[u])
            d->queue[n++] = u;
    }
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = d->first_link[d->queue[i]]; k < d->first_link[d->queue[i] + 1]; k++) {
            uint32_t v = d->links[k].to;
            const struct link *back = &d->links[d->links[k].twin]; /* from v to the far one */
            if (d->cells[v] != cell || d->is_far[v] || back->capacity <= back->flow)
                continue;
            d->is_far[v] = true;
            d->queue[n++] = v;
        }
    return n;
}

/* ---- a cut, and the recursion ---- */

static int compare_lined_up(const void *a, const void *b)
{
    const struct lined_up *x = a, *y = b;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return x->junction < y->junction ? -1 : x->junction > y->junction;
}

static void mark_ends(struct dissection *d, uint32_t low, uint32_t high, double angle)
{
    const struct road_network *network = d->network;
    uint32_t n = high - low, n_ends = n / END_SHARE > 0 ? n / END_SHARE : 1;
    double north = (network->low.lat + network->high.lat) / 2;
    double east = (network->is_geographic ? cos(north * RADIANS) : 1) * cos(angle);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t u = d->junctions[low + i];
        struct road_point point = network->junctions[u].point;
        d->line[i] = (struct lined_up){point.lon * east + point.lat * sin(angle), u};
    }
    qsort(d->line, n, sizeof(*d->line), compare_lined_up);
    for (uint32_t i = 0; i < n; i++)
        d->ends[d->line[i].junction] = i < n_ends ? END_SOURCE : i >= n - n_ends ? END_SINK : END_NONE;
}

/* Cuts the cell: near junctions first in its range, then the far ones. Returns where those begin. */
static uint32_t cut(struct dissection *d, uint32_t low, uint32_t high)
{
    int32_t best = INT32_MAX;
    uint32_t best_balance = 0;
    int n_directions = high - low > BIG ? N_DIRECTIONS_BIG : N_DIRECTIONS;
    for (int i = 0; i < n_directions; i++) {
        mark_ends(d, low, high, M_PI * i / n_directions);
        int32_t found = flow_through(d, low, high, best == INT32_MAX ? best : best + 1);
        if (found > best)
            continue;
        uint32_t n_far = mark_far(d, low, high), balance = n_far < high - low - n_far ? n_far : high - low - n_far;
        if (found == best && balance <= best_balance)
            continue;
        best = found;
        best_balance = balance;
        for (uint32_t k = low; k < high; k++)
            d->best_far[d->junctions[k]] = d->is_far[d->junctions[k]];
    }
    uint32_t middle = low, n_far = 0;
    for (uint32_t k = low; k < high; k++) {
        uint32_t u = d->junctions[k];
        if (d->best_far[u])
            d->queue[n_far++] = u;
        else
            d->junctions[middle++] = u;
    }
    memcpy(&d->junctions[middle], d->queue, n_far * sizeof(*d->queue));
    return middle;
}

/* The edges from the junctions [low, high) to those of `other`, before those that were put already. */
static void put_edges(struct dissection *d, uint32_t low, uint32_t high, uint32_t other)
{
    for (uint32_t i = low; i < high; i++) {
        uint32_t u = d->junctions[i];
        for (uint32_t k = d->first_edge[u]; k < d->first_edge[u + 1]; k++)
            if (d->cells[d->network->edges[d->edges[k]].to] == other)
                d->out[--d->n_out] = d->edges[k];
    }
}

struct range {
    uint32_t low, high;
};

/* A half has at most three fourths of its cell, down to a handful: 43 halvings of two million, and a few more. */
#define RANGES_MAX 128

/* From the whole to its parts, and so the order is filled from its end. */
static void dissect(struct dissection *d)
{
    struct range stack[RANGES_MAX];
    uint32_t n = 0;
    d->n_out = d->network->n_edges;
    stack[n++] = (struct range){0, d->network->n_junctions};
    while (n > 0) {
        struct range range = stack[--n];
        if (range.high - range.low == 1) { /* loops are left */
            put_edges(d, range.low, range.high, d->cells[d->junctions[range.low]]);
            continue;
        }
        uint32_t middle = cut(d, range.low, range.high), near_cell = ++d->n_cells, far_cell = ++d->n_cells;
        for (uint32_t i = range.low; i < range.high; i++)
            d->cells[d->junctions[i]] = i < middle ? near_cell : far_cell;
        put_edges(d, middle, range.high, near_cell);
        put_edges(d, range.low, middle, far_cell);
        assert(n + 2 <= RANGES_MAX);
        stack[n++] = (struct range){range.low, middle};
        stack[n++] = (struct range){middle, range.high};
    }
    assert(d->n_out == 0);
}

static void finish(struct dissection *d)
{
    void *const owned[] = {d->first_link, d->links, d->first_edge, d->edges, d->junctions, d->cells, d->ends, d->is_far, d->best_far,
        d->levels, d->currents, d->queue, d->path, d->line};
    for (size_t i = 0; i < sizeof(owned) / sizeof(owned[0]); i++)
        mem_free(owned[i]);
}

static enum err init(struct dissection *d)
{
    size_t n = d->network->n_junctions, n_edges = d->network->n_edges;
    return (d->first_link = mem_alloc_zero(n + 1, sizeof(*d->first_link))) != NULL &&
                   (d->links = mem_alloc(2 * n_edges * sizeof(*d->links))) != NULL &&
                   (d->first_edge = mem_alloc_zero(n + 2, sizeof(*d->first_edge))) != NULL &&
                   (d->edges = mem_alloc(n_edges * sizeof(*d->edges))) != NULL &&
                   (d->junctions = mem_alloc(n * sizeof(*d->junctions))) != NULL &&
                   (d->cells = mem_alloc_zero(n, sizeof(*d->cells))) != NULL && (d->ends = mem_alloc_zero(n, 1)) != NULL &&
                   (d->is_far = mem_alloc_zero(n, 1)) != NULL && (d->best_far = mem_alloc_zero(n, 1)) != NULL &&
                   (d->levels = mem_alloc(n * sizeof(*d->levels))) != NULL && (d->currents = mem_alloc(n * sizeof(*d->currents))) != NULL &&
                   (d->queue = mem_alloc(n * sizeof(*d->queue))) != NULL && (d->path = mem_alloc(n * sizeof(*d->path))) != NULL &&
                   (d->line = mem_alloc(n * sizeof(*d->line))) != NULL
               ? ERR_OK
               : ERR_NO_MEMORY;
}

enum err road_order_find(const struct road_network *network, uint32_t *ret_edges)
{
    struct dissection d = {.network = network, .out = ret_edges};
    uint64_t *pairs = mem_alloc(network->n_edges * sizeof(*pairs));
    enum err err = pairs == NULL ? ERR_NO_MEMORY : init(&d);
    if (err == ERR_OK) {
        for (uint32_t j = 0; j < network->n_junctions; j++)
            d.junctions[j] = j;
        fill_edges(&d);
        fill_links(&d, pairs);
        dissect(&d);
    }
    mem_free(pairs);
    finish(&d);
    return err;
}
