/*
 * What db.c and writer.c share: the handle's insides and the meaning of SQLite's codes.
 */
#ifndef DB_INTERNAL_H
#define DB_INTERNAL_H

#include "db/db.h"

#include <sqlite3.h>

#define DB_CACHED_MAX 64 /* distinct SQL texts that one handle keeps prepared: our widest store has about 20 */

struct db_statement {
    struct db *db; /* borrowed */
    sqlite3_stmt *stmt;
    const char *text; /* of a cached one: the caller's literal, compared by address */
};

struct db {
    sqlite3 *sqlite;
    /* Set by the first failed fsync and never cleared: the pages may be marked clean, so a retry would acknowledge what is not there. */
    bool has_failed_sync;
    struct db_statement *cached[DB_CACHED_MAX];
    size_t n_cached;
};

enum err db_err(struct db *db, int code);

#endif
