/* What store.c (taking), publisher.c (handing on) and store_read.c (reading back) share. */
#ifndef SYSTEM_VEHICLE_CAMERA_STORE_INTERNAL_H
#define SYSTEM_VEHICLE_CAMERA_STORE_INTERNAL_H

#include "base/day_key.h"
#include "system/vehicle_camera/record.h"
#include "system/vehicle_camera/repeats.h"
#include "system/vehicle_camera/store.h"

#include <pthread.h>
#include <stdatomic.h>

#define STORE_PATH_MAX 512

/* The rows of one record on their way from the journal to the hub. */
struct batch {
    struct batch *next;
    uint64_t counter; /* of its record */
    uint64_t index;   /* of its record in the journal; set when durable */
    size_t n;
    struct rows *rows; /* owned; NULL for an empty record */
};

struct store {
    struct store_options options;
    struct journal *journal;
    uint8_t master[32];
    uint8_t repeats_key[32];
    struct day_keys day_keys;
    bool has_day_keys;
    struct loop_thread *thread; /* the publisher's */
    _Atomic int failed;         /* enum err */
    _Atomic bool is_ready, is_closing;
    struct metric_counter n_refused; /* requests, for want of room */

    pthread_mutex_t lock; /* guards what follows */
    struct repeats repeats;
    struct seal_key key; /* of this start */
    struct buf plain;    /* scratch for sealing */
    uint64_t next_counter;
    uint64_t n_passages;                        /* ever, in the journal */
    size_t n_in_flight;                         /* takes that are not yet durable */
    size_t n_unpublished;                       /* passages */
    struct batch *first_pending, *last_pending; /* appended, not yet durable; in the journal's order */
    struct batch *first_ready, *last_ready;     /* durable, not yet published */
    bool is_posted;                             /* publish_task waits on the publisher's loop */

    /* the publisher's own */
    struct loop_task publish_task, recall_task, drop_task;
    struct loop_timer retry;
    _Atomic bool drop_is_posted;
    _Atomic uint64_t n_published; /* index of the next record to be published */
};

void store_fail(struct store *store, enum err err);
void batch_destroy(struct batch *batch);

/* publisher.c */
void store_publisher_init(struct store *store);
void store_on_durable(void *context, uint64_t first_index, const struct str *records, size_t n);
void store_publisher_end(void *context); /* on the publisher's thread: publishes what can be, once more */

/* store_read.c */
enum err store_recall(
    struct store *store, struct diag *diag) MUST_CHECK; /* brings back the fingerprints, here or on the publisher's thread */
void store_drop_old_now(struct store *store);

#endif
