/*
 * Sealing what a process appends to its own disk: AES-256-GCM, and no nonce twice under a key, whatever is restored from whichever backup.
 *
 * The key of what is sealed is HMAC-SHA256(master key, label and `start`), where `start` is 16 random bytes of one start of the program,
 * and the nonce counts what was sealed in that start. Both stand in the clear before what is sealed; where, is the owner's format. Pure:
 * keys, numbers and bytes come in. The passages of the camera door and the records of streams are sealed so.
 */
#ifndef BASE_SEAL_H
#define BASE_SEAL_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>

#define SEAL_START_SIZE 16
#define SEAL_TAG_SIZE 16

struct seal_key { /* of one start */
    uint8_t start[SEAL_START_SIZE];
    uint8_t key[32];
    bool is_set;
};

/* `label` at most SEAL_LABEL_MAX bytes: what is sealed, so that one master key may serve several formats. */
#define SEAL_LABEL_MAX 64
void seal_key_derive(struct seal_key *key, struct str label, const uint8_t master[32], const uint8_t start[SEAL_START_SIZE]);
/* The same, unless it is that key already: for who reads what several starts have sealed. */
void seal_key_need(struct seal_key *key, struct str label, const uint8_t master[32], const uint8_t start[SEAL_START_SIZE]);
/* `head` is not sealed, but no byte of it may change. `out` gets plain.len + SEAL_TAG_SIZE bytes. */
enum err seal_make(const struct seal_key *key, uint64_t counter, struct str head, struct str plain, uint8_t *out) MUST_CHECK;
/* `out` gets sealed.len - SEAL_TAG_SIZE bytes. ERR_CRYPTO: another key, or altered; ERR_CORRUPT: shorter than a tag. */
enum err seal_open(const struct seal_key *key, uint64_t counter, struct str head, struct str sealed, uint8_t *out) MUST_CHECK;

#endif
