/*
 * The book: what a hub has to know of its peers after a restart, in {data}/store/district.sqlite. Nothing in it is the record of a use:
 * that is the ledger. The book is made by reading the ledger's leaves in order, and remembers in the same transaction how far it got; so a
 * leaf that names another hub's gets its number once and for ever, whenever the process is killed.
 *
 * One thread's; a step of it waits for the disk.
 */
#ifndef DISTRICT_BOOK_H
#define DISTRICT_BOOK_H

#include "base/diag.h"
#include "district/message.h"
#include "ledger/ledger.h"

#include <stdbool.h>

struct book;
struct federation;

struct book_peer {
    uint64_t n_mine, acked, got;
    uint64_t twinned; /* of mine, up to this number their twins were looked for */
    int agreement;    /* this side's state as a person set it last; -1: nobody did */
    int64_t since_ms; /* when, by the wall clock */
};

/* A leaf that names another hub's. */
struct book_leaf {
    int hub; /* the other's number in the federation */
    struct district_receipt receipt;
};

enum err book_open(const char *path, const struct federation *federation, struct diag *diag, struct book **ret_book) MUST_CHECK;
void book_close(struct book *book);          /* takes NULL */
uint64_t book_boot(const struct book *book); /* of this start: greater than any before */
enum err book_peer(struct book *book, int hub, struct book_peer *ret_peer) MUST_CHECK;
/* Reads up to `max` durable leaves further. *ret_leaves: those that name other hubs' and have got their numbers, in order; valid until the
 * next call. */
enum err book_follow(struct book *book, struct ledger *ledger, size_t max, const struct book_leaf **ret_leaves, size_t *ret_n) MUST_CHECK;
uint64_t book_followed(const struct book *book); /* leaves read */
/* My receipts for `hub` from number `first` on, at most `max`. */
enum err book_receipts(struct book *book, int hub, uint64_t first, size_t max, struct district_receipt *out, size_t *ret_n) MUST_CHECK;
/* Does a leaf of mine name the leaf of `hub`'s that served my use `intent`? */
enum err book_is_named(struct book *book, int hub, uint64_t intent, bool *ret_is_named) MUST_CHECK;
/* Theirs, written down with the number of the last of them; in one transaction. */
enum err book_take(struct book *book, int hub, const struct district_receipt *receipts, size_t n, uint64_t got) MUST_CHECK;
enum err book_acked(struct book *book, int hub, uint64_t acked) MUST_CHECK;
enum err book_agreement(struct book *book, int hub, int state, int64_t since_ms) MUST_CHECK;
/* A hub's word on an agreement as the newest leaf has it: "state since_ms signature". ERR_NOT_FOUND. */
#define DISTRICT_MARK_MAX 192
enum err book_word(struct book *book, struct str agreement, int hub, char ret_mark[DISTRICT_MARK_MAX]) MUST_CHECK;

/* One of my receipts and its twin: theirs of the other kind about the same use. */
struct book_pair {
    uint64_t number;
    struct district_receipt mine;
    bool has_theirs;
    uint64_t theirs; /* a leaf of their log */
};
/* Numbers behind `from` up to `to`, in order, at most `max`. */
enum err book_pairs(struct book *book, int hub, uint64_t from, uint64_t to, size_t max, struct book_pair *out, size_t *ret_n) MUST_CHECK;
enum err book_twinned(struct book *book, int hub, uint64_t to) MUST_CHECK;

/* Where the consumer of a contract on a stream is (hub/place.h). ERR_NOT_FOUND: nowhere yet. */
struct book_place {
    uint64_t epoch, turn, confirmed;
};
enum err book_place(struct book *book, struct str contract, struct book_place *ret_place) MUST_CHECK;
enum err book_set_place(struct book *book, struct str contract, const struct book_place *place) MUST_CHECK;

/* Verifier keys of the peer's log and of the peer as a witness (empty: not known), and the size of our checkpoint that it cosigned last. */
enum err book_vkeys(struct book *book, int hub, char *ret_log, char *ret_witness, size_t size, uint64_t *ret_cosigned) MUST_CHECK;
enum err book_log_vkey(struct book *book, int hub, struct str vkey) MUST_CHECK;
enum err book_cosigned(struct book *book, int hub, struct str vkey, uint64_t size, struct str note) MUST_CHECK;
/* The newest checkpoint of ours with the peer's line, appended to `out`. ERR_NOT_FOUND: none yet. */
enum err book_cosigned_note(struct book *book, int hub, struct buf *out) MUST_CHECK;

struct book_counts {
    int64_t n_mine, n_theirs;     /* receipts */
    int64_t n_served, n_complete; /* uses of theirs served here; of those, the ones whose naming leaf in their log they told */
};
enum err book_count(struct book *book, int hub, struct book_counts *ret_counts) MUST_CHECK;

#endif
