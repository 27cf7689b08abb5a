/*
 * Which contract a use is made under, and what is said when there is none.
 */
#include "hub/measure.h"
#include "hub/parts.h"

struct hub_refusal hub_refusal_of(const struct hub_contract *contract, int rule)
{
    struct hub_refusal refusal = {.rule = rule, .err = rule >= DECIDE_PER_SECOND && rule <= DECIDE_PER_MONTH ? ERR_BUSY : ERR_DENIED};
    diag_set(&refusal.diag, refusal.err, NULL, 0, "contract " STR_FORMAT ": %s", STR_ARG(contract->name), decide_rule_text(rule));
    return refusal;
}

struct hub_refusal hub_refusal_unknown(void)
{
    struct hub_refusal refusal = {.err = ERR_NOT_FOUND};
    diag_set(&refusal.diag, ERR_NOT_FOUND, NULL, 0, "there is no such resource, or no contract for it");
    return refusal;
}

/* ERR_OK: permitted; ERR_DENIED with the rule in *rule; ERR_STATE. */
static enum err ask(struct hub_contract *contract, const struct decide_request *request, struct wall_time now, bool count, int *rule)
{
    enum err err = hub_contract_decide(contract, request, now, count, rule);
    return err ? err : *rule ? ERR_DENIED : ERR_OK;
}

enum err hub_choose(struct hub *hub, const struct decide_request *request, struct str contract_name, struct wall_time now, bool count,
    struct hub_contract **ret_contract, struct hub_refusal *ret_refusal)
{
    struct hub_contract *contract, *nearest = NULL;
    int nearest_rule = 0;
    if (str_is_empty(contract_name)) {
        contract = hub_contract_first(hub, request->party, request->resource);
    } else {
        contract = hub_contract_lookup(hub, contract_name);
        /* Another party's contract looks like none: its rules are nobody else's business. */
        if (contract && !str_equal(contract->terms.consumer, request->party))
            contract = NULL;
    }
    for (; contract; contract = str_is_empty(contract_name) ? contract->next_same : NULL) {
        int rule = 0;
        enum err err = ask(contract, request, now, count, &rule);
        if (!err) {
            if (count)
                hub_measure_decision(hub, request->use, NULL);
            *ret_contract = contract;
            return ERR_OK;
        }
        if (err != ERR_DENIED)
            return err;
        if (rule > nearest_rule) {
            nearest_rule = rule;
            nearest = contract;
        }
    }
    *ret_refusal = nearest ? hub_refusal_of(nearest, nearest_rule) : hub_refusal_unknown();
    if (count)
        hub_measure_decision(hub, request->use, ret_refusal);
    return ret_refusal->err;
}

/* ---- waiting for a reservation ---- */

bool hub_wait(struct hub *hub, struct hub_waiter *waiter)
{
    pthread_mutex_lock(&hub->waiting_lock);
    bool has_room = hub->n_waiting < HUB_CALLS_WAITING_MAX;
    if (has_room) {
        waiter->next = hub->waiting;
        hub->waiting = waiter;
        hub->n_waiting++;
    }
    pthread_mutex_unlock(&hub->waiting_lock);
    return has_room;
}

void hub_waiters_resume(struct hub *hub)
{
    pthread_mutex_lock(&hub->waiting_lock);
    struct hub_waiter *waiter = hub->waiting;
    hub->waiting = NULL;
    hub->n_waiting = 0;
    pthread_mutex_unlock(&hub->waiting_lock);
    for (struct hub_waiter *next; waiter; waiter = next) {
        next = waiter->next;
        waiter->again(waiter);
    }
}
