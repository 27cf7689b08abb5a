/*
 * Messages between the parts of the brain: batches of rows by subject. Here the queue inside one process; NATS carries the same
 * face between processes.
 *
 * A subject is a resource's name with dots, "hangzhou.police.passage" style, matched whole. A subscriber has a bounded queue and
 * says what happens at its limit.
 */
#ifndef BUS_BUS_H
#define BUS_BUS_H

#include "base/loop.h"
#include "base/metric.h"
#include "base/rows.h"

struct bus;
struct bus_subscription;

enum bus_when_full {
    BUS_REFUSE,      /* the publisher gets ERR_FULL and slows its sender */
    BUS_DROP_OLDEST, /* the oldest batch is dropped and counted: screens */
};

struct bus_subscriber {
    struct loop *loop; /* where `on_rows` runs */
    size_t limit;      /* batches held */
    enum bus_when_full when_full;
    void (*on_rows)(void *context, struct rows *rows); /* borrows; rows_hold() to keep */
    void *context;
};

enum err bus_create(struct bus **ret_bus) MUST_CHECK;
/* Takes NULL. After every subscription ended, and its loop has had a round since or will never have one again. */
void bus_destroy(struct bus *bus);
enum err bus_subscribe(
    struct bus *bus, struct str subject, const struct bus_subscriber *subscriber, struct bus_subscription **ret_subscription) MUST_CHECK;
void bus_unsubscribe(struct bus_subscription *subscription); /* on the subscriber's loop; takes NULL; no call comes after it */
/* From any thread. All subscribers or none: when one that refuses is full, nobody gets it and ERR_FULL returns. Holds its own reference. */
enum err bus_publish(struct bus *bus, struct str subject, struct rows *rows) MUST_CHECK;
/* The same with one step more, for who has to keep what is published: when all subscribers have room, `keep` is called once, and then
 * nothing can fail any more. When it refuses, nobody gets it, and its error returns. On the publisher's thread, under the subject's lock:
 * it does not come back to the bus. */
enum err bus_publish_kept(
    struct bus *bus, struct str subject, struct rows *rows, enum err (*keep)(void *context, struct rows *rows), void *context) MUST_CHECK;
/* Each subject's fullest queue, what was published, refused and dropped. Any thread. */
void bus_measure(struct bus *bus, struct metric_page *page);
uint64_t bus_n_dropped(const struct bus_subscription *subscription);

#endif
