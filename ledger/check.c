/*
 * One pass over the entries makes the tree anew, beside it grows the tree that the tiles of level 0 tell. Where the two part first, the
 * checkpoint says which of them is the log; tiles of higher levels are held against those below. See check.h.
 */
#include "ledger/check.h"

#include "base/mem.h"
#include "ledger/merkle.h"
#include "ledger/tile.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ROUNDS_MAX 10

struct checking {
    const char *dir;
    struct diag *diag;
    struct checkpoint checkpoint;
    struct merkle_edge *entries, *tiles; /* the tree by each of them */
    struct sha256 hashes[MERKLE_TILE], above[MERKLE_TILE];
    struct buf bundle;
    uint64_t odd; /* the first leaf whose entry and hash are not of each other, and */
    bool has_odd;
};

static enum err damaged(struct checking *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static enum err damaged(struct checking *c, const char *format, ...)
{
    char text[160];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return diag_set(c->diag, ERR_CORRUPT, c->dir, 0, "%s", text);
}

static enum err read_checkpoint(struct checking *c, const struct note_verifier *verifier)
{
    char path[FILE_PATH_MAX];
    struct buf note;
    struct str text;
    buf_init(&note, NOTE_MAX);
    enum err err = file_join(path, c->dir, "checkpoint");
    if (!err)
        err = file_read(path, &note);
    if (err)
        err = diag_set(c->diag, err, path, 0, "the checkpoint cannot be read (%s)", err_text(err));
    else if ((err = note_open(buf_str(&note), verifier, &text, c->diag)) || (err = checkpoint_parse(text, &c->checkpoint, c->diag)))
        err = diag_set(c->diag, err == ERR_CRYPTO ? ERR_CRYPTO : ERR_CORRUPT, path, 0, "this is no checkpoint of the log by this key");
    c->checkpoint.origin = STR_NONE; /* it borrows */
    buf_finish(&note);
    return err;
}

/* ---- level 0 and the entries ---- */

static enum err passed(void *context, uint32_t level, uint64_t tile, const struct sha256 hashes[MERKLE_TILE])
{
    return ERR_OK; /* the edge alone is wanted */
}

static enum err add_leaf(struct checking *c, uint64_t index, struct str entry, const struct sha256 *told)
{
    struct sha256 hash = merkle_leaf_hash(entry);
    if (!c->has_odd && memcmp(&hash, told, sizeof hash) != 0) {
        c->has_odd = true;
        c->odd = index;
    }
    enum err err = merkle_edge_add(c->entries, &hash, passed, NULL);
    return err ? err : merkle_edge_add(c->tiles, told, passed, NULL);
}

static enum err check_bundle(struct checking *c, uint64_t n, size_t width)
{
    size_t at = 0;
    struct str entry;
    buf_reset(&c->bundle);
    enum err err = tile_read(c->dir, 0, n, width, c->hashes);
    if (err == ERR_NOT_FOUND || err == ERR_CORRUPT)
        return damaged(c, "tile/0/%03" PRIu64 " is missing or too short", n);
    if (!err)
        err = tile_read_bundle(c->dir, n, width, &c->bundle);
    if (err == ERR_NOT_FOUND || err == ERR_CORRUPT)
        return damaged(c, "tile/entries/%03" PRIu64 " is missing or too short", n);
    for (size_t i = 0; !err && i < width; i++) {
        err = tile_bundle_entry(str_slice(buf_str(&c->bundle), at, c->bundle.len), 0, &entry);
        if (err == ERR_CORRUPT) /* a length before it was changed, or its own */
            return c->has_odd ? damaged(c, "entry %" PRIu64 ", or a length up to it", c->odd)
                              : damaged(c, "entry %" PRIu64 ": its length leads past its bundle", n * MERKLE_TILE + i);
        if (!err)
            err = add_leaf(c, n * MERKLE_TILE + i, entry, &c->hashes[i]);
        at += 2 + entry.len;
    }
    if (!err && width == MERKLE_TILE && at != c->bundle.len && !c->has_odd)
        err = damaged(c, "tile/entries/%03" PRIu64 " holds more than its entries", n);
    return err;
}

/* Entries or hashes: the checkpoint knows which of them it was made over. */
static enum err judge(struct checking *c)
{
    struct sha256 by_entries = merkle_edge_root(c->entries), by_tiles = merkle_edge_root(c->tiles);
    bool are_entries = memcmp(&by_entries, &c->checkpoint.root, sizeof by_entries) == 0;
    bool are_tiles = memcmp(&by_tiles, &c->checkpoint.root, sizeof by_tiles) == 0;
    if (!c->has_odd)
        return are_tiles ? ERR_OK : damaged(c, "entries and tiles are of each other, and not of the checkpoint's root");
    if (are_entries)
        return damaged(c, "hash %" PRIu64 " of tile/0/%03" PRIu64, c->odd % MERKLE_TILE, c->odd / MERKLE_TILE);
    if (are_tiles)
        return damaged(c, "entry %" PRIu64, c->odd);
    return damaged(c, "entry %" PRIu64 " or its hash, and more behind it", c->odd);
}

/* ---- the levels above ---- */

static enum err check_level(struct checking *c, uint32_t level)
{
    uint64_t n = merkle_level_size(c->checkpoint.size, level);
    enum err err = ERR_OK;
    for (uint64_t at = 0; at < n && !err; at++) {
        size_t slot = (size_t)(at % MERKLE_TILE), width = n - (at - slot) < MERKLE_TILE ? (size_t)(n - (at - slot)) : MERKLE_TILE;
        if (slot == 0)
            err = tile_read(c->dir, (int)level, at / MERKLE_TILE, width, c->above);
        if (err == ERR_NOT_FOUND || err == ERR_CORRUPT)
            return damaged(c, "tile/%u/%03" PRIu64 " is missing or too short", level, at / MERKLE_TILE);
        if (!err)
            err = tile_read(c->dir, (int)level - 1, at, MERKLE_TILE, c->hashes);
        if (err == ERR_NOT_FOUND || err == ERR_CORRUPT)
            return damaged(c, "tile/%u/%03" PRIu64 " is missing or too short", level - 1, at);
        struct sha256 folded = merkle_fold(c->hashes, MERKLE_TILE);
        if (!err && memcmp(&folded, &c->above[slot], sizeof folded) != 0)
            err = damaged(c, "hash %zu of tile/%u/%03" PRIu64, slot, level, at / MERKLE_TILE);
    }
    return err;
}

static enum err check_all(struct checking *c)
{
    enum err err = ERR_OK;
    for (uint64_t from = 0; from < c->checkpoint.size && !err; from += MERKLE_TILE) {
        uint64_t left = c->checkpoint.size - from;
        err = check_bundle(c, from / MERKLE_TILE, left < MERKLE_TILE ? (size_t)left : MERKLE_TILE);
    }
    if (!err && c->checkpoint.size > 0)
        err = judge(c);
    for (uint32_t level = 1; level < MERKLE_LEVELS && merkle_level_size(c->checkpoint.size, level) > 0 && !err; level++)
        err = check_level(c, level);
    return err;
}

/* A log that is being written drops the partial tiles of a checkpoint when the next one stands: then it is looked at anew. */
static enum err check_as_it_stands(struct checking *c, const struct note_verifier *verifier)
{
    enum err err = read_checkpoint(c, verifier);
    for (int i = 0; !err && i < ROUNDS_MAX; i++) {
        uint64_t size = c->checkpoint.size;
        *c->entries = *c->tiles = (struct merkle_edge){0};
        c->has_odd = false;
        err = check_all(c);
        if (err != ERR_CORRUPT)
            return err;
        struct diag kept = *c->diag;
        err = read_checkpoint(c, verifier);
        if (!err && c->checkpoint.size == size) {
            *c->diag = kept;
            return ERR_CORRUPT;
        }
    }
    return err ? err : diag_set(c->diag, ERR_BUSY, c->dir, 0, "the log grows faster than it can be looked at; look at a copy of it");
}

enum err ledger_check(const char *dir, const struct note_verifier *verifier, struct ledger_checked *ret_checked, struct diag *diag)
{
    struct checking *c = mem_alloc_zero(1, sizeof *c);
    if (!c)
        return ERR_NO_MEMORY;
    c->dir = dir;
    c->diag = diag;
    c->entries = mem_alloc_zero(1, sizeof *c->entries);
    c->tiles = mem_alloc_zero(1, sizeof *c->tiles);
    buf_init(&c->bundle, TILE_BUNDLE_MAX + 1);
    enum err err = c->entries && c->tiles ? check_as_it_stands(c, verifier) : ERR_NO_MEMORY;
    if (!err)
        ret_checked->size = c->checkpoint.size;
    buf_finish(&c->bundle);
    mem_free(c->entries);
    mem_free(c->tiles);
    mem_free(c);
    return err;
}
