/*
 * The SQL face over SQLite: handles, statements, migrations (db.h). Group commit is writer.c.
 *
 * Why SQLite's own settings are these: WAL lets readers go on beside the one writer; synchronous=FULL makes a commit wait for its
 * fsync, which is what "acknowledged" means here. What this does not do: share a handle between threads, and speak any dialect
 * but the one its callers pass down (PostgreSQL comes behind the same face).
 */
#include "db/internal.h"

#include "base/mem.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define DB_BUSY_TIMEOUT_MS 5000 /* another process of ours (a tool, a backup) holds the lock for a commit at most */

/* A file up to this size is checked from end to end when it is opened: about 30 ms. A larger one is checked page by page as it is read. */
#define DB_CHECK_MAX (8 << 20)

/* SQLite's extended code as an error of ours, remembering a failed fsync. */
enum err db_err(struct db *db, int code)
{
    if (code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC)
        db->has_failed_sync = true;
    if (code == SQLITE_IOERR_NOMEM)
        return ERR_NO_MEMORY;
    if (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY || code == SQLITE_CONSTRAINT_ROWID)
        return ERR_EXISTS;
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return ERR_OK;
    case SQLITE_FULL:
        return ERR_DISK_FULL;
    case SQLITE_NOMEM:
        return ERR_NO_MEMORY;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_BUSY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ERR_CORRUPT;
    case SQLITE_CONSTRAINT:
    case SQLITE_RANGE:
        return ERR_RANGE;
    case SQLITE_TOOBIG:
        return ERR_TOO_LARGE;
    case SQLITE_ERROR:
    case SQLITE_MISMATCH:
        return ERR_SYNTAX;
    case SQLITE_INTERRUPT:
        return ERR_CANCELLED;
    case SQLITE_MISUSE:
        return ERR_STATE;
    default:
        return sqlite3_system_errno(db->sqlite) == ENOSPC ? ERR_DISK_FULL : ERR_IO;
    }
}

static enum err tell(struct db *db, int code, struct diag *diag, const char *what)
{
    enum err err = db_err(db, code);
    return diag_set(diag, err, NULL, 0, "%s: %s", what, sqlite3_errmsg(db->sqlite));
}

/* A pragma's answer, compared with the one that must come back. */
static enum err pragma(struct db *db, const char *sql, const char *wanted, struct diag *diag)
{
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(db->sqlite, sql, -1, &stmt, NULL);
    enum err err = ERR_OK;
    if (code == SQLITE_OK)
        code = sqlite3_step(stmt);
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        err = tell(db, code, diag, sql);
    } else if (code == SQLITE_ROW && wanted != NULL) {
        const char *got = (const char *)sqlite3_column_text(stmt, 0);
        if (got == NULL || (strcmp(got, wanted) != 0 && strcmp(got, "memory") != 0))
            err = diag_set(
                diag, strcmp(wanted, "ok") == 0 ? ERR_CORRUPT : ERR_UNSUPPORTED, NULL, 0, "%s: %s", sql, got != NULL ? got : "no answer");
    }
    sqlite3_finalize(stmt);
    return err;
}

static enum err set_up(struct db *db, const char *path, struct diag *diag)
{
    struct stat st;
    sqlite3_busy_timeout(db->sqlite, DB_BUSY_TIMEOUT_MS);
    enum err err = pragma(db, "PRAGMA journal_mode=WAL", "wal", diag);
    if (err == ERR_OK)
        err = pragma(db, "PRAGMA synchronous=FULL", NULL, diag);
    if (err == ERR_OK)
        err = pragma(db, "PRAGMA foreign_keys=ON", NULL, diag);
    if (err == ERR_OK)
        err = pragma(db, "PRAGMA trusted_schema=OFF", NULL, diag);
    if (err == ERR_OK)
        err = pragma(db, "PRAGMA journal_size_limit=67108864", NULL, diag);
    if (err == ERR_OK && stat(path, &st) == 0 && st.st_size <= DB_CHECK_MAX)
        err = pragma(db, "PRAGMA quick_check(1)", "ok", diag);
    return err;
}

/* The cause from below, with the file and what a person can do about it. */
static enum err tell_open(enum err err, const char *path, struct diag *diag)
{
    struct diag cause = {""};
    if (diag == NULL)
        return err;
    memcpy(&cause, diag, sizeof cause);
    const char *mend = "look at the folder and its rights";
    if (err == ERR_CORRUPT)
        mend = "put back a backup of it, or move it away to start with an empty one";
    else if (err == ERR_DISK_FULL)
        mend = "free space on its disk";
    else if (err == ERR_BUSY)
        mend = "another process holds it; stop that one first";
    return diag_set(diag, err, path, 0, "cannot be used as our database: %.200s; %s", cause.text, mend);
}

enum err db_open(const char *path, struct diag *diag, struct db **ret_db)
{
    struct diag own = {""};
    if (diag == NULL)
        diag = &own;
    struct db *db = mem_alloc_zero(1, sizeof *db);
    if (db == NULL)
        return diag_set(diag, ERR_NO_MEMORY, path, 0, "no memory to open it");
    enum err err;
    int code =
        sqlite3_open_v2(path, &db->sqlite, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (code != SQLITE_OK)
        err = db->sqlite != NULL ? tell(db, code, diag, "open") : diag_set(diag, ERR_NO_MEMORY, NULL, 0, "no memory");
    else
        err = set_up(db, path, diag);
    if (err != ERR_OK) {
        err = tell_open(err, path, diag);
        db_close(db);
        return err;
    }
    *ret_db = db;
    return ERR_OK;
}

void db_close(struct db *db)
{
    if (db == NULL)
        return;
    for (size_t i = 0; i < db->n_cached; i++)
        db_statement_finish(db->cached[i]);
    sqlite3_close_v2(db->sqlite);
    mem_free(db);
}

enum err db_exec(struct db *db, const char *sql, struct diag *diag)
{
    if (db->has_failed_sync)
        return diag_set(diag, ERR_IO, NULL, 0, "the database stopped after a failed fsync; start the program again");
    int code = sqlite3_exec(db->sqlite, sql, NULL, NULL, NULL);
    return code == SQLITE_OK ? ERR_OK : tell(db, code, diag, "SQL");
}

enum err db_begin(struct db *db)
{
    /* IMMEDIATE: a transaction that begins as a reader cannot always become a writer, and then fails in the middle. */
    return db_exec(db, "BEGIN IMMEDIATE", NULL);
}

enum err db_commit(struct db *db)
{
    enum err err = db_exec(db, "COMMIT", NULL);
    if (err != ERR_OK)
        db_rollback(db);
    return err;
}

void db_rollback(struct db *db)
{
    if (!sqlite3_get_autocommit(db->sqlite))
        (void)sqlite3_exec(db->sqlite, "ROLLBACK", NULL, NULL, NULL);
}

/* ---- statements ---- */

static enum err prepare(struct db *db, const char *sql, unsigned flags, struct diag *diag, struct db_statement **ret_statement)
{
    struct db_statement *statement = mem_alloc_zero(1, sizeof *statement);
    if (statement == NULL)
        return diag_set(diag, ERR_NO_MEMORY, NULL, 0, "no memory for a statement");
    statement->db = db;
    statement->text = sql;
    int code = sqlite3_prepare_v3(db->sqlite, sql, -1, flags, &statement->stmt, NULL);
    if (code != SQLITE_OK || statement->stmt == NULL) {
        enum err err = code != SQLITE_OK ? tell(db, code, diag, "SQL") : diag_set(diag, ERR_SYNTAX, NULL, 0, "SQL: an empty statement");
        mem_free(statement);
        return err;
    }
    *ret_statement = statement;
    return ERR_OK;
}

enum err db_prepare(struct db *db, const char *sql, struct diag *diag, struct db_statement **ret_statement)
{
    return prepare(db, sql, 0, diag, ret_statement);
}

enum err db_cached(struct db *db, const char *sql, struct diag *diag, struct db_statement **ret_statement)
{
    for (size_t i = 0; i < db->n_cached; i++)
        if (db->cached[i]->text == sql) {
            db_reset(db->cached[i]);
            *ret_statement = db->cached[i];
            return ERR_OK;
        }
    if (db->n_cached == DB_CACHED_MAX)
        return diag_set(diag, ERR_FULL, NULL, 0, "more than %d cached statements; cache literals only", DB_CACHED_MAX);
    enum err err = prepare(db, sql, SQLITE_PREPARE_PERSISTENT, diag, ret_statement);
    if (err == ERR_OK)
        db->cached[db->n_cached++] = *ret_statement;
    return err;
}

void db_statement_finish(struct db_statement *statement)
{
    if (statement == NULL)
        return;
    sqlite3_finalize(statement->stmt);
    mem_free(statement);
}

enum err db_bind(struct db_statement *statement, int at, struct value value)
{
    sqlite3_stmt *stmt = statement->stmt;
    int code = SQLITE_MISUSE;
    switch (value.type) {
    case VALUE_NULL:
        code = sqlite3_bind_null(stmt, at);
        break;
    case VALUE_BOOLEAN:
    case VALUE_INTEGER:
    case VALUE_TIME:
        code = sqlite3_bind_int64(stmt, at, value.i);
        break;
    case VALUE_REAL:
        code = sqlite3_bind_double(stmt, at, value.r);
        break;
    case VALUE_TEXT: /* a NULL pointer would bind NULL, and the empty string is not NULL */
        code = sqlite3_bind_text64(stmt, at, value.s.len != 0 ? value.s.ptr : "", value.s.len, SQLITE_STATIC, SQLITE_UTF8);
        break;
    case VALUE_BYTES:
        code = sqlite3_bind_blob64(stmt, at, value.s.len != 0 ? value.s.ptr : "", value.s.len, SQLITE_STATIC);
        break;
    }
    return db_err(statement->db, code);
}

enum err db_step(struct db_statement *statement, bool *ret_row)
{
    if (statement->db->has_failed_sync)
        return ERR_IO;
    int code = sqlite3_step(statement->stmt);
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        return db_err(statement->db, code);
    *ret_row = code == SQLITE_ROW;
    return ERR_OK;
}

int db_n_columns(struct db_statement *statement)
{
    return sqlite3_column_count(statement->stmt);
}

struct value db_column(struct db_statement *statement, int at)
{
    sqlite3_stmt *stmt = statement->stmt;
    const void *ptr;
    switch (sqlite3_column_type(stmt, at)) {
    case SQLITE_INTEGER:
        return value_integer(sqlite3_column_int64(stmt, at));
    case SQLITE_FLOAT:
        return value_real(sqlite3_column_double(stmt, at));
    case SQLITE_TEXT: /* the pointer first: asking for the length may convert */
        ptr = sqlite3_column_text(stmt, at);
        return value_text((struct str){ptr, (size_t)sqlite3_column_bytes(stmt, at)});
    case SQLITE_BLOB:
        ptr = sqlite3_column_blob(stmt, at);
        return (struct value){.type = VALUE_BYTES, .s = {ptr, (size_t)sqlite3_column_bytes(stmt, at)}};
    default:
        return VALUE_NONE;
    }
}

void db_reset(struct db_statement *statement)
{
    (void)sqlite3_reset(statement->stmt); /* repeats the last step's error, which its caller has seen */
    (void)sqlite3_clear_bindings(statement->stmt);
}

/* ---- migrations ---- */

static enum err user_version(struct db *db, struct diag *diag, int64_t *ret_version)
{
    struct db_statement *statement = NULL;
    bool has_row = false;
    enum err err = db_prepare(db, "PRAGMA user_version", diag, &statement);
    if (err == ERR_OK)
        err = db_step(statement, &has_row);
    if (err == ERR_OK)
        *ret_version = has_row ? db_column(statement, 0).i : 0;
    db_statement_finish(statement);
    return err;
}

static enum err migrate_one(struct db *db, const char *sql, size_t version, struct diag *diag)
{
    char set_version[64];
    sqlite3_snprintf(sizeof set_version, set_version, "PRAGMA user_version=%lld", (long long)version);
    enum err err = db_begin(db);
    if (err != ERR_OK)
        return diag_set(diag, err, NULL, 0, "migration %zu cannot begin: %s", version, sqlite3_errmsg(db->sqlite));
    err = db_exec(db, sql, diag);
    if (err == ERR_OK)
        err = db_exec(db, set_version, diag);
    if (err != ERR_OK) {
        db_rollback(db);
        return err;
    }
    err = db_commit(db);
    if (err != ERR_OK)
        return diag_set(diag, err, NULL, 0, "migration %zu cannot be committed: %s", version, err_text(err));
    return ERR_OK;
}

enum err db_migrate(struct db *db, const char *const *migrations, size_t n, struct diag *diag)
{
    int64_t version = 0;
    enum err err = user_version(db, diag, &version);
    if (err != ERR_OK)
        return err;
    if (version < 0 || (uint64_t)version > n)
        return diag_set(diag, ERR_UNSUPPORTED, sqlite3_db_filename(db->sqlite, "main"), 0,
            "has version %lld of its tables, this program knows up to %zu; run a newer program, or put back a backup", (long long)version,
            n);
    for (size_t i = (size_t)version; i < n && err == ERR_OK; i++)
        err = migrate_one(db, migrations[i], i + 1, diag);
    return err;
}
