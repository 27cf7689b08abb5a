/*
 * One connection to the department's MariaDB: connecting, signing in, and what makes its session harmless. libmariadb's non-blocking calls
 * are waited for here, so that everything has one deadline from its beginning (a byte now and then does not move it) and ends when the hub
 * stops.
 *
 * Guards against writing (but for a command's session), each alone enough: every transaction is read-only; statements are prepared one by
 * one with values as parameters, several in one text are switched off; a binding stands inside FROM (…), where SQL has no statement that
 * writes; a user with SUPER or FILE is refused. And the server may not ask for a file of ours, nor for the password in the clear.
 */
#include "system/mariadb/inside.h"

#include "base/log.h"

#include <assert.h>
#include <errmsg.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_MS 50         /* between two looks at the flag that ends it all */
#define STACK (256u << 10) /* of libmariadb's suspended calls: name service and TLS run on it */
#define SCRATCH_MAX (8u << 20)

void mariadb_session_init(struct mariadb_session *session, struct mariadb_system *system)
{
    *session = (struct mariadb_session){.system = system};
    arena_init(&session->scratch, SCRATCH_MAX);
    buf_init(&session->text, MARIADB_SQL_MAX);
}

void mariadb_session_finish(struct mariadb_session *session)
{
    mariadb_session_close(session);
    arena_finish(&session->scratch);
    buf_finish(&session->text);
}

void mariadb_give(struct mariadb_session *session, int64_t ms)
{
    session->deadline.ns = clock_mono(session->system->department.clock).ns + ms * 1000000;
}

/* ---- waiting ---- */

/* The asker has gone: the server does not notice a closed connection while it works, so another connection tells it to stop. */
static enum err end_on_server(struct mariadb_session *session)
{
    struct mariadb_session other;
    char detail[HUB_DEPARTMENT_DETAIL_MAX], sql[64];
    mariadb_session_init(&other, session->system);
    snprintf(sql, sizeof sql, "KILL QUERY %lu", mysql_thread_id(session->mysql));
    enum err err = mariadb_session_open(&other, detail);
    if (!err && mariadb_query(&other, sql))
        err = ERR_UNAVAILABLE;
    mariadb_session_finish(&other);
    return err;
}

/* What libmariadb waits for, or MYSQL_WAIT_TIMEOUT, which makes the call fail and its connection unusable. */
static int wait_for(struct mariadb_session *session, MYSQL *mysql, int what)
{
    struct pollfd descriptor = {.fd = mysql_get_socket(mysql)};
    descriptor.events =
        (short)((what & MYSQL_WAIT_READ ? POLLIN : 0) | (what & MYSQL_WAIT_WRITE ? POLLOUT : 0) | (what & MYSQL_WAIT_EXCEPT ? POLLPRI : 0));
    for (;;) {
        int64_t left_ms = mono_ms_between(clock_mono(session->system->department.clock), session->deadline);
        if (left_ms <= 0 || atomic_load(&session->system->pool.is_stopping))
            return MYSQL_WAIT_TIMEOUT;
        if (session->fetch && !session->is_ended && hub_fetch_is_cancelled(session->fetch)) {
            session->is_ended = true;
            if (end_on_server(session))
                return MYSQL_WAIT_TIMEOUT;
        }
        if (poll(&descriptor, 1, (int)(left_ms < LOOK_MS ? left_ms : LOOK_MS)) <= 0) {
            hub_pool_expire(&session->system->pool);
            continue;
        }
        int came = (descriptor.revents & (POLLIN | POLLERR | POLLHUP) ? MYSQL_WAIT_READ : 0) |
                   (descriptor.revents & (POLLOUT | POLLERR) ? MYSQL_WAIT_WRITE : 0) |
                   (descriptor.revents & POLLPRI ? MYSQL_WAIT_EXCEPT : 0);
        return came & what ? came & what : what & ~MYSQL_WAIT_TIMEOUT;
    }
}

#define WAIT(start_, cont_)                                                                                                                \
    do {                                                                                                                                   \
        for (int what = (start_); what;) {                                                                                                 \
            int status = wait_for(session, session->mysql, what);                                                                          \
            what = (cont_);                                                                                                                \
        }                                                                                                                                  \
    } while (0)

int mariadb_query(struct mariadb_session *session, const char *sql)
{
    int failed = 1;
    WAIT(mysql_real_query_start(&failed, session->mysql, sql, strlen(sql)), mysql_real_query_cont(&failed, session->mysql, status));
    return failed;
}

MYSQL_RES *mariadb_store(struct mariadb_session *session)
{
    MYSQL_RES *result = NULL;
    WAIT(mysql_store_result_start(&result, session->mysql), mysql_store_result_cont(&result, session->mysql, status));
    return result;
}

int mariadb_ping(struct mariadb_session *session, const struct hub_seen *seen)
{
    int failed = 1;
    if (session->number && seen) {
        buf_reset(&session->text);
        buf_printf(&session->text, "SELECT NULL FROM " STR_FORMAT " t LIMIT 0", STR_ARG(seen->source));
        buf_append_byte(&session->text, '\0');
        if (session->text.err)
            return 1;
        failed = mariadb_query(session, session->text.ptr);
        hub_audit_ran(session->system->audit, session->number, !failed);
        MYSQL_RES *nothing = failed ? NULL : mariadb_store(session);
        mysql_free_result(nothing);
        return failed || !nothing;
    }
    WAIT(mysql_ping_start(&failed, session->mysql), mysql_ping_cont(&failed, session->mysql, status));
    return failed;
}

int mariadb_prepare(struct mariadb_session *session, MYSQL_STMT *statement, const char *sql, size_t len)
{
    int failed = 1;
    WAIT(mysql_stmt_prepare_start(&failed, statement, sql, len), mysql_stmt_prepare_cont(&failed, statement, status));
    return failed;
}

int mariadb_execute(struct mariadb_session *session, MYSQL_STMT *statement)
{
    int failed = 1;
    WAIT(mysql_stmt_execute_start(&failed, statement), mysql_stmt_execute_cont(&failed, statement, status));
    return failed;
}

int mariadb_fetch_row(struct mariadb_session *session, MYSQL_STMT *statement)
{
    int failed = 1;
    WAIT(mysql_stmt_fetch_start(&failed, statement), mysql_stmt_fetch_cont(&failed, statement, status));
    return failed;
}

void mariadb_free_result(struct mariadb_session *session, MYSQL_STMT *statement)
{
    my_bool failed = 1;
    WAIT(mysql_stmt_free_result_start(&failed, statement), mysql_stmt_free_result_cont(&failed, statement, status));
}

void mariadb_statement_close(struct mariadb_session *session, MYSQL_STMT *statement)
{
    my_bool failed = 1;
    WAIT(mysql_stmt_close_start(&failed, statement), mysql_stmt_close_cont(&failed, statement, status));
}

unsigned mariadb_code(const struct mariadb_session *session, MYSQL_STMT *statement)
{
    unsigned code = mysql_stmt_errno(statement);
    if (!code)
        code = mysql_errno(session->mysql);
    return code ? code : CR_SERVER_LOST; /* an answer that ends in its midst is none to the library */
}

bool mariadb_is_broken(unsigned code)
{
    return (code >= CR_MIN_ERROR && code <= CR_MAX_ERROR) || (code >= 5000 && code < 6000) || code == 1927 /* killed */ ||
           code == 1053 /* going down */;
}

/* ---- connecting ---- */

void mariadb_session_close(struct mariadb_session *session)
{
    if (!session->mysql)
        return;
    mariadb_give(session, 100);
    mariadb_forget_all(session);
    mysql_close(session->mysql);
    session->mysql = NULL;
    if (session->number)
        hub_audit_closed(session->system->audit, session->number);
    session->number = 0;
}

static void set_options(const struct mariadb_session *session, MYSQL *mysql)
{
    const struct hub_server *server = &session->system->server;
    size_t stack = STACK;
    unsigned long packet = MARIADB_PACKET_MAX;
    unsigned int none = 0, seconds = MARIADB_CONNECT_MS / 1000;
    my_bool no = 0, yes = 1;
    mysql_optionsv(mysql, MYSQL_OPT_NONBLOCK, &stack);
    mysql_optionsv(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    mysql_optionsv(mysql, MYSQL_OPT_LOCAL_INFILE, &none);
    mysql_optionsv(mysql, MYSQL_OPT_RECONNECT, &no);
    mysql_optionsv(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &seconds);
    mysql_optionsv(mysql, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet);
    mysql_optionsv(mysql, MYSQL_REPORT_DATA_TRUNCATION, &yes);
    mysql_optionsv(mysql, MARIADB_OPT_RESTRICTED_AUTH, "mysql_native_password,caching_sha2_password,client_ed25519");
    mysql_optionsv(mysql, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "citybrain");
    if (server->tls != HUB_TLS_DISABLE)
        mysql_optionsv(mysql, MYSQL_OPT_SSL_ENFORCE, &yes);
    if (server->tls >= HUB_TLS_VERIFY_CA) {
        mysql_optionsv(mysql, MYSQL_OPT_SSL_CA, server->tls_ca);
        mysql_optionsv(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes); /* authority and name: the library knows no half of it */
    }
}

static enum err reach(struct mariadb_session *session, const char *password, char detail[HUB_DEPARTMENT_DETAIL_MAX])
{
    const struct hub_server *server = &session->system->server;
    bool is_socket = server->host[0] == '/';
    MYSQL *connected = NULL;
    WAIT(mysql_real_connect_start(&connected, session->mysql, is_socket ? NULL : server->host,
             session->writer ? session->writer->user : server->user, password, server->database, (unsigned)server->port,
             is_socket ? server->host : NULL, 0),
        mysql_real_connect_cont(&connected, session->mysql, status));
    if (connected)
        return ERR_OK;
    unsigned code = mysql_errno(session->mysql);
    bool is_late = mono_ms_between(clock_mono(session->system->department.clock), session->deadline) <= 0;
    if (code == 1040 || code == 1203) /* too many connections */
        hub_detail_put(detail, HUB_DEPARTMENT_DETAIL_MAX, HUB_DETAIL(sql_short), "%s", mysql_sqlstate(session->mysql));
    else
        snprintf(detail, HUB_DEPARTMENT_DETAIL_MAX, "%s",
            code == 1045 || code == 1044 || code == 1698 || code == 1049 ? HUB_DETAIL(sign_in)
            : code == CR_SSL_CONNECTION_ERROR                            ? HUB_DETAIL(no_tls)
            : is_late                                                    ? HUB_DETAIL(no_answer)
                                                                         : HUB_DETAIL(unreachable));
    if (!atomic_load(&session->system->pool.is_stopping))
        log_write(LOG_NOTICE, "mariadb", "no connection", LOG_STR("source", session->system->department.source),
            LOG_STR("why", str_slice(str_from_c(mysql_error(session->mysql)), 0, 300)), LOG_END);
    return ERR_UNAVAILABLE;
}

/* The first value of the answer as a number; -1: none. */
static long number_of(struct mariadb_session *session, const char *sql)
{
    long number = -1;
    if (mariadb_query(session, sql))
        return -1;
    MYSQL_RES *result = mariadb_store(session);
    MYSQL_ROW row = result ? mysql_fetch_row(result) : NULL;
    if (row && row[0])
        number = strtol(row[0], NULL, 10);
    mysql_free_result(result);
    return number;
}

static enum err guard(struct mariadb_session *session, char detail[HUB_DEPARTMENT_DETAIL_MAX])
{
    const struct hub_server *server = &session->system->server;
    int offset = server->zone.offset_s, size = abs(offset) / 60;
    char bounds[400];
    /* GROUP_CONCAT, sorts and modes as they are anywhere, so that a binding means the same on every server */
    snprintf(bounds, sizeof bounds,
        "SET SESSION time_zone = '%c%02d:%02d', sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION', lock_wait_timeout = %lld, "
        "innodb_lock_wait_timeout = %lld, max_sort_length = 65536, autocommit = 1",
        offset < 0 ? '-' : '+', size / 60, size % 60, (long long)(server->timeout_ms + 999) / 1000,
        (long long)(server->timeout_ms + 999) / 1000);
    char timed[80];
    snprintf(timed, sizeof timed, "SET SESSION max_statement_time = %.3f", (double)server->timeout_ms / 1000.0);
    /* Who writes has to see what another hub has just committed, not what was there when the transaction began. */
    const char *mode = session->writer ? "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED" : "SET SESSION TRANSACTION READ ONLY";
    if (mariadb_query(session, mode) || mariadb_query(session, bounds)) {
        hub_detail_put(detail, HUB_DEPARTMENT_DETAIL_MAX, HUB_DETAIL(no_session), "%s", mysql_sqlstate(session->mysql));
        return ERR_UNAVAILABLE;
    }
    if (mariadb_query(session, timed)) { /* MySQL has another name for it */
        snprintf(timed, sizeof timed, "SET SESSION max_execution_time = %lld", (long long)server->timeout_ms);
        if (mariadb_query(session, timed)) {
            hub_detail_put(detail, HUB_DEPARTMENT_DETAIL_MAX, HUB_DETAIL(no_session), "%s", mysql_sqlstate(session->mysql));
            return ERR_UNAVAILABLE;
        }
    }
    long n = number_of(session, "SELECT COUNT(*) FROM information_schema.USER_PRIVILEGES WHERE PRIVILEGE_TYPE IN ('SUPER', 'FILE')");
    if (n == 0)
        return ERR_OK;
    snprintf(detail, HUB_DEPARTMENT_DETAIL_MAX, "%s", n > 0 ? HUB_DETAIL(superuser) : HUB_DETAIL(no_tables));
    return n > 0 ? ERR_DENIED : ERR_UNAVAILABLE;
}

enum err mariadb_session_open(struct mariadb_session *session, char detail[HUB_DEPARTMENT_DETAIL_MAX])
{
    struct mariadb_system *system = session->system;
    char password[HUB_DEPARTMENT_SECRET_MAX] = "";
    const char *file = session->writer ? session->writer->password_file : system->server.password_file;
    enum err err = file[0] ? hub_department_secret(file, password) : ERR_OK;
    assert(!session->mysql);
    if (err) {
        snprintf(detail, HUB_DEPARTMENT_DETAIL_MAX, "%s", err == ERR_DENIED ? HUB_DETAIL(secret_open) : HUB_DETAIL(secret_unread));
        return ERR_UNAVAILABLE;
    }
    session->mysql = mysql_init(NULL);
    if (!session->mysql)
        return ERR_NO_MEMORY;
    mariadb_give(session, MARIADB_CONNECT_MS);
    set_options(session, session->mysql);
    err = reach(session, password, detail);
    explicit_bzero(password, sizeof password);
    if (!err)
        err = guard(session, detail);
    if (!err && system->audit && !session->writer) {
        session->number = mysql_thread_id(session->mysql);
        err = hub_audit_opened(system->audit, session->number);
        if (err) {
            snprintf(detail, HUB_DEPARTMENT_DETAIL_MAX, "%s", HUB_DETAIL(no_memory));
            err = ERR_UNAVAILABLE;
        }
    }
    if (err) {
        mysql_close(session->mysql);
        session->mysql = NULL;
        session->number = 0;
    }
    return err;
}
