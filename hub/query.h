/*
 * Queries (查询): SQL across departments, in place. SQLite is the engine; a resource that the asker has a contract for is a table of its
 * name. What can be decided by a department is asked there (db/sql.h); joins go in batches of keys, aggregates over one resource as a
 * whole. docs/query.md says what is understood, what goes where and where the limits lie.
 *
 * One query's way: SQLite's own parser and authorizer say which fields the statement reads → each resource is a use `query` under a
 * contract (hub/decide.h) → the intent leaf of each contract → the departments → the answer, when every intent is durable → the outcome
 * leaves.
 */
#ifndef HUB_QUERY_H
#define HUB_QUERY_H

#include "hub/hub.h"

#include <stdatomic.h>

#define HUB_QUERY_SQL_MAX 16384
#define HUB_QUERY_PARAMETERS_MAX 100
#define HUB_QUERY_ROWS_MAX 10000        /* of the answer; more is "truncated" */
#define HUB_QUERY_ANSWER_MAX (8u << 20) /* bytes of the answer */
#define HUB_QUERY_TABLES_MAX 8          /* resources of one statement */
#define HUB_QUERY_TIME_MS 10000         /* of one query, from its start on a thread */

struct hub_query {
    /* asked; borrowed until done */
    struct str party, purpose, sql;
    const struct value *parameters; /* ?1, ?2 … */
    size_t n_parameters;
    bool is_explain;   /* adds "explain" to the answer */
    struct loop *loop; /* where `done` runs */
    void (*done)(struct hub_query *query);
    void *context;
    _Atomic bool is_cancelled; /* set it from any thread: the asker has gone */
    /* answered */
    struct hub_refusal refusal; /* err ERR_OK: answered */
    struct str json;            /* {"columns":[…],"rows":[[…]],"truncated":…,"receipts":[…]}; borrowed during `done` */
    void *hub_state;            /* the hub's own */
};
/* Any thread. `done` always runs, once, later, on `loop`. */
void hub_query_start(struct hub *hub, struct hub_query *query);

#endif
