/*
 * Objects at the department's side. One piece's way: asked for, when whoever reads it has taken the one before → the contract is looked at
 * again → the connector reads it → it leaves. So nobody who stands still costs more than an open object, and no more than READS_MAX pieces
 * are in memory, whatever is asked for.
 *
 * An open object is only a convenience: a question for a piece says all that is needed to open it anew (this process was killed meanwhile,
 * or has let it go after IDLE_MS), and to see whether it is the same one.
 */
#include "base/log.h"
#include "base/mem.h"
#include "hub/object.h"
#include "hub/provide.h"
#include "system/bus/serve_inside.h"

#include <stdio.h>
#include <string.h>

#define OPEN_MAX 1024  /* then the one longest unused is let go */
#define READS_MAX 64   /* pieces under way: 8 MiB; more wait in their order */
#define IDLE_MS 120000 /* the hub cuts a reader that takes nothing for 75 s */
#define LOOK_MS 10000
#define STOP_MS 10000

struct serve_object {
    struct serve_object *next;
    const struct hub_resource *resource;
    void *object; /* the connector's; NULL while it is being opened */
    uint64_t handle;
    char version[HUB_OBJECT_VERSION_MAX];
    struct mono_time used;
    bool is_busy;
};

struct serve_objects {
    struct system_bus_server *server;
    struct serve_object *first;
    size_t n, n_reading;
    struct serving *waiting, **last; /* reads */
    struct loop_timer look;
};

static struct mono_time now_of(const struct system_bus_server *server)
{
    return clock_mono(loop_clock(server->options.loop));
}

/* ---- what is open ---- */

static struct serve_object **find(struct system_bus_server *server, uint64_t handle)
{
    struct serve_object **at = &server->objects->first;
    while (*at && (*at)->handle != handle)
        at = &(*at)->next;
    return at;
}

static void drop(struct system_bus_server *server, struct serve_object **at)
{
    struct serve_object *gone = *at;
    *at = gone->next;
    server->objects->n--;
    if (gone->object)
        hub_provide_close(gone->resource, gone->object);
    mem_free(gone);
}

static void drop_one(struct system_bus_server *server, struct serve_object *object)
{
    drop(server, find(server, object->handle));
}

/* ERR_FULL: all of them are busy. */
static enum err make_room(struct system_bus_server *server)
{
    struct serve_object **oldest = NULL;
    if (server->objects->n < OPEN_MAX)
        return ERR_OK;
    for (struct serve_object **at = &server->objects->first; *at; at = &(*at)->next)
        if (!(*at)->is_busy && (!oldest || (*at)->used.ns < (*oldest)->used.ns))
            oldest = at;
    if (oldest)
        drop(server, oldest);
    return oldest ? ERR_OK : ERR_FULL;
}

static void on_look(struct loop_timer *timer)
{
    struct serve_objects *objects = container_of(timer, struct serve_objects, look);
    struct system_bus_server *server = objects->server;
    for (struct serve_object **at = &objects->first; *at;)
        if (!(*at)->is_busy && mono_ms_between((*at)->used, now_of(server)) > IDLE_MS)
            drop(server, at);
        else
            at = &(*at)->next;
    if (objects->first && loop_timer_start(timer->loop, timer, LOOK_MS))
        log_write(LOG_ERROR, "bus", "no memory for a timer; objects stay open until they are closed", LOG_END);
}

static enum err add(struct serving *serving)
{
    struct system_bus_server *server = serving->server;
    enum err err = make_room(server);
    struct serve_object *made = err ? NULL : mem_alloc_zero(1, sizeof *made);
    if (!made)
        return err ? err : ERR_NO_MEMORY;
    if (!server->objects->look.heap_at && loop_timer_start(server->options.loop, &server->objects->look, LOOK_MS)) {
        mem_free(made);
        return ERR_NO_MEMORY;
    }
    *made = (struct serve_object){.next = server->objects->first,
        .resource = serving->asked.resource,
        .handle = serving->asked.object.handle,
        .used = now_of(server),
        .is_busy = true};
    server->objects->first = serving->object = made;
    server->objects->n++;
    return ERR_OK;
}

/* ---- pieces ---- */

static void answer_read(struct serving *serving, enum err err)
{
    struct buf part;
    buf_init(&part, HUB_OBJECT_PIECE + 64);
    if (err)
        system_bus_error_write(err, &part);
    else
        system_bus_piece_write((struct str){serving->ask.out, serving->ask.n}, &part);
    serving->object->is_busy = false;
    serving->object->used = now_of(serving->server);
    if (err == ERR_STATE || err == ERR_DENIED)
        drop_one(serving->server, serving->object);
    mem_free(serving->ask.out);
    serving->server->objects->n_reading--;
    serve_answer(serving, &part);
    buf_finish(&part);
}

static void start_read(struct serving *serving);

static void piece_read(struct hub_object_ask *ask)
{
    struct serving *serving = container_of(ask, struct serving, ask), *next;
    struct serve_objects *objects = serving->server->objects;
    answer_read(serving, ask->err);
    while ((next = objects->waiting) && objects->n_reading < READS_MAX) {
        objects->waiting = next->next;
        if (!objects->waiting)
            objects->last = &objects->waiting;
        start_read(next);
    }
}

static void start_read(struct serving *serving)
{
    const struct system_bus_object *asked = &serving->asked.object;
    serving->server->objects->n_reading++;
    serving->ask = (struct hub_object_ask){.at = asked->at,
        .n = asked->n,
        .out = mem_alloc(asked->n),
        .is_last = asked->is_last,
        .loop = serving->server->options.loop,
        .done = piece_read};
    enum err err = serving->ask.out ? hub_provide_read(serving->server->options.hub, asked->contract, asked->hash, serving->asked.resource,
                                          serving->object->object, &serving->ask)
                                    : ERR_NO_MEMORY;
    if (err)
        answer_read(serving, err);
}

static void read_in_turn(struct serving *serving)
{
    struct serve_objects *objects = serving->server->objects;
    if (objects->n_reading < READS_MAX) {
        start_read(serving);
        return;
    }
    serving->next = NULL;
    *objects->last = serving;
    objects->last = &serving->next;
}

/* ---- opening ---- */

/* Opened, or not, and written down, or not. */
static void on_both(struct serving *serving)
{
    struct serve_object *object = serving->object;
    struct buf part;
    enum err err = serving->ask.err ? serving->ask.err : serving->append.err ? ERR_UNAVAILABLE : ERR_OK;
    bool is_read = serving->asked.what == SYSTEM_BUS_READ;
    object->object = serving->ask.err ? NULL : serving->ask.object;
    if (!err && is_read && !str_equal_c(serving->asked.object.version, serving->ask.version))
        err = ERR_STATE; /* another one than the asker has begun with */
    if (err) {
        drop_one(serving->server, object);
        serve_refuse(serving, err);
        return;
    }
    memcpy(object->version, serving->ask.version, sizeof object->version);
    if (is_read) {
        read_in_turn(serving);
        return;
    }
    object->is_busy = false;
    object->used = now_of(serving->server);
    buf_init(&part, 1024);
    system_bus_opened_write(&serving->ask, &part);
    serve_answer(serving, &part);
    buf_finish(&part);
}

static void opened(struct hub_object_ask *ask)
{
    serve_asked(container_of(ask, struct serving, ask));
}

static void open_object(struct serving *serving)
{
    const struct system_bus_object *asked = &serving->asked.object;
    enum err err = add(serving);
    if (err) {
        serve_refuse(serving, err);
        return;
    }
    serving->both = on_both;
    serving->ask = (struct hub_object_ask){.resource = serving->asked.resource,
        .key = asked->key,
        .contract = asked->contract,
        .loop = serving->server->options.loop,
        .done = opened};
    err = hub_provide_open(serving->server->options.hub, asked->contract, asked->hash, serving->asked.resource, &serving->ask);
    if (err) {
        drop_one(serving->server, serving->object);
        serve_refuse(serving, err == ERR_UNAVAILABLE ? err : ERR_DENIED); /* "not found" is said of an object alone */
    } else
        serve_write_down(serving);
}

void serve_object(struct serving *serving)
{
    struct serve_object **at = find(serving->server, serving->asked.object.handle), *object = *at;
    bool is_same = object && object->resource == serving->asked.resource;
    if (object && (object->is_busy || !is_same)) { /* one question at a time; two askers never choose one handle */
        serve_refuse(serving, ERR_FULL);
        return;
    }
    if (object && serving->asked.what == SYSTEM_BUS_READ && str_equal_c(serving->asked.object.version, object->version)) {
        serving->object = object;
        object->is_busy = true;
        read_in_turn(serving);
        return;
    }
    if (object)
        drop(serving->server, at);
    open_object(serving);
}

void serve_object_close(struct system_bus_server *server, uint64_t handle)
{
    struct serve_object **at = find(server, handle);
    if (*at && !(*at)->is_busy) /* one that is read goes by its time */
        drop(server, at);
}

/* ---- life ---- */

enum err serve_objects_create(struct system_bus_server *server)
{
    server->objects = mem_alloc_zero(1, sizeof *server->objects);
    if (!server->objects)
        return ERR_NO_MEMORY;
    server->objects->server = server;
    server->objects->last = &server->objects->waiting;
    server->objects->look.fn = on_look;
    return ERR_OK;
}

void serve_objects_stop(struct system_bus_server *server)
{
    struct serve_objects *objects = server->objects;
    loop_timer_stop(&objects->look);
    for (int i = 0; i < STOP_MS / 10 && objects->n_reading > 0; i++)
        if (loop_run_once(server->options.loop, 10))
            break;
    for (struct serve_object **at = &objects->first; *at;)
        if (!(*at)->is_busy)
            drop(server, at);
        else
            at = &(*at)->next;
}

void serve_objects_destroy(struct system_bus_server *server)
{
    struct serve_objects *objects = server->objects;
    for (struct serve_object *one = objects ? objects->first : NULL, *next; one; one = next) {
        next = one->next;
        mem_free(one);
    }
    mem_free(objects);
}
