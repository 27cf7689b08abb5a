/* What link.c (connections, sending), link_subscribe.c and link_request.c share. Nothing here is for others. */
#ifndef BUS_LINK_INSIDE_H
#define BUS_LINK_INSIDE_H

#include "base/queue.h"
#include "bus/link.h"

#include <nats/nats.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#define LINK_SERVERS_MAX 8
#define LINK_TEXT_MAX 512
#define LINK_INBOX_MAX 128

enum { LINK_BULK, LINK_PROMPT, LINK_CONNECTIONS }; /* prompt: libnats' SendAsap */

struct link_connection {
    struct bus_link *link;
    natsConnection *nats; /* guarded by link->lock; NULL: not made yet, or closed for good by libnats */
    natsSubscription *inbox;
    _Atomic bool is_up;
    sem_t closed; /* libnats' last call-back about `nats` came */
};

struct link_outgoing {
    struct bus_link *link;
    bool is_prompt;
    uint32_t request; /* 0: none. Answered with ERR_UNAVAILABLE when it cannot be sent */
    size_t subject_len, reply_len, len;
    char text[]; /* subject NUL reply NUL bytes */
};

struct bus_answer {
    struct bus_answer *next;
    natsMsg *message;
};

struct bus_link {
    atomic_size_t n_holders; /* the opener, requests under way, subscriptions */
    char servers[LINK_TEXT_MAX], name[LINK_TEXT_MAX], nkey_file[LINK_TEXT_MAX], nkey[64];
    char ca_file[LINK_TEXT_MAX], cert_file[LINK_TEXT_MAX], key_file[LINK_TEXT_MAX];
    struct clock *clock;
    void (*on_change)(void *context, bool is_up, const char *detail);
    void *context;
    char inbox[LINK_INBOX_MAX]; /* "_INBOX.….", a request's id comes after it */
    struct loop_thread *thread;
    struct queue *out;
    struct loop_timer attend, sweep;
    struct loop_task lost;
    _Atomic bool is_lost_posted, was_up, is_closing;
    bool is_told_away; /* that no server can be reached: once an outage; on_attend()'s */
    struct link_connection connections[LINK_CONNECTIONS];
    _Atomic uint64_t n_sent, n_received, n_dropped, n_lost_links;
    pthread_mutex_t lock; /* guards what follows, and each request's and subscription's lists */
    struct bus_link_subscription *subscriptions;
    struct bus_request *requests[BUS_REQUESTS_MAX];
    uint32_t generations[BUS_REQUESTS_MAX];
    uint16_t free_slots[BUS_REQUESTS_MAX];
    size_t n_free;
};

struct bus_link_subscription {
    atomic_size_t n_holders; /* the subscriber, each libnats subscription, the posted task */
    struct bus_link *link;
    struct bus_link_subscription *next;
    struct bus_link_subscriber subscriber;
    char pattern[BUS_SUBJECT_MAX + 1], group[64];
    natsSubscription *nats; /* guarded by link->lock */
    struct bus_answer *first, **last;
    size_t n;
    bool is_posted, is_ended;
    struct loop_task task;
};

enum err link_err(natsStatus status);

/* Under the lock, with the connection's `nats`: makes libnats' subscription. */
void link_subscribe_one(struct bus_link_subscription *subscription, natsConnection *nats);
/* Hands `bytes` over to the link's thread. ERR_FULL, ERR_TOO_LARGE, ERR_NO_MEMORY, ERR_UNAVAILABLE. */
enum err link_send(
    struct bus_link *link, bool is_prompt, uint32_t request, struct str subject, struct str reply, struct str bytes) MUST_CHECK;

void link_requests_init(struct bus_link *link);
/* Ends one, or each (`id` 0), that is under way. */
void link_requests_end(struct bus_link *link, uint32_t id, enum err err);
bool link_requests_sweep(struct bus_link *link); /* time-outs; false: none is left */
void link_on_answer(natsConnection *nats, natsSubscription *inbox, natsMsg *message, void *context);

#endif
