/*
 * The store of the record: every period's value of every indicator and area, with its lineage. A recorded value is
 * acknowledged only after its commit is on disk (group commit, db_writer).
 *
 * Writing: from the cockpit's loop. Reading: on a thread of its own with a handle of its own.
 */
#ifndef COCKPIT_STORE_H
#define COCKPIT_STORE_H

#include "base/buf.h"
#include "cockpit/value.h"
#include "db/db.h"

#define COCKPIT_POINTS_MAX 20000      /* of one answer: four weeks of two-minute values */
#define COCKPIT_RECORDS_WAITING 16384 /* records not yet on disk; past it a record is refused, logged and counted */

struct cockpit_store;

struct cockpit_record {
    struct str indicator, area; /* borrowed from the configuration and the tree, which outlive the store */
    struct cockpit_value value;
};

/* `on_recorded` runs on `thread`'s loop once a record is on disk (err ERR_OK; record->value.usual filled in) or is not. */
enum err cockpit_store_open(const char *path, struct loop_thread *thread, struct clock *clock,
    void (*on_recorded)(void *context, const struct cockpit_record *record, enum err err), void *context, struct diag *diag,
    struct cockpit_store **ret_store) MUST_CHECK;
/* As db_writer_on_failed_sync(). */
void cockpit_store_on_failed_sync(struct cockpit_store *store, void (*fn)(void *context, const char *part, enum err err), void *context);
/* From another thread than `thread`, while that still runs: what waits is committed and told, and every reading that was asked for is on
 * its way to its loop; then all is freed. Takes NULL. */
void cockpit_store_close(struct cockpit_store *store);
/* A record of the same indicator, area and time again replaces the value: a replay after a restart gives the same rows once. */
enum err cockpit_store_put(struct cockpit_store *store, const struct cockpit_record *record) MUST_CHECK;

/* One reading of history; embedded in its owner, which keeps it until `done`. */
struct cockpit_history {
    const struct cockpit_indicator *indicator; /* the points come in its shown unit */
    struct str area;                           /* kept until done */
    int64_t from_ms, to_ms;                    /* [from, to) */
    struct loop *loop;                         /* where `done` runs */
    void (*done)(struct cockpit_history *history);
    enum err err;
    struct buf points; /* "[[1795276800000,41203],[…,null]]", the caller's buf_finish() */
    struct loop_task task;
    struct cockpit_store *store;
};
void cockpit_store_measure(struct cockpit_store *store, struct metric_page *page);     /* any thread */
void cockpit_store_read(struct cockpit_store *store, struct cockpit_history *history); /* any thread */

#endif
