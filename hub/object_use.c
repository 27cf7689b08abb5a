/*
 * Uses of objects (hub/object.h): decide, both leaves, and a piece at a time between.
 *
 * What is told in the outcome is what was given to the network, counted and digested as it goes: also of a transfer that was broken off.
 */
#include "base/log.h"
#include "base/mem.h"
#include "hub/object_parts.h"

#include <string.h>

#define TOLD_MAX 1024 /* uses whose outcomes are found by their intents: a program asks right after its transfer */
#define NOT_YET UINT64_MAX
#define STOP_MS 10000

struct hub_objects {
    _Atomic int64_t n_open; /* at the connectors */
    pthread_mutex_t lock;   /* guards what follows */
    struct {
        uint64_t intent, outcome;
    } told[TOLD_MAX];
    size_t n_told;
};

struct using
{
    struct hub *hub;
    struct hub_object_use *use; /* NULL once the asker has ended it */
    struct hub_entry *entry;
    struct hub_contract *contract;
    struct wall_time now;
    struct mono_time started;
    struct hub_blob *blob; /* of an object in memory */
    void *object;          /* the connector's; NULL: none is open */
    struct hub_object_ask ask;
    bool is_intent_done, is_open_done, is_reading;
    uint64_t total, first, n, n_read; /* the range, and how much of it was read */
    char *buffer;
    struct str piece;
    struct crypto_hash *hash; /* of what was taken: all pieces but the last */
    uint64_t n_hashed, n_given;
    enum err err;
    struct ledger_append intent;
    struct loop_task task;
    struct hub_waiter waiter;
    struct hub_leaf leaf;
    struct hub_follow outcome;
};

static const struct str bytes_field[] = {STR_INIT("bytes")};

/* ---- which outcome belongs to an intent ---- */

enum err hub_objects_create(struct hub *hub)
{
    hub->objects = mem_alloc_zero(1, sizeof *hub->objects);
    if (!hub->objects)
        return ERR_NO_MEMORY;
    pthread_mutex_init(&hub->objects->lock, NULL);
    return ERR_OK;
}

void hub_objects_destroy(struct hub *hub)
{
    if (hub->objects)
        pthread_mutex_destroy(&hub->objects->lock);
    mem_free(hub->objects);
    hub->objects = NULL;
}

void hub_objects_stop(struct hub *hub)
{
    for (int i = 0; hub->objects && i < STOP_MS / 10 && atomic_load(&hub->objects->n_open) > 0; i++)
        if (loop_run_once(hub->loop, 10))
            break;
}

static void remember(struct hub *hub, uint64_t intent, uint64_t outcome)
{
    struct hub_objects *objects = hub->objects;
    pthread_mutex_lock(&objects->lock);
    if (outcome == NOT_YET) {
        objects->told[objects->n_told % TOLD_MAX].intent = intent;
        objects->told[objects->n_told++ % TOLD_MAX].outcome = outcome;
    } else {
        size_t n = objects->n_told < TOLD_MAX ? objects->n_told : TOLD_MAX;
        for (size_t i = 0; i < n; i++)
            if (objects->told[i].intent == intent)
                objects->told[i].outcome = outcome;
    }
    pthread_mutex_unlock(&objects->lock);
}

enum err hub_object_outcome(struct hub *hub, uint64_t intent, uint64_t *ret_outcome)
{
    struct hub_objects *objects = hub->objects;
    enum err err = ERR_NOT_FOUND;
    pthread_mutex_lock(&objects->lock);
    size_t n = objects->n_told < TOLD_MAX ? objects->n_told : TOLD_MAX;
    for (size_t i = 0; i < n && err == ERR_NOT_FOUND; i++)
        if (objects->told[i].intent == intent) {
            err = objects->told[i].outcome == NOT_YET ? ERR_BUSY : ERR_OK;
            if (!err)
                *ret_outcome = objects->told[i].outcome;
        }
    pthread_mutex_unlock(&objects->lock);
    return err;
}

/* ---- the end ---- */

static void destroy(struct using *using)
{
    hub_blob_release(using->blob);
    crypto_hash_destroy(using->hash);
    mem_free(using->buffer);
    mem_free(using);
}

static void outcome_written(struct hub_follow *follow, enum err err)
{
    struct using *using = container_of(follow, struct using, outcome);
    if (err)
        log_write(LOG_ERROR, "hub", "an outcome could not be written", LOG_ERR(err), LOG_END);
    else
        remember(using->hub, using->intent.index, follow->append.index);
    destroy(using);
}

/* Of the bytes that were given to the network. */
static enum err digest(struct using *using, struct sha256 *ret_digest)
{
    if (using->blob && using->n_given == using->total) {
        *ret_digest = using->blob->digest;
        return ERR_OK;
    }
    if (!using->hash) {
        *ret_digest = crypto_sha256(str_slice(using->piece, 0, (size_t) using->n_given));
        return ERR_OK;
    }
    enum err err = crypto_hash_add(using->hash, str_slice(using->piece, 0, (size_t)(using->n_given - using->n_hashed)));
    return err ? err : crypto_hash_end(using->hash, ret_digest);
}

static void close_object(struct using *using)
{
    if (!using->object)
        return;
    using->entry->system->ops->objects->close(using->object);
    using->object = NULL;
    atomic_fetch_sub(&using->hub->objects->n_open, 1);
}

static void tell_outcome(struct using *using, bool was_open)
{
    struct hub *hub = using->hub;
    struct hub_outcome outcome = {
        .intent = using->intent.index,
        .n_rows = using->err ? 0 : 1,
        .has_digest = was_open,
        .is_object = was_open,
        .n_bytes = using->n_given,
        .first = using->first,
        .total = using->total,
        .status = hub_outcome_status(using->err),
        .duration_us = (clock_mono(hub->clock).ns - using->started.ns) / 1000,
        .now = clock_wall(hub->clock),
    };
    enum err err = was_open ? digest(using, &outcome.digest) : ERR_OK;
    if (!err)
        err = hub_leaf_outcome(hub, &outcome, &using->outcome.leaf);
    using->outcome.finished = outcome_written;
    if (err)
        outcome_written(&using->outcome, err);
    else
        hub_follow_start(hub, &using->outcome);
}

static void finish(struct using *using)
{
    struct hub *hub = using->hub;
    close_object(using);
    tell_outcome(using, true);
    hub_work_end(hub);
}

void hub_object_end(struct hub_object_use *use, enum err err, uint64_t n_given)
{
    struct using *using = use->hub_state;
    using->use = NULL;
    using->err = err;
    using->n_given = n_given;
    if (!using->is_reading)
        finish(using);
}

const struct hub_blob *hub_object_blob(const struct hub_object_use *use)
{
    return ((struct using *)use->hub_state)->blob;
}

/* ---- pieces ---- */

void hub_object_range(struct hub_object_use *use, uint64_t first, uint64_t n)
{
    struct using *using = use->hub_state;
    using->first = first;
    using->n = n;
}

/* The piece before was taken: into the digest. */
static enum err add_piece(struct using *using)
{
    enum err err = using->hash ? ERR_OK : crypto_hash_create(&using->hash);
    if (!err)
        err = crypto_hash_add(using->hash, using->piece);
    using->n_hashed += using->piece.len;
    using->piece = STR_NONE;
    return err;
}

/* State, dates and freshness; the quotas counted the use when it began. */
static bool is_still_permitted(const struct using *using)
{
    const struct decide_contract *terms = &using->contract->terms;
    const struct decide_request request = {
        .party = terms->consumer,
        .resource = terms->resource,
        .use = STR("call"),
        .purpose = terms->purpose,
        .fields = bytes_field,
        .n_fields = 1,
        .subjects = DECIDE_NONE,
    };
    int rule = 0;
    return !hub_contract_decide(using->contract, &request, clock_wall(using->hub->clock), false, &rule) && rule == 0;
}

static void piece_read(struct hub_object_ask *ask)
{
    struct using *using = container_of(ask, struct using, ask);
    using->is_reading = false;
    if (!using->use) { /* it was ended meanwhile */
        using->piece = STR_NONE;
        finish(using);
        return;
    }
    using->piece = ask->err ? STR_NONE : (struct str){ask->out, ask->n};
    using->n_read += using->piece.len;
    using->use->piece(using->use, ask->err, using->piece);
}

static enum err next_piece(struct using *using)
{
    uint64_t left = using->n - using->n_read;
    size_t n = left < HUB_OBJECT_PIECE ? (size_t)left : HUB_OBJECT_PIECE;
    enum err err = using->piece.len ? add_piece(using) : ERR_OK;
    if (err)
        return err;
    if (atomic_load_explicit(&using->hub->is_stopping, memory_order_relaxed))
        return ERR_UNAVAILABLE;
    if (!is_still_permitted(using))
        return ERR_DENIED;
    if (using->blob) {
        using->piece = str_slice(using->blob->bytes, (size_t)(using->first + using->n_read), n);
        using->n_read += n;
        return ERR_OK;
    }
    if (!using->buffer)
        using->buffer = mem_alloc(n); /* the first is the longest */
    if (!using->buffer)
        return ERR_NO_MEMORY;
    using->ask = (struct hub_object_ask){.at = using->first + using->n_read,
        .n = n,
        .out = using->buffer,
        .is_last = n == left,
        .loop = using->use->loop,
        .done = piece_read};
    using->is_reading = true;
    using->entry->system->ops->objects->read(using->object, &using->ask);
    return ERR_OK;
}

void hub_object_next(struct hub_object_use *use)
{
    struct using *using = use->hub_state;
    enum err err = next_piece(using);
    if (err)
        use->piece(use, err, STR_NONE);
    else if (using->blob)
        use->piece(use, ERR_OK, using->piece);
}

/* ---- the beginning ---- */

static void refuse_task(struct loop_task *task)
{
    struct using *using = container_of(task, struct using, task);
    using->use->ready(using->use);
    destroy(using);
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
        remember(hub, using->intent.index, NOT_YET);
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
    close_object(using);
    using->err = err;
    if (using->intent.err)
        destroy(using);
    else
        tell_outcome(using, false);
    hub_work_end(hub);
}

static void intent_written(struct ledger_append *append)
{
    struct using *using = container_of(append, struct using, intent);
    using->is_intent_done = true;
    if (using->is_open_done)
        begin(using);
}

static void opened(struct hub_object_ask *ask)
{
    struct using *using = container_of(ask, struct using, ask);
    if (ask->err)
        atomic_fetch_sub(&using->hub->objects->n_open, 1);
    else
        using->object = ask->object;
    using->is_open_done = true;
    if (using->is_intent_done)
        begin(using);
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
    json_put_str(&w, bytes_field[0]);
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
        .fields = bytes_field,
        .n_fields = 1,
        .request = write_request(using, key, &text, &key_text),
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
    struct value key;
    enum err err = read_key(using, &key);
    if (!err && !system)
        err = open_blob(using);
    if (!err && system && !system->system)
        err = ERR_UNAVAILABLE;
    if (!err)
        err = append_intent(using, key);
    if (err || !system)
        return err;
    using->ask.resource = &using->entry->resource;
    using->ask.key = key;
    using->ask.loop = using->use->loop;
    using->ask.done = opened;
    atomic_fetch_add(&using->hub->objects->n_open, 1);
    system->ops->objects->open(system->system, &using->ask);
    return ERR_OK;
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
        .fields = bytes_field,
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
