/* Tables out, none over a file that is read; see outs.h. */
#include "base/outs.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void take(struct outs *outs, const struct stat *about, bool is_read)
{
    if (!S_ISREG(about->st_mode))
        return;
    assert(outs->n < OUTS_MAX);
    outs->taken[outs->n].device = about->st_dev;
    outs->taken[outs->n].number = about->st_ino;
    outs->taken[outs->n++].is_read = is_read;
}

void outs_spare(struct outs *outs, const char *path)
{
    struct stat about;
    if (path != NULL && stat(path, &about) == 0)
        take(outs, &about, true);
}

/* What it is already; NULL: nothing. */
static const char *why_taken(const struct outs *outs, const struct stat *about)
{
    for (size_t i = 0; i < outs->n && S_ISREG(about->st_mode); i++)
        if (outs->taken[i].device == about->st_dev && outs->taken[i].number == about->st_ino)
            return outs->taken[i].is_read ? "it is a file that is read; give another"
                                          : "two tables would go into it; give each its own file";
    return NULL;
}

enum err outs_open(struct outs *outs, const char *path, struct diag *diag, FILE **ret_file)
{
    struct stat about;
    const char *why = NULL;
    FILE *file = NULL;
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666); /* emptied only once it is known to be nobody's */
    bool is_open = fd >= 0 && fstat(fd, &about) == 0 && (why = why_taken(outs, &about)) == NULL &&
                   (!S_ISREG(about.st_mode) || ftruncate(fd, 0) == 0) && (file = fdopen(fd, "wb")) != NULL;
    if (is_open) {
        take(outs, &about, false);
        *ret_file = file;
        return ERR_OK;
    }
    enum err err = why != NULL ? diag_set(diag, ERR_EXISTS, path, 0, "%s", why)
                               : diag_set(diag, err_from_errno(errno), path, 0, "cannot write: %s; mend the path", strerror(errno));
    if (fd >= 0)
        close(fd);
    return err;
}

enum err outs_close(FILE *file, const char *path, struct diag *diag)
{
    if (file == NULL)
        return ERR_OK;
    errno = 0;
    bool is_bad = fflush(file) != 0 || ferror(file) != 0;
    int error = errno;
    if (fclose(file) != 0) {
        is_bad = true;
        error = error != 0 ? error : errno;
    }
    if (!is_bad)
        return ERR_OK;
    return diag_set(diag, error != 0 ? err_from_errno(error) : ERR_IO, path, 0, "cannot write it whole: %s; free some of the disk",
        error != 0 ? strerror(error) : "a write before the last one failed");
}
