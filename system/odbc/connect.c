/*
 * SQLDriverConnect on a thread of its own: a driver may hang in it, its time-out or not, and the hub's loop (while a city is loaded) or a
 * thread of the pool would hang with it. Who waits goes on after a while, and what the driver brings later is thrown away by the thread.
 *
 * The environment and the lock of MariaDB's driver belong to a gate that lives as long as the system or a thread that is still in there.
 */
#include "base/mem.h"
#include "system/odbc/inside.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define LOOK_MS 50
#define GRACE_MS 1000 /* a driver is told SQL_ATTR_LOGIN_TIMEOUT, in seconds */

struct odbc_gate {
    SQLHENV env;
    pthread_mutex_t one_at_a_time;
    bool is_narrow; /* MariaDB's driver keeps a list of its connections without a lock */
    _Atomic size_t n_owners, n_left;
};

struct attempt {
    struct odbc_gate *gate;
    SQLHDBC dbc;
    SQLWCHAR *wide; /* ours */
    size_t n;
    SQLRETURN code;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t ended;
    bool is_done, is_left;
};

enum err odbc_gate_create(struct odbc_gate **ret_gate)
{
    struct odbc_gate *gate = mem_alloc_zero(1, sizeof *gate);
    if (!gate)
        return ERR_NO_MEMORY;
    pthread_mutex_init(&gate->one_at_a_time, NULL);
    atomic_store(&gate->n_owners, 1);
    if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &gate->env)) ||
        !SQL_SUCCEEDED(SQLSetEnvAttr(gate->env, SQL_ATTR_ODBC_VERSION, (SQLPOINTER)(uintptr_t)SQL_OV_ODBC3, 0))) {
        odbc_gate_leave(gate);
        return ERR_NO_MEMORY;
    }
    *ret_gate = gate;
    return ERR_OK;
}

void odbc_gate_narrow(struct odbc_gate *gate)
{
    gate->is_narrow = true;
}

void odbc_gate_leave(struct odbc_gate *gate)
{
    if (!gate || atomic_fetch_sub(&gate->n_owners, 1) > 1)
        return;
    if (gate->env)
        SQLFreeHandle(SQL_HANDLE_ENV, gate->env);
    pthread_mutex_destroy(&gate->one_at_a_time);
    mem_free(gate);
}

size_t odbc_gate_n_left(const struct odbc_gate *gate)
{
    return atomic_load(&gate->n_left);
}

static void enter(struct odbc_gate *gate)
{
    if (gate->is_narrow)
        pthread_mutex_lock(&gate->one_at_a_time);
}

static void pass(struct odbc_gate *gate)
{
    if (gate->is_narrow)
        pthread_mutex_unlock(&gate->one_at_a_time);
}

void odbc_disconnect(struct odbc_gate *gate, SQLHDBC dbc)
{
    enter(gate);
    SQLDisconnect(dbc);
    SQLFreeHandle(SQL_HANDLE_DBC, dbc);
    pass(gate);
}

static void attempt_free(struct attempt *attempt)
{
    explicit_bzero(attempt->wide, attempt->n * sizeof *attempt->wide);
    mem_free(attempt->wide);
    pthread_mutex_destroy(&attempt->lock);
    pthread_cond_destroy(&attempt->ended);
    mem_free(attempt);
}

/* Nobody waits for it any more. */
static void throw_away(struct attempt *attempt)
{
    struct odbc_gate *gate = attempt->gate;
    if (SQL_SUCCEEDED(attempt->code))
        odbc_disconnect(gate, attempt->dbc);
    else
        SQLFreeHandle(SQL_HANDLE_DBC, attempt->dbc);
    attempt_free(attempt);
    atomic_fetch_sub(&gate->n_left, 1);
    odbc_gate_leave(gate);
}

static void *connect_it(void *context)
{
    struct attempt *attempt = context;
    pthread_setname_np(pthread_self(), "odbc-connect");
    enter(attempt->gate);
    SQLRETURN code = SQLDriverConnectW(attempt->dbc, NULL, attempt->wide, (SQLSMALLINT)attempt->n, NULL, 0, NULL, SQL_DRIVER_NOPROMPT);
    pass(attempt->gate);
    pthread_mutex_lock(&attempt->lock);
    attempt->code = code;
    attempt->is_done = true;
    bool is_left = attempt->is_left;
    pthread_cond_signal(&attempt->ended);
    pthread_mutex_unlock(&attempt->lock);
    if (is_left)
        throw_away(attempt);
    return NULL;
}

static enum err attempt_create(struct odbc_gate *gate, const SQLWCHAR *wide, size_t n, struct attempt **ret_attempt)
{
    pthread_condattr_t monotonic;
    struct attempt *attempt = mem_alloc_zero(1, sizeof *attempt);
    SQLWCHAR *copy = mem_alloc((n + 1) * sizeof *copy);
    if (!attempt || !copy) {
        mem_free(attempt);
        mem_free(copy);
        return ERR_NO_MEMORY;
    }
    memcpy(copy, wide, n * sizeof *copy);
    copy[n] = 0;
    *attempt = (struct attempt){.gate = gate, .wide = copy, .n = n};
    pthread_mutex_init(&attempt->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&attempt->ended, &monotonic);
    pthread_condattr_destroy(&monotonic);
    *ret_attempt = attempt;
    return ERR_OK;
}

/* True: the driver came back. */
static bool wait_for(struct attempt *attempt, const _Atomic bool *is_stopping)
{
    struct timespec until;
    pthread_mutex_lock(&attempt->lock);
    for (int waited_ms = 0; !attempt->is_done && waited_ms < 1000 * ODBC_CONNECT_S + GRACE_MS && !atomic_load(is_stopping);) {
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_nsec += LOOK_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        if (pthread_cond_timedwait(&attempt->ended, &attempt->lock, &until) == ETIMEDOUT)
            waited_ms += LOOK_MS;
    }
    bool is_done = attempt->is_done;
    attempt->is_left = !is_done;
    if (!is_done)
        atomic_fetch_add(&attempt->gate->n_left, 1);
    pthread_mutex_unlock(&attempt->lock);
    return is_done;
}

enum err odbc_connect(
    struct odbc_gate *gate, const struct odbc_asked *asked, const _Atomic bool *is_stopping, SQLHDBC *ret_dbc, bool *ret_is_refused)
{
    struct attempt *attempt;
    pthread_t thread;
    if (atomic_load(&gate->n_left) >= ODBC_LEFT_MAX)
        return ERR_TIMEOUT;
    enum err err = attempt_create(gate, asked->wide, asked->n, &attempt);
    if (err)
        return err;
    if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_DBC, gate->env, &attempt->dbc))) {
        attempt_free(attempt);
        return ERR_NO_MEMORY;
    }
    (void)SQLSetConnectAttr(attempt->dbc, SQL_ATTR_LOGIN_TIMEOUT, (SQLPOINTER)(uintptr_t)ODBC_CONNECT_S, SQL_IS_UINTEGER);
    if (asked->is_reader)
        (void)SQLSetConnectAttr(attempt->dbc, SQL_ATTR_ACCESS_MODE, (SQLPOINTER)(uintptr_t)SQL_MODE_READ_ONLY, SQL_IS_UINTEGER);
    atomic_fetch_add(&gate->n_owners, 1); /* the thread's */
    if (pthread_create(&thread, NULL, connect_it, attempt) != 0) {
        SQLFreeHandle(SQL_HANDLE_DBC, attempt->dbc);
        attempt_free(attempt);
        odbc_gate_leave(gate);
        return ERR_NO_MEMORY;
    }
    if (!wait_for(attempt, is_stopping)) {
        pthread_detach(thread);
        return ERR_TIMEOUT;
    }
    pthread_join(thread, NULL);
    *ret_dbc = attempt->dbc;
    *ret_is_refused = !SQL_SUCCEEDED(attempt->code);
    attempt_free(attempt);
    odbc_gate_leave(gate);
    return ERR_OK;
}
