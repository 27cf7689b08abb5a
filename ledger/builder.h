/*
 * What turns durable leaves into a published log: hashes, tiles, entry bundles, checkpoint. One thread's; no locks, no clock.
 *
 * It may stop anywhere. Everything it writes follows from the leaves, so writing it again writes the same; and the published checkpoint is
 * replaced only after all that it covers is durable. So recovery is: take up the tree at the published checkpoint, and go on
 * with the leaves that the journal still has.
 *
 *     files of the leaves since the last checkpoint, partial tiles → sync them and their folders → remove the partial forms of tiles
 *     that have become full → sign → (witnesses cosign) → checkpoint.tmp, sync, rename, sync the folder
 */
#ifndef LEDGER_BUILDER_H
#define LEDGER_BUILDER_H

#include "base/file.h"
#include "ledger/merkle.h"
#include "ledger/note.h"

#define BUILDER_FILES_MAX 512 /* written and not yet synced, each an open descriptor */
#define BUILDER_DIRS_MAX 64   /* folders whose new names are not yet synced */

/* Who signs: one of the two. With SM2 the tree is SM3's. */
struct builder_key {
    const struct crypto_key *ed25519;
    const struct sign_key *sm2;
};

struct builder {
    struct file_ops *files;  /* kept */
    const char *dir;         /* kept: the folder of checkpoint and tiles */
    struct str origin;       /* kept */
    struct builder_key key;  /* kept */
    uint64_t published;      /* leaves under the checkpoint on disk */
    struct buf note;         /* that checkpoint; empty before the first */
    uint64_t prepared;       /* leaves whose tiles are durable, the partial ones included; never less than `published` */
    struct buf pending;      /* the checkpoint of `prepared` leaves as the log signs it; empty before builder_prepare() */
    struct merkle_edge edge; /* of all leaves taken */
    struct buf entries;      /* the last entry bundle, as far as it is filled */
    int fds[BUILDER_FILES_MAX];
    size_t n_fds;
    char *dirs[BUILDER_DIRS_MAX]; /* owned */
    size_t n_dirs;
};

/* Reads the published checkpoint and the tree's right edge under it, and checks them against each other and against the key. ERR_CORRUPT
 * with place and mend in `diag`, ERR_IO, ERR_NO_MEMORY, ERR_RANGE (the origin is no key name). */
enum err builder_init(struct builder *builder, struct file_ops *files, const char *dir, struct str origin, struct builder_key key,
    struct diag *diag) MUST_CHECK;
void builder_finish(struct builder *builder); /* also after a failed init */
/* The next leaf; its index is builder->edge.size. On an error the builder is of no more use. */
enum err builder_add(struct builder *builder, struct str leaf) MUST_CHECK;
/* Makes all that a checkpoint over the leaves taken needs durable, and signs it into `pending`. On an error the builder is of no more use.
 */
enum err builder_prepare(struct builder *builder) MUST_CHECK;
/* Publishes `note`: the pending checkpoint, with such cosignatures as it has got. On an error the builder is of no more use. */
enum err builder_release(struct builder *builder, struct str note) MUST_CHECK;
/* The two at once; nothing to do without new leaves. */
enum err builder_publish(struct builder *builder) MUST_CHECK;

#endif
