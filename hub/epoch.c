/*
 * Epoch keys: one random key a civil day, from which salts and pseudonyms come. What the ledger holds for ever can be linked to a
 * person only while that day's key file exists; deleting it is the answer to a demand for deletion.
 *
 * The keys are read from disk once a day; afterwards a look-up is one atomic load.
 */
#include "base/mem.h"
#include "hub/parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_MAX_OURS 4096

struct hub_epochs {
    _Atomic(const struct hub_epoch *) current;
    pthread_mutex_t lock; /* guards `all` and the making of files */
    struct hub_epoch *all;
};

static enum err make_dir(const char *path)
{
    return mkdir(path, 0700) == 0 || errno == EEXIST ? ERR_OK : err_from_errno(errno);
}

enum err hub_epochs_create(struct hub *hub)
{
    char path[PATH_MAX_OURS];
    struct hub_epochs *epochs = mem_alloc_zero(1, sizeof *epochs);
    if (!epochs)
        return ERR_NO_MEMORY;
    enum err err = make_dir(hub->data_dir.ptr);
    snprintf(path, sizeof path, "%s/secrets", hub->data_dir.ptr);
    if (!err)
        err = make_dir(path);
    snprintf(path, sizeof path, "%s/secrets/epoch", hub->data_dir.ptr);
    if (!err)
        err = make_dir(path);
    if (err) {
        mem_free(epochs);
        return err;
    }
    pthread_mutex_init(&epochs->lock, NULL);
    hub->epochs = epochs;
    return ERR_OK;
}

void hub_epochs_destroy(struct hub *hub)
{
    if (!hub->epochs)
        return;
    for (struct hub_epoch *epoch = hub->epochs->all, *next; epoch; epoch = next) {
        next = epoch->next;
        crypto_wipe(epoch, sizeof *epoch);
        mem_free(epoch);
    }
    pthread_mutex_destroy(&hub->epochs->lock);
    mem_free(hub->epochs);
    hub->epochs = NULL;
}

static void epoch_path(struct hub *hub, struct wall_time wall, char *path, size_t size)
{
    struct civil_time day = civil_from_wall(wall, hub->zone);
    snprintf(path, size, "%s/secrets/epoch/%04d-%02d-%02d", hub->data_dir.ptr, day.year, day.month, day.day);
}

static void derive(struct hub_epoch *epoch)
{
    struct str key = {(const char *)epoch->key, sizeof epoch->key};
    struct sha256 salt = crypto_hmac_sha256(key, STR("citybrain salt")), subject = crypto_hmac_sha256(key, STR("citybrain subject"));
    memcpy(epoch->salt_key, salt.bytes, sizeof epoch->salt_key);
    memcpy(epoch->subject_key, subject.bytes, sizeof epoch->subject_key);
}

/* Under the lock. */
static enum err load_day(struct hub *hub, struct wall_time wall, int64_t day, const struct hub_epoch **ret_epoch)
{
    char path[PATH_MAX_OURS];
    for (struct hub_epoch *epoch = hub->epochs->all; epoch; epoch = epoch->next)
        if (epoch->day == day) {
            *ret_epoch = epoch;
            return ERR_OK;
        }
    struct hub_epoch *epoch = mem_alloc_zero(1, sizeof *epoch);
    if (!epoch)
        return ERR_NO_MEMORY;
    epoch_path(hub, wall, path, sizeof path);
    enum err err = crypto_key_file(path, epoch->key);
    if (err) {
        mem_free(epoch);
        return err;
    }
    epoch->day = day;
    derive(epoch);
    epoch->next = hub->epochs->all;
    hub->epochs->all = epoch;
    *ret_epoch = epoch;
    return ERR_OK;
}

enum err hub_epoch_get(struct hub *hub, struct wall_time wall, const struct hub_epoch **ret_epoch)
{
    int64_t day = wall_day_number(wall, hub->zone);
    const struct hub_epoch *epoch = atomic_load_explicit(&hub->epochs->current, memory_order_acquire);
    if (epoch && epoch->day == day) {
        *ret_epoch = epoch;
        return ERR_OK;
    }
    pthread_mutex_lock(&hub->epochs->lock);
    enum err err = load_day(hub, wall, day, &epoch);
    if (!err)
        atomic_store_explicit(&hub->epochs->current, epoch, memory_order_release);
    pthread_mutex_unlock(&hub->epochs->lock);
    if (!err)
        *ret_epoch = epoch;
    return err;
}

enum err hub_epoch_read(struct hub *hub, struct wall_time wall, struct hub_epoch *ret_epoch)
{
    char path[PATH_MAX_OURS];
    epoch_path(hub, wall, path, sizeof path);
    if (access(path, R_OK) != 0)
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    enum err err = crypto_key_file(path, ret_epoch->key);
    if (err)
        return err;
    ret_epoch->day = wall_day_number(wall, hub->zone);
    derive(ret_epoch);
    return ERR_OK;
}

enum err hub_epoch_key(struct hub *hub, struct wall_time wall, uint8_t ret_key[32])
{
    const struct hub_epoch *epoch;
    enum err err = hub_epoch_get(hub, wall, &epoch);
    if (!err)
        memcpy(ret_key, epoch->key, sizeof epoch->key);
    return err;
}

void hub_salt(const struct hub_epoch *epoch, const uint8_t nonce[16], uint8_t ret_salt[32])
{
    struct sha256 salt = crypto_hmac_sha256((struct str){(const char *)epoch->salt_key, 32}, (struct str){(const char *)nonce, 16});
    memcpy(ret_salt, salt.bytes, 32);
}
