/*
 * What the files of this folder share.
 */
#ifndef SYSTEM_ODBC_INSIDE_H
#define SYSTEM_ODBC_INSIDE_H

#include "hub/department_command.h"
#include "hub/department_pool.h"
#include "system/odbc/odbc.h"

#include <sql.h>
#include <sqlext.h>
#include <sqlucode.h>

#define ODBC_SQL_MAX (256u << 10)
#define ODBC_CHUNK 4096          /* bytes of a value that are fetched at once */
#define ODBC_VALUE_MAX (1 << 20) /* bytes of one value; a longer one is ERR_TOO_LARGE */
#define ODBC_PARAMETERS_MAX 16384
#define ODBC_OUTPUTS_MAX (2 * HUB_FIELDS_MAX)
#define ODBC_CONNECT_S 5
#define ODBC_LEFT_MAX 8 /* connectings that hang and that nobody waits for; past it none is begun until one comes back */
#define ODBC_OPTIONS_MAX 32
#define ODBC_SCRATCH_MAX (16u << 20)
#define ODBC_STOP_MS 3000 /* for a driver to come back when the hub ends */

struct odbc_system;

struct odbc_session { /* one connection; on one thread at a time */
    struct odbc_system *system;
    const struct hub_command *writer; /* whose inbox it writes into; NULL: it only reads */
    SQLHDBC dbc;                      /* SQL_NULL_HDBC: not connected */
    struct arena scratch;
    struct buf text;
    _Atomic bool is_cancelled; /* what runs; a driver that does not heed it is left at its next row or piece of a cell */
    pthread_mutex_t lock;      /* guards what follows, for the canceller */
    SQLHSTMT running;
    struct mono_time deadline; /* of what runs */
    pthread_t canceller;       /* is in SQLCancel, or was; of this statement */
    bool has_canceller;
    struct odbc_session *next; /* of the system's */
};

struct odbc_system {
    struct hub_department department;
    enum sql_dialect dialect;
    char driver[256], dsn[128], user[128], password_file[HUB_DEPARTMENT_PATH_MAX];
    struct {
        struct str key, value;
    } options[ODBC_OPTIONS_MAX];
    size_t n_options;
    struct time_zone zone;
    int64_t timeout_ms, n_connections;
    char time_after[128];
    struct odbc_gate *gate;
    struct loop *loop;
    struct loop_timer start, look; /* of the hub's loop */
    struct hub_pool pool;
    struct hub_commands commands;
    pthread_t canceller;
    bool has_canceller;
    _Atomic bool is_over;
    pthread_mutex_t lock; /* guards the list */
    struct odbc_session *sessions;
};

/* ---- wide.c: SQLWCHAR is UTF-16, whatever the machine's locale ---- */
enum err odbc_to_wide(struct arena *arena, struct str text, SQLWCHAR **ret_wide, size_t *ret_n) MUST_CHECK; /* with a 0 at its end */
/* ERR_SYNTAX: half a pair. Appended to `out`. */
enum err odbc_from_wide(const SQLWCHAR *wide, size_t n, struct buf *out) MUST_CHECK;

/* ---- connect.c ---- */
struct odbc_gate;
enum err odbc_gate_create(struct odbc_gate **ret_gate) MUST_CHECK;
void odbc_gate_narrow(struct odbc_gate *gate);         /* before anybody connects: one at a time */
void odbc_gate_leave(struct odbc_gate *gate);          /* takes NULL */
size_t odbc_gate_n_left(const struct odbc_gate *gate); /* connectings that hang, and that nobody waits for */
struct odbc_asked {
    const SQLWCHAR *wide; /* the connection string, copied */
    size_t n;
    bool is_reader; /* the driver is asked for a connection that only reads */
};
/* ERR_OK with *ret_is_refused: the driver says why at the handle, which is the caller's to free; ERR_TIMEOUT: it did not come back, or too
 * many have not. */
enum err odbc_connect(struct odbc_gate *gate, const struct odbc_asked *asked, const _Atomic bool *is_stopping, SQLHDBC *ret_dbc,
    bool *ret_is_refused) MUST_CHECK;
void odbc_disconnect(struct odbc_gate *gate, SQLHDBC dbc);

/* ---- session.c ---- */
void odbc_session_init(struct odbc_session *session, struct odbc_system *system);
void odbc_session_finish(struct odbc_session *session);
enum err odbc_session_open(struct odbc_session *session, char detail[HUB_DEPARTMENT_DETAIL_MAX]) MUST_CHECK;
void odbc_session_close(struct odbc_session *session);
enum err odbc_session_ping(struct odbc_session *session) MUST_CHECK;
/* A statement with a deadline: the canceller ends it then. Freed by odbc_statement_free(). */
enum err odbc_statement_make(struct odbc_session *session, int64_t ms, SQLHSTMT *ret_statement) MUST_CHECK;
void odbc_statement_free(struct odbc_session *session, SQLHSTMT statement);
enum err odbc_execute(struct odbc_session *session, SQLHSTMT statement, struct str sql) MUST_CHECK; /* ERR_IO: the driver says why */
/* What the driver says of what failed just now: SQLSTATE, words, and the database's own number. */
int odbc_why(SQLSMALLINT kind, SQLHANDLE handle, char state[6], char words[200]);
/* What that means. ERR_BUSY: the connection broke (*ret_is_broken), or once more. */
enum err odbc_meaning(struct odbc_session *session, SQLHSTMT statement, char detail[HUB_DEPARTMENT_DETAIL_MAX], bool *ret_is_changed,
    bool *ret_is_broken) MUST_CHECK;
void *odbc_cancel(void *system); /* the thread that looks for what is late */

/* ---- schema.c ---- */
/* seen->own: SQLSMALLINT[field], the types as the driver described them. */
enum err odbc_look(struct odbc_session *session, const struct hub_table *table, struct arena *arena, struct diag_list *diags,
    struct hub_seen *ret_seen) MUST_CHECK;

/* ---- statement.c ---- */
enum err odbc_run(struct odbc_session *session, const struct hub_seen *seen, struct hub_pool_run *run,
    char detail[HUB_DEPARTMENT_DETAIL_MAX], bool *ret_is_changed) MUST_CHECK;

/* The statement prepared with its values bound, which have to stay until it has run. ERR_IO: the driver says why. */
enum err odbc_prepare(struct odbc_session *session, SQLHSTMT statement, struct str sql, const struct value *values, size_t n) MUST_CHECK;
/* A cell of any length, in pieces; *ret_is_there is false: NULL. */
enum err odbc_read_cell(struct odbc_session *session, SQLHSTMT statement, SQLUSMALLINT column, SQLSMALLINT c_type, struct buf *out,
    bool *ret_is_there) MUST_CHECK;

/* ---- command.c ---- */
extern const struct hub_command_ops odbc_command_ops;

/* ---- binding.c ---- */
enum err odbc_read_connection(struct odbc_system *system, struct yaml_node connection, struct diag_list *diags) MUST_CHECK;

#endif
