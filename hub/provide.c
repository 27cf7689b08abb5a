/*
 * Rules, in this order: the contract is known; on this resource; with the same terms; in force, as this side's files and the desk's feed
 * have it; every column granted. Under a statistics-only contract there is one thing to ask, its cells, and of these only those of at
 * least k people leave, the same ones all day (hub/query_statistic.c has the reasons).
 */
#include "hub/provide.h"

#include "base/mem.h"
#include "hub/quality.h"
#include "hub/query_parts.h"

/* By the last word of the desk, however old. */
static bool was_in_force(const struct hub_contract *contract)
{
    int64_t now_ms = clock_wall(contract->hub->clock).ms;
    const struct decide_contract *terms = &contract->terms;
    return atomic_load_explicit(&contract->state, memory_order_acquire) == HUB_AGREED &&
           (terms->from_ms == DECIDE_NONE || now_ms >= terms->from_ms) && (terms->until_ms == DECIDE_NONE || now_ms < terms->until_ms);
}

static bool is_in_force(const struct hub_contract *contract)
{
    struct wall_time now = clock_wall(contract->hub->clock);
    return (!contract->hub->feed.is_follower || now.ms < hub_feed_fresh_until_ms(contract, now)) && was_in_force(contract);
}

/* A process that has just begun does not know yet what is in force: it says "not now", never "no". */
static enum err permit(const struct hub_contract *contract)
{
    const struct hub_feed *feed = &contract->hub->feed;
    if (feed->is_follower && atomic_load_explicit(&feed->generation, memory_order_acquire) == 0)
        return ERR_UNAVAILABLE;
    return is_in_force(contract) ? ERR_OK : ERR_DENIED;
}

static bool is_granted(const struct hub_contract *contract, uint16_t column)
{
    for (size_t i = 0; i < contract->terms.n_fields; i++)
        if (contract->field_ats[i] == column)
            return true;
    return false;
}

/* To ask by, a key is enough: it is what the asker knows already. */
static bool is_usable(const struct hub_contract *contract, uint16_t column)
{
    const struct hub_resource *resource = &contract->entry->resource;
    return column < resource->n_fields && (resource->fields[column].is_key || is_granted(contract, column));
}

static bool is_all_granted(const struct hub_contract *contract, const struct hub_fetch *fetch)
{
    for (size_t i = 0; i < fetch->n_outputs; i++)
        if (fetch->outputs[i].aggregate != SQL_COUNT_ALL && !is_granted(contract, fetch->outputs[i].column))
            return false;
    for (size_t i = 0; i < fetch->n_where; i++)
        if (!is_usable(contract, fetch->where[i].column))
            return false;
    for (size_t i = 0; i < fetch->n_order; i++)
        if (!is_usable(contract, fetch->order[i].column))
            return false;
    uint64_t columns = fetch->also ? sql_condition_columns(fetch->also) : 0;
    for (uint16_t i = 0; i < 64; i++)
        if (columns >> i & 1 && !is_usable(contract, i))
            return false;
    return true;
}

/* ---- statistics only ---- */

struct cells { /* of the day, being asked for */
    struct hub_fetch fetch, *asked;
    struct hub_contract *contract;
    int64_t day;
};

static bool is_statistic_granted(const struct hub_contract *contract, const struct hub_fetch *fetch)
{
    int64_t day = wall_day_number(clock_wall(contract->hub->clock), contract->hub->zone);
    return hub_statistic_is_cells(contract, fetch) && hub_statistic_is_alone(contract, day);
}

static enum err keep(const struct cells *cells, struct rows **ret_rows)
{
    struct rows *rows;
    if (cells->fetch.is_truncated)
        return ERR_TOO_LARGE;
    enum err err = hub_statistic_keep(cells->contract, cells->fetch.rows, &rows);
    if (err)
        return err;
    err = hub_statistic_remember(cells->contract, cells->day, rows);
    rows_release(rows);
    *ret_rows = err ? NULL : hub_statistic_kept(cells->contract, cells->day); /* another asking's, if that came first */
    return err;
}

static void cells_fetched(struct hub_fetch *fetch)
{
    struct cells *cells = container_of(fetch, struct cells, fetch);
    struct hub_fetch *asked = cells->asked;
    asked->rows = NULL;
    asked->err = fetch->err ? fetch->err : keep(cells, &asked->rows);
    asked->is_truncated = false;
    if (!fetch->err)
        rows_release(fetch->rows);
    mem_free(cells);
    asked->done(asked);
}

static void tell_kept(struct loop_task *task)
{
    struct hub_fetch *fetch = container_of(task, struct hub_fetch, task);
    fetch->done(fetch);
}

static enum err fetch_cells(struct hub_contract *contract, struct hub_fetch *fetch)
{
    int64_t day = wall_day_number(clock_wall(contract->hub->clock), contract->hub->zone);
    fetch->rows = hub_statistic_kept(contract, day);
    fetch->err = ERR_OK;
    fetch->is_truncated = false;
    if (fetch->rows) {
        fetch->task.fn = tell_kept;
        loop_post(fetch->loop, &fetch->task);
        return ERR_OK;
    }
    struct cells *cells = mem_alloc_zero(1, sizeof *cells);
    if (!cells)
        return ERR_NO_MEMORY;
    *cells = (struct cells){.fetch = *fetch, .asked = fetch, .contract = contract, .day = day};
    cells->fetch.done = cells_fetched;
    contract->entry->system->ops->tables->fetch(contract->plan, &cells->fetch);
    return ERR_OK;
}

/* ---- the rules ---- */

static enum err find_contract(
    struct hub *hub, struct str name, struct sha256 hash, const struct hub_resource *resource, struct hub_contract **ret_contract)
{
    struct hub_contract *contract = hub_contract_lookup(hub, name);
    if (!contract || &contract->entry->resource != resource || !contract->entry->system)
        return ERR_NOT_FOUND;
    if (!crypto_equal(contract->hash.bytes, hash.bytes, sizeof hash.bytes))
        return ERR_STATE;
    *ret_contract = contract;
    return permit(contract);
}

enum err hub_provide_fetch(
    struct hub *hub, struct str name, struct sha256 hash, const struct hub_resource *resource, struct hub_fetch *fetch)
{
    struct hub_contract *contract;
    enum err err = find_contract(hub, name, hash, resource, &contract);
    if (err)
        return err;
    const bool is_statistic = contract->terms.min_subjects != DECIDE_NONE;
    if (is_statistic ? !is_statistic_granted(contract, fetch) : !is_all_granted(contract, fetch))
        return ERR_DENIED;
    if (!contract->plan)
        return ERR_UNAVAILABLE;
    if (is_statistic)
        return fetch_cells(contract, fetch);
    contract->entry->system->ops->tables->fetch(contract->plan, fetch);
    return ERR_OK;
}

enum err hub_provide_act(struct hub *hub, struct hub_ask *ask)
{
    struct hub_entry *entry = names_get(&hub->entry_names, ask->resource->name);
    if (!entry || entry->resource.kind != HUB_COMMAND || !entry->system || !entry->system->ops->act)
        return ERR_NOT_FOUND;
    enum err err = ERR_DENIED;
    for (struct hub_contract *one = hub_contract_first(hub, ask->party, ask->resource->name); one && err;
         one = atomic_load_explicit(&one->next_same, memory_order_acquire))
        err = permit(one);
    if (err)
        return err;
    if (!entry->system->system)
        return ERR_UNAVAILABLE;
    entry->system->ops->act(entry->system->system, ask);
    return ERR_OK;
}

/* An object's one field is its bytes: granted with any contract on it. */
static enum err find_objects(
    struct hub *hub, struct str name, struct sha256 hash, const struct hub_resource *resource, const struct hub_system **ret_system)
{
    struct hub_contract *contract;
    enum err err = find_contract(hub, name, hash, resource, &contract);
    if (err)
        return err;
    const struct hub_system *system = contract->entry->system;
    if (resource->kind != HUB_OBJECT || !system->ops->objects)
        return ERR_NOT_FOUND;
    *ret_system = system;
    return system->system ? ERR_OK : ERR_UNAVAILABLE;
}

enum err hub_provide_open(
    struct hub *hub, struct str name, struct sha256 hash, const struct hub_resource *resource, struct hub_object_ask *ask)
{
    const struct hub_system *system;
    enum err err = find_objects(hub, name, hash, resource, &system);
    if (!err)
        system->ops->objects->open(system->system, ask);
    return err;
}

enum err hub_provide_read(
    struct hub *hub, struct str name, struct sha256 hash, const struct hub_resource *resource, void *object, struct hub_object_ask *ask)
{
    const struct hub_system *system;
    enum err err = find_objects(hub, name, hash, resource, &system);
    if (!err)
        system->ops->objects->read(object, ask);
    return err;
}

void hub_provide_close(const struct hub_resource *resource, void *object)
{
    hub_entry_of(resource)->system->ops->objects->close(object);
}

enum err hub_provide_stream(struct hub *hub, const struct hub_resource *resource, uint64_t *ret_mask)
{
    uint64_t mask = 0;
    size_t n = hub->n_contracts;
    uint64_t generation = atomic_load_explicit(&hub->feed.generation, memory_order_acquire);
    bool is_unsure = hub->feed.is_follower && generation == 0;
    for (size_t i = 0; i < n; i++) {
        const struct hub_contract *contract = hub->contracts[i];
        if (&contract->entry->resource != resource)
            continue;
        bool is = is_in_force(contract);
        /* One that the desk does not know, or that the department holds back, is known not to be in force. */
        is_unsure |= !is && was_in_force(contract) && atomic_load_explicit(&contract->feed.told_in, memory_order_acquire) >= generation;
        for (size_t j = 0; is && j < contract->terms.n_fields; j++)
            mask |= UINT64_C(1) << contract->field_ats[j];
    }
    if (mask == 0 && is_unsure)
        return ERR_UNAVAILABLE;
    *ret_mask = mask;
    return ERR_OK;
}

enum err hub_provide_quality(const struct hub_resource *resource, struct hub_fetch *fetch)
{
    const struct hub_entry *entry = hub_entry_of(resource);
    void *plan = entry->system && resource->kind == HUB_TABLE ? hub_quality_plan(entry, fetch) : NULL;
    if (!plan)
        return ERR_DENIED;
    entry->system->ops->tables->fetch(plan, fetch);
    return ERR_OK;
}

void hub_receipt_name(struct hub *hub, uint64_t intent, char out[HUB_RECEIPT_MAX])
{
    hub_receipt(hub, intent, out);
}
