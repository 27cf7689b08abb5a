/*
 * What the core knows of the day as bytes, so that a restart forgets nobody who was in a zone today, and finds no breach of today twice.
 *
 *     "cbzones\n", u32 version, SHA-256 of the zones' names, outlines and areas, times, each zone's figures, each
 *     area's, the vehicles. Numbers big-endian.
 *
 * Written are the vehicles of the day, and those that are in a zone: by the hash of their pseudonym, no plate. Neither checks that wait (a
 * replay of the stream brings them back) nor what was answered about passes. Read with checked bounds: a snapshot of another version or of
 * other zones, or with a number that cannot be, is refused, whole. The seal is the keeper's (scene/keeper.h).
 */
#ifndef SCENE_ZONE_SNAPSHOT_H
#define SCENE_ZONE_SNAPSHOT_H

#include "base/buf.h"
#include "scene/zone/core.h"

#define ZONE_SNAPSHOT_VERSION 3u
#define ZONE_SNAPSHOT_MAX ((size_t)1 << 30) /* 16 million vehicles are 600 MB */

/* Appends; fails as `out` does: look at out->err. */
void zone_snapshot_write(const struct zone_core *core, struct buf *out);
/* A new core with that state, and up to when it had come. ERR_CORRUPT; ERR_UNSUPPORTED: of another version; ERR_STATE: of other zones;
 * ERR_NO_MEMORY. `zones` as in zone_create(). */
enum err zone_snapshot_read(struct str bytes, const struct zone_settings *settings, const struct zones *zones, struct zone_core **ret_core,
    int64_t *ret_until_ms) MUST_CHECK;

#endif
