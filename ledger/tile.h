/*
 * A log's tiles and entry bundles as files (C2SP tlog-tiles): their paths, reading them, and a small cache. Writing is the builder's.
 *
 *     <dir>/checkpoint
 *     <dir>/tile/<level>/<N>              256 hashes of 32 bytes; N in groups of three digits: 1234067 is x001/x234/067
 *     <dir>/tile/<level>/<N>.p/<W>        a partial tile of W hashes
 *     <dir>/tile/entries/<N>[.p/<W>]      the entries themselves: length (16 bits, big-endian) and bytes, W or 256 times
 */
#ifndef LEDGER_TILE_H
#define LEDGER_TILE_H

#include "base/file.h"
#include "ledger/merkle.h"

#define TILE_ENTRIES (-1) /* instead of a level: entry bundles */
#define TILE_BUNDLE_MAX ((size_t)MERKLE_TILE * (2 + 65535))
#define TILE_PATH_MAX 200 /* bytes of what is asked for behind "tile/" */
#define TILE_CACHE_MAX 64 /* tiles of 8 KiB: a few proofs' worth at each level of the largest log */

/* `width` 1 to 256; 256 is the full tile. ERR_TOO_LARGE. */
enum err tile_path(char out[FILE_PATH_MAX], const char *dir, int level, uint64_t n, size_t width) MUST_CHECK;
/* The folder of a tile's partial forms, "….p". */
enum err tile_partial_dir(char out[FILE_PATH_MAX], const char *dir, int level, uint64_t n) MUST_CHECK;

/* Is `path`, which somebody asks for behind "tile/", of letters that a tile's path can have: nothing that leads elsewhere. */
bool tile_is_path(struct str path);

/* At least `width` hashes of a tile, from its partial form or, when that is gone, from the full one. ERR_NOT_FOUND, ERR_IO, ERR_CORRUPT
 * (too short). */
enum err tile_read(const char *dir, int level, uint64_t n, size_t width, struct sha256 *ret_hashes) MUST_CHECK;
/* The bundle that holds at least `width` entries, appended to `out`. */
enum err tile_read_bundle(const char *dir, uint64_t n, size_t width, struct buf *out) MUST_CHECK;
/* Entry number `at` of a bundle. ERR_CORRUPT: the bundle is too short. Borrows. */
enum err tile_bundle_entry(struct str bundle, size_t at, struct str *ret_entry) MUST_CHECK;

/* Tiles lately read, least used first out. Thread-safe. As a merkle_source it serves the tree of one size. */
struct tile_cache;
enum err tile_cache_create(const char *dir, struct tile_cache **ret_cache) MUST_CHECK; /* dir is copied */
void tile_cache_destroy(struct tile_cache *cache);                                     /* takes NULL */

struct tile_source {
    struct merkle_source source;
    struct tile_cache *cache; /* borrowed */
    uint64_t size;
};
void tile_source_init(struct tile_source *source, struct tile_cache *cache, uint64_t size);

#endif
