/*
 * Opening a journal: which segments are there, what of the newest is whole, and where writing goes on. See base/journal.h.
 *
 * A process that was killed may have left a whole batch that only the page cache holds. It counts as durable from here on, so the
 * newest segment and the folder are synced before anything is built on it.
 */
#include "base/crypto.h"
#include "base/journal_private.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

void journal_segment_path(const struct journal *journal, uint64_t first_index, char out[FILE_PATH_MAX])
{
    snprintf(out, FILE_PATH_MAX, "%s/%020" PRIu64 ".journal", journal->dir, first_index);
}

enum err journal_reserve_segment(struct journal *journal)
{
    if (journal->n_segments < journal->cap_segments)
        return ERR_OK;
    size_t cap = journal->cap_segments ? journal->cap_segments * 2 : 8;
    uint64_t *segments = mem_resize(journal->segments, cap * sizeof *segments);
    if (!segments)
        return ERR_NO_MEMORY;
    journal->segments = segments;
    journal->cap_segments = cap;
    return ERR_OK;
}

static enum err add_segment(struct journal *journal, uint64_t first_index)
{
    enum err err = journal_reserve_segment(journal);
    if (!err)
        journal->segments[journal->n_segments++] = first_index;
    return err;
}

static int compare_index(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static enum err list_segments(struct journal *journal)
{
    DIR *dir = opendir(journal->dir);
    if (!dir)
        return ERR_IO;
    enum err err = ERR_OK;
    for (struct dirent *entry; !err && (entry = readdir(dir));) {
        struct str stem, extension;
        uint64_t first_index;
        if (!str_cut(str_from_c(entry->d_name), '.', &stem, &extension) || !str_equal_c(extension, "journal") || stem.len != 20)
            continue;
        if (!str_to_u64(stem, &first_index))
            err = add_segment(journal, first_index);
    }
    closedir(dir);
    if (!err && journal->n_segments > 0)
        qsort(journal->segments, journal->n_segments, sizeof *journal->segments, compare_index);
    return err;
}

static enum err take_lock(struct journal *journal, struct diag *diag)
{
    char path[FILE_PATH_MAX];
    enum err err = file_join(path, journal->dir, "lock");
    if (err)
        return err;
    journal->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (journal->lock_fd < 0)
        return diag_set(diag, err_from_errno(errno), path, 0, "the lock cannot be opened (%s); check the folder's owner", strerror(errno));
    if (flock(journal->lock_fd, LOCK_EX | LOCK_NB) != 0)
        return diag_set(diag, ERR_STATE, path, 0, "another process has this journal open; stop it first, or choose another data folder");
    return ERR_OK;
}

/* Each segment but the newest was finished before the next one was made. */
static enum err check_older_headers(struct journal *journal, struct diag *diag)
{
    for (size_t i = 0; i + 1 < journal->n_segments; i++) {
        char path[FILE_PATH_MAX];
        uint8_t bytes[SEGMENT_HEADER_SIZE];
        struct segment_head head;
        journal_segment_path(journal, journal->segments[i], path);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        enum err err = fd < 0 ? ERR_IO : file_read_at(fd, bytes, sizeof bytes, 0);
        if (!err && (segment_head_read(bytes, &head) || head.first_index != journal->segments[i]))
            err = ERR_CORRUPT;
        if (fd >= 0)
            close(fd);
        if (err)
            return diag_set(diag, err, path, 0, "the segment's header at byte 0 is damaged; restore the file from a copy");
    }
    return ERR_OK;
}

enum err journal_start_segment(struct journal *journal, uint64_t first_index)
{
    char path[FILE_PATH_MAX];
    uint8_t bytes[SEGMENT_HEADER_SIZE];
    journal_segment_path(journal, first_index, path);
    struct segment_head head = {.first_index = first_index};
    crypto_random(&head.salt, sizeof head.salt);
    segment_head_write(&head, bytes);
    int fd = journal->files->open(journal->files, path);
    if (fd < 0)
        return err_from_errno(errno);
    enum err err = file_write_all(journal->files, fd, bytes, sizeof bytes, 0);
    if (!err && journal->files->sync(journal->files, &fd, 1) != 0)
        err = err_from_errno(errno);
    if (!err && journal->files->sync_dir(journal->files, journal->dir) != 0)
        err = err_from_errno(errno);
    if (err) {
        close(fd);
        return err;
    }
    if (journal->fd >= 0)
        close(journal->fd);
    journal->fd = fd;
    journal->at = journal->room = SEGMENT_HEADER_SIZE;
    journal->salt = head.salt;
    journal->segment_first_index = first_index;
    return ERR_OK;
}

/* Goes on where the newest segment's whole part ends. */
static enum err resume_segment(struct journal *journal, struct diag *diag)
{
    char path[FILE_PATH_MAX];
    uint64_t first_index = journal->segments[journal->n_segments - 1];
    journal_segment_path(journal, first_index, path);
    int read_fd = open(path, O_RDONLY | O_CLOEXEC);
    if (read_fd < 0)
        return diag_set(diag, ERR_IO, path, 0, "the segment cannot be opened (%s)", strerror(errno));
    struct segment_scan scan;
    enum err err = segment_scan(read_fd, first_index, &scan);
    close(read_fd);
    if (err == ERR_CORRUPT)
        return diag_set(diag, err, path, 0, "the segment is damaged at byte %" PRIu64 ", before its end; restore the file from a copy",
            scan.damaged_at);
    if (err)
        return diag_set(diag, err, path, 0, "the segment cannot be read");
    if (scan.end == 0) { /* killed while it was made */
        journal->next_index = first_index;
        return journal_start_segment(journal, first_index);
    }
    journal->fd = journal->files->open(journal->files, path);
    if (journal->fd < 0)
        return diag_set(diag, err_from_errno(errno), path, 0, "the segment cannot be written (%s)", strerror(errno));
    journal->at = journal->room = scan.end;
    journal->salt = scan.head.salt;
    journal->segment_first_index = first_index;
    journal->next_index = scan.next_index;
    journal->is_closed = scan.is_closed;
    if ((scan.is_torn && journal->files->truncate(journal->files, journal->fd, scan.end) != 0) ||
        journal->files->sync(journal->files, &journal->fd, 1) != 0 || journal->files->sync_dir(journal->files, journal->dir) != 0)
        return diag_set(diag, err_from_errno(errno), path, 0, "the segment cannot be made durable (%s)", strerror(errno));
    return ERR_OK;
}

enum err journal_recover(struct journal *journal, struct diag *diag)
{
    enum err err = file_make_dirs(journal->files, journal->dir);
    if (err)
        return diag_set(diag, err, journal->dir, 0, "the folder cannot be made (%s)", strerror(errno));
    err = take_lock(journal, diag);
    if (!err)
        err = list_segments(journal);
    if (!err)
        err = check_older_headers(journal, diag);
    if (err)
        return err;
    if (journal->n_segments > 0)
        return resume_segment(journal, diag);
    err = add_segment(journal, 0);
    if (!err)
        err = journal_start_segment(journal, 0);
    return err ? diag_set(diag, err, journal->dir, 0, "the first segment cannot be made (%s)", err_text(err)) : ERR_OK;
}
