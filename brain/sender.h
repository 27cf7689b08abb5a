/*
 * The way from the ledger to its witnesses: HTTP requests on a loop of their own, one at a time for each witness, connections kept.
 */
#ifndef BRAIN_SENDER_H
#define BRAIN_SENDER_H

#include "base/clock.h"
#include "ledger/ledger.h"

#define SENDER_TIMEOUT_MS 2000 /* a witness that takes longer is asked again later; two checkpoints' time */

struct sender;

/* Starts the loop's thread. `clock` is kept. */
enum err sender_create(struct clock *clock, struct sender **ret_sender) MUST_CHECK;
struct ledger_sender *sender_slots(struct sender *sender); /* for struct ledger_options */
void sender_destroy(struct sender *sender);                /* after ledger_close(); takes NULL */

#endif
