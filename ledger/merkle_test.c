/*
 * Tests of the Merkle tree: published vectors, and every size and place against the definition of RFC 6962 taken word for word.
 */
#include "base/test.h"
#include "ledger/ledger_testing.h"

#include <stdlib.h>
#include <string.h>

#define N_MAX 600

/* ---- vectors of the certificate-transparency project, as printed in many implementations' tests ---- */

static void roots_are_the_published_ones(void **state)
{
    static const struct str leaves[8] = {STR_INIT(""), STR_INIT("\x00"), STR_INIT("\x10"), STR_INIT("\x20\x21"), STR_INIT("\x30\x31"),
        STR_INIT("\x40\x41\x42\x43"), STR_INIT("\x50\x51\x52\x53\x54\x55\x56\x57"),
        STR_INIT("\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f")};
    static const char *const roots[9] = {
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    };
    static struct merkle_edge edge;
    for (size_t n = 0; n <= 8; n++) {
        char hex[65];
        struct sha256 root = merkle_edge_root(&edge);
        crypto_hex(root.bytes, sizeof root.bytes, hex);
        assert_string_equal(hex, roots[n]);
        if (n == 8)
            break;
        struct sha256 hash = merkle_leaf_hash(leaves[n]);
        assert_ok(merkle_edge_add(&edge, &hash, NULL, NULL)); /* no tile is full yet */
    }
}

/* ---- against the definition ---- */

static struct sha256 leaf_hash(uint64_t i)
{
    char text[512];
    return merkle_leaf_hash(testing_leaf(i, text));
}

/* A source that computes each stored hash from leaves. */
static struct sha256 *hashes[3]; /* of levels 0 to 2 */
static int fail_in;              /* reads until one fails; 0: none */

static enum err read_hashes(struct merkle_source *source, uint32_t level, uint64_t first, size_t n, struct sha256 *ret_hashes)
{
    if (fail_in > 0 && --fail_in == 0)
        return ERR_IO;
    assert_true(level < 3 && first / MERKLE_TILE == (first + n - 1) / MERKLE_TILE);
    memcpy(ret_hashes, hashes[level] + first, n * sizeof *ret_hashes);
    return ERR_OK;
}

static struct merkle_source source = {.read = read_hashes};

struct full_tiles {
    uint64_t next[MERKLE_LEVELS];
};

static enum err note_full(void *context, uint32_t level, uint64_t n, const struct sha256 tile[MERKLE_TILE])
{
    struct full_tiles *full = context;
    assert_int_equal(n, full->next[level]++);
    assert_memory_equal(tile, hashes[level] + n * MERKLE_TILE, MERKLE_TILE * sizeof *tile);
    hashes[level + 1] = realloc(hashes[level + 1], (n + 1) * sizeof **hashes);
    assert_non_null(hashes[level + 1]);
    hashes[level + 1][n] = merkle_fold(tile, MERKLE_TILE);
    return ERR_OK;
}

static void every_size_has_the_root_of_the_definition(void **state)
{
    static struct merkle_edge edge;
    struct full_tiles full = {{0}};
    hashes[0] = calloc(70000, sizeof **hashes);
    assert_non_null(hashes[0]);
    for (uint64_t n = 0; n < 70000; n++) {
        if (n <= N_MAX || n % 4999 == 0 || n == 65535 || n == 65536 || n == 65537) {
            struct sha256 root = merkle_edge_root(&edge), wanted = testing_root(n);
            assert_memory_equal(&root, &wanted, sizeof root);
        }
        hashes[0][n] = leaf_hash(n);
        assert_ok(merkle_edge_add(&edge, &hashes[0][n], note_full, &full));
    }
    assert_int_equal(full.next[0], 273);
    assert_int_equal(full.next[1], 1);
}

static enum err refuse_full(void *context, uint32_t level, uint64_t n, const struct sha256 tile[MERKLE_TILE])
{
    return ERR_DISK_FULL;
}

static void an_error_of_the_tile_s_writer_is_passed_on(void **state)
{
    static struct merkle_edge edge;
    for (uint64_t n = 0; n < 255; n++)
        assert_ok(merkle_edge_add(&edge, &hashes[0][n], refuse_full, NULL));
    assert_err(merkle_edge_add(&edge, &hashes[0][255], refuse_full, NULL), ERR_DISK_FULL);
}

/* No changed, missing or additional hash, no other place and no other size may pass. */
static void expect_inclusion_to_be_tight(struct merkle_proof proof, uint64_t index, uint64_t size, const struct sha256 *root)
{
    struct sha256 leaf = leaf_hash(index), other = leaf;
    assert_true(merkle_check_inclusion(&proof, index, size, &leaf, root));
    other.bytes[7] ^= 1;
    assert_false(merkle_check_inclusion(&proof, index, size, &other, root));
    assert_false(merkle_check_inclusion(&proof, index, size, &leaf, &other));
    assert_false(merkle_check_inclusion(&proof, size, size, &leaf, root));
    if (size > 1)
        assert_false(merkle_check_inclusion(&proof, index ^ 1, size, &leaf, root));
    for (size_t i = 0; i < proof.n; i++) {
        proof.hashes[i].bytes[i % 32] ^= 4;
        assert_false(merkle_check_inclusion(&proof, index, size, &leaf, root));
        proof.hashes[i].bytes[i % 32] ^= 4;
    }
    if (proof.n > 0) {
        proof.n--;
        assert_false(merkle_check_inclusion(&proof, index, size, &leaf, root));
        proof.n++;
    }
    proof.hashes[proof.n++] = *root;
    assert_false(merkle_check_inclusion(&proof, index, size, &leaf, root));
}

static void every_leaf_is_proven_at_every_size(void **state)
{
    for (uint64_t size = 1; size <= 700; size += size < 40 ? 1 : size < 260 ? 13 : 61) {
        struct sha256 root = testing_root(size);
        for (uint64_t index = 0; index < size; index += size < 40 ? 1 : 7) {
            struct merkle_proof proof;
            assert_ok(merkle_prove_inclusion(&source, index, size, &proof));
            expect_inclusion_to_be_tight(proof, index, size, &root);
        }
    }
    static const uint64_t places[] = {0, 1, 255, 256, 65535, 65536, 65537, 69887, 69888, 69998};
    struct sha256 root = testing_root(69999);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct merkle_proof proof;
        assert_ok(merkle_prove_inclusion(&source, places[i], 69999, &proof));
        expect_inclusion_to_be_tight(proof, places[i], 69999, &root);
    }
}

static void expect_consistency_to_be_tight(struct merkle_proof proof, uint64_t from, uint64_t size)
{
    struct sha256 old = testing_root(from), root = testing_root(size), other = root;
    assert_true(merkle_check_consistency(&proof, from, size, &old, &root));
    other.bytes[0] ^= 1;
    assert_false(from > 0 && merkle_check_consistency(&proof, from, size, &other, &root));
    assert_false(from > 0 && merkle_check_consistency(&proof, from, size, &old, &other));
    assert_false(merkle_check_consistency(&proof, size + 1, size, &old, &root));
    for (size_t i = 0; i < proof.n; i++) {
        proof.hashes[i].bytes[i % 32] ^= 4;
        assert_false(merkle_check_consistency(&proof, from, size, &old, &root));
        proof.hashes[i].bytes[i % 32] ^= 4;
    }
    if (proof.n > 0) {
        proof.n--;
        assert_false(merkle_check_consistency(&proof, from, size, &old, &root));
        proof.n = 0;
        assert_false(merkle_check_consistency(&proof, from, size, &old, &root));
        return;
    }
    proof.hashes[proof.n++] = root;
    assert_false(merkle_check_consistency(&proof, from, size, &old, &root));
}

static void every_size_is_a_beginning_of_every_larger_one(void **state)
{
    for (uint64_t size = 0; size <= 600; size += size < 33 ? 1 : 29) {
        for (uint64_t from = 0; from <= size; from += size < 33 ? 1 : 5) {
            struct merkle_proof proof;
            assert_ok(merkle_prove_consistency(&source, from, size, &proof));
            expect_consistency_to_be_tight(proof, from, size);
            /* longer by one: the walk runs out of tree */
            if (proof.n > 0) {
                struct sha256 old = testing_root(from), root = testing_root(size);
                proof.hashes[proof.n++] = root;
                assert_false(merkle_check_consistency(&proof, from, size, &old, &root));
            }
        }
    }
    struct merkle_proof proof;
    assert_ok(merkle_prove_consistency(&source, 35072, 69999, &proof));
    expect_consistency_to_be_tight(proof, 35072, 69999);
}

static void an_error_of_the_source_is_passed_on(void **state)
{
    struct merkle_proof proof;
    for (int nth = 1; nth <= 8; nth++) {
        fail_in = nth;
        assert_err(merkle_prove_inclusion(&source, 300, 567, &proof), ERR_IO);
        fail_in = nth <= 6 ? nth : 6;
        assert_err(merkle_prove_consistency(&source, 301, 567, &proof), ERR_IO);
    }
    fail_in = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roots_are_the_published_ones),
        cmocka_unit_test(every_size_has_the_root_of_the_definition), /* fills the source of those that follow */
        cmocka_unit_test(an_error_of_the_tile_s_writer_is_passed_on),
        cmocka_unit_test(every_leaf_is_proven_at_every_size),
        cmocka_unit_test(every_size_is_a_beginning_of_every_larger_one),
        cmocka_unit_test(an_error_of_the_source_is_passed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
