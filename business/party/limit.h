/*
 * How often one may guess: failed sign-ins counted by name and address together, by name, and by address.
 *
 * After its free failures each further attempt of a kind waits half a minute since the last failure. Somebody who guesses at
 * a name from one place is slowed down there, and does not keep its owner out elsewhere: alone, a name or an address only
 * counts when it fails much more often. A quarter of an hour without failure forgets.
 */
#ifndef BUSINESS_PARTY_LIMIT_H
#define BUSINESS_PARTY_LIMIT_H

#include "base/clock.h"
#include "base/str.h"

#define PARTY_FAILURES_PAIR 5      /* of one name from one address */
#define PARTY_FAILURES_NAME 50     /* of one name from anywhere: guessing from many machines */
#define PARTY_FAILURES_ADDRESS 200 /* from one address: a whole office may stand behind it, or a proxy */
#define PARTY_FAILURE_WAIT_MS 30000
#define PARTY_FAILURE_FORGET_MS (15 * 60000)

struct party_limit; /* of one thread */

enum err party_limit_create(struct party_limit **ret_limit) MUST_CHECK;
void party_limit_destroy(struct party_limit *limit); /* takes NULL */
bool party_limit_must_wait(const struct party_limit *limit, struct str name, struct str address, struct mono_time now);
void party_limit_failed(struct party_limit *limit, struct str name, struct str address, struct mono_time now);
void party_limit_succeeded(struct party_limit *limit, struct str name, struct str address); /* forgets this name's failures from there */

#endif
