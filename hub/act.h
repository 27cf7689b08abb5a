/*
 * Acts (指令): a command to a department's own system, under contract, exactly once by its idempotency key.
 *
 * One act's way: decide() → the key is noted on disk (asked) → the intent leaf is durable → the department is asked, once → its answer is
 * noted on disk (known) → the answer leaves → the outcome leaf follows. The same key again finds what is noted: a known answer is
 * given again and the department is not asked; with other parameters it is refused. A command that was asked and whose answer is not
 * known is asked again under the same key, which the department's side keeps; one that is declared `at_most_once` is never
 * asked again: its outcome is unknown, and an alert says so (hub/alert.h, kind "act.unknown") until it has become a case.
 */
#ifndef HUB_ACT_H
#define HUB_ACT_H

#include "hub/hub.h"

#define HUB_ACT_KEY_MAX 128      /* bytes of a key: [A-Za-z0-9_.:-] */
#define HUB_ACT_ANSWER_MAX 65536 /* bytes of a department's answer */

enum hub_act_state { HUB_ACT_KNOWN, HUB_ACT_REFUSED, HUB_ACT_UNKNOWN };

struct hub_act {
    /* asked; borrowed until done */
    struct str party, resource, purpose;
    struct str contract;     /* empty: the one that fits */
    struct str twin;         /* the receipt of the same use at the asker's own hub, another one; empty: asked here */
    struct str key;          /* the asker's own name for this act; unique for this party and resource, for ever */
    const struct str *names; /* parameters */
    const struct value *values;
    size_t n_values;
    struct loop *loop; /* where `done` runs */
    void (*done)(struct hub_act *act);
    void *context;
    /* answered */
    struct hub_refusal refusal; /* err ERR_OK: the state says what became of it. ERR_EXISTS: the key was used with other parameters;
                                 * ERR_BUSY: it is under way; ERR_UNAVAILABLE: this asking did nothing, ask again with the same key */
    enum hub_act_state state;
    bool may_repeat;  /* UNKNOWN: the same key again is safe, and finds out; else people have to */
    bool is_repeated; /* found, not done now */
    struct str json;  /* KNOWN: the department's answer, an object; REFUSED: its words as a JSON text. Borrowed during `done` */
    char receipt[HUB_RECEIPT_MAX]; /* of the intent of the asking that was answered */
    void *hub_state;
};
/* Any thread. `done` always runs, once, later, on `loop`; without memory at once. */
void hub_act_start(struct hub *hub, struct hub_act *act);

#endif
