/*
 * The ledger: a tiled Merkle log (C2SP tlog-tiles, signed-note checkpoints, tlog-proof) on disk, with group commit.
 *
 * One leaf's way: ledger_append() → write-ahead journal, fdatasync (then the append is done: durable, and its index is known) →
 * hash → tiles → checkpoint at most every CHECKPOINT_MS. Tiles and checkpoint are static files under `dir`/log that any web server
 * can serve. Recovery rebuilds what is missing from the journal, at any point of a kill -9.
 */
#ifndef LEDGER_LEDGER_H
#define LEDGER_LEDGER_H

#include "base/crypto.h"
#include "base/diag.h"
#include "base/journal.h"
#include "base/loop.h"

#define LEDGER_LEAF_MAX 65535     /* tlog-tiles: entries are length-prefixed with 16 bits */
#define LEDGER_CHECKPOINT_MS 1000 /* the longest a durable leaf waits for the checkpoint that proves it */

struct ledger;

struct ledger_options {
    const char *dir;
    struct str origin;            /* first line of the checkpoint, and the log's name in receipts: "hangzhou.log" */
    const struct crypto_key *key; /* Ed25519; borrowed until close */
    struct clock *clock;
};

/* Embedded in its owner, which keeps it and the leaf's bytes until `done`. */
struct ledger_append {
    struct str leaf;
    struct loop *loop;                          /* where `done` runs */
    void (*done)(struct ledger_append *append); /* `err` ERR_OK: durable, and `index` is its place for ever */
    enum err err;
    uint64_t index;
    struct journal_append journal; /* the ledger's own */
};

/* Recovers, then starts the writer. ERR_CORRUPT with the place in `diag`; ERR_STATE when another process has it open. */
enum err ledger_open(const struct ledger_options *options, struct diag *diag, struct ledger **ret_ledger) MUST_CHECK;
void ledger_close(struct ledger *ledger); /* a last checkpoint over everything durable; takes NULL */
/* Any thread. ERR_FULL: too much waits for the disk; ERR_TOO_LARGE; or the disk's error, for good: nothing more may be acknowledged. */
enum err ledger_append(struct ledger *ledger, struct ledger_append *append) MUST_CHECK;
uint64_t ledger_n_durable(struct ledger *ledger);
uint64_t ledger_n_published(struct ledger *ledger); /* size of the newest checkpoint */
struct str ledger_origin(const struct ledger *ledger);
const char *ledger_static_dir(const struct ledger *ledger); /* the folder of checkpoint and tiles, for the HTTP door */

/* A C2SP tlog-proof of leaf `index` under the newest checkpoint. ERR_BUSY: durable, but not under a checkpoint yet (at most CHECKPOINT_MS);
 * ERR_NOT_FOUND. Any thread; reads tiles from disk or cache. */
enum err ledger_proof(struct ledger *ledger, uint64_t index, struct buf *out) MUST_CHECK;
/* The leaf's bytes. */
enum err ledger_leaf(struct ledger *ledger, uint64_t index, struct buf *out) MUST_CHECK;

/* Offline: does `proof` (tlog-proof text) prove that `leaf` stands in the log whose verifier key (C2SP vkey, "name+hash+base64") is given?
 * ERR_CRYPTO: refused; ERR_SYNTAX: unreadable. No ledger needed. */
enum err ledger_verify(struct str leaf, struct str proof, struct str vkey, uint64_t *ret_index, struct diag *diag) MUST_CHECK;
/* The log's verifier key as text. */
enum err ledger_vkey(struct str origin, const uint8_t public_key[32], struct buf *out) MUST_CHECK;

#endif
