/*
 * Objects for another hub: a use as anybody's here (hub/object.h), decided and with both leaves, whose pieces leave when they are asked
 * for. A piece is read when the one before was asked past, and nothing is read ahead: a reader who stands still over there costs one open
 * object and one piece here, for DISTRICT_READER_MS at most.
 *
 * The outcome leaf tells how many bytes left, from where on, and their digest, as at the asker's.
 */
#include "district/parts.h"

#include <string.h>

static bool has_room(struct serving *serving)
{
    size_t n_of_peer = 0;
    for (const struct serving *one = serving->district->serving; one; one = one->next)
        n_of_peer += one->is_counted && one->peer == serving->peer;
    return serving->district->n_objects < DISTRICT_OBJECTS_MAX && n_of_peer < DISTRICT_OBJECTS_OF_PEER;
}

static void refuse(struct serving *serving)
{
    const struct hub_refusal *refusal = &serving->object.refusal;
    bool was_permitted = serving->object.receipt[0] != '\0';
    /* That there is no such object is said to who may ask for it; that there is no contract is not told apart from a denial. */
    enum err err = refusal->err == ERR_NOT_FOUND && !was_permitted ? ERR_DENIED : refusal->err;
    serving_send_error(serving, err, refusal->rule, str_from_c(serving->object.receipt));
}

static void ready(struct hub_object_use *use)
{
    struct serving *serving = container_of(use, struct serving, object);
    struct district *district = serving->district;
    struct hub_object_ask opened = {.n_bytes = use->n_bytes, .is_version_weak = use->is_version_weak};
    if (use->refusal.err) {
        refuse(serving);
        return;
    }
    if (atomic_load_explicit(&serving->is_cancelled, memory_order_relaxed)) { /* they did not wait for it */
        hub_object_end(use, ERR_CANCELLED, 0);
        serving_send_error(serving, ERR_CANCELLED, 0, str_from_c(use->receipt));
        return;
    }
    serving->is_object = true;
    memcpy(opened.media_type, use->media_type, sizeof opened.media_type);
    memcpy(opened.version, use->version, sizeof opened.version);
    buf_reset(&district->out);
    district_reply_write(&(struct district_reply){0}, &district->out);
    hub_put_opened(&district->out, &opened);
    serving_send(serving, str_from_c(use->receipt));
}

/* The last of it that the hub does with the use's serving: it may be gone when serving_send() returns. */
static void piece(struct hub_object_use *use, enum err err, struct str bytes)
{
    struct serving *serving = container_of(use, struct serving, object);
    struct district *district = serving->district;
    serving->last = err;
    if (err) {
        serving_send_error(serving, err, 0, str_from_c(use->receipt));
        return;
    }
    serving->from += bytes.len;
    serving->left -= bytes.len;
    serving->n_given += bytes.len;
    buf_reset(&district->out);
    district_reply_write(&(struct district_reply){.is_more = serving->left > 0}, &district->out);
    hub_put_piece(&district->out, bytes);
    serving_send(serving, str_from_c(use->receipt));
}

enum err serving_object_start(struct serving *serving, const struct hub_contract_info *info, const struct district_question *question)
{
    struct district *district = serving->district;
    struct hub_object_use *use = &serving->object;
    if (!has_room(serving)) {
        metric_add(&district->figures.objects_full, 1);
        return ERR_FULL;
    }
    *use = (struct hub_object_use){
        SERVING_USE_OF(info, serving),
        .loop = district->loop,
        .ready = ready,
        .piece = piece,
    };
    enum err err = arena_copy_str(&serving->arena, question->key, &use->key);
    if (!err)
        err = arena_copy_str(&serving->arena, question->range, &use->range);
    if (err)
        return err;
    serving->is_counted = true;
    district->n_objects++;
    hub_object_start(district->hub, use);
    return ERR_OK;
}

/* The first piece says which range it is; each other follows the one before. */
static bool begin_range(struct serving *serving, const struct district_question *question)
{
    uint64_t n_bytes = serving->object.n_bytes;
    if (serving->is_begun)
        return question->from == serving->from && question->left == serving->left && serving->left > 0;
    if (question->left == 0 || question->from > n_bytes || question->left > n_bytes - question->from)
        return false;
    serving->is_begun = true;
    serving->from = question->from;
    serving->left = question->left;
    hub_object_range(&serving->object, question->from, question->left);
    return true;
}

void serving_object_read(struct serving *serving, const struct district_question *question)
{
    if (!serving->last && question->what == DISTRICT_READ && begin_range(serving, question))
        hub_object_next(&serving->object);
    else
        serving_send_error(serving, serving->last ? serving->last : ERR_RANGE, 0, str_from_c(serving->object.receipt));
}

void serving_object_end(struct serving *serving)
{
    /* Opened and not read is what `HEAD` does, and who has it already. */
    enum err err = serving->last ? serving->last : serving->is_begun && serving->left > 0 ? ERR_CANCELLED : ERR_OK;
    hub_object_end(&serving->object, err, serving->n_given);
}
