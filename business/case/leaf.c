/* A batch's way: read out of the store → appended to the ledger → their places written down. */
#include "business/case/leaf.h"

#include "base/json.h"
#include "base/log.h"
#include "business/case/case.h"

#define BATCH_BYTES (4u << 20) /* 64 steps of a page each, read and as they are committed to */

const char case_leaf_migration[] =
    "CREATE TABLE owed (case_id INTEGER NOT NULL, n INTEGER NOT NULL, PRIMARY KEY (case_id, n)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE leaf (case_id INTEGER NOT NULL, n INTEGER NOT NULL, leaf INTEGER NOT NULL, PRIMARY KEY (case_id, n)) STRICT, WITHOUT "
    "ROWID";

static enum err run(struct db *db, const char *sql, int64_t a, int64_t b, int64_t c)
{
    struct db_statement *statement;
    struct diag diag = {""};
    bool is_row;
    enum err err = db_cached(db, sql, &diag, &statement);
    if (!err)
        err = db_bind(statement, 1, value_integer(a));
    if (!err)
        err = db_bind(statement, 2, value_integer(b));
    if (!err && c >= 0)
        err = db_bind(statement, 3, value_integer(c));
    if (!err)
        err = db_step(statement, &is_row);
    if (!err)
        db_reset(statement);
    return err;
}

enum err case_leaf_owe(struct db *db, int64_t id, int64_t n)
{
    return run(db, "INSERT INTO owed VALUES (?1, ?2)", id, n, -1);
}

/* ---- the end: their places ---- */

static enum err write_places(struct db_write *write, struct db *db)
{
    struct case_leaves *leaves = container_of(write, struct case_leaves, write);
    enum err err = ERR_OK;
    for (size_t i = 0; i < leaves->n && !err; i++) {
        const struct hub_note *note = &leaves->items[i].note;
        if (note->err)
            continue; /* owed still */
        err = run(db, "INSERT OR IGNORE INTO leaf VALUES (?1, ?2, ?3)", note->of, note->step, (int64_t)note->index);
        if (!err)
            err = run(db, "DELETE FROM owed WHERE case_id = ?1 AND n = ?2", note->of, note->step, -1);
    }
    return err;
}

static void places_written(struct db_write *write)
{
    struct case_leaves *leaves = container_of(write, struct case_leaves, write);
    if (write->err && write->err != ERR_CANCELLED)
        log_write(LOG_ERROR, "cases", "the places of leaves could not be written", LOG_ERR(write->err), LOG_END);
    leaves->is_busy = false;
    if (!write->err && leaves->n == CASE_LEAVES_MAX)
        case_leaves_tick(leaves); /* there is more */
}

static void submit(struct case_leaves *leaves, enum err (*fn)(struct db_write *write, struct db *db), void (*done)(struct db_write *write))
{
    leaves->write = (struct db_write){.run = fn, .loop = leaves->loop, .done = done};
    leaves->is_busy = db_writer_submit(leaves->writer, &leaves->write) == ERR_OK; /* else at the next tick */
}

static void one_less(struct case_leaves *leaves)
{
    if (--leaves->n_open == 0)
        submit(leaves, write_places, places_written);
}

static void appended(struct hub_note *note)
{
    one_less(container_of(note, struct case_leaf, note)->leaves);
}

/* ---- the beginning: what is owed ---- */

void case_leaf_put_words(struct json_writer *w, const struct case_leaf_words *words)
{
    json_begin_object(w);
    json_field_str(w, "by", words->by);
    json_field_str(w, "by_name", words->by_name);
    json_field_c(w, "from", case_state_names[words->from % CASE_N_STATES]);
    json_field_str(w, "owner", words->owner);
    json_field_str(w, "text", words->text);
    json_field_c(w, "to", case_state_names[words->to % CASE_N_STATES]);
    json_end_object(w);
}

/* What a step says beside what the leaf tells, as the history shows it. */
static enum err committed(struct arena *arena, struct db_statement *row, struct str *ret)
{
    const struct case_leaf_words words = {.by = db_column(row, 6).s,
        .by_name = db_column(row, 7).s,
        .owner = db_column(row, 5).s,
        .text = db_column(row, 8).s,
        .from = db_column(row, 3).i,
        .to = db_column(row, 4).i};
    struct buf text;
    struct json_writer w;
    buf_init(&text, BATCH_BYTES);
    json_writer_init(&w, &text);
    case_leaf_put_words(&w, &words);
    enum err err = text.err ? text.err : arena_copy_str(arena, buf_str(&text), ret);
    buf_finish(&text);
    return err;
}

static enum err read_owed(struct db_write *write, struct db *db)
{
    static const char sql[] =
        "SELECT o.case_id, o.n, s.what, s.from_state, s.to_state, s.owner, s.by, s.by_name, s.text, s.time_ms FROM owed o"
        " JOIN step s ON s.case_id = o.case_id AND s.n = o.n ORDER BY o.case_id, o.n LIMIT 64";
    struct case_leaves *leaves = container_of(write, struct case_leaves, write);
    struct db_statement *row;
    struct diag diag = {""};
    bool is_row = true;
    enum err err = db_cached(db, sql, &diag, &row);
    arena_reset(&leaves->arena); /* may run twice */
    leaves->n = 0;
    while (!err && leaves->n < CASE_LEAVES_MAX && (err = db_step(row, &is_row)) == ERR_OK && is_row) {
        struct hub_note *note = &leaves->items[leaves->n].note;
        *note = (struct hub_note){.of = db_column(row, 0).i,
            .step = db_column(row, 1).i,
            .time = {db_column(row, 9).i},
            .loop = leaves->loop,
            .done = appended,
            .err = ERR_CANCELLED};
        err = arena_copy_str(&leaves->arena, db_column(row, 2).s, &note->what);
        if (!err)
            err = arena_copy_str(&leaves->arena, db_column(row, 6).s, &note->by);
        if (!err)
            err = committed(&leaves->arena, row, &note->committed);
        leaves->items[leaves->n++].leaves = leaves;
    }
    if (!err)
        db_reset(row);
    return err;
}

static void owed_read(struct db_write *write)
{
    struct case_leaves *leaves = container_of(write, struct case_leaves, write);
    leaves->is_busy = !write->err && leaves->n > 0 && !leaves->is_ended;
    if (!leaves->is_busy)
        return;
    leaves->n_open = leaves->n + 1; /* and this loop itself: none of them may be the last before all have begun */
    for (size_t i = 0; i < leaves->n; i++)
        if (hub_note_start(leaves->hub, &leaves->items[i].note) != ERR_OK)
            leaves->n_open--; /* owed still */
    one_less(leaves);
}

void case_leaves_tick(struct case_leaves *leaves)
{
    if (!leaves->is_busy && !leaves->is_ended)
        submit(leaves, read_owed, owed_read);
}

void case_leaves_end(struct case_leaves *leaves)
{
    leaves->is_ended = true;
}

void case_leaves_init(struct case_leaves *leaves, struct hub *hub, struct db_writer *writer, struct loop *loop)
{
    leaves->hub = hub;
    leaves->writer = writer;
    leaves->loop = loop;
    arena_init(&leaves->arena, BATCH_BYTES);
}

void case_leaves_finish(struct case_leaves *leaves)
{
    arena_finish(&leaves->arena);
}
