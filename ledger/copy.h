/*
 * A copy of a ledger's folder, also while another process writes it: the published log built anew from its entries and held against its
 * checkpoint, then the journal. So what is copied verifies, and the copy opens as a ledger whose process was killed at that moment.
 */
#ifndef LEDGER_COPY_H
#define LEDGER_COPY_H

#include "base/crypto.h"
#include "base/diag.h"

struct ledger_copy {
    const char *from, *to; /* folders of a ledger; `to` is made, and must not hold one */
    struct str origin;
    const struct crypto_key *key; /* the log's */
    /* told */
    uint64_t published, durable; /* leaves under the copied checkpoint, and leaves that the copy has in all */
};

/* The parallel log in SM3 is left out: the next start makes it again. ERR_CORRUPT: the log does not hold what its checkpoint says, with
 * the place in `diag`; ERR_CRYPTO: the checkpoint is another key's; ERR_IO, ERR_DISK_FULL. */
enum err ledger_copy(struct ledger_copy *copy, struct diag *diag) MUST_CHECK;

#endif
