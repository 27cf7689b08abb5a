/*
 * The `rows:` of a contract: whatever passes for one expression is one to SQLite too. It may be refused there, but never end the
 * parentheses that it stands in, begin a second statement or write.
 */
#include "system/sqlite/inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* How many SELECTs the statement holds, by SQLite's own count. */
static int count_selects(void *context, int action, const char *a, const char *b, const char *c, const char *d)
{
    if (action == SQLITE_SELECT)
        ++*(int *)context;
    return SQLITE_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char sql[TEXT_MAX + 128];
    const char *why, *rest = NULL;
    sqlite3_stmt *statement = NULL;
    sqlite3 *db;
    int n_selects = 0;
    if (size > TEXT_MAX || !sqlite_is_expression((struct str){(const char *)data, size}, &why))
        return 0;
    if (sqlite3_open(":memory:", &db) != SQLITE_OK)
        abort();
    sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    sqlite3_set_authorizer(db, count_selects, &n_selects);
    snprintf(sql, sizeof sql, "SELECT plate FROM (SELECT 'A' AS plate, 2 AS seats) WHERE (%.*s) AND plate = ?1 LIMIT ?2", (int)size,
        (const char *)data);
    if (sqlite3_prepare_v2(db, sql, -1, &statement, &rest) == SQLITE_OK) {
        bool is_whole = statement && *rest == '\0' && sqlite3_stmt_readonly(statement) && sqlite3_bind_parameter_count(statement) == 2 &&
                        n_selects == 2;
        if (!is_whole)
            abort();
        sqlite3_finalize(statement);
    }
    sqlite3_close(db);
    return 0;
}
