/*
 * Subscriptions: libnats' thread puts each message into the subscription's list and wakes the subscriber's loop once for many. Also the
 * names of subjects.
 */
#include "base/mem.h"
#include "bus/link_inside.h"

#include <stdio.h>
#include <string.h>

#define LIMIT 1024
#define TAKE_MAX 256 /* handed over at a time, so that one subscription does not starve its loop */

static void release(struct bus_link_subscription *subscription)
{
    if (atomic_fetch_sub(&subscription->n_holders, 1) != 1)
        return;
    struct bus_link *link = subscription->link;
    for (struct bus_answer *one = subscription->first, *next; one; one = next) {
        next = one->next;
        natsMsg_Destroy(one->message);
        mem_free(one);
    }
    mem_free(subscription);
    bus_link_release(link);
}

/* ---- on libnats' thread ---- */

static void on_message(natsConnection *nats, natsSubscription *unused, natsMsg *message, void *context)
{
    struct bus_link_subscription *subscription = context;
    struct bus_link *link = subscription->link;
    struct bus_answer *one = mem_alloc(sizeof *one);
    bool must_post = false;
    atomic_fetch_add(&link->n_received, 1);
    pthread_mutex_lock(&link->lock);
    bool is_kept = one && !subscription->is_ended && subscription->n < subscription->subscriber.limit;
    if (is_kept) {
        *one = (struct bus_answer){.message = message};
        *subscription->last = one;
        subscription->last = &one->next;
        subscription->n++;
        must_post = !subscription->is_posted;
        if (must_post) {
            subscription->is_posted = true;
            atomic_fetch_add(&subscription->n_holders, 1);
            loop_post(subscription->subscriber.loop, &subscription->task); /* under the lock: the loop is there as long as the owner is */
        }
    }
    pthread_mutex_unlock(&link->lock);
    if (is_kept)
        return;
    atomic_fetch_add(&link->n_dropped, 1);
    natsMsg_Destroy(message);
    mem_free(one);
}

static void on_complete(void *context)
{
    release(context);
}

void link_subscribe_one(struct bus_link_subscription *subscription, natsConnection *nats)
{
    natsStatus status =
        subscription->group[0]
            ? natsConnection_QueueSubscribe(&subscription->nats, nats, subscription->pattern, subscription->group, on_message, subscription)
            : natsConnection_Subscribe(&subscription->nats, nats, subscription->pattern, on_message, subscription);
    if (status != NATS_OK) {
        subscription->nats = NULL;
        return;
    }
    atomic_fetch_add(&subscription->n_holders, 1);
    if (natsSubscription_SetOnCompleteCB(subscription->nats, on_complete, subscription) != NATS_OK)
        release(subscription); /* closed already: no call-back comes */
}

/* ---- on the subscriber's loop ---- */

static void on_task(struct loop_task *task)
{
    struct bus_link_subscription *subscription = container_of(task, struct bus_link_subscription, task);
    struct bus_link *link = subscription->link;
    for (size_t i = 0; i < TAKE_MAX; i++) {
        pthread_mutex_lock(&link->lock);
        struct bus_answer *one = subscription->is_ended ? NULL : subscription->first;
        if (!one) {
            subscription->is_posted = false;
            pthread_mutex_unlock(&link->lock);
            release(subscription);
            return;
        }
        subscription->first = one->next;
        if (!subscription->first)
            subscription->last = &subscription->first;
        subscription->n--;
        pthread_mutex_unlock(&link->lock);
        const struct bus_message message = {.subject = str_from_c(natsMsg_GetSubject(one->message)),
            .reply = str_from_c(natsMsg_GetReply(one->message)),
            .bytes = {natsMsg_GetData(one->message), (size_t)natsMsg_GetDataLength(one->message)}};
        subscription->subscriber.on_message(subscription->subscriber.context, &message);
        natsMsg_Destroy(one->message);
        mem_free(one);
    }
    loop_post(subscription->subscriber.loop, &subscription->task); /* keeps its hold */
}

/* ---- the face ---- */

/* Tokens of printable letters between dots, a whole-token '>' at the end: what NATS takes for a subject, and nothing that it would read as
 * more words of its protocol. */
static bool is_pattern(struct str pattern)
{
    bool is_start = true;
    if (str_is_empty(pattern) || pattern.len > BUS_SUBJECT_MAX)
        return false;
    for (size_t i = 0; i < pattern.len; i++) {
        char c = pattern.ptr[i];
        if (c == '.' ? is_start : c <= ' ' || c > '~' || c == '*' || (c == '>' && !(is_start && i > 0 && i + 1 == pattern.len)))
            return false;
        is_start = c == '.';
    }
    return !is_start;
}

enum err bus_link_subscribe(struct bus_link *link, struct str pattern, const struct bus_link_subscriber *subscriber,
    struct bus_link_subscription **ret_subscription)
{
    struct bus_link_subscription *subscription;
    if (!is_pattern(pattern) || (subscriber->group && strlen(subscriber->group) >= sizeof subscription->group))
        return ERR_SYNTAX;
    subscription = mem_alloc_zero(1, sizeof *subscription);
    if (!subscription)
        return ERR_NO_MEMORY;
    atomic_store(&subscription->n_holders, 1);
    subscription->link = link;
    subscription->subscriber = *subscriber;
    subscription->subscriber.limit = subscriber->limit ? subscriber->limit : LIMIT;
    subscription->last = &subscription->first;
    subscription->task.fn = on_task;
    memcpy(subscription->pattern, pattern.ptr, pattern.len);
    snprintf(subscription->group, sizeof subscription->group, "%s", subscriber->group ? subscriber->group : "");
    bus_link_hold(link);
    pthread_mutex_lock(&link->lock);
    subscription->next = link->subscriptions;
    link->subscriptions = subscription;
    natsConnection *nats = link->connections[subscriber->is_bulk ? LINK_BULK : LINK_PROMPT].nats;
    if (nats)
        link_subscribe_one(subscription, nats);
    pthread_mutex_unlock(&link->lock);
    *ret_subscription = subscription;
    return ERR_OK;
}

void bus_link_unsubscribe(struct bus_link_subscription *subscription)
{
    if (!subscription)
        return;
    struct bus_link *link = subscription->link;
    pthread_mutex_lock(&link->lock);
    subscription->is_ended = true;
    for (struct bus_link_subscription **at = &link->subscriptions; *at; at = &(*at)->next)
        if (*at == subscription) {
            *at = subscription->next;
            break;
        }
    natsSubscription *nats = subscription->nats;
    subscription->nats = NULL;
    pthread_mutex_unlock(&link->lock);
    if (nats)
        natsSubscription_Destroy(nats); /* unsubscribes; on_complete comes when its last call is over */
    release(subscription);
}

/* ---- subjects ---- */

/* One of a name's parts; an area's dots part the subject, the others' do not. */
static enum err add_part(struct str part, bool is_area, char *out, size_t *at)
{
    if (!str_is_name(part) || *at + part.len + 1 > BUS_SUBJECT_MAX)
        return str_is_name(part) ? ERR_TOO_LARGE : ERR_SYNTAX;
    for (size_t i = 0; i < part.len; i++) {
        char c = part.ptr[i];
        if (is_area && c == '.' && (i + 1 == part.len || part.ptr[i + 1] == '.'))
            return ERR_SYNTAX; /* an area without a name */
        out[(*at)++] = c == '.' && !is_area ? '~' : c;
    }
    out[(*at)++] = '.';
    return ERR_OK;
}

enum err bus_subject(struct str name, const char *verb, char out[BUS_SUBJECT_MAX + 1])
{
    char text[BUS_SUBJECT_MAX + 1] = "cb.";
    size_t at = 3, verb_len = strlen(verb);
    struct str area, rest, party, resource;
    if (!str_cut(name, '/', &area, &rest))
        return ERR_SYNTAX;
    bool has_resource = str_cut(rest, '/', &party, &resource);
    enum err err = add_part(area, true, text, &at);
    if (!err)
        err = add_part(has_resource ? party : rest, false, text, &at);
    if (!err && has_resource)
        err = add_part(resource, false, text, &at);
    if (!err && at + verb_len > BUS_SUBJECT_MAX)
        err = ERR_TOO_LARGE;
    if (err)
        return err;
    memcpy(text + at, verb, verb_len + 1);
    memcpy(out, text, at + verb_len + 1);
    return ERR_OK;
}
