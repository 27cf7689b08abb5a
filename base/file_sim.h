/*
 * A disk that fails on purpose: file operations that go to the real file system, with faults, and with a trace from which crashes are
 * replayed. For tests only.
 *
 * Faults: the Nth operation fails with an errno, or a write is cut short, or the process "dies" (that operation and every later one does
 * nothing and fails: what kill -9 leaves). Crashes: the trace is walked operation by operation, and after each the files that a crash may
 * leave are laid out in another folder:
 *   - after kill -9 all that was written is there; the last write may be torn at any 512 bytes;
 *   - after a power cut of what was not synced any part may be there: writes whole, in part, or not at all, in any combination, and
 *     of the names made, renamed and removed in a folder since its last sync the first few.
 * Nothing here calls the real fdatasync: what is durable is the model's business.
 */
#ifndef BASE_FILE_SIM_H
#define BASE_FILE_SIM_H

#include "base/file.h"

struct file_sim;

/* `root`: an existing folder; only paths under it are traced. */
enum err file_sim_create(const char *root, struct file_sim **ret_sim) MUST_CHECK;
void file_sim_destroy(struct file_sim *sim); /* takes NULL */
struct file_ops *file_sim_ops(struct file_sim *sim);

/* ---- faults; operations are counted from 1 from the call on ---- */
void file_sim_fail(struct file_sim *sim, uint64_t nth, int errno_value); /* 0: none */
void file_sim_fail_sync(struct file_sim *sim, uint64_t nth);             /* the nth sync or sync_dir, with EIO */
void file_sim_short_writes(struct file_sim *sim, bool is_on);            /* each write takes half of what it gets, at least a byte */
void file_sim_limit(struct file_sim *sim, uint64_t n_bytes);             /* ENOSPC once so many bytes were written; 0: no limit */
void file_sim_die(struct file_sim *sim, uint64_t nth, uint64_t seed);
uint64_t file_sim_n_ops(struct file_sim *sim); /* done since creation */

/* ---- the trace ---- */
/* A note in the trace, from any thread: what the client had been told by then (say, the number of acknowledged records). */
void file_sim_mark(struct file_sim *sim, uint64_t mark);

enum file_sim_crash { FILE_SIM_KILL, FILE_SIM_POWER };

struct file_sim_replay;
enum err file_sim_replay_create(struct file_sim *sim, struct file_sim_replay **ret_replay) MUST_CHECK;
void file_sim_replay_destroy(struct file_sim_replay *replay);
/* Takes the next operation or mark; false at the end. *ret_mark: the largest mark so far. */
bool file_sim_replay_step(struct file_sim_replay *replay, uint64_t *ret_mark);
/* Lays out in `to` (emptied first) what a crash at this point may leave; the same seed leaves the same. */
enum err file_sim_replay_crash(struct file_sim_replay *replay, enum file_sim_crash crash, uint64_t seed, const char *to) MUST_CHECK;

/* The system's operations without any sync: for the many recoveries of a crash test, where only the files' bytes matter. */
struct file_ops *file_sim_unsynced_ops(void);

/* ---- folders for tests ---- */
void file_sim_make_root(char out[FILE_PATH_MAX]); /* a new empty folder under TMPDIR, /dev/shm or /tmp */
void file_sim_remove_tree(const char *path);      /* with all that is in it */

#endif
