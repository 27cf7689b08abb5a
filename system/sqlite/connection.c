/*
 * One read-only connection to a department's file, with the guards that hold whatever SQL comes: no writing (open mode, query_only,
 * authorizer, each statement checked), no other file, no schema table, no function that reaches outside, a time for each statement.
 */
#include "system/sqlite/inside.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define PROGRESS_STEPS 4000 /* of SQLite's machine between two looks at the clock: well under a millisecond */

/* Functions that a department's SELECT or a contract's predicate may not use: they reach outside of the row. */
static bool is_forbidden_function(const char *name)
{
    static const char *const names[] = {"load_extension", "readfile", "writefile", "edit", "fts3_tokenizer", "sqlite_compileoption_get",
        "sqlite_compileoption_used", "sqlite_source_id", "sqlite_log", "randomblob", "random", "zeroblob"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (sqlite3_stricmp(name, names[i]) == 0)
            return true;
    return false;
}

static int authorize(void *context, int action, const char *a, const char *b, const char *database, const char *trigger)
{
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_TRANSACTION:
        return SQLITE_OK;
    case SQLITE_READ:
        return a && sqlite3_strnicmp(a, "sqlite_", 7) == 0 ? SQLITE_DENY : SQLITE_OK;
    case SQLITE_FUNCTION:
        return b && is_forbidden_function(b) ? SQLITE_DENY : SQLITE_OK;
    default:
        return SQLITE_DENY;
    }
}

static int on_progress(void *context)
{
    struct sqlite_connection *connection = context;
    return (connection->deadline.ns && clock_mono(connection->clock).ns > connection->deadline.ns) ||
           (connection->fetch && hub_fetch_is_cancelled(connection->fetch));
}

static enum err say(struct sqlite_connection *connection, char *detail, size_t size, const char *code)
{
    hub_detail_put(detail, size, code, "%s", sqlite3_errmsg(connection->db));
    return ERR_UNAVAILABLE;
}

static enum err guard(struct sqlite_connection *connection, int busy_ms, char *detail, size_t size)
{
    sqlite3 *db = connection->db;
    sqlite3_extended_result_codes(db, 1);
    sqlite3_busy_timeout(db, busy_ms);
    sqlite3_limit(db, SQLITE_LIMIT_LENGTH, SQLITE_VALUE_MAX);
    sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_limit(db, SQLITE_LIMIT_SQL_LENGTH, 2 * SQLITE_SQL_MAX);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, NULL); /* a mistyped column is an error, not a text */
    sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_QPSG, 1, NULL); /* a statement is planned once, not again for each parameter of a GLOB */
    /* Reading the schema's version is the first touch of the file: here a lock or a file that is no database shows. */
    if (sqlite3_exec(db, "PRAGMA query_only = 1; PRAGMA cache_size = -4096; PRAGMA schema_version", NULL, NULL, NULL) != SQLITE_OK)
        return say(connection, detail, size, HUB_DETAIL(file_foreign));
    sqlite3_set_authorizer(db, authorize, NULL);
    sqlite3_progress_handler(db, PROGRESS_STEPS, on_progress, connection);
    if (sqlite3_prepare_v3(db, "BEGIN", -1, SQLITE_PREPARE_PERSISTENT, &connection->begin, NULL) != SQLITE_OK ||
        sqlite3_prepare_v3(db, "COMMIT", -1, SQLITE_PREPARE_PERSISTENT, &connection->commit, NULL) != SQLITE_OK)
        return say(connection, detail, size, HUB_DETAIL(no_transaction));
    return ERR_OK;
}

enum err sqlite_connect(const char *path, struct clock *clock, int64_t timeout_ms, int busy_ms, char *detail, size_t detail_size,
    struct sqlite_connection *connection)
{
    struct stat status;
    *connection = (struct sqlite_connection){.clock = clock, .timeout_ms = timeout_ms};
    arena_init(&connection->arena, SQLITE_PARAMETERS_MAX);
    if (stat(path, &status) != 0) {
        const char *name = strrchr(path, '/'); /* the health of a source is seen by many: no paths of the machine */
        hub_detail_put(detail, detail_size, HUB_DETAIL(file_missing), "%s", name ? name + 1 : path);
        return ERR_UNAVAILABLE;
    }
    if (!S_ISREG(status.st_mode)) { /* opening a pipe would wait for who writes it, for ever */
        hub_detail_put(detail, detail_size, HUB_DETAIL(file_foreign), "%s", "no plain file");
        return ERR_UNAVAILABLE;
    }
    connection->device = status.st_dev;
    connection->inode = status.st_ino;
    enum err err = ERR_OK;
    if (sqlite3_open_v2(path, &connection->db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, NULL) != SQLITE_OK)
        err = say(connection, detail, detail_size, HUB_DETAIL(file_closed));
    if (!err)
        err = guard(connection, busy_ms, detail, detail_size);
    if (err)
        sqlite_disconnect(connection);
    return err;
}

void sqlite_disconnect(struct sqlite_connection *connection)
{
    sqlite3_finalize(connection->begin);
    sqlite3_finalize(connection->commit);
    sqlite3_close_v2(connection->db);
    arena_finish(&connection->arena);
    connection->db = NULL;
    connection->begin = connection->commit = NULL;
}

bool sqlite_is_same_file(const struct sqlite_connection *connection, const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && status.st_dev == connection->device && status.st_ino == connection->inode;
}

enum err sqlite_prepare(
    struct sqlite_connection *connection, struct str sql, char *detail, size_t detail_size, sqlite3_stmt **ret_statement)
{
    sqlite3_stmt *statement = NULL;
    const char *rest = NULL;
    int code = sqlite3_prepare_v3(connection->db, sql.ptr, (int)sql.len, SQLITE_PREPARE_PERSISTENT, &statement, &rest);
    int primary = code & 0xff;
    if (code != SQLITE_OK) {
        snprintf(detail, detail_size, "%s", sqlite3_errmsg(connection->db));
        return primary == SQLITE_ERROR || primary == SQLITE_AUTH ? ERR_SYNTAX : ERR_UNAVAILABLE;
    }
    if (!statement || !str_is_empty(str_trim(str_slice(sql, (size_t)(rest - sql.ptr), sql.len))) || !sqlite3_stmt_readonly(statement)) {
        sqlite3_finalize(statement);
        snprintf(detail, detail_size, "it is not one statement that only reads");
        return ERR_SYNTAX;
    }
    *ret_statement = statement;
    return ERR_OK;
}
