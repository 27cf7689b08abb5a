/*
 * Commands into MariaDB (hub/department_command.h): as a user who may write into its inbox and nowhere else. The user that reads stays
 * read-only; this is another connection, on another thread. The inbox is a table that keeps transactions (InnoDB).
 */
#include "system/mariadb/inside.h"

#include "base/json.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define COLUMNS_MAX 64 /* of an answer */
#define ROOM 64        /* bytes: a column that is longer is fetched by itself */

static void inbox_close(void *context)
{
    struct mariadb_session *session = context;
    mariadb_session_finish(session);
    mem_free(session);
}

static enum err inbox_open(void *context, const struct hub_command *command, char detail[HUB_DEPARTMENT_DETAIL_MAX], void **ret_session)
{
    struct mariadb_session *session = mem_alloc_zero(1, sizeof *session);
    if (!session)
        return ERR_NO_MEMORY;
    mariadb_session_init(session, context);
    session->writer = command;
    enum err err = mariadb_session_open(session, detail);
    if (err)
        inbox_close(session);
    else
        *ret_session = session;
    return err;
}

static enum err inbox_control(void *context, enum hub_control what)
{
    static const char *const words[] = {[HUB_BEGIN] = "START TRANSACTION READ WRITE", [HUB_COMMIT] = "COMMIT", [HUB_ROLLBACK] = "ROLLBACK"};
    struct mariadb_session *session = context;
    if (what == HUB_BEGIN)
        mariadb_give(session, MARIADB_CONNECT_MS + 2 * session->system->server.timeout_ms);
    if (mariadb_query(session, words[what]))
        return what == HUB_COMMIT ? ERR_IO : ERR_UNAVAILABLE;
    /* Warning 1196: a table without transactions was written to. */
    return what == HUB_ROLLBACK && mysql_warning_count(session->mysql) ? ERR_IO : ERR_OK;
}

/* Refused for good are values, constraints and the department's own SIGNAL; 1062: a second hub was faster, and its answer is found next
 * time. (mariadb.com/kb/en/mariadb-error-code-reference) */
static enum err refused(MYSQL_STMT *statement, char words[HUB_WORDS_MAX])
{
    const char *state = mysql_stmt_sqlstate(statement);
    unsigned code = mysql_stmt_errno(statement);
    snprintf(words, HUB_WORDS_MAX, "%.190s", mysql_stmt_error(statement));
    if (mariadb_is_broken(code) || code == 1062)
        return ERR_UNAVAILABLE;
    bool is_final =
        code == 1265 || code == 1366 || strncmp(state, "22", 2) == 0 || strncmp(state, "23", 2) == 0 || strncmp(state, "45", 2) == 0;
    return is_final ? ERR_RANGE : ERR_UNAVAILABLE;
}

/* ---- parameters ---- */

struct room {
    long long i;
    MYSQL_TIME t;
};

/* A time is the civil time of the department, to the millisecond. */
static void bind_time(MYSQL_BIND *bind, struct wall_time time, struct time_zone zone, MYSQL_TIME *room)
{
    const struct civil_time civil = civil_from_wall(time, zone);
    *room = (MYSQL_TIME){.year = (unsigned)civil.year,
        .month = (unsigned)civil.month,
        .day = (unsigned)civil.day,
        .hour = (unsigned)civil.hour,
        .minute = (unsigned)civil.minute,
        .second = (unsigned)civil.second,
        .second_part = (unsigned long)civil.ms * 1000,
        .time_type = MYSQL_TIMESTAMP_DATETIME};
    *bind = (MYSQL_BIND){.buffer_type = MYSQL_TYPE_DATETIME, .buffer = room, .buffer_length = sizeof *room};
}

static enum err execute(struct mariadb_session *session, MYSQL_STMT *statement, const struct hub_statement *command,
    const struct value *values, char words[HUB_WORDS_MAX])
{
    MYSQL_BIND binds[HUB_PARAMETERS_MAX];
    struct room rooms[HUB_PARAMETERS_MAX];
    if (mariadb_prepare(session, statement, command->sql.ptr, command->sql.len))
        return refused(statement, words);
    if (mysql_stmt_param_count(statement) != command->n)
        return ERR_UNAVAILABLE;
    for (size_t i = 0; i < command->n; i++) {
        if (values[i].type == VALUE_TIME)
            bind_time(&binds[i], (struct wall_time){values[i].i}, session->system->server.zone, &rooms[i].t);
        else
            mariadb_bind_value(&binds[i], &values[i], &rooms[i].i);
    }
    if (command->n && mysql_stmt_bind_param(statement, binds))
        return ERR_NO_MEMORY;
    return mariadb_execute(session, statement) ? refused(statement, words) : ERR_OK;
}

/* ---- the answer ---- */

static bool is_number(enum enum_field_types type)
{
    switch (type) {
    case MYSQL_TYPE_TINY:
    case MYSQL_TYPE_SHORT:
    case MYSQL_TYPE_INT24:
    case MYSQL_TYPE_LONG:
    case MYSQL_TYPE_LONGLONG:
    case MYSQL_TYPE_YEAR:
    case MYSQL_TYPE_FLOAT:
    case MYSQL_TYPE_DOUBLE:
        return true;
    default:
        return false;
    }
}

struct cell {
    char room[ROOM];
    unsigned long length;
    my_bool is_null, is_cut;
};

static enum err put_cell(struct mariadb_session *session, MYSQL_STMT *statement, const MYSQL_RES *described, unsigned at, struct cell *cell,
    struct json_writer *w)
{
    const MYSQL_FIELD *field = mysql_fetch_field_direct((MYSQL_RES *)(uintptr_t)described, at);
    struct str text = {cell->room, cell->length};
    if (cell->is_null) {
        json_key(w, field->name);
        json_put_null(w);
        return ERR_OK;
    }
    if (cell->length > ROOM) {
        char *room = cell->length > HUB_COMMAND_COLUMN_MAX ? NULL : arena_alloc(&session->scratch, cell->length);
        MYSQL_BIND bind = {.buffer_type = MYSQL_TYPE_STRING, .buffer = room, .buffer_length = cell->length, .length = &cell->length};
        if (!room || mysql_stmt_fetch_column(statement, &bind, at, 0))
            return ERR_TOO_LARGE;
        text.ptr = room;
    }
    hub_command_put_column(w, field->name, text, is_number(field->type));
    return ERR_OK;
}

static enum err read_row(struct mariadb_session *session, MYSQL_STMT *statement, MYSQL_RES *described, struct buf *row, bool *ret_has_row)
{
    MYSQL_BIND binds[COLUMNS_MAX];
    struct cell cells[COLUMNS_MAX];
    struct json_writer w;
    unsigned n = mysql_num_fields(described);
    enum err err = ERR_OK;
    if (n > COLUMNS_MAX)
        return ERR_TOO_LARGE;
    for (unsigned i = 0; i < n; i++) {
        struct cell *cell = &cells[i];
        binds[i] = (MYSQL_BIND){.buffer_type = MYSQL_TYPE_STRING, .buffer = cell->room, .buffer_length = ROOM};
        binds[i].length = &cell->length;
        binds[i].is_null = &cell->is_null;
        binds[i].error = &cell->is_cut;
    }
    if (mysql_stmt_bind_result(statement, binds))
        return ERR_NO_MEMORY;
    int code = mariadb_fetch_row(session, statement);
    if (code == MYSQL_NO_DATA)
        return ERR_OK;
    if (code != 0 && code != MYSQL_DATA_TRUNCATED)
        return ERR_UNAVAILABLE;
    *ret_has_row = true;
    json_writer_init(&w, row);
    json_begin_object(&w);
    for (unsigned i = 0; i < n && !err; i++)
        err = put_cell(session, statement, described, i, &cells[i], &w);
    json_end_object(&w);
    return err;
}

static enum err inbox_run(void *context, const struct hub_statement *command, const struct value *values, struct buf *row,
    bool *ret_has_row, char words[HUB_WORDS_MAX])
{
    struct mariadb_session *session = context;
    MYSQL_STMT *statement = mysql_stmt_init(session->mysql);
    if (!statement)
        return ERR_NO_MEMORY;
    arena_reset(&session->scratch);
    enum err err = execute(session, statement, command, values, words);
    MYSQL_RES *described = !err && row ? mysql_stmt_result_metadata(statement) : NULL;
    if (described)
        err = read_row(session, statement, described, row, ret_has_row);
    mysql_free_result(described);
    mariadb_statement_close(session, statement); /* with what else there is of rows */
    return err;
}

static enum err inbox_check(void *context, const struct hub_statement *command, bool is_answer, char words[HUB_WORDS_MAX])
{
    struct mariadb_session *session = context;
    MYSQL_STMT *statement = mysql_stmt_init(session->mysql);
    enum err err = ERR_OK;
    if (!statement)
        return ERR_NO_MEMORY;
    mariadb_give(session, MARIADB_CONNECT_MS);
    if (mariadb_prepare(session, statement, command->sql.ptr, command->sql.len)) {
        (void)refused(statement, words);
        err = mariadb_is_broken(mysql_stmt_errno(statement)) ? ERR_UNAVAILABLE : ERR_SYNTAX;
    } else if (mysql_stmt_param_count(statement) != command->n) {
        snprintf(words, HUB_WORDS_MAX, "a \"?\" that is no parameter; write :name");
        err = ERR_SYNTAX;
    } else if (is_answer && mysql_stmt_field_count(statement) == 0) {
        snprintf(words, HUB_WORDS_MAX, "only reads; put what writes into run:");
        err = ERR_RANGE;
    }
    mariadb_statement_close(session, statement);
    return err;
}

const struct hub_command_ops mariadb_command_ops = {
    .thread = "mariadb-act",
    .placeholder = "?",
    .has_backslashes = true,
    .open = inbox_open,
    .close = inbox_close,
    .control = inbox_control,
    .run = inbox_run,
    .check = inbox_check,
};
