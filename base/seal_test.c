/* Sealing: what was sealed opens under its own start, counter, label, master key and head, and under no other. */
#include "base/seal.h"

#include "base/crypto.h"
#include "base/test.h"

#include <string.h>

static const uint8_t master[32] = {1, 2, 3}, other_master[32] = {1, 2, 4};
static const uint8_t start[SEAL_START_SIZE] = {7}, other_start[SEAL_START_SIZE] = {8};
static const char head[] = "head", plain[] = "what is sealed";

/* The key and the nonce are what the header says, step by step. */
static void as_it_is_written(void **state)
{
    uint8_t sealed[sizeof plain + SEAL_TAG_SIZE], by_hand[sizeof plain + SEAL_TAG_SIZE];
    uint8_t nonce[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2};
    char input[5 + SEAL_START_SIZE];
    struct seal_key key = {.is_set = false};
    memcpy(input, "label", 5);
    memcpy(input + 5, start, SEAL_START_SIZE);
    struct sha256 derived = crypto_hmac_sha256((struct str){(const char *)master, 32}, (struct str){input, sizeof input});
    assert_ok(crypto_seal(derived.bytes, nonce, STR("head"), (struct str){plain, sizeof plain}, by_hand));
    seal_key_derive(&key, STR("label"), master, start);
    assert_ok(seal_make(&key, 258, STR("head"), (struct str){plain, sizeof plain}, sealed));
    assert_memory_equal(sealed, by_hand, sizeof sealed);
}

static void opens_as_it_was_sealed_alone(void **state)
{
    static const struct {
        struct str label;
        const uint8_t *master, *start;
        uint64_t counter;
        struct str head;
        enum err err;
    } rows[] = {
        {STR_INIT("label"), master, start, 5, STR_INIT(head), ERR_OK},
        {STR_INIT("Label"), master, start, 5, STR_INIT(head), ERR_CRYPTO},
        {STR_INIT("label"), other_master, start, 5, STR_INIT(head), ERR_CRYPTO},
        {STR_INIT("label"), master, other_start, 5, STR_INIT(head), ERR_CRYPTO},
        {STR_INIT("label"), master, start, 6, STR_INIT(head), ERR_CRYPTO},
        {STR_INIT("label"), master, start, 5, STR_INIT("Head"), ERR_CRYPTO},
    };
    uint8_t sealed[sizeof plain + SEAL_TAG_SIZE], opened[sizeof plain];
    struct seal_key key = {.is_set = false}, reader = {.is_set = false};
    seal_key_derive(&key, STR("label"), master, start);
    assert_ok(seal_make(&key, 5, STR(head), (struct str){plain, sizeof plain}, sealed));
    const struct str bytes = {(const char *)sealed, sizeof sealed};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        seal_key_derive(&reader, rows[i].label, rows[i].master, rows[i].start);
        memset(opened, 0, sizeof opened);
        assert_err(seal_open(&reader, rows[i].counter, rows[i].head, bytes, opened), rows[i].err);
        if (!rows[i].err)
            assert_memory_equal(opened, plain, sizeof plain);
    }
    seal_key_need(&reader, STR("label"), master, start); /* the last row's: kept */
    assert_memory_equal(reader.key, key.key, 32);
    seal_key_need(&reader, STR("label"), master, other_start);
    assert_memory_equal(reader.start, other_start, SEAL_START_SIZE);
    assert_err(seal_open(&reader, 5, STR(head), bytes, opened), ERR_CRYPTO);
    for (size_t i = 0; i < SEAL_TAG_SIZE; i++)
        assert_err(seal_open(&key, 5, STR(head), str_slice(bytes, 0, i), opened), ERR_CORRUPT);
    for (size_t i = 0; i < sizeof sealed; i++) {
        sealed[i] ^= 1;
        assert_err(seal_open(&key, 5, STR(head), bytes, opened), ERR_CRYPTO);
        sealed[i] ^= 1;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(as_it_is_written), cmocka_unit_test(opens_as_it_was_sealed_alone)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
