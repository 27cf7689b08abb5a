/* A journal a stream (hub/record.h): kept on a source's thread, read on the loop of whoever hands it on. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/mem.h"
#include "hub/alert.h"
#include "hub/events.h"
#include "hub/record_inside.h"

#include <stdio.h>
#include <string.h>

#define SEGMENT_MAX (8u << 20)
#define APPEND_PARTS 16 /* parts of a batch: HUB_EVENTS_PART each; a longer batch is ERR_TOO_LARGE */

struct appending {
    struct journal_append append;
    struct hub_record_stream *stream;
    struct buf bytes;
    struct str records[APPEND_PARTS];
};

/* ---- keeping, on a source's thread ---- */

/* Under the lock. */
static void post_settled(struct hub_record_stream *stream)
{
    for (struct hub_settle **at = &stream->settles, *settle; (settle = *at);) {
        if (stream->n_done < settle->wanted && !stream->err) {
            at = &settle->next;
            continue;
        }
        *at = settle->next;
        settle->err = stream->err;
        loop_post(settle->loop, &settle->task);
    }
}

/* A journal's are done in their order. */
static void appended(struct journal_append *append)
{
    struct appending *appending = container_of(append, struct appending, append);
    struct hub_record_stream *stream = appending->stream;
    struct hub_record *record = stream->record;
    pthread_mutex_lock(&record->lock);
    stream->n_done++;
    if (append->err)
        stream->err = append->err;
    post_settled(stream);
    pthread_cond_broadcast(&record->settled);
    if (!append->err && record->on_durable) /* under the lock: who took it back is not called any more */
        record->on_durable(record->context);
    pthread_mutex_unlock(&record->lock);
    buf_finish(&appending->bytes);
    mem_free(appending);
}

/* The parts of a batch, each with the bytes before it. */
static enum err encode_all(
    const struct hub_record_stream *stream, const struct hub_resource *resource, struct rows *rows, struct appending *appending)
{
    struct hub_record *record = stream->record;
    int64_t now_ms = clock_wall(clock_system()).ms;
    size_t at = 0, starts[APPEND_PARTS + 1], n = 0;
    buf_init(&appending->bytes, JOURNAL_APPEND_MAX - 4 * APPEND_PARTS);
    while (at < rows_n(rows) && !appending->bytes.err) {
        if (n == APPEND_PARTS)
            return ERR_TOO_LARGE;
        starts[n++] = appending->bytes.len;
        buf_reset(&record->plain);
        at += hub_events_write(now_ms, resource, rows, at, &record->plain);
        if (record->plain.err)
            return record->plain.err;
        record_put(record, stream->n_bytes + appending->bytes.len, &appending->bytes);
    }
    if (appending->bytes.err)
        return appending->bytes.err;
    starts[n] = appending->bytes.len;
    for (size_t i = 0; i < n; i++)
        appending->records[i] = str_slice(buf_str(&appending->bytes), starts[i], starts[i + 1] - starts[i]);
    appending->append.n = n;
    return ERR_OK;
}

/* With the fields alone that are kept. */
static enum err encode(const struct hub_record_stream *stream, struct rows *rows, struct appending *appending)
{
    uint64_t mask = atomic_load_explicit(&stream->mask, memory_order_relaxed);
    struct hub_field fields[HUB_FIELDS_MAX];
    struct hub_resource resource = *stream->resource;
    uint16_t map[HUB_FIELDS_MAX];
    struct rows *kept;
    if (mask == UINT64_MAX)
        return encode_all(stream, stream->resource, rows, appending);
    resource.fields = fields;
    resource.n_fields = 0;
    for (uint16_t i = 0; i < stream->resource->n_fields; i++)
        if (mask >> i & 1) {
            map[resource.n_fields] = i;
            fields[resource.n_fields++] = stream->resource->fields[i];
        }
    if (resource.n_fields == 0)
        return ERR_RANGE;
    enum err err = rows_project(rows, map, resource.n_fields, &kept);
    if (err)
        return err;
    err = encode_all(stream, &resource, kept, appending);
    rows_release(kept);
    return err;
}

/* Under the lock. */
static enum err append(struct hub_record_stream *stream, struct rows *rows, struct appending *appending)
{
    enum err err = encode(stream, rows, appending);
    if (!err && stream->n_bytes - stream->n_bytes_confirmed + appending->bytes.len > stream->record->options.waiting_max)
        err = ERR_FULL;
    appending->stream = stream;
    appending->append.records = appending->records;
    appending->append.done = appended;
    if (!err)
        err = journal_append(stream->journal, &appending->append);
    if (!err) {
        stream->n_bytes += appending->bytes.len;
        stream->n_appended++;
    }
    return err;
}

static enum err keep(struct hub_keeper *keeper, const struct hub_resource *resource, struct rows *rows)
{
    struct hub_record *record = container_of(keeper, struct hub_record, keeper);
    struct hub_record_stream *stream = hub_record_find(record, resource);
    struct appending *appending = stream ? mem_alloc_zero(1, sizeof *appending) : NULL;
    if (!appending)
        return ERR_FULL; /* not open yet, or no memory: in a moment */
    pthread_mutex_lock(&record->lock);
    enum err err = append(stream, rows, appending);
    uint64_t n_refused = stream->n_refused;
    bool is_relieved = !err && n_refused > 0 && stream->n_bytes - stream->n_bytes_confirmed <= record->options.waiting_max / 2;
    stream->n_refused = is_relieved ? 0 : n_refused + (err == ERR_FULL);
    pthread_mutex_unlock(&record->lock);
    if (err == ERR_FULL && n_refused == 0)
        log_write(LOG_WARNING, "hub", "what waits of a stream has not been taken; its source is refused, and has to keep what comes",
            LOG_STR("resource", resource->name), LOG_END);
    else if (is_relieved)
        log_write(LOG_NOTICE, "hub", "a stream's source is taken from again", LOG_STR("resource", resource->name),
            LOG_INT("refused", (int64_t)n_refused), LOG_END);
    if (err) {
        buf_finish(&appending->bytes);
        mem_free(appending);
    }
    return err;
}

static enum err settle(struct hub_keeper *keeper)
{
    struct hub_record *record = container_of(keeper, struct hub_record, keeper);
    enum err err = ERR_OK;
    size_t n = atomic_load_explicit(&record->n_streams, memory_order_acquire);
    pthread_mutex_lock(&record->lock);
    for (size_t i = 0; i < n && !err; i++) {
        struct hub_record_stream *stream = &record->streams[i];
        for (uint64_t wanted = stream->n_appended; stream->n_done < wanted && !stream->err;)
            pthread_cond_wait(&record->settled, &record->lock);
        err = stream->err;
    }
    pthread_mutex_unlock(&record->lock);
    return err;
}

static void settled(struct hub_keeper *keeper, const struct hub_resource *resource, struct hub_settle *settle)
{
    struct hub_record *record = container_of(keeper, struct hub_record, keeper);
    struct hub_record_stream *stream = hub_record_find(record, resource);
    settle->err = ERR_OK;
    if (!stream) { /* nothing of it is kept */
        loop_post(settle->loop, &settle->task);
        return;
    }
    pthread_mutex_lock(&record->lock);
    settle->wanted = stream->n_appended;
    settle->next = stream->settles;
    stream->settles = settle;
    post_settled(stream);
    pthread_mutex_unlock(&record->lock);
}

/* ---- handing on ---- */

struct hub_record_stream *hub_record_find(struct hub_record *record, const struct hub_resource *resource)
{
    size_t n = atomic_load_explicit(&record->n_streams, memory_order_acquire);
    for (size_t i = 0; i < n; i++)
        if (record->streams[i].resource == resource)
            return &record->streams[i];
    return NULL;
}

void hub_record_mask(struct hub_record_stream *stream, uint64_t mask)
{
    atomic_store_explicit(&stream->mask, mask, memory_order_relaxed);
}

void hub_record_on_durable(struct hub_record *record, void (*fn)(void *context), void *context)
{
    pthread_mutex_lock(&record->lock);
    record->on_durable = fn;
    record->context = context;
    pthread_mutex_unlock(&record->lock);
}

struct reading {
    bool (*fn)(void *context, uint64_t index, struct str record);
    void *context;
    struct hub_record_stream *stream;
    bool is_refused;
};

static bool read_one(void *context, uint64_t index, struct str record)
{
    struct reading *reading = context;
    bool goes_on = reading->fn(reading->context, index, record_get(reading->stream, record));
    reading->is_refused = !goes_on;
    reading->stream->reader_at = index + goes_on;
    return goes_on;
}

enum err hub_record_read(
    struct hub_record_stream *stream, uint64_t from, bool (*fn)(void *context, uint64_t index, struct str record), void *context)
{
    struct reading reading = {.fn = fn, .context = context, .stream = stream};
    enum err err = ERR_OK;
    if (!stream->reader || stream->reader_at != from) {
        journal_reader_destroy(stream->reader);
        stream->reader = NULL;
        err = journal_reader_create(stream->journal, from, &stream->reader);
        stream->reader_at = from;
    }
    if (!err)
        err = journal_reader_read(stream->reader, read_one, &reading);
    if (err || reading.is_refused) { /* the reader has passed the refused one */
        journal_reader_destroy(stream->reader);
        stream->reader = NULL;
    }
    return err;
}

/* ---- life ---- */

static void close_stream(struct hub_record_stream *stream)
{
    journal_reader_destroy(stream->reader);
    journal_close(stream->journal);
    buf_finish(&stream->opened);
    crypto_wipe(&stream->opening, sizeof stream->opening);
}

static enum err open_stream(struct hub_record_stream *stream, const char *dir, struct diag *diag)
{
    const struct hub_record_options *options = &stream->record->options;
    char name[FILE_PATH_MAX], path[FILE_PATH_MAX];
    enum err err = str_to_c(stream->resource->name, name, sizeof name - 16);
    for (char *slash = name; !err && (slash = strchr(slash, '/'));)
        *slash = '~'; /* which occurs in no name */
    if (!err)
        err = file_join(path, dir, name);
    if (!err)
        err = file_make_dirs(file_ops_system(), dir);
    const struct journal_options journal = {.dir = path,
        .segment_max_bytes = SEGMENT_MAX,
        .record_max_bytes = HUB_RECORD_MAX,
        .on_stopped = options->on_stopped,
        .context = options->context,
        .files = options->files};
    if (!err)
        err = journal_open(&journal, diag, &stream->journal);
    if (err)
        return err;
    int n = snprintf(stream->confirmed_path, sizeof stream->confirmed_path, "%s" RECORD_CONFIRMED, path);
    if (n < 0 || n >= (int)sizeof stream->confirmed_path)
        return ERR_TOO_LARGE;
    return record_begin_life(stream, diag);
}

/* At `n`, where nobody finds it yet. */
static enum err open_at(struct hub_record *record, size_t n, const struct hub_resource *resource, const char *dir, struct diag *diag)
{
    if (n == HUB_RECORD_STREAMS_MAX)
        return diag_set(diag, ERR_FULL, NULL, 0, "more than %d streams are kept", HUB_RECORD_STREAMS_MAX);
    struct hub_record_stream *stream = &record->streams[n];
    *stream = (struct hub_record_stream){.record = record, .resource = resource, .mask = UINT64_MAX};
    buf_init(&stream->opened, HUB_RECORD_MAX + 1);
    enum err err = record_read_key(record, diag);
    if (!err)
        err = open_stream(stream, dir, diag);
    if (err)
        close_stream(stream);
    return err;
}

/* Those from `first` to before `n` are served from now on; or, with an error, closed. */
static enum err serve(struct hub_record *record, size_t first, size_t n, enum err err, struct diag *diag)
{
    if (!err)
        err = record_begin_sealing(record, diag);
    for (size_t i = first; i < n && err; i++)
        close_stream(&record->streams[i]);
    if (!err)
        atomic_store_explicit(&record->n_streams, n, memory_order_release);
    return err;
}

enum err hub_record_create(const struct hub_record_options *options, struct hub_record **ret_record)
{
    struct hub_record *record = mem_alloc_zero(1, sizeof *record);
    if (!record)
        return ERR_NO_MEMORY;
    record->options = *options;
    record->options.waiting_max = options->waiting_max ? options->waiting_max : HUB_RECORD_WAITING_MAX;
    buf_init(&record->plain, JOURNAL_APPEND_MAX);
    record->keeper = (struct hub_keeper){.keep = keep, .settle = settle, .settled = settled};
    pthread_mutex_init(&record->lock, NULL);
    pthread_cond_init(&record->settled, NULL);
    *ret_record = record;
    return ERR_OK;
}

struct hub_keeper *hub_record_keeper(struct hub_record *record)
{
    return &record->keeper;
}

enum err hub_record_open_stream(struct hub_record *record, const struct hub_resource *resource, const char *dir, struct diag *diag,
    struct hub_record_stream **ret_stream)
{
    size_t n = atomic_load_explicit(&record->n_streams, memory_order_relaxed);
    enum err err = open_at(record, n, resource, dir, diag);
    if (!err)
        err = serve(record, n, n + 1, ERR_OK, diag);
    if (!err)
        *ret_stream = &record->streams[n];
    return err;
}

enum err hub_record_open(struct hub_record *record, struct hub *hub, struct str party, const char *dir, struct diag *diag)
{
    enum err err = ERR_OK;
    const size_t first = atomic_load_explicit(&record->n_streams, memory_order_relaxed);
    size_t n = first;
    for (size_t i = 0; i < hub_n_resources(hub) && !err; i++) {
        const struct hub_resource *resource = hub_resource_at(hub, i);
        if (resource != hub_alert_resource(hub) && (resource->kind != HUB_STREAM || !str_equal(resource->party, party)))
            continue;
        err = open_at(record, n, resource, dir, diag);
        n += !err;
    }
    return serve(record, first, n, err, diag);
}

void hub_record_destroy(struct hub_record *record)
{
    if (!record)
        return;
    for (size_t i = 0; i < record->n_streams; i++)
        close_stream(&record->streams[i]);
    buf_finish(&record->plain);
    crypto_wipe(record->master, sizeof record->master);
    crypto_wipe(&record->sealing, sizeof record->sealing);
    pthread_mutex_destroy(&record->lock);
    pthread_cond_destroy(&record->settled);
    mem_free(record);
}
