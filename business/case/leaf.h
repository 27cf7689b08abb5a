/*
 * Each step of a case becomes a leaf of the ledger (hub/note.h), a moment after it is on disk, in batches. The store remembers which steps
 * have none yet, in the same transaction as the step; so none is left out, and after a kill the last few may have two alike.
 */
#ifndef BUSINESS_CASE_LEAF_H
#define BUSINESS_CASE_LEAF_H

#include "base/arena.h"
#include "base/json.h"
#include "db/db.h"
#include "hub/note.h"

#define CASE_LEAVES_MAX 64 /* of one batch: a second's, so many times over the day as there are steps in a large city */

extern const char case_leaf_migration[];
/* What a step's leaf commits to, in RFC 8785 form: {"by":…,"by_name":…,"from":…,"owner":…,"text":…,"to":…}. */
struct case_leaf_words {
    struct str by, by_name, owner, text;
    int64_t from, to; /* states */
};
void case_leaf_put_words(struct json_writer *w, const struct case_leaf_words *words);
/* A step that is to have a leaf; on the writer's thread, inside of its transaction. */
enum err case_leaf_owe(struct db *db, int64_t id, int64_t n) MUST_CHECK;

struct case_leaf {
    struct hub_note note;
    struct case_leaves *leaves;
};
struct case_leaves { /* of the desk's thread */
    struct hub *hub;
    struct db_writer *writer;
    struct loop *loop;
    struct db_write write;
    struct arena arena;
    bool is_busy, is_ended;
    struct case_leaf items[CASE_LEAVES_MAX];
    size_t n, n_open;
};
void case_leaves_init(struct case_leaves *leaves, struct hub *hub, struct db_writer *writer, struct loop *loop);
void case_leaves_finish(struct case_leaves *leaves); /* nothing is under way any more */
/* What owes a leaf gets one; does nothing while a batch is under way. */
void case_leaves_tick(struct case_leaves *leaves);
void case_leaves_end(struct case_leaves *leaves); /* begins nothing more */

#endif
