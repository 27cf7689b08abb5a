/*
 * The count from files: a network, a table of cameras and the passages in the order of their arrival, to a table of counts.
 * What `citybrain count` does; the estimator is the same one that runs live (core.h).
 *
 *     cameras.csv   camera,edge,pos_m,x,y
 *     passages.csv  pass_time_ms,arrive_time_ms,camera,lane,plate,confidence     by arrive_time_ms
 *     counts.csv    time_s,count,low,high         one row each `every_s` of the arrival clock
 *     roads.csv     time_s,edge,n,speed_mps,delay_index
 *
 * A row is made from what arrived by its time and nothing after. There is no interval yet: low and high are the count. An area's silence
 * makes no row stale here: a file ends, a city does not.
 */
#ifndef SCENE_COUNT_FILE_H
#define SCENE_COUNT_FILE_H

#include "base/diag.h"
#include "scene/count/core.h"

struct count_files {
    /* asked; borrowed */
    const char *network_path, *cameras_path, *passages_path, *counts_path;
    const char *roads_path; /* NULL: none */
    int64_t every_s;        /* 1 to 86400 */
    int64_t until_s;        /* -1: to the last arrival */
    struct count_settings settings;
    void (*on_broken)(void *context, const char *text); /* each line that is not used: "passages.csv:7: …"; may be NULL */
    void (*on_progress)(void *context, double share);   /* 0 to 1, about a hundred times; may be NULL */
    void *context;
    /* answered */
    uint64_t n_lines, n_broken, n_rows;
    struct count_counters counters;
};

/* Errors that end it are told in `diag`: a file that cannot be read or written, a header that is not there, a network that is broken.
 * Broken lines do not: they are told, counted and left out. */
enum err count_files_run(struct count_files *files, struct diag *diag) MUST_CHECK;

#endif
