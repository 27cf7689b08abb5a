/*
 * A journal a stream. A record is a part of a batch: u64, whose highest byte is its form and the others the bytes kept before it, over the
 * journal's life: so how much waits is told without opening it. Form 0: then what goes out (hub/events.h), as files before November 2026
 * have it. Form 1: 16 bytes of the start, u64 its counter, and what goes out, sealed under the label "citybrain streams" (base/seal.h).
 *
 * Beside the journal stands NAME.confirmed: the epoch, and up to where the hub has it; then a line for each life before, the newest first:
 * its epoch, and the number with which the next one began. When that is lost, more is sent twice, nothing never.
 */
#include "hub/record.h"

#include "base/buf.h"
#include "base/bytes.h"
#include "base/crypto.h"
#include "base/file.h"
#include "base/journal.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/seal.h"
#include "hub/alert.h"
#include "hub/asking.h"
#include "hub/events.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEGMENT_MAX (8u << 20)
#define FORM_SHIFT 56
#define SEALED 1
#define SEALED_HEAD (8 + SEAL_START_SIZE + 8)
#define SEAL_LABEL "citybrain streams"
#define LIVES_MAX 32 /* remembered; who comes with an older one's numbers goes on from what was confirmed */
#define CONFIRMED_MAX 4096
#define APPEND_PARTS 16 /* parts of a batch: HUB_EVENTS_PART each; a longer batch is ERR_TOO_LARGE */

struct life { /* of the record, before the present one */
    uint64_t epoch, end;
};

struct hub_record_stream {
    struct hub_record *record;
    const struct hub_resource *resource;
    struct journal *journal;
    struct journal_reader *reader;
    uint64_t reader_at;      /* the next record of the reader */
    struct seal_key opening; /* of the start that sealed what was read last */
    struct buf opened;       /* that */
    bool is_told;            /* that one could not be opened */
    uint64_t epoch, confirmed;
    struct life lives[LIVES_MAX]; /* the newest first */
    size_t n_lives;
    char confirmed_path[FILE_PATH_MAX];
    _Atomic uint64_t mask; /* fields that are kept */
    /* under the record's lock */
    uint64_t n_bytes, n_bytes_confirmed; /* over the journal's life */
    uint64_t n_refused;                  /* batches, since it was full; 0: it is not, by half */
    uint64_t n_appended, n_done;         /* batches */
    struct hub_settle *settles;          /* who waits for some of them */
    enum err err;
};

struct hub_record {
    struct hub_keeper keeper;
    pthread_mutex_t lock; /* guards what follows, and the streams' bytes; held while an append is handed over, so that their order is one */
    pthread_cond_t settled;
    struct hub_record_options options;
    struct hub_record_stream streams[HUB_RECORD_STREAMS_MAX];
    _Atomic size_t n_streams; /* the streams before it stay as they are */
    uint8_t master[32];       /* of options.key_path; set before the first stream */
    struct seal_key sealing;  /* of this start; not set: nothing is sealed */
    uint64_t n_sealed;        /* under the lock, as the next */
    struct buf plain;         /* of one record */
    void (*on_durable)(void *context);
    void *context;
};

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

/* record->plain as a record behind `out`. */
static void put_record(struct hub_record *record, uint64_t n_before, struct buf *out)
{
    const size_t start = out->len;
    const struct str plain = buf_str(&record->plain);
    if (!record->sealing.is_set) {
        hub_put_number(out, n_before, 8);
        buf_append_str(out, plain);
        return;
    }
    hub_put_number(out, (uint64_t)SEALED << FORM_SHIFT | n_before, 8);
    buf_append(out, record->sealing.start, SEAL_START_SIZE);
    hub_put_number(out, record->n_sealed, 8);
    uint8_t *room = (uint8_t *)buf_reserve(out, plain.len + SEAL_TAG_SIZE);
    if (!room)
        return;
    enum err err = seal_make(&record->sealing, record->n_sealed++, (struct str){out->ptr + start, SEALED_HEAD}, plain, room);
    if (err)
        out->err = err;
    else
        buf_advance(out, plain.len + SEAL_TAG_SIZE);
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
        put_record(record, stream->n_bytes + appending->bytes.len, &appending->bytes);
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

struct hub_record_place hub_record_place(struct hub_record_stream *stream)
{
    return (struct hub_record_place){
        stream->epoch, journal_first_index(stream->journal), journal_n_durable(stream->journal), stream->confirmed};
}

uint64_t hub_record_agreed(struct hub_record_stream *stream, uint64_t epoch)
{
    if (epoch == stream->epoch)
        return journal_n_durable(stream->journal);
    for (size_t i = 0; i < stream->n_lives; i++)
        if (stream->lives[i].epoch == epoch)
            return stream->lives[i].end;
    return 0;
}

static void remember(struct hub_record_stream *stream)
{
    struct buf text;
    buf_init(&text, CONFIRMED_MAX);
    buf_printf(&text, "%" PRIx64 " %" PRIu64 "\n", stream->epoch, stream->confirmed);
    for (size_t i = 0; i < stream->n_lives; i++)
        buf_printf(&text, "%" PRIx64 " %" PRIu64 "\n", stream->lives[i].epoch, stream->lives[i].end);
    enum err err = text.err ? text.err : file_replace(file_ops_system(), stream->confirmed_path, buf_str(&text));
    buf_finish(&text);
    if (err)
        log_write(LOG_WARNING, "hub", "how far the hub has a stream could not be written down; after a start more is sent twice",
            LOG_STR("resource", stream->resource->name), LOG_ERR(err), LOG_END);
}

static uint64_t bytes_before(struct str record)
{
    struct bytes_reader in;
    bytes_reader_init(&in, record.ptr, record.len);
    return bytes_read_u64be(&in) & ((UINT64_C(1) << FORM_SHIFT) - 1);
}

static bool see_end(void *context, uint64_t index, struct str record)
{
    *(uint64_t *)context = bytes_before(record) + record.len;
    return false;
}

void hub_record_confirm(struct hub_record_stream *stream, uint64_t number)
{
    uint64_t n_bytes = 0;
    if (number <= stream->confirmed || number > journal_n_durable(stream->journal))
        return;
    /* By the last record that is confirmed: the one after it may be on its way to the disk, and waits still. */
    if (journal_read(stream->journal, number - 1, see_end, &n_bytes) || n_bytes == 0)
        return; /* its disk does not answer: nothing is dropped */
    stream->confirmed = number;
    remember(stream);
    pthread_mutex_lock(&stream->record->lock);
    stream->n_bytes_confirmed = n_bytes;
    pthread_mutex_unlock(&stream->record->lock);
    if (journal_drop_before(stream->journal, number))
        log_write(LOG_WARNING, "hub", "confirmed records stay on disk", LOG_STR("resource", stream->resource->name), LOG_END);
}

uint64_t hub_record_n_waiting(struct hub_record_stream *stream)
{
    pthread_mutex_lock(&stream->record->lock);
    uint64_t n = stream->n_bytes - stream->n_bytes_confirmed;
    pthread_mutex_unlock(&stream->record->lock);
    return n;
}

struct trimming {
    uint64_t n_bytes, index; /* stay from here on */
};

static bool look_past(void *context, uint64_t index, struct str record)
{
    struct trimming *trimming = context;
    trimming->index = index;
    return bytes_before(record) < trimming->n_bytes;
}

uint64_t hub_record_trim(struct hub_record_stream *stream, uint64_t n_bytes)
{
    uint64_t first = stream->confirmed;
    pthread_mutex_lock(&stream->record->lock);
    struct trimming trimming = {.n_bytes = stream->n_bytes > n_bytes ? stream->n_bytes - n_bytes : 0, .index = first};
    pthread_mutex_unlock(&stream->record->lock);
    if (journal_read(stream->journal, first, look_past, &trimming))
        return 0;
    hub_record_confirm(stream, trimming.index);
    return stream->confirmed - first;
}

static void begin_life(struct hub_record_stream *stream)
{
    crypto_random(&stream->epoch, sizeof stream->epoch);
    stream->epoch |= 1; /* never 0 */
    remember(stream);
}

void hub_record_renew(struct hub_record_stream *stream)
{
    stream->n_lives = 0;
    begin_life(stream);
}

struct reading {
    bool (*fn)(void *context, uint64_t index, struct str record);
    void *context;
    struct hub_record_stream *stream;
    bool is_refused;
};

/* What goes out of a record; nothing, which no reader takes for events, of one that was sealed under a key that is gone. */
static struct str open_record(struct hub_record_stream *stream, struct str record)
{
    struct bytes_reader in;
    bytes_reader_init(&in, record.ptr, record.len);
    uint64_t form = bytes_read_u64be(&in) >> FORM_SHIFT;
    if (form == 0)
        return str_slice(record, 8, record.len - 8);
    struct str start = bytes_read_str(&in, SEAL_START_SIZE);
    uint64_t counter = bytes_read_u64be(&in);
    struct str sealed = bytes_read_str(&in, bytes_reader_left(&in));
    enum err err = in.err || form != SEALED ? ERR_CORRUPT : !stream->record->sealing.is_set ? ERR_STATE : ERR_OK;
    buf_reset(&stream->opened);
    uint8_t *room = err ? NULL : (uint8_t *)buf_reserve(&stream->opened, sealed.len + 1);
    if (!err && !room)
        err = stream->opened.err;
    if (!err) {
        seal_key_need(&stream->opening, STR(SEAL_LABEL), stream->record->master, (const uint8_t *)start.ptr);
        err = seal_open(&stream->opening, counter, str_slice(record, 0, SEALED_HEAD), sealed, room);
    }
    if (!err) {
        buf_advance(&stream->opened, sealed.len - SEAL_TAG_SIZE);
        return buf_str(&stream->opened);
    }
    if (!stream->is_told)
        log_write(LOG_ERROR, "hub", "a kept record cannot be opened: is its key file the one it was written under?",
            LOG_STR("resource", stream->resource->name), LOG_ERR(err), LOG_END);
    stream->is_told = true;
    return STR_NONE;
}

static bool read_one(void *context, uint64_t index, struct str record)
{
    struct reading *reading = context;
    bool goes_on = reading->fn(reading->context, index, open_record(reading->stream, record));
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

static bool count_bytes(void *context, uint64_t index, struct str record)
{
    struct hub_record_stream *stream = context;
    uint64_t before = bytes_before(record);
    if (index <= stream->confirmed || stream->n_bytes == 0)
        stream->n_bytes_confirmed = before;
    stream->n_bytes = before + record.len;
    return true;
}

/* "hex number" of a line. */
static bool read_life(struct str *text, struct life *ret_life)
{
    struct str line, epoch, number;
    char hex[32];
    if (!str_cut(*text, '\n', &line, text) || !str_cut(line, ' ', &epoch, &number) || str_to_c(epoch, hex, sizeof hex) ||
        str_to_u64(number, &ret_life->end))
        return false;
    ret_life->epoch = strtoull(hex, NULL, 16);
    return ret_life->epoch != 0;
}

/* Another life begins: what was said by the last one's numbers holds up to here, also when this is a copy of an older day. */
static void read_confirmed(struct hub_record_stream *stream)
{
    struct buf text;
    struct life last, life;
    struct hub_record_place place = hub_record_place(stream);
    buf_init(&text, 2 * CONFIRMED_MAX);
    stream->confirmed = place.first;
    enum err err = file_read(stream->confirmed_path, &text);
    struct str rest = buf_str(&text);
    if (!err && read_life(&rest, &last) && last.end >= place.first && last.end <= place.end) { /* else of another disk's */
        stream->confirmed = last.end;
        stream->lives[stream->n_lives++] = (struct life){last.epoch, place.end};
        while (stream->n_lives < LIVES_MAX && read_life(&rest, &life)) {
            life.end = life.end < place.end ? life.end : place.end;
            stream->lives[stream->n_lives++] = life;
        }
    }
    buf_finish(&text);
    begin_life(stream);
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
    int n = snprintf(stream->confirmed_path, sizeof stream->confirmed_path, "%s.confirmed", path);
    if (n < 0 || n >= (int)sizeof stream->confirmed_path)
        return ERR_TOO_LARGE;
    read_confirmed(stream);
    return journal_read(stream->journal, journal_first_index(stream->journal), count_bytes, stream);
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

/* The key of this start, when the first stream is opened. */
static enum err begin_sealing(struct hub_record *record, struct diag *diag)
{
    uint8_t start[SEAL_START_SIZE];
    const char *path = record->options.key_path;
    if (!path || record->sealing.is_set)
        return ERR_OK;
    enum err err = crypto_key_file(path, record->master);
    if (err)
        return diag_set(diag, err, path, 0, "the key of kept streams cannot be read or made: %s", err_text(err));
    crypto_random(start, sizeof start);
    seal_key_derive(&record->sealing, STR(SEAL_LABEL), record->master, start);
    return ERR_OK;
}

enum err hub_record_open_stream(struct hub_record *record, const struct hub_resource *resource, const char *dir, struct diag *diag,
    struct hub_record_stream **ret_stream)
{
    size_t n = atomic_load_explicit(&record->n_streams, memory_order_relaxed);
    if (n == HUB_RECORD_STREAMS_MAX)
        return diag_set(diag, ERR_FULL, NULL, 0, "more than %d streams are kept", HUB_RECORD_STREAMS_MAX);
    struct hub_record_stream *stream = &record->streams[n];
    *stream = (struct hub_record_stream){.record = record, .resource = resource, .mask = UINT64_MAX};
    buf_init(&stream->opened, HUB_RECORD_MAX + 1);
    enum err err = begin_sealing(record, diag);
    if (!err)
        err = open_stream(stream, dir, diag);
    if (err) {
        journal_close(stream->journal);
        return err;
    }
    atomic_store_explicit(&record->n_streams, n + 1, memory_order_release);
    if (ret_stream)
        *ret_stream = stream;
    return ERR_OK;
}

enum err hub_record_open(struct hub_record *record, struct hub *hub, struct str party, const char *dir, struct diag *diag)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < hub_n_resources(hub) && !err; i++) {
        const struct hub_resource *resource = hub_resource_at(hub, i);
        if (resource == hub_alert_resource(hub) || (resource->kind == HUB_STREAM && str_equal(resource->party, party)))
            err = hub_record_open_stream(record, resource, dir, diag, NULL);
    }
    return err;
}

void hub_record_destroy(struct hub_record *record)
{
    if (!record)
        return;
    for (size_t i = 0; i < record->n_streams; i++) {
        journal_reader_destroy(record->streams[i].reader);
        journal_close(record->streams[i].journal);
        buf_finish(&record->streams[i].opened);
    }
    buf_finish(&record->plain);
    crypto_wipe(record->master, sizeof record->master);
    crypto_wipe(&record->sealing, sizeof record->sealing);
    pthread_mutex_destroy(&record->lock);
    pthread_cond_destroy(&record->settled);
    mem_free(record);
}
