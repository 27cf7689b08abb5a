/* See base/seal.h. */
#include "base/seal.h"

#include "base/bytes.h"
#include "base/crypto.h"

#include <assert.h>
#include <string.h>

void seal_key_derive(struct seal_key *key, struct str label, const uint8_t master[32], const uint8_t start[SEAL_START_SIZE])
{
    uint8_t input[SEAL_LABEL_MAX + SEAL_START_SIZE];
    assert(label.len > 0 && label.len <= SEAL_LABEL_MAX);
    memcpy(input, label.ptr, label.len);
    memcpy(input + label.len, start, SEAL_START_SIZE);
    struct sha256 derived =
        crypto_hmac_sha256((struct str){(const char *)master, 32}, (struct str){(const char *)input, label.len + SEAL_START_SIZE});
    memcpy(key->start, start, SEAL_START_SIZE);
    memcpy(key->key, derived.bytes, sizeof key->key);
    key->is_set = true;
    crypto_wipe(&derived, sizeof derived);
}

void seal_key_need(struct seal_key *key, struct str label, const uint8_t master[32], const uint8_t start[SEAL_START_SIZE])
{
    if (!key->is_set || !crypto_equal(key->start, start, SEAL_START_SIZE))
        seal_key_derive(key, label, master, start);
}

static void make_nonce(uint64_t counter, uint8_t out[12])
{
    struct bytes_writer writer;
    bytes_writer_init(&writer, out, 12);
    bytes_write_u32be(&writer, 0);
    bytes_write_u64be(&writer, counter);
}

enum err seal_make(const struct seal_key *key, uint64_t counter, struct str head, struct str plain, uint8_t *out)
{
    uint8_t nonce[12];
    make_nonce(counter, nonce);
    return crypto_seal(key->key, nonce, head, plain, out);
}

enum err seal_open(const struct seal_key *key, uint64_t counter, struct str head, struct str sealed, uint8_t *out)
{
    uint8_t nonce[12];
    if (sealed.len < SEAL_TAG_SIZE)
        return ERR_CORRUPT;
    make_nonce(counter, nonce);
    return crypto_open(key->key, nonce, head, sealed, out);
}
