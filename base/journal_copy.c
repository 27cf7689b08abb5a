/*
 * Copying a journal that another process may be writing, without its help: segments are only ever appended to, made behind the newest, and
 * dropped from the oldest on. What is open stays readable when it is dropped, so all are opened first, at one moment.
 */
#include "base/journal.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TRIES_MAX 100
#define NAME_LEN 28 /* 20 digits and ".journal" */

struct held_segment {
    int fd;
    char name[NAME_LEN + 1];
};

struct journal_held {
    size_t n;
    struct held_segment segments[]; /* in order */
};

static int is_segment(const struct dirent *entry)
{
    struct str name = str_from_c(entry->d_name);
    return name.len == NAME_LEN && str_ends_with(name, STR(".journal"));
}

void journal_held_release(struct journal_held *held)
{
    if (!held)
        return;
    for (size_t i = 0; i < held->n; i++)
        close(held->segments[i].fd);
    mem_free(held);
}

/* ERR_NOT_FOUND: one of them was dropped since they were listed. */
static enum err open_all(const char *dir, struct dirent **entries, int n, struct journal_held **ret_held)
{
    char path[FILE_PATH_MAX];
    enum err err = ERR_OK;
    struct journal_held *held = mem_alloc_zero(1, sizeof *held + (size_t)n * sizeof held->segments[0]);
    if (!held)
        return ERR_NO_MEMORY;
    for (int i = 0; i < n && !err; i++) { /* scandir's order by name is that of their first indexes */
        err = file_join(path, dir, entries[i]->d_name);
        int fd = err ? -1 : open(path, O_RDONLY | O_CLOEXEC);
        if (!err && fd < 0)
            err = err_from_errno(errno);
        if (err)
            break;
        held->segments[held->n].fd = fd;
        memcpy(held->segments[held->n++].name, entries[i]->d_name, NAME_LEN + 1);
    }
    if (err)
        journal_held_release(held);
    else
        *ret_held = held;
    return err;
}

enum err journal_hold(const char *dir, struct diag *diag, struct journal_held **ret_held)
{
    enum err err = ERR_NOT_FOUND;
    for (int i = 0; err == ERR_NOT_FOUND && i < TRIES_MAX; i++) {
        struct dirent **entries;
        int n = scandir(dir, &entries, is_segment, alphasort);
        if (n < 0)
            return diag_set(diag, err_from_errno(errno), dir, 0, "the folder cannot be read (%s)", strerror(errno));
        err = open_all(dir, entries, n, ret_held);
        for (int at = 0; at < n; at++)
            free(entries[at]);
        free(entries);
    }
    return err ? diag_set(diag, err, dir, 0, "the journal's segments cannot be opened: %s", err_text(err)) : ERR_OK;
}

uint64_t journal_held_first(const struct journal_held *held)
{
    return held->n ? strtoull(held->segments[0].name, NULL, 10) : 0;
}

enum err journal_held_copy(const struct journal_held *held, const char *to, struct diag *diag)
{
    char path[FILE_PATH_MAX];
    enum err err = file_make_dirs(file_ops_system(), to);
    for (size_t i = 0; i < held->n && !err; i++) {
        err = file_join(path, to, held->segments[i].name);
        if (!err)
            err = file_copy_open(held->segments[i].fd, path);
    }
    return err ? diag_set(diag, err, to, 0, "the journal cannot be copied here: %s", err_text(err)) : ERR_OK;
}
