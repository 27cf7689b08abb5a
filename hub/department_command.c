/*
 * The thread of a department's commands: one act after the other, each one transaction.
 */
#include "hub/department_command.h"

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

#include <string.h>
#include <time.h>

#define ACTS_MAX 10000 /* that wait; a command is a person's doing or a scene's, not a camera's */
#define SCRATCH_MAX (1u << 20)

/* One act on its way. It holds copies: a driver that does not come back must not hold what is the asker's. */
struct hub_command_run {
    struct hub_ask *ask; /* under the lock; NULL: answered meanwhile */
    struct hub_command *command;
    struct hub_ask copy; /* in the scratch arena */
    struct buf answer;
    struct mono_time began;
};

/* ---- answering ---- */

static void answered(struct loop_task *task)
{
    struct hub_ask *ask = container_of(task, struct hub_ask, task);
    ask->done(ask);
}

static void answer(struct hub_ask *ask, enum err err)
{
    ask->err = err;
    ask->task.fn = answered;
    loop_post(ask->loop, &ask->task);
}

static void refuse_all(struct hub_ask *ask)
{
    for (struct hub_ask *next; ask; ask = next) {
        next = ask->next;
        answer(ask, ERR_UNAVAILABLE);
    }
}

/* With the lock held. */
static struct hub_ask *take_all(struct hub_commands *commands)
{
    struct hub_ask *all = commands->waiting;
    commands->waiting = NULL;
    commands->last = &commands->waiting;
    commands->n = 0;
    return all;
}

/* ---- one act ---- */

void hub_command_put_column(struct json_writer *w, const char *name, struct str text, bool is_number)
{
    int64_t i;
    double r;
    json_key(w, name);
    if (is_number && str_to_i64(text, &i) == ERR_OK)
        json_put_i64(w, i);
    else if (is_number && str_to_double(text, &r) == ERR_OK)
        json_put_real(w, r);
    else if (str_is_utf8(text))
        json_put_str(w, text);
    else
        json_put_null(w); /* bytes are no answer */
}

bool hub_command_parameter(const struct hub_resource *resource, struct str name, const struct hub_ask *ask, struct value *ret_value)
{
    int at = hub_field_find(resource, name);
    struct value value = VALUE_NONE;
    if (str_equal_c(name, "act_key"))
        value = value_text(ask ? ask->key : STR_NONE);
    else if (str_equal_c(name, "act_party"))
        value = value_text(ask ? ask->party : STR_NONE);
    else if (str_equal_c(name, "act_receipt"))
        value = value_text(ask ? ask->receipt : STR_NONE);
    else if (str_equal_c(name, "act_time"))
        value = value_time(ask ? ask->time.ms : 0);
    else if (at >= 0)
        value = ask ? ask->values[at] : VALUE_NONE;
    else
        return false;
    *ret_value = value;
    return true;
}

static enum err run_statement(
    struct hub_commands *commands, struct hub_command_run *run, const struct hub_statement *statement, struct buf *row, bool *ret_has_row)
{
    struct value values[HUB_PARAMETERS_MAX];
    struct json_writer w;
    char words[HUB_WORDS_MAX] = "refused";
    for (size_t i = 0; i < statement->n; i++) {
        values[i] = VALUE_NONE;
        (void)hub_command_parameter(run->command->resource, statement->names[i], &run->copy, &values[i]); /* known since the binding */
    }
    *ret_has_row = false;
    enum err err = commands->ops->run(run->command->session, statement, values, row, ret_has_row, words);
    if (err == ERR_RANGE) {
        buf_reset(&run->answer);
        json_writer_init(&w, &run->answer);
        json_put_c(&w, words);
    } else if (err) {
        log_write(LOG_WARNING, commands->department->connector, "a command does not run", LOG_STR("resource", run->command->resource->name),
            LOG_TEXT("why", err_text(err)), LOG_END);
    }
    return err ? err : row ? row->err : ERR_OK;
}

/* The department's answer for this key, if it has one. */
static enum err read_answer(struct hub_commands *commands, struct hub_command_run *run, bool *ret_is_found)
{
    *ret_is_found = false;
    buf_reset(&run->answer);
    return run->command->answer.sql.len ? run_statement(commands, run, &run->command->answer, &run->answer, ret_is_found) : ERR_OK;
}

/* In the transaction, up to the COMMIT. */
static enum err act_in_it(struct hub_commands *commands, struct hub_command_run *run)
{
    bool is_found, has_row;
    enum err err = read_answer(commands, run, &is_found);
    if (err || is_found)
        return err;
    err = run_statement(commands, run, &run->command->run, NULL, &has_row);
    if (!err)
        err = read_answer(commands, run, &is_found);
    if (!err && run->command->answer.sql.len && !is_found) {
        log_write(LOG_ERROR, commands->department->connector,
            "a command ran and its answer is not there: the statement does not store :act_key; nothing was done",
            LOG_STR("resource", run->command->resource->name), LOG_END);
        err = ERR_UNAVAILABLE;
    }
    if (!err && !is_found)
        buf_append_c(&run->answer, "{}");
    return err ? err : run->answer.err;
}

static void hang_up(struct hub_commands *commands, struct hub_command *command)
{
    if (command->session)
        commands->ops->close(command->session);
    command->session = NULL;
}

/* A connection that lies idle may have been ended by the server meanwhile: one that does not begin is made anew, once. */
static enum err begin(struct hub_commands *commands, struct hub_command *command)
{
    char detail[HUB_DEPARTMENT_DETAIL_MAX] = "", english[256];
    if (command->session && commands->ops->control(command->session, HUB_BEGIN) == ERR_OK)
        return ERR_OK;
    hang_up(commands, command);
    enum err err = commands->ops->open(commands->system, command, detail, &command->session);
    if (!err) {
        err = commands->ops->control(command->session, HUB_BEGIN);
        if (err)
            hang_up(commands, command);
        return err;
    }
    hub_detail_english(str_from_c(detail), english, sizeof english);
    log_write(LOG_WARNING, commands->department->connector, "a command's inbox is not to be had",
        LOG_STR("resource", command->resource->name), LOG_TEXT("detail", english), LOG_END);
    return err;
}

/* ERR_OK, ERR_RANGE with words; ERR_UNAVAILABLE: certainly not done; ERR_IO: nobody knows. */
static enum err transact(struct hub_commands *commands, struct hub_command_run *run)
{
    struct hub_command *command = run->command;
    if (begin(commands, command))
        return ERR_UNAVAILABLE;
    enum err err = act_in_it(commands, run);
    if (!err) { /* from here on it may be done */
        err = commands->ops->control(command->session, HUB_COMMIT);
        if (err && err != ERR_UNAVAILABLE) {
            hang_up(commands, command);
            return ERR_IO;
        }
        if (!err)
            return ERR_OK;
    }
    enum err undone = commands->ops->control(command->session, HUB_ROLLBACK);
    if (undone)
        hang_up(commands, command); /* the server rolls back what was never committed */
    if (undone == ERR_IO) {
        log_write(LOG_ERROR, commands->department->connector,
            "a command cannot be taken back: its table keeps no transactions; give it an engine that does",
            LOG_STR("resource", command->resource->name), LOG_END);
        return ERR_IO;
    }
    return err == ERR_RANGE ? ERR_RANGE : ERR_UNAVAILABLE;
}

/* What is needed of the asking, before anything waits. */
static enum err copy_asking(struct hub_commands *commands, struct hub_command_run *run)
{
    const struct hub_ask *ask = run->ask;
    struct arena *arena = &commands->scratch;
    size_t n = ask->resource->n_fields;
    arena_reset(arena);
    run->copy.time = ask->time;
    struct value *values = arena_alloc(arena, (n + 1) * sizeof *values);
    enum err err = values ? ERR_OK : ERR_NO_MEMORY;
    for (size_t i = 0; i < n && !err; i++)
        err = value_copy(arena, ask->values[i], &values[i]);
    if (!err)
        err = arena_copy_str(arena, ask->key, &run->copy.key);
    if (!err)
        err = arena_copy_str(arena, ask->party, &run->copy.party);
    if (!err)
        err = arena_copy_str(arena, ask->receipt, &run->copy.receipt);
    run->copy.values = values;
    return err;
}

static void run_one(struct hub_commands *commands, struct hub_command_run *run)
{
    enum err err = copy_asking(commands, run);
    buf_init(&run->answer, run->ask->answer->max);
    if (err) {
        err = ERR_UNAVAILABLE;
    } else {
        pthread_mutex_lock(&commands->lock);
        commands->running = run;
        pthread_mutex_unlock(&commands->lock);
        err = transact(commands, run);
    }
    pthread_mutex_lock(&commands->lock);
    commands->running = NULL;
    commands->is_stuck = false;
    struct hub_ask *ask = run->ask;
    pthread_mutex_unlock(&commands->lock);
    if (ask) {
        buf_reset(ask->answer);
        buf_append_str(ask->answer, buf_str(&run->answer)); /* no memory: the answer is asked for again, with the key */
        answer(ask, !err && ask->answer->err ? ERR_IO : err);
    }
    buf_finish(&run->answer);
}

/* ---- the thread ---- */

static void *work(void *context)
{
    struct hub_commands *commands = context;
    pthread_setname_np(pthread_self(), commands->ops->thread);
    pthread_mutex_lock(&commands->lock);
    while (!commands->is_stopping) {
        struct hub_ask *ask = commands->waiting;
        if (!ask) {
            pthread_cond_wait(&commands->wake, &commands->lock);
            continue;
        }
        commands->waiting = ask->next;
        if (!commands->waiting)
            commands->last = &commands->waiting;
        commands->n--;
        pthread_mutex_unlock(&commands->lock);
        struct hub_command_run run = {.ask = ask, .command = ask->system_state, .began = clock_mono(commands->department->clock)};
        run_one(commands, &run);
        pthread_mutex_lock(&commands->lock);
    }
    pthread_mutex_unlock(&commands->lock);
    for (struct hub_command *command = commands->first; command; command = command->next)
        hang_up(commands, command);
    pthread_mutex_lock(&commands->lock);
    commands->has_ended = true;
    pthread_mutex_unlock(&commands->lock);
    return NULL;
}

void hub_commands_act(struct hub_commands *commands, struct hub_ask *ask)
{
    struct hub_command *command = commands->first;
    bool is_taken = false;
    while (command && command->resource != ask->resource)
        command = command->next;
    ask->system_state = command;
    ask->next = NULL;
    if (command) {
        pthread_mutex_lock(&commands->lock);
        if (!commands->has_thread && !commands->is_stopping)
            commands->has_thread = pthread_create(&commands->thread, NULL, work, commands) == 0;
        bool is_full = commands->n >= ACTS_MAX;
        if (is_full)
            metric_add(&commands->n_refused, 1);
        is_taken = commands->has_thread && !commands->is_stopping && !commands->is_stuck && !is_full;
        if (is_taken) {
            *commands->last = ask;
            commands->last = &ask->next;
            commands->n++;
            pthread_cond_signal(&commands->wake);
        }
        pthread_mutex_unlock(&commands->lock);
    }
    if (!is_taken)
        answer(ask, ERR_UNAVAILABLE);
}

void hub_commands_give_up(struct hub_commands *commands, int64_t overdue_ms)
{
    struct hub_ask *ask = NULL, *waiting = NULL;
    struct mono_time now = clock_mono(commands->department->clock);
    pthread_mutex_lock(&commands->lock);
    struct hub_command_run *run = commands->running;
    if (run && run->ask && mono_ms_between(run->began, now) > overdue_ms) {
        ask = run->ask;
        run->ask = NULL;
        commands->is_stuck = true;
        waiting = take_all(commands);
    }
    pthread_mutex_unlock(&commands->lock);
    refuse_all(waiting);
    if (ask)
        answer(ask, ERR_IO);
}

void hub_commands_measure(struct hub_commands *commands, struct metric_page *page, struct str name)
{
    if (!commands->first) /* since the loading: nothing else changes it */
        return;
    pthread_mutex_lock(&commands->lock);
    size_t n = commands->n;
    pthread_mutex_unlock(&commands->lock);
    metric_put_queue(page, "department_acts", name, n, ACTS_MAX, &commands->n_refused);
}

/* ---- its life ---- */

void hub_commands_init(
    struct hub_commands *commands, struct hub_department *department, const struct hub_command_ops *ops, void *system, bool check_only)
{
    *commands = (struct hub_commands){.department = department, .ops = ops, .system = system, .check_only = check_only};
    arena_init(&commands->scratch, SCRATCH_MAX);
    pthread_mutex_init(&commands->lock, NULL);
    pthread_cond_init(&commands->wake, NULL);
    commands->last = &commands->waiting;
}

bool hub_commands_stop(struct hub_commands *commands, int64_t wait_ms)
{
    const struct mono_time begun = clock_mono(clock_system());
    const struct timespec moment = {.tv_nsec = 5000000};
    bool has_ended = false;
    pthread_mutex_lock(&commands->lock);
    commands->is_stopping = true;
    struct hub_ask *waiting = take_all(commands);
    bool has_thread = commands->has_thread;
    pthread_cond_signal(&commands->wake);
    pthread_mutex_unlock(&commands->lock);
    refuse_all(waiting);
    if (!has_thread)
        return true;
    while (wait_ms >= 0 && !has_ended && mono_ms_between(begun, clock_mono(clock_system())) < wait_ms) {
        pthread_mutex_lock(&commands->lock);
        has_ended = commands->has_ended;
        pthread_mutex_unlock(&commands->lock);
        nanosleep(&moment, NULL);
    }
    if (wait_ms < 0 || has_ended) {
        pthread_join(commands->thread, NULL);
        return true;
    }
    hub_commands_give_up(commands, -1);
    pthread_detach(commands->thread);
    log_write(LOG_WARNING, commands->department->connector, "a driver does not come back; the thread of its commands is left to itself",
        LOG_STR("source", commands->department->source), LOG_END);
    return false;
}

void hub_commands_finish(struct hub_commands *commands)
{
    pthread_mutex_destroy(&commands->lock);
    pthread_cond_destroy(&commands->wake);
    arena_finish(&commands->scratch);
}
