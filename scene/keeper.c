/* Snapshots to the disk; see keeper.h. */
#include "scene/keeper.h"

#include "base/crypto.h"
#include "base/log.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

struct scene_keeper {
    char path[FILE_PATH_MAX];
    const char *log_name;
    struct buf bytes; /* the owner's while it is not full, otherwise the thread's */
    pthread_t thread;
    pthread_mutex_t lock; /* guards those below */
    pthread_cond_t changed;
    bool is_full, is_ending;
    enum err err; /* of the last one */
};

void scene_seal(struct buf *out)
{
    struct sha256 digest = crypto_sha256(buf_str(out));
    buf_append(out, digest.bytes, SCENE_SEAL_LEN);
}

bool scene_unseal(struct str bytes, struct str *ret_body)
{
    if (bytes.len < SCENE_SEAL_LEN)
        return false;
    struct str body = str_slice(bytes, 0, bytes.len - SCENE_SEAL_LEN);
    struct sha256 digest = crypto_sha256(body);
    if (memcmp(digest.bytes, bytes.ptr + body.len, SCENE_SEAL_LEN) != 0)
        return false;
    *ret_body = body;
    return true;
}

static enum err write_it(struct scene_keeper *keeper)
{
    scene_seal(&keeper->bytes);
    enum err err = keeper->bytes.err;
    if (err == ERR_OK)
        err = file_replace(file_ops_system(), keeper->path, buf_str(&keeper->bytes));
    if (err != ERR_OK)
        log_write(LOG_WARNING, keeper->log_name, "a snapshot was not written; after a restart it goes on from the one before",
            LOG_STR("file", str_from_c(keeper->path)), LOG_STR("why", str_from_c(err_text(err))), LOG_END);
    buf_finish(&keeper->bytes); /* a large city's is tens of megabytes, once a minute */
    return err;
}

static void *run(void *context)
{
    struct scene_keeper *keeper = context;
    pthread_mutex_lock(&keeper->lock);
    while (keeper->is_full || !keeper->is_ending) {
        if (!keeper->is_full) {
            pthread_cond_wait(&keeper->changed, &keeper->lock);
            continue;
        }
        pthread_mutex_unlock(&keeper->lock);
        enum err err = write_it(keeper);
        pthread_mutex_lock(&keeper->lock);
        keeper->err = err;
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

enum err scene_keeper_path(const char *data_dir, const char *scene, struct str party, char path[FILE_PATH_MAX])
{
    int len = snprintf(path, FILE_PATH_MAX, "%s/%s/" STR_FORMAT ".snapshot", data_dir, scene, STR_ARG(party));
    if (len < 0 || len >= FILE_PATH_MAX)
        return ERR_TOO_LARGE;
    for (char *c = path + strlen(data_dir) + 1 + strlen(scene) + 1; *c != 0; c++)
        *c = *c == '/' ? '.' : *c;
    return ERR_OK;
}

enum err scene_keeper_create(const char *path, size_t max, const char *log_name, struct scene_keeper **ret_keeper)
{
    if (strlen(path) >= FILE_PATH_MAX)
        return ERR_TOO_LARGE;
    enum err err = make_folder(path);
    if (err != ERR_OK)
        return err;
    struct scene_keeper *keeper = mem_alloc_zero(1, sizeof(*keeper));
    if (keeper == NULL)
        return ERR_NO_MEMORY;
    memcpy(keeper->path, path, strlen(path) + 1);
    keeper->log_name = log_name;
    buf_init(&keeper->bytes, max);
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

struct buf *scene_keeper_begin(struct scene_keeper *keeper)
{
    pthread_mutex_lock(&keeper->lock);
    bool is_full = keeper->is_full;
    pthread_mutex_unlock(&keeper->lock);
    if (is_full)
        return NULL;
    buf_reset(&keeper->bytes);
    return &keeper->bytes;
}

void scene_keeper_commit(struct scene_keeper *keeper)
{
    pthread_mutex_lock(&keeper->lock);
    keeper->is_full = true;
    pthread_cond_broadcast(&keeper->changed);
    pthread_mutex_unlock(&keeper->lock);
}

bool scene_keeper_is_idle(struct scene_keeper *keeper, enum err *ret_err)
{
    pthread_mutex_lock(&keeper->lock);
    bool is_idle = !keeper->is_full;
    enum err err = keeper->err;
    pthread_mutex_unlock(&keeper->lock);
    if (is_idle)
        *ret_err = err;
    return is_idle;
}

void scene_keeper_wait(struct scene_keeper *keeper)
{
    pthread_mutex_lock(&keeper->lock);
    while (keeper->is_full)
        pthread_cond_wait(&keeper->changed, &keeper->lock);
    pthread_mutex_unlock(&keeper->lock);
}

void scene_keeper_destroy(struct scene_keeper *keeper)
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
