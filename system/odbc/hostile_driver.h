/*
 * An ODBC driver that means no good, for hostile_test.c alone: what it does is set, and what was asked of it is counted, from outside.
 */
#ifndef SYSTEM_ODBC_HOSTILE_DRIVER_H
#define SYSTEM_ODBC_HOSTILE_DRIVER_H

#include <stdatomic.h>
#include <stdbool.h>

enum hostility {
    HONEST, /* three rows */
    ENDLESS_ROWS,
    ENDLESS_BYTES,   /* rows of 64 KiB without an end */
    ENDLESS_CELL,    /* pieces without an end */
    LYING_LENGTH,    /* a cell of a terabyte, it says */
    NEGATIVE_LENGTH, /* … of fewer than no bytes */
    TEXT_FOR_NUMBER,
    NUMBER_TOO_LARGE,
    MONTH_13,
    HALF_A_PAIR, /* of UTF-16 */
    NOT_A_NUMBER,
    TOO_FEW_COLUMNS,
    TOO_MANY_COLUMNS,
    SLOW_ROWS,  /* a row each 30 ms without an end, deaf to SQLCancel */
    SLOW_BYTES, /* a byte each 30 ms, deaf as well */
    HEEDFUL,    /* stands still in SQLExecute until SQLCancel */
    DEAF_EXECUTE,
    DEAF_FETCH,
    DEAF_CELL,
    DEAF_CANCEL, /* as HEEDFUL, and SQLCancel does not come back either */
    BROKEN_EXECUTE,
    BROKEN_FETCH,
    BROKEN_CELL,
    ODD_WORDS, /* a refusal whose SQLSTATE and words are none */
    N_HOSTILITIES
};

/* Of the driver's symbol "hostile". */
struct hostile {
    _Atomic int does;         /* to statements that are executed from now on */
    _Atomic bool no_connect;  /* connecting stands still */
    _Atomic bool is_released; /* what stands still, deaf as it is, goes on */
    _Atomic unsigned n_connects, n_disconnects, n_executes, n_fetches, n_pieces, n_cancels, n_standing;
};

#endif
