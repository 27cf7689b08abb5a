/* What a subscription is, for hub/stream.c, whose it is, and hub/publish.c, which counts what it holds. */
#ifndef HUB_STREAM_INSIDE_H
#define HUB_STREAM_INSIDE_H

#include "hub/pull.h"
#include "hub/replay.h"
#include "hub/window.h"

struct waiting { /* a batch that waits for its window */
    struct rows *rows;
    struct waiting *next;
};

struct batches {
    struct waiting *first, **last;
    size_t n;
};

struct hub_subscription {
    struct hub *hub;
    struct hub_entry *entry;
    struct hub_contract *contract;
    struct arena arena; /* the copied options */
    struct hub_subscribe_options options;
    struct decide_request request;
    uint16_t *field_map;
    struct bus_subscription *bus; /* NULL: */
    struct hub_pull *pull;        /* it is of another hub's stream */
    uint32_t n_unanswered;        /* windows there, one after the other */
    struct batches waiting;       /* to be handed over, in order */
    struct batches live;          /* came while the kept ones are still being replayed */
    struct hub_replay *replay;    /* NULL: none, or over */
    struct hub_window_state *current, *next_window;
    struct loop_timer roll, retry;
    int n_refs; /* the owner, and each call-back under way */
    bool is_starting, is_ended, is_closed, is_pumping, is_paused;
    struct hub_refusal refusal; /* why it ended while it was starting */
    uint64_t n_dropped;
    _Atomic size_t n_held;         /* batches published and not yet handed over; BUS_REFUSE only */
    struct hub_subscription *next; /* of the resource; under entry->lock */
};

/* A batch of one that must not lose is handed over, or never will be. */
static inline void hub_subscription_let_go(struct hub_subscription *subscription)
{
    if (subscription->options.when_full == BUS_REFUSE)
        atomic_fetch_sub_explicit(&subscription->n_held, 1, memory_order_release);
}

#endif
