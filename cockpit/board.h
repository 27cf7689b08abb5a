/*
 * The board: the newest of everything, on the cockpit's loop. Rows of streams go in, snapshots come out. Pure of I/O: time
 * comes in with each call.
 *
 * Bounded: values by indicators × areas; edges, roads and sources by the limits below (past them a row is counted and left out).
 */
#ifndef COCKPIT_BOARD_H
#define COCKPIT_BOARD_H

#include "cockpit/snapshot.h"

#define COCKPIT_EDGES_MAX 200000 /* a city of Hangzhou's size has some 60,000 directed edges */
#define COCKPIT_ROADS_MAX 50000  /* named roads × areas */
#define COCKPIT_JUNCTIONS_MAX 50000
#define COCKPIT_JUNCTION_KEEP_MS 60000 /* a junction that nobody drove to for so long is not in the list */
#define COCKPIT_ZONES_MAX 1024
#define COCKPIT_SOURCES_MAX 50000 /* cameras and databases */
#define COCKPIT_RECORDED_MAX 4096 /* told between two snapshots; more are durable but not told one by one */
#define COCKPIT_KEEP_MS 600000    /* a road that says nothing so long leaves map and ranking */

struct cockpit_board;

/* `seed`: for the hash of names from outside. All pointers are kept. */
enum err cockpit_board_create(
    const struct cockpit_config *config, const struct area_tree *areas, uint64_t seed, struct cockpit_board **ret_board) MUST_CHECK;
void cockpit_board_destroy(struct cockpit_board *board); /* after every snapshot was released; takes NULL */

/* One row of an `…/indicator` stream. *ret_record says whether it is one for the record (then value and names are in *ret_value,
 * *ret_indicator, *ret_area). ERR_NOT_FOUND: an indicator or area that is not declared here; ERR_SYNTAX: a value of the wrong type. */
enum err cockpit_board_indicator(struct cockpit_board *board, struct str source, const struct value *row, const struct hub_window *window,
    bool *ret_record, int *ret_indicator, int *ret_area, struct cockpit_value *ret_value);
enum err cockpit_board_road_state(struct cockpit_board *board, const struct value *row);
enum err cockpit_board_road_index(struct cockpit_board *board, const struct value *row);
enum err cockpit_board_junction(struct cockpit_board *board, const struct value *row);
/* Figures that the row does not know stay as they were last known, as an indicator does. */
enum err cockpit_board_zone_state(struct cockpit_board *board, const struct value *row, const struct hub_window *window);
enum err cockpit_board_source(struct cockpit_board *board, const struct value *row); /* fields of cockpit_source_fields */
/* Which area an edge of the network lies in; from the road object. */
enum err cockpit_board_edge_area(struct cockpit_board *board, struct str edge, struct str area);
void cockpit_board_recorded(struct cockpit_board *board, int indicator, int area, const struct cockpit_value *value);

/* The live values that are due for the record of sampled indicators at `now`; each once a period. Calls `put` for each. Also the rolled-up
 * areas. */
void cockpit_board_sample(struct cockpit_board *board, struct wall_time now,
    void (*put)(void *context, int indicator, int area, const struct cockpit_value *value), void *context);

enum err cockpit_board_snapshot(struct cockpit_board *board, struct wall_time now, struct cockpit_snapshot **ret_snapshot) MUST_CHECK;
uint64_t cockpit_board_n_refused(const struct cockpit_board *board);

#define COCKPIT_N_SOURCE_FIELDS 11
extern const char *const cockpit_source_fields[COCKPIT_N_SOURCE_FIELDS]; /* what the cockpit reads of `AREA/hub/source`, in this order */

#endif
