/* The record in SQLite: one table, keyed by indicator, area and time; one writer with group commit, one reader thread. */
#include "cockpit/store.h"

#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "cockpit/snapshot.h"

#include <stddef.h>
#include <string.h>

#define DAY_MS 86400000
#define USUAL_DAYS 7

static const char *const migrations[] = {
    "CREATE TABLE indicator_value ("
    " indicator TEXT NOT NULL, area TEXT NOT NULL, time_ms INTEGER NOT NULL,"
    " period_ms INTEGER NOT NULL, value REAL, n INTEGER NOT NULL, stale_since_ms INTEGER NOT NULL,"
    " receipt TEXT NOT NULL, contract TEXT NOT NULL, basis TEXT NOT NULL,"
    " PRIMARY KEY (indicator, area, time_ms)) WITHOUT ROWID",
};

struct cockpit_store {
    struct db_writer *writer;
    struct db_statement *put, *usual; /* the writer's thread */
    struct db *reader;
    struct loop_thread *reader_thread;
    struct loop_thread *thread;
    void (*on_recorded)(void *context, const struct cockpit_record *record, enum err err);
    void *context;
};

struct write {
    struct db_write write;
    struct cockpit_store *store;
    struct cockpit_record record;
};

static struct value text_of(const char *text)
{
    return value_text(str_from_c(text));
}

static enum err bind_all(struct db_statement *statement, const struct value *values, int n)
{
    enum err err = ERR_OK;
    for (int i = 0; i < n && err == ERR_OK; i++)
        err = db_bind(statement, i + 1, values[i]);
    return err;
}

/* The mean at the same time of the last seven days; a day that has no value there is left out. */
static enum err read_usual(struct cockpit_store *store, struct cockpit_record *record)
{
    struct value values[2 + USUAL_DAYS] = {value_text(record->indicator), value_text(record->area)};
    bool is_row = false;
    for (int day = 1; day <= USUAL_DAYS; day++)
        values[1 + day] = value_integer(record->value.time.ms - (int64_t)day * DAY_MS);
    enum err err = bind_all(store->usual, values, 2 + USUAL_DAYS);
    if (err == ERR_OK)
        err = db_step(store->usual, &is_row);
    if (err == ERR_OK && is_row) {
        struct value mean = db_column(store->usual, 0);
        record->value.has_usual = value_to_real(mean, &record->value.usual);
    }
    db_reset(store->usual);
    return err;
}

static enum err prepare(struct cockpit_store *store, struct db *db)
{
    struct diag diag = {""};
    enum err err = ERR_OK;
    if (!store->put)
        err = db_prepare(db, "INSERT OR REPLACE INTO indicator_value VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)", &diag, &store->put);
    if (err == ERR_OK && !store->usual)
        err = db_prepare(db,
            "SELECT avg(value) FROM indicator_value WHERE indicator = ?1 AND area = ?2 AND time_ms IN (?3,?4,?5,?6,?7,?8,?9)", &diag,
            &store->usual);
    return err;
}

static enum err run_write(struct db_write *base, struct db *db)
{
    struct write *write = container_of(base, struct write, write);
    struct cockpit_store *store = write->store;
    const struct cockpit_value *value = &write->record.value;
    bool is_row;
    enum err err = prepare(store, db);
    if (err != ERR_OK)
        return err;
    const struct value values[] = {value_text(write->record.indicator), value_text(write->record.area), value_integer(value->time.ms),
        value_integer(value->period_ms), value->has_number ? value_real(value->number) : VALUE_NONE, value_integer(value->n),
        value_integer(value->stale_since_ms), text_of(value->receipt), text_of(value->contract), text_of(value->basis)};
    err = bind_all(store->put, values, (int)(sizeof(values) / sizeof(values[0])));
    if (err == ERR_OK)
        err = db_step(store->put, &is_row);
    db_reset(store->put);
    if (err == ERR_OK)
        err = read_usual(store, &write->record);
    return err;
}

static void write_done(struct db_write *base)
{
    struct write *write = container_of(base, struct write, write);
    write->store->on_recorded(write->store->context, &write->record, base->err);
    mem_free(write);
}

enum err cockpit_store_put(struct cockpit_store *store, const struct cockpit_record *record)
{
    struct write *write = mem_alloc(sizeof(*write));
    if (!write)
        return ERR_NO_MEMORY;
    *write = (struct write){
        .write = {.run = run_write, .done = write_done, .loop = loop_thread_loop(store->thread)}, .store = store, .record = *record};
    enum err err = db_writer_submit(store->writer, &write->write);
    if (err != ERR_OK)
        mem_free(write);
    return err;
}

enum err cockpit_store_open(const char *path, struct loop_thread *thread, struct clock *clock,
    void (*on_recorded)(void *context, const struct cockpit_record *record, enum err err), void *context, struct diag *diag,
    struct cockpit_store **ret_store)
{
    struct db *db = NULL;
    struct cockpit_store *store = mem_alloc_zero(1, sizeof(*store));
    if (!store)
        return ERR_NO_MEMORY;
    *store = (struct cockpit_store){.thread = thread, .on_recorded = on_recorded, .context = context};
    enum err err = db_open(path, diag, &db);
    if (err == ERR_OK)
        err = db_migrate(db, migrations, sizeof(migrations) / sizeof(migrations[0]), diag);
    if (err == ERR_OK)
        err = db_open(path, diag, &store->reader);
    if (err == ERR_OK)
        err = loop_thread_start(clock, "history", &store->reader_thread);
    if (err == ERR_OK && (err = db_writer_create(db, COCKPIT_RECORDS_WAITING, &store->writer)) == ERR_OK)
        db = NULL; /* the writer's now */
    if (err == ERR_OK) {
        *ret_store = store;
        return ERR_OK;
    }
    db_close(db);
    cockpit_store_close(store);
    return err;
}

/* The last write of all: statements go before their database does. */
static enum err run_finish(struct db_write *base, struct db *db)
{
    struct write *write = container_of(base, struct write, write);
    db_statement_finish(write->store->put);
    db_statement_finish(write->store->usual);
    write->store->put = write->store->usual = NULL;
    return ERR_OK;
}

static void nothing_done(struct db_write *write) {}

static void nothing(void *context) {}

void cockpit_store_on_failed_sync(struct cockpit_store *store, void (*fn)(void *context, const char *part, enum err err), void *context)
{
    db_writer_on_failed_sync(store->writer, fn, context, "cockpit");
}

void cockpit_store_close(struct cockpit_store *store)
{
    if (!store)
        return;
    if (store->reader_thread) /* readings that were asked for are answered, not dropped with their thread */
        loop_thread_call(store->reader_thread, nothing, NULL);
    loop_thread_stop(store->reader_thread);
    db_close(store->reader);
    if (store->writer) {
        struct write finish = {.write = {.run = run_finish, .done = nothing_done, .loop = loop_thread_loop(store->thread)}, .store = store};
        /* A full queue empties in a moment: the writer's thread is the only one that is waited for. */
        while (db_writer_submit(store->writer, &finish.write) == ERR_FULL)
            loop_thread_call(store->thread, nothing, NULL);
        db_writer_destroy(store->writer);
        loop_thread_call(store->thread, nothing, NULL); /* behind the last `done` */
    }
    mem_free(store);
}

/* ---- reading ---- */

static enum err read_points(struct cockpit_store *store, struct cockpit_history *history)
{
    struct db_statement *statement = NULL;
    struct json_writer w;
    bool is_row = true;
    struct diag diag = {""};
    enum err err = db_prepare(store->reader,
        "SELECT time_ms, value FROM indicator_value WHERE indicator = ?1 AND area = ?2 AND time_ms >= ?3 AND time_ms < ?4 ORDER BY time_ms "
        "LIMIT ?5",
        &diag, &statement);
    if (err != ERR_OK)
        return err;
    const struct value values[] = {value_text(history->indicator->name), value_text(history->area), value_integer(history->from_ms),
        value_integer(history->to_ms), value_integer(COCKPIT_POINTS_MAX)};
    err = bind_all(statement, values, 5);
    json_writer_init(&w, &history->points);
    json_begin_array(&w);
    while (err == ERR_OK && (err = db_step(statement, &is_row)) == ERR_OK && is_row) {
        json_begin_array(&w);
        json_put_i64(&w, db_column(statement, 0).i);
        double number = 0;
        bool has_number = value_to_real(db_column(statement, 1), &number);
        cockpit_put_number(&w, history->indicator, has_number, number);
        json_end_array(&w);
    }
    json_end_array(&w);
    db_statement_finish(statement);
    return err == ERR_OK ? history->points.err : err;
}

static void reply(struct loop_task *task)
{
    struct cockpit_history *history = container_of(task, struct cockpit_history, task);
    history->done(history);
}

static void read_on_thread(struct loop_task *task)
{
    struct cockpit_history *history = container_of(task, struct cockpit_history, task);
    history->err = read_points(history->store, history);
    history->task.fn = reply;
    loop_post(history->loop, &history->task);
}

void cockpit_store_read(struct cockpit_store *store, struct cockpit_history *history)
{
    buf_init(&history->points, 4u << 20);
    history->store = store;
    history->task.fn = read_on_thread;
    loop_post(loop_thread_loop(store->reader_thread), &history->task);
}

void cockpit_store_measure(struct cockpit_store *store, struct metric_page *page)
{
    db_writer_measure(store->writer, page, STR("cockpit"));
}
