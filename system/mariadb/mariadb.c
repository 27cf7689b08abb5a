/*
 * The connector: a bounded queue, a few threads with a connection each, and how the department is doing.
 *
 * One asking's way: fetch() on any thread → queue → the first thread that is free → its connection → rows → back to the asker's loop. One
 * that is slow keeps one thread; the others go on. The first thread is the keeper: it connects and looks after the server also when nothing
 * is asked. While the department is down askings are refused at once, and the keeper tries again after a growing while.
 */
#include "system/mariadb/inside.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define LOOK_MS 200  /* how often a thread with nothing to do looks around */
#define PING_MS 5000 /* an idle connection is asked whether it lives */
#define IDLE_CLOSE_MS 60000
#define BACK_OFF_FIRST_MS 200
#define DOWN_MS 500 /* without a connection for so long: what waits is refused */
#define BACK_OFF_MAX_MS 5000

/* ---- answering ---- */

static void answered(struct loop_task *task)
{
    struct hub_fetch *fetch = container_of(task, struct hub_fetch, task);
    fetch->done(fetch);
}

static void answer_fetch(struct hub_fetch *fetch, enum err err)
{
    fetch->err = err;
    fetch->task.fn = answered;
    loop_post(fetch->loop, &fetch->task);
}

static void answer(struct mariadb_system *system, struct mariadb_run *run, enum err err)
{
    struct hub_fetch *fetch = run->fetch;
    pthread_mutex_lock(&system->lock);
    system->n_open--;
    pthread_mutex_unlock(&system->lock);
    mem_free(run);
    answer_fetch(fetch, err);
}

static void answer_all(struct mariadb_system *system, struct mariadb_run *run, enum err err)
{
    for (struct mariadb_run *next; run; run = next) {
        next = run->next;
        answer(system, run, err);
    }
}

/* With the lock held. */
static struct mariadb_run *take_all(struct mariadb_system *system)
{
    struct mariadb_run *all = system->first;
    system->first = NULL;
    system->last = &system->first;
    return all;
}

/* ---- one thread's connection ---- */

static void note_disconnect(struct mariadb_system *system)
{
    pthread_mutex_lock(&system->lock);
    system->n_connected--;
    pthread_mutex_unlock(&system->lock);
}

static void leave(struct mariadb_worker *worker)
{
    if (!worker->session.mysql)
        return;
    mariadb_session_close(&worker->session);
    note_disconnect(worker->system);
}

static void connected(struct mariadb_system *system)
{
    pthread_mutex_lock(&system->lock);
    bool is_news = system->is_down || system->n_connected == 0;
    system->n_connected++;
    system->is_down = false;
    system->back_off_ms = 0;
    pthread_mutex_unlock(&system->lock);
    if (is_news)
        hub_department_report(&system->department, HUB_FRESH, "");
}

/* Down when it went on for a moment and nobody else has a connection: then all that waits is refused. */
static void failed_to_connect(struct mariadb_system *system, const char *detail)
{
    struct mariadb_run *refused = NULL;
    bool is_down = false;
    pthread_mutex_lock(&system->lock);
    struct mono_time now = clock_mono(system->department.clock);
    if (system->back_off_ms == 0)
        system->first_failure = now;
    system->back_off_ms = system->back_off_ms ? 2 * system->back_off_ms : BACK_OFF_FIRST_MS;
    if (system->back_off_ms > BACK_OFF_MAX_MS)
        system->back_off_ms = BACK_OFF_MAX_MS;
    system->open_again.ns = now.ns + system->back_off_ms * 1000000;
    if (system->n_connected == 0 && mono_ms_between(system->first_failure, now) >= DOWN_MS) {
        is_down = system->is_down = true;
        refused = take_all(system);
    }
    pthread_mutex_unlock(&system->lock);
    if (is_down)
        hub_department_report(&system->department, HUB_DOWN, detail);
    answer_all(system, refused, ERR_UNAVAILABLE);
}

/* True: there is one. */
static bool connect_once(struct mariadb_worker *worker)
{
    struct mariadb_system *system = worker->system;
    char detail[HUB_DEPARTMENT_DETAIL_MAX];
    snprintf(detail, sizeof detail, "%s", HUB_DETAIL(no_memory));
    if (worker->session.mysql)
        return true;
    pthread_mutex_lock(&system->lock);
    bool is_early = system->back_off_ms && clock_mono(system->department.clock).ns < system->open_again.ns;
    pthread_mutex_unlock(&system->lock);
    if (is_early || atomic_load(&system->is_stopping))
        return false;
    enum err err = mariadb_session_open(&worker->session, detail);
    if (!err) {
        err = mariadb_look_at_all(&worker->session);
        if (err) {
            snprintf(detail, sizeof detail, "%s", HUB_DETAIL(no_tables));
            mariadb_session_close(&worker->session);
        }
    }
    if (err)
        failed_to_connect(system, detail);
    else
        connected(system);
    return err == ERR_OK;
}

/* ---- the thread ---- */

/* What the connection could not do is put back, before the others. */
static void put_back(struct mariadb_system *system, struct mariadb_run *run)
{
    pthread_mutex_lock(&system->lock);
    bool is_refused = system->is_down || atomic_load(&system->is_stopping);
    if (!is_refused) {
        run->next = system->first;
        if (!system->first)
            system->last = &run->next;
        system->first = run;
        pthread_cond_signal(system->n_idle > 0 ? &system->wake : &system->need);
    }
    pthread_mutex_unlock(&system->lock);
    if (is_refused)
        answer(system, run, ERR_UNAVAILABLE);
}

static void run_one(struct mariadb_worker *worker, struct mariadb_run *run)
{
    struct mariadb_system *system = worker->system;
    char detail[HUB_DEPARTMENT_DETAIL_MAX] = "";
    bool is_changed = false;
    if (hub_fetch_is_cancelled(run->fetch)) {
        answer(system, run, ERR_CANCELLED);
        return;
    }
    worker->session.fetch = run->fetch;
    worker->session.is_ended = false;
    enum err err = mariadb_run(&worker->session, run, detail, &is_changed);
    worker->session.fetch = NULL;
    if (err && hub_fetch_is_cancelled(run->fetch)) { /* no fault of the department's */
        err = ERR_CANCELLED;
        detail[0] = '\0';
    }
    worker->session.used = clock_mono(system->department.clock);
    if (!worker->session.mysql)
        note_disconnect(system);
    if (detail[0])
        hub_department_report(&system->department, HUB_STALE, detail);
    else if (!err)
        hub_department_report(&system->department, HUB_FRESH, "");
    if (is_changed)
        leave(worker);
    if (err != ERR_BUSY)
        answer(system, run, err);
    else if (++run->n_tries >= MARIADB_TRIES_MAX)
        answer(system, run, ERR_UNAVAILABLE);
    else
        put_back(system, run);
}

static void look_after(struct mariadb_worker *worker)
{
    struct mariadb_session *session = &worker->session;
    int64_t idle_ms = mono_ms_between(session->used, clock_mono(worker->system->department.clock));
    if (!session->mysql) {
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
    mariadb_give(session, worker->system->server.timeout_ms + MARIADB_GRACE_MS);
    session->used = clock_mono(worker->system->department.clock);
    if (mariadb_ping(session))
        leave(worker);
}

static bool is_too_old(const struct mariadb_system *system, const struct mariadb_run *run)
{
    return mono_ms_between(run->asked, clock_mono(system->department.clock)) > 2 * system->server.timeout_ms + MARIADB_GRACE_MS;
}

/* With the lock held. */
static struct mariadb_run *take_first(struct mariadb_system *system)
{
    struct mariadb_run *run = system->first;
    system->first = run->next;
    if (!system->first)
        system->last = &system->first;
    run->next = NULL;
    return run;
}

void mariadb_expire(struct mariadb_system *system)
{
    for (;;) {
        pthread_mutex_lock(&system->lock);
        struct mariadb_run *run = system->first && is_too_old(system, system->first) ? take_first(system) : NULL;
        pthread_mutex_unlock(&system->lock);
        if (!run)
            return;
        answer(system, run, ERR_TIMEOUT);
    }
}

static void wait_a_while(struct mariadb_system *system, pthread_cond_t *condition)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += LOOK_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    (void)pthread_cond_timedwait(condition, &system->lock, &until);
}

/* The next asking for a thread with a connection, if there is one within LOOK_MS. */
static struct mariadb_run *take(struct mariadb_system *system)
{
    pthread_mutex_lock(&system->lock);
    if (!system->first && !atomic_load(&system->is_stopping)) {
        system->n_idle++;
        wait_a_while(system, &system->wake);
        system->n_idle--;
    }
    struct mariadb_run *run = system->first ? take_first(system) : NULL;
    if (system->first && system->n_idle == 0)
        pthread_cond_signal(&system->need);
    pthread_mutex_unlock(&system->lock);
    return run;
}

/* A thread without a connection makes one when askings wait and nobody is free for them; it takes none before it can serve it. */
static void make_oneself_useful(struct mariadb_worker *worker)
{
    struct mariadb_system *system = worker->system;
    pthread_mutex_lock(&system->lock);
    if (!atomic_load(&system->is_stopping) && (!system->first || system->n_idle > 0))
        wait_a_while(system, &system->need);
    bool is_needed = system->first && system->n_idle == 0;
    pthread_mutex_unlock(&system->lock);
    const struct timespec moment = {.tv_nsec = 10000000};
    if (is_needed && !connect_once(worker))
        nanosleep(&moment, NULL);
}

static void *work(void *context)
{
    struct mariadb_worker *worker = context;
    struct mariadb_system *system = worker->system;
    pthread_setname_np(pthread_self(), "mariadb");
    mysql_thread_init();
    while (!atomic_load(&system->is_stopping)) {
        look_after(worker);
        mariadb_expire(system);
        if (!worker->session.mysql) {
            make_oneself_useful(worker);
            continue;
        }
        struct mariadb_run *run = take(system);
        if (run)
            run_one(worker, run);
    }
    leave(worker);
    mysql_thread_end();
    return NULL;
}

static void mariadb_fetch(void *context, struct hub_fetch *fetch)
{
    struct mariadb_plan *plan = context;
    struct mariadb_system *system = plan->system;
    struct mariadb_run *run = mem_alloc_zero(1, sizeof *run);
    fetch->rows = NULL;
    fetch->is_truncated = false;
    enum err err = run ? ERR_OK : ERR_NO_MEMORY;
    if (run) {
        *run = (struct mariadb_run){.fetch = fetch, .plan = plan, .asked = clock_mono(system->department.clock)};
        pthread_mutex_lock(&system->lock);
        if (system->is_down || atomic_load(&system->is_stopping))
            err = ERR_UNAVAILABLE;
        else if (system->n_open >= MARIADB_QUEUE_MAX)
            err = ERR_FULL;
        if (!err) {
            *system->last = run;
            system->last = &run->next;
            system->n_open++;
            pthread_cond_signal(system->n_idle > 0 ? &system->wake : &system->need);
        }
        pthread_mutex_unlock(&system->lock);
    }
    if (err) {
        mem_free(run);
        answer_fetch(fetch, err);
    }
}

/* ---- the slots ---- */

static void start(struct loop_timer *timer)
{
    struct mariadb_system *system = container_of(timer, struct mariadb_system, start);
    mariadb_session_close(&system->probe);
    for (size_t i = 0; i < system->server.n_connections; i++) {
        struct mariadb_worker *worker = &system->workers[i];
        worker->system = system;
        worker->is_keeper = i == 0;
        mariadb_session_init(&worker->session, system);
        if (pthread_create(&worker->thread, NULL, work, worker) != 0) {
            mariadb_session_finish(&worker->session);
            break;
        }
        system->n_workers++;
    }
    if (system->n_workers > 0)
        return;
    hub_department_report(&system->department, HUB_DOWN, HUB_DETAIL(no_thread));
    pthread_mutex_lock(&system->lock);
    system->is_down = true;
    struct mariadb_run *refused = take_all(system);
    pthread_mutex_unlock(&system->lock);
    answer_all(system, refused, ERR_UNAVAILABLE);
}

static void destroy(struct mariadb_system *system)
{
    for (struct mariadb_plan *plan = system->plans, *next; plan; plan = next) {
        next = plan->next;
        mem_free(plan);
    }
    mariadb_session_finish(&system->probe);
    pthread_mutex_destroy(&system->lock);
    pthread_cond_destroy(&system->wake);
    pthread_cond_destroy(&system->need);
    hub_audit_close(system->audit);
    hub_department_finish(&system->department);
    mem_free(system);
}

static void mariadb_close(void *context)
{
    struct mariadb_system *system = context;
    if (!system)
        return;
    loop_timer_stop(&system->start);
    atomic_store(&system->is_stopping, true);
    pthread_mutex_lock(&system->lock);
    struct mariadb_run *refused = take_all(system);
    pthread_cond_broadcast(&system->wake);
    pthread_cond_broadcast(&system->need);
    pthread_mutex_unlock(&system->lock);
    answer_all(system, refused, ERR_UNAVAILABLE);
    for (size_t i = 0; i < system->n_workers; i++) {
        pthread_join(system->workers[i].thread, NULL);
        mariadb_session_finish(&system->workers[i].session);
    }
    destroy(system);
}

static enum err mariadb_open(const struct hub_system_env *env, struct yaml_node root, struct diag_list *diags, void **ret_system)
{
    struct mariadb_system *system = mem_alloc_zero(1, sizeof *system);
    struct yaml_node connection;
    pthread_condattr_t monotonic;
    if (!system)
        return ERR_NO_MEMORY;
    pthread_mutex_init(&system->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&system->wake, &monotonic);
    pthread_cond_init(&system->need, &monotonic);
    pthread_condattr_destroy(&monotonic);
    system->last = &system->first;
    system->start.fn = start;
    system->server.zone = env->zone;
    enum err err = hub_department_init(&system->department, env, "mariadb", root, diags, &connection);
    if (!err && mysql_library_init(0, NULL, NULL) != 0)
        err = ERR_NO_MEMORY;
    mariadb_session_init(&system->probe, system);
    if (!err)
        err = mariadb_read_connection(system, connection, diags);
    if (!err)
        err = hub_audit_open(&system->department, env, HUB_AUDIT_SERVER_AUDIT, system->server.database, diags, &system->audit);
    if (!err && !env->check_only)
        err = loop_timer_start(env->loop, &system->start, 0);
    if (err) {
        destroy(system);
        return err;
    }
    *ret_system = system;
    return ERR_OK;
}

static const struct hub_system_tables tables = {.compile = mariadb_compile, .fetch = mariadb_fetch};

const struct hub_system_ops system_mariadb_ops = {
    .connector = "mariadb",
    .open = mariadb_open,
    .bind = mariadb_bind,
    .tables = &tables,
    .close = mariadb_close,
};
