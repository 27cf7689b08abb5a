/*
 * Objects in the face of a connector (hub/system.h): bytes that are opened and read in pieces.
 */
#ifndef HUB_SYSTEM_OBJECT_H
#define HUB_SYSTEM_OBJECT_H

#include "hub/hub.h"

#include <stdatomic.h>

/* One asking about an object: to open it, or to read a piece. */
#define HUB_OBJECT_VERSION_MAX 80
#define HUB_MEDIA_TYPE_MAX 80
struct hub_object_ask {
    /* asked; borrowed until `done` */
    const struct hub_resource *resource; /* to open */
    struct value key;                    /* to open: of the resource's key field, text or integer; null: it has none */
    struct str contract;                 /* to open, under which; lives as long as the hub */
    uint64_t intent;                     /* to open: the use's leaf in our ledger, where it is known */
    bool has_intent;
    struct str range; /* to open: the part of it that is asked for, as the asker said it; empty: all, or not known yet */
    uint64_t at;      /* to read: exactly `n` bytes from here on, into `out` */
    size_t n;
    char *out;
    uint64_t left;                    /* to read: from `at` on, with this piece, until no more will be read */
    bool is_last;                     /* no other piece will be read */
    const _Atomic bool *is_cancelled; /* to read: set when the asker has gone, and nobody waits for it any more; NULL: never */
    struct loop *loop;                /* where `done` runs */
    void (*done)(struct hub_object_ask *ask);
    /* answered: ERR_OK; ERR_NOT_FOUND, there is no such object; ERR_STATE, it is another one than was opened; ERR_UNAVAILABLE,
     * ERR_TIMEOUT, ERR_FULL … */
    enum err err;
    void *object; /* opened: the connector's handle, as the next five */
    uint64_t n_bytes;
    char media_type[HUB_MEDIA_TYPE_MAX];
    char version[HUB_OBJECT_VERSION_MAX]; /* of letters, digits, '.', '-' and '_': another one when the bytes are others */
    bool is_version_weak;                 /* … or perhaps not: it has changed within the last moments */
    char twin[HUB_RECEIPT_MAX];           /* opened: the other hub's receipt of this use, for the outcome to name; empty: none */
    struct loop_task task;                /* the connector's, as the next two */
    struct hub_object_ask *next;
    void *system_state;
};

/* Objects of a connector: read in pieces, from where they lie, so that nobody holds a whole one. `open` and `read` from any thread, never
 * blocking; `done` always runs, once, later, on ask->loop. */
struct hub_system_objects {
    void (*open)(void *system, struct hub_object_ask *ask);
    /* One at a time on an object. What was opened may have changed: that is noticed with the last piece at the latest (ERR_STATE), so that
     * nobody gets the whole of something that never was. */
    void (*read)(void *object, struct hub_object_ask *ask);
    /* Any thread, while nothing is read; must not block. All are closed before the system is. */
    void (*close)(void *object);
    bool needs_intent; /* opened when the use's intent leaf is durable, whose number goes along; else side by side with it */
};

#endif
