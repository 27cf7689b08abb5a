/*
 * The key of a day (时段密钥): a vehicle's pseudonym is HMAC-SHA256(key of the day of its passage, plate). When the day can be told of no
 * more (accept_past is over), its key is erased, and with it the way from a plate to that day's pseudonym.
 */
#ifndef SYSTEM_VEHICLE_CAMERA_DAY_KEY_H
#define SYSTEM_VEHICLE_CAMERA_DAY_KEY_H

#include "base/err.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define DAY_KEYS_CACHED 4 /* yesterday, today, tomorrow in the minutes around midnight */
#define DAY_KEY_PATH_MAX 512

struct day_keys {
    char dir[DAY_KEY_PATH_MAX];
    pthread_mutex_t lock;
    struct {
        int64_t day;
        bool is_set;
        uint8_t key[32];
    } cached[DAY_KEYS_CACHED];
};

/* Makes the folder. ERR_IO, ERR_DISK_FULL, ERR_TOO_LARGE (path). */
enum err day_keys_init(struct day_keys *keys, const char *dir) MUST_CHECK;
void day_keys_finish(struct day_keys *keys);
/* `day`: wall_day_number(). Made when there is none yet. Any thread. */
enum err day_keys_get(struct day_keys *keys, int64_t day, uint8_t ret_key[32]) MUST_CHECK;
/* Erases the keys of the days before `day`. Any thread. ERR_IO. */
enum err day_keys_drop_before(struct day_keys *keys, int64_t day) MUST_CHECK;

#endif
