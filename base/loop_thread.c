/* A loop on a thread of its own. The loop is made by the caller, so that it may be used before the thread runs it. */
#include "base/loop.h"
#include "base/mem.h"

#include <assert.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stddef.h>
#include <sys/resource.h>

#define GIVE_WAY 10 /* of nice: a tenth of the others' share while they want all */

struct loop_thread {
    struct loop *loop;
    pthread_t thread;
};

static void *run(void *context)
{
    struct loop_thread *thread = context;
    enum err err = loop_run(thread->loop);
    assert(err == ERR_OK); /* only a broken descriptor table makes epoll_wait fail */
    return NULL;
}

enum err loop_thread_start(struct clock *clock, const char *name, struct loop_thread **ret_thread)
{
    struct loop_thread *thread = mem_alloc_zero(1, sizeof(*thread));
    if (!thread)
        return ERR_NO_MEMORY;
    enum err err = loop_create(clock, &thread->loop);
    if (err != ERR_OK)
        goto done;
    /* Signals belong to the main thread. */
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int failed = pthread_create(&thread->thread, NULL, run, thread);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (failed) {
        err = err_from_errno(failed);
        loop_destroy(thread->loop);
        goto done;
    }
    pthread_setname_np(thread->thread, name);
    *ret_thread = thread;
    thread = NULL;
done:
    mem_free(thread);
    return err;
}

void loop_thread_give_way(void)
{
    (void)!setpriority(PRIO_PROCESS, 0, GIVE_WAY); /* Linux: of the calling thread alone; one that is refused runs as before */
}

struct loop *loop_thread_loop(struct loop_thread *thread)
{
    return thread->loop;
}

void loop_thread_stop(struct loop_thread *thread)
{
    if (!thread)
        return;
    loop_stop(thread->loop);
    pthread_join(thread->thread, NULL);
    loop_destroy(thread->loop);
    mem_free(thread);
}

struct call {
    struct loop_task task;
    void (*fn)(void *context);
    void *context;
    sem_t returned;
};

static void run_call(struct loop_task *task)
{
    struct call *call = container_of(task, struct call, task);
    call->fn(call->context);
    sem_post(&call->returned);
}

void loop_thread_call(struct loop_thread *thread, void (*fn)(void *context), void *context)
{
    struct call call = {.task = {.fn = run_call}, .fn = fn, .context = context};
    sem_init(&call.returned, 0, 0);
    loop_post(thread->loop, &call.task);
    while (sem_wait(&call.returned) != 0) /* EINTR */
        ;
    sem_destroy(&call.returned);
}
