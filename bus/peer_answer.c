/* Answering: sessions that others open with us, and the questions under them. All on the peer's loop but the answers' way back. */
#include "base/log.h"
#include "base/mem.h"
#include "bus/peer_inside.h"

#include <stdio.h>
#include <string.h>

#define OPENINGS_A_SECOND 400 /* signatures checked and made for others: two fifths of a core with SM2 */
#define OPENINGS_OF_ONE 100   /* of these for hellos in one party's name: a flood in its name does not shut out the others */
#define UNKNOWNS_A_SECOND 100 /* told that their session is not known, a signature each */
#define QUESTIONS_MAX 8192    /* not yet handed over */
#define OTHER_AGAIN_MS 60000  /* another protocol is told of again */

struct bus_question {
    struct bus_peer *peer;
    struct peer_session *session;
    struct bus_mark mark;
    struct str bytes;
    uint32_t next_part;
    char reply[BUS_SUBJECT_MAX + 1];
    uint8_t room[];
};

/* ---- the table of sessions: by their ids, which are random ---- */

static size_t place_of(const uint8_t id[8])
{
    uint64_t place;
    memcpy(&place, id, sizeof place);
    return (size_t)(place % PEER_TABLE);
}

/* Under the lock, as all of these. */
static struct peer_session *find(struct bus_peer *peer, const uint8_t id[8])
{
    for (size_t at = place_of(id);; at = (at + 1) % PEER_TABLE) {
        struct peer_session *session = peer->accepted[at];
        if (!session || memcmp(session->session.id, id, 8) == 0)
            return session;
    }
}

static void put(struct bus_peer *peer, struct peer_session *session)
{
    size_t at = place_of(session->session.id);
    while (peer->accepted[at])
        at = (at + 1) % PEER_TABLE;
    peer->accepted[at] = session;
    peer->n_held++;
}

static void take_out(struct bus_peer *peer, size_t at)
{
    struct peer_session *gone = peer->accepted[at];
    peer->accepted[at] = NULL;
    peer->n_held--;
    for (size_t next = (at + 1) % PEER_TABLE; peer->accepted[next]; next = (next + 1) % PEER_TABLE) { /* close the gap */
        struct peer_session *moved = peer->accepted[next];
        peer->accepted[next] = NULL;
        peer->n_held--;
        put(peer, moved);
    }
    peer_session_release(gone);
}

/* One never used goes first: a hello that was replayed opens a session that nobody holds the keys of. Of those the oldest. */
static void make_room(struct bus_peer *peer)
{
    size_t worst = PEER_TABLE;
    for (size_t at = 0; at < PEER_TABLE; at++) {
        const struct peer_session *one = peer->accepted[at], *other = worst < PEER_TABLE ? peer->accepted[worst] : NULL;
        if (one && (!other || one->is_confirmed < other->is_confirmed ||
                       (one->is_confirmed == other->is_confirmed && one->used.ns < other->used.ns)))
            worst = at;
    }
    if (worst < PEER_TABLE)
        take_out(peer, worst);
}

/* ---- opening ---- */

void peer_tell_other(struct bus_peer *peer, const char *party, uint8_t protocol)
{
    struct mono_time now = clock_mono(peer->clock);
    if (peer->other_told.ns && mono_ms_between(peer->other_told, now) < OTHER_AGAIN_MS)
        return;
    peer->other_told = now;
    log_write(LOG_ERROR, "bus",
        protocol < BUS_PROTOCOL
            ? "a process of an older program is on the bus, and is not spoken with; start it anew with this one"
            : "a process of a newer program is on the bus, and is not spoken with; start this one anew with that program",
        LOG_TEXT("party", party), LOG_INT("protocol", protocol), LOG_INT("ours", BUS_PROTOCOL), LOG_TEXT("name", peer->name), LOG_END);
}

static void begin_second(struct bus_peer *peer)
{
    struct mono_time now = clock_mono(peer->clock);
    if (mono_ms_between(peer->openings_since, now) < 1000)
        return;
    peer->openings_since = now;
    peer->n_openings = peer->n_unknowns = 0;
    memset(peer->n_openings_of, 0, sizeof peer->n_openings_of);
}

/* Anybody can write a name into a hello; whether it is his costs the signature that is counted here. A party's own hellos that come to
 * nothing for it are sent again. */
static bool is_over_rate(struct bus_peer *peer, struct str party)
{
    uint32_t place;
    struct sha256 digest = crypto_sha256(party);
    memcpy(&place, digest.bytes, sizeof place);
    begin_second(peer);
    uint8_t *of_one = &peer->n_openings_of[place % PEER_RATES];
    if (*of_one >= OPENINGS_OF_ONE || peer->n_openings >= OPENINGS_A_SECOND)
        return true;
    (*of_one)++;
    peer->n_openings++;
    return false;
}

static bool is_replayed(struct bus_peer *peer, struct str hello)
{
    uint64_t start;
    struct sha256 digest = crypto_sha256(hello);
    memcpy(&start, digest.bytes, sizeof start);
    for (size_t i = 0; i < PEER_HELLOS; i++)
        if (peer->hellos_seen[i] == start)
            return true;
    peer->hellos_seen[peer->n_hellos_seen++ % PEER_HELLOS] = start;
    return false;
}

static enum err accept_one(struct bus_peer *peer, struct str hello, struct buf *out, struct peer_session *session)
{
    struct str party;
    struct sign_public key;
    uint8_t secret[32];
    enum err err = bus_session_hello_from(hello, &party);
    if (!err)
        err = str_to_c(party, session->party, sizeof session->party);
    if (err)
        return err;
    if (peer->key_of(peer->context, party, &key)) {
        atomic_fetch_add(&peer->n_strangers, 1);
        return ERR_UNAUTHENTICATED;
    }
    if (is_over_rate(peer, party)) { /* strangers cost no signature, so they use nothing up */
        atomic_fetch_add(&peer->n_overrun, 1);
        return ERR_BUSY;
    }
    crypto_random(secret, sizeof secret);
    err = bus_session_accept(str_from_c(peer->name), peer->key, &key, hello, clock_wall(peer->clock), secret, str_from_c(peer->instance),
        out, &session->session);
    crypto_wipe(secret, sizeof secret);
    if (err == ERR_UNSUPPORTED)
        peer_tell_other(peer, session->party, (uint8_t)hello.ptr[0]);
    return err;
}

static void on_hello(void *context, const struct bus_message *message)
{
    struct bus_peer *peer = context;
    struct buf out;
    if (is_replayed(peer, message->bytes)) {
        atomic_fetch_add(&peer->n_refused[ERR_EXISTS], 1);
        return;
    }
    struct peer_session *session = mem_alloc_zero(1, sizeof *session);
    if (!session)
        return;
    buf_init(&out, 1024);
    atomic_store(&session->n_holders, 1);
    session->used = clock_mono(peer->clock);
    enum err err = accept_one(peer, message->bytes, &out, session);
    if (!err) {
        pthread_mutex_lock(&peer->lock);
        if (peer->n_held >= BUS_PEER_SESSIONS_MAX)
            make_room(peer);
        put(peer, session);
        pthread_mutex_unlock(&peer->lock);
        atomic_fetch_add(&peer->n_accepted, 1);
        err = bus_link_answer(peer->link, message->reply, buf_str(&out));
    } else {
        atomic_fetch_add(&peer->n_refused[err], 1);
        peer_session_release(session);
        if (err == ERR_UNSUPPORTED) /* it hears so */
            err = bus_link_answer(peer->link, message->reply, buf_str(&out));
    }
    if (err)
        log_write(LOG_INFO, "bus", "a session was not opened", LOG_TEXT("name", peer->name), LOG_ERR(err), LOG_END);
    buf_finish(&out);
}

/* ---- questions ---- */

static void say_unknown(struct bus_peer *peer, const struct bus_message *message)
{
    struct buf out;
    atomic_fetch_add(&peer->n_refused[ERR_NOT_FOUND], 1);
    begin_second(peer);
    if (peer->n_unknowns++ >= UNKNOWNS_A_SECOND)
        return;
    buf_init(&out, 256);
    enum err err = bus_session_unknown(peer->key, message->bytes, &out);
    if (!err)
        err = bus_link_answer(peer->link, message->reply, buf_str(&out));
    buf_finish(&out);
    if (err)
        log_write(LOG_DEBUG, "bus", "no way to answer", LOG_ERR(err), LOG_END);
}

static enum err open_question(struct bus_peer *peer, const struct bus_message *message, struct bus_question *question)
{
    uint8_t id[8];
    struct bus_frame frame;
    enum err err = bus_session_id(message->bytes, id);
    if (err)
        return err;
    pthread_mutex_lock(&peer->lock);
    struct peer_session *session = find(peer, id);
    if (session)
        err = bus_session_open(&session->session, clock_wall(peer->clock), NULL, message->bytes, question->room, &frame, &question->mark);
    if (session && !err) {
        session->is_confirmed = true;
        session->used = clock_mono(peer->clock);
        atomic_fetch_add(&session->n_holders, 1);
        atomic_fetch_add(&session->n_under_way, 1);
        question->session = session;
        question->bytes = frame.bytes;
    }
    pthread_mutex_unlock(&peer->lock);
    if (!session) {
        say_unknown(peer, message);
        return ERR_STATE; /* counted there */
    }
    return err;
}

static void on_ask(void *context, const struct bus_message *message)
{
    struct bus_peer *peer = context;
    struct bus_question *question = mem_alloc(sizeof *question + message->bytes.len + 1);
    if (!question)
        return;
    *question = (struct bus_question){.peer = peer};
    enum err err = str_to_c(message->reply, question->reply, sizeof question->reply);
    if (!err)
        err = open_question(peer, message, question);
    if (err) {
        atomic_fetch_add(&peer->n_refused[err], 1);
        mem_free(question);
        return;
    }
    peer_hold(peer);
    atomic_fetch_add(&peer->n_questions, 1);
    peer->on_question(peer->context, question);
}

struct str bus_question_party(const struct bus_question *question)
{
    return str_from_c(question->session->party);
}

struct str bus_question_bytes(const struct bus_question *question)
{
    return question->bytes;
}

size_t bus_question_n_under_way(const struct bus_question *question)
{
    return atomic_load(&question->session->n_under_way);
}

void bus_question_drop(struct bus_question *question)
{
    if (!question)
        return;
    struct bus_peer *peer = question->peer;
    atomic_fetch_sub(&question->session->n_under_way, 1);
    peer_session_release(question->session);
    mem_free(question);
    peer_release(peer);
}

enum err bus_question_answer(struct bus_question *question, struct str bytes, bool is_last)
{
    struct bus_peer *peer = question->peer;
    const struct bus_frame frame = {.part = question->next_part, .is_last = is_last, .bytes = bytes};
    struct bus_mark mark;
    struct buf sealed;
    buf_init(&sealed, BUS_MESSAGE_MAX);
    pthread_mutex_lock(&peer->lock);
    enum err err = bus_session_seal(&question->session->session, clock_wall(peer->clock), &question->mark, &frame, &sealed, &mark);
    pthread_mutex_unlock(&peer->lock);
    if (!err)
        err = bus_link_answer(peer->link, str_from_c(question->reply), buf_str(&sealed));
    buf_finish(&sealed);
    if (err)
        return err;
    question->next_part++;
    if (is_last)
        bus_question_drop(question);
    return ERR_OK;
}

/* ---- life ---- */

enum err bus_peer_listen(struct bus_peer *peer, bool listens)
{
    char subject[BUS_SUBJECT_MAX + 1];
    const struct bus_link_subscriber subscriber = {
        .loop = peer->loop, .limit = OPENINGS_A_SECOND, .group = "party", .on_message = on_hello, .context = peer};
    if (listens && peer->hellos)
        return ERR_OK;
    if (!listens) {
        bus_link_unsubscribe(peer->hellos);
        peer->hellos = NULL;
        return ERR_OK;
    }
    enum err err = bus_subject(str_from_c(peer->name), "HELLO", subject);
    return err ? err : bus_link_subscribe(peer->link, str_from_c(subject), &subscriber, &peer->hellos);
}

enum err peer_answer_start(struct bus_peer *peer, bool is_reserved)
{
    char subject[BUS_SUBJECT_MAX + 1], verb[BUS_INSTANCE_MAX + 8];
    struct bus_link_subscriber subscriber = {
        .loop = peer->loop, .limit = OPENINGS_A_SECOND, .group = "party", .on_message = on_hello, .context = peer};
    enum err err = is_reserved ? ERR_OK : bus_peer_listen(peer, true);
    snprintf(verb, sizeof verb, "%s.HELLO", peer->door);
    if (!err && peer->door[0])
        err = bus_subject(str_from_c(peer->name), verb, subject);
    if (!err && peer->door[0])
        err = bus_link_subscribe(peer->link, str_from_c(subject), &subscriber, &peer->door_hellos);
    snprintf(verb, sizeof verb, "ASK.%s", peer->instance);
    if (!err)
        err = bus_subject(str_from_c(peer->name), verb, subject);
    subscriber.group = NULL;
    subscriber.limit = QUESTIONS_MAX;
    subscriber.on_message = on_ask;
    if (!err)
        err = bus_link_subscribe(peer->link, str_from_c(subject), &subscriber, &peer->questions);
    if (err)
        peer_answer_stop(peer);
    return err;
}

void peer_answer_stop(struct bus_peer *peer)
{
    bus_link_unsubscribe(peer->hellos);
    bus_link_unsubscribe(peer->door_hellos);
    bus_link_unsubscribe(peer->questions);
    peer->hellos = peer->door_hellos = peer->questions = NULL;
}
