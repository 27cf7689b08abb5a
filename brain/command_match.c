/* `citybrain match`: GPS points onto the road network, from files. */
#include "base/outs.h"
#include "brain/commands.h"
#include "brain/told.h"
#include "road/match_file.h"

#include <stdio.h>

#define TRACKS_MAX 100000u

enum { MATCH_NETWORK, MATCH_POINTS, MATCH_OUT, MATCH_EDGES, MATCH_SIGMA, MATCH_GAP, MATCH_LAG };
static const struct command_option options[] = {
    {"network", "N.net.xml", "the road network, as netconvert writes it"},
    {"points", "FILE", "vehicle,time_ms,lon,lat (x,y without a projection)[,speed in m/s][,heading in degrees]; - is standard input"},
    {"out", "FILE", "where the points go: vehicle,time_ms,kind,edge,offset_m,lon,lat,distance_m,way"},
    {"edges", "FILE", "times on edges, too: vehicle,edge,enter_ms,leave_ms,whole"},
    {"sigma", "M", "the points' error in metres, 1 to 200 (default 10)"},
    {"gap", "SECONDS", "a longer silence breaks a track (default 300)"},
    {"lag", "POINTS", "a point is certain so many later, 1 to 4096 (default 256; live streams have 20)"},
    {NULL, NULL, NULL},
};

/* False: it was told. */
static bool open_out(struct outs *outs, const char *path, FILE **ret_file)
{
    struct diag diag = {""};
    if (path == NULL || outs_open(outs, path, &diag, ret_file) == ERR_OK)
        return true;
    fprintf(stderr, "citybrain match: %s\n", diag.text);
    return false;
}

static bool close_out(FILE *file, const char *path)
{
    struct diag diag = {""};
    if (outs_close(file, path, &diag) == ERR_OK)
        return true;
    fprintf(stderr, "citybrain match: %s\n", diag.text);
    return false;
}

static int match_points(struct road_match_run *run, const char *path, struct told *told)
{
    struct diag diag = {""};
    enum err err = road_match_read(run, path, &diag);
    if (err != ERR_OK) {
        fprintf(stderr, "citybrain match: %s\n", diag.text[0] ? diag.text : err_text(err));
        return 2;
    }
    told_rest(told);
    fprintf(stderr, "%llu lines, %llu of them not used; %llu points on %llu tracks, %llu off the road, %llu jumps\n",
        (unsigned long long)run->n_lines, (unsigned long long)run->n_broken, (unsigned long long)run->n_matched,
        (unsigned long long)run->n_tracks, (unsigned long long)run->n_off, (unsigned long long)run->n_jumps);
    return 0;
}

static int run_match(const struct command_line *line)
{
    static const int needed[] = {MATCH_NETWORK, MATCH_POINTS, MATCH_OUT};
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
        if (!line->values[needed[i]]) {
            fprintf(stderr, "citybrain match: --%s is missing; see citybrain match --help\n", options[needed[i]].name);
            return 2;
        }
    struct told told;
    told_init(&told, "matching");
    struct road_match_run run = {
        .settings = ROAD_MATCH_FILE, .tracks_max = TRACKS_MAX, .on_broken = told_broken, .on_progress = told_progress, .context = &told};
    double lag = run.settings.lag;
    if ((line->values[MATCH_SIGMA] && !command_number(line->values[MATCH_SIGMA], "sigma", 1, 200, &run.settings.sigma_m)) ||
        (line->values[MATCH_GAP] && !command_number(line->values[MATCH_GAP], "gap", 1, 86400, &run.settings.gap_s)) ||
        (line->values[MATCH_LAG] && !command_number(line->values[MATCH_LAG], "lag", 1, ROAD_MATCH_LAG_MAX, &lag)))
        return 2;
    run.settings.lag = (uint32_t)lag;
    struct diag diag = {""};
    struct road_network *network = NULL;
    struct road_hierarchy *hierarchy = NULL;
    struct road_nearest *nearest = NULL;
    int status = 2;
    enum err err = road_network_load(line->values[MATCH_NETWORK], &diag, &network);
    if (err == ERR_OK)
        err = road_hierarchy_create(network, &hierarchy);
    if (err == ERR_OK)
        err = road_nearest_create(network, &nearest);
    if (err != ERR_OK) {
        fprintf(stderr, "citybrain match: %s\n", diag.text[0] ? diag.text : err_text(err));
        goto done;
    }
    run.network = network;
    run.hierarchy = hierarchy;
    run.nearest = nearest;
    struct outs outs = {.n = 0};
    outs_spare(&outs, line->values[MATCH_NETWORK]);
    outs_spare(&outs, line->values[MATCH_POINTS]);
    if (open_out(&outs, line->values[MATCH_OUT], &run.matched) && open_out(&outs, line->values[MATCH_EDGES], &run.edges))
        status = match_points(&run, line->values[MATCH_POINTS], &told);
    if (!close_out(run.matched, line->values[MATCH_OUT]) | !close_out(run.edges, line->values[MATCH_EDGES]))
        status = 2;
done:
    road_nearest_destroy(nearest);
    road_hierarchy_destroy(hierarchy);
    road_network_destroy(network);
    return status;
}

const struct command command_match = {
    "match", "--network … --points … --out …", "GPS points onto the road: edge, place and way of each", options, 0, 0, run_match};
