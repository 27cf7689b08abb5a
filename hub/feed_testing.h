/*
 * For tests of the feed and of leases: two hubs of the same files in one process, a desk, and one that follows it (a department's own
 * process, or a replica).
 */
#ifndef HUB_FEED_TESTING_H
#define HUB_FEED_TESTING_H

#include "base/sign.h"
#include "hub/fake.h"
#include "hub/feed.h"

extern struct fake_city desk, police;
extern struct hub_feed_place place; /* up to where the police have it */
extern struct sign_key *keys[2];    /* the police's, and somebody else's */
extern struct diag_list diags;

/* h/c-30, with its state. */
#define SHORT                                                                                                                              \
    "contract: h/c-30\nprovider: h/police\nconsumer: h/count\nresource: h/police/vehicle\nuses: [call]\nfields: [plate, colour]\n"         \
    "purpose: a.b\nlegal_basis: {zh: 依, en: law}\nfrom: 2026-01-01\nuntil: 2028-01-01\nkeep: 1h\nfresh_for: 5s\nstate: %s\n"

int feed_start(void **state); /* the police follow as a department's own process */
int feed_finish(void **state);
void feed_write_files(struct fake_city *city, int key, const char *state);
/* As system/bus does it, in parts of a few hundred bytes; returns how many. */
size_t feed_follow_as(struct str party);
size_t feed_follow(void); /* as the police */
void feed_advance(int64_t ms);

#endif
