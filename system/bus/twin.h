/*
 * Twins of a department's process (两侧留痕): each use of its tables, commands and objects leaves a leaf in the hub's ledger and a line in
 * the journal of what it served, which names that leaf. One without the other is a case. A pure step, no clock and no disk; its rules are
 * numbered as in docs/reconcile.md, a row each in its test.
 */
#ifndef SYSTEM_BUS_TWIN_H
#define SYSTEM_BUS_TWIN_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUS_TWIN_WAIT_MS 20000                 /* of being heard, with its journal read to the end */
#define BUS_TWIN_KEPT_MS 60000                 /* a use that has its twin is remembered for more lines of it */
#define BUS_TWIN_LOST_MS 600000                /* a use without an outcome was cut off by a kill: nobody got an answer */
#define BUS_TWIN_GIVEN_UP_MS INT64_C(86400000) /* answered, and for a day nobody could be asked for its line: missing, too */
#define BUS_TWIN_USES_MAX 65536                /* not settled; past it no more leaves are followed until some are */
#define BUS_TWIN_AHEAD_MAX 1024                /* lines that name leaves we have not; past it they count as unasked at once */

enum bus_twin_wrong {
    BUS_TWIN_MISSING, /* our use, answered, is not in their journal */
    BUS_TWIN_UNASKED, /* their journal names a leaf of ours that is none, or not about their data */
    BUS_TWIN_DIFFERS, /* it is about another resource or contract of theirs */
    BUS_TWIN_CUT,     /* their journal is shorter than it was */
};
enum { BUS_TWIN_N_WRONG = BUS_TWIN_CUT + 1 };

struct bus_twin_what { /* what a use is of; contract 0: not told */
    uint64_t resource, contract;
    bool is_query; /* of a leaf: it may have asked nobody, when no row was needed */
};

struct bus_twin_use {
    uint64_t index;
    struct bus_twin_what what;
    int64_t age_ms, waited_ms;
    bool is_answered, is_served, is_over;
};

struct bus_twin_ahead {
    uint64_t index;
    struct bus_twin_what what;
    int64_t waited_ms;
};

struct bus_twin {
    struct bus_twin_use *uses; /* by index, ascending */
    size_t n_uses, cap_uses;
    struct bus_twin_ahead ahead[BUS_TWIN_AHEAD_MAX];
    size_t n_ahead;
    uint64_t leaf_next;                                         /* leaves before were followed, or were there before this began */
    uint64_t line_next;                                         /* lines before were read */
    uint64_t n_wrong[BUS_TWIN_N_WRONG], last[BUS_TWIN_N_WRONG]; /* how many since the start, and the last one's leaf, or line */
};

/* `leaf_next`, `line_next`: where it begins. */
void bus_twin_init(struct bus_twin *twin, uint64_t leaf_next, uint64_t line_next);
void bus_twin_finish(struct bus_twin *twin);
bool bus_twin_is_full(const struct bus_twin *twin); /* let time pass before more leaves come */
/* A leaf of ours: an intent about their data, in order. ERR_NO_MEMORY: not taken. */
enum err bus_twin_intent(struct bus_twin *twin, uint64_t index, struct bus_twin_what what) MUST_CHECK;
/* The outcome of one: how it ended, and how many rows they gave. */
void bus_twin_outcome(struct bus_twin *twin, uint64_t intent, bool is_ok, uint64_t n_rows);
void bus_twin_followed(struct bus_twin *twin, uint64_t leaf_next); /* leaves before were followed */
/* A line of theirs that names leaf `index` of ours. True: the caller looks at that leaf, and says what it found by bus_twin_looked(). */
bool bus_twin_line(struct bus_twin *twin, uint64_t index, struct bus_twin_what what);
enum bus_twin_leaf { BUS_TWIN_FITS, BUS_TWIN_OTHER, BUS_TWIN_NONE };
void bus_twin_looked(struct bus_twin *twin, uint64_t index, enum bus_twin_leaf leaf);
/* A line that names no leaf of this log at all. */
void bus_twin_foreign(struct bus_twin *twin, uint64_t number);
/* Their journal ends before `line_next`: it goes on from there. */
void bus_twin_cut(struct bus_twin *twin, uint64_t end);
/* `ms` have passed. `is_current`: they were heard in it and their journal was read to its end; `is_one`: by one process alone, so that what
 * is not in its journal is in none. */
void bus_twin_tick(struct bus_twin *twin, int64_t ms, bool is_current, bool is_one);

#endif
