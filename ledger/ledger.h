/*
 * The ledger: a tiled Merkle log (C2SP tlog-tiles, signed-note checkpoints, tlog-proof) on disk, with group commit.
 *
 * One leaf's way: ledger_append() → write-ahead journal, fdatasync (then the append is done: durable, and its index is known) →
 * hash → tiles → checkpoint at most every CHECKPOINT_MS. Tiles and checkpoint are static files under `dir`/log that any web server
 * can serve. Recovery rebuilds what is missing from the journal, at any point of a kill -9.
 *
 * With a policy a checkpoint is published only when a quorum of witnesses has cosigned it. Without a quorum publication halts, and leaves
 * go on being stored, up to LEDGER_UNPUBLISHED_MAX.
 */
#ifndef LEDGER_LEDGER_H
#define LEDGER_LEDGER_H

#include "base/crypto.h"
#include "base/diag.h"
#include "base/journal.h"
#include "base/loop.h"

#define LEDGER_LEAF_MAX 65535     /* tlog-tiles: entries are length-prefixed with 16 bits */
#define LEDGER_CHECKPOINT_MS 1000 /* between two checkpoints at least; about the longest that a durable leaf waits for its proof */
#define LEDGER_BEHIND_MAX 2000000 /* durable leaves not yet in tiles; past it appends are refused with ERR_FULL. Seconds of full load */
/* durable leaves that wait for a quorum; past it appends are refused with ERR_FULL. Five hours of a nation's 500 a second; a start hashes
 * them anew in some ten seconds */
#define LEDGER_UNPUBLISHED_MAX 10000000
#define LEDGER_CLOSE_MS 2000 /* that a close waits for a quorum under its last checkpoint */
#define LEDGER_WITNESSES_MAX 32

struct ledger;
struct policy;
struct sign_key;
struct sm_log;

/* How checkpoints come to the witnesses: the composition's (HTTP); the ledger knows bytes only. */
struct ledger_sender {
    /* On the ledger's thread; must not block. POST `body` (copied) to `url`/add-checkpoint; the answer, or that there is none, comes once
     * by ledger_answered(). */
    void (*send)(struct ledger_sender *sender, struct ledger *ledger, size_t witness, struct str url, struct str body);
    /* By ledger_close(), which waits for it: no answer comes any more once this has returned. */
    void (*stop)(struct ledger_sender *sender);
};

struct ledger_options {
    const char *dir;
    struct str origin;             /* first line of the checkpoint, and the log's name in receipts: "hangzhou.log" */
    const struct crypto_key *key;  /* Ed25519; borrowed until close */
    struct clock *clock;           /* kept */
    const struct policy *policy;   /* NULL: no witnesses; kept */
    struct ledger_sender *sender;  /* with a policy; kept */
    struct str sm_origin;          /* of the parallel log in SM3 and SM2 (ledger/sm_log.h) */
    const struct sign_key *sm_key; /* its key; NULL: there is none. Borrowed until close */
    int64_t kept_ms;               /* entries older than that are below ledger_minimum(); 0: none (ledger/retention.h) */
    /* Told once that the disk refused and nothing more is acknowledged, on a thread of the ledger's; may be NULL. */
    void (*fatal)(void *context, enum err err);
    void *fatal_context;
    /* for tests, and 0 otherwise */
    struct file_ops *files;   /* NULL: the system's; kept */
    int64_t checkpoint_ms;    /* 0: LEDGER_CHECKPOINT_MS */
    uint64_t unpublished_max; /* 0: LEDGER_UNPUBLISHED_MAX */
    size_t journal_max_bytes; /* of a segment of the write-ahead journal; 0: 16 MiB */
};

/* One leaf on its way. Embedded in its owner, which keeps it and the leaf's bytes until `done`. */
struct ledger_append {
    struct str leaf;
    struct loop *loop;                          /* where `done` runs; NULL: on the journal's thread */
    void (*done)(struct ledger_append *append); /* `err` ERR_OK: durable, and `index` is its place for ever */
    enum err err;
    uint64_t index;
    struct journal_append journal; /* the ledger's own */
};

/* Recovers, then starts the writer. ERR_CORRUPT with the place in `diag`; ERR_STATE when another process has it open. */
enum err ledger_open(const struct ledger_options *options, struct diag *diag, struct ledger **ret_ledger) MUST_CHECK;
void ledger_close(struct ledger *ledger); /* a last checkpoint over everything durable; takes NULL */
/* Any thread. ERR_FULL: too much waits for the disk; ERR_TOO_LARGE; ERR_STATE: closing; or the disk's error, for good: nothing more may be
 * acknowledged. */
enum err ledger_append(struct ledger *ledger, struct ledger_append *append) MUST_CHECK;
uint64_t ledger_n_durable(struct ledger *ledger);
uint64_t ledger_n_published(struct ledger *ledger); /* size of the newest checkpoint */
struct ledger_witness_status {
    struct str name; /* in the policy; borrowed from it */
    bool cosigns;
    const char *trouble; /* why not, for people; "" when it does */
    uint64_t size;       /* of the checkpoint that it cosigned last, as far as is known */
};
struct ledger_status {
    bool has_witnesses, is_halted; /* is_halted: leaves wait for a quorum since some seconds */
    uint64_t n_durable, n_published;
    int64_t checkpoint_ms; /* wall time since which the newest checkpoint is published; of one from before the start: when it was opened */
    size_t n_witnesses;
    struct ledger_witness_status witnesses[LEDGER_WITNESSES_MAX];
};
void ledger_status(struct ledger *ledger, struct ledger_status *ret_status); /* any thread */
bool ledger_is_full(struct ledger *ledger); /* would an append be refused for what waits to be tiled or published? Any thread */
/* Sizes, queues, checkpoints, witnesses. Any thread. */
void ledger_measure(struct ledger *ledger, struct metric_page *page);
/* The end of a request that the sender was given; any thread, also within send(). `body` is borrowed. */
void ledger_answered(struct ledger *ledger, size_t witness, enum err err, int status, struct str body);
/* Entries before this index the log no longer serves to everybody. It still has and proves them. Grows by itself, looked at each hour. */
uint64_t ledger_minimum(struct ledger *ledger);
/* What stopped the ledger: the journal, or the tiles' thread. ERR_OK while it works. */
enum err ledger_error(struct ledger *ledger);
/* Publishes what is durable now, without waiting for the second to pass, and waits until it is done; with a policy that may be for ever.
 * For tools and tests, not on a loop. */
enum err ledger_publish(struct ledger *ledger) MUST_CHECK;
/* The newest checkpoint, a signed note, appended to `out`. ERR_BUSY: none yet. */
enum err ledger_checkpoint(struct ledger *ledger, struct buf *out) MUST_CHECK;
struct str ledger_origin(const struct ledger *ledger);
struct sm_log *ledger_sm_log(struct ledger *ledger);        /* the parallel log; NULL: there is none */
const char *ledger_static_dir(const struct ledger *ledger); /* the folder of checkpoint and tiles, for the HTTP door */

/* A C2SP tlog-proof of leaf `index` under the newest checkpoint. ERR_BUSY: durable, but not under a checkpoint yet (at most CHECKPOINT_MS);
 * ERR_NOT_FOUND. Any thread; reads tiles from disk or cache. */
enum err ledger_proof(struct ledger *ledger, uint64_t index, struct buf *out) MUST_CHECK;
/* The leaf's bytes, appended to `out`; also of one that waits for its checkpoint. ERR_NOT_FOUND, ERR_IO, ERR_CORRUPT. Any thread. */
enum err ledger_leaf(struct ledger *ledger, uint64_t index, struct buf *out) MUST_CHECK;
/* Leaves from `from` to before `to` in order, as far as they are durable, each given to `fn` until it returns false: a bundle is read once,
 * and so is the journal, where ledger_leaf() reads one for each leaf. `leaf` is borrowed. Errors and threads as above. */
enum err ledger_leaves(struct ledger *ledger, uint64_t from, uint64_t to, bool (*fn)(void *context, uint64_t index, struct str leaf),
    void *context) MUST_CHECK;

/* Offline: does `proof` (tlog-proof text) prove that `leaf` stands in the log whose verifier key (C2SP vkey, "name+hash+base64") is given?
 * ERR_CRYPTO: refused; ERR_SYNTAX: unreadable. No ledger needed. */
enum err ledger_verify(struct str leaf, struct str proof, struct str vkey, uint64_t *ret_index, struct diag *diag) MUST_CHECK;
/* The log's verifier key as text. */
enum err ledger_vkey(struct str origin, const uint8_t public_key[32], struct buf *out) MUST_CHECK;

#endif
