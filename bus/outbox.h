/*
 * What must arrive (发件箱): messages to another party lie in our own store until that party has acknowledged them; NATS only carries. They
 * are sent again until then, and the receiver takes each one once, in order: exactly once in effect, over losses, doubles and restarts of
 * either side.
 *
 * Three parts. The record: tables in a store of the user's, written in the same transaction as what a message tells of, on either side
 * (bus/outbox_store.c). The step: pure, when to send what (bus_outbox_step). The bytes: a delivery of some messages, and its
 * acknowledgement (docs/bus.md). Who sends them is the user: as a question and its answer under a session, so both are authentic.
 */
#ifndef BUS_OUTBOX_H
#define BUS_OUTBOX_H

#include "base/buf.h"
#include "base/clock.h"
#include "db/db.h"

#define BUS_OUTBOX_BATCH 64            /* messages of a delivery */
#define BUS_OUTBOX_BYTES (256u * 1024) /* of a delivery's messages together; one alone may have as many */
#define BUS_OUTBOX_AGAIN_MS 500        /* first waiting time for an acknowledgement; doubles to the next */
#define BUS_OUTBOX_AGAIN_MAX_MS 15000
#define BUS_OUTBOX_ROWS_MAX 1000000 /* that wait for one party: past it bus_outbox_add() is ERR_FULL */

/* ---- the step: one for each party that something is sent to ---- */

struct bus_outbox {       /* after a restart: as bus_outbox_load() reads it */
    uint64_t stream;      /* grows when the numbering begins anew; a time in ms */
    uint64_t first, next; /* numbers of the oldest message not acknowledged, and of the next one to be added; equal: nothing waits */
    uint64_t unsure;      /* until the other side has told what it has: `next` as it was loaded. 0: it has told */
    bool is_under_way;    /* a delivery */
    struct mono_time due; /* when it is given up for lost */
    int64_t again_ms;
};

enum bus_outbox_event_kind {
    BUS_OUTBOX_ADDED, /* the store's `stream`, and its `next` as `number`, after an add */
    BUS_OUTBOX_ACK,   /* the answer to a delivery of this run (never a stray one): the other side has all up to `number` of `stream` */
    BUS_OUTBOX_UP,    /* the other side can be reached again: what waits is sent at once */
    BUS_OUTBOX_TICK,
};
struct bus_outbox_event {
    enum bus_outbox_event_kind kind;
    struct mono_time now;
    uint64_t stream, number;
};
struct bus_outbox_updates {
    uint64_t send_from; /* 0: nothing; else send a delivery that begins with this number, then call bus_outbox_sent() */
    bool is_probe;      /* send it without messages (bus_outbox_probe()): only its acknowledgement is wanted */
    uint64_t forget;    /* 0: nothing; else bus_outbox_forget() up to this number */
    bool must_renew; /* the other side has seen numbers that this store has not given yet: it is a copy of an older day; bus_outbox_renew()
                      */
    int64_t wait_ms; /* a TICK is wanted after this long; -1: none */
};
void bus_outbox_step(struct bus_outbox *outbox, const struct bus_outbox_event *event, struct bus_outbox_updates *ret_updates);
void bus_outbox_sent(struct bus_outbox *outbox, struct mono_time now);

/* ---- the bytes ---- */

struct bus_delivery {
    uint64_t stream, first; /* number of the first message */
    uint64_t kept;          /* the lowest number that the sender still has */
    size_t n;
    struct str messages[BUS_OUTBOX_BATCH]; /* borrowed */
};
struct bus_delivery bus_outbox_probe(const struct bus_outbox *outbox);
enum err bus_delivery_write(const struct bus_delivery *delivery, struct buf *out) MUST_CHECK;
enum err bus_delivery_read(struct str bytes, struct bus_delivery *ret_delivery) MUST_CHECK; /* ERR_SYNTAX; borrows */
enum err bus_ack_write(uint64_t stream, uint64_t last, struct buf *out) MUST_CHECK;
enum err bus_ack_read(struct str bytes, uint64_t *ret_stream, uint64_t *ret_last) MUST_CHECK;

/* ---- the record ---- */

extern const char bus_outbox_tables[]; /* a migration for db_migrate() */

/* All of these on the database's own thread, inside of the user's transaction. `party`: to whom, or from whom. */
enum err bus_outbox_add(
    struct db *db, struct str party, struct str message, struct wall_time now, struct bus_outbox *ret_outbox) MUST_CHECK;
enum err bus_outbox_load(struct db *db, struct str party, struct bus_outbox *ret_outbox) MUST_CHECK; /* zeros: nothing was ever added */
/* From `from` on, as many as a delivery holds; the texts are copied into `arena`. */
enum err bus_outbox_read(struct db *db, struct arena *arena, struct str party, uint64_t from, struct bus_delivery *ret_delivery) MUST_CHECK;
enum err bus_outbox_forget(struct db *db, struct str party, uint64_t up_to) MUST_CHECK;
enum err bus_outbox_renew(struct db *db, struct str party, struct wall_time now, struct bus_outbox *ret_outbox) MUST_CHECK;

/* The receiving side: which of a delivery's messages are new: [*ret_from, *ret_from + *ret_n). The caller does what they say in this same
 * transaction; an error there undoes both. *ret_n_lost: messages that we had acknowledged once and have lost since (a store of an older
 * day), and the sender no longer has: people must know. *ret_last: for the acknowledgement, after the commit. */
struct bus_taken {
    size_t from, n;
    uint64_t n_lost, stream, last;
};
enum err bus_inbox_take(struct db *db, struct str party, const struct bus_delivery *delivery, struct bus_taken *ret_taken) MUST_CHECK;

#endif
