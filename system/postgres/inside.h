/*
 * What the files of this folder share.
 */
#ifndef SYSTEM_POSTGRES_INSIDE_H
#define SYSTEM_POSTGRES_INSIDE_H

#include "hub/audit.h"
#include "hub/department_command.h"
#include "system/postgres/postgres.h"
#include "system/postgres/types.h"

#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>

#define POSTGRES_SQL_MAX (256u << 10) /* bytes of a statement: 1,024 keys twice, 64 fields */
#define POSTGRES_VALUE_MAX (1 << 20)  /* bytes of one value; a longer one is ERR_TOO_LARGE */
#define POSTGRES_DRAIN_MAX (8u << 20) /* bytes read and dropped of an answer that is too large, before the connection is closed instead */
#define POSTGRES_SILENT_MAX                                                                                                                \
    (64u << 20) /* bytes that may come without completing a row or a result: the widest row that the guards let through */
#define POSTGRES_STATEMENTS_MAX 64 /* kept prepared on a connection; the one unused for longest goes */
#define POSTGRES_CONNECTIONS_MAX HUB_SERVER_CONNECTIONS_MAX
#define POSTGRES_MOVES_MAX 4
#define POSTGRES_TRIES_MAX 10 /* of one asking whose connections break under it; its time bounds it too */
#define POSTGRES_DEPTH 32     /* askings under way on one connection */
#define POSTGRES_SENT_MAX 256
#define POSTGRES_SLOW_MS 20      /* behind an asking that runs for longer nothing is queued on its connection, and what is goes elsewhere */
#define POSTGRES_AGAIN_MS 1000   /* after so long a table that did not fit is looked at again */
#define POSTGRES_GRACE_MS 500    /* after the server's own time-out ours ends the connection */
#define POSTGRES_CONNECT_MS 5000 /* for connecting, signing in and looking at the tables */
#define POSTGRES_CANCELS_MAX 64  /* statements to be ended whose askers have gone; more end by their time-out */
#define POSTGRES_QUEUE_MAX 10000 /* askings accepted and not answered: half a second's worth at the highest rate */

struct postgres_schema {
    struct arena arena;
    struct hub_seen
        *tables; /* their `own`: uint64_t, one bit a field, varchar(n) or char(n) that cannot hold more than POSTGRES_VALUE_MAX bytes */
    size_t n;
};

/* One asking on its way. */
struct postgres_run {
    struct hub_fetch *fetch;
    struct hub_plan *plan;
    struct rows *rows;
    size_t n_rows, n_drained;
    enum err err;
    unsigned n_tries;
    unsigned n_moves; /* times it was taken from behind a slow one */
    bool is_alone;    /* was aborted by another's error: goes between two syncs of its own */
    struct mono_time asked;
    struct postgres_run *next;
};

enum postgres_step { POSTGRES_PREPARE, POSTGRES_RUN, POSTGRES_FORGET, POSTGRES_SYNC, POSTGRES_PING, POSTGRES_CANCEL };
struct postgres_sent {
    enum postgres_step step;
    struct postgres_run *run; /* RUN; NULL: nobody waits for it any more */
    uint32_t statement;       /* PREPARE, RUN: its number; 0: none */
    bool is_failed;           /* or was not run at all */
};

struct postgres_statement {
    uint32_t number; /* "cb17" on the server */
    const struct hub_plan *plan;
    size_t n_shape;
    uint64_t used;
    uint8_t shape[SQL_SHAPE_MAX];
};

struct postgres_connection {
    struct postgres_system *system;
    PGconn *pg;
    uint64_t session; /* as the server's log names it; 0: nobody watches its audit */
    struct postgres_schema *schema;
    size_t n_beats; /* pings that read a table's nothing: whose turn it is */
    struct loop_watch *watch;
    uint32_t events;
    bool is_leaving; /* takes nothing more; closed when it is idle, and made anew: a table has changed */
    bool is_ended;   /* the server said that it ends the session: what comes after that is nobody's fault */
    bool needs_sync;
    struct postgres_sent sent[POSTGRES_SENT_MAX]; /* a ring */
    size_t first, n_sent, n_running;
    struct mono_time head_since; /* when the first of `sent` became it */
    struct mono_time idle_since, made;
    size_t n_silent; /* bytes since the last row or result */
    struct postgres_statement statements[POSTGRES_STATEMENTS_MAX];
    size_t n_statements;
    uint32_t n_numbers;
    uint64_t n_used;
};

/* A connection in the making, on a thread of its own: names are looked up and servers waited for without holding up any asking. */
struct postgres_opening {
    pthread_t thread;
    bool is_running;
    _Atomic bool is_cancelled;
    struct loop_task task;
    enum err err;
    char detail[HUB_DEPARTMENT_DETAIL_MAX];
    PGconn *pg;
    uint64_t session;
    struct postgres_schema *schema;
};

struct postgres_system {
    struct hub_department department;
    struct hub_server server;
    struct hub_audit *audit; /* NULL: none is watched */
    struct hub_commands commands;
    char zone[24]; /* as the server takes it */
    struct hub_tables tables;
    PGconn *probe; /* while the city is loaded */
    uint64_t probe_session;
    bool is_probed;

    struct loop_timer start; /* the thread begins when the hub's loop does: everything is loaded then */
    struct loop_thread *thread;
    pthread_mutex_t lock; /* guards what askers push */
    struct postgres_run *pushed, **pushed_last;
    size_t n_open;
    struct metric_counter n_refused;
    bool is_woken, is_stopping;
    struct loop_task wake, waking; /* `waking` posts `wake` when the asker's round is done */

    /* the thread's */
    struct loop *loop;
    struct postgres_run *waiting, **waiting_last;
    struct postgres_connection *connections[POSTGRES_CONNECTIONS_MAX];
    size_t n_connections;
    struct postgres_opening opening;
    struct loop_timer tick;
    struct mono_time open_again, first_failure; /* back-off */
    int64_t back_off_ms;
    bool is_down;
    int cancels[POSTGRES_CANCELS_MAX]; /* the server's processes whose statement is to be ended */
    size_t n_cancels;
    struct mono_time cancelled; /* when that was last asked for */
    struct arena scratch;
    struct buf text;
};

/* ---- session.c: one connection at a time, on a thread that may wait ---- */
/* Connects, signs in, makes the session read-only and bounded. ERR_UNAVAILABLE with the cause in `detail`. */
enum err postgres_session_open(struct postgres_system *system, _Atomic bool *is_cancelled, struct mono_time deadline,
    char detail[HUB_DEPARTMENT_DETAIL_MAX], PGconn **ret_pg) MUST_CHECK;
enum err postgres_session_tell(
    struct postgres_system *system, PGconn *pg, _Atomic bool *is_cancelled, struct mono_time deadline, uint64_t *ret_session) MUST_CHECK;
/* The result of one statement, prepared and described only when `is_describe`. ERR_UNAVAILABLE: broken or late; ERR_SYNTAX: refused,
 * the result says why. */
enum err postgres_session_ask(struct postgres_system *system, PGconn *pg, const char *sql, bool is_describe, _Atomic bool *is_cancelled,
    struct mono_time deadline, PGresult **ret_result) MUST_CHECK;

/* ---- schema.c ---- */
/* One table as the database has it; what does not fit is told in seen->wrong, and in `diags` when there is one. */
enum err postgres_schema_look(struct postgres_system *system, PGconn *pg, uint64_t session, const struct hub_table *table,
    struct arena *arena, _Atomic bool *is_cancelled, struct mono_time deadline, struct diag_list *diags,
    struct hub_seen *ret_seen) MUST_CHECK;
enum err postgres_schema_read(struct postgres_system *system, PGconn *pg, uint64_t session, _Atomic bool *is_cancelled,
    struct mono_time deadline, struct postgres_schema **ret_schema) MUST_CHECK;
void postgres_schema_destroy(struct postgres_schema *schema); /* takes NULL */

/* ---- binding.c: slots of the same names in hub/system.h ---- */
void postgres_forget_probe(struct postgres_system *system);
enum err postgres_read_connection(struct postgres_system *system, struct yaml_node connection, struct diag_list *diags) MUST_CHECK;
enum err postgres_bind(void *system, const struct hub_resource *resource, struct yaml_node binding, struct diag_list *diags) MUST_CHECK;

#endif
