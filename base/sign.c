/*
 * Ed25519 through base/crypto.h; SM2 through EVP, its DER signatures unpacked to r and s, so that both are 64 bytes.
 */
/* clang-format off: OpenSSL has a type that is named as one of our errors; it comes first, under another name */
#define ERR_STATE openssl_err_state
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#undef ERR_STATE
/* clang-format on */

#include "base/sign.h"

#include "base/crypto.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define SEED_LEN 32
#define SM2_POINT_LEN 65
#define SM2_DER_MAX 80
#define SM2_IDENTITY "1234567812345678" /* GB/T 35276: where no other was agreed */

const char *const sign_algorithm_names[] = {"ed25519", "sm2", NULL};
static const char private_head[] = "citybrain-key:";

struct sign_key {
    enum sign_algorithm algorithm;
    uint8_t seed[SEED_LEN]; /* Ed25519's seed; SM2's number, big-endian */
    struct sign_public public_key;
};

/* ---- SM2 ---- */

/* The point d·G, and that 0 < d < n - 1. */
static enum err sm2_public(const uint8_t seed[SEED_LEN], struct sign_public *ret_public)
{
    enum err err = ERR_CRYPTO;
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_sm2);
    EC_POINT *point = group ? EC_POINT_new(group) : NULL;
    BIGNUM *number = BN_bin2bn(seed, SEED_LEN, NULL), *last = BN_new();
    if (point && number && last && BN_copy(last, EC_GROUP_get0_order(group)) && BN_sub_word(last, 1) && !BN_is_zero(number) &&
        BN_cmp(number, last) < 0 && EC_POINT_mul(group, point, number, NULL, NULL, NULL) == 1 &&
        EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, ret_public->bytes, SM2_POINT_LEN, NULL) == SM2_POINT_LEN) {
        ret_public->algorithm = SIGN_SM2;
        ret_public->len = SM2_POINT_LEN;
        err = ERR_OK;
    }
    BN_free(last);
    BN_clear_free(number);
    EC_POINT_free(point);
    EC_GROUP_free(group);
    return err;
}

static bool sm2_is_on_curve(const uint8_t *point_bytes)
{
    EC_GROUP *group = EC_GROUP_new_by_curve_name(NID_sm2);
    EC_POINT *point = group ? EC_POINT_new(group) : NULL;
    bool is_on = point && EC_POINT_oct2point(group, point, point_bytes, SM2_POINT_LEN, NULL) == 1;
    EC_POINT_free(point);
    EC_GROUP_free(group);
    return is_on;
}

/* `seed` NULL: only the public half. */
static EVP_PKEY *sm2_key(const struct sign_public *public_key, const uint8_t *seed)
{
    EVP_PKEY *key = NULL;
    BIGNUM *number = seed ? BN_bin2bn(seed, SEED_LEN, NULL) : NULL;
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "SM2", NULL);
    OSSL_PARAM *params = NULL;
    bool is_built = build && context && (!seed || number) &&
                    OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "SM2", 0) == 1 &&
                    OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, public_key->bytes, public_key->len) == 1 &&
                    (!seed || OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, number) == 1);
    if (is_built && (params = OSSL_PARAM_BLD_to_param(build)) && EVP_PKEY_fromdata_init(context) == 1 &&
        EVP_PKEY_fromdata(context, &key, seed ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    EVP_PKEY_CTX_free(context);
    BN_clear_free(number);
    return key;
}

/* A digest context for `key` with the default identity; NULL: no memory. */
static EVP_MD_CTX *sm2_begin(EVP_PKEY *key, EVP_PKEY_CTX **ret_context)
{
    EVP_MD_CTX *digest = EVP_MD_CTX_new();
    EVP_PKEY_CTX *context = key ? EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL) : NULL;
    if (digest && context && EVP_PKEY_CTX_set1_id(context, SM2_IDENTITY, sizeof SM2_IDENTITY - 1) == 1) {
        EVP_MD_CTX_set_pkey_ctx(digest, context);
        *ret_context = context;
        return digest;
    }
    EVP_MD_CTX_free(digest);
    EVP_PKEY_CTX_free(context);
    return NULL;
}

static enum err sm2_sign(const struct sign_key *key, struct str message, uint8_t out[SIGN_SIGNATURE_LEN])
{
    enum err err = ERR_CRYPTO;
    uint8_t der[SM2_DER_MAX];
    const uint8_t *at = der;
    size_t len = sizeof der;
    ECDSA_SIG *pair = NULL;
    EVP_PKEY_CTX *context = NULL;
    EVP_PKEY *pkey = sm2_key(&key->public_key, key->seed);
    EVP_MD_CTX *digest = sm2_begin(pkey, &context);
    if (digest && EVP_DigestSignInit(digest, NULL, EVP_sm3(), NULL, pkey) == 1 &&
        EVP_DigestSign(digest, der, &len, (const uint8_t *)message.ptr, message.len) == 1 && (pair = d2i_ECDSA_SIG(NULL, &at, (long)len)) &&
        BN_bn2binpad(ECDSA_SIG_get0_r(pair), out, 32) == 32 && BN_bn2binpad(ECDSA_SIG_get0_s(pair), out + 32, 32) == 32)
        err = ERR_OK;
    ECDSA_SIG_free(pair);
    EVP_MD_CTX_free(digest);
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(pkey);
    return err;
}

/* r and s as the DER that EVP reads. */
static enum err sm2_der(const uint8_t signature[SIGN_SIGNATURE_LEN], uint8_t *der, size_t *ret_len)
{
    enum err err = ERR_NO_MEMORY;
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(signature, 32, NULL), *s = BN_bin2bn(signature + 32, 32, NULL);
    if (pair && r && s && ECDSA_SIG_set0(pair, r, s) == 1) {
        r = s = NULL; /* the pair's now */
        int len = i2d_ECDSA_SIG(pair, NULL);
        if (len > 0 && len <= SM2_DER_MAX) {
            *ret_len = (size_t)i2d_ECDSA_SIG(pair, &der);
            err = ERR_OK;
        }
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(pair);
    return err;
}

static enum err sm2_check(const struct sign_public *public_key, struct str message, const uint8_t signature[SIGN_SIGNATURE_LEN])
{
    uint8_t der[SM2_DER_MAX];
    size_t len;
    EVP_PKEY_CTX *context = NULL;
    enum err err = sm2_der(signature, der, &len);
    if (err)
        return err;
    EVP_PKEY *pkey = sm2_key(public_key, NULL);
    EVP_MD_CTX *digest = sm2_begin(pkey, &context);
    bool is_good = digest && EVP_DigestVerifyInit(digest, NULL, EVP_sm3(), NULL, pkey) == 1 &&
                   EVP_DigestVerify(digest, der, len, (const uint8_t *)message.ptr, message.len) == 1;
    EVP_MD_CTX_free(digest);
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(pkey);
    return is_good ? ERR_OK : ERR_CRYPTO;
}

/* ---- both ---- */

static enum err derive_public(struct sign_key *key)
{
    if (key->algorithm == SIGN_SM2)
        return sm2_public(key->seed, &key->public_key);
    struct crypto_key *ed25519;
    enum err err = crypto_key_from_seed(key->seed, &ed25519);
    if (err)
        return err;
    key->public_key = (struct sign_public){.algorithm = SIGN_ED25519, .len = 32};
    crypto_key_public(ed25519, key->public_key.bytes);
    crypto_key_destroy(ed25519);
    return ERR_OK;
}

static enum err key_from_seed(enum sign_algorithm algorithm, const uint8_t seed[SEED_LEN], struct sign_key **ret_key)
{
    struct sign_key *key = mem_alloc_zero(1, sizeof *key);
    if (!key)
        return ERR_NO_MEMORY;
    key->algorithm = algorithm;
    memcpy(key->seed, seed, SEED_LEN);
    enum err err = derive_public(key);
    if (err)
        sign_key_destroy(key);
    else
        *ret_key = key;
    return err;
}

enum err sign_key_make(enum sign_algorithm algorithm, struct sign_key **ret_key)
{
    uint8_t seed[SEED_LEN];
    enum err err = ERR_CRYPTO;
    for (int i = 0; i < 8 && err == ERR_CRYPTO; i++) { /* one in four thousand million is no number for SM2 */
        crypto_random(seed, sizeof seed);
        err = key_from_seed(algorithm, seed, ret_key);
    }
    crypto_wipe(seed, sizeof seed);
    return err;
}

void sign_key_destroy(struct sign_key *key)
{
    if (key)
        crypto_wipe(key, sizeof *key);
    mem_free(key);
}

/* "ed25519:…" → the algorithm and what follows. */
static enum err cut_algorithm(struct str text, enum sign_algorithm *ret_algorithm, struct str *ret_rest)
{
    struct str name;
    if (!str_cut(text, ':', &name, ret_rest))
        return ERR_SYNTAX;
    for (int i = 0; sign_algorithm_names[i]; i++)
        if (str_equal_c(name, sign_algorithm_names[i])) {
            *ret_algorithm = (enum sign_algorithm)i;
            return ERR_OK;
        }
    return ERR_SYNTAX;
}

enum err sign_key_read(struct str text, struct sign_key **ret_key)
{
    enum sign_algorithm algorithm;
    struct str rest;
    uint8_t seed[SEED_LEN];
    text = str_trim(text);
    if (!str_starts_with(text, str_from_c(private_head)) ||
        cut_algorithm(str_slice(text, sizeof private_head - 1, text.len), &algorithm, &rest) || crypto_unhex(rest, seed, sizeof seed))
        return ERR_SYNTAX;
    enum err err = key_from_seed(algorithm, seed, ret_key);
    crypto_wipe(seed, sizeof seed);
    return err == ERR_CRYPTO ? ERR_SYNTAX : err;
}

void sign_key_text(const struct sign_key *key, char out[SIGN_TEXT_MAX])
{
    char hex[2 * SEED_LEN + 1];
    crypto_hex(key->seed, SEED_LEN, hex);
    snprintf(out, SIGN_TEXT_MAX, "%s%s:%s", private_head, sign_algorithm_names[key->algorithm], hex);
    crypto_wipe(hex, sizeof hex);
}

void sign_key_public(const struct sign_key *key, struct sign_public *ret_public)
{
    *ret_public = key->public_key;
}

enum err sign_public_read(struct str text, struct sign_public *ret_public)
{
    struct sign_public key = {0};
    struct str rest;
    struct buf bytes;
    if (cut_algorithm(str_trim(text), &key.algorithm, &rest) || rest.len > SIGN_TEXT_MAX)
        return ERR_SYNTAX;
    buf_init(&bytes, SIGN_TEXT_MAX);
    enum err err = crypto_unbase64(rest, &bytes);
    struct str raw = buf_str(&bytes);
    if (!err && raw.len != (key.algorithm == SIGN_SM2 ? SM2_POINT_LEN : 32))
        err = ERR_SYNTAX;
    if (!err) {
        memcpy(key.bytes, raw.ptr, raw.len);
        key.len = raw.len;
        if (key.algorithm == SIGN_SM2 && !sm2_is_on_curve(key.bytes))
            err = ERR_SYNTAX;
    }
    buf_finish(&bytes);
    if (!err)
        *ret_public = key;
    return err;
}

void sign_public_text(const struct sign_public *public_key, char out[SIGN_TEXT_MAX])
{
    struct buf text;
    buf_init(&text, SIGN_TEXT_MAX);
    crypto_base64((struct str){(const char *)public_key->bytes, public_key->len}, &text);
    snprintf(out, SIGN_TEXT_MAX, "%s:" STR_FORMAT, sign_algorithm_names[public_key->algorithm], STR_ARG(buf_str(&text)));
    buf_finish(&text);
}

enum err sign_make(const struct sign_key *key, struct str message, uint8_t ret_signature[SIGN_SIGNATURE_LEN])
{
    if (key->algorithm == SIGN_SM2)
        return sm2_sign(key, message, ret_signature);
    struct crypto_key *ed25519;
    enum err err = crypto_key_from_seed(key->seed, &ed25519);
    if (err)
        return err;
    err = crypto_sign(ed25519, message, ret_signature);
    crypto_key_destroy(ed25519);
    return err;
}

enum err sign_check(const struct sign_public *public_key, struct str message, const uint8_t signature[SIGN_SIGNATURE_LEN])
{
    return public_key->algorithm == SIGN_SM2 ? sm2_check(public_key, message, signature)
                                             : crypto_verify(public_key->bytes, message, signature);
}
