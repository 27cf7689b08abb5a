/* `citybrain route`: the fastest way between two places, or between many pairs of them, with live travel times. */
#include "base/mem.h"
#include "base/outs.h"
#include "brain/commands.h"
#include "brain/told.h"
#include "road/trip.h"
#include "road/weights.h"

#include <stdio.h>
#include <string.h>

#define GEOJSON_MAX (64u << 20)

enum { ROUTE_NETWORK, ROUTE_FROM, ROUTE_TO, ROUTE_WEIGHTS, ROUTE_GEOJSON, ROUTE_BATCH, ROUTE_OUT };
static const struct command_option options[] = {
    {"network", "N.net.xml", "the road network, as netconvert writes it"},
    {"from", "PLACE", "where: an edge (its end), or LON,LAT (X,Y in a network without a projection)"},
    {"to", "PLACE", "where to, in the same way"},
    {"weights", "FILE", "live travel times: edge,seconds or edge,speed_mps (default: free flow)"},
    {"geojson", "FILE", "the way as a GeoJSON Feature, besides the table"},
    {"batch", "FILE", "many: from,to (edges) or from_x,from_y,to_x,to_y; instead of --from and --to"},
    {"out", "FILE", "where the table goes (default: standard output)"},
    {NULL, NULL, NULL},
};

struct finder {
    struct road_network *network;
    struct road_nearest *nearest;
    struct road_router *router;
    FILE *out; /* the table */
    struct outs outs;
    uint64_t n_pairs, n_found;
    struct told told;
};

static void on_broken(void *context, const char *text)
{
    told_broken(&((struct finder *)context)->told, text);
}

static void on_progress(void *context, double share)
{
    told_progress(&((struct finder *)context)->told, share);
}

static void tell_rest(struct finder *finder, const char *path, const struct road_table *table)
{
    told_rest(&finder->told);
    if (table->n_broken > 0)
        fprintf(stderr, "%s: %llu lines, %llu of them not used\n", path, (unsigned long long)table->n_lines,
            (unsigned long long)table->n_broken);
}

static enum err load_weights(struct finder *finder, const char *path, struct diag *diag)
{
    float *edge_s = mem_alloc(finder->network->n_edges * sizeof(*edge_s));
    if (edge_s == NULL)
        return ERR_NO_MEMORY;
    struct road_table table = {.on_broken = on_broken, .context = finder};
    enum err err = road_weights_read(finder->network, path, &table, edge_s, diag);
    if (err == ERR_OK) {
        tell_rest(finder, path, &table);
        road_router_set_times(finder->router, edge_s);
    }
    mem_free(edge_s);
    return err;
}

/* ---- one pair ---- */

static void print_trip(const struct finder *finder, const struct road_trip *trip)
{
    const struct road_edge *edges = finder->network->edges;
    uint32_t at = trip->first_edge, n = trip->n_edges;
    double first_ms = road_router_edge_ms(finder->router, at), length_m = edges[at].length_m;
    double seconds = ((n > 0 ? length_m : trip->to_m) - trip->from_m) / length_m * first_ms / 1000;
    fprintf(finder->out, "edge,road,length_m,seconds\n" STR_FORMAT "," STR_FORMAT ",%.1f,%.3f\n", STR_ARG(edges[at].id),
        STR_ARG(edges[at].name), (n > 0 ? length_m : trip->to_m) - trip->from_m, seconds);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t next = trip->edges[i];
        bool is_last = i + 1 == n;
        seconds += road_router_turn_ms(finder->router, at, next) / 1000.0;
        fprintf(finder->out, STR_FORMAT "," STR_FORMAT ",%.1f,%.3f\n", STR_ARG(edges[next].id), STR_ARG(edges[next].name),
            is_last ? trip->to_m : edges[next].length_m, is_last ? trip->time_s : seconds);
        at = next;
    }
    fflush(finder->out); /* the sum comes after the table, also where both go to one place */
    fprintf(stderr, "%.1f s, %.0f m, %u edges\n", trip->time_s, trip->length_m, n + 1);
}

static int write_geojson(struct finder *finder, const struct road_trip *trip, const char *path)
{
    struct buf text;
    struct diag diag = {""};
    FILE *file = NULL;
    buf_init(&text, GEOJSON_MAX);
    road_trip_write(finder->network, trip, &text);
    buf_append_byte(&text, '\n');
    enum err err = text.err == ERR_OK ? outs_open(&finder->outs, path, &diag, &file) : text.err;
    if (err == ERR_OK)
        (void)fwrite(text.ptr, 1, text.len, file); /* what fails is told at the end */
    enum err closed = outs_close(file, path, &diag);
    err = err != ERR_OK ? err : closed;
    if (err != ERR_OK)
        fprintf(stderr, "citybrain route: %s\n", diag.text[0] ? diag.text : err_text(err));
    buf_finish(&text);
    return err == ERR_OK ? 0 : 2;
}

static int find_one(struct finder *finder, const struct command_line *line)
{
    struct road_stop stops[2];
    for (int i = 0; i < 2; i++) {
        const char *text = line->values[ROUTE_FROM + i],
                   *wrong = road_stop_parse(finder->network, finder->nearest, str_from_c(text), &stops[i]);
        if (wrong != NULL) {
            fprintf(stderr, "citybrain route: --%s %s %s\n", options[ROUTE_FROM + i].name, text, wrong);
            return 2;
        }
    }
    struct road_trip trip;
    if (road_trip_find(finder->router, &stops[0], &stops[1], &trip) != ERR_OK) {
        fprintf(stderr, "citybrain route: no way leads from %s to %s\n", line->values[ROUTE_FROM], line->values[ROUTE_TO]);
        return 1;
    }
    print_trip(finder, &trip);
    return line->values[ROUTE_GEOJSON] ? write_geojson(finder, &trip, line->values[ROUTE_GEOJSON]) : 0;
}

/* ---- many ---- */

enum { PAIR_FROM, PAIR_TO, PAIR_FROM_X, PAIR_FROM_Y, PAIR_TO_X, PAIR_TO_Y };
static const char *const pair_columns[] = {"from", "to", "from_x", "from_y", "to_x", "to_y", NULL};

static const char *on_header(void *context, uint32_t present)
{
    (void)context;
    bool has_from = present & 1u << PAIR_FROM || (present & 1u << PAIR_FROM_X && present & 1u << PAIR_FROM_Y);
    bool has_to = present & 1u << PAIR_TO || (present & 1u << PAIR_TO_X && present & 1u << PAIR_TO_Y);
    return has_from && has_to ? NULL : "pairs need the columns from and to (edges), or from_x, from_y, to_x and to_y (places)";
}

static const char *find_end(const struct finder *finder, struct str edge, struct str x, struct str y, struct road_stop *ret_stop)
{
    struct road_point point;
    if (!str_is_empty(edge)) {
        uint32_t number = road_edge_find(finder->network, edge);
        if (number == ROAD_NONE)
            return "the network has no such edge";
        *ret_stop = road_stop_at_end(finder->network, number);
        return NULL;
    }
    if (str_to_double(x, &point.lon) != ERR_OK || str_to_double(y, &point.lat) != ERR_OK)
        return "a place is not two numbers";
    return road_stop_near(finder->network, finder->nearest, point, ret_stop) ? NULL
                                                                             : "a place is farther than 500 m from every road for cars";
}

static const char *on_pair(void *context, const struct str *fields)
{
    struct finder *finder = context;
    const struct road_edge *edges = finder->network->edges;
    struct road_stop from, to;
    struct road_trip trip;
    uint64_t number = ++finder->n_pairs;
    const char *wrong = find_end(finder, fields[PAIR_FROM], fields[PAIR_FROM_X], fields[PAIR_FROM_Y], &from);
    if (wrong == NULL)
        wrong = find_end(finder, fields[PAIR_TO], fields[PAIR_TO_X], fields[PAIR_TO_Y], &to);
    if (wrong != NULL)
        return wrong;
    if (road_trip_find(finder->router, &from, &to, &trip) != ERR_OK) {
        fprintf(finder->out, "%llu,,,\n", (unsigned long long)number);
        return NULL;
    }
    finder->n_found++;
    fprintf(finder->out, "%llu,%.3f,%.1f," STR_FORMAT, (unsigned long long)number, trip.time_s, trip.length_m,
        STR_ARG(edges[trip.first_edge].id));
    for (uint32_t i = 0; i < trip.n_edges; i++)
        fprintf(finder->out, " " STR_FORMAT, STR_ARG(edges[trip.edges[i]].id));
    fputc('\n', finder->out);
    return NULL;
}

static int find_many(struct finder *finder, const char *path)
{
    struct diag diag = {""};
    struct road_table table = {pair_columns, on_header, on_pair, on_broken, on_progress, finder, 0, 0};
    fprintf(finder->out, "pair,seconds,length_m,edges\n");
    enum err err = road_table_read(&table, path, &diag);
    if (err != ERR_OK) {
        fprintf(stderr, "citybrain route: %s\n", diag.text[0] ? diag.text : err_text(err));
        return 2;
    }
    tell_rest(finder, path, &table);
    fprintf(stderr, "%llu pairs, %llu ways\n", (unsigned long long)table.n_lines, (unsigned long long)finder->n_found);
    return 0;
}

/* ---- the command ---- */

static bool is_asked_well(const struct command_line *line)
{
    bool is_batch = line->values[ROUTE_BATCH] != NULL;
    const char *wrong = !line->values[ROUTE_NETWORK]                                       ? "--network is missing"
                        : is_batch && (line->values[ROUTE_FROM] || line->values[ROUTE_TO]) ? "give --batch, or --from and --to"
                        : is_batch && line->values[ROUTE_GEOJSON]                          ? "--geojson is for one way"
                        : !is_batch && (line->values[ROUTE_FROM] == NULL || line->values[ROUTE_TO] == NULL) ? "--from and --to are missing"
                                                                                                            : NULL;
    if (wrong != NULL)
        fprintf(stderr, "citybrain route: %s; see citybrain route --help\n", wrong);
    return wrong == NULL;
}

/* The table to its end; false: it is not whole, which was told. */
static bool is_written(FILE *out, const char *path)
{
    struct diag diag = {""};
    bool is_bad = out == stdout && (fflush(out) != 0 || ferror(out) != 0);
    if (is_bad)
        diag_set(&diag, ERR_IO, "standard output", 0, "cannot write it whole; free some of the disk");
    else if (out != stdout)
        is_bad = outs_close(out, path, &diag) != ERR_OK;
    if (is_bad)
        fprintf(stderr, "citybrain route: %s\n", diag.text);
    return !is_bad;
}

static int run_route(const struct command_line *line)
{
    struct diag diag = {""};
    struct finder finder = {.out = stdout};
    int status = 2;
    told_init(&finder.told, "finding ways");
    if (!is_asked_well(line))
        return 2;
    enum err err = road_network_load(line->values[ROUTE_NETWORK], &diag, &finder.network);
    if (err == ERR_OK)
        err = road_nearest_create(finder.network, &finder.nearest);
    if (err == ERR_OK)
        err = road_router_create(finder.network, &finder.router);
    if (err == ERR_OK && line->values[ROUTE_WEIGHTS])
        err = load_weights(&finder, line->values[ROUTE_WEIGHTS], &diag);
    static const int read[] = {ROUTE_NETWORK, ROUTE_WEIGHTS, ROUTE_BATCH};
    for (size_t i = 0; i < sizeof(read) / sizeof(read[0]); i++)
        outs_spare(&finder.outs, line->values[read[i]]);
    if (err == ERR_OK && line->values[ROUTE_OUT])
        err = outs_open(&finder.outs, line->values[ROUTE_OUT], &diag, &finder.out);
    if (err != ERR_OK)
        fprintf(stderr, "citybrain route: %s\n", diag.text[0] ? diag.text : err_text(err));
    else
        status = line->values[ROUTE_BATCH] ? find_many(&finder, line->values[ROUTE_BATCH]) : find_one(&finder, line);
    if (!is_written(finder.out, line->values[ROUTE_OUT]))
        status = 2;
    road_router_destroy(finder.router);
    road_nearest_destroy(finder.nearest);
    road_network_destroy(finder.network);
    return status;
}

const struct command command_route = {
    "route", "--network … --from … --to …", "the fastest way by road, with live travel times", options, 0, 0, run_route};
