/*
 * GET /hub/v1/subscribe/{area}/{party}/{name}?purpose=…&fields=a,b: a stream's rows as server-sent events, under a contract (docs/hub.md).
 *
 *     event: window   {"contract":…,"receipt":…}   its intent leaf is durable; what follows is covered by it, until the next one
 *     event: rows     [{"a":…,"b":…},…]
 *     event: ping     {}                            each ten seconds, so that both sides see that the other is there
 *     event: end      {"rule":…}                    the contract ended, was suspended, or its uses are used up; the connection closes
 *
 * Who does not keep up loses the oldest batches, and past the viewer's queue the connection: a program that must not lose runs beside the
 * hub, or asks the provider for what it keeps. A stream of another hub's is taken from there at the viewer's pace; subscriptions of
 * one contract share their place in it (docs/district.md).
 */
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "hub/parts.h"

#include <stdio.h>
#include <string.h>

#define PING_MS 10000
#define EVENT_ROWS_MAX 500 /* of one event; a batch of more goes in several */
#define EVENT_BYTES_MAX (1u << 20)
#define ARENA_MAX 65536

struct subscriber {
    struct arena arena; /* the fields' names */
    struct str fields[HUB_FIELDS_MAX];
    size_t n_fields;
    struct http_stream *stream; /* NULL: not answered yet */
    struct hub_subscription *subscription;
    struct loop *loop;
    struct loop_timer ping;
    bool is_afar;                  /* another hub's stream: it waits for the viewer */
    char receipt[HUB_RECEIPT_MAX]; /* of the running window */
};

static void destroy(struct subscriber *subscriber)
{
    loop_timer_stop(&subscriber->ping);
    hub_unsubscribe(subscriber->subscription);
    arena_finish(&subscriber->arena);
    mem_free(subscriber);
}

/* What cannot be sent ends the connection by itself: the viewer was too slow, or has gone. */
static void send_event(struct subscriber *subscriber, const char *event, const struct buf *json)
{
    enum err err = json->err ? json->err : http_stream_send(subscriber->stream, event, buf_str(json));
    if (err && err != ERR_STATE && err != ERR_FULL) {
        log_write(LOG_WARNING, "hub", "a subscriber's event could not be made", LOG_ERR(err), LOG_END);
        http_stream_close(subscriber->stream);
    }
}

static void send_window(struct subscriber *subscriber, const struct hub_window *window)
{
    struct buf json;
    struct json_writer w;
    buf_init(&json, 1024);
    json_writer_init(&w, &json);
    json_begin_object(&w);
    json_field_str(&w, "contract", window->contract);
    json_field_str(&w, "receipt", window->receipt);
    json_end_object(&w);
    send_event(subscriber, "window", &json);
    buf_finish(&json);
    snprintf(subscriber->receipt, sizeof subscriber->receipt, STR_FORMAT, STR_ARG(window->receipt));
}

static void send_rows(struct subscriber *subscriber, const struct rows *rows, size_t from, size_t to)
{
    struct buf json;
    struct json_writer w;
    buf_init(&json, EVENT_BYTES_MAX);
    json_writer_init(&w, &json);
    json_begin_array(&w);
    for (size_t i = from; i < to; i++) {
        json_begin_object(&w);
        for (size_t j = 0; j < subscriber->n_fields; j++) {
            json_key_str(&w, subscriber->fields[j]);
            json_put_value(&w, rows_at(rows, i)[j]);
        }
        json_end_object(&w);
    }
    json_end_array(&w);
    send_event(subscriber, "rows", &json);
    buf_finish(&json);
}

static void on_rows(void *context, const struct hub_window *window, struct rows *rows)
{
    struct subscriber *subscriber = context;
    size_t n = rows_n(rows);
    if (!str_equal_c(window->receipt, subscriber->receipt))
        send_window(subscriber, window);
    for (size_t from = 0; from < n; from += EVENT_ROWS_MAX)
        send_rows(subscriber, rows, from, from + EVENT_ROWS_MAX < n ? from + EVENT_ROWS_MAX : n);
    if (subscriber->is_afar)
        hub_subscription_pause(subscriber->subscription, true);
}

static void on_empty(void *context)
{
    struct subscriber *subscriber = context;
    if (subscriber->is_afar && subscriber->subscription)
        hub_subscription_pause(subscriber->subscription, false);
}

static void on_end(void *context, const struct hub_refusal *why)
{
    struct subscriber *subscriber = context;
    struct buf json;
    buf_init(&json, 64);
    buf_printf(&json, "{\"rule\":%d}", why->rule);
    send_event(subscriber, "end", &json);
    buf_finish(&json);
    http_stream_close(subscriber->stream);
}

static void on_close(void *context)
{
    destroy(context);
}

static void on_ping(struct loop_timer *timer)
{
    struct subscriber *subscriber = container_of(timer, struct subscriber, ping);
    (void)!http_stream_send(subscriber->stream, "ping", STR("{}")); /* one that has gone is closed by it */
    if (loop_timer_start(subscriber->loop, timer, PING_MS))
        http_stream_close(subscriber->stream);
}

/* "a,b,c": names as they come. */
static enum err read_fields(struct subscriber *subscriber, struct str text)
{
    enum err err = arena_copy_str(&subscriber->arena, text, &text);
    while (!err && text.len > 0) {
        struct str name = text, rest = STR_NONE;
        if (!str_cut(text, ',', &name, &rest))
            rest = STR_NONE;
        if (subscriber->n_fields == HUB_FIELDS_MAX)
            return ERR_TOO_LARGE;
        subscriber->fields[subscriber->n_fields++] = name;
        text = rest;
    }
    return err;
}

static enum err begin(struct subscriber *subscriber, struct http_exchange *x, struct hub *hub, struct hub_refusal *refusal)
{
    struct str resource;
    enum err err = read_fields(subscriber, http_query(x, "fields"));
    if (!err)
        err = arena_printf(&subscriber->arena, &resource, STR_FORMAT "/" STR_FORMAT "/" STR_FORMAT, STR_ARG(http_param(x, "area")),
            STR_ARG(http_param(x, "party")), STR_ARG(http_param(x, "name")));
    if (err)
        return err;
    const struct hub_subscribe_options options = {.party = http_identity(x)->party,
        .resource = resource,
        .purpose = http_query(x, "purpose"),
        .fields = subscriber->fields,
        .n_fields = subscriber->n_fields,
        .loop = subscriber->loop,
        .when_full = BUS_DROP_OLDEST,
        .on_rows = on_rows,
        .on_end = on_end,
        .context = subscriber};
    err = hub_subscribe(hub, &options, refusal, &subscriber->subscription); /* its rows come later, by the loop */
    const struct hub_resource *subscribed = err ? NULL : hub_resource_find(hub, resource);
    subscriber->is_afar = subscribed && hub_resource_is_remote(subscribed);
    return err;
}

void hub_subscribe_handle(struct http_exchange *x, void *hub)
{
    struct subscriber *subscriber = mem_alloc_zero(1, sizeof *subscriber);
    struct hub_refusal refusal = {0};
    if (!subscriber) {
        http_reply_err(x, ERR_NO_MEMORY, STR_NONE);
        return;
    }
    arena_init(&subscriber->arena, ARENA_MAX);
    subscriber->loop = http_loop(x);
    subscriber->ping.fn = on_ping;
    enum err err = begin(subscriber, x, hub, &refusal);
    if (err) {
        refusal.err = refusal.err ? refusal.err : err;
        hub_reply_refusal(x, &refusal);
        destroy(subscriber);
    } else if (http_reply_stream(x, on_close, subscriber, &subscriber->stream)) { /* it has replied */
        destroy(subscriber);
    } else {
        http_stream_on_empty(subscriber->stream, on_empty);
        on_ping(&subscriber->ping);
    }
}
