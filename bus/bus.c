/*
 * The bus inside one process: subjects, subscriptions, bounded queues (bus.h).
 *
 * One batch's way: publish on any thread → the subject's lock → room at every subscriber that refuses? → into each ring, a reference
 * each → unlock → each subscriber's loop is told once → there, batch by batch, on_rows() with no lock held.
 *
 * A lock a subject, not lock-free queues: "all or none" is a decision over several rings, and a batch carries hundreds of rows.
 * Subjects are few, are made by the first subscriber and live as long as the bus, so that a publisher may use one without the
 * table's lock. What this does not do: keep anything (a stream's past is its provider's), or leave the process.
 */
#include "bus/bus.h"

#include "base/mem.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define BUS_SUBJECTS_MAX 65536 /* a city with every community's streams; past it subscribing is refused */
#define BUS_BUCKETS 1024
#define BUS_DRAIN_MAX 64 /* batches handed over before the loop's other work has its turn */

struct bus_subscription {
    struct bus *bus;
    struct subject *subject;
    struct bus_subscriber subscriber;
    struct loop_task task;
    /* guarded by subject->lock */
    struct bus_subscription *next;
    struct rows **ring; /* owned, subscriber.limit places */
    size_t first, n;
    bool is_posted; /* the task waits or runs on the loop */
    /* the loop's own */
    bool is_handing_over; /* inside on_rows() */
    bool has_ended;
    struct bus_subscription *next_ended; /* guarded by bus->lock */
    _Atomic uint64_t n_dropped;
};

struct subject {
    struct subject *next; /* in the bucket; set before it is seen */
    pthread_mutex_t lock;
    struct bus_subscription *subscriptions; /* guarded by lock */
    struct str name;                        /* points behind the struct */
    struct metric_counter n_published, n_rows, n_refused, n_dropped;
};

struct bus {
    pthread_mutex_t lock;                           /* guards the table's changes and all below */
    _Atomic(struct subject *) buckets[BUS_BUCKETS]; /* entries are only ever added in front */
    size_t n_subjects;
    struct bus_subscription *ended; /* their task has not run yet */
};

enum err bus_create(struct bus **ret_bus)
{
    struct bus *bus = mem_alloc_zero(1, sizeof *bus);
    if (bus == NULL)
        return ERR_NO_MEMORY;
    pthread_mutex_init(&bus->lock, NULL);
    *ret_bus = bus;
    return ERR_OK;
}

static void subscription_free(struct bus_subscription *subscription)
{
    mem_free(subscription->ring);
    mem_free(subscription);
}

void bus_destroy(struct bus *bus)
{
    if (bus == NULL)
        return;
    for (struct bus_subscription *ended = bus->ended, *next; ended != NULL; ended = next) {
        next = ended->next_ended;
        subscription_free(ended);
    }
    for (size_t i = 0; i < BUS_BUCKETS; i++)
        for (struct subject *subject = atomic_load(&bus->buckets[i]), *next; subject != NULL; subject = next) {
            next = subject->next;
            assert(subject->subscriptions == NULL);
            pthread_mutex_destroy(&subject->lock);
            mem_free(subject);
        }
    pthread_mutex_destroy(&bus->lock);
    mem_free(bus);
}

/* ---- subjects ---- */

static struct subject *subject_find(struct bus *bus, struct str name)
{
    struct subject *subject = atomic_load_explicit(&bus->buckets[str_hash(name) % BUS_BUCKETS], memory_order_acquire);
    while (subject != NULL && !str_equal(subject->name, name))
        subject = subject->next;
    return subject;
}

static enum err subject_get(struct bus *bus, struct str name, struct subject **ret_subject)
{
    enum err err = ERR_OK;
    pthread_mutex_lock(&bus->lock);
    struct subject *subject = subject_find(bus, name);
    if (subject == NULL && bus->n_subjects == BUS_SUBJECTS_MAX)
        err = ERR_FULL;
    else if (subject == NULL && (subject = mem_alloc_zero(1, sizeof *subject + name.len + 1)) == NULL)
        err = ERR_NO_MEMORY;
    else if (subject->name.ptr == NULL) {
        char *copy = (char *)(subject + 1);
        if (name.len != 0)
            memcpy(copy, name.ptr, name.len);
        subject->name = (struct str){copy, name.len};
        pthread_mutex_init(&subject->lock, NULL);
        _Atomic(struct subject *) *bucket = &bus->buckets[str_hash(name) % BUS_BUCKETS];
        subject->next = atomic_load_explicit(bucket, memory_order_relaxed);
        atomic_store_explicit(bucket, subject, memory_order_release);
        bus->n_subjects++;
    }
    pthread_mutex_unlock(&bus->lock);
    if (err == ERR_OK)
        *ret_subject = subject;
    return err;
}

/* ---- subscribers ---- */

static struct rows *take_first(struct bus_subscription *subscription)
{
    struct rows *rows = subscription->ring[subscription->first];
    subscription->first = (subscription->first + 1) % subscription->subscriber.limit;
    subscription->n--;
    return rows;
}

static void forget_ended(struct bus_subscription *subscription)
{
    struct bus *bus = subscription->bus;
    pthread_mutex_lock(&bus->lock);
    struct bus_subscription **at = &bus->ended;
    while (*at != subscription)
        at = &(*at)->next_ended;
    *at = subscription->next_ended;
    pthread_mutex_unlock(&bus->lock);
    subscription_free(subscription);
}

/* On the subscriber's loop: hands over what waits, oldest first. */
static void hand_over(struct loop_task *task)
{
    struct bus_subscription *subscription = container_of(task, struct bus_subscription, task);
    struct subject *subject = subscription->subject;
    bool is_more = true;
    for (size_t i = 0; i < BUS_DRAIN_MAX && is_more && !subscription->has_ended; i++) {
        struct rows *rows = NULL;
        pthread_mutex_lock(&subject->lock);
        if (subscription->n > 0)
            rows = take_first(subscription);
        else
            is_more = subscription->is_posted = false;
        pthread_mutex_unlock(&subject->lock);
        if (rows != NULL) {
            subscription->is_handing_over = true;
            subscription->subscriber.on_rows(subscription->subscriber.context, rows);
            subscription->is_handing_over = false;
            rows_release(rows);
        }
    }
    if (subscription->has_ended)
        forget_ended(subscription);
    else if (is_more)
        loop_post(subscription->subscriber.loop, &subscription->task);
}

enum err bus_subscribe(
    struct bus *bus, struct str subject_name, const struct bus_subscriber *subscriber, struct bus_subscription **ret_subscription)
{
    struct subject *subject = NULL;
    assert(subscriber->limit > 0 && subscriber->on_rows != NULL && subscriber->loop != NULL);
    enum err err = subject_get(bus, subject_name, &subject);
    if (err != ERR_OK)
        return err;
    struct bus_subscription *subscription = mem_alloc_zero(1, sizeof *subscription);
    if (subscription == NULL)
        return ERR_NO_MEMORY;
    subscription->ring = mem_alloc_zero(subscriber->limit, sizeof(struct rows *));
    if (subscription->ring == NULL) {
        mem_free(subscription);
        return ERR_NO_MEMORY;
    }
    subscription->bus = bus;
    subscription->subject = subject;
    subscription->subscriber = *subscriber;
    subscription->task.fn = hand_over;
    pthread_mutex_lock(&subject->lock);
    subscription->next = subject->subscriptions;
    subject->subscriptions = subscription;
    pthread_mutex_unlock(&subject->lock);
    *ret_subscription = subscription;
    return ERR_OK;
}

void bus_unsubscribe(struct bus_subscription *subscription)
{
    if (subscription == NULL)
        return;
    struct subject *subject = subscription->subject;
    struct bus *bus = subscription->bus;
    pthread_mutex_lock(&subject->lock);
    struct bus_subscription **at = &subject->subscriptions;
    while (*at != subscription)
        at = &(*at)->next;
    *at = subscription->next;
    bool is_posted = subscription->is_posted;
    pthread_mutex_unlock(&subject->lock);
    /* No publisher can reach it any more: what is left belongs to this thread. */
    while (subscription->n > 0)
        rows_release(take_first(subscription));
    if (!is_posted && !subscription->is_handing_over) {
        subscription_free(subscription);
        return;
    }
    subscription->has_ended = true;
    pthread_mutex_lock(&bus->lock);
    subscription->next_ended = bus->ended;
    bus->ended = subscription;
    pthread_mutex_unlock(&bus->lock);
}

/* ---- publishers ---- */

static void put(struct bus_subscription *subscription, struct rows *rows)
{
    size_t limit = subscription->subscriber.limit;
    if (subscription->n == limit) {
        rows_release(take_first(subscription));
        atomic_fetch_add_explicit(&subscription->n_dropped, 1, memory_order_relaxed);
        metric_add(&subscription->subject->n_dropped, 1);
    }
    subscription->ring[(subscription->first + subscription->n) % limit] = rows_hold(rows);
    subscription->n++;
    if (!subscription->is_posted) {
        subscription->is_posted = true;
        /* Under the lock on purpose: once it is released the subscriber may end, and its loop with it. loop_post() runs nothing. */
        loop_post(subscription->subscriber.loop, &subscription->task);
    }
}

enum err bus_publish(struct bus *bus, struct str subject, struct rows *rows)
{
    return bus_publish_kept(bus, subject, rows, NULL, NULL);
}

enum err bus_publish_kept(
    struct bus *bus, struct str subject_name, struct rows *rows, enum err (*keep)(void *context, struct rows *rows), void *context)
{
    struct subject *subject = subject_find(bus, subject_name);
    if (subject == NULL)
        return keep ? keep(context, rows) : ERR_OK;
    enum err err = ERR_OK;
    pthread_mutex_lock(&subject->lock);
    for (const struct bus_subscription *s = subject->subscriptions; s != NULL; s = s->next)
        if (s->subscriber.when_full == BUS_REFUSE && s->n == s->subscriber.limit)
            err = ERR_FULL;
    if (err == ERR_OK && keep)
        err = keep(context, rows);
    if (err == ERR_OK)
        for (struct bus_subscription *s = subject->subscriptions; s != NULL; s = s->next)
            put(s, rows);
    pthread_mutex_unlock(&subject->lock);
    metric_add(err == ERR_OK ? &subject->n_published : &subject->n_refused, 1);
    if (err == ERR_OK)
        metric_add(&subject->n_rows, rows_n(rows));
    return err;
}

uint64_t bus_n_dropped(const struct bus_subscription *subscription)
{
    return atomic_load_explicit(&subscription->n_dropped, memory_order_relaxed);
}

static void measure_subject(struct subject *subject, struct metric_page *page)
{
    static const struct metric published = {"citybrain_bus_batches_total", METRIC_COUNTER, "Batches of rows published", {"subject"}};
    static const struct metric rows = {"citybrain_bus_rows_total", METRIC_COUNTER, "Rows published", {"subject"}};
    static const struct metric dropped = {
        "citybrain_bus_dropped_total", METRIC_COUNTER, "Oldest batches dropped for slow subscribers", {"subject"}};
    static const struct metric subscribers = {"citybrain_bus_subscribers", METRIC_GAUGE, "Who listens", {"subject"}};
    uint64_t n_subscribers = 0, n = 0, limit = 0;
    pthread_mutex_lock(&subject->lock);
    for (const struct bus_subscription *s = subject->subscriptions; s != NULL; s = s->next) {
        n_subscribers++;
        if (limit == 0 || (double)s->n / (double)s->subscriber.limit > (double)n / (double)limit) {
            n = s->n;
            limit = s->subscriber.limit;
        }
    }
    pthread_mutex_unlock(&subject->lock);
    metric_put_count(page, &subscribers, n_subscribers, &subject->name);
    metric_put_counter(page, &published, &subject->n_published, &subject->name);
    metric_put_counter(page, &rows, &subject->n_rows, &subject->name);
    metric_put_counter(page, &dropped, &subject->n_dropped, &subject->name);
    metric_put_queue(page, "bus_batches", subject->name, n, limit, &subject->n_refused);
}

void bus_measure(struct bus *bus, struct metric_page *page)
{
    for (size_t i = 0; i < BUS_BUCKETS; i++)
        for (struct subject *subject = atomic_load_explicit(&bus->buckets[i], memory_order_acquire); subject != NULL;
             subject = subject->next)
            measure_subject(subject, page);
}
