/*
 * What the network says of the way between cameras: for each pair that vehicles really drive the way taken and its free-flow time.
 *
 * Ways are remembered in a table of fixed size, eight to a row, where a new pair takes the place of the row's longest unused. Each
 * passage asks for one: what tells the pairs of a row apart is one line of the cache, and what most ways need of a pair another.
 */
#ifndef SCENE_COUNT_TRAVEL_H
#define SCENE_COUNT_TRAVEL_H

#include "road/route.h"

#include <stdalign.h>

#define COUNT_PATH_MAX 28  /* edges of a remembered way; of a longer one only the times are kept */
#define COUNT_NEXT_S 900.0 /* how far ahead a way is looked for, in free-flow seconds */
#define COUNT_PAIR_EXPANDED 20000u

#define COUNT_PAIRS_ROW 8u

struct count_pair {
    alignas(64) uint32_t from; /* cameras; whole lines of the cache */
    uint32_t to;
    float free_flow_s;              /* 0: there is no way within the limits */
    float edges_s;                  /* free flow of the edges alone, without the junctions */
    float detour;                   /* metres driven over metres of edges: 1 and what the junctions add */
    float searched_s;               /* a way was looked for this far */
    uint32_t n_edges;               /* 0 when the way is longer than COUNT_PATH_MAX */
    uint32_t edges[COUNT_PATH_MAX]; /* after the first camera's edge, with the second's */
};

/* Of a row's pairs: what tells them apart, and when they were asked for last. */
struct count_pair_row {
    alignas(64) uint32_t tags[COUNT_PAIRS_ROW]; /* of the hash; 0: free */
    uint32_t used[COUNT_PAIRS_ROW];             /* by the table's own counting, which may wrap: then one is forgotten early */
};

struct count_travel {
    const struct road_network *network;
    struct road_router *router;
    struct count_pair *pairs;    /* rows of eight */
    struct count_pair_row *rows; /* [n_rows] */
    uint32_t last;               /* place that was asked for last: it is asked for more than once in a row */
    void *memory;                /* of both */
    uint32_t n_rows;             /* a power of two */
    uint32_t used;
    uint64_t n_replaced; /* pairs that another took the place of */
};

/* `network` is kept; `pairs_max` is rounded up to a power of two. ERR_NO_MEMORY. */
enum err count_travel_init(struct count_travel *travel, const struct road_network *network, uint32_t pairs_max) MUST_CHECK;
void count_travel_finish(struct count_travel *travel); /* takes NULL */
/* The way from camera `from` on `from_edge` to `to` on `to_edge`, looked for up to `max_s` of free flow. Borrowed until the next call. */
const struct count_pair *count_travel_pair(
    struct count_travel *travel, uint32_t from, uint32_t from_edge, uint32_t to, uint32_t to_edge, double max_s);
/* A pair will be asked for soon: its row is fetched into the cache; and, some time after that, the pair itself, whose place is answered
 * (COUNT_PAIR_NONE: most likely it is not known). When it is asked for soon after count_travel_guess(), it is looked for there first. */
#define COUNT_PAIR_NONE UINT32_MAX
void count_travel_fetch(const struct count_travel *travel, uint32_t from, uint32_t to);
uint32_t count_travel_fetch_pair(const struct count_travel *travel, uint32_t from, uint32_t to);
void count_travel_guess(struct count_travel *travel, uint32_t place);
size_t count_travel_memory(const struct count_travel *travel); /* bytes, without the router */

#endif
