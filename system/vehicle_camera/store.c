/*
 * Taking passages: keys, repeats, sealing, the journal (store.h). Publishing is publisher.c, reading back is store_read.c.
 */
#include "system/vehicle_camera/store_internal.h"

#include "base/crypto.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static enum err make_dir(const char *path)
{
    return mkdir(path, 0700) == 0 || errno == EEXIST ? ERR_OK : err_from_errno(errno);
}

void store_fail(struct store *store, enum err err)
{
    int expected = ERR_OK;
    if (atomic_compare_exchange_strong(&store->failed, &expected, (int)err) && store->options.fatal != NULL)
        store->options.fatal(store->options.context, err);
}

/* ---- who passed: pseudonym and fingerprint ---- */

static enum err identify(struct store *store, struct passage *passages, size_t n)
{
    int64_t day = INT64_MIN;
    uint8_t day_key[32];
    enum err err = ERR_OK;
    for (size_t i = 0; i < n && err == ERR_OK; i++) {
        struct passage *passage = &passages[i];
        char name[CAMERA_DEVICE_MAX + 1 + PASSAGE_ID_MAX];
        memcpy(name, passage->camera.ptr, passage->camera.len);
        name[passage->camera.len] = 0;
        memcpy(name + passage->camera.len + 1, passage->id.ptr, passage->id.len);
        struct sha256 digest = crypto_hmac_sha256((struct str){(const char *)store->repeats_key, sizeof store->repeats_key},
            (struct str){name, passage->camera.len + 1 + passage->id.len});
        memcpy(&passage->fingerprint, digest.bytes, sizeof passage->fingerprint);
        passage->vehicle_len = 0;
        if (!passage->is_whole)
            continue;
        int64_t passage_day = wall_day_number((struct wall_time){passage->time_ms}, store->options.zone);
        if (passage_day != day)
            err = day_keys_get(&store->day_keys, day = passage_day, day_key);
        if (err == ERR_OK) {
            char hex[65];
            digest = crypto_hmac_sha256((struct str){(const char *)day_key, 32}, (struct str){passage->plate, passage->plate_len});
            crypto_hex(digest.bytes, PASSAGE_VEHICLE_MAX / 2, hex);
            memcpy(passage->vehicle, hex, PASSAGE_VEHICLE_MAX);
            passage->vehicle_len = PASSAGE_VEHICLE_MAX;
        }
    }
    crypto_wipe(day_key, sizeof day_key);
    return err;
}

/* ---- one take's memory: pointers to the new passages, records, and their sealed bytes, in one block ---- */

struct take_memory {
    const struct passage **fresh; /* [n] */
    struct str *records;
    struct batch *batches; /* linked; handed to the store when the journal has taken the records */
    size_t n_fresh, n_records;
    uint8_t *bytes;
    size_t n_bytes, cap_bytes;
};

static enum err take_memory_make(struct store_take *take, const struct passage *passages, size_t n, struct take_memory *ret_memory)
{
    size_t n_records = n / RECORD_PASSAGES_MAX + 1;
    size_t n_bytes = n_records * (RECORD_HEAD_SIZE + RECORD_TAG_SIZE);
    for (size_t i = 0; i < n; i++) {
        const struct passage *one = &passages[i];
        n_bytes += record_size(&one, 1);
    }
    size_t pointers = n * sizeof(struct passage *), records = n_records * sizeof(struct str);
    char *memory = mem_alloc(pointers + records + n_bytes);
    if (memory == NULL)
        return ERR_NO_MEMORY;
    take->memory = memory;
    *ret_memory = (struct take_memory){
        .fresh = (const struct passage **)(void *)memory,
        .records = (struct str *)(void *)(memory + pointers),
        .bytes = (uint8_t *)memory + pointers + records,
        .cap_bytes = n_bytes,
    };
    return ERR_OK;
}

static enum err make_rows(const struct passage *const *passages, size_t n, const struct plate_locals *locals, struct rows **ret_rows)
{
    struct rows *rows = NULL;
    struct value values[PASSAGE_N_FIELDS];
    /* values and text; a passage's text is bounded by its record */
    enum err err = rows_create(PASSAGE_N_FIELDS, n * (sizeof values + RECORD_PASSAGE_MAX) + 65536, &rows);
    for (size_t i = 0; i < n && err == ERR_OK; i++) {
        passage_values(passages[i], locals, values);
        err = rows_add(rows, values);
    }
    if (err != ERR_OK) {
        rows_release(rows);
        return err == ERR_TOO_LARGE ? ERR_NO_MEMORY : err;
    }
    *ret_rows = rows;
    return ERR_OK;
}

void batch_destroy(struct batch *batch)
{
    rows_release(batch->rows);
    mem_free(batch);
}

/* Seals passages[0..n) as the next record and makes its batch. Under the lock. */
static enum err add_record(
    struct store *store, struct take_memory *memory, const struct passage *const *passages, size_t n, int64_t arrived_ms)
{
    struct batch *batch = mem_alloc_zero(1, sizeof *batch);
    if (batch == NULL)
        return ERR_NO_MEMORY;
    struct record_head head = {.counter = store->next_counter, .arrived_ms = arrived_ms, .n_before = store->n_passages, .n = (uint32_t)n};
    memcpy(head.start, store->key.start, sizeof head.start);
    size_t len = 0;
    enum err err = n > 0 ? make_rows(passages, n, store->options.locals, &batch->rows) : ERR_OK;
    if (err == ERR_OK)
        err = record_seal(&store->key, &head, passages, &store->plain, memory->bytes + memory->n_bytes, &len);
    if (err != ERR_OK) {
        batch_destroy(batch);
        return err;
    }
    store->next_counter++; /* also when the append is refused below: a nonce is never used twice */
    store->n_passages += n;
    batch->counter = head.counter;
    batch->n = n;
    batch->next = memory->batches;
    memory->batches = batch;
    memory->records[memory->n_records++] = (struct str){(const char *)memory->bytes + memory->n_bytes, len};
    memory->n_bytes += len;
    return ERR_OK;
}

/* Which of the passages are new, and their records. Under the lock. */
static enum err fill(struct store *store, struct passage *passages, size_t n, struct take_memory *memory)
{
    enum err err = repeats_reserve(&store->repeats, n);
    if (err != ERR_OK)
        return err;
    for (size_t i = 0; i < n; i++)
        if (repeats_add(&store->repeats, passages[i].fingerprint))
            memory->fresh[memory->n_fresh++] = &passages[i];
    if (memory->n_fresh == 0) /* only repeats of what is on its way: an empty record waits behind it */
        return store->n_in_flight > 0 ? add_record(store, memory, memory->fresh, 0, clock_wall(store->options.clock).ms) : ERR_OK;
    for (size_t at = 0; at < memory->n_fresh && err == ERR_OK; at += RECORD_PASSAGES_MAX) {
        size_t part = memory->n_fresh - at < RECORD_PASSAGES_MAX ? memory->n_fresh - at : RECORD_PASSAGES_MAX;
        err = add_record(store, memory, memory->fresh + at, part, memory->fresh[at]->arrived_ms);
    }
    return err;
}

/* As if the request had never come. Under the lock. */
static void take_back(struct store *store, struct take_memory *memory)
{
    for (size_t i = memory->n_fresh; i > 0; i--)
        repeats_undo(&store->repeats, memory->fresh[i - 1]->fingerprint);
    while (memory->batches != NULL) {
        struct batch *batch = memory->batches;
        memory->batches = batch->next;
        store->n_passages -= batch->n;
        batch_destroy(batch);
    }
}

/* The batches, newest first in `memory`, go to the end of those that wait for the journal, in order. Under the lock. */
static void hand_in(struct store *store, struct take_memory *memory)
{
    struct batch *in_order = NULL, *newest = memory->batches;
    while (memory->batches != NULL) {
        struct batch *batch = memory->batches;
        memory->batches = batch->next;
        batch->next = in_order;
        in_order = batch;
    }
    if (store->last_pending != NULL)
        store->last_pending->next = in_order;
    else
        store->first_pending = in_order;
    store->last_pending = newest;
}

/* On the journal's thread, in the journal's order: so nothing after a failed record is ever called done. */
static void on_append_done(struct journal_append *append)
{
    struct store_take *take = container_of(append, struct store_take, append);
    struct store *store = take->store;
    if (append->err != ERR_OK)
        store_fail(store, append->err);
    take->err = store_error(store);
    pthread_mutex_lock(&store->lock);
    store->n_in_flight--;
    pthread_mutex_unlock(&store->lock);
    loop_post(take->loop, &take->task);
}

static void run_done(struct loop_task *task)
{
    struct store_take *take = container_of(task, struct store_take, task);
    take->done(take);
}

static enum err append_locked(struct store *store, struct passage *passages, size_t n, struct store_take *take, struct take_memory *memory)
{
    /* Again, under the lock: what failed since has counted itself out of n_in_flight, and its repeats must not pass for durable. */
    enum err err = store_error(store);
    if (err == ERR_OK && store->n_unpublished + n > store->options.n_unpublished_max) {
        err = ERR_FULL;
        metric_add(&store->n_refused, 1);
    }
    if (err != ERR_OK)
        return err;
    err = fill(store, passages, n, memory);
    if (err == ERR_OK && memory->n_records > 0) {
        take->append = (struct journal_append){.records = memory->records, .n = memory->n_records, .done = on_append_done};
        err = journal_append(store->journal, &take->append);
        if (err != ERR_OK && err != ERR_FULL && err != ERR_NO_MEMORY)
            store_fail(store, err);
    }
    if (err != ERR_OK) {
        take_back(store, memory);
        return err;
    }
    take->n_new = memory->n_fresh;
    take->is_done = memory->n_records == 0;
    if (!take->is_done) {
        store->n_in_flight++;
        store->n_unpublished += memory->n_fresh;
        hand_in(store, memory);
    }
    return ERR_OK;
}

enum err store_take(struct store *store, struct passage *passages, size_t n, struct store_take *take)
{
    struct take_memory memory;
    enum err err = store_error(store);
    take->store = store;
    take->memory = NULL;
    take->err = ERR_OK;
    take->task.fn = run_done;
    take->is_done = n == 0;
    take->n_new = 0;
    if (err == ERR_OK && !store_is_ready(store))
        err = ERR_BUSY;
    if (err != ERR_OK || n == 0)
        return err;
    err = identify(store, passages, n);
    if (err == ERR_OK)
        err = take_memory_make(take, passages, n, &memory);
    if (err == ERR_OK) {
        pthread_mutex_lock(&store->lock);
        err = append_locked(store, passages, n, take, &memory);
        pthread_mutex_unlock(&store->lock);
    }
    if (err != ERR_OK)
        store_take_finish(take);
    return err;
}

void store_take_finish(struct store_take *take)
{
    mem_free(take->memory);
    take->memory = NULL;
}

/* ---- opening and closing ---- */

enum err store_error(struct store *store)
{
    return (enum err)atomic_load_explicit(&store->failed, memory_order_acquire);
}

bool store_is_ready(struct store *store)
{
    return atomic_load_explicit(&store->is_ready, memory_order_acquire);
}

/* {data}/secrets/journal, the days' keys beside it, and what is derived of them for this start. */
static enum err open_keys(struct store *store, struct diag *diag)
{
    char path[STORE_PATH_MAX];
    uint8_t start[RECORD_START_SIZE];
    (void)snprintf(path, sizeof path, "%.400s/secrets", store->options.data_dir);
    enum err err = make_dir(path);
    if (err != ERR_OK)
        return diag_set(diag, err, path, 0, "cannot make the folder of the keys: %s", err_text(err));
    (void)snprintf(path, sizeof path, "%.400s/secrets/journal", store->options.data_dir);
    err = crypto_key_file(path, store->master);
    if (err != ERR_OK)
        return diag_set(
            diag, err, path, 0, "the key of the passages cannot be read: %s; put it back from a backup, it has 32 bytes", err_text(err));
    (void)snprintf(path, sizeof path, "%.400s/secrets/day", store->options.data_dir);
    err = day_keys_init(&store->day_keys, path);
    if (err != ERR_OK)
        return diag_set(diag, err, path, 0, "cannot make the folder of the days' keys: %s", err_text(err));
    store->has_day_keys = true;
    crypto_random(start, sizeof start);
    record_key_derive(&store->key, store->master, start);
    struct sha256 derived = crypto_hmac_sha256((struct str){(const char *)store->master, 32}, STR("citybrain repeats"));
    memcpy(store->repeats_key, derived.bytes, sizeof store->repeats_key);
    return ERR_OK;
}

static enum err open_journal(struct store *store, struct diag *diag)
{
    char path[STORE_PATH_MAX];
    (void)snprintf(path, sizeof path, "%.400s/passages", store->options.data_dir);
    const struct journal_options options = {
        .dir = path,
        .segment_max_bytes = store->options.segment_max_bytes,
        .record_max_bytes = RECORD_SIZE_MAX,
        .on_durable = store_on_durable,
        .context = store,
        .files = store->options.files,
    };
    return journal_open(&options, diag, &store->journal);
}

enum err store_open(const struct store_options *options, struct diag *diag, struct store **ret_store)
{
    struct store *store = mem_alloc_zero(1, sizeof *store);
    if (store == NULL)
        return diag_set(diag, ERR_NO_MEMORY, NULL, 0, "no memory for the passages");
    store->options = *options;
    struct store_options *o = &store->options;
    o->n_repeats = o->n_repeats > 0 ? o->n_repeats : STORE_REPEATS_DEFAULT;
    o->n_unpublished_max = o->n_unpublished_max > 0 ? o->n_unpublished_max : STORE_UNPUBLISHED_DEFAULT;
    o->segment_max_bytes = o->segment_max_bytes > 0 ? o->segment_max_bytes : STORE_SEGMENT_DEFAULT;
    pthread_mutex_init(&store->lock, NULL);
    repeats_init(&store->repeats, o->n_repeats);
    buf_init(&store->plain, RECORD_SIZE_MAX);
    store_publisher_init(store);
    enum err err = make_dir(options->data_dir);
    if (err != ERR_OK)
        err = diag_set(diag, err, options->data_dir, 0, "cannot make the data folder: %s", err_text(err));
    else
        err = open_keys(store, diag);
    if (err == ERR_OK)
        err = open_journal(store, diag);
    if (err == ERR_OK)
        err = loop_thread_start(clock_system(), "passages", &store->thread); /* it waits by the machine's clock, not the city's */
    if (err == ERR_OK)
        err = store_recall(store, diag);
    if (err != ERR_OK) {
        store_close(store);
        return err;
    }
    *ret_store = store;
    return ERR_OK;
}

static void destroy_list(struct batch *batch)
{
    while (batch != NULL) {
        struct batch *next = batch->next;
        batch_destroy(batch);
        batch = next;
    }
}

static void wait_for_readers(void *context)
{
    (void)context;
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    atomic_store(&store->is_closing, true);
    if (store->thread != NULL) /* what reads the journal there has ended, and does not begin again */
        loop_thread_call(store->thread, wait_for_readers, NULL);
    journal_close(store->journal); /* makes durable what was taken */
    if (store->thread != NULL)
        loop_thread_call(store->thread, store_publisher_end, store);
    loop_thread_stop(store->thread);
    destroy_list(store->first_pending);
    destroy_list(store->first_ready);
    repeats_finish(&store->repeats);
    buf_finish(&store->plain);
    if (store->has_day_keys)
        day_keys_finish(&store->day_keys);
    pthread_mutex_destroy(&store->lock);
    crypto_wipe(store->master, sizeof store->master);
    crypto_wipe(&store->key, sizeof store->key);
    crypto_wipe(store->repeats_key, sizeof store->repeats_key);
    mem_free(store);
}

void store_measure(struct store *store, struct metric_page *page, struct str name)
{
    static const struct metric kept = {
        "citybrain_camera_passages_total", METRIC_COUNTER, "Passages in the journal since it began", {"system"}};
    static const struct metric taking = {"citybrain_camera_takes", METRIC_GAUGE, "Requests whose passages are not durable yet", {"system"}};
    static const struct metric ready = {
        "citybrain_camera_ready", METRIC_GAUGE, "1: what came before the start is remembered, passages are taken", {"system"}};
    pthread_mutex_lock(&store->lock);
    uint64_t n_passages = store->n_passages;
    size_t n_unpublished = store->n_unpublished, n_in_flight = store->n_in_flight;
    pthread_mutex_unlock(&store->lock);
    journal_measure(store->journal, page, name);
    metric_put_count(page, &kept, n_passages, &name);
    metric_put_count(page, &taking, n_in_flight, &name);
    metric_put_count(page, &ready, store_is_ready(store), &name);
    metric_put_queue(page, "camera_unpublished", name, n_unpublished, store->options.n_unpublished_max, &store->n_refused);
}
