/*
 * A batch of rows, all of the same fields, filled by one thread and then only read: what a database answers and what a
 * stream carries. Shared by reference count, freed at once.
 */
#ifndef BASE_ROWS_H
#define BASE_ROWS_H

#include "base/value.h"

struct rows; /* [n_rows][n_fields] values; text and bytes live in its arena */

/* `max_bytes` bounds values and text together. */
enum err rows_create(size_t n_fields, size_t max_bytes, struct rows **ret_rows) MUST_CHECK;
struct rows *rows_hold(struct rows *rows);
void rows_release(struct rows *rows); /* takes NULL; the last one frees */
/* Copies one row of n_fields values, text included. ERR_TOO_LARGE past the limit. Only before the batch is shared. */
enum err rows_add(struct rows *rows, const struct value *values) MUST_CHECK;
size_t rows_n(const struct rows *rows);
size_t rows_n_fields(const struct rows *rows);
size_t rows_n_bytes(const struct rows *rows);
const struct value *rows_at(const struct rows *rows, size_t row); /* n_fields values, borrowed */
/* A new batch with the fields `field_map[0..n)` of each row, in that order: what a contract grants of a stream. */
enum err rows_project(const struct rows *rows, const uint16_t *field_map, size_t n_fields, struct rows **ret_rows) MUST_CHECK;

#endif
