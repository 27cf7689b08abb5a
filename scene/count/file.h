/*
 * The count from files: a network, a table of cameras and the passages in the order of their arrival, to a table of counts.
 * What `citybrain count` does; the estimator is the same one that runs live (core.h).
 *
 *     cameras.csv   camera,edge,pos_m,x,y         columns by name; camera and edge are needed
 *     passages      text or binary: passages.h    by arrive_time_ms
 *     counts.csv    time_s,count,low,high         one row each `every_s` of the arrival clock
 *     roads.csv     time_s,edge,n,speed_mps,delay_index
 *     vehicles.csv  time_s,edge,count,low,high
 *     areas.csv     time_s,area,count,low,high    of areas with a camera: areas.h
 *     clones.csv    time_s,camera_a,pass_time_ms_a,camera_b,pass_time_ms_b,least_s,camera_c,pass_time_ms_c,camera_d,pass_time_ms_d
 *                   two pairs of passages of one plate, each further apart than anybody could have driven (clones.h)
 *     health.csv    camera,clock_ms,clock_within_ms,recall,n_recall,silent    each camera's, at the end
 *     indices.csv   time_s,area,speed_mps,delay_index,congestion_index,vehicle_km_ph,made_by    the whole network has an empty name
 *     junctions.csv time_s,junction,n,delay_s,delay_index
 *     loops         loops_file.h                  by arrive_time_ms, beside the passages
 *     flows.csv     time_s,edge,flow_vph,source   loop or camera
 *     points        gps_file.h                    floating cars, by arrive_time_ms or else time_ms, beside the passages
 *
 * A row is made from what arrived by its time and nothing after. low and high are the 90 % interval. An area's silence
 * makes no row stale here: a file ends, a city does not.
 *
 * Arrivals come from one receiver's clock, so they go on:
 *   - back by up to ten minutes: the passage is taken as arriving with the one before it, and counted (n_back);
 *   - back by more: the line is broken;
 *   - ahead by more than an hour: believed once the next line goes on from there; otherwise the line is broken, the others are not;
 *   - ahead by more than a week, and believed: no rows for the time between (n_jumps).
 */
#ifndef SCENE_COUNT_FILE_H
#define SCENE_COUNT_FILE_H

#include "base/diag.h"
#include "scene/count/gps.h"
#include "scene/count/parts.h"

#define COUNT_BACK_MAX_MS ((int64_t)600 * 1000)
#define COUNT_AHEAD_MAX_MS ((int64_t)3600 * 1000)
#define COUNT_GAP_MAX_MS ((int64_t)7 * 86400 * 1000)

/* How the parts of a city in several processes are reached (parts.h). */
struct count_files_parts {
    uint32_t n;
    uint64_t run; /* drawn anew for each run; not 0 */
    void (*ask)(void *context, uint32_t part, struct str question);
    /* Until no part is asked any more, or why not. */
    enum err (*wait)(void *context, struct count_parts *parts, struct diag *diag);
    void *context;
};

struct count_files {
    /* asked; borrowed */
    const char *network_path, *cameras_path, *passages_path, *counts_path;
    const char *roads_path;                    /* NULL: none */
    const char *areas_path, *areas_out_path;   /* both, or NULL: none */
    const char *clones_path, *health_path;     /* NULL: none */
    const char *index_path;                    /* the index object (index.h); NULL: no congestion index */
    const char *indices_path, *junctions_path; /* NULL: none */
    const char *on_edges_path;                 /* vehicles on each edge; NULL: none */
    const char *loops_path, *flows_path;       /* NULL: none */
    const char *points_path;                   /* NULL: none; with neither parts nor joined */
    int64_t every_s;                           /* 1 to 86400 */
    int64_t until_s;                           /* -1: to the last arrival; at most a week after it, otherwise ERR_RANGE at the end */
    uint32_t part, n_parts;                    /* only the vehicles of this part, from 0, of so many (count_part_of()); n_parts 0: all */
    const struct count_files_parts *joined;    /* the plates are in other processes; NULL: here */
    struct count_settings settings;
    void (*on_broken)(void *context, const char *text); /* each line that is not used: "passages.csv:7: …"; may be NULL */
    void (*on_progress)(void *context, double share);   /* 0 to 1, about a hundred times; may be NULL */
    void *context;
    /* answered */
    uint64_t n_lines, n_broken, n_rows;
    uint64_t n_cameras_broken; /* lines of the cameras' table that are not used */
    uint64_t n_cameras_beyond; /* used, though their pos_m is beyond the end of their edge: told, the first of them by name */
    uint64_t n_back, n_jumps;
    uint64_t n_point_lines, n_points[COUNT_GPS_N_VERDICTS];
    uint64_t n_loop_lines;                       /* of them n_broken has the broken ones, too */
    uint64_t n_loop_rows[COUNT_LOOP_N_VERDICTS]; /* of the others */
    uint64_t n_evicted;                          /* vehicles forgotten early, for want of room */
    struct count_counters counters;
    struct count_parts_counters parts_counters; /* of `joined` */
};

/* Errors that end it are told in `diag`: a file that cannot be read or written, a header that is not there, a network that is broken, or on
 * which no camera stands, or passages that are all of other cameras (ERR_NOT_FOUND). Other broken lines do not: they are told, counted and
 * left out. */
enum err count_files_run(struct count_files *files, struct diag *diag) MUST_CHECK;

#endif
