/* `citybrain count`: the count from files, by the same estimator that runs live. */
#include "base/mem.h"
#include "brain/commands.h"
#include "brain/count_joined.h"
#include "brain/told.h"
#include "scene/count/file.h"
#include "scene/count/passages.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define EXPECTED ((size_t)64 << 20) /* bytes of a city's cameras and network: what each passage looks into */

enum {
    COUNT_NETWORK,
    COUNT_CAMERAS,
    COUNT_PASSAGES,
    COUNT_EVERY,
    COUNT_OUT,
    COUNT_UNTIL,
    COUNT_ROADS,
    COUNT_AREAS,
    COUNT_AREAS_OUT,
    COUNT_CLONES,
    COUNT_HEALTH,
    COUNT_INDEX,
    COUNT_INDICES,
    COUNT_JUNCTIONS,
    COUNT_ON_EDGES,
    COUNT_LOOPS,
    COUNT_FLOWS,
    COUNT_GPS,
    COUNT_PART,
    COUNT_CONVERT,
    COUNT_PARTS,
    COUNT_CITY,
    COUNT_AS,
    COUNT_WAIT,
    COUNT_BUS
};
static const struct command_option options[] = {
    {"network", "N.net.xml", "the road network, as netconvert writes it"},
    {"cameras", "FILE", "camera,edge,pos_m,x,y"},
    {"passages", "FILE",
        "pass_time_ms,arrive_time_ms,camera,lane,plate,confidence, in order of arrival; or what --convert writes; - is standard input"},
    {"every", "SECONDS", "a row so often on the arrival clock (default 60)"},
    {"out", "FILE", "where the counts go: time_s,count,low,high"},
    {"until", "SECONDS", "the last row's time (default: the last arrival; at most a week after it)"},
    {"roads", "FILE", "speeds and delay of roads: time_s,edge,n,speed_mps,delay_index"},
    {"areas", "FILE", "polygons (GeoJSON) whose property area, or name, is a name"},
    {"areas-out", "FILE", "where their counts go: time_s,area,count,low,high"},
    {"clones", "FILE", "plates at two places at once: two pairs of passages each that nobody could have driven between"},
    {"health", "FILE", "each camera's clock error and recall, as learned by the end"},
    {"index", "FILE", "the index object (a city's indices/*.yaml): levels of speed and the congestion index"},
    {"indices", "FILE", "where the indices go: time_s,area,speed_mps,delay_index,congestion_index,vehicle_km_ph,made_by"},
    {"junctions", "FILE", "delay of a vehicle at each junction: time_s,junction,n,delay_s,delay_index"},
    {"vehicles", "FILE", "vehicles in transit on each edge: time_s,edge,count,low,high"},
    {"loops", "FILE",
        "what induction loops counted: from_time_ms,to_time_ms,arrive_time_ms,edge,lane,vehicles, in order of arrival (docs/loops.md)"},
    {"flows", "FILE", "vehicles an hour on each edge: time_s,edge,flow_vph,source (loop or camera)"},
    {"gps", "FILE",
        "floating cars' points: vehicle,time_ms,lon,lat[,speed][,heading][,arrive_time_ms][,status], in order of arrival (docs/gps.md)"},
    {"part", "I/K", "count only the vehicles of part I of K, by hash of the plate; the K tables add up to one, nearly (docs/scale.md)"},
    {"convert", "FILE", "only write the passages in the binary form, 32 bytes each; needs --passages alone"},
    {"parts", "K", "the plates are in K processes `citybrain count-part` on the bus; the tables are those of one process (docs/scale.md)"},
    {"city", "DIR", "with --parts: the city whose parties.yaml has the keys"},
    {"as", "AREA/PARTY", "with --parts: the party that counts, as hangzhou/scene.count"},
    {"wait", "SECONDS", "with --parts: for a part's answer, before it is given up (default 60)"},
    BRAIN_BUS_OPTIONS,
    {NULL, NULL, NULL},
};

static bool whole_number(const char *text, const char *name, double min, double max, double *ret_number)
{
    if (text == NULL)
        return true;
    double number;
    if (str_to_double(str_from_c(text), &number) == ERR_OK && number >= min && number <= max && number == floor(number)) {
        *ret_number = number;
        return true;
    }
    fprintf(stderr, "citybrain count: --%s is \"%s\"; give it a whole number from %.0f to %.0f\n", name, text, min, max);
    return false;
}

static int run_convert(const struct command_line *line)
{
    struct diag diag = {""};
    struct told told;
    struct count_reading reading = {.on_broken = told_broken, .on_progress = told_progress, .context = &told};
    uint64_t n = 0;
    told_init(&told, "converting");
    enum err err = count_passages_convert(&reading, line->values[COUNT_PASSAGES], line->values[COUNT_CONVERT], &diag, &n);
    told_rest(&told);
    if (err != ERR_OK) {
        fprintf(stderr, "citybrain count: %s\n", diag.text[0] ? diag.text : err_text(err));
        return 2;
    }
    fprintf(stderr, "%llu lines, %llu of them not used, %llu passages written\n", (unsigned long long)reading.n_lines,
        (unsigned long long)reading.n_broken, (unsigned long long)n);
    return 0;
}

/* What happened besides, where it did. */
static void tell_counters(const struct count_files *files)
{
    const struct count_counters *counters = &files->counters;
    uint64_t n_lines = files->n_lines + files->n_loop_lines + files->n_point_lines;
    const struct {
        uint64_t n;
        const char *what;
    } rest[] = {
        {counters->n_duplicates, "the same passage again"},
        {counters->n_late, "refused: later than ten minutes by the camera's clock"},
        {counters->n_future, "refused: from ahead of their arrival by the camera's clock"},
        {counters->n_impossible,
            "pairs of sightings of one plate that no vehicle could have driven between: cloned or misread plates, wrong clocks"},
        {files->n_back, "arrived before the line above; taken as arriving with it"},
        {files->n_cameras_broken, "lines of the cameras' table not used"},
        {files->n_cameras_beyond, "cameras beyond the end of their edge by pos_m, used all the same: another network?"},
        {files->n_evicted, "vehicles forgotten early, as more are known at once than the limit"},
    };
    fprintf(stderr, "%llu line%s, %llu of them not used, %llu row%s\n", (unsigned long long)n_lines, n_lines == 1 ? "" : "s",
        (unsigned long long)files->n_broken, (unsigned long long)files->n_rows, files->n_rows == 1 ? "" : "s");
    if (files->n_rows == 0 && files->n_lines > 0)
        fprintf(stderr, "no row: no multiple of --every lies between the first arrival and --until, or the last arrival\n");
    for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++)
        if (rest[i].n > 0)
            fprintf(stderr, "%llu %s\n", (unsigned long long)rest[i].n, rest[i].what);
    for (int i = COUNT_LOOP_TAKEN + 1; i < COUNT_LOOP_N_VERDICTS; i++)
        if (files->n_loop_rows[i] > 0)
            fprintf(stderr, "%llu rows of loops not used: %s\n", (unsigned long long)files->n_loop_rows[i], count_loop_verdict_text(i));
}

static void tell_points(const struct count_files *files)
{
    fprintf(stderr, "%llu points of floating cars, over %llu whole edges\n", (unsigned long long)files->n_point_lines,
        (unsigned long long)files->counters.n_drives);
    for (int i = COUNT_GPS_TAKEN + 1; i < COUNT_GPS_N_VERDICTS; i++)
        if (files->n_points[i] > 0)
            fprintf(stderr, "%llu points not used: %s\n", (unsigned long long)files->n_points[i], count_gps_verdict_text(i));
}

/* Floating cars say how fast, never how many; of parts their drives would come out of order. */
static bool is_gps_of_use(const struct command_line *line)
{
    static const int tables[] = {COUNT_ROADS, COUNT_INDICES, COUNT_JUNCTIONS};
    bool is_asked = false;
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        is_asked |= line->values[tables[i]] != NULL;
    if (line->values[COUNT_GPS] && !is_asked)
        fprintf(stderr, "citybrain count: --gps tells how fast roads are; give --roads, --indices or --junctions with it\n");
    else if (line->values[COUNT_GPS] && (line->values[COUNT_PART] || line->values[COUNT_PARTS]))
        fprintf(stderr, "citybrain count: --gps goes with neither --part nor --parts; leave it out, or them\n");
    else
        return true;
    return false;
}

static bool is_complete(const struct command_line *line)
{
    static const int needed[] = {COUNT_NETWORK, COUNT_CAMERAS, COUNT_PASSAGES, COUNT_OUT};
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
        if (!line->values[needed[i]] && (!line->values[COUNT_CONVERT] || needed[i] == COUNT_PASSAGES)) {
            fprintf(stderr, "citybrain count: --%s is missing; see citybrain count --help\n", options[needed[i]].name);
            return false;
        }
    if (line->values[COUNT_LOOPS] && line->values[COUNT_PART]) {
        fprintf(stderr,
            "citybrain count: --loops tells of all vehicles, --part has some of them; give --loops with --parts, or without either\n");
        return false;
    }
    if (!is_gps_of_use(line))
        return false;
    if ((line->values[COUNT_AREAS] != NULL) == (line->values[COUNT_AREAS_OUT] != NULL))
        return true;
    fprintf(stderr, "citybrain count: --areas and --areas-out belong together; give both\n");
    return false;
}

/* With --parts: the way to them. Tells what is wrong. */
static bool join_parts(const struct command_line *line, struct count_joined *joined, struct count_files *files)
{
    double n = 0, wait = 60;
    struct diag_list diags = {.n = 0};
    if (line->values[COUNT_PART] || !line->values[COUNT_CITY] || !line->values[COUNT_AS]) {
        fprintf(stderr, "citybrain count: --parts needs --city, --as, --bus and --party-key, and no --part; see citybrain count --help\n");
        return false;
    }
    if (!whole_number(line->values[COUNT_PARTS], "parts", 1, COUNT_PARTS_MAX, &n) ||
        !whole_number(line->values[COUNT_WAIT], "wait", 1, 86400, &wait))
        return false;
    const struct count_joined_options how = {.bus = brain_bus_read(&line->values[COUNT_BUS]),
        .city_dir = line->values[COUNT_CITY],
        .party = line->values[COUNT_AS],
        .n = (uint32_t)n,
        .wait_ms = (int64_t)wait * 1000};
    enum err err = count_joined_open(&how, &diags, joined);
    for (size_t i = 0; i < diags.n; i++)
        fprintf(stderr, "citybrain count: %s\n", diags.diags[i].text);
    if (err != ERR_OK && diags.n == 0)
        fprintf(stderr, "citybrain count: the bus: %s\n", err_text(err));
    files->joined = &joined->files;
    return err == ERR_OK;
}

static void tell_parts(const struct count_files *files)
{
    const struct count_parts_counters *counters = &files->parts_counters;
    fprintf(stderr, "%u parts asked %llu times in %llu windows, %llu bytes there and %llu back; %llu vehicles known there\n",
        files->joined->n, (unsigned long long)counters->n_questions, (unsigned long long)counters->n_windows,
        (unsigned long long)counters->n_asked_bytes, (unsigned long long)counters->n_answered_bytes, (unsigned long long)counters->n_known);
    if (counters->n_again > 0)
        fprintf(stderr, "%llu questions asked again, of parts that were started anew\n", (unsigned long long)counters->n_again);
}

static int run_count(const struct command_line *line)
{
    unsigned part = 0, n_parts = 0;
    struct count_joined joined = {.loop = NULL};
    double every = 60, until = -1;
    struct diag diag = {""};
    struct told told;
    if (!is_complete(line))
        return 2;
    if (line->values[COUNT_CONVERT])
        return run_convert(line);
    if (!whole_number(line->values[COUNT_EVERY], "every", 1, 86400, &every) ||
        !whole_number(line->values[COUNT_UNTIL], "until", 0, (double)COUNT_TIME_FILE_MAX / 1000, &until) ||
        (line->values[COUNT_PART] && !command_part(line->values[COUNT_PART], 65536, &part, &n_parts)))
        return 2;
    told_init(&told, "counting");
    struct count_files files = {.network_path = line->values[COUNT_NETWORK],
        .cameras_path = line->values[COUNT_CAMERAS],
        .passages_path = line->values[COUNT_PASSAGES],
        .counts_path = line->values[COUNT_OUT],
        .roads_path = line->values[COUNT_ROADS],
        .areas_path = line->values[COUNT_AREAS],
        .areas_out_path = line->values[COUNT_AREAS_OUT],
        .clones_path = line->values[COUNT_CLONES],
        .health_path = line->values[COUNT_HEALTH],
        .index_path = line->values[COUNT_INDEX],
        .indices_path = line->values[COUNT_INDICES],
        .junctions_path = line->values[COUNT_JUNCTIONS],
        .on_edges_path = line->values[COUNT_ON_EDGES],
        .loops_path = line->values[COUNT_LOOPS],
        .points_path = line->values[COUNT_GPS],
        .flows_path = line->values[COUNT_FLOWS],
        .every_s = (int64_t)every,
        .until_s = (int64_t)until,
        .part = part,
        .n_parts = n_parts,
        .settings = COUNT_SETTINGS_DEFAULT,
        .on_broken = told_broken,
        .on_progress = told_progress,
        .context = &told};
    mem_expect_random(EXPECTED);
    bool is_joined = !line->values[COUNT_PARTS] || join_parts(line, &joined, &files);
    enum err err = is_joined ? count_files_run(&files, &diag) : ERR_UNAVAILABLE;
    count_joined_close(&joined);
    told_rest(&told);
    if (err != ERR_OK) {
        if (is_joined)
            fprintf(stderr, "citybrain count: %s\n", diag.text[0] ? diag.text : err_text(err));
        return 2;
    }
    tell_counters(&files);
    if (files.points_path)
        tell_points(&files);
    if (files.joined)
        tell_parts(&files);
    return 0;
}

const struct command command_count = {
    "count", "--network … --out FILE", "vehicles in transit from files of passages", options, 0, 0, run_count};
