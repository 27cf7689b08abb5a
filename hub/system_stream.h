/*
 * Streams in the face of a connector (hub/system.h): replayed from what a provider keeps; or, of a resource at another hub, taken from
 * there under each window's own receipt.
 */
#ifndef HUB_SYSTEM_STREAM_H
#define HUB_SYSTEM_STREAM_H

#include "hub/events.h"
#include "hub/hub.h"

#include <stdatomic.h>

/* One asking for what is new. */
struct hub_take {
    /* asked; borrowed until `done` */
    const struct hub_resource *resource;
    struct str contract;      /* lives as long as the hub */
    const struct str *fields; /* in this order */
    size_t n_fields;
    uint64_t intent;                  /* the window's leaf in our ledger */
    void *window;                     /* the connector's handle of it; NULL: this is its first asking */
    uint64_t epoch, from, confirmed;  /* hub/place.h */
    const _Atomic bool *is_cancelled; /* set when nobody waits for it any more */
    struct loop *loop;                /* where `done` runs */
    void (*done)(struct hub_take *take);
    /* answered: ERR_OK, soon when there is something, else within some seconds; any other: this window is over at the other side */
    enum err err;
    struct hub_taken taken;           /* but for the records: */
    struct rows *rows[HUB_TAKEN_MAX]; /* one a record, taken by the caller; NULL: it was of another form than declared here */
    struct loop_task task;            /* the connector's, as the next */
    void *system_state;
};

struct hub_system_streams {
    /* Hands over what is kept since `from`, in order, in batches with the resource's declared fields. On a thread of the hub's own; may be
     * NULL. */
    enum err (*replay)(void *system, const struct hub_resource *resource, struct wall_time from,
        enum err (*emit)(void *context, struct rows *rows), void *context);
    /* Of a resource at another hub: any thread, never blocks; `done` always runs, once, later, on take->loop. NULL: rows are published. */
    void (*take)(void *system, struct hub_take *take);
    /* Is there any use in asking now? While there is none, no window is begun. Any thread, never blocks; NULL: always. */
    bool (*may_take)(void *system);
    /* A window has ended: any thread, while nothing is asked of it; must not block. */
    void (*close)(void *window);
};

#endif
