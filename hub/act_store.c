/* One table, one writer; the alerts of unknown outcomes. */
#include "hub/act_store.h"

#include "base/log.h"
#include "base/mem.h"
#include "hub/alert.h"
#include "hub/parts.h"

#include <stdio.h>
#include <string.h>

#define WRITES_MAX 10000
#define PATH_MAX_OURS 4096
#define TELL_MS 3600000         /* an unknown outcome is told so long, each minute */
#define TELL_AT_START_MS 600000 /* every one of the last month again, in case nobody listened */
#define MONTH_MS INT64_C(2592000000)

struct hub_acts {
    struct hub *hub;
    pthread_mutex_t lock; /* guards the pointer: acts may still note what became of them while the hub goes down */
    struct db_writer *writer;
    int64_t run; /* this run of the program */
    struct wall_time started;
    _Atomic bool is_telling, is_soon;
    struct loop_task soon;
};

/* The states as they are stored: enum act_found. */
static const char *const migrations[] = {
    "CREATE TABLE act (party TEXT NOT NULL, resource TEXT NOT NULL, key TEXT NOT NULL, salt BLOB NOT NULL, request BLOB NOT NULL,"
    " state INTEGER NOT NULL, is_once INTEGER NOT NULL, run INTEGER NOT NULL, time_ms INTEGER NOT NULL, answer TEXT NOT NULL,"
    " receipt TEXT NOT NULL, PRIMARY KEY (party, resource, key)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX act_unknown ON act (time_ms) WHERE state = 4",
    /* How many askings have gone out under the key; 2: more than one. */
    "ALTER TABLE act ADD COLUMN askings INTEGER NOT NULL DEFAULT 1",
};
_Static_assert(ACT_UNKNOWN == 4 && ACT_ASKED == 1, "the SQL texts say 4 and 1");

static enum err run(
    struct db *db, const char *sql, const struct value *values, size_t n, struct db_statement **ret_statement, bool *ret_row)
{
    struct diag diag = {""};
    enum err err = db_cached(db, sql, &diag, ret_statement);
    for (size_t i = 0; i < n && !err; i++)
        err = db_bind(*ret_statement, (int)i + 1, values[i]);
    return err ? err : db_step(*ret_statement, ret_row);
}

static struct value bytes(const void *ptr, size_t len)
{
    return (struct value){.type = VALUE_BYTES, .s = {ptr, len}};
}

static enum err insert(struct act_write *write, struct db *db)
{
    static const char sql[] = "INSERT INTO act VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6, ?7, ?8, '', '', 1)";
    uint8_t salt[32];
    struct db_statement *statement;
    bool is_row;
    crypto_random(salt, sizeof salt);
    struct sha256 hash =
        crypto_hmac_sha256((struct str){(const char *)salt, sizeof salt}, (struct str){(const char *)write->request.bytes, 32});
    const struct value values[] = {value_text(write->party), value_text(write->resource), value_text(write->key), bytes(salt, sizeof salt),
        bytes(hash.bytes, sizeof hash.bytes), value_integer(write->is_once), value_integer(write->acts->run), value_integer(write->now.ms)};
    write->found = ACT_NEW;
    enum err err = run(db, sql, values, sizeof values / sizeof *values, &statement, &is_row);
    db_reset(statement);
    return err;
}

static enum err ask_again(struct act_write *write, struct db *db)
{
    static const char sql[] = "UPDATE act SET askings = 2 WHERE party = ?1 AND resource = ?2 AND key = ?3 AND askings = 1";
    const struct value values[] = {value_text(write->party), value_text(write->resource), value_text(write->key)};
    struct db_statement *statement = NULL;
    bool is_row;
    enum err err = run(db, sql, values, 3, &statement, &is_row);
    if (statement)
        db_reset(statement);
    return err;
}

static enum err begin(struct act_write *write, struct db *db)
{
    static const char sql[] = "SELECT salt, request, state, run, answer, receipt FROM act WHERE party = ?1 AND resource = ?2 AND key = ?3";
    const struct value values[] = {value_text(write->party), value_text(write->resource), value_text(write->key)};
    struct db_statement *statement;
    bool is_row = false;
    enum err err = run(db, sql, values, 3, &statement, &is_row);
    if (!err && is_row) {
        struct sha256 hash = crypto_hmac_sha256(db_column(statement, 0).s, (struct str){(const char *)write->request.bytes, 32});
        struct str stored = db_column(statement, 1).s;
        bool is_same = stored.len == sizeof hash.bytes && memcmp(stored.ptr, hash.bytes, sizeof hash.bytes) == 0;
        write->found = is_same ? (enum act_found)db_column(statement, 2).i : ACT_OTHER;
        write->is_ours = db_column(statement, 3).i == write->acts->run;
        buf_reset(&write->answer);
        buf_append_str(&write->answer, db_column(statement, 4).s);
        err = write->answer.err;
        if (!err)
            err = str_to_c(db_column(statement, 5).s, write->receipt, sizeof write->receipt);
    }
    if (statement)
        db_reset(statement);
    if (!err && !is_row)
        return insert(write, db);
    return !err && write->found == ACT_ASKED && !write->is_once ? ask_again(write, db) : err;
}

/*
 * Certainly not done: the key may be forgotten. Unless another asking went out under it, of which nobody knows yet what became:
 * then it stays, and `found` says so.
 */
static enum err forget(struct act_write *write, struct db *db)
{
    static const char sql[] = "DELETE FROM act WHERE party = ?1 AND resource = ?2 AND key = ?3 AND state = 1 AND askings = 1 RETURNING 1";
    const struct value values[] = {value_text(write->party), value_text(write->resource), value_text(write->key)};
    struct db_statement *statement = NULL;
    bool is_row = false;
    enum err err = run(db, sql, values, 3, &statement, &is_row);
    if (statement)
        db_reset(statement);
    write->found = is_row ? ACT_NEW : ACT_ASKED;
    return err;
}

static enum err run_write(struct db_write *base, struct db *db)
{
    static const char end[] =
        "UPDATE act SET state = ?4, answer = ?5, receipt = ?6, time_ms = ?7 WHERE party = ?1 AND resource = ?2 AND key = ?3"
        " AND state IN (1, 4)"; /* what is known stays as it is */
    struct act_write *write = container_of(base, struct act_write, write);
    struct db_statement *statement = NULL;
    bool is_row;
    if (write->note == ACT_NOTE_BEGIN)
        return begin(write, db);
    if (write->note == ACT_NOTE_FORGET)
        return forget(write, db);
    const struct value values[] = {value_text(write->party), value_text(write->resource), value_text(write->key),
        value_integer(write->found), value_text(buf_str(&write->answer)), value_text(str_from_c(write->receipt)),
        value_integer(write->now.ms)};
    enum err err = run(db, end, values, sizeof values / sizeof *values, &statement, &is_row);
    if (statement)
        db_reset(statement);
    return err;
}

static void write_done(struct db_write *base)
{
    struct act_write *write = container_of(base, struct act_write, write);
    struct hub *hub = write->acts->hub;
    if ((base->err == ERR_IO || base->err == ERR_DISK_FULL) && hub->fatal)
        hub->fatal(hub->fatal_context, "hub", base->err);
    write->done(write);
}

static enum err submit(struct hub_acts *acts, struct db_write *write)
{
    pthread_mutex_lock(&acts->lock);
    enum err err = acts->writer ? db_writer_submit(acts->writer, write) : ERR_UNAVAILABLE;
    pthread_mutex_unlock(&acts->lock);
    return err;
}

enum err hub_acts_submit(struct hub_acts *acts, struct act_write *write)
{
    write->acts = acts;
    write->write.run = run_write;
    write->write.done = write_done;
    return submit(acts, &write->write);
}

/* ---- unknown outcomes ---- */

struct telling {
    struct db_write write;
    struct hub_acts *acts;
    int64_t since_ms;
    size_t n;
    struct act_told told[HUB_ACTS_TELL_MAX];
};

static enum err run_telling(struct db_write *base, struct db *db)
{
    static const char sql[] =
        "SELECT party, resource, key, receipt FROM act WHERE state = 4 AND time_ms >= ?1 ORDER BY time_ms DESC LIMIT ?2";
    struct telling *telling = container_of(base, struct telling, write);
    const struct value values[] = {value_integer(telling->since_ms), value_integer(HUB_ACTS_TELL_MAX)};
    struct db_statement *statement;
    bool is_row = false;
    telling->n = 0;
    enum err err = run(db, sql, values, 2, &statement, &is_row);
    for (; !err && is_row && telling->n < HUB_ACTS_TELL_MAX; err = db_step(statement, &is_row)) {
        struct act_told *told = &telling->told[telling->n];
        if (!str_to_c(db_column(statement, 0).s, told->party, sizeof told->party) &&
            !str_to_c(db_column(statement, 1).s, told->resource, sizeof told->resource) &&
            !str_to_c(db_column(statement, 2).s, told->key, sizeof told->key) &&
            !str_to_c(db_column(statement, 3).s, told->receipt, sizeof told->receipt))
            telling->n++;
    }
    if (statement)
        db_reset(statement);
    return err;
}

static enum err tell_one(struct hub *hub, const struct act_told *told)
{
    const struct hub_resource *resource = hub_resource_find(hub, str_from_c(told->resource));
    char key[512], zh[256], en[256], detail[512];
    struct str area, rest;
    if (!resource || !str_cut(resource->name, '/', &area, &rest))
        return ERR_OK;
    snprintf(key, sizeof key, "%s %s %s", told->party, told->resource, told->key);
    snprintf(zh, sizeof zh, "指令结果不明：" STR_FORMAT, STR_ARG(resource->title_zh));
    snprintf(en, sizeof en, "Command of unknown outcome: " STR_FORMAT, STR_ARG(resource->title_en));
    snprintf(detail, sizeof detail, "%s %s %s", told->resource, told->party, told->key);
    const struct hub_alert alert = {.kind = STR("act.unknown"),
        .area = area,
        .party = resource->party,
        .key = str_from_c(key),
        .title_zh = str_from_c(zh),
        .title_en = str_from_c(en),
        .detail = str_from_c(detail),
        .receipt = str_from_c(told->receipt)};
    return hub_alert(hub, &alert);
}

static void telling_done(struct db_write *base)
{
    struct telling *telling = container_of(base, struct telling, write);
    struct hub *hub = telling->acts->hub;
    enum err err = base->err;
    for (size_t i = 0; i < telling->n && !err; i++)
        err = tell_one(hub, &telling->told[i]);
    if (err && err != ERR_CANCELLED)
        log_write(LOG_WARNING, "hub", "acts of unknown outcome are told again later", LOG_ERR(err), LOG_END);
    atomic_store(&telling->acts->is_telling, false);
    mem_free(telling);
}

void hub_acts_tell(struct hub *hub)
{
    struct hub_acts *acts = hub->acts;
    if (!acts || atomic_exchange(&acts->is_telling, true))
        return;
    struct telling *telling = mem_alloc(sizeof *telling);
    int64_t now_ms = clock_wall(hub->clock).ms;
    enum err err = telling ? ERR_OK : ERR_NO_MEMORY;
    if (!err) {
        *telling = (struct telling){.write = {.run = run_telling, .done = telling_done, .loop = hub->loop}, .acts = acts};
        telling->since_ms = now_ms - (now_ms - acts->started.ms < TELL_AT_START_MS ? MONTH_MS : TELL_MS);
        err = submit(acts, &telling->write);
    }
    if (err) {
        mem_free(telling);
        atomic_store(&acts->is_telling, false);
    }
}

static void on_soon(struct loop_task *task)
{
    struct hub_acts *acts = container_of(task, struct hub_acts, soon);
    atomic_store(&acts->is_soon, false);
    hub_acts_tell(acts->hub);
}

void hub_acts_tell_soon(struct hub *hub)
{
    if (atomic_exchange(&hub->acts->is_soon, true))
        return;
    hub->acts->soon.fn = on_soon;
    loop_post(hub->loop, &hub->acts->soon);
}

/* ---- life ---- */

enum err hub_acts_open(struct hub *hub, struct diag_list *diags)
{
    char path[PATH_MAX_OURS];
    struct diag diag = {""};
    struct db *db = NULL;
    struct hub_acts *acts = mem_alloc_zero(1, sizeof *acts);
    if (!acts)
        return ERR_NO_MEMORY;
    acts->hub = hub;
    pthread_mutex_init(&acts->lock, NULL);
    acts->started = clock_wall(hub->clock);
    crypto_random(&acts->run, sizeof acts->run);
    snprintf(path, sizeof path, "%s/act.sqlite", hub->data_dir.ptr);
    enum err err = db_open(path, &diag, &db);
    if (!err)
        err = db_migrate(db, migrations, sizeof migrations / sizeof *migrations, &diag);
    if (!err) /* of a run that is over: it may have been done or not, and must not be asked again */
        err = db_exec(db, "UPDATE act SET state = 4 WHERE state = 1 AND is_once", &diag);
    if (!err)
        err = db_writer_create(db, WRITES_MAX, &acts->writer);
    if (err) {
        diag_add(diags, err, NULL, 0, "%s", diag.text[0] ? diag.text : "the hub's store of acts does not open");
        db_close(db);
        mem_free(acts);
        return err;
    }
    db_writer_on_failed_sync(acts->writer, hub->fatal, hub->fatal_context, "hub");
    hub->acts = acts;
    return ERR_OK;
}

void hub_acts_close(struct hub *hub)
{
    struct hub_acts *acts = hub->acts;
    if (!acts)
        return;
    pthread_mutex_lock(&acts->lock);
    struct db_writer *writer = acts->writer;
    acts->writer = NULL;
    pthread_mutex_unlock(&acts->lock);
    db_writer_destroy(writer);
}

void hub_acts_destroy(struct hub *hub)
{
    if (hub->acts)
        pthread_mutex_destroy(&hub->acts->lock);
    mem_free(hub->acts);
    hub->acts = NULL;
}

void hub_acts_measure(struct hub_acts *acts, struct metric_page *page)
{
    if (!acts)
        return;
    pthread_mutex_lock(&acts->lock);
    db_writer_measure(acts->writer, page, STR("acts"));
    pthread_mutex_unlock(&acts->lock);
}
