/*
 * A bounded queue on a ring under a mutex that is held for a few instructions; the consumer empties the ring in one go, so
 * a busy queue costs its loop one wake-up for many items.
 */
#include "base/queue.h"

#include "base/mem.h"

#include <pthread.h>
#include <stddef.h>

#define QUEUE_TAKE_MAX 256 /* items handed over at a time, so that one queue does not starve its loop */

struct queue {
    struct loop *loop;
    queue_take_fn take;
    void *context;
    struct loop_task task;
    pthread_mutex_t mutex; /* guards all below */
    void **ring;
    size_t limit, first, n;
    uint64_t n_refused;
    bool is_posted;
};

static size_t take_some(struct queue *queue, void **items)
{
    size_t n = 0;
    pthread_mutex_lock(&queue->mutex);
    for (; n < QUEUE_TAKE_MAX && queue->n > 0; n++) {
        items[n] = queue->ring[queue->first];
        queue->first = (queue->first + 1) % queue->limit;
        queue->n--;
    }
    pthread_mutex_unlock(&queue->mutex);
    return n;
}

static void take_on_loop(struct loop_task *task)
{
    struct queue *queue = container_of(task, struct queue, task);
    void *items[QUEUE_TAKE_MAX];
    size_t n = take_some(queue, items);
    if (n > 0)
        queue->take(queue->context, items, n);
    pthread_mutex_lock(&queue->mutex);
    queue->is_posted = queue->n > 0;
    bool again = queue->is_posted;
    pthread_mutex_unlock(&queue->mutex);
    if (again)
        loop_post(queue->loop, &queue->task);
}

enum err queue_create(struct loop *loop, size_t limit, queue_take_fn take, void *context, struct queue **ret_queue)
{
    struct queue *queue = mem_alloc_zero(1, sizeof(*queue));
    if (!queue)
        return ERR_NO_MEMORY;
    *queue = (struct queue){.loop = loop, .take = take, .context = context, .limit = limit, .task = {.fn = take_on_loop}};
    queue->ring = mem_alloc_zero(limit, sizeof(void *));
    if (!queue->ring) {
        mem_free(queue);
        return ERR_NO_MEMORY;
    }
    pthread_mutex_init(&queue->mutex, NULL);
    *ret_queue = queue;
    return ERR_OK;
}

void queue_destroy(struct queue *queue)
{
    if (!queue)
        return;
    void *items[QUEUE_TAKE_MAX];
    for (size_t n; (n = take_some(queue, items)) > 0;)
        queue->take(queue->context, items, n);
    pthread_mutex_destroy(&queue->mutex);
    mem_free(queue->ring);
    mem_free(queue);
}

enum err queue_push(struct queue *queue, void *item)
{
    pthread_mutex_lock(&queue->mutex);
    enum err err = queue->n < queue->limit ? ERR_OK : ERR_FULL;
    bool must_post = err == ERR_OK && !queue->is_posted;
    if (err == ERR_OK) {
        queue->ring[(queue->first + queue->n++) % queue->limit] = item;
        queue->is_posted = true;
    } else
        queue->n_refused++;
    pthread_mutex_unlock(&queue->mutex);
    if (must_post)
        loop_post(queue->loop, &queue->task);
    return err;
}

size_t queue_n_items(struct queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    size_t n = queue->n;
    pthread_mutex_unlock(&queue->mutex);
    return n;
}

uint64_t queue_n_refused(struct queue *queue)
{
    pthread_mutex_lock(&queue->mutex);
    uint64_t n = queue->n_refused;
    pthread_mutex_unlock(&queue->mutex);
    return n;
}
