/*
 * What a crash leaves: a model of a disk that is walked along a trace. See base/file_sim.h. For tests only.
 *
 * The model keeps for each file its bytes, its bytes as of the last sync, and what was done to it since; for each folder the names that
 * are durable and what was done to them since its last sync. A sync of a file does not make its name durable, as POSIX has it.
 */
#include "base/file_sim_private.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct content {
    char *ptr;
    size_t len;
};

/* A file or a folder. Never freed before the replay ends: names come and go. */
struct node {
    bool is_dir;
    struct content now, synced;
    const struct file_sim_op **pending; /* writes and truncations since the last sync */
    size_t n_pending;
};

struct name {
    char *path; /* owned */
    struct node *node;
};

struct names {
    struct name *ptr;
    size_t n;
};

struct name_change {         /* a pending change of a folder's names */
    enum file_sim_kind kind; /* OPEN and MAKE_DIR: made; RENAME; REMOVE */
    const char *path, *to;
    struct node *node;
};

struct file_sim_replay {
    const struct file_sim *sim;
    size_t at; /* the next of the trace */
    uint64_t mark;
    struct names now, durable;
    struct node **nodes;
    size_t n_nodes;
    struct name_change *changes; /* in order; of all folders */
    size_t n_changes;
};

static void *grown(void *ptr, size_t n, size_t size)
{
    void *moved = mem_resize(ptr, n * size);
    assert(moved); /* a test's memory */
    return moved;
}

static char *copy_text(const char *text)
{
    size_t len = strlen(text) + 1;
    char *copy = grown(NULL, len, 1);
    memcpy(copy, text, len);
    return copy;
}

/* ---- names ---- */

static struct node *find(const struct names *names, const char *path)
{
    for (size_t i = 0; i < names->n; i++)
        if (strcmp(names->ptr[i].path, path) == 0)
            return names->ptr[i].node;
    return NULL;
}

static void forget(struct names *names, const char *path)
{
    for (size_t i = 0; i < names->n; i++) {
        if (strcmp(names->ptr[i].path, path) != 0)
            continue;
        mem_free(names->ptr[i].path);
        names->ptr[i] = names->ptr[--names->n];
        return;
    }
}

static void put(struct names *names, const char *path, struct node *node)
{
    forget(names, path);
    names->ptr = grown(names->ptr, names->n + 1, sizeof *names->ptr);
    names->ptr[names->n++] = (struct name){copy_text(path), node};
}

static void finish_names(struct names *names)
{
    for (size_t i = 0; i < names->n; i++)
        mem_free(names->ptr[i].path);
    mem_free(names->ptr);
}

static void apply_change(struct names *names, const struct name_change *change)
{
    if (change->kind == FILE_SIM_REMOVE || change->kind == FILE_SIM_RENAME)
        forget(names, change->path);
    if (change->kind == FILE_SIM_RENAME)
        put(names, change->to, change->node);
    else if (change->kind != FILE_SIM_REMOVE)
        put(names, change->path, change->node);
}

static bool is_in_dir(const char *path, const char *dir)
{
    const char *slash = strrchr(path, '/');
    size_t len = slash ? (size_t)(slash - path) : 0;
    return strlen(dir) == len && strncmp(path, dir, len) == 0;
}

/* ---- bytes ---- */

static void set_len(struct content *content, size_t len)
{
    content->ptr = grown(content->ptr, len + 1, 1);
    if (len > content->len)
        memset(content->ptr + content->len, 0, len - content->len);
    content->len = len;
}

static void put_bytes(struct content *content, const char *bytes, size_t len, size_t at)
{
    if (at + len > content->len)
        set_len(content, at + len);
    memcpy(content->ptr + at, bytes, len);
}

static void apply_op(struct content *content, const struct file_sim_op *op)
{
    if (op->kind == FILE_SIM_TRUNCATE)
        set_len(content, (size_t)op->at);
    else
        put_bytes(content, op->bytes, op->len, (size_t)op->at);
}

/* Some of the 512-byte sectors of a write: each by a coin, or (half of the time) the first few. */
static void apply_torn(struct content *content, const struct file_sim_op *op, uint64_t *random)
{
    bool is_prefix = file_sim_random(random) % 2 == 0;
    size_t n_sectors = (op->len + 511) / 512;
    size_t n_first = (size_t)(file_sim_random(random) % (n_sectors + 1));
    for (size_t i = 0; i < n_sectors; i++) {
        size_t len = op->len - i * 512 < 512 ? op->len - i * 512 : 512;
        if (is_prefix ? i < n_first : file_sim_random(random) % 2 == 0)
            put_bytes(content, op->bytes + i * 512, len, (size_t)op->at + i * 512);
    }
}

/* ---- the walk ---- */

static struct node *add_node(struct file_sim_replay *replay, bool is_dir)
{
    struct node *node = mem_alloc_zero(1, sizeof *node);
    assert(node);
    node->is_dir = is_dir;
    replay->nodes = grown(replay->nodes, replay->n_nodes + 1, sizeof *replay->nodes);
    replay->nodes[replay->n_nodes++] = node;
    return node;
}

static void change_names(struct file_sim_replay *replay, struct name_change change)
{
    apply_change(&replay->now, &change);
    replay->changes = grown(replay->changes, replay->n_changes + 1, sizeof *replay->changes);
    replay->changes[replay->n_changes++] = change;
}

static void sync_dir(struct file_sim_replay *replay, const char *dir)
{
    size_t n_kept = 0;
    for (size_t i = 0; i < replay->n_changes; i++) {
        if (is_in_dir(replay->changes[i].path, dir))
            apply_change(&replay->durable, &replay->changes[i]);
        else
            replay->changes[n_kept++] = replay->changes[i];
    }
    replay->n_changes = n_kept;
}

static void touch(struct file_sim_replay *replay, const struct file_sim_op *op)
{
    struct node *node = find(&replay->now, op->path);
    assert(node);
    apply_op(&node->now, op);
    node->pending = grown(node->pending, node->n_pending + 1, sizeof *node->pending);
    node->pending[node->n_pending++] = op;
}

static void sync_file(struct file_sim_replay *replay, const char *path)
{
    struct node *node = find(&replay->now, path);
    assert(node);
    set_len(&node->synced, node->now.len);
    if (node->now.len > 0)
        memcpy(node->synced.ptr, node->now.ptr, node->now.len);
    node->n_pending = 0;
}

bool file_sim_replay_step(struct file_sim_replay *replay, uint64_t *ret_mark)
{
    if (replay->at == replay->sim->n_trace)
        return false;
    const struct file_sim_op *op = &replay->sim->trace[replay->at++];
    switch (op->kind) {
    case FILE_SIM_OPEN:
        if (!find(&replay->now, op->path))
            change_names(replay, (struct name_change){op->kind, op->path, NULL, add_node(replay, false)});
        break;
    case FILE_SIM_MAKE_DIR:
        change_names(replay, (struct name_change){op->kind, op->path, NULL, add_node(replay, true)});
        break;
    case FILE_SIM_RENAME:
        change_names(replay, (struct name_change){op->kind, op->path, op->to, find(&replay->now, op->path)});
        break;
    case FILE_SIM_REMOVE:
        change_names(replay, (struct name_change){op->kind, op->path, NULL, NULL});
        break;
    case FILE_SIM_WRITE:
    case FILE_SIM_TRUNCATE:
        touch(replay, op);
        break;
    case FILE_SIM_SYNC:
        sync_file(replay, op->path);
        break;
    case FILE_SIM_SYNC_DIR:
        sync_dir(replay, op->path);
        break;
    case FILE_SIM_MARK:
        replay->mark = op->at > replay->mark ? op->at : replay->mark;
        break;
    }
    *ret_mark = replay->mark;
    return true;
}

enum err file_sim_replay_create(struct file_sim *sim, struct file_sim_replay **ret_replay)
{
    struct file_sim_replay *replay = mem_alloc_zero(1, sizeof *replay);
    if (!replay)
        return ERR_NO_MEMORY;
    replay->sim = sim;
    *ret_replay = replay;
    return ERR_OK;
}

void file_sim_replay_destroy(struct file_sim_replay *replay)
{
    if (!replay)
        return;
    for (size_t i = 0; i < replay->n_nodes; i++) {
        mem_free(replay->nodes[i]->now.ptr);
        mem_free(replay->nodes[i]->synced.ptr);
        mem_free(replay->nodes[i]->pending);
        mem_free(replay->nodes[i]);
    }
    mem_free(replay->nodes);
    mem_free(replay->changes);
    finish_names(&replay->now);
    finish_names(&replay->durable);
    mem_free(replay);
}

/* ---- the crash ---- */

/* The bytes of a file after the crash, owned by the caller. */
static struct content surviving(const struct node *node, enum file_sim_crash crash, bool is_last_write_torn, uint64_t *random)
{
    struct content content = {0};
    const struct content *base = crash == FILE_SIM_KILL && !is_last_write_torn ? &node->now : &node->synced;
    set_len(&content, base->len);
    if (base->len > 0)
        memcpy(content.ptr, base->ptr, base->len);
    if (base == &node->now)
        return content;
    for (size_t i = 0; i < node->n_pending; i++) {
        const struct file_sim_op *op = node->pending[i];
        bool is_last = i + 1 == node->n_pending;
        uint64_t fate = crash == FILE_SIM_KILL ? (is_last ? 2 : 1) : file_sim_random(random) % 3;
        if (fate == 1 || (fate == 2 && op->kind == FILE_SIM_TRUNCATE))
            apply_op(&content, op);
        else if (fate == 2)
            apply_torn(&content, op, random);
    }
    return content;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(((const struct name *)a)->path, ((const struct name *)b)->path);
}

static enum err lay_out(const struct names *names, const char *to, enum file_sim_crash crash, const struct node *torn, uint64_t *random)
{
    if (names->n > 0)
        qsort(names->ptr, names->n, sizeof *names->ptr, compare_paths); /* folders before what is in them */
    for (size_t i = 0; i < names->n; i++) {
        char path[FILE_PATH_MAX];
        enum err err = file_join(path, to, names->ptr[i].path);
        if (err)
            return err;
        const struct node *node = names->ptr[i].node;
        if (node->is_dir) {
            if (mkdir(path, 0755) != 0 && errno != ENOENT) /* its own folder did not survive */
                return ERR_IO;
            continue;
        }
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        if (fd < 0 && errno == ENOENT)
            continue;
        struct content content = surviving(node, crash, node == torn, random);
        ssize_t n = fd < 0 ? -1 : pwrite(fd, content.ptr, content.len, 0);
        if (fd >= 0)
            close(fd);
        mem_free(content.ptr);
        if (n != (ssize_t)content.len)
            return ERR_IO;
    }
    return ERR_OK;
}

/* Of each folder's pending changes the first few, in their order; how many is drawn folder by folder. */
static void apply_some_changes(const struct file_sim_replay *replay, struct names *names, uint64_t seed)
{
    for (size_t i = 0; i < replay->n_changes; i++) {
        const char *path = replay->changes[i].path;
        const char *slash = strrchr(path, '/');
        uint64_t random = seed ^ str_hash((struct str){path, slash ? (size_t)(slash - path) : 0});
        size_t n_before = 0, n_in_dir = 0;
        for (size_t k = 0; k < replay->n_changes; k++) {
            const char *other = replay->changes[k].path, *other_slash = strrchr(other, '/');
            if ((slash ? slash - path : 0) != (other_slash ? other_slash - other : 0) ||
                strncmp(path, other, slash ? slash - path : 0) != 0)
                continue;
            n_in_dir++;
            n_before += k < i;
        }
        if (n_before < file_sim_random(&random) % (n_in_dir + 1))
            apply_change(names, &replay->changes[i]);
    }
}

enum err file_sim_replay_crash(struct file_sim_replay *replay, enum file_sim_crash crash, uint64_t seed, const char *to)
{
    uint64_t random = seed;
    const struct node *torn = NULL;
    const struct file_sim_op *last = replay->at > 0 ? &replay->sim->trace[replay->at - 1] : NULL;
    if (crash == FILE_SIM_KILL && last && last->kind == FILE_SIM_WRITE)
        torn = find(&replay->now, last->path);
    const struct names *base = crash == FILE_SIM_KILL ? &replay->now : &replay->durable;
    struct names names = {0};
    for (size_t i = 0; i < base->n; i++)
        put(&names, base->ptr[i].path, base->ptr[i].node);
    if (crash == FILE_SIM_POWER)
        apply_some_changes(replay, &names, seed);
    file_sim_remove_tree(to);
    enum err err = mkdir(to, 0755) == 0 ? lay_out(&names, to, crash, torn, &random) : ERR_IO;
    finish_names(&names);
    return err;
}
