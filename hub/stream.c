/*
 * Subscriptions (订阅): a stream's rows under a contract, in windows, one receipt a window.
 *
 * One batch's way: hub_publish() (any thread) → bus → the subscription on its loop: granted fields only → waits until the
 * window's intent leaf is durable → decided again → the consumer → after 10 s or 10,000 rows the window closes with an outcome
 * leaf (rows, digest). The next window's intent is opened ahead, so that the flow never waits for the disk. A revocation takes effect at
 * the next batch, at the latest. The uses of a second used up hold rows back for a moment; those of a day or a month end the subscription,
 * since a provider must not stand still for so long.
 *
 * A stream of another hub's is taken from there (hub/pull.h): under a window's receipt, one asking after the other, each when the
 * subscriber has what came before; and a window ends between two askings. While the link is cut the subscription waits, and goes on where
 * it was.
 *
 * A subscriber that must not lose (BUS_REFUSE) holds at most `limit` batches; past it hub_publish() tells ERR_FULL to the sender.
 */
#include "base/log.h"
#include "base/mem.h"
#include "hub/parts.h"
#include "hub/pull.h"
#include "hub/replay.h"
#include "hub/stream_inside.h"

#include <assert.h>
#include <string.h>

#define WINDOW_ROWS_AHEAD (HUB_WINDOW_ROWS / 10) /* at 50,000 rows a second the disk has 180 ms for the next intent */
#define WINDOW_AHEAD_MS (HUB_WINDOW_MS - 2000)
#define RETRY_MS 1000       /* a second's uses are used up, or the ledger is full */
#define RETRY_DOUBLED_MAX 4 /* to 16 s, while another hub refuses: each try is two leaves here, and two there */
#define LIMIT_DEFAULT 256
#define OPTIONS_ARENA_MAX 65536

/* ---- batches ---- */

static enum err batches_push(struct batches *batches, struct rows *rows)
{
    struct waiting *waiting = mem_alloc(sizeof *waiting);
    if (!waiting)
        return ERR_NO_MEMORY;
    *waiting = (struct waiting){.rows = rows};
    if (!batches->first)
        batches->last = &batches->first;
    *batches->last = waiting;
    batches->last = &waiting->next;
    batches->n++;
    return ERR_OK;
}

/* NULL when empty; the caller's from then on. */
static struct rows *batches_pop(struct batches *batches)
{
    struct waiting *waiting = batches->first;
    if (!waiting)
        return NULL;
    struct rows *rows = waiting->rows;
    batches->first = waiting->next;
    batches->n--;
    mem_free(waiting);
    return rows;
}

static void batches_clear(struct batches *batches)
{
    for (struct rows *rows; (rows = batches_pop(batches));)
        rows_release(rows);
}

/* ---- life ---- */

static void subscription_unref(struct hub_subscription *subscription)
{
    if (--subscription->n_refs > 0)
        return;
    batches_clear(&subscription->waiting);
    batches_clear(&subscription->live);
    arena_finish(&subscription->arena);
    mem_free(subscription);
}

/* Out of both lists at once: who publishes asks in the one whether any of the other refuses, before the rows go to the disk. */
static void leave(struct hub_subscription *subscription)
{
    struct hub_entry *entry = subscription->entry;
    pthread_mutex_lock(&entry->lock);
    for (struct hub_subscription **at = &entry->subscriptions; *at; at = &(*at)->next)
        if (*at == subscription) {
            *at = subscription->next;
            break;
        }
    bus_unsubscribe(subscription->bus);
    pthread_mutex_unlock(&entry->lock);
}

/* No more rows; windows get their outcomes. */
static void detach(struct hub_subscription *subscription)
{
    if (subscription->is_closed)
        return;
    subscription->is_closed = true;
    leave(subscription);
    hub_pull_stop(subscription->pull);
    subscription->pull = NULL;
    hub_replay_stop(subscription->replay);
    subscription->replay = NULL;
    loop_timer_stop(&subscription->roll);
    loop_timer_stop(&subscription->retry);
    hub_window_close(subscription->current, "ok");
    hub_window_close(subscription->next_window, "unused");
    subscription->current = subscription->next_window = NULL;
}

/* The contract ended, or evidence cannot be kept: the consumer is told once. */
static void end(struct hub_subscription *subscription, const struct hub_refusal *why)
{
    if (subscription->is_ended || subscription->is_closed)
        return;
    subscription->is_ended = true;
    subscription->n_refs++;
    detach(subscription);
    if (subscription->is_starting) /* hub_subscribe() returns it */
        subscription->refusal = *why;
    else if (subscription->options.on_end)
        subscription->options.on_end(subscription->options.context, why);
    subscription_unref(subscription);
}

/* ---- windows ---- */

static void pump(struct hub_subscription *subscription);

/* May time alone mend it, soon? A use of the next second is permitted again; a copy that was not confirmed while the link was cut, too. Of
 * the next day or month not soon enough for rows, or a provider, to wait. */
static bool is_passing(const struct hub_subscription *subscription, int rule)
{
    return rule == DECIDE_PER_SECOND || (subscription->pull && rule == DECIDE_NOT_FRESH);
}

static void later(struct hub_subscription *subscription, int64_t ms);

static void on_window(void *context, struct hub_window_state *window, enum err err)
{
    struct hub_subscription *subscription = context;
    if (err) {
        struct hub_refusal why = {.err = err};
        diag_set(&why.diag, err, NULL, 0, "the receipt of a window could not be written: %s", err_text(err));
        end(subscription, &why);
        return;
    }
    pump(subscription);
}

/* A window under a fresh decision that counts; NULL with a retry under way, or after the end. `is_ahead`: while another one runs. */
static struct hub_window_state *open_window(struct hub_subscription *subscription, bool is_ahead)
{
    struct hub *hub = subscription->hub;
    struct wall_time now = clock_wall(hub->clock);
    struct hub_window_state *window = NULL;
    int rule = 0;
    if (subscription->pull && !hub_pull_may_ask(subscription->pull)) { /* no row can come, so nothing is begun and counted */
        subscription->n_unanswered = 0;
        later(subscription, RETRY_MS);
        return NULL;
    }
    enum err err = hub_contract_decide(subscription->contract, &subscription->request, now, true, &rule);
    if (!err && is_ahead && (rule == DECIDE_PER_DAY || rule == DECIDE_PER_MONTH))
        return NULL; /* the running window has its permit yet, and is the last */
    if (!err && rule != DECIDE_PERMIT && !is_passing(subscription, rule)) {
        struct hub_refusal why = hub_refusal_of(subscription->contract, rule);
        end(subscription, &why);
        return NULL;
    }
    if (!err && !rule) {
        struct hub_window_options options = {
            .contract = subscription->contract,
            .fields = subscription->options.fields,
            .n_fields = subscription->options.n_fields,
            .is_paced = subscription->pull != NULL,
            .loop = subscription->options.loop,
            .now = now,
            .on_ready = on_window,
            .context = subscription,
        };
        err = hub_window_open(&options, &window);
    }
    if (window)
        return window;
    if (err && err != ERR_STATE && err != ERR_FULL && err != ERR_NO_MEMORY) {
        on_window(subscription, NULL, err);
        return NULL;
    }
    /* Over the second's uses, or the ledger or the reservation is behind: rows wait in their bounded queue. */
    later(subscription, err == ERR_STATE ? 10 : RETRY_MS);
    return NULL;
}

static void later(struct hub_subscription *subscription, int64_t ms)
{
    if (loop_timer_start(subscription->options.loop, &subscription->retry, ms))
        on_window(subscription, NULL, ERR_NO_MEMORY);
}

static void on_retry(struct loop_timer *timer)
{
    pump(container_of(timer, struct hub_subscription, retry));
}

static void close_current(struct hub_subscription *subscription)
{
    loop_timer_stop(&subscription->roll);
    hub_window_close(subscription->current, "ok");
    subscription->current = subscription->next_window;
    subscription->next_window = NULL;
}

/* Ten seconds after a window's first row it closes, also when nothing more comes. */
static void on_roll(struct loop_timer *timer)
{
    close_current(container_of(timer, struct hub_subscription, roll));
}

static bool is_over(const struct hub_window_state *window, const struct rows *rows, struct mono_time now)
{
    size_t n = hub_window_n_rows(window);
    return n > 0 && (n + rows_n(rows) > HUB_WINDOW_ROWS || hub_window_age_ms(window, now) >= HUB_WINDOW_MS);
}

/* The counters were asked when the window opened; state, dates and freshness are asked for every batch. False: it has ended, or waits. */
static bool is_permitted(struct hub_subscription *subscription)
{
    int rule = 0;
    enum err err = hub_contract_decide(subscription->contract, &subscription->request, clock_wall(subscription->hub->clock), false, &rule);
    if (!err && rule == DECIDE_PERMIT)
        return true;
    if (!err && is_passing(subscription, rule)) {
        later(subscription, RETRY_MS);
        return false;
    }
    struct hub_refusal why = hub_refusal_of(subscription->contract, rule);
    end(subscription, &why);
    return false;
}

/* Hands the oldest batch over. False: it has to wait. */
static bool hand_over(struct hub_subscription *subscription)
{
    struct mono_time now = clock_mono(subscription->hub->clock);
    struct rows *rows = subscription->waiting.first->rows;
    if (subscription->current && !subscription->pull && is_over(subscription->current, rows, now))
        close_current(subscription);
    if (!subscription->current && !subscription->retry.heap_at)
        subscription->current = open_window(subscription, false);
    if (!subscription->current || !hub_window_is_ready(subscription->current))
        return false;
    /* The counters were asked when the window opened; state, dates and freshness are asked for every batch. */
    if (!is_permitted(subscription))
        return false;
    batches_pop(&subscription->waiting);
    bool is_first = hub_window_n_rows(subscription->current) == 0;
    enum err err = hub_window_add(subscription->current, rows, now);
    if (!err && is_first && !subscription->pull)
        err = loop_timer_start(subscription->options.loop, &subscription->roll, HUB_WINDOW_MS);
    if (err) {
        rows_release(rows);
        on_window(subscription, NULL, err);
        return false;
    }
    subscription->options.on_rows(subscription->options.context, hub_window_public(subscription->current), rows);
    rows_release(rows);
    hub_subscription_let_go(subscription);
    return true;
}

static void open_ahead(struct hub_subscription *subscription)
{
    const struct hub_window_state *current = subscription->current;
    if (subscription->is_closed || subscription->pull || !current || subscription->next_window || subscription->retry.heap_at)
        return;
    if (hub_window_n_rows(current) >= WINDOW_ROWS_AHEAD ||
        (hub_window_n_rows(current) > 0 && hub_window_age_ms(current, clock_mono(subscription->hub->clock)) >= WINDOW_AHEAD_MS))
        subscription->next_window = open_window(subscription, true);
}

/* Asks the other hub for more, when all that came is handed over. A window ends before, so that what is asked under it comes under it. */
static void ask_afar(struct hub_subscription *subscription)
{
    const struct mono_time now = clock_mono(subscription->hub->clock);
    if (subscription->waiting.first || subscription->retry.heap_at || hub_pull_is_asking(subscription->pull))
        return;
    struct hub_window_state *current = subscription->current;
    if (current && hub_window_n_rows(current) > 0 &&
        (hub_window_n_rows(current) >= HUB_WINDOW_ROWS || hub_window_age_ms(current, now) >= HUB_WINDOW_MS)) {
        hub_pull_end_window(subscription->pull);
        close_current(subscription);
    }
    if (!subscription->current)
        subscription->current = open_window(subscription, false);
    if (subscription->current && hub_window_is_ready(subscription->current) && is_permitted(subscription))
        hub_pull_ask(subscription->pull, hub_window_intent(subscription->current));
}

static void pump(struct hub_subscription *subscription)
{
    if (subscription->is_pumping || subscription->is_closed)
        return;
    subscription->is_pumping = true;
    subscription->n_refs++; /* a call-back may unsubscribe */
    while (!subscription->is_closed && !subscription->is_paused && subscription->waiting.first && hand_over(subscription))
        open_ahead(subscription);
    if (subscription->pull && !subscription->is_paused)
        ask_afar(subscription);
    hub_replay_wake(subscription->replay, subscription->waiting.n);
    subscription->is_pumping = false;
    subscription_unref(subscription);
}

/* ---- rows coming in ---- */

static void drop_oldest(struct hub_subscription *subscription, struct batches *batches)
{
    rows_release(batches_pop(batches));
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
    if (!err && (err = batches_push(batches, granted)))
        rows_release(granted);
    if (err) { /* nothing is skipped silently: the subscription ends, and its owner may begin again from where it was */
        on_window(subscription, NULL, err);
        return;
    }
    if (subscription->options.when_full == BUS_DROP_OLDEST && batches->n > subscription->options.limit)
        drop_oldest(subscription, batches);
    pump(subscription);
}

/* On the subscription's loop: what came from afar, each batch taken. */
static void on_pulled(void *context, enum err err, struct rows **rows, size_t n)
{
    struct hub_subscription *subscription = context;
    size_t i = 0;
    if (err) { /* this window is over there, so it is over here: the next one goes on where it was */
        hub_pull_end_window(subscription->pull);
        close_current(subscription);
        later(subscription, RETRY_MS << subscription->n_unanswered);
        subscription->n_unanswered += subscription->n_unanswered < RETRY_DOUBLED_MAX;
        return;
    }
    subscription->n_unanswered = 0;
    for (enum err one; i < n; i++) {
        if ((one = batches_push(&subscription->waiting, rows[i]))) {
            while (i < n)
                rows_release(rows[i++]);
            on_window(subscription, NULL, one);
            return;
        }
        if (subscription->options.when_full == BUS_REFUSE)
            atomic_fetch_add_explicit(&subscription->n_held, 1, memory_order_relaxed);
    }
    pump(subscription);
}

/* On the subscription's loop: a batch of what the provider kept; taken. NULL: that was all. */
static void on_replayed(void *context, struct rows *rows)
{
    struct hub_subscription *subscription = context;
    enum err err = ERR_OK;
    if (rows) {
        if (subscription->options.when_full == BUS_REFUSE)
            atomic_fetch_add_explicit(&subscription->n_held, 1, memory_order_relaxed);
        if ((err = batches_push(&subscription->waiting, rows)))
            rows_release(rows);
    } else {
        for (struct rows *live; !err && (live = batches_pop(&subscription->live));) {
            struct rows *rest = live;
            if (hub_replay_skip_known(subscription->replay, live, &rest)) {
                hub_subscription_let_go(subscription);
                continue;
            }
            if ((err = batches_push(&subscription->waiting, rest)))
                rows_release(rest);
        }
        hub_replay_stop(subscription->replay);
        subscription->replay = NULL;
    }
    if (err)
        on_window(subscription, NULL, err);
    else
        pump(subscription);
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
    subscription->roll.fn = on_roll;
    subscription->retry.fn = on_retry;
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
    subscription->current = open_window(subscription, false); /* so that the first row need not wait for the disk */
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
            detach(subscription);
        subscription_unref(subscription);
    }
    return err;
}

void hub_unsubscribe(struct hub_subscription *subscription)
{
    if (!subscription)
        return;
    detach(subscription);
    subscription_unref(subscription);
}

void hub_subscription_pause(struct hub_subscription *subscription, bool is_paused)
{
    subscription->is_paused = is_paused;
    if (!is_paused)
        pump(subscription);
}
