/* What the map draws and comes as an object of the hub: asked for at the start, again until it is there, then kept for every face. */
#include "base/log.h"
#include "base/mem.h"
#include "cockpit/cockpit_internal.h"

#include <stdatomic.h>
#include <string.h>

#define RETRY_MS 2000

struct cockpit_bytes *cockpit_object_take(struct cockpit_object *object)
{
    pthread_mutex_lock(&object->cockpit->mutex);
    struct cockpit_bytes *bytes = object->kept;
    if (bytes)
        atomic_fetch_add(&bytes->n_refs, 1);
    pthread_mutex_unlock(&object->cockpit->mutex);
    return bytes;
}

void cockpit_bytes_release(struct cockpit_bytes *bytes)
{
    if (!bytes || atomic_fetch_sub(&bytes->n_refs, 1) != 1)
        return;
    buf_finish(&bytes->bytes);
    mem_free(bytes);
}

static enum err keep(struct cockpit_object *object, const struct hub_object_get *get)
{
    struct cockpit_bytes *bytes = mem_alloc_zero(1, sizeof(*bytes));
    if (!bytes)
        return ERR_NO_MEMORY;
    atomic_init(&bytes->n_refs, 1);
    buf_init(&bytes->bytes, COCKPIT_ROADS_OBJECT_MAX);
    buf_append_str(&bytes->bytes, get->bytes);
    memcpy(bytes->receipt, get->receipt, sizeof(bytes->receipt));
    enum err err = bytes->bytes.err;
    if (err == ERR_OK && object->learn)
        err = object->learn(object->cockpit, buf_str(&bytes->bytes));
    if (err == ERR_OK) {
        pthread_mutex_lock(&object->cockpit->mutex);
        struct cockpit_bytes *old = object->kept;
        object->kept = bytes;
        pthread_mutex_unlock(&object->cockpit->mutex);
        bytes = old;
    }
    cockpit_bytes_release(bytes);
    return err;
}

static void on_object(struct hub_object_get *get)
{
    struct cockpit_object *object = container_of(get, struct cockpit_object, get);
    object->is_pending = false;
    enum err err = get->refusal.err;
    if (err == ERR_OK)
        err = keep(object, get);
    if (err == ERR_OK)
        return;
    log_write(LOG_NOTICE, "cockpit", "an object of the map is not there yet; asking again", LOG_TEXT("object", object->what), LOG_ERR(err),
        LOG_INT("rule", get->refusal.rule), LOG_END);
    if (loop_timer_start(loop_thread_loop(object->cockpit->thread), &object->timer, RETRY_MS) != ERR_OK)
        log_write(LOG_ERROR, "cockpit", "the map stays without it", LOG_TEXT("object", object->what), LOG_END);
}

void cockpit_object_ask(struct cockpit_object *object)
{
    const struct cockpit_needs *needs = cockpit_config_needs(object->cockpit->options.config);
    if (str_is_empty(object->resource) || object->is_pending)
        return;
    object->is_pending = true;
    object->get = (struct hub_object_get){.party = needs->party,
        .resource = object->resource,
        .purpose = needs->purpose,
        .loop = loop_thread_loop(object->cockpit->thread),
        .done = on_object};
    hub_object_get_start(object->cockpit->options.hub, &object->get);
}

static void on_timer(struct loop_timer *timer)
{
    cockpit_object_ask(container_of(timer, struct cockpit_object, timer));
}

void cockpit_object_init(struct cockpit_object *object, struct cockpit *cockpit, const char *what, struct str resource,
    enum err (*learn)(struct cockpit *cockpit, struct str bytes))
{
    *object = (struct cockpit_object){.cockpit = cockpit, .what = what, .resource = resource, .learn = learn, .timer = {.fn = on_timer}};
}

void cockpit_object_stop(struct cockpit_object *object)
{
    loop_timer_stop(&object->timer);
}
