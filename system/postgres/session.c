/*
 * One connection to the department's PostgreSQL: connecting, signing in, and what makes its session harmless: read-only, bounded in time,
 * in the department's own zone. Runs on a thread that may wait (the opener's, or the hub's while a city is loaded), with a deadline.
 *
 * Guards against writing, each alone enough: every transaction is read-only by default, and default_transaction_read_only is reported by
 * the server whenever it changes and looked at after each batch (pipeline.c); statements are prepared one by one with values as parameters;
 * a binding stands inside FROM (…), where SQL has no statement that writes; a superuser is refused. The department's own role, which may
 * only SELECT, is the guard that does not depend on us.
 */
#include "system/postgres/command.h"

#include "base/log.h"
#include "base/mem.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#define LOOK_MS 50           /* between two looks at the flag that ends it all */
#define WORDS_MAX (4u << 20) /* bytes of one answer here: names and types, or a server that means no good */

static void hear_nothing(void *context, const PGresult *result) {}

/* ---- waiting ---- */

static enum err wait_for(struct postgres_system *system, PGconn *pg, short events, _Atomic bool *is_cancelled, struct mono_time deadline)
{
    struct pollfd descriptor = {.fd = PQsocket(pg), .events = events};
    for (;;) {
        int64_t left_ms = mono_ms_between(clock_mono(system->department.clock), deadline);
        if (left_ms <= 0 || descriptor.fd < 0)
            return ERR_TIMEOUT;
        if (is_cancelled && atomic_load(is_cancelled))
            return ERR_CANCELLED;
        int n = poll(&descriptor, 1, (int)(left_ms < LOOK_MS ? left_ms : LOOK_MS));
        if (n > 0)
            return ERR_OK;
    }
}

/* Until libpq has a whole result, or its end. */
static enum err wait_result(
    struct postgres_system *system, PGconn *pg, size_t *n_bytes, _Atomic bool *is_cancelled, struct mono_time deadline)
{
    enum err err = ERR_OK;
    while (!err) {
        int unsent = PQflush(pg), n_readable = 0;
        if (unsent < 0 || *n_bytes > WORDS_MAX)
            return ERR_UNAVAILABLE;
        if (!unsent && !PQisBusy(pg))
            return ERR_OK;
        err = wait_for(system, pg, (short)(POLLIN | (unsent ? POLLOUT : 0)), is_cancelled, deadline);
        if (!err && ioctl(PQsocket(pg), FIONREAD, &n_readable) == 0)
            *n_bytes += (size_t)n_readable;
        if (!err && !PQconsumeInput(pg))
            err = ERR_UNAVAILABLE;
    }
    return ERR_UNAVAILABLE;
}

/* The last result that is no success, or else the last one. */
static enum err collect(
    struct postgres_system *system, PGconn *pg, _Atomic bool *is_cancelled, struct mono_time deadline, PGresult **ret_result)
{
    PGresult *kept = NULL;
    size_t n_bytes = 0;
    for (;;) {
        enum err err = wait_result(system, pg, &n_bytes, is_cancelled, deadline);
        if (err) {
            PQclear(kept);
            return err;
        }
        PGresult *result = PQgetResult(pg);
        if (!result)
            break;
        if (kept && PQresultStatus(kept) == PGRES_FATAL_ERROR) {
            PQclear(result);
            continue;
        }
        PQclear(kept);
        kept = result;
    }
    if (!kept)
        return ERR_UNAVAILABLE;
    *ret_result = kept;
    if (PQstatus(pg) != CONNECTION_OK) {
        PQclear(kept);
        return ERR_UNAVAILABLE;
    }
    ExecStatusType status = PQresultStatus(kept);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ? ERR_OK : ERR_SYNTAX;
}

enum err postgres_session_ask(struct postgres_system *system, PGconn *pg, const char *sql, bool is_describe, _Atomic bool *is_cancelled,
    struct mono_time deadline, PGresult **ret_result)
{
    PGresult *prepared;
    if (!is_describe)
        return PQsendQuery(pg, sql) ? collect(system, pg, is_cancelled, deadline, ret_result) : ERR_UNAVAILABLE;
    if (!PQsendPrepare(pg, "", sql, 0, NULL))
        return ERR_UNAVAILABLE;
    enum err err = collect(system, pg, is_cancelled, deadline, &prepared);
    if (err) {
        if (err == ERR_SYNTAX)
            *ret_result = prepared;
        return err;
    }
    PQclear(prepared);
    return PQsendDescribePrepared(pg, "") ? collect(system, pg, is_cancelled, deadline, ret_result) : ERR_UNAVAILABLE;
}

/* ---- connecting ---- */

static enum err connect_until(
    struct postgres_system *system, PGconn *pg, _Atomic bool *is_cancelled, struct mono_time deadline, const char **ret_where)
{
    enum err err = ERR_OK;
    PostgresPollingStatusType state = PGRES_POLLING_WRITING;
    *ret_where = HUB_DETAIL(unreachable);
    while (!err && state != PGRES_POLLING_OK) {
        switch (PQstatus(pg)) {
        case CONNECTION_SSL_STARTUP:
            *ret_where = HUB_DETAIL(no_tls);
            break;
        case CONNECTION_AWAITING_RESPONSE:
        case CONNECTION_AUTH_OK:
            *ret_where = HUB_DETAIL(sign_in);
            break;
        case CONNECTION_BAD:
            return ERR_UNAVAILABLE;
        default:
            break;
        }
        err = wait_for(system, pg, state == PGRES_POLLING_READING ? POLLIN : POLLOUT, is_cancelled, deadline);
        if (err)
            *ret_where = HUB_DETAIL(no_answer);
        else
            state = PQconnectPoll(pg);
        if (!err && state == PGRES_POLLING_FAILED)
            err = ERR_UNAVAILABLE;
    }
    return err;
}

static PGconn *begin(struct postgres_system *system, const char *user, const char *password)
{
    char port[8];
    static const char *const modes[] = {"disable", "require", "verify-ca", "verify-full"};
    snprintf(port, sizeof port, "%d", system->server.port);
    const char *const keys[] = {"host", "port", "dbname", "user", "password", "sslmode", "sslrootcert", "gssencmode", "channel_binding",
        "client_encoding", "application_name", "passfile", "connect_timeout", "keepalives_idle", "keepalives_interval", "keepalives_count",
        "tcp_user_timeout", "target_session_attrs", "options", NULL};
    const char *const values[] = {system->server.host, port, system->server.database, user, password, modes[system->server.tls],
        system->server.tls_ca[0] ? system->server.tls_ca : NULL, "disable", "prefer", "UTF8", "citybrain", "/nonexistent", "5", "10", "5",
        "3", "15000", "any", "", NULL};
    _Static_assert(sizeof keys == sizeof values, "a value a key");
    return PQconnectStartParams(keys, values, 0);
}

/* What a session must have, and what it gets where the server knows it: the protocol is spoken by other products too. */
static enum err guard(struct postgres_system *system, PGconn *pg, _Atomic bool *is_cancelled, struct mono_time deadline,
    char detail[HUB_DEPARTMENT_DETAIL_MAX])
{
    char sql[1024];
    PGresult *result = NULL;
    snprintf(sql, sizeof sql,
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY; SET statement_timeout = %lld; SET TimeZone = '%s';"
        "SELECT set_config(s.name, v.value, false) FROM pg_settings s JOIN (VALUES ('lock_timeout', '%lld'), "
        "('idle_in_transaction_session_timeout', '10000'), ('client_connection_check_interval', '1000'), ('jit', 'off')) v (name, value) "
        "ON v.name = s.name;"
        "SELECT current_setting('default_transaction_read_only'), current_setting('is_superuser'), current_setting('integer_datetimes')",
        (long long)system->server.timeout_ms, system->zone,
        (long long)(system->server.timeout_ms < 1000 ? system->server.timeout_ms : 1000));
    enum err err = postgres_session_ask(system, pg, sql, false, is_cancelled, deadline, &result);
    if (err) {
        const char *state = err == ERR_SYNTAX ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
        hub_detail_put(detail, HUB_DEPARTMENT_DETAIL_MAX, HUB_DETAIL(no_session), "%.5s", state ? state : "-");
        if (err == ERR_SYNTAX)
            PQclear(result);
        return ERR_UNAVAILABLE;
    }
    if (PQntuples(result) != 1 || PQnfields(result) != 3 || strcmp(PQgetvalue(result, 0, 0), "on") != 0) {
        snprintf(detail, HUB_DEPARTMENT_DETAIL_MAX, "%s", HUB_DETAIL(session_writes));
        err = ERR_UNAVAILABLE;
    } else if (strcmp(PQgetvalue(result, 0, 1), "on") == 0) {
        snprintf(detail, HUB_DEPARTMENT_DETAIL_MAX, "%s", HUB_DETAIL(superuser));
        err = ERR_DENIED;
    }
    PQclear(result);
    return err;
}

static void log_words(const struct postgres_system *system, PGconn *pg)
{
    struct str words = str_from_c(PQerrorMessage(pg)), rest;
    (void)!str_cut(words, '\n', &words, &rest);
    log_write(LOG_NOTICE, "postgres", "no connection", LOG_STR("source", system->department.source),
        LOG_STR("why", str_slice(words, 0, 300)), LOG_END);
}

/* Connected and signed in, with nothing set yet. */
static enum err sign_in(struct postgres_system *system, const char *user, const char *password_file, _Atomic bool *is_cancelled,
    struct mono_time deadline, char detail[HUB_DEPARTMENT_DETAIL_MAX], PGconn **ret_pg)
{
    char password[HUB_DEPARTMENT_SECRET_MAX] = "";
    const char *where;
    enum err err = password_file[0] ? hub_department_secret(password_file, password) : ERR_OK;
    if (err) {
        snprintf(detail, HUB_DEPARTMENT_DETAIL_MAX, "%s", err == ERR_DENIED ? HUB_DETAIL(secret_open) : HUB_DETAIL(secret_unread));
        return ERR_UNAVAILABLE;
    }
    PGconn *pg = begin(system, user, password);
    explicit_bzero(password, sizeof password);
    if (!pg)
        return ERR_NO_MEMORY;
    PQsetNoticeReceiver(pg, hear_nothing, NULL);
    err = PQstatus(pg) == CONNECTION_BAD ? ERR_UNAVAILABLE : ERR_OK;
    where = HUB_DETAIL(unreachable);
    if (!err)
        err = connect_until(system, pg, is_cancelled, deadline, &where);
    if (err) {
        snprintf(detail, HUB_DEPARTMENT_DETAIL_MAX, "%s", where);
        if (err != ERR_CANCELLED)
            log_words(system, pg);
    } else if (PQsetnonblocking(pg, 1) != 0) {
        err = ERR_NO_MEMORY;
    }
    if (err) {
        PQfinish(pg);
        return err;
    }
    *ret_pg = pg;
    return ERR_OK;
}

enum err postgres_session_open(struct postgres_system *system, _Atomic bool *is_cancelled, struct mono_time deadline,
    char detail[HUB_DEPARTMENT_DETAIL_MAX], PGconn **ret_pg)
{
    PGconn *pg;
    enum err err = sign_in(system, system->server.user, system->server.password_file, is_cancelled, deadline, detail, &pg);
    if (err)
        return err;
    err = guard(system, pg, is_cancelled, deadline, detail);
    if (err)
        PQfinish(pg);
    else
        *ret_pg = pg;
    return err;
}

enum err postgres_session_open_writer(struct postgres_system *system, const char *user, const char *password_file,
    struct mono_time deadline, char detail[HUB_DEPARTMENT_DETAIL_MAX], PGconn **ret_pg)
{
    char sql[256];
    PGconn *pg;
    PGresult *result = NULL;
    enum err err = sign_in(system, user, password_file, NULL, deadline, detail, &pg);
    if (err)
        return err;
    snprintf(sql, sizeof sql,
        "SET statement_timeout = %lld; SET lock_timeout = %lld; SET synchronous_commit = on; SET idle_in_transaction_session_timeout = "
        "10000; "
        "SET TimeZone = '%s'; SELECT current_setting('is_superuser')",
        (long long)system->server.timeout_ms, (long long)system->server.timeout_ms, system->zone);
    err = postgres_session_ask(system, pg, sql, false, NULL, deadline, &result);
    bool has_result = !err || err == ERR_SYNTAX;
    if (err || PQntuples(result) != 1 || strcmp(PQgetvalue(result, 0, 0), "off") != 0) {
        snprintf(detail, HUB_DEPARTMENT_DETAIL_MAX, "%s", err ? HUB_DETAIL(unreachable) : HUB_DETAIL(superuser));
        err = ERR_UNAVAILABLE;
    }
    if (has_result)
        PQclear(result);
    if (err)
        PQfinish(pg);
    else
        *ret_pg = pg;
    return err;
}

enum err postgres_session_run(struct postgres_system *system, PGconn *pg, const char *sql, int n, const char *const *values,
    struct mono_time deadline, PGresult **ret_result)
{
    if (!PQsendQueryParams(pg, sql, n, NULL, values, NULL, NULL, 0))
        return ERR_UNAVAILABLE;
    return collect(system, pg, NULL, deadline, ret_result);
}

enum err postgres_session_tell(
    struct postgres_system *system, PGconn *pg, _Atomic bool *is_cancelled, struct mono_time deadline, uint64_t *ret_session)
{
    /* As %c of log_line_prefix: the seconds of the session's start and the process, in hexadecimal. */
    static const char sql[] = "SELECT to_hex(floor(extract(epoch FROM backend_start))::int) || '.' || to_hex(pid) FROM pg_stat_activity "
                              "WHERE pid = pg_backend_pid()";
    PGresult *result = NULL;
    if (!system->audit)
        return ERR_OK;
    enum err err = postgres_session_ask(system, pg, sql, false, is_cancelled, deadline, &result);
    if (err && err != ERR_SYNTAX)
        return err;
    uint64_t session =
        !err && PQntuples(result) == 1 && PQnfields(result) == 1 ? hub_audit_session_read(str_from_c(PQgetvalue(result, 0, 0))) : 0;
    PQclear(result);
    err = session ? hub_audit_opened(system->audit, session) : ERR_UNAVAILABLE;
    if (!err)
        *ret_session = session;
    return err;
}
