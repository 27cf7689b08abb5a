/*
 * The threads, the queue between them, and the department's being up or down.
 */
#include "hub/department_pool.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define LOOK_MS 200        /* how often a thread with nothing to do looks around */
#define LOOK_AGAIN_MS 1000 /* after so long a table that did not fit is looked at again */
#define SCHEMA_MAX (16u << 20)
#define PING_MS 5000 /* an idle connection is asked whether it lives */
#define IDLE_CLOSE_MS 60000
#define BACK_OFF_FIRST_MS 200
#define DOWN_MS 500 /* without a connection for so long: what waits is refused */
#define BACK_OFF_MAX_MS 5000

/* ---- answering ---- */

static void answer(struct hub_pool *pool, struct hub_pool_run *run, enum err err)
{
    pthread_mutex_lock(&pool->lock);
    struct hub_fetch *fetch = run->fetch;
    if (fetch)
        pool->n_open--;
    pthread_mutex_unlock(&pool->lock);
    if (fetch && !err) {
        fetch->rows = run->rows;
        fetch->is_truncated = run->is_truncated;
    } else {
        rows_release(run->rows);
    }
    mem_free(run);
    if (fetch)
        hub_fetch_answer(fetch, err);
}

static void answer_all(struct hub_pool *pool, struct hub_pool_run *run, enum err err)
{
    for (struct hub_pool_run *next; run; run = next) {
        next = run->next;
        answer(pool, run, err);
    }
}

/* With the lock held. */
static struct hub_pool_run *take_all(struct hub_pool *pool)
{
    struct hub_pool_run *all = pool->first;
    pool->first = NULL;
    pool->last = &pool->first;
    return all;
}

/* ---- one thread's connection ---- */

static void note_disconnect(struct hub_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->n_connected--;
    pthread_mutex_unlock(&pool->lock);
}

static void leave(struct hub_pool_worker *worker)
{
    if (!worker->pool->ops->is_open(worker->session))
        return;
    worker->pool->ops->close(worker->session);
    note_disconnect(worker->pool);
}

static enum err look_at_all(struct hub_pool_worker *worker)
{
    struct hub_pool *pool = worker->pool;
    arena_reset(&worker->arena);
    worker->tables = arena_alloc_zero(&worker->arena, pool->tables.n + 1, sizeof *worker->tables);
    enum err err = worker->tables ? ERR_OK : ERR_NO_MEMORY;
    for (const struct hub_table *table = pool->tables.first; table && !err; table = table->next)
        err = pool->ops->look(worker->session, table, &worker->arena, NULL, &worker->tables[table->at]);
    return err;
}

static void connected(struct hub_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    bool is_news = pool->is_down || pool->n_connected == 0;
    pool->n_connected++;
    pool->is_down = false;
    pool->back_off_ms = 0;
    pthread_mutex_unlock(&pool->lock);
    if (is_news)
        hub_department_report(pool->department, HUB_FRESH, "");
}

/* Down when it went on for a moment and nobody else has a connection: then all that waits is refused. */
static void failed_to_connect(struct hub_pool *pool, const char *detail)
{
    struct hub_pool_run *refused = NULL;
    bool is_down = false;
    pthread_mutex_lock(&pool->lock);
    struct mono_time now = clock_mono(pool->department->clock);
    if (pool->back_off_ms == 0)
        pool->first_failure = now;
    pool->back_off_ms = pool->back_off_ms ? 2 * pool->back_off_ms : BACK_OFF_FIRST_MS;
    if (pool->back_off_ms > BACK_OFF_MAX_MS)
        pool->back_off_ms = BACK_OFF_MAX_MS;
    pool->open_again.ns = now.ns + pool->back_off_ms * 1000000;
    if (pool->n_connected == 0 && mono_ms_between(pool->first_failure, now) >= DOWN_MS) {
        is_down = pool->is_down = true;
        refused = take_all(pool);
    }
    pthread_mutex_unlock(&pool->lock);
    if (is_down)
        hub_department_report(pool->department, HUB_DOWN, detail);
    answer_all(pool, refused, ERR_UNAVAILABLE);
}

/* True: there is one. */
static bool connect_once(struct hub_pool_worker *worker)
{
    struct hub_pool *pool = worker->pool;
    char detail[HUB_DEPARTMENT_DETAIL_MAX];
    snprintf(detail, sizeof detail, "%s", HUB_DETAIL(no_memory));
    if (pool->ops->is_open(worker->session))
        return true;
    pthread_mutex_lock(&pool->lock);
    bool is_early = pool->back_off_ms && clock_mono(pool->department->clock).ns < pool->open_again.ns;
    pthread_mutex_unlock(&pool->lock);
    if (is_early || atomic_load(&pool->is_stopping))
        return false;
    enum err err = pool->ops->open(worker->session, detail);
    if (!err && (err = look_at_all(worker))) {
        snprintf(detail, sizeof detail, "%s", HUB_DETAIL(no_tables));
        pool->ops->close(worker->session);
    }
    worker->made = worker->used = clock_mono(pool->department->clock);
    if (err)
        failed_to_connect(pool, detail);
    else
        connected(pool);
    return err == ERR_OK;
}

/* ---- the thread ---- */

/* What the connection could not do is put back, before the others. */
static void put_back(struct hub_pool *pool, struct hub_pool_run *run)
{
    pthread_mutex_lock(&pool->lock);
    bool is_refused = pool->is_down || atomic_load(&pool->is_stopping);
    if (!is_refused) {
        run->next = pool->first;
        if (!pool->first)
            pool->last = &run->next;
        pool->first = run;
        pthread_cond_signal(pool->n_idle > 0 ? &pool->wake : &pool->need);
    }
    pthread_mutex_unlock(&pool->lock);
    if (is_refused)
        answer(pool, run, ERR_UNAVAILABLE);
}

/* What does not fit is refused, and looked at again after a while. */
static enum err run_it(
    struct hub_pool_worker *worker, struct hub_pool_run *run, char detail[HUB_DEPARTMENT_DETAIL_MAX], bool *ret_is_changed)
{
    struct hub_pool *pool = worker->pool;
    const struct hub_seen *seen = &worker->tables[run->plan->table->at];
    if (str_is_empty(seen->wrong))
        return pool->ops->run(worker->session, seen, run, detail, ret_is_changed);
    snprintf(detail, HUB_DEPARTMENT_DETAIL_MAX, STR_FORMAT, STR_ARG(seen->wrong));
    *ret_is_changed = mono_ms_between(worker->made, clock_mono(pool->department->clock)) >= LOOK_AGAIN_MS;
    return ERR_UNAVAILABLE;
}

static void run_one(struct hub_pool_worker *worker, struct hub_pool_run *run)
{
    struct hub_pool *pool = worker->pool;
    char detail[HUB_DEPARTMENT_DETAIL_MAX] = "";
    bool is_changed = false;
    if (hub_fetch_is_cancelled(run->fetch)) {
        answer(pool, run, ERR_CANCELLED);
        return;
    }
    pthread_mutex_lock(&pool->lock);
    run->began = clock_mono(pool->department->clock);
    run->is_copied = false;
    worker->running = run;
    pthread_mutex_unlock(&pool->lock);
    enum err err = run_it(worker, run, detail, &is_changed);
    pthread_mutex_lock(&pool->lock);
    worker->running = NULL;
    bool is_given_up = !run->fetch, has_gone = err && (run->has_gone || (run->fetch && hub_fetch_is_cancelled(run->fetch)));
    pthread_mutex_unlock(&pool->lock);
    if (has_gone) { /* no fault of the department's */
        err = ERR_CANCELLED;
        detail[0] = '\0';
    }
    worker->used = clock_mono(pool->department->clock);
    if (!pool->ops->is_open(worker->session))
        note_disconnect(pool);
    if (detail[0])
        hub_department_report(pool->department, HUB_STALE, detail);
    else if (!err)
        hub_department_report(pool->department, HUB_FRESH, "");
    if (is_changed)
        leave(worker);
    if (err != ERR_BUSY || is_given_up)
        answer(pool, run, err);
    else if (++run->n_tries >= HUB_POOL_TRIES_MAX)
        answer(pool, run, ERR_UNAVAILABLE);
    else
        put_back(pool, run);
}

static void look_after(struct hub_pool_worker *worker)
{
    struct hub_pool *pool = worker->pool;
    struct mono_time now = clock_mono(pool->department->clock);
    int64_t idle_ms = mono_ms_between(worker->used, now);
    if (!pool->ops->is_open(worker->session)) {
        if (worker->is_keeper)
            (void)connect_once(worker);
        return;
    }
    if (!worker->is_keeper && idle_ms >= IDLE_CLOSE_MS) {
        leave(worker);
        return;
    }
    if (idle_ms < PING_MS)
        return;
    worker->used = now;
    const struct hub_seen *seen = pool->tables.n ? &worker->tables[worker->n_beats++ % pool->tables.n] : NULL;
    if (pool->ops->ping(worker->session, seen && str_is_empty(seen->wrong) ? seen : NULL))
        leave(worker);
}

static bool is_too_old(const struct hub_pool *pool, const struct hub_pool_run *run)
{
    return mono_ms_between(run->asked, clock_mono(pool->department->clock)) > 2 * pool->timeout_ms + HUB_POOL_GRACE_MS;
}

/* With the lock held. */
static struct hub_pool_run *take_first(struct hub_pool *pool)
{
    struct hub_pool_run *run = pool->first;
    pool->first = run->next;
    if (!pool->first)
        pool->last = &pool->first;
    run->next = NULL;
    return run;
}

void hub_pool_expire(struct hub_pool *pool)
{
    for (;;) {
        pthread_mutex_lock(&pool->lock);
        bool has_gone = pool->first && hub_fetch_is_cancelled(pool->first->fetch);
        struct hub_pool_run *run = pool->first && (has_gone || is_too_old(pool, pool->first)) ? take_first(pool) : NULL;
        pthread_mutex_unlock(&pool->lock);
        if (!run)
            return;
        answer(pool, run, has_gone ? ERR_CANCELLED : ERR_TIMEOUT);
    }
}

static void wait_a_while(struct hub_pool *pool, pthread_cond_t *condition)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += LOOK_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    (void)pthread_cond_timedwait(condition, &pool->lock, &until);
}

/* The next asking for a thread with a connection, if there is one within LOOK_MS. */
static struct hub_pool_run *take(struct hub_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    if (!pool->first && !atomic_load(&pool->is_stopping)) {
        pool->n_idle++;
        wait_a_while(pool, &pool->wake);
        pool->n_idle--;
    }
    struct hub_pool_run *run = pool->first ? take_first(pool) : NULL;
    if (pool->first && pool->n_idle == 0)
        pthread_cond_signal(&pool->need);
    pthread_mutex_unlock(&pool->lock);
    return run;
}

/* A thread without a connection makes one when askings wait and nobody is free for them; it takes none before it can serve it. */
static void make_oneself_useful(struct hub_pool_worker *worker)
{
    struct hub_pool *pool = worker->pool;
    pthread_mutex_lock(&pool->lock);
    if (!atomic_load(&pool->is_stopping) && (!pool->first || pool->n_idle > 0))
        wait_a_while(pool, &pool->need);
    bool is_needed = pool->first && pool->n_idle == 0;
    pthread_mutex_unlock(&pool->lock);
    const struct timespec moment = {.tv_nsec = 10000000};
    if (is_needed && !connect_once(worker))
        nanosleep(&moment, NULL);
}

static void *work(void *context)
{
    struct hub_pool_worker *worker = context;
    struct hub_pool *pool = worker->pool;
    pthread_setname_np(pthread_self(), pool->ops->name);
    arena_init(&worker->arena, SCHEMA_MAX);
    while (!worker->session && !atomic_load(&pool->is_stopping)) {
        const struct timespec moment = {.tv_nsec = LOOK_MS * 1000000L};
        worker->session = pool->ops->make(pool->system);
        if (!worker->session)
            nanosleep(&moment, NULL);
    }
    while (!atomic_load(&pool->is_stopping)) {
        look_after(worker);
        hub_pool_expire(pool);
        if (!pool->ops->is_open(worker->session)) {
            make_oneself_useful(worker);
            continue;
        }
        struct hub_pool_run *run = take(pool);
        if (run)
            run_one(worker, run);
    }
    if (worker->session) {
        leave(worker);
        pool->ops->destroy(worker->session);
    }
    arena_finish(&worker->arena);
    atomic_store(&worker->has_ended, true);
    return NULL;
}

void hub_pool_fetch(struct hub_pool *pool, struct hub_plan *plan, struct hub_fetch *fetch)
{
    struct hub_pool_run *run = mem_alloc_zero(1, sizeof *run);
    fetch->rows = NULL;
    fetch->is_truncated = false;
    enum err err = run ? ERR_OK : ERR_NO_MEMORY;
    if (run) {
        *run = (struct hub_pool_run){.fetch = fetch, .plan = plan, .asked = clock_mono(pool->department->clock)};
        pthread_mutex_lock(&pool->lock);
        if (pool->is_down || atomic_load(&pool->is_stopping))
            err = ERR_UNAVAILABLE;
        else if (pool->n_open >= HUB_POOL_QUEUE_MAX)
            err = ERR_FULL;
        if (err == ERR_FULL)
            metric_add(&pool->n_refused, 1);
        if (!err) {
            *pool->last = run;
            pool->last = &run->next;
            pool->n_open++;
            pthread_cond_signal(pool->n_idle > 0 ? &pool->wake : &pool->need);
        }
        pthread_mutex_unlock(&pool->lock);
    }
    if (err) {
        mem_free(run);
        hub_fetch_answer(fetch, err);
    }
}

void hub_pool_give_up(struct hub_pool *pool, int64_t overdue_ms)
{
    struct mono_time now = clock_mono(pool->department->clock);
    for (size_t i = 0; i < pool->n_workers; i++) {
        pthread_mutex_lock(&pool->lock);
        struct hub_pool_worker *worker = &pool->workers[i];
        struct hub_pool_run *run = worker->running;
        bool is_free = run && run->fetch && run->is_copied;
        bool has_gone = is_free && hub_fetch_is_cancelled(run->fetch);
        bool is_overdue = is_free && mono_ms_between(run->began, now) > overdue_ms;
        struct hub_fetch *fetch = has_gone || is_overdue ? run->fetch : NULL;
        if (fetch) {
            run->fetch = NULL;
            run->has_gone = has_gone;
            pool->n_open--;
        }
        if (has_gone && pool->ops->cancel)
            pool->ops->cancel(worker->session);
        pthread_mutex_unlock(&pool->lock);
        if (fetch)
            hub_fetch_answer(fetch, has_gone ? ERR_CANCELLED : ERR_TIMEOUT);
    }
}

void hub_pool_copied(struct hub_pool *pool, struct hub_pool_run *run)
{
    pthread_mutex_lock(&pool->lock);
    run->is_copied = true;
    pthread_mutex_unlock(&pool->lock);
}

void hub_pool_measure(struct hub_pool *pool, struct metric_page *page, struct str name)
{
    pthread_mutex_lock(&pool->lock);
    size_t n_open = pool->n_open, n_connected = pool->n_connected;
    pthread_mutex_unlock(&pool->lock);
    metric_put_queue(page, HUB_DEPARTMENT_QUEUE, name, n_open, HUB_POOL_QUEUE_MAX, &pool->n_refused);
    hub_department_measure_connections(page, name, n_connected);
}

/* ---- its life ---- */

void hub_pool_init(struct hub_pool *pool, struct hub_department *department, const struct hub_pool_ops *ops, void *system)
{
    pthread_condattr_t monotonic;
    *pool = (struct hub_pool){.department = department, .ops = ops, .system = system};
    pthread_mutex_init(&pool->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&pool->wake, &monotonic);
    pthread_cond_init(&pool->need, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pool->last = &pool->first;
}

static void forget_probe(struct hub_pool *pool)
{
    if (pool->probe)
        pool->ops->destroy(pool->probe);
    pool->probe = NULL;
}

/* The connection while a city is loaded, tried once; none when the department is down. */
static enum err probe(struct hub_pool *pool, struct diag_list *diags)
{
    char detail[HUB_DEPARTMENT_DETAIL_MAX] = "", english[HUB_DEPARTMENT_DETAIL_MAX];
    if (pool->is_probed)
        return ERR_OK;
    pool->is_probed = true;
    pool->probe = pool->ops->make(pool->system);
    enum err err = pool->probe ? pool->ops->open(pool->probe, detail) : ERR_NO_MEMORY;
    if (!err)
        return ERR_OK;
    forget_probe(pool);
    if (err != ERR_DENIED && err != ERR_NOT_FOUND)
        return err == ERR_NO_MEMORY ? err : ERR_OK;
    hub_detail_english(str_from_c(detail), english, sizeof english);
    return yaml_error(yaml_get(pool->department->root, "connection"), diags, err, "%s%s", english,
        err == ERR_NOT_FOUND ? "; install the driver's package, or mend driver:" : "");
}

enum err hub_pool_bind(struct hub_pool *pool, const struct hub_resource *resource, struct yaml_node binding, struct diag_list *diags)
{
    struct hub_table *table;
    struct hub_seen seen;
    struct arena arena;
    enum err err = hub_tables_add(&pool->tables, pool->department, resource, binding, diags, &table);
    if (!err)
        err = probe(pool, diags);
    if (err || !pool->probe)
        return err;
    arena_init(&arena, SCHEMA_MAX);
    err = pool->ops->look(pool->probe, table, &arena, diags, &seen);
    arena_finish(&arena);
    if (err == ERR_UNAVAILABLE || err == ERR_TIMEOUT) { /* down meanwhile: looked at again when it is back */
        forget_probe(pool);
        err = ERR_OK;
    }
    return err;
}

void hub_pool_start(struct hub_pool *pool, size_t n_threads, int64_t timeout_ms)
{
    forget_probe(pool);
    pool->timeout_ms = timeout_ms;
    for (size_t i = 0; i < n_threads; i++) {
        struct hub_pool_worker *worker = &pool->workers[i];
        worker->pool = pool;
        worker->is_keeper = i == 0;
        if (pthread_create(&worker->thread, NULL, work, worker) != 0)
            break;
        pool->n_workers++;
    }
    if (pool->n_workers > 0)
        return;
    hub_department_report(pool->department, HUB_DOWN, HUB_DETAIL(no_thread));
    pthread_mutex_lock(&pool->lock);
    pool->is_down = true;
    struct hub_pool_run *refused = take_all(pool);
    pthread_mutex_unlock(&pool->lock);
    answer_all(pool, refused, ERR_UNAVAILABLE);
}

bool hub_pool_stop(struct hub_pool *pool, int64_t wait_ms)
{
    bool all = true;
    const struct mono_time begun = clock_mono(clock_system());
    atomic_store(&pool->is_stopping, true);
    pthread_mutex_lock(&pool->lock);
    struct hub_pool_run *refused = take_all(pool);
    pthread_cond_broadcast(&pool->wake);
    pthread_cond_broadcast(&pool->need);
    pthread_mutex_unlock(&pool->lock);
    answer_all(pool, refused, ERR_UNAVAILABLE);
    for (size_t i = 0; i < pool->n_workers; i++) {
        struct hub_pool_worker *worker = &pool->workers[i];
        const struct timespec moment = {.tv_nsec = 5000000};
        while (wait_ms >= 0 && !atomic_load(&worker->has_ended) && mono_ms_between(begun, clock_mono(clock_system())) < wait_ms)
            nanosleep(&moment, NULL);
        if (wait_ms < 0 || atomic_load(&worker->has_ended)) {
            pthread_join(worker->thread, NULL);
            continue;
        }
        pthread_detach(worker->thread);
        all = false;
    }
    if (!all) {
        hub_pool_give_up(pool, -1);
        log_write(LOG_WARNING, pool->department->connector, "a driver does not come back; its thread is left to itself",
            LOG_STR("source", pool->department->source), LOG_END);
    }
    return all;
}

void hub_pool_finish(struct hub_pool *pool)
{
    forget_probe(pool);
    hub_tables_finish(&pool->tables);
    pthread_mutex_destroy(&pool->lock);
    pthread_cond_destroy(&pool->wake);
    pthread_cond_destroy(&pool->need);
}
