/*
 * A case (事件): work for people, with a state, an owner, a deadline and a history that only grows. The core is one pure step,
 * (case, event, now) → the case afterwards and what its history says: no clock, no disk, no names but those handed in. Its rules are the
 * numbered list of docs/case.md, in that order in step.c, with a row each in its test.
 *
 * Who may see or touch a case is decided at the door (door.c), what is stored in store.c, when a deadline is looked at in desk.c.
 */
#ifndef BUSINESS_CASE_CASE_H
#define BUSINESS_CASE_CASE_H

#include "base/arena.h"
#include "base/clock.h"
#include "business/case/rules.h"

#define CASE_TEXT_MAX 4000 /* bytes of what a person writes at one step: a page */
#define CASE_KEY_MAX 300

enum case_state {
    CASE_OPEN,      /* nobody has taken it yet */
    CASE_ASSIGNED,  /* given to a post by a person */
    CASE_DOING,     /* somebody works on it */
    CASE_MEASURING, /* said to be done; waits for the measured value to say so, too */
    CASE_CLOSED,
};
enum { CASE_N_STATES = CASE_CLOSED + 1 };

enum case_what { /* an event, and the word for it in the history */
    CASE_ALERT,  /* an alarm came */
    CASE_GREEN,  /* measured again, and in order */
    CASE_ASSIGN,
    CASE_START,
    CASE_COMMENT,
    CASE_CLOSE,
    CASE_REOPEN,
    CASE_TICK, /* time went by; in the history "late" */
    CASE_LIST, /* one of several alarms of a case has ended */
};

struct case_record {  /* strings borrow from whoever made it */
    int64_t id;       /* 0: not stored yet */
    struct str key;   /* one alarm: kind, whose, what; not two open cases have the same */
    struct str kind;  /* "source.stale" */
    struct str area;  /* where */
    struct str party; /* whose affair, as in a correction; empty: the area's */
    struct str title_zh, title_en, detail, receipt;
    enum case_state state;
    struct str owner;      /* the post that answers for it now */
    struct str owner_area; /* the level of that post in the tree of areas */
    int64_t opened_ms, changed_ms;
    int64_t due_ms;    /* 0: no deadline any more */
    int64_t closed_ms; /* 0: not closed */
    int64_t last_alert_ms;
    int64_t n_alerts, n_escalated, n_reopened;
    bool is_private; /* seen by the party it concerns and by who answers for it, not by the area */
    bool is_late;    /* was late once since it was opened or reopened */
};

struct case_event {
    enum case_what what;
    struct case_record alert; /* CASE_ALERT: key, kind, area, party, titles, detail, receipt */
    struct str to;            /* CASE_ASSIGN: a post; its area in `to_area` */
    struct str to_area;
    struct str text;        /* of a person; of CASE_TICK none */
    struct str by, by_name; /* the post and the person; empty: the city itself */
};

struct case_note { /* one line of the history */
    const char
        *what; /* "opened" "joined" "reopened" "measured" "assigned" "started" "comment" "done" "closed" "escalated" "late" "deleted" */
    enum case_state from, to;
    struct str owner; /* afterwards */
    struct str text;
};
#define CASE_NOTES_MAX 2

struct case_step {
    struct case_record after; /* as it is to be stored; borrows from `before` and the event */
    bool is_changed;          /* false: nothing to store, nothing happened */
    bool is_new;              /* a case of its own; `before` stays as it is */
    struct case_note notes[CASE_NOTES_MAX];
    size_t n_notes;
    int rule; /* of docs/case.md */
};

extern const char *const case_state_names[]; /* in the order of the enumeration; ends with NULL */

/* `before` NULL: there is none with this key. ERR_STATE: not in this state; ERR_SYNTAX: the words are missing. Nothing is changed then. */
enum err case_step(const struct case_rules *rules, const struct case_record *before, const struct case_event *event, struct wall_time now,
    struct case_step *ret_step) MUST_CHECK;

#endif
