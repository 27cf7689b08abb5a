/*
 * Uses across hubs. Ours at another hub: the question goes out when our intent leaf is durable (hub/call.c sees to it), and the answer, or
 * its lack, ends the fetch. Theirs here: hub_call_start(), with the contract's own consumer and purpose, so that what may be done for them
 * is decided by the same rules and in the same place as for anybody here.
 */
#include "district/inside.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>

#define SERVING_ARENA_MAX (256u << 10)

/* ---- ours ---- */

static void ended(struct loop_task *task)
{
    struct hub_fetch *fetch = container_of(task, struct hub_fetch, task);
    fetch->done(fetch);
}

static void end(struct hub_fetch *fetch, enum err err)
{
    fetch->err = err;
    fetch->task.fn = ended;
    loop_post(fetch->loop, &fetch->task);
}

/* Keys are all equalities of one value: a call's. */
static enum err write_question(struct district *district, const struct hub_fetch *fetch)
{
    const struct district_plan *plan = fetch->system_state;
    const struct hub_field *fields = plan->resource->fields;
    struct str names[HUB_FIELDS_MAX], keys[HUB_FIELDS_MAX];
    struct value values[HUB_FIELDS_MAX];
    struct district_question question = {.contract = plan->contract, .key_names = keys, .keys = values, .fields = names};
    if (fetch->n_where > HUB_FIELDS_MAX || fetch->n_outputs > HUB_FIELDS_MAX || fetch->also || fetch->n_order)
        return ERR_UNSUPPORTED;
    for (size_t i = 0; i < fetch->n_where; i++) {
        if (fetch->where[i].op != SQL_EQ)
            return ERR_UNSUPPORTED;
        keys[i] = fields[fetch->where[i].column].name;
        values[i] = fetch->where[i].values[0];
    }
    for (size_t i = 0; i < fetch->n_outputs; i++) {
        if (fetch->outputs[i].aggregate != SQL_PLAIN)
            return ERR_UNSUPPORTED;
        names[i] = fields[fetch->outputs[i].column].name;
    }
    question.n_keys = fetch->n_where;
    question.n_fields = fetch->n_outputs;
    buf_reset(&district->out);
    district_question_write(&question, &district->out);
    return district->out.err ? district->out.err : district->out.len > DISTRICT_QUESTION_MAX ? ERR_TOO_LARGE : ERR_OK;
}

void district_use_ask(struct district *district, struct hub_fetch *fetch)
{
    const struct district_plan *plan = fetch->system_state;
    int peer = plan->hub >= 0 ? district->peer_of[plan->hub] : -1;
    enum err err = peer < 0 ? ERR_UNAVAILABLE : write_question(district, fetch);
    if (err) {
        end(fetch, err);
        return;
    }
    fetch->next = district->asked;
    district->asked = fetch;
    district->payload = buf_str(&district->out);
    district_drive(district, (struct district_event){.kind = DISTRICT_ASK, .peer = (size_t)peer, .intent = fetch->intent});
    district->payload = STR_NONE;
}

static struct hub_fetch *take_asked(struct district *district, int hub, uint64_t intent)
{
    for (struct hub_fetch **at = &district->asked; *at; at = &(*at)->next) {
        struct hub_fetch *fetch = *at;
        if (fetch->intent == intent && ((const struct district_plan *)fetch->system_state)->hub == hub) {
            *at = fetch->next;
            return fetch;
        }
    }
    return NULL;
}

/* What the other hub said, as what a connector may say: its own reasons stay its own. */
static enum err read_reply(struct district *district, struct hub_fetch *fetch)
{
    const struct district_plan *plan = fetch->system_state;
    enum value_type types[HUB_FIELDS_MAX];
    struct district_reply reply;
    for (size_t i = 0; i < fetch->n_outputs; i++)
        types[i] = plan->resource->fields[fetch->outputs[i].column].type;
    enum err err =
        district_reply_read(district->rest, types, fetch->n_outputs, fetch->n_bytes_max, fetch->n_rows_max, &reply, &fetch->rows);
    if (err == ERR_SYNTAX) {
        log_write(LOG_ERROR, "district", "the other hub's answer is not of the form that was asked for",
            LOG_STR("contract", plan->contract), LOG_END);
        return ERR_UNAVAILABLE;
    }
    if (err)
        return err;
    if (reply.err)
        log_write(LOG_WARNING, "district", "the other hub refused a use", LOG_STR("contract", plan->contract), LOG_INT("rule", reply.rule),
            LOG_ERR(reply.err), LOG_END);
    fetch->is_truncated = reply.is_truncated;
    switch (reply.err) {
    case ERR_OK:
    case ERR_TIMEOUT:
    case ERR_TOO_LARGE:
    case ERR_FULL:
    case ERR_BUSY:
    case ERR_RANGE:
        return reply.err;
    default:
        return ERR_UNAVAILABLE;
    }
}

void district_use_end(struct district *district, const struct district_update *update)
{
    int hub = district->hub_of[update->peer];
    struct hub_fetch *fetch = take_asked(district, hub, update->intent);
    if (!fetch)
        return;
    enum err err = update->err;
    if (update->has_leaf)
        snprintf(fetch->twin, sizeof fetch->twin, STR_FORMAT "/%llu", STR_ARG(district->federation->hubs[hub].log),
            (unsigned long long)update->leaf);
    if (!err)
        err = str_is_empty(district->rest) ? ERR_UNAVAILABLE : read_reply(district, fetch);
    end(fetch, err);
}

void district_use_drop_all(struct district *district)
{
    while (district->asked) {
        struct hub_fetch *fetch = district->asked;
        district->asked = fetch->next;
        end(fetch, ERR_UNAVAILABLE);
    }
}

/* ---- theirs ---- */

struct serving {
    struct district *district;
    size_t peer;
    uint64_t intent;
    struct arena arena;
    struct hub_call call;
};

static void finish(struct serving *serving, const struct district_reply *reply, const struct rows *rows, struct str receipt)
{
    struct district *district = serving->district;
    struct district_event event = {.kind = DISTRICT_SERVE_DONE, .peer = serving->peer, .intent = serving->intent};
    struct str log, index;
    event.has_leaf = str_cut_last(receipt, '/', &log, &index) && str_to_u64(index, &event.leaf) == ERR_OK;
    buf_reset(&district->out);
    district_reply_write(reply, rows, &district->out);
    if (district->out.err || district->out.len > DISTRICT_ANSWER_MAX) {
        buf_reset(&district->out);
        district_reply_write(&(struct district_reply){.err = ERR_TOO_LARGE}, NULL, &district->out);
    }
    district->payload = buf_str(&district->out);
    district_drive(district, event);
    district->payload = STR_NONE;
    arena_finish(&serving->arena);
    mem_free(serving);
}

static void served(struct hub_call *call)
{
    struct serving *serving = container_of(call, struct serving, call);
    struct district_reply reply = {.err = call->refusal.err, .rule = call->refusal.rule, .is_truncated = call->is_truncated};
    serving->district->n_under_way--;
    finish(serving, &reply, call->rows, str_from_c(call->receipt));
}

/* A contract of a resource here with a party that is at home at just the hub that asks. */
static bool is_between(struct district *district, int hub, const struct hub_contract_info *info)
{
    const struct federation *federation = district->federation;
    return district_home(federation->nodes, federation->n_hubs, info->consumer) == hub &&
           district_home(federation->nodes, federation->n_hubs, info->resource) == district->self;
}

static enum err fill(struct serving *serving, struct str bytes)
{
    struct district *district = serving->district;
    struct district_question question;
    struct hub_contract_info info;
    struct str copy;
    int hub = district->hub_of[serving->peer];
    enum err err = bytes.len > DISTRICT_QUESTION_MAX ? ERR_TOO_LARGE : arena_copy_str(&serving->arena, bytes, &copy);
    if (!err)
        err = district_question_read(&serving->arena, copy, &question);
    if (err)
        return err;
    if (!hub_contract_find(district->hub, question.contract, &info) || !is_between(district, hub, &info))
        return ERR_NOT_FOUND;
    serving->call = (struct hub_call){
        .party = info.consumer,
        .resource = info.resource,
        .purpose = info.purpose,
        .contract = info.name,
        .key_names = question.key_names,
        .key_values = question.keys,
        .n_keys = question.n_keys,
        .fields = question.fields,
        .n_fields = question.n_fields,
        .loop = district->loop,
        .done = served,
    };
    return arena_printf(&serving->arena, &serving->call.twin, STR_FORMAT "/%llu", STR_ARG(district->federation->hubs[hub].log),
        (unsigned long long)serving->intent);
}

void district_use_serve(struct district *district, size_t peer, uint64_t intent)
{
    struct serving *serving = mem_alloc_zero(1, sizeof *serving);
    if (!serving) /* they time out */
        return;
    serving->district = district;
    serving->peer = peer;
    serving->intent = intent;
    arena_init(&serving->arena, SERVING_ARENA_MAX);
    enum err err = district->n_under_way < DISTRICT_UNDER_WAY_MAX ? fill(serving, district->rest) : ERR_FULL;
    if (err) {
        finish(serving, &(struct district_reply){.err = err}, NULL, STR_NONE);
        return;
    }
    district->n_under_way++;
    hub_call_start(district->hub, &serving->call);
}
