/*
 * One small face over SQL databases for our own state: open, prepare, bind, step, begin/commit. No SQL dialect outside of it.
 *
 * Here SQLite (WAL, synchronous=FULL). A handle belongs to one thread. What many loops write goes through a db_writer,
 * one thread with group commit: one fsync for many transactions.
 */
#ifndef DB_DB_H
#define DB_DB_H

#include "base/diag.h"
#include "base/loop.h"
#include "base/metric.h"
#include "base/value.h"

struct db;
struct db_statement;

/* Opens or makes a database of our own: WAL, full sync, foreign keys on. `diag` names the file and the mend. */
enum err db_open(const char *path, struct diag *diag, struct db **ret_db) MUST_CHECK;
void db_close(struct db *db); /* takes NULL; statements first */
enum err db_exec(struct db *db, const char *sql, struct diag *diag) MUST_CHECK;
enum err db_begin(struct db *db) MUST_CHECK;
enum err db_commit(struct db *db) MUST_CHECK; /* durable when it returns ERR_OK; ERR_DISK_FULL and ERR_IO roll back */
void db_rollback(struct db *db);

enum err db_prepare(struct db *db, const char *sql, struct diag *diag, struct db_statement **ret_statement) MUST_CHECK;
/* The same, prepared once for this handle and reset; `sql` is a literal (compared by address), at most 64 of them: what a db_write runs.
 * The handle owns it: no db_statement_finish(). ERR_FULL. */
enum err db_cached(struct db *db, const char *sql, struct diag *diag, struct db_statement **ret_statement) MUST_CHECK;
void db_statement_finish(struct db_statement *statement);                                /* takes NULL */
enum err db_bind(struct db_statement *statement, int at, struct value value) MUST_CHECK; /* from 1; borrowed until the reset */
/* One row: *ret_row says whether there is one. */
enum err db_step(struct db_statement *statement, bool *ret_row) MUST_CHECK;
int db_n_columns(struct db_statement *statement);
struct value db_column(struct db_statement *statement, int at); /* from 0; borrowed until the next step */
void db_reset(struct db_statement *statement);                  /* and clears the bindings */

/* Our own tables: SQL texts in order, each run once, in its own transaction, remembered in PRAGMA user_version. A database that is newer
 * than the program is refused (ERR_UNSUPPORTED), untouched. */
enum err db_migrate(struct db *db, const char *const *migrations, size_t n, struct diag *diag) MUST_CHECK;

/* A copy of a database that others may be writing, as it is at one moment. `to` is not there. ERR_CORRUPT, ERR_DISK_FULL, ERR_IO. */
enum err db_backup(const char *from_path, const char *to_path, struct diag *diag) MUST_CHECK;

/* ---- writes from many loops: group commit on a thread of its own ---- */
struct db_writer;

struct db_write {
    /* On the writer's thread, inside of a transaction shared with others: only this write is undone (savepoint) when it returns an error.
     * May run twice when the shared commit failed for another's sake. */
    enum err (*run)(struct db_write *write, struct db *db);
    struct loop *loop;                    /* where `done` runs; NULL: on the writer's own thread */
    void (*done)(struct db_write *write); /* after the commit: `err` ERR_OK means on disk */
    enum err err;
    struct loop_task task;
    struct db_write *next;
};

/* Takes `db`. `limit`: most writes waiting. */
enum err db_writer_create(struct db *db, size_t limit, struct db_writer **ret_writer) MUST_CHECK;
/* Who is told, once, on the writer's thread and before any write's `done`, that an fsync failed: whoever holds the process's life, since
 * nothing may be acknowledged any more. Before the first submit; `fn` may be NULL, `part` is kept. */
void db_writer_on_failed_sync(
    struct db_writer *writer, void (*fn)(void *context, const char *part, enum err err), void *context, const char *part);
void db_writer_destroy(struct db_writer *writer); /* commits what waits; closes the database; takes NULL */
/* Any thread. ERR_FULL: too many wait. ERR_IO: an fsync failed, nothing is written any more; the owner stops the process. */
enum err db_writer_submit(struct db_writer *writer, struct db_write *write) MUST_CHECK;
/* Its queue, its writes, how long a commit takes; `of` names it. Any thread; takes NULL. */
void db_writer_measure(struct db_writer *writer, struct metric_page *page, struct str of);

#endif
