/*
 * One file, opened and read in pieces. Every name on the way to it is opened by itself and never followed when it is a link, so that
 * nothing outside of the folder is reached, whatever a key says and whatever lies there.
 *
 * A file that is written to while it is read is noticed by its length and times; it is looked at with each piece.
 */
#include "base/mem.h"
#include "http/server.h"
#include "system/files/inside.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK)

static int open_folder(const struct files_system *system)
{
    return open(system->folder, FLAGS | O_DIRECTORY);
}

enum err files_look(const struct files_system *system)
{
    int fd = open_folder(system);
    if (fd < 0)
        return ERR_UNAVAILABLE;
    close(fd);
    return ERR_OK;
}

/* -1 with errno. Takes `folder`. */
static int open_below(int folder, char *name)
{
    for (char *slash; (slash = strchr(name, '/')); name = slash + 1) {
        *slash = '\0';
        int next = openat(folder, name, FLAGS | O_DIRECTORY | O_NOFOLLOW);
        int failed = errno;
        close(folder);
        errno = failed;
        if (next < 0)
            return -1;
        folder = next;
    }
    int fd = openat(folder, name, FLAGS | O_NOFOLLOW), failed = errno;
    close(folder);
    errno = failed;
    return fd;
}

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static void tell(const struct files_binding *binding, const struct files_object *object, const char *name, struct hub_object_ask *ask)
{
    const struct stat *status = &object->status;
    int64_t changed_ms = (int64_t)status->st_ctim.tv_sec * 1000 + status->st_ctim.tv_nsec / 1000000;
    ask->n_bytes = (uint64_t)status->st_size;
    snprintf(ask->version, sizeof ask->version, "%llx-%llx-%llx.%lx-%llx.%lx", (unsigned long long)status->st_ino,
        (unsigned long long)status->st_size, (unsigned long long)status->st_mtim.tv_sec, (unsigned long)status->st_mtim.tv_nsec,
        (unsigned long long)status->st_ctim.tv_sec, (unsigned long)status->st_ctim.tv_nsec);
    ask->is_version_weak = clock_wall(object->system->department.clock).ms - changed_ms < FILES_SETTLE_MS;
    snprintf(ask->media_type, sizeof ask->media_type, "%s", binding->media_type ? binding->media_type : http_media_type(name));
}

static enum err open_file(struct files_system *system, char *name, int *ret_fd, struct stat *ret_status)
{
    int folder = open_folder(system);
    if (folder < 0) {
        hub_department_report(&system->department, HUB_DOWN, HUB_DETAIL(folder_missing));
        return ERR_UNAVAILABLE;
    }
    int fd = open_below(folder, name);
    if (fd < 0)
        return errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENAMETOOLONG ? ERR_NOT_FOUND : ERR_UNAVAILABLE;
    if (fstat(fd, ret_status) != 0 || !S_ISREG(ret_status->st_mode)) {
        close(fd);
        return ERR_NOT_FOUND;
    }
    *ret_fd = fd;
    return ERR_OK;
}

enum err files_open_object(struct files_system *system, struct hub_object_ask *ask)
{
    const struct files_binding *binding = system->bindings;
    char name[FILES_NAME_MAX], walked[FILES_NAME_MAX];
    struct stat status;
    int fd = -1;
    while (binding && binding->resource != ask->resource)
        binding = binding->next;
    enum err err = binding ? files_name(binding, ask->key, name) : ERR_NOT_FOUND;
    memcpy(walked, name, err ? 0 : strlen(name) + 1);
    if (!err)
        err = open_file(system, walked, &fd, &status);
    if (err)
        return err;
    struct files_object *object = mem_alloc_zero(1, sizeof *object);
    if (!object) {
        close(fd);
        return ERR_NO_MEMORY;
    }
    *object = (struct files_object){.system = system, .fd = fd, .status = status};
    tell(binding, object, name, ask);
    ask->object = object;
    return ERR_OK;
}

enum err files_read_object(struct files_object *object, struct hub_object_ask *ask)
{
    struct stat status;
    for (size_t done = 0; done < ask->n;) {
        ssize_t n = pread(object->fd, ask->out + done, ask->n - done, (off_t)(ask->at + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ERR_UNAVAILABLE;
        if (n == 0)
            return ERR_STATE; /* it is shorter by now */
        done += (size_t)n;
    }
    return fstat(object->fd, &status) == 0 && is_same(&status, &object->status) ? ERR_OK : ERR_STATE;
}

void files_close_object(void *context)
{
    struct files_object *object = context;
    close(object->fd);
    mem_free(object);
}
