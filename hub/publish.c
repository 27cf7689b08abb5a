/*
 * The provider's side of streams: rows go to the subscribers here (hub/stream.c), or onto the disk for those afar (hub/keeper.h), or both.
 * All of them or none: when a subscriber that must not lose is behind, or the disk, the sender is told to slow down.
 */
#include "hub/keeper.h"
#include "hub/measure.h"
#include "hub/stream_inside.h"

void hub_measure_stream(struct hub_entry *entry, struct metric_page *page)
{
    static const struct metric subscriptions = {"citybrain_hub_subscriptions", METRIC_GAUGE, "Subscriptions under way", {"resource"}};
    size_t n = 0, n_held = 0, limit = 0;
    pthread_mutex_lock(&entry->lock);
    for (struct hub_subscription *s = entry->subscriptions; s; s = s->next) {
        size_t held = atomic_load_explicit(&s->n_held, memory_order_relaxed);
        n++;
        if (s->options.when_full == BUS_REFUSE && (limit == 0 || held * limit > n_held * s->options.limit)) {
            n_held = held;
            limit = s->options.limit;
        }
    }
    pthread_mutex_unlock(&entry->lock);
    static const struct metric watermark = {"citybrain_hub_stream_watermark_seconds", METRIC_GAUGE,
        "Unix time up to which all that a department of its own process took is with the subscribers", {"resource"}};
    int64_t watermark_ms = atomic_load_explicit(&entry->watermark_ms, memory_order_relaxed);
    metric_put_count(page, &subscriptions, n, &entry->resource.name);
    if (watermark_ms > 0)
        metric_put_count(page, &watermark, (uint64_t)watermark_ms / 1000, &entry->resource.name);
    if (limit > 0) /* the fullest of those that must not lose */
        metric_put_queue(page, "hub_stream_batches", entry->resource.name, n_held, limit, &entry->n_refused);
}

enum err hub_publish_settle(struct hub *hub)
{
    struct hub_keeper *keeper = hub->keeper ? hub->keeper : hub->tee;
    return keeper ? keeper->settle(keeper) : ERR_OK;
}

void hub_publish_settled(struct hub *hub, const struct hub_resource *resource, struct hub_settle *settle)
{
    struct hub_keeper *keeper = hub->keeper ? hub->keeper : hub->tee;
    settle->err = ERR_OK;
    if (keeper)
        keeper->settled(keeper, resource, settle);
    else
        loop_post(settle->loop, &settle->task);
}

void hub_stream_tee(const struct hub_resource *resource, bool is_teed)
{
    struct hub_entry *entry = (struct hub_entry *)hub_entry_of(resource);
    pthread_mutex_lock(&entry->lock);
    atomic_store_explicit(&entry->is_teed, is_teed, memory_order_relaxed);
    pthread_mutex_unlock(&entry->lock);
}

bool hub_is_handed_over(const struct hub_resource *resource)
{
    struct hub_entry *entry = (struct hub_entry *)hub_entry_of(resource);
    bool is_over = true;
    pthread_mutex_lock(&entry->lock);
    for (struct hub_subscription *s = entry->subscriptions; s && is_over; s = s->next)
        is_over = atomic_load_explicit(&s->n_held, memory_order_acquire) == 0;
    pthread_mutex_unlock(&entry->lock);
    return is_over;
}

struct publishing {
    struct hub *hub;
    struct hub_entry *entry;
};

/* All who are subscribed have room: what is kept for those afar is theirs as well, or nobody's, since a retry would double it. */
static enum err keep_and_hold(void *context, struct rows *rows)
{
    const struct publishing *publishing = context;
    struct hub_keeper *tee = publishing->hub->tee;
    struct hub_entry *entry = publishing->entry;
    enum err err = ERR_OK;
    if (tee && atomic_load_explicit(&entry->is_teed, memory_order_relaxed))
        err = tee->keep(tee, &entry->resource, rows); /* in the order of the publishing */
    for (struct hub_subscription *s = entry->subscriptions; s && !err; s = s->next)
        if (s->options.when_full == BUS_REFUSE)
            atomic_fetch_add_explicit(&s->n_held, 1, memory_order_relaxed);
    return err;
}

enum err hub_publish(struct hub *hub, const struct hub_resource *resource, struct rows *rows)
{
    struct hub_entry *entry = (struct hub_entry *)hub_entry_of(resource);
    enum err err = ERR_OK;
    if (rows_n_fields(rows) != resource->n_fields || resource->kind != HUB_STREAM)
        return ERR_RANGE;
    if (rows_n(rows) == 0)
        return ERR_OK;
    if (hub->keeper && (entry->system || entry == hub->alert_entry))
        return hub->keeper->keep(hub->keeper, resource, rows);
    pthread_mutex_lock(&entry->lock);
    for (struct hub_subscription *s = entry->subscriptions; s && !err; s = s->next)
        if (s->options.when_full == BUS_REFUSE && atomic_load_explicit(&s->n_held, memory_order_relaxed) >= s->options.limit)
            err = ERR_FULL;
    struct publishing publishing = {hub, entry};
    if (!err)
        err = bus_publish_kept(hub->bus, entry->subject, rows, keep_and_hold, &publishing);
    pthread_mutex_unlock(&entry->lock);
    if (err == ERR_FULL)
        metric_add(&entry->n_refused, 1);
    return err;
}

void hub_stream_watermark(const struct hub_resource *resource, struct wall_time watermark)
{
    struct hub_entry *entry = (struct hub_entry *)hub_entry_of(resource);
    atomic_store_explicit(&entry->watermark_ms, watermark.ms, memory_order_relaxed);
}

bool hub_is_subscribed(const struct hub_resource *resource)
{
    struct hub_entry *entry = (struct hub_entry *)hub_entry_of(resource);
    pthread_mutex_lock(&entry->lock);
    bool is_subscribed = entry->is_kept || atomic_load_explicit(&entry->is_teed, memory_order_relaxed) || entry->subscriptions != NULL;
    pthread_mutex_unlock(&entry->lock);
    return is_subscribed;
}
