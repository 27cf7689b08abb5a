/*
 * Asking. A question to a party without a session waits for one; opening it takes one question more. When the server says that nobody
 * listens at a session's process any more, or that process says under its party's signature that it does not know the session, it is
 * dropped and opened once anew. What is not signed makes nobody ask again.
 *
 * A lock, not a loop, guards sessions: they are used from whichever thread asks. Under it lies one pass of AES over a message, no I/O.
 */
#include "bus/peer_inside.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define OPEN_MS 3000   /* for the other side to answer a hello: two signatures and the way */
#define MATES_MAX 4096 /* parties that one party asks */
#define UNKNOWNS_MAX 4 /* of one asking: "I know no such session" that are looked at, a signature each */

void peer_hold(struct bus_peer *peer)
{
    atomic_fetch_add(&peer->n_holders, 1);
}

void peer_session_release(struct peer_session *session)
{
    if (!session || atomic_fetch_sub(&session->n_holders, 1) != 1)
        return;
    bus_session_wipe(&session->session);
    mem_free(session);
}

void peer_release(struct bus_peer *peer)
{
    if (atomic_fetch_sub(&peer->n_holders, 1) != 1)
        return;
    for (struct peer_mate *mate = peer->mates, *next; mate; mate = next) {
        next = mate->next;
        peer_session_release(mate->session);
        mem_free(mate);
    }
    for (size_t i = 0; i < PEER_TABLE; i++)
        peer_session_release(peer->accepted[i]);
    bus_link_release(peer->link);
    pthread_mutex_destroy(&peer->lock);
    mem_free(peer);
}

/* ---- the end of an asking ---- */

static void finish(struct bus_ask *ask, enum err err)
{
    struct bus_peer *peer = ask->peer;
    uint8_t *room = ask->room;
    buf_finish(&ask->kept);
    peer_session_release(ask->session);
    ask->session = NULL;
    ask->err = err;
    ask->done(ask); /* may free it */
    mem_free(room);
    peer_release(peer);
}

static void on_failed(struct loop_task *task)
{
    struct bus_ask *ask = container_of(task, struct bus_ask, task);
    ask->answer = STR_NONE;
    finish(ask, ask->err);
}

static void fail(struct bus_ask *ask, enum err err)
{
    ask->err = err;
    ask->task.fn = on_failed;
    loop_post(ask->loop, &ask->task);
}

/* ---- under a session ---- */

static void start(struct bus_ask *ask);

/* True: that was the last part, or nothing more is to be waited for. */
static bool on_answer(struct bus_request *request, struct str bytes)
{
    struct bus_ask *ask = container_of(request, struct bus_ask, request);
    struct bus_peer *peer = ask->peer;
    struct bus_frame frame;
    struct bus_mark mark;
    uint8_t id[8];
    enum err err = bus_session_id(bytes, id);
    if (!err && bytes.ptr[1] == BUS_UNKNOWN) {
        err = ask->n_unknowns++ < UNKNOWNS_MAX ? bus_session_check_unknown(&ask->session->session, &ask->session->key, &ask->mark, bytes)
                                               : ERR_BUSY;
        if (!err)
            return ask->is_unknown = true; /* by that party, about this question: it was not taken */
        atomic_fetch_add(&peer->n_refused[err], 1);
        return false;
    }
    uint8_t *room = err ? NULL : mem_resize(ask->room, bytes.len);
    if (room)
        ask->room = room;
    else if (!err)
        err = ERR_NO_MEMORY;
    if (!err) {
        pthread_mutex_lock(&peer->lock);
        err = bus_session_open(&ask->session->session, clock_wall(peer->clock), &ask->mark, bytes, room, &frame, &mark);
        pthread_mutex_unlock(&peer->lock);
    }
    if (err) { /* not the answer; that may still come */
        atomic_fetch_add(&peer->n_refused[err], 1);
        return false;
    }
    if (frame.part != ask->next_part++)
        return ask->has_gap = true;
    ask->answer = frame.bytes;
    if (ask->on_part)
        ask->on_part(ask, frame.bytes);
    return frame.is_last;
}

static void on_request_done(struct bus_request *request)
{
    struct bus_ask *ask = container_of(request, struct bus_ask, request);
    struct bus_peer *peer = ask->peer;
    bool is_gone = request->err == ERR_UNAVAILABLE && bus_link_is_up(peer->link); /* nobody listens there any more */
    if (request->err == ERR_OK && !ask->is_unknown) {
        finish(ask, ask->has_gap ? ERR_IO : ERR_OK);
        return;
    }
    if (is_gone || ask->is_unknown) {
        pthread_mutex_lock(&peer->lock);
        for (struct peer_mate *mate = peer->mates; mate; mate = mate->next)
            if (mate->session == ask->session) {
                peer_session_release(mate->session);
                mate->session = NULL;
            }
        pthread_mutex_unlock(&peer->lock);
    }
    if ((is_gone || (ask->is_unknown && ask->may_repeat)) && !ask->is_repeated && ask->next_part == 0) {
        ask->is_repeated = true;
        ask->is_unknown = false;
        peer_session_release(ask->session);
        ask->session = NULL;
        start(ask);
        return;
    }
    ask->answer = STR_NONE;
    finish(ask, ask->is_unknown ? ERR_IO : request->err);
}

/* Seals and sends. Without the lock. */
static void send_under(struct bus_ask *ask, struct peer_session *session)
{
    struct bus_peer *peer = ask->peer;
    const struct bus_frame frame = {.is_last = true, .bytes = buf_str(&ask->kept)};
    struct buf sealed;
    int64_t left_ms = mono_ms_between(clock_mono(peer->clock), ask->due);
    ask->session = session; /* held by the caller for us */
    if (left_ms <= 0) {
        fail(ask, ERR_TIMEOUT);
        return;
    }
    buf_init(&sealed, BUS_MESSAGE_MAX);
    pthread_mutex_lock(&peer->lock);
    session->used = clock_mono(peer->clock);
    enum err err = bus_session_seal(&session->session, clock_wall(peer->clock), NULL, &frame, &sealed, &ask->mark);
    pthread_mutex_unlock(&peer->lock);
    if (err)
        fail(ask, err);
    else {
        ask->request = (struct bus_request){.subject = str_from_c(session->subject),
            .bytes = buf_str(&sealed),
            .timeout_ms = left_ms,
            .loop = ask->loop,
            .on_answer = on_answer,
            .done = on_request_done};
        bus_link_request(peer->link, &ask->request);
    }
    buf_finish(&sealed);
}

/* ---- opening, on the peer's loop ---- */

/* Takes all that wait: with a session they are sent, without they fail. */
static void serve_waiting(struct peer_mate *mate, struct peer_session *session, enum err err)
{
    struct bus_peer *peer = mate->peer;
    pthread_mutex_lock(&peer->lock);
    struct bus_ask *ask = mate->first;
    mate->first = NULL;
    mate->last = &mate->first;
    mate->is_opening = false;
    for (struct bus_ask *one = ask; one; one = one->next)
        peer->n_waiting--;
    pthread_mutex_unlock(&peer->lock);
    for (struct bus_ask *next; ask; ask = next) {
        next = ask->next;
        if (session) {
            atomic_fetch_add(&session->n_holders, 1);
            send_under(ask, session);
        } else
            fail(ask, err);
    }
}

static enum err welcome(struct peer_mate *mate, struct str bytes, struct peer_session **ret_session)
{
    struct bus_peer *peer = mate->peer;
    struct sign_public key;
    char instance[BUS_INSTANCE_MAX + 1], verb[BUS_INSTANCE_MAX + 8];
    struct peer_session *session = mem_alloc_zero(1, sizeof *session);
    if (!session)
        return ERR_NO_MEMORY;
    atomic_store(&session->n_holders, 1);
    enum err err = peer->key_of(peer->context, str_from_c(mate->name), &key);
    if (!err)
        err = bus_session_complete(&mate->opening, &key, bytes, clock_wall(peer->clock), &session->session, instance);
    if (!err) {
        session->key = key;
        snprintf(session->party, sizeof session->party, "%s", mate->name);
        snprintf(verb, sizeof verb, "ASK.%s", instance);
        err = bus_subject(str_from_c(mate->name), verb, session->subject);
    }
    if (err) {
        atomic_fetch_add(&peer->n_refused[err], 1);
        peer_session_release(session);
        return err;
    }
    *ret_session = session;
    return ERR_OK;
}

static bool on_welcome(struct bus_request *request, struct str bytes)
{
    struct peer_mate *mate = container_of(request, struct peer_mate, request);
    struct bus_peer *peer = mate->peer;
    struct peer_session *session = NULL;
    enum err err = welcome(mate, bytes, &session);
    if (err == ERR_UNSUPPORTED) { /* said by that party: nothing else will come */
        peer_tell_other(peer, mate->name, (uint8_t)bytes.ptr[0]);
        serve_waiting(mate, NULL, ERR_UNAVAILABLE);
        return true;
    }
    if (err)
        return false; /* not by that party; the true one may still come */
    atomic_fetch_add(&peer->n_opened, 1);
    pthread_mutex_lock(&peer->lock);
    peer_session_release(mate->session);
    mate->session = session;
    atomic_fetch_add(&session->n_holders, 1);
    pthread_mutex_unlock(&peer->lock);
    serve_waiting(mate, session, ERR_OK);
    peer_session_release(session);
    return true;
}

static void on_opened(struct bus_request *request)
{
    struct peer_mate *mate = container_of(request, struct peer_mate, request);
    struct bus_peer *peer = mate->peer;
    request->link = NULL; /* over: nothing to cancel */
    if (request->err)     /* nothing was asked yet, whatever went wrong */
        serve_waiting(mate, NULL, request->err == ERR_CANCELLED ? ERR_CANCELLED : ERR_UNAVAILABLE);
    peer_release(peer);
}

static void on_open(struct loop_task *task)
{
    struct peer_mate *mate = container_of(task, struct peer_mate, task);
    struct bus_peer *peer = mate->peer;
    struct sign_public key;
    struct buf hello;
    uint8_t secret[32];
    char subject[BUS_SUBJECT_MAX + 1], verb[PEER_DOOR_MAX + 8];
    buf_init(&hello, 1024);
    crypto_random(secret, sizeof secret);
    snprintf(verb, sizeof verb, "%s%sHELLO", mate->door, mate->door[0] ? "." : "");
    enum err err = atomic_load(&peer->is_closing) ? ERR_CANCELLED : bus_subject(str_from_c(mate->name), verb, subject);
    if (!err)
        err = peer->key_of(peer->context, str_from_c(mate->name), &key);
    if (!err)
        err = bus_session_hello(
            str_from_c(peer->name), peer->key, str_from_c(mate->name), clock_wall(peer->clock), secret, &hello, &mate->opening);
    crypto_wipe(secret, sizeof secret);
    if (err) {
        serve_waiting(mate, NULL, err);
        peer_release(peer);
    } else {
        mate->request = (struct bus_request){.subject = str_from_c(subject),
            .bytes = buf_str(&hello),
            .timeout_ms = OPEN_MS,
            .loop = peer->loop,
            .on_answer = on_welcome,
            .done = on_opened};
        bus_link_request(peer->link, &mate->request);
    }
    buf_finish(&hello);
}

/* ---- the face ---- */

/* Under the lock; NULL: no memory, or too many. */
static struct peer_mate *find_mate(struct bus_peer *peer, const char *name, const char *door)
{
    size_t n = 0;
    struct peer_mate *mate;
    for (mate = peer->mates; mate; mate = mate->next, n++)
        if (strcmp(mate->name, name) == 0 && strcmp(mate->door, door ? door : "") == 0)
            break;
    if (mate || n >= MATES_MAX)
        return mate;
    mate = mem_alloc_zero(1, sizeof *mate);
    if (!mate)
        return NULL;
    snprintf(mate->name, sizeof mate->name, "%s", name);
    snprintf(mate->door, sizeof mate->door, "%s", door ? door : "");
    mate->last = &mate->first;
    mate->peer = peer;
    mate->task.fn = on_open;
    mate->next = peer->mates;
    peer->mates = mate;
    return mate;
}

static void start(struct bus_ask *ask)
{
    struct bus_peer *peer = ask->peer;
    enum err err = ERR_OK;
    struct peer_session *session = NULL;
    pthread_mutex_lock(&peer->lock);
    struct peer_mate *mate = find_mate(peer, ask->name, ask->door);
    if (!mate)
        err = ERR_NO_MEMORY;
    else if (mate->session && !bus_session_is_old(&mate->session->session, clock_wall(peer->clock))) {
        session = mate->session;
        atomic_fetch_add(&session->n_holders, 1);
    } else if (peer->n_waiting >= BUS_PEER_WAITING_MAX)
        err = ERR_FULL;
    else if (atomic_load(&peer->is_closing))
        err = ERR_CANCELLED;
    else {
        ask->next = NULL;
        *mate->last = ask;
        mate->last = &ask->next;
        peer->n_waiting++;
        if (!mate->is_opening) {
            mate->is_opening = true;
            peer_hold(peer);
            loop_post(peer->loop, &mate->task);
        }
    }
    pthread_mutex_unlock(&peer->lock);
    if (err)
        fail(ask, err);
    else if (session)
        send_under(ask, session);
}

void bus_peer_ask(struct bus_peer *peer, struct bus_ask *ask)
{
    peer_hold(peer);
    atomic_fetch_add(&peer->n_asked, 1);
    ask->peer = peer;
    ask->session = NULL;
    ask->room = NULL;
    ask->answer = STR_NONE;
    ask->next_part = ask->n_unknowns = 0;
    ask->is_repeated = ask->is_unknown = ask->has_gap = false;
    ask->due.ns = clock_mono(peer->clock).ns + ask->timeout_ms * 1000000;
    buf_init(&ask->kept, BUS_PEER_BYTES);
    buf_append_str(&ask->kept, ask->bytes);
    enum err err = ask->kept.err ? ask->kept.err : str_to_c(ask->party, ask->name, sizeof ask->name);
    if (err)
        fail(ask, err);
    else
        start(ask);
}

struct bus_peer_counts bus_peer_counts(const struct bus_peer *peer)
{
    return (struct bus_peer_counts){.n_asked = atomic_load(&peer->n_asked),
        .n_questions = atomic_load(&peer->n_questions),
        .n_opened = atomic_load(&peer->n_opened),
        .n_accepted = atomic_load(&peer->n_accepted),
        .n_strangers = atomic_load(&peer->n_strangers),
        .n_overrun = atomic_load(&peer->n_overrun),
        .n_malformed = atomic_load(&peer->n_refused[ERR_SYNTAX]),
        .n_unknown = atomic_load(&peer->n_refused[ERR_NOT_FOUND]),
        .n_stale = atomic_load(&peer->n_refused[ERR_RANGE]),
        .n_replayed = atomic_load(&peer->n_refused[ERR_EXISTS]),
        .n_forged = atomic_load(&peer->n_refused[ERR_CRYPTO]),
        .n_misbound = atomic_load(&peer->n_refused[ERR_DENIED]),
        .n_other_protocol = atomic_load(&peer->n_refused[ERR_UNSUPPORTED])};
}

enum err bus_peer_create(const struct bus_peer_options *options, struct bus_peer **ret_peer)
{
    uint8_t random[8];
    struct bus_peer *peer = mem_alloc_zero(1, sizeof *peer);
    if (!peer)
        return ERR_NO_MEMORY;
    atomic_store(&peer->n_holders, 1);
    pthread_mutex_init(&peer->lock, NULL);
    peer->link = options->link;
    bus_link_hold(peer->link);
    peer->key = options->key;
    peer->clock = options->clock;
    peer->loop = options->loop;
    peer->key_of = options->key_of;
    peer->on_question = options->on_question;
    peer->context = options->context;
    crypto_random(random, sizeof random);
    crypto_hex(random, sizeof random, peer->instance);
    enum err err = str_to_c(options->name, peer->name, sizeof peer->name);
    if (!err)
        err = str_to_c(str_from_c(options->door ? options->door : ""), peer->door, sizeof peer->door);
    if (!err && peer->on_question)
        err = peer_answer_start(peer, options->is_reserved);
    if (err)
        peer_release(peer);
    else
        *ret_peer = peer;
    return err;
}

void bus_peer_destroy(struct bus_peer *peer)
{
    if (!peer)
        return;
    atomic_store(&peer->is_closing, true);
    peer_answer_stop(peer);
    pthread_mutex_lock(&peer->lock); /* other threads may still ask, and add mates: each is complete before it stands in the list */
    struct peer_mate *mate = peer->mates;
    pthread_mutex_unlock(&peer->lock);
    for (; mate; mate = mate->next)
        if (mate->request.link) /* an opening under way, this loop's own affair: its end lets those that wait go */
            bus_link_cancel(&mate->request);
    peer_release(peer);
}
