/*
 * One connection: the connection string, the guards against writing, statements that are cancelled when their time is over, and what the
 * driver's SQLSTATEs mean.
 */
#include "system/odbc/inside.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CANCEL_LOOK_MS 20

void odbc_session_init(struct odbc_session *session, struct odbc_system *system)
{
    *session = (struct odbc_session){.system = system, .dbc = SQL_NULL_HDBC};
    arena_init(&session->scratch, ODBC_SCRATCH_MAX);
    buf_init(&session->text, ODBC_SQL_MAX);
    pthread_mutex_init(&session->lock, NULL);
    pthread_mutex_lock(&system->lock);
    session->next = system->sessions;
    system->sessions = session;
    pthread_mutex_unlock(&system->lock);
}

void odbc_session_finish(struct odbc_session *session)
{
    struct odbc_system *system = session->system;
    odbc_session_close(session);
    pthread_mutex_lock(&system->lock);
    for (struct odbc_session **at = &system->sessions; *at; at = &(*at)->next)
        if (*at == session) {
            *at = session->next;
            break;
        }
    pthread_mutex_unlock(&system->lock);
    arena_finish(&session->scratch);
    buf_finish(&session->text);
    pthread_mutex_destroy(&session->lock);
}

/* ---- what the driver says ---- */

int odbc_why(SQLSMALLINT kind, SQLHANDLE handle, char state[6], char words[200])
{
    SQLWCHAR wide_state[6] = {0}, wide[200] = {0};
    SQLINTEGER native = 0;
    SQLSMALLINT len = 0;
    struct buf text;
    snprintf(state, 6, "HY000");
    words[0] = '\0';
    if (!SQL_SUCCEEDED(SQLGetDiagRecW(kind, handle, 1, wide_state, &native, wide, 199, &len)))
        return 0;
    for (size_t i = 0; i < 5; i++)
        state[i] = wide_state[i] > ' ' && wide_state[i] < 0x7f ? (char)wide_state[i] : '?';
    buf_init(&text, 1000);
    if (odbc_from_wide(wide, len < 0 ? 0 : len > 199 ? 199 : (size_t)len, &text) == ERR_OK)
        snprintf(words, 200, STR_FORMAT, STR_ARG(str_slice(buf_str(&text), 0, 190)));
    buf_finish(&text);
    return (int)native;
}

static bool is_any(const char *state, const char *const *states)
{
    for (; *states; states++)
        if (strncmp(state, *states, strlen(*states)) == 0)
            return true;
    return false;
}

/* MariaDB's numbers as the SQLSTATEs they should have. (mariadb.com/kb/en/mariadb-error-code-reference) */
static void refine(int native, char state[6])
{
    static const struct {
        int native;
        const char *state;
    } rows[] = {{1969, "70100"}, {3024, "70100"}, {1205, "HYT00"}, {1213, "40001"}, {2006, "08S01"}, {2013, "08S01"}, {1927, "08S01"},
        {1053, "08S01"}, {1792, "25006"}, {1690, "22003"}, {1264, "22003"}, {1054, "42S22"}, {1146, "42S02"}, {1142, "42S02"},
        {1143, "42S22"}, {1040, "53300"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].native == native)
            snprintf(state, 6, "%s", rows[i].state);
}

enum err odbc_meaning(
    struct odbc_session *session, SQLHSTMT statement, char detail[HUB_DEPARTMENT_DETAIL_MAX], bool *ret_is_changed, bool *ret_is_broken)
{
    static const char *const broken[] = {"08", "57P", "HY117", NULL}, *const again[] = {"40", NULL},
                             *const late[] = {"HYT", "HY008", "57014", "70100", NULL};
    static const char *const ranges[] = {"22", NULL}, *const changed[] = {"42S", "42P01", "42703", "42501", "42883", "21S", NULL},
                             *const writes[] = {"25", NULL};
    static const char *const short_of[] = {"53", "HY001", "HY013", NULL};
    char state[6], words[200];
    SQLUINTEGER dead = SQL_CD_FALSE;
    int native = odbc_why(SQL_HANDLE_STMT, statement, state, words);
    if (session->system->dialect == SQL_MARIADB) /* whose driver says HY000 to most */
        refine(native, state);
    (void)SQLGetConnectAttr(session->dbc, SQL_ATTR_CONNECTION_DEAD, &dead, 0, NULL);
    if (atomic_load(&session->is_cancelled) || is_any(state, late)) {
        hub_detail_put(detail, HUB_DEPARTMENT_DETAIL_MAX, HUB_DETAIL(sql_slow), "%s", state);
        *ret_is_broken = dead == SQL_CD_TRUE;
        return ERR_TIMEOUT;
    }
    *ret_is_broken = dead == SQL_CD_TRUE || is_any(state, broken);
    if (*ret_is_broken || is_any(state, again))
        return ERR_BUSY;
    if (is_any(state, ranges))
        return ERR_RANGE;
    *ret_is_changed = is_any(state, changed);
    hub_detail_put(detail, HUB_DEPARTMENT_DETAIL_MAX,
        *ret_is_changed           ? HUB_DETAIL(sql_changed)
        : is_any(state, writes)   ? HUB_DETAIL(sql_writes)
        : is_any(state, short_of) ? HUB_DETAIL(sql_short)
                                  : HUB_DETAIL(sql_refused),
        "%s", state);
    return ERR_UNAVAILABLE;
}

/* ---- statements with a time ---- */

enum err odbc_statement_make(struct odbc_session *session, int64_t ms, SQLHSTMT *ret_statement)
{
    SQLHSTMT statement;
    if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, session->dbc, &statement)))
        return ERR_UNAVAILABLE;
    (void)SQLSetStmtAttr(statement, SQL_ATTR_NOSCAN, (SQLPOINTER)(uintptr_t)SQL_NOSCAN_ON, SQL_IS_UINTEGER); /* {…} is no escape of ours */
    if (session->system->dialect == SQL_ANSI) /* the others are told in their own way, to the millisecond */
        (void)SQLSetStmtAttr(statement, SQL_ATTR_QUERY_TIMEOUT, (SQLPOINTER)(uintptr_t)((ms + 999) / 1000), SQL_IS_UINTEGER);
    pthread_mutex_lock(&session->lock);
    session->running = statement;
    session->deadline.ns = clock_mono(session->system->department.clock).ns + ms * 1000000;
    atomic_store(&session->is_cancelled, false);
    pthread_mutex_unlock(&session->lock);
    *ret_statement = statement;
    return ERR_OK;
}

void odbc_statement_free(struct odbc_session *session, SQLHSTMT statement)
{
    pthread_mutex_lock(&session->lock);
    bool has_canceller = session->has_canceller;
    session->running = SQL_NULL_HSTMT;
    session->has_canceller = false;
    pthread_mutex_unlock(&session->lock);
    if (has_canceller) /* not while it is in the midst of the statement */
        pthread_join(session->canceller, NULL);
    SQLFreeHandle(SQL_HANDLE_STMT, statement);
}

static void *cancel_one(void *statement)
{
    pthread_setname_np(pthread_self(), "odbc-cancel-one");
    (void)SQLCancel(statement);
    return NULL;
}

/* With the session's lock held. By a thread of its own, since SQLCancel may hang as anything of a driver may: then its session is lost
 * until it comes back, and no other one. Without a thread it is tried again at the next look. */
static void cancel_session(struct odbc_session *session)
{
    atomic_store(&session->is_cancelled, true); /* before it is: a statement that ends at once has to know why */
    session->has_canceller = pthread_create(&session->canceller, NULL, cancel_one, session->running) == 0;
    if (!session->has_canceller)
        atomic_store(&session->is_cancelled, false);
}

void *odbc_cancel(void *context)
{
    struct odbc_system *system = context;
    const struct timespec moment = {.tv_nsec = CANCEL_LOOK_MS * 1000000L};
    pthread_setname_np(pthread_self(), "odbc-cancel");
    for (; !atomic_load(&system->is_over); nanosleep(&moment, NULL)) {
        struct mono_time now = clock_mono(system->department.clock);
        bool is_stopping = atomic_load(&system->pool.is_stopping);
        pthread_mutex_lock(&system->lock);
        for (struct odbc_session *session = system->sessions; session; session = session->next) {
            pthread_mutex_lock(&session->lock);
            if (session->running && !session->has_canceller && (is_stopping || now.ns > session->deadline.ns))
                cancel_session(session);
            pthread_mutex_unlock(&session->lock);
        }
        pthread_mutex_unlock(&system->lock);
    }
    return NULL;
}

enum err odbc_execute(struct odbc_session *session, SQLHSTMT statement, struct str sql)
{
    SQLWCHAR *wide;
    size_t n;
    enum err err = odbc_to_wide(&session->scratch, sql, &wide, &n);
    if (err)
        return err;
    SQLRETURN code = SQLExecDirectW(statement, wide, (SQLINTEGER)n);
    return SQL_SUCCEEDED(code) || code == SQL_NO_DATA ? ERR_OK : ERR_IO;
}

static enum err run_once(struct odbc_session *session, const char *sql, char state[6], char words[200])
{
    SQLHSTMT statement;
    enum err err = odbc_statement_make(session, 1000 * ODBC_CONNECT_S, &statement);
    if (err)
        return err;
    err = odbc_execute(session, statement, str_from_c(sql));
    if (err)
        odbc_why(SQL_HANDLE_STMT, statement, state, words);
    odbc_statement_free(session, statement);
    return err;
}

/* ---- connecting ---- */

void odbc_session_close(struct odbc_session *session)
{
    if (!session->dbc)
        return;
    odbc_disconnect(session->system->gate, session->dbc);
    session->dbc = SQL_NULL_HDBC;
}

/* key={value}; a closing brace in it doubled (ODBC, SQLDriverConnect). */
static void append_option(struct buf *out, const char *key, struct str value)
{
    buf_printf(out, "%s={", key);
    for (size_t i = 0; i < value.len; i++) {
        buf_append_byte(out, value.ptr[i]);
        if (value.ptr[i] == '}')
            buf_append_byte(out, '}');
    }
    buf_append_c(out, "};");
}

static bool is_plain(struct str value)
{
    for (size_t i = 0; i < value.len; i++)
        if (strchr("{};[]()?*=!@ ", value.ptr[i]))
            return false;
    return value.len > 0;
}

static void write_string(const struct odbc_system *system, const char *user, const char *password, struct buf *out)
{
    if (system->dsn[0])
        buf_printf(out, "DSN=%s;", system->dsn);
    else
        buf_printf(out, system->driver[0] == '/' ? "DRIVER=%s;" : "DRIVER={%s};", system->driver);
    for (size_t i = 0; i < system->n_options; i++) {
        char key[64];
        struct str value = system->options[i].value;
        if (str_to_c(system->options[i].key, key, sizeof key))
            continue;
        if (is_plain(value)) /* some drivers take braces as part of a value */
            buf_printf(out, "%s=" STR_FORMAT ";", key, STR_ARG(value));
        else
            append_option(out, key, value);
    }
    if (user[0])
        buf_printf(out, "UID=%s;", user);
    if (password[0] && is_plain(str_from_c(password)))
        buf_printf(out, "PWD=%s;", password);
    else if (password[0])
        append_option(out, "PWD", str_from_c(password));
}

static enum err reach(struct odbc_session *session, const char *password, char detail[HUB_DEPARTMENT_DETAIL_MAX])
{
    struct odbc_system *system = session->system;
    char state[6], words[200];
    SQLWCHAR *wide;
    size_t n;
    struct buf text;
    buf_init(&text, 4096);
    write_string(system, session->writer ? session->writer->user : system->user, password, &text);
    arena_reset(&session->scratch);
    enum err err = text.err ? text.err : odbc_to_wide(&session->scratch, buf_str(&text), &wide, &n);
    if (text.ptr)
        explicit_bzero(text.ptr, text.cap);
    buf_finish(&text);
    bool is_refused = false;
    if (!err) {
        const struct odbc_asked asked = {wide, n, .is_reader = !session->writer};
        err = odbc_connect(system->gate, &asked, &system->pool.is_stopping, &session->dbc, &is_refused);
        explicit_bzero(wide, n * sizeof *wide);
    }
    if (err == ERR_TIMEOUT) {
        snprintf(detail, HUB_DEPARTMENT_DETAIL_MAX, "%s", HUB_DETAIL(no_answer));
        return ERR_UNAVAILABLE;
    }
    if (err || !is_refused)
        return err;
    odbc_why(SQL_HANDLE_DBC, session->dbc, state, words);
    SQLFreeHandle(SQL_HANDLE_DBC, session->dbc);
    session->dbc = SQL_NULL_HDBC;
    bool is_driver = strcmp(state, "IM002") == 0 || strcmp(state, "IM003") == 0 || strcmp(state, "01000") == 0;
    snprintf(detail, HUB_DEPARTMENT_DETAIL_MAX, "%s",
        is_driver                       ? HUB_DETAIL(no_driver)
        : strncmp(state, "28", 2) == 0  ? HUB_DETAIL(sign_in)
        : strncmp(state, "HYT", 3) == 0 ? HUB_DETAIL(no_answer)
                                        : HUB_DETAIL(unreachable));
    log_write(LOG_NOTICE, "odbc", "no connection", LOG_STR("source", system->department.source), LOG_TEXT("state", state),
        LOG_TEXT("why", words), LOG_END);
    return is_driver ? ERR_NOT_FOUND : ERR_UNAVAILABLE;
}

/* Read-only (or for a command on disk when it is acknowledged) and bounded in time, each engine in its own words; SQL_ANSI has the
 * attributes and the role's rights alone. */
static enum err guard(struct odbc_session *session, char detail[HUB_DEPARTMENT_DETAIL_MAX])
{
    const struct odbc_system *system = session->system;
    int offset = system->zone.offset_s, minutes = abs(offset) / 60;
    char texts[3][300] = {"", "", ""}, state[6] = "", words[200];
    long long ms = system->timeout_ms;
    switch (system->dialect) {
    case SQL_POSTGRES:
        snprintf(texts[0], sizeof texts[0],
            session->writer ? "SET synchronous_commit = on" : "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY");
        snprintf(texts[1], sizeof texts[1], "SET statement_timeout = %lld", ms);
        snprintf(texts[2], sizeof texts[2], "SET TIME ZONE INTERVAL '%c%02d:%02d' HOUR TO MINUTE", offset < 0 ? '-' : '+', minutes / 60,
            minutes % 60);
        break;
    case SQL_MARIADB:
        snprintf(texts[0], sizeof texts[0],
            session->writer ? "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED" : "SET SESSION TRANSACTION READ ONLY");
        snprintf(texts[1], sizeof texts[1], "SET SESSION max_statement_time = %.3f", (double)ms / 1000);
        snprintf(texts[2], sizeof texts[2],
            "SET SESSION time_zone = '%c%02d:%02d', sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION', max_sort_length = 65536",
            offset < 0 ? '-' : '+', minutes / 60, minutes % 60);
        break;
    case SQL_SQLITE:
        snprintf(texts[0], sizeof texts[0], session->writer ? "PRAGMA synchronous = FULL" : "PRAGMA query_only = 1");
        break;
    case SQL_ANSI:
        break;
    }
    for (size_t i = 0; i < 3; i++)
        if (texts[i][0] && run_once(session, texts[i], state, words)) {
            hub_detail_put(detail, HUB_DEPARTMENT_DETAIL_MAX, HUB_DETAIL(no_session), "%s", state);
            return ERR_UNAVAILABLE;
        }
    return ERR_OK;
}

enum err odbc_session_open(struct odbc_session *session, char detail[HUB_DEPARTMENT_DETAIL_MAX])
{
    struct odbc_system *system = session->system;
    char password[HUB_DEPARTMENT_SECRET_MAX] = "";
    const char *file = session->writer ? session->writer->password_file : system->password_file;
    enum err err = file[0] ? hub_department_secret(file, password) : ERR_OK;
    if (err) {
        snprintf(detail, HUB_DEPARTMENT_DETAIL_MAX, "%s", err == ERR_DENIED ? HUB_DETAIL(secret_open) : HUB_DETAIL(secret_unread));
        return ERR_UNAVAILABLE;
    }
    err = reach(session, password, detail);
    explicit_bzero(password, sizeof password);
    if (!err)
        err = guard(session, detail);
    if (err)
        odbc_session_close(session);
    return err;
}

enum err odbc_session_ping(struct odbc_session *session)
{
    char state[6], words[200];
    SQLUINTEGER dead = SQL_CD_FALSE;
    (void)SQLGetConnectAttr(session->dbc, SQL_ATTR_CONNECTION_DEAD, &dead, 0, NULL);
    if (dead == SQL_CD_TRUE)
        return ERR_UNAVAILABLE;
    arena_reset(&session->scratch);
    return session->system->dialect == SQL_ANSI ? ERR_OK : run_once(session, "SELECT 1", state, words);
}
