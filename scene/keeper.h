/*
 * Keeps the newest snapshot of a scene in a file: sealed, written beside it, synced and renamed, on a thread of its own, so that the scene
 * waits for no disk. One at a time: while one is being written, the next has to wait. A disk that refuses is logged, and the older snapshot
 * stays.
 */
#ifndef SCENE_KEEPER_H
#define SCENE_KEEPER_H

#include "base/buf.h"
#include "base/file.h"

#include <stdbool.h>

struct scene_keeper;

#define SCENE_SEAL_LEN 32

/* Appends SHA-256 of all that is in `out`; takes a while with a large one. */
void scene_seal(struct buf *out);
/* The bytes without their seal, borrowed. False: they are not whole. */
bool scene_unseal(struct str bytes, struct str *ret_body) MUST_CHECK;

/* DATA/SCENE/AREA.PARTY.snapshot. ERR_TOO_LARGE. */
enum err scene_keeper_path(const char *data_dir, const char *scene, struct str party, char path[FILE_PATH_MAX]) MUST_CHECK;
/* `path` is copied; its folder is made. `max`: bytes of a snapshot. `log_name`, such as "scene/count", is borrowed. ERR_NO_MEMORY,
 * ERR_TOO_LARGE, ERR_IO, ERR_DISK_FULL. */
enum err scene_keeper_create(const char *path, size_t max, const char *log_name, struct scene_keeper **ret_keeper) MUST_CHECK;
/* Empty and ready to be written into, or NULL while the one before is on its way. Owner's thread. */
struct buf *scene_keeper_begin(struct scene_keeper *keeper);
/* What was begun is whole: it is sealed and goes to the disk. One that failed (its err) is logged and forgotten. */
void scene_keeper_commit(struct scene_keeper *keeper);
/* False: what was committed is on its way. Otherwise *ret_err is how the last one ended: ERR_OK, it is on the disk. */
bool scene_keeper_is_idle(struct scene_keeper *keeper, enum err *ret_err);
/* Waits for what is on its way: scene_keeper_begin() answers after it. */
void scene_keeper_wait(struct scene_keeper *keeper);
/* Waits, too. Takes NULL. */
void scene_keeper_destroy(struct scene_keeper *keeper);

#endif
