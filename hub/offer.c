/* Tables that scenes answer; see offer.h. The hub has them at a system of its own, `scene`, which no file names. */
#include "hub/offer.h"

#include "hub/department_table.h"
#include "hub/parts.h"

#include <string.h>

struct hub_offer { /* of one table; the entry's lock guards loop and n_waiting, the rest is the loop's */
    struct hub_entry *entry;
    struct loop *loop; /* NULL: nobody answers */
    hub_answer *answer;
    void *context;
    unsigned n_waiting;
};

/* ---- one asking ---- */

/* The key that is asked for; anything else cannot be looked through. */
static enum err read_keys(const struct hub_offer *offer, const struct hub_fetch *fetch, struct value keys[HUB_FIELDS_MAX])
{
    const struct hub_resource *resource = &offer->entry->resource;
    if (fetch->also || fetch->n_where == 0)
        return ERR_UNSUPPORTED;
    for (size_t i = 0; i < fetch->n_outputs; i++)
        if (fetch->outputs[i].aggregate != SQL_PLAIN)
            return ERR_UNSUPPORTED;
    for (size_t i = 0; i < fetch->n_where; i++) {
        const struct sql_constraint *where = &fetch->where[i];
        if (where->op != SQL_EQ || where->n_values != 1 || !resource->fields[where->column].is_key)
            return ERR_UNSUPPORTED;
        keys[where->column] = where->values[0];
    }
    return ERR_OK;
}

static enum err ask(const struct hub_offer *offer, struct hub_fetch *fetch)
{
    struct value keys[HUB_FIELDS_MAX] = {0}, values[HUB_FIELDS_MAX], row[HUB_FIELDS_MAX];
    if (hub_fetch_is_cancelled(fetch))
        return ERR_CANCELLED;
    if (!offer->answer)
        return ERR_UNAVAILABLE;
    enum err err = read_keys(offer, fetch, keys);
    if (!err)
        err = rows_create(fetch->n_outputs, fetch->n_bytes_max, &fetch->rows);
    if (err)
        return err;
    memcpy(values, keys, sizeof values);
    err = offer->answer(offer->context, keys, values);
    for (size_t i = 0; i < fetch->n_outputs; i++)
        row[i] = values[fetch->outputs[i].column];
    fetch->is_truncated = !err && fetch->n_rows_max == 0;
    if (!err && !fetch->is_truncated)
        err = rows_add(fetch->rows, row);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static void on_loop(struct loop_task *task)
{
    struct hub_fetch *fetch = container_of(task, struct hub_fetch, task);
    struct hub_offer *offer = fetch->system_state;
    pthread_mutex_lock(&offer->entry->lock);
    offer->n_waiting--;
    pthread_mutex_unlock(&offer->entry->lock);
    enum err err = ask(offer, fetch);
    if (err) {
        rows_release(fetch->rows);
        fetch->rows = NULL;
    }
    hub_fetch_answer(fetch, err);
}

/* ---- as a system ---- */

static enum err compile(void *system, const struct hub_grant *grant, struct diag_list *diags, void **ret_plan)
{
    if (grant->rows)
        return yaml_error(grant->place, diags, ERR_UNSUPPORTED,
            "a scene computes \"" STR_FORMAT "\" when it is asked; leave out rows:", STR_ARG(grant->resource->name));
    *ret_plan = hub_entry_of(grant->resource)->offer;
    return ERR_OK;
}

static void fetch_one(void *plan, struct hub_fetch *fetch)
{
    struct hub_offer *offer = plan;
    enum err err = ERR_OK;
    fetch->system_state = offer;
    fetch->rows = NULL;
    pthread_mutex_lock(&offer->entry->lock); /* also while it is posted: the loop may be gone after hub_offer_end() */
    if (!offer->loop)
        err = ERR_UNAVAILABLE;
    else if (offer->n_waiting == HUB_OFFER_WAITING_MAX)
        err = ERR_FULL;
    if (!err) {
        offer->n_waiting++;
        fetch->task.fn = on_loop;
        loop_post(offer->loop, &fetch->task);
    }
    pthread_mutex_unlock(&offer->entry->lock);
    if (err)
        hub_fetch_answer(fetch, err);
}

static void close_all(void *system) {}

static const struct hub_system_tables tables = {.compile = compile, .fetch = fetch_one};
static const struct hub_system_ops ops = {.connector = "scene", .tables = &tables, .close = close_all};

enum err hub_offer_declare(struct hub *hub, struct hub_entry *entry)
{
    struct hub_system *system = hub->systems;
    while (system && system->ops != &ops)
        system = system->next;
    if (!system) {
        system = arena_alloc_zero(&hub->arena, 1, sizeof *system);
        if (!system)
            return ERR_NO_MEMORY;
        *system = (struct hub_system){.ops = &ops, .system = hub, .name = STR("scenes"), .next = hub->systems};
        hub->systems = system;
    }
    entry->offer = arena_alloc_zero(&hub->arena, 1, sizeof *entry->offer);
    if (!entry->offer)
        return ERR_NO_MEMORY;
    entry->offer->entry = entry;
    entry->system = system;
    return ERR_OK;
}

/* ---- the scene's side ---- */

enum err hub_offer_table(struct hub *hub, const struct hub_resource *resource, struct loop *loop, hub_answer *answer, void *context)
{
    struct hub_offer *offer = hub_entry_of(resource)->offer;
    enum err err = ERR_STATE;
    if (!offer)
        return err;
    pthread_mutex_lock(&offer->entry->lock);
    if (!offer->loop) {
        offer->loop = loop;
        offer->answer = answer;
        offer->context = context;
        err = ERR_OK;
    }
    pthread_mutex_unlock(&offer->entry->lock);
    return err;
}

void hub_offer_end(const struct hub_resource *resource)
{
    struct hub_offer *offer = resource ? hub_entry_of(resource)->offer : NULL;
    if (!offer)
        return;
    pthread_mutex_lock(&offer->entry->lock);
    offer->loop = NULL;
    offer->answer = NULL; /* those that are posted already find it so */
    pthread_mutex_unlock(&offer->entry->lock);
}
