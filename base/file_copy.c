/* Copying a file that somebody may still be appending to: as far as it reaches when it is opened. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE (256 << 10)

static enum err copy_bytes(int from, int to, uint64_t len)
{
    char piece[PIECE];
    for (uint64_t at = 0; at < len;) {
        size_t want = len - at < PIECE ? (size_t)(len - at) : PIECE;
        ssize_t n = pread(from, piece, want, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ERR_IO;
        if (n == 0)
            return ERR_CORRUPT; /* it was cut while we read */
        enum err err = file_write_all(file_ops_system(), to, piece, (size_t)n, at);
        if (err)
            return err;
        at += (uint64_t)n;
    }
    return ERR_OK;
}

enum err file_copy_open(int from, const char *to_path)
{
    struct stat status;
    if (fstat(from, &status) != 0)
        return err_from_errno(errno);
    int to = open(to_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, status.st_mode & 0777);
    if (to < 0)
        return err_from_errno(errno);
    enum err err = copy_bytes(from, to, (uint64_t)status.st_size);
    if (!err && fsync(to) != 0)
        err = err_from_errno(errno);
    if (close(to) != 0 && !err)
        err = ERR_IO;
    return err;
}

enum err file_copy(const char *from_path, const char *to_path)
{
    int from = open(from_path, O_RDONLY | O_CLOEXEC);
    if (from < 0)
        return err_from_errno(errno);
    enum err err = file_copy_open(from, to_path);
    close(from);
    return err;
}
