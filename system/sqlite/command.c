/*
 * Commands: a department's own inbox, a file that it lets others write into, by a statement that it wrote. The tables it offers for reading
 * stay read-only; this is another file, another connection and another thread.
 *
 *     bind: {file: "{data}/departments/police_inbox.sqlite",
 *            run: "INSERT INTO dispatch (key, place, reason) VALUES (:act_key, :place, :reason) ON CONFLICT (key) DO NOTHING",
 *            answer: "SELECT id, state FROM dispatch WHERE key = :act_key"}
 *
 * One act is one write transaction: the answer is looked for first, and only when there is none the statement runs; so a key acts once even
 * where its column is not unique. What cannot be committed is rolled back, and is certainly not done; only a failed COMMIT is unknown.
 */
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "system/sqlite/inside.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define ACTS_MAX 10000 /* that wait; a command is a person's doing or a scene's, not a camera's */
#define STEPS 1000     /* of SQLite's machine between two looks at the clock */

struct sqlite_command {
    struct sqlite_system *system;
    const struct hub_resource *resource;
    char path[HUB_DEPARTMENT_PATH_MAX];
    struct str run, answer;
    /* the thread's */
    sqlite3 *db;
    sqlite3_stmt *run_statement, *answer_statement;
    dev_t device;
    ino_t inode;
    struct mono_time deadline;
    struct sqlite_command *next;
};

/* ---- the connection ---- */

static void command_close(struct sqlite_command *command)
{
    sqlite3_finalize(command->run_statement);
    sqlite3_finalize(command->answer_statement);
    sqlite3_close_v2(command->db);
    command->db = NULL;
    command->run_statement = command->answer_statement = NULL;
}

static int is_late(void *context)
{
    const struct sqlite_command *command = context;
    return clock_mono(command->system->department.clock).ns > command->deadline.ns;
}

/* ERR_UNAVAILABLE: the file; ERR_SYNTAX: the statement, with SQLite's words. */
static enum err prepare(struct sqlite_command *command, struct str sql, sqlite3_stmt **ret_statement, char *detail, size_t detail_size)
{
    const char *rest = NULL;
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v3(command->db, sql.ptr, (int)sql.len, SQLITE_PREPARE_PERSISTENT, &statement, &rest);
    if (code != SQLITE_OK) {
        snprintf(detail, detail_size, "%s", sqlite3_errmsg(command->db));
        return (code & 0xff) == SQLITE_ERROR ? ERR_SYNTAX : ERR_UNAVAILABLE;
    }
    if (!statement || !str_is_empty(str_trim(str_slice(sql, (size_t)(rest - sql.ptr), sql.len)))) {
        sqlite3_finalize(statement);
        snprintf(detail, detail_size, "it is not one statement");
        return ERR_SYNTAX;
    }
    *ret_statement = statement;
    return ERR_OK;
}

static enum err command_open(struct sqlite_command *command, char *detail, size_t detail_size)
{
    struct stat status;
    bool is_there = stat(command->path, &status) == 0;
    if (command->db && is_there && status.st_dev == command->device && status.st_ino == command->inode)
        return ERR_OK;
    command_close(command);
    if (!is_there) {
        snprintf(detail, detail_size, "the file is not there");
        return ERR_UNAVAILABLE;
    }
    command->device = status.st_dev;
    command->inode = status.st_ino;
    int code = sqlite3_open_v2(command->path, &command->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(command->db, "PRAGMA synchronous = FULL", NULL, NULL, NULL);
    enum err err = code == SQLITE_OK ? ERR_OK : ERR_UNAVAILABLE;
    if (err) {
        snprintf(detail, detail_size, "%s", sqlite3_errmsg(command->db));
    } else {
        sqlite3_busy_timeout(command->db, SQLITE_BUSY_MS);
        sqlite3_db_config(command->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
        sqlite3_progress_handler(command->db, STEPS, is_late, command);
        command->deadline.ns = clock_mono(command->system->department.clock).ns + command->system->timeout_ms * INT64_C(1000000);
        err = prepare(command, command->run, &command->run_statement, detail, detail_size);
    }
    if (!err && !str_is_empty(command->answer))
        err = prepare(command, command->answer, &command->answer_statement, detail, detail_size);
    if (err)
        command_close(command);
    return err;
}

/* ---- one act ---- */

static int bind_value(sqlite3_stmt *statement, int at, const struct value *value)
{
    switch (value->type) {
    case VALUE_NULL:
        return sqlite3_bind_null(statement, at);
    case VALUE_REAL:
        return sqlite3_bind_double(statement, at, value->r);
    case VALUE_TEXT:
        return sqlite3_bind_text64(statement, at, value->s.ptr ? value->s.ptr : "", value->s.len, SQLITE_STATIC, SQLITE_UTF8);
    case VALUE_BYTES:
        return sqlite3_bind_blob64(statement, at, value->s.ptr ? value->s.ptr : "", value->s.len, SQLITE_STATIC);
    default:
        return sqlite3_bind_int64(statement, at, value->i);
    }
}

/* What a named parameter stands for; false: nothing of this command's. */
static bool parameter_value(const struct hub_resource *resource, const char *name, const struct hub_ask *ask, struct value *ret_value)
{
    struct str word = str_from_c(name ? name + 1 : "");
    int at = hub_field_find(resource, word);
    struct value value = VALUE_NONE;
    if (str_equal_c(word, "act_key"))
        value = value_text(ask ? ask->key : STR_NONE);
    else if (str_equal_c(word, "act_party"))
        value = value_text(ask ? ask->party : STR_NONE);
    else if (str_equal_c(word, "act_receipt"))
        value = value_text(ask ? ask->receipt : STR_NONE);
    else if (str_equal_c(word, "act_time"))
        value = value_time(ask ? ask->time.ms : 0);
    else if (at >= 0)
        value = ask ? ask->values[at] : VALUE_NONE;
    else
        return false;
    *ret_value = value;
    return true;
}

static int bind_all(sqlite3_stmt *statement, const struct hub_ask *ask)
{
    int code = SQLITE_OK;
    for (int i = 1; i <= sqlite3_bind_parameter_count(statement) && code == SQLITE_OK; i++) {
        struct value value;
        code = parameter_value(ask->resource, sqlite3_bind_parameter_name(statement, i), ask, &value) ? bind_value(statement, i, &value)
                                                                                                      : SQLITE_RANGE;
    }
    return code;
}

static void put_column(struct json_writer *w, sqlite3_stmt *statement, int i)
{
    switch (sqlite3_column_type(statement, i)) {
    case SQLITE_INTEGER:
        json_put_i64(w, sqlite3_column_int64(statement, i));
        break;
    case SQLITE_FLOAT:
        json_put_real(w, sqlite3_column_double(statement, i));
        break;
    case SQLITE_TEXT:
        json_put_str(w, (struct str){(const char *)sqlite3_column_text(statement, i), (size_t)sqlite3_column_bytes(statement, i)});
        break;
    default:
        json_put_null(w);
    }
}

/* The department's answer for this key, if it has one. */
static int read_answer(struct sqlite_command *command, struct hub_ask *ask, bool *ret_found)
{
    sqlite3_stmt *statement = command->answer_statement;
    struct json_writer w;
    *ret_found = false;
    if (!statement)
        return SQLITE_OK;
    int code = bind_all(statement, ask);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        *ret_found = true;
        buf_reset(ask->answer);
        json_writer_init(&w, ask->answer);
        json_begin_object(&w);
        for (int i = 0; i < sqlite3_column_count(statement); i++) {
            json_key(&w, sqlite3_column_name(statement, i));
            put_column(&w, statement, i);
        }
        json_end_object(&w);
    }
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

static int run_statement(struct sqlite_command *command, const struct hub_ask *ask)
{
    sqlite3_stmt *statement = command->run_statement;
    int code = bind_all(statement, ask);
    while (code == SQLITE_OK || code == SQLITE_ROW) /* rows of a RETURNING are not the answer: `answer` is asked for it */
        code = sqlite3_step(statement);
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

static enum err refused(struct sqlite_command *command, struct hub_ask *ask)
{
    struct json_writer w;
    buf_reset(ask->answer);
    json_writer_init(&w, ask->answer);
    json_put_c(&w, sqlite3_errmsg(command->db)); /* "CHECK constraint failed: reason": names of columns, no values */
    return ERR_RANGE;
}

static enum err transact(struct sqlite_command *command, struct hub_ask *ask)
{
    bool is_found = false, has_answer = command->answer_statement != NULL;
    enum err err = ERR_UNAVAILABLE;
    if (sqlite3_exec(command->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK)
        return ERR_UNAVAILABLE;
    int code = read_answer(command, ask, &is_found);
    if (code == SQLITE_OK && !is_found) {
        code = run_statement(command, ask);
        if ((code & 0xff) == SQLITE_CONSTRAINT || code == SQLITE_MISMATCH)
            err = refused(command, ask);
        if (code == SQLITE_OK && has_answer)
            code = read_answer(command, ask, &is_found);
    }
    if (code == SQLITE_OK && has_answer && !is_found) {
        log_write(LOG_ERROR, "sqlite", "a command ran and its answer is not there: the statement does not store :act_key; nothing was done",
            LOG_STR("resource", command->resource->name), LOG_END);
        code = SQLITE_ERROR;
    }
    if (code == SQLITE_OK && ask->answer->err)
        code = SQLITE_TOOBIG;
    if (code == SQLITE_OK) {
        code = sqlite3_exec(command->db, "COMMIT", NULL, NULL, NULL);
        if (code == SQLITE_OK)
            return ERR_OK;
        if ((code & 0xff) == SQLITE_IOERR)
            err = ERR_IO; /* nobody knows what is on the disk */
    }
    if (!sqlite3_get_autocommit(command->db))
        sqlite3_exec(command->db, "ROLLBACK", NULL, NULL, NULL);
    return err;
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

static void run_one(struct hub_ask *ask)
{
    struct sqlite_command *command = ask->system_state;
    char detail[256] = "";
    enum err err = command_open(command, detail, sizeof detail);
    if (err) {
        log_write(LOG_WARNING, "sqlite", "a command's file is not to be had", LOG_STR("resource", command->resource->name),
            LOG_TEXT("detail", detail), LOG_END);
        err = ERR_UNAVAILABLE;
    } else {
        command->deadline.ns = clock_mono(command->system->department.clock).ns + command->system->timeout_ms * INT64_C(1000000);
        buf_reset(ask->answer);
        err = transact(command, ask);
        if (!err && !command->answer_statement)
            buf_append_c(ask->answer, "{}");
    }
    answer(ask, err);
}

/* ---- the thread: begins with the first act, so that a department without commands has none ---- */

static void *run(void *context)
{
    struct sqlite_system *system = context;
    pthread_setname_np(pthread_self(), "sqlite-act");
    pthread_mutex_lock(&system->act_lock);
    while (!system->acts_stopping || system->first_act) {
        struct hub_ask *ask = system->first_act;
        if (!ask) {
            pthread_cond_wait(&system->act_wake, &system->act_lock);
            continue;
        }
        system->first_act = ask->next;
        if (!system->first_act)
            system->last_act = &system->first_act;
        system->n_acts--;
        bool is_stopping = system->acts_stopping;
        pthread_mutex_unlock(&system->act_lock);
        if (is_stopping)
            answer(ask, ERR_UNAVAILABLE);
        else
            run_one(ask);
        pthread_mutex_lock(&system->act_lock);
    }
    pthread_mutex_unlock(&system->act_lock);
    return NULL;
}

void sqlite_act(void *context, struct hub_ask *ask)
{
    struct sqlite_system *system = context;
    struct sqlite_command *command = system->commands;
    while (command && command->resource != ask->resource)
        command = command->next;
    ask->system_state = command;
    ask->next = NULL;
    pthread_mutex_lock(&system->act_lock);
    if (!system->has_act_thread && !system->acts_stopping)
        system->has_act_thread = pthread_create(&system->act_thread, NULL, run, system) == 0;
    bool is_taken = command && system->has_act_thread && !system->acts_stopping && system->n_acts < ACTS_MAX;
    if (is_taken) {
        *system->last_act = ask;
        system->last_act = &ask->next;
        system->n_acts++;
        pthread_cond_signal(&system->act_wake);
    }
    pthread_mutex_unlock(&system->act_lock);
    if (!is_taken)
        answer(ask, ERR_UNAVAILABLE);
}

void sqlite_acts_init(struct sqlite_system *system)
{
    pthread_mutex_init(&system->act_lock, NULL);
    pthread_cond_init(&system->act_wake, NULL);
    system->last_act = &system->first_act;
}

void sqlite_acts_finish(struct sqlite_system *system)
{
    pthread_mutex_lock(&system->act_lock);
    system->acts_stopping = true;
    pthread_cond_signal(&system->act_wake);
    pthread_mutex_unlock(&system->act_lock);
    if (system->has_act_thread)
        pthread_join(system->act_thread, NULL);
    for (struct sqlite_command *command = system->commands; command; command = command->next)
        command_close(command);
    pthread_mutex_destroy(&system->act_lock);
    pthread_cond_destroy(&system->act_wake);
}

/* ---- the file's binding ---- */

static enum err check_parameters(
    struct sqlite_command *command, sqlite3_stmt *statement, struct yaml_node node, const char *key, struct diag_list *diags)
{
    bool has_key = false;
    for (int i = 1; i <= sqlite3_bind_parameter_count(statement); i++) {
        struct value value;
        const char *name = sqlite3_bind_parameter_name(statement, i);
        if (!parameter_value(command->resource, name, NULL, &value))
            return yaml_error(node, diags, ERR_NOT_FOUND,
                "%s: has the parameter \"%s\", which is no field of the command; use its fields, :act_key, :act_party, :act_time or "
                ":act_receipt",
                key, name ? name : "?");
        has_key = has_key || strcmp(name + 1, "act_key") == 0;
    }
    if (!has_key && !command->resource->is_at_most_once)
        return yaml_error(node, diags, ERR_NOT_FOUND,
            "%s: does not use :act_key, so nobody could tell whether it was done; store the key, or declare at_most_once: true", key);
    return ERR_OK;
}

static enum err check_statements(struct sqlite_command *command, struct yaml_node binding, struct diag_list *diags)
{
    char detail[256] = "";
    enum err err = command_open(command, detail, sizeof detail);
    if (err == ERR_UNAVAILABLE)
        return ERR_OK; /* the department is down: no fault of its file */
    if (err)
        return yaml_error(binding, diags, ERR_SYNTAX, "the department's database refuses the command: %s; mend run: or answer:", detail);
    if (sqlite3_stmt_readonly(command->run_statement))
        err = yaml_error(yaml_get(binding, "run"), diags, ERR_RANGE, "run: changes nothing; a command writes into the department's file");
    else if (command->answer_statement && !sqlite3_stmt_readonly(command->answer_statement))
        err = yaml_error(yaml_get(binding, "answer"), diags, ERR_RANGE, "answer: only reads; put what writes into run:");
    if (!err)
        err = check_parameters(command, command->run_statement, yaml_get(binding, "run"), "run", diags);
    if (!err && command->answer_statement)
        err = check_parameters(command, command->answer_statement, yaml_get(binding, "answer"), "answer", diags);
    command_close(command);
    return err;
}

enum err sqlite_bind_command(
    struct sqlite_system *system, const struct hub_resource *resource, struct yaml_node binding, struct diag_list *diags)
{
    static const char *const keys[] = {"file", "run", "answer", NULL};
    if (yaml_is_none(binding) || yaml_kind(binding) != YAML_MAP)
        return yaml_error(yaml_is_none(binding) ? system->department.root : binding, diags, ERR_NOT_FOUND,
            "command \"" STR_FORMAT "\" needs bind: {file: …, run: …, answer: …}", STR_ARG(resource->name));
    struct sqlite_command *command = arena_alloc_zero(&system->department.arena, 1, sizeof *command);
    if (!command)
        return ERR_NO_MEMORY;
    command->system = system;
    command->resource = resource;
    enum err err = yaml_check_keys(binding, keys, diags), one;
    if (yaml_is_none(yaml_get(binding, "file")) && !err)
        err = yaml_error(binding, diags, ERR_NOT_FOUND, "file: is missing; write the file of the department's inbox");
    if ((one = yaml_get_str(binding, "run", true, diags, &command->run)) && !err)
        err = one;
    one = yaml_get_str(binding, "answer", !resource->is_at_most_once, diags, &command->answer);
    if (one && !(one == ERR_NOT_FOUND && resource->is_at_most_once) && !err)
        err = one;
    if (!err)
        err = hub_department_get_path(&system->department, binding, "file", diags, command->path);
    if (!err)
        err = check_statements(command, binding, diags);
    if (!err) {
        command->next = system->commands;
        system->commands = command;
    }
    return err;
}
