/*
 * A bounded queue between threads: any thread pushes, one loop takes. At the limit a push is refused with ERR_FULL and counted;
 * what to do then (refuse the sender, slow it, drop) is the pusher's to say.
 */
#ifndef BASE_QUEUE_H
#define BASE_QUEUE_H

#include "base/loop.h"

struct queue;

/* Called on `loop`'s thread with up to `n` items in the order pushed; the items are the consumer's from then on. */
typedef void (*queue_take_fn)(void *context, void **items, size_t n);

/* `limit`: most items held. `context` is kept. */
enum err queue_create(struct loop *loop, size_t limit, queue_take_fn take, void *context, struct queue **ret_queue) MUST_CHECK;
/* Items still inside are handed to `take` first, on the calling thread. After the pushers and the loop stopped: a
 * posted task may still point here. Takes NULL. */
void queue_destroy(struct queue *queue);
enum err queue_push(struct queue *queue, void *item) MUST_CHECK; /* takes `item` on success */
size_t queue_n_items(struct queue *queue);
uint64_t queue_n_refused(struct queue *queue);

#endif
