/*
 * The small city of this folder's tests: a ring road, by hand.
 *
 *     edges e0 → e1 → … → e9 → e0, each 500 m at 10 m/s: 50 s of free flow, no time in the junctions
 *     "环路" is e0 to e7, "南路" e8 and e9
 *     areas 0 the city, 1 its district, 2 and 3 the district's streets: e0 to e4 in 2, e5 to e8 in 3, e9 in the district alone
 */
#ifndef SCENE_COUNT_CITY_TESTING_H
#define SCENE_COUNT_CITY_TESTING_H

#include "base/buf.h"
#include "base/test.h"
#include "scene/count/core.h"

#include <math.h>
#include <stdio.h>

#define CITY_EDGES 10
#define CITY_EDGE_M 500.0
#define CITY_EDGE_S 50.0

static const int32_t city_parents[] = {-1, 0, 1, 1};

struct city {
    struct road_network *network;
    uint16_t edge_areas[CITY_EDGES]; /* by the network's own number */
    uint32_t edges[CITY_EDGES];      /* number of e0 … e9 */
    struct count_map map;
};

static inline void city_write(struct buf *text)
{
    buf_append_c(text, "<net>");
    for (int i = 0; i < CITY_EDGES; i++)
        buf_printf(text,
            "<edge id=\"e%d\" from=\"j%d\" to=\"j%d\" name=\"%s\"><lane id=\"e%d_0\" index=\"0\" speed=\"10\" length=\"500\" "
            "shape=\"%d,0 %d,0\"/></edge>",
            i, i, (i + 1) % CITY_EDGES, i < 8 ? "环路" : "南路", i, i * 500, i * 500 + 500);
    for (int i = 0; i < CITY_EDGES; i++)
        buf_printf(text, "<junction id=\"j%d\" type=\"priority\" x=\"%d\" y=\"0\"/>", i, i * 500);
    for (int i = 0; i < CITY_EDGES; i++)
        buf_printf(text, "<connection from=\"e%d\" to=\"e%d\" fromLane=\"0\" toLane=\"0\"/>", i, (i + 1) % CITY_EDGES);
    buf_append_c(text, "</net>");
}

static inline void city_make(struct city *city)
{
    struct buf text;
    buf_init(&text, 1u << 16);
    city_write(&text);
    struct diag diag = {""};
    if (road_network_parse(buf_str(&text), "ring.net.xml", &diag, &city->network) != ERR_OK)
        fail_msg("%s", diag.text);
    buf_finish(&text);
    for (int i = 0; i < CITY_EDGES; i++) {
        char id[8];
        snprintf(id, sizeof(id), "e%d", i);
        city->edges[i] = road_edge_find(city->network, str_from_c(id));
        city->edge_areas[city->edges[i]] = i < 5 ? 2 : i < 9 ? 3 : 1;
    }
    city->map = (struct count_map){city->network, city->edge_areas, city_parents, 4};
}

static inline void city_finish(struct city *city)
{
    road_network_destroy(city->network);
}

static inline void assert_near(double a, double b, double within)
{
    if (!(fabs(a - b) <= within))
        fail_msg("%.9g is not within %g of %.9g", a, within, b);
}

/* xorshift64: a test prints its seed, so that a failure can be had again. */
static inline uint64_t random_next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed >> 11;
}

#endif
