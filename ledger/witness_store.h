/*
 * A witness with its key and its memory: judges (ledger/witness.h), makes durable, and only then signs.
 *
 * Under `dir` one file a log, `<16 hex digits of SHA-256(origin)>.note`: the checkpoint cosigned last, with the log's line and the
 * witness's own, which also vouches for the file when it is read again. `<…>.fork-1.note` and `<…>.fork-2.note`: the first two checkpoints
 * of one size with different roots that the log was seen to have signed; that is the proof against it, and for anybody to check.
 *
 * One thread's; it waits for the disk. Not in here: HTTP, the clock.
 */
#ifndef LEDGER_WITNESS_STORE_H
#define LEDGER_WITNESS_STORE_H

#include "base/file.h"
#include "ledger/witness.h"

#define WITNESS_LOGS_MAX 256 /* a witness of a nation's cities and districts; each costs 100 bytes and a file */

struct witness_store;

struct witness_store_options {
    const char *dir;              /* made when absent; copied */
    struct str name;              /* of the witness, in its signature lines: "police.hangzhou/witness"; copied */
    const struct crypto_key *key; /* kept */
    struct file_ops *files;       /* NULL: the system's; kept */
};

/* ERR_RANGE (no key name), ERR_IO, ERR_STATE (another process has the folder), ERR_NO_MEMORY; told in `diag`. */
enum err witness_store_open(const struct witness_store_options *options, struct diag *diag, struct witness_store **ret_store) MUST_CHECK;
void witness_store_close(struct witness_store *store); /* takes NULL */
/* Adds a log by its vkey and takes up what was cosigned of it. ERR_EXISTS, ERR_FULL, ERR_SYNTAX …; ERR_CORRUPT: the file was changed. */
enum err witness_store_add_log(struct witness_store *store, struct str vkey, struct diag *diag) MUST_CHECK;

struct witness_answer {
    enum witness_status status;
    struct str origin; /* borrowed until close; empty when the log is not known */
    uint64_t size;     /* cosigned, or the size that the witness knows */
    bool is_fork;      /* see struct witness_verdict; the first one was stored */
    struct diag diag;  /* why not */
};

/* One request. Appends the answer's body to `out`: cosignature line, size, or nothing. `time_s`: now, POSIX. An error that is not
 * ERR_NO_MEMORY is the disk's, and for good: nothing may be signed any more, so the process has to end. */
enum err witness_store_add_checkpoint(
    struct witness_store *store, struct str body, int64_t time_s, struct buf *out, struct witness_answer *ret_answer) MUST_CHECK;
size_t witness_store_n_logs(const struct witness_store *store);
const struct witness_log *witness_store_log(const struct witness_store *store, size_t at); /* borrowed until the next add */

#endif
