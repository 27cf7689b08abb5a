/*
 * From durable leaves to a published log. See ledger/builder.h for the order of work and why it can be taken up anywhere.
 */
#include "ledger/builder.h"

#include "base/mem.h"
#include "ledger/tile.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- files, synced some hundred at a time ---- */

static enum err sync_written(struct builder *builder)
{
    enum err err = ERR_OK;
    if (builder->n_fds > 0 && builder->files->sync(builder->files, builder->fds, builder->n_fds) != 0)
        err = err_from_errno(errno);
    for (size_t i = 0; i < builder->n_fds; i++)
        close(builder->fds[i]);
    builder->n_fds = 0;
    for (size_t i = 0; i < builder->n_dirs; i++) {
        if (!err && builder->files->sync_dir(builder->files, builder->dirs[i]) != 0)
            err = err_from_errno(errno);
        mem_free(builder->dirs[i]);
    }
    builder->n_dirs = 0;
    return err;
}

/* Keeps in mind that the folder has a new name. There is room. */
static enum err note_dir(struct builder *builder, const char *dir)
{
    for (size_t i = 0; i < builder->n_dirs; i++)
        if (strcmp(builder->dirs[i], dir) == 0)
            return ERR_OK;
    size_t size = strlen(dir) + 1;
    char *copy = mem_alloc(size);
    if (!copy)
        return ERR_NO_MEMORY;
    memcpy(copy, dir, size);
    builder->dirs[builder->n_dirs++] = copy;
    return ERR_OK;
}

/* The file may be there from before a crash, whole or torn, with the same bytes or fewer; a reader never sees them change. */
static enum err write_file(struct builder *builder, const char *path, const void *bytes, size_t len)
{
    char dir[FILE_PATH_MAX];
    enum err err = ERR_OK;
    if (builder->n_fds == BUILDER_FILES_MAX || builder->n_dirs == BUILDER_DIRS_MAX)
        err = sync_written(builder);
    memcpy(dir, path, strlen(path) + 1);
    *strrchr(dir, '/') = 0;
    if (!err)
        err = note_dir(builder, dir);
    if (err)
        return err;
    int fd = builder->files->open(builder->files, path);
    if (fd < 0 && errno == ENOENT) {
        err = file_make_dirs(builder->files, dir);
        if (err)
            return err;
        fd = builder->files->open(builder->files, path);
    }
    if (fd < 0)
        return err_from_errno(errno);
    builder->fds[builder->n_fds++] = fd;
    err = file_write_all(builder->files, fd, bytes, len, 0);
    /* the disk may begin; waiting is for sync_written(), which then finds most of the work done */
    if (!err)
        sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    return err;
}

/* ---- leaves ---- */

static enum err write_full_tile(void *context, uint32_t level, uint64_t n, const struct sha256 hashes[MERKLE_TILE])
{
    struct builder *builder = context;
    char path[FILE_PATH_MAX];
    enum err err = tile_path(path, builder->dir, (int)level, n, MERKLE_TILE);
    if (!err)
        err = write_file(builder, path, hashes, MERKLE_TILE * sizeof *hashes);
    if (err || level > 0)
        return err;
    err = tile_path(path, builder->dir, TILE_ENTRIES, n, MERKLE_TILE);
    if (!err)
        err = write_file(builder, path, builder->entries.ptr, builder->entries.len);
    buf_reset(&builder->entries);
    return err;
}

enum err builder_add(struct builder *builder, struct str leaf)
{
    assert(leaf.len <= UINT16_MAX);
    char length[2] = {(char)(leaf.len >> 8), (char)leaf.len};
    buf_append(&builder->entries, length, sizeof length);
    buf_append_str(&builder->entries, leaf);
    if (builder->entries.err)
        return builder->entries.err;
    struct sha256 hash = merkle_leaf_hash_by(builder->edge.by, leaf);
    return merkle_edge_add(&builder->edge, &hash, write_full_tile, builder);
}

/* ---- publishing ---- */

/* The partial tile at the right edge of each level, where it differs from what was prepared last. */
static enum err write_partial_tiles(struct builder *builder)
{
    enum err err = ERR_OK;
    for (uint32_t level = 0; level < MERKLE_LEVELS && !err; level++) {
        uint64_t size = merkle_level_size(builder->edge.size, level);
        size_t width = (size_t)(size % MERKLE_TILE);
        if (width == 0 || size == merkle_level_size(builder->prepared, level))
            continue;
        char path[FILE_PATH_MAX];
        err = tile_path(path, builder->dir, (int)level, size / MERKLE_TILE, width);
        if (!err)
            err = write_file(builder, path, builder->edge.hashes[level], width * sizeof(struct sha256));
        if (err || level > 0)
            continue;
        err = tile_path(path, builder->dir, TILE_ENTRIES, size / MERKLE_TILE, width);
        if (!err)
            err = write_file(builder, path, builder->entries.ptr, builder->entries.len);
    }
    return err;
}

static enum err remove_dir_of_partials(struct builder *builder, int level, uint64_t n)
{
    char dir[FILE_PATH_MAX], path[FILE_PATH_MAX];
    enum err err = tile_partial_dir(dir, builder->dir, level, n);
    if (err)
        return err;
    DIR *entries = opendir(dir);
    if (!entries)
        return errno == ENOENT ? ERR_OK : ERR_IO;
    for (struct dirent *entry; !err && (entry = readdir(entries));) {
        if (entry->d_name[0] == '.')
            continue;
        err = file_join(path, dir, entry->d_name);
        if (!err && builder->files->remove(builder->files, path) != 0)
            err = err_from_errno(errno);
    }
    closedir(entries);
    if (!err && builder->files->remove(builder->files, dir) != 0)
        err = err_from_errno(errno);
    return err;
}

/* Every tile that became full since then; after a start since the published checkpoint, so also those that a killed process began, of which
 * nobody knows any more. */
static enum err remove_old_partials(struct builder *builder)
{
    enum err err = ERR_OK;
    for (uint32_t level = 0; level < MERKLE_LEVELS && !err; level++) {
        uint64_t from = merkle_level_size(builder->prepared, level) / MERKLE_TILE;
        uint64_t to = merkle_level_size(builder->edge.size, level) / MERKLE_TILE;
        for (uint64_t n = from; n < to && !err; n++) {
            err = remove_dir_of_partials(builder, (int)level, n);
            if (!err && level == 0)
                err = remove_dir_of_partials(builder, TILE_ENTRIES, n);
        }
    }
    return err;
}

static enum err sign_checkpoint(struct builder *builder)
{
    struct checkpoint checkpoint = {.origin = builder->origin, .size = builder->edge.size, .root = merkle_edge_root(&builder->edge)};
    struct buf text;
    buf_init(&text, NOTE_MAX);
    checkpoint_write(&checkpoint, &text);
    buf_reset(&builder->pending);
    enum err err = text.err;
    if (!err)
        err = builder->key.sm2 ? note_sign_sm2(buf_str(&text), builder->origin, builder->key.sm2, &builder->pending)
                               : note_sign(buf_str(&text), builder->origin, builder->key.ed25519, &builder->pending);
    buf_finish(&text);
    return err;
}

enum err builder_prepare(struct builder *builder)
{
    if (builder->edge.size == builder->prepared && builder->pending.len > 0)
        return ERR_OK;
    enum err err = write_partial_tiles(builder);
    if (!err)
        err = sync_written(builder);
    if (!err)
        err = remove_old_partials(builder);
    if (!err)
        err = sign_checkpoint(builder);
    if (!err)
        builder->prepared = builder->edge.size;
    return err;
}

enum err builder_release(struct builder *builder, struct str note)
{
    char path[FILE_PATH_MAX];
    enum err err = file_join(path, builder->dir, "checkpoint");
    if (!err)
        err = file_replace(builder->files, path, note);
    if (err)
        return err;
    buf_reset(&builder->note);
    buf_append_str(&builder->note, note);
    builder->published = builder->prepared;
    return builder->note.err;
}

enum err builder_publish(struct builder *builder)
{
    if (builder->edge.size == builder->published)
        return ERR_OK;
    enum err err = builder_prepare(builder);
    return err ? err : builder_release(builder, buf_str(&builder->pending));
}

/* ---- taking up a log ---- */

static enum err read_checkpoint(struct builder *builder, const char *path, struct checkpoint *ret_checkpoint, struct diag *diag)
{
    struct note_verifier verifier = {.name = builder->origin, .type = builder->key.sm2 ? NOTE_SM2 : NOTE_LOG};
    struct str text;
    struct diag cause = {""};
    if (builder->key.sm2) {
        struct sign_public public_key;
        sign_key_public(builder->key.sm2, &public_key);
        memcpy(verifier.key, public_key.bytes, sizeof public_key.bytes);
    } else {
        crypto_key_public(builder->key.ed25519, verifier.key);
    }
    enum err err = note_key_id(builder->origin, verifier.type, verifier.key, &verifier.id);
    if (!err)
        err = note_open(buf_str(&builder->note), &verifier, &text, &cause);
    if (!err)
        err = checkpoint_parse(text, ret_checkpoint, &cause);
    if (err == ERR_NO_MEMORY)
        return err;
    if (err)
        return diag_set(
            diag, ERR_CORRUPT, path, 0, "%s; restore the file, and check that the log's key is the one that made it", cause.text);
    if (!str_equal(ret_checkpoint->origin, builder->origin))
        return diag_set(diag, ERR_CORRUPT, path, 0, "the checkpoint is of log \"" STR_FORMAT "\", not \"" STR_FORMAT "\"; name its folder",
            STR_ARG(ret_checkpoint->origin), STR_ARG(builder->origin));
    return ERR_OK;
}

/* The entries of the last bundle have to hash to the last tile of level 0. */
static enum err read_last_bundle(struct builder *builder, struct diag *diag)
{
    uint64_t n = builder->edge.size / MERKLE_TILE;
    size_t width = (size_t)(builder->edge.size % MERKLE_TILE), len = 0;
    if (width == 0)
        return ERR_OK;
    char path[FILE_PATH_MAX] = "";
    enum err err = tile_path(path, builder->dir, TILE_ENTRIES, n, width);
    if (!err)
        err = tile_read_bundle(builder->dir, n, width, &builder->entries);
    for (size_t i = 0; i < width && !err; i++) {
        struct str rest = str_slice(buf_str(&builder->entries), len, builder->entries.len), entry;
        err = tile_bundle_entry(rest, 0, &entry);
        if (err)
            break;
        struct sha256 hash = merkle_leaf_hash_by(builder->edge.by, entry);
        if (memcmp(&hash, &builder->edge.hashes[0][i], sizeof hash) != 0)
            err = ERR_CORRUPT;
        len += 2 + entry.len;
    }
    if (err == ERR_NO_MEMORY)
        return err;
    if (err)
        return diag_set(diag, ERR_CORRUPT, path, 0, "the entry bundle is missing, or not that of its tile; restore the file from a copy");
    builder->entries.len = len; /* of a full bundle only what the checkpoint covers */
    return ERR_OK;
}

static enum err read_edge(struct builder *builder, const char *checkpoint_path, const struct checkpoint *checkpoint, struct diag *diag)
{
    builder->edge.size = checkpoint->size;
    for (uint32_t level = 0; level < MERKLE_LEVELS; level++) {
        uint64_t size = merkle_level_size(checkpoint->size, level);
        size_t width = (size_t)(size % MERKLE_TILE);
        if (width == 0)
            continue;
        char path[FILE_PATH_MAX] = "";
        enum err err = tile_path(path, builder->dir, (int)level, size / MERKLE_TILE, width);
        if (!err)
            err = tile_read(builder->dir, (int)level, size / MERKLE_TILE, width, builder->edge.hashes[level]);
        if (err)
            return diag_set(diag, ERR_CORRUPT, path, 0, "the tile is missing or too short; restore the file from a copy");
    }
    struct sha256 root = merkle_edge_root(&builder->edge);
    if (memcmp(&root, &checkpoint->root, sizeof root) != 0)
        return diag_set(diag, ERR_CORRUPT, checkpoint_path, 0,
            "the tiles at the log's right edge do not give the checkpoint's root for %" PRIu64 " leaves; restore the tiles from a copy",
            checkpoint->size);
    return read_last_bundle(builder, diag);
}

enum err builder_init(
    struct builder *builder, struct file_ops *files, const char *dir, struct str origin, struct builder_key key, struct diag *diag)
{
    builder->files = files;
    builder->dir = dir;
    builder->origin = origin;
    builder->key = key;
    builder->edge.by = key.sm2 ? MERKLE_SM3 : MERKLE_SHA256;
    builder->published = builder->prepared = builder->edge.size = 0;
    builder->n_fds = builder->n_dirs = 0;
    buf_init(&builder->note, NOTE_MAX);
    buf_init(&builder->pending, NOTE_MAX);
    buf_init(&builder->entries, TILE_BUNDLE_MAX);
    char path[FILE_PATH_MAX];
    if (!note_is_key_name(origin))
        return diag_set(diag, ERR_RANGE, NULL, 0, "the log's name \"" STR_FORMAT "\" is empty or holds a space or '+'", STR_ARG(origin));
    enum err err = file_join(path, dir, "checkpoint");
    if (!err)
        err = file_read(path, &builder->note);
    if (err == ERR_NOT_FOUND)
        return ERR_OK; /* a new log, or one that was killed before its first checkpoint */
    if (err)
        return diag_set(diag, err, path, 0, "the checkpoint cannot be read (%s)", err_text(err));
    struct checkpoint checkpoint;
    err = read_checkpoint(builder, path, &checkpoint, diag);
    if (!err)
        err = read_edge(builder, path, &checkpoint, diag);
    if (!err)
        builder->published = builder->prepared = checkpoint.size;
    return err;
}

void builder_finish(struct builder *builder)
{
    for (size_t i = 0; i < builder->n_fds; i++)
        close(builder->fds[i]);
    for (size_t i = 0; i < builder->n_dirs; i++)
        mem_free(builder->dirs[i]);
    builder->n_fds = builder->n_dirs = 0;
    buf_finish(&builder->note);
    buf_finish(&builder->pending);
    buf_finish(&builder->entries);
}
