/* Agreeing on a key: X25519 (RFC 7748) and HKDF (RFC 5869), both OpenSSL's. */
#include "base/crypto.h"

/* clang-format off: OpenSSL has a type that is named as one of our errors */
#define ERR_STATE openssl_err_state
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#undef ERR_STATE
/* clang-format on */

enum err crypto_agree_public(const uint8_t private_key[32], uint8_t ret_public[32])
{
    size_t len = 32;
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, private_key, 32);
    bool is_good = key && EVP_PKEY_get_raw_public_key(key, ret_public, &len) == 1 && len == 32;
    EVP_PKEY_free(key);
    return is_good ? ERR_OK : ERR_CRYPTO;
}

enum err crypto_agree(const uint8_t private_key[32], const uint8_t other_public[32], uint8_t ret_shared[32])
{
    size_t len = 32;
    uint8_t shared[32];
    EVP_PKEY *own = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, private_key, 32);
    EVP_PKEY *other = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, other_public, 32);
    EVP_PKEY_CTX *context = own ? EVP_PKEY_CTX_new(own, NULL) : NULL;
    bool is_good = context && other && EVP_PKEY_derive_init(context) == 1 && EVP_PKEY_derive_set_peer(context, other) == 1 &&
                   EVP_PKEY_derive(context, shared, &len) == 1 && len == 32; /* refuses a shared secret of zeros */
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(other);
    EVP_PKEY_free(own);
    for (size_t i = 0; is_good && i < sizeof shared; i++)
        ret_shared[i] = shared[i];
    crypto_wipe(shared, sizeof shared);
    return is_good ? ERR_OK : ERR_CRYPTO;
}

enum err crypto_hkdf_sha256(struct str secret, struct str salt, struct str info, uint8_t *out, size_t len)
{
    char digest[] = "SHA256";
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *context = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)secret.ptr, secret.len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)(uintptr_t)salt.ptr, salt.len),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)info.ptr, info.len), OSSL_PARAM_construct_end()};
    bool is_good = context && EVP_KDF_derive(context, out, len, params) == 1;
    EVP_KDF_CTX_free(context);
    EVP_KDF_free(kdf);
    return is_good ? ERR_OK : ERR_CRYPTO;
}
