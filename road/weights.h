/*
 * Live travel times from a table: edge and seconds, or edge and speed_mps. The roads table of `citybrain count` is one.
 *
 *     edge,seconds          edge,speed_mps
 *     AB,70                 AB,5.5
 *     BC,closed
 *
 * Edges that are not named keep their free flow; of two lines for one edge the later counts.
 */
#ifndef ROAD_WEIGHTS_H
#define ROAD_WEIGHTS_H

#include "road/network.h"
#include "road/table.h"

#define ROAD_SECONDS_MAX 1e6
#define ROAD_SPEED_MAX_MPS 200.0

/* Fills edge_s[n_edges]. Of `table` only on_broken, on_progress, context are asked and n_lines, n_broken answered. As
 * road_table_read(). */
enum err road_weights_read(
    const struct road_network *network, const char *path, struct road_table *table, float *edge_s, struct diag *diag) MUST_CHECK;
enum err road_weights_parse(const struct road_network *network, struct str bytes, const char *name, struct road_table *table, float *edge_s,
    struct diag *diag) MUST_CHECK;

#endif
