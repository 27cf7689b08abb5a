/*
 * What the files of this folder share.
 */
#ifndef SYSTEM_MARIADB_INSIDE_H
#define SYSTEM_MARIADB_INSIDE_H

#include "hub/audit.h"
#include "hub/department_command.h"
#include "hub/department_pool.h"
#include "system/mariadb/mariadb.h"

#include <mysql.h>
#include <pthread.h>
#include <stdatomic.h>

#define MARIADB_SQL_MAX (256u << 10)
#define MARIADB_VALUE_MAX (1 << 20)    /* bytes of one value; a longer one is ERR_TOO_LARGE */
#define MARIADB_PACKET_MAX (80u << 20) /* a row of 64 such values; the library takes no longer one */
#define MARIADB_DRAIN_MAX (8u << 20)   /* bytes read and dropped of an answer that is too large, before the connection is closed instead */
#define MARIADB_STATEMENTS_MAX 32      /* kept prepared on a connection; the one unused for longest goes */
#define MARIADB_OUTPUTS_MAX 256
#define MARIADB_PARAMETERS_MAX 16384
#define MARIADB_CONNECT_MS 5000 /* for connecting, signing in and looking at the tables */

struct mariadb_statement {
    MYSQL_STMT *statement;
    const struct hub_plan *plan;
    size_t n_shape;
    uint64_t used;
    uint8_t shape[SQL_SHAPE_MAX];
};

/* One connection; on one thread at a time. */
struct mariadb_session {
    struct mariadb_system *system;
    const struct hub_command *writer; /* whose inbox it writes into; NULL: it only reads */
    MYSQL *mysql;                     /* NULL: not connected */
    uint64_t number;                  /* of the connection on the server, as its audit names it; 0: nobody watches that */
    const struct hub_fetch *fetch;    /* what is being done, when its asker may go */
    bool is_ended;                    /* its asker has gone: the server was told to end it */
    struct mono_time deadline;        /* of what is being done */
    struct mariadb_statement statements[MARIADB_STATEMENTS_MAX];
    size_t n_statements;
    uint64_t n_used;
    struct arena scratch;
    struct buf text;
};

struct mariadb_system {
    struct hub_department department;
    struct hub_server server;
    struct hub_audit *audit; /* NULL: none is watched */
    char time_after[128];    /* what stands after a time's parameter (schema.c) */

    struct loop_timer start; /* the threads begin when the hub's loop does: everything is loaded then */
    struct hub_pool pool;
    struct hub_commands commands;
};

/* ---- session.c ---- */
void mariadb_session_init(struct mariadb_session *session, struct mariadb_system *system);
/* Connects, signs in, makes the session read-only and bounded, within MARIADB_CONNECT_MS. ERR_UNAVAILABLE or ERR_DENIED with the cause in
 * `detail`. */
enum err mariadb_session_open(struct mariadb_session *session, char detail[HUB_DEPARTMENT_DETAIL_MAX]) MUST_CHECK;
void mariadb_session_close(struct mariadb_session *session);
void mariadb_session_finish(struct mariadb_session *session);
void mariadb_give(struct mariadb_session *session, int64_t ms); /* sets the deadline of what is done next */
/* libmariadb's calls with the session's deadline. Non-zero: failed, mysql_errno() or mysql_stmt_errno() tells. */
int mariadb_query(struct mariadb_session *session, const char *sql);
MYSQL_RES *mariadb_store(struct mariadb_session *session);
/* With an audit to watch it reads nothing of a table that was seen: the audit's silence would be noticed (hub/reconcile.h). */
int mariadb_ping(struct mariadb_session *session, const struct hub_seen *seen);
int mariadb_prepare(struct mariadb_session *session, MYSQL_STMT *statement, const char *sql, size_t len);
int mariadb_execute(struct mariadb_session *session, MYSQL_STMT *statement);
int mariadb_fetch_row(struct mariadb_session *session, MYSQL_STMT *statement); /* 0, MYSQL_DATA_TRUNCATED, MYSQL_NO_DATA, or failed */
void mariadb_free_result(struct mariadb_session *session, MYSQL_STMT *statement);
void mariadb_statement_close(struct mariadb_session *session, MYSQL_STMT *statement);
unsigned mariadb_code(const struct mariadb_session *session, MYSQL_STMT *statement); /* of what failed just now; never 0 */
bool mariadb_is_broken(unsigned code);                                               /* the connection, not the statement */

/* ---- schema.c ---- */
enum err mariadb_look(struct mariadb_session *session, const struct hub_table *table, struct arena *arena, struct diag_list *diags,
    struct hub_seen *ret_seen) MUST_CHECK;

/* ---- statement.c ---- */
/* Runs one asking; fills fetch->rows, is_truncated. ERR_BUSY: the connection broke, ask again. The detail is for the health report: no data
 * in it; *ret_is_changed: the tables have to be looked at again. */
enum err mariadb_run(struct mariadb_session *session, const struct hub_seen *seen, struct hub_pool_run *run,
    char detail[HUB_DEPARTMENT_DETAIL_MAX], bool *ret_is_changed) MUST_CHECK;
void mariadb_forget_all(struct mariadb_session *session);
void mariadb_bind_value(MYSQL_BIND *bind, const struct value *value, long long *room);

/* ---- command.c ---- */
extern const struct hub_command_ops mariadb_command_ops;

/* ---- binding.c ---- */
enum err mariadb_read_connection(struct mariadb_system *system, struct yaml_node connection, struct diag_list *diags) MUST_CHECK;

#endif
