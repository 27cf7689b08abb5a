/* The loop and the queue: order, timers by a fake clock, many posting threads, limits, failures of memory. */
#include "base/loop.h"
#include "base/mem.h"
#include "base/queue.h"
#include "base/test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

struct probe {
    struct loop_timer timer;
    int id;
};

static int order[1000];
static int n_order;

static void note_timer(struct loop_timer *timer)
{
    order[n_order++] = container_of(timer, struct probe, timer)->id;
}

static void timers_run_in_order_of_their_time(void **state)
{
    struct clock_fake clock;
    clock_fake_init(&clock, (struct wall_time){0});
    struct loop *loop;
    assert_ok(loop_create(&clock.clock, &loop));
    unsigned seed = 7;
    print_message("seed %u\n", seed);
    struct probe probes[500];
    for (int i = 0; i < 500; i++) {
        probes[i] = (struct probe){.timer = {.fn = note_timer}};
        int delay = rand_r(&seed) % 1000;
        probes[i].id = delay;
        assert_ok(loop_timer_start(loop, &probes[i].timer, delay));
    }
    for (int i = 0; i < 500; i += 3)
        loop_timer_stop(&probes[i].timer);
    n_order = 0;
    for (int ms = 0; ms < 1000; ms++) {
        assert_ok(loop_run_once(loop, 0));
        for (int i = 0; i < n_order; i++)
            assert_true(order[i] <= ms);
        clock_fake_advance_ms(&clock, 1);
    }
    assert_int_equal(n_order, 333);
    for (int i = 1; i < n_order; i++)
        assert_true(order[i - 1] <= order[i]);
    loop_destroy(loop);
}

struct endless {
    struct loop_timer timer;
    int n;
};

static void restart(struct loop_timer *timer)
{
    struct endless *endless = container_of(timer, struct endless, timer);
    endless->n++;
    assert_ok(loop_timer_start(timer->loop, timer, 0));
}

static void a_timer_that_restarts_itself_does_not_hold_the_loop(void **state)
{
    struct clock_fake clock;
    clock_fake_init(&clock, (struct wall_time){0});
    struct loop *loop;
    assert_ok(loop_create(&clock.clock, &loop));
    struct endless endless = {.timer = {.fn = restart}};
    assert_ok(loop_timer_start(loop, &endless.timer, 0));
    assert_ok(loop_run_once(loop, -1));
    assert_ok(loop_run_once(loop, -1));
    assert_int_equal(endless.n, 2);
    loop_destroy(loop);
}

struct pipe_end {
    struct loop *loop;
    struct loop_watch *watch;
    int fd, n_read;
};

static void read_and_unwatch(void *context, uint32_t events)
{
    struct pipe_end *end = context;
    char byte;
    assert_true(events & EPOLLIN);
    assert_int_equal(read(end->fd, &byte, 1), 1);
    end->n_read++;
    loop_unwatch(end->watch);
    end->watch = NULL;
}

static void descriptors_are_watched_until_they_are_not(void **state)
{
    struct loop *loop;
    assert_ok(loop_create(clock_system(), &loop));
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    struct pipe_end end = {.loop = loop, .fd = fds[0]};
    assert_ok(loop_watch_fd(loop, fds[0], EPOLLIN, read_and_unwatch, &end, &end.watch));
    assert_int_equal(write(fds[1], "xy", 2), 2);
    assert_ok(loop_run_once(loop, 1000));
    assert_ok(loop_run_once(loop, 0));
    assert_int_equal(end.n_read, 1);
    assert_err(loop_watch_fd(loop, 9999, EPOLLIN, read_and_unwatch, &end, &end.watch), ERR_IO);
    close(fds[0]);
    close(fds[1]);
    loop_destroy(loop);
}

#define N_POSTERS 4
#define N_POSTS 5000

struct numbered {
    struct loop_task task;
    int poster, number;
};

static _Atomic int last[N_POSTERS];
static _Atomic int n_run;

static void run_numbered(struct loop_task *task)
{
    struct numbered *numbered = container_of(task, struct numbered, task);
    assert_int_equal(last[numbered->poster] + 1, numbered->number); /* each poster's tasks keep their order */
    last[numbered->poster] = numbered->number;
    n_run++;
    mem_free(numbered);
}

struct poster {
    struct loop *loop;
    int id;
};

static void *post_many(void *context)
{
    struct poster *poster = context;
    for (int i = 1; i <= N_POSTS; i++) {
        struct numbered *numbered = mem_alloc(sizeof(*numbered));
        *numbered = (struct numbered){.task = {.fn = run_numbered}, .poster = poster->id, .number = i};
        loop_post(poster->loop, &numbered->task);
    }
    return NULL;
}

static void nothing(void *context) {}

static void tasks_of_many_threads_all_run(void **state)
{
    struct loop_thread *thread;
    assert_ok(loop_thread_start(clock_system(), "test", &thread));
    pthread_t threads[N_POSTERS];
    struct poster posters[N_POSTERS];
    for (int i = 0; i < N_POSTERS; i++) {
        posters[i] = (struct poster){loop_thread_loop(thread), i};
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, &posters[i]), 0);
    }
    for (int i = 0; i < N_POSTERS; i++)
        pthread_join(threads[i], NULL);
    loop_thread_call(thread, nothing, NULL); /* behind all of them */
    assert_int_equal(n_run, N_POSTERS * N_POSTS);
    loop_thread_stop(thread);
}

/* ---- a loop that ends as soon as its last task has run ---- */

struct late_poster {
    struct loop_task task;     /* first: it is found by it */
    _Atomic(struct loop *) to; /* NULL: nothing to post */
    bool has_run;
};

#define NO_LOOP_ANY_MORE ((struct loop *)(uintptr_t)1)

static void has_run(struct loop_task *task)
{
    ((struct late_poster *)(void *)task)->has_run = true;
}

static void *post_when_given(void *context)
{
    struct late_poster *poster = context;
    struct loop *loop;
    while ((loop = atomic_load(&poster->to)) != NO_LOOP_ANY_MORE)
        if (loop) {
            atomic_store(&poster->to, NULL);
            loop_post(loop, &poster->task);
        }
    return NULL;
}

/* What waits for one answer may destroy its loop on getting it, while the poster still wakes it. */
static void a_loop_may_end_while_its_poster_is_within(void **state)
{
    struct late_poster poster = {.task.fn = has_run};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, post_when_given, &poster), 0);
    for (int i = 0; i < TEST_TIMES(4000); i++) {
        struct loop *loop;
        assert_ok(loop_create(clock_system(), &loop));
        poster.has_run = false;
        atomic_store(&poster.to, loop);
        while (!poster.has_run)
            assert_ok(loop_run_once(loop, 1000));
        loop_destroy(loop);
    }
    atomic_store(&poster.to, NO_LOOP_ANY_MORE);
    pthread_join(thread, NULL);
    assert_int_equal(mem_n_live(), 0);
}

/* ---- what is put off to the end of a round ---- */

static char noted[16];

static void note(char what)
{
    size_t n = strlen(noted);
    if (n + 1 < sizeof noted)
        noted[n] = what;
}

static struct loop *deferring;
static struct loop_task first_late, second_late, posted_late;

static void on_first_late(struct loop_task *task)
{
    note('1');
}

static void on_posted_late(struct loop_task *task)
{
    note('p');
}

static void on_second_late(struct loop_task *task)
{
    note('2');
    loop_post(deferring, &posted_late); /* the loop does not sleep over it */
}

static void on_task(struct loop_task *task)
{
    assert_true(loop_defer(deferring, &first_late));
    assert_true(loop_defer(deferring, &second_late));
    note('t');
}

static void on_other_task(struct loop_task *task)
{
    note('o');
}

static void *defer_elsewhere(void *ret_was_taken)
{
    *(bool *)ret_was_taken = loop_defer(deferring, &first_late);
    return NULL;
}

static void what_is_deferred_runs_when_the_round_is_done(void **state)
{
    struct loop_task task = {.fn = on_task}, other = {.fn = on_other_task};
    pthread_t thread;
    bool was_taken = true;
    memset(noted, 0, sizeof noted);
    first_late.fn = on_first_late;
    second_late.fn = on_second_late;
    posted_late.fn = on_posted_late;
    assert_ok(loop_create(clock_system(), &deferring));
    assert_false(loop_defer(NULL, &first_late));
    assert_false(loop_defer(deferring, &first_late)); /* no round is under way */
    loop_post(deferring, &task);
    loop_post(deferring, &other);
    assert_ok(loop_run_once(deferring, 0));
    assert_string_equal(noted, "to12");
    assert_false(loop_defer(deferring, &first_late));
    assert_int_equal(pthread_create(&thread, NULL, defer_elsewhere, &was_taken), 0);
    pthread_join(thread, NULL);
    assert_false(was_taken);
    assert_ok(loop_run_once(deferring, -1)); /* it would wait for ever if the post had been lost */
    assert_string_equal(noted, "to12p");
    loop_destroy(deferring);
}

static void on_stop(struct loop_task *task)
{
    assert_true(loop_defer(deferring, &first_late));
    loop_stop(deferring);
}

static void what_is_deferred_runs_before_the_loop_ends(void **state)
{
    struct loop_task task = {.fn = on_stop};
    memset(noted, 0, sizeof noted);
    first_late.fn = on_first_late;
    assert_ok(loop_create(clock_system(), &deferring));
    loop_post(deferring, &task);
    assert_ok(loop_run(deferring));
    assert_string_equal(noted, "1");
    loop_destroy(deferring);
}

static size_t n_taken;
static uintptr_t sum_taken;

static void take(void *context, void **items, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sum_taken += (uintptr_t)items[i];
    n_taken += n;
}

static void a_queue_refuses_past_its_limit(void **state)
{
    struct loop *loop;
    struct queue *queue;
    assert_ok(loop_create(clock_system(), &loop));
    assert_ok(queue_create(loop, 300, take, NULL, &queue));
    for (uintptr_t i = 1; i <= 300; i++)
        assert_ok(queue_push(queue, (void *)i));
    assert_err(queue_push(queue, (void *)301), ERR_FULL);
    assert_int_equal(queue_n_refused(queue), 1);
    while (queue_n_items(queue) > 0)
        assert_ok(loop_run_once(loop, 0));
    assert_int_equal(n_taken, 300);
    assert_int_equal(sum_taken, 300 * 301 / 2);
    assert_ok(queue_push(queue, (void *)1)); /* not taken by the loop: handed over by destroy */
    loop_destroy(loop);
    queue_destroy(queue);
    assert_int_equal(n_taken, 301);
}

static void failing_memory_is_an_error(void **state)
{
    int64_t n_live = mem_n_live();
    struct loop *loop;
    struct queue *queue;
    struct loop_thread *thread;
    mem_fail_nth(1);
    assert_err(loop_create(clock_system(), &loop), ERR_NO_MEMORY);
    assert_ok(loop_create(clock_system(), &loop));
    for (uint64_t n = 1; n <= 2; n++) {
        mem_fail_nth(n);
        assert_err(queue_create(loop, 8, take, NULL, &queue), ERR_NO_MEMORY);
        mem_fail_nth(n);
        assert_err(loop_thread_start(clock_system(), "test", &thread), ERR_NO_MEMORY);
    }
    struct probe probe = {.timer = {.fn = note_timer}};
    mem_fail_nth(1);
    assert_err(loop_timer_start(loop, &probe.timer, 0), ERR_NO_MEMORY);
    mem_fail_nth(0);
    loop_destroy(loop);
    assert_int_equal(mem_n_live(), n_live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(timers_run_in_order_of_their_time),
        cmocka_unit_test(a_timer_that_restarts_itself_does_not_hold_the_loop),
        cmocka_unit_test(descriptors_are_watched_until_they_are_not),
        cmocka_unit_test(tasks_of_many_threads_all_run),
        cmocka_unit_test(a_loop_may_end_while_its_poster_is_within),
        cmocka_unit_test(what_is_deferred_runs_when_the_round_is_done),
        cmocka_unit_test(what_is_deferred_runs_before_the_loop_ends),
        cmocka_unit_test(a_queue_refuses_past_its_limit),
        cmocka_unit_test(failing_memory_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
