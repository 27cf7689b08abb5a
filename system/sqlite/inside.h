/*
 * What the files of this folder share.
 */
#ifndef SYSTEM_SQLITE_INSIDE_H
#define SYSTEM_SQLITE_INSIDE_H

#include "hub/department_command.h"
#include "system/sqlite/sqlite.h"

#include <pthread.h>
#include <sqlite3.h>

#define SQLITE_SQL_MAX 16384
#define SQLITE_VALUE_MAX (1 << 20)              /* bytes of one value; a longer one is an error of the department's */
#define SQLITE_STATEMENTS_MAX 16                /* kept prepared for one grant: shapes of questions that its consumer asks */
#define SQLITE_OUTPUTS_MAX (2 * HUB_FIELDS_MAX) /* of one asking: a query may want several figures of a field */
#define SQLITE_PARAMETERS_MAX (4u << 20)        /* bytes of one asking's parameters */
#define SQLITE_BUSY_MS 200                      /* a call waits this long for the department's own writer */
#define SQLITE_TRY_MS 20                        /* and who only tries a statement this long: it is on the hub's loop */

struct sqlite_statement {
    sqlite3_stmt *statement;
    uint8_t shape[SQL_SHAPE_MAX];
    size_t n_shape;
    uint64_t used; /* the oldest goes when the cache is full */
};

struct sqlite_cache { /* of one plan on one connection; its thread's */
    struct sqlite_statement statements[SQLITE_STATEMENTS_MAX];
    size_t n_statements;
};

/* A file's threads, each with a read-only connection: one for calls, and, from the first one on, some for what may take long. */
#define SQLITE_LONG_WORKERS 2
#define SQLITE_WORKERS (1 + SQLITE_LONG_WORKERS)

/* A plan's `own`: its caches, each its thread's; NULL: not used there yet. */
struct sqlite_caches {
    struct sqlite_cache *of[SQLITE_WORKERS];
};

/* A connection; on one thread at a time. */
struct sqlite_connection {
    sqlite3 *db;
    sqlite3_stmt *begin, *commit;
    struct clock *clock;
    size_t worker;                 /* whose */
    const struct hub_fetch *fetch; /* what it runs for; NULL: nothing that could be cancelled */
    struct mono_time deadline;     /* of the statement that runs */
    int64_t timeout_ms;
    dev_t device;
    ino_t inode;
    bool is_refused; /* a statement was: the schema is to be read anew, by another connection */
    uint64_t n_used;
    struct arena arena; /* of one asking: its parameters */
};

struct sqlite_queue {
    struct hub_fetch *first, **last;
    size_t n, n_asleep, n_woken;
    struct metric_counter n_refused;
    pthread_cond_t wake;
};

struct sqlite_worker {
    struct sqlite_system *system;
    struct sqlite_queue *queue;
    pthread_t thread;
    bool is_running;
    struct sqlite_connection connection;
    struct mono_time looked, locked_until;
};

struct sqlite_system {
    struct hub_department department;
    char path[HUB_DEPARTMENT_PATH_MAX];
    int64_t timeout_ms;
    struct hub_tables tables; /* each table's `own`: struct hub_seen, the same for every connection */

    struct hub_commands commands;

    struct loop *loop;
    struct loop_timer start; /* the thread begins when the loop does: everything is loaded then */
    pthread_mutex_t lock;    /* guards the queues, the list of plans, and which workers run */
    struct sqlite_queue calls, longs;
    bool is_stopping;
    struct sqlite_worker workers[SQLITE_WORKERS]; /* the first: calls, and the file's health */
};

/* ---- connection.c ---- */
/* Read-only. ERR_UNAVAILABLE with the cause in `detail`: missing, locked, not a database. */
enum err sqlite_connect(const char *path, struct clock *clock, int64_t timeout_ms, int busy_ms, char *detail, size_t detail_size,
    struct sqlite_connection *connection) MUST_CHECK;
void sqlite_disconnect(struct sqlite_connection *connection);
/* Is the file still the one that was opened? */
bool sqlite_is_same_file(const struct sqlite_connection *connection, const char *path);
/* One statement, nothing after it, only reading. ERR_UNAVAILABLE: the file; ERR_SYNTAX: the SQL, with SQLite's words in `detail`. */
enum err sqlite_prepare(
    struct sqlite_connection *connection, struct str sql, char *detail, size_t detail_size, sqlite3_stmt **ret_statement) MUST_CHECK;

/* ---- plan.c ---- */
/* A field's declared type against what the table has. */
bool sqlite_type_fits(enum value_type type, const char *declared);
/* Runs one asking; fills fetch->rows, is_truncated. The detail is for the health report: no data in it. */
enum err sqlite_plan_run(
    struct hub_plan *plan, struct sqlite_connection *connection, struct hub_fetch *fetch, char *detail, size_t detail_size) MUST_CHECK;
void sqlite_plan_forget(struct hub_plan *plan, size_t worker); /* its prepared statements there */

/* ---- command.c ---- */
extern const struct hub_command_ops sqlite_command_ops;

/* ---- binding.c ---- */
/* The slots of the same names in hub/system.h, and what open() reads of the file. */
enum err sqlite_read_connection(struct sqlite_system *system, struct yaml_node connection, struct diag_list *diags) MUST_CHECK;
enum err sqlite_bind(void *system, const struct hub_resource *resource, struct yaml_node binding, struct diag_list *diags) MUST_CHECK;
enum err sqlite_compile(void *system, const struct hub_grant *grant, struct diag_list *diags, void **ret_plan) MUST_CHECK;

#endif
