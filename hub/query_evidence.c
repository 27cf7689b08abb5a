/*
 * What a query leaves behind: each resource of a statement is a use of its own, decided by its contract, with an intent leaf that is on its
 * way while the department is asked, and an outcome leaf that tells what came. No answer before every intent is durable.
 */
#include "base/log.h"
#include "base/mem.h"
#include "hub/query_parts.h"

#include <string.h>

#define RESERVATION_MS 2000 /* a quota's reservation on disk takes a few ms */

struct outcome {
    struct hub_follow follow;
};

/* ---- deciding ---- */

static bool is_for_queries(const struct hub_contract *contract)
{
    size_t at = 0;
    while (at < contract->terms.n_uses && !str_equal_c(contract->terms.uses[at], "query"))
        at++;
    return at < contract->terms.n_uses;
}

/* Which contract will decide, as far as can be seen before: one of the purpose that is in force, before one that has ended. */
static const struct hub_contract *likely_contract(const struct query_table *table)
{
    const struct hub_contract *first = hub_contract_first(table->query->hub, table->query->asked->party, table->name), *likely = NULL;
    for (const struct hub_contract *contract = first; contract; contract = contract->next_same) {
        if (!str_equal(contract->purpose, table->query->asked->purpose) || !is_for_queries(contract))
            continue;
        if (atomic_load(&contract->state) == HUB_AGREED)
            return contract;
        likely = likely ? likely : contract;
    }
    return likely ? likely : first;
}

static void name_fields(struct query_table *table)
{
    table->is_decided = true;
    if (table->read == 0) { /* count(*) and EXISTS read no field: decided as reading the first that is granted */
        const struct hub_contract *contract = likely_contract(table);
        table->used_ats[0] = contract->field_ats[0];
        table->used[table->n_used++] = contract->terms.fields[0];
        return;
    }
    for (size_t i = 0; i < table->n_columns; i++)
        if (table->read >> i & 1) {
            table->used_ats[table->n_used] = table->fields[i];
            table->used[table->n_used++] = table->columns[i].name;
        }
}

/* `is_statistic`: how many subjects it has is counted afterwards, by query_statistic.c. */
static enum err choose(struct query_table *table, bool is_statistic)
{
    struct query *query = table->query;
    const struct decide_request request = {
        .party = query->asked->party,
        .resource = table->name,
        .use = STR("query"),
        .purpose = query->asked->purpose,
        .fields = table->used,
        .n_fields = table->n_used,
        .subjects = is_statistic ? DECIDE_INTEGER_MAX : DECIDE_NONE,
    };
    struct mono_time from = clock_mono(query->hub->clock);
    for (;;) {
        struct hub_refusal refusal = {0};
        enum err err = hub_choose(query->hub, &request, STR_NONE, query->now, true, &table->contract, &refusal);
        if (err == ERR_STATE && mono_ms_between(from, clock_mono(query->hub->clock)) < RESERVATION_MS) {
            (void)!loop_run_once(query->loop, 5); /* the reservation is being written */
            continue;
        }
        if (err == ERR_STATE)
            return query_fail(query, ERR_BUSY, "the quota's reservation takes too long; try again");
        if (err)
            query->refusal = refusal;
        return err;
    }
}

/* Every resource that is used, or none: what was counted is given back. */
enum err query_decide(struct query *query, const struct query_grouping *grouping, bool is_group)
{
    enum err err = ERR_OK;
    size_t n_used = 0;
    for (size_t i = 0; i < query->n_tables && !err; i++) {
        struct query_table *table = &query->tables[i];
        if (!table->is_used)
            continue;
        n_used++;
        name_fields(table);
        err = choose(table, is_group && grouping->table == table);
    }
    if (!err && n_used == 0)
        return query_fail(
            query, ERR_SYNTAX, "the statement reads no resource; name one in double quotes: SELECT … FROM \"area/party/name\"");
    for (size_t i = 0; i < query->n_tables && err; i++)
        if (query->tables[i].contract)
            hub_quota_give_back(query->tables[i].contract, query->now);
    return err;
}

/* ---- evidence ---- */

static void intent_written(struct ledger_append *append)
{
    struct query_table *table = container_of(append, struct query_table, intent);
    hub_work_end(table->query->hub);
    table->is_intent_done = true;
}

/* {"fields":[…],"parameters":[…],"purpose":…,"resource":…,"sql":…} in RFC 8785 form. */
static void write_request(const struct query_table *table, struct buf *out)
{
    const struct hub_query *asked = table->query->asked;
    struct json_writer w;
    json_writer_init(&w, out);
    json_begin_object(&w);
    json_key(&w, "fields");
    json_begin_array(&w);
    for (size_t i = 0; i < table->n_used; i++)
        json_put_str(&w, table->used[i]);
    json_end_array(&w);
    json_key(&w, "parameters");
    json_begin_array(&w);
    for (size_t i = 0; i < asked->n_parameters; i++)
        json_put_value(&w, asked->parameters[i]);
    json_end_array(&w);
    json_field_str(&w, "purpose", asked->purpose);
    json_field_str(&w, "resource", table->name);
    json_field_str(&w, "sql", asked->sql);
    json_end_object(&w);
}

enum err query_append_intent(struct query_table *table)
{
    struct query *query = table->query;
    struct hub *hub = query->hub;
    struct buf request;
    buf_init(&request, 16 * HUB_QUERY_SQL_MAX);
    write_request(table, &request);
    const struct hub_intent intent = {
        .contract = table->contract,
        .use = "query",
        .fields = table->used,
        .n_fields = table->n_used,
        .request = buf_str(&request),
        .now = query->now,
    };
    enum err err = request.err ? request.err : hub_leaf_intent(hub, &intent, &table->leaf);
    buf_finish(&request);
    if (err)
        return query_fail(query, err == ERR_TOO_LARGE ? ERR_RANGE : ERR_UNAVAILABLE, "no receipt can be written for this statement");
    table->intent = (struct ledger_append){.leaf = {table->leaf.bytes, table->leaf.len}, .loop = query->loop, .done = intent_written};
    hub_work_begin(hub);
    err = ledger_append(hub->ledger, &table->intent);
    if (err) {
        hub_work_end(hub);
        table->is_intent_done = true;
        table->intent.err = err;
        return query_fail(query, ERR_UNAVAILABLE, "no receipt can be written");
    }
    hub_seen_init(&table->seen, hub, query->now);
    return ERR_OK;
}

bool query_await_intent(struct query_table *table)
{
    while (table->leaf.len && !table->is_intent_done && !query_is_over(table->query))
        (void)!loop_run_once(table->query->loop, 100);
    return table->leaf.len && table->is_intent_done && !table->intent.err;
}

/* Also when the query failed: a leaf that is being written borrows from here. */
void query_await_intents(struct query *query)
{
    for (size_t i = 0; i < query->n_tables; i++) {
        struct query_table *table = &query->tables[i];
        while (table->leaf.len && !table->is_intent_done)
            (void)!loop_run_once(query->loop, 100);
        if (table->leaf.len && table->intent.err)
            query_fail(query, ERR_UNAVAILABLE, "no receipt can be written");
    }
}

static void outcome_written(struct hub_follow *follow, enum err err)
{
    if (err)
        log_write(LOG_ERROR, "hub", "an outcome could not be written", LOG_ERR(err), LOG_END);
    mem_free(container_of(follow, struct outcome, follow));
}

void query_tell_outcome(struct query_table *table)
{
    const struct query *query = table->query;
    struct hub *hub = query->hub;
    enum err failed = query->refusal.err;
    hub_seen_tell(&table->seen, table->intent.index);
    const struct hub_outcome about = {
        .intent = table->intent.index,
        .n_rows = table->n_fetched,
        .answer = failed ? STR("") : str_slice(buf_str(&query->json), query->rows_from, query->rows_to - query->rows_from),
        .status = hub_outcome_status(failed),
        .twin = str_from_c(table->twin),
        .duration_us = (clock_mono(hub->clock).ns - query->started.ns) / 1000,
        .now = clock_wall(hub->clock),
    };
    struct outcome *outcome = mem_alloc_zero(1, sizeof *outcome);
    if (!outcome) {
        log_write(LOG_ERROR, "hub", "an outcome could not be written", LOG_ERR(ERR_NO_MEMORY), LOG_END);
        return;
    }
    outcome->follow.finished = outcome_written;
    enum err err = hub_leaf_outcome(hub, &about, &outcome->follow.leaf);
    if (err)
        outcome_written(&outcome->follow, err);
    else
        hub_follow_start(hub, &outcome->follow);
}
