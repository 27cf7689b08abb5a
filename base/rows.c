/*
 * A batch of rows: one growing array of values, one arena for their text, one reference count.
 *
 * The array doubles, so that a batch of n rows costs O(log n) allocations; it may move while it is filled, which is why it is
 * shared only afterwards.
 */
#include "base/rows.h"

#include "base/mem.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#define ROWS_FIRST 8 /* rows of the first allocation: a call by key answers one or a few */

struct rows {
    _Atomic uint32_t n_holders;
    size_t n_fields, n_rows, cap_rows;
    size_t max_bytes;
    size_t n_text_bytes;
    struct value *values; /* owned, [cap_rows][n_fields] */
    struct arena text;
};

enum err rows_create(size_t n_fields, size_t max_bytes, struct rows **ret_rows)
{
    struct rows *rows = mem_alloc_zero(1, sizeof(*rows));

    if (!rows)
        return ERR_NO_MEMORY;
    atomic_init(&rows->n_holders, 1);
    rows->n_fields = n_fields;
    rows->max_bytes = max_bytes;
    arena_init(&rows->text, SIZE_MAX); /* the limit is kept by rows_add(), which knows text from slack */
    *ret_rows = rows;
    return ERR_OK;
}

struct rows *rows_hold(struct rows *rows)
{
    atomic_fetch_add_explicit(&rows->n_holders, 1, memory_order_relaxed);
    return rows;
}

void rows_release(struct rows *rows)
{
    if (!rows || atomic_fetch_sub_explicit(&rows->n_holders, 1, memory_order_acq_rel) > 1)
        return;
    arena_finish(&rows->text);
    mem_free(rows->values);
    mem_free(rows);
}

static size_t row_bytes(const struct rows *rows)
{
    return rows->n_fields * sizeof(struct value);
}

static size_t text_bytes(const struct value *values, size_t n)
{
    size_t bytes = 0;

    for (size_t i = 0; i < n; i++)
        if (values[i].type == VALUE_TEXT || values[i].type == VALUE_BYTES)
            bytes += values[i].s.len;
    return bytes;
}

static enum err grow(struct rows *rows)
{
    size_t cap = rows->cap_rows ? rows->cap_rows * 2 : ROWS_FIRST;
    struct value *values;

    if (rows->n_rows < rows->cap_rows)
        return ERR_OK;
    values = mem_resize(rows->values, cap * (row_bytes(rows) ? row_bytes(rows) : 1));
    if (!values)
        return ERR_NO_MEMORY;
    rows->values = values;
    rows->cap_rows = cap;
    return ERR_OK;
}

enum err rows_add(struct rows *rows, const struct value *values)
{
    size_t text = text_bytes(values, rows->n_fields);
    size_t bytes = rows_n_bytes(rows);
    struct value *row;
    enum err err;

    if (text > rows->max_bytes || row_bytes(rows) > rows->max_bytes - text || bytes > rows->max_bytes - text - row_bytes(rows))
        return ERR_TOO_LARGE;
    err = grow(rows);
    if (err)
        return err;
    row = rows->values + rows->n_rows * rows->n_fields;
    for (size_t i = 0; i < rows->n_fields; i++) {
        err = value_copy(&rows->text, values[i], &row[i]);
        if (err)
            return err;
    }
    rows->n_rows++;
    rows->n_text_bytes += text;
    return ERR_OK;
}

size_t rows_n(const struct rows *rows)
{
    return rows->n_rows;
}

size_t rows_n_fields(const struct rows *rows)
{
    return rows->n_fields;
}

size_t rows_n_bytes(const struct rows *rows)
{
    return rows->n_rows * row_bytes(rows) + rows->n_text_bytes;
}

const struct value *rows_at(const struct rows *rows, size_t row)
{
    assert(row < rows->n_rows);
    return rows->values + row * rows->n_fields;
}

enum err rows_project(const struct rows *rows, const uint16_t *field_map, size_t n_fields, struct rows **ret_rows)
{
    struct rows *projected = NULL;
    enum err err = rows_create(n_fields, SIZE_MAX, &projected);

    if (err)
        return err;
    for (size_t at = 0; at < rows->n_rows && !err; at++) {
        const struct value *from = rows_at(rows, at);
        struct value *row;
        err = grow(projected);
        if (err)
            break;
        row = projected->values + at * n_fields;
        for (size_t i = 0; i < n_fields && !err; i++) {
            assert(field_map[i] < rows->n_fields);
            err = value_copy(&projected->text, from[field_map[i]], &row[i]);
        }
        if (!err) {
            projected->n_rows++;
            projected->n_text_bytes += text_bytes(row, n_fields);
        }
    }
    if (err) {
        rows_release(projected);
        return err;
    }
    *ret_rows = projected;
    return ERR_OK;
}
