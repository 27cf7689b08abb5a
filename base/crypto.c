/*
 * Hashes, tags, signatures and sealing on OpenSSL 3's EVP.
 *
 * Looking an algorithm up costs OpenSSL 3 more than hashing a short message, so each is fetched once for the process, and each thread
 * keeps its contexts. A hash of a short message then costs a fraction of a microsecond; the hub makes several in each use.
 * Hashing fails only when memory ran out while a context was made; that is treated as mem.h's assertion is: the process stops.
 */
/* clang-format off: OpenSSL has a type that is named as one of our errors; it comes first, under another name */
#define ERR_STATE openssl_err_state
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#undef ERR_STATE
/* clang-format on */

#include "base/crypto.h"

#include "base/mem.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define TAG_LENGTH 16
#define NONCE_LENGTH 12

/* What the process fetched once; constant afterwards. */
static struct {
    EVP_MD *sha256, *md5, *sm3; /* sm3: NULL where OpenSSL was built without */
    EVP_MAC *hmac;
    EVP_CIPHER *aes_256_gcm;
} algorithms;

/* What each thread keeps. */
struct contexts {
    EVP_MD_CTX *digest;
    EVP_MAC_CTX *hmac;
    EVP_CIPHER_CTX *cipher;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t contexts_key;
static _Thread_local struct contexts *thread_contexts;

/* Whoever calls exit() while another thread signs (a ledger's, in a process that ends because its disk has refused, or because a test has
 * failed) must not have OpenSSL cleaned up under that thread, which crashed then; what it holds goes with the process. Before anybody else
 * begins with OpenSSL, since the first one decides. */
__attribute__((constructor)) static void keep_until_the_end(void)
{
    OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
}

static void contexts_destroy(void *ptr)
{
    struct contexts *contexts = ptr;

    EVP_MD_CTX_free(contexts->digest);
    EVP_MAC_CTX_free(contexts->hmac);
    EVP_CIPHER_CTX_free(contexts->cipher);
    free(contexts);
}

static void fetch(void)
{
    algorithms.sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    algorithms.md5 = EVP_MD_fetch(NULL, "MD5", NULL);
    algorithms.sm3 = EVP_MD_fetch(NULL, "SM3", NULL);
    algorithms.hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    algorithms.aes_256_gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    if (!algorithms.sha256 || !algorithms.md5 || !algorithms.hmac || !algorithms.aes_256_gcm ||
        pthread_key_create(&contexts_key, contexts_destroy) != 0)
        abort();
}

/* Not through base/mem.h: these live as long as the thread, and a fault injected there would only stop the process. */
static struct contexts *contexts_get(void)
{
    struct contexts *contexts = thread_contexts;
    char digest_name[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest_name, 0), OSSL_PARAM_construct_end()};

    if (contexts)
        return contexts;
    pthread_once(&once, fetch);
    contexts = calloc(1, sizeof(*contexts));
    if (!contexts)
        abort();
    contexts->digest = EVP_MD_CTX_new();
    contexts->hmac = EVP_MAC_CTX_new(algorithms.hmac);
    contexts->cipher = EVP_CIPHER_CTX_new();
    if (!contexts->digest || !contexts->hmac || !contexts->cipher || EVP_MAC_CTX_set_params(contexts->hmac, params) != 1 ||
        pthread_setspecific(contexts_key, contexts) != 0)
        abort();
    thread_contexts = contexts;
    return contexts;
}

static const void *ptr_of(struct str s)
{
    return s.ptr ? s.ptr : "";
}

static struct sha256 digest_2(EVP_MD_CTX *context, const EVP_MD *algorithm, struct str a, struct str b)
{
    struct sha256 digest;

    if (!algorithm || EVP_DigestInit_ex2(context, algorithm, NULL) != 1 || EVP_DigestUpdate(context, ptr_of(a), a.len) != 1 ||
        EVP_DigestUpdate(context, ptr_of(b), b.len) != 1 || EVP_DigestFinal_ex(context, digest.bytes, NULL) != 1)
        abort();
    return digest;
}

struct sha256 crypto_sha256_2(struct str a, struct str b)
{
    EVP_MD_CTX *context = contexts_get()->digest; /* fetches the algorithms */

    return digest_2(context, algorithms.sha256, a, b);
}

struct sha256 crypto_sm3_2(struct str a, struct str b)
{
    EVP_MD_CTX *context = contexts_get()->digest;

    return digest_2(context, algorithms.sm3, a, b);
}

struct sha256 crypto_sha256(struct str bytes)
{
    return crypto_sha256_2(bytes, STR_NONE);
}

struct sha256 crypto_hmac_sha256(struct str key, struct str bytes)
{
    EVP_MAC_CTX *context = contexts_get()->hmac;
    struct sha256 tag;
    size_t len = 0;

    if (EVP_MAC_init(context, ptr_of(key), key.len, NULL) != 1 || EVP_MAC_update(context, ptr_of(bytes), bytes.len) != 1 ||
        EVP_MAC_final(context, tag.bytes, &len, sizeof(tag.bytes)) != 1 || len != sizeof(tag.bytes))
        abort();
    return tag;
}

void crypto_md5_hex(struct str bytes, char out[33])
{
    EVP_MD_CTX *context = contexts_get()->digest;
    uint8_t digest[16];

    if (EVP_DigestInit_ex2(context, algorithms.md5, NULL) != 1 || EVP_DigestUpdate(context, ptr_of(bytes), bytes.len) != 1 ||
        EVP_DigestFinal_ex(context, digest, NULL) != 1)
        abort();
    crypto_hex(digest, sizeof(digest), out);
}

struct crypto_hash {
    EVP_MD_CTX *context;
};

enum err crypto_hash_create(struct crypto_hash **ret_hash)
{
    struct crypto_hash *hash = mem_alloc_zero(1, sizeof(*hash));

    if (!hash)
        return ERR_NO_MEMORY;
    contexts_get(); /* fetches the algorithms */
    hash->context = EVP_MD_CTX_new();
    if (!hash->context || EVP_DigestInit_ex2(hash->context, algorithms.sha256, NULL) != 1) {
        crypto_hash_destroy(hash);
        return ERR_NO_MEMORY;
    }
    *ret_hash = hash;
    return ERR_OK;
}

enum err crypto_hash_add(struct crypto_hash *hash, struct str bytes)
{
    return EVP_DigestUpdate(hash->context, ptr_of(bytes), bytes.len) == 1 ? ERR_OK : ERR_CRYPTO;
}

enum err crypto_hash_end(struct crypto_hash *hash, struct sha256 *ret_digest)
{
    return EVP_DigestFinal_ex(hash->context, ret_digest->bytes, NULL) == 1 ? ERR_OK : ERR_CRYPTO;
}

void crypto_hash_destroy(struct crypto_hash *hash)
{
    if (!hash)
        return;
    EVP_MD_CTX_free(hash->context);
    mem_free(hash);
}

struct crypto_key {
    EVP_PKEY *pkey;
    uint8_t public_key[32];
};

enum err crypto_key_from_seed(const uint8_t seed[32], struct crypto_key **ret_key)
{
    struct crypto_key *key = mem_alloc_zero(1, sizeof(*key));
    size_t len = sizeof(key->public_key);

    if (!key)
        return ERR_NO_MEMORY;
    key->pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, 32);
    if (!key->pkey || EVP_PKEY_get_raw_public_key(key->pkey, key->public_key, &len) != 1) {
        crypto_key_destroy(key);
        return ERR_CRYPTO;
    }
    *ret_key = key;
    return ERR_OK;
}

void crypto_key_destroy(struct crypto_key *key)
{
    if (!key)
        return;
    EVP_PKEY_free(key->pkey); /* wipes the private half */
    mem_free(key);
}

void crypto_key_public(const struct crypto_key *key, uint8_t out[32])
{
    memcpy(out, key->public_key, 32);
}

enum err crypto_sign(const struct crypto_key *key, struct str message, uint8_t ret_signature[64])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    size_t len = 64;
    enum err err = ERR_OK;

    if (!context)
        return ERR_NO_MEMORY;
    if (EVP_DigestSignInit(context, NULL, NULL, NULL, key->pkey) != 1 ||
        EVP_DigestSign(context, ret_signature, &len, ptr_of(message), message.len) != 1)
        err = ERR_CRYPTO;
    EVP_MD_CTX_free(context);
    return err;
}

enum err crypto_verify(const uint8_t public_key[32], struct str message, const uint8_t signature[64])
{
    EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, 32);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    enum err err = ERR_CRYPTO;

    if (pkey && context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, pkey) == 1 &&
        EVP_DigestVerify(context, signature, 64, ptr_of(message), message.len) == 1)
        err = ERR_OK;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(pkey);
    return err;
}

/* EVP counts in int; nothing sealed here comes near. */
static bool fits_int(struct str s)
{
    return s.len <= (size_t)INT32_MAX - 64;
}

enum err crypto_seal(const uint8_t key[32], const uint8_t nonce[NONCE_LENGTH], struct str aad, struct str plain, uint8_t *out)
{
    EVP_CIPHER_CTX *context = contexts_get()->cipher;
    int len = 0;

    if (!fits_int(aad) || !fits_int(plain))
        return ERR_TOO_LARGE;
    if (EVP_EncryptInit_ex2(context, algorithms.aes_256_gcm, key, nonce, NULL) != 1 ||
        (aad.len && EVP_EncryptUpdate(context, NULL, &len, ptr_of(aad), (int)aad.len) != 1) ||
        EVP_EncryptUpdate(context, out, &len, ptr_of(plain), (int)plain.len) != 1 ||
        EVP_EncryptFinal_ex(context, out + plain.len, &len) != 1 ||
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG_LENGTH, out + plain.len) != 1)
        return ERR_CRYPTO;
    return ERR_OK;
}

enum err crypto_open(const uint8_t key[32], const uint8_t nonce[NONCE_LENGTH], struct str aad, struct str sealed, uint8_t *out)
{
    EVP_CIPHER_CTX *context = contexts_get()->cipher;
    uint8_t tag[TAG_LENGTH];
    size_t n = sealed.len;
    int len = 0;

    if (!fits_int(aad) || !fits_int(sealed))
        return ERR_TOO_LARGE;
    if (n < TAG_LENGTH)
        return ERR_CRYPTO;
    n -= TAG_LENGTH;
    memcpy(tag, sealed.ptr + n, TAG_LENGTH);
    if (EVP_DecryptInit_ex2(context, algorithms.aes_256_gcm, key, nonce, NULL) != 1 ||
        (aad.len && EVP_DecryptUpdate(context, NULL, &len, ptr_of(aad), (int)aad.len) != 1) ||
        EVP_DecryptUpdate(context, out, &len, ptr_of(sealed), (int)n) != 1 ||
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG_LENGTH, tag) != 1 || EVP_DecryptFinal_ex(context, out + n, &len) != 1) {
        crypto_wipe(out, n); /* nothing that was not authenticated leaves */
        return ERR_CRYPTO;
    }
    return ERR_OK;
}

void crypto_random(void *out, size_t len)
{
    if (RAND_bytes(out, (int)len) != 1)
        abort();
}

bool crypto_equal(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}

void crypto_wipe(void *ptr, size_t len)
{
    OPENSSL_cleanse(ptr, len);
}
