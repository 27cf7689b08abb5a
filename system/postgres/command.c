/*
 * Commands into PostgreSQL: by statements that the department wrote, as a role that may write into its inbox and nowhere else. The role
 * that reads stays read-only; this is another connection, on another thread.
 *
 *     bind: {user: hub_inbox, password_file: "{data}/secrets/inbox",
 *            run: "INSERT INTO dispatch (key, place) VALUES (:act_key, :place) ON CONFLICT (key) DO NOTHING",
 *            answer: "SELECT id, state FROM dispatch WHERE key = :act_key"}
 *
 * One act is one transaction: the answer is looked for first, and only when there is none the statement runs, so that the key is kept
 * together with its effect; a unique column keeps it against a second hub. What breaks before COMMIT was sent is certainly not done; only
 * an unanswered COMMIT is unknown.
 */
#include "system/postgres/command.h"

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define ACTS_MAX 10000    /* that wait; a command is a person's doing or a scene's, not a camera's */
#define PARAMETERS_MAX 64 /* different ones of one statement */
#define SCRATCH_MAX (1u << 20)

struct statement {
    const char *sql; /* with $1 … */
    struct str names[PARAMETERS_MAX];
    int n;
};

struct command {
    const struct hub_resource *resource;
    char user[128], password_file[HUB_DEPARTMENT_PATH_MAX];
    struct statement run, answer; /* answer.sql NULL: at most once */
    PGconn *pg;                   /* the thread's */
    struct command *next;
};

struct postgres_acts {
    struct command *commands;
    struct arena scratch; /* the thread's: of one act */
    pthread_t thread;     /* begins with the first act */
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    struct hub_ask *first, **last;
    size_t n;
    bool has_thread, is_stopping;
};

/* ---- parameters ---- */

/* Past a quoted text, a quoted name or a comment that begins at `at`; else `at`. */
static size_t skip_quoted(struct str sql, size_t at)
{
    char quote = sql.ptr[at];
    if (quote == '\'' || quote == '"') {
        for (at++; at < sql.len && sql.ptr[at] != quote; at++)
            ;
        return at < sql.len ? at + 1 : at;
    }
    if (quote == '-' && at + 1 < sql.len && sql.ptr[at + 1] == '-')
        while (at < sql.len && sql.ptr[at] != '\n')
            at++;
    return at;
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/* :name as $n, the same for the same name; a cast's two colons stay. */
static enum err number_parameters(struct str sql, struct buf *out, struct statement *statement)
{
    for (size_t at = 0; at < sql.len;) {
        size_t past = skip_quoted(sql, at);
        if (past > at) {
            buf_append(out, sql.ptr + at, past - at);
            at = past;
            continue;
        }
        bool is_cast = sql.ptr[at] == ':' && at + 1 < sql.len && sql.ptr[at + 1] == ':';
        size_t end = at + 1;
        while (sql.ptr[at] == ':' && !is_cast && end < sql.len && is_name(sql.ptr[end]))
            end++;
        if (is_cast || end == at + 1) {
            buf_append(out, sql.ptr + at, is_cast ? 2 : 1);
            at += is_cast ? 2 : 1;
            continue;
        }
        struct str name = str_slice(sql, at + 1, end - at - 1);
        int i = 0;
        while (i < statement->n && !str_equal(statement->names[i], name))
            i++;
        if (i == PARAMETERS_MAX)
            return ERR_TOO_LARGE;
        if (i == statement->n)
            statement->names[statement->n++] = name;
        buf_printf(out, "$%d", i + 1);
        at = end;
    }
    buf_append_byte(out, '\0');
    return out->err;
}

/* A value as PostgreSQL reads it from a text; NULL: null, or (with *ret_err) no memory. */
static const char *text_of(struct arena *arena, struct value value, enum err *ret_err)
{
    struct str text = STR_NONE;
    char time[40];
    enum err err = ERR_OK;
    switch (value.type) {
    case VALUE_NULL:
        return NULL;
    case VALUE_BOOLEAN:
        return value.i ? "true" : "false";
    case VALUE_INTEGER:
        err = arena_printf(arena, &text, "%lld", (long long)value.i);
        break;
    case VALUE_REAL:
        err = arena_printf(arena, &text, "%.17g", value.r);
        break;
    case VALUE_TEXT:
        err = value.s.len && memchr(value.s.ptr, '\0', value.s.len) ? ERR_RANGE : arena_copy_str(arena, value.s, &text);
        break;
    case VALUE_TIME:
        wall_format_rfc3339((struct wall_time){value.i}, (struct time_zone){0}, time);
        err = arena_copy_str(arena, str_from_c(time), &text);
        break;
    case VALUE_BYTES:
        err = ERR_RANGE;
        break;
    }
    if (err)
        *ret_err = err;
    return err ? NULL : text.ptr;
}

/* What a named parameter stands for; false: nothing of this command's. */
static bool parameter_value(const struct hub_resource *resource, struct str name, const struct hub_ask *ask, struct value *ret_value)
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

/* ---- one act ---- */

struct acting {
    struct postgres_system *system;
    struct command *command;
    struct hub_ask *ask;
    struct mono_time deadline;
};

static enum err run_statement(struct acting *acting, const struct statement *statement, PGresult **ret_result)
{
    struct arena *arena = &acting->system->acts->scratch;
    const char *values[PARAMETERS_MAX];
    enum err err = ERR_OK;
    for (int i = 0; i < statement->n; i++) {
        struct value value = VALUE_NONE;
        (void)parameter_value(acting->command->resource, statement->names[i], acting->ask, &value); /* known since the binding */
        values[i] = text_of(arena, value, &err);
    }
    return err ? err
               : postgres_session_run(
                     acting->system, acting->command->pg, statement->sql, statement->n, values, acting->deadline, ret_result);
}

static enum err run_plain(struct acting *acting, const char *sql)
{
    PGresult *result = NULL;
    enum err err = postgres_session_ask(acting->system, acting->command->pg, sql, false, NULL, acting->deadline, &result);
    if (!err || err == ERR_SYNTAX)
        PQclear(result);
    return err;
}

static void put_column(struct json_writer *w, const PGresult *result, int at)
{
    struct str text = {PQgetvalue(result, 0, at), (size_t)PQgetlength(result, 0, at)};
    int64_t i;
    double r;
    switch (PQftype(result, at)) {
    case 16: /* bool */
        json_put_bool(w, str_equal_c(text, "t"));
        return;
    case 20: /* int8, int2, int4 */
    case 21:
    case 23:
        if (str_to_i64(text, &i) == ERR_OK) {
            json_put_i64(w, i);
            return;
        }
        break;
    case 700: /* float4, float8 */
    case 701:
        if (str_to_double(text, &r) == ERR_OK) {
            json_put_real(w, r);
            return;
        }
        break;
    default:
        break;
    }
    json_put_str(w, text);
}

/* The department's answer for this key, if it has one. */
static enum err read_answer(struct acting *acting, bool *ret_found)
{
    const struct statement *statement = &acting->command->answer;
    PGresult *result = NULL;
    struct json_writer w;
    *ret_found = false;
    if (!statement->sql)
        return ERR_OK;
    enum err err = run_statement(acting, statement, &result);
    if (!err && PQntuples(result) > 0) {
        struct buf *out = acting->ask->answer;
        *ret_found = true;
        buf_reset(out);
        json_writer_init(&w, out);
        json_begin_object(&w);
        for (int i = 0; i < PQnfields(result); i++) {
            json_key(&w, PQfname(result, i));
            if (PQgetisnull(result, 0, i))
                json_put_null(&w);
            else
                put_column(&w, result, i);
        }
        json_end_object(&w);
        err = out->err;
    }
    if (!err || err == ERR_SYNTAX)
        PQclear(result);
    return err;
}

/* What the server says of the statement: refused for good (a constraint, a value, the department's own RAISE), or not now. */
static enum err refused(struct acting *acting, PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE), *words = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    struct json_writer w;
    bool is_final = state && strcmp(state, "23505") != 0 &&
                    (strncmp(state, "22", 2) == 0 || strncmp(state, "23", 2) == 0 || strncmp(state, "P0", 2) == 0);
    if (is_final) { /* 23505: a second hub was faster, and its answer is found next time */
        buf_reset(acting->ask->answer);
        json_writer_init(&w, acting->ask->answer);
        json_put_c(&w, words ? words : "refused"); /* names of columns; the row is in DETAIL, which is not told */
    } else {
        log_write(LOG_WARNING, "postgres", "a command does not run", LOG_STR("resource", acting->command->resource->name),
            LOG_TEXT("sqlstate", state ? state : "-"), LOG_END);
    }
    PQclear(result);
    return is_final ? ERR_RANGE : ERR_UNAVAILABLE;
}

/* In the transaction, up to the COMMIT. */
static enum err act_in_it(struct acting *acting)
{
    bool is_found = false;
    PGresult *result = NULL;
    enum err err = read_answer(acting, &is_found);
    if (err || is_found)
        return err;
    err = run_statement(acting, &acting->command->run, &result);
    if (err == ERR_SYNTAX)
        return refused(acting, result);
    if (err)
        return err;
    PQclear(result);
    err = read_answer(acting, &is_found);
    if (!err && acting->command->answer.sql && !is_found) {
        log_write(LOG_ERROR, "postgres",
            "a command ran and its answer is not there: the statement does not store :act_key; nothing was done",
            LOG_STR("resource", acting->command->resource->name), LOG_END);
        err = ERR_UNAVAILABLE;
    }
    if (!err && !acting->command->answer.sql) {
        buf_reset(acting->ask->answer);
        buf_append_c(acting->ask->answer, "{}");
    }
    return err;
}

static void hang_up(struct command *command)
{
    PQfinish(command->pg);
    command->pg = NULL;
}

/* ERR_OK, ERR_RANGE with words; ERR_UNAVAILABLE: certainly not done; ERR_IO: nobody knows. */
static enum err transact(struct acting *acting)
{
    struct command *command = acting->command;
    enum err err = run_plain(acting, "BEGIN");
    if (!err)
        err = act_in_it(acting);
    if (!err) { /* from here on it may be done */
        if (run_plain(acting, "COMMIT") == ERR_OK)
            return ERR_OK;
        hang_up(command);
        return ERR_IO;
    }
    if (run_plain(acting, "ROLLBACK"))
        hang_up(command); /* the server rolls back what was never committed */
    return err == ERR_RANGE ? ERR_RANGE : ERR_UNAVAILABLE;
}

/* A connection that lies idle may have been ended by the server meanwhile: one that does not begin is made anew, once. */
static enum err reach(struct acting *acting)
{
    struct command *command = acting->command;
    char detail[HUB_DEPARTMENT_DETAIL_MAX] = "", english[256];
    if (command->pg && run_plain(acting, "SELECT 1") == ERR_OK)
        return ERR_OK;
    hang_up(command);
    enum err err =
        postgres_session_open_writer(acting->system, command->user, command->password_file, acting->deadline, detail, &command->pg);
    if (!err)
        return ERR_OK;
    hub_detail_english(str_from_c(detail), english, sizeof english);
    log_write(LOG_WARNING, "postgres", "a command's role does not get in", LOG_STR("resource", command->resource->name),
        LOG_TEXT("detail", english), LOG_END);
    return ERR_UNAVAILABLE;
}

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

static void run_one(struct postgres_system *system, struct hub_ask *ask)
{
    struct acting acting = {.system = system, .command = ask->system_state, .ask = ask};
    acting.deadline.ns = clock_mono(system->department.clock).ns + (POSTGRES_CONNECT_MS + 2 * system->server.timeout_ms) * INT64_C(1000000);
    arena_reset(&system->acts->scratch);
    buf_reset(ask->answer);
    enum err err = reach(&acting);
    answer(ask, err ? err : transact(&acting));
}

/* ---- the thread ---- */

static void *run(void *context)
{
    struct postgres_system *system = context;
    struct postgres_acts *acts = system->acts;
    pthread_setname_np(pthread_self(), "postgres-act");
    pthread_mutex_lock(&acts->lock);
    while (!acts->is_stopping || acts->first) {
        struct hub_ask *ask = acts->first;
        if (!ask) {
            pthread_cond_wait(&acts->wake, &acts->lock);
            continue;
        }
        acts->first = ask->next;
        if (!acts->first)
            acts->last = &acts->first;
        acts->n--;
        bool is_stopping = acts->is_stopping;
        pthread_mutex_unlock(&acts->lock);
        if (is_stopping)
            answer(ask, ERR_UNAVAILABLE);
        else
            run_one(system, ask);
        pthread_mutex_lock(&acts->lock);
    }
    pthread_mutex_unlock(&acts->lock);
    return NULL;
}

void postgres_act(void *context, struct hub_ask *ask)
{
    struct postgres_system *system = context;
    struct postgres_acts *acts = system->acts;
    struct command *command = acts ? acts->commands : NULL;
    bool is_taken = false;
    while (command && command->resource != ask->resource)
        command = command->next;
    ask->system_state = command;
    ask->next = NULL;
    if (command) {
        pthread_mutex_lock(&acts->lock);
        if (!acts->has_thread && !acts->is_stopping)
            acts->has_thread = pthread_create(&acts->thread, NULL, run, system) == 0;
        is_taken = acts->has_thread && !acts->is_stopping && acts->n < ACTS_MAX;
        if (is_taken) {
            *acts->last = ask;
            acts->last = &ask->next;
            acts->n++;
            pthread_cond_signal(&acts->wake);
        }
        pthread_mutex_unlock(&acts->lock);
    }
    if (!is_taken)
        answer(ask, ERR_UNAVAILABLE);
}

void postgres_acts_finish(struct postgres_system *system)
{
    struct postgres_acts *acts = system->acts;
    if (!acts)
        return;
    pthread_mutex_lock(&acts->lock);
    acts->is_stopping = true;
    pthread_cond_signal(&acts->wake);
    pthread_mutex_unlock(&acts->lock);
    if (acts->has_thread)
        pthread_join(acts->thread, NULL);
    for (struct command *command = acts->commands; command; command = command->next)
        hang_up(command);
    pthread_mutex_destroy(&acts->lock);
    pthread_cond_destroy(&acts->wake);
    arena_finish(&acts->scratch);
    mem_free(acts);
    system->acts = NULL;
}

/* ---- the file's binding ---- */

static enum err make_acts(struct postgres_system *system)
{
    struct postgres_acts *acts = system->acts ? NULL : mem_alloc_zero(1, sizeof *acts);
    if (system->acts)
        return ERR_OK;
    if (!acts)
        return ERR_NO_MEMORY;
    arena_init(&acts->scratch, SCRATCH_MAX);
    pthread_mutex_init(&acts->lock, NULL);
    pthread_cond_init(&acts->wake, NULL);
    acts->last = &acts->first;
    system->acts = acts;
    return ERR_OK;
}

static enum err read_statement(struct postgres_system *system, struct command *command, struct yaml_node binding, const char *key,
    struct diag_list *diags, struct statement *statement)
{
    struct str text, copy;
    struct buf sql;
    enum err err = yaml_get_str(binding, key, strcmp(key, "run") == 0 || !command->resource->is_at_most_once, diags, &text);
    struct yaml_node node = yaml_get(binding, key);
    if (err)
        return err == ERR_NOT_FOUND && yaml_is_none(node) && command->resource->is_at_most_once && strcmp(key, "answer") == 0 ? ERR_OK
                                                                                                                              : err;
    buf_init(&sql, POSTGRES_SQL_MAX);
    err = number_parameters(text, &sql, statement);
    if (!err)
        err = arena_copy_str(&system->department.arena, buf_str(&sql), &copy);
    buf_finish(&sql);
    if (err)
        return yaml_error(node, diags, err, "%s: is too long, or has more than %d parameters", key, PARAMETERS_MAX);
    statement->sql = copy.ptr;
    bool has_key = false;
    for (int i = 0; i < statement->n; i++) {
        struct value value;
        if (!parameter_value(command->resource, statement->names[i], NULL, &value))
            return yaml_error(node, diags, ERR_NOT_FOUND,
                "%s: has the parameter \":" STR_FORMAT
                "\", which is no field of the command; use its fields, :act_key, :act_party, :act_time or "
                ":act_receipt",
                key, STR_ARG(statement->names[i]));
        has_key = has_key || str_equal_c(statement->names[i], "act_key");
    }
    if (!has_key && !command->resource->is_at_most_once)
        return yaml_error(node, diags, ERR_NOT_FOUND,
            "%s: does not use :act_key, so nobody could tell whether it was done; store the key, or declare at_most_once: true", key);
    return ERR_OK;
}

/* Prepared and not run, as the role that will run them; a server that is down is no fault of the file. */
static enum err check_statements(struct postgres_system *system, struct command *command, struct yaml_node binding, struct diag_list *diags)
{
    struct mono_time deadline = {clock_mono(system->department.clock).ns + POSTGRES_CONNECT_MS * INT64_C(1000000)};
    char detail[HUB_DEPARTMENT_DETAIL_MAX];
    PGconn *pg = NULL;
    PGresult *result = NULL;
    if (postgres_session_open_writer(system, command->user, command->password_file, deadline, detail, &pg))
        return ERR_OK;
    const struct statement *statements[] = {&command->run, &command->answer};
    enum err err = ERR_OK;
    for (size_t i = 0; i < 2 && !err; i++) {
        if (!statements[i]->sql)
            continue;
        enum err one = postgres_session_ask(system, pg, statements[i]->sql, true, NULL, deadline, &result);
        if (one == ERR_SYNTAX) {
            const char *words = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
            err = yaml_error(yaml_get(binding, i ? "answer" : "run"), diags, ERR_SYNTAX,
                "the department's database refuses the command: %s; mend run: or answer:", words ? words : "?");
        }
        if (!one || one == ERR_SYNTAX)
            PQclear(result);
    }
    PQfinish(pg);
    return err;
}

enum err postgres_bind_command(
    struct postgres_system *system, const struct hub_resource *resource, struct yaml_node binding, struct diag_list *diags)
{
    static const char *const keys[] = {"user", "password_file", "run", "answer", NULL};
    struct str user;
    if (yaml_is_none(binding) || yaml_kind(binding) != YAML_MAP)
        return yaml_error(hub_department_field_node(&system->department, resource, STR_NONE), diags, ERR_NOT_FOUND,
            "command \"" STR_FORMAT "\" needs bind: {user: …, password_file: …, run: …, answer: …}", STR_ARG(resource->name));
    struct command *command = arena_alloc_zero(&system->department.arena, 1, sizeof *command);
    enum err err = command ? make_acts(system) : ERR_NO_MEMORY;
    if (err)
        return err;
    command->resource = resource;
    err = yaml_check_keys(binding, keys, diags);
    if (!err)
        err = yaml_get_str(binding, "user", true, diags, &user);
    if (!err && (str_is_empty(user) || str_to_c(user, command->user, sizeof command->user)))
        err = yaml_error(
            yaml_get(binding, "user"), diags, ERR_RANGE, "user: names the role that may write into the inbox, at most 127 bytes");
    if (!err)
        err = hub_department_get_path(&system->department, binding, "password_file", diags, command->password_file);
    if (!err)
        err = read_statement(system, command, binding, "run", diags, &command->run);
    if (!err)
        err = read_statement(system, command, binding, "answer", diags, &command->answer);
    if (!err && !system->check_only)
        err = check_statements(system, command, binding, diags);
    if (err)
        return err;
    command->next = system->acts->commands;
    system->acts->commands = command;
    return ERR_OK;
}
