/*
 * The Merkle tree of RFC 6962, kept as tiles (C2SP tlog-tiles): hashes, the tree's right edge, roots and proofs. Pure.
 *
 * A tile is 256 hashes wide: tile n of level l holds the roots of the subtrees of 256^l leaves from n * 256 on. What stands
 * between two levels is hashed anew when it is needed. A tree only grows at its right edge, so one partial tile for each level is all that
 * a writer keeps; a prover asks a `struct merkle_source` for stored hashes.
 */
#ifndef LEDGER_MERKLE_H
#define LEDGER_MERKLE_H

#include "base/crypto.h"

#define MERKLE_TILE 256     /* hashes of a full tile */
#define MERKLE_LEVELS 8     /* 256^8 leaves fill 64 bits */
#define MERKLE_PROOF_MAX 64 /* hashes of a proof: one for each bit of a size */

/* The tree's hash function: RFC 6962 has SHA-256, and so has all that does not say otherwise; the parallel log (ledger/sm_log.h) has SM3.
 * Both have 32 bytes, and a struct sha256 holds either. */
enum merkle_hash { MERKLE_SHA256 = 0, MERKLE_SM3 };

struct sha256 merkle_leaf_hash_by(enum merkle_hash by, struct str leaf);
struct sha256 merkle_node_hash_by(enum merkle_hash by, const struct sha256 *left, const struct sha256 *right);
struct sha256 merkle_empty_root_by(enum merkle_hash by);
struct sha256 merkle_fold_by(enum merkle_hash by, const struct sha256 *hashes, size_t n);
struct sha256 merkle_leaf_hash(struct str leaf);                                       /* SHA-256(0x00 || leaf) */
struct sha256 merkle_node_hash(const struct sha256 *left, const struct sha256 *right); /* SHA-256(0x01 || left || right) */
struct sha256 merkle_empty_root(void);                                                 /* SHA-256 of nothing */
struct sha256 merkle_fold(const struct sha256 *hashes, size_t n);                      /* root over n hashes, n a power of two to 256 */
static inline uint64_t merkle_level_size(uint64_t size, uint32_t level)
{
    return size >> (8 * level); /* hashes that level has in a tree of `size` leaves; level < MERKLE_LEVELS */
}

/* ---- the right edge: what a growing tree needs of itself ---- */
struct merkle_edge {
    enum merkle_hash by;
    uint64_t size; /* leaves */
    /* of each level the last tile, as far as it is filled: merkle_level_size() % 256 hashes; what lies behind is stale */
    struct sha256 hashes[MERKLE_LEVELS][MERKLE_TILE];
};

/* Told of each tile that has become full, lowest level first. `hashes` are borrowed. */
typedef enum err (*merkle_full_fn)(void *context, uint32_t level, uint64_t tile, const struct sha256 hashes[MERKLE_TILE]);

/* Adds one leaf. On an error of `on_full` the edge is of no more use. */
enum err merkle_edge_add(struct merkle_edge *edge, const struct sha256 *leaf_hash, merkle_full_fn on_full, void *context) MUST_CHECK;
struct sha256 merkle_edge_root(const struct merkle_edge *edge);

/* ---- proofs ---- */
struct merkle_source {
    enum merkle_hash by;
    /* `n` hashes of `level` from number `first` on, all in one tile; any error is passed on */
    enum err (*read)(struct merkle_source *source, uint32_t level, uint64_t first, size_t n, struct sha256 *ret_hashes);
};

struct merkle_proof {
    size_t n;
    struct sha256 hashes[MERKLE_PROOF_MAX]; /* from the leaf's side to the root's */
};

/* RFC 6962 §2.1.1 PATH(index, D[size]); index < size. */
enum err merkle_prove_inclusion(struct merkle_source *source, uint64_t index, uint64_t size, struct merkle_proof *ret_proof) MUST_CHECK;
/* RFC 6962 §2.1.2 PROOF(from, D[size]); from <= size; empty when from is 0 or size. */
enum err merkle_prove_consistency(struct merkle_source *source, uint64_t from, uint64_t size, struct merkle_proof *ret_proof) MUST_CHECK;

/* RFC 9162 §2.1.3.2: does the proof lead from the leaf at `index` to `root` of a tree of `size`? */
bool merkle_check_inclusion(
    const struct merkle_proof *proof, uint64_t index, uint64_t size, const struct sha256 *leaf_hash, const struct sha256 *root) MUST_CHECK;
bool merkle_check_inclusion_by(enum merkle_hash by, const struct merkle_proof *proof, uint64_t index, uint64_t size,
    const struct sha256 *leaf_hash, const struct sha256 *root) MUST_CHECK;
/* RFC 9162 §2.1.4.2: is the tree of `from` leaves a beginning of the tree of `size`? */
bool merkle_check_consistency(
    const struct merkle_proof *proof, uint64_t from, uint64_t size, const struct sha256 *from_root, const struct sha256 *root) MUST_CHECK;

#endif
