/*
 * Counters of uses in the second, day and month, without a lock, and their memory on disk.
 *
 * A counter is one 64-bit word: the number of its period above, the count below. Of day and month a block is reserved on disk ahead
 * of use: {data}/hub.sqlite holds a number that is never below the true count, so a kill -9 never gives a use back. What is lost at a
 * kill is the unused rest of a block, about one second's worth (blocks double while they last less than half a second, and shrink
 * while they last more than two); a clean stop writes the exact count. A clock that jumps back keeps the later period; what
 * is denied meanwhile is counted in it, too, since it cannot be told whose period the count is: never in favour of more uses.
 *
 * Counts without a limit are only shown: those that changed are written every ten seconds, and a kill forgets the uses since then.
 */
#include "base/log.h"
#include "base/mem.h"
#include "hub/desk.h"

#include <stdio.h>
#include <string.h>

#define COUNT_BITS HUB_QUOTA_COUNT_BITS
#define SECOND_BITS 30
#define BLOCK_FIRST_MAX 64
#define BLOCK_MAX 1000000
#define WRITES_MAX 100000 /* each contract has at most two under way, and one for its state */
#define PATH_MAX_OURS 4096
#define USAGE_TICKS 10     /* seconds between two writings of counts that no quota limits: what a kill may forget of them */
#define USAGE_AT_ONCE 1000 /* counts in one write, some 10 ms; the rest with the next second's */

static const char *const migrations[] = {
    "CREATE TABLE quota (contract TEXT NOT NULL, period INTEGER NOT NULL, packed INTEGER NOT NULL, PRIMARY KEY (contract, period)) STRICT;"
    "CREATE TABLE contract (name TEXT PRIMARY KEY, hash TEXT NOT NULL, file_state INTEGER NOT NULL, state INTEGER NOT NULL) STRICT;",
    HUB_DESK_TABLES,
    /* hub/query_day.c: whose cells of a resource a consumer was told on its newest day */
    "CREATE TABLE statistic (consumer TEXT NOT NULL, resource TEXT NOT NULL, day INTEGER NOT NULL, cells TEXT NOT NULL, "
    "PRIMARY KEY (consumer, resource)) STRICT;",
};

/* ---- counting ---- */

static int64_t take(_Atomic uint64_t *word, unsigned bits, uint64_t period)
{
    uint64_t old = atomic_load_explicit(word, memory_order_relaxed), next, count;
    do {
        bool is_new = period > old >> bits;
        count = is_new ? 0 : old & ((UINT64_C(1) << bits) - 1);
        next = is_new ? period << bits | 1 : old + 1;
    } while (!atomic_compare_exchange_weak_explicit(word, &old, next, memory_order_acq_rel, memory_order_relaxed));
    return (int64_t)count;
}

static void give_back(_Atomic uint64_t *word, unsigned bits, uint64_t period)
{
    uint64_t old = atomic_load_explicit(word, memory_order_relaxed);
    do {
        if (old >> bits != period || (old & ((UINT64_C(1) << bits) - 1)) == 0)
            return; /* the period ended meanwhile, and with it what was taken */
    } while (!atomic_compare_exchange_weak_explicit(word, &old, old - 1, memory_order_acq_rel, memory_order_relaxed));
}

uint64_t hub_quota_period(const struct hub_contract *contract, int quota, struct wall_time now)
{
    int64_t number = quota == QUOTA_DAY ? wall_day_number(now, contract->hub->zone) : wall_month_number(now, contract->hub->zone);
    return number < 0 ? 0 : (uint64_t)number;
}

static uint64_t second_of(struct wall_time now)
{
    return now.ms < 0 ? 0 : (uint64_t)(now.ms / 1000);
}

void hub_quota_take(struct hub_contract *contract, struct wall_time now, struct decide_counters *ret_before)
{
    int64_t before[QUOTA_N] = {0};
    if (contract->terms.per_second != DECIDE_NONE)
        ret_before->second = take(&contract->second, SECOND_BITS, second_of(now));
    for (int i = 0; i < QUOTA_N; i++) /* also where there is no limit: the catalog shows how much */
        before[i] = take(&contract->quotas[i].used, COUNT_BITS, hub_quota_period(contract, i, now));
    ret_before->day = before[QUOTA_DAY];
    ret_before->month = before[QUOTA_MONTH];
}

void hub_quota_give_back(struct hub_contract *contract, struct wall_time now)
{
    if (contract->terms.per_second != DECIDE_NONE)
        give_back(&contract->second, SECOND_BITS, second_of(now));
    hub_quota_give_back_unused(contract, now);
}

void hub_quota_give_back_unused(struct hub_contract *contract, struct wall_time now)
{
    for (int i = 0; i < QUOTA_N; i++)
        give_back(&contract->quotas[i].used, COUNT_BITS, hub_quota_period(contract, i, now));
}

static uint64_t count_of(uint64_t word)
{
    return word & ((UINT64_C(1) << COUNT_BITS) - 1);
}

static int64_t used_in(const struct hub_contract *contract, int quota, struct wall_time now)
{
    uint64_t used = atomic_load_explicit(&contract->quotas[quota].used, memory_order_relaxed);
    return used >> COUNT_BITS == hub_quota_period(contract, quota, now) ? (int64_t)count_of(used) : 0;
}

void hub_quota_used(const struct hub_contract *contract, struct wall_time now, int64_t *ret_day, int64_t *ret_month)
{
    *ret_day = used_in(contract, QUOTA_DAY, now);
    *ret_month = used_in(contract, QUOTA_MONTH, now);
}

/* ---- the reservation on disk ---- */

static enum err store(struct db *db, struct hub_contract *contract, int quota, uint64_t packed)
{
    struct db_statement *statement;
    bool row;
    enum err err =
        db_prepare(db, "INSERT INTO quota VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET packed = excluded.packed", NULL, &statement);
    if (err)
        return err;
    err = db_bind(statement, 1, value_text(contract->name));
    if (!err)
        err = db_bind(statement, 2, value_integer(quota));
    if (!err)
        err = db_bind(statement, 3, value_integer((int64_t)packed));
    if (!err)
        err = db_step(statement, &row);
    db_statement_finish(statement);
    return err;
}

static enum err run_write(struct db_write *write, struct db *db)
{
    struct hub_quota *quota = container_of(write, struct hub_quota, write);
    return store(db, quota->contract, (int)(quota - quota->contract->quotas), quota->wanted);
}

static void write_done(struct db_write *write)
{
    struct hub_quota *quota = container_of(write, struct hub_quota, write);
    if (write->err)
        log_write(LOG_ERROR, "hub", "a quota could not be reserved on disk", LOG_STR("contract", quota->contract->name),
            LOG_ERR(write->err), LOG_END);
    else
        atomic_store_explicit(&quota->reserved, quota->wanted, memory_order_release);
    atomic_store_explicit(&quota->is_writing, false, memory_order_release);
    hub_waiters_resume(quota->contract->hub);
}

/* Doubles blocks that last less than half a second, halves those that last more than two. */
void hub_quota_size_block(struct hub_quota *quota, struct mono_time now)
{
    int64_t elapsed_ms = mono_ms_between(quota->last_write, now);
    uint64_t max = (uint64_t)quota->limit / 10 + 1;
    if (quota->block == 0)
        quota->block = BLOCK_FIRST_MAX;
    else if (elapsed_ms < 500)
        quota->block *= 2;
    else if (elapsed_ms > 2000)
        quota->block = quota->block / 2 + 1;
    if (quota->block > max)
        quota->block = max;
    if (quota->block > BLOCK_MAX)
        quota->block = BLOCK_MAX;
    quota->last_write = now;
}

static void reserve(struct hub_quota *quota, uint64_t used)
{
    struct hub *hub = quota->contract->hub;
    if (atomic_exchange_explicit(&quota->is_writing, true, memory_order_acq_rel))
        return;
    hub_quota_size_block(quota, clock_mono(hub->clock));
    uint64_t count = count_of(used) + quota->block;
    if (count > (uint64_t)quota->limit)
        count = (uint64_t)quota->limit;
    quota->wanted = (used & ~((UINT64_C(1) << COUNT_BITS) - 1)) | count;
    quota->write = (struct db_write){.run = run_write, .loop = hub->loop, .done = write_done};
    if (db_writer_submit(hub->writer, &quota->write))
        atomic_store_explicit(&quota->is_writing, false, memory_order_release); /* the hub's tick tries again */
}

bool hub_quota_is_reserved(struct hub_contract *contract)
{
    bool is_reserved = true;
    if (contract->hub->feed.is_follower)
        return hub_lease_holds(contract);
    for (int i = 0; i < QUOTA_N; i++) {
        struct hub_quota *quota = &contract->quotas[i];
        if (quota->limit == DECIDE_NONE)
            continue;
        uint64_t used = atomic_load_explicit(&quota->used, memory_order_acquire);
        uint64_t reserved = atomic_load_explicit(&quota->reserved, memory_order_acquire);
        bool holds = used >> COUNT_BITS == reserved >> COUNT_BITS && count_of(used) <= count_of(reserved);
        is_reserved = is_reserved && holds;
        if (!holds || (count_of(reserved) < (uint64_t)quota->limit && count_of(used) + quota->block / 2 > count_of(reserved)))
            reserve(quota, used);
    }
    return is_reserved;
}

/* ---- counts without a limit ---- */

/* On the writer's thread; `wanted` is the contract's own, since nothing is reserved for it. */
static enum err run_keep(struct db_write *write, struct db *db)
{
    struct hub_usage *usage = container_of(write, struct hub_usage, write);
    struct hub *hub = usage->hub;
    size_t n = atomic_load(&hub->n_contracts), n_written = 0, at = usage->from;
    enum err err = ERR_OK;
    for (; at < n && n_written < USAGE_AT_ONCE && !err; at++)
        for (int i = 0; i < QUOTA_N && !err; i++) {
            struct hub_quota *quota = &hub->contracts[at]->quotas[i];
            uint64_t used = atomic_load_explicit(&quota->used, memory_order_relaxed);
            if (quota->limit != DECIDE_NONE || used == atomic_load_explicit(&quota->reserved, memory_order_relaxed))
                continue;
            quota->wanted = used;
            err = store(db, quota->contract, i, used);
            n_written++;
        }
    usage->to = at;
    return err;
}

static void keep_done(struct db_write *write)
{
    struct hub_usage *usage = container_of(write, struct hub_usage, write);
    struct hub *hub = usage->hub;
    if (write->err)
        log_write(LOG_ERROR, "hub", "the counts of uses could not be written; again in ten seconds", LOG_ERR(write->err), LOG_END);
    for (size_t at = usage->from; at < usage->to && !write->err; at++)
        for (int i = 0; i < QUOTA_N; i++) {
            struct hub_quota *quota = &hub->contracts[at]->quotas[i];
            if (quota->limit == DECIDE_NONE && quota->wanted)
                atomic_store_explicit(&quota->reserved, quota->wanted, memory_order_relaxed);
        }
    usage->from = write->err || usage->to >= atomic_load(&hub->n_contracts) ? 0 : usage->to;
    usage->is_writing = false;
    hub_work_end(hub);
}

void hub_quota_keep(struct hub *hub)
{
    struct hub_usage *usage = &hub->usage;
    if (!hub->writer || usage->is_writing || (usage->from == 0 && hub->n_ticks % USAGE_TICKS != 0))
        return;
    usage->hub = hub;
    usage->is_writing = true;
    usage->write = (struct db_write){.run = run_keep, .loop = hub->loop, .done = keep_done};
    hub_work_begin(hub);
    if (db_writer_submit(hub->writer, &usage->write)) { /* the next tick tries again */
        usage->is_writing = false;
        hub_work_end(hub);
    }
}

/* ---- the file ---- */

static enum err load_quota(struct hub *hub, struct db_statement *rows)
{
    bool row;
    enum err err;
    while (!(err = db_step(rows, &row)) && row) {
        struct hub_contract *contract = hub_contract_lookup(hub, db_column(rows, 0).s);
        int64_t period = db_column(rows, 1).i;
        if (!contract || period < 0 || period >= QUOTA_N)
            continue;
        atomic_store(&contract->quotas[period].used, (uint64_t)db_column(rows, 2).i);
        atomic_store(&contract->quotas[period].reserved, (uint64_t)db_column(rows, 2).i); /* without a limit: as it is on disk */
    }
    return err;
}

/* A state said at run time holds as long as the contract's file says the same as then. */
static enum err load_contract(struct hub *hub, struct db_statement *rows)
{
    bool row;
    enum err err;
    while (!(err = db_step(rows, &row)) && row) {
        struct hub_contract *contract = hub_contract_lookup(hub, db_column(rows, 0).s);
        char hash[65];
        if (!contract)
            continue;
        crypto_hex(contract->hash.bytes, sizeof contract->hash.bytes, hash);
        int64_t state = db_column(rows, 3).i;
        if (!str_equal_c(db_column(rows, 1).s, hash) || db_column(rows, 2).i != (int64_t)contract->file_state || state < 0 ||
            state > HUB_ENDED)
            continue;
        atomic_store(&contract->state, (int)state);
        contract->life.state = (enum hub_contract_state)state;
        contract->life.suspended_by = state == HUB_SUSPENDED ? NEGOTIATE_PROVIDER : NEGOTIATE_NOBODY;
        contract->is_new = false;
    }
    return err;
}

static enum err load(
    struct hub *hub, struct db *db, const char *sql, enum err (*each)(struct hub *, struct db_statement *), struct diag *diag)
{
    struct db_statement *rows;
    enum err err = db_prepare(db, sql, diag, &rows);
    if (err)
        return err;
    err = each(hub, rows);
    db_statement_finish(rows);
    return err;
}

static enum err open_db(struct hub *hub, struct diag *diag, struct db **ret_db)
{
    char path[PATH_MAX_OURS];
    snprintf(path, sizeof path, "%s/hub.sqlite", hub->data_dir.ptr);
    return db_open(path, diag, ret_db);
}

enum err hub_quota_open(struct hub *hub, struct diag_list *diags)
{
    struct diag diag = {0};
    struct db *db = NULL;
    for (size_t i = 0; i < hub->n_contracts; i++)
        hub->contracts[i]->is_new = true;
    enum err err = open_db(hub, &diag, &db);
    if (!err)
        err = db_migrate(db, migrations, sizeof migrations / sizeof *migrations, &diag);
    if (!err)
        err = hub_desk_load(hub, db, &diag); /* first: their counters come next */
    if (!err)
        err = load(hub, db, "SELECT contract, period, packed FROM quota", load_quota, &diag);
    if (!err)
        err = load(hub, db, "SELECT name, hash, file_state, state FROM contract", load_contract, &diag);
    if (!err)
        err = hub_desk_load_steps(hub, db, &diag);
    if (!err)
        err = db_writer_create(db, WRITES_MAX, &hub->writer);
    if (!err)
        db_writer_on_failed_sync(hub->writer, hub->fatal, hub->fatal_context, "hub");
    if (err) {
        diag_add(diags, err, NULL, 0, "%s", diag.text[0] ? diag.text : "the hub's own database does not open");
        db_close(db);
    }
    return err;
}

static enum err store_exact(struct hub *hub, struct db *db)
{
    enum err err = db_begin(db);
    for (size_t i = 0; !err && i < hub->n_contracts; i++)
        for (int j = 0; !err && j < QUOTA_N; j++) {
            uint64_t used = atomic_load(&hub->contracts[i]->quotas[j].used);
            if (used)
                err = store(db, hub->contracts[i], j, used);
        }
    if (!err)
        return db_commit(db);
    db_rollback(db);
    return err;
}

void hub_quota_close(struct hub *hub)
{
    struct db *db;
    if (!hub->writer)
        return;
    db_writer_destroy(hub->writer);
    hub->writer = NULL;
    enum err err = open_db(hub, NULL, &db);
    if (!err) {
        err = hub->feed.is_follower ? ERR_OK : store_exact(hub, db); /* the desk counts for all */
        db_close(db);
    }
    if (err) /* what was reserved stands: never in favour of more uses */
        log_write(LOG_WARNING, "hub", "the exact counts of uses could not be written", LOG_ERR(err), LOG_END);
}

/* ---- remembering states ---- */

struct memory {
    struct db_write write;
    struct hub_contract *contract;
    int state;
};

static enum err run_remember(struct db_write *write, struct db *db)
{
    struct memory *memory = container_of(write, struct memory, write);
    struct db_statement *statement;
    char hash[65];
    bool row;
    enum err err = db_prepare(db,
        "INSERT INTO contract VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET hash = excluded.hash, file_state = excluded.file_state, "
        "state = excluded.state",
        NULL, &statement);
    if (err)
        return err;
    crypto_hex(memory->contract->hash.bytes, sizeof memory->contract->hash.bytes, hash);
    err = db_bind(statement, 1, value_text(memory->contract->name));
    if (!err)
        err = db_bind(statement, 2, value_text(str_from_c(hash)));
    if (!err)
        err = db_bind(statement, 3, value_integer(memory->contract->file_state));
    if (!err)
        err = db_bind(statement, 4, value_integer(memory->state));
    if (!err)
        err = db_step(statement, &row);
    db_statement_finish(statement);
    return err;
}

static void remember_done(struct db_write *write)
{
    struct memory *memory = container_of(write, struct memory, write);
    struct hub *hub = memory->contract->hub;
    if (write->err)
        log_write(LOG_ERROR, "hub", "a contract's state could not be kept", LOG_STR("contract", memory->contract->name),
            LOG_ERR(write->err), LOG_END);
    mem_free(memory);
    hub_work_end(hub);
}

void hub_quota_remember(struct hub_contract *contract)
{
    struct hub *hub = contract->hub;
    struct memory *memory = hub->writer ? mem_alloc_zero(1, sizeof *memory) : NULL;
    enum err err = memory ? ERR_OK : ERR_NO_MEMORY;
    if (memory) {
        memory->contract = contract;
        memory->state = atomic_load(&contract->state);
        memory->write = (struct db_write){.run = run_remember, .loop = hub->loop, .done = remember_done};
        hub_work_begin(hub);
        err = db_writer_submit(hub->writer, &memory->write);
        if (err) {
            mem_free(memory);
            hub_work_end(hub);
        }
    }
    if (err)
        log_write(LOG_ERROR, "hub", "a contract's state could not be kept", LOG_STR("contract", contract->name), LOG_ERR(err), LOG_END);
}
