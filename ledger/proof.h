/*
 * A proof that an entry stands in a log, as text (C2SP tlog-proof): index, inclusion hashes, checkpoint. Pure.
 *
 *     c2sp.org/tlog-proof@v1
 *     index 48211
 *     gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=     the leaf's sibling first; a line for each hash
 *     …
 *
 *     hangzhou.log                                     the checkpoint, verbatim
 *     …
 */
#ifndef LEDGER_PROOF_H
#define LEDGER_PROOF_H

#include "ledger/merkle.h"
#include "ledger/note.h"

struct proof {
    uint64_t index;
    struct merkle_proof inclusion;
    struct str checkpoint; /* a signed note; borrowed */
};

void proof_write(const struct proof *proof, struct buf *out); /* errors stick in `out` */
/* An "extra" line is allowed and passed over: it is not authenticated. ERR_SYNTAX, told in `diag`. Borrows. */
enum err proof_parse(struct str text, struct proof *ret_proof, struct diag *diag) MUST_CHECK;

#endif
