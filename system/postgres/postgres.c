/*
 * The connector: one loop on a thread of its own, a few connections with many askings under way on each, a bounded queue before them.
 *
 * One asking's way: fetch() on any thread → pushed → the loop → the connection with the fewest under way, none whose first one is slow →
 * its pipeline → rows → back to the asker's loop. Connections are made by a thread of their own and handed over ready. While the department
 * is down askings are refused at once, and it is tried again after a growing while.
 */
#include "system/postgres/command.h"
#include "system/postgres/pipeline.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#define BUSY_MS 20          /* the tick while something is under way */
#define IDLE_MS 1000        /* and otherwise */
#define PING_MS 5000        /* an idle connection is asked whether it lives */
#define IDLE_CLOSE_MS 60000 /* one more than the first goes home after so long */
#define BACK_OFF_FIRST_MS 200
#define DOWN_MS 500 /* without a connection for so long: what waits is refused */
#define BACK_OFF_MAX_MS 5000
#define CROWD 4 /* askings on each connection before another one is made */
#define SCRATCH_MAX (8u << 20)

/* ---- answering ---- */

void postgres_answer(struct postgres_system *system, struct postgres_run *run, enum err err)
{
    struct hub_fetch *fetch = run->fetch;
    pthread_mutex_lock(&system->lock);
    system->n_open--;
    pthread_mutex_unlock(&system->lock);
    if (err)
        rows_release(run->rows);
    else
        fetch->rows = run->rows;
    mem_free(run);
    hub_fetch_answer(fetch, err);
}

void postgres_again(struct postgres_system *system, struct postgres_run *run)
{
    rows_release(run->rows);
    run->rows = NULL;
    run->n_rows = run->n_drained = 0;
    run->err = ERR_OK;
    run->fetch->is_truncated = false;
    run->next = system->waiting; /* it has waited already */
    if (!system->waiting)
        system->waiting_last = &run->next;
    system->waiting = run;
}

static struct postgres_run *take_waiting(struct postgres_system *system)
{
    struct postgres_run *run = system->waiting;
    system->waiting = run->next;
    if (!system->waiting)
        system->waiting_last = &system->waiting;
    return run;
}

/* Those that wait and whose askers have gone. */
static void answer_cancelled(struct postgres_system *system)
{
    struct postgres_run *all = system->waiting;
    system->waiting = NULL;
    system->waiting_last = &system->waiting;
    for (struct postgres_run *next; all; all = next) {
        next = all->next;
        all->next = NULL;
        if (hub_fetch_is_cancelled(all->fetch)) {
            postgres_answer(system, all, ERR_CANCELLED);
        } else {
            *system->waiting_last = all;
            system->waiting_last = &all->next;
        }
    }
}

static void answer_waiting(struct postgres_system *system, enum err err)
{
    while (system->waiting)
        postgres_answer(system, take_waiting(system), err);
}

/* ---- connections ---- */

void postgres_note_ran(struct postgres_connection *connection, const struct postgres_sent *sent, bool is_certain)
{
    if (connection->session && (sent->step == POSTGRES_RUN || sent->step == POSTGRES_PING || sent->step == POSTGRES_CANCEL))
        hub_audit_ran(connection->system->audit, connection->session, is_certain && sent->step != POSTGRES_CANCEL);
}

static void connection_free(struct postgres_connection *connection)
{
    struct postgres_system *system = connection->system;
    for (size_t i = 0; i < system->n_connections; i++)
        if (system->connections[i] == connection)
            system->connections[i] = system->connections[--system->n_connections];
    loop_unwatch(connection->watch);
    PQfinish(connection->pg);
    for (size_t i = 0; i < connection->n_sent; i++) /* whether they ran before the end nobody knows */
        postgres_note_ran(connection, &connection->sent[(connection->first + i) % POSTGRES_SENT_MAX], false);
    hub_audit_closed(system->audit, connection->session);
    postgres_schema_destroy(connection->schema);
    mem_free(connection);
}

void postgres_drop(struct postgres_connection *connection, const char *why)
{
    struct postgres_system *system = connection->system;
    struct postgres_run *runs[POSTGRES_SENT_MAX];
    size_t n = 0;
    bool is_blamed = why != NULL; /* the first one under way, when it is its answer that was not to be borne */
    for (size_t i = 0; i < connection->n_sent; i++) {
        struct postgres_sent *sent = &connection->sent[(connection->first + i) % POSTGRES_SENT_MAX];
        if (sent->run)
            runs[n++] = sent->run;
    }
    connection_free(connection);
    if (why)
        hub_department_report(&system->department, HUB_STALE, why);
    while (n > 0) {
        struct postgres_run *run = runs[--n];
        if (hub_fetch_is_cancelled(run->fetch)) {
            postgres_answer(system, run, ERR_CANCELLED);
            continue;
        }
        enum err err = run->err && run->err != ERR_BUSY && run->err != ERR_CANCELLED ? run->err : ERR_UNAVAILABLE;
        if (err != ERR_UNAVAILABLE || (n == 0 && is_blamed) || ++run->n_tries >= POSTGRES_TRIES_MAX)
            postgres_answer(system, run, err);
        else
            postgres_again(system, run);
    }
}

static enum err adopt(struct postgres_system *system, PGconn *pg, uint64_t session, struct postgres_schema *schema)
{
    struct postgres_connection *connection = mem_alloc_zero(1, sizeof *connection);
    if (!connection || !PQenterPipelineMode(pg)) {
        mem_free(connection);
        return ERR_NO_MEMORY;
    }
    connection->system = system;
    connection->pg = pg;
    connection->session = session;
    connection->schema = schema;
    connection->events = EPOLLIN;
    connection->idle_since = connection->made = clock_mono(system->department.clock);
    enum err err = loop_watch_fd(system->loop, PQsocket(pg), EPOLLIN, postgres_ready, connection, &connection->watch);
    if (err) {
        mem_free(connection);
        return err;
    }
    system->connections[system->n_connections++] = connection;
    return ERR_OK;
}

/* ---- making one ---- */

static void *make_connection(void *context)
{
    struct postgres_system *system = context;
    struct postgres_opening *opening = &system->opening;
    struct mono_time deadline = {clock_mono(system->department.clock).ns + POSTGRES_CONNECT_MS * INT64_C(1000000)};
    pthread_setname_np(pthread_self(), "postgres-open");
    opening->err = postgres_session_open(system, &opening->is_cancelled, deadline, opening->detail, &opening->pg);
    opening->session = 0;
    if (!opening->err) {
        opening->err = postgres_session_tell(system, opening->pg, &opening->is_cancelled, deadline, &opening->session);
        if (!opening->err)
            opening->err = postgres_schema_read(system, opening->pg, opening->session, &opening->is_cancelled, deadline, &opening->schema);
        if (opening->err) {
            snprintf(opening->detail, sizeof opening->detail, "%s", HUB_DETAIL(no_tables));
            hub_audit_closed(system->audit, opening->session);
            PQfinish(opening->pg);
            opening->pg = NULL;
        }
    }
    loop_post(system->loop, &opening->task);
    return NULL;
}

static void failed_to_open(struct postgres_system *system, const char *detail)
{
    struct mono_time now = clock_mono(system->department.clock);
    if (!system->back_off_ms)
        system->first_failure = now;
    system->back_off_ms = system->back_off_ms ? 2 * system->back_off_ms : BACK_OFF_FIRST_MS;
    if (system->back_off_ms > BACK_OFF_MAX_MS)
        system->back_off_ms = BACK_OFF_MAX_MS;
    system->open_again.ns = now.ns + system->back_off_ms * 1000000;
    if (system->n_connections > 0 || mono_ms_between(system->first_failure, now) < DOWN_MS)
        return; /* one more was wanted, and those that are there do; or it went on for a moment only */
    system->is_down = true;
    system->n_cancels = 0; /* a server that cannot be reached has other worries */
    hub_department_report(&system->department, HUB_DOWN, detail);
    answer_waiting(system, ERR_UNAVAILABLE);
}

static void opened(struct loop_task *task)
{
    struct postgres_opening *opening = container_of(task, struct postgres_opening, task);
    struct postgres_system *system = container_of(opening, struct postgres_system, opening);
    if (system->is_stopping) /* close() has its thread to join and its connection to end */
        return;
    pthread_join(opening->thread, NULL);
    opening->is_running = false;
    if (!opening->err && adopt(system, opening->pg, opening->session, opening->schema)) {
        hub_audit_closed(system->audit, opening->session);
        snprintf(opening->detail, sizeof opening->detail, "%s", HUB_DETAIL(no_memory));
        PQfinish(opening->pg);
        postgres_schema_destroy(opening->schema);
        opening->err = ERR_NO_MEMORY;
    }
    opening->pg = NULL;
    opening->schema = NULL;
    if (opening->err) {
        failed_to_open(system, opening->detail);
    } else {
        if (system->is_down || !system->back_off_ms)
            hub_department_report(&system->department, HUB_FRESH, "");
        system->is_down = false;
        system->back_off_ms = 0;
        system->open_again = clock_mono(system->department.clock);
    }
    postgres_settle(system);
}

static void open_one(struct postgres_system *system)
{
    struct postgres_opening *opening = &system->opening;
    if (opening->is_running || system->is_stopping || system->n_connections >= system->server.n_connections ||
        clock_mono(system->department.clock).ns < system->open_again.ns)
        return;
    opening->task.fn = opened;
    opening->is_running = pthread_create(&opening->thread, NULL, make_connection, system) == 0;
    if (!opening->is_running)
        failed_to_open(system, HUB_DETAIL(no_thread));
}

/* ---- handing out ---- */

static bool takes_more(const struct postgres_connection *connection, struct mono_time now)
{
    if (connection->is_leaving || connection->n_running >= POSTGRES_DEPTH || connection->n_sent + 8 > POSTGRES_SENT_MAX)
        return false;
    return connection->n_sent == 0 || mono_ms_between(connection->head_since, now) < POSTGRES_SLOW_MS;
}

static struct postgres_connection *choose(struct postgres_system *system)
{
    struct mono_time now = clock_mono(system->department.clock);
    struct postgres_connection *best = NULL;
    for (size_t i = 0; i < system->n_connections; i++) {
        struct postgres_connection *connection = system->connections[i];
        if (takes_more(connection, now) && (!best || connection->n_running < best->n_running))
            best = connection;
    }
    return best;
}

void postgres_settle(struct postgres_system *system)
{
    struct postgres_connection *best = NULL;
    for (size_t i = system->n_connections; i-- > 0;)
        if (system->connections[i]->is_leaving && system->connections[i]->n_sent == 0)
            connection_free(system->connections[i]);
    while (system->n_cancels && (best = choose(system)) != NULL) {
        postgres_send_cancel(best, system->cancels[--system->n_cancels]);
        system->cancelled = clock_mono(system->department.clock);
    }
    while (system->waiting && (best = choose(system)) != NULL)
        postgres_send(best, take_waiting(system));
    bool is_crowded = true;
    for (size_t i = 0; i < system->n_connections; i++) {
        postgres_push_out(system->connections[i]);
        is_crowded = is_crowded && system->connections[i]->n_running >= CROWD;
    }
    if (system->waiting || system->n_cancels || is_crowded)
        open_one(system);
    if (system->is_down && system->n_connections == 0)
        answer_waiting(system, ERR_UNAVAILABLE);
    bool is_busy = system->waiting != NULL || system->n_cancels > 0;
    for (size_t i = 0; i < system->n_connections; i++)
        is_busy = is_busy || system->connections[i]->n_sent > 0;
    struct mono_time due = {clock_mono(system->department.clock).ns + BUSY_MS * INT64_C(1000000)};
    if (is_busy && (!system->tick.heap_at || system->tick.due.ns > due.ns) && loop_timer_start(system->loop, &system->tick, BUSY_MS))
        postgres_drop(system->connections[0], HUB_DETAIL(no_memory));
}

/* ---- the tick: what is late, what is idle, whose asker has gone ---- */

/* The first asking under way, which the server works at; NULL: none. */
static const struct postgres_run *first_run(const struct postgres_connection *connection)
{
    for (size_t i = 0; i < connection->n_sent; i++) {
        const struct postgres_run *run = connection->sent[(connection->first + i) % POSTGRES_SENT_MAX].run;
        if (run)
            return run;
    }
    return NULL;
}

/* Its connection goes, and another one ends what its process still does. */
static bool ended_for_its_asker(struct postgres_connection *connection)
{
    struct postgres_system *system = connection->system;
    const struct postgres_run *run = first_run(connection);
    if (!run || !hub_fetch_is_cancelled(run->fetch))
        return false;
    if (system->n_cancels < POSTGRES_CANCELS_MAX)
        system->cancels[system->n_cancels++] = PQbackendPID(connection->pg);
    postgres_drop(connection, NULL);
    return true;
}

static void look_at(struct postgres_connection *connection, struct mono_time now)
{
    struct postgres_system *system = connection->system;
    if (connection->n_sent == 0) {
        int64_t idle_ms = mono_ms_between(connection->idle_since, now);
        if (idle_ms >= IDLE_CLOSE_MS && connection != system->connections[0])
            connection->is_leaving = true;
        else if (idle_ms >= PING_MS)
            postgres_send_ping(connection);
        return;
    }
    if (ended_for_its_asker(connection))
        return;
    if (mono_ms_between(connection->head_since, now) >= POSTGRES_SLOW_MS)
        postgres_move_others(connection);
    if (mono_ms_between(connection->head_since, now) <= system->server.timeout_ms + POSTGRES_GRACE_MS)
        return;
    for (size_t i = 0; i < connection->n_sent; i++) {
        struct postgres_run *run = connection->sent[(connection->first + i) % POSTGRES_SENT_MAX].run;
        if (run) {
            run->err = ERR_TIMEOUT;
            break;
        }
    }
    postgres_drop(connection, HUB_DETAIL(no_answer));
}

static void ticked(struct loop_timer *timer)
{
    struct postgres_system *system = container_of(timer, struct postgres_system, tick);
    struct mono_time now = clock_mono(system->department.clock);
    for (size_t i = system->n_connections; i-- > 0;)
        look_at(system->connections[i], now);
    answer_cancelled(system);
    while (system->waiting && mono_ms_between(system->waiting->asked, now) > 2 * system->server.timeout_ms + POSTGRES_GRACE_MS)
        postgres_answer(system, take_waiting(system), ERR_TIMEOUT);
    if (loop_timer_start(system->loop, &system->tick, IDLE_MS))
        hub_department_report(&system->department, HUB_STALE, HUB_DETAIL(no_memory));
    postgres_settle(system);
}

/* ---- askings come in ---- */

static void woken(struct loop_task *task)
{
    struct postgres_system *system = container_of(task, struct postgres_system, wake);
    pthread_mutex_lock(&system->lock);
    if (system->pushed) {
        *system->waiting_last = system->pushed;
        system->waiting_last = system->pushed_last;
    }
    system->pushed = NULL;
    system->pushed_last = &system->pushed;
    system->is_woken = false;
    pthread_mutex_unlock(&system->lock);
    postgres_settle(system);
}

static void wake(struct loop_task *task)
{
    struct postgres_system *system = container_of(task, struct postgres_system, waking);
    loop_post(system->loop, &system->wake);
}

static void postgres_fetch(void *context, struct hub_fetch *fetch)
{
    struct hub_plan *plan = context;
    struct postgres_system *system = plan->system;
    struct postgres_run *run = mem_alloc_zero(1, sizeof *run);
    fetch->rows = NULL;
    fetch->is_truncated = false;
    if (!run) {
        hub_fetch_answer(fetch, ERR_NO_MEMORY);
        return;
    }
    *run = (struct postgres_run){.fetch = fetch, .plan = plan, .asked = clock_mono(system->department.clock)};
    pthread_mutex_lock(&system->lock);
    bool is_full = system->n_open >= POSTGRES_QUEUE_MAX, is_stopping = system->is_stopping;
    bool is_waking = !system->is_woken && system->thread; /* before there is a thread: it looks when it begins */
    is_full = is_full || is_stopping;
    if (!is_full) {
        *system->pushed_last = run;
        system->pushed_last = &run->next;
        system->n_open++;
        system->is_woken = system->is_woken || is_waking;
    }
    pthread_mutex_unlock(&system->lock);
    if (is_full) {
        metric_add(&system->n_refused, !is_stopping);
        mem_free(run);
        hub_fetch_answer(fetch, is_stopping ? ERR_UNAVAILABLE : ERR_FULL);
    } else if (is_waking && !loop_defer(fetch->loop, &system->waking)) { /* what one round asks goes out as one piece */
        wake(&system->waking);
    }
}

/* ---- the slots ---- */

static void begin(void *context)
{
    struct postgres_system *system = context;
    woken(&system->wake);
    if (loop_timer_start(system->loop, &system->tick, IDLE_MS))
        failed_to_open(system, HUB_DETAIL(no_memory));
}

/* On its thread: nothing more is begun, everything is answered. */
static void end(void *context)
{
    struct postgres_system *system = context;
    loop_timer_stop(&system->tick);
    pthread_mutex_lock(&system->lock);
    system->is_stopping = true;
    pthread_mutex_unlock(&system->lock);
    woken(&system->wake);
    while (system->n_connections > 0)
        postgres_drop(system->connections[0], NULL);
    answer_waiting(system, ERR_UNAVAILABLE);
}

static void start(struct loop_timer *timer)
{
    struct postgres_system *system = container_of(timer, struct postgres_system, start);
    struct loop_thread *thread;
    postgres_forget_probe(system);
    if (loop_thread_start(system->department.clock, "postgres", &thread)) {
        hub_department_report(&system->department, HUB_DOWN, HUB_DETAIL(no_thread));
        end(system);
        return;
    }
    pthread_mutex_lock(&system->lock);
    system->loop = loop_thread_loop(thread);
    system->thread = thread;
    pthread_mutex_unlock(&system->lock);
    loop_thread_call(thread, begin, system);
}

static void postgres_act(void *context, struct hub_ask *ask)
{
    struct postgres_system *system = context;
    hub_commands_act(&system->commands, ask);
}

static enum err postgres_compile(void *context, const struct hub_grant *grant, struct diag_list *diags, void **ret_plan)
{
    struct postgres_system *system = context;
    return hub_tables_compile(&system->tables, system, grant, ret_plan);
}

static void destroy(struct postgres_system *system)
{
    hub_tables_finish(&system->tables);
    hub_commands_finish(&system->commands);
    PQfinish(system->probe);
    pthread_mutex_destroy(&system->lock);
    arena_finish(&system->scratch);
    buf_finish(&system->text);
    hub_audit_close(system->audit);
    hub_department_finish(&system->department);
    mem_free(system);
}

static void postgres_close(void *context)
{
    struct postgres_system *system = context;
    if (!system)
        return;
    loop_timer_stop(&system->start);
    (void)!hub_commands_stop(&system->commands, -1); /* everything there has a deadline */
    if (system->thread) {
        atomic_store(&system->opening.is_cancelled, true);
        loop_thread_call(system->thread, end, system);
        if (system->opening.is_running)
            pthread_join(system->opening.thread, NULL);
        loop_thread_stop(system->thread); /* with the opener's task unrun, if it was posted */
        PQfinish(system->opening.pg);
        postgres_schema_destroy(system->opening.schema);
    }
    destroy(system);
}

static enum err postgres_open(const struct hub_system_env *env, struct yaml_node root, struct diag_list *diags, void **ret_system)
{
    struct postgres_system *system = mem_alloc_zero(1, sizeof *system);
    struct yaml_node connection;
    if (!system)
        return ERR_NO_MEMORY;
    pthread_mutex_init(&system->lock, NULL);
    arena_init(&system->scratch, SCRATCH_MAX);
    buf_init(&system->text, POSTGRES_SQL_MAX);
    system->pushed_last = &system->pushed;
    system->waiting_last = &system->waiting;
    system->start.fn = start;
    system->tick.fn = ticked;
    system->wake.fn = woken;
    system->waking.fn = wake;
    system->server.zone = env->zone;
    hub_commands_init(&system->commands, &system->department, &postgres_command_ops, system, env->check_only);
    enum err err = hub_department_init(&system->department, env, "postgres", root, diags, &connection);
    if (!err)
        err = postgres_read_connection(system, connection, diags);
    if (!err)
        err = hub_audit_open(&system->department, env, HUB_AUDIT_PGAUDIT, system->server.database, diags, &system->audit);
    if (!err && !env->check_only)
        err = loop_timer_start(env->loop, &system->start, 0);
    if (err) {
        destroy(system);
        return err;
    }
    *ret_system = system;
    return ERR_OK;
}

static void postgres_measure(void *context, struct metric_page *page, struct str name)
{
    struct postgres_system *system = context;
    pthread_mutex_lock(&system->lock);
    size_t n_open = system->n_open;
    pthread_mutex_unlock(&system->lock);
    metric_put_queue(page, HUB_DEPARTMENT_QUEUE, name, n_open, POSTGRES_QUEUE_MAX, &system->n_refused);
    hub_audit_measure(system->audit, page, name);
    hub_commands_measure(&system->commands, page, name);
}

static const struct hub_system_door figures = {.measure = postgres_measure};
static const struct hub_system_tables tables = {.compile = postgres_compile, .fetch = postgres_fetch};

const struct hub_system_ops system_postgres_ops = {
    .connector = "postgres",
    .open = postgres_open,
    .bind = postgres_bind,
    .tables = &tables,
    .act = postgres_act,
    .door = &figures,
    .close = postgres_close,
};
