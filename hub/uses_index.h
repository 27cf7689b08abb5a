/*
 * The index behind hub/uses.h: from pseudonyms to leaves, in a SQLite file of its own. Two tables: `subject`, made from the ledger's leaves
 * alone and made again when it is lost; `seen`, what was noted of queries and subscriptions (hub/seen.h), which is nowhere else. And a list
 * of the logs of other processes of the hub, which are asked, too.
 *
 * Pseudonyms are random, so rows come in no order: a batch is sorted before it is put in, so that each page of the tree is touched once a
 * batch, and the larger the batch the cheaper a row. One thread uses it, but for uses_index_has().
 */
#ifndef HUB_USES_INDEX_H
#define HUB_USES_INDEX_H

#include "base/diag.h"
#include "hub/seen.h"
#include "ledger/ledger.h"

#define USES_INDEX_BATCH 20000       /* leaves a transaction */
#define USES_INDEX_NOTED_MAX 2000000 /* subjects that wait for the disk: 32 MB; past it they are counted as not noted */

struct uses_index;
struct db;

enum err uses_index_open(struct ledger *ledger, const char *path, struct diag *diag, struct uses_index **ret_index) MUST_CHECK;
void uses_index_close(struct uses_index *index);               /* what waits is written; takes NULL */
uint64_t uses_index_n(const struct uses_index *index);         /* leaves followed; any thread */
uint64_t uses_index_n_unnoted(const struct uses_index *index); /* subjects that were not noted; any thread */
/* At most `max` leaves, and all that was noted, in one transaction. *ret_is_behind: there are more. */
enum err uses_index_follow(struct uses_index *index, uint64_t max, bool *ret_is_behind) MUST_CHECK;
/* These subjects' data were in the use of leaf `intent`; copied, written at the next follow(). Any thread. */
void uses_index_note(struct uses_index *index, uint64_t intent, uint8_t (*subjects)[HUB_SEEN_BYTES], size_t n, uint64_t n_unnoted);

struct uses_found {
    int64_t leaf;
    bool is_seen; /* noted: the leaf itself does not name the subject */
};
/* The newest `max` before `before`, the newest first. */
enum err uses_index_find(struct uses_index *index, const uint8_t subject[HUB_SEEN_BYTES], int64_t before, struct uses_found *found,
    size_t max, size_t *ret_n) MUST_CHECK;
/* Was it noted? Any thread. */
enum err uses_index_has(struct uses_index *index, const uint8_t subject[HUB_SEEN_BYTES], uint64_t leaf, bool *ret_has) MUST_CHECK;
/* Logs of other processes, and when they were heard last. */
#define USES_INDEX_LOG_MAX 104
struct uses_log {
    char name[USES_INDEX_LOG_MAX];
    int64_t heard_ms;
};
enum err uses_index_read_logs(struct uses_index *index, struct uses_log *logs, size_t max, size_t *ret_n) MUST_CHECK;
enum err uses_index_write_logs(struct uses_index *index, const struct uses_log *logs, size_t n) MUST_CHECK; /* instead of those there */

/* The pseudonyms of an intent's subjects, at most `max`, each of 32 bytes. Leaves are canonical JSON of our own, so nothing is parsed. */
size_t uses_index_subjects(struct str leaf, uint8_t (*subjects)[32], size_t max);

#endif
