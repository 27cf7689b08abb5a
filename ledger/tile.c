/*
 * A log's tiles and entry bundles as files. See ledger/tile.h.
 */
#include "ledger/tile.h"

#include "base/bytes.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- paths ---- */

/* "x001/x234/067": groups of three digits, all but the last with an x before them. */
static void number_path(uint64_t n, char out[40])
{
    char text[40];
    size_t at = sizeof text;
    text[--at] = 0;
    for (bool is_last = true; is_last || n > 0; is_last = false, n /= 1000) {
        at -= is_last ? 3 : 5;
        snprintf(text + at, is_last ? 4 : 6, is_last ? "%03u" : "x%03u", (unsigned)(n % 1000));
        text[at + (is_last ? 3 : 4)] = is_last ? 0 : '/';
    }
    memcpy(out, text + at, sizeof text - at);
}

static enum err format_path(char out[FILE_PATH_MAX], const char *dir, int level, uint64_t n, const char *suffix)
{
    char number[40], name[16] = "entries";
    number_path(n, number);
    if (level != TILE_ENTRIES)
        snprintf(name, sizeof name, "%d", level);
    int len = snprintf(out, FILE_PATH_MAX, "%s/tile/%s/%s%s", dir, name, number, suffix);
    return len < 0 || len >= FILE_PATH_MAX ? ERR_TOO_LARGE : ERR_OK;
}

/* Letters of "entries", digits, "x", ".p". No way up. */
bool tile_is_path(struct str path)
{
    bool is_fine = path.len > 0 && path.len <= TILE_PATH_MAX;
    for (size_t i = 0; i < path.len && is_fine; i++) {
        char c = path.ptr[i];
        bool is_dot = c == '.' && i + 1 < path.len && path.ptr[i + 1] == 'p';
        is_fine = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || is_dot || (c == '/' && i > 0 && path.ptr[i - 1] != '/');
    }
    return is_fine;
}

enum err tile_path(char out[FILE_PATH_MAX], const char *dir, int level, uint64_t n, size_t width)
{
    assert(width >= 1 && width <= MERKLE_TILE);
    char suffix[16] = "";
    if (width < MERKLE_TILE)
        snprintf(suffix, sizeof suffix, ".p/%zu", width);
    return format_path(out, dir, level, n, suffix);
}

enum err tile_partial_dir(char out[FILE_PATH_MAX], const char *dir, int level, uint64_t n)
{
    return format_path(out, dir, level, n, ".p");
}

/* ---- reading ---- */

static enum err read_exactly(const char *path, void *ptr, size_t len)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_IO;
    enum err err = file_read_at(fd, ptr, len, 0);
    close(fd);
    return err;
}

enum err tile_read(const char *dir, int level, uint64_t n, size_t width, struct sha256 *ret_hashes)
{
    char path[FILE_PATH_MAX];
    enum err err = tile_path(path, dir, level, n, width);
    if (!err)
        err = read_exactly(path, ret_hashes, width * sizeof *ret_hashes);
    if (err != ERR_NOT_FOUND || width == MERKLE_TILE)
        return err;
    /* the tile has become full since, and its partial forms were removed */
    err = tile_path(path, dir, level, n, MERKLE_TILE);
    return err ? err : read_exactly(path, ret_hashes, width * sizeof *ret_hashes);
}

enum err tile_read_bundle(const char *dir, uint64_t n, size_t width, struct buf *out)
{
    char path[FILE_PATH_MAX];
    enum err err = tile_path(path, dir, TILE_ENTRIES, n, width);
    if (!err)
        err = file_read(path, out);
    if (err != ERR_NOT_FOUND || width == MERKLE_TILE)
        return err;
    err = tile_path(path, dir, TILE_ENTRIES, n, MERKLE_TILE);
    return err ? err : file_read(path, out);
}

enum err tile_bundle_entry(struct str bundle, size_t at, struct str *ret_entry)
{
    struct bytes_reader reader;
    struct str entry = STR_NONE;
    bytes_reader_init(&reader, bundle.ptr, bundle.len);
    for (size_t i = 0; i <= at && !reader.err; i++)
        entry = bytes_read_str(&reader, bytes_read_u16be(&reader));
    if (reader.err)
        return ERR_CORRUPT;
    *ret_entry = entry;
    return ERR_OK;
}

/* ---- the cache ---- */

struct cached_tile {
    int level;
    uint64_t n;
    size_t width; /* hashes held; 0: the place is free */
    uint64_t used;
    struct sha256 hashes[MERKLE_TILE];
};

struct tile_cache {
    char dir[FILE_PATH_MAX];
    pthread_mutex_t mutex; /* guards the rest; not held while reading files */
    uint64_t clock;
    struct cached_tile tiles[TILE_CACHE_MAX];
};

enum err tile_cache_create(const char *dir, struct tile_cache **ret_cache)
{
    struct tile_cache *cache = mem_alloc_zero(1, sizeof *cache);
    if (!cache)
        return ERR_NO_MEMORY;
    enum err err = str_to_c(str_from_c(dir), cache->dir, sizeof cache->dir);
    if (err) {
        mem_free(cache);
        return err;
    }
    pthread_mutex_init(&cache->mutex, NULL);
    *ret_cache = cache;
    return ERR_OK;
}

void tile_cache_destroy(struct tile_cache *cache)
{
    if (!cache)
        return;
    pthread_mutex_destroy(&cache->mutex);
    mem_free(cache);
}

/* Under the mutex. The place of this tile, or else the one to be given up. */
static struct cached_tile *find_place(struct tile_cache *cache, int level, uint64_t n)
{
    struct cached_tile *oldest = &cache->tiles[0];
    for (size_t i = 0; i < TILE_CACHE_MAX; i++) {
        struct cached_tile *tile = &cache->tiles[i];
        if (tile->width > 0 && tile->level == level && tile->n == n)
            return tile;
        if (tile->used < oldest->used)
            oldest = tile;
    }
    return oldest;
}

static bool find_hashes(struct tile_cache *cache, int level, uint64_t n, size_t at, size_t n_hashes, struct sha256 *ret_hashes)
{
    pthread_mutex_lock(&cache->mutex);
    struct cached_tile *tile = find_place(cache, level, n);
    bool is_there = tile->width >= at + n_hashes && tile->level == level && tile->n == n;
    if (is_there) {
        tile->used = ++cache->clock;
        memcpy(ret_hashes, tile->hashes + at, n_hashes * sizeof *ret_hashes);
    }
    pthread_mutex_unlock(&cache->mutex);
    return is_there;
}

static void keep_tile(struct tile_cache *cache, int level, uint64_t n, size_t width, const struct sha256 *hashes)
{
    pthread_mutex_lock(&cache->mutex);
    struct cached_tile *tile = find_place(cache, level, n);
    bool is_wider = tile->level == level && tile->n == n && tile->width >= width; /* another thread's, read since */
    if (!is_wider) {
        tile->level = level;
        tile->n = n;
        tile->width = width;
        memcpy(tile->hashes, hashes, width * sizeof *hashes);
    }
    tile->used = ++cache->clock;
    pthread_mutex_unlock(&cache->mutex);
}

static enum err source_read(struct merkle_source *base, uint32_t level, uint64_t first, size_t n_hashes, struct sha256 *ret_hashes)
{
    struct tile_source *source = (struct tile_source *)(void *)base; /* its first member */
    uint64_t n = first / MERKLE_TILE, left = merkle_level_size(source->size, level) - n * MERKLE_TILE;
    size_t at = (size_t)(first % MERKLE_TILE), width = left < MERKLE_TILE ? (size_t)left : MERKLE_TILE;
    assert(at + n_hashes <= width);
    if (find_hashes(source->cache, (int)level, n, at, n_hashes, ret_hashes))
        return ERR_OK;
    struct sha256 hashes[MERKLE_TILE];
    enum err err = tile_read(source->cache->dir, (int)level, n, width, hashes);
    if (err)
        return err == ERR_NOT_FOUND ? ERR_CORRUPT : err; /* under a checkpoint every tile is there */
    keep_tile(source->cache, (int)level, n, width, hashes);
    memcpy(ret_hashes, hashes + at, n_hashes * sizeof *hashes);
    return ERR_OK;
}

void tile_source_init(struct tile_source *source, struct tile_cache *cache, uint64_t size)
{
    *source = (struct tile_source){.source = {.read = source_read}, .cache = cache, .size = size};
}
