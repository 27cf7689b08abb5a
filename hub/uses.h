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

#include "hub/registry.h"

#define HUB_USES_PAGE_MAX 200

struct hub_uses;

/* `path`: the index's own file, {data}/store/uses.sqlite; removed, it is made again, but for the notes. Starts following the ledger. */
enum err hub_uses_open(struct hub *hub, const char *path, struct diag_list *diags, struct hub_uses **ret_uses) MUST_CHECK;
/* Before the ledger closes, while the loops of those who asked still run. Takes NULL. */
void hub_uses_close(struct hub_uses *uses);
/* GET /hub/v1/uses/mine */
struct http_mount hub_uses_mount(struct hub_uses *uses);
void hub_uses_measure(struct hub_uses *uses, struct metric_page *page); /* any thread */
/* How many of the ledger's leaves are in the index. Any thread. */
uint64_t hub_uses_n_indexed(const struct hub_uses *uses);

/* One use, from its leaf. */
struct hub_use_info {
    uint64_t index;
    int64_t time_ms;
    struct str consumer, provider, resource, contract, purpose, use; /* in the caller's arena */
};
/* Is leaf `index` an intent about one of the keys in `subject`, an object as {"plate":"浙A…"}, by its own words or by the notes?
 * ERR_NOT_FOUND: none, or another's: the same from outside. Any thread; reads the disk. */
enum err hub_use_of_subject(
    struct hub *hub, uint64_t index, struct str subject, struct arena *arena, struct hub_use_info *ret_info) MUST_CHECK;

/* The newest uses of this person's data, at most `max` of their leaves, the newest first. Waits for the index's thread; not on a loop. */
enum err hub_uses_list(
    struct hub_uses *uses, struct str subject, struct arena *arena, uint64_t *leaves, size_t max, size_t *ret_n) MUST_CHECK;

#endif
