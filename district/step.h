/*
 * What one hub of a federation does about the others, as a pure step: step(state, event) → updates. No clock, no network, no store, no
 * memory of its own; time comes in with each event. district/join.c gives it all of these, district/step_test.c simulates them.
 *
 * Two hubs that have an agreement (协定) are peers. Four things go on between them:
 *
 *   beats      twice a second: I am here, how my side of the agreement stands, which version of my contracts' states I hold, up to where I
 *              have your receipts. A beat answers the peer's last one with that one's sending time.
 *   states     of the contracts that are at home here and used there. The other's copies are *confirmed* as of the time at which it sent
 *              the beat that was answered with the version it holds. A copy that was not confirmed for its `fresh_for` permits nothing
 *              (rule 4 of docs/decide.md). So a use after a revocation comes at most `fresh_for` after it, however the network behaves;
 *              no two clocks are compared.
 *   uses       asked there: the asker's intent leaf is durable first and its number is the use's id; the provider decides again, its own
 *              intent leaf names the asker's, and its answer names its own. Sent once: a use without an answer times out and is not
 *              repeated here. A use has one part, or, when the provider says that it stays open (a query's askings, an answer in
 *              pieces, an object, a stream's window), one after the other: the next goes out when the last is answered, at once or when it
 *              is wanted. The asker's receipt that names the provider's leaf ends it there, as do a stop, silence, and a new start of the
 *              asker's hub. A *long* use (an object, that takes as long as its reader does, a window) is named when the provider's receipt
 *              of it comes, by a leaf of its own, so that it holds up no other; a stop ends it.
 *   receipts   a leaf of one log that names a leaf of the other's. Each hub numbers those of its own log for each peer, 1, 2, 3 …, in the
 *              order of the log, and sends them until the peer has them on disk. For a use whose answer was lost the asker then writes a
 *              leaf that names the provider's. So in the end each use that was served has one leaf in either log and each names the other.
 *
 * What is durable elsewhere and only mirrored here: got, acked, n_mine (district/book.h).
 */
#ifndef DISTRICT_STEP_H
#define DISTRICT_STEP_H

#include "district/message.h"

#define DISTRICT_PEERS_MAX 64       /* hubs that one hub has agreements with: a city's districts and its neighbours */
#define DISTRICT_CONTRACTS_MAX 1024 /* of which either side is at another hub; more are refused at load */
#define DISTRICT_ASKED_MAX 2048     /* uses that wait for another hub; past it a use is refused with ERR_FULL */
#define DISTRICT_SERVED_MAX 4096    /* ids remembered of one peer's uses; an older one is refused, so that a repeat can never act twice */
#define DISTRICT_BEAT_MS 500
#define DISTRICT_DOWN_MS 2000    /* unheard for so long: the link counts as down */
#define DISTRICT_USE_MS 5000     /* what a part waits for another hub, where the asker does not say */
#define DISTRICT_OPEN_MAX 192    /* uses of one peer that stay open; one more ends with its first part */
#define DISTRICT_OPEN_MS 15000   /* unheard of for so long, an open use ends: longer than a query may take */
#define DISTRICT_READER_MS 90000 /* an object's: longer than who reads it may stand still (75 s, http/server.c) */
#define DISTRICT_RESEND_MS 1000  /* receipts that were not acknowledged */
#define DISTRICT_TIMEOUTS_MAX 64 /* of one tick; the rest at the next */
#define DISTRICT_UPDATES_MAX (4 * DISTRICT_PEERS_MAX + 2 * DISTRICT_TIMEOUTS_MAX + DISTRICT_OPEN_MAX + DISTRICT_CONTRACTS_MAX)
#define DISTRICT_MESSAGES_MAX (2 * DISTRICT_PEERS_MAX)

enum district_agreement { DISTRICT_NONE, DISTRICT_OFFERED, DISTRICT_AGREED, DISTRICT_SUSPENDED, DISTRICT_ENDED };
extern const char *const district_agreement_names[]; /* "none", "offered", …, NULL */

/* ---- state ---- */
struct district_contract { /* one that joins two hubs */
    uint8_t hash[32];
    size_t peer;   /* the other hub */
    bool is_home;  /* its home hub is this one: its state is ours to tell */
    uint8_t state; /* of ours: as it is; of theirs: as they told last */
    uint64_t told; /* theirs: in which version they told it last; 0: never */
    int64_t fresh_for_ms;
};
struct district_asked {
    bool is_used;
    bool is_answered; /* nothing is under way; the next part may be, or the leaf with the outcome: it is free once that was read back */
    bool has_leaf;    /* an answer named the provider's leaf: so will the outcome */
    bool is_long;     /* … but of this one not: it is free when its asker says that it is over */
    size_t peer;
    uint64_t intent;
    uint32_t part; /* asked last */
    int64_t until_ms;
};
struct district_open {                /* a use of a peer's that is served here and goes on */
    bool is_used, is_busy, is_ending; /* is_ending: when what is busy is done */
    bool is_long;
    uint64_t intent;
    uint32_t part; /* served last, or being served */
    int64_t until_ms;
};
struct district_peer {
    /* the agreement */
    struct sha256 agreement;
    int64_t fresh_for_ms, from_ms, until_ms; /* the last two of the wall clock */
    uint8_t mine, theirs;
    struct district_word mine_word, their_word; /* the same, signed */
    struct sha256 their_agreement;
    /* the link */
    bool is_up;
    uint64_t boot, beat_seq; /* theirs, heard last */
    int64_t heard_ms, beat_sent_ms, heard_sent_ms;
    int64_t confirmed_ms; /* steady clock: their word holds as of then; -1: never */
    /* their contracts' states */
    uint64_t version, wanted_version, pulled; /* held whole (0: none); being pulled; so many entries of it */
    int64_t need_sent_ms;
    /* receipts: mine, numbered 1 … n_mine, of which they have `acked`; theirs that I have */
    uint64_t n_mine, acked, sent, got;
    int64_t receipts_sent_ms;
    uint8_t n_batch, batch_at, n_naming; /* n_naming of the batch are being written down */
    uint64_t batch_first;
    struct district_receipt batch[DISTRICT_BATCH];
    /* their uses served here */
    uint64_t served[DISTRICT_SERVED_MAX]; /* a ring of ids + 1 */
    size_t served_at;
    uint64_t served_floor; /* ids below are refused */
    struct district_open open[DISTRICT_OPEN_MAX];
};
struct district_state {
    uint64_t boot, version; /* version: of the states of contracts at home here; grows, also from start to start */
    uint64_t beat_seq;
    int64_t reader_ms; /* for how long a long use stays open unheard of: DISTRICT_READER_MS, tests excepted */
    size_t n_peers, n_contracts, n_asked;
    struct district_peer peers[DISTRICT_PEERS_MAX];
    struct district_contract contracts[DISTRICT_CONTRACTS_MAX];
    struct district_asked asked[DISTRICT_ASKED_MAX];
};

/* ---- events ---- */
enum district_event_kind {
    DISTRICT_TICK,         /* some ten times a second */
    DISTRICT_MESSAGE,      /* from `peer`, whose name the bus has proven */
    DISTRICT_ASK,          /* a use of a resource at `peer`, its intent leaf durable, or (`is_next`) its next part; `wait_ms` */
    DISTRICT_GIVE_UP,      /* the asker of the part under way has gone; or (`is_over`) nothing more will be asked of a long use */
    DISTRICT_SERVE_DONE,   /* `part` of a use asked by `peer` was served or refused here; `has_leaf`, `leaf`, `is_open` */
    DISTRICT_LEAF,         /* a leaf of the own log that names one of `peer`'s was read back and has its number: n_mine grew */
    DISTRICT_NAMED_DONE,   /* the receipts of NAME are on disk */
    DISTRICT_MY_AGREEMENT, /* a person changed this side of the agreement with `peer` */
    DISTRICT_MY_CONTRACT   /* a contract at home here changed its state */
};
struct district_event {
    enum district_event_kind kind;
    int64_t now_ms, wall_ms; /* steady and wall clock */
    size_t peer;
    const struct district_message *message; /* MESSAGE */
    uint64_t intent, leaf;                  /* ASK, SERVE_DONE, LEAF (kind in receipt_kind) */
    uint32_t part;                          /* SERVE_DONE */
    int64_t wait_ms;                        /* ASK; 0: DISTRICT_USE_MS */
    bool has_leaf, is_next, is_open;
    bool is_long; /* ASK of a first part, SERVE_DONE */
    bool is_over;
    uint8_t receipt_kind;
    size_t contract;           /* MY_CONTRACT: its place */
    uint8_t state;             /* MY_CONTRACT */
    struct district_word word; /* MY_AGREEMENT */
};

/* ---- updates: what the caller does, in this order ---- */
enum district_update_kind {
    DISTRICT_SEND,          /* `message` to `peer`; for FORWARD and ANSWER with what belongs to it */
    DISTRICT_SEND_RECEIPTS, /* those numbered `first` … to `peer`, at most DISTRICT_BATCH of them */
    DISTRICT_REPLY,         /* the use's part ended: `err`, and with `has_leaf` the provider's leaf */
    DISTRICT_SERVE,         /* serve `part` of the use `intent` of `peer`, the first after deciding, then SERVE_DONE */
    DISTRICT_ABORT,         /* the asker of `intent` has gone: end what is done for it, if anything is; SERVE_DONE comes as ever */
    DISTRICT_CLOSE,         /* the open use `intent` of `peer` has ended */
    DISTRICT_NAME,          /* write down `receipts`, `n` of `peer`'s from number `first` on, all in one, then NAMED_DONE */
    DISTRICT_ACKED,         /* `peer` has my receipts up to `first`: remember, some time */
    DISTRICT_SET_CONTRACT,  /* the copy at `contract`: `state`, and fresh until `until_ms` of the steady clock; -1: not fresh */
    DISTRICT_LINK           /* `is_up` of `peer` changed */
};
struct district_update {
    enum district_update_kind kind;
    size_t peer, contract;
    uint64_t intent, leaf, first;
    uint32_t part;
    bool has_leaf, is_up;
    enum err err;
    uint8_t state;
    int64_t until_ms;
    const struct district_receipt *receipts; /* the peer's batch: it stays until NAMED_DONE */
    size_t n;
    const struct district_message *message; /* in the same updates */
};
struct district_updates {
    size_t n, n_messages;
    struct district_update items[DISTRICT_UPDATES_MAX];
    struct district_message messages[DISTRICT_MESSAGES_MAX];
};

/* `updates` is overwritten. */
void district_step(struct district_state *state, const struct district_event *event, struct district_updates *updates);
/* May uses go to and come from the peer now? */
bool district_in_force(const struct district_peer *peer, int64_t now_ms, int64_t wall_ms);
/* After a start: `boot` greater than at any start before; a zeroed state. */
void district_begin(struct district_state *state, uint64_t boot);
/* And of each peer what the book knows. */
void district_peer_begin(struct district_peer *peer, uint64_t n_mine, uint64_t acked, uint64_t got);

#endif
