/* Counts of uses: how many a contract had in the running day and month, and how much of that is on disk (hub/quota.c). */
#ifndef HUB_USAGE_H
#define HUB_USAGE_H

#include "base/clock.h"
#include "db/db.h"
#include "hub/feed_state.h"

#include <stdatomic.h>

struct hub;
struct hub_contract;

/* A count of uses in a running period, and how much of it is promised on disk (hub/quota.c). */
struct hub_quota {
    int64_t limit;             /* DECIDE_NONE: none */
    _Atomic uint64_t used;     /* period number and count, packed */
    _Atomic uint64_t reserved; /* the same; uses up to here are already counted on disk */
    _Atomic bool is_writing;
    _Atomic uint64_t block; /* the writer's; how much is reserved at once */
    struct mono_time last_write;
    struct hub_lease_state lease; /* of a replica */
    uint64_t wanted;              /* what is being written */
    struct db_write write;
    struct hub_contract *contract;
};
enum { QUOTA_DAY, QUOTA_MONTH, QUOTA_N };

struct hub_usage { /* the hub's: counts that no quota limits, on their way to the disk */
    struct hub *hub;
    struct db_write write;
    size_t from, to; /* contracts of this write */
    bool is_writing;
};

#define HUB_QUOTA_COUNT_BITS 40 /* of a packed count: 10^12 uses a month; 24 bits of days reach the year 47,900 */
uint64_t hub_quota_period(const struct hub_contract *contract, int quota, struct wall_time now);
void hub_quota_size_block(struct hub_quota *quota, struct mono_time now); /* while is_writing is the caller's */

void hub_quota_keep(struct hub *hub); /* the hub's tick: what changed goes to the disk now and then */

#endif
