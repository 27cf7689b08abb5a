/*
 * Commands into an SQLite file (hub/department_command.h): a department's own inbox, which it lets others write into. The file it offers
 * for reading stays read-only; this is another one, over another connection, on another thread.
 */
#include "base/json.h"
#include "base/mem.h"
#include "system/sqlite/inside.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define STEPS 1000 /* of SQLite's machine between two looks at the clock */

struct inbox {
    struct sqlite_system *system;
    const char *path; /* the command's */
    sqlite3 *db;
    dev_t device;
    ino_t inode;
    struct mono_time deadline; /* of one act */
};

static void inbox_close(void *context)
{
    struct inbox *inbox = context;
    sqlite3_close_v2(inbox->db);
    mem_free(inbox);
}

static int is_late(void *context)
{
    const struct inbox *inbox = context;
    return clock_mono(inbox->system->department.clock).ns > inbox->deadline.ns;
}

static void give_time(struct inbox *inbox)
{
    inbox->deadline.ns = clock_mono(inbox->system->department.clock).ns + inbox->system->timeout_ms * INT64_C(1000000);
}

static enum err inbox_open(void *context, const struct hub_command *command, char detail[HUB_DEPARTMENT_DETAIL_MAX], void **ret_session)
{
    struct stat status;
    if (stat(command->file, &status) != 0) {
        snprintf(detail, HUB_DEPARTMENT_DETAIL_MAX, "the file is not there");
        return ERR_UNAVAILABLE;
    }
    struct inbox *inbox = mem_alloc_zero(1, sizeof *inbox);
    if (!inbox)
        return ERR_NO_MEMORY;
    *inbox = (struct inbox){.system = context, .path = command->file, .device = status.st_dev, .inode = status.st_ino};
    give_time(inbox);
    int code = sqlite3_open_v2(command->file, &inbox->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(inbox->db, "PRAGMA synchronous = FULL", NULL, NULL, NULL);
    if (code != SQLITE_OK) {
        snprintf(detail, HUB_DEPARTMENT_DETAIL_MAX, "%.190s", sqlite3_errmsg(inbox->db));
        inbox_close(inbox);
        return ERR_UNAVAILABLE;
    }
    sqlite3_busy_timeout(inbox->db, SQLITE_BUSY_MS);
    sqlite3_db_config(inbox->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_progress_handler(inbox->db, STEPS, is_late, inbox);
    *ret_session = inbox;
    return ERR_OK;
}

static enum err inbox_control(void *context, enum hub_control what)
{
    struct inbox *inbox = context;
    struct stat status;
    int code;
    switch (what) {
    case HUB_BEGIN: /* a file that was replaced is opened anew */
        give_time(inbox);
        if (stat(inbox->path, &status) != 0 || status.st_dev != inbox->device || status.st_ino != inbox->inode)
            return ERR_UNAVAILABLE;
        return sqlite3_exec(inbox->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK ? ERR_OK : ERR_UNAVAILABLE;
    case HUB_COMMIT:
        code = sqlite3_exec(inbox->db, "COMMIT", NULL, NULL, NULL);
        return code == SQLITE_OK ? ERR_OK : (code & 0xff) == SQLITE_IOERR ? ERR_IO : ERR_UNAVAILABLE;
    case HUB_ROLLBACK:
        break;
    }
    inbox->deadline.ns = INT64_MAX; /* what was cut off has to go */
    if (!sqlite3_get_autocommit(inbox->db))
        sqlite3_exec(inbox->db, "ROLLBACK", NULL, NULL, NULL);
    return sqlite3_get_autocommit(inbox->db) ? ERR_OK : ERR_UNAVAILABLE;
}

/* ERR_UNAVAILABLE: the file; ERR_SYNTAX: the statement, with SQLite's words. */
static enum err prepare(struct inbox *inbox, struct str sql, sqlite3_stmt **ret_statement, char words[HUB_WORDS_MAX])
{
    const char *rest = NULL;
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(inbox->db, sql.ptr, (int)sql.len, &statement, &rest);
    if (code != SQLITE_OK) {
        snprintf(words, HUB_WORDS_MAX, "%.190s", sqlite3_errmsg(inbox->db));
        return (code & 0xff) == SQLITE_ERROR ? ERR_SYNTAX : ERR_UNAVAILABLE;
    }
    if (!statement || !str_is_empty(str_trim(str_slice(sql, (size_t)(rest - sql.ptr), sql.len)))) {
        sqlite3_finalize(statement);
        snprintf(words, HUB_WORDS_MAX, "it is not one statement");
        return ERR_SYNTAX;
    }
    *ret_statement = statement;
    return ERR_OK;
}

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

static void put_column(struct json_writer *w, sqlite3_stmt *statement, int i)
{
    json_key(w, sqlite3_column_name(statement, i));
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

static enum err inbox_run(void *context, const struct hub_statement *statement, const struct value *values, struct buf *row,
    bool *ret_has_row, char words[HUB_WORDS_MAX])
{
    struct inbox *inbox = context;
    struct json_writer w;
    sqlite3_stmt *prepared;
    enum err err = prepare(inbox, statement->sql, &prepared, words);
    if (err)
        return ERR_UNAVAILABLE;
    int code = SQLITE_OK;
    for (size_t i = 0; i < statement->n && code == SQLITE_OK; i++)
        code = bind_value(prepared, (int)i + 1, &values[i]);
    if (code == SQLITE_OK)
        code = sqlite3_step(prepared);
    if (code == SQLITE_ROW && row) {
        *ret_has_row = true;
        json_writer_init(&w, row);
        json_begin_object(&w);
        for (int i = 0; i < sqlite3_column_count(prepared); i++)
            put_column(&w, prepared, i);
        json_end_object(&w);
        code = SQLITE_DONE;
    }
    while (code == SQLITE_ROW) /* rows of a RETURNING are not the answer: `answer` is asked for it */
        code = sqlite3_step(prepared);
    bool is_final = (code & 0xff) == SQLITE_CONSTRAINT || code == SQLITE_MISMATCH;
    if (is_final)
        snprintf(words, HUB_WORDS_MAX, "%.190s", sqlite3_errmsg(inbox->db)); /* "CHECK constraint failed: reason": no values */
    sqlite3_finalize(prepared);
    return code == SQLITE_DONE ? ERR_OK : is_final ? ERR_RANGE : ERR_UNAVAILABLE;
}

static enum err inbox_check(void *context, const struct hub_statement *statement, bool is_answer, char words[HUB_WORDS_MAX])
{
    sqlite3_stmt *prepared;
    enum err err = prepare(context, statement->sql, &prepared, words);
    if (err)
        return err;
    if ((sqlite3_stmt_readonly(prepared) != 0) != is_answer) {
        snprintf(words, HUB_WORDS_MAX, "%s",
            is_answer ? "only reads; put what writes into run:" : "changes nothing; a command writes into the department's file");
        err = ERR_RANGE;
    }
    sqlite3_finalize(prepared);
    return err;
}

const struct hub_command_ops sqlite_command_ops = {
    .thread = "sqlite-act",
    .placeholder = "?1",
    .is_file = true,
    .open = inbox_open,
    .close = inbox_close,
    .control = inbox_control,
    .run = inbox_run,
    .check = inbox_check,
};
