/*
 * The journal's thread and its callers' side. See base/journal.h; opening is journal_open.c, reading journal_read.c, the format
 * journal_segment.h.
 *
 * One batch's way: callers link their appends into a list under the mutex → the thread takes what is there (up to one batch's body),
 * copies it behind one header, writes it with one call, fdatasync → on_durable → each append's `done`. While it waits for the disk,
 * the next batch gathers: the slower the disk, the larger the batches.
 *
 * The file is filled with zeros ahead of the batches, AHEAD at a time: a sync that changes a file's length waits for the file system's own
 * journal, and with it for everybody else's syncs; one that overwrites does not (half the time and half the CPU of each sync on ext4). To a
 * reader, and to the next opening, zeros are what a torn batch is: not a batch (base/journal_segment.h). A clean close cuts them off.
 */
#include "base/journal.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/journal_private.h"
#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define SEGMENT_MAX_DEFAULT (64u << 20)
#define QUEUE_MAX_DEFAULT (64u << 20)
#define RECORD_MAX_DEFAULT (64u << 10)
/* One sync of some fifty has these to write; with more of them it takes longer, with less it comes more often. */
#define AHEAD (256u << 10)

/* ---- the thread ---- */

static size_t append_bytes(const struct journal_append *append)
{
    size_t bytes = 4 * append->n;
    for (size_t i = 0; i < append->n; i++)
        bytes += append->records[i].len;
    return bytes;
}

/* Takes appends from the head of the list, as many as fit one batch. NULL: the journal is closing, and empty. */
static struct journal_append *take_batch(struct journal *journal, size_t *ret_bytes, size_t *ret_n_records)
{
    pthread_mutex_lock(&journal->mutex);
    while (!journal->first && !journal->is_closing) {
        journal->is_idle = true;
        pthread_cond_wait(&journal->wake, &journal->mutex);
    }
    journal->is_idle = false;
    struct journal_append *taken = journal->first, *last = NULL;
    size_t bytes = 0, n_records = 0;
    while (journal->first) {
        size_t more = append_bytes(journal->first);
        if (bytes + more > BATCH_BODY_MAX)
            break;
        bytes += more;
        n_records += journal->first->n;
        last = journal->first;
        journal->first = last->next;
    }
    if (last)
        last->next = NULL;
    if (!journal->first)
        journal->last = NULL;
    pthread_mutex_unlock(&journal->mutex);
    *ret_bytes = bytes;
    *ret_n_records = n_records;
    return taken;
}

static void put_u32be(struct buf *buf, size_t number)
{
    uint8_t bytes[4];
    struct bytes_writer writer;
    bytes_writer_init(&writer, bytes, sizeof bytes);
    bytes_write_u32be(&writer, (uint32_t)number);
    buf_append(buf, bytes, sizeof bytes);
}

/* Fills journal->batch with room for the header and the body, and journal->records with pointers into it. */
static enum err encode_batch(struct journal *journal, const struct journal_append *appends, size_t bytes, size_t n_records)
{
    if (n_records > journal->cap_records) {
        struct str *records = mem_resize(journal->records, n_records * sizeof *records);
        if (!records)
            return ERR_NO_MEMORY;
        journal->records = records;
        journal->cap_records = n_records;
    }
    struct buf *batch = &journal->batch;
    buf_reset(batch);
    if (!buf_reserve(batch, BATCH_HEADER_SIZE + bytes)) /* at once, so that the pointers into it stay */
        return batch->err;
    buf_advance(batch, BATCH_HEADER_SIZE);
    size_t n = 0;
    for (const struct journal_append *append = appends; append; append = append->next) {
        for (size_t i = 0; i < append->n; i++) {
            put_u32be(batch, append->records[i].len);
            journal->records[n++] = (struct str){batch->ptr + batch->len, append->records[i].len};
            buf_append_str(batch, append->records[i]);
        }
    }
    assert(!batch->err && n == n_records && batch->len == BATCH_HEADER_SIZE + bytes);
    return ERR_OK;
}

/* Zeros behind the batch that ends at `end`, for the batches to come, if it used up those that were there; made durable with it. */
static enum err write_ahead(struct journal *journal, uint64_t end)
{
    static const char zeros[AHEAD];
    uint64_t max = journal->options.segment_max_bytes;
    if (end <= journal->room)
        return ERR_OK;
    journal->room = end;
    if (end >= max || journal->is_closing_file)
        return ERR_OK; /* the last batch of its segment */
    size_t len = max - end < AHEAD ? (size_t)(max - end) : AHEAD;
    enum err err = file_write_all(journal->files, journal->fd, zeros, len, end);
    if (!err)
        journal->room = end + len;
    return err == ERR_DISK_FULL ? ERR_OK : err; /* a batch that fits is still taken */
}

static enum err write_batch(struct journal *journal, size_t n_records)
{
    uint8_t *bytes = (uint8_t *)journal->batch.ptr;
    size_t body_len = journal->batch.len - BATCH_HEADER_SIZE;
    struct batch_head head = {
        .first_index = journal->next_index,
        .n_records = (uint32_t)n_records,
        .body_len = (uint32_t)body_len,
        .body_crc = batch_body_crc(bytes + BATCH_HEADER_SIZE, body_len),
    };
    batch_head_write(&head, journal->salt, bytes); /* the salt is the segment's */
    int64_t from_ns = clock_mono(clock_system()).ns;
    enum err err = file_write_all(journal->files, journal->fd, journal->batch.ptr, journal->batch.len, journal->at);
    if (!err)
        err = write_ahead(journal, journal->at + journal->batch.len);
    if (!err && journal->files->sync(journal->files, &journal->fd, 1) != 0)
        err = err_from_errno(errno);
    metric_observe_us(&journal->sync_took, (clock_mono(clock_system()).ns - from_ns) / 1000);
    if (!err) {
        journal->at += journal->batch.len;
        metric_add(&journal->n_bytes, journal->batch.len);
    }
    return err;
}

/* Room in the list of segments was reserved. */
static enum err next_segment(struct journal *journal)
{
    enum err err = journal_start_segment(journal, journal->next_index);
    if (err)
        return err;
    pthread_mutex_lock(&journal->mutex);
    journal->segments[journal->n_segments++] = journal->next_index;
    pthread_mutex_unlock(&journal->mutex);
    return ERR_OK;
}

static void run_done(struct loop_task *task)
{
    struct journal_append *append = container_of(task, struct journal_append, task);
    append->done(append);
}

static void finish_appends(struct journal *journal, struct journal_append *appends, size_t bytes, enum err err, uint64_t first_index)
{
    pthread_mutex_lock(&journal->mutex);
    journal->queued_bytes -= bytes;
    pthread_mutex_unlock(&journal->mutex);
    while (appends) {
        struct journal_append *append = appends;
        appends = append->next; /* from `done` on, the append is its owner's again */
        append->err = err;
        append->first_index = first_index;
        first_index += append->n;
        append->task.fn = run_done;
        if (append->loop)
            loop_post(append->loop, &append->task);
        else
            append->done(append);
    }
}

static void stop(struct journal *journal, enum err err)
{
    pthread_mutex_lock(&journal->mutex);
    bool is_first = !journal->stopped;
    journal->stopped = err;
    pthread_mutex_unlock(&journal->mutex);
    if (is_first && journal->options.on_stopped)
        journal->options.on_stopped(journal->options.context, err);
}

static void handle_batch(struct journal *journal, struct journal_append *appends, size_t bytes, size_t n_records)
{
    uint64_t first_index = journal->next_index;
    /* a segment of no records keeps its name, so it is not left */
    bool is_full = journal->at >= journal->options.segment_max_bytes && journal->next_index > journal->segment_first_index;
    pthread_mutex_lock(&journal->mutex);
    enum err err = journal->stopped;
    enum err memory_err = !err && is_full ? journal_reserve_segment(journal) : ERR_OK;
    pthread_mutex_unlock(&journal->mutex);
    if (!err && !memory_err)
        memory_err = encode_batch(journal, appends, bytes, n_records);
    if (memory_err) { /* nothing was written: these appends fail, the journal goes on */
        finish_appends(journal, appends, bytes, memory_err, 0);
        return;
    }
    if (!err && is_full)
        err = next_segment(journal);
    if (!err)
        err = write_batch(journal, n_records);
    if (err) {
        stop(journal, err);
        finish_appends(journal, appends, bytes, err, 0);
        return;
    }
    journal->is_closed = false;
    journal->next_index += n_records;
    atomic_store_explicit(&journal->n_durable, journal->next_index, memory_order_release);
    if (journal->options.on_durable)
        journal->options.on_durable(journal->options.context, first_index, journal->records, n_records);
    finish_appends(journal, appends, bytes, ERR_OK, first_index);
}

/* The mark of a clean close; without it the last batch merely cannot be told from a torn one. What was filled ahead goes. */
static void close_file(struct journal *journal)
{
    bool has_room = journal->room > journal->at;
    if (journal->stopped)
        return;
    journal->is_closing_file = true;
    if (!journal->is_closed && !encode_batch(journal, NULL, 0, 0) && !write_batch(journal, 0))
        journal->is_closed = true;
    if (has_room && journal->is_closed)
        (void)journal->files->truncate(journal->files, journal->fd, journal->at); /* left, the next opening cuts it */
}

static void *run(void *context)
{
    struct journal *journal = context;
    pthread_setname_np(pthread_self(), "journal");
    for (;;) {
        size_t bytes, n_records;
        struct journal_append *appends = take_batch(journal, &bytes, &n_records);
        if (!appends)
            break;
        handle_batch(journal, appends, bytes, n_records);
    }
    close_file(journal);
    return NULL;
}

/* ---- the callers' side ---- */

enum err journal_append(struct journal *journal, struct journal_append *append)
{
    assert(append->n > 0 && append->done);
    for (size_t i = 0; i < append->n; i++) {
        if (append->records[i].len > journal->options.record_max_bytes)
            return ERR_TOO_LARGE;
    }
    size_t bytes = append_bytes(append);
    if (bytes > JOURNAL_APPEND_MAX)
        return ERR_TOO_LARGE;
    append->next = NULL;
    append->err = ERR_OK;
    pthread_mutex_lock(&journal->mutex);
    enum err err = journal->stopped;
    if (!err && journal->is_closing)
        err = ERR_STATE;
    if (!err && journal->queued_bytes + bytes > journal->options.queue_max_bytes)
        err = ERR_FULL;
    if (!err) {
        if (journal->last)
            journal->last->next = append;
        else
            journal->first = append;
        journal->last = append;
        journal->queued_bytes += bytes;
        if (journal->is_idle) {
            journal->is_idle = false;
            pthread_cond_signal(&journal->wake);
        }
    }
    pthread_mutex_unlock(&journal->mutex);
    if (err == ERR_FULL)
        metric_add(&journal->n_refused, 1);
    return err;
}

void journal_measure(struct journal *journal, struct metric_page *page, struct str of)
{
    static const struct metric durable = {
        "citybrain_journal_records_total", METRIC_COUNTER, "Records durable since the journal began", {"journal"}};
    static const struct metric bytes = {"citybrain_journal_bytes_total", METRIC_COUNTER, "Bytes written since the start", {"journal"}};
    static const struct metric segments = {"citybrain_journal_segments", METRIC_GAUGE, "Files that it has on disk", {"journal"}};
    static const struct metric took = {
        "citybrain_journal_sync_seconds", METRIC_HISTOGRAM, "Writing and fdatasync of one batch", {"journal"}};
    static const struct metric stopped = {
        "citybrain_journal_stopped", METRIC_GAUGE, "1: the disk refused, nothing more is taken", {"journal"}};
    pthread_mutex_lock(&journal->mutex);
    size_t n_queued = journal->queued_bytes, n_segments = journal->n_segments;
    bool is_stopped = journal->stopped;
    pthread_mutex_unlock(&journal->mutex);
    metric_put_queue(page, "journal_bytes", of, n_queued, journal->options.queue_max_bytes, &journal->n_refused);
    metric_put_count(page, &durable, journal_n_durable(journal), &of);
    metric_put_counter(page, &bytes, &journal->n_bytes, &of);
    metric_put_count(page, &segments, n_segments, &of);
    metric_put_count(page, &stopped, is_stopped, &of);
    metric_put_histogram(page, &took, &journal->sync_took, &of);
}

struct waiting {
    struct journal_append append;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool is_done;
};

static void stop_waiting(struct journal_append *append)
{
    struct waiting *waiting = container_of(append, struct waiting, append);
    pthread_mutex_lock(&waiting->mutex);
    waiting->is_done = true;
    pthread_cond_signal(&waiting->wake);
    pthread_mutex_unlock(&waiting->mutex);
}

enum err journal_append_wait(struct journal *journal, struct str record, uint64_t *ret_index)
{
    struct waiting waiting = {.append = {.records = &record, .n = 1, .done = stop_waiting}};
    pthread_mutex_init(&waiting.mutex, NULL);
    pthread_cond_init(&waiting.wake, NULL);
    enum err err = journal_append(journal, &waiting.append);
    if (!err) {
        pthread_mutex_lock(&waiting.mutex);
        while (!waiting.is_done)
            pthread_cond_wait(&waiting.wake, &waiting.mutex);
        pthread_mutex_unlock(&waiting.mutex);
        err = waiting.append.err;
    }
    pthread_cond_destroy(&waiting.wake);
    pthread_mutex_destroy(&waiting.mutex);
    if (!err && ret_index)
        *ret_index = waiting.append.first_index;
    return err;
}

uint64_t journal_first_index(struct journal *journal)
{
    pthread_mutex_lock(&journal->mutex);
    uint64_t first_index = journal->segments[0];
    pthread_mutex_unlock(&journal->mutex);
    return first_index;
}

uint64_t journal_n_durable(struct journal *journal)
{
    return atomic_load_explicit(&journal->n_durable, memory_order_acquire);
}

enum err journal_error(struct journal *journal)
{
    pthread_mutex_lock(&journal->mutex);
    enum err err = journal->stopped;
    pthread_mutex_unlock(&journal->mutex);
    return err;
}

enum err journal_drop_before(struct journal *journal, uint64_t index)
{
    enum err err = ERR_OK;
    for (;;) {
        uint64_t oldest = 0;
        pthread_mutex_lock(&journal->mutex);
        bool is_old = journal->n_segments > 1 && journal->segments[1] <= index;
        if (is_old) { /* out of the list first: no reader finds it any more */
            oldest = journal->segments[0];
            journal->n_segments--;
            memmove(journal->segments, journal->segments + 1, journal->n_segments * sizeof *journal->segments);
        }
        pthread_mutex_unlock(&journal->mutex);
        if (!is_old)
            return err;
        char path[FILE_PATH_MAX];
        journal_segment_path(journal, oldest, path);
        if (journal->files->remove(journal->files, path) != 0)
            err = err_from_errno(errno); /* left behind: found and dropped after the next opening */
    }
}

static void destroy(struct journal *journal)
{
    if (journal->fd >= 0)
        close(journal->fd);
    if (journal->lock_fd >= 0)
        close(journal->lock_fd);
    buf_finish(&journal->batch);
    mem_free(journal->records);
    mem_free(journal->segments);
    pthread_cond_destroy(&journal->wake);
    pthread_mutex_destroy(&journal->mutex);
    mem_free(journal);
}

enum err journal_open(const struct journal_options *options, struct diag *diag, struct journal **ret_journal)
{
    struct journal *journal = mem_alloc_zero(1, sizeof *journal);
    if (!journal)
        return ERR_NO_MEMORY;
    journal->options = *options;
    struct journal_options *o = &journal->options;
    o->segment_max_bytes = o->segment_max_bytes ? o->segment_max_bytes : SEGMENT_MAX_DEFAULT;
    o->queue_max_bytes = o->queue_max_bytes ? o->queue_max_bytes : QUEUE_MAX_DEFAULT;
    o->record_max_bytes = o->record_max_bytes ? o->record_max_bytes : RECORD_MAX_DEFAULT;
    journal->files = o->files ? o->files : file_ops_system();
    journal->fd = journal->lock_fd = -1;
    buf_init(&journal->batch, BATCH_HEADER_SIZE + BATCH_BODY_MAX);
    pthread_mutex_init(&journal->mutex, NULL);
    pthread_cond_init(&journal->wake, NULL);
    enum err err = str_to_c(str_from_c(options->dir), journal->dir, sizeof journal->dir);
    o->dir = journal->dir;
    if (!err)
        err = journal_recover(journal, diag);
    atomic_store(&journal->n_durable, journal->next_index);
    if (!err && pthread_create(&journal->thread, NULL, run, journal) != 0)
        err = ERR_NO_MEMORY;
    if (err)
        destroy(journal);
    else
        *ret_journal = journal;
    return err;
}

void journal_stop(struct journal *journal)
{
    pthread_mutex_lock(&journal->mutex);
    bool is_running = !journal->is_closing;
    journal->is_closing = true;
    pthread_cond_signal(&journal->wake);
    pthread_mutex_unlock(&journal->mutex);
    if (is_running)
        pthread_join(journal->thread, NULL);
}

void journal_close(struct journal *journal)
{
    if (!journal)
        return;
    journal_stop(journal);
    destroy(journal);
}
