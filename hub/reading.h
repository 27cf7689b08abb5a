/*
 * A reading (读取): what a query at another hub reads of one resource here. One use with as many askings as the query needs; the SQL stays
 * where it is asked, and here come askings like those of a query's own virtual table (struct hub_fetch).
 *
 * One reading's way: decided as a use `query` on the fields that the statement reads → its intent leaf, which names the asker's, is durable
 * → askings, one after the other, each held to those fields and to the contract as it stands then → the outcome leaf.
 *
 * Under a statistics-only contract there is one asking: the day's cells of at least k (hub/query_statistic.c). Smaller ones do not leave.
 */
#ifndef HUB_READING_H
#define HUB_READING_H

#include "hub/system.h"

struct hub_reading {
    /* asked; borrowed until it ended */
    struct str party, resource, purpose, contract;
    struct str twin;          /* the receipt of the use at the asker's hub */
    const struct str *fields; /* that the statement reads */
    size_t n_fields;
    struct loop *loop; /* where call-backs run */
    void (*started)(struct hub_reading *reading);
    /* answered */
    struct hub_refusal refusal;    /* err ERR_OK: askings may come, and it is to be ended; else it is over */
    char receipt[HUB_RECEIPT_MAX]; /* of the intent */
    void *hub_state;               /* the hub's own */
};
/* Any thread. `started` always runs, once, later, on `loop`. */
void hub_reading_start(struct hub *hub, struct hub_reading *reading);
/* On the reading's loop, one at a time; fetch->loop is the same. fetch->done always runs, later. Besides a connector's errors: ERR_DENIED,
 * a column that the use was not decided on, anything but the cells of a statistics-only contract, or no longer in force. */
void hub_reading_fetch(struct hub_reading *reading, struct hub_fetch *fetch);
/* What was given: rows, and the SHA-256 of their bytes in order; `err` of the last asking. It is the caller's again. */
void hub_reading_end(struct hub_reading *reading, uint64_t n_rows, struct sha256 digest, enum err err);

#endif
