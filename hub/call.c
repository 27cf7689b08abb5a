/*
 * Calls (调用): rows of a table by key. The hot path: 20,000 a second on two cores.
 *
 * decide() → the intent leaf goes to the ledger and the question to the department, side by side → both came back → the answer →
 * the outcome leaf, which nobody waits for. One object a call, no lock, no thread but the ledger's and the department's; both hand
 * their results to the caller's loop. Nothing of an answer is handed over before its intent leaf is durable.
 */
#include "base/log.h"
#include "base/mem.h"
#include "hub/measure.h"
#include "hub/parts.h"

#include <stdio.h>
#include <string.h>

#define ANSWER_MAX (4u << 20) /* bytes of the rows as JSON */
#define REQUEST_BYTES 512     /* first size of the buffer that holds request, then answer */

struct hub_running {
    struct hub *hub;
    struct hub_call *call;
    struct hub_entry *entry;
    struct hub_contract *contract;
    struct wall_time now;
    struct mono_time started;
    struct ledger_append intent;
    struct hub_fetch fetch;
    bool is_intent_done, is_fetch_done;
    struct sql_output outputs[HUB_FIELDS_MAX];
    struct sql_constraint keys[HUB_FIELDS_MAX];
    struct buf json; /* the request while the intent is written, then the answer */
    struct loop_task task;
    struct hub_waiter waiter;
    struct hub_leaf leaf;
    struct hub_follow outcome;
};

static void destroy(struct hub_running *running)
{
    buf_finish(&running->json);
    mem_free(running);
}

/* ---- refusing ---- */

static void refuse_task(struct loop_task *task)
{
    struct hub_running *running = container_of(task, struct hub_running, task);
    running->call->done(running->call);
    destroy(running);
}

static void refuse(struct hub_running *running, const struct hub_refusal *refusal)
{
    running->call->refusal = *refusal;
    hub_measure_use(running->hub, HUB_CALL, running->started, refusal->err);
    running->task.fn = refuse_task;
    loop_post(running->call->loop, &running->task);
}

static void refuse_err(struct hub_running *running, enum err err, const char *why)
{
    struct hub_refusal refusal = {.err = err};
    diag_set(&refusal.diag, err, NULL, 0, "%s", why);
    refuse(running, &refusal);
}

/* ---- answering ---- */

static void outcome_written(struct hub_follow *follow, enum err err)
{
    if (err)
        log_write(LOG_ERROR, "hub", "an outcome could not be written", LOG_ERR(err), LOG_END);
    destroy(container_of(follow, struct hub_running, outcome));
}

/* The rows as a JSON list of objects with the fields in the order asked for. */
static enum err write_answer(struct hub_running *running, const struct rows *rows)
{
    const struct hub_call *call = running->call;
    struct json_writer w;
    buf_reset(&running->json);
    json_writer_init(&w, &running->json);
    json_begin_array(&w);
    for (size_t i = 0; i < rows_n(rows); i++) {
        const struct value *values = rows_at(rows, i);
        json_begin_object(&w);
        for (size_t j = 0; j < call->n_fields; j++) {
            json_key_str(&w, call->fields[j]);
            json_put_value(&w, values[j]);
        }
        json_end_object(&w);
    }
    json_end_array(&w);
    return running->json.err;
}

static void follow_outcome(struct hub_running *running, enum err err, size_t n_rows)
{
    struct hub *hub = running->hub;
    struct hub_outcome outcome = {
        .intent = running->intent.index,
        .n_rows = n_rows,
        .answer = err ? STR("") : buf_str(&running->json),
        .status = hub_outcome_status(err),
        .twin = str_from_c(running->fetch.twin),
        .duration_us = (clock_mono(hub->clock).ns - running->started.ns) / 1000,
        .now = clock_wall(hub->clock),
    };
    running->outcome.finished = outcome_written;
    running->outcome.contract = NULL;
    enum err written = hub_leaf_outcome(hub, &outcome, &running->outcome.leaf);
    if (written)
        outcome_written(&running->outcome, written);
    else
        hub_follow_start(hub, &running->outcome);
}

static const char *fetch_text(enum err err)
{
    switch (err) {
    case ERR_CANCELLED:
        return "the asker has gone";
    case ERR_TIMEOUT:
        return "the department's system did not answer in time";
    case ERR_TOO_LARGE:
        return "the answer is larger than a call may carry; ask for fewer fields";
    case ERR_RANGE:
        return "the department's database cannot hold such a key";
    case ERR_FULL:
    case ERR_BUSY:
        return "the department's system has too much to do; try again";
    default:
        return "the department's system is not available";
    }
}

/* On the caller's loop, when the intent is durable and the department has answered. */
static void finish(struct hub_running *running)
{
    struct hub *hub = running->hub;
    struct hub_call *call = running->call;
    struct rows *rows = running->fetch.rows;
    enum err err = running->intent.err ? ERR_UNAVAILABLE : running->fetch.err;
    if (!err)
        err = write_answer(running, rows);
    call->refusal = (struct hub_refusal){.err = err};
    if (err) {
        diag_set(&call->refusal.diag, err, NULL, 0, "%s", running->intent.err ? "no receipt can be written" : fetch_text(err));
    } else {
        call->rows = rows;
        call->json = buf_str(&running->json);
        call->is_truncated = running->fetch.is_truncated;
    }
    if (!running->intent.err)
        hub_receipt(hub, running->intent.index, call->receipt);
    size_t n_rows = err ? 0 : rows_n(rows);
    hub_measure_use(hub, HUB_CALL, running->started, err);
    call->done(call); /* it is the caller's again */
    rows_release(rows);
    if (running->intent.err)
        destroy(running);
    else
        follow_outcome(running, err, n_rows);
    hub_work_end(hub);
}

static void fetch(struct hub_running *running, bool has_intent);

static bool waits_for_intent(const struct hub_running *running)
{
    const struct hub_system_tables *tables = running->entry->system->ops->tables;
    return tables->is_remote || tables->needs_intent;
}

static void intent_written(struct ledger_append *append)
{
    struct hub_running *running = container_of(append, struct hub_running, intent);
    running->is_intent_done = true;
    if (waits_for_intent(running)) {
        if (!append->err) {
            fetch(running, true); /* it goes to the other hub under this leaf's number */
            return;
        }
        running->is_fetch_done = true;
        running->fetch.err = ERR_UNAVAILABLE;
    }
    if (running->is_fetch_done)
        finish(running);
}

static void fetched(struct hub_fetch *fetch)
{
    struct hub_running *running = container_of(fetch, struct hub_running, fetch);
    running->is_fetch_done = true;
    hub_measure_answered(running->hub, running->entry->system, running->started, fetch->err);
    if (running->is_intent_done)
        finish(running);
}

/* ---- starting ---- */

/* {"fields":[…],"key":{…},"purpose":…,"resource":…} in RFC 8785 form; *ret_key is the key's object within. */
static enum err write_request(struct hub_running *running, struct str *ret_request, struct str *ret_key)
{
    const struct hub_call *call = running->call;
    uint16_t order[HUB_FIELDS_MAX];
    struct json_writer w;
    for (size_t i = 0; i < call->n_keys; i++) { /* by name */
        size_t at = i;
        for (; at > 0 && str_compare(call->key_names[order[at - 1]], call->key_names[i]) > 0; at--)
            order[at] = order[at - 1];
        order[at] = (uint16_t)i;
    }
    json_writer_init(&w, &running->json);
    json_begin_object(&w);
    json_key(&w, "fields");
    json_begin_array(&w);
    for (size_t i = 0; i < call->n_fields; i++)
        json_put_str(&w, call->fields[i]);
    json_end_array(&w);
    json_key(&w, "key");
    size_t from = running->json.len;
    json_begin_object(&w);
    for (size_t i = 0; i < call->n_keys; i++) {
        json_key_str(&w, call->key_names[order[i]]);
        json_put_value(&w, call->key_values[order[i]]);
    }
    json_end_object(&w);
    size_t to = running->json.len;
    json_field_str(&w, "purpose", call->purpose);
    json_field_str(&w, "resource", call->resource);
    json_end_object(&w);
    *ret_request = buf_str(&running->json);
    *ret_key = str_slice(*ret_request, from, to - from);
    return running->json.err;
}

/* The call is permitted by now: who is told the names of the keys knows the resource. */
static enum err no_key(const struct hub_resource *resource, struct str name, struct diag *diag)
{
    char keys[256] = "";
    size_t len = 0;
    for (size_t i = 0; i < resource->n_fields; i++) {
        struct str field = resource->fields[i].name;
        if (resource->fields[i].is_key && len + field.len + 3 < sizeof keys)
            len += (size_t)snprintf(keys + len, sizeof keys - len, "%s" STR_FORMAT, len > 0 ? ", " : "", STR_ARG(field));
    }
    return diag_set(
        diag, ERR_RANGE, NULL, 0, "\"" STR_FORMAT "\" is not a key field of the resource; its keys are: %s", STR_ARG(name), keys);
}

/* Names to places; after the decision, so that nobody learns from it what a table holds. */
static enum err resolve(struct hub_running *running, struct diag *diag)
{
    const struct hub_call *call = running->call;
    const struct hub_resource *resource = &running->entry->resource;
    for (size_t i = 0; i < call->n_fields; i++)
        running->outputs[i] = (struct sql_output){.column = (uint16_t)hub_field_find(resource, call->fields[i])}; /* granted, so declared */
    if (call->n_keys == 0 || call->n_keys > HUB_FIELDS_MAX)
        return diag_set(diag, ERR_RANGE, NULL, 0, "a call needs a key; name at least one key field of the resource with its value");
    for (size_t i = 0; i < call->n_keys; i++) {
        int at = hub_field_find(resource, call->key_names[i]);
        if (at < 0 || !resource->fields[at].is_key)
            return no_key(resource, call->key_names[i], diag);
        for (size_t j = 0; j < i; j++)
            if (running->keys[j].column == at)
                return diag_set(diag, ERR_RANGE, NULL, 0, "key \"" STR_FORMAT "\" is given twice", STR_ARG(call->key_names[i]));
        if (call->key_values[i].type != resource->fields[at].type)
            return diag_set(diag, ERR_RANGE, NULL, 0, "key \"" STR_FORMAT "\" has to be of type %s", STR_ARG(call->key_names[i]),
                value_type_name(resource->fields[at].type));
        running->keys[i] = (struct sql_constraint){.column = (uint16_t)at, .op = SQL_EQ, .n_values = 1, .values = &call->key_values[i]};
    }
    return ERR_OK;
}

static enum err append_intent(struct hub_running *running)
{
    struct hub_call *call = running->call;
    const struct hub_resource *resource = &running->entry->resource;
    struct hub_subjects subjects;
    struct str request, key;
    enum err err = write_request(running, &request, &key);
    if (err)
        return err;
    hub_subjects_init(&subjects);
    if (call->n_keys == 1 && resource->fields[running->keys[0].column].class >= HUB_PERSONAL)
        subjects.json[subjects.n++] = key; /* it stands there already */
    for (size_t i = 0; i < call->n_keys && call->n_keys > 1; i++)
        hub_subjects_add(&subjects, &resource->fields[running->keys[i].column], call->key_values[i]);
    if (call->n_keys > 1)
        err = hub_subjects_read(&subjects);
    struct hub_intent intent = {
        .contract = running->contract,
        .use = "call",
        .fields = call->fields,
        .n_fields = call->n_fields,
        .request = request,
        .subjects = subjects.json,
        .n_subjects = subjects.n,
        .twin = call->twin,
        .now = running->now,
    };
    if (!err)
        err = hub_leaf_intent(running->hub, &intent, &running->leaf);
    hub_subjects_finish(&subjects);
    if (err)
        return err;
    running->intent = (struct ledger_append){.leaf = {running->leaf.bytes, running->leaf.len}, .loop = call->loop, .done = intent_written};
    hub_work_begin(running->hub); /* until finish() */
    err = ledger_append(running->hub->ledger, &running->intent);
    if (err)
        hub_work_end(running->hub);
    return err;
}

/* With `has_intent` the intent is written; without, it may be written on another thread meanwhile, and is not looked at. */
static void fetch(struct hub_running *running, bool has_intent)
{
    struct hub_call *call = running->call;
    running->fetch = (struct hub_fetch){
        .outputs = running->outputs,
        .n_outputs = call->n_fields,
        .where = running->keys,
        .n_where = call->n_keys,
        .n_rows_max = HUB_ROWS_MAX,
        .n_bytes_max = HUB_ANSWER_BYTES,
        .is_cancelled = &call->is_cancelled,
        .intent = has_intent ? running->intent.index : 0,
        .has_intent = has_intent,
        .loop = call->loop,
        .done = fetched,
    };
    hub_measure_asked(running->entry->system);
    running->entry->system->ops->tables->fetch(running->contract->plan, &running->fetch);
}

static void start(struct hub_running *running)
{
    struct hub *hub = running->hub;
    struct hub_call *call = running->call;
    struct hub_refusal refusal = {0};
    const struct decide_request request = {
        .party = call->party,
        .resource = call->resource,
        .use = STR("call"),
        .purpose = call->purpose,
        .fields = call->fields,
        .n_fields = call->n_fields,
        .subjects = DECIDE_NONE,
    };
    if (atomic_load_explicit(&hub->is_stopping, memory_order_relaxed)) {
        refuse_err(running, ERR_UNAVAILABLE, "the hub is stopping");
        return;
    }
    running->now = clock_wall(hub->clock);
    enum err err = hub_choose(hub, &request, call->contract, running->now, true, &running->contract, &refusal);
    if (err == ERR_STATE) {
        if (!hub_wait(hub, &running->waiter)) {
            metric_add(&hub->figures.n_calls_refused, 1);
            refuse_err(running, ERR_BUSY, "too many calls wait for the quota's reservation; try again");
        }
        return;
    }
    if (err) {
        refuse(running, &refusal);
        return;
    }
    const char *why = "no receipt can be written";
    err = resolve(running, &refusal.diag);
    if (!err && !running->contract->plan) {
        err = ERR_UNAVAILABLE;
        why = "the department's system is not available";
    }
    const bool waits = !err && waits_for_intent(running); /* once the intent is on its way, the whole may be over at any moment */
    if (!err)
        err = append_intent(running);
    if (!err) {
        if (!waits)
            fetch(running, false);
        return;
    }
    hub_quota_give_back(running->contract, running->now);
    refuse_err(running, err == ERR_RANGE || err == ERR_FULL ? err : ERR_UNAVAILABLE, err == ERR_RANGE ? refusal.diag.text : why);
}

static void start_again(struct hub_waiter *waiter)
{
    start(container_of(waiter, struct hub_running, waiter));
}

void hub_call_start(struct hub *hub, struct hub_call *call)
{
    struct hub_running *running = mem_alloc(sizeof *running);
    struct hub_entry *entry = names_get(&hub->entry_names, call->resource);
    if (!running) { /* nothing can be posted without memory; every other refusal comes later, on the loop */
        call->refusal = (struct hub_refusal){.err = ERR_NO_MEMORY};
        call->done(call);
        return;
    }
    /* Not zeroed as a whole: the leaves are 4 kB and written before they are read. */
    running->hub = hub;
    running->call = call;
    running->entry = entry;
    running->contract = NULL;
    running->started = clock_mono(hub->clock);
    running->is_intent_done = running->is_fetch_done = false;
    running->waiter = (struct hub_waiter){.again = start_again};
    running->intent.err = ERR_OK;
    running->fetch.rows = NULL;
    running->fetch.twin[0] = '\0';
    buf_init(&running->json, ANSWER_MAX);
    call->refusal = (struct hub_refusal){0};
    call->rows = NULL;
    call->json = STR_NONE;
    call->is_truncated = false;
    call->receipt[0] = '\0';
    if (!entry || entry->resource.kind != HUB_TABLE || call->n_fields > HUB_FIELDS_MAX) {
        struct hub_refusal refusal = hub_refusal_unknown();
        refuse(running, &refusal);
        return;
    }
    start(running);
}
