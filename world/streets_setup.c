/* Cameras onto approaches, loops onto lanes: see streets_setup.h. */
#include "world/streets_setup.h"

#include "base/mem.h"
#include "road/nearest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Lengths and manners of Chinese city traffic, roughly; SUMO's own defaults for the rest. */
static const char head[] =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<additional>\n"
    "    <vType id=\"car\" vClass=\"passenger\" length=\"4.6\" minGap=\"2.2\" accel=\"2.4\" decel=\"4.5\" sigma=\"0.4\" "
    "speedFactor=\"normc(0.95,0.1,0.6,1.2)\" lcAssertive=\"1.3\"/>\n"
    "    <vType id=\"bus\" vClass=\"bus\" length=\"11.5\" minGap=\"2.5\" accel=\"1.2\" maxSpeed=\"16.7\"/>\n"
    "    <vType id=\"truck\" vClass=\"delivery\" length=\"6.5\" minGap=\"2.5\" accel=\"1.4\" maxSpeed=\"19.4\"/>\n";

enum err streets_sights_init(const struct world_city *city, const struct road_network *network, struct streets_sights *ret_sights)
{
    struct road_nearest *nearest;
    struct streets_sights sights = {mem_alloc(sizeof *sights.edges * (city->n_cameras + 1))};
    if (!sights.edges)
        return ERR_NO_MEMORY;
    enum err err = road_nearest_create(network, &nearest);
    if (err) {
        streets_sights_finish(&sights);
        return err;
    }
    for (uint32_t c = 0; c < city->n_cameras; c++) {
        const struct road_nearest_query query = {.point = city->cameras[c].place,
            .has_heading = true,
            .heading = city->cameras[c].heading,
            .heading_tolerance = STREETS_SIGHT_DEGREES,
            .max_distance_m = STREETS_SIGHT_M,
            .cars_only = true};
        struct road_match match;
        sights.edges[c] = road_nearest_find(nearest, &query, &match) ? match.edge : ROAD_NONE;
    }
    road_nearest_destroy(nearest);
    *ret_sights = sights;
    return ERR_OK;
}

void streets_sights_finish(struct streets_sights *sights)
{
    mem_free(sights->edges);
    sights->edges = NULL;
}

/* ---- who is counted ---- */

/* One in so many, spread over the city: edges of one road come one after the other. */
static bool is_chosen(uint32_t number, uint32_t one_in)
{
    return (number * 2654435761u >> 8) % one_in == 0;
}

enum err streets_counted_init(const struct world_city *city, const struct road_network *network, const struct streets_sights *sights,
    struct streets_counted *ret_counted)
{
    uint32_t *watched = mem_alloc(sizeof *watched * (network->n_edges + 1u));
    struct streets_counted counted = {
        mem_alloc(sizeof *counted.edges * (network->n_edges + 1u)), mem_alloc(sizeof *counted.cameras * (network->n_edges + 1u)), 0, 0};
    if (!watched || !counted.edges || !counted.cameras) {
        mem_free(watched);
        streets_counted_finish(&counted);
        return ERR_NO_MEMORY;
    }
    for (uint32_t e = 0; e < network->n_edges; e++)
        watched[e] = STREETS_NONE;
    for (uint32_t c = city->n_cameras; c-- > 0;)
        if (sights->edges[c] != ROAD_NONE)
            watched[sights->edges[c]] = c;
    for (uint32_t e = 0; e < network->n_edges; e++) {
        bool is_bare = watched[e] == STREETS_NONE;
        if (network->edges[e].n_car_lanes == 0 || (is_bare && network->edges[e].length_m < STREETS_COUNT_BARE_M) ||
            !is_chosen(e, is_bare ? STREETS_COUNT_BARE : STREETS_COUNT_CAMERAS))
            continue;
        counted.cameras[counted.n] = watched[e];
        counted.edges[counted.n++] = e;
        counted.n_bare += is_bare;
    }
    mem_free(watched);
    *ret_counted = counted;
    return ERR_OK;
}

void streets_counted_finish(struct streets_counted *counted)
{
    mem_free(counted->edges);
    mem_free(counted->cameras);
    *counted = (struct streets_counted){.n = 0};
}

/* ---- loops in SUMO ---- */

bool streets_loop_name(const struct road_network *network, uint32_t edge, char kind, uint32_t number, uint32_t lane, char *out, size_t size)
{
    const struct road_edge *e = &network->edges[edge];
    if (!network->lanes[e->first_lane + lane].is_for_cars)
        return false;
    (void)snprintf(out, size, "%c%u.%u", kind, number, e->n_lanes - lane);
    return true;
}

bool streets_parse_loop(struct str loop, char *ret_kind, uint32_t *ret_number, uint32_t *ret_lane)
{
    struct str number, lane;
    uint64_t n, l;
    bool is_ours = str_starts_with(loop, STR("c")) || str_starts_with(loop, STR("l"));
    if (!is_ours || !str_cut(str_slice(loop, 1, loop.len), '.', &number, &lane) || str_to_u64(number, &n) || str_to_u64(lane, &l) ||
        n >= ROAD_EDGES_MAX || l == 0 || l > ROAD_LANES_PER_EDGE_MAX)
        return false;
    *ret_kind = loop.ptr[0];
    *ret_number = (uint32_t)n;
    *ret_lane = (uint32_t)l;
    return true;
}

bool streets_edge_place(const struct road_network *network, struct str edge, struct road_point *ret_place)
{
    struct str junction, number;
    if (!str_starts_with(edge, STR(":"))) {
        uint32_t found = road_edge_find(network, edge);
        if (found == ROAD_NONE)
            return false;
        *ret_place = road_edge_middle(network, found);
        return true;
    }
    if (!str_cut_last(str_slice(edge, 1, edge.len), '_', &junction, &number))
        return false;
    int64_t found = str_map_find(network->junction_ids, junction);
    if (found < 0)
        return false;
    *ret_place = network->junctions[found].point;
    return true;
}

static uint32_t write_edge(FILE *file, const struct road_network *network, uint32_t edge, char kind, uint32_t number)
{
    uint32_t n = 0;
    char loop[32];
    for (uint32_t lane = 0; lane < network->edges[edge].n_lanes; lane++) {
        if (!streets_loop_name(network, edge, kind, number, lane, loop, sizeof loop))
            continue;
        (void)fprintf(file, "    <inductionLoop id=\"%s\" lane=\"" STR_FORMAT "_%u\" pos=\"-%.1f\" freq=\"86400\" file=\"NUL\"/>\n", loop,
            STR_ARG(network->edges[edge].id), lane, STREETS_LOOP_BACK_M);
        n++;
    }
    return n;
}

enum err streets_write_loops(const struct world_city *city, const struct road_network *network, const struct streets_sights *sights,
    const struct streets_counted *counted, const char *path, struct diag *diag)
{
    FILE *file = fopen(path, "we");
    if (!file)
        return diag_set(diag, err_from_errno(errno), path, 0, "cannot be written (%s); give a data folder that can", strerror(errno));
    uint32_t n = 0;
    (void)fputs(head, file);
    for (uint32_t c = 0; c < city->n_cameras; c++)
        if (sights->edges[c] != ROAD_NONE)
            n += write_edge(file, network, sights->edges[c], 'c', c);
    for (uint32_t i = 0; i < counted->n; i++)
        if (counted->cameras[i] == STREETS_NONE)
            (void)write_edge(file, network, counted->edges[i], 'l', i);
    (void)fputs("</additional>\n", file);
    bool is_bad = ferror(file) != 0;
    is_bad = fclose(file) != 0 || is_bad;
    if (is_bad)
        return diag_set(diag, ERR_DISK_FULL, path, 0, "could not be written whole; make room on the disk");
    if (n == 0)
        return diag_set(diag, ERR_NOT_FOUND, path, 0,
            "no camera stands within %.0f m of a road of the network; check their places and headings", STREETS_SIGHT_M);
    return ERR_OK;
}
