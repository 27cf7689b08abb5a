/*
 * Objects (对象): bytes that their provider keeps in memory: the road network, a list. Getting one is a call without a key: the same
 * decision, the same two leaves.
 */
#include "base/log.h"
#include "base/mem.h"
#include "hub/parts.h"

#include <string.h>

#define OBJECT_MAX (256u << 20)

/* ---- the provider's side ---- */

static void blob_release(struct hub_blob *blob)
{
    if (blob && atomic_fetch_sub_explicit(&blob->n_refs, 1, memory_order_acq_rel) == 1)
        mem_free(blob);
}

void hub_object_drop(struct hub_entry *entry)
{
    pthread_mutex_lock(&entry->lock);
    blob_release(entry->blob);
    entry->blob = NULL;
    pthread_mutex_unlock(&entry->lock);
}

enum err hub_object_put(struct hub *hub, const struct hub_resource *resource, struct str media_type, struct str bytes)
{
    struct hub_entry *entry = (struct hub_entry *)hub_entry_of(resource);
    if (resource->kind != HUB_OBJECT)
        return ERR_STATE;
    if (bytes.len > OBJECT_MAX || media_type.len > HUB_NAME_MAX)
        return ERR_TOO_LARGE;
    struct hub_blob *blob = mem_alloc(sizeof *blob + media_type.len + bytes.len);
    if (!blob)
        return ERR_NO_MEMORY;
    char *at = (char *)(blob + 1);
    memcpy(at, media_type.ptr, media_type.len);
    if (bytes.len)
        memcpy(at + media_type.len, bytes.ptr, bytes.len);
    blob->media_type = (struct str){at, media_type.len};
    blob->bytes = (struct str){at + media_type.len, bytes.len};
    blob->digest = crypto_sha256(blob->bytes);
    atomic_init(&blob->n_refs, 1);
    pthread_mutex_lock(&entry->lock);
    struct hub_blob *old = entry->blob;
    entry->blob = blob;
    pthread_mutex_unlock(&entry->lock);
    blob_release(old);
    return ERR_OK;
}

static struct hub_blob *blob_hold(struct hub_entry *entry)
{
    pthread_mutex_lock(&entry->lock);
    struct hub_blob *blob = entry->blob;
    if (blob)
        atomic_fetch_add_explicit(&blob->n_refs, 1, memory_order_relaxed);
    pthread_mutex_unlock(&entry->lock);
    return blob;
}

/* ---- getting one ---- */

struct getting {
    struct hub *hub;
    struct hub_object_get *get;
    struct hub_contract *contract;
    struct hub_blob *blob;
    struct mono_time started;
    struct hub_leaf leaf;
    struct ledger_append intent;
    struct hub_follow outcome;
    struct loop_task task;
};

static void destroy(struct getting *getting)
{
    blob_release(getting->blob);
    mem_free(getting);
}

static void outcome_written(struct hub_follow *follow, enum err err)
{
    if (err)
        log_write(LOG_ERROR, "hub", "an outcome could not be written", LOG_ERR(err), LOG_END);
    destroy(container_of(follow, struct getting, outcome));
}

static void refuse_task(struct loop_task *task)
{
    struct getting *getting = container_of(task, struct getting, task);
    getting->get->done(getting->get);
    destroy(getting);
}

static void refuse(struct getting *getting, struct hub_refusal refusal)
{
    getting->get->refusal = refusal;
    getting->task.fn = refuse_task;
    loop_post(getting->get->loop, &getting->task);
}

static struct hub_refusal refusal_err(enum err err)
{
    struct hub_refusal refusal = {.err = err};
    diag_set(&refusal.diag, err, NULL, 0, "%s", err_text(err));
    return refusal;
}

/* The intent is durable: the bytes, then the outcome. */
static void answer(struct getting *getting)
{
    struct hub_object_get *get = getting->get;
    struct hub *hub = getting->hub;
    get->refusal = (struct hub_refusal){0};
    get->media_type = getting->blob->media_type;
    get->bytes = getting->blob->bytes;
    get->digest = getting->blob->digest;
    hub_receipt(hub, getting->intent.index, get->receipt);
    get->done(get); /* `get` is the caller's again */
    struct hub_outcome outcome = {
        .intent = getting->intent.index,
        .n_rows = 1,
        .has_digest = true,
        .digest = getting->blob->digest,
        .status = "ok",
        .duration_us = (clock_mono(hub->clock).ns - getting->started.ns) / 1000,
        .now = clock_wall(hub->clock),
    };
    enum err err = hub_leaf_outcome(hub, &outcome, &getting->outcome.leaf);
    getting->outcome.finished = outcome_written;
    if (err)
        outcome_written(&getting->outcome, err);
    else
        hub_follow_start(hub, &getting->outcome);
}

static void intent_written(struct ledger_append *append)
{
    struct getting *getting = container_of(append, struct getting, intent);
    struct hub *hub = getting->hub;
    if (append->err) {
        getting->get->refusal = refusal_err(ERR_UNAVAILABLE);
        getting->get->done(getting->get);
        destroy(getting);
    } else {
        answer(getting);
    }
    hub_work_end(hub);
}

static enum err append_intent(struct getting *getting, const struct decide_request *request, struct wall_time now)
{
    struct buf text;
    buf_init(&text, HUB_REQUEST_MAX);
    struct hub_intent intent = {
        .contract = getting->contract,
        .use = "call",
        .fields = request->fields,
        .n_fields = request->n_fields,
        .request = hub_request_write(&text, getting->contract, request->fields, request->n_fields, true),
        .now = now,
    };
    enum err err = text.err;
    if (!err)
        err = hub_leaf_intent(getting->hub, &intent, &getting->leaf);
    buf_finish(&text);
    if (err)
        return err;
    getting->intent =
        (struct ledger_append){.leaf = {getting->leaf.bytes, getting->leaf.len}, .loop = getting->get->loop, .done = intent_written};
    hub_work_begin(getting->hub); /* until intent_written() */
    err = ledger_append(getting->hub->ledger, &getting->intent);
    if (err)
        hub_work_end(getting->hub);
    return err;
}

void hub_object_get_start(struct hub *hub, struct hub_object_get *get)
{
    static const struct str fields[] = {STR_INIT("bytes")};
    struct getting *getting = mem_alloc_zero(1, sizeof *getting);
    if (!getting) { /* nothing can be posted without memory; every other refusal comes later, on the loop */
        get->refusal = refusal_err(ERR_NO_MEMORY);
        get->done(get);
        return;
    }
    getting->hub = hub;
    getting->get = get;
    getting->started = clock_mono(hub->clock);
    struct hub_entry *entry = names_get(&hub->entry_names, get->resource);
    struct decide_request request = {
        .party = get->party,
        .resource = get->resource,
        .use = STR("call"),
        .purpose = get->purpose,
        .fields = fields,
        .n_fields = 1,
        .subjects = DECIDE_NONE,
    };
    struct hub_refusal refusal;
    if (!entry || entry->resource.kind != HUB_OBJECT) {
        refuse(getting, hub_refusal_unknown());
        return;
    }
    struct wall_time now = clock_wall(hub->clock);
    enum err err = hub_choose(hub, &request, STR_NONE, now, true, &getting->contract, &refusal);
    if (err) {
        refuse(getting, err == ERR_STATE || err == ERR_NO_MEMORY ? refusal_err(ERR_BUSY) : refusal);
        return;
    }
    getting->blob = blob_hold(entry);
    err = getting->blob ? append_intent(getting, &request, now) : ERR_UNAVAILABLE;
    if (err) {
        hub_quota_give_back(getting->contract, now);
        refuse(getting, refusal_err(err == ERR_FULL ? ERR_FULL : ERR_UNAVAILABLE));
    }
}
