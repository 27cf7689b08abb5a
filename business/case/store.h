/*
 * Cases on disk: the case as it is now, and its history, which the database itself keeps from being changed (triggers). The functions that
 * write run on the writer's thread inside of its transaction: what they return has happened once the commit is on disk.
 */
#ifndef BUSINESS_CASE_STORE_H
#define BUSINESS_CASE_STORE_H

#include "base/json.h"
#include "business/case/case.h"
#include "db/db.h"

#define CASE_HISTORY_MAX 1000 /* steps of one case; past it comments are refused */
#define CASE_PAGE_MAX 200     /* cases of one answer */

struct case_viewer { /* who looks; strings borrow */
    struct str party, acts_for, area, person;
    bool sees_all; /* audits */
};

struct case_filter {
    struct str state;             /* "open" (not closed), "closed", "all" or a state's name */
    struct str area, owner, kind; /* empty: any */
    int64_t before;               /* an id: only older ones; 0: from the newest */
    int64_t n_max;
};

extern const char *const case_migrations[];
extern const size_t case_n_migrations;

/* ERR_NOT_FOUND. Strings into `arena`. */
enum err case_store_get(struct db *db, int64_t id, struct arena *arena, struct case_record *ret_record) MUST_CHECK;
enum err case_store_find(struct db *db, struct str key, struct arena *arena, struct case_record *ret_record) MUST_CHECK; /* the newest */
/* Ids of cases whose deadline has come, at most `max`, the longest due first. */
enum err case_store_due(struct db *db, int64_t now_ms, int64_t *ids, size_t max, size_t *ret_n) MUST_CHECK;
/* What a step said. Sets step->after.id of a new one. ERR_FULL: the history is as long as it may be. */
enum err case_store_put(struct db *db, struct case_step *step, const struct case_event *event, struct wall_time now) MUST_CHECK;

bool case_may_see(const struct case_record *record, const struct case_viewer *viewer);
/* Its words too: an audit sees that a request about somebody's data is there, and its history, not what it says of them. */
bool case_may_read(const struct case_record *record, const struct case_viewer *viewer);
bool case_may_act(const struct case_rules *rules, const struct case_record *record, const struct case_viewer *viewer);

/* ---- as JSON; on a reader's handle ---- */
struct case_words { /* what the JSON needs to name things */
    const struct case_rules *rules;
    const struct hub *hub;
};
void case_put(struct json_writer *w, const struct case_words *words, const struct case_record *record, const struct case_viewer *viewer);
enum err case_store_put_history(struct db *db, const struct case_record *record, struct json_writer *w, const struct case_words *words,
    const struct case_viewer *viewer) MUST_CHECK;
/* {"time":…,"cases":[…],"next":…,"counts":{…}} */
enum err case_store_list(struct db *db, const struct case_viewer *viewer, const struct case_filter *filter, const struct case_words *words,
    struct wall_time now, struct buf *out) MUST_CHECK;

#endif
