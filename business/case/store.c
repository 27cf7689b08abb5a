/* Two tables: cases as they are, steps as they were. */
#include "business/case/store.h"

#include "business/case/group.h"
#include "business/case/keep.h"
#include "business/case/leaf.h"
#include "hub/area.h"

#define COLUMNS                                                                                                                            \
    "id, key, kind, area, party, title_zh, title_en, detail, receipt, state, owner, owner_area, opened_ms, changed_ms, due_ms, closed_ms," \
    " last_alert_ms, n_alerts, n_escalated, n_reopened, is_private, is_late"
enum { N_COLUMNS = 22 };
_Static_assert(CASE_CLOSED == 4, "the SQL texts say 4");
#define SEEN_BY                                                                                                                            \
    " WHERE (?1 OR owner = ?2 OR (party <> '' AND party = ?3) OR (NOT is_private AND ?4 <> '' AND (area = ?4 OR substr(area, 1, "          \
    "length(?4) + 1) = ?4 || '.')))"

const char *const case_migrations[] = {
    "CREATE TABLE cases (id INTEGER PRIMARY KEY, key TEXT NOT NULL, kind TEXT NOT NULL, area TEXT NOT NULL, party TEXT NOT NULL,"
    " title_zh TEXT NOT NULL, title_en TEXT NOT NULL, detail TEXT NOT NULL, receipt TEXT NOT NULL, state INTEGER NOT NULL,"
    " owner TEXT NOT NULL, owner_area TEXT NOT NULL, opened_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL, due_ms INTEGER NOT NULL,"
    " closed_ms INTEGER NOT NULL, last_alert_ms INTEGER NOT NULL, n_alerts INTEGER NOT NULL, n_escalated INTEGER NOT NULL,"
    " n_reopened INTEGER NOT NULL, is_private INTEGER NOT NULL, is_late INTEGER NOT NULL);"
    "CREATE UNIQUE INDEX cases_open ON cases (key) WHERE state <> 4;"
    "CREATE INDEX cases_key ON cases (key, id);"
    "CREATE INDEX cases_due ON cases (due_ms) WHERE due_ms > 0;"
    "CREATE TABLE step (case_id INTEGER NOT NULL REFERENCES cases, n INTEGER NOT NULL, time_ms INTEGER NOT NULL, what TEXT NOT NULL,"
    " from_state INTEGER NOT NULL, to_state INTEGER NOT NULL, owner TEXT NOT NULL, by TEXT NOT NULL, by_name TEXT NOT NULL,"
    " text TEXT NOT NULL, PRIMARY KEY (case_id, n)) WITHOUT ROWID;"
    "CREATE TRIGGER step_stays BEFORE UPDATE ON step BEGIN SELECT raise(ABORT, 'a history only grows'); END;"
    "CREATE TRIGGER step_is_kept BEFORE DELETE ON step BEGIN SELECT raise(ABORT, 'a history only grows'); END",
    case_group_migration,
    case_leaf_migration,
    case_keep_migration,
};
const size_t case_n_migrations = sizeof case_migrations / sizeof *case_migrations;

static enum err bind(struct db_statement *statement, const struct value *values, size_t n)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < n && !err; i++)
        err = db_bind(statement, (int)i + 1, values[i]);
    return err;
}

/* ---- reading one ---- */

static enum err copy(struct db_statement *statement, int at, struct arena *arena, struct str *ret_text)
{
    return arena_copy_str(arena, db_column(statement, at).s, ret_text);
}

static enum err read_record(struct db_statement *statement, struct arena *arena, struct case_record *ret_record)
{
    struct case_record r = {.id = db_column(statement, 0).i,
        .state = (enum case_state)db_column(statement, 9).i,
        .opened_ms = db_column(statement, 12).i,
        .changed_ms = db_column(statement, 13).i,
        .due_ms = db_column(statement, 14).i,
        .closed_ms = db_column(statement, 15).i,
        .last_alert_ms = db_column(statement, 16).i,
        .n_alerts = db_column(statement, 17).i,
        .n_escalated = db_column(statement, 18).i,
        .n_reopened = db_column(statement, 19).i,
        .is_private = db_column(statement, 20).i != 0,
        .is_late = db_column(statement, 21).i != 0};
    struct str *const texts[] = {&r.key, &r.kind, &r.area, &r.party, &r.title_zh, &r.title_en, &r.detail, &r.receipt};
    enum err err = ERR_OK;
    for (int i = 0; i < 8 && !err; i++)
        err = copy(statement, i + 1, arena, texts[i]);
    if (!err)
        err = copy(statement, 10, arena, &r.owner);
    if (!err)
        err = copy(statement, 11, arena, &r.owner_area);
    if (!err)
        *ret_record = r;
    return err;
}

static enum err read_one(struct db *db, const char *sql, struct value key, struct arena *arena, struct case_record *ret_record)
{
    struct db_statement *statement;
    struct diag diag = {""};
    bool is_row = false;
    enum err err = db_cached(db, sql, &diag, &statement);
    if (err)
        return err;
    err = db_bind(statement, 1, key);
    if (!err)
        err = db_step(statement, &is_row);
    if (!err)
        err = is_row ? read_record(statement, arena, ret_record) : ERR_NOT_FOUND;
    db_reset(statement);
    return err;
}

enum err case_store_get(struct db *db, int64_t id, struct arena *arena, struct case_record *ret_record)
{
    static const char sql[] = "SELECT " COLUMNS " FROM cases WHERE id = ?1";
    return read_one(db, sql, value_integer(id), arena, ret_record);
}

enum err case_store_find(struct db *db, struct str key, struct arena *arena, struct case_record *ret_record)
{
    static const char sql[] = "SELECT " COLUMNS " FROM cases WHERE key = ?1 ORDER BY id DESC LIMIT 1";
    return read_one(db, sql, value_text(key), arena, ret_record);
}

enum err case_store_due(struct db *db, int64_t now_ms, int64_t *ids, size_t max, size_t *ret_n)
{
    static const char sql[] = "SELECT id FROM cases WHERE due_ms > 0 AND due_ms <= ?1 ORDER BY due_ms LIMIT ?2";
    struct db_statement *statement;
    struct diag diag = {""};
    bool is_row = true;
    size_t n = 0;
    enum err err = db_cached(db, sql, &diag, &statement);
    if (err)
        return err;
    const struct value values[] = {value_integer(now_ms), value_integer((int64_t)max)};
    err = bind(statement, values, 2);
    while (!err && (err = db_step(statement, &is_row)) == ERR_OK && is_row && n < max)
        ids[n++] = db_column(statement, 0).i;
    db_reset(statement);
    *ret_n = n;
    return err;
}

/* ---- writing ---- */

static enum err run(struct db *db, const char *sql, const struct value *values, size_t n)
{
    struct db_statement *statement;
    struct diag diag = {""};
    bool is_row;
    enum err err = db_cached(db, sql, &diag, &statement);
    if (err)
        return err;
    err = bind(statement, values, n);
    if (!err)
        err = db_step(statement, &is_row);
    db_reset(statement);
    return err;
}

static enum err one_number(struct db *db, const char *sql, struct value key, int64_t *ret_number)
{
    struct db_statement *statement;
    struct diag diag = {""};
    bool is_row = false;
    enum err err = db_cached(db, sql, &diag, &statement);
    if (err)
        return err;
    err = db_bind(statement, 1, key);
    if (!err)
        err = db_step(statement, &is_row);
    if (!err && is_row)
        *ret_number = db_column(statement, 0).i;
    db_reset(statement);
    return err;
}

static enum err put_notes(struct db *db, const struct case_step *step, const struct case_event *event, struct wall_time now)
{
    static const char last[] = "SELECT coalesce(max(n), 0) FROM step WHERE case_id = ?1";
    static const char insert[] = "INSERT INTO step VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)";
    int64_t n = 0;
    enum err err = one_number(db, last, value_integer(step->after.id), &n);
    /* What the city itself does is always told; people's words have an end. */
    if (!err && n >= CASE_HISTORY_MAX && event->what == CASE_COMMENT)
        err = ERR_FULL;
    for (size_t i = 0; i < step->n_notes && !err; i++) {
        const struct case_note *note = &step->notes[i];
        const struct value values[] = {value_integer(step->after.id), value_integer(n + 1 + (int64_t)i), value_integer(now.ms),
            value_text(str_from_c(note->what)), value_integer(note->from), value_integer(note->to), value_text(note->owner),
            value_text(event->by), value_text(event->by_name), value_text(note->text)};
        err = run(db, insert, values, sizeof values / sizeof *values);
        if (!err)
            err = case_leaf_owe(db, step->after.id, n + 1 + (int64_t)i);
    }
    return err;
}

enum err case_store_put(struct db *db, struct case_step *step, const struct case_event *event, struct wall_time now)
{
    static const char insert[] =
        "INSERT INTO cases (" COLUMNS ") VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18,?19,?20,?21,?22)";
    static const char update[] = "UPDATE cases SET state = ?2, owner = ?3, owner_area = ?4, changed_ms = ?5, due_ms = ?6, closed_ms = ?7,"
                                 " last_alert_ms = ?8, n_alerts = ?9, n_escalated = ?10, n_reopened = ?11, is_late = ?12, detail = ?13,"
                                 " title_zh = ?14, title_en = ?15 WHERE id = ?1";
    static const char next[] = "SELECT max((SELECT coalesce(max(id), 0) FROM cases), (SELECT last_id FROM past)) + ?1";
    struct case_record *r = &step->after;
    enum err err = ERR_OK;
    if (!step->is_changed)
        return ERR_OK;
    if (step->is_new) {
        err = one_number(db, next, value_integer(1), &r->id);
        const struct value values[N_COLUMNS] = {value_integer(r->id), value_text(r->key), value_text(r->kind), value_text(r->area),
            value_text(r->party), value_text(r->title_zh), value_text(r->title_en), value_text(r->detail), value_text(r->receipt),
            value_integer(r->state), value_text(r->owner), value_text(r->owner_area), value_integer(r->opened_ms),
            value_integer(r->changed_ms), value_integer(r->due_ms), value_integer(r->closed_ms), value_integer(r->last_alert_ms),
            value_integer(r->n_alerts), value_integer(r->n_escalated), value_integer(r->n_reopened), value_integer(r->is_private),
            value_integer(r->is_late)};
        err = err ? err : run(db, insert, values, N_COLUMNS);
    } else {
        const struct value values[] = {value_integer(r->id), value_integer(r->state), value_text(r->owner), value_text(r->owner_area),
            value_integer(r->changed_ms), value_integer(r->due_ms), value_integer(r->closed_ms), value_integer(r->last_alert_ms),
            value_integer(r->n_alerts), value_integer(r->n_escalated), value_integer(r->n_reopened), value_integer(r->is_late),
            value_text(r->detail), value_text(r->title_zh), value_text(r->title_en)};
        err = run(db, update, values, sizeof values / sizeof *values);
        if (!err && r->state != CASE_CLOSED)
            err = case_keep_goes_on(db, r->id);
    }
    return err ? err : put_notes(db, step, event, now);
}

/* ---- who ---- */

bool case_may_see(const struct case_record *record, const struct case_viewer *viewer)
{
    return viewer->sees_all || str_equal(record->owner, viewer->party) ||
           (!str_is_empty(record->party) && str_equal(record->party, viewer->acts_for)) ||
           (!record->is_private && !str_is_empty(viewer->area) && area_is_within(record->area, viewer->area));
}

bool case_may_read(const struct case_record *record, const struct case_viewer *viewer)
{
    return !record->is_private || str_equal(record->owner, viewer->party) ||
           (!str_is_empty(record->party) && str_equal(record->party, viewer->acts_for));
}

bool case_may_act(const struct case_rules *rules, const struct case_record *record, const struct case_viewer *viewer)
{
    if (!case_may_see(record, viewer) || str_is_empty(viewer->person))
        return false;
    return str_equal(record->owner, viewer->party) || (!str_is_empty(record->party) && str_equal(record->party, viewer->acts_for)) ||
           (!record->is_private && case_post_find(rules, viewer->party));
}

/* ---- lists ---- */

static enum err bind_filter(struct db_statement *statement, const struct case_viewer *viewer, const struct case_filter *filter)
{
    int state = -3; /* all */
    for (int i = 0; i < CASE_N_STATES; i++)
        if (str_equal_c(filter->state, case_state_names[i]) && i != CASE_OPEN)
            state = i;
    if (str_equal_c(filter->state, "open"))
        state = -1;
    const struct value values[] = {value_integer(viewer->sees_all), value_text(viewer->party), value_text(viewer->acts_for),
        value_text(str_is_empty(viewer->person) ? STR("") : viewer->area), value_integer(state), value_text(filter->area),
        value_text(filter->owner), value_text(filter->kind), value_integer(filter->before ? filter->before : INT64_MAX),
        value_integer(filter->n_max + 1)};
    return bind(statement, values, sizeof values / sizeof *values);
}

#define FILTERED                                                                                                                           \
    SEEN_BY " AND (?6 = '' OR area = ?6 OR substr(area, 1, length(?6) + 1) = ?6 || '.') AND (?7 = '' OR owner = ?7) AND (?8 = '' OR kind " \
            "= ?8)"

static enum err put_counts(struct db *db, const struct case_viewer *viewer, const struct case_filter *filter, struct json_writer *w)
{
    /* The last three columns only give the list's other parameters a place. */
    static const char sql[] = "SELECT state, count(*), sum(is_late), ?5, ?9, ?10 FROM cases" FILTERED " GROUP BY state";
    struct db_statement *statement;
    struct diag diag = {""};
    bool is_row = true;
    int64_t n[CASE_N_STATES] = {0}, n_late = 0;
    enum err err = db_cached(db, sql, &diag, &statement);
    if (err)
        return err;
    err = bind_filter(statement, viewer, filter);
    while (!err && (err = db_step(statement, &is_row)) == ERR_OK && is_row) {
        int64_t state = db_column(statement, 0).i;
        if (state >= 0 && state < CASE_N_STATES)
            n[state] = db_column(statement, 1).i;
        n_late += state != CASE_CLOSED ? db_column(statement, 2).i : 0;
    }
    db_reset(statement);
    json_key(w, "counts");
    json_begin_object(w);
    for (int i = 0; i < CASE_N_STATES; i++)
        json_field_i64(w, case_state_names[i], n[i]);
    json_field_i64(w, "late", n_late);
    json_end_object(w);
    return err;
}

enum err case_store_list(struct db *db, const struct case_viewer *viewer, const struct case_filter *filter, const struct case_words *words,
    struct wall_time now, struct buf *out)
{
    static const char sql[] = "SELECT " COLUMNS " FROM cases" FILTERED
                              " AND (?5 = -3 OR (?5 = -1 AND state <> 4) OR state = ?5) AND id < ?9 ORDER BY id DESC LIMIT ?10";
    struct db_statement *statement;
    struct diag diag = {""};
    struct json_writer w;
    struct arena arena;
    bool is_row = true;
    int64_t n = 0, last = 0;
    enum err err = db_cached(db, sql, &diag, &statement);
    if (err)
        return err;
    arena_init(&arena, 16u << 20);
    json_writer_init(&w, out);
    json_begin_object(&w);
    json_field_i64(&w, "time", now.ms);
    json_key(&w, "cases");
    json_begin_array(&w);
    err = bind_filter(statement, viewer, filter);
    while (!err && (err = db_step(statement, &is_row)) == ERR_OK && is_row && n++ < filter->n_max) {
        struct case_record record;
        arena_reset(&arena);
        err = read_record(statement, &arena, &record);
        if (!err) {
            case_put(&w, words, &record, viewer);
            last = record.id;
        }
    }
    db_reset(statement);
    json_end_array(&w);
    json_key(&w, "next");
    if (n > filter->n_max)
        json_put_i64(&w, last);
    else
        json_put_null(&w);
    if (!err)
        err = put_counts(db, viewer, filter, &w);
    json_end_object(&w);
    arena_finish(&arena);
    return err ? err : out->err;
}
