/* What the files of district/ offer each other: the joint itself, and who does what of the step's updates. */
#ifndef DISTRICT_INSIDE_H
#define DISTRICT_INSIDE_H

#include "district/book.h"
#include "district/join.h"
#include "district/question.h"
#include "district/step.h"
#include "district/twin.h"
#include "hub/record.h"

#include <pthread.h>
#include <stdatomic.h>

#define DISTRICT_UNDER_WAY_MAX 1024 /* uses of others served at a time, each with an arena of up to 256 KiB */

struct district_plan {         /* a contract on a resource elsewhere, compiled */
    struct district *district; /* NULL: `citybrain check` */
    const struct hub_resource *resource;
    struct str contract;
    int hub; /* where it is at home */
    struct district_plan *next;
};

/* Receipts of a peer that are being written down (district/naming.c). */
struct naming_one {
    struct naming *naming;
    struct district_receipt receipt;
    bool is_wanted, is_under_way; /* a leaf that names theirs: still to be appended; being written */
    char text[256];
    struct ledger_append append;
};
struct naming {
    struct district *district;
    size_t peer;
    bool is_on;
    uint64_t last;       /* number of the last of them */
    uint64_t wait_for;   /* leaves that the book has to have read */
    size_t n, n_pending; /* n_pending: wanted or under way */
    struct naming_one ones[DISTRICT_BATCH];
};

enum twin_wrong { TWIN_MISSING, TWIN_DIFFERS, TWIN_UNASKED };
enum { TWIN_N_WRONG = TWIN_UNASKED + 1 };
struct district_twins { /* of one peer (district/twin.c) */
    struct twin_watch watch;
    _Atomic uint64_t n_wrong[TWIN_N_WRONG];            /* since the start */
    uint64_t n_told[TWIN_N_WRONG], last[TWIN_N_WRONG]; /* of them; the last's leaf: of theirs when it was not asked for, else mine */
};

struct district_link { /* to a peer (district/link.c) */
    bool is_told;      /* that it is cut; a case may be open */
    int64_t since_ms, next_ms;
};

struct district_words {
    struct district_word mine, theirs;
    bool has_theirs;
};
#define DISTRICT_WORDS_MAX 16
struct district_telling { /* of an agreement with a peer (district/agreement.c) */
    struct district *district;
    bool is_on, is_noted;
    uint64_t wait_for;                                      /* leaves that the book has to have read */
    struct district_words noted, words[DISTRICT_WORDS_MAX]; /* to be written down, in order */
    size_t n;
    struct district_word seen; /* theirs, looked at last */
    struct buf leaf;
    struct ledger_append append;
};

/* ---- measure.c ---- */
enum district_direction { DISTRICT_ASKED, DISTRICT_GIVEN };
#define DISTRICT_OBJECTS_MAX 256       /* objects open for others, each with a piece of 128 KiB; one more is refused as busy */
#define DISTRICT_OBJECTS_OF_PEER 64    /* and for one of them */
#define DISTRICT_WINDOWS_OF_PEER 64    /* of streams that stay open for one; one more is refused as busy */
#define DISTRICT_KEPT_MAX (64u << 20)  /* bytes of a stream kept for those who do not take it; past it the oldest quarter is dropped */
#define DISTRICT_HELD_MAX (256u << 20) /* bytes of rows kept for queries of others, all together; past it ERR_FULL */
struct district_figures {
    struct metric_counter sent[DISTRICT_PEERS_MAX], received[DISTRICT_PEERS_MAX], unreadable[DISTRICT_PEERS_MAX];
    struct metric_counter ended[DISTRICT_PEERS_MAX][2][DISTRICT_WHATS][ERR_COUNT];
    struct metric_histogram took[2][DISTRICT_WHATS];
    struct metric_counter asked_full, served_full, held_full, objects_full, windows_full, streams_full, stream_dropped;
};
struct district_shown { /* at the last tick */
    size_t n_peers, n_asked, n_open, n_served, n_held, n_objects, n_contracts, n_streams, n_windows;
    struct {
        struct str name;
        uint64_t n_waiting;
    } streams[HUB_RECORD_STREAMS_MAX];
    uint64_t n_behind;
    struct district_status peers[DISTRICT_PEERS_MAX];
};

struct district_witness; /* witness.c */
struct district_stream;  /* streams.c */
struct district_place;   /* streams.c */

struct district {
    struct district_options options;
    struct district_witness *witness; /* NULL: peers do not witness each other */
    char store_path[FEDERATION_PATH_MAX];
    struct federation *federation;
    int self;
    struct clock *clock;
    struct hub *hub;
    struct ledger *ledger;
    struct loop_thread *thread;
    struct loop *loop;
    struct book *book;
    /* the thread's */
    struct district_state *state;
    struct district_updates *updates;
    int *peer_of;                                 /* by a hub's number: its place among the peers; -1 */
    int hub_of[DISTRICT_PEERS_MAX];               /* and back */
    struct str contracts[DISTRICT_CONTRACTS_MAX]; /* names, by their place in the state */
    size_t n_contracts_seen;                      /* of the hub's */
    struct naming *namings;                       /* one a peer */
    struct district_telling tellings[DISTRICT_PEERS_MAX];
    struct district_link links[DISTRICT_PEERS_MAX];
    struct district_twins twins[DISTRICT_PEERS_MAX];
    struct asked *asked;       /* that wait for an answer (district/asked.c) */
    struct asked *more;        /* whose next part is to be asked now */
    struct serving *serving;   /* uses of others (district/served.c) */
    size_t n_held;             /* bytes of rows that they keep */
    size_t n_objects;          /* open, of them */
    struct hub_record *record; /* of streams that other hubs subscribe to (district/streams.c); NULL: none */
    char streams_dir[FEDERATION_PATH_MAX];
    struct district_stream *streams;
    size_t n_streams;
    struct district_place *places; /* by a contract's place: where its consumer is */
    struct str payload;            /* goes behind the next FORWARD or ANSWER */
    struct str rest;               /* came behind the message that is being read */
    struct buf out;
    uint8_t head[DISTRICT_MESSAGE_MAX];
    struct loop_timer tick;
    uint64_t n_ticks;
    size_t n_under_way; /* uses served, leaves appended; past DISTRICT_UNDER_WAY_MAX a peer's use is refused with ERR_FULL */
    bool is_broken;     /* the disk refused */
    /* any thread's */
    pthread_mutex_t lock;
    bool is_open;                             /* uses may come; under the lock */
    _Atomic bool may_ask[DISTRICT_PEERS_MAX]; /* the link is up, and the agreement in force */
    struct district_shown shown;
    struct district_figures figures;
};

/* ---- witness.c ---- */
enum { DISTRICT_CHECKPOINT = 16, DISTRICT_COSIGNED = 17 }; /* kinds of message beside the step's */
enum err district_witness_open(struct district *district, struct diag *diag) MUST_CHECK;
void district_witness_close(struct district *district);
void district_witness_tend(struct district *district);
/* False: no message of this kind. */
bool district_witness_receive(struct district *district, size_t peer, struct str bytes);
uint64_t district_witness_size(const struct district *district, size_t peer); /* of our checkpoint that the peer cosigned last */

/* ---- join.c ---- */
/* One event through the step, and all that it asks for. The clocks are filled in. */
void district_drive(struct district *district, struct district_event event);
void district_fail(struct district *district, enum err err); /* the disk refused */
/* Any thread; `done` comes on fetch->loop. */
void district_ask(const struct district_plan *plan, struct hub_fetch *fetch);

/* Any thread: a task on the district's thread; false: it is stopped. */
bool district_post(struct district *district, struct loop_task *task);

/* ---- status.c, on the district's thread ---- */
void district_status_on_loop(struct district *district, size_t at, struct district_status *ret_status);
enum err district_agree_on_loop(struct district *district, struct str area, enum district_agreement state) MUST_CHECK;

/* ---- link.c ---- */
void district_link_begin(struct district *district, size_t peer);
void district_link_changed(struct district *district, size_t peer, bool is_up);
void district_links_tend(struct district *district);

/* ---- measure.c ---- */
void district_measure_part(struct district *district, size_t peer, enum district_direction direction, enum district_what what,
    struct mono_time since, enum err err);
void district_show(struct district *district);

/* ---- agreement.c ---- */
/* This side's word, signed. */
enum err district_word_give(
    struct district *district, size_t peer, uint8_t state, int64_t since_ms, struct district_word *ret_word) MUST_CHECK;
/* What is signed: lines of "citybrain agreement v1", the agreement, the hash of its content, the hub's area, its state, since when. */
enum err district_word_text(
    const struct district *district, size_t peer, int hub, const struct district_word *word, struct buf *out) MUST_CHECK;
void district_agreement_note(struct district *district, size_t peer); /* either side's word may be another */
void district_agreements_tend(struct district *district);

/* ---- naming.c ---- */
void district_naming_begin(struct district *district, const struct district_update *update);
void district_naming_tend(struct district *district); /* what can be appended or is finished */

/* ---- twin.c ---- */
void district_twins_tend(struct district *district); /* looks for the twins that have to be there by now */
void district_twin_note(struct district *district, size_t peer, enum twin_wrong what, uint64_t leaf);

#endif
