/*
 * From the journal to the hub: one thread, in the journal's order, never what is not durable.
 */
#include "system/vehicle_camera/store_internal.h"

#include "base/log.h"

#include <assert.h>

#define RETRY_MS 5      /* while a subscriber of the hub is behind */
#define TURN_BATCHES 64 /* published before the loop's other work has its turn */

/* On the journal's thread. The first batches that wait are those of these records, because both were appended under the lock. */
void store_on_durable(void *context, uint64_t first_index, const struct str *records, size_t n)
{
    struct store *store = context;
    if (store_error(store) != ERR_OK)
        return;
    pthread_mutex_lock(&store->lock);
    for (size_t i = 0; i < n; i++) {
        struct record_head head;
        struct batch *batch = store->first_pending;
        enum err err = record_head_read(records[i], &head);
        assert(err == ERR_OK && batch != NULL && batch->counter == head.counter);
        store->first_pending = batch->next;
        if (store->first_pending == NULL)
            store->last_pending = NULL;
        batch->next = NULL;
        batch->index = first_index + i;
        if (store->last_ready != NULL)
            store->last_ready->next = batch;
        else
            store->first_ready = batch;
        store->last_ready = batch;
    }
    if (!store->is_posted) {
        store->is_posted = true;
        loop_post(loop_thread_loop(store->thread), &store->publish_task);
    }
    pthread_mutex_unlock(&store->lock);
}

static struct batch *first_ready(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    struct batch *batch = store->first_ready;
    if (batch == NULL)
        store->is_posted = false;
    pthread_mutex_unlock(&store->lock);
    return batch;
}

static void forget_first(struct store *store)
{
    pthread_mutex_lock(&store->lock);
    struct batch *batch = store->first_ready;
    store->first_ready = batch->next;
    if (store->first_ready == NULL)
        store->last_ready = NULL;
    store->n_unpublished -= batch->n;
    pthread_mutex_unlock(&store->lock);
    batch_destroy(batch);
}

/* ERR_OK: nothing is ready any more, or the turn is over; else what the hub said of the first. */
static enum err publish_ready(struct store *store, size_t turn, bool *ret_is_more)
{
    struct batch *batch = NULL;
    for (size_t i = 0; i < turn && (batch = first_ready(store)) != NULL; i++) {
        enum err err =
            batch->rows != NULL && store->options.publish != NULL ? store->options.publish(store->options.context, batch->rows) : ERR_OK;
        if (err != ERR_OK)
            return err;
        atomic_store_explicit(&store->n_published, batch->index + 1, memory_order_release);
        forget_first(store);
    }
    *ret_is_more = batch != NULL;
    return ERR_OK;
}

static void publish_turn(struct store *store)
{
    bool is_more = false;
    enum err err = publish_ready(store, TURN_BATCHES, &is_more);
    if (err == ERR_OK && is_more) {
        loop_post(loop_thread_loop(store->thread), &store->publish_task);
        return;
    }
    if (err == ERR_OK)
        return;
    if (err != ERR_FULL)
        log_write(LOG_WARNING, "camera", "passages cannot be published, tried again", LOG_ERR(err), LOG_END);
    err = loop_timer_start(loop_thread_loop(store->thread), &store->retry, RETRY_MS);
    if (err != ERR_OK) /* no room for a timer: at once again */
        loop_post(loop_thread_loop(store->thread), &store->publish_task);
}

static void run_publish(struct loop_task *task)
{
    publish_turn(container_of(task, struct store, publish_task));
}

static void run_retry(struct loop_timer *timer)
{
    publish_turn(container_of(timer, struct store, retry));
}

static void run_drop(struct loop_task *task)
{
    struct store *store = container_of(task, struct store, drop_task);
    atomic_store(&store->drop_is_posted, false);
    store_drop_old_now(store);
}

void store_publisher_init(struct store *store)
{
    store->publish_task.fn = run_publish;
    store->drop_task.fn = run_drop;
    store->retry.fn = run_retry;
}

void store_drop_old(struct store *store)
{
    if (!atomic_exchange(&store->drop_is_posted, true))
        loop_post(loop_thread_loop(store->thread), &store->drop_task);
}

void store_publisher_end(void *context)
{
    struct store *store = context;
    bool is_more = false;
    loop_timer_stop(&store->retry);
    if (publish_ready(store, SIZE_MAX, &is_more) != ERR_OK)
        log_write(LOG_NOTICE, "camera", "passages are left unpublished; they are in the journal and come back by replay", LOG_END);
}
