/* What the feed (hub/feed.h) keeps in the hub and in each contract, and what its files offer the others; for hub/ alone. */
#ifndef HUB_FEED_STATE_H
#define HUB_FEED_STATE_H

#include "base/loop.h"
#include "base/metric.h"

#include <stdatomic.h>

struct hub;
struct hub_contract;
struct hub_lease;

#define HUB_REPLICAS_MAX 63

enum { HUB_FEED_FILE, HUB_FEED_PAPER, HUB_FEED_SIGNED /* from a file, signed at run time */ }; /* what is told of a contract's terms */

struct hub_feed {
    uint64_t epoch; /* this desk's life; 0: it has not begun */
    _Atomic uint64_t last;
    struct hub_contract *oldest, *newest; /* by number, under the desk's lock */
    void (*on_change)(void *context);
    void *context;
    bool is_follower;
    struct str provider;         /* a department's own process: whose; empty: a replica of the hub */
    uint64_t telling;            /* the generation that what is being told belongs to; the hub's loop's */
    _Atomic uint64_t generation; /* the last that was told as a whole, 0: none yet; contracts of an earlier one do not count */
    _Atomic uint16_t n_hubs;     /* processes of the hub, this one too, among whom a rate per second is shared; 0: one */
    size_t count_from;           /* at a replica, on the hub's loop: the contract at which the next telling of counts begins */
    _Atomic uint16_t n_unnamed;  /* at the desk: processes of the hub that follow and have not told yet which log is theirs */
    struct hub_feed_replica {
        uint64_t process;
        struct mono_time heard;
        bool is_named;
    } replicas[HUB_REPLICAS_MAX];                               /* at the desk, on the hub's loop: who follows */
    void (*want)(void *context, const struct hub_lease *lease); /* hub/lease.h */
    void *lender;
    _Atomic int64_t heard_ns; /* when the desk's last answer was asked for, monotonic */
};

struct hub_others_ask;
struct hub_others { /* how the other processes of this hub are asked for citizens' uses: hub/uses.h */
    void (*ask)(void *context, struct hub_others_ask *ask); /* NULL: there are none */
    void *context;
    _Atomic size_t n_asked, n_questions; /* pages and receipts under way; and questions at others for them */
    struct metric_counter n_refused, n_questions_refused, n_unanswered;
};

struct hub_feed_entry { /* of a contract */
    uint64_t number;    /* of its last change at this desk; 0: not told of. As the next two: under the desk's lock */
    struct hub_contract *before, *after;
    _Atomic uint64_t told_in; /* at a follower: the generation in which the desk last told of it */
};

struct hub_lease_state { /* of a replica's quota, hub/lease.c */
    struct loop_task task;
    _Atomic int64_t wait_until_ns;
    uint64_t told, told_before; /* uses without a limit that the desk was told of, as `used`; before the last telling. The hub's loop's */
};

/* ---- hub/feed.c ---- */
void hub_feed_open(struct hub *hub);               /* at the start: the desk begins to tell */
void hub_feed_tell(struct hub_contract *contract); /* its state is another one. Under the desk's lock */
void hub_feed_changed(struct hub *hub);            /* after it, without the lock, on the hub's loop */

/* ---- hub/feed_follow.c ---- */
/* Until when a follower may believe what it knows of a contract. Any thread. */
int64_t hub_feed_fresh_until_ms(const struct hub_contract *contract, struct wall_time now);

/* ---- hub/lease.c ---- */
/* What was taken lies within what is leased; when not, or soon not, more is asked for. As hub_quota_is_reserved(). */
bool hub_lease_holds(struct hub_contract *contract);
/* A replica's limit of the day or month: the contract's, or, while the desk gives no more, what it has. */
int64_t hub_lease_limit(const struct hub_contract *contract, int quota, struct wall_time now);

#endif
