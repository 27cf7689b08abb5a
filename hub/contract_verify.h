/*
 * A contract proven offline: its terms, both signatures, and that the leaf which brought it into force stands in the city's log. The file
 * is what `citybrain contract show CONTRACT --json` prints: the contract in full, with `receipt`, the receipt file of that leaf.
 */
#ifndef HUB_CONTRACT_VERIFY_H
#define HUB_CONTRACT_VERIFY_H

#include "base/diag.h"
#include "base/sign.h"

#define CONTRACT_FILE_MAX (4u << 20)

struct contract_verify {
    /* given */
    struct str vkey;                                       /* the log's verifier key from elsewhere; empty: the file's own */
    const struct sign_public *provider_key, *consumer_key; /* from elsewhere, as parties.yaml declares them; NULL: the file's own */
    /* found */
    int result; /* enum verify_result: 0 proven, 1 refused, 2 unreadable; also the exit status */
    struct diag diag;
    char contract[256], provider[256], consumer[256], receipt[256];
    bool is_log_key_from_file;
};
void contract_verify(struct str text, struct contract_verify *verify);

/* What a party signs of an exported contract: the prefix and the canonical form of its member `content`. ERR_SYNTAX. */
enum err contract_file_message(struct str text, struct buf *out) MUST_CHECK;

#endif
