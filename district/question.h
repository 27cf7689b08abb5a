/*
 * A part of a use as it goes from hub to hub behind its message (district/message.h; bytes: docs/district.md), and its answer. What is
 * asked of a table or command is written as for a department's own process (hub/asking.h).
 *
 * The question names the contract, never terms: the provider's hub decides by its own copy of the terms. Values carry their type; what an
 * answer holds is checked against what was asked before anybody sees it.
 */
#ifndef DISTRICT_QUESTION_H
#define DISTRICT_QUESTION_H

#include "hub/asking.h"

#define DISTRICT_QUESTION_MAX (256u << 10) /* bytes: a batch of 1,024 long keys */
#define DISTRICT_ANSWER_MAX (900u << 10)   /* what one message of the bus carries; a call's that is longer is ERR_TOO_LARGE */
#define DISTRICT_PIECE (600u << 10)        /* rows of a query's asking in one part, unless one row is longer; the next come with MORE */

enum district_what {
    DISTRICT_CALL = 1,
    DISTRICT_QUERY, /* one asking of a query; the first part of its use decides on `fields` */
    DISTRICT_ACT,
    DISTRICT_MORE,   /* the next piece of the rows of the asking before */
    DISTRICT_OBJECT, /* to open an object */
    DISTRICT_READ,   /* the next piece of it */
    DISTRICT_WINDOW, /* to open a window of a stream, and what is new in it */
    DISTRICT_TAKE,   /* what is new since */
    DISTRICT_WHATS   /* how many, with 0 */
};
struct district_take { /* hub/place.h */
    uint64_t epoch, from, confirmed;
};
struct district_question {
    enum district_what what;
    struct str contract;                 /* its consumer and purpose are the asker's */
    const struct hub_resource *resource; /* the contract's */
    struct hub_fetch fetch;              /* CALL, QUERY: what is asked */
    const struct str *fields;            /* QUERY: that the statement reads; WINDOW: that rows are given with */
    size_t n_fields;
    struct str key; /* ACT: the asker's; OBJECT: the object's as text; empty: it has none */
    const struct value *values;
    struct str range;          /* OBJECT: as it was asked for; empty: all */
    uint64_t from, left;       /* MORE: the row; READ: the byte, and how many from there on will be read in all */
    struct district_take take; /* WINDOW, TAKE */
};
/* Errors stick in `out`. `resource` is the asker's declaration. */
void district_question_write(const struct district_question *question, struct buf *out);
/* The resource of a contract that the asker may use; NULL: none. */
typedef const struct hub_resource *(*district_find_fn)(void *context, struct str contract);
/* ERR_SYNTAX; ERR_NOT_FOUND: no such contract or column; ERR_RANGE: a value of another type than its column. Arrays in `arena`; texts
 * borrow from `bytes`. */
enum err district_question_read(
    struct arena *arena, struct str bytes, district_find_fn find, void *context, struct district_question *ret_question) MUST_CHECK;

/* Before the answer proper (hub_put_error(), hub_put_rows(), or an error and a text of an act). */
struct district_reply {
    int rule;     /* that denied; 0: none */
    bool is_more; /* MORE brings further rows */
};
void district_reply_write(const struct district_reply *reply, struct buf *out);
/* *ret_rest: the answer proper. */
enum err district_reply_read(struct str bytes, struct district_reply *ret_reply, struct str *ret_rest) MUST_CHECK;

#endif
