/* One table: who is red, by the case that it belongs to. */
#include "business/case/group.h"

#include "base/buf.h"

#include <string.h>

const char case_group_migration[] =
    "CREATE TABLE member (case_key TEXT NOT NULL, key TEXT NOT NULL, title_zh TEXT NOT NULL, title_en TEXT NOT NULL, detail TEXT NOT NULL,"
    " since_ms INTEGER NOT NULL, PRIMARY KEY (case_key, key)) STRICT, WITHOUT ROWID";

static enum err begin(struct db *db, const char *sql, const struct value *values, int n, struct db_statement **ret_statement)
{
    struct diag diag = {""};
    enum err err = db_cached(db, sql, &diag, ret_statement);
    for (int i = 0; i < n && !err; i++)
        err = db_bind(*ret_statement, i + 1, values[i]);
    return err;
}

/* A statement with at most one row of one number. */
static enum err run(struct db *db, const char *sql, const struct value *values, int n, int64_t *ret_number)
{
    struct db_statement *statement;
    bool is_row = false;
    enum err err = begin(db, sql, values, n, &statement);
    if (!err)
        err = db_step(statement, &is_row);
    if (!err && is_row && ret_number)
        *ret_number = db_column(statement, 0).i;
    if (!err)
        db_reset(statement);
    return err;
}

/* "source.stale/hangzhou/police/camera/3301…" in an area → "source.stale/hangzhou/police/camera@hangzhou.xihu.gudang". */
static enum err group_key(struct arena *arena, const struct case_record *alert, struct str *ret_key)
{
    struct str system = alert->key, member;
    if (!str_cut_last(alert->key, '/', &system, &member))
        system = alert->key;
    enum err err = arena_printf(arena, ret_key, STR_FORMAT "@" STR_FORMAT, STR_ARG(system), STR_ARG(alert->area));
    *ret_key = str_slice(*ret_key, 0, CASE_KEY_MAX);
    return err;
}

static enum err change_list(struct db *db, struct str key, const struct case_event *event, int64_t *ret_n, struct wall_time now)
{
    static const char count[] = "SELECT count(*) FROM member WHERE case_key = ?1";
    static const char add[] =
        "INSERT INTO member VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET title_zh = ?3, title_en = ?4, detail = ?5";
    static const char remove[] = "DELETE FROM member WHERE case_key = ?1 AND key = ?2";
    const struct case_record *alert = &event->alert;
    const struct value values[] = {value_text(key), value_text(alert->key), value_text(alert->title_zh), value_text(alert->title_en),
        value_text(str_is_empty(alert->detail) ? alert->title_en : alert->detail), value_integer(now.ms)};
    int64_t n = 0;
    enum err err = run(db, count, values, 1, &n);
    if (!err && event->what == CASE_GREEN)
        err = run(db, remove, values, 2, NULL);
    else if (!err && n < CASE_MEMBERS_MAX)
        err = run(db, add, values, 6, NULL);
    return err ? err : run(db, count, values, 1, ret_n);
}

/* Who is red, the longest first: as many as a case's words may be; and the titles of the last that was read. */
static enum err put_list(struct db *db, struct arena *arena, struct str key, int64_t n, struct case_record *alert)
{
    static const char sql[] = "SELECT detail, title_zh, title_en FROM member WHERE case_key = ?1 ORDER BY since_ms, key";
    struct db_statement *statement;
    const struct value values[] = {value_text(key)};
    struct buf list;
    bool is_row = true;
    int64_t n_put = 0;
    buf_init(&list, CASE_TEXT_MAX);
    enum err err = begin(db, sql, values, 1, &statement);
    while (!err && (err = db_step(statement, &is_row)) == ERR_OK && is_row) {
        struct str detail = db_column(statement, 0).s;
        if (n_put > 0 && list.len + detail.len > CASE_TEXT_MAX - 40)
            break;
        buf_append_c(&list, n_put++ ? "; " : "");
        buf_append_str(&list, detail);
        if (n == 1)
            err = arena_copy_str(arena, db_column(statement, 1).s, &alert->title_zh);
        if (n == 1 && !err)
            err = arena_copy_str(arena, db_column(statement, 2).s, &alert->title_en);
    }
    if (!err)
        db_reset(statement);
    if (n_put < n)
        buf_printf(&list, "; … + %lld", (long long)(n - n_put));
    if (!err)
        err = list.err ? list.err : arena_copy_str(arena, buf_str(&list), &alert->detail);
    buf_finish(&list);
    return err;
}

enum err case_group_apply(struct db *db, const struct case_kind *kind, struct arena *arena, struct case_event *event, struct wall_time now)
{
    struct case_record *alert = &event->alert;
    struct str key;
    int64_t n = 0;
    enum err err = group_key(arena, alert, &key);
    if (!err)
        err = change_list(db, key, event, &n, now);
    if (!err && n > 1)
        err = arena_printf(arena, &alert->title_zh, STR_FORMAT "（%lld）", STR_ARG(kind->title_zh), (long long)n);
    if (!err && n > 1)
        err = arena_printf(arena, &alert->title_en, STR_FORMAT " (%lld)", STR_ARG(kind->title_en), (long long)n);
    if (!err && n > 0)
        err = put_list(db, arena, key, n, alert);
    alert->key = key;
    if (event->what == CASE_GREEN && n > 0)
        event->what = CASE_LIST;
    return err;
}
