/*
 * Map matching from files: points of any number of vehicles, mixed, each vehicle's in the order of time. What `citybrain match` does.
 *
 *     points.csv    vehicle,time_ms,lon,lat[,speed][,heading]     x,y instead of lon,lat in a network without a projection
 *     matched.csv   vehicle,time_ms,kind,edge,offset_m,lon,lat,distance_m,way     a line a point, as soon as it is certain
 *     edges.csv     vehicle,edge,enter_ms,leave_ms,whole
 *
 * A point's kind is begin (of a track), on, off (no road near) or jump; `way` are the edges driven since the point before, with this one.
 * Memory is bounded: past `tracks_max` vehicles under way the one that was silent longest is told to its end.
 */
#ifndef ROAD_MATCH_FILE_H
#define ROAD_MATCH_FILE_H

#include "road/follow.h"
#include "road/table.h"

#include <stdio.h>

#define ROAD_MATCH_VEHICLES_MAX 2000000u /* names, about 40 bytes each */
#define ROAD_MATCH_NAME_MAX 64u          /* bytes of a vehicle's name */

struct road_match_run {
    /* asked; borrowed */
    const struct road_network *network;
    const struct road_hierarchy *hierarchy;
    const struct road_nearest *nearest;
    struct road_match_settings settings;
    uint32_t tracks_max; /* vehicles at once, at least 1; about 3 KB each, more with a long lag and points that stay uncertain */
    FILE *matched;
    FILE *edges;                                        /* NULL: none */
    void (*on_broken)(void *context, const char *text); /* may be NULL */
    void (*on_progress)(void *context, double share);   /* may be NULL */
    void *context;
    /* answered */
    uint64_t n_lines, n_broken, n_matched, n_off, n_jumps, n_tracks;
};

/* As road_table_read(); a file that cannot be written is seen by ferror(). */
enum err road_match_read(struct road_match_run *run, const char *path, struct diag *diag) MUST_CHECK;
enum err road_match_parse(struct road_match_run *run, struct str bytes, const char *name, struct diag *diag) MUST_CHECK;

#endif
