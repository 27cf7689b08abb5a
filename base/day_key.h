/*
 * The keys of days (时段密钥): one random key a civil day, in a file of its own, DIR/YYYY-MM-DD. What was made under a day's key, a
 * vehicle's pseudonym, the salt of a leaf, can be linked to a person only while that file exists: erasing it, when its time is over
 * or on demand, is the deletion.
 *
 * Days are those of wall_day_number(): which zone cuts them is the caller's affair.
 */
#ifndef BASE_DAY_KEY_H
#define BASE_DAY_KEY_H

#include "base/err.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define DAY_KEYS_CACHED 4 /* yesterday, today, tomorrow in the minutes around midnight */
#define DAY_KEY_DIR_MAX 480

struct day_keys {
    char dir[DAY_KEY_DIR_MAX];
    pthread_mutex_t lock;
    struct {
        int64_t day;
        bool is_set;
        uint8_t key[32];
    } cached[DAY_KEYS_CACHED];
};

/* Makes the folder, whose parent has to be there. ERR_IO, ERR_DISK_FULL, ERR_NOT_FOUND, ERR_TOO_LARGE (path). */
enum err day_keys_init(struct day_keys *keys, const char *dir) MUST_CHECK;
void day_keys_finish(struct day_keys *keys);
/* Made, durably, when there is none yet. Any thread; reads the disk once a day. */
enum err day_keys_get(struct day_keys *keys, int64_t day, uint8_t ret_key[32]) MUST_CHECK;
/* Without making one, and from the disk, so that a file that somebody removed is gone: ERR_NOT_FOUND. Any thread. */
enum err day_keys_read(struct day_keys *keys, int64_t day, uint8_t ret_key[32]) MUST_CHECK;
/* Erases the keys of the days before `day`, durably; files with other names stay. Any thread. ERR_IO. */
enum err day_keys_drop_before(struct day_keys *keys, int64_t day) MUST_CHECK;

#endif
