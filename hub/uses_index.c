/* See hub/uses_index.h. */
#include "hub/uses_index.h"

#include "base/crypto.h"
#include "base/mem.h"
#include "db/db.h"
#include "hub/parts.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define PSEUDONYM 32

static const char *const migrations[] = {
    "CREATE TABLE subject (subject BLOB NOT NULL, leaf INTEGER NOT NULL, PRIMARY KEY (subject, leaf)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE followed (one INTEGER PRIMARY KEY CHECK (one = 1), n INTEGER NOT NULL) STRICT;"
    "INSERT INTO followed VALUES (1, 0)",
    "CREATE TABLE seen (subject BLOB NOT NULL, leaf INTEGER NOT NULL, PRIMARY KEY (subject, leaf)) STRICT, WITHOUT ROWID;",
    "CREATE TABLE log (name TEXT NOT NULL PRIMARY KEY, heard_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;",
};

struct row {
    uint8_t subject[HUB_SEEN_BYTES];
    int64_t leaf;
};

struct uses_index {
    struct ledger *ledger;
    struct db *db;
    _Atomic uint64_t n; /* leaves followed */
    struct row *rows;   /* of a batch; made with the first */
    size_t n_rows, cap_rows;

    pthread_mutex_t lock; /* guards the noted ones */
    struct row *noted;
    size_t n_noted, cap_noted;
    _Atomic uint64_t n_unnoted;

    pthread_mutex_t reader_lock;
    struct db *reader; /* for uses_index_has() */
};

/* ---- rows ---- */

static bool add_row(struct row **rows, size_t *n, size_t *cap, const uint8_t *subject, int64_t leaf)
{
    if (*n == *cap) {
        size_t more = *cap ? *cap * 2 : 1024;
        struct row *larger = mem_resize(*rows, more * sizeof **rows);
        if (!larger)
            return false;
        *rows = larger;
        *cap = more;
    }
    struct row *row = &(*rows)[(*n)++];
    memcpy(row->subject, subject, sizeof row->subject);
    row->leaf = leaf;
    return true;
}

static int by_subject(const void *a, const void *b)
{
    const struct row *left = a, *right = b;
    int order = memcmp(left->subject, right->subject, sizeof left->subject);
    return order ? order : (left->leaf > right->leaf) - (left->leaf < right->leaf);
}

static enum err put_rows(struct uses_index *index, const char *sql, struct row *rows, size_t n)
{
    struct db_statement *statement;
    struct diag diag = {""};
    bool is_row;
    if (n == 0)
        return ERR_OK;
    enum err err = db_cached(index->db, sql, &diag, &statement);
    if (err)
        return err;
    qsort(rows, n, sizeof *rows, by_subject);
    for (size_t i = 0; i < n && !err; i++) {
        struct value subject = {.type = VALUE_BYTES, .s = {(const char *)rows[i].subject, sizeof rows[i].subject}};
        err = db_bind(statement, 1, subject);
        if (!err)
            err = db_bind(statement, 2, value_integer(rows[i].leaf));
        if (!err)
            err = db_step(statement, &is_row);
        db_reset(statement);
    }
    return err;
}

/* ---- following the ledger ---- */

size_t uses_index_subjects(struct str leaf, uint8_t (*subjects)[PSEUDONYM], size_t max)
{
    static const char name[] = ",\"subject\":";
    const char *at = leaf.len ? memmem(leaf.ptr, leaf.len, name, sizeof name - 1) : NULL;
    if (!at)
        return 0;
    struct str rest = str_slice(leaf, (size_t)(at - leaf.ptr) + sizeof name - 1, leaf.len);
    size_t n = 0, i = rest.len && rest.ptr[0] == '[';
    while (n < max && i < rest.len && rest.ptr[i] == '"') {
        struct str hex = str_slice(rest, i + 1, (size_t)2 * PSEUDONYM);
        if (hex.len != (size_t)2 * PSEUDONYM || crypto_unhex(hex, subjects[n], PSEUDONYM) != ERR_OK)
            break;
        n++;
        i += (size_t)2 * PSEUDONYM + 2;
        i += i < rest.len && rest.ptr[i] == ',' && rest.ptr[0] == '[';
    }
    return n;
}

struct following {
    struct uses_index *index;
    enum err err;
};

static bool follow_leaf(void *context, uint64_t at, struct str leaf)
{
    struct following *following = context;
    struct uses_index *index = following->index;
    uint8_t subjects[HUB_SUBJECTS_MAX][PSEUDONYM];
    size_t n = uses_index_subjects(leaf, subjects, HUB_SUBJECTS_MAX);
    for (size_t i = 0; i < n && !following->err; i++)
        if (!add_row(&index->rows, &index->n_rows, &index->cap_rows, subjects[i], (int64_t)at))
            following->err = ERR_NO_MEMORY;
    return following->err == ERR_OK;
}

static enum err gather(struct uses_index *index, uint64_t to)
{
    struct following following = {.index = index};
    index->n_rows = 0;
    enum err err = ledger_leaves(index->ledger, index->n, to, follow_leaf, &following);
    return err ? err : following.err;
}

static enum err mark(struct uses_index *index, uint64_t n)
{
    struct db_statement *statement;
    struct diag diag = {""};
    bool is_row;
    enum err err = db_cached(index->db, "UPDATE followed SET n = ?1", &diag, &statement);
    if (err)
        return err;
    err = db_bind(statement, 1, value_integer((int64_t)n));
    if (!err)
        err = db_step(statement, &is_row);
    db_reset(statement);
    return err;
}

static enum err write_all(struct uses_index *index, uint64_t to, struct row *noted, size_t n_noted)
{
    enum err err = db_begin(index->db);
    if (err)
        return err;
    err = put_rows(index, "INSERT OR IGNORE INTO subject VALUES (?1, ?2)", index->rows, index->n_rows);
    if (!err)
        err = put_rows(index, "INSERT OR IGNORE INTO seen VALUES (?1, ?2)", noted, n_noted);
    if (!err)
        err = mark(index, to);
    if (!err)
        err = db_commit(index->db);
    if (err)
        db_rollback(index->db);
    return err;
}

/* What was noted, for this transaction; given back when it fails. */
static struct row *take_noted(struct uses_index *index, size_t *ret_n, size_t *ret_cap)
{
    pthread_mutex_lock(&index->lock);
    struct row *noted = index->noted;
    *ret_n = index->n_noted;
    *ret_cap = index->cap_noted;
    index->noted = NULL;
    index->n_noted = index->cap_noted = 0;
    pthread_mutex_unlock(&index->lock);
    return noted;
}

static void give_back(struct uses_index *index, struct row *noted, size_t n, size_t cap)
{
    pthread_mutex_lock(&index->lock);
    for (size_t i = 0; i < index->n_noted; i++) /* what came meanwhile */
        if (n >= USES_INDEX_NOTED_MAX || !add_row(&noted, &n, &cap, index->noted[i].subject, index->noted[i].leaf))
            atomic_fetch_add(&index->n_unnoted, 1);
    mem_free(index->noted);
    index->noted = noted;
    index->n_noted = n;
    index->cap_noted = cap;
    pthread_mutex_unlock(&index->lock);
}

enum err uses_index_follow(struct uses_index *index, uint64_t max, bool *ret_is_behind)
{
    uint64_t from = index->n, end = ledger_n_durable(index->ledger), to = end > from + max ? from + max : end;
    size_t n_noted, cap_noted;
    struct row *noted = take_noted(index, &n_noted, &cap_noted);
    enum err err = to > from ? gather(index, to) : ERR_OK;
    if (to <= from)
        index->n_rows = 0;
    if (!err && (to > from || n_noted))
        err = write_all(index, to > from ? to : from, noted, n_noted);
    if (err) {
        give_back(index, noted, n_noted, cap_noted);
        return err;
    }
    mem_free(noted);
    index->n = to > from ? to : from;
    *ret_is_behind = to < end;
    return ERR_OK;
}

void uses_index_note(struct uses_index *index, uint64_t intent, uint8_t (*subjects)[HUB_SEEN_BYTES], size_t n, uint64_t n_unnoted)
{
    pthread_mutex_lock(&index->lock);
    for (size_t i = 0; i < n; i++)
        if (index->n_noted >= USES_INDEX_NOTED_MAX ||
            !add_row(&index->noted, &index->n_noted, &index->cap_noted, subjects[i], (int64_t)intent))
            n_unnoted++;
    pthread_mutex_unlock(&index->lock);
    atomic_fetch_add(&index->n_unnoted, n_unnoted);
}

uint64_t uses_index_n(const struct uses_index *index)
{
    return index->n;
}

uint64_t uses_index_n_unnoted(const struct uses_index *index)
{
    return index->n_unnoted;
}

/* ---- finding ---- */

enum err uses_index_find(
    struct uses_index *index, const uint8_t subject[HUB_SEEN_BYTES], int64_t before, struct uses_found *found, size_t max, size_t *ret_n)
{
    static const char sql[] = "SELECT leaf, 0 FROM subject WHERE subject = ?1 AND leaf < ?2 "
                              "UNION ALL SELECT leaf, 1 FROM seen WHERE subject = ?1 AND leaf < ?2 ORDER BY leaf DESC LIMIT ?3";
    struct db_statement *statement;
    struct diag diag = {""};
    bool is_row = true;
    size_t n = 0;
    enum err err = db_cached(index->db, sql, &diag, &statement);
    if (err)
        return err;
    err = db_bind(statement, 1, (struct value){.type = VALUE_BYTES, .s = {(const char *)subject, HUB_SEEN_BYTES}});
    if (!err)
        err = db_bind(statement, 2, value_integer(before));
    if (!err)
        err = db_bind(statement, 3, value_integer((int64_t)max));
    while (!err && n < max && (err = db_step(statement, &is_row)) == ERR_OK && is_row) {
        found[n].leaf = db_column(statement, 0).i;
        found[n++].is_seen = db_column(statement, 1).i != 0;
    }
    db_reset(statement);
    if (!err)
        *ret_n = n;
    return err;
}

enum err uses_index_has(struct uses_index *index, const uint8_t subject[HUB_SEEN_BYTES], uint64_t leaf, bool *ret_has)
{
    struct db_statement *statement;
    struct diag diag = {""};
    pthread_mutex_lock(&index->reader_lock);
    enum err err = db_cached(index->reader, "SELECT 1 FROM seen WHERE subject = ?1 AND leaf = ?2", &diag, &statement);
    if (!err) {
        err = db_bind(statement, 1, (struct value){.type = VALUE_BYTES, .s = {(const char *)subject, HUB_SEEN_BYTES}});
        if (!err)
            err = db_bind(statement, 2, value_integer((int64_t)leaf));
        if (!err)
            err = db_step(statement, ret_has);
        db_reset(statement);
    }
    pthread_mutex_unlock(&index->reader_lock);
    return err;
}

/* ---- logs of other processes ---- */

enum err uses_index_read_logs(struct uses_index *index, struct uses_log *logs, size_t max, size_t *ret_n)
{
    struct db_statement *statement;
    struct diag diag = {""};
    bool is_row = true;
    size_t n = 0;
    enum err err = db_cached(index->db, "SELECT name, heard_ms FROM log ORDER BY heard_ms DESC", &diag, &statement);
    if (err)
        return err;
    while (n < max && (err = db_step(statement, &is_row)) == ERR_OK && is_row) {
        logs[n].heard_ms = db_column(statement, 1).i;
        if (str_to_c(db_column(statement, 0).s, logs[n].name, sizeof logs[n].name) == ERR_OK)
            n++;
    }
    db_reset(statement);
    if (!err)
        *ret_n = n;
    return err;
}

static enum err put_log(struct uses_index *index, const struct uses_log *log)
{
    struct db_statement *statement;
    struct diag diag = {""};
    bool is_row;
    enum err err = db_cached(index->db, "INSERT OR REPLACE INTO log VALUES (?1, ?2)", &diag, &statement);
    if (err)
        return err;
    err = db_bind(statement, 1, value_text(str_from_c(log->name)));
    if (!err)
        err = db_bind(statement, 2, value_integer(log->heard_ms));
    if (!err)
        err = db_step(statement, &is_row);
    db_reset(statement);
    return err;
}

enum err uses_index_write_logs(struct uses_index *index, const struct uses_log *logs, size_t n)
{
    struct diag diag = {""};
    enum err err = db_begin(index->db);
    if (err)
        return err;
    err = db_exec(index->db, "DELETE FROM log", &diag);
    for (size_t i = 0; i < n && !err; i++)
        err = put_log(index, &logs[i]);
    if (!err)
        err = db_commit(index->db);
    if (err)
        db_rollback(index->db);
    return err;
}

/* ---- life ---- */

static enum err load(struct uses_index *index, const char *path, struct diag *diag)
{
    struct db_statement *statement = NULL;
    bool is_row = false;
    enum err err = db_open(path, diag, &index->db);
    if (!err)
        err = db_migrate(index->db, migrations, sizeof migrations / sizeof *migrations, diag);
    if (!err)
        err = db_open(path, diag, &index->reader);
    if (!err)
        err = db_prepare(index->db, "SELECT n FROM followed", diag, &statement);
    if (!err)
        err = db_step(statement, &is_row);
    if (!err && is_row)
        index->n = (uint64_t)db_column(statement, 0).i;
    db_statement_finish(statement);
    /* Of another ledger, or of one that was put back: what it says is about leaves that are not there. */
    if (!err && index->n > ledger_n_durable(index->ledger)) {
        err = db_exec(index->db, "DELETE FROM subject; DELETE FROM seen; UPDATE followed SET n = 0", diag);
        index->n = 0;
    }
    return err;
}

enum err uses_index_open(struct ledger *ledger, const char *path, struct diag *diag, struct uses_index **ret_index)
{
    struct uses_index *index = mem_alloc_zero(1, sizeof *index);
    if (!index)
        return ERR_NO_MEMORY;
    index->ledger = ledger;
    pthread_mutex_init(&index->lock, NULL);
    pthread_mutex_init(&index->reader_lock, NULL);
    enum err err = load(index, path, diag);
    if (err) {
        uses_index_close(index);
        return err;
    }
    *ret_index = index;
    return ERR_OK;
}

void uses_index_close(struct uses_index *index)
{
    bool is_behind;
    if (!index)
        return;
    if (index->db && index->reader && index->n_noted)
        (void)!uses_index_follow(index, USES_INDEX_BATCH, &is_behind); /* what the disk refuses now was told before */
    db_close(index->reader);
    db_close(index->db);
    mem_free(index->rows);
    mem_free(index->noted);
    pthread_mutex_destroy(&index->lock);
    pthread_mutex_destroy(&index->reader_lock);
    mem_free(index);
}
