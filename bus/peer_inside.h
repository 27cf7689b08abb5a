/* What peer.c (asking) and peer_answer.c (answering) share. */
#ifndef BUS_PEER_INSIDE_H
#define BUS_PEER_INSIDE_H

#include "bus/peer.h"

#include <pthread.h>
#include <stdatomic.h>

#define PEER_TABLE 8192 /* twice BUS_PEER_SESSIONS_MAX */
#define PEER_DOOR_MAX 16
#define PEER_RATES 1024
#define PEER_HELLOS 1024 /* remembered, so that one that is replayed costs no signature */

struct peer_session {
    atomic_size_t n_holders;
    atomic_size_t n_under_way;  /* questions of theirs that are not over */
    struct bus_session session; /* guarded by the peer's lock; its id stays as it is */
    struct sign_public key;     /* of the other side, in a session that we opened */
    char party[BUS_PARTY_MAX + 1];
    char subject[BUS_SUBJECT_MAX + 1]; /* where its questions go */
    struct mono_time used;
    bool is_confirmed; /* a message under it came: whoever opened it holds the keys */
};

struct peer_mate { /* a party that we ask */
    struct peer_mate *next;
    char name[BUS_PARTY_MAX + 1];
    char door[PEER_DOOR_MAX];      /* empty: whichever of its processes */
    struct peer_session *session;  /* NULL: none yet */
    struct bus_ask *first, **last; /* waiting for one */
    bool is_opening;
    struct bus_opening opening;
    struct bus_request request;
    struct bus_peer *peer;
    struct loop_task task;
};

struct bus_peer {
    atomic_size_t n_holders;
    struct bus_link *link;
    char name[BUS_PARTY_MAX + 1];
    char instance[BUS_INSTANCE_MAX + 1];
    char door[PEER_DOOR_MAX];
    const struct sign_key *key;
    struct clock *clock;
    struct loop *loop;
    enum err (*key_of)(void *context, struct str party, struct sign_public *ret_key);
    void (*on_question)(void *context, struct bus_question *question);
    void *context;
    struct bus_link_subscription *hellos, *door_hellos, *questions;
    uint64_t hellos_seen[PEER_HELLOS]; /* the first bytes of their digests, a ring */
    size_t n_hellos_seen;
    struct mono_time openings_since;   /* of the second that these count */
    uint8_t n_openings_of[PEER_RATES]; /* by a hash of the party's name */
    uint32_t n_openings, n_unknowns;
    _Atomic uint64_t n_asked, n_questions, n_opened, n_accepted, n_strangers, n_overrun, n_refused[ERR_COUNT];
    struct mono_time other_told; /* when another protocol was told of last; 0: never */
    _Atomic bool is_closing;
    pthread_mutex_t lock; /* guards what follows, and sessions */
    struct peer_mate *mates;
    size_t n_waiting;
    struct peer_session *accepted[PEER_TABLE]; /* by the session's id, open addressing */
    size_t n_held;
};

void peer_hold(struct bus_peer *peer);
void peer_release(struct bus_peer *peer);
void peer_session_release(struct peer_session *session);
/* That a party speaks another protocol: once a minute, on the peer's loop. */
void peer_tell_other(struct bus_peer *peer, const char *party, uint8_t protocol);
enum err peer_answer_start(struct bus_peer *peer, bool is_reserved) MUST_CHECK;
void peer_answer_stop(struct bus_peer *peer);

#endif
