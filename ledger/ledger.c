/*
 * The ledger: appends, its tiles' thread, proofs. See ledger/ledger.h.
 *
 * Two threads. The journal's makes leaves durable and acknowledges them; it never waits for the second. The tiles' thread follows the
 * journal through its files (the page cache, as a rule), so a backlog costs no memory, and catching up after a crash is the same code
 * as every day. Who asks for proofs sees the checkpoint as of the last publication, under a mutex.
 */
#include "ledger/ledger.h"

#include "base/bytes.h"
#include "base/log.h"
#include "base/mem.h"
#include "ledger/builder.h"
#include "ledger/proof.h"
#include "ledger/publisher.h"
#include "ledger/retention.h"
#include "ledger/sm_log.h"
#include "ledger/tile.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define JOURNAL_SEGMENT_BYTES (16u << 20) /* what is read through at a start; a few seconds of full load */
#define LEAVES_BETWEEN_LOOKS 1024         /* at the clock, while catching up */
#define RETENTION_LOOK_MS 3600000

struct ledger {
    struct ledger_options options;
    char static_dir[FILE_PATH_MAX];
    char origin[256];
    struct journal *journal;
    struct tile_cache *cache;
    pthread_t thread;
    _Atomic uint64_t n_built, n_published; /* n_published: as `published` below, for those who may not wait */
    _Atomic int failed;                    /* an enum err: of the tiles' thread */
    _Atomic bool is_told;
    _Atomic uint64_t minimum;
    _Atomic bool is_closing;
    _Atomic int64_t checkpoint_ms; /* wall time of the last publication, or of the opening */
    struct metric_counter n_refused;
    struct metric_histogram publish_took; /* from when a checkpoint is wanted until it stands, with its quorum */

    pthread_mutex_t mutex;   /* guards what follows */
    pthread_cond_t wake;     /* the thread has leaves to take, or is told something */
    pthread_cond_t was_done; /* something was published, or the thread failed */
    bool has_work, has_answers, must_end, has_ended;
    uint64_t wanted; /* leaves that somebody waits to see published */
    uint64_t published;
    struct buf checkpoint; /* of `published` leaves */

    /* the thread's own */
    struct builder builder;
    struct sm_log *sm_log; /* NULL: there is none */
    struct journal_reader *reader;
    struct publisher publisher; /* with a policy */
    bool has_publisher;
    struct mono_time last_checkpoint; /* with a policy: of the last one prepared */
    int64_t retention_due_ms;
    int64_t close_due_ms; /* once the end was asked for: when a quorum is no longer waited for */
    enum err take_err;
};

/* ---- the tiles' thread ---- */

/* On the journal's thread, before the batch is acknowledged: only a nudge. */
static void note_durable(void *context, uint64_t first_index, const struct str *records, size_t n)
{
    struct ledger *ledger = context;
    pthread_mutex_lock(&ledger->mutex);
    if (!ledger->has_work) {
        ledger->has_work = true;
        pthread_cond_signal(&ledger->wake);
    }
    pthread_mutex_unlock(&ledger->mutex);
}

static bool take_leaf(void *context, uint64_t index, struct str leaf)
{
    struct ledger *ledger = context;
    assert(index == ledger->builder.edge.size);
    ledger->take_err = builder_add(&ledger->builder, leaf);
    if (!ledger->take_err && ledger->sm_log)
        ledger->take_err = sm_log_take(ledger->sm_log, index, leaf);
    atomic_store_explicit(&ledger->n_built, index + 1, memory_order_release);
    return !ledger->take_err && (index + 1) % LEAVES_BETWEEN_LOOKS != 0;
}

static int64_t now_ms(struct ledger *ledger)
{
    return clock_mono(ledger->options.clock).ns / 1000000;
}

static int64_t ms_until_checkpoint(struct ledger *ledger)
{
    int64_t passed = mono_ms_between(ledger->last_checkpoint, clock_mono(ledger->options.clock));
    return passed >= ledger->options.checkpoint_ms ? 0 : ledger->options.checkpoint_ms - passed;
}

static void look_at_retention(struct ledger *ledger)
{
    uint64_t minimum;
    int64_t now = now_ms(ledger);
    if (ledger->options.kept_ms == 0 || now < ledger->retention_due_ms)
        return;
    ledger->retention_due_ms = now + RETENTION_LOOK_MS;
    struct wall_time since = {clock_wall(ledger->options.clock).ms - ledger->options.kept_ms};
    enum err err = retention_minimum(ledger->static_dir, ledger->builder.published, since, &minimum);
    if (err)
        log_write(LOG_WARNING, "ledger", "which entries are old cannot be seen; they go on being served", LOG_ERR(err), LOG_END);
    else
        atomic_store(&ledger->minimum, minimum);
}

uint64_t ledger_minimum(struct ledger *ledger)
{
    return atomic_load_explicit(&ledger->minimum, memory_order_relaxed);
}

/* The checkpoint on disk is a new one: for those who ask, and for the journal. */
static enum err note_published(struct ledger *ledger)
{
    uint64_t size = ledger->builder.published;
    enum err err = ledger->sm_log ? sm_log_publish(ledger->sm_log) : ERR_OK;
    if (err)
        return err;
    atomic_store_explicit(&ledger->checkpoint_ms, clock_wall(ledger->options.clock).ms, memory_order_relaxed);
    metric_observe_us(&ledger->publish_took, (clock_mono(ledger->options.clock).ns - ledger->last_checkpoint.ns) / 1000);
    pthread_mutex_lock(&ledger->mutex);
    buf_reset(&ledger->checkpoint);
    buf_append_str(&ledger->checkpoint, buf_str(&ledger->builder.note));
    err = ledger->checkpoint.err;
    if (!err)
        ledger->published = size;
    atomic_store_explicit(&ledger->n_published, size, memory_order_release);
    pthread_cond_broadcast(&ledger->was_done);
    pthread_mutex_unlock(&ledger->mutex);
    look_at_retention(ledger);
    if (ledger->sm_log)
        sm_log_anchor(ledger->sm_log, ledger, buf_str(&ledger->builder.note));
    /* what the published bundles hold is durable twice; the rest of the last bundle stays in the journal, too */
    return err ? err : journal_drop_before(ledger->journal, size - size % MERKLE_TILE);
}

static bool has_unpublished(const struct ledger *ledger)
{
    return ledger->has_publisher ? publisher_has_something(&ledger->publisher) : ledger->builder.edge.size > ledger->builder.published;
}

/* Publishes what there is when its time has come, or `must`. */
static enum err publish(struct ledger *ledger, bool must)
{
    bool is_due = must || ms_until_checkpoint(ledger) == 0, is_published = true;
    enum err err;
    if (!ledger->has_publisher) {
        if (!is_due || !has_unpublished(ledger))
            return ERR_OK;
        ledger->last_checkpoint = clock_mono(ledger->options.clock);
        err = builder_publish(&ledger->builder);
    } else {
        uint64_t n_durable = journal_n_durable(ledger->journal);
        int64_t begun_ms = ledger->publisher.gather.begun_ms;
        err = publisher_turn(&ledger->publisher, is_due, n_durable, now_ms(ledger), &is_published);
        if (ledger->publisher.gather.begun_ms != begun_ms) /* a round has begun */
            ledger->last_checkpoint = clock_mono(ledger->options.clock);
    }
    return err || !is_published ? err : note_published(ledger);
}

static int64_t sooner(int64_t wait_ms, int64_t other_ms) /* -1: never */
{
    return wait_ms < 0 || other_ms < wait_ms ? other_ms : wait_ms;
}

/* Until something has to be done that nobody tells the thread of; -1: nothing. */
static int64_t ms_until_turn(struct ledger *ledger)
{
    const struct gather *gather = &ledger->publisher.gather;
    int64_t wait_ms = ledger->has_publisher ? publisher_wait_ms(&ledger->publisher, now_ms(ledger)) : -1;
    int64_t checkpoint_ms = ms_until_checkpoint(ledger);
    if (has_unpublished(ledger) && !(ledger->has_publisher && gather->is_open)) {
        wait_ms = sooner(wait_ms, checkpoint_ms);
    } else if (has_unpublished(ledger) && ledger->builder.edge.size > gather->size) { /* a newer round takes this one's place */
        int64_t round_ms = gather->begun_ms + GATHER_ROUND_MS - now_ms(ledger);
        wait_ms = sooner(wait_ms, round_ms > checkpoint_ms ? round_ms : checkpoint_ms);
    }
    if (ledger->close_due_ms >= 0) {
        int64_t close_ms = ledger->close_due_ms - now_ms(ledger);
        wait_ms = sooner(wait_ms, close_ms > 0 ? close_ms : 0);
    }
    return wait_ms;
}

/* Waits for leaves, answers of witnesses, the moment of the next checkpoint when one is due, or to be told. */
static void wait_for_work(struct ledger *ledger, bool *ret_must_end)
{
    struct timespec until;
    int64_t wait_ms = ms_until_turn(ledger);
    bool is_gathering = ledger->has_publisher && ledger->publisher.gather.is_open;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + (wait_ms > 0 ? wait_ms : 0) * 1000000;
    until.tv_sec += ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    pthread_mutex_lock(&ledger->mutex);
    while (!ledger->has_work && !ledger->has_answers && !(ledger->wanted > ledger->published && !is_gathering) &&
           !(ledger->must_end && ledger->close_due_ms < 0)) {
        if (wait_ms < 0)
            pthread_cond_wait(&ledger->wake, &ledger->mutex);
        else if (pthread_cond_timedwait(&ledger->wake, &ledger->mutex, &until) == ETIMEDOUT)
            break;
    }
    ledger->has_work = ledger->has_answers = false;
    *ret_must_end = ledger->must_end;
    pthread_mutex_unlock(&ledger->mutex);
}

/* Somebody waits for a publication, still. */
static bool is_wanted(struct ledger *ledger)
{
    pthread_mutex_lock(&ledger->mutex);
    bool is_wanted = ledger->wanted > ledger->published;
    pthread_mutex_unlock(&ledger->mutex);
    return is_wanted;
}

static bool is_behind(const struct ledger *ledger)
{
    return ledger->builder.edge.size < journal_n_durable(ledger->journal);
}

/* Takes what is durable, a piece at a time, and publishes whenever the second has passed. */
static enum err catch_up(struct ledger *ledger)
{
    while (is_behind(ledger)) {
        enum err err = journal_reader_read(ledger->reader, take_leaf, ledger);
        if (!err)
            err = ledger->take_err;
        if (!err)
            err = publish(ledger, false);
        if (err)
            return err;
    }
    return ERR_OK;
}

static void tell_fatal(struct ledger *ledger, enum err err)
{
    if (ledger->options.fatal && !atomic_exchange(&ledger->is_told, true))
        ledger->options.fatal(ledger->options.fatal_context, err);
}

/* Asked to end: without witnesses at once; else when all is published, or a quorum was waited for long enough. */
static bool may_end(struct ledger *ledger)
{
    if (!ledger->has_publisher || !has_unpublished(ledger))
        return true;
    if (ledger->close_due_ms < 0)
        ledger->close_due_ms = now_ms(ledger) + LEDGER_CLOSE_MS;
    return now_ms(ledger) >= ledger->close_due_ms;
}

static void *run(void *context)
{
    struct ledger *ledger = context;
    pthread_setname_np(pthread_self(), "ledger");
    bool must_end = false;
    enum err err = ERR_OK;
    do {
        wait_for_work(ledger, &must_end);
        err = catch_up(ledger);
        if (!err)
            err = publish(ledger, must_end || is_wanted(ledger));
    } while (!err && !(must_end && may_end(ledger)));
    if (err) {
        atomic_store(&ledger->failed, (int)err);
        log_write(LOG_ERROR, "ledger", "tiles cannot be written; nothing more is acknowledged; mend the disk and start again", LOG_ERR(err),
            LOG_TEXT("dir", ledger->static_dir), LOG_INT("published", (int64_t)ledger->builder.published), LOG_END);
    }
    pthread_mutex_lock(&ledger->mutex);
    ledger->has_ended = true;
    pthread_cond_broadcast(&ledger->was_done);
    pthread_mutex_unlock(&ledger->mutex);
    if (err)
        tell_fatal(ledger, err);
    return NULL;
}

/* ---- opening and closing ---- */

static void note_stopped(void *context, enum err err)
{
    tell_fatal(context, err);
}

/* The journal has to hold every leaf from the checkpoint on; otherwise acknowledged leaves would be lost, or their places given twice. */
static enum err check_journal(struct ledger *ledger, struct diag *diag)
{
    uint64_t published = ledger->builder.published, first = journal_first_index(ledger->journal), end = journal_n_durable(ledger->journal);
    if (first <= published && published <= end)
        return ERR_OK;
    return diag_set(diag, ERR_CORRUPT, ledger->options.dir, 0,
        "the checkpoint covers %" PRIu64 " leaves, but the journal holds %" PRIu64 " to %" PRIu64
        ": checkpoint, tiles and journal are not of one moment; restore the whole folder from one copy",
        published, first, end);
}

/* The parallel log has what the log has published at least, and never more than is durable. */
static enum err open_sm_log(struct ledger *ledger, struct diag *diag)
{
    const struct ledger_options *options = &ledger->options;
    char dir[FILE_PATH_MAX];
    enum err err = file_join(dir, options->dir, "log-sm3");
    if (err)
        return diag_set(diag, err, options->dir, 0, "the folder's path is too long");
    struct sm_log_options sm_options = {.dir = dir, .origin = options->sm_origin, .key = options->sm_key, .files = options->files};
    err = sm_log_open(&sm_options, diag, &ledger->sm_log);
    if (!err && sm_log_n_taken(ledger->sm_log) > journal_n_durable(ledger->journal))
        err = diag_set(diag, ERR_CORRUPT, dir, 0,
            "the parallel log has more leaves than the journal: they are not of one moment; restore the whole folder from one copy");
    return err ? err : sm_log_catch_up(ledger->sm_log, ledger->static_dir, ledger->builder.published, diag);
}

static enum err open_parts(struct ledger *ledger, struct diag *diag)
{
    const struct ledger_options *options = &ledger->options;
    char journal_dir[FILE_PATH_MAX];
    enum err err = file_join(journal_dir, options->dir, "journal");
    if (!err)
        err = file_join(ledger->static_dir, options->dir, "log");
    if (!err)
        err = str_to_c(options->origin, ledger->origin, sizeof ledger->origin);
    if (err)
        return diag_set(diag, err, options->dir, 0, "the folder's path or the log's name is too long");
    err = file_make_dirs(options->files, ledger->static_dir);
    if (err)
        return diag_set(diag, err, ledger->static_dir, 0, "the folder cannot be made (%s)", strerror(errno));
    struct journal_options journal_options = {
        .dir = journal_dir,
        .segment_max_bytes = options->journal_max_bytes,
        .record_max_bytes = LEDGER_LEAF_MAX,
        .on_durable = note_durable,
        .on_stopped = note_stopped,
        .context = ledger,
        .files = options->files,
    };
    err = journal_open(&journal_options, diag, &ledger->journal);
    if (!err)
        err = builder_init(&ledger->builder, options->files, ledger->static_dir, str_from_c(ledger->origin),
            (struct builder_key){.ed25519 = options->key}, diag);
    if (!err)
        err = check_journal(ledger, diag);
    if (!err)
        err = journal_reader_create(ledger->journal, ledger->builder.published, &ledger->reader);
    if (!err)
        err = tile_cache_create(ledger->static_dir, &ledger->cache);
    if (!err && options->sm_key)
        err = open_sm_log(ledger, diag);
    if (err || !options->policy)
        return err;
    ledger->has_publisher = true;
    struct publisher with = {
        .builder = &ledger->builder, .cache = ledger->cache, .policy = options->policy, .sender = options->sender, .ledger = ledger};
    return publisher_init(&ledger->publisher, &with, diag);
}

static void destroy(struct ledger *ledger)
{
    journal_reader_destroy(ledger->reader);
    journal_close(ledger->journal);
    if (ledger->has_publisher)
        publisher_finish(&ledger->publisher);
    sm_log_close(ledger->sm_log);
    builder_finish(&ledger->builder);
    tile_cache_destroy(ledger->cache);
    buf_finish(&ledger->checkpoint);
    pthread_cond_destroy(&ledger->was_done);
    pthread_cond_destroy(&ledger->wake);
    pthread_mutex_destroy(&ledger->mutex);
    mem_free(ledger);
}

enum err ledger_open(const struct ledger_options *options, struct diag *diag, struct ledger **ret_ledger)
{
    struct ledger *ledger = mem_alloc_zero(1, sizeof *ledger);
    if (!ledger)
        return ERR_NO_MEMORY;
    ledger->options = *options;
    ledger->close_due_ms = -1;
    struct ledger_options *o = &ledger->options;
    o->files = o->files ? o->files : file_ops_system();
    o->checkpoint_ms = o->checkpoint_ms ? o->checkpoint_ms : LEDGER_CHECKPOINT_MS;
    o->unpublished_max = o->unpublished_max ? o->unpublished_max : LEDGER_UNPUBLISHED_MAX;
    o->journal_max_bytes = o->journal_max_bytes ? o->journal_max_bytes : JOURNAL_SEGMENT_BYTES;
    buf_init(&ledger->checkpoint, NOTE_MAX);
    pthread_mutex_init(&ledger->mutex, NULL);
    pthread_cond_init(&ledger->was_done, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&ledger->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    enum err err = open_parts(ledger, diag);
    if (!err) {
        buf_append_str(&ledger->checkpoint, buf_str(&ledger->builder.note));
        err = ledger->checkpoint.err;
    }
    if (!err) {
        o->dir = NULL; /* the caller's */
        o->origin = str_from_c(ledger->origin);
        ledger->published = ledger->builder.published;
        atomic_store(&ledger->n_built, ledger->published);
        atomic_store(&ledger->n_published, ledger->published);
        ledger->has_work = is_behind(ledger);
        ledger->retention_due_ms = now_ms(ledger);
        look_at_retention(ledger);
        atomic_store(&ledger->checkpoint_ms, clock_wall(o->clock).ms);
        ledger->last_checkpoint = (struct mono_time){clock_mono(o->clock).ns - o->checkpoint_ms * 1000000};
        err = pthread_create(&ledger->thread, NULL, run, ledger) == 0 ? ERR_OK : ERR_NO_MEMORY;
    }
    if (err)
        destroy(ledger);
    else
        *ret_ledger = ledger;
    return err;
}

void ledger_close(struct ledger *ledger)
{
    if (!ledger)
        return;
    atomic_store(&ledger->is_closing, true);
    journal_stop(ledger->journal); /* first, so that the last checkpoint covers all that is durable */
    pthread_mutex_lock(&ledger->mutex);
    ledger->must_end = true;
    pthread_cond_signal(&ledger->wake);
    pthread_mutex_unlock(&ledger->mutex);
    pthread_join(ledger->thread, NULL);
    if (ledger->has_publisher)
        ledger->options.sender->stop(ledger->options.sender);
    destroy(ledger);
}

/* ---- the callers' side ---- */

static void note_appended(struct journal_append *journal_append)
{
    struct ledger_append *append = container_of(journal_append, struct ledger_append, journal);
    append->err = journal_append->err;
    append->index = journal_append->first_index;
    append->done(append);
}

enum err ledger_error(struct ledger *ledger)
{
    enum err err = (enum err)atomic_load_explicit(&ledger->failed, memory_order_relaxed);
    return err ? err : journal_error(ledger->journal);
}

bool ledger_is_full(struct ledger *ledger)
{
    /* in this order: what is published was built and what is built was durable before, so no difference goes below zero while all move on
     */
    uint64_t n_published = atomic_load_explicit(&ledger->n_published, memory_order_acquire);
    uint64_t n_built = atomic_load_explicit(&ledger->n_built, memory_order_acquire);
    return journal_n_durable(ledger->journal) - n_built > LEDGER_BEHIND_MAX ||
           (ledger->has_publisher && n_built - n_published > ledger->options.unpublished_max); /* no quorum, since long */
}

enum err ledger_append(struct ledger *ledger, struct ledger_append *append)
{
    enum err err = (enum err)atomic_load_explicit(&ledger->failed, memory_order_relaxed);
    if (err)
        return err;
    if (atomic_load_explicit(&ledger->is_closing, memory_order_relaxed))
        return ERR_STATE;
    if (ledger_is_full(ledger)) {
        metric_add(&ledger->n_refused, 1);
        return ERR_FULL;
    }
    append->journal = (struct journal_append){.records = &append->leaf, .n = 1, .loop = append->loop, .done = note_appended};
    return journal_append(ledger->journal, &append->journal);
}

uint64_t ledger_n_durable(struct ledger *ledger)
{
    return journal_n_durable(ledger->journal);
}

uint64_t ledger_n_published(struct ledger *ledger)
{
    pthread_mutex_lock(&ledger->mutex);
    uint64_t published = ledger->published;
    pthread_mutex_unlock(&ledger->mutex);
    return published;
}

enum err ledger_publish(struct ledger *ledger)
{
    uint64_t wanted = journal_n_durable(ledger->journal);
    pthread_mutex_lock(&ledger->mutex);
    if (ledger->wanted < wanted)
        ledger->wanted = wanted;
    pthread_cond_signal(&ledger->wake);
    while (ledger->published < wanted && !ledger->has_ended)
        pthread_cond_wait(&ledger->was_done, &ledger->mutex);
    pthread_mutex_unlock(&ledger->mutex);
    return (enum err)atomic_load(&ledger->failed);
}

void ledger_answered(struct ledger *ledger, size_t witness, enum err err, int status, struct str body)
{
    publisher_put_answer(&ledger->publisher, witness, err, status, body);
    pthread_mutex_lock(&ledger->mutex);
    ledger->has_answers = true;
    pthread_cond_signal(&ledger->wake);
    pthread_mutex_unlock(&ledger->mutex);
}

void ledger_status(struct ledger *ledger, struct ledger_status *ret_status)
{
    *ret_status = (struct ledger_status){.has_witnesses = false};
    if (ledger->has_publisher)
        publisher_status(&ledger->publisher, ret_status);
    ret_status->n_published = ledger_n_published(ledger);
    ret_status->n_durable = journal_n_durable(ledger->journal);
    ret_status->checkpoint_ms = atomic_load_explicit(&ledger->checkpoint_ms, memory_order_relaxed);
}

static void measure_witnesses(const struct ledger_status *status, struct metric_page *page)
{
    static const struct metric cosigns = {"citybrain_ledger_witness_cosigns", METRIC_GAUGE, "1: the witness cosigns", {"witness"}};
    static const struct metric size = {"citybrain_ledger_witness_size", METRIC_GAUGE, "Leaves under what it cosigned last", {"witness"}};
    static const struct metric halted = {
        "citybrain_ledger_halted", METRIC_GAUGE, "1: leaves wait for a quorum of witnesses since some seconds", {NULL}};
    if (!status->has_witnesses)
        return;
    metric_put_count(page, &halted, status->is_halted, NULL);
    for (size_t i = 0; i < status->n_witnesses; i++) {
        metric_put_count(page, &cosigns, status->witnesses[i].cosigns, &status->witnesses[i].name);
        metric_put_count(page, &size, status->witnesses[i].size, &status->witnesses[i].name);
    }
}

void ledger_measure(struct ledger *ledger, struct metric_page *page)
{
    static const struct metric durable = {"citybrain_ledger_leaves_total", METRIC_COUNTER, "Leaves durable since the log began", {NULL}};
    static const struct metric published = {
        "citybrain_ledger_published_leaves", METRIC_GAUGE, "Leaves under the newest checkpoint", {NULL}};
    static const struct metric age = {"citybrain_ledger_checkpoint_age_seconds", METRIC_GAUGE,
        "Since the newest checkpoint was published; grows while nothing happens", {NULL}};
    static const struct metric took = {
        "citybrain_ledger_publish_seconds", METRIC_HISTOGRAM, "Making and publishing a checkpoint, with its quorum", {NULL}};
    struct ledger_status status;
    ledger_status(ledger, &status);
    uint64_t n_built = atomic_load_explicit(&ledger->n_built, memory_order_relaxed), n = status.n_durable;
    journal_measure(ledger->journal, page, STR("ledger"));
    metric_put_count(page, &durable, n, NULL);
    metric_put_count(page, &published, status.n_published, NULL);
    metric_put(page, &age, (double)(clock_wall(ledger->options.clock).ms - status.checkpoint_ms) / 1000, NULL);
    metric_put_histogram(page, &took, &ledger->publish_took, NULL);
    metric_put_queue(page, "ledger_untiled", STR("leaves"), n > n_built ? n - n_built : 0, LEDGER_BEHIND_MAX, &ledger->n_refused);
    if (ledger->has_publisher)
        metric_put_queue(page, "ledger_unpublished", STR("leaves"), n > status.n_published ? n - status.n_published : 0,
            ledger->options.unpublished_max, NULL);
    measure_witnesses(&status, page);
}

struct str ledger_origin(const struct ledger *ledger)
{
    return ledger->options.origin;
}

struct sm_log *ledger_sm_log(struct ledger *ledger)
{
    return ledger->sm_log;
}

const char *ledger_static_dir(const struct ledger *ledger)
{
    return ledger->static_dir;
}

enum err ledger_checkpoint(struct ledger *ledger, struct buf *out)
{
    pthread_mutex_lock(&ledger->mutex);
    enum err err = ledger->published == 0 ? ERR_BUSY : ERR_OK;
    if (!err) {
        buf_append_str(out, buf_str(&ledger->checkpoint));
        err = out->err;
    }
    pthread_mutex_unlock(&ledger->mutex);
    return err;
}

enum err ledger_proof(struct ledger *ledger, uint64_t index, struct buf *out)
{
    struct buf note;
    buf_init(&note, NOTE_MAX);
    pthread_mutex_lock(&ledger->mutex); /* size and note of one moment */
    uint64_t size = ledger->published;
    if (index < size)
        buf_append_str(&note, buf_str(&ledger->checkpoint));
    pthread_mutex_unlock(&ledger->mutex);
    enum err err = note.err;
    if (index >= size)
        err = index < journal_n_durable(ledger->journal) ? ERR_BUSY : ERR_NOT_FOUND;
    if (!err) {
        struct tile_source source;
        struct proof proof = {.index = index, .checkpoint = buf_str(&note)};
        tile_source_init(&source, ledger->cache, size);
        err = merkle_prove_inclusion(&source.source, index, size, &proof.inclusion);
        if (!err) {
            proof_write(&proof, out);
            err = out->err;
        }
    }
    buf_finish(&note);
    return err;
}

struct leaf_wanted {
    struct buf *out;
    bool is_found;
};

static bool copy_leaf(void *context, uint64_t index, struct str leaf)
{
    struct leaf_wanted *wanted = context;
    buf_append_str(wanted->out, leaf);
    wanted->is_found = true;
    return false;
}

struct leaves {
    bool (*fn)(void *context, uint64_t index, struct str leaf);
    void *context;
    uint64_t next, to; /* next: not handed out yet */
    bool is_stopped;
};

static bool hand_leaf(void *context, uint64_t index, struct str leaf)
{
    struct leaves *leaves = context;
    if (index >= leaves->to)
        return false;
    leaves->next = index + 1;
    leaves->is_stopped = !leaves->fn(leaves->context, index, leaf);
    return !leaves->is_stopped && leaves->next < leaves->to;
}

/* The bundle that holds leaves->next, from there on, of a log of `size`. */
static enum err hand_bundle(struct ledger *ledger, uint64_t size, struct leaves *leaves)
{
    uint64_t n = leaves->next / MERKLE_TILE, left = size - n * MERKLE_TILE;
    size_t width = left < MERKLE_TILE ? (size_t)left : MERKLE_TILE;
    struct bytes_reader reader;
    struct buf bundle;
    buf_init(&bundle, TILE_BUNDLE_MAX + 1);
    enum err err = tile_read_bundle(ledger->static_dir, n, width, &bundle);
    bytes_reader_init(&reader, bundle.ptr, bundle.len);
    for (uint64_t index = n * MERKLE_TILE; !err && index < n * MERKLE_TILE + width && index < leaves->to; index++) {
        struct str leaf = bytes_read_str(&reader, bytes_read_u16be(&reader));
        err = reader.err ? ERR_CORRUPT : ERR_OK;
        if (!err && index >= leaves->next && !hand_leaf(leaves, index, leaf))
            break;
    }
    buf_finish(&bundle);
    return err;
}

enum err ledger_leaves(
    struct ledger *ledger, uint64_t from, uint64_t to, bool (*fn)(void *context, uint64_t index, struct str leaf), void *context)
{
    uint64_t durable = ledger_n_durable(ledger);
    struct leaves leaves = {.fn = fn, .context = context, .next = from, .to = to < durable ? to : durable};
    bool was_gone = false;
    while (leaves.next < leaves.to && !leaves.is_stopped) {
        uint64_t size = ledger_n_published(ledger);
        enum err err =
            leaves.next < size ? hand_bundle(ledger, size, &leaves) : journal_read(ledger->journal, leaves.next, hand_leaf, &leaves);
        bool is_gone = err == ERR_NOT_FOUND; /* published since we looked, and dropped from the journal, or in a wider bundle: once more */
        if (err && (!is_gone || was_gone))
            return is_gone ? ERR_CORRUPT : err;
        was_gone = is_gone;
    }
    return ERR_OK;
}

enum err ledger_leaf(struct ledger *ledger, uint64_t index, struct buf *out)
{
    struct leaf_wanted wanted = {.out = out};
    enum err err = ledger_leaves(ledger, index, index + 1, copy_leaf, &wanted);
    return err ? err : wanted.is_found ? out->err : ERR_NOT_FOUND;
}
