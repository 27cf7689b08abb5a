/* What has been kept for long enough: told of, and deleted. */
#include "business/case/keep.h"

#include "base/arena.h"

#define KINDS_BYTES (1u << 20) /* names of kinds, also of undeclared ones */

const char case_keep_migration[] =
    "CREATE INDEX cases_closed ON cases (kind, closed_ms) WHERE state = 4;"
    "CREATE TABLE ending (case_id INTEGER PRIMARY KEY) STRICT;"
    "CREATE TABLE past (one INTEGER PRIMARY KEY CHECK (one = 1), last_id INTEGER NOT NULL) STRICT;"
    "INSERT INTO past VALUES (1, 0);"
    "DROP TRIGGER step_is_kept;"
    "CREATE TRIGGER step_is_kept BEFORE DELETE ON step WHEN NOT EXISTS (SELECT 1 FROM ending WHERE case_id = old.case_id)"
    " OR EXISTS (SELECT 1 FROM owed WHERE case_id = old.case_id) BEGIN SELECT raise(ABORT, 'a history only grows'); END";

static enum err begin(struct db *db, const char *sql, const struct value *values, int n, struct db_statement **ret_statement)
{
    struct diag diag = {""};
    enum err err = db_cached(db, sql, &diag, ret_statement);
    for (int i = 0; i < n && !err; i++)
        err = db_bind(*ret_statement, i + 1, values[i]);
    return err;
}

static enum err run(struct db *db, const char *sql, struct value value)
{
    struct db_statement *statement;
    bool is_row;
    enum err err = begin(db, sql, &value, 1, &statement);
    if (!err)
        err = db_step(statement, &is_row);
    if (!err)
        db_reset(statement);
    return err;
}

/* Rows of one number each, behind those that are there. */
static enum err read_ids(struct db *db, const char *sql, const struct value *values, int n_values, int64_t *ids, size_t max, size_t *n)
{
    struct db_statement *statement;
    bool is_row = true;
    enum err err = begin(db, sql, values, n_values, &statement);
    while (!err && *n < max && (err = db_step(statement, &is_row)) == ERR_OK && is_row)
        ids[(*n)++] = db_column(statement, 0).i;
    if (!err)
        db_reset(statement);
    return err;
}

enum err case_keep_open(struct db *db, struct diag *diag)
{
    return db_exec(db, "PRAGMA secure_delete=ON", diag);
}

/* ---- whose time has come ---- */

/* The next kind by name that any closed case has; ERR_NOT_FOUND: none is left. */
static enum err next_kind(struct db *db, struct arena *arena, struct str after, struct str *ret_kind)
{
    static const char sql[] = "SELECT min(kind) FROM cases WHERE state = 4 AND kind > ?1";
    struct db_statement *statement;
    bool is_row = false;
    const struct value value = value_text(after);
    enum err err = begin(db, sql, &value, 1, &statement);
    if (!err)
        err = db_step(statement, &is_row);
    if (!err)
        err = is_row && db_column(statement, 0).type == VALUE_TEXT ? arena_copy_str(arena, db_column(statement, 0).s, ret_kind)
                                                                   : ERR_NOT_FOUND;
    db_reset(statement);
    return err;
}

enum err case_keep_ended(struct db *db, const struct case_rules *rules, struct wall_time now, int64_t *ids, size_t max, size_t *ret_n)
{
    static const char sql[] = "SELECT id FROM cases WHERE state = 4 AND kind = ?1 AND closed_ms <= ?2"
                              " AND NOT EXISTS (SELECT 1 FROM ending WHERE case_id = id) ORDER BY closed_ms LIMIT ?3";
    struct arena arena;
    struct str kind = STR("");
    size_t n = 0;
    enum err err = ERR_OK;
    arena_init(&arena, KINDS_BYTES);
    while (!err && n < max && (err = next_kind(db, &arena, kind, &kind)) == ERR_OK) {
        int64_t keep_ms = case_kind_find(rules, kind)->keep_ms;
        const struct value values[] = {value_text(kind), value_integer(now.ms - keep_ms), value_integer((int64_t)(max - n))};
        if (keep_ms > 0)
            err = read_ids(db, sql, values, 3, ids, max, &n);
    }
    arena_finish(&arena);
    *ret_n = n;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err case_keep_end(struct db *db, int64_t id)
{
    return run(db, "INSERT OR IGNORE INTO ending VALUES (?1)", value_integer(id));
}

enum err case_keep_goes_on(struct db *db, int64_t id)
{
    return run(db, "DELETE FROM ending WHERE case_id = ?1", value_integer(id));
}

/* ---- deleted ---- */

enum err case_keep_told(struct db *db, int64_t *ids, size_t max, size_t *ret_n)
{
    static const char sql[] =
        "SELECT case_id FROM ending WHERE NOT EXISTS (SELECT 1 FROM owed WHERE owed.case_id = ending.case_id) LIMIT ?1";
    const struct value value = value_integer((int64_t)max);
    *ret_n = 0;
    return read_ids(db, sql, &value, 1, ids, max, ret_n);
}

enum err case_keep_delete(struct db *db, const struct case_record *record)
{
    static const char *const by_id[] = {"DELETE FROM step WHERE case_id = ?1", "DELETE FROM leaf WHERE case_id = ?1",
        "DELETE FROM ending WHERE case_id = ?1", "DELETE FROM cases WHERE id = ?1", "UPDATE past SET last_id = max(last_id, ?1)"};
    enum err err = ERR_OK;
    for (size_t i = 0; i < sizeof by_id / sizeof *by_id && !err; i++)
        err = run(db, by_id[i], value_integer(record->id));
    if (!err)
        err =
            run(db, "DELETE FROM member WHERE case_key = ?1 AND NOT EXISTS (SELECT 1 FROM cases WHERE key = ?1)", value_text(record->key));
    return err;
}
