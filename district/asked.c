/*
 * Ours at another hub: a call, an asking of a query, an act or the opening of an object goes out when our intent leaf is durable (hub/ sees
 * to it), and the answer, or its lack, ends it. An answer that is longer than a message is fetched piece by piece: each is a part of the
 * use (district/step.h), so that nobody is sent more than it asked for. Objects: asked_object.c; streams: asked_stream.c.
 */
#include "district/parts.h"

#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>

/* ---- the end ---- */

static void fetch_ended(struct loop_task *task)
{
    struct hub_fetch *fetch = container_of(task, struct hub_fetch, task);
    fetch->done(fetch);
}

static void act_ended(struct loop_task *task)
{
    struct hub_ask *act = container_of(task, struct hub_ask, task);
    act->done(act);
}

static void end_fetch(struct hub_fetch *fetch, enum err err, struct rows *rows)
{
    if (err)
        rows_release(rows);
    fetch->err = err;
    fetch->rows = err ? NULL : rows;
    fetch->task.fn = fetch_ended;
    loop_post(fetch->loop, &fetch->task);
}

static void end_act(struct hub_ask *act, enum err err)
{
    act->err = err;
    act->task.fn = act_ended;
    loop_post(act->loop, &act->task);
}

static void end(struct asked *asked, enum err err)
{
    if (asked->fetch)
        end_fetch(asked->fetch, err, asked->rows);
    else if (asked->act)
        end_act(asked->act, err);
    else if (asked->take)
        asked_stream_end(asked, err);
    else
        asked_object_end(asked, err);
    mem_free(asked);
}

/* ---- asking ---- */

void asked_drive(struct asked *asked, bool is_next, int64_t wait_ms)
{
    struct district *district = asked->district;
    asked->since = clock_mono(district->clock);
    asked->next = district->asked;
    district->asked = asked;
    district->payload = buf_str(&district->out);
    district_drive(district, (struct district_event){.kind = DISTRICT_ASK,
                                 .peer = asked->peer,
                                 .intent = asked->intent,
                                 .is_next = is_next,
                                 .is_long = asked->what == DISTRICT_OBJECT || asked->what == DISTRICT_WINDOW,
                                 .wait_ms = district->options.use_ms ? district->options.use_ms : wait_ms});
    district->payload = STR_NONE;
}

enum err asked_write(struct district *district, const struct district_question *question)
{
    buf_reset(&district->out);
    district_question_write(question, &district->out);
    return district->out.err ? district->out.err : district->out.len > DISTRICT_QUESTION_MAX ? ERR_TOO_LARGE : ERR_OK;
}

struct asked *asked_create(struct district *district, int hub, uint64_t intent)
{
    int peer = hub >= 0 ? district->peer_of[hub] : -1;
    struct asked *asked = peer < 0 ? NULL : mem_alloc_zero(1, sizeof *asked);
    if (asked) {
        asked->district = district;
        asked->peer = (size_t)peer;
        asked->intent = intent;
    }
    return asked;
}

void district_use_ask(struct district *district, const struct district_plan *plan, struct hub_fetch *fetch)
{
    struct asked *asked = asked_create(district, plan->hub, fetch->intent);
    const struct district_question question = {.what = fetch->is_long ? DISTRICT_QUERY : DISTRICT_CALL,
        .contract = plan->contract,
        .resource = plan->resource,
        .fetch = *fetch,
        .fields = fetch->used,
        .n_fields = fetch->n_used};
    struct rows *rows = NULL;
    enum err err = !asked                                                            ? ERR_UNAVAILABLE
                   : !fetch->has_intent || fetch->n_outputs > HUB_ASKING_OUTPUTS_MAX ? ERR_UNSUPPORTED
                                                                                     : asked_write(district, &question);
    if (!err)
        err = rows_create(fetch->n_outputs, fetch->n_bytes_max, &rows);
    if (err) {
        mem_free(asked);
        end_fetch(fetch, err, NULL);
        return;
    }
    asked->what = question.what;
    asked->plan = plan;
    asked->fetch = fetch;
    asked->rows = rows;
    asked_drive(asked, fetch->is_next, fetch->is_long ? DISTRICT_LONG_MS : 0);
}

void district_use_act(struct district *district, int hub, struct hub_ask *act)
{
    struct asked *asked = asked_create(district, hub, act->intent);
    struct str party, key;
    const struct district_question question = {.what = DISTRICT_ACT,
        .contract = act->contract,
        .resource = act->resource,
        .key = str_cut_last(act->key, ' ', &party, &key) ? key : act->key, /* the party is the contract's consumer */
        .values = act->values};
    if (!asked || asked_write(district, &question)) {
        mem_free(asked);
        end_act(act, ERR_UNAVAILABLE);
        return;
    }
    asked->what = DISTRICT_ACT;
    asked->act = act;
    asked_drive(asked, false, DISTRICT_LONG_MS);
}

/* ---- answers ---- */

static struct asked *take(struct district *district, size_t peer, uint64_t intent)
{
    for (struct asked **at = &district->asked; *at; at = &(*at)->next) {
        struct asked *asked = *at;
        if (asked->intent == intent && asked->peer == peer) {
            *at = asked->next;
            return asked;
        }
    }
    return NULL;
}

static struct str contract_of(const struct asked *asked)
{
    return asked->fetch ? asked->plan->contract : asked->act ? asked->act->contract : asked->object->contract;
}

enum err asked_malformed(const struct asked *asked)
{
    log_write(LOG_ERROR, "district", "the other hub's answer is not of the form that was asked for",
        LOG_STR("contract", contract_of(asked)), LOG_END);
    return ERR_UNAVAILABLE;
}

void asked_log_refusal(const struct asked *asked, int rule, enum err err)
{
    log_write(LOG_WARNING, "district", "the other hub refused a use", LOG_STR("contract", contract_of(asked)), LOG_INT("rule", rule),
        LOG_ERR(err), LOG_END);
}

/* What the other hub said, as what a connector may say: its own reasons stay its own. */
static enum err read_rows(struct asked *asked, struct str bytes, int rule)
{
    struct hub_fetch *fetch = asked->fetch;
    const struct sql_select select = {.columns = asked->plan->resource->columns};
    enum value_type types[HUB_ASKING_OUTPUTS_MAX];
    enum err told = ERR_OK;
    for (size_t i = 0; i < fetch->n_outputs; i++)
        types[i] = sql_output_type(&select, &fetch->outputs[i]);
    enum err err = hub_get_rows(bytes, types, fetch->n_outputs, asked->rows, &fetch->is_truncated, &told);
    if (err == ERR_SYNTAX || (!err && rows_n(asked->rows) > fetch->n_rows_max))
        return asked_malformed(asked);
    if (err)
        return err;
    if (told)
        asked_log_refusal(asked, rule, told);
    switch (told) {
    case ERR_OK:
    case ERR_TIMEOUT:
    case ERR_TOO_LARGE:
    case ERR_FULL:
    case ERR_BUSY:
    case ERR_RANGE:
    case ERR_CANCELLED:
        return told;
    default:
        return ERR_UNAVAILABLE;
    }
}

/* ERR_UNAVAILABLE and ERR_FULL say that it was certainly not done; ERR_RANGE that it was refused for good. */
static enum err read_act(struct asked *asked, struct str bytes, int rule)
{
    struct bytes_reader in;
    bytes_reader_init(&in, bytes.ptr, bytes.len);
    enum err told = hub_get_error(&in);
    struct str answer = hub_get_text(&in);
    buf_reset(asked->act->answer);
    if (in.err || bytes_reader_left(&in)) {
        (void)!asked_malformed(asked);
        return ERR_TIMEOUT; /* it answered, nobody knows what */
    }
    if (told)
        asked_log_refusal(asked, rule, told);
    switch (told) {
    case ERR_OK:
    case ERR_RANGE:
        buf_append_str(asked->act->answer, answer);
        return asked->act->answer->err ? ERR_TIMEOUT : told;
    case ERR_EXISTS:
        buf_append_c(asked->act->answer, "\"this key was used with other parameters\"");
        return ERR_RANGE;
    case ERR_BUSY:
    case ERR_FULL:
        return ERR_FULL;
    case ERR_UNAVAILABLE:
    case ERR_DENIED:
    case ERR_NOT_FOUND:
        return ERR_UNAVAILABLE;
    default:
        return ERR_TIMEOUT;
    }
}

static void ask_more(struct asked *asked)
{
    const struct district_question question = {.what = asked->what = DISTRICT_MORE, .from = rows_n(asked->rows)};
    enum err err = asked_write(asked->district, &question);
    if (err)
        end(asked, err);
    else
        asked_drive(asked, true, DISTRICT_LONG_MS);
}

void district_use_end(struct district *district, const struct district_update *update)
{
    struct asked *asked = take(district, update->peer, update->intent);
    struct district_reply reply = {0};
    struct str bytes = STR_NONE;
    char *twin;
    if (!asked)
        return;
    twin = asked->fetch ? asked->fetch->twin : asked->act ? asked->act->twin : NULL; /* a long use is named by a leaf of its own */
    if (update->has_leaf && twin)
        snprintf(twin, HUB_RECEIPT_MAX, STR_FORMAT "/%llu", STR_ARG(district->federation->hubs[district->hub_of[update->peer]].log),
            (unsigned long long)update->leaf);
    enum err err = update->err;
    if (!err && str_is_empty(district->rest)) /* it does not serve us now */
        err = ERR_UNAVAILABLE;
    else if (!err && district_reply_read(district->rest, &reply, &bytes))
        err = asked->act ? ERR_TIMEOUT : asked_malformed(asked);
    else if (!err)
        err = asked->act     ? read_act(asked, bytes, reply.rule)
              : asked->fetch ? read_rows(asked, bytes, reply.rule)
              : asked->take  ? asked_stream_read(asked, bytes, reply.rule)
                             : asked_object_read(asked, bytes, reply.rule);
    district_measure_part(district, asked->peer, DISTRICT_ASKED, asked->what, asked->since, err);
    if (err == ERR_FULL && update->err)
        metric_add(&district->figures.asked_full, 1);
    if (!err && reply.is_more && asked->fetch) {
        if (hub_fetch_is_cancelled(asked->fetch))
            end(asked, ERR_CANCELLED);
        else
            district->more = asked; /* driving goes on when this event's updates are done */
        return;
    }
    end(asked, err);
}

void district_use_go_on(struct district *district)
{
    struct asked *asked = district->more;
    district->more = NULL;
    if (asked)
        ask_more(asked);
}

static bool has_gone(const struct asked *asked)
{
    const _Atomic bool *is_cancelled = asked->object_ask ? asked->object_ask->is_cancelled : asked->take ? asked->take->is_cancelled : NULL;
    return asked->fetch ? hub_fetch_is_cancelled(asked->fetch) : is_cancelled && atomic_load_explicit(is_cancelled, memory_order_relaxed);
}

void district_use_give_up(struct district *district)
{
    for (struct asked *asked = district->asked, *next; asked; asked = next) {
        next = asked->next;
        if (!has_gone(asked))
            continue;
        const struct district_event event = {.kind = DISTRICT_GIVE_UP, .peer = asked->peer, .intent = asked->intent};
        district_drive(district, event); /* ends it, and no other */
    }
}

void district_use_drop_all(struct district *district)
{
    while (district->asked) {
        struct asked *asked = district->asked;
        district->asked = asked->next;
        end(asked, asked->act ? ERR_TIMEOUT : ERR_UNAVAILABLE); /* an act may have been done */
    }
}
