/* The usual day on disk; see usual_store.h. */
#include "scene/count/usual_store.h"

#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str_map.h"
#include "db/db.h"

#include <stddef.h>
#include <string.h>

#define WRITES_MAX 256 /* waiting: quarters come every 15 minutes, and a city has fewer roads that turn at once */
#define NAME_MAX_BYTES 512
#define RECORD_BYTES (4 + 1 + 2 * COUNT_USUAL_DAYS) /* of one key: its number, how many days, each */

static const char *const migrations[] = {
    "CREATE TABLE key (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
    "CREATE TABLE slot (kind TEXT NOT NULL, slot INTEGER NOT NULL, days BLOB NOT NULL, PRIMARY KEY (kind, slot)) WITHOUT ROWID;"
    "CREATE TABLE abnormal (number INTEGER PRIMARY KEY, state INTEGER NOT NULL, since_ms INTEGER NOT NULL);"
    "CREATE TABLE learned (one INTEGER PRIMARY KEY CHECK (one = 1), ms INTEGER NOT NULL)",
};

struct count_usual_store {
    const struct count_usual_rules *rules;
    struct count_usual *usual;
    struct db_writer *writer;
    uint32_t n_keys;
    int64_t *numbers; /* [n_keys] on disk; 0: not kept */
};

struct store_write { /* one of two kinds; freed when done */
    struct db_write write;
    char kind[64]; /* of a quarter; empty: a state */
    int64_t slot, learned_ms;
    struct buf days;
    int64_t number, state, since_ms;
};

/* ---- reading, at the start ---- */

/* `values` as parameters, one run, without rows. */
static enum err run(struct db *db, const char *sql, const struct value *values, int n)
{
    struct db_statement *statement;
    bool has_row;
    enum err err = db_cached(db, sql, NULL, &statement);
    for (int i = 0; i < n && err == ERR_OK; i++)
        err = db_bind(statement, i + 1, values[i]);
    if (err == ERR_OK)
        err = db_step(statement, &has_row);
    if (statement != NULL && err != ERR_NO_MEMORY)
        db_reset(statement);
    return err;
}

/* Each key's number on disk, given to those that have none yet. */
static enum err number_keys(struct count_usual_store *store, struct db *db, count_usual_name_fn name_of, void *context)
{
    char name[NAME_MAX_BYTES];
    struct db_statement *statement = NULL;
    enum err err = db_begin(db);
    for (uint32_t i = 0; i < store->n_keys && err == ERR_OK; i++) {
        if (!name_of(context, i, name, sizeof(name)))
            continue;
        struct value value = value_text(str_from_c(name));
        bool has_row = false;
        err = run(db, "INSERT OR IGNORE INTO key (name) VALUES (?1)", &value, 1);
        if (err == ERR_OK)
            err = db_cached(db, "SELECT number FROM key WHERE name = ?1", NULL, &statement);
        if (err == ERR_OK)
            err = db_bind(statement, 1, value);
        if (err == ERR_OK)
            err = db_step(statement, &has_row);
        if (err == ERR_OK && has_row)
            store->numbers[i] = db_column(statement, 0).i;
        if (statement != NULL)
            db_reset(statement);
    }
    if (err == ERR_OK)
        return db_commit(db);
    db_rollback(db);
    return err;
}

/* Ours by the disk's: `keys[number]`, UINT32_MAX where there is none. */
static enum err invert(const struct count_usual_store *store, uint32_t **ret_keys, int64_t *ret_n)
{
    int64_t most = 0;
    for (uint32_t i = 0; i < store->n_keys; i++)
        most = store->numbers[i] > most ? store->numbers[i] : most;
    uint32_t *keys = mem_alloc((size_t)(most + 1) * sizeof(*keys));
    if (keys == NULL)
        return ERR_NO_MEMORY;
    memset(keys, 0xff, (size_t)(most + 1) * sizeof(*keys));
    for (uint32_t i = 0; i < store->n_keys; i++)
        if (store->numbers[i] > 0)
            keys[store->numbers[i]] = i;
    *ret_keys = keys;
    *ret_n = most + 1;
    return ERR_OK;
}

static int kind_named(const struct count_usual_rules *rules, struct str name)
{
    for (size_t i = 0; i < rules->n_kinds; i++)
        if (str_equal(rules->kinds[i].name, name))
            return (int)i;
    return -1;
}

/* One row of a quarter. A broken one ends at its first wrong byte: what stands before it is right. */
static enum err put_days(struct count_usual_store *store, const uint32_t *keys, int64_t n, uint8_t kind, uint8_t slot, struct str days)
{
    const uint8_t *at = (const uint8_t *)days.ptr;
    enum err err = ERR_OK;
    for (size_t i = 0; i + RECORD_BYTES <= days.len && err == ERR_OK; i += RECORD_BYTES) {
        uint16_t values[COUNT_USUAL_DAYS];
        uint32_t number = (uint32_t)at[i] | (uint32_t)at[i + 1] << 8 | (uint32_t)at[i + 2] << 16 | (uint32_t)at[i + 3] << 24;
        size_t n_days = at[i + 4];
        if (n_days > COUNT_USUAL_DAYS)
            return ERR_CORRUPT;
        for (size_t k = 0; k < n_days; k++)
            values[k] = (uint16_t)(at[i + 5 + 2 * k] | at[i + 6 + 2 * k] << 8);
        if (number < n && keys[number] != UINT32_MAX)
            err = count_usual_put(store->usual, keys[number], kind, slot, values, n_days);
    }
    return err == ERR_FULL ? ERR_OK : err;
}

static enum err read_slots(struct count_usual_store *store, struct db *db, const uint32_t *keys, int64_t n)
{
    struct db_statement *statement;
    bool has_row = true;
    enum err err = db_prepare(db, "SELECT kind, slot, days FROM slot", NULL, &statement);
    if (err != ERR_OK)
        return err;
    while (err == ERR_OK && (err = db_step(statement, &has_row)) == ERR_OK && has_row) {
        int kind = kind_named(store->rules, db_column(statement, 0).s);
        int64_t slot = db_column(statement, 1).i;
        if (kind >= 0 && slot >= 0 && slot < COUNT_SLOTS)
            err = put_days(store, keys, n, (uint8_t)kind, (uint8_t)slot, db_column(statement, 2).s);
    }
    db_statement_finish(statement);
    return err;
}

static enum err read_states(struct count_usual_store *store, struct db *db, const uint32_t *keys, int64_t n)
{
    struct db_statement *statement;
    bool has_row = true;
    enum err err = db_prepare(db, "SELECT number, state, since_ms FROM abnormal UNION ALL SELECT -1, 0, ms FROM learned", NULL, &statement);
    if (err != ERR_OK)
        return err;
    while (err == ERR_OK && (err = db_step(statement, &has_row)) == ERR_OK && has_row) {
        int64_t number = db_column(statement, 0).i, state = db_column(statement, 1).i, ms = db_column(statement, 2).i;
        if (number < 0)
            count_usual_set_learned(store->usual, ms);
        else if (number < n && keys[number] != UINT32_MAX && (state == COUNT_SLOWER || state == COUNT_FASTER))
            count_usual_restore(store->usual, keys[number], (enum count_usual_state)state, ms);
    }
    db_statement_finish(statement);
    return err;
}

static enum err read_all(struct count_usual_store *store, struct db *db, count_usual_name_fn name_of, void *context)
{
    uint32_t *keys = NULL;
    int64_t n = 0;
    enum err err = number_keys(store, db, name_of, context);
    if (err == ERR_OK)
        err = invert(store, &keys, &n);
    if (err == ERR_OK)
        err = read_slots(store, db, keys, n);
    if (err == ERR_OK)
        err = read_states(store, db, keys, n);
    mem_free(keys);
    return err;
}

enum err count_usual_store_open(const char *path, const struct count_usual_rules *rules, struct count_usual *usual, uint32_t n_keys,
    count_usual_name_fn name_of, void *context, struct diag *diag, struct count_usual_store **ret_store)
{
    struct db *db = NULL;
    struct count_usual_store *store = mem_alloc_zero(1, sizeof(*store));
    if (store == NULL)
        return ERR_NO_MEMORY;
    *store = (struct count_usual_store){.rules = rules, .usual = usual, .n_keys = n_keys};
    store->numbers = mem_alloc_zero(n_keys + 1, sizeof(*store->numbers));
    enum err err = store->numbers == NULL ? ERR_NO_MEMORY : db_open(path, diag, &db);
    if (err == ERR_OK)
        err = db_migrate(db, migrations, sizeof(migrations) / sizeof(migrations[0]), diag);
    if (err == ERR_OK && (err = read_all(store, db, name_of, context)) != ERR_OK && diag->text[0] == 0)
        err = diag_set(
            diag, err, path, 0, "the usual days cannot be read: %s; mend the disk, or move the file away to learn anew", err_text(err));
    if (err == ERR_OK)
        err = db_writer_create(db, WRITES_MAX, &store->writer);
    if (err == ERR_OK) {
        *ret_store = store;
        return ERR_OK;
    }
    db_close(db);
    count_usual_store_close(store);
    return err;
}

void count_usual_store_close(struct count_usual_store *store)
{
    if (store == NULL)
        return;
    db_writer_destroy(store->writer);
    mem_free(store->numbers);
    mem_free(store);
}

/* ---- writing ---- */

static enum err run_write(struct db_write *base, struct db *db)
{
    struct store_write *write = container_of(base, struct store_write, write);
    if (write->kind[0] == 0) {
        const struct value state[] = {value_integer(write->number), value_integer(write->state), value_integer(write->since_ms)};
        return write->state == COUNT_USUAL
                   ? run(db, "DELETE FROM abnormal WHERE number = ?1", state, 1)
                   : run(db, "INSERT OR REPLACE INTO abnormal (number, state, since_ms) VALUES (?1, ?2, ?3)", state, 3);
    }
    struct value days = {.type = VALUE_BYTES, .s = buf_str(&write->days)};
    const struct value slot[] = {value_text(str_from_c(write->kind)), value_integer(write->slot), days};
    const struct value learned = value_integer(write->learned_ms);
    enum err err = run(db, "INSERT OR REPLACE INTO slot (kind, slot, days) VALUES (?1, ?2, ?3)", slot, 3);
    return err == ERR_OK ? run(db, "INSERT OR REPLACE INTO learned (one, ms) VALUES (1, ?1)", &learned, 1) : err;
}

static void write_done(struct db_write *base)
{
    struct store_write *write = container_of(base, struct store_write, write);
    if (write->write.err != ERR_OK)
        log_write(
            LOG_ERROR, "scene/count", "the usual day was not kept; it is missing after a restart", LOG_ERR(write->write.err), LOG_END);
    buf_finish(&write->days);
    mem_free(write);
}

static void submit(struct count_usual_store *store, struct store_write *write)
{
    write->write.run = run_write;
    write->write.done = write_done; /* on the writer's own thread: it touches nothing of the scene */
    enum err err = write->days.err != ERR_OK ? write->days.err : db_writer_submit(store->writer, &write->write);
    if (err != ERR_OK) {
        write->write.err = err;
        write_done(&write->write);
    }
}

static struct store_write *make_write(void)
{
    struct store_write *write = mem_alloc_zero(1, sizeof(*write));
    if (write == NULL)
        log_write(LOG_ERROR, "scene/count", "the usual day was not kept; it is missing after a restart", LOG_ERR(ERR_NO_MEMORY), LOG_END);
    return write;
}

void count_usual_store_slot(struct count_usual_store *store, struct count_usual_slot slot)
{
    struct store_write *write = make_write();
    if (write == NULL)
        return;
    struct str kind = store->rules->kinds[slot.kind].name;
    size_t len = kind.len < sizeof(write->kind) - 1 ? kind.len : sizeof(write->kind) - 1;
    memcpy(write->kind, kind.ptr, len);
    write->slot = slot.slot;
    write->learned_ms = count_usual_learned_ms(store->usual);
    buf_init(&write->days, (size_t)store->n_keys * RECORD_BYTES + RECORD_BYTES);
    for (uint32_t i = 0; i < store->n_keys; i++) {
        uint16_t values[COUNT_USUAL_DAYS] = {0};
        uint8_t record[RECORD_BYTES];
        size_t n = store->numbers[i] > 0 ? count_usual_cell(store->usual, i, slot.kind, slot.slot, values) : 0;
        if (n == 0)
            continue;
        for (int k = 0; k < 4; k++)
            record[k] = (uint8_t)(store->numbers[i] >> (8 * k));
        record[4] = (uint8_t)n;
        for (size_t k = 0; k < COUNT_USUAL_DAYS; k++) {
            record[5 + 2 * k] = (uint8_t)values[k];
            record[6 + 2 * k] = (uint8_t)(values[k] >> 8);
        }
        buf_append(&write->days, record, sizeof(record));
    }
    submit(store, write);
}

void count_usual_store_state(struct count_usual_store *store, uint32_t key, enum count_usual_state state, int64_t since_ms)
{
    struct store_write *write = store->numbers[key] > 0 ? make_write() : NULL;
    if (write == NULL)
        return;
    write->number = store->numbers[key];
    write->state = state;
    write->since_ms = since_ms;
    submit(store, write);
}
