/*
 * A log's static files, held against each other by whoever has them and the log's key (an auditor's USB stick): every entry against its
 * hash, every tile against the tiles below it, all of them against the signed checkpoint. What was changed is named.
 *
 * It asks nothing of the program that wrote them. What it cannot see: a log that was cut to an older checkpoint (keep one, or its
 * witnesses'), and what is not in the log at all (docs/ledger.md).
 */
#ifndef LEDGER_CHECK_H
#define LEDGER_CHECK_H

#include "base/diag.h"
#include "ledger/note.h"

struct ledger_checked {
    uint64_t size; /* leaves under the checkpoint */
};

/* `dir` holds `checkpoint` and `tile/`. ERR_CORRUPT: the place is in `diag`, as "entry 4711" or "hash 103 of tile/0/018"; ERR_CRYPTO: the
 * checkpoint is not signed with this key; ERR_NOT_FOUND: there is none; ERR_BUSY: it is being written too fast; ERR_IO, ERR_NO_MEMORY. */
enum err ledger_check(
    const char *dir, const struct note_verifier *verifier, struct ledger_checked *ret_checked, struct diag *diag) MUST_CHECK;

#endif
