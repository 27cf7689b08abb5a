/* One file a day, named by its number since 1970, 32 random bytes (day_key.h). */
#include "system/vehicle_camera/day_key.h"

#include "base/crypto.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum err day_keys_init(struct day_keys *keys, const char *dir)
{
    memset(keys, 0, sizeof *keys);
    if (strlen(dir) >= sizeof keys->dir - 32)
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

enum err day_keys_get(struct day_keys *keys, int64_t day, uint8_t ret_key[32])
{
    enum err err = ERR_OK;
    size_t at = (uint64_t)day % DAY_KEYS_CACHED;
    pthread_mutex_lock(&keys->lock);
    if (!keys->cached[at].is_set || keys->cached[at].day != day) {
        char path[DAY_KEY_PATH_MAX];
        (void)snprintf(path, sizeof path, "%.480s/%lld", keys->dir, (long long)day);
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

enum err day_keys_drop_before(struct day_keys *keys, int64_t day)
{
    enum err err = ERR_OK;
    pthread_mutex_lock(&keys->lock);
    for (size_t i = 0; i < DAY_KEYS_CACHED; i++)
        if (keys->cached[i].is_set && keys->cached[i].day < day) {
            crypto_wipe(keys->cached[i].key, sizeof keys->cached[i].key);
            keys->cached[i].is_set = false;
        }
    DIR *dir = opendir(keys->dir);
    if (dir == NULL)
        err = ERR_IO;
    for (struct dirent *entry = dir != NULL ? readdir(dir) : NULL; entry != NULL; entry = readdir(dir)) {
        int64_t number = 0;
        if (str_to_i64(str_from_c(entry->d_name), &number) == ERR_OK && number < day && unlinkat(dirfd(dir), entry->d_name, 0) != 0)
            err = ERR_IO;
    }
    if (dir != NULL)
        closedir(dir);
    pthread_mutex_unlock(&keys->lock);
    return err;
}
