/*
 * The whole state of the core as bytes, so that a restart leaves no dent in the curve: what is read goes on as if nothing had been.
 *
 *     "cbcount\n", u32 version, the network's digest and what the state's shape depends on, the owner's own bytes, the state;
 *     at the end SHA-256 of all before it. Numbers are little-endian, reals are IEEE 754 bits.
 *
 * The same events after it give the same figures, bit for bit; only what the table of ways remembers is asked anew. Floating cars
 * under way (gps.h) are not in it. Read with checked bounds: every number must be one that the core can have had. A snapshot of another
 * version, network, set of areas or windows is refused, whole.
 */
#ifndef SCENE_COUNT_SNAPSHOT_H
#define SCENE_COUNT_SNAPSHOT_H

#include "base/buf.h"
#include "base/diag.h"
#include "scene/count/core.h"

#define COUNT_SNAPSHOT_VERSION 9u
#define COUNT_SNAPSHOT_MAX ((size_t)2 << 30)

/* Appends the state without its seal (scene/keeper.h); `extra`: the owner's own. Fails as `out` does: look at out->err; ERR_RANGE: a number
 * that cannot be, which a reader would refuse. */
void count_snapshot_write(const struct count *count, struct str extra, struct buf *out);
/* The owner's bytes alone, borrowed from `bytes`, of which the digest and the version are looked at, and no more. ERR_CORRUPT,
 * ERR_UNSUPPORTED, as below. */
enum err count_snapshot_owner(struct str bytes, struct diag *diag, struct str *ret_extra) MUST_CHECK;
/* A new core with that state, and the owner's bytes, borrowed from `bytes`. What is wrong is told in `diag`: ERR_CORRUPT (not a snapshot,
 * or not whole, or a number that cannot be), ERR_UNSUPPORTED (another version), ERR_STATE (of another city or settings), ERR_NO_MEMORY. */
enum err count_snapshot_read(struct str bytes, const struct count_settings *settings, const struct count_map *map, struct diag *diag,
    struct str *ret_extra, struct count **ret_count) MUST_CHECK;

#endif
