/*
 * Queries: a few threads, a bounded line before them. Each takes one query at a time from its statement to its answer; the departments and
 * the ledger answer to the thread's own loop.
 */
#include "hub/measure.h"
#include "hub/query_parts.h"

#include "base/log.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define THREADS_MAX 4

struct hub_queries {
    struct hub *hub;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    struct query *first, **last;
    size_t n_waiting, n_threads, n_idle;
    bool is_stopping;
    pthread_t threads[THREADS_MAX];
    struct hub_statistics statistics;
};

/* ---- the answer ---- */

/* A column that comes straight from a field is told as a call tells it: times as RFC 3339, booleans as such. */
static enum value_type told_type(sqlite3_stmt *statement, int at)
{
    const char *declared = sqlite3_column_decltype(statement, at);
    return !declared                              ? VALUE_NULL
           : strcmp(declared, "TIME_INT") == 0    ? VALUE_TIME
           : strcmp(declared, "BOOLEAN_INT") == 0 ? VALUE_BOOLEAN
                                                  : VALUE_NULL;
}

static void put_cell(struct json_writer *w, sqlite3_stmt *statement, int at, enum value_type told)
{
    struct value value = VALUE_NONE;
    switch (sqlite3_column_type(statement, at)) {
    case SQLITE_INTEGER:
        value = (struct value){.type = told == VALUE_NULL ? VALUE_INTEGER : told, .i = sqlite3_column_int64(statement, at)};
        break;
    case SQLITE_FLOAT:
        value = value_real(sqlite3_column_double(statement, at));
        break;
    case SQLITE_TEXT:
        value = value_text((struct str){(const char *)sqlite3_column_text(statement, at), (size_t)sqlite3_column_bytes(statement, at)});
        break;
    case SQLITE_BLOB:
        value = (struct value){.type = VALUE_BYTES, .s = {sqlite3_column_blob(statement, at), (size_t)sqlite3_column_bytes(statement, at)}};
        break;
    }
    json_put_value(w, value);
}

/* `named` is the statement as it was asked: its columns' names and types. */
static enum err write_rows(struct query *query, sqlite3_stmt *named, sqlite3_stmt *run, struct json_writer *w)
{
    int n = sqlite3_column_count(named), code = SQLITE_DONE;
    enum value_type told[QUERY_COLUMNS_MAX];
    json_begin_object(w);
    json_key(w, "columns");
    json_begin_array(w);
    for (int i = 0; i < n; i++) {
        told[i] = told_type(named, i);
        json_put_c(w, sqlite3_column_name(named, i));
    }
    json_end_array(w);
    json_key(w, "rows");
    query->rows_from = query->json.len;
    json_begin_array(w);
    while (!query->json.err && (code = sqlite3_step(run)) == SQLITE_ROW) {
        if (query->n_answer == HUB_QUERY_ROWS_MAX) {
            query->is_truncated = true;
            code = SQLITE_DONE;
            break;
        }
        query->n_answer++;
        json_begin_array(w);
        for (int i = 0; i < n; i++)
            put_cell(w, run, i, told[i]);
        json_end_array(w);
    }
    json_end_array(w);
    query->rows_to = query->json.len;
    if (query->json.err)
        return query_fail(query, query->json.err, "the answer is larger than %u MB; narrow the statement", HUB_QUERY_ANSWER_MAX >> 20);
    return code == SQLITE_DONE ? ERR_OK : query_engine_err(query, code);
}

static void write_rest(struct query *query, struct json_writer *w)
{
    char receipt[HUB_RECEIPT_MAX];
    json_field_bool(w, "truncated", query->is_truncated);
    json_key(w, "receipts");
    json_begin_array(w);
    for (size_t i = 0; i < query->n_tables; i++) {
        const struct query_table *table = &query->tables[i];
        if (!table->contract)
            continue;
        hub_receipt(query->hub, table->intent.index, receipt);
        json_begin_object(w);
        json_field_str(w, "contract", table->contract->name);
        json_field_str(w, "resource", table->name);
        json_field_c(w, "receipt", receipt);
        json_end_object(w);
    }
    json_end_array(w);
    if (query->asked->is_explain) {
        json_key(w, "explain");
        json_begin_array(w);
        for (size_t i = 0; i < query->n_parts; i++) {
            json_begin_object(w);
            json_field_str(w, "resource", query->parts[i].table->name);
            json_field_str(w, "asked", query->parts[i].text);
            json_field_i64(w, "round_trips", (int64_t)query->parts[i].n_trips);
            json_field_i64(w, "rows", (int64_t)query->parts[i].n_rows);
            json_end_object(w);
        }
        json_end_array(w);
    }
    json_end_object(w);
}

/* ---- one query, on its thread ---- */

static enum err run_statement(struct query *query, sqlite3_stmt *named, sqlite3_stmt *run, struct json_writer *w)
{
    enum err err = query_engine_bind(query, run);
    return err ? err : write_rows(query, named, run, w);
}

/* How large each table of a join is decides which one drives it. */
static enum err estimate(struct query *query)
{
    size_t n_used = 0;
    for (size_t i = 0; i < query->n_tables; i++)
        n_used += query->tables[i].is_used;
    for (size_t i = 0; i < query->n_tables && n_used > 1; i++)
        if (query->tables[i].is_used)
            query_estimate(&query->tables[i]);
    return query->refusal.err;
}

/* Over rows, with their order and limit pushed where SQLite says that they can be; without, when it shows that they cannot. */
static enum err run_rows(struct query *query, sqlite3_stmt *named, struct json_writer *w)
{
    sqlite3_stmt *run = NULL;
    enum err err = query_engine_prepare(query, query->asked->sql, &run);
    if (!err)
        err = run_statement(query, named, run, w);
    sqlite3_finalize(run);
    if (!query->needs_all || err != ERR_STATE)
        return err;
    query->refusal = (struct hub_refusal){0};
    query->n_answer = 0;
    buf_reset(&query->json);
    json_writer_init(w, &query->json);
    err = query_engine_prepare(query, query->asked->sql, &run);
    if (!err)
        err = run_statement(query, named, run, w);
    sqlite3_finalize(run);
    return err;
}

static enum err run_groups(struct query *query, const struct query_grouping *grouping, sqlite3_stmt *named, struct json_writer *w)
{
    sqlite3_stmt *run = NULL;
    enum err err = query_group_fetch(query, grouping);
    if (!err)
        err = query_engine_prepare(query, grouping->sql, &run);
    if (!err)
        err = run_statement(query, named, run, w);
    sqlite3_finalize(run);
    return err;
}

static enum err work(struct query *query, struct json_writer *w)
{
    sqlite3_stmt *named = NULL;
    struct query_grouping grouping;
    bool is_group = false;
    if (query_is_over(query))
        return query_engine_err(query, SQLITE_INTERRUPT);
    enum err err = query_engine_open(query);
    if (!err)
        err = query_engine_prepare(query, query->asked->sql, &named);
    if (!err)
        err = query_engine_bind(query, named); /* are all parameters given? */
    if (!err)
        err = query_group_recognise(query, &grouping, &is_group);
    if (!err)
        err = query_decide(query, &grouping, is_group);
    for (size_t i = 0; i < query->n_tables && !err; i++)
        if (query->tables[i].contract)
            err = query_append_intent(&query->tables[i]);
    if (!err && !is_group)
        err = estimate(query);
    if (!err)
        err = is_group ? run_groups(query, &grouping, named, w) : run_rows(query, named, w);
    sqlite3_finalize(named);
    return err;
}

static void release(struct query *query)
{
    for (struct query_set *set = query->sets, *next; set; set = next) {
        next = set->next;
        mem_free(set->entries);
        mem_free(set->keys);
        mem_free(set->rowids);
        mem_free(set);
    }
    for (struct query_batch *batch = query->batches; batch; batch = batch->next)
        rows_release(batch->rows);
    arena_finish(&query->arena);
    buf_finish(&query->json);
    mem_free(query);
}

static void done_task(struct loop_task *task)
{
    struct query *query = container_of(task, struct query, task);
    query->asked->done(query->asked); /* it is the asker's again */
    release(query);
}

/* To the asker's loop, which frees all. */
static void hand_over(struct query *query)
{
    struct hub_query *asked = query->asked;
    hub_measure_use(query->hub, HUB_QUERY, query->arrived, query->refusal.err);
    asked->refusal = query->refusal;
    asked->json = query->refusal.err ? STR_NONE : buf_str(&query->json);
    query->task.fn = done_task;
    loop_post(asked->loop, &query->task);
}

static void run_query(struct query *query, struct loop *loop)
{
    struct json_writer w;
    query->loop = loop;
    query->started = clock_mono(query->hub->clock);
    query->now = clock_wall(query->hub->clock);
    json_writer_init(&w, &query->json);
    enum err err = work(query, &w);
    if (err)
        query_fail(query, err, "%s", err_text(err));
    query_await_intents(query); /* no byte of an answer before its receipts are durable */
    query_engine_close(query);
    if (!query->refusal.err) {
        write_rest(query, &w);
        if (query->json.err)
            query_fail(query, query->json.err, "the answer is larger than %u MB; narrow the statement", HUB_QUERY_ANSWER_MAX >> 20);
    }
    for (size_t i = 0; i < query->n_tables; i++)
        if (query->tables[i].leaf.len && !query->tables[i].intent.err)
            query_tell_outcome(&query->tables[i]);
        else
            hub_seen_finish(&query->tables[i].seen);
    hand_over(query);
}

/* ---- threads ---- */

static void *run_thread(void *context)
{
    struct hub_queries *queries = context;
    struct loop *loop;
    pthread_setname_np(pthread_self(), "query");
    bool is_up = loop_create(queries->hub->clock, &loop) == ERR_OK;
    pthread_mutex_lock(&queries->lock);
    for (;;) {
        queries->n_idle++;
        while (!queries->first && !queries->is_stopping)
            pthread_cond_wait(&queries->wake, &queries->lock);
        queries->n_idle--;
        struct query *query = queries->first;
        if (!query)
            break;
        queries->first = query->next;
        if (!queries->first)
            queries->last = &queries->first;
        queries->n_waiting--;
        pthread_mutex_unlock(&queries->lock);
        if (is_up) {
            run_query(query, loop);
        } else {
            query_fail(query, ERR_NO_MEMORY, "no memory");
            hand_over(query);
        }
        pthread_mutex_lock(&queries->lock);
    }
    pthread_mutex_unlock(&queries->lock);
    if (is_up)
        loop_destroy(loop);
    return NULL;
}

/* Into the line; a thread more when all are busy. False: no room. */
static bool enqueue(struct hub_queries *queries, struct query *query)
{
    pthread_mutex_lock(&queries->lock);
    if (queries->n_idle <= queries->n_waiting && queries->n_threads < THREADS_MAX && !queries->is_stopping &&
        pthread_create(&queries->threads[queries->n_threads], NULL, run_thread, queries) == 0)
        queries->n_threads++;
    bool has_room = queries->n_waiting < HUB_QUERIES_WAITING_MAX && queries->n_threads > 0 && !queries->is_stopping;
    if (has_room) {
        query->next = NULL;
        *queries->last = query;
        queries->last = &query->next;
        queries->n_waiting++;
        pthread_cond_signal(&queries->wake);
    }
    pthread_mutex_unlock(&queries->lock);
    return has_room;
}

enum err hub_queries_create(struct hub *hub)
{
    struct hub_queries *queries = mem_alloc_zero(1, sizeof *queries);
    if (!queries)
        return ERR_NO_MEMORY;
    queries->hub = hub;
    queries->last = &queries->first;
    pthread_mutex_init(&queries->lock, NULL);
    pthread_cond_init(&queries->wake, NULL);
    pthread_mutex_init(&queries->statistics.lock, NULL);
    hub->queries = queries;
    return ERR_OK;
}

void hub_queries_stop(struct hub *hub)
{
    struct hub_queries *queries = hub->queries;
    if (!queries)
        return;
    pthread_mutex_lock(&queries->lock);
    queries->is_stopping = true; /* those that wait or run see hub->is_stopping, and are refused */
    pthread_cond_broadcast(&queries->wake);
    pthread_mutex_unlock(&queries->lock);
    for (size_t i = 0; i < queries->n_threads; i++)
        pthread_join(queries->threads[i], NULL);
    queries->n_threads = 0;
}

void hub_queries_destroy(struct hub *hub)
{
    if (!hub->queries)
        return;
    hub_statistics_finish(&hub->queries->statistics);
    pthread_mutex_destroy(&hub->queries->lock);
    pthread_cond_destroy(&hub->queries->wake);
    mem_free(hub->queries);
    hub->queries = NULL;
}

size_t hub_queries_n_waiting(struct hub *hub)
{
    pthread_mutex_lock(&hub->queries->lock);
    size_t n = hub->queries->n_waiting;
    pthread_mutex_unlock(&hub->queries->lock);
    return n;
}

struct hub_statistics *hub_query_statistics(struct hub *hub)
{
    return &hub->queries->statistics;
}

void hub_query_start(struct hub *hub, struct hub_query *asked)
{
    struct query *query = mem_alloc_zero(1, sizeof *query);
    if (!query) { /* nothing can be posted without memory; every other refusal comes later, on the loop */
        asked->refusal = (struct hub_refusal){.err = ERR_NO_MEMORY};
        asked->done(asked);
        return;
    }
    query->hub = hub;
    query->asked = asked;
    query->arrived = clock_mono(hub->clock);
    arena_init(&query->arena, QUERY_ARENA_MAX);
    buf_init(&query->json, HUB_QUERY_ANSWER_MAX);
    asked->json = STR_NONE;
    asked->refusal = (struct hub_refusal){0};
    asked->hub_state = query;
    if (asked->sql.len == 0 || asked->sql.len > HUB_QUERY_SQL_MAX || memchr(asked->sql.ptr, '\0', asked->sql.len))
        query_fail(query, ERR_SYNTAX, "a statement has 1 to %d bytes and no NUL", HUB_QUERY_SQL_MAX);
    else if (asked->n_parameters > HUB_QUERY_PARAMETERS_MAX)
        query_fail(query, ERR_SYNTAX, "a statement has at most %d parameters", HUB_QUERY_PARAMETERS_MAX);
    else if (atomic_load(&hub->is_stopping))
        query_fail(query, ERR_UNAVAILABLE, "the hub is stopping");
    else if (enqueue(hub->queries, query))
        return;
    else {
        metric_add(&hub->figures.n_queries_refused, 1);
        query_fail(query, ERR_BUSY, "too many queries wait; try again");
    }
    hand_over(query);
}
