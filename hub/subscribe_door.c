/*
 * GET /hub/v1/subscribe/{area}/{party}/{name}?purpose=…&fields=a,b: a stream's rows as server-sent events, under a contract (docs/hub.md).
 *
 *     event: window   {"contract":…,"receipt":…}   its intent leaf is durable; what follows is covered by it, until the next one
 *     event: rows     [{"a":…,"b":…},…]
 *     event: left_out {"rows":1,"detail":…}         in its place in the order: a row that is too large for an event, and what to do
 *     event: ping     {}                            each ten seconds, so that both sides see that the other is there
 *     event: end      {"rule":…}                    the contract ended, was suspended, or its uses are used up; the connection closes
 *
 * Events are cut by rows and by bytes, and no more are sent than the viewer's queue takes: the rest of a batch follows when that is on its
 * way, and the subscription stands still meanwhile. Who does not keep up so loses the oldest batches, and when nothing at all is taken the
 * connection: a program that must not lose runs beside the hub, or asks the provider for what it keeps. A stream of another hub's is taken
 * from there at the viewer's pace; subscriptions of one contract share their place in it (docs/district.md).
 */
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "hub/parts.h"

#include <stdio.h>
#include <string.h>

#define PING_MS 10000
#define EVENT_ROWS_MAX 500           /* of one event; a batch of more goes in several */
#define EVENT_BYTES_MAX (256u << 10) /* past it the next row is another event's */
#define ROW_BYTES_MAX (640u << 10)   /* of one row as JSON, an event by itself; a larger one is left out, and that is told */
#define AHEAD_BYTES_MAX (256u << 10) /* on their way; with one event more it is below a viewer's queue of 1 MiB (http/server.c) */
#define ARENA_MAX 65536

struct subscriber {
    struct arena arena; /* the fields' names */
    struct str fields[HUB_FIELDS_MAX];
    size_t n_fields;
    struct http_stream *stream; /* NULL: not answered yet */
    struct hub_subscription *subscription;
    struct loop *loop;
    struct loop_timer ping;
    bool is_afar;       /* another hub's stream: it waits for the viewer */
    struct rows *rows;  /* of the batch that is being sent, from `at` on; NULL: none */
    size_t at, n_ahead; /* n_ahead: bytes sent since all before was on its way */
    bool has_left_out;
    char receipt[HUB_RECEIPT_MAX]; /* of the running window */
};

static void destroy(struct subscriber *subscriber)
{
    loop_timer_stop(&subscriber->ping);
    hub_unsubscribe(subscriber->subscription);
    rows_release(subscriber->rows);
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

static void put_row(const struct subscriber *subscriber, const struct value *values, struct json_writer *w)
{
    json_begin_object(w);
    for (size_t i = 0; i < subscriber->n_fields; i++) {
        json_key_str(w, subscriber->fields[i]);
        json_put_value(w, values[i]);
    }
    json_end_object(w);
}

/* In the row's place, so that nobody takes what comes for all there was. */
static void send_left_out(struct subscriber *subscriber)
{
    struct buf json;
    buf_init(&json, 256);
    buf_printf(&json, "{\"rows\":1,\"detail\":\"a row of more than %u bytes as JSON; subscribe to fewer of its fields\"}", ROW_BYTES_MAX);
    send_event(subscriber, "left_out", &json);
    buf_finish(&json);
    if (!subscriber->has_left_out)
        log_write(LOG_WARNING, "hub", "a row is too large for a subscriber's event and is left out; fewer fields would fit",
            LOG_TEXT("receipt", subscriber->receipt), LOG_INT("bytes_max", ROW_BYTES_MAX), LOG_END);
    subscriber->has_left_out = true;
}

/* As many of the rows from `at` on as one event takes. */
static void send_rows(struct subscriber *subscriber)
{
    struct buf json;
    struct json_writer w;
    size_t n = 0;
    buf_init(&json, ROW_BYTES_MAX);
    json_writer_init(&w, &json);
    json_begin_array(&w);
    while (n < EVENT_ROWS_MAX && subscriber->at + n < rows_n(subscriber->rows)) {
        const size_t len = json.len;
        put_row(subscriber, rows_at(subscriber->rows, subscriber->at + n), &w);
        if (n > 0 && (json.err == ERR_TOO_LARGE || json.len > EVENT_BYTES_MAX)) { /* it begins the next event */
            json.len = len;
            json.err = ERR_OK;
            break;
        }
        n++;
        if (json.err)
            break;
    }
    json_end_array(&w);
    if (n == 1 && json.err == ERR_TOO_LARGE) {
        send_left_out(subscriber);
    } else {
        send_event(subscriber, "rows", &json);
        subscriber->n_ahead += json.len;
    }
    subscriber->at += n;
    buf_finish(&json);
}

static void drop_rows(struct subscriber *subscriber)
{
    rows_release(subscriber->rows);
    subscriber->rows = NULL;
}

static void send_more(struct subscriber *subscriber)
{
    while (subscriber->rows && subscriber->n_ahead < AHEAD_BYTES_MAX) {
        send_rows(subscriber);
        if (subscriber->at == rows_n(subscriber->rows))
            drop_rows(subscriber);
    }
}

static void on_rows(void *context, const struct hub_window *window, struct rows *rows)
{
    struct subscriber *subscriber = context;
    if (!str_equal_c(window->receipt, subscriber->receipt))
        send_window(subscriber, window);
    subscriber->rows = rows_hold(rows);
    subscriber->at = 0;
    send_more(subscriber);
    if (subscriber->rows || subscriber->is_afar)
        hub_subscription_pause(subscriber->subscription, true);
}

static void on_empty(void *context)
{
    struct subscriber *subscriber = context;
    subscriber->n_ahead = 0;
    send_more(subscriber);
    if (!subscriber->rows && subscriber->subscription)
        hub_subscription_pause(subscriber->subscription, false);
}

static void on_end(void *context, const struct hub_refusal *why)
{
    struct subscriber *subscriber = context;
    struct buf json;
    drop_rows(subscriber); /* what was not sent yet does not follow */
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
