/*
 * How a use of an object begins (hub/object.h): decide, then the intent leaf and the opening, side by side where the connector does not
 * need the leaf's number. How it goes on: hub/object_piece.c.
 */
#include "base/log.h"
#include "base/mem.h"
#include "hub/object_inside.h"

#include <string.h>

static void refuse_task(struct loop_task *task)
{
    struct using *using = container_of(task, struct using, task);
    using->use->ready(using->use);
    hub_object_destroy(using);
}

static void refuse(struct using *using, struct hub_refusal refusal)
{
    using->use->refusal = refusal;
    using->task.fn = refuse_task;
    loop_post(using->use->loop, &using->task);
}

static struct hub_refusal refusal_err(enum err err, const char *why)
{
    struct hub_refusal refusal = {.err = err};
    diag_set(&refusal.diag, err, NULL, 0, "%s", why);
    return refusal;
}

static const char *open_text(enum err err)
{
    switch (err) {
    case ERR_NOT_FOUND:
        return "the department has no such object";
    case ERR_TIMEOUT:
        return "the department's system did not answer in time";
    case ERR_FULL:
    case ERR_BUSY:
        return "the department's system has too much to do; try again";
    default:
        return "the department's system is not available";
    }
}

/* Intent and object have come, on the asker's loop. */
static void begin(struct using *using)
{
    struct hub_object_use *use = using->use;
    struct hub *hub = using->hub;
    enum err err = using->ask.err;
    if (!using->intent.err) {
        hub_receipt(hub, using->intent.index, use->receipt);
        hub_object_remember(hub, using->intent.index, HUB_OBJECT_NOT_YET);
    }
    if (!using->intent.err && !err) {
        use->refusal = (struct hub_refusal){0};
        use->n_bytes = using->total = using->n = using->ask.n_bytes;
        use->is_version_weak = using->ask.is_version_weak;
        memcpy(use->media_type, using->ask.media_type, sizeof use->media_type);
        memcpy(use->version, using->ask.version, sizeof use->version);
        use->hub_state = using;
        use->ready(use); /* hub_object_end() from now on */
        return;
    }
    use->refusal = using->intent.err ? refusal_err(ERR_UNAVAILABLE, "no receipt can be written") : refusal_err(err, open_text(err));
    use->ready(use); /* it is the caller's again */
    hub_object_close(using);
    using->err = err;
    if (using->intent.err)
        hub_object_destroy(using);
    else
        hub_object_tell_outcome(using, false);
    hub_work_end(hub);
}

static void opened(struct hub_object_ask *ask)
{
    struct using *using = container_of(ask, struct using, ask);
    memcpy(using->twin, ask->twin, sizeof using->twin);
    if (ask->err)
        hub_objects_opening(using->hub, -1);
    else
        using->object = ask->object;
    using->is_open_done = true;
    if (using->is_intent_done)
        begin(using);
}

static void open_object(struct using *using)
{
    struct hub_system *system = using->entry->system;
    hub_objects_opening(using->hub, 1);
    system->ops->objects->open(system->system, &using->ask);
}

static bool needs_intent(const struct using *using)
{
    return using->entry->system && using->entry->system->ops->objects->needs_intent;
}

static void intent_written(struct ledger_append *append)
{
    struct using *using = container_of(append, struct using, intent);
    using->is_intent_done = true;
    if (needs_intent(using) && !append->err) {
        using->ask.intent = append->index;
        using->ask.has_intent = true;
        open_object(using);
    } else if (needs_intent(using) || using->is_open_done) {
        begin(using);
    }
}

/* An object in memory is open when it is asked for: as it was then it is given. */
static enum err open_blob(struct using *using)
{
    using->blob = hub_blob_hold(using->entry);
    if (!using->blob)
        return ERR_UNAVAILABLE;
    struct hub_object_ask *ask = &using->ask;
    ask->n_bytes = using->blob->bytes.len;
    crypto_hex(using->blob->digest.bytes, 32, ask->version);
    using->is_open_done = true;
    return str_to_c(using->blob->media_type, ask->media_type, sizeof ask->media_type);
}

/* The key as its field has it. */
static enum err read_key(struct using *using, struct value *ret_key)
{
    const struct hub_field *field = using->entry->object_key;
    struct str text = using->use->key;
    int64_t i = 0;
    if (!field != str_is_empty(text) || text.len > HUB_OBJECT_KEY_MAX || !str_is_utf8(text))
        return ERR_RANGE;
    *ret_key = !field ? VALUE_NONE : value_text(text);
    if (field && field->type == VALUE_INTEGER) {
        *ret_key = str_to_i64(text, &i) ? VALUE_NONE : value_integer(i);
        return ret_key->type == VALUE_NULL ? ERR_RANGE : ERR_OK;
    }
    return ERR_OK;
}

/* {"fields":["bytes"],"key":{…},"purpose":…,"range":…,"resource":…} in RFC 8785 form; without a range without the member. */
static struct str write_request(struct using *using, struct value key, struct buf *out, struct str *ret_key)
{
    struct json_writer w;
    json_writer_init(&w, out);
    json_begin_object(&w);
    json_key(&w, "fields");
    json_begin_array(&w);
    json_put_str(&w, hub_object_fields[0]);
    json_end_array(&w);
    json_key(&w, "key");
    size_t from = out->len;
    json_begin_object(&w);
    if (using->entry->object_key) {
        json_key_str(&w, using->entry->object_key->name);
        json_put_value(&w, key);
    }
    json_end_object(&w);
    size_t to = out->len;
    json_field_str(&w, "purpose", using->contract->terms.purpose);
    if (!str_is_empty(using->use->range))
        json_field_str(&w, "range", using->use->range);
    json_field_str(&w, "resource", using->contract->terms.resource);
    json_end_object(&w);
    *ret_key = str_slice(buf_str(out), from, to - from);
    return buf_str(out);
}

static enum err append_intent(struct using *using, struct value key)
{
    struct buf text;
    struct str key_text;
    buf_init(&text, HUB_REQUEST_MAX);
    struct hub_intent intent = {
        .contract = using->contract,
        .use = "call",
        .fields = hub_object_fields,
        .n_fields = 1,
        .request = write_request(using, key, &text, &key_text),
        .twin = using->use->twin,
        .now = using->now,
    };
    if (using->entry->has_personal_key) {
        intent.subjects = &key_text;
        intent.n_subjects = 1;
    }
    enum err err = text.err;
    if (!err)
        err = hub_leaf_intent(using->hub, &intent, &using->leaf);
    buf_finish(&text);
    if (err)
        return err;
    using->intent = (struct ledger_append){.leaf = {using->leaf.bytes, using->leaf.len}, .loop = using->use->loop, .done = intent_written};
    hub_work_begin(using->hub); /* until the end */
    err = ledger_append(using->hub->ledger, &using->intent);
    if (err)
        hub_work_end(using->hub);
    return err;
}

/* Permitted and counted. */
static enum err start(struct using *using)
{
    struct hub_system *system = using->entry->system;
    const bool is_by_intent = needs_intent(using); /* before the intent, with which `using` may end */
    struct value key;
    enum err err = read_key(using, &key);
    if (!err && !system)
        err = open_blob(using);
    if (!err && system && !system->system)
        err = ERR_UNAVAILABLE;
    if (err)
        return err;
    using->ask.contract = using->contract->name; /* all of it before the intent, which may be written on another thread */
    using->ask.resource = &using->entry->resource;
    using->ask.key = key;
    using->ask.range = using->use->range;
    using->ask.loop = using->use->loop;
    using->ask.done = opened;
    err = append_intent(using, key);
    if (!err && system && !is_by_intent)
        open_object(using);
    return err;
}

static const char *start_text(const struct using *using, enum err err)
{
    if (err == ERR_RANGE)
        return !using->entry->object_key                         ? "this object is asked for without a key"
               : using->entry->object_key->type == VALUE_INTEGER ? "this object is asked for by its key, an integer"
                                                                 : "this object is asked for by its key, a text of at most 200 bytes";
    return err == ERR_FULL ? "too much is waiting already" : "the object or its receipt is not to be had now";
}

/* Decides; begins when it is permitted. Again when a quota's reservation has come to disk. */
static void choose(struct using *using)
{
    struct hub *hub = using->hub;
    const struct hub_object_use *use = using->use;
    struct hub_refusal refusal = {0};
    const struct decide_request request = {
        .party = use->party,
        .resource = use->resource,
        .use = STR("call"),
        .purpose = use->purpose,
        .fields = hub_object_fields,
        .n_fields = 1,
        .subjects = DECIDE_NONE,
    };
    if (atomic_load_explicit(&hub->is_stopping, memory_order_relaxed)) {
        refuse(using, refusal_err(ERR_UNAVAILABLE, "the hub is stopping"));
        return;
    }
    enum err err = hub_choose(hub, &request, use->contract, using->now, true, &using->contract, &refusal);
    if (err == ERR_STATE) {
        if (!hub_wait(hub, &using->waiter))
            refuse(using, refusal_err(ERR_BUSY, "too many uses wait for the quota's reservation; try again"));
        return;
    }
    if (err) {
        refuse(using, refusal);
        return;
    }
    err = start(using);
    if (err) {
        hub_quota_give_back(using->contract, using->now);
        refuse(using, refusal_err(err == ERR_FULL || err == ERR_RANGE ? err : ERR_UNAVAILABLE, start_text(using, err)));
    }
}

static void choose_again(struct hub_waiter *waiter)
{
    choose(container_of(waiter, struct using, waiter));
}

void hub_object_start(struct hub *hub, struct hub_object_use *use)
{
    struct using *using = mem_alloc_zero(1, sizeof *using);
    use->receipt[0] = '\0';
    if (!using) { /* nothing can be posted without memory; every other refusal comes later, on the loop */
        use->refusal = refusal_err(ERR_NO_MEMORY, err_text(ERR_NO_MEMORY));
        use->ready(use);
        return;
    }
    using->hub = hub;
    using->use = use;
    using->waiter.again = choose_again;
    using->started = clock_mono(hub->clock);
    using->now = clock_wall(hub->clock);
    using->entry = names_get(&hub->entry_names, use->resource);
    struct hub_refusal refusal = hub_refusal_unknown();
    if (!using->entry || using->entry->resource.kind != HUB_OBJECT) {
        refuse(using, refusal);
        return;
    }
    choose(using);
}
