/*
 * Files: the one door through which durable storage (journal, ledger) changes the disk, so that tests can stand behind it.
 *
 * A `struct file_ops` holds every operation that changes something; reading is plain. The system's own is file_ops_system();
 * tests hand in one that fails the Nth call, cuts a write short, or records the trace from which crashes are replayed
 * (base/file_sim.h). It does not hide errno: a failed call sets it, and the caller turns it into an `enum err`.
 */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/buf.h"
#include "base/err.h"

#include <sys/types.h>

#define FILE_PATH_MAX 1024 /* bytes of a path with its NUL: city folders are short; past it ERR_TOO_LARGE */

/* Each slot may block, runs on the thread that owns the file, and returns -1 with errno on failure. */
struct file_ops {
    int (*open)(struct file_ops *ops, const char *path); /* for writing, made when absent (0644), never truncated; a descriptor */
    ssize_t (*write)(struct file_ops *ops, int fd, const void *ptr, size_t len, uint64_t at); /* may write less than asked */
    /* makes `n` files of one file system durable, their data and lengths; cheaper at once than one by one */
    int (*sync)(struct file_ops *ops, const int *fds, size_t n);
    int (*truncate)(struct file_ops *ops, int fd, uint64_t len);
    int (*rename)(struct file_ops *ops, const char *from, const char *to);
    int (*remove)(struct file_ops *ops, const char *path); /* a file, or an empty folder */
    int (*make_dir)(struct file_ops *ops, const char *path);
    int (*sync_dir)(struct file_ops *ops, const char *path); /* makes creations, renames and removals in it durable */
};

struct file_ops *file_ops_system(void); /* static storage; any thread */

/* All of `len` bytes at `at`, over short writes and EINTR. ERR_DISK_FULL, ERR_IO. */
enum err file_write_all(struct file_ops *ops, int fd, const void *ptr, size_t len, uint64_t at) MUST_CHECK;
/* The path and its missing parents, each made durable in its parent. ERR_IO, ERR_DISK_FULL, ERR_TOO_LARGE. */
enum err file_make_dirs(struct file_ops *ops, const char *path) MUST_CHECK;
/* `path` holds exactly `bytes`, durably, or what it held before: written beside as "<path>.tmp", synced, renamed, folder synced. */
enum err file_replace(struct file_ops *ops, const char *path, struct str bytes) MUST_CHECK;
/* Appends the whole file to `out`. ERR_NOT_FOUND, ERR_IO, ERR_TOO_LARGE (out->max). */
enum err file_read(const char *path, struct buf *out) MUST_CHECK;
/* Exactly `len` bytes from `at`; fewer there: ERR_CORRUPT. ERR_IO. */
enum err file_read_at(int fd, void *ptr, size_t len, uint64_t at) MUST_CHECK;
/* A new file with `from`'s bytes, as far as it reaches now, and its mode; durable but for its name. ERR_EXISTS, ERR_NOT_FOUND, ERR_IO,
 * ERR_DISK_FULL; ERR_CORRUPT: it was cut meanwhile. */
enum err file_copy(const char *from_path, const char *to_path) MUST_CHECK;
enum err file_copy_open(int from, const char *to_path) MUST_CHECK; /* the same, of an open file */
/* "a/b" of the two, into `out`. ERR_TOO_LARGE. */
enum err file_join(char out[FILE_PATH_MAX], const char *dir, const char *name) MUST_CHECK;

#endif
