/*
 * Signatures of parties under contracts: Ed25519 (RFC 8032), or SM2 with SM3 (GB/T 32918, the default identity 1234567812345678) where
 * Chinese algorithms are asked for. One face for both, keys as short texts; OpenSSL does the arithmetic.
 *
 *     public    ed25519:BASE64 of 32 bytes          sm2:BASE64 of 65 bytes (04, x, y)
 *     private   citybrain-key:ed25519:HEX            citybrain-key:sm2:HEX, 32 bytes each
 *
 * The ledger's checkpoints have their own (base/crypto.h), as C2SP says.
 */
#ifndef BASE_SIGN_H
#define BASE_SIGN_H

#include "base/buf.h"
#include "base/str.h"

#define SIGN_SIGNATURE_LEN 64 /* Ed25519's; SM2's r and s, 32 bytes each, big-endian */
#define SIGN_PUBLIC_MAX 65
#define SIGN_TEXT_MAX 128 /* either text form, with its NUL */

enum sign_algorithm { SIGN_ED25519, SIGN_SM2 };
extern const char *const sign_algorithm_names[]; /* "ed25519", "sm2", NULL */

struct sign_public {
    enum sign_algorithm algorithm;
    uint8_t bytes[SIGN_PUBLIC_MAX];
    size_t len;
};

struct sign_key; /* a private key; wiped when destroyed */

enum err sign_key_make(enum sign_algorithm algorithm, struct sign_key **ret_key) MUST_CHECK; /* a new one */
/* From its text form, blanks around it allowed. ERR_SYNTAX. */
enum err sign_key_read(struct str text, struct sign_key **ret_key) MUST_CHECK;
void sign_key_destroy(struct sign_key *key); /* takes NULL */
void sign_key_text(const struct sign_key *key, char out[SIGN_TEXT_MAX]);
void sign_key_public(const struct sign_key *key, struct sign_public *ret_public);

/* ERR_SYNTAX: no such text; a point that is not on SM2's curve is refused here. */
enum err sign_public_read(struct str text, struct sign_public *ret_public) MUST_CHECK;
void sign_public_text(const struct sign_public *public_key, char out[SIGN_TEXT_MAX]);

enum err sign_make(const struct sign_key *key, struct str message, uint8_t ret_signature[SIGN_SIGNATURE_LEN]) MUST_CHECK;
/* ERR_CRYPTO: refused. */
enum err sign_check(const struct sign_public *public_key, struct str message, const uint8_t signature[SIGN_SIGNATURE_LEN]) MUST_CHECK;

#endif
