/*
 * A party on a link: asks other parties and answers them, each question and answer under a session (bus/session.h) that is opened when it
 * is first needed, and opened again when the other side was started anew. The process on the other side is found by the party's name; of
 * several processes of one party one takes the session.
 *
 * What comes from strangers, or is replayed, forged, stale or misbound, is counted and gets no answer.
 */
#ifndef BUS_PEER_H
#define BUS_PEER_H

#include "base/metric.h"
#include "bus/link.h"
#include "bus/session.h"

#define BUS_PEER_BYTES (BUS_MESSAGE_MAX - BUS_SESSION_OVERHEAD) /* of a question, or of one part of an answer */
#define BUS_PEER_SESSIONS_MAX 4096                              /* held for others; the one longest unused makes room */
#define BUS_PEER_WAITING_MAX 8192                               /* askings that wait for a session; more are ERR_FULL */

struct bus_peer;
struct bus_question;

struct bus_peer_options {
    struct bus_link *link;      /* held; may be closed before the peer is destroyed */
    struct str name;            /* the party's: "hangzhou/hub" */
    const struct sign_key *key; /* kept */
    struct clock *clock;        /* the real one: two processes must agree about it within a minute */
    struct loop *loop;          /* where questions come and sessions are opened */
    /* The public key of a party that it speaks with. ERR_NOT_FOUND: a stranger. On `loop`. */
    enum err (*key_of)(void *context, struct str party, struct sign_public *ret_key);
    /* A question by a party that has shown its key; to be ended by bus_question_answer() or _drop(). On `loop`. NULL: it only asks. */
    void (*on_question)(void *context, struct bus_question *question);
    void *context;
    const char *door; /* capitals and digits, at most 15: of a party's several processes this one also answers those who ask for this door;
                         NULL: none */
    bool is_reserved; /* it takes no hello of those who ask for any process of the party until bus_peer_listen() */
};

enum err bus_peer_create(const struct bus_peer_options *options, struct bus_peer **ret_peer) MUST_CHECK;
/* On its loop. Askings that wait for a session end with ERR_CANCELLED; those under way by their time-out or bus_link_close(). Takes NULL.
 */
void bus_peer_destroy(struct bus_peer *peer);

struct bus_peer_counts {
    uint64_t n_asked, n_questions, n_opened, n_accepted /* sessions */, n_strangers, n_overrun /* openings over the rate */;
    uint64_t n_malformed, n_unknown, n_stale, n_replayed, n_forged, n_misbound, n_other_protocol;
};
struct bus_peer_counts bus_peer_counts(const struct bus_peer *peer);    /* any thread */
void bus_peer_measure(struct bus_peer *peer, struct metric_page *page); /* and its link's figures; any thread */

/* ---- asking ---- */

/* Embedded in its owner, untouched by him from bus_peer_ask() until `done`. */
struct bus_ask {
    /* asked; borrowed until bus_peer_ask() returns */
    struct str party, bytes;
    const char *door; /* the process of the party that has it (bus_peer_options.door), borrowed until `done`; NULL: any of them */
    int64_t timeout_ms;
    bool may_repeat; /* asked twice does no harm: then it is asked again when the other side says, signed, that it lost the session */
    struct loop *loop;
    /* Each part of the answer, in order, the last one too; borrows. May be NULL. On `loop`. */
    void (*on_part)(struct bus_ask *ask, struct str bytes);
    void (*done)(struct bus_ask *ask);
    /* answered: as struct bus_request's; ERR_UNAVAILABLE: certainly nobody got it (as far as the server tells the truth) */
    enum err err;
    struct str answer; /* the last part; borrowed during `done` */
    /* the peer's own */
    struct bus_peer *peer;
    struct bus_request request;
    struct bus_mark mark;
    struct peer_session *session;
    struct buf kept;
    uint8_t *room;
    struct mono_time due;
    uint32_t next_part;
    uint32_t n_unknowns; /* that were looked at */
    bool is_repeated, is_unknown, has_gap;
    struct bus_ask *next;
    struct loop_task task;
    char name[BUS_PARTY_MAX + 1];
};
/* Any thread, never blocks. `done` always runs, once, later, on ask->loop. */
void bus_peer_ask(struct bus_peer *peer, struct bus_ask *ask);

/* ---- answering ---- */

/* Whether it is one of those that take hellos for any process of the party. Sessions that stand go on. On its loop. */
enum err bus_peer_listen(struct bus_peer *peer, bool listens) MUST_CHECK;

struct str bus_question_party(const struct bus_question *question); /* who asks; borrowed until its end, as the next */
struct str bus_question_bytes(const struct bus_question *question);
size_t bus_question_n_under_way(
    const struct bus_question *question); /* of its session, this one too: those that are not over. Any thread */
/* A part of the answer; with `is_last` the question is over. Any thread, one at a time. An error (the link is down) ends nothing. */
enum err bus_question_answer(struct bus_question *question, struct str bytes, bool is_last) MUST_CHECK;
void bus_question_drop(struct bus_question *question); /* without an (other) answer; takes NULL. After the last part it is gone already */

#endif
