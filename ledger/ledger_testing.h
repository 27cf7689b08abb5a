/*
 * What the ledger's tests share: leaves with a number in them, a ledger in a folder of its own, the tree computed the slow way. For tests.
 */
#ifndef LEDGER_LEDGER_TESTING_H
#define LEDGER_LEDGER_TESTING_H

#include "base/file_sim.h"
#include "ledger/ledger.h"
#include "ledger/merkle.h"

#define TESTING_ORIGIN "hangzhou.log"

/* Leaf `i`: JSON with its number, 40 to 400 bytes. */
struct str testing_leaf(uint64_t i, char out[512]);
struct crypto_key *testing_key(void); /* the same for all tests; never freed */
void testing_vkey(char out[160]);

/* The root over leaves 0 to n-1 of testing_leaf(), by the definition of RFC 6962 §2.1 and nothing else. Remembers leaf hashes. */
struct sha256 testing_root(uint64_t n);

enum err testing_open(const char *dir, struct file_ops *files, size_t journal_max_bytes, struct diag *diag, struct ledger **ret_ledger);
/* Appends leaves `from` to `to` - 1, each once the one before is durable or (at_once) all together; returns how many were acknowledged in
 * order, and the first error. `sim` (may be NULL) gets a mark for each. */
uint64_t testing_append(struct ledger *ledger, uint64_t from, uint64_t to, bool at_once, struct file_sim *sim, enum err *ret_err);
void testing_append_all(struct ledger *ledger, uint64_t from, uint64_t to); /* all together, each acknowledged */
/* One number for what the client had been told: leaves acknowledged, leaves under a checkpoint. Both only grow, so the largest is the
 * newest. */
static inline uint64_t testing_mark(uint64_t n_acknowledged, uint64_t n_published)
{
    return n_published << 32 | n_acknowledged;
}
/* Fails the test unless the checkpoint is signed and its root that of testing_root(), which vouches for every leaf under it, and every 17th
 * leaf and the last read as testing_leaf(), under the checkpoint or behind it. Returns the number of leaves. */
uint64_t testing_check(struct ledger *ledger);
/* The size of the checkpoint file in `static_dir`, 0 when there is none; fails the test when it is not that of testing_leaf()'s log. */
uint64_t testing_check_checkpoint_file(const char *static_dir);

#endif
