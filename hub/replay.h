/*
 * The replay of what a provider keeps (hub_system_ops.replay), on a thread of its own, to a subscription's loop, with back pressure.
 *
 * Rows that were published while the replay ran may also have been in it: they are known by their content, and skipped once.
 */
#ifndef HUB_REPLAY_H
#define HUB_REPLAY_H

#include "hub/system.h"

struct hub_replay;

struct hub_replay_options {
    const struct hub_system_ops *ops;
    void *system;
    const struct hub_resource *resource;
    struct wall_time from;
    const uint16_t *field_map; /* kept */
    size_t n_fields;
    size_t limit; /* batches that wait for the consumer */
    struct loop *loop;
    /* On the loop: a batch with the granted fields, taken; NULL at the end, then the callee calls hub_replay_stop(). */
    void (*on_rows)(void *context, struct rows *rows);
    void *context;
};

enum err hub_replay_start(const struct hub_replay_options *options, struct hub_replay **ret_replay) MUST_CHECK;
/* How many batches wait at the consumer now: the thread goes on when there is room. On the loop; takes NULL. */
void hub_replay_wake(struct hub_replay *replay, size_t n_waiting);
/* Of a batch that was published meanwhile: true when all of it was replayed already (it is released); otherwise *ret_rest (which
 * replaces `live`) holds the rows that were not. */
bool hub_replay_skip_known(struct hub_replay *replay, struct rows *live, struct rows **ret_rest);
/* Stops, joins (at most one batch's reading away) and frees. On the loop; takes NULL. */
void hub_replay_stop(struct hub_replay *replay);

#endif
