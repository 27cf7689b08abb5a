/*
 * The `rows:` of a contract: whatever the parser takes becomes one statement that SQLite prepares, with bound parameters alone; the other
 * dialects' texts hold as many placeholders as parameters and nothing of the input but names of columns.
 */
#include "db/sql.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_sqlite(struct str sql, size_t n_parameters)
{
    const char *rest = NULL;
    sqlite3_stmt *statement = NULL;
    sqlite3 *db;
    if (sqlite3_open(":memory:", &db) != SQLITE_OK)
        abort();
    sqlite3_db_config(db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    if (sqlite3_prepare_v2(db, sql.ptr, (int)sql.len, &statement, &rest) != SQLITE_OK)
        abort();
    if (!statement || rest != sql.ptr + sql.len || !sqlite3_stmt_readonly(statement) ||
        sqlite3_bind_parameter_count(statement) != (int)n_parameters)
        abort();
    sqlite3_finalize(statement);
    sqlite3_close(db);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct sql_column columns[] = {{STR_INIT("plate"), VALUE_TEXT}, {STR_INIT("seats"), VALUE_INTEGER},
        {STR_INIT("weight"), VALUE_REAL}, {STR_INIT("electric"), VALUE_BOOLEAN}, {STR_INIT("since"), VALUE_TIME},
        {STR_INIT("photo"), VALUE_BYTES}};
    static const struct sql_output outputs[] = {{0, SQL_PLAIN}, {1, SQL_PLAIN}};
    const struct sql_condition *condition = NULL;
    struct diag diag = {""};
    struct arena arena;
    arena_init(&arena, 16u << 20);
    if (sql_condition_parse(&arena, (struct str){(const char *)data, size}, columns, 6, &diag, &condition)) {
        if (!diag.text[0])
            abort(); /* no cause told */
        condition = NULL;
    }
    for (int dialect = SQL_SQLITE; condition && dialect <= SQL_ANSI; dialect++) {
        const struct sql_select select = {
            .source = dialect == SQL_SQLITE
                          ? STR("(SELECT 'A' AS plate, 2 AS seats, 1.5 AS weight, 1 AS electric, 0 AS since, x'00' AS photo)")
                          : STR("v"),
            .columns = columns,
            .rows = condition,
            .outputs = outputs,
            .n_outputs = 2,
            .limit = 10,
        };
        const struct value *parameters;
        size_t n;
        struct buf text;
        buf_init(&text, 1u << 20);
        enum err err = sql_text(&select, (enum sql_dialect)dialect, &text, &arena, &parameters, &n);
        if (err)
            abort();
        if (dialect == SQL_SQLITE)
            check_sqlite(buf_str(&text), n);
        else if (memchr(text.ptr, ';', text.len) || memmem(text.ptr, text.len, "--", 2) || memmem(text.ptr, text.len, "/*", 2))
            abort();
        buf_finish(&text);
    }
    arena_finish(&arena);
    return 0;
}
