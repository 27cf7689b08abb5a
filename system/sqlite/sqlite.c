/*
 * The connector: reads `connection:` and the bindings of a department's file, keeps a few threads for the SQLite file, each with a
 * read-only connection, hands them what is asked in two bounded queues, and reports how the file is doing.
 *
 * One asking's way: fetch() on any thread → queue → a thread → the plan's prepared statement → rows → back to the asker's loop. Calls have
 * a thread of their own, which takes all that waits in one read transaction; a part of a query goes to one of two others, one at a time, so
 * that seconds of it hold up no call. A file that is missing or locked makes the department down: askings are refused at once, the file is
 * tried again each second, and a file that was replaced is opened anew.
 */
#include "base/mem.h"
#include "system/sqlite/inside.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define QUEUE_MAX 10000 /* askings that wait: half a second's worth at the highest rate */
#define LOOK_MS 1000    /* how often the file is looked after, and a missing one tried again */
#define LOCKED_MS 250   /* after a lock: refuse at once for so long, instead of each asking waiting for itself */

/* ---- the threads ---- */

static size_t at_of(const struct sqlite_worker *worker)
{
    return (size_t)(worker - worker->system->workers);
}

static void disconnect(struct sqlite_worker *worker)
{
    struct sqlite_system *system = worker->system;
    pthread_mutex_lock(&system->lock);
    for (struct hub_plan *plan = system->tables.plans; plan; plan = plan->next)
        sqlite_plan_forget(plan, at_of(worker));
    pthread_mutex_unlock(&system->lock);
    if (worker->connection.db)
        sqlite_disconnect(&worker->connection);
}

/* Opens the file, or finds out that it is another one by now. What there is to say of it the thread of the calls says. */
static void look(struct sqlite_worker *worker)
{
    struct sqlite_system *system = worker->system;
    char detail[HUB_DEPARTMENT_DETAIL_MAX] = "";
    worker->looked = clock_mono(system->department.clock);
    if (worker->connection.db && !worker->connection.is_refused && sqlite_is_same_file(&worker->connection, system->path)) {
        if (at_of(worker) == 0)
            hub_department_heard(&system->department);
        return;
    }
    disconnect(worker);
    enum err err = sqlite_connect(
        system->path, system->department.clock, system->timeout_ms, SQLITE_BUSY_MS, detail, sizeof detail, &worker->connection);
    worker->connection.worker = at_of(worker);
    if (at_of(worker) == 0)
        hub_department_report(&system->department, err ? HUB_DOWN : HUB_FRESH, detail);
}

static void run_one(struct sqlite_worker *worker, struct hub_fetch *fetch)
{
    struct sqlite_system *system = worker->system;
    char detail[HUB_DEPARTMENT_DETAIL_MAX] = "";
    if (!worker->connection.db || clock_mono(system->department.clock).ns < worker->locked_until.ns) {
        hub_fetch_answer(fetch, ERR_UNAVAILABLE);
        return;
    }
    enum err err = sqlite_plan_run(fetch->system_state, &worker->connection, fetch, detail, sizeof detail);
    if (err == ERR_RANGE || err == ERR_UNSUPPORTED || err == ERR_CANCELLED || (err == ERR_TOO_LARGE && !detail[0])) {
        hub_fetch_answer(fetch, err); /* the asker's doing, not the department's */
        return;
    }
    if (err == ERR_UNAVAILABLE) {
        worker->locked_until.ns = clock_mono(system->department.clock).ns + LOCKED_MS * INT64_C(1000000);
        hub_department_report(&system->department, HUB_DOWN, detail);
    } else if (err) {
        hub_department_report(&system->department, HUB_STALE, detail);
        if (err == ERR_CORRUPT)
            err = ERR_UNAVAILABLE;
    } else {
        hub_department_report(&system->department, HUB_FRESH, "");
    }
    hub_fetch_answer(fetch, err);
}

/* One read transaction for all that waited: one lock and one look at the file's change counter. */
static void run_batch(struct sqlite_worker *worker, struct hub_fetch *fetch)
{
    struct sqlite_connection *connection = &worker->connection;
    bool is_open = connection->db && fetch->next && sqlite3_step(connection->begin) == SQLITE_DONE;
    if (connection->db && fetch->next)
        sqlite3_reset(connection->begin);
    for (struct hub_fetch *next; fetch; fetch = next) {
        next = fetch->next; /* the asker frees it once it is answered */
        run_one(worker, fetch);
    }
    if (is_open) {
        sqlite3_step(connection->commit);
        sqlite3_reset(connection->commit);
    }
}

/* All that waits, in order, of what may take long the first; NULL after LOOK_MS without any, or at the stop. */
static struct hub_fetch *take(struct sqlite_worker *worker, bool *ret_stop)
{
    struct sqlite_system *system = worker->system;
    struct sqlite_queue *queue = worker->queue;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += LOOK_MS / 1000;
    pthread_mutex_lock(&system->lock);
    while (!queue->first && !system->is_stopping) {
        queue->n_asleep++;
        int code = pthread_cond_timedwait(&queue->wake, &system->lock, &until);
        queue->n_asleep--;
        queue->n_woken -= queue->n_woken > 0;
        if (code != 0)
            break;
    }
    struct hub_fetch *first = queue->first;
    bool is_one = first && first->next && queue == &system->longs;
    queue->first = is_one ? first->next : NULL;
    queue->n -= is_one ? 1 : queue->n;
    if (is_one)
        first->next = NULL;
    if (!queue->first)
        queue->last = &queue->first;
    *ret_stop = system->is_stopping;
    pthread_mutex_unlock(&system->lock);
    return first;
}

static void *run(void *context)
{
    struct sqlite_worker *worker = context;
    struct sqlite_system *system = worker->system;
    bool is_stopping = false;
    pthread_setname_np(pthread_self(), "sqlite");
    look(worker);
    while (!is_stopping) {
        struct hub_fetch *batch = take(worker, &is_stopping);
        if (mono_ms_between(worker->looked, clock_mono(system->department.clock)) >= LOOK_MS)
            look(worker);
        if (batch)
            run_batch(worker, batch);
    }
    disconnect(worker);
    return NULL;
}

/* With the lock held. */
static void begin(struct sqlite_worker *worker)
{
    if (!worker->is_running)
        worker->is_running = pthread_create(&worker->thread, NULL, run, worker) == 0;
}

static void start(struct loop_timer *timer)
{
    struct sqlite_system *system = container_of(timer, struct sqlite_system, start);
    pthread_mutex_lock(&system->lock);
    begin(&system->workers[0]);
    bool is_running = system->workers[0].is_running;
    pthread_mutex_unlock(&system->lock);
    if (!is_running)
        hub_department_report(&system->department, HUB_DOWN, "no thread can be started");
}

/* With the lock held: what may take long gets a thread more when all of them are busy. */
static void begin_another(struct sqlite_system *system)
{
    for (size_t i = 1; i < SQLITE_WORKERS; i++)
        if (!system->workers[i].is_running) {
            begin(&system->workers[i]);
            return;
        }
}

static void sqlite_fetch(void *plan, struct hub_fetch *fetch)
{
    struct sqlite_system *system = ((struct hub_plan *)plan)->system;
    struct sqlite_queue *queue = fetch->is_long ? &system->longs : &system->calls;
    fetch->system_state = plan;
    fetch->rows = NULL;
    fetch->next = NULL;
    pthread_mutex_lock(&system->lock);
    bool is_full = queue->n >= QUEUE_MAX || system->is_stopping;
    bool is_asleep = !is_full && queue->n_asleep > queue->n_woken; /* one wake is enough */
    if (!is_full) {
        *queue->last = fetch;
        queue->last = &fetch->next;
        queue->n++;
        if (is_asleep)
            queue->n_woken++;
        else if (fetch->is_long)
            begin_another(system);
    }
    pthread_mutex_unlock(&system->lock);
    if (is_full) {
        metric_add(&queue->n_refused, 1);
        hub_fetch_answer(fetch, ERR_FULL);
    } else if (is_asleep)
        pthread_cond_signal(&queue->wake);
}

/* ---- the slots ---- */

static void destroy(struct sqlite_system *system)
{
    hub_tables_finish(&system->tables);
    hub_commands_finish(&system->commands);
    pthread_mutex_destroy(&system->lock);
    pthread_cond_destroy(&system->calls.wake);
    pthread_cond_destroy(&system->longs.wake);
    hub_department_finish(&system->department);
    mem_free(system);
}

static enum err sqlite_open(const struct hub_system_env *env, struct yaml_node root, struct diag_list *diags, void **ret_system)
{
    struct sqlite_system *system = mem_alloc_zero(1, sizeof *system);
    pthread_condattr_t monotonic;
    struct yaml_node connection;
    if (!system)
        return ERR_NO_MEMORY;
    pthread_mutex_init(&system->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&system->calls.wake, &monotonic);
    pthread_cond_init(&system->longs.wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    hub_commands_init(&system->commands, &system->department, &sqlite_command_ops, system, env->check_only);
    system->calls.last = &system->calls.first;
    system->longs.last = &system->longs.first;
    for (size_t i = 0; i < SQLITE_WORKERS; i++)
        system->workers[i] = (struct sqlite_worker){.system = system, .queue = i == 0 ? &system->calls : &system->longs};
    system->loop = env->loop;
    system->start.fn = start;
    enum err err = hub_department_init(&system->department, env, "sqlite", root, diags, &connection);
    if (!err)
        err = sqlite_read_connection(system, connection, diags);
    if (!err && !env->check_only)
        err = loop_timer_start(env->loop, &system->start, 0);
    if (err) {
        destroy(system);
        return err;
    }
    *ret_system = system;
    return ERR_OK;
}

static void answer_all(struct sqlite_queue *queue)
{
    for (struct hub_fetch *fetch = queue->first, *next; fetch; fetch = next) {
        next = fetch->next;
        hub_fetch_answer(fetch, ERR_UNAVAILABLE);
    }
}

static void sqlite_close(void *context)
{
    struct sqlite_system *system = context;
    loop_timer_stop(&system->start);
    (void)!hub_commands_stop(&system->commands, -1); /* everything there has a deadline */
    pthread_mutex_lock(&system->lock);
    system->is_stopping = true;
    pthread_cond_broadcast(&system->calls.wake);
    pthread_cond_broadcast(&system->longs.wake);
    pthread_mutex_unlock(&system->lock);
    for (size_t i = 0; i < SQLITE_WORKERS; i++)
        if (system->workers[i].is_running)
            pthread_join(system->workers[i].thread, NULL);
    answer_all(&system->calls); /* their thread never began, or had ended */
    answer_all(&system->longs);
    destroy(system);
}

static void sqlite_measure(void *context, struct metric_page *page, struct str name)
{
    struct sqlite_system *system = context;
    pthread_mutex_lock(&system->lock);
    size_t n_calls = system->calls.n, n_longs = system->longs.n;
    pthread_mutex_unlock(&system->lock);
    metric_put_queue(page, HUB_DEPARTMENT_QUEUE, name, n_calls, QUEUE_MAX, &system->calls.n_refused);
    metric_put_queue(page, "department_queries", name, n_longs, QUEUE_MAX, &system->longs.n_refused);
    hub_commands_measure(&system->commands, page, name);
}

static const struct hub_system_door figures = {.measure = sqlite_measure};

static void sqlite_act(void *context, struct hub_ask *ask)
{
    struct sqlite_system *system = context;
    hub_commands_act(&system->commands, ask);
}

static const struct hub_system_tables tables = {.compile = sqlite_compile, .fetch = sqlite_fetch};

const struct hub_system_ops system_sqlite_ops = {
    .connector = "sqlite",
    .open = sqlite_open,
    .bind = sqlite_bind,
    .tables = &tables,
    .act = sqlite_act,
    .door = &figures,
    .close = sqlite_close,
};
