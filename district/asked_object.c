/*
 * Objects at another hub: opened under our intent's number, and read piece by piece, each a part of the use, which goes out when our reader
 * has taken the one before. So whoever stands still costs a few hundred bytes here, and there an open object with one piece of it.
 *
 * A piece that does not come ends the transfer, and is not asked for again: the link is cut then, and the reader goes on later with a
 * range. A transfer takes as long as its reader does, and receipts are told in order: so their leaf is not named by our outcome but by a
 * leaf of its own as soon as we hear of it (district/naming.c), and the use ends there when we say that it is over.
 */
#include "district/parts.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

static void ended(struct loop_task *task)
{
    struct hub_object_ask *ask = container_of(task, struct hub_object_ask, task);
    ask->done(ask);
}

static void end(struct hub_object_ask *ask, enum err err)
{
    ask->err = err;
    ask->task.fn = ended;
    loop_post(ask->loop, &ask->task);
}

/* ---- it is over ---- */

static void over(struct loop_task *task)
{
    struct district_long *object = container_of(task, struct district_long, task);
    struct district *district = object->district;
    const struct district_event event = {
        .kind = DISTRICT_GIVE_UP, .peer = (size_t)district->peer_of[object->hub], .intent = object->intent, .is_over = true};
    mem_free(object);
    district_drive(district, event);
}

void district_long_close(struct district_long *object)
{
    object->task.fn = over;
    if (!district_post(object->district, &object->task)) /* the other hub finds out by itself */
        mem_free(object);
}

/* ---- asking ---- */

/* The object's key as text: the provider's hub reads it by its own declaration. */
static struct str key_text(struct value key, char text[32])
{
    if (key.type != VALUE_INTEGER)
        return key.type == VALUE_TEXT ? key.s : STR_NONE;
    snprintf(text, 32, "%lld", (long long)key.i);
    return str_from_c(text);
}

static enum err write_opening(struct district *district, const struct hub_object_ask *ask)
{
    char text[32];
    const struct district_question question = {.what = DISTRICT_OBJECT,
        .contract = ask->contract,
        .resource = ask->resource,
        .key = key_text(ask->key, text),
        .range = ask->range};
    return asked_write(district, &question);
}

void district_object_open(struct district *district, int hub, struct hub_object_ask *ask)
{
    struct asked *asked = ask->has_intent ? asked_create(district, hub, ask->intent) : NULL;
    struct district_long *object = asked ? mem_alloc_zero(1, sizeof *object) : NULL;
    if (!object || write_opening(district, ask)) {
        mem_free(object);
        mem_free(asked);
        end(ask, ERR_UNAVAILABLE);
        return;
    }
    *object = (struct district_long){.district = district, .hub = hub, .intent = ask->intent, .contract = ask->contract};
    asked->what = DISTRICT_OBJECT;
    asked->object_ask = ask;
    asked->object = object;
    asked_drive(asked, false, DISTRICT_LONG_MS);
}

void district_object_read(struct district_long *object, struct hub_object_ask *ask)
{
    struct district *district = object->district;
    struct asked *asked = asked_create(district, object->hub, object->intent);
    const struct district_question question = {.what = DISTRICT_READ, .from = ask->at, .left = ask->left};
    if (!asked || asked_write(district, &question)) {
        mem_free(asked);
        end(ask, ERR_UNAVAILABLE);
        return;
    }
    asked->what = DISTRICT_READ;
    asked->object_ask = ask;
    asked->object = object;
    asked_drive(asked, true, DISTRICT_LONG_MS);
}

/* ---- answers ---- */

void asked_object_end(struct asked *asked, enum err err)
{
    struct hub_object_ask *ask = asked->object_ask;
    bool is_opening = asked->what == DISTRICT_OBJECT;
    if (is_opening && err)
        district_long_close(asked->object);
    ask->object = is_opening && !err ? asked->object : NULL;
    end(ask, err);
}

static enum err read_piece(struct asked *asked, struct str bytes, enum err *ret_told)
{
    struct hub_object_ask *ask = asked->object_ask;
    struct str piece = STR_NONE;
    enum err err = hub_get_piece(bytes, &piece, ret_told);
    if (!err && !*ret_told && piece.len != ask->n)
        err = ERR_SYNTAX;
    if (!err && !*ret_told && piece.len)
        memcpy(ask->out, piece.ptr, piece.len);
    return err;
}

enum err asked_object_read(struct asked *asked, struct str bytes, int rule)
{
    enum err told = ERR_OK;
    enum err err = asked->what == DISTRICT_OBJECT ? hub_get_opened(bytes, asked->object_ask, &told) : read_piece(asked, bytes, &told);
    if (err)
        return asked_malformed(asked);
    if (told)
        asked_log_refusal(asked, rule, told);
    switch (told) {
    case ERR_OK:
    case ERR_TIMEOUT:
    case ERR_FULL:
    case ERR_BUSY:
    case ERR_NOT_FOUND: /* there is no such object */
    case ERR_STATE:     /* it is another one by now */
    case ERR_CANCELLED:
        return told;
    case ERR_DENIED: /* no longer permitted; to open: its hub and ours do not hold the same, which is nobody's affair outside */
        return asked->what == DISTRICT_READ ? told : ERR_UNAVAILABLE;
    default:
        return ERR_UNAVAILABLE;
    }
}
