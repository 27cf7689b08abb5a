/* See hub/leaves.h. */
#include "hub/leaves.h"

#include "hub/state.h"
#include "ledger/ledger.h"

uint64_t hub_n_leaves(const struct hub *hub)
{
    return ledger_n_durable(hub->ledger);
}

struct str hub_log(const struct hub *hub)
{
    return ledger_origin(hub->ledger);
}

enum err hub_leaves(
    const struct hub *hub, uint64_t from, uint64_t to, bool (*fn)(void *context, uint64_t index, struct str leaf), void *context)
{
    return ledger_leaves(hub->ledger, from, to, fn, context);
}
