/*
 * The cameras (卡口相机) as the brain's door meets them: each registers with Digest, takes the time, sends what it read once a
 * second, says that it is there when there is nothing to say, and keeps what it could not send.
 *
 * A camera holds at most CAMERA_QUEUE_MAX readings; past that the oldest goes, and is counted. A refused connection, a 503 or no
 * answer is tried again with growing pauses; after a broken connection the camera registers again, as the brain may be another.
 */
#ifndef WORLD_CAMERAS_H
#define WORLD_CAMERAS_H

#include "base/loop.h"
#include "http/client.h"
#include "world/brain_clock.h"
#include "world/city.h"
#include "world/viid.h"

#define CAMERA_QUEUE_MAX 2048   /* ten minutes of the busiest approach */
#define CAMERA_BATCH_MAX 200    /* readings in one message */
#define CAMERA_KEEPALIVE_S 20   /* of the brain's time; the door calls a camera silent after 60 */
#define CAMERA_PAUSE_MIN_MS 500 /* before trying again; doubles */
#define CAMERA_PAUSE_MAX_MS 8000
#define CAMERA_CONNECTIONS 16

struct cameras;

struct cameras_counts {
    uint64_t n_sent;    /* accepted by the brain with status 0 */
    uint64_t n_refused; /* answered with another status: not sent again */
    uint64_t n_dropped; /* never sent: the queue was full */
    uint64_t n_failed;  /* requests that had to be tried again */
    uint32_t n_waiting; /* readings in the queues */
    uint32_t n_registered;
    char why[160]; /* of the last refusal or failure */
};

/* `city`, `clock` and `brain` (address, "http://127.0.0.1:8080") are kept. `is_dead`: [n_cameras], copied. */
enum err cameras_create(struct loop *loop, struct http_client *client, const struct world_city *city, const char *brain,
    struct brain_clock *clock, const bool *is_dead, struct cameras **ret_cameras) MUST_CHECK;
void cameras_destroy(struct cameras *cameras); /* after the client; takes NULL */
/* A reading for the next batch; copied. Dead cameras take none. `number` is set here. */
void cameras_add(struct cameras *cameras, uint32_t camera, const struct viid_passage *passage);
/* The last reading once more, under its old name: a camera that repeats itself. */
void cameras_add_again(struct cameras *cameras, uint32_t camera);
/* Once a second of ours or oftener: sends what is due. */
void cameras_tick(struct cameras *cameras);
void cameras_count(const struct cameras *cameras, struct cameras_counts *ret_counts);

#endif
