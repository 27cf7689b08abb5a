/* Cryptography against the published vectors; what is refused; threads. */
#include "base/crypto.h"
#include "base/mem.h"
#include "base/test.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void assert_hex(const void *bytes, size_t len, const char *hex)
{
    char text[513];

    assert_true(len <= 256);
    crypto_hex(bytes, len, text);
    assert_string_equal(text, hex);
}

static struct str unhex(const char *hex, uint8_t *out)
{
    size_t len = strlen(hex) / 2;

    assert_ok(crypto_unhex(str_from_c(hex), out, len));
    return (struct str){(const char *)out, len};
}

/* FIPS 180-2, appendix B; RFC 1321, A.5. */
static void hashes(void **state)
{
    struct sha256 digest = crypto_sha256(STR("abc"));
    struct crypto_hash *hash = NULL;
    char md5[33];

    assert_hex(digest.bytes, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    digest = crypto_sha256_2(STR("abcdbcdecdefdefgefghfghighij"), STR("hijkijkljklmklmnlmnomnopnopq"));
    assert_hex(digest.bytes, 32, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    digest = crypto_sha256(STR_NONE);
    assert_hex(digest.bytes, 32, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_ok(crypto_hash_create(&hash));
    assert_ok(crypto_hash_add(hash, STR("a")));
    assert_ok(crypto_hash_add(hash, STR("bc")));
    assert_ok(crypto_hash_end(hash, &digest));
    crypto_hash_destroy(hash);
    crypto_hash_destroy(NULL);
    assert_hex(digest.bytes, 32, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    crypto_md5_hex(STR("message digest"), md5);
    assert_string_equal(md5, "f96b697d7cb7938d525a2f31aaf161d0");
}

/* RFC 4231, cases 1, 2, 3, 6. */
static void tags(void **state)
{
    static const struct {
        const char *key, *data, *tag;
    } rows[] = {
        {"0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {"4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd",
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
        {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "aaa"
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
         "a",
            "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a65204b6579202d2048617368204b6579204669727374",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t key[131], data[64];
        struct sha256 tag = crypto_hmac_sha256(unhex(rows[i].key, key), unhex(rows[i].data, data));
        assert_hex(tag.bytes, 32, rows[i].tag);
    }
}

/* RFC 8032, §7.1, tests 1 to 3. */
static void signatures(void **state)
{
    static const struct {
        const char *seed, *public_key, *message, *signature;
    } rows[] = {
        {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a10"
            "0b"},
        {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c"
            "00"},
        {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec4"
            "0a"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t seed[32], public_key[32], message[8], signature[64];
        struct crypto_key *key = NULL;
        struct str text = unhex(rows[i].message, message);
        unhex(rows[i].seed, seed);
        assert_ok(crypto_key_from_seed(seed, &key));
        crypto_key_public(key, public_key);
        assert_hex(public_key, 32, rows[i].public_key);
        assert_ok(crypto_sign(key, text, signature));
        assert_hex(signature, 64, rows[i].signature);
        assert_ok(crypto_verify(public_key, text, signature));
        assert_err(crypto_verify(public_key, STR("other"), signature), ERR_CRYPTO);
        signature[i] ^= 1;
        assert_err(crypto_verify(public_key, text, signature), ERR_CRYPTO);
        crypto_key_destroy(key);
    }
    crypto_key_destroy(NULL);
}

/* GCM specification (McGrew, Viega), test cases 14 and 16. */
static void sealing(void **state)
{
    uint8_t key[32] = {0}, nonce[12] = {0}, plain[64], aad[32], out[96], back[96];
    struct str text, extra;

    assert_ok(crypto_seal(key, nonce, STR_NONE, (struct str){(const char *)key, 16}, out));
    assert_hex(out, 32, "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");

    unhex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", key);
    unhex("cafebabefacedbaddecaf888", nonce);
    text = unhex(
        "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39", plain);
    extra = unhex("feedfacedeadbeeffeedfacedeadbeefabaddad2", aad);
    assert_ok(crypto_seal(key, nonce, extra, text, out));
    assert_hex(out, 76,
        "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
        "76fc6ece0f4e1768cddf8853bb2d551b");
    assert_ok(crypto_open(key, nonce, extra, (struct str){(const char *)out, 76}, back));
    assert_memory_equal(back, plain, 60);
    for (size_t at = 0; at < 76; at++) {
        out[at] ^= 0x40;
        assert_err(crypto_open(key, nonce, extra, (struct str){(const char *)out, 76}, back), ERR_CRYPTO);
        out[at] ^= 0x40;
    }
    assert_err(crypto_open(key, nonce, STR("other"), (struct str){(const char *)out, 76}, back), ERR_CRYPTO);
    assert_err(crypto_open(key, nonce, extra, (struct str){(const char *)out, 15}, back), ERR_CRYPTO);
}

static void passwords(void **state)
{
    char encoded[128], again[128];

    assert_ok(crypto_password_hash(STR("citybrain-demo"), encoded, sizeof(encoded)));
    assert_non_null(strstr(encoded, "$argon2id$v=19$m=19456,t=2,p=1$"));
    assert_ok(crypto_password_check(STR("citybrain-demo"), encoded));
    assert_err(crypto_password_check(STR("citybrain-demp"), encoded), ERR_CRYPTO);
    assert_err(crypto_password_check(STR(""), encoded), ERR_CRYPTO);
    assert_err(crypto_password_check(STR("x"), "$argon2id$nonsense"), ERR_CORRUPT);
    assert_ok(crypto_password_hash(STR("citybrain-demo"), again, sizeof(again)));
    assert_string_not_equal(encoded, again); /* salted */
    assert_err(crypto_password_hash(STR("x"), encoded, 20), ERR_TOO_LARGE);
}

static void key_files(void **state)
{
    char folder[] = "/tmp/crypto_test_XXXXXX", path[64];
    uint8_t key[32] = {0}, again[32] = {0}, none[32] = {0};
    struct stat status;
    FILE *file;

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/key", folder);
    assert_err(crypto_key_file_read(path, key), ERR_NOT_FOUND);
    assert_ok(crypto_key_file(path, key));
    assert_memory_not_equal(key, none, 32);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_ok(crypto_key_file(path, again));
    assert_memory_equal(key, again, 32);
    assert_ok(crypto_key_file_read(path, again));
    assert_memory_equal(key, again, 32);
    file = fopen(path, "a");
    assert_non_null(file);
    fputc('x', file);
    fclose(file);
    assert_err(crypto_key_file(path, again), ERR_CORRUPT);
    assert_int_equal(truncate(path, 31), 0);
    assert_err(crypto_key_file(path, again), ERR_CORRUPT);
    unlink(path);
    assert_int_equal(rmdir(folder), 0); /* nothing else was left there */
    assert_err(crypto_key_file(path, again), ERR_NOT_FOUND);
}

/* RFC 4648, §10, and what is not canonical. */
static void texts(void **state)
{
    static const char *const rows[][2] = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
    static const char *const wrong[] = {"Z", "Zg", "Zg=", "Zg==Zg==", "Zh==", "Zm9=", "Z===", "====", "Zm 9", "Zm9v\n", "Zm9-", "=Zg="};
    uint8_t bytes[4];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf text, back;
        buf_init(&text, 64);
        buf_init(&back, 64);
        crypto_base64(str_from_c(rows[i][0]), &text);
        assert_str(buf_str(&text), rows[i][1]);
        assert_ok(crypto_unbase64(buf_str(&text), &back));
        assert_str(buf_str(&back), rows[i][0]);
        buf_finish(&text);
        buf_finish(&back);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct buf back;
        buf_init(&back, 64);
        assert_err(crypto_unbase64(str_from_c(wrong[i]), &back), ERR_SYNTAX);
        buf_finish(&back);
    }
    assert_ok(crypto_unhex(STR("00fFA1b2"), bytes, 4));
    assert_hex(bytes, 4, "00ffa1b2");
    assert_err(crypto_unhex(STR("00ffa1"), bytes, 4), ERR_SYNTAX);
    assert_err(crypto_unhex(STR("00ffa1b2c"), bytes, 4), ERR_SYNTAX);
    assert_err(crypto_unhex(STR("00ffa1bg"), bytes, 4), ERR_SYNTAX);
    assert_true(crypto_equal("abc", "abc", 3));
    assert_false(crypto_equal("abc", "abd", 3));
}

static void *hash_on_a_thread(void *arg)
{
    static const uint8_t key[32] = {1};
    const uint8_t nonce[12] = {2};
    uint8_t out[16 + 5], back[16];
    struct str n = {arg, 1};

    for (int i = 0; i < 2000; i++) {
        struct sha256 a = crypto_hmac_sha256(n, n), b = crypto_hmac_sha256(n, n);
        if (!crypto_equal(&a, &b, sizeof(a)))
            return arg;
        if (crypto_seal(key, nonce, n, STR("hello"), out) ||
            crypto_open(key, nonce, n, (struct str){(const char *)out, sizeof(out)}, back) || memcmp(back, "hello", 5) != 0)
            return arg;
    }
    return NULL;
}

static void threads_do_not_mix(void **state)
{
    pthread_t threads[4];
    static char names[] = "abcd";

    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hash_on_a_thread, &names[i]), 0);
    for (int i = 0; i < 4; i++) {
        void *failed = NULL;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    assert_int_equal(mem_n_live(), 0);
}

/* ---- SM3: the standard's own examples ---- */

static void sm3_is_as_the_standard_says(void **state)
{
    static const struct {
        const char *a, *b, *hex;
    } rows[] = {
        {"abc", "", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"}, /* GB/T 32905-2016, A.1 */
        {"a", "bc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"},
        {"abcdabcdabcdabcdabcdabcdabcdabcd", "abcdabcdabcdabcdabcdabcdabcdabcd",
            "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"}, /* A.2 */
        {"", "", "1ab21d8355cfa17f8e61194831e81a8f22bec8c728fefb747ed035eb5082aa2b"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char hex[65];
        struct sha256 hash = crypto_sm3_2(str_from_c(rows[i].a), str_from_c(rows[i].b));
        crypto_hex(hash.bytes, 32, hex);
        assert_string_equal(hex, rows[i].hex);
    }
}

/* RFC 7748 §5.2 (one iteration), RFC 5869 A.1. */
static void keys_are_agreed_on(void **state)
{
    uint8_t nine[32] = {9}, zeros[32] = {0}, alice[32], bob[32], a[32], b[32], one[32], two[32], secret[22], salt[13], info[10], out[42];

    assert_ok(crypto_agree(nine, nine, one));
    assert_hex(one, 32, "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
    crypto_random(alice, sizeof alice);
    crypto_random(bob, sizeof bob);
    assert_ok(crypto_agree_public(alice, a));
    assert_ok(crypto_agree_public(bob, b));
    assert_ok(crypto_agree(alice, b, one));
    assert_ok(crypto_agree(bob, a, two));
    assert_memory_equal(one, two, 32);
    assert_err(crypto_agree(alice, zeros, one), ERR_CRYPTO); /* a point of low order: everybody would know the secret */
    struct str ikm = unhex("0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", secret);
    assert_ok(crypto_hkdf_sha256(ikm, unhex("000102030405060708090a0b0c", salt), unhex("f0f1f2f3f4f5f6f7f8f9", info), out, sizeof out));
    assert_hex(out, 42, "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
}

static _Atomic int n_signed;

static void *sign_on(void *key)
{
    uint8_t signature[64];
    while (!crypto_sign(key, STR("a checkpoint"), signature))
        n_signed++;
    return NULL;
}

/* As a process does whose disk has refused: its ledger's thread may be signing at that moment. */
static void sign_and_exit(void)
{
    static const uint8_t seed[32] = {7};
    struct crypto_key *key;
    pthread_t thread;
    signal(SIGSEGV, SIG_DFL); /* cmocka's would look at it as a test's */
    if (crypto_key_from_seed(seed, &key))
        _exit(1);
    for (int i = 0; i < 8; i++)
        if (pthread_create(&thread, NULL, sign_on, key) != 0 || pthread_detach(thread) != 0)
            _exit(1);
    while (n_signed < 8) /* they are signing */
        usleep(100);
    exit(0);
}

static void who_exits_may_leave_a_thread_that_signs(void **state)
{
    pid_t children[20];
    int status;
    for (size_t i = 0; i < sizeof children / sizeof *children; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0)
            sign_and_exit();
    }
    for (size_t i = 0; i < sizeof children / sizeof *children; i++) {
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_exits_may_leave_a_thread_that_signs), /* first: before this process has threads of its own */
        cmocka_unit_test(sm3_is_as_the_standard_says),
        cmocka_unit_test(hashes),
        cmocka_unit_test(tags),
        cmocka_unit_test(signatures),
        cmocka_unit_test(keys_are_agreed_on),
        cmocka_unit_test(sealing),
        cmocka_unit_test(passwords),
        cmocka_unit_test(key_files),
        cmocka_unit_test(texts),
        cmocka_unit_test(threads_do_not_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
