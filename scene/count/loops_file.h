/*
 * A table of what induction loops counted, row by row as it is asked for, so that it goes beside the passages on one clock:
 *
 *     from_time_ms,to_time_ms,arrive_time_ms,edge,lane,vehicles
 *
 * Vehicles that passed from the one time to the other, over one lane or (lane empty) over the whole edge. Arrivals go on as those of
 * passages do (file.h): back by up to ten minutes is taken as arriving with the row before; by more, or an hour ahead of the next row, is
 * broken. A broken line is told with its number, counted and left out. Memory does not grow with the table.
 */
#ifndef SCENE_COUNT_LOOPS_FILE_H
#define SCENE_COUNT_LOOPS_FILE_H

#include "base/diag.h"
#include "road/network.h"
#include "scene/count/loops.h"
#include "scene/count/passages.h"

#include <stdio.h>

#define COUNT_LOOPS_HEADER "from_time_ms,to_time_ms,arrive_time_ms,edge,lane,vehicles"

struct count_loops_file {
    /* asked; borrowed */
    const struct road_network *network;
    void (*on_broken)(void *context, const char *text); /* "loops.csv:7: …"; may be NULL */
    void *context;
    /* answered */
    uint64_t n_lines, n_broken;
    uint64_t n_unknown; /* of these broken: the network has no such edge */
    /* its own */
    const char *path;
    FILE *file;
    char *line;
    uint64_t number, row_number, next_number; /* lines, from 1 */
    bool has_row, has_next;
    struct count_loop_row row, next;
    int64_t latest_ms; /* arrival of the row taken last; INT64_MIN */
};

/* One line without its end: fills in *ret_row, or says what is wrong. */
const char *count_loops_line_read(const struct road_network *network, struct str line, struct count_loop_row *ret_row);

/* Opens it and reads its first line. ERR_NOT_FOUND, ERR_IO, ERR_SYNTAX, ERR_NO_MEMORY, told in `diag`. */
enum err count_loops_file_open(struct count_loops_file *file, const char *path, struct diag *diag) MUST_CHECK;
/* The next row, which arrived at or before `until_ms`; false: there is none, or not yet. */
bool count_loops_file_next(struct count_loops_file *file, int64_t until_ms, struct count_loop_row *ret_row);
/* Every line that is left, as far as it can be broken. ERR_IO: it could not be read to its end. */
enum err count_loops_file_end(struct count_loops_file *file, struct diag *diag) MUST_CHECK;
void count_loops_file_close(struct count_loops_file *file); /* also of one that was not opened */

#endif
