/*
 * Windows: two leaves each, the rows' digest in between.
 */
#include "hub/window.h"

#include "base/bytes.h"
#include "base/log.h"
#include "base/mem.h"

#include <string.h>

#define DIGEST_CHUNK 8192 /* bytes gathered for one call of the hash */

struct hub_window_state {
    struct hub_window public;
    struct hub_window_options options;
    char receipt[HUB_RECEIPT_MAX];
    struct hub_leaf intent_leaf;
    struct ledger_append intent;
    struct hub_follow outcome;
    struct crypto_hash *hash;
    struct hub_seen_subjects seen;
    struct mono_time opened, first_row;
    size_t n_rows;
    bool is_ready, is_failed, is_closed;
    const char *status;
    size_t n_chunk;
    uint8_t chunk[DIGEST_CHUNK];
};

static void finish(struct hub_window_state *window)
{
    crypto_hash_destroy(window->hash);
    hub_seen_finish(&window->seen);
    mem_free(window);
}

static void outcome_written(struct hub_follow *follow, enum err err)
{
    struct hub_window_state *window = container_of(follow, struct hub_window_state, outcome);
    if (err)
        log_write(
            LOG_ERROR, "hub", "a window's outcome could not be written", LOG_STR("receipt", window->public.receipt), LOG_ERR(err), LOG_END);
    finish(window);
}

static void flush_chunk(struct hub_window_state *window)
{
    if (window->n_chunk && crypto_hash_add(window->hash, (struct str){(const char *)window->chunk, window->n_chunk}))
        window->status = "digest failed";
    window->n_chunk = 0;
}

/* No row came: there was nothing to be counted, but that it was begun. */
static void give_back(const struct hub_window_state *window)
{
    const struct hub_window_options *options = &window->options;
    int64_t stood_ms = mono_ms_between(window->opened, clock_mono(options->contract->hub->clock));
    if (window->n_rows == 0 && (options->is_paced || stood_ms >= HUB_WINDOW_MS))
        hub_quota_give_back_unused(options->contract, options->now);
}

static void write_outcome(struct hub_window_state *window)
{
    struct hub *hub = window->options.contract->hub;
    struct hub_outcome outcome = {
        .intent = window->intent.index,
        .n_rows = window->n_rows,
        .has_digest = true,
        .status = window->n_rows ? window->status : "unused",
        .duration_us = (clock_mono(hub->clock).ns - window->opened.ns) / 1000,
        .now = clock_wall(hub->clock),
    };
    give_back(window);
    hub_seen_tell(&window->seen, window->intent.index);
    flush_chunk(window);
    enum err err = crypto_hash_end(window->hash, &outcome.digest);
    if (!err)
        err = hub_leaf_outcome(hub, &outcome, &window->outcome.leaf);
    if (err) {
        outcome_written(&window->outcome, err);
        return;
    }
    window->outcome.finished = outcome_written;
    hub_follow_start(hub, &window->outcome);
}

static void intent_written(struct ledger_append *append)
{
    struct hub_window_state *window = container_of(append, struct hub_window_state, intent);
    struct hub *hub = window->options.contract->hub;
    if (!append->err) {
        hub_receipt(hub, append->index, window->receipt);
        window->public.receipt = str_from_c(window->receipt);
        window->is_ready = true;
    }
    window->is_failed = append->err != ERR_OK;
    if (!window->is_closed)
        window->options.on_ready(window->options.context, window, append->err);
    else if (append->err)
        finish(window);
    else
        write_outcome(window);
    hub_work_end(hub);
}

enum err hub_window_open(const struct hub_window_options *options, struct hub_window_state **ret_window)
{
    struct hub *hub = options->contract->hub;
    struct hub_window_state *window = mem_alloc_zero(1, sizeof *window);
    struct buf request;
    if (!window)
        return ERR_NO_MEMORY;
    buf_init(&request, HUB_REQUEST_MAX);
    window->options = *options;
    window->public = (struct hub_window){.contract = options->contract->name, .opened = options->now};
    window->opened = clock_mono(hub->clock);
    hub_seen_init(&window->seen, hub, options->now); /* all of it before the intent, which may be written on another thread */
    struct hub_intent intent = {
        .contract = options->contract,
        .use = "subscribe",
        .fields = options->fields,
        .n_fields = options->n_fields,
        .request = hub_request_write(&request, options->contract, options->fields, options->n_fields, false),
        .twin = options->twin,
        .now = options->now,
    };
    enum err err = request.err;
    if (!err)
        err = crypto_hash_create(&window->hash);
    if (!err)
        err = hub_leaf_intent(hub, &intent, &window->intent_leaf);
    if (!err) {
        window->intent = (struct ledger_append){
            .leaf = {window->intent_leaf.bytes, window->intent_leaf.len}, .loop = options->loop, .done = intent_written};
        hub_work_begin(hub); /* until intent_written() */
        err = ledger_append(hub->ledger, &window->intent);
        if (err)
            hub_work_end(hub);
    }
    buf_finish(&request);
    if (err)
        finish(window);
    else
        *ret_window = window;
    return err;
}

bool hub_window_is_ready(const struct hub_window_state *window)
{
    return window->is_ready;
}

uint64_t hub_window_intent(const struct hub_window_state *window)
{
    return window->intent.index;
}

size_t hub_window_n_rows(const struct hub_window_state *window)
{
    return window->n_rows;
}

int64_t hub_window_age_ms(const struct hub_window_state *window, struct mono_time now)
{
    return window->n_rows ? mono_ms_between(window->first_row, now) : 0;
}

const struct hub_window *hub_window_public(const struct hub_window_state *window)
{
    return &window->public;
}

/* ---- the digest: per value a type byte; integers, times and booleans 8 bytes, reals 8 bytes IEEE 754, text and bytes a 32-bit length
 * and the bytes; all big-endian ---- */

static void digest_bytes(struct hub_window_state *window, struct str s)
{
    if (s.len > sizeof window->chunk - window->n_chunk)
        flush_chunk(window);
    if (s.len > sizeof window->chunk) {
        if (crypto_hash_add(window->hash, s))
            window->status = "digest failed";
        return;
    }
    if (s.len)
        memcpy(window->chunk + window->n_chunk, s.ptr, s.len);
    window->n_chunk += s.len;
}

static void digest_value(struct hub_window_state *window, struct value value)
{
    uint8_t head[16];
    struct bytes_writer w;
    bytes_writer_init(&w, head, sizeof head);
    bytes_write_u8(&w, (uint8_t)value.type);
    switch (value.type) {
    case VALUE_NULL:
        break;
    case VALUE_BOOLEAN:
    case VALUE_INTEGER:
    case VALUE_TIME:
        bytes_write_u64be(&w, (uint64_t)value.i);
        break;
    case VALUE_REAL:
        bytes_write_f64be(&w, value.r);
        break;
    case VALUE_TEXT:
    case VALUE_BYTES:
        bytes_write_u32be(&w, (uint32_t)value.s.len);
        break;
    }
    digest_bytes(window, (struct str){(const char *)head, w.len});
    if (value.type == VALUE_TEXT || value.type == VALUE_BYTES)
        digest_bytes(window, value.s);
}

/* Whom a row is about, if the granted field tells. */
static void see(struct hub_window_state *window, struct str name, struct value value)
{
    const struct hub_resource *resource = &window->options.contract->entry->resource;
    int at = hub_field_find(resource, name);
    if (at >= 0 && hub_seen_tells(resource, &resource->fields[at]))
        hub_seen_add(&window->seen, &resource->fields[at], value);
}

enum err hub_window_add(struct hub_window_state *window, const struct rows *rows, struct mono_time now)
{
    if (window->n_rows == 0)
        window->first_row = now;
    for (size_t i = 0; i < rows_n(rows); i++) {
        const struct value *values = rows_at(rows, i);
        for (size_t j = 0; j < rows_n_fields(rows); j++)
            digest_value(window, values[j]);
        for (size_t j = 0; j < window->options.n_fields && j < rows_n_fields(rows) && window->seen.hub; j++)
            see(window, window->options.fields[j], values[j]);
    }
    window->n_rows += rows_n(rows);
    return window->status && window->n_rows ? ERR_CRYPTO : ERR_OK;
}

void hub_window_close(struct hub_window_state *window, const char *status)
{
    if (!window)
        return;
    window->is_closed = true;
    if (!window->status)
        window->status = status;
    if (window->is_failed)
        finish(window);
    else if (window->is_ready)
        write_outcome(window);
    /* else its intent is under way, and the outcome follows it */
}
