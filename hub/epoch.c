/*
 * Epoch keys: one random key a civil day (base/day_key.h), from which salts and pseudonyms come. What the ledger holds for ever can be
 * linked to a person only while that day's key file exists; deleting it is the answer to a demand for deletion, and happens by itself
 * when the city's time for it (epoch_keys_kept) is over.
 *
 * The keys are read from disk once a day; afterwards a look-up is one atomic load.
 */
#include "base/day_key.h"
#include "base/log.h"
#include "base/mem.h"
#include "hub/parts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_MAX_OURS 4096
#define DAY_MS INT64_C(86400000)

struct hub_epochs {
    _Atomic(const struct hub_epoch *) current;
    pthread_mutex_t lock; /* guards `all` */
    struct hub_epoch *all;
    struct day_keys keys;
    int64_t dropped_on; /* the day on which old keys were last dropped; the hub's loop's */
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
    epochs->dropped_on = INT64_MIN;
    enum err err = make_dir(hub->data_dir.ptr);
    snprintf(path, sizeof path, "%s/secrets", hub->data_dir.ptr);
    if (!err)
        err = make_dir(path);
    snprintf(path, sizeof path, "%s/secrets/epoch", hub->data_dir.ptr);
    if (!err)
        err = day_keys_init(&epochs->keys, path);
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
    day_keys_finish(&hub->epochs->keys);
    pthread_mutex_destroy(&hub->epochs->lock);
    mem_free(hub->epochs);
    hub->epochs = NULL;
}

static void derive(struct hub_epoch *epoch, uint8_t key_bytes[32])
{
    struct str key = {(const char *)key_bytes, 32};
    struct sha256 salt = crypto_hmac_sha256(key, STR("citybrain salt")), subject = crypto_hmac_sha256(key, STR("citybrain subject"));
    memcpy(epoch->salt_key, salt.bytes, sizeof epoch->salt_key);
    memcpy(epoch->subject_key, subject.bytes, sizeof epoch->subject_key);
    crypto_wipe(key_bytes, 32);
}

/* Under the lock. */
static enum err load_day(struct hub *hub, int64_t day, const struct hub_epoch **ret_epoch)
{
    uint8_t key[32];
    for (struct hub_epoch *epoch = hub->epochs->all; epoch; epoch = epoch->next)
        if (epoch->day == day) {
            *ret_epoch = epoch;
            return ERR_OK;
        }
    struct hub_epoch *epoch = mem_alloc_zero(1, sizeof *epoch);
    if (!epoch)
        return ERR_NO_MEMORY;
    enum err err = day_keys_get(&hub->epochs->keys, day, key);
    if (err) {
        mem_free(epoch);
        return err;
    }
    epoch->day = day;
    derive(epoch, key);
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
    enum err err = load_day(hub, day, &epoch);
    if (!err)
        atomic_store_explicit(&hub->epochs->current, epoch, memory_order_release);
    pthread_mutex_unlock(&hub->epochs->lock);
    if (!err)
        *ret_epoch = epoch;
    return err;
}

enum err hub_epoch_read(struct hub *hub, struct wall_time wall, struct hub_epoch *ret_epoch)
{
    uint8_t key[32];
    int64_t day = wall_day_number(wall, hub->zone);
    enum err err = day_keys_read(&hub->epochs->keys, day, key);
    if (err)
        return err;
    ret_epoch->day = day;
    derive(ret_epoch, key);
    return ERR_OK;
}

void hub_epochs_drop_old(struct hub *hub)
{
    struct hub_epochs *epochs = hub->epochs;
    int64_t today = wall_day_number(clock_wall(hub->clock), hub->zone);
    if (today == epochs->dropped_on)
        return;
    epochs->dropped_on = today;
    enum err err = day_keys_drop_before(&epochs->keys, today - hub->epochs_kept_ms / DAY_MS);
    if (err)
        log_write(LOG_WARNING, "hub", "epoch keys past their time could not be erased; tried again tomorrow", LOG_ERR(err), LOG_END);
}

void hub_salt(const struct hub_epoch *epoch, const uint8_t nonce[16], uint8_t ret_salt[32])
{
    struct sha256 salt = crypto_hmac_sha256((struct str){(const char *)epoch->salt_key, 32}, (struct str){(const char *)nonce, 16});
    memcpy(ret_salt, salt.bytes, 32);
}
