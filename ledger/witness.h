/*
 * A witness (见证) of logs, as a pure step (C2SP tlog-witness): it has cosigned one checkpoint of each log it knows, and cosigns another
 * only when that one is a beginning of it. So a log whose checkpoints a witness has cosigned cannot show it two histories.
 *
 *     old 20852014                                  size of the checkpoint that the witness cosigned last
 *     PlRNCrwHpqhGrupue0L7gxbjbMiKA9temvuZZDDpkaw=   consistency proof, at most 63 lines
 *     …
 *
 *     hangzhou.log                                  the new checkpoint, a signed note
 *     …
 *
 * No clock, no file, no key in here: witness_step() judges, ledger/witness_store.h stores and signs.
 */
#ifndef LEDGER_WITNESS_H
#define LEDGER_WITNESS_H

#include "ledger/merkle.h"
#include "ledger/note.h"

#define WITNESS_BODY_MAX (64u << 10) /* bytes of a request: the proof's 63 lines, a checkpoint and a good many signatures of others */
#define WITNESS_PROOF_MAX 63         /* hashes; the specification's */

struct witness_request {
    uint64_t old_size;
    struct merkle_proof proof;
    struct str note; /* borrowed */
};

void witness_request_write(const struct witness_request *request, struct buf *out); /* errors stick in `out` */
/* ERR_SYNTAX, ERR_TOO_LARGE, told in `diag`. Borrows. */
enum err witness_request_parse(struct str body, struct witness_request *ret_request, struct diag *diag) MUST_CHECK;

/* One log as a witness knows it. */
struct witness_log {
    struct note_verifier key; /* its name is the log's origin */
    uint64_t size;            /* of the checkpoint cosigned last; 0 before the first */
    struct sha256 root;       /* merkle_empty_root() before the first */
};

enum witness_status { /* the specification's, and HTTP's */
    WITNESS_COSIGN = 200,
    WITNESS_MALFORMED = 400,
    WITNESS_NOT_SIGNED = 403,
    WITNESS_UNKNOWN_LOG = 404,
    WITNESS_CONFLICT = 409, /* another old size than the one known, or the same size with another root */
    WITNESS_NOT_CONSISTENT = 422
};

struct witness_verdict {
    enum witness_status status;
    size_t log;          /* its place; when the origin is known */
    uint64_t known_size; /* WITNESS_CONFLICT: the answer's body */
    struct str text;     /* the checkpoint's text and fields, borrowed; when the log signed it */
    struct checkpoint checkpoint;
    bool is_fork;     /* the log has signed two checkpoints of one size: with the one cosigned before, proof against it */
    struct diag diag; /* why not, for people */
};

/* What a witness that knows `logs` answers to `body`. With WITNESS_COSIGN the caller makes the checkpoint durable as the log's latest, and
 * only then signs and answers; between this call and that nothing else may be judged. ERR_NO_MEMORY. */
enum err witness_step(const struct witness_log *logs, size_t n_logs, struct str body, struct witness_verdict *ret_verdict) MUST_CHECK;

#endif
