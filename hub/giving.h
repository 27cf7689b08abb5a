/*
 * A giving (给付): a window of a stream that is subscribed at another hub. Here it is a use like anybody's: decided, an intent leaf that
 * names the asker's, durable before the first row leaves, and an outcome leaf with the rows' count and digest.
 */
#ifndef HUB_GIVING_H
#define HUB_GIVING_H

#include "hub/hub.h"

#define HUB_GIVING_WINDOWS 2 /* as many rows, and as old, as so many windows: the asker ends it, and its clock starts later */

struct hub_giving {
    /* asked; borrowed until it ended */
    struct str party, resource, purpose, contract;
    struct str twin; /* the receipt of the window at the asker's hub */
    const struct str *fields;
    size_t n_fields;
    struct loop *loop; /* where call-backs run, and all that follows */
    void (*started)(struct hub_giving *giving);
    /* answered */
    struct hub_refusal refusal;    /* err ERR_OK: rows may leave, and it is to be ended; else it is over */
    char receipt[HUB_RECEIPT_MAX]; /* of the intent */
    void *hub_state;               /* the hub's own */
};
/* Any thread. `started` always runs, once, later, on `loop`; without memory at once. */
void hub_giving_start(struct hub *hub, struct hub_giving *giving);
/* Is it still permitted? ERR_DENIED, with the rule: state, dates. */
enum err hub_giving_may(struct hub_giving *giving, int *ret_rule) MUST_CHECK;
/* May it go on? ERR_TOO_LARGE, ERR_TIMEOUT: an asker that never ends its window would take the whole stream for one counted use. */
enum err hub_giving_has_room(const struct hub_giving *giving) MUST_CHECK;
/* Rows with the fields asked for, in their order, which are about to leave. */
enum err hub_giving_add(struct hub_giving *giving, const struct rows *rows) MUST_CHECK;
/* It is the caller's again. */
void hub_giving_end(struct hub_giving *giving, enum err err);

#endif
