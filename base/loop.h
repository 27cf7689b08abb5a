/*
 * The event loop: epoll, timers, and tasks posted from other threads. One loop a thread; every object is owned by one loop.
 *
 * Only loop_post() and loop_stop() may be called from another thread; everything else belongs to the loop's own thread
 * (or to any one thread before loop_run()).
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include "base/clock.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;

/* `clock` is kept. */
enum err loop_create(struct clock *clock, struct loop **ret_loop) MUST_CHECK;
void loop_destroy(
    struct loop *loop); /* takes NULL; tasks still posted are dropped unrun; waits for who posted what has run and is not out yet */
/* Runs until loop_stop(). */
enum err loop_run(struct loop *loop) MUST_CHECK;
/* One round: waits at most `wait_ms` (-1: until something happens), then handles what is ready. For tests and tools. */
enum err loop_run_once(struct loop *loop, int wait_ms) MUST_CHECK;
void loop_stop(struct loop *loop);
struct clock *loop_clock(struct loop *loop);
bool loop_is_current(const struct loop *loop); /* is this the thread that runs it */

/* ---- descriptors ---- */
struct loop_watch;
typedef void (*loop_fd_fn)(void *context, uint32_t epoll_events);
/* Level-triggered. `context` is kept. Unwatch before closing the descriptor. */
enum err loop_watch_fd(
    struct loop *loop, int fd, uint32_t epoll_events, loop_fd_fn fn, void *context, struct loop_watch **ret_watch) MUST_CHECK;
enum err loop_watch_change(struct loop_watch *watch, uint32_t epoll_events) MUST_CHECK;
void loop_unwatch(struct loop_watch *watch); /* takes NULL */

/* ---- timers: embedded in their owner, a binary heap, no allocation once started ---- */
struct loop_timer {
    void (*fn)(struct loop_timer *timer); /* set by the owner before starting; use container_of() */
    struct mono_time due;
    struct loop *loop;
    uint32_t heap_at; /* place in the heap + 1; 0 when not running */
};
enum err loop_timer_start(struct loop *loop, struct loop_timer *timer, int64_t delay_ms) MUST_CHECK; /* restarts one that runs; one shot */
void loop_timer_stop(struct loop_timer *timer);                                                      /* harmless when not running */

/* ---- tasks: embedded in their owner, posted from any thread, run once on the loop's thread in the order posted ---- */
struct loop_task {
    void (*fn)(struct loop_task *task);
    struct loop_task *next; /* the queue's */
};
void loop_post(struct loop *loop, struct loop_task *task); /* never fails; a task must not be posted again before it ran */

/* From the loop's own thread: runs the task when the round under way has nothing more to do, just before it waits. For waking another
 * thread once for all that one round hands to it, instead of for the first. False: this is another thread, or no round is under way; do it
 * now. */
bool loop_defer(struct loop *loop, struct loop_task *task) MUST_CHECK;

/* ---- a hook before each wait, for libraries that are driven by hand; returns the longest wait it allows in ms, -1 for any ---- */
struct loop_hook {
    int (*before_wait)(struct loop_hook *hook);
    struct loop_hook *next;
};
void loop_add_hook(struct loop *loop, struct loop_hook *hook); /* keeps until loop_remove_hook() */
void loop_remove_hook(struct loop *loop, struct loop_hook *hook);

/* ---- a loop on a thread of its own ---- */
struct loop_thread;
enum err loop_thread_start(
    struct clock *clock, const char *name, struct loop_thread **ret_thread) MUST_CHECK; /* name: at most 15 bytes, seen in ps */
struct loop *loop_thread_loop(struct loop_thread *thread);
/* The calling thread gives way to the others of the machine: for work that nobody waits for. */
void loop_thread_give_way(void);
void loop_thread_stop(struct loop_thread *thread); /* stops, joins, destroys; takes NULL */
/* Runs `fn` on the loop's thread and waits until it has returned. Not from that thread itself. */
void loop_thread_call(struct loop_thread *thread, void (*fn)(void *context), void *context);

#define container_of(ptr_, type_, member_) ((type_ *)(void *)((char *)(ptr_)-offsetof(type_, member_)))

#endif
