/*
 * What file_sim.c (operations, faults, trace) and file_sim_replay.c (crashes) share. For tests only.
 */
#ifndef BASE_FILE_SIM_PRIVATE_H
#define BASE_FILE_SIM_PRIVATE_H

#include "base/file_sim.h"

#include <pthread.h>
#include <sys/stat.h>

#define FILE_SIM_FD_MAX 1024

enum file_sim_kind {
    FILE_SIM_OPEN,
    FILE_SIM_WRITE,
    FILE_SIM_SYNC,
    FILE_SIM_TRUNCATE,
    FILE_SIM_RENAME,
    FILE_SIM_REMOVE,
    FILE_SIM_MAKE_DIR,
    FILE_SIM_SYNC_DIR,
    FILE_SIM_MARK,
};

struct file_sim_op {
    enum file_sim_kind kind;
    char *path, *to; /* owned; relative to the root, "" is the root */
    char *bytes;     /* owned; of a write */
    size_t len;
    uint64_t at; /* of a write; a truncation's length; a mark's value */
};

struct file_sim {
    struct file_ops ops; /* first: an ops pointer is a sim pointer */
    char root[FILE_PATH_MAX];
    pthread_mutex_t mutex;
    char *fd_paths[FILE_SIM_FD_MAX]; /* owned; what each descriptor was opened as */
    struct file_sim_op *trace;
    size_t n_trace, cap_trace;
    uint64_t n_ops, n_bytes;
    uint64_t fail_at, fail_sync_in, die_at, die_seed, bytes_max;
    int fail_errno;
    bool is_short, is_dead;
};

uint64_t file_sim_random(uint64_t *state);

#endif
