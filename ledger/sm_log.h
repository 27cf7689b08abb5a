/*
 * The parallel log in Chinese algorithms (国密): the same leaves at the same places, a tree of SM3, checkpoints signed with SM2. Beside the
 * log that the C2SP formats fix to SHA-256 and Ed25519, not instead of it, with an origin and a key of its own.
 *
 * It follows the ledger's journal as the log itself does, so a leaf costs no second fsync, and one number names it in both. After each
 * publication the two checkpoints become leaves (of both logs), so that each log vouches for the other: who would forge one has to forge
 * both.
 *
 *     {"log":"hangzhou.log","note":"hangzhou.log\n70000\n…","type":"checkpoint"}
 *
 * The ledger's thread owns it; proofs are asked for from any. It has no witnesses: their protocol is SHA-256's. The leaf above is under the
 * quorum's checkpoint, though.
 */
#ifndef LEDGER_SM_LOG_H
#define LEDGER_SM_LOG_H

#include "base/sign.h"
#include "ledger/ledger.h"

struct sm_log;

struct sm_log_options {
    const char *dir; /* of its static files; copied */
    struct str origin;
    const struct sign_key *key; /* SM2; kept */
    struct file_ops *files;     /* kept */
};

/* ERR_CORRUPT and others with the place in `diag`. */
enum err sm_log_open(const struct sm_log_options *options, struct diag *diag, struct sm_log **ret_log) MUST_CHECK;
void sm_log_close(struct sm_log *log); /* takes NULL */
/* Takes what the log under `static_dir` has published and this one has not: the first start, or a copy restored without it. */
enum err sm_log_catch_up(struct sm_log *log, const char *static_dir, uint64_t published, struct diag *diag) MUST_CHECK;
uint64_t sm_log_n_taken(const struct sm_log *log);
/* The next leaf; one that it has is passed over. */
enum err sm_log_take(struct sm_log *log, uint64_t index, struct str leaf) MUST_CHECK;
enum err sm_log_publish(struct sm_log *log) MUST_CHECK;
/* Appends both checkpoints to the ledger, unless nothing but such leaves came since. Does not wait; what the ledger refuses comes next
 * time. */
void sm_log_anchor(struct sm_log *log, struct ledger *ledger, struct str note);

struct str sm_log_origin(const struct sm_log *log);
const char *sm_log_static_dir(const struct sm_log *log);
enum err sm_log_vkey(const struct sm_log *log, struct buf *out) MUST_CHECK;
enum err sm_log_checkpoint(struct sm_log *log, struct buf *out) MUST_CHECK; /* as ledger_checkpoint() */
/* As ledger_proof(), but ERR_BUSY is the caller's to tell: ERR_NOT_FOUND when the leaf is not under its checkpoint. Any thread. */
enum err sm_log_proof(struct sm_log *log, uint64_t index, struct buf *out) MUST_CHECK;

#endif
