/* What the files behind hub/uses.h share: uses.c (this process's own uses), uses_others.c (other processes'), uses_door.c (HTTP). */
#ifndef HUB_USES_INSIDE_H
#define HUB_USES_INSIDE_H

#include "hub/parts.h"
#include "hub/uses.h"
#include "hub/uses_index.h"

struct hub_uses {
    struct hub *hub;
    struct loop_thread *thread;
    struct loop_timer tick;
    struct uses_index *index; /* the thread's, but for what uses_index.h says */
    uint64_t n_seen;          /* leaves at the last tick */
    enum err broken;          /* told once */
    _Atomic size_t n_asked;   /* questions of other processes under way */

    pthread_mutex_t logs_lock; /* guards what follows */
    struct uses_log logs[HUB_USES_LOGS_MAX - 1];
    size_t n_logs;
    bool are_logs_new; /* not on the disk yet */
};

/* ---- hub/uses.c; on the index's thread ---- */

/* The newest uses of a person here before part->before, at most `n_max`; fills *part, out of `arena`. */
enum err uses_collect(
    struct hub_uses *uses, struct str subject, size_t n_max, struct arena *arena, struct hub_uses_part *part, int64_t *ret_days) MUST_CHECK;

/* ---- hub/uses_others.c ---- */

enum err uses_read_logs(struct hub_uses *uses) MUST_CHECK; /* at the opening */
void uses_keep_logs(struct hub_uses *uses);                /* onto the disk; on the index's thread, or when it has ended */
/* Before `n` processes are asked, and when all have answered or are given up. False: there would be more than HUB_USES_QUESTIONS_MAX. */
bool hub_others_take(struct hub *hub, size_t n) MUST_CHECK;
void hub_others_give_back(struct hub *hub, size_t n);
/* Asks the process that writes ask->log; without one `done` comes with an error all the same. */
void hub_others_ask(struct hub *hub, struct hub_others_ask *ask);
/* Is it one of another process's? Any thread. */
bool hub_uses_knows(struct hub *hub, struct str log);

/* ---- hub/door.c: what stands behind a receipt of this process's log, and how it is told ---- */

/* As GET /log/v1/receipt/N answers. ERR_NOT_FOUND; ERR_BUSY, not under a checkpoint yet; ERR_STATE, too old. */
enum err hub_receipt_write(struct hub *hub, uint64_t index, struct buf *out) MUST_CHECK;
/* As GET /hub/v1/opening/N answers `party`. ERR_NOT_FOUND, also another's; ERR_STATE, the day's salt was erased. */
enum err hub_opening_write(struct hub *hub, uint64_t index, struct str party, struct buf *out) MUST_CHECK;
void hub_reply_receipt(struct http_exchange *x, enum err err, struct str json);
void hub_reply_opening(struct http_exchange *x, enum err err, struct str json);

#endif
