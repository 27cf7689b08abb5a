/*
 * The feed of contracts (契约同步): what the desk knows of each contract's state, told to other processes of the same city, so that a step
 * taken at run time counts there too: a department's own process (`citybrain system`), replicas of the hub (`citybrain hub`).
 *
 * The desk gives each change the next number. A follower says which number it has, and gets what is newer, or all when it names another
 * life of the desk (`epoch`). Whatever it gets is true when it asked; while nothing is new the desk answers after half a second all the
 * same: its heartbeat. What the feed has not confirmed for as long as a contract's `fresh_for` says, else HUB_FEED_FRESH_MS, is denied by
 * rule 4 of docs/decide.md: so a revocation counts everywhere within that time, also when the link is cut.
 *
 * Bytes in and out only; system/bus carries them under keyed sessions. Form: docs/bus.md.
 */
#ifndef HUB_FEED_H
#define HUB_FEED_H

#include "base/buf.h"
#include "hub/hub.h"

#define HUB_FEED_FRESH_MS 60000
#define HUB_FEED_PART (256u << 10) /* bytes of one answer, about; then there is more */

enum hub_feed_what { HUB_FEED_FOLLOW = 16, HUB_FEED_LEASE = 17, HUB_FEED_PROGRAMS = 18, HUB_FEED_COUNT = 19, HUB_FEED_LOG = 20 };

struct hub_feed_place { /* up to where a follower has it */
    uint64_t epoch, number;
};

struct hub_feed_question {
    enum hub_feed_what what;
    uint64_t process;            /* which one asks: random, of its life */
    struct hub_feed_place place; /* FOLLOW */
    struct str contract;         /* LEASE (hub/lease.h), as the next three */
    uint8_t quota;
    uint64_t period;
    uint32_t n;
    struct str counts; /* COUNT: hub_lease_count_write()'s */
    struct str log;    /* LOG: the asking process's own, "hangzhou.log.r1" */
};
void hub_feed_question_write(const struct hub_feed_question *question, struct buf *out);              /* check out->err */
enum err hub_feed_question_read(struct str bytes, struct hub_feed_question *ret_question) MUST_CHECK; /* ERR_SYNTAX. Borrows */
void hub_feed_lease_write(uint32_t granted, struct buf *out);
enum err hub_feed_lease_read(struct str bytes, uint32_t *ret_granted) MUST_CHECK; /* ERR_SYNTAX */

/* ---- the desk's side ---- */

/* Is there more than `place`? Any thread. */
bool hub_feed_has_news(struct hub *hub, struct hub_feed_place place);
/* Is this the hub's own party, whose processes hear of all contracts, lease quotas, and share rates? */
bool hub_feed_is_replica(const struct hub *hub, struct str party);
/* A process of the hub follows: it counts among those that share rates until it has been silent for HUB_FEED_FRESH_MS. True: there is one
 * more, and all have to hear of it. ERR_FULL: there are HUB_REPLICAS_MAX, it may not follow. On the hub's loop. */
enum err hub_feed_met(struct hub *hub, uint64_t process, bool *ret_is_new) MUST_CHECK;
void hub_feed_named(struct hub *hub, uint64_t process); /* it has told which log is its own (hub/uses.h). On the hub's loop */
bool hub_feed_forget(struct hub *hub); /* those that were silent for long; true: there is one less. On the hub's loop, now and then */
/* What is newer than `place`, as much as fits. `party` hears of the contracts that it provides; the hub's own party of all. Any thread.
 * Check out->err. */
void hub_feed_write(struct hub *hub, struct str party, struct hub_feed_place place, struct buf *out);
/* Told on the hub's loop after each change; one listener, set before or on that loop. */
void hub_feed_listen(struct hub *hub, void (*on_change)(void *context), void *context);

/* ---- the follower's side: on the hub's loop ---- */

/* From now on this hub decides by what the desk tells and takes no step of its own. After hub_create(), before uses are served. `provider`:
 * a department's own process, which takes a contract that is in none of its files only under that party's own signature, and never
 * puts into force what its files hold back; empty: a replica, which takes the desk's word. Keeps nothing. */
enum err hub_feed_follow(struct hub *hub, struct str provider) MUST_CHECK;
/* Applies an answer to a question that was sent at `asked`; moves *place. *ret_more: ask again at once. ERR_SYNTAX: no such form; nothing
 * was confirmed. */
enum err hub_feed_read(struct hub *hub, struct str bytes, struct mono_time asked, struct hub_feed_place *place, bool *ret_more) MUST_CHECK;
/* How old the last word of the desk is; INT64_MAX: none came yet. Any thread. */
int64_t hub_feed_age_ms(const struct hub *hub);

#endif
