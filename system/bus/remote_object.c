/*
 * Objects at the hub's side: opened and read piece by piece, each piece a question, which is asked when the one before was taken. So the
 * reader's pace is the department's.
 *
 * A piece may be asked for again without harm, and a department's process that was started anew can answer it: while the process or the
 * way to it is gone, it is asked for again, for AWAY_MS.
 */
#include "base/log.h"
#include "base/mem.h"
#include "hub/object.h"
#include "system/bus/remote_inside.h"

#include <string.h>

#define AGAIN_MS 200
#define AWAY_MS 30000
#define TRY_MS 3000 /* a question to a process that is killed meanwhile is answered by nobody */

struct remote_object {
    struct remote *remote;
    const struct hub_resource *resource;
    struct system_bus_object said; /* texts below */
    char receipt[HUB_RECEIPT_MAX], version[HUB_OBJECT_VERSION_MAX], key[HUB_OBJECT_KEY_MAX];
};

struct object_asking {
    struct bus_ask ask;
    struct remote_object *object;
    struct hub_object_ask *asked;
    struct buf question;
    struct loop_timer again;
    struct mono_time due; /* past it no other try is begun */
    bool is_open;
};

static void destroy(struct remote_object *object)
{
    remote_release(object->remote);
    mem_free(object);
}

/* ---- the end of an asking ---- */

/* What the department's process told: there is none (to open); it is another one by now, or its contract has ended (to read on). */
static enum err told_err(const struct object_asking *asking, enum err told)
{
    if (asking->is_open && told == ERR_DENIED)
        log_write(LOG_WARNING, "bus", "a department's process does not grant what the hub's files grant; are its files the same?",
            LOG_STR("party", asking->object->remote->party), LOG_END);
    bool is_known = asking->is_open ? told == ERR_NOT_FOUND : told == ERR_STATE || told == ERR_DENIED;
    return is_known ? told : remote_err(told, true);
}

static void finish(struct object_asking *asking, enum err err)
{
    struct hub_object_ask *asked = asking->asked;
    struct remote_object *object = asking->object;
    if (asking->is_open && err)
        destroy(object);
    asked->object = asking->is_open && !err ? object : NULL;
    asked->err = err;
    buf_finish(&asking->question);
    mem_free(asking);
    asked->done(asked);
}

static void failed(struct loop_task *task)
{
    struct hub_object_ask *ask = container_of(task, struct hub_object_ask, task);
    ask->done(ask);
}

static void fail(struct hub_object_ask *ask, enum err err)
{
    ask->err = err;
    ask->task.fn = failed;
    loop_post(ask->loop, &ask->task);
}

static enum err read_answer(struct object_asking *asking, struct str answer, enum err *ret_told)
{
    struct hub_object_ask *asked = asking->asked;
    struct str piece = STR_NONE;
    if (asking->is_open) {
        enum err err = system_bus_opened_read(answer, asked, ret_told);
        memcpy(asking->object->version, asked->version, sizeof asked->version);
        asking->object->said.version = str_from_c(asking->object->version);
        return err;
    }
    enum err err = system_bus_piece_read(answer, &piece, ret_told);
    if (err || *ret_told)
        return err;
    if (piece.len != asked->n)
        return ERR_SYNTAX;
    memcpy(asked->out, piece.ptr, piece.len);
    return ERR_OK;
}

static void ask_department(struct object_asking *asking);

static void on_again(struct loop_timer *timer)
{
    ask_department(container_of(timer, struct object_asking, again));
}

static bool goes_on(const struct object_asking *asking)
{
    struct remote *remote = asking->object->remote;
    const _Atomic bool *has_gone = asking->asked->is_cancelled;
    struct hub_readiness hub;
    if (mono_ms_between(clock_mono(remote->clock), asking->due) <= 0 || (has_gone && atomic_load(has_gone)))
        return false;
    hub_readiness(remote->hub, &hub);
    return !hub.is_stopping;
}

static void on_answered(struct bus_ask *ask)
{
    struct object_asking *asking = container_of(ask, struct object_asking, ask);
    struct remote *remote = asking->object->remote;
    enum err told = ERR_OK, err = ask->err ? ask->err : read_answer(asking, ask->answer, &told);
    bool is_away = ask->err == ERR_UNAVAILABLE || ask->err == ERR_IO || ask->err == ERR_TIMEOUT ||
                   (!err && (told == ERR_FULL || told == ERR_UNAVAILABLE)); /* or it still reads what was asked before, or has just begun */
    if (is_away && !asking->is_open && goes_on(asking) && !loop_timer_start(ask->loop, &asking->again, AGAIN_MS))
        return;
    if (!ask->err && err)
        log_write(LOG_WARNING, "bus", "a department's process answers with what is no answer", LOG_STR("party", remote->party), LOG_END);
    finish(asking, err ? remote_err(err, false) : told_err(asking, told));
}

static void ask_department(struct object_asking *asking)
{
    struct remote *remote = asking->object->remote;
    asking->ask = (struct bus_ask){.party = remote->party,
        .bytes = buf_str(&asking->question),
        .timeout_ms = asking->is_open ? remote->timeout_ms + REMOTE_ON_TOP_MS : TRY_MS,
        .may_repeat = true,
        .loop = asking->asked->loop,
        .done = on_answered};
    bus_peer_ask(remote->reach->peer, &asking->ask);
}

static enum err start(struct remote_object *object, struct hub_object_ask *ask, enum system_bus_what what)
{
    struct remote *remote = object->remote;
    struct object_asking *asking = remote->reach->peer ? mem_alloc_zero(1, sizeof *asking) : NULL;
    if (!asking)
        return ERR_UNAVAILABLE;
    *asking = (struct object_asking){.object = object, .asked = ask, .is_open = what == SYSTEM_BUS_OPEN, .again = {.fn = on_again}};
    asking->due.ns = clock_mono(remote->clock).ns + AWAY_MS * INT64_C(1000000);
    buf_init(&asking->question, 4096);
    system_bus_object_write(what, object->resource, &object->said, &asking->question);
    if (asking->question.err) {
        buf_finish(&asking->question);
        mem_free(asking);
        return ERR_NO_MEMORY;
    }
    ask_department(asking);
    return ERR_OK;
}

/* ---- the slots ---- */

static enum err make_object(struct remote *remote, const struct hub_object_ask *ask, struct remote_object **ret_object)
{
    struct remote_object *object = mem_alloc_zero(1, sizeof *object);
    if (!object)
        return ERR_NO_MEMORY;
    object->remote = remote;
    object->resource = ask->resource;
    object->said = (struct system_bus_object){.contract = ask->contract, .key = ask->key};
    crypto_random(&object->said.handle, sizeof object->said.handle);
    enum err err = remote_head(remote, ask->contract, ask->has_intent, ask->intent, object->receipt, &object->said.hash);
    object->said.receipt = str_from_c(object->receipt);
    if (!err && ask->key.type == VALUE_TEXT) {
        if (ask->key.s.len > sizeof object->key)
            err = ERR_RANGE;
        else if (ask->key.s.len)
            memcpy(object->key, ask->key.s.ptr, ask->key.s.len);
        object->said.key.s = (struct str){object->key, ask->key.s.len};
    }
    if (err) {
        mem_free(object);
        return err;
    }
    remote_hold(remote);
    *ret_object = object;
    return ERR_OK;
}

static void object_open(void *system, struct hub_object_ask *ask)
{
    struct remote_object *object = NULL;
    enum err err = make_object(system, ask, &object);
    if (!err && (err = start(object, ask, SYSTEM_BUS_OPEN)))
        destroy(object);
    if (err)
        fail(ask, err);
}

static void object_read(void *context, struct hub_object_ask *ask)
{
    struct remote_object *object = context;
    object->said.at = ask->at;
    object->said.n = (uint32_t)ask->n;
    object->said.is_last = ask->is_last;
    enum err err = start(object, ask, SYSTEM_BUS_READ);
    if (err)
        fail(ask, err);
}

static void object_close(void *context)
{
    struct remote_object *object = context;
    struct buf question;
    buf_init(&question, 64);
    system_bus_close_write(object->said.handle, &question);
    remote_tell(object->remote, &question);
    buf_finish(&question);
    destroy(object);
}

const struct hub_system_objects remote_objects = {.open = object_open, .read = object_read, .close = object_close, .needs_intent = true};
