/*
 * A disk that fails on purpose: the operations, their faults and their trace. See base/file_sim.h; crashes are file_sim_replay.c.
 */
#include "base/file_sim_private.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

uint64_t file_sim_random(uint64_t *state)
{
    /* splitmix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014 */
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static struct file_sim *sim_of(struct file_ops *ops)
{
    return (struct file_sim *)(void *)ops; /* its first member */
}

/* ---- the trace; under the mutex ---- */

static char *copy_bytes(const void *ptr, size_t len)
{
    char *copy = mem_alloc(len + 1);
    assert(copy); /* a test's memory */
    memcpy(copy, ptr, len);
    copy[len] = 0;
    return copy;
}

static struct file_sim_op *add_op(struct file_sim *sim, enum file_sim_kind kind)
{
    if (sim->n_trace == sim->cap_trace) {
        size_t cap = sim->cap_trace ? sim->cap_trace * 2 : 256;
        struct file_sim_op *trace = mem_resize(sim->trace, cap * sizeof *trace);
        assert(trace);
        sim->trace = trace;
        sim->cap_trace = cap;
    }
    struct file_sim_op *op = &sim->trace[sim->n_trace++];
    *op = (struct file_sim_op){.kind = kind};
    return op;
}

/* Relative to the root; NULL for what lies elsewhere (the parents of the root). */
static const char *relative(const struct file_sim *sim, const char *path)
{
    size_t len = strlen(sim->root);
    if (strncmp(path, sim->root, len) != 0)
        return NULL;
    return path[len] == '/' ? path + len + 1 : path[len] == 0 ? "" : NULL;
}

static void add_path_op(struct file_sim *sim, enum file_sim_kind kind, const char *path, const char *to)
{
    const char *name = relative(sim, path);
    if (!name)
        return;
    struct file_sim_op *op = add_op(sim, kind);
    op->path = copy_bytes(name, strlen(name));
    if (to)
        op->to = copy_bytes(relative(sim, to), strlen(relative(sim, to)));
}

static void add_fd_op(struct file_sim *sim, enum file_sim_kind kind, int fd, const void *ptr, size_t len, uint64_t at)
{
    assert(fd >= 0 && fd < FILE_SIM_FD_MAX && sim->fd_paths[fd]);
    struct file_sim_op *op = add_op(sim, kind);
    op->path = copy_bytes(sim->fd_paths[fd], strlen(sim->fd_paths[fd]));
    op->bytes = ptr ? copy_bytes(ptr, len) : NULL;
    op->len = len;
    op->at = at;
}

/* ---- faults; under the mutex ---- */

/* Counts one operation. True: it fails, errno is set. */
static bool is_faulty(struct file_sim *sim, bool is_sync)
{
    sim->n_ops++;
    if (sim->is_dead || (sim->die_at && sim->n_ops >= sim->die_at)) {
        sim->is_dead = true;
        errno = EIO;
        return true;
    }
    if (is_sync && sim->fail_sync_in && --sim->fail_sync_in == 0) {
        errno = EIO;
        return true;
    }
    if (sim->fail_at && sim->n_ops == sim->fail_at) {
        errno = sim->fail_errno;
        return true;
    }
    return false;
}

static int sim_open(struct file_ops *ops, const char *path)
{
    struct file_sim *sim = sim_of(ops);
    pthread_mutex_lock(&sim->mutex);
    int fd = -1;
    if (!is_faulty(sim, false)) {
        fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        const char *name = relative(sim, path);
        assert(name && fd < FILE_SIM_FD_MAX);
        if (fd >= 0) {
            mem_free(sim->fd_paths[fd]);
            sim->fd_paths[fd] = copy_bytes(name, strlen(name));
            add_path_op(sim, FILE_SIM_OPEN, path, NULL);
        }
    }
    pthread_mutex_unlock(&sim->mutex);
    return fd;
}

/* A process that dies inside of a write leaves the first sectors of it. */
static void write_before_death(struct file_sim *sim, int fd, const void *ptr, size_t len, uint64_t at)
{
    size_t part = (size_t)(file_sim_random(&sim->die_seed) % (len / 512 + 1)) * 512;
    if (part == 0)
        return;
    if (pwrite(fd, ptr, part, (off_t)at) != (ssize_t)part)
        abort();
    add_fd_op(sim, FILE_SIM_WRITE, fd, ptr, part, at);
}

static ssize_t sim_write(struct file_ops *ops, int fd, const void *ptr, size_t len, uint64_t at)
{
    struct file_sim *sim = sim_of(ops);
    pthread_mutex_lock(&sim->mutex);
    ssize_t n = -1;
    bool was_dead = sim->is_dead;
    if (is_faulty(sim, false)) {
        if (sim->is_dead && !was_dead)
            write_before_death(sim, fd, ptr, len, at);
        errno = sim->is_dead ? EIO : sim->fail_errno;
    } else {
        size_t take = sim->is_short && len > 1 ? len / 2 : len;
        if (sim->bytes_max && sim->n_bytes + take > sim->bytes_max)
            take = (size_t)(sim->bytes_max - sim->n_bytes);
        if (take == 0 && len > 0) {
            errno = ENOSPC;
        } else {
            n = pwrite(fd, ptr, take, (off_t)at);
            if (n > 0) {
                sim->n_bytes += (uint64_t)n;
                add_fd_op(sim, FILE_SIM_WRITE, fd, ptr, (size_t)n, at);
            }
        }
    }
    pthread_mutex_unlock(&sim->mutex);
    return n;
}

static int sim_sync(struct file_ops *ops, const int *fds, size_t n)
{
    struct file_sim *sim = sim_of(ops);
    pthread_mutex_lock(&sim->mutex);
    int status = -1;
    if (!is_faulty(sim, true)) {
        status = 0;
        for (size_t i = 0; i < n; i++)
            add_fd_op(sim, FILE_SIM_SYNC, fds[i], NULL, 0, 0);
    }
    pthread_mutex_unlock(&sim->mutex);
    return status;
}

static int sim_truncate(struct file_ops *ops, int fd, uint64_t len)
{
    struct file_sim *sim = sim_of(ops);
    pthread_mutex_lock(&sim->mutex);
    int status = -1;
    if (!is_faulty(sim, false)) {
        status = ftruncate(fd, (off_t)len);
        if (status == 0)
            add_fd_op(sim, FILE_SIM_TRUNCATE, fd, NULL, 0, len);
    }
    pthread_mutex_unlock(&sim->mutex);
    return status;
}

static int sim_rename(struct file_ops *ops, const char *from, const char *to)
{
    struct file_sim *sim = sim_of(ops);
    pthread_mutex_lock(&sim->mutex);
    int status = -1;
    if (!is_faulty(sim, false)) {
        status = rename(from, to);
        if (status == 0)
            add_path_op(sim, FILE_SIM_RENAME, from, to);
    }
    pthread_mutex_unlock(&sim->mutex);
    return status;
}

static int sim_remove(struct file_ops *ops, const char *path)
{
    struct file_sim *sim = sim_of(ops);
    pthread_mutex_lock(&sim->mutex);
    int status = -1;
    if (!is_faulty(sim, false)) {
        status = remove(path);
        if (status == 0)
            add_path_op(sim, FILE_SIM_REMOVE, path, NULL);
    }
    pthread_mutex_unlock(&sim->mutex);
    return status;
}

static int sim_make_dir(struct file_ops *ops, const char *path)
{
    struct file_sim *sim = sim_of(ops);
    pthread_mutex_lock(&sim->mutex);
    int status = -1;
    if (!is_faulty(sim, false)) {
        status = mkdir(path, 0755);
        if (status == 0)
            add_path_op(sim, FILE_SIM_MAKE_DIR, path, NULL);
    }
    pthread_mutex_unlock(&sim->mutex);
    return status;
}

static int sim_sync_dir(struct file_ops *ops, const char *path)
{
    struct file_sim *sim = sim_of(ops);
    pthread_mutex_lock(&sim->mutex);
    int status = -1;
    if (!is_faulty(sim, true)) {
        status = 0;
        add_path_op(sim, FILE_SIM_SYNC_DIR, path, NULL);
    }
    pthread_mutex_unlock(&sim->mutex);
    return status;
}

enum err file_sim_create(const char *root, struct file_sim **ret_sim)
{
    struct file_sim *sim = mem_alloc_zero(1, sizeof *sim);
    if (!sim)
        return ERR_NO_MEMORY;
    sim->ops = (struct file_ops){
        .open = sim_open,
        .write = sim_write,
        .sync = sim_sync,
        .truncate = sim_truncate,
        .rename = sim_rename,
        .remove = sim_remove,
        .make_dir = sim_make_dir,
        .sync_dir = sim_sync_dir,
    };
    pthread_mutex_init(&sim->mutex, NULL);
    enum err err = str_to_c(str_from_c(root), sim->root, sizeof sim->root);
    if (err)
        file_sim_destroy(sim);
    else
        *ret_sim = sim;
    return err;
}

void file_sim_destroy(struct file_sim *sim)
{
    if (!sim)
        return;
    for (size_t i = 0; i < sim->n_trace; i++) {
        mem_free(sim->trace[i].path);
        mem_free(sim->trace[i].to);
        mem_free(sim->trace[i].bytes);
    }
    mem_free(sim->trace);
    for (size_t i = 0; i < FILE_SIM_FD_MAX; i++)
        mem_free(sim->fd_paths[i]);
    pthread_mutex_destroy(&sim->mutex);
    mem_free(sim);
}

struct file_ops *file_sim_ops(struct file_sim *sim)
{
    return &sim->ops;
}

void file_sim_fail(struct file_sim *sim, uint64_t nth, int errno_value)
{
    pthread_mutex_lock(&sim->mutex);
    sim->fail_at = nth ? sim->n_ops + nth : 0;
    sim->fail_errno = errno_value;
    pthread_mutex_unlock(&sim->mutex);
}

void file_sim_fail_sync(struct file_sim *sim, uint64_t nth)
{
    pthread_mutex_lock(&sim->mutex);
    sim->fail_sync_in = nth;
    pthread_mutex_unlock(&sim->mutex);
}

void file_sim_short_writes(struct file_sim *sim, bool is_on)
{
    pthread_mutex_lock(&sim->mutex);
    sim->is_short = is_on;
    pthread_mutex_unlock(&sim->mutex);
}

void file_sim_limit(struct file_sim *sim, uint64_t n_bytes)
{
    pthread_mutex_lock(&sim->mutex);
    sim->bytes_max = n_bytes ? sim->n_bytes + n_bytes : 0;
    pthread_mutex_unlock(&sim->mutex);
}

void file_sim_die(struct file_sim *sim, uint64_t nth, uint64_t seed)
{
    pthread_mutex_lock(&sim->mutex);
    sim->die_at = nth ? sim->n_ops + nth : 0;
    sim->is_dead = false;
    sim->die_seed = seed;
    pthread_mutex_unlock(&sim->mutex);
}

uint64_t file_sim_n_ops(struct file_sim *sim)
{
    pthread_mutex_lock(&sim->mutex);
    uint64_t n = sim->n_ops;
    pthread_mutex_unlock(&sim->mutex);
    return n;
}

void file_sim_mark(struct file_sim *sim, uint64_t mark)
{
    pthread_mutex_lock(&sim->mutex);
    if (!sim->is_dead)
        add_op(sim, FILE_SIM_MARK)->at = mark;
    pthread_mutex_unlock(&sim->mutex);
}

static int no_sync(struct file_ops *ops, const int *fds, size_t n)
{
    return 0;
}

static int no_sync_dir(struct file_ops *ops, const char *path)
{
    return 0;
}

static struct file_ops unsynced_ops;

static void make_unsynced_ops(void)
{
    unsynced_ops = *file_ops_system();
    unsynced_ops.sync = no_sync;
    unsynced_ops.sync_dir = no_sync_dir;
}

struct file_ops *file_sim_unsynced_ops(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_unsynced_ops);
    return &unsynced_ops;
}

/* Thousands of small files are made and removed: in memory where there is plenty, since no crash here is a real power cut. */
static const char *base_folder(void)
{
    const char *chosen = getenv("TMPDIR");
    struct statvfs status;
    if (chosen && *chosen)
        return chosen;
    bool has_room = statvfs("/dev/shm", &status) == 0 && status.f_bavail * status.f_frsize > (1u << 30);
    return has_room && access("/dev/shm", W_OK | X_OK) == 0 ? "/dev/shm" : "/tmp";
}

void file_sim_make_root(char out[FILE_PATH_MAX])
{
    int n = snprintf(out, FILE_PATH_MAX, "%s/citybrain-test-XXXXXX", base_folder());
    if (n < 0 || n >= FILE_PATH_MAX || !mkdtemp(out))
        abort();
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    return remove(path);
}

void file_sim_remove_tree(const char *path)
{
    nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}
