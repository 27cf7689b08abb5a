/*
 * Reading the journal back: the fingerprints at a start, the replay for a subscriber, and where what is too old ends.
 *
 * A record's head is readable without a key and grows with its index (arrival, passages before it), so a place in a week of passages is
 * found by bisection.
 */
#include "system/vehicle_camera/store_internal.h"

#include "base/crypto.h"
#include "base/log.h"
#include "base/mem.h"

#include <string.h>

#define RECALL_AT_ONCE 256 /* records: some milliseconds; more are read on the publisher's thread while the door says "busy" */

/* ---- places ---- */

struct peek {
    struct record_head head;
    enum err err;
};

static bool take_head(void *context, uint64_t index, struct str record)
{
    struct peek *peek = context;
    peek->err = record_head_read(record, &peek->head);
    return false;
}

static enum err head_at(struct store *store, uint64_t index, struct record_head *ret_head)
{
    struct peek peek = {.err = ERR_NOT_FOUND};
    enum err err = journal_read(store->journal, index, take_head, &peek);
    if (err == ERR_OK)
        err = peek.err;
    if (err == ERR_OK)
        *ret_head = peek.head;
    return err;
}

/* What a place is looked for by: the first record that arrived at or after a time, with at least so many passages behind it in all. */
struct place {
    int64_t arrived_ms;
    uint64_t n_behind;
};

static bool is_at_or_after(const struct record_head *head, const struct place *place)
{
    return head->arrived_ms >= place->arrived_ms && head->n_before + head->n > place->n_behind;
}

/* The first index whose record is at or after the place; the end when there is none. */
static enum err find_place(struct store *store, const struct place *place, uint64_t *ret_index)
{
    uint64_t low = journal_first_index(store->journal), high = journal_n_durable(store->journal);
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        struct record_head head;
        enum err err = head_at(store, middle, &head);
        if (err == ERR_NOT_FOUND) { /* dropped meanwhile: what is left is newer */
            low = middle + 1;
            continue;
        }
        if (err != ERR_OK)
            return err;
        if (is_at_or_after(&head, place))
            high = middle;
        else
            low = middle + 1;
    }
    *ret_index = low;
    return ERR_OK;
}

/* ---- opening record after record ---- */

struct reading {
    struct store *store;
    struct seal_key key;
    struct buf plain;
    enum err err;
    /* replay */
    int64_t from_ms;
    uint64_t next, end; /* of the records that are still to come */
    enum err (*emit)(void *context, struct rows *rows);
    void *context;
};

static void reading_init(struct reading *reading, struct store *store)
{
    memset(reading, 0, sizeof *reading);
    reading->store = store;
    buf_init(&reading->plain, RECORD_SIZE_MAX);
}

static bool recall_record(void *context, uint64_t index, struct str record)
{
    struct reading *reading = context;
    struct store *store = reading->store;
    struct record_head head;
    struct bytes_reader bytes;
    if (atomic_load(&store->is_closing))
        return false;
    reading->err = record_open(record, store->master, &reading->key, &reading->plain, &head, &bytes);
    if (reading->err != ERR_OK)
        return false;
    pthread_mutex_lock(&store->lock);
    reading->err = repeats_reserve(&store->repeats, head.n);
    for (uint32_t i = 0; i < head.n && reading->err == ERR_OK; i++) {
        struct passage passage;
        reading->err = record_next(&bytes, &head, &passage);
        if (reading->err == ERR_OK && !repeats_add(&store->repeats, passage.fingerprint))
            continue; /* older than what was remembered then, and so taken twice */
    }
    pthread_mutex_unlock(&store->lock);
    return reading->err == ERR_OK;
}

static enum err recall(struct store *store)
{
    struct reading reading;
    uint64_t from = 0;
    int64_t reach_ms = store->options.accept_past_ms + store->options.accept_future_ms;
    struct place place = {.arrived_ms = clock_wall(store->options.clock).ms - reach_ms};
    if (store->n_passages > store->options.n_repeats)
        place.n_behind = store->n_passages - store->options.n_repeats;
    enum err err = find_place(store, &place, &from);
    if (err != ERR_OK)
        return err;
    reading_init(&reading, store);
    if (from < journal_n_durable(store->journal))
        err = journal_read(store->journal, from, recall_record, &reading);
    buf_finish(&reading.plain);
    crypto_wipe(&reading.key, sizeof reading.key);
    return err != ERR_OK ? err : reading.err;
}

static void run_recall(struct loop_task *task)
{
    struct store *store = container_of(task, struct store, recall_task);
    enum err err = atomic_load(&store->is_closing) ? ERR_CANCELLED : recall(store);
    if (atomic_load(&store->is_closing))
        return;
    if (err == ERR_OK)
        atomic_store_explicit(&store->is_ready, true, memory_order_release);
    else
        store_fail(store, err);
}

enum err store_recall(struct store *store, struct diag *diag)
{
    uint64_t first = journal_first_index(store->journal), end = journal_n_durable(store->journal);
    atomic_store(&store->n_published, end); /* who wants what was before this start asks for a replay */
    if (end > first) {
        struct record_head head;
        enum err err = head_at(store, end - 1, &head);
        if (err != ERR_OK)
            return diag_set(diag, err, store->options.data_dir, 0, "the newest passage of the journal cannot be read: %s", err_text(err));
        store->n_passages = head.n_before + head.n;
    }
    store->recall_task.fn = run_recall;
    if (end - first > RECALL_AT_ONCE) {
        loop_post(loop_thread_loop(store->thread), &store->recall_task);
        return ERR_OK;
    }
    enum err err = recall(store);
    if (err == ERR_CRYPTO)
        return diag_set(diag, err, store->options.data_dir, 0,
            "secrets/journal is not the key of passages/; put back the key that belongs to it, or move passages/ away");
    if (err != ERR_OK)
        return diag_set(diag, err, store->options.data_dir, 0, "passages/ cannot be read: %s", err_text(err));
    atomic_store_explicit(&store->is_ready, true, memory_order_release);
    return ERR_OK;
}

/* ---- replay ---- */

static enum err record_to_rows(struct reading *reading, const struct record_head *head, struct bytes_reader *bytes, struct rows **ret_rows)
{
    struct rows *rows = NULL;
    struct value values[PASSAGE_N_FIELDS];
    enum err err = rows_create(PASSAGE_N_FIELDS, head->n * (sizeof values + RECORD_PASSAGE_MAX) + 65536, &rows);
    for (uint32_t i = 0; i < head->n && err == ERR_OK; i++) {
        struct passage passage;
        err = record_next(bytes, head, &passage);
        if (err != ERR_OK)
            break;
        passage.at = reading->store->options.cameras != NULL ? camera_find(reading->store->options.cameras, passage.camera) : NULL;
        passage_values(&passage, reading->store->options.locals, values);
        err = rows_add(rows, values);
    }
    if (err != ERR_OK) {
        rows_release(rows);
        return err;
    }
    *ret_rows = rows;
    return ERR_OK;
}

static bool replay_record(void *context, uint64_t index, struct str record)
{
    struct reading *reading = context;
    struct record_head head;
    struct bytes_reader bytes;
    if (index >= reading->end)
        return false;
    reading->next = index + 1;
    reading->err = record_open(record, reading->store->master, &reading->key, &reading->plain, &head, &bytes);
    if (reading->err != ERR_OK || head.n == 0 || head.arrived_ms < reading->from_ms)
        return reading->err == ERR_OK;
    struct rows *rows = NULL;
    reading->err = record_to_rows(reading, &head, &bytes, &rows);
    if (reading->err == ERR_OK)
        reading->err = reading->emit(reading->context, rows);
    rows_release(rows);
    return reading->err == ERR_OK;
}

enum err store_replay(struct store *store, struct wall_time from, enum err (*emit)(void *context, struct rows *rows), void *context)
{
    struct reading reading;
    uint64_t first = 0;
    reading_init(&reading, store);
    reading.from_ms = from.ms;
    reading.end = atomic_load_explicit(&store->n_published, memory_order_acquire);
    reading.emit = emit;
    reading.context = context;
    const struct place place = {.arrived_ms = from.ms};
    enum err err;
    do { /* once more when retention dropped what was about to be read: what is left follows it */
        err = find_place(store, &place, &first);
        first = first > reading.next ? first : reading.next;
        if (err == ERR_OK && first < reading.end)
            err = journal_read(store->journal, first, replay_record, &reading);
    } while (err == ERR_NOT_FOUND && reading.err == ERR_OK);
    buf_finish(&reading.plain);
    crypto_wipe(&reading.key, sizeof reading.key);
    return err != ERR_OK ? err : reading.err;
}

/* ---- retention ---- */

void store_drop_old_now(struct store *store)
{
    if (atomic_load(&store->is_closing))
        return;
    int64_t now_ms = clock_wall(store->options.clock).ms;
    uint64_t index = 0;
    const struct place place = {.arrived_ms = now_ms - store->options.kept_ms};
    enum err err = find_place(store, &place, &index);
    if (err == ERR_OK)
        err = journal_drop_before(store->journal, index);
    if (err == ERR_OK) {
        const struct wall_time reach = {now_ms - store->options.accept_past_ms};
        err = day_keys_drop_before(&store->day_keys, wall_day_number(reach, store->options.zone));
    }
    if (err != ERR_OK)
        log_write(
            LOG_WARNING, "camera", "passages past their retention could not be dropped; tried again in an hour", LOG_ERR(err), LOG_END);
}
