/*
 * A department's database by a driver that blocks: a bounded queue, a few threads with a connection each, and how the department is doing.
 * What the connectors mariadb and odbc share; also the tables and plans that those have in common with postgres.
 *
 * One asking's way: hub_pool_fetch() on any thread → queue → the first thread that is free → its connection → rows → back to the asker's
 * loop. One that is slow keeps one thread; the others go on. The first thread is the keeper: it connects and looks after the server also
 * when nothing is asked. While the department is down askings are refused at once, and the keeper tries again after a growing while.
 */
#ifndef HUB_DEPARTMENT_POOL_H
#define HUB_DEPARTMENT_POOL_H

#include "hub/department.h"

#include <stdatomic.h>

#define HUB_POOL_QUEUE_MAX 10000
#define HUB_POOL_TRIES_MAX 10 /* of one asking whose connections break under it; its time bounds it too */
#define HUB_POOL_GRACE_MS 500 /* after the server's own time-out ours ends the connection */

/* ---- tables and plans ---- */

struct hub_table { /* a resource's binding, as the file has it */
    const struct hub_resource *resource;
    enum hub_binding kind;
    struct str text;
    size_t at; /* from 0, in the order of the file */
    struct hub_table *next;
};
struct hub_seen {                     /* a table as one connection found it */
    struct str source;                /* the SQL after FROM: only the declared fields */
    const struct sql_column *columns; /* with what a parameter needs around it */
    struct str wrong;                 /* what does not fit the declaration; empty: nothing */
};
struct hub_plan { /* a compiled grant */
    void *system;
    const struct hub_table *table;
    uint64_t granted; /* one bit a field */
    const struct sql_condition *rows;
    struct hub_plan *next;
};
struct hub_tables {
    struct hub_table *first;
    size_t n;
    struct hub_plan *plans;
};
/* A resource's binding read and added; it lives in the department's arena. */
enum err hub_tables_add(struct hub_tables *tables, struct hub_department *department, const struct hub_resource *resource,
    struct yaml_node binding, struct diag_list *diags, struct hub_table **ret_table) MUST_CHECK;
/* The slot's work: *ret_plan is untouched when the table's binding was refused. */
enum err hub_tables_compile(struct hub_tables *tables, void *system, const struct hub_grant *grant, void **ret_plan) MUST_CHECK;
void hub_tables_finish(struct hub_tables *tables); /* frees the plans */
/* What an asking means to a table; the decision saw to it that only granted columns are asked (an assertion). */
struct sql_select hub_plan_select(const struct hub_plan *plan, const struct hub_seen *seen, const struct hub_fetch *fetch);
/* The binding after FROM: `schema`.`table`, or the department's own SELECT in parentheses. */
void hub_table_append(struct buf *sql, enum sql_dialect dialect, const struct hub_table *table);
/* `SELECT the fields FROM the binding`; one field alone when `only` >= 0. Errors stick in `sql`. */
void hub_table_append_select(struct buf *sql, enum sql_dialect dialect, const struct hub_table *table, int only);

/* ---- the pool ---- */

struct hub_pool_run {        /* one asking on its way */
    struct hub_fetch *fetch; /* NULL: answered meanwhile, nobody waits */
    struct hub_plan *plan;
    struct rows *rows; /* the answer, before it is the asker's */
    bool is_truncated;
    bool is_copied; /* run() takes nothing from the asking any more; under the pool's lock */
    struct mono_time asked, began;
    unsigned n_tries;
    struct hub_pool_run *next;
};

/* All but the last on the worker's own thread, and they may block. */
struct hub_pool_ops {
    const char *name;            /* of the threads, at most 15 bytes */
    void *(*make)(void *system); /* a session, not connected; NULL: no memory */
    void (*destroy)(void *session);
    enum err (*open)(
        void *session, char detail[HUB_DEPARTMENT_DETAIL_MAX]); /* connects, and looks at the tables. Any error, with the cause */
    bool (*is_open)(const void *session);
    void (*close)(void *session);
    enum err (*ping)(void *session); /* an error: it is closed */
    /* Runs one asking into run->rows. ERR_BUSY: the connection broke (and is closed, then), ask again. The detail is for the health report;
     * *ret_is_changed: the tables have to be looked at again. */
    enum err (*run)(void *session, struct hub_pool_run *run, char detail[HUB_DEPARTMENT_DETAIL_MAX], bool *ret_is_changed);
    /* What run() does is not wanted any more. From hub_pool_give_up(), on its thread, while run() is under way; never waits. May be NULL.
     */
    void (*cancel)(void *session);
};

struct hub_pool;
struct hub_pool_worker {
    struct hub_pool *pool;
    pthread_t thread;
    bool is_keeper;
    void *session;
    struct mono_time used;
    struct hub_pool_run *running; /* under the pool's lock */
    _Atomic bool has_ended;
};
struct hub_pool {
    struct hub_department *department;
    const struct hub_pool_ops *ops;
    void *system;
    size_t n_wanted;
    int64_t timeout_ms;
    struct hub_pool_worker workers[HUB_SERVER_CONNECTIONS_MAX];
    size_t n_workers;
    _Atomic bool is_stopping;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;  /* threads with a connection wait for askings, */
    pthread_cond_t need;  /* and those without for a need of theirs */
    size_t n_idle;        /* of the former */
    struct hub_pool_run *first, **last;
    size_t n_open; /* accepted and not answered */
    size_t n_connected;
    bool is_down;
    int64_t back_off_ms;
    struct mono_time open_again, first_failure;
};

void hub_pool_init(struct hub_pool *pool, struct hub_department *department, const struct hub_pool_ops *ops, void *system);
void hub_pool_start(struct hub_pool *pool, size_t n_threads, int64_t timeout_ms);
/* Answers what waits, ends the threads. False: a driver did not return within `wait_ms` (-1: however long), its thread is left to itself;
 * then nothing that it uses may be freed. */
bool hub_pool_stop(struct hub_pool *pool, int64_t wait_ms) MUST_CHECK;
void hub_pool_finish(struct hub_pool *pool);
void hub_pool_fetch(struct hub_pool *pool, struct hub_plan *plan, struct hub_fetch *fetch); /* the slot's work */
void hub_pool_expire(struct hub_pool *pool); /* answers what has waited for too long; from any thread */
/* Answers askings whose asker has gone, or whose driver has not come back after `overdue_ms`: the thread goes on with it, and what it
 * brings is dropped. Only those of which run() has said that it takes nothing from the asking any more. */
void hub_pool_give_up(struct hub_pool *pool, int64_t overdue_ms);
void hub_pool_copied(struct hub_pool *pool, struct hub_pool_run *run); /* run() says so */

#endif
