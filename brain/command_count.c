/* `citybrain count`: the count from files, by the same estimator that runs live. */
#include "brain/commands.h"
#include "brain/told.h"
#include "scene/count/file.h"

#include <stdio.h>
#include <string.h>

enum { COUNT_NETWORK, COUNT_CAMERAS, COUNT_PASSAGES, COUNT_EVERY, COUNT_OUT, COUNT_UNTIL, COUNT_ROADS };
static const struct command_option options[] = {
    {"network", "N.net.xml", "the road network, as netconvert writes it"},
    {"cameras", "FILE", "camera,edge,pos_m,x,y"},
    {"passages", "FILE", "pass_time_ms,arrive_time_ms,camera,lane,plate,confidence, in order of arrival"},
    {"every", "SECONDS", "a row so often on the arrival clock (default 60)"},
    {"out", "FILE", "where the counts go: time_s,count,low,high"},
    {"until", "SECONDS", "the last row's time (default: the last arrival)"},
    {"roads", "FILE", "speeds and delay of roads: time_s,edge,n,speed_mps,delay_index"},
    {NULL, NULL, NULL},
};

static int run_count(const struct command_line *line)
{
    static const int needed[] = {COUNT_NETWORK, COUNT_CAMERAS, COUNT_PASSAGES, COUNT_OUT};
    double every = 60, until = -1;
    struct diag diag = {""};
    struct told told;
    told_init(&told, "counting");
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
        if (!line->values[needed[i]]) {
            fprintf(stderr, "citybrain count: --%s is missing; see citybrain count --help\n", options[needed[i]].name);
            return 2;
        }
    if ((line->values[COUNT_EVERY] && !command_number(line->values[COUNT_EVERY], "every", 1, 86400, &every)) ||
        (line->values[COUNT_UNTIL] && !command_number(line->values[COUNT_UNTIL], "until", 0, 1e9, &until)))
        return 2;
    struct count_files files = {.network_path = line->values[COUNT_NETWORK],
        .cameras_path = line->values[COUNT_CAMERAS],
        .passages_path = line->values[COUNT_PASSAGES],
        .counts_path = line->values[COUNT_OUT],
        .roads_path = line->values[COUNT_ROADS],
        .every_s = (int64_t)every,
        .until_s = (int64_t)until,
        .settings = COUNT_SETTINGS_DEFAULT,
        .on_broken = told_broken,
        .on_progress = told_progress,
        .context = &told};
    enum err err = count_files_run(&files, &diag);
    if (err != ERR_OK) {
        fprintf(stderr, "citybrain count: %s\n", diag.text[0] ? diag.text : err_text(err));
        return 2;
    }
    told_rest(&told);
    fprintf(stderr, "%llu lines, %llu of them not used, %llu rows\n", (unsigned long long)files.n_lines, (unsigned long long)files.n_broken,
        (unsigned long long)files.n_rows);
    return 0;
}

const struct command command_count = {
    "count", "--network … --out FILE", "vehicles in transit from files of passages", options, 0, 0, run_count};
