/*
 * Proving receipts offline, without a ledger: what `citybrain verify` does.
 *
 * A receipt file is one JSON object of exactly these members:
 *
 *     {"receipt":"hangzhou.log/48211","leaf":"<the leaf's text>","proof":"<tlog-proof text>","vkey":"hangzhou.log+f3a1…+AT…"}
 *
 * Its own vkey proves no more than that the file fits together: who wants to know that the city's log holds the leaf brings the log's
 * verifier key from elsewhere. Then the file's vkey is not looked at, and may be absent.
 */
#ifndef LEDGER_VERIFY_H
#define LEDGER_VERIFY_H

#include "ledger/ledger.h"

#define VERIFY_FILE_MAX (1u << 20) /* bytes; a leaf of 64 KiB, all of it escaped, with its proof */

enum verify_result { VERIFY_PROVEN = 0, VERIFY_REFUSED = 1, VERIFY_UNREADABLE = 2 }; /* also the exit status */

struct verify_report {
    enum verify_result result;
    uint64_t index;        /* proven: of the leaf */
    uint64_t size;         /* proven: leaves under the checkpoint */
    bool is_key_from_file; /* the key was the receipt's own */
    struct diag diag;      /* refused, unreadable: why, and how to mend it */
    char receipt[256];     /* "hangzhou.log/48211", as far as it could be read */
};

struct policy;

/* `text`: a receipt file's bytes. `vkey`: the verifier key from elsewhere; empty: the file's own. `policy`: NULL, or
 * the checkpoint has to bear a quorum of its witnesses; without a `vkey` the policy's own log line gives the key. `name` is for the errors.
 */
void verify_receipt(struct str text, const char *name, struct str vkey, const struct policy *policy, struct verify_report *ret_report);
/* The same, of a file. */
void verify_receipt_file(const char *path, struct str vkey, const struct policy *policy, struct verify_report *ret_report);

/* A receipt file for leaf `index`, appended to `out`. `public_key` is the log's. As ledger_proof(); ERR_SYNTAX: the leaf is not UTF-8. */
enum err verify_write_receipt(struct ledger *ledger, uint64_t index, const uint8_t public_key[32], struct buf *out) MUST_CHECK;
/* The same of the parallel log in SM3 and SM2. ERR_NOT_FOUND also when there is none. */
enum err verify_write_sm_receipt(struct ledger *ledger, uint64_t index, struct buf *out) MUST_CHECK;

#endif
