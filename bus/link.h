/*
 * The bus between processes: a link (连接) to a NATS server, for messages and for questions with their answers. NATS only carries: nothing
 * is kept there, a message may be lost, come twice or come late. What must arrive stays in its sender's own record until it is confirmed;
 * who speaks is told by bus/session.h, not by the server.
 *
 * A link is two connections: one gathers messages before it sends (libnats' default: 1 ms), one sends at once, for questions and answers.
 * libnats calls on threads of its own: everything is handed over to the loops that the users name, through bounded queues.
 *
 * Subjects: bus_subject() makes them of names. Their form: docs/bus.md.
 */
#ifndef BUS_LINK_H
#define BUS_LINK_H

#include "base/buf.h"
#include "base/diag.h"
#include "base/loop.h"

#define BUS_MESSAGE_MAX (1000u * 1000) /* bytes of one message; nats-server's own default limit is 1,048,576 */
#define BUS_SUBJECT_MAX 255
#define BUS_REQUESTS_MAX 8192 /* under way at a time on a link; more are refused with ERR_FULL */

struct bus_link;

struct bus_link_options {
    const char *url;       /* "nats://10.1.2.3:4222" or "tls://bus.example:4222"; several, with commas between them */
    const char *name;      /* of the client, seen in the server's own lists; no secret */
    const char *nkey_file; /* the seed of the client's nkey (bus/nkey.h); NULL: none */
    const char *ca_file;   /* who signed the server's certificate; given: TLS, whatever the url says. NULL: the system's, for tls:// */
    const char *cert_file, *key_file; /* the client's own certificate, where the server asks for one; NULL: none */
    struct clock *clock;
    /* Told when the link comes up and when it is lost, with a reason in words. On a thread of the link's; may be NULL. */
    void (*on_change)(void *context, bool is_up, const char *detail);
    void *context;
};

/* Starts; a server that does not answer is tried for ever, each second. ERR_NOT_FOUND, ERR_SYNTAX: a file that cannot be used, told in
 * `diag`. The strings of `options` are copied. */
enum err bus_link_open(const struct bus_link_options *options, struct diag *diag, struct bus_link **ret_link) MUST_CHECK;
/* Requests under way end with ERR_CANCELLED on their loops, which must still have a round. Subscriptions are ended by their owners before.
 * Takes NULL. */
void bus_link_close(struct bus_link *link);
/* For what uses it after its owner has closed it: its memory stays until as many releases, and everything is ERR_UNAVAILABLE. */
void bus_link_hold(struct bus_link *link);
void bus_link_release(struct bus_link *link);
bool bus_link_is_up(const struct bus_link *link); /* both connections. Any thread */

struct bus_link_counts {
    uint64_t n_sent, n_received, n_dropped /* at the limit of a subscription */, n_lost_links /* times that a connection was lost */;
};
struct bus_link_counts bus_link_counts(const struct bus_link *link); /* any thread */

/* ---- messages ---- */

/* Hands a message over to be sent; never blocks, any thread. ERR_UNAVAILABLE: the link is down. ERR_FULL: too much waits. ERR_TOO_LARGE.
 * ERR_OK says that it was handed over, not that anybody will get it. */
enum err bus_link_publish(struct bus_link *link, struct str subject, struct str bytes) MUST_CHECK;

struct bus_message { /* borrowed during the call */
    struct str subject;
    struct str reply; /* where the answer is wanted; empty: nowhere */
    struct str bytes;
};

struct bus_link_subscriber {
    struct loop *loop; /* where `on_message` runs */
    size_t limit;      /* messages held; 0: 1,024. At it the newest is dropped and counted: the sender's record or time-out mends it */
    bool is_bulk;      /* comes by the connection that gathers, so that it stays out of the way of questions */
    const char *group; /* one of the group's subscribers gets each message; NULL: every subscriber gets all */
    void (*on_message)(void *context, const struct bus_message *message);
    void *context;
};
struct bus_link_subscription;

/* `pattern`: a subject, or one that ends in ".>" (everything below). Also while the link is down. Any thread. */
enum err bus_link_subscribe(struct bus_link *link, struct str pattern, const struct bus_link_subscriber *subscriber,
    struct bus_link_subscription **ret_subscription) MUST_CHECK;
/* On the subscriber's loop (which must have a round after it); no call comes after it. Takes NULL. */
void bus_link_unsubscribe(struct bus_link_subscription *subscription);

/* ---- questions ---- */

/* Embedded in its owner, untouched by him from bus_link_request() until `done`. */
struct bus_request {
    /* asked; borrowed until bus_link_request() returns */
    struct str subject, bytes;
    int64_t timeout_ms; /* from now to the last answer */
    struct loop *loop;  /* where `on_answer` and `done` run */
    /* Each message that comes as an answer; true: that was the last. NULL: there is one. Borrows. */
    bool (*on_answer)(struct bus_request *request, struct str bytes);
    void (*done)(struct bus_request *request);
    /* answered: ERR_OK; ERR_UNAVAILABLE, the link is down or nobody listens to the subject; ERR_TIMEOUT; ERR_FULL; ERR_TOO_LARGE;
     * ERR_CANCELLED */
    enum err err;
    struct str answer; /* the last message; borrowed during `done` */
    /* the link's own */
    struct bus_link *link;
    struct mono_time due;
    struct bus_answer *first, **last;
    uint32_t id;
    size_t n_answers;
    enum err end; /* it ends with this once its answers are handed over */
    bool is_posted, is_ending;
    struct loop_task task;
};

/* Any thread, never blocks. `done` always runs, once, later, on request->loop. */
void bus_link_request(struct bus_link *link, struct bus_request *request);
/* Gives it up: `done` comes with ERR_CANCELLED, unless an end is already on its way. On the request's loop. */
void bus_link_cancel(struct bus_request *request);
/* Answers a message that had a `reply`; as bus_link_publish(), but at once. */
enum err bus_link_answer(struct bus_link *link, struct str reply, struct str bytes) MUST_CHECK;

/* ---- subjects ---- */

/* "hangzhou.xihu/scene.parking/lot" and "CALL" → "cb.hangzhou.xihu.scene~parking.lot.CALL": an area's parts are the subject's, a dot inside
 * of a party's or resource's name is a ~. No name makes a wildcard or another name's subject. ERR_SYNTAX: no name of a party or resource;
 * ERR_TOO_LARGE. `verb`: capitals. `out` gets a NUL. */
enum err bus_subject(struct str name, const char *verb, char out[BUS_SUBJECT_MAX + 1]) MUST_CHECK;

#endif
