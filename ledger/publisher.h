/*
 * Publication with witnesses: a checkpoint is prepared, cosigned by a quorum, and only then published. The ledger's thread drives it;
 * answers come in from any thread and wait in a box until its next turn.
 *
 * Not in here: leaves and tiles (ledger/builder.h), who is asked when (ledger/gather.h), HTTP (the sender's).
 */
#ifndef LEDGER_PUBLISHER_H
#define LEDGER_PUBLISHER_H

#include "ledger/builder.h"
#include "ledger/gather.h"
#include "ledger/ledger.h"
#include "ledger/tile.h"

#include <pthread.h>

#define PUBLISHER_HALTED_MS 5000 /* so long without a quorum is told as a halt */

struct publisher_answer {
    bool is_there;
    enum err err;
    int status;
    struct buf body;
};

struct publisher {
    struct builder *builder; /* kept, as are the next four */
    struct tile_cache *cache;
    const struct policy *policy;
    struct ledger_sender *sender;
    struct ledger *ledger;
    struct gather gather;
    bool counts;            /* the published checkpoint bears a quorum's cosignatures */
    bool is_halted;         /* told so */
    int64_t waits_since_ms; /* something waits for a quorum since; -1: nothing */
    enum gather_trouble told[POLICY_WITNESSES_MAX];

    pthread_mutex_t mutex; /* guards what follows */
    struct publisher_answer answers[POLICY_WITNESSES_MAX];
    struct ledger_status status;
};

/* Also with a failed init publisher_finish() is called. ERR_RANGE: the policy is not for this log, told in `diag`. */
enum err publisher_init(struct publisher *publisher, const struct publisher *with, struct diag *diag) MUST_CHECK;
void publisher_finish(struct publisher *publisher);
void publisher_put_answer(struct publisher *publisher, size_t witness, enum err err, int status, struct str body); /* any thread */
void publisher_status(struct publisher *publisher, struct ledger_status *ret_status);                              /* any thread */

/* One turn: answers taken, a round begun when `must_begin` and there is something for it, witnesses asked, the checkpoint published when it
 * counts (*ret_is_published). `n_durable`: leaves that the ledger has. On an error the builder is of no more use. */
enum err publisher_turn(
    struct publisher *publisher, bool must_begin, uint64_t n_durable, int64_t now_ms, bool *ret_is_published) MUST_CHECK;
bool publisher_has_something(const struct publisher *publisher); /* unpublished leaves, or a checkpoint that does not count yet */
int64_t publisher_wait_ms(const struct publisher *publisher, int64_t now_ms); /* until its next turn has something to do; -1: no limit */

#endif
