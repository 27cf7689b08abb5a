/*
 * Questions under way: a table of slots, each with a generation, so that an answer that comes too late finds nobody. Answers come on
 * libnats' thread, time-outs on the link's; both only note what came and wake the asker's loop, where everything is told in order.
 */
#include "base/mem.h"
#include "bus/link_inside.h"

#include <stdio.h>
#include <string.h>

#define SLOT_BITS 13
#define ANSWERS_MAX 256 /* of one request, not yet handed over: 256 parts of a megabyte are more than any asker lets come */

_Static_assert(BUS_REQUESTS_MAX == 1 << SLOT_BITS, "a request's id holds its slot");

void link_requests_init(struct bus_link *link)
{
    for (size_t i = 0; i < BUS_REQUESTS_MAX; i++)
        link->free_slots[i] = (uint16_t)(BUS_REQUESTS_MAX - 1 - i);
    link->n_free = BUS_REQUESTS_MAX;
}

/* Under the lock. */
static struct bus_request *find(struct bus_link *link, uint32_t id)
{
    struct bus_request *request = link->requests[id & (BUS_REQUESTS_MAX - 1)];
    return request && request->id == id ? request : NULL;
}

/* Under the lock. */
static void wake(struct bus_request *request)
{
    if (request->is_posted)
        return;
    request->is_posted = true;
    loop_post(request->loop, &request->task);
}

static void end(struct bus_request *request, enum err err)
{
    if (request->is_ending)
        return;
    request->is_ending = true;
    request->end = err;
    wake(request);
}

/* ---- told from other threads ---- */

void link_on_answer(natsConnection *nats, natsSubscription *inbox, natsMsg *message, void *context)
{
    struct bus_link *link = context;
    const char *subject = natsMsg_GetSubject(message);
    struct bus_answer *one = mem_alloc(sizeof *one);
    uint64_t id = 0;
    atomic_fetch_add(&link->n_received, 1);
    bool is_ours = str_starts_with(str_from_c(subject), str_from_c(link->inbox)) &&
                   str_to_u64(str_from_c(subject + strlen(link->inbox)), &id) == ERR_OK && id <= UINT32_MAX;
    pthread_mutex_lock(&link->lock);
    struct bus_request *request = is_ours ? find(link, (uint32_t)id) : NULL;
    bool is_kept = false;
    if (request && !request->is_ending) {
        if (natsMsg_IsNoResponders(message))
            end(request, ERR_UNAVAILABLE);
        else if (!one)
            end(request, ERR_NO_MEMORY);
        else if (request->n_answers >= ANSWERS_MAX)
            end(request, ERR_FULL);
        else {
            is_kept = true;
            *one = (struct bus_answer){.message = message};
            *request->last = one;
            request->last = &one->next;
            request->n_answers++;
            wake(request);
        }
    }
    pthread_mutex_unlock(&link->lock);
    if (is_kept)
        return;
    natsMsg_Destroy(message);
    mem_free(one);
}

void link_requests_end(struct bus_link *link, uint32_t id, enum err err)
{
    pthread_mutex_lock(&link->lock);
    if (id) {
        struct bus_request *request = find(link, id);
        if (request)
            end(request, err);
    } else
        for (size_t i = 0; i < BUS_REQUESTS_MAX; i++)
            if (link->requests[i])
                end(link->requests[i], err);
    pthread_mutex_unlock(&link->lock);
}

bool link_requests_sweep(struct bus_link *link)
{
    struct mono_time now = clock_mono(link->clock);
    pthread_mutex_lock(&link->lock);
    bool is_some = link->n_free < BUS_REQUESTS_MAX;
    for (size_t i = 0; is_some && i < BUS_REQUESTS_MAX; i++)
        if (link->requests[i] && link->requests[i]->due.ns <= now.ns)
            end(link->requests[i], ERR_TIMEOUT);
    pthread_mutex_unlock(&link->lock);
    return is_some;
}

/* ---- on the asker's loop ---- */

static void finish(struct bus_request *request, enum err err, struct str answer)
{
    struct bus_link *link = request->link;
    struct bus_answer *rest;
    pthread_mutex_lock(&link->lock);
    if (request->id) {
        size_t slot = request->id & (BUS_REQUESTS_MAX - 1);
        link->requests[slot] = NULL;
        link->free_slots[link->n_free++] = (uint16_t)slot;
    }
    rest = request->first;
    pthread_mutex_unlock(&link->lock);
    for (struct bus_answer *next; rest; rest = next) {
        next = rest->next;
        natsMsg_Destroy(rest->message);
        mem_free(rest);
    }
    request->err = err;
    request->answer = answer;
    request->done(request); /* may free it */
}

/* Hands one answer over; true: the request is over and may be gone. */
static bool hand_over(struct bus_request *request, struct bus_answer *one)
{
    struct str bytes = {natsMsg_GetData(one->message), (size_t)natsMsg_GetDataLength(one->message)};
    bool is_last = !request->on_answer || request->on_answer(request, bytes);
    if (is_last)
        finish(request, ERR_OK, bytes);
    natsMsg_Destroy(one->message);
    mem_free(one);
    return is_last;
}

static void on_task(struct loop_task *task)
{
    struct bus_request *request = container_of(task, struct bus_request, task);
    struct bus_link *link = request->link;
    for (;;) {
        pthread_mutex_lock(&link->lock);
        struct bus_answer *one = request->first;
        enum err err = request->end;
        bool is_ending = request->is_ending;
        if (one) {
            request->first = one->next;
            request->n_answers--;
            if (!request->first)
                request->last = &request->first;
        } else if (!is_ending)
            request->is_posted = false;
        pthread_mutex_unlock(&link->lock);
        if (!one && !is_ending)
            return;
        if (one ? hand_over(request, one) : (finish(request, err, STR_NONE), true)) {
            bus_link_release(link);
            return;
        }
    }
}

/* ---- the face ---- */

void bus_link_request(struct bus_link *link, struct bus_request *request)
{
    char reply[LINK_INBOX_MAX + 16];
    request->link = link;
    request->id = 0;
    request->first = NULL;
    request->last = &request->first;
    request->n_answers = 0;
    request->is_posted = true; /* held: nobody tells its end before it was handed over */
    request->is_ending = false;
    request->answer = STR_NONE;
    request->task.fn = on_task;
    request->due.ns = clock_mono(link->clock).ns + request->timeout_ms * 1000000;
    bus_link_hold(link);
    pthread_mutex_lock(&link->lock);
    if (link->n_free > 0) {
        uint32_t slot = link->free_slots[--link->n_free];
        uint32_t generation = ++link->generations[slot];
        request->id = generation << SLOT_BITS | slot;
        if (request->id < BUS_REQUESTS_MAX) /* the generation came round to 0; an id is never 0 */
            request->id = (link->generations[slot] = 1) << SLOT_BITS | slot;
        link->requests[slot] = request;
    }
    uint32_t id = request->id;
    pthread_mutex_unlock(&link->lock);
    int len = snprintf(reply, sizeof reply, "%s%u", link->inbox, id);
    enum err err = ERR_FULL;
    if (id)
        err = link_send(link, true, id, request->subject, (struct str){reply, (size_t)len}, request->bytes);
    pthread_mutex_lock(&link->lock);
    request->is_posted = false;
    if (err)
        end(request, err);
    else if (request->is_ending || request->first)
        wake(request);
    pthread_mutex_unlock(&link->lock);
}

void bus_link_cancel(struct bus_request *request)
{
    struct bus_link *link = request->link;
    pthread_mutex_lock(&link->lock);
    end(request, ERR_CANCELLED);
    pthread_mutex_unlock(&link->lock);
}
