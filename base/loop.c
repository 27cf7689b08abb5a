/*
 * The event loop on epoll. Order of one round: hooks, what was deferred, wait, descriptors, timers that are due, posted tasks.
 *
 * Tasks come over a lock-free list (push by compare-and-swap, taken whole and reversed), so that posting never fails and never
 * blocks; the eventfd is written only by the poster that finds the list empty, which makes a busy loop's posts one atomic each, and never
 * by the loop's own thread within a round.
 */
#include "base/loop.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LOOP_EVENTS_MAX 256   /* taken from the kernel at a time */
#define LOOP_TIMERS_MAX 65536 /* of one loop: exchanges have their time-outs in the server, so these are long-lived owners */

struct loop_watch {
    struct loop *loop;
    int fd;
    loop_fd_fn fn; /* NULL once unwatched */
    void *context;
    struct loop_watch *next_dead;
};

struct loop {
    struct clock *clock;
    int epoll_fd, event_fd;
    _Atomic(struct loop_task *) posted; /* newest first */
    atomic_uint n_posting;              /* threads within loop_post() or loop_stop(): what they posted may run before they are out */
    atomic_bool must_stop;
    _Atomic(pthread_t) thread;
    atomic_bool is_running;
    struct loop_timer **timers; /* binary heap by due */
    uint32_t n_timers, cap_timers;
    struct loop_hook *hooks;
    struct loop_watch *dead; /* unwatched during a round; freed after it */
    bool in_round;
    bool in_run;                /* within loop_run() or loop_run_once(): what is deferred will run */
    struct loop_task *deferred; /* newest first */
};

enum err loop_create(struct clock *clock, struct loop **ret_loop)
{
    enum err err = ERR_OK;
    struct loop *loop = mem_alloc_zero(1, sizeof(*loop));
    if (!loop)
        return ERR_NO_MEMORY;
    loop->clock = clock;
    loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    loop->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (loop->epoll_fd < 0 || loop->event_fd < 0 || epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->event_fd, &event) != 0) {
        err = err_from_errno(errno);
        goto done;
    }
    *ret_loop = loop;
    loop = NULL;
done:
    loop_destroy(loop);
    return err;
}

static void free_dead(struct loop *loop)
{
    while (loop->dead) {
        struct loop_watch *next = loop->dead->next_dead;
        mem_free(loop->dead);
        loop->dead = next;
    }
}

void loop_destroy(struct loop *loop)
{
    if (!loop)
        return;
    while (atomic_load_explicit(&loop->n_posting, memory_order_acquire) != 0)
        sched_yield(); /* a few instructions and a write away */
    free_dead(loop);
    for (uint32_t i = 0; i < loop->n_timers; i++)
        loop->timers[i]->heap_at = 0;
    mem_free(loop->timers);
    if (loop->event_fd >= 0)
        close(loop->event_fd);
    if (loop->epoll_fd >= 0)
        close(loop->epoll_fd);
    mem_free(loop);
}

struct clock *loop_clock(struct loop *loop)
{
    return loop->clock;
}

bool loop_is_current(const struct loop *loop)
{
    return atomic_load(&((struct loop *)loop)->is_running) && pthread_equal(atomic_load(&((struct loop *)loop)->thread), pthread_self());
}

/* ---- descriptors ---- */

enum err loop_watch_fd(struct loop *loop, int fd, uint32_t epoll_events, loop_fd_fn fn, void *context, struct loop_watch **ret_watch)
{
    struct loop_watch *watch = mem_alloc(sizeof(*watch));
    if (!watch)
        return ERR_NO_MEMORY;
    *watch = (struct loop_watch){.loop = loop, .fd = fd, .fn = fn, .context = context};
    struct epoll_event event = {.events = epoll_events, .data.ptr = watch};
    if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        mem_free(watch);
        return err_from_errno(errno);
    }
    *ret_watch = watch;
    return ERR_OK;
}

enum err loop_watch_change(struct loop_watch *watch, uint32_t epoll_events)
{
    struct epoll_event event = {.events = epoll_events, .data.ptr = watch};
    return epoll_ctl(watch->loop->epoll_fd, EPOLL_CTL_MOD, watch->fd, &event) == 0 ? ERR_OK : err_from_errno(errno);
}

void loop_unwatch(struct loop_watch *watch)
{
    if (!watch)
        return;
    struct loop *loop = watch->loop;
    epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL);
    watch->fn = NULL;
    if (!loop->in_round) {
        mem_free(watch);
        return;
    }
    /* The round in progress may still hold an event of it. */
    watch->next_dead = loop->dead;
    loop->dead = watch;
}

/* ---- timers ---- */

static bool is_before(const struct loop_timer *a, const struct loop_timer *b)
{
    return a->due.ns < b->due.ns;
}

static void heap_put(struct loop *loop, uint32_t at, struct loop_timer *timer)
{
    loop->timers[at] = timer;
    timer->heap_at = at + 1;
}

static void heap_up(struct loop *loop, uint32_t at)
{
    struct loop_timer *timer = loop->timers[at];
    while (at > 0 && is_before(timer, loop->timers[(at - 1) / 2])) {
        heap_put(loop, at, loop->timers[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    heap_put(loop, at, timer);
}

static void heap_down(struct loop *loop, uint32_t at)
{
    struct loop_timer *timer = loop->timers[at];
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= loop->n_timers)
            break;
        if (child + 1 < loop->n_timers && is_before(loop->timers[child + 1], loop->timers[child]))
            child++;
        if (!is_before(loop->timers[child], timer))
            break;
        heap_put(loop, at, loop->timers[child]);
        at = child;
    }
    heap_put(loop, at, timer);
}

enum err loop_timer_start(struct loop *loop, struct loop_timer *timer, int64_t delay_ms)
{
    assert(timer->fn && delay_ms >= 0);
    loop_timer_stop(timer);
    if (loop->n_timers == loop->cap_timers) {
        if (loop->cap_timers >= LOOP_TIMERS_MAX)
            return ERR_FULL;
        uint32_t cap = loop->cap_timers ? loop->cap_timers * 2 : 16;
        struct loop_timer **timers = mem_resize(loop->timers, cap * sizeof(struct loop_timer *));
        if (!timers)
            return ERR_NO_MEMORY;
        loop->timers = timers;
        loop->cap_timers = cap;
    }
    timer->loop = loop;
    timer->due.ns = clock_mono(loop->clock).ns + delay_ms * 1000000;
    heap_put(loop, loop->n_timers++, timer);
    heap_up(loop, timer->heap_at - 1);
    return ERR_OK;
}

void loop_timer_stop(struct loop_timer *timer)
{
    if (timer->heap_at == 0)
        return;
    struct loop *loop = timer->loop;
    uint32_t at = timer->heap_at - 1;
    struct loop_timer *last = loop->timers[--loop->n_timers];
    timer->heap_at = 0;
    if (last == timer)
        return;
    heap_put(loop, at, last);
    heap_up(loop, at);
    heap_down(loop, last->heap_at - 1);
}

/* Runs what is due at the round's start, at most as many as there were then: a timer that starts itself again with 0 ms waits for the next
 * round. */
static void run_timers(struct loop *loop)
{
    struct mono_time now = clock_mono(loop->clock);
    for (uint32_t n = loop->n_timers; n > 0 && loop->n_timers > 0 && loop->timers[0]->due.ns <= now.ns; n--) {
        struct loop_timer *timer = loop->timers[0];
        loop_timer_stop(timer);
        timer->fn(timer);
    }
}

/* ---- tasks ---- */

static void wake(struct loop *loop)
{
    uint64_t one = 1;
    ssize_t written = write(loop->event_fd, &one, sizeof(one));
    (void)written; /* full means that it is awake already */
}

void loop_post(struct loop *loop, struct loop_task *task)
{
    atomic_fetch_add_explicit(&loop->n_posting, 1, memory_order_relaxed);
    struct loop_task *head = atomic_load_explicit(&loop->posted, memory_order_relaxed);
    do {
        task->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&loop->posted, &head, task, memory_order_release, memory_order_relaxed));
    if (!head && !(loop_is_current(loop) && loop->in_run)) /* a round looks for tasks before it waits */
        wake(loop);
    atomic_fetch_sub_explicit(&loop->n_posting, 1, memory_order_release);
}

static void run_list(struct loop_task *task) /* newest first */
{
    struct loop_task *oldest_first = NULL;
    while (task) {
        struct loop_task *next = task->next;
        task->next = oldest_first;
        oldest_first = task;
        task = next;
    }
    while (oldest_first) {
        struct loop_task *next = oldest_first->next; /* the task may be freed or posted again by its own function */
        oldest_first->next = NULL;
        oldest_first->fn(oldest_first);
        oldest_first = next;
    }
}

static void run_tasks(struct loop *loop)
{
    run_list(atomic_exchange_explicit(&loop->posted, NULL, memory_order_acquire));
}

bool loop_defer(struct loop *loop, struct loop_task *task)
{
    if (!loop || !loop_is_current(loop) || !loop->in_run)
        return false;
    task->next = loop->deferred;
    loop->deferred = task;
    return true;
}

static void run_deferred(struct loop *loop)
{
    while (loop->deferred) {
        struct loop_task *all = loop->deferred;
        loop->deferred = NULL;
        run_list(all);
    }
}

void loop_stop(struct loop *loop)
{
    atomic_fetch_add_explicit(&loop->n_posting, 1, memory_order_relaxed);
    atomic_store(&loop->must_stop, true);
    wake(loop);
    atomic_fetch_sub_explicit(&loop->n_posting, 1, memory_order_release);
}

/* ---- hooks and rounds ---- */

void loop_add_hook(struct loop *loop, struct loop_hook *hook)
{
    hook->next = loop->hooks;
    loop->hooks = hook;
}

void loop_remove_hook(struct loop *loop, struct loop_hook *hook)
{
    for (struct loop_hook **at = &loop->hooks; *at; at = &(*at)->next)
        if (*at == hook) {
            *at = hook->next;
            return;
        }
}

static int shorter_wait(int a, int64_t b)
{
    if (b < 0)
        return a;
    return a < 0 || b < a ? (int)b : a;
}

static int wait_allowed(struct loop *loop, int wait_ms)
{
    for (struct loop_hook *hook = loop->hooks, *next; hook; hook = next) {
        next = hook->next;
        wait_ms = shorter_wait(wait_ms, hook->before_wait(hook));
    }
    run_deferred(loop);
    if (loop->n_timers > 0) {
        int64_t left_ns = loop->timers[0]->due.ns - clock_mono(loop->clock).ns;
        int64_t left_ms = left_ns <= 0 ? 0 : (left_ns + 999999) / 1000000;
        wait_ms = shorter_wait(wait_ms, left_ms > 3600000 ? 3600000 : left_ms);
    }
    if (atomic_load_explicit(&loop->posted, memory_order_relaxed) || atomic_load(&loop->must_stop))
        wait_ms = 0;
    return wait_ms;
}

static enum err run_round(struct loop *loop, int wait_ms)
{
    struct epoll_event events[LOOP_EVENTS_MAX];
    atomic_store(&loop->thread, pthread_self());
    atomic_store(&loop->is_running, true);
    loop->in_run = true;
    int n = epoll_wait(loop->epoll_fd, events, LOOP_EVENTS_MAX, wait_allowed(loop, wait_ms));
    if (n < 0 && errno != EINTR)
        return err_from_errno(errno);
    loop->in_round = true;
    for (int i = 0; i < n; i++) {
        struct loop_watch *watch = events[i].data.ptr;
        if (!watch) {
            uint64_t count;
            ssize_t got = read(loop->event_fd, &count, sizeof(count));
            (void)got; /* another round may have emptied it */
        } else if (watch->fn)
            watch->fn(watch->context, events[i].events);
    }
    run_timers(loop);
    run_tasks(loop);
    loop->in_round = false;
    free_dead(loop);
    return ERR_OK;
}

enum err loop_run_once(struct loop *loop, int wait_ms)
{
    enum err err = run_round(loop, wait_ms);
    run_deferred(loop);
    loop->in_run = false;
    return err;
}

enum err loop_run(struct loop *loop)
{
    enum err err = ERR_OK;
    while (err == ERR_OK && !atomic_load(&loop->must_stop))
        err = run_round(loop, -1);
    run_deferred(loop);
    loop->in_run = false;
    atomic_store(&loop->must_stop, false);
    atomic_store(&loop->is_running, false);
    return err;
}
