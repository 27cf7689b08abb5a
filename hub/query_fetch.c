/*
 * One asking of a department for a query: bounded, counted, explained; and how many rows a grant has, for the planner.
 */
#include "hub/measure.h"
#include "hub/query_parts.h"

#include <string.h>

#define ESTIMATE_MS 600000 /* a count serves the planner for so long */

struct waiting {
    struct hub_fetch fetch;
    bool is_done;
    _Atomic bool is_cancelled;
};

static void fetched(struct hub_fetch *fetch)
{
    container_of(fetch, struct waiting, fetch)->is_done = true;
}

static void describe(const struct query_table *table, const struct query_asking *asking, struct buf *out)
{
    static const char *const aggregates[] = {
        [SQL_COUNT] = "count", [SQL_COUNT_DISTINCT] = "count distinct", [SQL_SUM] = "sum", [SQL_MIN] = "min", [SQL_MAX] = "max"};
    static const char *const ops[] = {[SQL_EQ] = "= ?",
        [SQL_NE] = "<> ?",
        [SQL_LT] = "< ?",
        [SQL_LE] = "<= ?",
        [SQL_GT] = "> ?",
        [SQL_GE] = ">= ?",
        [SQL_IN] = "IN (?…)",
        [SQL_PREFIX] = "LIKE '?%'",
        [SQL_IS_NULL] = "IS NULL",
        [SQL_NOT_NULL] = "IS NOT NULL"};
    const struct hub_field *fields = table->entry->resource.fields;
    for (size_t i = 0; i < asking->n_outputs; i++) {
        struct sql_output output = asking->outputs[i];
        const char *comma = i ? ", " : "";
        if (output.aggregate == SQL_COUNT_ALL)
            buf_printf(out, "%scount(*)", comma);
        else if (output.aggregate == SQL_PLAIN)
            buf_printf(out, "%s" STR_FORMAT, comma, STR_ARG(fields[output.column].name));
        else
            buf_printf(out, "%s%s(" STR_FORMAT ")", comma, aggregates[output.aggregate], STR_ARG(fields[output.column].name));
    }
    const char *before = " WHERE ";
    for (size_t i = 0; i < asking->n_where; i++, before = " AND ")
        buf_printf(out, "%s" STR_FORMAT " %s", before, STR_ARG(fields[asking->where[i].column].name), ops[asking->where[i].op]);
    if (asking->condition)
        buf_printf(out, "%s(…)", before);
    for (size_t i = 0; i < asking->n_order; i++)
        buf_printf(out, "%s" STR_FORMAT "%s", i ? ", " : " ORDER BY ", STR_ARG(fields[asking->order[i].column].name),
            asking->order[i].is_descending ? " DESC" : "");
    buf_append_c(out, asking->limit >= 0 ? " LIMIT ?" : "");
    if (asking->why)
        buf_printf(out, " (%s)", asking->why);
}

/* Shapes without values: the explanation is no second way to data. */
static void explain(struct query_table *table, const struct query_asking *asking, size_t n_rows)
{
    struct query *query = table->query;
    struct buf text;
    size_t at = 0;
    buf_init(&text, 8192);
    describe(table, asking, &text);
    while (at < query->n_parts && (query->parts[at].table != table || !str_equal(query->parts[at].text, buf_str(&text))))
        at++;
    if (at == query->n_parts && at < QUERY_PARTS_MAX && !arena_copy_str(&query->arena, buf_str(&text), &query->parts[at].text))
        query->parts[query->n_parts++].table = table;
    if (at < query->n_parts) {
        query->parts[at].n_trips++;
        query->parts[at].n_rows += n_rows;
    }
    buf_finish(&text);
}

static enum err refuse(struct query_table *table, enum err err)
{
    struct query *query = table->query;
    switch (err) {
    case ERR_CANCELLED:
        return query_engine_err(query, SQLITE_INTERRUPT);
    case ERR_TIMEOUT:
        return query_fail(query, err, STR_FORMAT ": the department's system did not answer in time", STR_ARG(table->name));
    case ERR_TOO_LARGE:
        return query_fail(query, err, STR_FORMAT ": more than %d rows or %u MB would come here; narrow the statement", STR_ARG(table->name),
            QUERY_FETCH_ROWS_MAX, QUERY_FETCH_BYTES_MAX >> 20);
    case ERR_FULL:
    case ERR_BUSY:
        return query_fail(query, ERR_BUSY, STR_FORMAT ": the department's system has too much to do; try again", STR_ARG(table->name));
    case ERR_NO_MEMORY:
        return query_fail(query, err, "no memory");
    case ERR_RANGE:
    case ERR_UNSUPPORTED:
        return query_fail(
            query, ERR_RANGE, STR_FORMAT ": the department's database cannot be asked with such a value", STR_ARG(table->name));
    default:
        return query_fail(query, ERR_UNAVAILABLE, STR_FORMAT ": the department's system is not available", STR_ARG(table->name));
    }
}

enum err query_keep_rows(struct query *query, struct rows *rows)
{
    struct query_batch *batch = arena_alloc(&query->arena, sizeof *batch);
    if (!batch) {
        rows_release(rows);
        return query_fail(query, ERR_NO_MEMORY, "no memory");
    }
    *batch = (struct query_batch){rows, query->batches};
    query->batches = batch;
    query->n_rows += rows_n(rows);
    query->n_bytes += rows_n_bytes(rows);
    return ERR_OK;
}

/* Whom they are about, for who asks about their own data: whoever a key was asked for, and whoever came. */
static void see(struct query_table *table, const struct query_asking *asking, const struct rows *rows)
{
    const struct hub_resource *resource = &table->entry->resource;
    for (size_t i = 0; i < asking->n_outputs; i++) {
        const struct sql_output *output = &asking->outputs[i];
        if (output->aggregate || !hub_seen_tells(resource, &resource->fields[output->column]))
            continue;
        for (size_t row = 0; row < rows_n(rows); row++)
            hub_seen_add(&table->seen, &resource->fields[output->column], rows_at(rows, row)[i]);
    }
    for (size_t i = 0; i < asking->n_where && rows_n(rows); i++) {
        const struct sql_constraint *where = &asking->where[i];
        if (where->op != SQL_EQ || !hub_seen_tells(resource, &resource->fields[where->column]))
            continue;
        for (size_t j = 0; j < where->n_values; j++)
            hub_seen_add(&table->seen, &resource->fields[where->column], where->values[j]);
    }
}

enum err query_fetch(struct query_table *table, const struct query_asking *asking, struct rows **ret_rows)
{
    struct query *query = table->query;
    size_t rows_left = QUERY_FETCH_ROWS_MAX - query->n_rows, bytes_left = QUERY_FETCH_BYTES_MAX - query->n_bytes;
    bool is_limited = asking->limit >= 0 && (uint64_t)asking->limit < rows_left;
    struct waiting waiting = {.fetch = {
                                  .outputs = asking->outputs,
                                  .n_outputs = asking->n_outputs,
                                  .where = asking->where,
                                  .n_where = asking->n_where,
                                  .also = asking->condition,
                                  .order = asking->order,
                                  .n_order = asking->n_order,
                                  .n_rows_max = is_limited ? (size_t)asking->limit : rows_left,
                                  .n_bytes_max = bytes_left,
                                  .is_long = true,
                                  .is_next = table->n_asked > 0,
                                  .used = table->used,
                                  .n_used = table->n_used,
                                  .is_cancelled = &waiting.is_cancelled,
                                  .loop = query->loop,
                                  .done = fetched,
                              }};
    if (query_is_over(query))
        return query_engine_err(query, SQLITE_INTERRUPT);
    if (query->n_trips >= QUERY_TRIPS_MAX)
        return query_fail(
            query, ERR_TOO_LARGE, "the departments would be asked more than %d times; join on plain fields, or narrow", QUERY_TRIPS_MAX);
    if (!table->contract->plan)
        return refuse(table, ERR_UNAVAILABLE);
    if (rows_left == 0 || bytes_left == 0)
        return refuse(table, ERR_TOO_LARGE);
    const struct hub_system_tables *tables = table->entry->system->ops->tables;
    if (tables->is_remote || tables->needs_intent) { /* it goes to another process under its intent's number */
        if (!query_await_intent(table))
            return query_is_over(query) ? query_engine_err(query, SQLITE_INTERRUPT) : refuse(table, ERR_UNAVAILABLE);
        waiting.fetch.intent = table->intent.index;
        waiting.fetch.has_intent = true;
    }
    query->n_trips++;
    table->n_asked++;
    struct mono_time asked = clock_mono(query->hub->clock);
    hub_measure_asked(table->entry->system);
    table->entry->system->ops->tables->fetch(table->contract->plan, &waiting.fetch);
    while (!waiting.is_done) { /* the connector's own time-out bounds it; the asking borrows from here, so it cannot be left */
        (void)!loop_run_once(query->loop, 100);
        if (query_is_over(query))
            atomic_store_explicit(&waiting.is_cancelled, true, memory_order_relaxed);
    }
    hub_measure_answered(query->hub, table->entry->system, asked, waiting.fetch.err);
    if (waiting.fetch.twin[0])
        memcpy(table->twin, waiting.fetch.twin, sizeof table->twin);
    if (waiting.fetch.err)
        return refuse(table, waiting.fetch.err);
    enum err err = query_keep_rows(query, waiting.fetch.rows);
    if (err)
        return err;
    table->n_fetched += rows_n(waiting.fetch.rows);
    see(table, asking, waiting.fetch.rows);
    explain(table, asking, rows_n(waiting.fetch.rows));
    if (waiting.fetch.is_truncated && !is_limited)
        return refuse(table, ERR_TOO_LARGE);
    *ret_rows = waiting.fetch.rows;
    return ERR_OK;
}

void query_estimate(struct query_table *table)
{
    struct hub_contract *contract = table->contract;
    int64_t now_ms = clock_mono(table->query->hub->clock).ns / 1000000;
    int64_t known_ms = atomic_load_explicit(&contract->n_rows_ms, memory_order_acquire);
    if (table->n_rows >= 0)
        return;
    if (known_ms && now_ms - known_ms < ESTIMATE_MS) {
        table->n_rows = atomic_load_explicit(&contract->n_rows, memory_order_relaxed);
        return;
    }
    const struct sql_output count = {0, SQL_COUNT_ALL};
    const struct query_asking asking = {.outputs = &count, .n_outputs = 1, .limit = -1, .why = "for the plan"};
    struct rows *rows;
    if (query_fetch(table, &asking, &rows)) {
        if (table->query->refusal.err == ERR_TIMEOUT && !query_is_over(table->query)) { /* too many to count: large is all that matters */
            table->query->refusal = (struct hub_refusal){0};
            table->n_rows = 10000000;
        }
        return;
    }
    table->n_rows = rows_n(rows) ? rows_at(rows, 0)[0].i : 0;
    atomic_store_explicit(&contract->n_rows, table->n_rows, memory_order_relaxed);
    atomic_store_explicit(&contract->n_rows_ms, now_ms ? now_ms : 1, memory_order_release);
}
