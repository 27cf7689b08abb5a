/*
 * The connector: reads `connection:` and the bindings of a department's file, keeps one thread for the SQLite file, hands it what is
 * asked in a bounded queue, and reports how the file is doing.
 *
 * One asking's way: fetch() on any thread → queue → the thread takes all that waits, one read transaction for the batch → each plan's
 * prepared statement → rows → back to the asker's loop. A file that is missing or locked makes the department down: askings are
 * refused at once, the file is tried again each second, and a file that was replaced is opened anew.
 */
#include "base/log.h"
#include "base/mem.h"
#include "hub/registry.h"
#include "system/sqlite/inside.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define QUEUE_MAX 10000 /* askings that wait: half a second's worth at the highest rate */
#define LOOK_MS 1000    /* how often the file is looked after, and a missing one tried again */
#define REPORT_MS 30000 /* how often a health that does not change is told */
#define LOCKED_MS 250   /* after a lock: refuse at once for so long, instead of each asking waiting for itself */
#define ARENA_MAX (16u << 20)

/* ---- health ---- */

static void report(struct sqlite_system *system, enum hub_health health, const char *detail)
{
    struct mono_time now = clock_mono(system->clock);
    bool is_same = system->reported.ns && health == system->health && (health == HUB_FRESH || strcmp(detail, system->detail) == 0);
    if (is_same && mono_ms_between(system->reported, now) < REPORT_MS)
        return;
    if (!is_same && (system->reported.ns || health != HUB_FRESH)) {
        char english[256];
        hub_detail_english(str_from_c(detail), english, sizeof english);
        log_write(health == HUB_FRESH ? LOG_NOTICE : LOG_WARNING, "sqlite",
            health == HUB_FRESH ? "the department is back" : "the department is down", LOG_STR("source", system->source),
            LOG_TEXT("detail", english), LOG_END);
    }
    system->health = health;
    system->reported = now;
    if (detail != system->detail)
        snprintf(system->detail, sizeof system->detail, "%s", detail);
    const struct hub_party *party = hub_party_find(system->hub, system->party);
    struct hub_source source = {
        .party = system->party,
        .source = system->source,
        .area = system->area,
        .title_zh = party ? party->title_zh : STR_NONE,
        .title_en = party ? party->title_en : STR_NONE,
        .health = health,
        .last_heard = system->last_heard,
        .detail = str_from_c(system->detail),
    };
    hub_source_report(system->hub, &source);
}

/* ---- the thread ---- */

static void disconnect(struct sqlite_system *system)
{
    for (struct sqlite_plan *plan = system->plans; plan; plan = plan->next)
        sqlite_plan_forget(plan);
    if (system->connection.db)
        sqlite_disconnect(&system->connection);
}

/* Opens the file, or finds out that it is another one by now. */
static void look(struct sqlite_system *system)
{
    char detail[256] = "";
    system->looked = clock_mono(system->clock);
    if (system->connection.db && sqlite_is_same_file(&system->connection, system->path)) {
        system->last_heard = clock_wall(system->clock);
        if (system->health == HUB_FRESH)
            report(system, HUB_FRESH, "");
        return;
    }
    disconnect(system);
    if (sqlite_connect(system->path, system->clock, system->timeout_ms, detail, sizeof detail, &system->connection)) {
        report(system, HUB_DOWN, detail);
        return;
    }
    system->last_heard = clock_wall(system->clock);
    report(system, HUB_FRESH, "");
}

static void answered(struct loop_task *task)
{
    struct hub_fetch *fetch = container_of(task, struct hub_fetch, task);
    fetch->done(fetch);
}

static void answer(struct hub_fetch *fetch, enum err err)
{
    fetch->err = err;
    fetch->task.fn = answered;
    loop_post(fetch->loop, &fetch->task);
}

static void run_one(struct sqlite_system *system, struct hub_fetch *fetch)
{
    char detail[256] = "";
    if (!system->connection.db || clock_mono(system->clock).ns < system->locked_until.ns) {
        answer(fetch, ERR_UNAVAILABLE);
        return;
    }
    enum err err = sqlite_plan_run(fetch->system_state, &system->connection, fetch, detail, sizeof detail);
    if (err == ERR_RANGE || err == ERR_UNSUPPORTED || (err == ERR_TOO_LARGE && !detail[0])) { /* the asker's doing, not the department's */
        answer(fetch, err);
        return;
    }
    if (err == ERR_UNAVAILABLE) {
        system->locked_until.ns = clock_mono(system->clock).ns + LOCKED_MS * INT64_C(1000000);
        report(system, HUB_DOWN, detail);
    } else if (err) {
        report(system, HUB_STALE, detail);
        if (err == ERR_CORRUPT)
            err = ERR_UNAVAILABLE;
    } else {
        system->last_heard = clock_wall(system->clock);
        report(system, HUB_FRESH, "");
    }
    answer(fetch, err);
}

/* One read transaction for all that waited: one lock and one look at the file's change counter. */
static void run_batch(struct sqlite_system *system, struct hub_fetch *fetch)
{
    bool is_open = system->connection.db && fetch->next && sqlite3_step(system->connection.begin) == SQLITE_DONE;
    if (system->connection.db && fetch->next)
        sqlite3_reset(system->connection.begin);
    for (struct hub_fetch *next; fetch; fetch = next) {
        next = fetch->next; /* the asker frees it once it is answered */
        run_one(system, fetch);
    }
    if (is_open) {
        sqlite3_step(system->connection.commit);
        sqlite3_reset(system->connection.commit);
    }
}

/* All that waits, in order; NULL after LOOK_MS without any, or at the stop. */
static struct hub_fetch *take(struct sqlite_system *system, bool *ret_stop)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += LOOK_MS / 1000;
    pthread_mutex_lock(&system->lock);
    while (!system->first && !system->is_stopping) {
        system->is_asleep = true;
        int code = pthread_cond_timedwait(&system->wake, &system->lock, &until);
        system->is_asleep = false;
        if (code != 0)
            break;
    }
    struct hub_fetch *all = system->first;
    system->first = NULL;
    system->last = &system->first;
    system->n = 0;
    *ret_stop = system->is_stopping;
    pthread_mutex_unlock(&system->lock);
    return all;
}

static void *run(void *context)
{
    struct sqlite_system *system = context;
    bool is_stopping = false;
    pthread_setname_np(pthread_self(), "sqlite");
    look(system);
    while (!is_stopping) {
        struct hub_fetch *batch = take(system, &is_stopping);
        if (mono_ms_between(system->looked, clock_mono(system->clock)) >= LOOK_MS)
            look(system);
        if (batch)
            run_batch(system, batch);
    }
    disconnect(system);
    return NULL;
}

static void start(struct loop_timer *timer)
{
    struct sqlite_system *system = container_of(timer, struct sqlite_system, start);
    system->has_thread = pthread_create(&system->thread, NULL, run, system) == 0;
    if (!system->has_thread)
        report(system, HUB_DOWN, "no thread can be started");
}

static void sqlite_fetch(void *plan, struct hub_fetch *fetch)
{
    struct sqlite_system *system = ((struct sqlite_plan *)plan)->system;
    fetch->system_state = plan;
    fetch->rows = NULL;
    fetch->next = NULL;
    pthread_mutex_lock(&system->lock);
    bool is_full = system->n >= QUEUE_MAX || system->is_stopping;
    bool is_asleep = system->is_asleep;
    system->is_asleep = false; /* one wake is enough */
    if (!is_full) {
        *system->last = fetch;
        system->last = &fetch->next;
        system->n++;
    }
    pthread_mutex_unlock(&system->lock);
    if (is_full)
        answer(fetch, ERR_FULL);
    else if (is_asleep)
        pthread_cond_signal(&system->wake);
}

/* ---- the slots ---- */

static void destroy(struct sqlite_system *system)
{
    for (struct sqlite_plan *plan = system->plans, *next; plan; plan = next) {
        next = plan->next;
        mem_free(plan);
    }
    sqlite_acts_finish(system);
    pthread_mutex_destroy(&system->lock);
    pthread_cond_destroy(&system->wake);
    arena_finish(&system->arena);
    mem_free(system);
}

static enum err sqlite_open(const struct hub_system_env *env, struct yaml_node root, struct diag_list *diags, void **ret_system)
{
    struct sqlite_system *system = mem_alloc_zero(1, sizeof *system);
    pthread_condattr_t monotonic;
    struct str rest;
    if (!system)
        return ERR_NO_MEMORY;
    arena_init(&system->arena, ARENA_MAX);
    pthread_mutex_init(&system->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&system->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    sqlite_acts_init(system);
    system->last = &system->first;
    system->city_dir = env->city_dir;
    system->data_dir = env->data_dir;
    system->hub = env->hub;
    system->clock = env->clock;
    system->check_only = env->check_only;
    system->loop = env->loop;
    system->start.fn = start;
    system->root = root;
    system->party = env->party;
    if (!str_cut(env->party, '/', &system->area, &rest))
        system->area = env->party;
    enum err err = arena_printf(&system->arena, &system->source, "sqlite/" STR_FORMAT, STR_ARG(env->name));
    if (!err)
        err = sqlite_read_connection(system, root, diags);
    if (!err && !env->check_only)
        err = loop_timer_start(env->loop, &system->start, 0);
    if (err) {
        destroy(system);
        return err;
    }
    *ret_system = system;
    return ERR_OK;
}

static void sqlite_close(void *context)
{
    struct sqlite_system *system = context;
    if (!system->check_only)
        loop_timer_stop(&system->start);
    if (system->has_thread) {
        pthread_mutex_lock(&system->lock);
        system->is_stopping = true;
        pthread_cond_signal(&system->wake);
        pthread_mutex_unlock(&system->lock);
        pthread_join(system->thread, NULL);
    }
    for (struct hub_fetch *fetch = system->first, *next; fetch; fetch = next) { /* the thread never began */
        next = fetch->next;
        answer(fetch, ERR_UNAVAILABLE);
    }
    destroy(system);
}

static const struct hub_system_tables tables = {.compile = sqlite_compile, .fetch = sqlite_fetch};

const struct hub_system_ops system_sqlite_ops = {
    .connector = "sqlite",
    .open = sqlite_open,
    .bind = sqlite_bind,
    .tables = &tables,
    .act = sqlite_act,
    .close = sqlite_close,
};
