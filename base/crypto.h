/*
 * Cryptography: OpenSSL 3's EVP and libargon2 behind a few small functions. No primitive is written here.
 */
#ifndef BASE_CRYPTO_H
#define BASE_CRYPTO_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct sha256 {
    uint8_t bytes[32];
};

struct sha256 crypto_sha256(struct str bytes);
struct sha256 crypto_sha256_2(struct str a, struct str b); /* of the concatenation, e.g. a prefix byte and a body */
struct sha256 crypto_hmac_sha256(struct str key, struct str bytes);
void crypto_md5_hex(struct str bytes, char out[33]); /* RFC 2617 Digest only: cameras know nothing newer */

/* SM3 (GB/T 32905), of the concatenation. Also 32 bytes; where both are possible, who holds the hash knows which it is. */
struct sha256 crypto_sm3_2(struct str a, struct str b);

/* Incremental, for objects that are streamed. */
struct crypto_hash;
enum err crypto_hash_create(struct crypto_hash **ret_hash) MUST_CHECK;
enum err crypto_hash_add(struct crypto_hash *hash, struct str bytes) MUST_CHECK;
enum err crypto_hash_end(struct crypto_hash *hash, struct sha256 *ret_digest) MUST_CHECK;
void crypto_hash_destroy(struct crypto_hash *hash);

/* Ed25519 (RFC 8032). A key is kept parsed, so that signing costs one signature. */
struct crypto_key;
enum err crypto_key_from_seed(const uint8_t seed[32], struct crypto_key **ret_key) MUST_CHECK;
void crypto_key_destroy(struct crypto_key *key); /* takes NULL; wipes */
void crypto_key_public(const struct crypto_key *key, uint8_t out[32]);
enum err crypto_sign(const struct crypto_key *key, struct str message, uint8_t ret_signature[64]) MUST_CHECK;
enum err crypto_verify(const uint8_t public_key[32], struct str message, const uint8_t signature[64]) MUST_CHECK; /* ERR_CRYPTO: refused */

/* AES-256-GCM; `nonce` must never repeat under one key. `out` gets len + 16 bytes (tag last); open gives len - 16, ERR_CRYPTO when the tag
 * refuses. */
enum err crypto_seal(const uint8_t key[32], const uint8_t nonce[12], struct str aad, struct str plain, uint8_t *out) MUST_CHECK;
enum err crypto_open(const uint8_t key[32], const uint8_t nonce[12], struct str aad, struct str sealed, uint8_t *out) MUST_CHECK;

/* Agreeing on a secret with X25519: each side's public half goes to the other. ERR_CRYPTO: a public half that gives no secret. */
enum err crypto_agree_public(const uint8_t private_key[32], uint8_t ret_public[32]) MUST_CHECK;
enum err crypto_agree(const uint8_t private_key[32], const uint8_t other_public[32], uint8_t ret_shared[32]) MUST_CHECK;
enum err crypto_hkdf_sha256(struct str secret, struct str salt, struct str info, uint8_t *out, size_t len) MUST_CHECK; /* RFC 5869 */

/* Random bytes come in from outside the pure cores; this is the outside. Aborts when the system has none. */
void crypto_random(void *out, size_t len);
bool crypto_equal(const void *a, const void *b, size_t len); /* constant time */
void crypto_wipe(void *ptr, size_t len);

/* Argon2id (RFC 9106), encoded "$argon2id$…"; memory 19 MiB, 2 passes, 1 lane (OWASP's floor), about 30 ms: never on a loop that serves
 * others. */
enum err crypto_password_hash(struct str password, char *out, size_t size) MUST_CHECK;
enum err crypto_password_check(struct str password, const char *encoded) MUST_CHECK; /* ERR_CRYPTO: wrong */

/* A file of 32 random bytes, mode 0600, made when it is not there. ERR_IO, ERR_CORRUPT (wrong length). */
enum err crypto_key_file(const char *path, uint8_t ret_key[32]) MUST_CHECK;
enum err crypto_key_file_read(const char *path, uint8_t ret_key[32]) MUST_CHECK; /* the same, but never made: ERR_NOT_FOUND */

void crypto_hex(const void *bytes, size_t len, char *out);                  /* 2 len + 1 bytes */
enum err crypto_unhex(struct str hex, uint8_t *out, size_t len) MUST_CHECK; /* exactly `len` bytes */
void crypto_base64(struct str bytes, struct buf *out);                      /* RFC 4648 §4, padded */
enum err crypto_unbase64(struct str text, struct buf *out) MUST_CHECK;      /* strict */

#endif
