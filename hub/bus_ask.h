/*
 * What a consumer asks of the hub over the bus, and what it is answered, as bytes: a call, a query, an act, and which contracts it has on a
 * resource. Written with the same pieces as what is asked of departments (hub/asking.h); names go as they are, since a consumer has none of
 * the departments' files. docs/bus.md has the bytes.
 *
 * Pure. What is read is bounded and checked before anything is done with it: as much may be asked as at the HTTP door, and no more.
 */
#ifndef HUB_BUS_ASK_H
#define HUB_BUS_ASK_H

#include "base/json.h"
#include "hub/hub.h"

#define HUB_BUS_ASK_MAX 65536     /* bytes of a question, as of a body at the HTTP door */
#define HUB_BUS_WAIT_MAX_MS 30000 /* longer nobody waits */

enum hub_bus_what { HUB_BUS_CALL = 48, HUB_BUS_QUERY, HUB_BUS_ACT, HUB_BUS_TERMS };

struct hub_bus_ask {
    enum hub_bus_what what;
    uint32_t wait_ms; /* how long its asker waits: then what still runs is ended. 0: the most that there is */
    struct str resource, purpose;
    struct str contract; /* empty: the one that fits */
    struct str key;      /* of an act */
    struct str sql;
    bool is_explain;
    const struct str *names; /* of a call's key, of an act's parameters; a query's have none */
    const struct value *values;
    size_t n_values;
    const struct str *fields; /* of a call */
    size_t n_fields;
};
/* Is this a consumer's question? By its first bytes alone. */
bool hub_bus_ask_is(struct str bytes);
void hub_bus_ask_write(const struct hub_bus_ask *ask, struct buf *out); /* check out->err */
/* Arrays come from `arena`, texts borrow from `bytes`. ERR_SYNTAX, ERR_TOO_LARGE, ERR_NO_MEMORY. */
enum err hub_bus_ask_read(struct arena *arena, struct str bytes, struct hub_bus_ask *ret_ask) MUST_CHECK;

/* ---- answers ---- */

struct hub_bus_answer {
    struct http_problem problem; /* status 0: answered */
    struct str receipt;
    struct str rest; /* of a call: rows, for hub_bus_rows_json() */
    struct str json; /* the department's answer to an act, or its words; terms; a piece of a query's answer */
    bool is_refused, is_repeated;
};
void hub_bus_problem_write(const struct http_problem *problem, struct str receipt, struct buf *out);
/* Rows from `from` on, about `n_bytes` of them; returns how many. Each part of the answer begins anew with the receipt. */
size_t hub_bus_rows_write(const struct hub_call *call, size_t from, size_t n_bytes, struct buf *out);
void hub_bus_json_write(struct str json, struct buf *out); /* terms, or a piece of a query's answer */
void hub_bus_acted_write(bool is_refused, bool is_repeated, struct str receipt, struct str json, struct buf *out);
enum err hub_bus_answer_read(enum hub_bus_what what, struct str bytes, struct hub_bus_answer *ret_answer) MUST_CHECK; /* ERR_SYNTAX */
/* The rows of one part as JSON objects into a list that is open in `w`. ERR_SYNTAX: what was written is of no use. */
enum err hub_bus_rows_json(
    struct str rows, const struct str *fields, size_t n_fields, struct json_writer *w, bool *ret_truncated) MUST_CHECK;

#endif
