/* See brain/backup_files.h. */
#include "brain/backup_files.h"

#include "brain/files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE (256 << 10)

struct walk {
    const char *root;
    backup_visit_fn visit;
    void *context;
    struct diag *diag;
};

static enum err walk_folder(const struct walk *walk, const char *relative, int depth);

static enum err walk_one(const struct walk *walk, const char *relative, const char *name, int depth)
{
    char path[FILE_PATH_MAX], own[FILE_PATH_MAX];
    struct stat status;
    bool enter = true;
    enum err err = ERR_OK;
    if (snprintf(own, sizeof(own), "%s%s%s", relative, relative[0] ? "/" : "", name) >= (int)sizeof(own))
        return ERR_TOO_LARGE;
    err = file_join(path, walk->root, own);
    if (err != ERR_OK || lstat(path, &status) != 0)
        return err; /* gone since: it was a moment's */
    bool is_folder = S_ISDIR(status.st_mode);
    if (!is_folder && !S_ISREG(status.st_mode))
        return ERR_OK;
    err = walk->visit(walk->context, own, is_folder, &enter, walk->diag);
    return err == ERR_OK && is_folder && enter ? walk_folder(walk, own, depth + 1) : err;
}

static enum err walk_folder(const struct walk *walk, const char *relative, int depth)
{
    char path[FILE_PATH_MAX];
    struct dirent **entries;
    if (depth > BACKUP_DEPTH_MAX)
        return diag_set(walk->diag, ERR_TOO_LARGE, walk->root, 0, "folders lie deeper than %d", BACKUP_DEPTH_MAX);
    enum err err = relative[0] ? file_join(path, walk->root, relative) : str_to_c(str_from_c(walk->root), path, sizeof(path));
    if (err != ERR_OK)
        return err;
    int n = scandir(path, &entries, NULL, alphasort);
    if (n < 0)
        return diag_set(walk->diag, err_from_errno(errno), path, 0, "the folder cannot be read: %s", strerror(errno));
    for (int i = 0; i < n; i++) {
        if (err == ERR_OK && entries[i]->d_name[0] != '.')
            err = walk_one(walk, relative, entries[i]->d_name, depth);
        free(entries[i]);
    }
    free(entries);
    return err;
}

enum err backup_walk(const char *root, backup_visit_fn visit, void *context, struct diag *diag)
{
    const struct walk walk = {.root = root, .visit = visit, .context = context, .diag = diag};
    return walk_folder(&walk, "", 0);
}

enum err backup_digest(const char *path, struct sha256 *ret_digest, uint64_t *ret_n_bytes)
{
    char piece[PIECE];
    struct crypto_hash *hash = NULL;
    uint64_t n_bytes = 0;
    ssize_t n = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_from_errno(errno);
    enum err err = crypto_hash_create(&hash);
    while (err == ERR_OK && (n = read(fd, piece, sizeof(piece))) != 0) {
        if (n < 0) {
            err = errno == EINTR ? ERR_OK : ERR_IO;
            continue;
        }
        n_bytes += (uint64_t)n;
        err = crypto_hash_add(hash, (struct str){piece, (size_t)n});
    }
    if (err == ERR_OK && fsync(fd) != 0)
        err = err_from_errno(errno);
    if (err == ERR_OK)
        err = crypto_hash_end(hash, ret_digest);
    if (err == ERR_OK)
        *ret_n_bytes = n_bytes;
    crypto_hash_destroy(hash);
    close(fd);
    return err;
}

enum err backup_make_parent(const char *root, const char *relative, struct diag *diag)
{
    char path[FILE_PATH_MAX];
    enum err err = file_join(path, root, relative);
    if (err != ERR_OK)
        return err;
    *strrchr(path, '/') = '\0';
    return files_make_folder(path, diag);
}

enum err backup_check_empty(const char *path, const char *mend, struct diag *diag)
{
    DIR *dir = opendir(path);
    size_t n = 0;
    if (!dir)
        return errno == ENOENT ? ERR_OK : diag_set(diag, err_from_errno(errno), path, 0, "cannot be read: %s", strerror(errno));
    for (struct dirent *entry; (entry = readdir(dir));)
        n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(dir);
    return n == 0 ? ERR_OK : diag_set(diag, ERR_EXISTS, path, 0, "there is something in this folder already; %s", mend);
}

enum err backup_sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_from_errno(errno);
    enum err err = fsync(fd) == 0 ? ERR_OK : err_from_errno(errno);
    close(fd);
    return err;
}
