/*
 * Following a file over its rotation.
 *
 * The file being read is held open: renamed, it is the same file. It is left for the next one when that has bytes, so that its writer has
 * moved on, and twice in a row nothing more came. The next one is, of the files of its family (the name itself, with a rotation's ending,
 * or what fits the pattern), the one written first after it.
 */
#include "hub/tail.h"

#include "base/file.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOM (2 * HUB_TAIL_LINE_MAX)
#define READ_MAX 8 /* files that are remembered as read: their times may be the next one's, so coarse are they */

struct hub_tail {
    char dir[FILE_PATH_MAX], before[256], after[256]; /* of the last part: before and behind the `*`; without one all is `before` */
    bool is_pattern;
    int fd; /* -1: none */
    uint64_t inode, head;
    uint64_t at;        /* in the file, behind the last line that was given */
    size_t first, n;    /* in `room`: what was read from `at` on */
    bool is_skipping;   /* the rest of a line that was too long */
    bool is_ended;      /* the last look found nothing more */
    bool is_known_lost; /* the file of the place was not found again */
    struct {
        uint64_t inode;
        struct timespec written;
    } was_read[READ_MAX]; /* a ring */
    size_t n_read;
    char room[ROOM];
};

/* ---- which files ---- */

static bool is_packed(struct str name)
{
    return str_ends_with(name, STR(".gz")) || str_ends_with(name, STR(".xz")) || str_ends_with(name, STR(".zst")) ||
           str_ends_with(name, STR(".bz2"));
}

static bool is_family(const struct hub_tail *tail, const char *name)
{
    struct str text = str_from_c(name), before = str_from_c(tail->before), after = str_from_c(tail->after);
    if (!str_starts_with(text, before) || is_packed(text))
        return false;
    if (tail->is_pattern)
        return text.len >= before.len + after.len && str_ends_with(text, after);
    return text.len == before.len || text.ptr[before.len] == '.' || text.ptr[before.len] == '-';
}

static bool is_before(const struct stat *a, const struct stat *b)
{
    return a->st_mtim.tv_sec != b->st_mtim.tv_sec ? a->st_mtim.tv_sec < b->st_mtim.tv_sec : a->st_mtim.tv_nsec < b->st_mtim.tv_nsec;
}

static bool was_read(const struct hub_tail *tail, const struct stat *status)
{
    for (size_t i = 0; i < READ_MAX; i++)
        if (tail->was_read[i].inode == status->st_ino && tail->was_read[i].written.tv_sec == status->st_mtim.tv_sec &&
            tail->was_read[i].written.tv_nsec == status->st_mtim.tv_nsec)
            return true;
    return false;
}

/* The file of the family with this inode, or, with 0, the one written first of those written after `than`, or, without `than`, the one
 * written last. False: there is none. */
static bool look(const struct hub_tail *tail, uint64_t inode, const struct stat *than, char path[FILE_PATH_MAX], struct stat *ret)
{
    DIR *dir = opendir(tail->dir);
    bool is_found = false;
    for (struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir)) {
        char candidate[FILE_PATH_MAX];
        struct stat status;
        if (!is_family(tail, entry->d_name) || file_join(candidate, tail->dir, entry->d_name) != ERR_OK || stat(candidate, &status) != 0 ||
            !S_ISREG(status.st_mode))
            continue;
        bool is_it = inode && status.st_ino == inode;
        if (!inode && than)
            is_it = status.st_ino != than->st_ino && status.st_size > 0 && !is_before(&status, than) && !was_read(tail, &status) &&
                    (!is_found || is_before(&status, ret));
        else if (!inode)
            is_it = !is_found || is_before(ret, &status);
        if (!is_it)
            continue;
        *ret = status;
        memcpy(path, candidate, sizeof candidate);
        is_found = true;
    }
    if (dir)
        closedir(dir);
    return is_found;
}

/* ---- a file ---- */

static uint64_t head_of(int fd, uint64_t at)
{
    char bytes[HUB_TAIL_HEAD_MAX];
    size_t len = at < sizeof bytes ? (size_t)at : sizeof bytes;
    if (len == 0 || file_read_at(fd, bytes, len, 0) != ERR_OK)
        return 0;
    uint64_t hash = str_hash((struct str){bytes, len});
    return hash ? hash : 1;
}

static void leave(struct hub_tail *tail)
{
    if (tail->fd >= 0)
        close(tail->fd);
    tail->fd = -1;
    tail->inode = tail->at = tail->head = 0;
    tail->first = tail->n = 0;
    tail->is_skipping = tail->is_ended = false;
}

static bool begin(struct hub_tail *tail, const char *path, uint64_t at)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    leave(tail);
    if (fstat(fd, &status) != 0) {
        close(fd);
        return false;
    }
    tail->fd = fd;
    tail->inode = status.st_ino;
    tail->at = at;
    return true;
}

/* Behind the last whole line: a line that is half there is read when it is whole. */
static uint64_t end_of(const char *path, uint64_t size)
{
    char bytes[4096];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint64_t at = size;
    while (fd >= 0 && at > 0) {
        size_t len = at < sizeof bytes ? (size_t)at : sizeof bytes;
        if (file_read_at(fd, bytes, len, at - len) != ERR_OK)
            break;
        for (size_t i = len; i > 0; i--)
            if (bytes[i - 1] == '\n') {
                close(fd);
                return at - len + i;
            }
        at -= len;
    }
    if (fd >= 0)
        close(fd);
    return at;
}

static void take_up(struct hub_tail *tail, const struct hub_tail_place *from)
{
    struct stat status;
    char path[FILE_PATH_MAX];
    if (from->inode == 0) {
        if (look(tail, 0, NULL, path, &status))
            (void)begin(tail, path, end_of(path, (uint64_t)status.st_size));
        return;
    }
    bool is_there = look(tail, from->inode, NULL, path, &status) && (uint64_t)status.st_size >= from->at && begin(tail, path, from->at);
    if (is_there && (from->head == 0 || head_of(tail->fd, from->at) == from->head))
        return;
    leave(tail); /* it is gone, or is another: from the beginning of what is there now */
    tail->is_known_lost = true;
    if (look(tail, 0, NULL, path, &status))
        (void)begin(tail, path, 0);
}

enum err hub_tail_open(const char *path, const struct hub_tail_place *from, struct hub_tail **ret_tail)
{
    struct str dir, name, before, after;
    struct str whole = str_from_c(path);
    struct hub_tail *tail = mem_alloc_zero(1, sizeof *tail);
    if (!tail)
        return ERR_NO_MEMORY;
    tail->fd = -1;
    if (!str_cut_last(whole, '/', &dir, &name)) {
        dir = STR(".");
        name = whole;
    }
    tail->is_pattern = str_cut(name, '*', &before, &after);
    enum err err = str_to_c(str_is_empty(dir) ? STR("/") : dir, tail->dir, sizeof tail->dir);
    if (!err)
        err = str_to_c(tail->is_pattern ? before : name, tail->before, sizeof tail->before);
    if (!err)
        err = str_to_c(tail->is_pattern ? after : STR(""), tail->after, sizeof tail->after);
    if (err) {
        mem_free(tail);
        return err;
    }
    take_up(tail, from);
    *ret_tail = tail;
    return ERR_OK;
}

void hub_tail_close(struct hub_tail *tail)
{
    if (tail)
        leave(tail);
    mem_free(tail);
}

bool hub_tail_has_file(const struct hub_tail *tail)
{
    return tail->fd >= 0;
}

struct hub_tail_place hub_tail_place(struct hub_tail *tail)
{
    if (tail->fd >= 0 && tail->head == 0 && tail->at >= HUB_TAIL_HEAD_MAX)
        tail->head = head_of(tail->fd, tail->at); /* of a file's beginning, which does not change any more */
    uint64_t head = tail->head ? tail->head : tail->fd >= 0 ? head_of(tail->fd, tail->at) : 0;
    return (struct hub_tail_place){.inode = tail->inode, .at = tail->at, .head = head};
}

/* ---- lines ---- */

/* More bytes into the room. ERR_NOT_FOUND: there are none. */
static enum err fill(struct hub_tail *tail, bool *ret_is_lost)
{
    struct stat status;
    if (fstat(tail->fd, &status) != 0)
        return ERR_IO;
    if ((uint64_t)status.st_size < tail->at + tail->n) { /* cut: it begins anew */
        *ret_is_lost = true;
        tail->at = tail->head = 0;
        tail->first = tail->n = 0;
        tail->is_skipping = false;
    }
    if (tail->first > 0)
        memmove(tail->room, tail->room + tail->first, tail->n);
    tail->first = 0;
    ssize_t n = pread(tail->fd, tail->room + tail->n, ROOM - tail->n, (off_t)(tail->at + tail->n));
    if (n < 0)
        return errno == EINTR ? ERR_NOT_FOUND : ERR_IO;
    tail->n += (size_t)n;
    return n > 0 ? ERR_OK : ERR_NOT_FOUND;
}

static void pass(struct hub_tail *tail, size_t n)
{
    tail->first += n;
    tail->n -= n;
    tail->at += n;
}

/* A line out of what was read; ERR_NOT_FOUND: none is whole. */
static enum err cut_line(struct hub_tail *tail, struct str *ret_line, bool *ret_is_cut)
{
    const char *from = tail->room + tail->first, *end = tail->n ? memchr(from, '\n', tail->n) : NULL;
    if (tail->is_skipping) {
        tail->is_skipping = !end;
        pass(tail, end ? (size_t)(end - from) + 1 : tail->n);
        return end ? cut_line(tail, ret_line, ret_is_cut) : ERR_NOT_FOUND;
    }
    if (!end && tail->n < HUB_TAIL_LINE_MAX)
        return ERR_NOT_FOUND;
    size_t len = end ? (size_t)(end - from) : tail->n;
    *ret_is_cut = len > HUB_TAIL_LINE_MAX || !end;
    *ret_line = (struct str){from, len > HUB_TAIL_LINE_MAX ? HUB_TAIL_LINE_MAX : len};
    tail->is_skipping = !end;
    pass(tail, end ? len + 1 : len);
    return ERR_OK;
}

/* The next file, when this one is at its end. */
static bool move_on(struct hub_tail *tail, bool *ret_is_lost)
{
    struct stat mine, status;
    char path[FILE_PATH_MAX];
    if (tail->fd < 0)
        return look(tail, 0, NULL, path, &status) && begin(tail, path, 0);
    if (!tail->is_ended) {
        tail->is_ended = true;
        return false;
    }
    if (fstat(tail->fd, &mine) != 0 || !look(tail, 0, &mine, path, &status))
        return false;
    bool is_half = tail->n > 0 || tail->is_skipping; /* its last line was never finished */
    if (!begin(tail, path, 0))
        return false;
    tail->was_read[tail->n_read % READ_MAX].inode = mine.st_ino;
    tail->was_read[tail->n_read++ % READ_MAX].written = mine.st_mtim;
    *ret_is_lost = *ret_is_lost || is_half;
    return true;
}

enum err hub_tail_next(struct hub_tail *tail, struct str *ret_line, bool *ret_is_cut, bool *ret_is_lost)
{
    *ret_is_cut = false;
    *ret_is_lost = tail->is_known_lost;
    tail->is_known_lost = false;
    for (;;) {
        enum err err = tail->fd >= 0 ? cut_line(tail, ret_line, ret_is_cut) : ERR_NOT_FOUND;
        if (err != ERR_NOT_FOUND)
            return err;
        err = tail->fd >= 0 ? fill(tail, ret_is_lost) : ERR_NOT_FOUND;
        if (!err)
            tail->is_ended = false;
        else if (err != ERR_NOT_FOUND || !move_on(tail, ret_is_lost))
            return err;
    }
}
