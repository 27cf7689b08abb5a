/*
 * Commands into PostgreSQL (hub/department_command.h): as a role that may write into its inbox and nowhere else. The role that reads stays
 * read-only; this is another connection, on another thread.
 */
#include "system/postgres/command.h"

#include "base/json.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define SCRATCH_MAX (1u << 20)

struct inbox {
    struct postgres_system *system;
    PGconn *pg;
    struct mono_time deadline; /* of one act */
    struct arena scratch;      /* of one statement's values */
};

static void inbox_close(void *context)
{
    struct inbox *inbox = context;
    PQfinish(inbox->pg);
    arena_finish(&inbox->scratch);
    mem_free(inbox);
}

static void give_time(struct inbox *inbox)
{
    struct postgres_system *system = inbox->system;
    inbox->deadline.ns = clock_mono(system->department.clock).ns + (POSTGRES_CONNECT_MS + 2 * system->server.timeout_ms) * INT64_C(1000000);
}

static enum err inbox_open(void *context, const struct hub_command *command, char detail[HUB_DEPARTMENT_DETAIL_MAX], void **ret_session)
{
    struct inbox *inbox = mem_alloc_zero(1, sizeof *inbox);
    if (!inbox)
        return ERR_NO_MEMORY;
    inbox->system = context;
    arena_init(&inbox->scratch, SCRATCH_MAX);
    give_time(inbox);
    enum err err = postgres_session_open_writer(inbox->system, command->user, command->password_file, inbox->deadline, detail, &inbox->pg);
    if (err)
        inbox_close(inbox);
    else
        *ret_session = inbox;
    return err;
}

static enum err inbox_control(void *context, enum hub_control what)
{
    static const char *const words[] = {[HUB_BEGIN] = "BEGIN", [HUB_COMMIT] = "COMMIT", [HUB_ROLLBACK] = "ROLLBACK"};
    struct inbox *inbox = context;
    PGresult *result = NULL;
    if (what == HUB_BEGIN)
        give_time(inbox);
    enum err err = postgres_session_ask(inbox->system, inbox->pg, words[what], false, NULL, inbox->deadline, &result);
    if (!err || err == ERR_SYNTAX)
        PQclear(result);
    /* Also an error in answer to COMMIT may come after it was done, when the session is ended just then. */
    return err && what == HUB_COMMIT ? ERR_IO : err ? ERR_UNAVAILABLE : ERR_OK;
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

static void put_column(struct json_writer *w, const PGresult *result, int at)
{
    struct str text = {PQgetvalue(result, 0, at), (size_t)PQgetlength(result, 0, at)};
    const char *name = PQfname(result, at);
    switch (PQgetisnull(result, 0, at) ? 0 : PQftype(result, at)) {
    case 0:
        json_key(w, name);
        json_put_null(w);
        break;
    case POSTGRES_BOOL:
        json_key(w, name);
        json_put_bool(w, str_equal_c(text, "t"));
        break;
    case POSTGRES_INT8:
    case POSTGRES_INT2:
    case POSTGRES_INT4:
    case POSTGRES_FLOAT4:
    case POSTGRES_FLOAT8:
        hub_command_put_column(w, name, text, true);
        break;
    default:
        hub_command_put_column(w, name, text, false);
    }
}

/* What the server says of the statement: refused for good (a constraint, a value, the department's own RAISE), or not now. */
static enum err refused(const PGresult *result, char words[HUB_WORDS_MAX])
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE), *why = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    snprintf(words, HUB_WORDS_MAX, "%.190s", why ? why : "refused"); /* names of columns; the row is in DETAIL, which is not told */
    bool is_final = state && strcmp(state, "23505") != 0 &&          /* a second hub was faster, and its answer is found next time */
                    (strncmp(state, "22", 2) == 0 || strncmp(state, "23", 2) == 0 || strncmp(state, "P0", 2) == 0);
    return is_final ? ERR_RANGE : ERR_UNAVAILABLE;
}

static enum err inbox_run(void *context, const struct hub_statement *statement, const struct value *values, struct buf *row,
    bool *ret_has_row, char words[HUB_WORDS_MAX])
{
    struct inbox *inbox = context;
    const char *texts[HUB_PARAMETERS_MAX];
    PGresult *result = NULL;
    struct json_writer w;
    enum err err = ERR_OK;
    arena_reset(&inbox->scratch);
    for (size_t i = 0; i < statement->n; i++)
        texts[i] = text_of(&inbox->scratch, values[i], &err);
    if (err == ERR_RANGE)
        snprintf(words, HUB_WORDS_MAX, "a value that the database cannot hold");
    if (err)
        return err;
    err = postgres_session_run(inbox->system, inbox->pg, statement->sql.ptr, (int)statement->n, texts, inbox->deadline, &result);
    bool has_result = !err || err == ERR_SYNTAX;
    if (err == ERR_SYNTAX)
        err = refused(result, words);
    if (!err && row && PQntuples(result) > 0) {
        *ret_has_row = true;
        json_writer_init(&w, row);
        json_begin_object(&w);
        for (int i = 0; i < PQnfields(result); i++)
            put_column(&w, result, i);
        json_end_object(&w);
    }
    if (has_result)
        PQclear(result);
    return err;
}

static enum err inbox_check(void *context, const struct hub_statement *statement, bool is_answer, char words[HUB_WORDS_MAX])
{
    struct inbox *inbox = context;
    PGresult *result = NULL;
    (void)is_answer;
    enum err err = postgres_session_ask(inbox->system, inbox->pg, statement->sql.ptr, true, NULL, inbox->deadline, &result);
    if (err == ERR_SYNTAX)
        (void)refused(result, words);
    if (!err || err == ERR_SYNTAX)
        PQclear(result);
    return err;
}

const struct hub_command_ops postgres_command_ops = {
    .thread = "postgres-act",
    .placeholder = "$1",
    .open = inbox_open,
    .close = inbox_close,
    .control = inbox_control,
    .run = inbox_run,
    .check = inbox_check,
};
