/* Rules, in this order: the contract is known; on this resource; with the same terms; in force; every column granted. */
#include "hub/provide.h"

#include "hub/parts.h"

static bool is_in_force(const struct hub_contract *contract)
{
    int64_t now_ms = clock_wall(contract->hub->clock).ms;
    const struct decide_contract *terms = &contract->terms;
    return atomic_load_explicit(&contract->state, memory_order_acquire) == HUB_AGREED &&
           (terms->from_ms == DECIDE_NONE || now_ms >= terms->from_ms) && (terms->until_ms == DECIDE_NONE || now_ms < terms->until_ms);
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

enum err hub_provide_fetch(
    struct hub *hub, struct str name, struct sha256 hash, const struct hub_resource *resource, struct hub_fetch *fetch)
{
    struct hub_contract *contract = hub_contract_lookup(hub, name);
    if (!contract || &contract->entry->resource != resource || !contract->entry->system)
        return ERR_NOT_FOUND;
    if (!crypto_equal(contract->hash.bytes, hash.bytes, sizeof hash.bytes))
        return ERR_STATE;
    if (!is_in_force(contract) || !is_all_granted(contract, fetch))
        return ERR_DENIED;
    if (!contract->plan)
        return ERR_UNAVAILABLE;
    contract->entry->system->ops->tables->fetch(contract->plan, fetch);
    return ERR_OK;
}

enum err hub_provide_act(struct hub *hub, struct hub_ask *ask)
{
    struct hub_entry *entry = names_get(&hub->entry_names, ask->resource->name);
    if (!entry || entry->resource.kind != HUB_COMMAND || !entry->system || !entry->system->ops->act)
        return ERR_NOT_FOUND;
    bool is_permitted = false;
    for (struct hub_contract *one = hub_contract_first(hub, ask->party, ask->resource->name); one && !is_permitted;
         one = atomic_load_explicit(&one->next_same, memory_order_acquire))
        is_permitted = is_in_force(one);
    if (!is_permitted)
        return ERR_DENIED;
    if (!entry->system->system)
        return ERR_UNAVAILABLE;
    entry->system->ops->act(entry->system->system, ask);
    return ERR_OK;
}

void hub_receipt_name(struct hub *hub, uint64_t intent, char out[HUB_RECEIPT_MAX])
{
    hub_receipt(hub, intent, out);
}
