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

/* ---- batches ---- */

enum err subscription_batches_push(struct batches *batches, struct rows *rows)
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
struct rows *subscription_batches_pop(struct batches *batches)
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
    for (struct rows *rows; (rows = subscription_batches_pop(batches));)
        rows_release(rows);
}

/* ---- life ---- */

void subscription_unref(struct hub_subscription *subscription)
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
void subscription_detach(struct hub_subscription *subscription)
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
    subscription_detach(subscription);
    if (subscription->is_starting) /* hub_subscribe() returns it */
        subscription->refusal = *why;
    else if (subscription->options.on_end)
        subscription->options.on_end(subscription->options.context, why);
    subscription_unref(subscription);
}

/* ---- windows ---- */

/* May time alone mend it, soon? A use of the next second is permitted again; a copy that was not confirmed while the link was cut, too. Of
 * the next day or month not soon enough for rows, or a provider, to wait. */
static bool is_passing(const struct hub_subscription *subscription, int rule)
{
    return rule == DECIDE_PER_SECOND || (subscription->pull && rule == DECIDE_NOT_FRESH);
}

static void later(struct hub_subscription *subscription, int64_t ms);

void subscription_on_window(void *context, struct hub_window_state *window, enum err err)
{
    struct hub_subscription *subscription = context;
    if (err) {
        struct hub_refusal why = {.err = err};
        diag_set(&why.diag, err, NULL, 0, "the receipt of a window could not be written: %s", err_text(err));
        end(subscription, &why);
        return;
    }
    subscription_pump(subscription);
}

/* A window under a fresh decision that counts; NULL with a retry under way, or after the end. `is_ahead`: while another one runs. */
struct hub_window_state *subscription_open_window(struct hub_subscription *subscription, bool is_ahead)
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
            .on_ready = subscription_on_window,
            .context = subscription,
        };
        err = hub_window_open(&options, &window);
    }
    if (window)
        return window;
    if (err && err != ERR_STATE && err != ERR_FULL && err != ERR_NO_MEMORY) {
        subscription_on_window(subscription, NULL, err);
        return NULL;
    }
    /* Over the second's uses, or the ledger or the reservation is behind: rows wait in their bounded queue. */
    later(subscription, err == ERR_STATE ? 10 : RETRY_MS);
    return NULL;
}

static void later(struct hub_subscription *subscription, int64_t ms)
{
    if (loop_timer_start(subscription->options.loop, &subscription->retry, ms))
        subscription_on_window(subscription, NULL, ERR_NO_MEMORY);
}

void subscription_on_retry(struct loop_timer *timer)
{
    subscription_pump(container_of(timer, struct hub_subscription, retry));
}

static void close_current(struct hub_subscription *subscription)
{
    loop_timer_stop(&subscription->roll);
    hub_window_close(subscription->current, "ok");
    subscription->current = subscription->next_window;
    subscription->next_window = NULL;
}

void subscription_ask_again(struct hub_subscription *subscription)
{
    hub_pull_end_window(subscription->pull);
    close_current(subscription);
    later(subscription, RETRY_MS << subscription->n_unanswered);
    subscription->n_unanswered += subscription->n_unanswered < RETRY_DOUBLED_MAX;
}

/* Ten seconds after a window's first row it closes, also when nothing more comes. */
void subscription_on_roll(struct loop_timer *timer)
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
        subscription->current = subscription_open_window(subscription, false);
    if (!subscription->current || !hub_window_is_ready(subscription->current))
        return false;
    /* The counters were asked when the window opened; state, dates and freshness are asked for every batch. */
    if (!is_permitted(subscription))
        return false;
    subscription_batches_pop(&subscription->waiting);
    bool is_first = hub_window_n_rows(subscription->current) == 0;
    enum err err = hub_window_add(subscription->current, rows, now);
    if (!err && is_first && !subscription->pull)
        err = loop_timer_start(subscription->options.loop, &subscription->roll, HUB_WINDOW_MS);
    if (err) {
        rows_release(rows);
        subscription_on_window(subscription, NULL, err);
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
        subscription->next_window = subscription_open_window(subscription, true);
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
        subscription->current = subscription_open_window(subscription, false);
    if (subscription->current && hub_window_is_ready(subscription->current) && is_permitted(subscription))
        hub_pull_ask(subscription->pull, hub_window_intent(subscription->current));
}

void subscription_pump(struct hub_subscription *subscription)
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
