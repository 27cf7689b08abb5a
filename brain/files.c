/* Folders: listing in order, making. */
#include "brain/files.h"

#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_LEN_MAX 1024

enum err files_each(const char *folder, const char *ending, enum err (*visit)(void *context, const char *path), void *context)
{
    struct dirent **entries;
    enum err err = ERR_OK;
    int n = scandir(folder, &entries, NULL, alphasort);
    if (n < 0)
        return errno == ENOENT ? ERR_OK : err_from_errno(errno);
    for (int i = 0; i < n; i++) {
        char path[PATH_LEN_MAX];
        struct str name = str_from_c(entries[i]->d_name);
        bool is_wanted = name.len > 0 && name.ptr[0] != '.' && str_ends_with(name, str_from_c(ending));
        if (err == ERR_OK && is_wanted) {
            int len = snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
            err = len > 0 && len < PATH_LEN_MAX ? visit(context, path) : ERR_TOO_LARGE;
        }
        free(entries[i]);
    }
    free(entries);
    return err;
}

enum err files_make_folder(const char *path, struct diag *diag)
{
    char text[PATH_LEN_MAX];
    enum err err = str_to_c(str_from_c(path), text, sizeof(text));
    for (size_t i = 1; err == ERR_OK && i <= strlen(path); i++) {
        if (path[i] != '/' && path[i] != '\0')
            continue;
        text[i] = '\0';
        if (mkdir(text, 0700) != 0 && errno != EEXIST)
            err = diag_set(diag, err_from_errno(errno), text, 0,
                "cannot make this folder: %s; give another --data folder, or its owner's rights", strerror(errno));
        text[i] = path[i];
    }
    return err;
}

enum err files_make_private(const char *path, struct diag *diag)
{
    enum err err = files_make_folder(path, diag);
    if (err == ERR_OK && chmod(path, 0700) != 0)
        err = diag_set(diag, err_from_errno(errno), path, 0, "cannot be kept from others: %s; give a folder of your own", strerror(errno));
    return err;
}

enum err files_beside_program(const char *name, char *out, size_t size)
{
    char path[PATH_LEN_MAX];
    ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (len <= 0)
        return ERR_IO;
    path[len] = '\0';
    char *slash = strrchr(path, '/');
    if (slash)
        *slash = '\0';
    return snprintf(out, size, "%s/%s", path, name) < (int)size ? ERR_OK : ERR_TOO_LARGE;
}
