/*
 * What has been taken: the passages' journal, encrypted, then published in the journal's order.
 *
 * One request's way: store_take() on its loop → pseudonyms and fingerprints → under the lock: room? which are new? → sealed → appended to
 * the journal → fdatasync on the journal's thread → to the publisher's thread, and `done` on the request's loop: status 0. The publisher
 * hands batch after batch to the hub; while the hub is full it waits, and when too much waits, store_take() says ERR_FULL before anything
 * is written, so that the sender slows down.
 */
#ifndef SYSTEM_VEHICLE_CAMERA_STORE_H
#define SYSTEM_VEHICLE_CAMERA_STORE_H

#include "base/journal.h"
#include "system/vehicle_camera/passage.h"

struct store;

struct store_options {
    const char *data_dir; /* passages/ and secrets/ are made in it */
    struct clock *clock;
    struct time_zone zone; /* cuts the days of pseudonyms */
    int64_t kept_ms;       /* retention of the journal */
    int64_t accept_past_ms, accept_future_ms;
    size_t n_repeats;                  /* fingerprints remembered; 0: STORE_REPEATS_DEFAULT */
    size_t n_unpublished_max;          /* passages taken and not yet published; 0: STORE_UNPUBLISHED_DEFAULT */
    size_t segment_max_bytes;          /* 0: STORE_SEGMENT_DEFAULT */
    struct file_ops *files;            /* NULL: the system's */
    const struct camera_list *cameras; /* for replay: where a camera stands */
    const struct plate_locals *locals; /* for the plates' groups; NULL: none is told */
    /* On the publisher's thread, in the journal's order; borrows. ERR_FULL: asked again a little later, with the same rows. */
    enum err (*publish)(void *context, struct rows *rows);
    /* Once, from any thread: nothing will be taken any more. */
    void (*fatal)(void *context, enum err err);
    void *context;
};

#define STORE_REPEATS_DEFAULT 1000000    /* the last 200 s of a city's 5,000 a second, an hour of the demo's; 16 MB when full */
#define STORE_UNPUBLISHED_DEFAULT 200000 /* about 100 MB of rows: four seconds at the door's full speed */
#define STORE_SEGMENT_DEFAULT (8u << 20) /* read whole at a start: some ten milliseconds */

enum err store_open(const struct store_options *options, struct diag *diag, struct store **ret_store) MUST_CHECK;
/* What is taken becomes durable and is published if the hub takes it; then threads end. Unfinished takes are the caller's. Takes NULL. */
void store_close(struct store *store);
bool store_is_ready(struct store *store);  /* the fingerprints of before the start are back; until then store_take() says ERR_BUSY */
enum err store_error(struct store *store); /* what stopped it; ERR_OK while it takes */

/* One request. Owned by the caller; store_take_finish() when done. */
struct store_take {
    struct loop *loop;                     /* where `done` runs */
    void (*done)(struct store_take *take); /* durable: err is ERR_OK; else the error that stopped the store */
    enum err err;
    size_t n_new;
    bool is_done; /* all of it was durable before: `done` will not be called */
    /* the store's */
    struct store *store;
    struct journal_append append;
    struct loop_task task;
    void *memory;
};

/* `passages` are borrowed during the call; pseudonym and fingerprint of each are filled in. Any thread. On an error nothing was taken:
 * ERR_BUSY (still starting), ERR_FULL (slow the sender), ERR_NO_MEMORY, or what stopped the store. */
enum err store_take(struct store *store, struct passage *passages, size_t n, struct store_take *take) MUST_CHECK;
void store_take_finish(struct store_take *take);

/* hub_system_ops.replay: what was published and arrived at or after `from`, in order, a batch a record. */
enum err store_replay(
    struct store *store, struct wall_time from, enum err (*emit)(void *context, struct rows *rows), void *context) MUST_CHECK;
/* Its journal, what waits to be published, what it refused. Any thread. */
void store_measure(struct store *store, struct metric_page *page, struct str name);
/* Drops what is older than kept_ms, and the days' keys that are no longer needed, on the publisher's thread, soon. */
void store_drop_old(struct store *store);

#endif
