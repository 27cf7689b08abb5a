/*
 * Commands by ODBC (hub/department_command.h): over a connection of their own without autocommit, as a user who may write into the inbox
 * and nowhere else. A driver that does not come back is left to itself: the act is answered as unknown (hub_commands_give_up).
 */
#include "system/odbc/inside.h"

#include "base/json.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

static void inbox_close(void *context)
{
    struct odbc_session *session = context;
    if (session->dbc)
        (void)SQLEndTran(SQL_HANDLE_DBC, session->dbc, SQL_ROLLBACK); /* a driver does not disconnect within a transaction */
    odbc_session_finish(session);
    mem_free(session);
}

static enum err inbox_open(void *context, const struct hub_command *command, char detail[HUB_DEPARTMENT_DETAIL_MAX], void **ret_session)
{
    struct odbc_session *session = mem_alloc_zero(1, sizeof *session);
    if (!session)
        return ERR_NO_MEMORY;
    odbc_session_init(session, context);
    session->writer = command;
    enum err err = odbc_session_open(session, detail);
    if (!err &&
        !SQL_SUCCEEDED(SQLSetConnectAttr(session->dbc, SQL_ATTR_AUTOCOMMIT, (SQLPOINTER)(uintptr_t)SQL_AUTOCOMMIT_OFF, SQL_IS_UINTEGER))) {
        snprintf(detail, HUB_DEPARTMENT_DETAIL_MAX, "the driver keeps no transactions");
        err = ERR_UNSUPPORTED;
    }
    if (err)
        inbox_close(session);
    else
        *ret_session = session;
    return err;
}

static enum err inbox_control(void *context, enum hub_control what)
{
    struct odbc_session *session = context;
    if (what == HUB_BEGIN) /* the first statement begins the transaction, and finds out whether the connection lives */
        return odbc_session_ping(session);
    bool is_done = SQL_SUCCEEDED(SQLEndTran(SQL_HANDLE_DBC, session->dbc, what == HUB_COMMIT ? SQL_COMMIT : SQL_ROLLBACK));
    SQLUINTEGER dead = SQL_CD_FALSE;
    if (what == HUB_COMMIT) /* psqlODBC says yes where the server has ended the session, and with it the transaction */
        (void)SQLGetConnectAttr(session->dbc, SQL_ATTR_CONNECTION_DEAD, &dead, 0, NULL);
    is_done = is_done && dead != SQL_CD_TRUE;
    return is_done ? ERR_OK : what == HUB_COMMIT ? ERR_IO : ERR_UNAVAILABLE;
}

/* Refused for good are values, constraints and the department's own errors, but for a key that is there already: a second hub was faster,
 * and its answer is found next time. MariaDB's driver and SQLite's say HY000 to most, and the engine's number. */
static enum err refused(struct odbc_session *session, SQLHSTMT statement, char words[HUB_WORDS_MAX])
{
    static const int mariadb[] = {1048, 1264, 1265, 1292, 1366, 1406, 1411, 1451, 1452, 1644, 1690, 3819, 4025};
    static const char *const classes[] = {"22", "23", "45", "P0"};
    enum sql_dialect dialect = session->system->dialect;
    char state[6];
    bool is_final = false;
    int native = odbc_why(SQL_HANDLE_STMT, statement, state, words);
    if (strcmp(state, "23505") == 0 || (dialect == SQL_MARIADB && native == 1062) ||
        (dialect == SQL_SQLITE && native == 19 && strstr(words, "UNIQUE")))
        return ERR_UNAVAILABLE;
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        is_final = is_final || strncmp(state, classes[i], 2) == 0;
    for (size_t i = 0; i < sizeof mariadb / sizeof *mariadb && dialect == SQL_MARIADB; i++)
        is_final = is_final || native == mariadb[i];
    return is_final || (dialect == SQL_SQLITE && native == 19) ? ERR_RANGE : ERR_UNAVAILABLE;
}

/* ---- the answer ---- */

static enum err put_column(struct odbc_session *session, SQLHSTMT statement, SQLUSMALLINT column, struct json_writer *w)
{
    SQLWCHAR wide_name[64] = {0};
    SQLSMALLINT len = 0, type = 0, digits, nullable;
    SQLULEN size;
    struct buf wide, name, text;
    bool is_there = false;
    if (!SQL_SUCCEEDED(SQLDescribeColW(statement, column, wide_name, 63, &len, &type, &size, &digits, &nullable)))
        return ERR_UNAVAILABLE;
    buf_init(&name, 512);
    buf_init(&wide, 2 * HUB_COMMAND_COLUMN_MAX + ODBC_CHUNK);
    buf_init(&text, 2 * HUB_COMMAND_COLUMN_MAX);
    enum err err = odbc_from_wide(wide_name, len < 0 ? 0 : len > 63 ? 63 : (size_t)len, &name);
    buf_append_byte(&name, '\0');
    if (!err)
        err = odbc_read_cell(session, statement, column, SQL_C_WCHAR, &wide, &is_there);
    if (!err && is_there)
        err = odbc_from_wide((const SQLWCHAR *)(const void *)(wide.ptr ? wide.ptr : ""), wide.len / sizeof(SQLWCHAR), &text);
    if (!err && !name.err) {
        bool is_number = type == SQL_TINYINT || type == SQL_SMALLINT || type == SQL_INTEGER || type == SQL_BIGINT || type == SQL_REAL ||
                         type == SQL_FLOAT || type == SQL_DOUBLE;
        if (is_there && type != SQL_BIT) {
            hub_command_put_column(w, name.ptr, buf_str(&text), is_number);
        } else {
            json_key(w, name.ptr);
            if (is_there)
                json_put_bool(w, str_equal_c(buf_str(&text), "1"));
            else
                json_put_null(w);
        }
    }
    err = err ? err : name.err;
    buf_finish(&name);
    buf_finish(&wide);
    buf_finish(&text);
    return err;
}

static enum err read_row(struct odbc_session *session, SQLHSTMT statement, struct buf *row, bool *ret_has_row)
{
    SQLSMALLINT n = 0;
    struct json_writer w;
    enum err err = ERR_OK;
    if (!SQL_SUCCEEDED(SQLNumResultCols(statement, &n)) || n <= 0)
        return ERR_UNAVAILABLE;
    SQLRETURN code = SQLFetch(statement);
    if (code == SQL_NO_DATA)
        return ERR_OK;
    if (!SQL_SUCCEEDED(code))
        return ERR_UNAVAILABLE;
    *ret_has_row = true;
    json_writer_init(&w, row);
    json_begin_object(&w);
    for (SQLUSMALLINT i = 1; i <= (SQLUSMALLINT)n && !err; i++)
        err = put_column(session, statement, i, &w);
    json_end_object(&w);
    return err;
}

static enum err inbox_run(void *context, const struct hub_statement *command, const struct value *values, struct buf *row,
    bool *ret_has_row, char words[HUB_WORDS_MAX])
{
    struct odbc_session *session = context;
    SQLHSTMT statement;
    arena_reset(&session->scratch);
    enum err err = odbc_statement_make(session, session->system->timeout_ms, &statement);
    if (err)
        return err;
    err = odbc_prepare(session, statement, command->sql, values, command->n);
    if (!err) {
        SQLRETURN code = SQLExecute(statement);
        err = SQL_SUCCEEDED(code) || code == SQL_NO_DATA ? ERR_OK : ERR_IO;
    }
    if (err == ERR_IO)
        err = refused(session, statement, words);
    else if (!err && row)
        err = read_row(session, statement, row, ret_has_row);
    if (!err && atomic_load(&session->is_cancelled)) /* it may end as if nothing were wrong */
        err = ERR_TIMEOUT;
    odbc_statement_free(session, statement);
    return err;
}

/* Prepared, which some drivers do no sooner than when they are asked for the columns, and SQLite's not at all: it explains. */
static enum err look(struct odbc_session *session, SQLHSTMT statement, const struct hub_statement *command, SQLSMALLINT *ret_n)
{
    const struct value nulls[HUB_PARAMETERS_MAX] = {0};
    bool is_explained = session->system->dialect == SQL_SQLITE;
    enum err err = odbc_prepare(session, statement, command->sql, nulls, command->n);
    if (!err && !SQL_SUCCEEDED(SQLNumResultCols(statement, ret_n)))
        err = ERR_IO;
    if (err || !is_explained)
        return err;
    buf_reset(&session->text);
    buf_append_c(&session->text, "EXPLAIN ");
    buf_append_str(&session->text, command->sql);
    err = session->text.err ? session->text.err : odbc_prepare(session, statement, buf_str(&session->text), nulls, command->n);
    return err ? err : SQL_SUCCEEDED(SQLExecute(statement)) ? ERR_OK : ERR_IO;
}

static enum err inbox_check(void *context, const struct hub_statement *command, bool is_answer, char words[HUB_WORDS_MAX])
{
    struct odbc_session *session = context;
    SQLHSTMT statement;
    SQLSMALLINT n = 0;
    arena_reset(&session->scratch);
    enum err err = odbc_statement_make(session, 1000 * ODBC_CONNECT_S, &statement);
    if (err)
        return err;
    err = look(session, statement, command, &n);
    if (err == ERR_IO) {
        (void)refused(session, statement, words);
        err = ERR_SYNTAX;
    } else if (!err && is_answer && n == 0) {
        snprintf(words, HUB_WORDS_MAX, "only reads; put what writes into run:");
        err = ERR_RANGE;
    }
    odbc_statement_free(session, statement);
    return err;
}

const struct hub_command_ops odbc_command_ops = {
    .thread = "odbc-act",
    .placeholder = "?",
    .is_userless = true, /* SQLite has none; odbc.c asks for one elsewhere */
    .open = inbox_open,
    .close = inbox_close,
    .control = inbox_control,
    .run = inbox_run,
    .check = inbox_check,
};
