/*
 * Keeps the newest snapshot of a count in a file: sealed, written beside it, synced and renamed, on a thread of its own, so that the count
 * waits for no disk. One at a time: while one is being written, the next has to wait. A disk that refuses is logged, and the older snapshot
 * stays.
 */
#ifndef SCENE_COUNT_KEEPER_H
#define SCENE_COUNT_KEEPER_H

#include "base/buf.h"

#include <stdbool.h>

struct count_keeper;

/* `path` is copied; its folder is made. ERR_NO_MEMORY, ERR_TOO_LARGE, ERR_IO, ERR_DISK_FULL. */
enum err count_keeper_create(const char *path, struct count_keeper **ret_keeper) MUST_CHECK;
/* Empty and ready to be written into, or NULL while the one before is on its way. Owner's thread. */
struct buf *count_keeper_begin(struct count_keeper *keeper);
/* What was begun is whole: it is sealed and goes to the disk. One that failed (its err) is logged and forgotten. */
void count_keeper_commit(struct count_keeper *keeper);
/* Waits for what is on its way: count_keeper_begin() answers after it. */
void count_keeper_wait(struct count_keeper *keeper);
/* Waits, too. Takes NULL. */
void count_keeper_destroy(struct count_keeper *keeper);

#endif
