/*
 * One use of an object (对象): decided, opened, read in pieces, ended; with both leaves.
 *
 * decide() → the intent leaf goes to the ledger and the object is opened, side by side → both are there: `ready` → piece by piece, each
 * only when its reader has taken the one before; whether the contract still stands is asked for every piece → hub_object_end() → the
 * outcome leaf: how many bytes were given to the network, from where on, and their digest, also of what was broken off.
 *
 * Nobody holds a whole object: a use has one piece in memory.
 */
#ifndef HUB_OBJECT_H
#define HUB_OBJECT_H

#include "hub/system.h"

#define HUB_OBJECT_PIECE (128u << 10) /* half a millisecond of a disk, a tenth of one of SHA-256 */
#define HUB_OBJECT_KEY_MAX 200        /* bytes of a key's text */
#define HUB_OBJECT_RANGE_MAX 128

struct hub_object_use {
    /* asked; borrowed until `ready` */
    struct str party, resource, purpose;
    struct str contract; /* empty: the one that fits */
    struct str key;      /* as text; empty: none */
    struct str twin;     /* the receipt of the same use at the asker's own hub, another one; empty: asked here */
    struct str range;    /* as it was asked for: the intent's request says it; empty: all */
    struct loop *loop;   /* where all that follows runs */
    /* Once, later. With a refusal the use is over when it returns; else hub_object_end() ends it, once. */
    void (*ready)(struct hub_object_use *use);
    /* Answers hub_object_next(): a piece, borrowed until the next one is asked for or the end; or the error with which to end. */
    void (*piece)(struct hub_object_use *use, enum err err, struct str bytes);
    void *context;
    /* answered */
    struct hub_refusal refusal;
    char receipt[HUB_RECEIPT_MAX]; /* "": refused before there was one */
    uint64_t n_bytes;              /* of the whole object */
    char media_type[HUB_MEDIA_TYPE_MAX], version[HUB_OBJECT_VERSION_MAX];
    bool is_version_weak;
    void *hub_state; /* the hub's own */
};

/* Any thread. `ready` always runs, once, later, on `loop`. */
void hub_object_start(struct hub *hub, struct hub_object_use *use);
/* Which bytes are read: those [first, first + n), else all. Before the first piece. */
void hub_object_range(struct hub_object_use *use, uint64_t first, uint64_t n);
/* Not past the range's end. `piece` runs once, from within or later, but not after hub_object_end(). */
void hub_object_next(struct hub_object_use *use);
/* The asker has gone: a piece under way may end early, with ERR_CANCELLED. `piece` still runs, and hub_object_end() is still to come. */
void hub_object_give_up(struct hub_object_use *use);
/* `use` is the caller's again. ERR_OK: all went as it was asked; ERR_CANCELLED: the asker has gone; else what `piece` said. `n_given`:
 * bytes that were given to the network, a part of those that were read. */
void hub_object_end(struct hub_object_use *use, enum err err, uint64_t n_given);

/* The outcome leaf of an object's use, by its intent: ERR_BUSY, it is not durable yet; ERR_NOT_FOUND: not among the last 1,024. */
enum err hub_object_outcome(struct hub *hub, uint64_t intent, uint64_t *ret_outcome) MUST_CHECK;

#endif
