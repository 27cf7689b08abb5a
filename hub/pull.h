/*
 * A subscription's rows from afar (hub_system_streams.take): asked for under a window's receipt, one asking after the other, each when the
 * subscriber has what came before. Everything runs on the subscription's loop.
 */
#ifndef HUB_PULL_H
#define HUB_PULL_H

#include "hub/system.h"

struct hub_pull;
struct hub_pull_options {
    struct hub *hub;
    const struct hub_system_streams *ops;
    void *system;
    const struct hub_resource *resource;
    struct str contract;
    const struct str *fields;
    size_t n_fields;
    struct loop *loop;
    /* Answers hub_pull_ask(): batches with the fields asked for, taken; none: there was nothing yet. An error: the window is over there. */
    void (*on_rows)(void *context, enum err err, struct rows **rows, size_t n);
    void *context;
};
enum err hub_pull_create(const struct hub_pull_options *options, struct hub_pull **ret_pull) MUST_CHECK;
/* Under the window of leaf `intent`, which is durable; not while one asks. */
void hub_pull_ask(struct hub_pull *pull, uint64_t intent);
bool hub_pull_may_ask(const struct hub_pull *pull); /* false: in vain now, for certain, as while the link is cut */
bool hub_pull_is_asking(const struct hub_pull *pull);
void hub_pull_end_window(struct hub_pull *pull); /* what was asked under it is over; not while one asks */
void hub_pull_stop(struct hub_pull *pull);       /* no call-back comes after it; takes NULL */

#endif
