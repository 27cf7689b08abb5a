/*
 * The connector: a few threads for what blocks, one bounded queue, the folder's health. Kept small: begin a connector to objects by copying
 * this folder.
 */
#include "base/mem.h"
#include "system/files/inside.h"

#include <errno.h>
#include <time.h>

/* ---- answers ---- */

static void answered(struct loop_task *task)
{
    struct hub_object_ask *ask = container_of(task, struct hub_object_ask, task);
    ask->done(ask);
}

static void answer(struct hub_object_ask *ask, enum err err)
{
    ask->err = err;
    ask->task.fn = answered;
    loop_post(ask->loop, &ask->task);
}

/* ---- the threads ---- */

static void look(struct files_system *system)
{
    enum err err = files_look(system);
    hub_department_report(&system->department, err ? HUB_DOWN : HUB_FRESH, err ? HUB_DETAIL(folder_missing) : "");
}

static void run_one(struct files_system *system, struct hub_object_ask *ask)
{
    struct files_object *object = ask->system_state;
    answer(ask, object ? files_read_object(object, ask) : files_open_object(system, ask));
}

/* With the lock held. The next asking; NULL after FILES_LOOK_MS without one, or at the stop. */
static struct hub_object_ask *take(struct files_system *system)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += FILES_LOOK_MS / 1000;
    system->n_idle++;
    while (!system->first && !system->is_stopping)
        if (pthread_cond_timedwait(&system->wake, &system->lock, &until) == ETIMEDOUT)
            break;
    system->n_idle--;
    struct hub_object_ask *ask = system->first;
    if (!ask)
        return NULL;
    system->first = ask->next;
    if (!system->first)
        system->last = &system->first;
    system->n_waiting--;
    return ask;
}

static void *run(void *context)
{
    struct files_system *system = context;
    pthread_setname_np(pthread_self(), "files");
    look(system);
    pthread_mutex_lock(&system->lock);
    while (!system->is_stopping) {
        struct hub_object_ask *ask = take(system);
        bool is_stopping = system->is_stopping;
        pthread_mutex_unlock(&system->lock);
        if (ask && is_stopping)
            answer(ask, ERR_UNAVAILABLE);
        else if (ask)
            run_one(system, ask);
        else if (!is_stopping)
            look(system);
        pthread_mutex_lock(&system->lock);
    }
    pthread_mutex_unlock(&system->lock);
    return NULL;
}

/* With the lock held. */
static void add_thread(struct files_system *system)
{
    if (system->n_threads < FILES_THREADS && pthread_create(&system->threads[system->n_threads], NULL, run, system) == 0)
        system->n_threads++;
}

static void start(struct loop_timer *timer)
{
    struct files_system *system = container_of(timer, struct files_system, start);
    pthread_mutex_lock(&system->lock);
    add_thread(system);
    bool has_thread = system->n_threads > 0;
    pthread_mutex_unlock(&system->lock);
    if (!has_thread)
        hub_department_report(&system->department, HUB_DOWN, HUB_DETAIL(no_thread));
}

static void enqueue(struct files_system *system, struct hub_object_ask *ask, struct files_object *object)
{
    ask->system_state = object;
    ask->next = NULL;
    pthread_mutex_lock(&system->lock);
    bool is_full = system->n_waiting >= FILES_QUEUE_MAX || system->is_stopping;
    if (!is_full) {
        *system->last = ask;
        system->last = &ask->next;
        if (++system->n_waiting > system->n_idle)
            add_thread(system);
        pthread_cond_signal(&system->wake);
    }
    pthread_mutex_unlock(&system->lock);
    if (is_full) {
        metric_add(&system->n_refused, 1);
        answer(ask, ERR_FULL);
    }
}

/* ---- the slots ---- */

static void files_object_open(void *system, struct hub_object_ask *ask)
{
    enqueue(system, ask, NULL);
}

static void files_object_read(void *object, struct hub_object_ask *ask)
{
    enqueue(((struct files_object *)object)->system, ask, object);
}

static enum err files_open(const struct hub_system_env *env, struct yaml_node root, struct diag_list *diags, void **ret_system)
{
    struct files_system *system = mem_alloc_zero(1, sizeof *system);
    struct yaml_node connection;
    pthread_condattr_t monotonic;
    if (!system)
        return ERR_NO_MEMORY;
    pthread_mutex_init(&system->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&system->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    system->last = &system->first;
    system->check_only = env->check_only;
    system->start.fn = start;
    enum err err = hub_department_init(&system->department, env, "files", root, diags, &connection);
    if (!err)
        err = files_read_connection(system, connection, diags);
    if (!err && !env->check_only)
        err = loop_timer_start(env->loop, &system->start, 0);
    if (err) {
        hub_department_finish(&system->department);
        pthread_mutex_destroy(&system->lock);
        pthread_cond_destroy(&system->wake);
        mem_free(system);
        return err;
    }
    *ret_system = system;
    return ERR_OK;
}

static void files_close(void *context)
{
    struct files_system *system = context;
    if (!system->check_only)
        loop_timer_stop(&system->start);
    pthread_mutex_lock(&system->lock);
    system->is_stopping = true;
    pthread_cond_broadcast(&system->wake);
    size_t n_threads = system->n_threads;
    pthread_mutex_unlock(&system->lock);
    for (size_t i = 0; i < n_threads; i++)
        pthread_join(system->threads[i], NULL);
    for (struct hub_object_ask *ask = system->first, *next; ask; ask = next) {
        next = ask->next;
        answer(ask, ERR_UNAVAILABLE);
    }
    hub_department_finish(&system->department);
    pthread_mutex_destroy(&system->lock);
    pthread_cond_destroy(&system->wake);
    mem_free(system);
}

static void files_measure(void *context, struct metric_page *page, struct str name)
{
    struct files_system *system = context;
    pthread_mutex_lock(&system->lock);
    size_t n = system->n_waiting;
    pthread_mutex_unlock(&system->lock);
    metric_put_queue(page, "files", name, n, FILES_QUEUE_MAX, &system->n_refused);
}

static const struct hub_system_door figures = {.measure = files_measure};
static const struct hub_system_objects objects = {.open = files_object_open, .read = files_object_read, .close = files_close_object};

const struct hub_system_ops system_files_ops = {
    .connector = "files",
    .open = files_open,
    .bind = files_bind,
    .objects = &objects,
    .door = &figures,
    .close = files_close,
};
