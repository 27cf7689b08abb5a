/*
 * A use's question and its answer, as they go from hub to hub behind their message (district/message.h; bytes: docs/district.md).
 *
 * The question names the contract, never terms: the provider's hub decides by its own copy of the terms. Values carry their type; what an
 * answer holds is checked against what was asked before anybody sees it.
 */
#ifndef DISTRICT_QUESTION_H
#define DISTRICT_QUESTION_H

#include "base/buf.h"
#include "base/rows.h"
#include "hub/hub.h"

#define DISTRICT_QUESTION_MAX (64u << 10)
#define DISTRICT_ANSWER_MAX (900u << 10) /* bytes: what one message of the bus carries; more is ERR_TOO_LARGE */

struct district_question {
    struct str contract; /* its consumer and purpose are the asker's */
    const struct str *key_names;
    const struct value *keys;
    size_t n_keys;
    const struct str *fields;
    size_t n_fields;
};
/* Errors stick in `out`. */
void district_question_write(const struct district_question *question, struct buf *out);
/* ERR_SYNTAX, ERR_TOO_LARGE. Arrays in `arena`; texts borrow from `bytes`. */
enum err district_question_read(struct arena *arena, struct str bytes, struct district_question *ret_question) MUST_CHECK;

struct district_reply {
    enum err err; /* ERR_OK: rows follow */
    int rule;     /* that denied; 0: none */
    bool is_truncated;
};
void district_reply_write(const struct district_reply *reply, const struct rows *rows, struct buf *out);
/* *ret_rows NULL unless err is ERR_OK. ERR_SYNTAX: not of the form, or not rows of just these types; ERR_TOO_LARGE. */
enum err district_reply_read(struct str bytes, const enum value_type *types, size_t n_types, size_t max_bytes, size_t max_rows,
    struct district_reply *ret_reply, struct rows **ret_rows) MUST_CHECK;

#endif
