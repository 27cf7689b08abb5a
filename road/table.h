/*
 * Tables from outside as CSV (travel times, pairs, GPS points): a first line with the columns' names, then a line each.
 *
 * Columns are found by name, in any order; others are passed over. Fields are separated by commas; there are no quotes, since no name of
 * an edge or a vehicle needs a comma. A broken line is told with its number, counted and left out; the rest is read on. Memory is bounded
 * whatever the file holds.
 */
#ifndef ROAD_TABLE_H
#define ROAD_TABLE_H

#include "base/diag.h"
#include "base/str.h"

#define ROAD_TABLE_COLUMNS_MAX 16
#define ROAD_TABLE_LINE_MAX 4096 /* bytes; a longer line is broken */

struct road_table {
    /* asked; borrowed */
    const char *const *columns; /* ends with NULL */
    /* What is missing of the columns (a bit for each that is there, by its place in `columns`), or NULL: it will do. */
    const char *(*on_header)(void *context, uint32_t present);
    /* A line's fields by place in `columns`, empty where there is none, borrowed; what is wrong with it, or NULL. */
    const char *(*on_line)(void *context, const struct str *fields);
    void (*on_broken)(void *context, const char *text); /* "points.csv:7: …"; may be NULL */
    void (*on_progress)(void *context, double share);   /* 0 to 1, about a hundred times; may be NULL */
    void *context;
    /* answered */
    uint64_t n_lines; /* after the first, empty ones not counted */
    uint64_t n_broken;
    uint64_t line; /* of the file, from 1: the one that on_line() is told */
};

/* Errors that end it are told in `diag`: ERR_NOT_FOUND, ERR_IO, ERR_SYNTAX (the first line), ERR_NO_MEMORY. "-" is standard input. */
enum err road_table_read(struct road_table *table, const char *path, struct diag *diag) MUST_CHECK;
/* The same piece by piece, for who reads another file beside it. */
struct road_table_file;
enum err road_table_open(
    struct road_table *table, const char *path, struct diag *diag, struct road_table_file **ret_file) MUST_CHECK; /* keeps all of them */
/* Some more lines, to on_line(); *ret_is_end: there are none after these. Errors as above; it is not to be gone on with after one. */
enum err road_table_go_on(struct road_table_file *file, bool *ret_is_end) MUST_CHECK;
void road_table_close(struct road_table_file *file); /* takes NULL */
/* The same from memory; `name` stands for the path in messages. */
enum err road_table_parse(struct road_table *table, struct str bytes, const char *name, struct diag *diag) MUST_CHECK;

#endif
