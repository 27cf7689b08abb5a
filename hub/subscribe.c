/*
 * Subscribing, and the rows that come in: from the bus, from afar (hub/pull.h), from what the provider keeps (hub/replay.h). They wait in
 * the subscription for its windows (hub/stream.c).
 */
#include "base/log.h"
#include "base/mem.h"
#include "hub/parts.h"
#include "hub/stream_inside.h"

#define LIMIT_DEFAULT 256
#define OPTIONS_ARENA_MAX 65536

/* ---- rows coming in ---- */

static void drop_oldest(struct hub_subscription *subscription, struct batches *batches)
{
    rows_release(subscription_batches_pop(batches));
    if (subscription->n_dropped++ == 0)
        log_write(LOG_WARNING, "hub", "a subscriber is behind; the oldest rows are dropped",
            LOG_STR("contract", subscription->contract->name), LOG_END);
}

static void on_bus_rows(void *context, struct rows *rows)
{
    struct hub_subscription *subscription = context;
    struct rows *granted;
    if (subscription->is_closed)
        return;
    struct batches *batches = subscription->replay ? &subscription->live : &subscription->waiting;
    enum err err = rows_project(rows, subscription->field_map, subscription->options.n_fields, &granted);
    if (!err && (err = subscription_batches_push(batches, granted)))
        rows_release(granted);
    if (err) { /* nothing is skipped silently: the subscription ends, and its owner may begin again from where it was */
        subscription_on_window(subscription, NULL, err);
        return;
    }
    if (subscription->options.when_full == BUS_DROP_OLDEST && batches->n > subscription->options.limit)
        drop_oldest(subscription, batches);
    subscription_pump(subscription);
}

/* On the subscription's loop: what came from afar, each batch taken. */
static void on_pulled(void *context, enum err err, struct rows **rows, size_t n)
{
    struct hub_subscription *subscription = context;
    size_t i = 0;
    if (err) { /* this window is over there, so it is over here: the next one goes on where it was */
        subscription_ask_again(subscription);
        return;
    }
    subscription->n_unanswered = 0;
    for (enum err one; i < n; i++) {
        if ((one = subscription_batches_push(&subscription->waiting, rows[i]))) {
            while (i < n)
                rows_release(rows[i++]);
            subscription_on_window(subscription, NULL, one);
            return;
        }
        if (subscription->options.when_full == BUS_REFUSE)
            atomic_fetch_add_explicit(&subscription->n_held, 1, memory_order_relaxed);
    }
    subscription_pump(subscription);
}

/* On the subscription's loop: a batch of what the provider kept; taken. NULL: that was all. */
static void on_replayed(void *context, struct rows *rows)
{
    struct hub_subscription *subscription = context;
    enum err err = ERR_OK;
    if (rows) {
        if (subscription->options.when_full == BUS_REFUSE)
            atomic_fetch_add_explicit(&subscription->n_held, 1, memory_order_relaxed);
        if ((err = subscription_batches_push(&subscription->waiting, rows)))
            rows_release(rows);
    } else {
        for (struct rows *live; !err && (live = subscription_batches_pop(&subscription->live));) {
            struct rows *rest = live;
            if (hub_replay_skip_known(subscription->replay, live, &rest)) {
                hub_subscription_let_go(subscription);
                continue;
            }
            if ((err = subscription_batches_push(&subscription->waiting, rest)))
                rows_release(rest);
        }
        hub_replay_stop(subscription->replay);
        subscription->replay = NULL;
    }
    if (err)
        subscription_on_window(subscription, NULL, err);
    else
        subscription_pump(subscription);
}

/* ---- subscribing ---- */

static enum err copy_options(struct hub_subscription *subscription, const struct hub_subscribe_options *options)
{
    struct arena *arena = &subscription->arena;
    struct hub_subscribe_options *copy = &subscription->options;
    *copy = *options;
    if (copy->limit == 0)
        copy->limit = LIMIT_DEFAULT;
    struct str *fields = arena_alloc_zero(arena, options->n_fields + 1, sizeof *fields);
    subscription->field_map = arena_alloc_zero(arena, options->n_fields + 1, sizeof(uint16_t));
    if (!fields || !subscription->field_map)
        return ERR_NO_MEMORY;
    enum err err = arena_copy_str(arena, options->party, &copy->party);
    if (!err)
        err = arena_copy_str(arena, options->purpose, &copy->purpose);
    for (size_t i = 0; !err && i < options->n_fields; i++)
        err = arena_copy_str(arena, options->fields[i], &fields[i]);
    copy->fields = fields;
    return err;
}

static enum err start_replay(struct hub_subscription *subscription)
{
    struct hub_system *system = subscription->entry->system;
    if (subscription->options.from_ms <= 0 || !system || !system->system || !system->ops->streams || !system->ops->streams->replay)
        return ERR_OK;
    struct hub_replay_options options = {
        .ops = system->ops,
        .system = system->system,
        .resource = &subscription->entry->resource,
        .from = {subscription->options.from_ms},
        .field_map = subscription->field_map,
        .n_fields = subscription->options.n_fields,
        .limit = subscription->options.limit,
        .loop = subscription->options.loop,
        .on_rows = on_replayed,
        .context = subscription,
    };
    return hub_replay_start(&options, &subscription->replay);
}

/* NULL: its rows are published here. */
static const struct hub_system_streams *streams_afar(const struct hub_entry *entry)
{
    const struct hub_system *system = entry->system;
    return system && system->system && system->ops->streams && system->ops->streams->take ? system->ops->streams : NULL;
}

static enum err enter_afar(struct hub_subscription *subscription)
{
    const struct hub_pull_options options = {.hub = subscription->hub,
        .ops = streams_afar(subscription->entry),
        .system = subscription->entry->system->system,
        .resource = &subscription->entry->resource,
        .contract = subscription->contract->name,
        .fields = subscription->options.fields,
        .n_fields = subscription->options.n_fields,
        .loop = subscription->options.loop,
        .on_rows = on_pulled,
        .context = subscription};
    return hub_pull_create(&options, &subscription->pull);
}

static enum err enter(struct hub_subscription *subscription)
{
    struct hub_entry *entry = subscription->entry;
    enum err err;
    struct bus_subscriber subscriber = {
        .loop = subscription->options.loop,
        .limit = subscription->options.limit,
        .when_full = subscription->options.when_full,
        .on_rows = on_bus_rows,
        .context = subscription,
    };
    if (streams_afar(entry) && (err = enter_afar(subscription)))
        return err;
    pthread_mutex_lock(&entry->lock);
    err = subscription->pull ? ERR_OK : bus_subscribe(subscription->hub->bus, entry->subject, &subscriber, &subscription->bus);
    if (!err) {
        subscription->next = entry->subscriptions;
        entry->subscriptions = subscription;
    }
    pthread_mutex_unlock(&entry->lock);
    return err;
}

enum err hub_subscribe(struct hub *hub, const struct hub_subscribe_options *options, struct hub_refusal *ret_refusal,
    struct hub_subscription **ret_subscription)
{
    struct hub_subscription *subscription = mem_alloc_zero(1, sizeof *subscription);
    struct hub_refusal refusal;
    if (!subscription)
        return ERR_NO_MEMORY;
    arena_init(&subscription->arena, OPTIONS_ARENA_MAX);
    subscription->hub = hub;
    subscription->n_refs = 1;
    subscription->roll.fn = subscription_on_roll;
    subscription->retry.fn = subscription_on_retry;
    subscription->entry = names_get(&hub->entry_names, options->resource);
    enum err err = options->n_fields > HUB_FIELDS_MAX ? ERR_TOO_LARGE : copy_options(subscription, options);
    if (err)
        goto done;
    if (!subscription->entry || subscription->entry->resource.kind != HUB_STREAM) {
        if (ret_refusal)
            *ret_refusal = hub_refusal_unknown();
        err = ERR_DENIED;
        goto done;
    }
    subscription->options.resource = subscription->entry->resource.name;
    subscription->request = (struct decide_request){
        .party = subscription->options.party,
        .resource = subscription->options.resource,
        .use = STR("subscribe"),
        .purpose = subscription->options.purpose,
        .fields = subscription->options.fields,
        .n_fields = subscription->options.n_fields,
        .subjects = DECIDE_NONE,
    };
    err = hub_choose(hub, &subscription->request, STR_NONE, clock_wall(hub->clock), false, &subscription->contract, &refusal);
    if (err) {
        if (ret_refusal)
            *ret_refusal = refusal;
        err = err == ERR_NOT_FOUND ? ERR_DENIED : err;
        goto done;
    }
    for (size_t i = 0; i < options->n_fields; i++) /* granted, so declared */
        subscription->field_map[i] = (uint16_t)hub_field_find(&subscription->entry->resource, subscription->options.fields[i]);
    err = enter(subscription);
    if (err)
        goto done;
    err = start_replay(subscription);
    if (err)
        goto done;
    if (subscription->entry == hub->source_entry)
        hub_sources_tell_all(hub);
    subscription->is_starting = true;
    subscription->current = subscription_open_window(subscription, false); /* so that the first row need not wait for the disk */
    subscription->is_starting = false;
    if (subscription->is_ended) {
        if (ret_refusal)
            *ret_refusal = subscription->refusal;
        err = subscription->refusal.err;
        goto done;
    }
    *ret_subscription = subscription;
done:
    if (err) {
        if (subscription->bus || subscription->pull)
            subscription_detach(subscription);
        subscription_unref(subscription);
    }
    return err;
}

void hub_unsubscribe(struct hub_subscription *subscription)
{
    if (!subscription)
        return;
    subscription_detach(subscription);
    subscription_unref(subscription);
}

void hub_subscription_pause(struct hub_subscription *subscription, bool is_paused)
{
    subscription->is_paused = is_paused;
    if (!is_paused)
        subscription_pump(subscription);
}
