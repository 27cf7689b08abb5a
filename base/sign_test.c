/*
 * Both algorithms: what is signed is checked, what is altered is refused; keys through their texts; RFC 8032's first vector; an SM2
 * signature that the openssl command made.
 */
#include "base/crypto.h"
#include "base/mem.h"
#include "base/sign.h"
#include "base/test.h"

#include <string.h>

static void signs_and_refuses(void **state)
{
    struct str message = STR("citybrain contract v1\n{}");
    for (int algorithm = SIGN_ED25519; algorithm <= SIGN_SM2; algorithm++) {
        struct sign_key *key = NULL, *other = NULL, *again = NULL;
        struct sign_public public_key, others, read;
        uint8_t signature[SIGN_SIGNATURE_LEN], second[SIGN_SIGNATURE_LEN];
        char text[SIGN_TEXT_MAX], private_text[SIGN_TEXT_MAX];
        assert_ok(sign_key_make((enum sign_algorithm)algorithm, &key));
        assert_ok(sign_key_make((enum sign_algorithm)algorithm, &other));
        sign_key_public(key, &public_key);
        sign_key_public(other, &others);
        assert_ok(sign_make(key, message, signature));
        assert_ok(sign_check(&public_key, message, signature));
        assert_err(sign_check(&others, message, signature), ERR_CRYPTO);
        assert_err(sign_check(&public_key, STR("citybrain contract v1\n{ }"), signature), ERR_CRYPTO);
        for (size_t i = 0; i < sizeof signature; i++) {
            signature[i] ^= 1;
            assert_true(sign_check(&public_key, message, signature) != ERR_OK);
            signature[i] ^= 1;
        }
        sign_public_text(&public_key, text);
        assert_ok(sign_public_read(str_from_c(text), &read));
        assert_memory_equal(read.bytes, public_key.bytes, public_key.len);
        sign_key_text(key, private_text);
        assert_ok(sign_key_read(str_from_c(private_text), &again));
        assert_ok(sign_make(again, message, second));
        assert_ok(sign_check(&read, message, second));
        sign_key_destroy(key);
        sign_key_destroy(other);
        sign_key_destroy(again);
    }
    assert_int_equal(mem_n_live(), 0);
}

static void rfc_8032_vector_1(void **state)
{
    static const char private_key[] = "citybrain-key:ed25519:9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60\n";
    static const char hex[] =
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe2465"
        "5141438e7a100b";
    struct sign_key *key = NULL;
    uint8_t signature[SIGN_SIGNATURE_LEN];
    char is[129];
    assert_ok(sign_key_read(str_from_c(private_key), &key));
    assert_ok(sign_make(key, STR(""), signature));
    crypto_hex(signature, sizeof signature, is);
    assert_string_equal(is, hex);
    sign_key_destroy(key);
}

/* Made by `openssl pkeyutl -sign -rawin -digest sm3 -pkeyopt distid:1234567812345678` with a key of `openssl genpkey -algorithm SM2`. */
static void an_sm2_signature_from_elsewhere(void **state)
{
    static const char public_text[] = "sm2:BJ7tjJkK9fomuftRA5yDVSeqAjhBluzu1MZpB0c32njouuAcS8i5NMfva8qiOHEuuNHAg3yXY93+AylzoosurQE=";
    static const char hex[] =
        "04b170ddbb857cf1bc0af46d1c53078fb2908ae93ccd79cd4d45d5bf6de6007b261e5bbce63673adfd2138d146228b7f92cc40a7a09e245f59"
        "837c24d0ad90bd";
    struct sign_public public_key;
    uint8_t signature[SIGN_SIGNATURE_LEN];
    assert_ok(sign_public_read(str_from_c(public_text), &public_key));
    assert_ok(crypto_unhex(str_from_c(hex), signature, sizeof signature));
    assert_ok(sign_check(&public_key, STR("citybrain contract v1\n{}"), signature));
    assert_err(sign_check(&public_key, STR("citybrain contract v1\n[]"), signature), ERR_CRYPTO);
}

static void refuses_bad_keys(void **state)
{
    static const char *const bad_public[] = {"", "ed25519", "ed25519:", "ed25519:AAAA", "rsa:AAAA",
        "sm2:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
        "sm2:BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="};
    static const char *const bad_private[] = {"", "citybrain-key:", "citybrain-key:ed25519:00",
        "citybrain-key:sm2:0000000000000000000000000000000000000000000000000000000000000000",
        "citybrain-key:sm2:ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "ed25519:9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"};
    struct sign_public public_key;
    struct sign_key *key = NULL;
    for (size_t i = 0; i < sizeof bad_public / sizeof *bad_public; i++)
        assert_err(sign_public_read(str_from_c(bad_public[i]), &public_key), ERR_SYNTAX);
    for (size_t i = 0; i < sizeof bad_private / sizeof *bad_private; i++)
        assert_err(sign_key_read(str_from_c(bad_private[i]), &key), ERR_SYNTAX);
    assert_int_equal(mem_n_live(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(signs_and_refuses),
        cmocka_unit_test(rfc_8032_vector_1),
        cmocka_unit_test(an_sm2_signature_from_elsewhere),
        cmocka_unit_test(refuses_bad_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
