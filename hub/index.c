/*
 * Finding contracts by name and by use, from any thread, without a lock, also while the desk adds new ones.
 *
 * Contracts are only ever added: at load from files and the store, later by the hub's loop alone when one comes into force. What may be
 * added in a run is reserved at the start, so that nothing a reader looks at is ever moved; an addition is published by one atomic store.
 */
#include "base/mem.h"
#include "hub/parts.h"

#include <stdlib.h>
#include <string.h>

static enum err grow(struct hub *hub, size_t cap)
{
    if (cap <= hub->cap_contracts)
        return ERR_OK;
    struct hub_contract **contracts = mem_resize(hub->contracts, cap * sizeof(struct hub_contract *));
    if (!contracts)
        return ERR_NO_MEMORY;
    hub->contracts = contracts;
    hub->cap_contracts = cap;
    return ERR_OK;
}

enum err hub_contract_add(struct hub *hub, struct hub_contract *contract)
{
    if (hub->n_contracts == hub->cap_contracts) {
        enum err err = hub->is_started ? ERR_FULL : grow(hub, hub->cap_contracts ? 2 * hub->cap_contracts : 64);
        if (err)
            return err;
    }
    enum err err = names_put(&hub->contract_names, contract->name, contract);
    if (!err) {
        hub->contracts[hub->n_contracts] = contract;
        hub->n_contracts++; /* published */
    }
    return err;
}

enum err hub_contracts_reserve(struct hub *hub)
{
    size_t cap = hub->n_contracts + HUB_NEW_CONTRACTS_MAX;
    enum err err = grow(hub, cap);
    if (!err)
        err = names_reserve(&hub->contract_names, cap);
    if (!err)
        err = names_reserve(&hub->contract_uses, cap);
    return err;
}

static struct str use_key(char *buffer, size_t size, struct str consumer, struct str resource)
{
    if (!consumer.ptr || !resource.ptr || consumer.len + resource.len + 1 > size)
        return STR_NONE; /* no name: found nowhere */
    memcpy(buffer, consumer.ptr, consumer.len);
    buffer[consumer.len] = '\n';
    memcpy(buffer + consumer.len + 1, resource.ptr, resource.len);
    return (struct str){buffer, consumer.len + resource.len + 1};
}

/* Into the chain of its consumer and resource, which stands in the order of names. */
static enum err index_use(struct hub *hub, struct hub_contract *contract)
{
    char buffer[2 * HUB_NAME_MAX];
    struct str key = use_key(buffer, sizeof buffer, contract->terms.consumer, contract->terms.resource);
    struct names_slot *slot = names_slot(&hub->contract_uses, key);
    if (!slot) {
        enum err err = arena_copy_str(contract->arena, key, &key);
        return err ? err : names_put(&hub->contract_uses, key, contract);
    }
    struct hub_contract *at = names_object(slot), *before = NULL;
    while (at && str_compare(at->name, contract->name) < 0) {
        before = at;
        at = at->next_same;
    }
    contract->next_same = at;
    if (before)
        before->next_same = contract;
    else
        names_replace(slot, contract);
    return ERR_OK;
}

static int by_name(const void *a, const void *b)
{
    return str_compare((*(struct hub_contract *const *)a)->name, (*(struct hub_contract *const *)b)->name);
}

enum err hub_contracts_index(struct hub *hub)
{
    enum err err = ERR_OK;
    if (hub->n_contracts)
        qsort(hub->contracts, hub->n_contracts, sizeof *hub->contracts, by_name);
    for (size_t i = hub->n_contracts; i-- > 0 && !err;) /* from the last: each is its chain's first, so that this is linear */
        err = index_use(hub, hub->contracts[i]);
    return err;
}

enum err hub_contract_enter(struct hub *hub, struct hub_contract *contract)
{
    enum err err = hub_contract_add(hub, contract);
    return err ? err : index_use(hub, contract);
}

struct hub_contract *hub_contract_lookup(const struct hub *hub, struct str name)
{
    return names_get(&hub->contract_names, name);
}

struct hub_contract *hub_contract_first(const struct hub *hub, struct str consumer, struct str resource)
{
    char buffer[2 * HUB_NAME_MAX];
    return names_get(&hub->contract_uses, use_key(buffer, sizeof buffer, consumer, resource));
}
