/*
 * The Merkle tree of RFC 6962 over tiles. See ledger/merkle.h.
 */
#include "ledger/merkle.h"

#include <assert.h>
#include <string.h>

static struct sha256 hash_2(enum merkle_hash by, struct str a, struct str b)
{
    return by == MERKLE_SM3 ? crypto_sm3_2(a, b) : crypto_sha256_2(a, b);
}

struct sha256 merkle_leaf_hash_by(enum merkle_hash by, struct str leaf)
{
    return hash_2(by, (struct str){"\x00", 1}, leaf);
}

struct sha256 merkle_leaf_hash(struct str leaf)
{
    return merkle_leaf_hash_by(MERKLE_SHA256, leaf);
}

struct sha256 merkle_node_hash_by(enum merkle_hash by, const struct sha256 *left, const struct sha256 *right)
{
    char bytes[65];
    bytes[0] = 1;
    memcpy(bytes + 1, left->bytes, 32);
    memcpy(bytes + 33, right->bytes, 32);
    return hash_2(by, (struct str){bytes, sizeof bytes}, STR_NONE);
}

struct sha256 merkle_node_hash(const struct sha256 *left, const struct sha256 *right)
{
    return merkle_node_hash_by(MERKLE_SHA256, left, right);
}

struct sha256 merkle_empty_root_by(enum merkle_hash by)
{
    return hash_2(by, STR_NONE, STR_NONE);
}

struct sha256 merkle_empty_root(void)
{
    return merkle_empty_root_by(MERKLE_SHA256);
}

static bool is_equal(const struct sha256 *a, const struct sha256 *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

struct sha256 merkle_fold(const struct sha256 *hashes, size_t n)
{
    return merkle_fold_by(MERKLE_SHA256, hashes, n);
}

struct sha256 merkle_fold_by(enum merkle_hash by, const struct sha256 *hashes, size_t n)
{
    assert(n > 0 && n <= MERKLE_TILE && (n & (n - 1)) == 0);
    if (n == 1)
        return hashes[0];
    struct sha256 row[MERKLE_TILE / 2];
    n /= 2;
    for (size_t i = 0; i < n; i++)
        row[i] = merkle_node_hash_by(by, &hashes[2 * i], &hashes[2 * i + 1]);
    for (; n > 1; n /= 2)
        for (size_t i = 0; i < n / 2; i++)
            row[i] = merkle_node_hash_by(by, &row[2 * i], &row[2 * i + 1]);
    return row[0];
}

/* ---- the right edge ---- */

enum err merkle_edge_add(struct merkle_edge *edge, const struct sha256 *leaf_hash, merkle_full_fn on_full, void *context)
{
    struct sha256 hash = *leaf_hash;
    edge->size++;
    for (uint32_t level = 0; level < MERKLE_LEVELS; level++) {
        uint64_t n = merkle_level_size(edge->size, level);
        edge->hashes[level][(n - 1) % MERKLE_TILE] = hash;
        if (n % MERKLE_TILE != 0)
            break;
        enum err err = on_full(context, level, n / MERKLE_TILE - 1, edge->hashes[level]);
        if (err)
            return err;
        hash = merkle_fold_by(edge->by, edge->hashes[level], MERKLE_TILE);
    }
    return ERR_OK;
}

struct sha256 merkle_edge_root(const struct merkle_edge *edge)
{
    struct sha256 root = merkle_empty_root_by(edge->by);
    bool is_first = true;
    /* the complete subtrees, from the smallest at the right to the largest at the left */
    for (uint32_t level = 0; level < MERKLE_LEVELS; level++) {
        size_t n = (size_t)(merkle_level_size(edge->size, level) % MERKLE_TILE);
        for (size_t width = 1; width <= n; width *= 2) {
            if (!(n & width))
                continue;
            struct sha256 subtree = merkle_fold_by(edge->by, &edge->hashes[level][n & ~(2 * width - 1)], width);
            root = is_first ? subtree : merkle_node_hash_by(edge->by, &subtree, &root);
            is_first = false;
        }
    }
    return root;
}

/* ---- proofs ---- */

static uint64_t largest_power_below(uint64_t n)
{
    return (uint64_t)1 << (63 - __builtin_clzll(n - 1)); /* n >= 2 */
}

/* The root over the complete subtree of 2^height leaves whose first leaf is `first`. */
static enum err subtree_root(struct merkle_source *source, uint32_t height, uint64_t first, struct sha256 *ret_root)
{
    struct sha256 hashes[MERKLE_TILE / 2];
    uint32_t level = height / 8;
    size_t n = (size_t)1 << (height % 8);
    enum err err = source->read(source, level, first >> (8 * level), n, hashes);
    if (!err)
        *ret_root = merkle_fold_by(source->by, hashes, n);
    return err;
}

/* MTH(D[from:to]), from being a multiple of the largest power of two in the range: complete subtrees, joined from the right. */
static enum err range_root(struct merkle_source *source, uint64_t from, uint64_t to, struct sha256 *ret_root)
{
    struct sha256 root;
    bool is_first = true;
    uint64_t end = to;
    for (uint32_t height = 0; height < 64; height++) {
        uint64_t width = (uint64_t)1 << height;
        if (!((to - from) & width))
            continue;
        struct sha256 subtree;
        enum err err = subtree_root(source, height, end - width, &subtree);
        if (err)
            return err;
        end -= width;
        root = is_first ? subtree : merkle_node_hash_by(source->by, &subtree, &root);
        is_first = false;
    }
    *ret_root = root;
    return ERR_OK;
}

static void reverse(struct merkle_proof *proof)
{
    for (size_t i = 0; i < proof->n / 2; i++) {
        struct sha256 hash = proof->hashes[i];
        proof->hashes[i] = proof->hashes[proof->n - 1 - i];
        proof->hashes[proof->n - 1 - i] = hash;
    }
}

enum err merkle_prove_inclusion(struct merkle_source *source, uint64_t index, uint64_t size, struct merkle_proof *ret_proof)
{
    assert(index < size);
    struct merkle_proof proof = {.n = 0};
    uint64_t from = 0, to = size;
    while (to - from > 1) {
        uint64_t middle = from + largest_power_below(to - from);
        bool is_left = index < middle;
        enum err err = range_root(source, is_left ? middle : from, is_left ? to : middle, &proof.hashes[proof.n++]);
        if (err)
            return err;
        if (is_left)
            to = middle;
        else
            from = middle;
    }
    reverse(&proof);
    *ret_proof = proof;
    return ERR_OK;
}

enum err merkle_prove_consistency(struct merkle_source *source, uint64_t first, uint64_t size, struct merkle_proof *ret_proof)
{
    assert(first <= size);
    struct merkle_proof proof = {.n = 0};
    uint64_t from = 0, to = size;
    enum err err = ERR_OK;
    while (!err && first != 0 && first != to) {
        uint64_t middle = from + largest_power_below(to - from);
        bool is_left = first <= middle;
        err = range_root(source, is_left ? middle : from, is_left ? to : middle, &proof.hashes[proof.n++]);
        if (is_left)
            to = middle;
        else
            from = middle;
    }
    if (!err && from > 0) /* the old tree's last subtree is not a root that the verifier has */
        err = range_root(source, from, to, &proof.hashes[proof.n++]);
    if (err)
        return err;
    reverse(&proof);
    *ret_proof = proof;
    return ERR_OK;
}

bool merkle_check_inclusion(
    const struct merkle_proof *proof, uint64_t index, uint64_t size, const struct sha256 *leaf_hash, const struct sha256 *root)
{
    return merkle_check_inclusion_by(MERKLE_SHA256, proof, index, size, leaf_hash, root);
}

bool merkle_check_inclusion_by(enum merkle_hash by, const struct merkle_proof *proof, uint64_t index, uint64_t size,
    const struct sha256 *leaf_hash, const struct sha256 *root)
{
    if (index >= size)
        return false;
    uint64_t at = index, last = size - 1;
    struct sha256 hash = *leaf_hash;
    for (size_t i = 0; i < proof->n; i++) {
        if (last == 0)
            return false;
        if (at % 2 == 1 || at == last) {
            hash = merkle_node_hash_by(by, &proof->hashes[i], &hash);
            while (at % 2 == 0 && at != 0) {
                at /= 2;
                last /= 2;
            }
        } else {
            hash = merkle_node_hash_by(by, &hash, &proof->hashes[i]);
        }
        at /= 2;
        last /= 2;
    }
    return last == 0 && is_equal(&hash, root);
}

bool merkle_check_consistency(
    const struct merkle_proof *proof, uint64_t from, uint64_t size, const struct sha256 *from_root, const struct sha256 *root)
{
    if (from > size)
        return false;
    if (from == 0 || from == size) /* the empty tree begins every tree */
        return proof->n == 0 && (from == 0 || is_equal(from_root, root));
    bool is_complete = (from & (from - 1)) == 0; /* then its root is a node of the larger tree, and the proof leaves it out */
    if (!is_complete && proof->n == 0)
        return false;
    uint64_t at = from - 1, last = size - 1;
    while (at % 2 == 1) {
        at /= 2;
        last /= 2;
    }
    struct sha256 old = is_complete ? *from_root : proof->hashes[0], new = old;
    for (size_t i = is_complete ? 0 : 1; i < proof->n; i++) {
        if (last == 0)
            return false;
        if (at % 2 == 1 || at == last) {
            old = merkle_node_hash(&proof->hashes[i], &old);
            new = merkle_node_hash(&proof->hashes[i], &new);
            while (at % 2 == 0 && at != 0) {
                at /= 2;
                last /= 2;
            }
        } else {
            new = merkle_node_hash(&new, &proof->hashes[i]);
        }
        at /= 2;
        last /= 2;
    }
    return last == 0 && is_equal(&old, from_root) && is_equal(&new, root);
}
