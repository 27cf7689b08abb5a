/*
 * Acts, step by step; every step runs on the asker's loop, and each waits for the one before it to be on disk:
 *
 *     begin() → noted() → [mark()] → write_intent() → intent_written() → ask() → asked() → keep() → kept() → finish()
 */
#include "hub/act_store.h"

#include "base/log.h"
#include "base/mem.h"
#include "hub/measure.h"
#include "hub/parts.h"

#include <stdio.h>
#include <string.h>

#define REQUEST_MAX 65536
#define RETRY_MS 10 /* a quota's reservation is on its way to the disk */
#define RETRIES_MAX 200

struct hub_acting {
    struct hub *hub;
    struct hub_act *act;
    struct hub_entry *entry;
    struct hub_contract *contract;
    struct wall_time now;
    struct mono_time started, asked;
    struct loop_task task;
    struct loop_timer retry;
    int n_retries;
    struct act_write note;
    struct ledger_append intent;
    struct hub_ask ask;
    struct value values[HUB_FIELDS_MAX]; /* in the resource's order */
    struct buf request, answer;
    char key[HUB_ACT_KEY_MAX + 256]; /* as the department sees it */
    struct hub_leaf leaf;
    struct hub_follow outcome;
    const char *status; /* of the outcome leaf */
    enum act_found became;
};

static void destroy(struct hub_acting *acting)
{
    buf_finish(&acting->note.answer);
    buf_finish(&acting->request);
    buf_finish(&acting->answer);
    mem_free(acting);
}

/* ---- ending without having asked ---- */

static void refuse_with(struct hub_acting *acting, const struct hub_refusal *refusal)
{
    struct hub *hub = acting->hub;
    acting->act->refusal = *refusal;
    hub_measure_use(hub, HUB_ACT, acting->started, refusal->err);
    acting->act->done(acting->act);
    destroy(acting);
    hub_work_end(hub);
}

static void refuse(struct hub_acting *acting, enum err err, const char *why)
{
    struct hub_refusal refusal = {.err = err};
    diag_set(&refusal.diag, err, NULL, 0, "%s", why);
    refuse_with(acting, &refusal);
}

/* The use did not take place: its place in the quota is another's. */
static void give_up(struct hub_acting *acting, enum err err, const char *why)
{
    hub_quota_give_back(acting->contract, acting->now);
    refuse(acting, err, why);
}

/* ---- the end: the answer, and the outcome leaf after it ---- */

static void outcome_written(struct hub_follow *follow, enum err err)
{
    if (err)
        log_write(LOG_ERROR, "hub", "an outcome could not be written", LOG_ERR(err), LOG_END);
    destroy(container_of(follow, struct hub_acting, outcome));
}

static void follow_outcome(struct hub_acting *acting)
{
    struct hub *hub = acting->hub;
    const struct hub_outcome outcome = {.intent = acting->intent.index,
        .n_rows = acting->became == ACT_KNOWN,
        .answer = buf_str(&acting->answer),
        .status = acting->status,
        .twin = str_from_c(acting->ask.twin),
        .duration_us = (clock_mono(hub->clock).ns - acting->started.ns) / 1000,
        .now = clock_wall(hub->clock)};
    acting->outcome.finished = outcome_written;
    acting->outcome.contract = NULL;
    enum err err = hub_leaf_outcome(hub, &outcome, &acting->outcome.leaf);
    if (err)
        outcome_written(&acting->outcome, err);
    else
        hub_follow_start(hub, &acting->outcome);
}

static void fill(struct hub_acting *acting, enum act_found found, struct str answer, const char *receipt, bool is_repeated)
{
    struct hub_act *act = acting->act;
    act->refusal = (struct hub_refusal){0};
    act->state = found == ACT_KNOWN ? HUB_ACT_KNOWN : found == ACT_REFUSED ? HUB_ACT_REFUSED : HUB_ACT_UNKNOWN;
    act->may_repeat = !acting->entry->resource.is_at_most_once;
    act->is_repeated = is_repeated;
    act->json = answer;
    snprintf(act->receipt, sizeof act->receipt, "%s", receipt);
}

static void finish(struct hub_acting *acting)
{
    if (acting->note.write.err && acting->became != ACT_NEW) {
        /* Done, but not noted: the next asking with this key finds out. What cannot be stored is not acknowledged. */
        acting->became = ACT_UNKNOWN;
        acting->status = "unknown";
    }
    if (acting->became == ACT_NEW && !acting->note.write.err && acting->note.found == ACT_ASKED)
        acting->became = ACT_UNKNOWN; /* this asking did nothing; of another one under the same key nobody knows */
    if (acting->became == ACT_NEW) {
        struct hub_refusal refusal = {.err = ERR_UNAVAILABLE};
        diag_set(
            &refusal.diag, refusal.err, NULL, 0, "the department's system is not available; nothing was done, ask again with the same key");
        acting->act->refusal = refusal;
    } else {
        fill(acting, acting->became, buf_str(&acting->answer), acting->note.receipt, false);
        if (acting->became == ACT_UNKNOWN && acting->entry->resource.is_at_most_once)
            hub_acts_tell_soon(acting->hub);
    }
    struct hub *hub = acting->hub;
    hub_measure_use(hub, HUB_ACT, acting->started,
        acting->became == ACT_KNOWN     ? ERR_OK
        : acting->became == ACT_REFUSED ? ERR_RANGE
        : acting->became == ACT_NEW     ? ERR_UNAVAILABLE
                                        : ERR_TIMEOUT);
    acting->act->done(acting->act); /* it is the asker's again */
    follow_outcome(acting);
    hub_work_end(hub);
}

/* ---- notes ---- */

static void noted_end(struct act_write *write)
{
    finish(container_of(write, struct hub_acting, note));
}

/* Notes what became of it; then it may be told. */
static void keep(struct hub_acting *acting)
{
    struct act_write *note = &acting->note;
    bool stays_asked = acting->became == ACT_UNKNOWN && !acting->entry->resource.is_at_most_once;
    note->note = acting->became == ACT_NEW ? ACT_NOTE_FORGET : ACT_NOTE_END;
    note->found = stays_asked ? ACT_ASKED : acting->became;
    note->done = noted_end;
    note->now = clock_wall(acting->hub->clock);
    buf_reset(&note->answer);
    if (acting->became == ACT_KNOWN || acting->became == ACT_REFUSED)
        buf_append_str(&note->answer, buf_str(&acting->answer));
    enum err err = note->answer.err ? note->answer.err : hub_acts_submit(acting->hub->acts, note);
    if (err) {
        note->write.err = err;
        finish(acting);
    }
}

/* ---- asking the department ---- */

static void asked(struct hub_ask *ask)
{
    struct hub_acting *acting = container_of(ask, struct hub_acting, ask);
    hub_measure_answered(acting->hub, acting->entry->system, acting->asked, ask->err);
    switch (ask->err) {
    case ERR_OK:
        acting->became = ACT_KNOWN;
        acting->status = "ok";
        break;
    case ERR_RANGE:
        acting->became = ACT_REFUSED;
        acting->status = "refused";
        break;
    case ERR_UNAVAILABLE:
    case ERR_FULL:
        acting->became = ACT_NEW;
        acting->status = "unavailable";
        break;
    default: /* it may have been done */
        acting->became = ACT_UNKNOWN;
        acting->status = "unknown";
    }
    keep(acting);
}

static void ask(struct hub_acting *acting)
{
    struct hub_act *act = acting->act;
    struct hub_system *system = acting->entry->system;
    acting->ask = (struct hub_ask){.resource = &acting->entry->resource,
        .key = str_from_c(acting->key),
        .party = act->party,
        .receipt = str_from_c(acting->note.receipt),
        .contract = acting->contract->name,
        .intent = acting->intent.index,
        .time = acting->now,
        .values = acting->values,
        .loop = act->loop,
        .done = asked,
        .answer = &acting->answer};
    acting->asked = clock_mono(acting->hub->clock);
    hub_measure_asked(system);
    system->ops->act(system->system, &acting->ask);
}

static void marked(struct act_write *write)
{
    struct hub_acting *acting = container_of(write, struct hub_acting, note);
    if (write->write.err) {
        acting->became = ACT_NEW; /* not asked */
        acting->status = "unavailable";
        keep(acting);
        return;
    }
    ask(acting);
}

static void intent_written(struct ledger_append *append)
{
    struct hub_acting *acting = container_of(append, struct hub_acting, intent);
    if (append->err) {
        give_up(acting, ERR_UNAVAILABLE, "no receipt can be written");
        return;
    }
    hub_receipt(acting->hub, append->index, acting->note.receipt);
    if (!acting->entry->resource.is_at_most_once) {
        ask(acting);
        return;
    }
    /* If the program ends now nobody will ask again: what people then need is the receipt. */
    acting->note.note = ACT_NOTE_END;
    acting->note.found = ACT_ASKED;
    acting->note.done = marked;
    buf_reset(&acting->note.answer);
    enum err err = hub_acts_submit(acting->hub->acts, &acting->note);
    if (err) {
        acting->note.write.err = err;
        marked(&acting->note);
    }
}

static void forgotten(struct act_write *write)
{
    give_up(container_of(write, struct hub_acting, note), ERR_UNAVAILABLE, "no receipt can be written");
}

static void write_intent(struct hub_acting *acting)
{
    struct hub_act *act = acting->act;
    const struct hub_resource *resource = &acting->entry->resource;
    struct str request = buf_str(&acting->request);
    struct hub_subjects subjects; /* whom it is about: each personal parameter, as the key of a call about them */
    struct hub_intent intent = {.contract = acting->contract,
        .use = "act",
        .fields = act->names,
        .n_fields = act->n_values,
        .request = request,
        .twin = act->twin,
        .now = acting->now};
    hub_subjects_init(&subjects);
    for (size_t i = 0; i < resource->n_fields; i++)
        hub_subjects_add(&subjects, &resource->fields[i], acting->values[i]);
    enum err err = hub_subjects_read(&subjects);
    intent.subjects = subjects.json;
    intent.n_subjects = subjects.n;
    if (!err)
        err = hub_leaf_intent(acting->hub, &intent, &acting->leaf);
    hub_subjects_finish(&subjects);
    if (!err) {
        acting->intent = (struct ledger_append){.leaf = {acting->leaf.bytes, acting->leaf.len}, .loop = act->loop, .done = intent_written};
        err = ledger_append(acting->hub->ledger, &acting->intent);
    }
    if (!err)
        return;
    acting->note.note = ACT_NOTE_FORGET;
    acting->note.done = forgotten;
    if (hub_acts_submit(acting->hub->acts, &acting->note) != ERR_OK)
        forgotten(&acting->note);
}

/* ---- has this key been used? ---- */

static void give_again(struct hub_acting *acting, enum act_found found)
{
    hub_quota_give_back(acting->contract, acting->now); /* nothing was used */
    fill(acting, found, buf_str(&acting->note.answer), acting->note.receipt, true);
    struct hub *hub = acting->hub;
    acting->act->done(acting->act);
    destroy(acting);
    hub_work_end(hub);
}

static void noted(struct act_write *write)
{
    struct hub_acting *acting = container_of(write, struct hub_acting, note);
    bool is_once = acting->entry->resource.is_at_most_once;
    if (write->write.err) {
        give_up(acting, ERR_UNAVAILABLE, "the key could not be noted");
        return;
    }
    switch (write->found) {
    case ACT_NEW:
        write_intent(acting);
        return;
    case ACT_ASKED:
        if (!is_once)
            write_intent(acting);
        else if (write->is_ours)
            give_up(acting, ERR_BUSY, "this act is under way; ask again in a moment");
        else
            give_again(acting, ACT_UNKNOWN);
        return;
    case ACT_OTHER:
        give_up(acting, ERR_EXISTS, "this key was used with other parameters; give each act a key of its own");
        return;
    default:
        give_again(acting, write->found);
    }
}

static enum err put_request(struct hub_acting *acting)
{
    struct json_writer w;
    json_writer_init(&w, &acting->request);
    json_begin_object(&w);
    json_field_str(&w, "key", acting->act->key);
    json_key(&w, "parameters");
    hub_act_put_values(&w, &acting->entry->resource, acting->values, false);
    json_field_str(&w, "purpose", acting->act->purpose);
    json_field_str(&w, "resource", acting->act->resource);
    json_end_object(&w);
    return acting->request.err;
}

static void look_up(struct hub_acting *acting)
{
    struct hub_act *act = acting->act;
    acting->note = (struct act_write){.write = {.loop = act->loop},
        .note = ACT_NOTE_BEGIN,
        .party = act->party,
        .resource = acting->entry->resource.name,
        .key = act->key,
        .request = crypto_sha256(buf_str(&acting->request)),
        .is_once = acting->entry->resource.is_at_most_once,
        .now = acting->now,
        .done = noted};
    buf_init(&acting->note.answer, HUB_ACT_ANSWER_MAX + 1024);
    if (hub_acts_submit(acting->hub->acts, &acting->note) != ERR_OK)
        give_up(acting, ERR_BUSY, "too many acts wait for the disk; ask again with the same key");
}

/* ---- what is asked ---- */

void hub_act_put_values(struct json_writer *w, const struct hub_resource *resource, const struct value *values, bool personal_only)
{
    bool is_put[HUB_FIELDS_MAX] = {false};
    json_begin_object(w);
    for (size_t n = 0; n < resource->n_fields; n++) { /* by name, as RFC 8785 wants it */
        int first = -1;
        for (size_t i = 0; i < resource->n_fields; i++)
            if (!is_put[i] && (first < 0 || str_compare(resource->fields[i].name, resource->fields[first].name) < 0))
                first = (int)i;
        is_put[first] = true;
        if (values[first].type != VALUE_NULL && (!personal_only || resource->fields[first].class >= HUB_PERSONAL)) {
            json_key_str(w, resource->fields[first].name);
            json_put_value(w, values[first]);
        }
    }
    json_end_object(w);
}

/* After the decision: the parameters granted are declared ones. */
static enum err resolve(struct hub_acting *acting, struct diag *diag)
{
    const struct hub_act *act = acting->act;
    const struct hub_resource *resource = &acting->entry->resource;
    memset(acting->values, 0, sizeof acting->values);
    for (size_t i = 0; i < act->n_values; i++) {
        int at = hub_field_find(resource, act->names[i]);
        if (at < 0 || acting->values[at].type != VALUE_NULL)
            return diag_set(diag, ERR_RANGE, NULL, 0, "parameter \"" STR_FORMAT "\" is given twice", STR_ARG(act->names[i]));
        if (act->values[i].type != resource->fields[at].type)
            return diag_set(diag, ERR_RANGE, NULL, 0, "parameter \"" STR_FORMAT "\" has to be of type %s", STR_ARG(act->names[i]),
                value_type_name(resource->fields[at].type));
        acting->values[at] = act->values[i];
    }
    for (size_t i = 0; i < resource->n_fields; i++)
        if (resource->fields[i].is_key && acting->values[i].type == VALUE_NULL)
            return diag_set(diag, ERR_RANGE, NULL, 0, "parameter \"" STR_FORMAT "\" is missing", STR_ARG(resource->fields[i].name));
    return ERR_OK;
}

static bool is_key(struct str key)
{
    for (size_t i = 0; i < key.len; i++) {
        char c = key.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == ':' || c == '-'))
            return false;
    }
    return key.len >= 1 && key.len <= HUB_ACT_KEY_MAX;
}

static void begin(struct hub_acting *acting)
{
    struct hub *hub = acting->hub;
    struct hub_act *act = acting->act;
    struct hub_refusal refusal = {0};
    const struct decide_request request = {.party = act->party,
        .resource = act->resource,
        .use = STR("act"),
        .purpose = act->purpose,
        .fields = act->names,
        .n_fields = act->n_values,
        .subjects = DECIDE_NONE};
    if (atomic_load_explicit(&hub->is_stopping, memory_order_relaxed)) {
        refuse(acting, ERR_UNAVAILABLE, "the hub is stopping");
        return;
    }
    acting->now = clock_wall(hub->clock);
    enum err err = hub_choose(hub, &request, act->contract, acting->now, true, &acting->contract, &refusal);
    if (err == ERR_STATE) { /* the quota's reservation is on its way to the disk */
        if (++acting->n_retries > RETRIES_MAX || loop_timer_start(act->loop, &acting->retry, RETRY_MS) != ERR_OK)
            refuse(acting, ERR_BUSY, "the quota could not be reserved in time; try again");
        return;
    }
    if (err) {
        refuse_with(acting, &refusal);
        return;
    }
    err = resolve(acting, &refusal.diag);
    if (!err && !is_key(act->key))
        err = diag_set(&refusal.diag, ERR_RANGE, NULL, 0, "\"key\" has 1 to %d of the characters A-Z a-z 0-9 _ . : -", HUB_ACT_KEY_MAX);
    if (!err && (!acting->entry->system || !acting->entry->system->system || !hub->acts))
        err = diag_set(&refusal.diag, ERR_UNAVAILABLE, NULL, 0, "the department's system is not available");
    if (!err && acting->entry->resource.is_at_most_once && hub->feed.is_follower) /* its key stands in one process's store */
        err =
            diag_set(&refusal.diag, ERR_UNAVAILABLE, NULL, 0, "a command that is done at most once is asked of the hub that has the desk");
    if (!err)
        err = put_request(acting);
    if (err) {
        give_up(acting, err == ERR_RANGE ? err : ERR_UNAVAILABLE, refusal.diag.text[0] ? refusal.diag.text : err_text(err));
        return;
    }
    /* Two askers may use the same key: the department sees them apart. */
    snprintf(acting->key, sizeof acting->key, STR_FORMAT " " STR_FORMAT, STR_ARG(act->party), STR_ARG(act->key));
    look_up(acting);
}

static void begin_task(struct loop_task *task)
{
    struct hub_acting *acting = container_of(task, struct hub_acting, task);
    if (acting->entry && acting->entry->resource.kind == HUB_COMMAND && acting->act->n_values <= HUB_FIELDS_MAX) {
        begin(acting);
        return;
    }
    struct hub_refusal refusal = hub_refusal_unknown();
    refuse_with(acting, &refusal);
}

static void begin_again(struct loop_timer *timer)
{
    begin(container_of(timer, struct hub_acting, retry));
}

void hub_act_start(struct hub *hub, struct hub_act *act)
{
    struct hub_acting *acting = mem_alloc_zero(1, sizeof *acting);
    act->receipt[0] = '\0';
    act->json = STR_NONE;
    act->is_repeated = false;
    if (!acting) {
        act->refusal = (struct hub_refusal){.err = ERR_NO_MEMORY};
        act->done(act);
        return;
    }
    acting->hub = hub;
    acting->act = act;
    acting->entry = names_get(&hub->entry_names, act->resource);
    acting->started = clock_mono(hub->clock);
    acting->retry.fn = begin_again;
    acting->task.fn = begin_task;
    buf_init(&acting->request, REQUEST_MAX);
    buf_init(&acting->answer, HUB_ACT_ANSWER_MAX);
    hub_work_begin(hub); /* until it is destroyed, or its outcome is on its way */
    loop_post(act->loop, &acting->task);
}
