/*
 * Reconciling (对账): what a department's database says was read of it, against what the hub read. A pure core,
 * step(state, event, now) → findings; no file, no clock, no database. The rules are the numbered list of docs/reconcile.md, in this order
 * in reconcile.c, a row each in its test.
 *
 * The tie between the two sides is the session. The hub tells of each connection of its own before anything is read over it (OPENED), and
 * of every statement that ran over it (OWN); the database tells of every read with its session (LINE). A session is known to the server
 * alone and never used twice, so that no text in a statement, no role and no address can pass a foreign read off as the hub's; and within
 * the hub's own sessions reads and statements are counted against each other.
 */
#ifndef HUB_RECONCILE_H
#define HUB_RECONCILE_H

#include "hub/audit_line.h"

#define RECONCILE_SESSIONS_MAX 256  /* of the hub's, with those that ended lately; the longest ended goes */
#define RECONCILE_OTHERS_MAX 4096   /* sessions whose lines are numbered; the one silent for longest goes */
#define RECONCILE_FINDINGS_MAX 1024 /* at a time; what is past it is counted in one of role and table "…" */
#define RECONCILE_WAIT_MS 10000     /* one side waits so long for the other */
#define RECONCILE_SILENT_MS 30000   /* an audit without any of the hub's own reads for so long is silent */
#define RECONCILE_ENDED_MS 600000   /* a session that ended is remembered for so long */
#define RECONCILE_ANEW_MS 3600000   /* a finding that was quiet for so long is counted anew */
#define RECONCILE_SKEW_MS 60000     /* by so much the database's clock and ours may differ */

enum reconcile_what {
    RECONCILE_OPENED, /* `session` is the hub's own */
    RECONCILE_FORMER, /* was, of an earlier run: what that run did over it is not known any more */
    RECONCILE_OWN,    /* over `session` ran `n` statements, and `n_maybe` of which nobody knows whether */
    RECONCILE_CLOSED,
    RECONCILE_LINE,
    RECONCILE_CUT, /* the audit's file was cut, or is gone before it was read to its end */
    RECONCILE_TICK,
};
struct reconcile_event {
    enum reconcile_what what;
    uint64_t session, n, n_maybe;
    const struct hub_audit_line *line; /* LINE */
};

enum reconcile_kind {
    RECONCILE_FOREIGN,    /* a table was read by somebody else than the hub */
    RECONCILE_UNSEEN,     /* a use of the hub's is not in the audit */
    RECONCILE_SILENT,     /* the audit says nothing any more */
    RECONCILE_GAP,        /* lines of the audit are missing */
    RECONCILE_UNREADABLE, /* lines that cannot be read */
};
enum { RECONCILE_N_KINDS = RECONCILE_UNREADABLE + 1 };
struct reconcile_finding {
    enum reconcile_kind kind;
    char role[HUB_AUDIT_NAME_MAX], address[HUB_AUDIT_NAME_MAX], table[HUB_AUDIT_NAME_MAX]; /* FOREIGN */
    uint64_t n;                                                                            /* reads, statements or lines, since first_ms */
    int64_t first_ms, last_ms;
    bool is_green;   /* SILENT: it speaks again */
    bool is_changed; /* since it was taken last */
};

struct reconcile_options { /* borrowed for the life of the state */
    const struct str *own; /* roles of the department's own software: their reads are not told */
    size_t n_own;
    const struct str *tables; /* only reads of these count; none: of all */
    size_t n_tables;
    struct str database; /* only reads in it; empty: in any */
    int64_t silent_ms;   /* 0: RECONCILE_SILENT_MS */
    int64_t start_ms;    /* sessions that began before had lines that nobody reads */
};

struct reconcile;
enum err reconcile_create(const struct reconcile_options *options, struct reconcile **ret_state) MUST_CHECK;
void reconcile_destroy(struct reconcile *state); /* takes NULL */
void reconcile_step(struct reconcile *state, const struct reconcile_event *event, int64_t now_ms);
/* The next finding that has changed since it was taken; NULL: none. Valid until the next step. */
const struct reconcile_finding *reconcile_take(struct reconcile *state);
void reconcile_again(struct reconcile *state, const struct reconcile_finding *finding); /* what was taken is to be taken once more */
/* One that was stored, before the first step. */
void reconcile_restore(struct reconcile *state, const struct reconcile_finding *finding);

#endif
