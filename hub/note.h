/*
 * A leaf about what somebody did who is no party of a use: a step of a case. It says which case and step, what, when, and who by a
 * pseudonym of the day; all words only as a salted commitment (docs/hub.md). Durable when `done` runs with ERR_OK.
 */
#ifndef HUB_NOTE_H
#define HUB_NOTE_H

#include "hub/hub.h"

struct hub_note {
    /* asked; borrowed until hub_note_start() has returned */
    int64_t of, step;      /* case and step */
    struct str what;       /* a word, [a-z]: "closed" */
    struct str by;         /* a post; empty: the city itself */
    struct str committed;  /* RFC 8785, with the words: committed to, not written */
    struct wall_time time; /* of the step */
    struct loop *loop;     /* where `done` runs */
    void (*done)(struct hub_note *note);
    /* answered */
    enum err err;
    uint64_t index; /* of the leaf */
    void *hub_state;
};
/* Any thread. ERR_FULL: the ledger has too much to do; then, and with any other error, `done` does not run. */
enum err hub_note_start(struct hub *hub, struct hub_note *note) MUST_CHECK;
void hub_note_receipt(const struct hub *hub, uint64_t index, char out[HUB_RECEIPT_MAX]);
/* The salt of such a leaf, as 64 hexadecimal digits, for who may read the words that it commits to. ERR_NOT_FOUND: no such leaf, or the
 * day's key was erased. Any thread; reads the disk. */
enum err hub_note_salt(const struct hub *hub, uint64_t index, char hex[65]) MUST_CHECK;

#endif
