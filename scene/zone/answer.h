/*
 * Asking another department for passes, and reading what it says: the statement with its parameters, and the rows that come back. The table
 * has the fields plate, zone (a zone's name; null or empty: all of them), valid_from and valid_until; which of its rows are passes that
 * count is the contract's to say.
 */
#ifndef SCENE_ZONE_ANSWER_H
#define SCENE_ZONE_ANSWER_H

#include "base/buf.h"
#include "base/value.h"
#include "scene/zone/core.h"

#define ZONE_PASSES_MAX 4096 /* rows of an answer that are used; more is no answer */
#define ZONE_RECEIPT_MAX 128 /* bytes of the receipt's name, NUL included */
#define ZONE_PARAMETERS_MAX (ZONE_ASK_MAX + 1)

extern const char *const zone_pass_fields[5]; /* NULL-terminated */

/* The SELECT for an ask of n plates, appended to `out`; only passes that end after the earliest of its passages. Parameters are borrowed
 * from `ask`: its plates, then that time. Returns their number. */
size_t zone_ask_write(const struct zone_ask *ask, struct str resource, struct buf *out, struct value parameters[ZONE_PARAMETERS_MAX]);

/* A query's answer (docs/query.md) as passes of the ask's checks. A zone that is not known here lets one be nowhere. ERR_SYNTAX: not of the
 * form that was asked for; ERR_TOO_LARGE: truncated, or more rows than are used; ERR_NO_MEMORY. */
enum err zone_answer_read(struct str json, const struct zone_ask *ask, const struct zones *zones, struct zone_pass passes[ZONE_PASSES_MAX],
    size_t *ret_n, char ret_receipt[ZONE_RECEIPT_MAX]) MUST_CHECK;

#endif
