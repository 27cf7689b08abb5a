/*
 * What the files of a query share: the job on its thread, its tables, what was fetched of them.
 *
 *   query.c        threads, answer                          query_engine.c  the connection, its guards, which fields are read
 *   query_evidence.c  decision, leaves
 *   query_table.c  the virtual table                        query_serve.c   few askings for many: batches of keys
 *   query_fetch.c  one asking                               query_set.c     what was fetched
 *   query_value.c  SQLite's values, typed                   query_group.c   aggregates over one resource as a whole
 *   query_statistic.c, query_day.c  statistics-only contracts
 */
#ifndef HUB_QUERY_INSIDE_H
#define HUB_QUERY_INSIDE_H

#include "hub/parts.h"
#include "hub/query.h"

#include <sqlite3.h>

#define QUERY_ARGS_MAX 16           /* constraints pushed at once */
#define QUERY_ORDER_MAX 4           /* columns of a pushed order */
#define QUERY_TRIPS_MAX 500         /* askings of departments in one query */
#define QUERY_FETCH_ROWS_MAX 500000 /* rows that one query may bring here */
#define QUERY_FETCH_BYTES_MAX (96u << 20)
#define QUERY_WHOLE_MAX 100000 /* a table up to here is fetched whole when its keys cannot be foreseen */
#define QUERY_SINGLES_MAX 8    /* askings for one key each before that */
#define QUERY_ARENA_MAX (64u << 20)
#define QUERY_COLUMNS_MAX 128 /* of an answer */
#define QUERY_PARTS_MAX 64    /* lines of an explanation */

struct query;
struct query_table;

/* One way in which SQLite may ask a table: made by xBestIndex, its number is idxNum. It also remembers how it was asked so far. */
struct query_arg {
    uint16_t column; /* of the virtual table; LIMIT and OFFSET: none */
    uint8_t op;      /* SQLITE_INDEX_CONSTRAINT_… */
    bool is_in, is_constant;
};
struct query_source { /* where the values of an argument seem to come from: a field of another table's current row */
    const struct query_plan *plan;
    uint64_t columns;
};
struct query_plan {
    struct query_table *table;
    struct query_arg args[QUERY_ARGS_MAX];
    size_t n_args;
    uint64_t columns;                        /* of the virtual table that the statement reads here */
    struct sql_order order[QUERY_ORDER_MAX]; /* by the resource's fields */
    size_t n_order;
    /* as asked so far */
    size_t n_calls, n_singles;
    struct value *before; /* typed, one an argument */
    uint32_t varying;     /* arguments that changed between two askings */
    struct query_source sources[QUERY_ARGS_MAX][HUB_QUERY_TABLES_MAX];
    struct query_set *set; /* what may serve the next asking */
};

/* Rows that one asking brought, or several for batches of keys. Lives until the query ends. */
struct query_entry {
    const struct value *values;
    uint32_t next; /* + 1; of the same key */
};
struct query_key {
    struct value key;
    uint32_t first, last; /* + 1; 0: no row has it */
    bool is_used;
};
struct query_set {
    struct query_table *table;
    uint8_t places[HUB_FIELDS_MAX];     /* of a resource's field in a row + 1; 0: not fetched */
    const struct sql_constraint *where; /* what all of it was asked with; a batch's key comes to it */
    size_t n_where;
    uint32_t args; /* which arguments `where` stands for */
    const struct sql_order *order;
    size_t n_order;
    struct sql_output outputs[HUB_FIELDS_MAX];
    size_t n_outputs;
    int64_t limit;    /* what it was cut by; such a set serves no other asking. < 0: all of it is here */
    bool is_complete; /* keyed, and every row is here */
    int key_arg;      /* -1: none, the set serves whole */
    uint16_t key;     /* resource's field */
    struct query_entry *entries;
    size_t n_entries, cap_entries;
    uint64_t *rowids; /* made when SQLite asks for one */
    size_t n_rowids;
    struct query_key *keys;
    size_t n_keys, n_slots;
    struct query_set *next;
};
struct query_batch { /* keeps rows alive */
    struct rows *rows;
    struct query_batch *next;
};

struct query_cursor {
    sqlite3_vtab_cursor base; /* first */
    struct query_table *table;
    struct query_plan *plan;
    struct query_set *set;
    uint32_t at; /* entry + 1; 0: at the end */
    bool is_keyed;
    struct query_cursor *next;
};

struct query_part { /* a line of the explanation: one shape of asking */
    struct str text;
    struct query_table *table;
    size_t n_trips, n_rows;
};

/* A resource in the statement, or (entry NULL) rows that are given: the groups of an aggregate. */
struct query_table {
    struct query *query;
    struct hub_entry *entry;
    struct str name;
    uint16_t fields[HUB_FIELDS_MAX]; /* a column's place among the resource's fields */
    struct sql_column columns[HUB_FIELDS_MAX];
    size_t n_columns;
    uint64_t read; /* columns that the statement reads: by the authorizer and by what the planner says it needs */
    bool is_used, is_decided;
    struct hub_contract *contract;
    struct str used[HUB_FIELDS_MAX]; /* names of the fields read: what is decided on */
    uint16_t used_ats[HUB_FIELDS_MAX];
    size_t n_used;
    int64_t n_rows; /* estimate; < 0: unknown */
    size_t n_fetched, n_asked;
    struct hub_seen_subjects seen; /* whom its rows were about */
    struct query_set *given;
    /* leaves */
    struct hub_leaf leaf;
    struct ledger_append intent;
    bool is_intent_done;
    char twin[HUB_RECEIPT_MAX]; /* the other hub's receipt of the use of a resource there */
};

struct query {
    struct hub *hub;
    struct hub_query *asked;
    struct loop *loop; /* the thread's */
    struct arena arena;
    sqlite3 *db;
    struct query_table *tables;
    size_t n_tables;
    struct query_table groups;
    bool has_groups;
    struct query_table cells; /* of a statistics-only contract */
    struct query_plan **plans;
    size_t n_plans, cap_plans;
    struct query_set *sets;
    struct query_batch *batches;
    struct query_cursor *cursors; /* open ones */
    size_t n_trips, n_rows, n_bytes;
    struct query_part parts[QUERY_PARTS_MAX];
    size_t n_parts;
    struct mono_time started, arrived;
    struct wall_time now;
    int64_t heap_before;
    bool is_too_large; /* it was ended since SQLite's memory grew past its bound: by the time that it is told it has shrunk again */
    struct hub_refusal refusal;       /* the first */
    bool needs_all;                   /* a LIMIT was pushed where SQLite needed more rows: once again without */
    bool has_outer_join, has_collate; /* or a word that looks like one */
    bool is_own;                      /* SQL of ours: the authorizer lets it pass */
    struct buf json;
    size_t rows_from, rows_to; /* the list of rows within it */
    size_t n_answer;
    bool is_truncated;
    struct loop_task task;
    struct query *next;
};

/* Remembers why the query fails; returns `err`. */
enum err query_fail(struct query *query, enum err err, const char *format, ...) __attribute__((format(printf, 3, 4)));
bool query_is_over(const struct query *query); /* cancelled, or out of time */

#endif
