/*
 * How long a case is kept (rule 16 of docs/case.md): so long after its closing as its kind says, then it is deleted, with its history.
 *
 * In two steps, so that the trail is whole: the history's last step, "deleted", becomes a leaf of the ledger like any other; when none of
 * the case's steps owes a leaf any more, its rows go, and their bytes are overwritten. What stays are the leaves, which hold no words, and
 * that the case's number is not given again. All of it on the writer's thread, inside of its transaction.
 */
#ifndef BUSINESS_CASE_KEEP_H
#define BUSINESS_CASE_KEEP_H

#include "business/case/case.h"
#include "db/db.h"

#define CASE_KEEP_EVERY_MS 60000 /* a look at what has been kept for long enough */
#define CASE_KEEP_MAX 256        /* of one look */

extern const char case_keep_migration[];

/* On the store's handle, once it is open: what is deleted is overwritten. */
enum err case_keep_open(struct db *db, struct diag *diag) MUST_CHECK;
/* Closed cases whose time has come and that have not been told so: to each a CASE_TICK. Ids, at most `max`. */
enum err case_keep_ended(
    struct db *db, const struct case_rules *rules, struct wall_time now, int64_t *ids, size_t max, size_t *ret_n) MUST_CHECK;
/* Its history says "deleted" now. */
enum err case_keep_end(struct db *db, int64_t id) MUST_CHECK;
/* It was opened again, and goes on. */
enum err case_keep_goes_on(struct db *db, int64_t id) MUST_CHECK;
/* Those that the ledger knows the end of: at most `max`. */
enum err case_keep_told(struct db *db, int64_t *ids, size_t max, size_t *ret_n) MUST_CHECK;
/* Such a one is gone, with its history and what its alarms' list still holds. */
enum err case_keep_delete(struct db *db, const struct case_record *record) MUST_CHECK;

#endif
