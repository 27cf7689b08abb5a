/*
 * What object_use.c (how a use of an object begins) and object_piece.c (how it goes on and ends) share.
 */
#ifndef HUB_OBJECT_INSIDE_H
#define HUB_OBJECT_INSIDE_H

#include "hub/object_parts.h"

#define HUB_OBJECT_NOT_YET UINT64_MAX /* an outcome that is still to come */

struct using
{
    struct hub *hub;
    struct hub_object_use *use; /* NULL once the asker has ended it */
    struct hub_entry *entry;
    struct hub_contract *contract;
    struct wall_time now;
    struct mono_time started;
    struct hub_blob *blob; /* of an object in memory */
    void *object;          /* the connector's; NULL: none is open */
    struct hub_object_ask ask;
    bool is_intent_done, is_open_done, is_reading;
    _Atomic bool has_gone;
    uint64_t total, first, n, n_read; /* the range, and how much of it was read */
    char *buffer;
    char twin[HUB_RECEIPT_MAX]; /* the other hub's receipt, as the connector told it */
    struct str piece;
    struct crypto_hash *hash; /* of what was taken: all pieces but the last */
    uint64_t n_hashed, n_given;
    enum err err;
    struct ledger_append intent;
    struct loop_task task;
    struct hub_waiter waiter;
    struct hub_leaf leaf;
    struct hub_follow outcome;
};

extern const struct str hub_object_fields[1]; /* "bytes" */

/* ---- hub/object_piece.c ---- */
void hub_object_remember(struct hub *hub, uint64_t intent, uint64_t outcome); /* for hub_object_outcome() */
void hub_objects_opening(struct hub *hub, int n);                             /* one more at the connectors, or one less */
void hub_object_close(struct using *using);                                   /* the connector's, when it is open */
void hub_object_tell_outcome(struct using *using, bool was_open);
void hub_object_destroy(struct using *using);

#endif
