/*
 * Quotas over several processes of a hub (配额租借): a contract's day and month are counted at the desk, for the whole city. A replica uses
 * what it has leased, in blocks, and asks for the next one before it is used up. The desk counts a block as used, on its disk, before it
 * gives it: so all processes together never permit more than the contract says. What a replica has leased and not used when it ends, or
 * when the period ends, is lost to the consumer; blocks become small when little is left.
 *
 * The rate per second is not leased: each process takes its share of it, by how many processes there are (hub/feed.h).
 */
#ifndef HUB_LEASE_H
#define HUB_LEASE_H

#include "hub/feed.h"

/* ---- at the desk, on the hub's loop ---- */

struct hub_lease_ask {   /* embedded in its owner, untouched by him from the start until `done` */
    struct str contract; /* borrowed until done */
    int quota;           /* 0 day, 1 month */
    uint64_t period;     /* whose: the number of the day or month */
    uint32_t n;          /* wanted */
    void (*done)(struct hub_lease_ask *ask);
    uint32_t granted;   /* 0: there is nothing left, or it is another day here */
    void *hub_state[4]; /* the hub's own */
};
/* `done` runs when what is granted stands on the disk, perhaps before this returns. */
void hub_lease_start(struct hub *hub, struct hub_lease_ask *ask);

/* ---- at a replica ---- */

struct hub_lease {       /* one that is wanted */
    struct str contract; /* lives as long as the hub */
    int quota;
    uint64_t period;
    uint32_t n;
    void *of; /* the hub's own */
};
/* Who asks the desk: `want` is called on the hub's loop, and must lead to one hub_lease_told() there. */
void hub_lease_lender(struct hub *hub, void (*want)(void *context, const struct hub_lease *lease), void *context);
/* `err`: the desk did not answer; then what is left is used, and nothing more for a second. */
void hub_lease_told(struct hub *hub, const struct hub_lease *lease, enum err err, uint32_t granted);

#endif
