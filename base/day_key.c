/* One file a day, named by its date, 32 random bytes (base/day_key.h). */
#include "base/day_key.h"

#include "base/clock.h"
#include "base/crypto.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE (DAY_KEY_DIR_MAX + 32)
#define DAY_MS INT64_C(86400000)
#define DATE_LENGTH 10 /* YYYY-MM-DD */

static const struct time_zone no_zone; /* a day's number has no zone any more */

enum err day_keys_init(struct day_keys *keys, const char *dir)
{
    memset(keys, 0, sizeof *keys);
    if (strlen(dir) >= sizeof keys->dir)
        return ERR_TOO_LARGE;
    memcpy(keys->dir, dir, strlen(dir) + 1);
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return err_from_errno(errno);
    pthread_mutex_init(&keys->lock, NULL);
    return ERR_OK;
}

void day_keys_finish(struct day_keys *keys)
{
    pthread_mutex_destroy(&keys->lock);
    crypto_wipe(keys->cached, sizeof keys->cached);
}

static void path_of(const struct day_keys *keys, int64_t day, char path[PATH_SIZE])
{
    struct civil_time date = civil_from_wall((struct wall_time){day * DAY_MS}, no_zone);
    (void)snprintf(path, PATH_SIZE, "%s/%04d-%02d-%02d", keys->dir, date.year, date.month, date.day);
}

/* The day that a file is of; false: its name is no date. */
static bool day_of(const char *name, int64_t *ret_day)
{
    struct civil_time date = {0};
    struct wall_time wall;
    char again[DATE_LENGTH + 1 + 32];
    if (strlen(name) != DATE_LENGTH || sscanf(name, "%4d-%2d-%2d", &date.year, &date.month, &date.day) != 3 ||
        civil_to_wall(date, no_zone, &wall) != ERR_OK)
        return false;
    (void)snprintf(again, sizeof again, "%04d-%02d-%02d", date.year, date.month, date.day);
    *ret_day = wall_day_number(wall, no_zone);
    return strcmp(again, name) == 0;
}

enum err day_keys_get(struct day_keys *keys, int64_t day, uint8_t ret_key[32])
{
    enum err err = ERR_OK;
    size_t at = (uint64_t)day % DAY_KEYS_CACHED;
    pthread_mutex_lock(&keys->lock);
    if (!keys->cached[at].is_set || keys->cached[at].day != day) {
        char path[PATH_SIZE];
        path_of(keys, day, path);
        keys->cached[at].is_set = false;
        err = crypto_key_file(path, keys->cached[at].key);
        keys->cached[at].is_set = err == ERR_OK;
        keys->cached[at].day = day;
    }
    if (err == ERR_OK)
        memcpy(ret_key, keys->cached[at].key, 32);
    pthread_mutex_unlock(&keys->lock);
    return err;
}

enum err day_keys_read(struct day_keys *keys, int64_t day, uint8_t ret_key[32])
{
    char path[PATH_SIZE];
    path_of(keys, day, path);
    pthread_mutex_lock(&keys->lock); /* nothing of ours removes it between the two */
    enum err err = access(path, R_OK) == 0 ? crypto_key_file(path, ret_key) : err_from_errno(errno);
    pthread_mutex_unlock(&keys->lock);
    return err;
}

static void forget_before(struct day_keys *keys, int64_t day)
{
    for (size_t i = 0; i < DAY_KEYS_CACHED; i++)
        if (keys->cached[i].is_set && keys->cached[i].day < day) {
            crypto_wipe(keys->cached[i].key, sizeof keys->cached[i].key);
            keys->cached[i].is_set = false;
        }
}

enum err day_keys_drop_before(struct day_keys *keys, int64_t day)
{
    enum err err = ERR_OK;
    bool is_changed = false;
    pthread_mutex_lock(&keys->lock);
    forget_before(keys, day);
    DIR *dir = opendir(keys->dir);
    if (!dir)
        err = err_from_errno(errno);
    for (struct dirent *entry = dir ? readdir(dir) : NULL; entry; entry = readdir(dir)) {
        int64_t number = 0;
        if (!day_of(entry->d_name, &number) || number >= day)
            continue;
        is_changed = true;
        if (unlinkat(dirfd(dir), entry->d_name, 0) != 0)
            err = err_from_errno(errno);
    }
    if (is_changed && fsync(dirfd(dir)) != 0)
        err = ERR_IO;
    if (dir)
        closedir(dir);
    pthread_mutex_unlock(&keys->lock);
    return err;
}
