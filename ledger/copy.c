/* See ledger/copy.h. A journal always reaches as far as a checkpoint that was read before it. */
#include "ledger/copy.h"

#include "base/file.h"
#include "base/journal.h"
#include "ledger/builder.h"
#include "ledger/ledger.h"
#include "ledger/tile.h"

#include <inttypes.h>
#include <string.h>

#define ROUNDS_MAX 1000

struct copying {
    struct ledger_copy *copy;
    char from_log[FILE_PATH_MAX], to_log[FILE_PATH_MAX], from_journal[FILE_PATH_MAX], to_journal[FILE_PATH_MAX];
    struct builder builder;
    struct buf note, bundle;
};

/* The checkpoint as it stands now. *ret_size 0: there is none yet. */
static enum err read_checkpoint(struct copying *c, uint64_t *ret_size, struct diag *diag)
{
    char path[FILE_PATH_MAX], vkey_text[512];
    struct note_verifier verifier;
    struct checkpoint checkpoint;
    struct buf vkey;
    struct str text;
    uint8_t public_key[32];
    buf_reset(&c->note);
    enum err err = file_join(path, c->from_log, "checkpoint");
    if (!err)
        err = file_read(path, &c->note);
    if (err == ERR_NOT_FOUND) {
        *ret_size = 0;
        return ERR_OK;
    }
    buf_init(&vkey, sizeof vkey_text);
    crypto_key_public(c->copy->key, public_key);
    if (!err)
        err = ledger_vkey(c->copy->origin, public_key, &vkey);
    if (!err)
        err = note_verifier_parse(buf_str(&vkey), &verifier, diag);
    if (!err)
        err = note_open(buf_str(&c->note), &verifier, &text, diag);
    if (!err)
        err = checkpoint_parse(text, &checkpoint, diag);
    buf_finish(&vkey);
    if (err)
        return diag_set(diag, err, path, 0, "this is no checkpoint of the log " STR_FORMAT " by its key in secrets/ledger: %s",
            STR_ARG(c->copy->origin), err_text(err));
    *ret_size = checkpoint.size;
    return ERR_OK;
}

/* Entries from where the builder is up to `size`, of which the source's files hold all. */
static enum err add_entries(struct copying *c, uint64_t size, struct diag *diag)
{
    enum err err = ERR_OK;
    while (!err && c->builder.edge.size < size) {
        uint64_t n = c->builder.edge.size / MERKLE_TILE, left = size - n * MERKLE_TILE;
        size_t width = left < MERKLE_TILE ? (size_t)left : MERKLE_TILE, had = (size_t)(c->builder.edge.size % MERKLE_TILE), len = 0;
        struct str entry;
        buf_reset(&c->bundle);
        err = tile_read_bundle(c->from_log, n, width, &c->bundle);
        for (size_t at = 0; !err && at < width; at++) {
            err = tile_bundle_entry(str_slice(buf_str(&c->bundle), len, c->bundle.len), 0, &entry);
            if (!err && at >= had)
                err = builder_add(&c->builder, entry);
            len += 2 + entry.len;
        }
        if (err == ERR_NOT_FOUND || err == ERR_CORRUPT)
            err = diag_set(
                diag, ERR_CORRUPT, c->from_log, 0, "entry bundle %" PRIu64 " is missing or damaged; restore it from another copy", n);
    }
    return err;
}

/* What we built signs the same tree as the checkpoint, or one of the two is wrong. */
static enum err publish(struct copying *c, struct diag *diag)
{
    struct str built, told;
    enum err err = builder_prepare(&c->builder);
    if (!err)
        err = note_text(buf_str(&c->builder.pending), &built, diag);
    if (!err)
        err = note_text(buf_str(&c->note), &told, diag);
    if (!err && !str_equal(built, told))
        return diag_set(diag, ERR_CORRUPT, c->from_log, 0,
            "the entries do not hash to the root that the checkpoint of %" PRIu64 " leaves names; entries were changed or are damaged",
            c->builder.edge.size);
    return err ? err : builder_release(&c->builder, buf_str(&c->note));
}

/* A checkpoint, and a journal that begins at or before it: read one right after the other, since what is published is dropped soon. */
static enum err take_moment(struct copying *c, uint64_t *ret_size, struct journal_held **ret_held, struct diag *diag)
{
    enum err err = ERR_OK;
    for (int i = 0; i < ROUNDS_MAX && !err; i++) {
        struct journal_held *held;
        err = read_checkpoint(c, ret_size, diag);
        if (!err)
            err = journal_hold(c->from_journal, diag, &held);
        if (!err && journal_held_first(held) <= *ret_size) {
            *ret_held = held;
            return ERR_OK;
        }
        if (!err)
            journal_held_release(held);
    }
    return err ? err
               : diag_set(diag, ERR_CORRUPT, c->copy->from, 0,
                     "the journal begins behind the checkpoint of %" PRIu64 " leaves: they are not of one moment", *ret_size);
}

/* Opening recovers: a torn tail is cut, and the copy's end is known. */
static enum err look_at_journal(struct copying *c, uint64_t *ret_first, uint64_t *ret_end, struct diag *diag)
{
    struct journal *journal;
    const struct journal_options options = {.dir = c->to_journal, .record_max_bytes = LEDGER_LEAF_MAX};
    enum err err = journal_open(&options, diag, &journal);
    if (err)
        return err;
    *ret_first = journal_first_index(journal);
    *ret_end = journal_n_durable(journal);
    journal_close(journal);
    return ERR_OK;
}

static enum err copy_all(struct copying *c, struct diag *diag)
{
    struct journal_held *held = NULL;
    uint64_t size = 0, first = 0, end = 0;
    enum err err = take_moment(c, &size, &held, diag);
    if (!err && size > 0)
        err = add_entries(c, size, diag); /* tiles and entries under a checkpoint are never dropped */
    if (!err && size > 0)
        err = publish(c, diag);
    if (!err)
        err = journal_held_copy(held, c->to_journal, diag);
    journal_held_release(held);
    if (!err)
        err = look_at_journal(c, &first, &end, diag);
    if (!err && (first > size || end < size))
        err = diag_set(diag, ERR_CORRUPT, c->copy->from, 0,
            "the checkpoint covers %" PRIu64 " leaves, but the journal holds %" PRIu64 " to %" PRIu64, size, first, end);
    c->copy->published = size;
    c->copy->durable = end;
    return err;
}

enum err ledger_copy(struct ledger_copy *copy, struct diag *diag)
{
    struct copying c = {.copy = copy};
    struct file_ops *files = file_ops_system();
    buf_init(&c.note, NOTE_MAX);
    buf_init(&c.bundle, TILE_BUNDLE_MAX + 1);
    enum err err = file_join(c.from_log, copy->from, "log");
    if (!err)
        err = file_join(c.to_log, copy->to, "log");
    if (!err)
        err = file_join(c.from_journal, copy->from, "journal");
    if (!err)
        err = file_join(c.to_journal, copy->to, "journal");
    if (!err)
        err = file_make_dirs(files, c.to_log);
    if (!err) {
        err = builder_init(&c.builder, files, c.to_log, copy->origin, (struct builder_key){.ed25519 = copy->key}, diag);
        if (!err && c.builder.published > 0)
            err = diag_set(diag, ERR_EXISTS, c.to_log, 0, "there is a log already; copy into an empty folder");
        if (!err)
            err = copy_all(&c, diag);
        builder_finish(&c.builder);
    }
    buf_finish(&c.note);
    buf_finish(&c.bundle);
    return err && !diag->text[0] ? diag_set(diag, err, copy->from, 0, "the ledger cannot be copied to %s: %s", copy->to, err_text(err))
                                 : err;
}
