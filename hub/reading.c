/* See hub/reading.h. Everything after the start runs on the reader's loop. */
#include "hub/reading.h"

#include "base/log.h"
#include "base/mem.h"
#include "hub/measure.h"
#include "hub/parts.h"
#include "hub/provide.h"

#include <string.h>

struct read {
    struct hub *hub;
    struct hub_reading *reading;
    struct hub_entry *entry;
    struct hub_contract *contract;
    struct wall_time now;
    struct mono_time started, asked;
    struct hub_waiter waiter;
    struct loop_task task;
    struct ledger_append intent;
    struct hub_fetch *fetch; /* the caller's, under way */
    struct hub_fetch inner;  /* the department's */
    struct hub_leaf leaf;
    struct hub_follow outcome;
};

/* ---- starting ---- */

static void refused(struct loop_task *task)
{
    struct read *read = container_of(task, struct read, task);
    struct hub_reading *reading = read->reading;
    mem_free(read);
    reading->started(reading);
}

static void refuse(struct read *read, const struct hub_refusal *refusal)
{
    read->reading->refusal = *refusal;
    hub_measure_use(read->hub, HUB_QUERY, read->started, refusal->err);
    read->task.fn = refused;
    loop_post(read->reading->loop, &read->task);
}

static void refuse_err(struct read *read, enum err err)
{
    const struct hub_refusal refusal = {.err = err};
    refuse(read, &refusal);
}

static void intent_written(struct ledger_append *append)
{
    struct read *read = container_of(append, struct read, intent);
    struct hub *hub = read->hub;
    if (append->err) {
        hub_quota_give_back(read->contract, read->now);
        refuse_err(read, ERR_UNAVAILABLE);
        hub_work_end(hub);
        return;
    }
    hub_receipt(hub, append->index, read->reading->receipt);
    read->reading->started(read->reading);
}

static enum err append_intent(struct read *read)
{
    const struct hub_reading *reading = read->reading;
    struct buf request;
    buf_init(&request, HUB_REQUEST_MAX);
    const struct hub_intent intent = {
        .contract = read->contract,
        .use = "query",
        .fields = reading->fields,
        .n_fields = reading->n_fields,
        .request = hub_request_write(&request, read->contract, reading->fields, reading->n_fields, false),
        .twin = reading->twin,
        .now = read->now,
    };
    enum err err = request.err ? request.err : hub_leaf_intent(read->hub, &intent, &read->leaf);
    buf_finish(&request);
    if (err)
        return err;
    read->intent = (struct ledger_append){.leaf = {read->leaf.bytes, read->leaf.len}, .loop = reading->loop, .done = intent_written};
    hub_work_begin(read->hub); /* until it ended */
    err = ledger_append(read->hub->ledger, &read->intent);
    if (err)
        hub_work_end(read->hub);
    return err;
}

static void start(struct read *read)
{
    struct hub *hub = read->hub;
    const struct hub_reading *reading = read->reading;
    struct hub_refusal refusal = {0};
    const struct hub_contract *named = hub_contract_lookup(hub, reading->contract);
    bool is_statistic = named && named->terms.min_subjects != DECIDE_NONE; /* its cells have that many: see hub_reading_fetch() */
    const struct decide_request request = {
        .party = reading->party,
        .resource = reading->resource,
        .use = STR("query"),
        .purpose = reading->purpose,
        .fields = reading->fields,
        .n_fields = reading->n_fields,
        .subjects = is_statistic ? DECIDE_INTEGER_MAX : DECIDE_NONE,
    };
    if (atomic_load_explicit(&hub->is_stopping, memory_order_relaxed)) {
        refuse_err(read, ERR_UNAVAILABLE);
        return;
    }
    read->now = clock_wall(hub->clock);
    enum err err = hub_choose(hub, &request, reading->contract, read->now, true, &read->contract, &refusal);
    if (err == ERR_STATE) {
        if (!hub_wait(hub, &read->waiter))
            refuse_err(read, ERR_BUSY);
        return;
    }
    if (err) {
        refuse(read, &refusal);
        return;
    }
    err = read->contract->plan ? append_intent(read) : ERR_UNAVAILABLE;
    if (err) {
        hub_quota_give_back(read->contract, read->now);
        refuse_err(read, err == ERR_FULL ? err : ERR_UNAVAILABLE);
    }
}

static void start_again(struct hub_waiter *waiter)
{
    start(container_of(waiter, struct read, waiter));
}

void hub_reading_start(struct hub *hub, struct hub_reading *reading)
{
    struct read *read = mem_alloc_zero(1, sizeof *read);
    reading->refusal = (struct hub_refusal){0};
    reading->receipt[0] = '\0';
    reading->hub_state = read;
    if (!read) { /* nothing can be posted without memory */
        reading->refusal = (struct hub_refusal){.err = ERR_NO_MEMORY};
        reading->started(reading);
        return;
    }
    read->hub = hub;
    read->reading = reading;
    read->entry = names_get(&hub->entry_names, reading->resource);
    read->started = clock_mono(hub->clock);
    read->waiter = (struct hub_waiter){.again = start_again};
    if (!read->entry || read->entry->resource.kind != HUB_TABLE || reading->n_fields > HUB_FIELDS_MAX || reading->n_fields == 0) {
        struct hub_refusal refusal = hub_refusal_unknown();
        refuse(read, &refusal);
        return;
    }
    start(read);
}

/* ---- asking ---- */

static bool is_decided(const struct read *read, uint16_t column)
{
    const struct hub_resource *resource = &read->entry->resource;
    for (size_t i = 0; i < read->reading->n_fields && column < resource->n_fields; i++)
        if (str_equal(read->reading->fields[i], resource->fields[column].name))
            return true;
    return false;
}

static bool is_all_decided(const struct read *read, const struct hub_fetch *fetch)
{
    for (size_t i = 0; i < fetch->n_outputs; i++)
        if (fetch->outputs[i].aggregate != SQL_COUNT_ALL && !is_decided(read, fetch->outputs[i].column))
            return false;
    for (size_t i = 0; i < fetch->n_where; i++)
        if (!is_decided(read, fetch->where[i].column))
            return false;
    for (size_t i = 0; i < fetch->n_order; i++)
        if (!is_decided(read, fetch->order[i].column))
            return false;
    uint64_t columns = fetch->also ? sql_condition_columns(fetch->also) : 0;
    for (uint16_t i = 0; i < 64; i++)
        if (columns >> i & 1 && !is_decided(read, i))
            return false;
    return true;
}

static void answered(struct loop_task *task)
{
    struct read *read = container_of(task, struct read, task);
    struct hub_fetch *fetch = read->fetch;
    read->fetch = NULL;
    fetch->done(fetch);
}

static void fetched(struct hub_fetch *inner)
{
    struct read *read = container_of(inner, struct read, inner);
    struct hub_fetch *fetch = read->fetch;
    hub_measure_answered(read->hub, read->entry->system, read->asked, inner->err);
    read->fetch = NULL;
    fetch->err = inner->err;
    fetch->rows = inner->rows;
    fetch->is_truncated = inner->is_truncated;
    fetch->done(fetch);
}

void hub_reading_fetch(struct hub_reading *reading, struct hub_fetch *fetch)
{
    struct read *read = reading->hub_state;
    const struct hub_contract *contract = read->contract;
    bool is_statistic = contract->terms.min_subjects != DECIDE_NONE;
    read->fetch = fetch;
    read->inner = *fetch;
    read->inner.is_long = true;
    read->inner.intent = read->intent.index; /* ours, of this use: what it is asked under at a department's own process */
    read->inner.has_intent = true;
    read->inner.done = fetched;
    read->asked = clock_mono(read->hub->clock);
    fetch->rows = NULL;
    fetch->is_truncated = false;
    hub_measure_asked(read->entry->system);
    enum err err = is_statistic || is_all_decided(read, fetch)
                       ? hub_provide_fetch(read->hub, contract->name, contract->hash, &read->entry->resource, &read->inner)
                       : ERR_DENIED;
    if (!err)
        return;
    hub_measure_answered(read->hub, read->entry->system, read->asked, err);
    fetch->err = err;
    read->task.fn = answered;
    loop_post(reading->loop, &read->task);
}

/* ---- the end ---- */

static void outcome_written(struct hub_follow *follow, enum err err)
{
    if (err)
        log_write(LOG_ERROR, "hub", "an outcome could not be written", LOG_ERR(err), LOG_END);
    mem_free(container_of(follow, struct read, outcome));
}

void hub_reading_end(struct hub_reading *reading, uint64_t n_rows, struct sha256 digest, enum err err)
{
    struct read *read = reading->hub_state;
    struct hub *hub = read->hub;
    const struct hub_outcome outcome = {
        .intent = read->intent.index,
        .n_rows = n_rows,
        .has_digest = true,
        .digest = digest,
        .status = hub_outcome_status(err),
        .duration_us = (clock_mono(hub->clock).ns - read->started.ns) / 1000,
        .now = clock_wall(hub->clock),
    };
    hub_measure_use(hub, HUB_QUERY, read->started, err);
    read->outcome.finished = outcome_written;
    enum err written = hub_leaf_outcome(hub, &outcome, &read->outcome.leaf);
    if (written)
        outcome_written(&read->outcome, written);
    else
        hub_follow_start(hub, &read->outcome);
    hub_work_end(hub);
}
