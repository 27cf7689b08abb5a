/*
 * A use of an object that has begun: piece by piece, its end, its outcome leaf (hub/object.h).
 *
 * What is told in the outcome is what was given to the network, counted and digested as it goes: also of a transfer that was broken off.
 */
#include "base/log.h"
#include "base/mem.h"
#include "hub/object_inside.h"

#include <string.h>

#define TOLD_MAX 1024 /* uses whose outcomes are found by their intents: a program asks right after its transfer */
#define STOP_MS 10000

const struct str hub_object_fields[1] = {STR_INIT("bytes")};

struct hub_objects {
    _Atomic int64_t n_open; /* at the connectors */
    pthread_mutex_t lock;   /* guards what follows */
    struct {
        uint64_t intent, outcome;
    } told[TOLD_MAX];
    size_t n_told;
};

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

void hub_objects_opening(struct hub *hub, int n)
{
    atomic_fetch_add(&hub->objects->n_open, n);
}

void hub_object_remember(struct hub *hub, uint64_t intent, uint64_t outcome)
{
    struct hub_objects *objects = hub->objects;
    pthread_mutex_lock(&objects->lock);
    if (outcome == HUB_OBJECT_NOT_YET) {
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
            err = objects->told[i].outcome == HUB_OBJECT_NOT_YET ? ERR_BUSY : ERR_OK;
            if (!err)
                *ret_outcome = objects->told[i].outcome;
        }
    pthread_mutex_unlock(&objects->lock);
    return err;
}

/* ---- the end ---- */

void hub_object_destroy(struct using *using)
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
        hub_object_remember(using->hub, using->intent.index, follow->append.index);
    hub_object_destroy(using);
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

void hub_object_close(struct using *using)
{
    if (!using->object)
        return;
    using->entry->system->ops->objects->close(using->object);
    using->object = NULL;
    hub_objects_opening(using->hub, -1);
}

void hub_object_tell_outcome(struct using *using, bool was_open)
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
        .twin = str_from_c(using->twin),
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
    hub_object_close(using);
    hub_object_tell_outcome(using, true);
    hub_work_end(hub);
}

void hub_object_end(struct hub_object_use *use, enum err err, uint64_t n_given)
{
    struct using *using = use->hub_state;
    using->use = NULL;
    using->err = err;
    using->n_given = n_given;
    atomic_store(&using->has_gone, true);
    if (!using->is_reading)
        finish(using);
}

void hub_object_give_up(struct hub_object_use *use)
{
    struct using *using = use->hub_state;
    atomic_store(&using->has_gone, true);
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
        .fields = hub_object_fields,
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
        .left = left,
        .is_last = n == left,
        .is_cancelled = &using->has_gone,
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
