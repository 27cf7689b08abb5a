/*
 * The driver: a table of five columns (text, whole number, real, time, bytes) behind the few functions that unixODBC's manager and the
 * connector call. Each statement does what was set when it was executed.
 */
#include "system/odbc/hostile_driver.h"

#include <math.h>
#include <sql.h>
#include <sqlext.h>
#include <sqlucode.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define EXPORTED __attribute__((visibility("default")))
#define N_COLUMNS 5
#define N_ROWS 3

EXPORTED struct hostile hostile;

struct connection {
    _Atomic bool is_dead;
};
struct statement {
    struct connection *connection;
    int does;
    bool is_look;             /* SQLExecDirect: the description, no rows */
    unsigned n_rows, n_given; /* of the cell's bytes */
    const char *state;        /* of what went wrong */
    _Atomic bool is_cancelled;
};

static void rest(void)
{
    const struct timespec moment = {.tv_nsec = 30000000};
    nanosleep(&moment, NULL);
}

/* Until SQLCancel, when that is heeded, or until the test releases it. */
static void stand_still(struct statement *statement, bool is_heedful)
{
    atomic_fetch_add(&hostile.n_standing, 1);
    while (!atomic_load(&hostile.is_released) && !(is_heedful && atomic_load(&statement->is_cancelled)))
        rest();
    atomic_fetch_sub(&hostile.n_standing, 1);
}

static SQLRETURN fail(struct statement *statement, const char *state)
{
    statement->state = state;
    if (strncmp(state, "08", 2) == 0)
        atomic_store(&statement->connection->is_dead, true);
    return SQL_ERROR;
}

/* ---- handles ---- */

EXPORTED SQLRETURN SQL_API SQLAllocHandle(SQLSMALLINT kind, SQLHANDLE parent, SQLHANDLE *ret_handle)
{
    if (kind == SQL_HANDLE_STMT) {
        struct statement *statement = calloc(1, sizeof *statement);
        if (statement)
            statement->connection = parent;
        *ret_handle = statement;
    } else {
        *ret_handle = calloc(1, sizeof(struct connection));
    }
    return *ret_handle ? SQL_SUCCESS : SQL_ERROR;
}

EXPORTED SQLRETURN SQL_API SQLFreeHandle(SQLSMALLINT kind, SQLHANDLE handle)
{
    free(handle);
    return SQL_SUCCESS;
}

EXPORTED SQLRETURN SQL_API SQLFreeStmt(SQLHSTMT statement, SQLUSMALLINT option)
{
    if (option == SQL_DROP)
        free(statement);
    return SQL_SUCCESS;
}

EXPORTED SQLRETURN SQL_API SQLSetEnvAttr(SQLHENV env, SQLINTEGER attribute, SQLPOINTER value, SQLINTEGER length)
{
    return SQL_SUCCESS;
}

EXPORTED SQLRETURN SQL_API SQLSetConnectAttrW(SQLHDBC dbc, SQLINTEGER attribute, SQLPOINTER value, SQLINTEGER length)
{
    return SQL_SUCCESS;
}

EXPORTED SQLRETURN SQL_API SQLGetConnectAttrW(SQLHDBC dbc, SQLINTEGER attribute, SQLPOINTER value, SQLINTEGER size, SQLINTEGER *ret_length)
{
    const struct connection *connection = dbc;
    if (attribute != SQL_ATTR_CONNECTION_DEAD)
        return SQL_ERROR;
    *(SQLUINTEGER *)value = atomic_load(&connection->is_dead) ? SQL_CD_TRUE : SQL_CD_FALSE;
    return SQL_SUCCESS;
}

EXPORTED SQLRETURN SQL_API SQLSetStmtAttrW(SQLHSTMT statement, SQLINTEGER attribute, SQLPOINTER value, SQLINTEGER length)
{
    return SQL_SUCCESS; /* SQL_ATTR_MAX_ROWS and SQL_ATTR_QUERY_TIMEOUT too: said to be done, and not done */
}

EXPORTED SQLRETURN SQL_API SQLGetInfoW(SQLHDBC dbc, SQLUSMALLINT what, SQLPOINTER value, SQLSMALLINT size, SQLSMALLINT *ret_length)
{
    static const SQLWCHAR version[] = {'0', '3', '.', '0', '0', 0};
    if (what != SQL_DRIVER_ODBC_VER || size < (SQLSMALLINT)sizeof version)
        return SQL_ERROR;
    memcpy(value, version, sizeof version);
    if (ret_length)
        *ret_length = sizeof version - sizeof *version;
    return SQL_SUCCESS;
}

EXPORTED SQLRETURN SQL_API SQLDriverConnectW(SQLHDBC dbc, SQLHWND window, SQLWCHAR *text, SQLSMALLINT n, SQLWCHAR *out, SQLSMALLINT size,
    SQLSMALLINT *ret_n, SQLUSMALLINT completion)
{
    atomic_fetch_add(&hostile.n_connects, 1);
    if (atomic_load(&hostile.no_connect)) {
        atomic_fetch_add(&hostile.n_standing, 1);
        while (!atomic_load(&hostile.is_released))
            rest();
        atomic_fetch_sub(&hostile.n_standing, 1);
    }
    return SQL_SUCCESS;
}

EXPORTED SQLRETURN SQL_API SQLDisconnect(SQLHDBC dbc)
{
    atomic_fetch_add(&hostile.n_disconnects, 1);
    return SQL_SUCCESS;
}

EXPORTED SQLRETURN SQL_API SQLGetDiagRecW(SQLSMALLINT kind, SQLHANDLE handle, SQLSMALLINT at, SQLWCHAR *ret_state, SQLINTEGER *ret_native,
    SQLWCHAR *ret_words, SQLSMALLINT size, SQLSMALLINT *ret_n)
{
    const struct statement *statement = handle;
    const char *state = kind == SQL_HANDLE_STMT ? statement->state : "08001";
    if (at != 1 || !state)
        return SQL_NO_DATA;
    *ret_native = 0x7fffffff;
    if (strcmp(state, "odd") == 0) { /* no end, no letters, and half a pair of UTF-16 */
        for (size_t i = 0; i < 5; i++)
            ret_state[i] = (SQLWCHAR)(0xd800 + i);
        for (SQLSMALLINT i = 0; i < size; i++)
            ret_words[i] = 0xdfff;
        *ret_n = 32767;
        return SQL_SUCCESS_WITH_INFO;
    }
    for (size_t i = 0; i < 6; i++)
        ret_state[i] = (SQLWCHAR)state[i];
    if (size > 0)
        ret_words[0] = 0;
    *ret_n = 0;
    return SQL_SUCCESS;
}

/* ---- statements ---- */

EXPORTED SQLRETURN SQL_API SQLPrepareW(SQLHSTMT handle, SQLWCHAR *text, SQLINTEGER n)
{
    struct statement *statement = handle;
    statement->does = atomic_load(&hostile.does);
    return SQL_SUCCESS;
}

EXPORTED SQLRETURN SQL_API SQLBindParameter(SQLHSTMT handle, SQLUSMALLINT at, SQLSMALLINT direction, SQLSMALLINT c_type, SQLSMALLINT type,
    SQLULEN size, SQLSMALLINT digits, SQLPOINTER value, SQLLEN room, SQLLEN *length)
{
    return SQL_SUCCESS;
}

EXPORTED SQLRETURN SQL_API SQLExecDirectW(SQLHSTMT handle, SQLWCHAR *text, SQLINTEGER n)
{
    struct statement *statement = handle;
    statement->is_look = true;
    return SQL_SUCCESS;
}

EXPORTED SQLRETURN SQL_API SQLExecute(SQLHSTMT handle)
{
    struct statement *statement = handle;
    atomic_fetch_add(&hostile.n_executes, 1);
    switch (statement->does) {
    case HEEDFUL:
    case DEAF_CANCEL:
        stand_still(statement, true);
        return fail(statement, "HY008");
    case DEAF_EXECUTE:
        stand_still(statement, false);
        return fail(statement, "HY000");
    case BROKEN_EXECUTE:
        return fail(statement, "08S01");
    case ODD_WORDS:
        return fail(statement, "odd");
    default:
        return SQL_SUCCESS;
    }
}

EXPORTED SQLRETURN SQL_API SQLCancel(SQLHSTMT handle)
{
    struct statement *statement = handle;
    atomic_fetch_add(&hostile.n_cancels, 1);
    if (statement->does == DEAF_CANCEL)
        stand_still(statement, false);
    atomic_store(&statement->is_cancelled, true);
    return SQL_SUCCESS;
}

EXPORTED SQLRETURN SQL_API SQLNumResultCols(SQLHSTMT handle, SQLSMALLINT *ret_n)
{
    const struct statement *statement = handle;
    *ret_n = statement->does == TOO_FEW_COLUMNS ? 2 : statement->does == TOO_MANY_COLUMNS ? 32767 : N_COLUMNS;
    return SQL_SUCCESS;
}

EXPORTED SQLRETURN SQL_API SQLDescribeColW(SQLHSTMT handle, SQLUSMALLINT at, SQLWCHAR *name, SQLSMALLINT room, SQLSMALLINT *ret_n,
    SQLSMALLINT *ret_type, SQLULEN *ret_size, SQLSMALLINT *ret_digits, SQLSMALLINT *ret_nullable)
{
    static const SQLSMALLINT types[N_COLUMNS] = {SQL_WVARCHAR, SQL_INTEGER, SQL_DOUBLE, SQL_TYPE_TIMESTAMP, SQL_VARBINARY};
    if (at < 1 || at > N_COLUMNS)
        return SQL_ERROR;
    *ret_type = types[at - 1];
    *ret_size = 100;
    *ret_digits = 0;
    *ret_nullable = SQL_NULLABLE;
    *ret_n = 0;
    return SQL_SUCCESS;
}

EXPORTED SQLRETURN SQL_API SQLColAttributeW(
    SQLHSTMT handle, SQLUSMALLINT at, SQLUSMALLINT what, SQLPOINTER text, SQLSMALLINT room, SQLSMALLINT *ret_n, SQLLEN *ret_number)
{
    return SQL_ERROR;
}

EXPORTED SQLRETURN SQL_API SQLFetch(SQLHSTMT handle)
{
    struct statement *statement = handle;
    bool is_endless = statement->does == ENDLESS_ROWS || statement->does == ENDLESS_BYTES || statement->does == SLOW_ROWS;
    atomic_fetch_add(&hostile.n_fetches, 1);
    statement->n_given = 0;
    if (statement->is_look || (!is_endless && statement->n_rows == N_ROWS))
        return SQL_NO_DATA;
    if (statement->does == SLOW_ROWS)
        rest();
    if (statement->does == DEAF_FETCH)
        stand_still(statement, false);
    if (statement->does == BROKEN_FETCH && statement->n_rows == 1)
        return fail(statement, "08S01");
    statement->n_rows++;
    return SQL_SUCCESS;
}

/* A whole value of a column that has a fixed size; texts and bytes in put_text(). */
static SQLRETURN put_fixed(struct statement *statement, SQLUSMALLINT column, char *room, SQLLEN size, SQLLEN *ret_length)
{
    if (column == 2) {
        const char *text = statement->does == TEXT_FOR_NUMBER    ? "twelve"
                           : statement->does == NUMBER_TOO_LARGE ? "99999999999999999999"
                                                                 : "4";
        *ret_length = (SQLLEN)strlen(text);
        memcpy(room, text, strlen(text) + 1);
    } else if (column == 3) {
        double real = statement->does == NOT_A_NUMBER ? NAN : 2.5;
        memcpy(room, &real, sizeof real);
        *ret_length = sizeof real;
    } else {
        const SQL_TIMESTAMP_STRUCT time = {2026, statement->does == MONTH_13 ? 13 : 1, 2, 3, 4, 5, 0};
        memcpy(room, &time, sizeof time);
        *ret_length = sizeof time;
    }
    return SQL_SUCCESS;
}

/* `n` units of `width` bytes, those of the end not counted. */
static void fill(char *room, size_t n, size_t width, unsigned what)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < width; j++)
            room[i * width + j] = (char)(what >> 8 * j);
}

static SQLRETURN put_text(struct statement *statement, SQLSMALLINT c_type, char *room, SQLLEN size, SQLLEN *ret_length)
{
    size_t width = c_type == SQL_C_WCHAR ? sizeof(SQLWCHAR) : 1, n = (size_t)size / width - (c_type == SQL_C_WCHAR);
    switch (statement->does) {
    case ENDLESS_CELL:
    case LYING_LENGTH:
        fill(room, n, width, 'x');
        *ret_length = statement->does == ENDLESS_CELL ? SQL_NO_TOTAL : (SQLLEN)1 << 40;
        return SQL_SUCCESS_WITH_INFO;
    case NEGATIVE_LENGTH:
        fill(room, n, width, 'x');
        *ret_length = -77;
        return SQL_SUCCESS;
    case ENDLESS_BYTES:
        fill(room, n, width, 'x');
        statement->n_given += (unsigned)(n * width);
        *ret_length = statement->n_given < 65536 ? SQL_NO_TOTAL : (SQLLEN)(n * width);
        return statement->n_given < 65536 ? SQL_SUCCESS_WITH_INFO : SQL_SUCCESS;
    case SLOW_BYTES:
        rest();
        fill(room, n, width, 'x');
        *ret_length = SQL_NO_TOTAL;
        return SQL_SUCCESS_WITH_INFO;
    case DEAF_CELL:
        stand_still(statement, false);
        break;
    case BROKEN_CELL:
        return fail(statement, "08S01");
    default:
        break;
    }
    fill(room, 2, width, statement->does == HALF_A_PAIR ? 0xd83d : 'a');
    *ret_length = (SQLLEN)(2 * width);
    return SQL_SUCCESS;
}

EXPORTED SQLRETURN SQL_API SQLGetData(
    SQLHSTMT handle, SQLUSMALLINT column, SQLSMALLINT c_type, SQLPOINTER room, SQLLEN size, SQLLEN *ret_length)
{
    struct statement *statement = handle;
    atomic_fetch_add(&hostile.n_pieces, 1);
    return column == 1 || column == 5 ? put_text(statement, c_type, room, size, ret_length)
                                      : put_fixed(statement, column, room, size, ret_length);
}

EXPORTED SQLRETURN SQL_API SQLEndTran(SQLSMALLINT kind, SQLHANDLE handle, SQLSMALLINT how)
{
    return SQL_SUCCESS;
}
