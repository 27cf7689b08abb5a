/* The book in SQLite. Hubs stand in it by their areas; the statements are few and prepared once. */
#include "district/book.h"

#include "base/json.h"
#include "base/mem.h"
#include "db/db.h"
#include "district/federation.h"

#include <stdio.h>
#include <string.h>

#define LEAVES_MAX 4096 /* of one book_follow() */

static const char *const migrations[] = {
    "CREATE TABLE one (one INTEGER PRIMARY KEY CHECK (one = 1), boot INTEGER NOT NULL, followed INTEGER NOT NULL) STRICT;"
    "INSERT INTO one VALUES (1, 0, 0);"
    "CREATE TABLE peer (area TEXT PRIMARY KEY, n INTEGER NOT NULL DEFAULT 0, acked INTEGER NOT NULL DEFAULT 0,"
    " got INTEGER NOT NULL DEFAULT 0, agreement INTEGER NOT NULL DEFAULT -1) STRICT;"
    "CREATE TABLE mine (area TEXT NOT NULL, number INTEGER NOT NULL, kind INTEGER NOT NULL, intent INTEGER NOT NULL, leaf INTEGER NOT NULL,"
    " PRIMARY KEY (area, number)) STRICT, WITHOUT ROWID;"
    "CREATE UNIQUE INDEX mine_use ON mine (area, kind, intent, leaf);"
    "CREATE TABLE theirs (area TEXT NOT NULL, kind INTEGER NOT NULL, intent INTEGER NOT NULL, leaf INTEGER NOT NULL,"
    " PRIMARY KEY (area, kind, intent, leaf)) STRICT, WITHOUT ROWID",
    "ALTER TABLE peer ADD COLUMN twinned INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE peer ADD COLUMN log_vkey TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE peer ADD COLUMN witness_vkey TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE peer ADD COLUMN cosigned INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE peer ADD COLUMN cosigned_note TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE peer ADD COLUMN since_ms INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE word (agreement TEXT NOT NULL, area TEXT NOT NULL, mark TEXT NOT NULL, PRIMARY KEY (agreement, area)) STRICT, WITHOUT "
    "ROWID",
    "CREATE TABLE place (contract TEXT PRIMARY KEY, epoch INTEGER NOT NULL, turn INTEGER NOT NULL, confirmed INTEGER NOT NULL) STRICT",
};

struct book {
    struct db *db;
    const struct federation *federation;
    uint64_t boot, followed;
    struct buf leaf;
    struct book_leaf *leaves;
};

/* ---- statements ---- */

static struct value number(uint64_t n)
{
    return value_integer((int64_t)n);
}

static enum err begin(struct book *book, const char *sql, const struct value *values, int n, struct db_statement **ret_statement)
{
    struct diag diag = {""};
    enum err err = db_cached(book->db, sql, &diag, ret_statement);
    for (int i = 0; i < n && !err; i++)
        err = db_bind(*ret_statement, i + 1, values[i]);
    return err;
}

/* A statement without rows. */
static enum err run(struct book *book, const char *sql, const struct value *values, int n)
{
    struct db_statement *statement;
    bool is_row;
    enum err err = begin(book, sql, values, n, &statement);
    if (!err)
        err = db_step(statement, &is_row);
    if (!err)
        db_reset(statement);
    return err;
}

/* A statement with one row of integers. ERR_NOT_FOUND. */
static enum err ask(struct book *book, const char *sql, const struct value *values, int n, int64_t *out, int n_out)
{
    struct db_statement *statement;
    bool is_row;
    enum err err = begin(book, sql, values, n, &statement);
    if (!err)
        err = db_step(statement, &is_row);
    if (!err && !is_row)
        err = ERR_NOT_FOUND;
    for (int i = 0; i < n_out && !err; i++)
        out[i] = db_column(statement, i).i;
    if (!err || err == ERR_NOT_FOUND)
        db_reset(statement);
    return err;
}

static struct value area_of(const struct book *book, int hub)
{
    return value_text(book->federation->hubs[hub].area);
}

/* ---- life ---- */

static enum err begin_boot(struct book *book)
{
    static const char set[] = "UPDATE one SET boot = boot + 1", get[] = "SELECT boot, followed FROM one";
    static const char add[] = "INSERT OR IGNORE INTO peer (area) VALUES (?1)";
    int64_t values[2];
    enum err err = db_begin(book->db);
    if (err)
        return err;
    err = run(book, set, NULL, 0);
    for (size_t i = 0; i < book->federation->n_hubs && !err; i++)
        err = run(book, add, (struct value[]){area_of(book, (int)i)}, 1);
    if (!err)
        err = ask(book, get, NULL, 0, values, 2);
    if (!err)
        err = db_commit(book->db);
    if (err) {
        db_rollback(book->db);
        return err;
    }
    book->boot = (uint64_t)values[0];
    book->followed = (uint64_t)values[1];
    return ERR_OK;
}

enum err book_open(const char *path, const struct federation *federation, struct diag *diag, struct book **ret_book)
{
    struct book *book = mem_alloc_zero(1, sizeof *book);
    if (!book)
        return ERR_NO_MEMORY;
    book->federation = federation;
    buf_init(&book->leaf, LEDGER_LEAF_MAX);
    enum err err = (book->leaves = mem_alloc_zero(LEAVES_MAX, sizeof *book->leaves)) ? ERR_OK : ERR_NO_MEMORY;
    if (!err)
        err = db_open(path, diag, &book->db);
    if (!err)
        err = db_migrate(book->db, migrations, sizeof migrations / sizeof *migrations, diag);
    if (!err)
        err = begin_boot(book);
    if (err) {
        book_close(book);
        return err;
    }
    *ret_book = book;
    return ERR_OK;
}

void book_close(struct book *book)
{
    if (!book)
        return;
    db_close(book->db);
    buf_finish(&book->leaf);
    mem_free(book->leaves);
    mem_free(book);
}

uint64_t book_boot(const struct book *book)
{
    return book->boot;
}

uint64_t book_followed(const struct book *book)
{
    return book->followed;
}

enum err book_peer(struct book *book, int hub, struct book_peer *ret_peer)
{
    static const char sql[] = "SELECT n, acked, got, agreement, twinned, since_ms FROM peer WHERE area = ?1";
    int64_t values[6];
    enum err err = ask(book, sql, (struct value[]){area_of(book, hub)}, 1, values, 6);
    if (!err)
        *ret_peer = (struct book_peer){
            (uint64_t)values[0], (uint64_t)values[1], (uint64_t)values[2], (uint64_t)values[4], (int)values[3], values[5]};
    return err;
}

/* ---- following the ledger ---- */

/* "hangzhou.xihu.log/77" → the hub and 77. */
static bool read_twin(const struct federation *federation, struct str twin, int *ret_hub, uint64_t *ret_leaf)
{
    struct str log, index;
    if (!str_cut_last(twin, '/', &log, &index) || str_to_u64(index, ret_leaf))
        return false;
    for (size_t i = 0; i < federation->n_hubs; i++)
        if (str_equal(federation->hubs[i].log, log)) {
            *ret_hub = (int)i;
            return true;
        }
    return false;
}

/* Does the leaf name another hub's, and how? An intent with a twin was served here; an outcome, or a leaf of type twin, names who served.
 */
static bool read_leaf(const struct federation *federation, struct str leaf, uint64_t at, struct book_leaf *ret_leaf)
{
    static const char mark[] = ",\"twin\":\"";
    struct str twin, type;
    int64_t intent;
    uint64_t there;
    bool is_one = false;
    json_t *json;
    if (!memmem(leaf.ptr, leaf.len, mark, sizeof mark - 1) || json_read(leaf, NULL, &json))
        return false;
    if (json_get_str(json, "twin", &twin) == ERR_OK && json_get_str(json, "type", &type) == ERR_OK &&
        read_twin(federation, twin, &ret_leaf->hub, &there)) {
        ret_leaf->receipt.leaf = at;
        if (str_equal(type, STR("intent"))) {
            ret_leaf->receipt.kind = DISTRICT_SERVED;
            ret_leaf->receipt.intent = there;
            is_one = true;
        } else if (json_get_i64(json, "intent", &intent) == ERR_OK) {
            ret_leaf->receipt.kind = DISTRICT_NAMED;
            ret_leaf->receipt.intent = (uint64_t)intent;
            is_one = true;
        }
    }
    json_decref(json);
    return is_one;
}

static enum err enter(struct book *book, const struct book_leaf *leaf)
{
    static const char count[] = "UPDATE peer SET n = n + 1 WHERE area = ?1";
    static const char add[] = "INSERT INTO mine SELECT area, n, ?2, ?3, ?4 FROM peer WHERE area = ?1";
    const struct value values[] = {
        area_of(book, leaf->hub), number(leaf->receipt.kind), number(leaf->receipt.intent), number(leaf->receipt.leaf)};
    enum err err = run(book, count, values, 1);
    return err ? err : run(book, add, values, 4);
}

/* A leaf about an agreement (district/agreement.c): what it says of either hub is known to be written down. */
static enum err enter_words(struct book *book, struct str leaf)
{
    static const char sql[] = "INSERT INTO word VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET mark = excluded.mark";
    static const char mark_of_it[] = ",\"type\":\"agreement\"";
    json_t *json, *word;
    const char *area;
    struct str agreement, type;
    enum err err = ERR_OK;
    if (!memmem(leaf.ptr, leaf.len, mark_of_it, sizeof mark_of_it - 1) || json_read(leaf, NULL, &json))
        return ERR_OK;
    bool is_one = json_get_str(json, "type", &type) == ERR_OK && str_equal(type, STR("agreement")) &&
                  json_get_str(json, "agreement", &agreement) == ERR_OK;
    json_object_foreach(json_object_get(is_one ? json : NULL, "hubs"), area, word)
    {
        struct str state = STR("none"), signature = STR_NONE;
        int64_t since_ms = 0;
        char mark[DISTRICT_MARK_MAX], none[129];
        memset(none, '0', 128);
        none[128] = '\0';
        if (json_get_str(word, "state", &state) || json_get_i64(word, "since_ms", &since_ms))
            continue;
        if (json_get_str(word, "signature", &signature))
            signature = str_from_c(none);
        snprintf(mark, sizeof mark, STR_FORMAT " %lld " STR_FORMAT, STR_ARG(state), (long long)since_ms, STR_ARG(signature));
        if (!err)
            err = run(book, sql, (struct value[]){value_text(agreement), value_text(str_from_c(area)), value_text(str_from_c(mark))}, 3);
    }
    json_decref(json);
    return err;
}

enum err book_follow(struct book *book, struct ledger *ledger, size_t max, const struct book_leaf **ret_leaves, size_t *ret_n)
{
    static const char mark[] = "UPDATE one SET followed = ?1";
    uint64_t from = book->followed, to = ledger_n_durable(ledger);
    size_t n = 0;
    to = to > from + max ? from + max : to;
    *ret_n = 0;
    *ret_leaves = book->leaves;
    if (to <= from)
        return ERR_OK;
    enum err err = db_begin(book->db);
    if (err)
        return err;
    uint64_t at = from;
    for (; at < to && n < LEAVES_MAX && !err; at++) {
        buf_reset(&book->leaf);
        err = ledger_leaf(ledger, at, &book->leaf);
        if (!err && read_leaf(book->federation, buf_str(&book->leaf), at, &book->leaves[n]))
            err = enter(book, &book->leaves[n++]);
        if (!err)
            err = enter_words(book, buf_str(&book->leaf));
    }
    if (!err)
        err = run(book, mark, (struct value[]){number(at)}, 1);
    if (!err)
        err = db_commit(book->db);
    if (err) {
        db_rollback(book->db);
        return err;
    }
    book->followed = at;
    *ret_n = n;
    return ERR_OK;
}

/* ---- receipts ---- */

enum err book_receipts(struct book *book, int hub, uint64_t first, size_t max, struct district_receipt *out, size_t *ret_n)
{
    static const char sql[] = "SELECT kind, intent, leaf FROM mine WHERE area = ?1 AND number >= ?2 ORDER BY number LIMIT ?3";
    struct db_statement *statement;
    bool is_row = true;
    size_t n = 0;
    enum err err = begin(book, sql, (struct value[]){area_of(book, hub), number(first), number(max)}, 3, &statement);
    if (err)
        return err;
    while (n < max && (err = db_step(statement, &is_row)) == ERR_OK && is_row)
        out[n++] = (struct district_receipt){.kind = (uint8_t)db_column(statement, 0).i,
            .intent = (uint64_t)db_column(statement, 1).i,
            .leaf = (uint64_t)db_column(statement, 2).i};
    db_reset(statement);
    if (!err)
        *ret_n = n;
    return err;
}

enum err book_is_named(struct book *book, int hub, uint64_t intent, bool *ret_is_named)
{
    static const char sql[] = "SELECT leaf FROM mine WHERE area = ?1 AND kind = 2 AND intent = ?2 LIMIT 1";
    int64_t leaf;
    enum err err = ask(book, sql, (struct value[]){area_of(book, hub), number(intent)}, 2, &leaf, 1);
    if (err && err != ERR_NOT_FOUND)
        return err;
    *ret_is_named = !err;
    return ERR_OK;
}

enum err book_take(struct book *book, int hub, const struct district_receipt *receipts, size_t n, uint64_t got)
{
    static const char add[] = "INSERT OR IGNORE INTO theirs VALUES (?1, ?2, ?3, ?4)", set[] = "UPDATE peer SET got = ?2 WHERE area = ?1";
    enum err err = db_begin(book->db);
    if (err)
        return err;
    for (size_t i = 0; i < n && !err; i++)
        err = run(book, add,
            (struct value[]){area_of(book, hub), number(receipts[i].kind), number(receipts[i].intent), number(receipts[i].leaf)}, 4);
    if (!err)
        err = run(book, set, (struct value[]){area_of(book, hub), number(got)}, 2);
    if (!err)
        err = db_commit(book->db);
    if (err)
        db_rollback(book->db);
    return err;
}

enum err book_pairs(struct book *book, int hub, uint64_t from, uint64_t to, size_t max, struct book_pair *out, size_t *ret_n)
{
    /* Of their receipts about a use the first: of each kind there is one, unless they are wrong. */
    static const char sql[] = "SELECT number, kind, intent, leaf, (SELECT min(leaf) FROM theirs WHERE theirs.area = mine.area AND"
                              " theirs.kind = 3 - mine.kind AND theirs.intent = mine.intent) FROM mine WHERE area = ?1 AND number > ?2 AND"
                              " number <= ?3 ORDER BY number LIMIT ?4";
    struct db_statement *statement;
    bool is_row = true;
    size_t n = 0;
    enum err err = begin(book, sql, (struct value[]){area_of(book, hub), number(from), number(to), number(max)}, 4, &statement);
    if (err)
        return err;
    while (n < max && (err = db_step(statement, &is_row)) == ERR_OK && is_row)
        out[n++] = (struct book_pair){.number = (uint64_t)db_column(statement, 0).i,
            .mine = {.kind = (uint8_t)db_column(statement, 1).i,
                .intent = (uint64_t)db_column(statement, 2).i,
                .leaf = (uint64_t)db_column(statement, 3).i},
            .has_theirs = db_column(statement, 4).type != VALUE_NULL,
            .theirs = (uint64_t)db_column(statement, 4).i};
    db_reset(statement);
    if (!err)
        *ret_n = n;
    return err;
}

enum err book_twinned(struct book *book, int hub, uint64_t to)
{
    static const char sql[] = "UPDATE peer SET twinned = ?2 WHERE area = ?1";
    return run(book, sql, (struct value[]){area_of(book, hub), number(to)}, 2);
}

enum err book_acked(struct book *book, int hub, uint64_t acked)
{
    static const char sql[] = "UPDATE peer SET acked = ?2 WHERE area = ?1";
    return run(book, sql, (struct value[]){area_of(book, hub), number(acked)}, 2);
}

enum err book_agreement(struct book *book, int hub, int state, int64_t since_ms)
{
    static const char sql[] = "UPDATE peer SET agreement = ?2, since_ms = ?3 WHERE area = ?1";
    return run(book, sql, (struct value[]){area_of(book, hub), value_integer(state), value_integer(since_ms)}, 3);
}

enum err book_word(struct book *book, struct str agreement, int hub, char ret_mark[DISTRICT_MARK_MAX])
{
    static const char sql[] = "SELECT mark FROM word WHERE agreement = ?1 AND area = ?2";
    struct db_statement *statement;
    bool is_row;
    enum err err = begin(book, sql, (struct value[]){value_text(agreement), area_of(book, hub)}, 2, &statement);
    if (!err)
        err = db_step(statement, &is_row);
    if (err)
        return err;
    err = is_row ? str_to_c(db_column(statement, 0).s, ret_mark, DISTRICT_MARK_MAX) : ERR_NOT_FOUND;
    db_reset(statement);
    return err;
}

enum err book_place(struct book *book, struct str contract, struct book_place *ret_place)
{
    static const char sql[] = "SELECT epoch, turn, confirmed FROM place WHERE contract = ?1";
    int64_t values[3];
    enum err err = ask(book, sql, (struct value[]){value_text(contract)}, 1, values, 3);
    if (!err)
        *ret_place = (struct book_place){(uint64_t)values[0], (uint64_t)values[1], (uint64_t)values[2]};
    return err;
}

enum err book_set_place(struct book *book, struct str contract, const struct book_place *place)
{
    static const char sql[] = "INSERT INTO place VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO UPDATE SET epoch = excluded.epoch,"
                              " turn = excluded.turn, confirmed = excluded.confirmed";
    return run(book, sql, (struct value[]){value_text(contract), number(place->epoch), number(place->turn), number(place->confirmed)}, 4);
}

enum err book_count(struct book *book, int hub, struct book_counts *ret_counts)
{
    static const char sql[] =
        "SELECT (SELECT count(*) FROM mine WHERE area = ?1), (SELECT count(*) FROM theirs WHERE area = ?1),"
        " (SELECT count(*) FROM mine WHERE area = ?1 AND kind = 1),"
        " (SELECT count(DISTINCT mine.intent) FROM mine JOIN theirs ON theirs.area = mine.area AND theirs.kind = 2 AND"
        " theirs.intent = mine.intent WHERE mine.area = ?1 AND mine.kind = 1)";
    int64_t values[4];
    enum err err = ask(book, sql, (struct value[]){area_of(book, hub)}, 1, values, 4);
    if (!err)
        *ret_counts = (struct book_counts){values[0], values[1], values[2], values[3]};
    return err;
}

/* ---- witnesses ---- */

enum err book_vkeys(struct book *book, int hub, char *ret_log, char *ret_witness, size_t size, uint64_t *ret_cosigned)
{
    static const char sql[] = "SELECT log_vkey, witness_vkey, cosigned FROM peer WHERE area = ?1";
    struct db_statement *statement;
    bool is_row;
    enum err err = begin(book, sql, (struct value[]){area_of(book, hub)}, 1, &statement);
    if (err)
        return err;
    err = db_step(statement, &is_row);
    if (!err && !is_row)
        err = ERR_NOT_FOUND;
    if (!err)
        err = str_to_c(db_column(statement, 0).s, ret_log, size);
    if (!err)
        err = str_to_c(db_column(statement, 1).s, ret_witness, size);
    if (!err)
        *ret_cosigned = (uint64_t)db_column(statement, 2).i;
    db_reset(statement);
    return err;
}

enum err book_log_vkey(struct book *book, int hub, struct str vkey)
{
    static const char sql[] = "UPDATE peer SET log_vkey = ?2 WHERE area = ?1";
    return run(book, sql, (struct value[]){area_of(book, hub), value_text(vkey)}, 2);
}

enum err book_cosigned(struct book *book, int hub, struct str vkey, uint64_t size, struct str note)
{
    static const char sql[] = "UPDATE peer SET witness_vkey = ?2, cosigned = ?3, cosigned_note = ?4 WHERE area = ?1";
    return run(book, sql, (struct value[]){area_of(book, hub), value_text(vkey), number(size), value_text(note)}, 4);
}

enum err book_cosigned_note(struct book *book, int hub, struct buf *out)
{
    static const char sql[] = "SELECT cosigned_note FROM peer WHERE area = ?1";
    struct db_statement *statement;
    bool is_row;
    enum err err = begin(book, sql, (struct value[]){area_of(book, hub)}, 1, &statement);
    if (err)
        return err;
    err = db_step(statement, &is_row);
    if (!err && (!is_row || str_is_empty(db_column(statement, 0).s)))
        err = ERR_NOT_FOUND;
    if (!err)
        buf_append_str(out, db_column(statement, 0).s);
    db_reset(statement);
    return err ? err : out->err;
}
