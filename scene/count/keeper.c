/* Snapshots to the disk; see keeper.h. */
#include "scene/count/keeper.h"

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "scene/count/snapshot.h"

#include <pthread.h>
#include <string.h>

struct count_keeper {
    char path[FILE_PATH_MAX];
    struct buf bytes; /* the owner's while it is not full, otherwise the thread's */
    pthread_t thread;
    pthread_mutex_t lock; /* guards the two below */
    pthread_cond_t changed;
    bool is_full, is_ending;
};

static void write_it(struct count_keeper *keeper)
{
    count_snapshot_seal(&keeper->bytes);
    enum err err = keeper->bytes.err;
    if (err == ERR_OK)
        err = file_replace(file_ops_system(), keeper->path, buf_str(&keeper->bytes));
    if (err != ERR_OK)
        log_write(LOG_WARNING, "scene/count", "a snapshot of the count was not written; after a restart it goes on from the one before",
            LOG_STR("file", str_from_c(keeper->path)), LOG_STR("why", str_from_c(err_text(err))), LOG_END);
    buf_finish(&keeper->bytes); /* a large city's is tens of megabytes, once a minute */
}

static void *run(void *context)
{
    struct count_keeper *keeper = context;
    pthread_mutex_lock(&keeper->lock);
    while (keeper->is_full || !keeper->is_ending) {
        if (!keeper->is_full) {
            pthread_cond_wait(&keeper->changed, &keeper->lock);
            continue;
        }
        pthread_mutex_unlock(&keeper->lock);
        write_it(keeper);
        pthread_mutex_lock(&keeper->lock);
        keeper->is_full = false;
        pthread_cond_broadcast(&keeper->changed);
    }
    pthread_mutex_unlock(&keeper->lock);
    return NULL;
}

static enum err make_folder(const char *path)
{
    char folder[FILE_PATH_MAX];
    const char *slash = strrchr(path, '/');
    if (slash == NULL || slash == path)
        return ERR_OK;
    memcpy(folder, path, (size_t)(slash - path));
    folder[slash - path] = 0;
    return file_make_dirs(file_ops_system(), folder);
}

enum err count_keeper_create(const char *path, struct count_keeper **ret_keeper)
{
    if (strlen(path) >= FILE_PATH_MAX)
        return ERR_TOO_LARGE;
    enum err err = make_folder(path);
    if (err != ERR_OK)
        return err;
    struct count_keeper *keeper = mem_alloc_zero(1, sizeof(*keeper));
    if (keeper == NULL)
        return ERR_NO_MEMORY;
    memcpy(keeper->path, path, strlen(path) + 1);
    buf_init(&keeper->bytes, COUNT_SNAPSHOT_MAX);
    pthread_mutex_init(&keeper->lock, NULL);
    pthread_cond_init(&keeper->changed, NULL);
    if (pthread_create(&keeper->thread, NULL, run, keeper) != 0) {
        pthread_cond_destroy(&keeper->changed);
        pthread_mutex_destroy(&keeper->lock);
        mem_free(keeper);
        return ERR_NO_MEMORY;
    }
    *ret_keeper = keeper;
    return ERR_OK;
}

struct buf *count_keeper_begin(struct count_keeper *keeper)
{
    pthread_mutex_lock(&keeper->lock);
    bool is_full = keeper->is_full;
    pthread_mutex_unlock(&keeper->lock);
    if (is_full)
        return NULL;
    buf_reset(&keeper->bytes);
    return &keeper->bytes;
}

void count_keeper_commit(struct count_keeper *keeper)
{
    pthread_mutex_lock(&keeper->lock);
    keeper->is_full = true;
    pthread_cond_broadcast(&keeper->changed);
    pthread_mutex_unlock(&keeper->lock);
}

void count_keeper_wait(struct count_keeper *keeper)
{
    pthread_mutex_lock(&keeper->lock);
    while (keeper->is_full)
        pthread_cond_wait(&keeper->changed, &keeper->lock);
    pthread_mutex_unlock(&keeper->lock);
}

void count_keeper_destroy(struct count_keeper *keeper)
{
    if (keeper == NULL)
        return;
    pthread_mutex_lock(&keeper->lock);
    keeper->is_ending = true;
    pthread_cond_broadcast(&keeper->changed);
    pthread_mutex_unlock(&keeper->lock);
    pthread_join(keeper->thread, NULL);
    pthread_cond_destroy(&keeper->changed);
    pthread_mutex_destroy(&keeper->lock);
    buf_finish(&keeper->bytes);
    mem_free(keeper);
}
