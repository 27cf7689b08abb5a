/* Cases as JSON: what the door answers. */
#include "business/case/leaf.h"
#include "business/case/store.h"
#include "hub/note.h"
#include "hub/registry.h"

static void put_title(struct json_writer *w, const char *key, struct str zh, struct str en)
{
    json_key(w, key);
    json_begin_object(w);
    json_field_str(w, "zh", zh);
    json_field_str(w, "en", en);
    json_end_object(w);
}

static void put_party(struct json_writer *w, const struct hub *hub, const char *key, struct str name)
{
    const struct hub_party *party = hub ? hub_party_find(hub, name) : NULL;
    json_key(w, key);
    if (str_is_empty(name)) {
        json_put_null(w);
        return;
    }
    json_begin_object(w);
    json_field_str(w, "party", name);
    put_title(w, "title", party ? party->title_zh : name, party ? party->title_en : name);
    json_end_object(w);
}

static void put_time(struct json_writer *w, const char *key, int64_t ms)
{
    json_key(w, key);
    if (ms)
        json_put_i64(w, ms);
    else
        json_put_null(w);
}

void case_put(struct json_writer *w, const struct case_words *words, const struct case_record *record, const struct case_viewer *viewer)
{
    const struct case_kind *kind = case_kind_find(words->rules, record->kind);
    int area = words->hub ? area_find(hub_areas(words->hub), record->area) : -1;
    const struct area *place = area >= 0 ? area_at(hub_areas(words->hub), (size_t)area) : NULL;
    json_begin_object(w);
    json_field_i64(w, "id", record->id);
    json_field_str(w, "kind", record->kind);
    put_title(w, "kind_title", kind->title_zh, kind->title_en);
    json_field_c(w, "closes", kind->is_measured ? "measured" : "result");
    put_title(w, "title", record->title_zh, record->title_en);
    json_field_str(w, "detail", case_may_read(record, viewer) ? record->detail : STR_NONE);
    json_field_str(w, "receipt", record->receipt);
    json_field_str(w, "area", record->area);
    put_title(w, "area_title", place ? place->title_zh : record->area, place ? place->title_en : record->area);
    put_party(w, words->hub, "party", record->party);
    put_party(w, words->hub, "owner", record->owner);
    json_field_c(w, "state", case_state_names[record->state]);
    put_time(w, "opened", record->opened_ms);
    put_time(w, "changed", record->changed_ms);
    put_time(w, "due", record->due_ms);
    put_time(w, "closed", record->closed_ms);
    put_time(w, "last_alert", record->last_alert_ms);
    json_field_i64(w, "alerts", record->n_alerts);
    json_field_i64(w, "escalated", record->n_escalated);
    json_field_i64(w, "reopened", record->n_reopened);
    json_field_bool(w, "late", record->is_late);
    json_field_bool(w, "may_act", case_may_act(words->rules, record, viewer));
    json_end_object(w);
}

/* Of the step's leaf; null a moment long. */
static void put_receipt(struct json_writer *w, const struct hub *hub, struct value leaf)
{
    char receipt[HUB_RECEIPT_MAX];
    json_key(w, "receipt");
    if (leaf.type == VALUE_NULL || !hub) {
        json_put_null(w);
        return;
    }
    hub_note_receipt(hub, (uint64_t)leaf.i, receipt);
    json_put_str(w, str_from_c(receipt));
}

/* For who may read the words: with the salt anybody can hold them against the leaf, without us. Null while there is no leaf, and when the
 * day's key was erased. */
static void put_opening(struct json_writer *w, const struct hub *hub, struct value leaf, const struct case_leaf_words *words)
{
    char salt[65];
    json_key(w, "opening");
    if (leaf.type == VALUE_NULL || !hub || hub_note_salt(hub, (uint64_t)leaf.i, salt) != ERR_OK) {
        json_put_null(w);
        return;
    }
    json_begin_object(w);
    json_field_c(w, "salt", salt);
    json_key(w, "words");
    case_leaf_put_words(w, words);
    json_end_object(w);
}

enum err case_store_put_history(struct db *db, const struct case_record *record, struct json_writer *w, const struct case_words *words,
    const struct case_viewer *viewer)
{
    static const char sql[] =
        "SELECT time_ms, what, from_state, to_state, owner, by, by_name, text, leaf FROM step LEFT JOIN leaf USING (case_id, n)"
        " WHERE case_id = ?1 ORDER BY n";
    struct db_statement *statement;
    struct diag diag = {""};
    bool is_row = true, may_read = case_may_read(record, viewer);
    enum err err = db_cached(db, sql, &diag, &statement);
    if (err)
        return err;
    err = db_bind(statement, 1, value_integer(record->id));
    json_begin_array(w);
    while (!err && (err = db_step(statement, &is_row)) == ERR_OK && is_row) {
        json_begin_object(w);
        json_field_i64(w, "time", db_column(statement, 0).i);
        json_field_str(w, "what", db_column(statement, 1).s);
        json_field_c(w, "from", case_state_names[db_column(statement, 2).i]);
        json_field_c(w, "to", case_state_names[db_column(statement, 3).i]);
        put_party(w, words->hub, "owner", db_column(statement, 4).s);
        put_party(w, words->hub, "by", db_column(statement, 5).s);
        json_field_str(w, "by_name", db_column(statement, 6).s);
        json_field_str(w, "text", may_read ? db_column(statement, 7).s : STR_NONE);
        put_receipt(w, words->hub, db_column(statement, 8));
        const struct case_leaf_words said = {.by = db_column(statement, 5).s,
            .by_name = db_column(statement, 6).s,
            .owner = db_column(statement, 4).s,
            .text = db_column(statement, 7).s,
            .from = db_column(statement, 2).i,
            .to = db_column(statement, 3).i};
        put_opening(w, may_read ? words->hub : NULL, db_column(statement, 8), &said);
        json_end_object(w);
    }
    json_end_array(w);
    db_reset(statement);
    return err;
}
