/*
 * What the files of a query offer each other, by file.
 */
#ifndef HUB_QUERY_PARTS_H
#define HUB_QUERY_PARTS_H

#include "hub/query_inside.h"

/* ---- query_engine.c ---- */
enum err query_engine_open(struct query *query) MUST_CHECK; /* connection and the tables that the statement names */
void query_engine_close(struct query *query);
/* The statement as SQLite reads it; marks the fields that it reads. ERR_SYNTAX with SQLite's words. */
enum err query_engine_prepare(struct query *query, struct str sql, sqlite3_stmt **ret_statement) MUST_CHECK;
enum err query_engine_bind(struct query *query, sqlite3_stmt *statement) MUST_CHECK;
enum err query_engine_err(struct query *query, int code); /* of a step */

/* ---- query_table.c ---- */
enum err query_table_register(struct query_table *table) MUST_CHECK;

/* ---- query_fetch.c ---- */
/* One asking; the rows join the query's. */
struct query_asking {
    const struct sql_output *outputs;
    size_t n_outputs;
    const struct sql_constraint *where;
    size_t n_where;
    const struct sql_condition *condition;
    const struct sql_order *order;
    size_t n_order;
    int64_t limit;   /* < 0: none */
    const char *why; /* for the explanation; NULL: rows */
};
enum err query_fetch(struct query_table *table, const struct query_asking *asking, struct rows **ret_rows) MUST_CHECK;
enum err query_keep_rows(struct query *query, struct rows *rows) MUST_CHECK; /* takes them: released when the query ends, or at once */
/* How many rows the grant has, asked for once in a while: what the planner goes by. */
void query_estimate(struct query_table *table);

/* ---- query_value.c ---- */
enum fit { FITS, IS_EMPTY /* no row can have it */, IS_OTHER /* not to be pushed */ };
enum fit query_fit_value(enum value_type type, sqlite3_value *from, uint8_t *op, struct value *value);
/* A value of one of our tables as a key of another, as it would be for =. */
bool query_fit_key(enum value_type type, struct value from, struct value *ret);

/* ---- query_set.c ---- */
struct query_set *query_set_new(struct query_table *table) MUST_CHECK; /* NULL: no memory */
enum err query_set_add(struct query_set *set, struct rows *rows) MUST_CHECK;
/* Of the entry `at` (from 0): the same for a row of the same content in another set of the same columns, which is how SQLite knows that
 * it met a row before (in the parts of an OR). Equal rows of one set are counted apart. 0: no memory. */
uint64_t query_set_rowid(struct query_set *set, size_t at);
/* A key's slot; made when `add`. NULL: not there, or no memory. */
struct query_key *query_key_slot(struct query_set *set, struct value key, bool add);

/* ---- query_serve.c ---- */
/* Serves one xFilter: positions the cursor. */
enum err query_serve(struct query_cursor *cursor, sqlite3_value **argv) MUST_CHECK;
enum err query_advance(struct query_cursor *cursor) MUST_CHECK;

/* ---- query_group.c ---- */
/* Is the statement an aggregate over one resource that its department can answer whole? Then *ret_grouping tells how. */
struct query_grouping {
    struct query_table *table;
    struct sql_output outputs[HUB_FIELDS_MAX];
    size_t n_outputs, n_groups;
    const struct sql_condition *condition; /* of the WHERE; NULL: none */
    struct str where;                      /* its text, columns quoted, parameters put in; empty: none */
    struct str sql;                        /* over the table "groups" */
};
enum err query_group_recognise(struct query *query, struct query_grouping *ret_grouping, bool *ret_is) MUST_CHECK;
/* ERR_DENIED by rule 13 under a statistics-only contract. */
enum err query_group_fetch(struct query *query, const struct query_grouping *grouping) MUST_CHECK;

/* ---- query_statistic.c ---- */
struct hub_statistics { /* the cells of statistics-only contracts, kept for a day */
    pthread_mutex_t lock;
    struct hub_statistic *first;
    bool is_taking; /* a query takes cells */
};
void hub_statistics_finish(struct hub_statistics *statistics);
/* The groupings' answer from the contract's cells of at least k; the rows join the query's. */
/* Is this just the asking of all cells of the contract? */
bool hub_statistic_is_cells(const struct hub_contract *contract, const struct hub_fetch *fetch);
/* The cells of at least k people, of all. */
enum err hub_statistic_keep(const struct hub_contract *contract, const struct rows *all, struct rows **ret_rows) MUST_CHECK;
/* No other contract of the consumer, in force or told of on that day, parts the rows into other cells. */
bool hub_statistic_is_alone(const struct hub_contract *contract, int64_t day);
/* A day's cells of a contract as they were kept, held; NULL: none of that day. To keep: the first of a day stay. */
struct rows *hub_statistic_kept(const struct hub_contract *contract, int64_t day);
enum err hub_statistic_remember(const struct hub_contract *contract, int64_t day, struct rows *rows) MUST_CHECK;
enum err query_statistic_fetch(struct query *query, const struct query_grouping *grouping, struct rows **ret_rows) MUST_CHECK;

/* ---- query_day.c ---- */
/* The running day is for this contract's cells, on disk; ERR_RANGE: other cells of the resource were told to this consumer today. */
enum err query_day_claim(struct query_table *table) MUST_CHECK;

/* ---- query_evidence.c ---- */
/* Each resource of the statement: permitted, and counted, under one contract that grants all its fields; or none is. */
enum err query_decide(struct query *query, const struct query_grouping *grouping, bool is_group) MUST_CHECK;
enum err query_append_intent(struct query_table *table) MUST_CHECK;
bool query_await_intent(struct query_table *table); /* false: it cannot be written, or the query is over */
void query_await_intents(struct query *query);      /* fails the query when one cannot be written */
void query_tell_outcome(struct query_table *table);

/* ---- query.c ---- */
struct hub_statistics *hub_query_statistics(struct hub *hub);

#endif
