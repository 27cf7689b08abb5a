/*
 * Who used my data (谁用了我的数据): the uses of one person's data, found by the person's own keys.
 *
 * The intent leaf of a use carries a pseudonym of its subject: an HMAC of the key that was asked with, under the day's epoch key
 * (docs/hub.md). So the ledger, which everybody may read, tells nobody about anybody; but who has the day's keys, the hub, can compute the
 * pseudonym of a given key for each day that is still kept, and look it up. Here is the index for that: from pseudonyms to leaves, on a
 * thread of its own, made from the ledger's leaves alone, behind them by a moment, and made again when it is lost. When a day's epoch key
 * is erased, that day is silent.
 *
 * Found are calls and acts by one or several keys, which their leaves name, and queries and subscriptions that had rows about the person,
 * which the hub noted for itself (hub/seen.h): those notes are in this index alone, and are gone with its file (docs/mydata.md).
 */
#ifndef HUB_USES_H
#define HUB_USES_H

#include "hub/leaves.h"
#include "hub/registry.h"
#include "hub/uses_page.h"

#define HUB_USES_LOG_MAX 104        /* bytes of a log's name, so that its receipts fit HUB_RECEIPT_MAX */
#define HUB_USES_ASKED_MAX 256      /* pages and receipts that are being asked for at a time; more are 503 */
#define HUB_USES_QUESTIONS_MAX 2048 /* questions at other processes for them, one each a page; a page that needs more is 503 */
#define HUB_USES_WAIT_MS 2500       /* for another process to answer */

struct hub_uses;

/* `path`: the index's own file, {data}/store/uses.sqlite; removed, it is made again, but for the notes. Starts following the ledger. */
enum err hub_uses_open(struct hub *hub, const char *path, struct diag_list *diags, struct hub_uses **ret_uses) MUST_CHECK;
/* Before the ledger closes, while the loops of those who asked still run. Takes NULL. */
void hub_uses_close(struct hub_uses *uses);
/* GET /hub/v1/uses/mine; /hub/v1/receipt/ and /hub/v1/opening/ of any of the hub's logs: hub/uses_door.c */
struct http_mount hub_uses_mount(struct hub_uses *uses);
void hub_uses_measure(struct hub_uses *uses, struct metric_page *page); /* any thread */
/* How many of the ledger's leaves are in the index. Any thread. */
uint64_t hub_uses_n_indexed(const struct hub_uses *uses);

/* Is leaf `index` an intent about one of the keys in `subject`, an object as {"plate":"浙A…"}, by its own words or by the notes?
 * ERR_NOT_FOUND: none, or another's: the same from outside. Any thread; reads the disk. */
enum err hub_use_of_subject(
    struct hub *hub, uint64_t index, struct str subject, struct arena *arena, struct hub_use_info *ret_info) MUST_CHECK;

/* The newest uses of this person's data, at most `max` of their leaves, the newest first. Waits for the index's thread; not on a loop. */
enum err hub_uses_list(
    struct hub_uses *uses, struct str subject, struct arena *arena, uint64_t *leaves, size_t max, size_t *ret_n) MUST_CHECK;

/* ---- other processes of this hub, which have logs of their own ---- */

/* A process told that it writes this log. It is asked from then on, and remembered for as long as the keys of its last day are kept: one
 * that is away has uses, too. False: it is no log of this hub's. Any thread. */
bool hub_uses_met(struct hub *hub, struct str log);
/* Their logs, at most HUB_USES_LOGS_MAX - 1; returns how many. Any thread. */
size_t hub_uses_logs(struct hub *hub, char logs[][HUB_USES_LOG_MAX]);

/* How another process is asked: the composition's affair (system/bus). Embedded in its owner, untouched by him until `done`. */
struct hub_others_ask {
    struct str log, bytes; /* borrowed until hub_others_ask() returns */
    struct loop *loop;
    void (*done)(struct hub_others_ask *ask); /* always, once, later, on `loop` */
    enum err err;                             /* ERR_UNAVAILABLE, ERR_TIMEOUT …: it did not answer */
    struct str answer;                        /* borrowed during `done` */
};
/* Before the doors are open; NULL: there are no others. */
void hub_others_set(struct hub *hub, void (*ask)(void *context, struct hub_others_ask *ask), void *context);

/* What another process asks of this one (hub/uses_page.h). `done` runs once, on the index's thread or from within. */
struct hub_uses_asked {
    struct str bytes;                                              /* borrowed until done */
    void (*done)(struct hub_uses_asked *asked, struct str answer); /* empty: there is none */
    struct hub_uses *uses;                                         /* the hub's own, as the next */
    struct loop_task task;
};
void hub_uses_answer(struct hub *hub, struct hub_uses_asked *asked);

/* The use that a receipt names, wherever its log is, if it is about one of the keys in `subject`. */
struct hub_use_ask {
    struct str receipt, subject; /* borrowed until done, as the next */
    struct arena *arena;
    struct loop *loop;                     /* where it is asked, and answered */
    void (*done)(struct hub_use_ask *ask); /* from within when the log is this process's */
    /* ERR_NOT_FOUND: none, or another's; ERR_UNAVAILABLE, ERR_TIMEOUT: the process that has the log did not answer; ERR_FULL: too many are
     * being asked */
    enum err err;
    struct hub_use_info info;
    struct hub *hub; /* the hub's own, as the next */
    struct hub_others_ask other;
    uint64_t index;
};
void hub_use_find(struct hub *hub, struct hub_use_ask *ask);

#endif
