/*
 * Files: the system's own operations, and the few sequences of them that have to be in the right order. See base/file.h.
 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SYNC_EACH_MAX 8 /* files that are synced one by one */

static int system_open(struct file_ops *ops, const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
}

static ssize_t system_write(struct file_ops *ops, int fd, const void *ptr, size_t len, uint64_t at)
{
    return pwrite(fd, ptr, len, (off_t)at);
}

/* Each fdatasync costs a flush of the disk's cache, and syncfs one for all: it writes what others left on the file system, too, and in turn
 * reports an error of any of it (Linux 5.8), which is the safe side. */
static int system_sync(struct file_ops *ops, const int *fds, size_t n)
{
    if (n > SYNC_EACH_MAX)
        return syncfs(fds[0]);
    for (size_t i = 0; i < n; i++)
        if (fdatasync(fds[i]) != 0)
            return -1;
    return 0;
}

static int system_truncate(struct file_ops *ops, int fd, uint64_t len)
{
    return ftruncate(fd, (off_t)len);
}

static int system_rename(struct file_ops *ops, const char *from, const char *to)
{
    return rename(from, to);
}

static int system_remove(struct file_ops *ops, const char *path)
{
    return remove(path);
}

static int system_make_dir(struct file_ops *ops, const char *path)
{
    return mkdir(path, 0755);
}

static int system_sync_dir(struct file_ops *ops, const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int status = fsync(fd);
    int saved = errno;
    close(fd);
    errno = saved;
    return status != 0 && saved == EINVAL ? 0 : status; /* EINVAL: a file system whose folders need no sync (proc, some network ones) */
}

struct file_ops *file_ops_system(void)
{
    static struct file_ops ops = {
        .open = system_open,
        .write = system_write,
        .sync = system_sync,
        .truncate = system_truncate,
        .rename = system_rename,
        .remove = system_remove,
        .make_dir = system_make_dir,
        .sync_dir = system_sync_dir,
    };
    return &ops;
}

enum err file_write_all(struct file_ops *ops, int fd, const void *ptr, size_t len, uint64_t at)
{
    const char *bytes = ptr;
    size_t done = 0;
    while (done < len) {
        ssize_t n = ops->write(ops, fd, bytes + done, len - done, at + done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_from_errno(errno);
        if (n == 0) /* a device that takes nothing will not take it on the next try either */
            return ERR_IO;
        done += (size_t)n;
    }
    return ERR_OK;
}

enum err file_join(char out[FILE_PATH_MAX], const char *dir, const char *name)
{
    int n = snprintf(out, FILE_PATH_MAX, "%s/%s", dir, name);
    return n < 0 || n >= FILE_PATH_MAX ? ERR_TOO_LARGE : ERR_OK;
}

/* The folder that holds `path`: "." when the path has none. */
static void parent_of(const char *path, char out[FILE_PATH_MAX])
{
    struct str head, tail, whole = str_from_c(path);
    if (!str_cut_last(whole, '/', &head, &tail))
        head = STR(".");
    else if (head.len == 0)
        head = STR("/");
    memcpy(out, head.ptr, head.len);
    out[head.len] = 0;
}

/* Also for a folder that is there already: who made it may have died before it was durable in its parent. A parent that we may not
 * open (EACCES: /home of a shared machine) was not made by us. */
static enum err make_one_dir(struct file_ops *ops, const char *path)
{
    if (ops->make_dir(ops, path) != 0 && errno != EEXIST && errno != EROFS)
        return err_from_errno(errno);
    struct stat status;
    if (stat(path, &status) != 0 || !S_ISDIR(status.st_mode))
        return ERR_IO;
    char parent[FILE_PATH_MAX];
    parent_of(path, parent);
    return ops->sync_dir(ops, parent) == 0 || errno == EACCES ? ERR_OK : err_from_errno(errno);
}

enum err file_make_dirs(struct file_ops *ops, const char *path)
{
    char partial[FILE_PATH_MAX];
    size_t len = strlen(path);
    if (len >= FILE_PATH_MAX)
        return ERR_TOO_LARGE;
    for (size_t i = 1; i <= len; i++) {
        if (path[i] != '/' && path[i] != 0)
            continue;
        memcpy(partial, path, i);
        partial[i] = 0;
        enum err err = make_one_dir(ops, partial);
        if (err)
            return err;
    }
    return ERR_OK;
}

enum err file_replace(struct file_ops *ops, const char *path, struct str bytes)
{
    char beside[FILE_PATH_MAX], parent[FILE_PATH_MAX];
    int n = snprintf(beside, sizeof beside, "%s.tmp", path);
    if (n < 0 || n >= (int)sizeof beside)
        return ERR_TOO_LARGE;
    parent_of(path, parent);
    int fd = ops->open(ops, beside);
    if (fd < 0)
        return err_from_errno(errno);
    enum err err = file_write_all(ops, fd, bytes.ptr, bytes.len, 0);
    /* a longer one may be left from a crash */
    if (!err && (ops->truncate(ops, fd, bytes.len) != 0 || ops->sync(ops, &fd, 1) != 0))
        err = err_from_errno(errno);
    close(fd);
    if (!err && (ops->rename(ops, beside, path) != 0 || ops->sync_dir(ops, parent) != 0))
        err = err_from_errno(errno);
    return err;
}

enum err file_read(const char *path, struct buf *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_IO;
    struct stat status;
    /* one byte more than the file holds, so that its end is seen without growing again */
    size_t room = fstat(fd, &status) == 0 && status.st_size > 0 ? (size_t)status.st_size + 1 : 4096;
    enum err err = ERR_OK;
    for (;;) {
        char *to = buf_reserve(out, room);
        if (!to) {
            err = out->err;
            break;
        }
        ssize_t n = read(fd, to, room);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            err = ERR_IO;
        if (n <= 0)
            break;
        buf_advance(out, (size_t)n);
        room = (size_t)n < room ? room - (size_t)n : 4096;
    }
    close(fd);
    return err;
}

enum err file_read_at(int fd, void *ptr, size_t len, uint64_t at)
{
    char *to = ptr;
    size_t done = 0;
    while (done < len) {
        ssize_t n = pread(fd, to + done, len - done, (off_t)(at + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ERR_IO;
        if (n == 0)
            return ERR_CORRUPT;
        done += (size_t)n;
    }
    return ERR_OK;
}
