/*
 * Quotas over several processes of a hub (配额租借): a contract's day and month are counted at the desk, for the whole city. A replica uses
 * what it has leased, in blocks, and asks for the next one before it is used up. The desk counts a block as used, on its disk, before it
 * gives it: so all processes together never permit more than the contract says. What a replica has leased and not used it gives
 * back when it is stopped. What one that was killed had is lost to the consumer until the period ends; blocks become small when little is
 * left.
 *
 * Where there is no limit nothing is leased, and uses are counted to be shown: a replica tells the desk of its own each second. Neither is
 * ever said twice: what is lost on the way is a use that is not shown, or a lease that nobody uses.
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

/* Counts of a replica, as hub_lease_count_write() made them; read as a whole before any of them counts. ERR_SYNTAX. */
enum err hub_lease_counted(struct hub *hub, struct str counts) MUST_CHECK;

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

/* What the desk is to be told, all of this on the hub's loop: u16 n | for each text contract | u8 0 of the day, 1 of the month | u64 its
 * number | u32 uses, where there is no limit | u32 leased and not used. The latter with `is_last`: from then on nothing is permitted here
 * that has a limit. False: there is nothing to tell. Check out->err. */
bool hub_lease_count_write(struct hub *hub, bool is_last, struct buf *out);
void hub_lease_count_again(struct hub *hub); /* the last one was certainly not sent: its uses are told with the next */

#endif
