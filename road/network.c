/*
 * Networks: reading a file through network_xml.c, and finishing what it gathered: names resolved, shapes projected,
 * connections sorted by their edge. Questions that need no search are answered here, too.
 */
#include "road/network.h"

#include "base/mem.h"
#include "road/network_build.h"
#include "road/projection.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define READ_CHUNK (64u << 10)
#define PLAIN_CHUNK (256u << 10) /* a longer tag is not plain */
#define NAMES_SEED 0x726f6164u   /* the file is the city's own */
#define RADIANS (M_PI / 180)

/* What a network owns beside its public face. */
struct owned_network {
    struct road_network network; /* first: the public pointer is this one */
    struct str_map edge_ids, junction_ids, names, types;
};

void network_build_init(struct network_build *build, const char *file, struct diag *diag)
{
    *build = (struct network_build){.file = file, .diag = diag};
    str_map_init(&build->edge_ids, ROAD_EDGES_MAX, NAMES_SEED);
    str_map_init(&build->junction_ids, ROAD_JUNCTIONS_MAX, NAMES_SEED);
    str_map_init(&build->names, ROAD_EDGES_MAX, NAMES_SEED);
    str_map_init(&build->types, ROAD_EDGES_MAX, NAMES_SEED);
    str_map_init(&build->internal_ids, ROAD_CONNECTIONS_MAX, NAMES_SEED);
}

void network_build_finish(struct network_build *build)
{
    str_map_finish(&build->edge_ids);
    str_map_finish(&build->junction_ids);
    str_map_finish(&build->names);
    str_map_finish(&build->types);
    str_map_finish(&build->internal_ids);
    mem_free(build->edges);
    mem_free(build->junctions);
    mem_free(build->internals);
    mem_free(build->lanes);
    mem_free(build->connections);
    mem_free(build->points);
}

enum err network_build_room(void **array, uint32_t n, uint32_t *cap, uint32_t max, size_t item_size)
{
    if (n < *cap)
        return ERR_OK;
    if (n >= max)
        return ERR_TOO_LARGE;
    uint32_t grown_cap = *cap == 0 ? 64 : *cap * 2;
    void *grown = mem_resize(*array, grown_cap * item_size);
    if (grown == NULL)
        return ERR_NO_MEMORY;
    *array = grown;
    *cap = grown_cap;
    return ERR_OK;
}

/* ---- finishing ---- */

static enum err check_declared(const struct network_build *build)
{
    if (build->n_edges == 0)
        return diag_set(build->diag, ERR_SYNTAX, build->file, 0, "the network has no edge; build it again with netconvert");
    for (uint32_t i = 0; i < build->n_edges; i++)
        if (!build->edges[i].is_declared)
            return diag_set(build->diag, ERR_NOT_FOUND, build->file, build->edges[i].first_line,
                "edge \"" STR_FORMAT "\" is named here and nowhere described; add it or remove the connection",
                STR_ARG(str_map_key(&build->edge_ids, i)));
    for (uint32_t i = 0; i < build->n_junctions; i++)
        if (!build->junctions[i].is_declared)
            return diag_set(build->diag, ERR_NOT_FOUND, build->file, build->junctions[i].first_line,
                "junction \"" STR_FORMAT "\" is named here and nowhere described; add it", STR_ARG(str_map_key(&build->junction_ids, i)));
    for (uint32_t i = 0; i < build->n_connections; i++) {
        const struct road_connection *connection = &build->connections[i].connection;
        if (connection->from_lane >= build->edges[connection->from].edge.n_lanes ||
            connection->to_lane >= build->edges[connection->to].edge.n_lanes)
            return diag_set(build->diag, ERR_RANGE, build->file, build->connections[i].line,
                "the connection names a lane that its edge does not have; build the file again with netconvert");
    }
    return ERR_OK;
}

static enum err project_points(struct network_build *build, bool *ret_is_geographic)
{
    if (!build->has_location || build->projection[0] == 0 || strcmp(build->projection, "!") == 0) {
        *ret_is_geographic = false;
        return ERR_OK;
    }
    struct road_projection *projection = NULL;
    enum err err = road_projection_create(
        str_from_c(build->projection), build->offset_x, build->offset_y, build->file, build->location_line, build->diag, &projection);
    if (err != ERR_OK)
        return err;
    for (uint32_t i = 0; i < build->n_points && err == ERR_OK; i++) {
        struct road_point *point = &build->points[i];
        err = road_projection_to_wgs84(projection, point->lon, point->lat, &point->lon, &point->lat);
    }
    for (uint32_t i = 0; i < build->n_junctions && err == ERR_OK; i++) {
        struct road_point *point = &build->junctions[i].junction.point;
        err = road_projection_to_wgs84(projection, point->lon, point->lat, &point->lon, &point->lat);
    }
    road_projection_destroy(projection);
    if (err != ERR_OK)
        return diag_set(build->diag, err, build->file, build->location_line,
            "a place lies outside of what the projection can tell; check netOffset and projParameter");
    *ret_is_geographic = true;
    return ERR_OK;
}

/* What an edge says of its lanes: its length, speed, and the shape of the lane in the middle. */
static void summarise_edge(struct road_edge *edge, const struct road_lane *lanes)
{
    uint32_t seen = 0;
    const struct road_lane *middle = NULL;
    for (uint32_t i = 0; i < edge->n_lanes; i++)
        edge->n_car_lanes += lanes[edge->first_lane + i].is_for_cars;
    for (uint32_t i = 0; i < edge->n_lanes; i++) {
        const struct road_lane *lane = &lanes[edge->first_lane + i];
        if (edge->n_car_lanes > 0 && !lane->is_for_cars)
            continue;
        uint32_t n = edge->n_car_lanes > 0 ? edge->n_car_lanes : edge->n_lanes;
        if (seen++ == n / 2)
            middle = lane;
        if (lane->speed_mps > edge->speed_mps) {
            edge->speed_mps = lane->speed_mps;
            edge->length_m = lane->length_m;
        }
    }
    edge->first_point = middle->first_point;
    edge->n_points = middle->n_points;
}

static void fill_crossing(const struct network_build *build, const struct build_connection *built, struct road_connection *connection)
{
    const struct road_edge *from = &build->edges[connection->from].edge, *to = &build->edges[connection->to].edge;
    connection->is_for_cars = build->lanes[from->first_lane + connection->from_lane].is_for_cars &&
                              build->lanes[to->first_lane + connection->to_lane].is_for_cars;
    if (built->via == ROAD_NONE || build->internals[built->via].speed_mps <= 0)
        return;
    connection->crossing_m = build->internals[built->via].length_m;
    connection->crossing_s = connection->crossing_m / build->internals[built->via].speed_mps;
}

/* Connections by their edge, stable: a counting sort. */
static void sort_connections(const struct network_build *build, struct road_edge *edges, struct road_connection *connections)
{
    for (uint32_t i = 0; i < build->n_connections; i++)
        edges[build->connections[i].connection.from].n_out++;
    uint32_t first = 0;
    for (uint32_t i = 0; i < build->n_edges; i++) {
        edges[i].first_out = first;
        first += edges[i].n_out;
        edges[i].n_out = 0;
    }
    for (uint32_t i = 0; i < build->n_connections; i++) {
        struct road_connection connection = build->connections[i].connection;
        fill_crossing(build, &build->connections[i], &connection);
        struct road_edge *edge = &edges[connection.from];
        connections[edge->first_out + edge->n_out++] = connection;
    }
}

static void measure_corners(struct road_network *network)
{
    network->low = network->high = network->points[0];
    for (uint32_t i = 1; i < network->n_points; i++) {
        struct road_point point = network->points[i];
        network->low.lon = fmin(network->low.lon, point.lon);
        network->low.lat = fmin(network->low.lat, point.lat);
        network->high.lon = fmax(network->high.lon, point.lon);
        network->high.lat = fmax(network->high.lat, point.lat);
    }
}

enum err network_build_complete(struct network_build *build, struct road_network **ret_network)
{
    bool is_geographic = false;
    enum err err = check_declared(build);
    if (err == ERR_OK)
        err = project_points(build, &is_geographic);
    if (err != ERR_OK)
        return err;
    struct owned_network *owned = mem_alloc_zero(1, sizeof(*owned));
    struct road_edge *edges = mem_alloc_zero(build->n_edges, sizeof(*edges));
    struct road_junction *junctions = mem_alloc_zero(build->n_junctions, sizeof(*junctions));
    struct road_connection *connections = mem_alloc_zero(build->n_connections + 1, sizeof(*connections));
    if (owned == NULL || edges == NULL || junctions == NULL || connections == NULL) {
        mem_free(owned);
        mem_free(edges);
        mem_free(junctions);
        mem_free(connections);
        return ERR_NO_MEMORY;
    }
    for (uint32_t i = 0; i < build->n_edges; i++) {
        summarise_edge(&build->edges[i].edge, build->lanes);
        edges[i] = build->edges[i].edge;
        edges[i].id = str_map_key(&build->edge_ids, i);
    }
    for (uint32_t i = 0; i < build->n_junctions; i++) {
        junctions[i] = build->junctions[i].junction;
        junctions[i].id = str_map_key(&build->junction_ids, i);
    }
    sort_connections(build, edges, connections);
    owned->edge_ids = build->edge_ids;
    owned->junction_ids = build->junction_ids;
    owned->names = build->names;
    owned->types = build->types;
    owned->network = (struct road_network){.edges = edges,
        .n_edges = build->n_edges,
        .lanes = build->lanes,
        .n_lanes = build->n_lanes,
        .junctions = junctions,
        .n_junctions = build->n_junctions,
        .connections = connections,
        .n_connections = build->n_connections,
        .points = build->points,
        .n_points = build->n_points,
        .edge_ids = &owned->edge_ids,
        .junction_ids = &owned->junction_ids,
        .names = &owned->names,
        .is_geographic = is_geographic};
    measure_corners(&owned->network);
    /* Taken: the builder must not free them. */
    str_map_init(&build->edge_ids, 0, 0);
    str_map_init(&build->junction_ids, 0, 0);
    str_map_init(&build->names, 0, 0);
    str_map_init(&build->types, 0, 0);
    build->lanes = NULL;
    build->points = NULL;
    *ret_network = &owned->network;
    return ERR_OK;
}

/* ---- reading ---- */

/* A file or bytes, which can be read again. */
struct source {
    FILE *file; /* NULL: bytes */
    struct str bytes;
    size_t at;
};

static size_t source_read(struct source *source, char *out, size_t size)
{
    if (source->file != NULL)
        return fread(out, 1, size, source->file);
    size_t n = source->bytes.len - source->at < size ? source->bytes.len - source->at : size;
    if (n > 0)
        memcpy(out, source->bytes.ptr + source->at, n);
    source->at += n;
    return n;
}

/* By the plain reader; *ret_is_plain: it was. Otherwise nothing was told, and `build` is to be thrown away. */
static enum err feed_plain(struct source *source, struct network_build *build, bool *ret_is_plain)
{
    struct network_xml *xml = NULL;
    struct network_plain plain;
    char *buffer = mem_alloc(PLAIN_CHUNK + NETWORK_PLAIN_ZEROS);
    enum err err = buffer == NULL ? ERR_NO_MEMORY : network_xml_create_plain(build, &xml);
    size_t kept = 0, taken = 0;
    bool is_plain = err == ERR_OK;
    network_plain_init(&plain, xml);
    for (bool is_last = false; is_plain && !is_last;) {
        size_t n = kept < PLAIN_CHUNK ? source_read(source, buffer + kept, PLAIN_CHUNK - kept) : 0;
        is_last = n < PLAIN_CHUNK - kept;
        memset(buffer + kept + n, 0, NETWORK_PLAIN_ZEROS);
        is_plain = kept < PLAIN_CHUNK && network_plain_feed(&plain, buffer, kept + n, is_last, &taken);
        if (!is_plain)
            break;
        kept = kept + n - taken;
        memmove(buffer, buffer + taken, kept);
    }
    if (err == ERR_OK && network_xml_error(xml) == ERR_NO_MEMORY)
        err = ERR_NO_MEMORY;
    network_xml_destroy(xml);
    mem_free(buffer);
    *ret_is_plain = is_plain;
    return err;
}

/* By the reader of XML; its end included. */
static enum err feed_xml(struct source *source, struct network_build *build)
{
    struct network_xml *xml = NULL;
    char *chunk = mem_alloc(READ_CHUNK);
    enum err err = chunk == NULL ? ERR_NO_MEMORY : network_xml_create(build, &xml);
    uint64_t n_read = 0;
    bool is_last = false;
    while (err == ERR_OK && !is_last) {
        size_t n = source_read(source, chunk, READ_CHUNK);
        is_last = n < READ_CHUNK;
        n_read += n;
        if (source->file != NULL && ferror(source->file))
            err = diag_set(build->diag, err_from_errno(errno), build->file, 0, "cannot read: %s; check the disk", strerror(errno));
        else if (n_read > ROAD_FILE_MAX)
            err = diag_set(
                build->diag, ERR_TOO_LARGE, build->file, 0, "the file is over %llu MB; use a smaller network", ROAD_FILE_MAX >> 20);
        else
            err = network_xml_feed(xml, (struct str){chunk, n}, is_last);
    }
    network_xml_destroy(xml);
    mem_free(chunk);
    return err;
}

/* Can it be read a second time, and is not larger than is allowed? */
static bool can_be_tried(const struct source *source)
{
    struct stat about;
    return source->file == NULL ||
           (fstat(fileno(source->file), &about) == 0 && S_ISREG(about.st_mode) && (uint64_t)about.st_size <= ROAD_FILE_MAX);
}

static enum err read_network(struct source *source, const char *name, struct diag *diag, struct road_network **ret_network)
{
    struct network_build build;
    bool is_plain = false;
    enum err err = ERR_OK;
    network_build_init(&build, name, NULL);
    if (can_be_tried(source))
        err = feed_plain(source, &build, &is_plain);
    if (err == ERR_OK && !is_plain) {
        network_build_finish(&build);
        network_build_init(&build, name, diag);
        source->at = 0;
        if (source->file != NULL && can_be_tried(source))
            rewind(source->file);
        err = feed_xml(source, &build);
    }
    build.diag = diag;
    if (err == ERR_OK)
        err = network_build_complete(&build, ret_network);
    network_build_finish(&build);
    return err;
}

enum err road_network_parse(struct str bytes, const char *name, struct diag *diag, struct road_network **ret_network)
{
    struct source source = {.bytes = bytes};
    return read_network(&source, name, diag, ret_network);
}

enum err road_network_load(const char *path, struct diag *diag, struct road_network **ret_network)
{
    struct source source = {.file = fopen(path, "rb")};
    if (source.file == NULL)
        return diag_set(diag, err_from_errno(errno), path, 0, "cannot open the road network: %s; build it with netconvert or mend the path",
            strerror(errno));
    enum err err = read_network(&source, path, diag, ret_network);
    fclose(source.file);
    return err;
}

void road_network_destroy(struct road_network *network)
{
    if (network == NULL)
        return;
    struct owned_network *owned = (struct owned_network *)(void *)network;
    str_map_finish(&owned->edge_ids);
    str_map_finish(&owned->junction_ids);
    str_map_finish(&owned->names);
    str_map_finish(&owned->types);
    mem_free((void *)network->edges);
    mem_free((void *)network->lanes);
    mem_free((void *)network->junctions);
    mem_free((void *)network->connections);
    mem_free((void *)network->points);
    mem_free(owned);
}

/* ---- small questions ---- */

uint32_t road_edge_find(const struct road_network *network, struct str id)
{
    int64_t number = str_map_find(network->edge_ids, id);
    return number < 0 ? ROAD_NONE : (uint32_t)number;
}

double road_edge_free_flow_s(const struct road_edge *edge)
{
    return edge->length_m / edge->speed_mps;
}

/* Flat differences in units that are equal in both directions near `a`: enough for halves and headings of one road. */
static void flat_step(const struct road_network *network, struct road_point a, struct road_point b, double *ret_east, double *ret_north)
{
    *ret_east = (b.lon - a.lon) * (network->is_geographic ? cos((a.lat + b.lat) / 2 * RADIANS) : 1);
    *ret_north = b.lat - a.lat;
}

struct road_point road_edge_at(const struct road_network *network, uint32_t edge, double share, double *ret_heading)
{
    const struct road_point *points = &network->points[network->edges[edge].first_point];
    uint32_t n = network->edges[edge].n_points, at = n - 1;
    double total = 0, east, north;
    for (uint32_t i = 1; i < n; i++) {
        flat_step(network, points[i - 1], points[i], &east, &north);
        total += hypot(east, north);
    }
    double left = total * share, of_step = 1;
    for (uint32_t i = 1; i < n; i++) {
        flat_step(network, points[i - 1], points[i], &east, &north);
        double step = hypot(east, north);
        if (step > 0 && step >= left) {
            of_step = fmax(left / step, 0);
            at = i;
            break;
        }
        left -= step;
    }
    struct road_point a = points[at - 1], b = points[at];
    if (ret_heading != NULL)
        *ret_heading = road_heading(network, a, b);
    return (struct road_point){a.lon + of_step * (b.lon - a.lon), a.lat + of_step * (b.lat - a.lat)};
}

struct road_point road_edge_middle(const struct road_network *network, uint32_t edge)
{
    return road_edge_at(network, edge, 0.5, NULL);
}

double road_heading(const struct road_network *network, struct road_point a, struct road_point b)
{
    double east, north;
    flat_step(network, a, b, &east, &north);
    double heading = atan2(east, north) / RADIANS;
    return heading < 0 ? heading + 360 : heading;
}
