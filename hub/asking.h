/*
 * What is asked of a table or a command, and what is answered, also of an object, as bytes: the same whether the asking goes to a
 * department's own process (system/bus) or to another hub (district). Columns go by name, so that two sides whose files differ never mean
 * different fields. Numbers are big-endian; a text is its length in 32 bits, then its bytes; a value its type, then 8 bytes or a text.
 * docs/bus.md has the bytes.
 *
 * Pure. What is read is bounded and checked before anything is done with it.
 */
#ifndef HUB_ASKING_H
#define HUB_ASKING_H

#include "base/bytes.h"
#include "base/rows.h"
#include "hub/system.h"

#define HUB_ASKING_OUTPUTS_MAX 256

/* ---- written; errors stick in `out` ---- */
void hub_put_number(struct buf *out, uint64_t number, size_t n_bytes);
void hub_put_text(struct buf *out, struct str text);
void hub_put_value(struct buf *out, struct value value);
/* What is asked of a table: rows and bytes at most, outputs, constraints, condition, order. */
void hub_put_fetch(struct buf *out, const struct hub_resource *resource, const struct hub_fetch *fetch);
/* A command's parameters, in the order of the resource's fields. */
void hub_put_values(struct buf *out, const struct hub_resource *resource, const struct value *values);

/* ---- read ---- */
struct hub_asking {
    struct bytes_reader in;
    struct arena *arena;                 /* arrays come from here; texts borrow from the bytes */
    const struct hub_resource *resource; /* set it before columns are read */
    enum err err;                        /* beside in.err: ERR_NOT_FOUND, a name that is no column; ERR_RANGE, a value that no column has;
                                          * ERR_NO_MEMORY */
};
void hub_asking_init(struct hub_asking *asking, struct arena *arena, struct str bytes);
bool hub_asking_goes_on(const struct hub_asking *asking);
struct str hub_get_text(struct bytes_reader *in);
struct value hub_get_value(struct bytes_reader *in); /* ERR_SYNTAX sticks in `in` */
void hub_get_fetch(struct hub_asking *asking, struct hub_fetch *ret_fetch);
/* One a field, NULL where nothing is given. */
const struct value *hub_get_values(struct hub_asking *asking);
/* How it ended: ERR_SYNTAX also when bytes are left. */
enum err hub_asking_end(const struct hub_asking *asking) MUST_CHECK;

/* ---- answers ---- */
/* An error as it is told, and back; one that has no number is ERR_IO. */
void hub_put_error(struct buf *out, enum err err);
enum err hub_get_error(struct bytes_reader *in); /* ERR_SYNTAX sticks in `in` */
/* Rows from `from` on, until `n_bytes` are written; returns how many. */
size_t hub_put_rows(struct buf *out, const struct rows *rows, size_t from, size_t n_bytes, bool is_truncated);
/* Its rows are added to `rows`, whose fields must be of these types (or NULL). *ret_err: what the other side tells. ERR_SYNTAX,
 * ERR_TOO_LARGE, ERR_NO_MEMORY. */
enum err hub_get_rows(
    struct str bytes, const enum value_type *types, size_t n_types, struct rows *rows, bool *ret_truncated, enum err *ret_err) MUST_CHECK;
/* Of an object that was opened: length, media type, version. What is read is safe in a header; ERR_SYNTAX. */
void hub_put_opened(struct buf *out, const struct hub_object_ask *ask);
enum err hub_get_opened(struct str bytes, struct hub_object_ask *ask, enum err *ret_err) MUST_CHECK;
/* A piece of it; borrowed from `bytes`. */
void hub_put_piece(struct buf *out, struct str piece);
enum err hub_get_piece(struct str bytes, struct str *ret_piece, enum err *ret_err) MUST_CHECK;

#endif
