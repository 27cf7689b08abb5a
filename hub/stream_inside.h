/* What a subscription is: for hub/subscribe.c, which begins it and takes what comes, hub/stream.c, whose windows these are, and
 * hub/publish.c, which counts what it holds. */
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

/* ---- stream.c: all on the subscription's loop ---- */
enum err subscription_batches_push(struct batches *batches, struct rows *rows) MUST_CHECK; /* takes the rows */
struct rows *subscription_batches_pop(struct batches *batches);                            /* NULL when empty; the caller's from then on */
void subscription_unref(struct hub_subscription *subscription);
void subscription_detach(struct hub_subscription *subscription); /* no more rows; windows get their outcomes */
/* A window's intent is durable, or the subscription ends with the error. */
void subscription_on_window(void *context, struct hub_window_state *window, enum err err);
/* A window under a fresh decision that counts; NULL with a retry under way, or after the end. `is_ahead`: while another one runs. */
struct hub_window_state *subscription_open_window(struct hub_subscription *subscription, bool is_ahead);
void subscription_pump(struct hub_subscription *subscription);      /* hands over what waits, and asks for more */
void subscription_ask_again(struct hub_subscription *subscription); /* the window is over at the other hub: the next one, later */
void subscription_on_roll(struct loop_timer *timer);
void subscription_on_retry(struct loop_timer *timer);

#endif
