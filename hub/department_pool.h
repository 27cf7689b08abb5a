/*
 * A department's database by a driver that blocks: a bounded queue, a few threads with a connection each, and how the department is doing.
 * What the connectors mariadb and odbc share.
 *
 * One asking's way: hub_pool_fetch() on any thread → queue → the first thread that is free → its connection → rows → back to the asker's
 * loop. One that is slow keeps one thread; the others go on. The first thread is the keeper: it connects and looks after the server also
 * when nothing is asked. While the department is down askings are refused at once, and the keeper tries again after a growing while.
 */
#ifndef HUB_DEPARTMENT_POOL_H
#define HUB_DEPARTMENT_POOL_H

#include "hub/department_table.h"

#include <stdatomic.h>

#define HUB_POOL_QUEUE_MAX 10000
#define HUB_POOL_TRIES_MAX 10 /* of one asking whose connections break under it; its time bounds it too */
#define HUB_POOL_GRACE_MS 500 /* after the server's own time-out ours ends the connection */

struct hub_pool_run {        /* one asking on its way */
    struct hub_fetch *fetch; /* NULL: answered meanwhile, nobody waits */
    struct hub_plan *plan;
    struct rows *rows; /* the answer, before it is the asker's */
    bool is_truncated;
    bool is_copied; /* run() takes nothing from the asking any more; under the pool's lock */
    bool has_gone;  /* its asker; under the pool's lock */
    struct mono_time asked, began;
    unsigned n_tries;
    struct hub_pool_run *next;
};

/* All but the last on the worker's own thread, and they may block. */
struct hub_pool_ops {
    const char *name;            /* of the threads, at most 15 bytes */
    void *(*make)(void *system); /* a session, not connected; NULL: no memory */
    void (*destroy)(void *session);
    /* Connects. Any error, with the cause; ERR_DENIED, ERR_NOT_FOUND: the file's doing. */
    enum err (*open)(void *session, char detail[HUB_DEPARTMENT_DETAIL_MAX]);
    /* One table as this connection finds it; what does not fit is told in seen->wrong, and in `diags` when there is one. */
    enum err (*look)(void *session, const struct hub_table *table, struct arena *arena, struct diag_list *diags, struct hub_seen *ret_seen);
    bool (*is_open)(const void *session);
    void (*close)(void *session);
    enum err (*ping)(void *session, const struct hub_seen *seen); /* of any table, or NULL; an error: it is closed */
    /* Runs one asking of a table as it was seen into run->rows. ERR_BUSY: the connection broke (and is closed, then), ask again. The detail
     * is for the health report; *ret_is_changed: the tables have to be looked at again. */
    enum err (*run)(
        void *session, const struct hub_seen *seen, struct hub_pool_run *run, char detail[HUB_DEPARTMENT_DETAIL_MAX], bool *ret_is_changed);
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
    struct arena arena;      /* of `tables`, */
    struct hub_seen *tables; /* as the session found them when it was made */
    size_t n_beats;
    struct mono_time made, used;
    struct hub_pool_run *running; /* under the pool's lock */
    _Atomic bool has_ended;
};
struct hub_pool {
    struct hub_department *department;
    const struct hub_pool_ops *ops;
    void *system;
    struct hub_tables tables;
    void *probe; /* a session while the city is loaded */
    bool is_probed;
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
    struct metric_counter n_refused;
    size_t n_connected;
    bool is_down;
    int64_t back_off_ms;
    struct mono_time open_again, first_failure;
};

void hub_pool_init(struct hub_pool *pool, struct hub_department *department, const struct hub_pool_ops *ops, void *system);
/* The slot's work: the binding read, and held against the table when the department is up. */
enum err hub_pool_bind(
    struct hub_pool *pool, const struct hub_resource *resource, struct yaml_node binding, struct diag_list *diags) MUST_CHECK;
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
/* The queue's figures, and how many connections there are. Any thread. */
void hub_pool_measure(struct hub_pool *pool, struct metric_page *page, struct str name);
void hub_pool_copied(struct hub_pool *pool, struct hub_pool_run *run); /* run() says so */

#endif
