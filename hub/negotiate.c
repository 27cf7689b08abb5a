/*
 * The rules of a contract's life, in the order in which they are asked: each comment is the rule's line of docs/contract.md.
 */
#include "hub/negotiate.h"

#include "hub/decide.h"

const char *const negotiate_side_names[] = {"nobody", "provider", "consumer", "hub", NULL};
const char *const negotiate_event_names[] = {
    "change", "offer", "sign", "suspend", "resume", "revoke", "withdraw", "confirm", "expire", NULL};

static bool is_over(const struct negotiate *contract, int64_t now_ms)
{
    return contract->until_ms != DECIDE_NONE && now_ms >= contract->until_ms;
}

/* Rules 1 to 5: who, and whether there is anything left to do. */
static int refuse_anything(const struct negotiate *contract, const struct negotiate_act *act, int64_t now_ms)
{
    bool is_hubs = act->event == NEGOTIATE_EXPIRE;
    bool is_end = is_hubs || act->event == NEGOTIATE_REVOKE || act->event == NEGOTIATE_WITHDRAW;
    /* 1: the asker is of neither side; a contract's time is watched by the hub alone */
    if (is_hubs ? act->side != NEGOTIATE_HUB : act->side != NEGOTIATE_PROVIDER && act->side != NEGOTIATE_CONSUMER)
        return NEGOTIATE_STRANGER;
    /* 2: the asker may not manage contracts */
    if (!is_hubs && !act->may_manage)
        return NEGOTIATE_ROLE;
    /* 3: a draft is its drafter's alone */
    if (contract->state == HUB_DRAFTED && !is_hubs && act->side != contract->drafter)
        return NEGOTIATE_DRAFTER;
    /* 4: what has ended stays ended */
    if (contract->state == HUB_ENDED)
        return NEGOTIATE_ENDED;
    /* 5: its time is over, and the event does not end it */
    if (is_over(contract, now_ms) && !is_end)
        return NEGOTIATE_OVER;
    return NEGOTIATE_DONE;
}

/* Rules 6 to 15: whether this event fits where the contract stands. */
static int refuse_event(const struct negotiate *contract, const struct negotiate_act *act, int64_t now_ms)
{
    bool is_provider = act->side == NEGOTIATE_PROVIDER;
    switch (act->event) {
    case NEGOTIATE_CHANGE:
    case NEGOTIATE_OFFER:
        /* 6: change, offer: it is no draft any more */
        return contract->state != HUB_DRAFTED ? NEGOTIATE_NOT_DRAFT : NEGOTIATE_DONE;
    case NEGOTIATE_SIGN:
        /* 7: sign: it is not offered */
        if (contract->state != HUB_OFFERED)
            return NEGOTIATE_NOT_OFFERED;
        /* 8: sign: this side has signed already */
        if (is_provider ? contract->has_provider_signed : contract->has_consumer_signed)
            return NEGOTIATE_SIGNED;
        /* 9: sign: the signature is not this party's over these terms */
        return act->is_signature_good ? NEGOTIATE_DONE : NEGOTIATE_BAD_SIGNATURE;
    case NEGOTIATE_SUSPEND:
        /* 10: suspend: it is not in force */
        return contract->state != HUB_AGREED ? NEGOTIATE_NOT_AGREED : NEGOTIATE_DONE;
    case NEGOTIATE_RESUME:
        /* 11: resume: it is not suspended, or the other side suspended it */
        return contract->state != HUB_SUSPENDED || contract->suspended_by != act->side ? NEGOTIATE_NOT_SUSPENDED : NEGOTIATE_DONE;
    case NEGOTIATE_REVOKE:
        /* 12: revoke: only the provider does */
        return is_provider ? NEGOTIATE_DONE : NEGOTIATE_NOT_PROVIDER;
    case NEGOTIATE_WITHDRAW:
        /* 13: withdraw: only the consumer does */
        return is_provider ? NEGOTIATE_NOT_CONSUMER : NEGOTIATE_DONE;
    case NEGOTIATE_CONFIRM:
        /* 14: confirm: not the provider, not in force or suspended, or it has no limit of freshness */
        return !is_provider || contract->fresh_for_ms == DECIDE_NONE || (contract->state != HUB_AGREED && contract->state != HUB_SUSPENDED)
                   ? NEGOTIATE_NOT_CONFIRMED
                   : NEGOTIATE_DONE;
    case NEGOTIATE_EXPIRE:
        /* 15: expire: its time is not over */
        return is_over(contract, now_ms) ? NEGOTIATE_DONE : NEGOTIATE_NOT_OVER;
    case NEGOTIATE_N_EVENTS:
        break;
    }
    return NEGOTIATE_STRANGER;
}

static int refuse(const struct negotiate *contract, const struct negotiate_act *act, int64_t now_ms)
{
    int rule = refuse_anything(contract, act, now_ms);
    return rule ? rule : refuse_event(contract, act, now_ms);
}

static void sign(struct negotiate *contract, enum negotiate_side side, int64_t now_ms)
{
    if (side == NEGOTIATE_PROVIDER)
        contract->has_provider_signed = true;
    else
        contract->has_consumer_signed = true;
    if (!contract->has_provider_signed || !contract->has_consumer_signed)
        return;
    contract->state = HUB_AGREED;
    contract->confirmed_ms = now_ms;
}

int negotiate_step(struct negotiate *contract, const struct negotiate_act *act, int64_t now_ms)
{
    int rule = refuse(contract, act, now_ms);
    if (rule)
        return rule;
    switch (act->event) {
    case NEGOTIATE_CHANGE:
    case NEGOTIATE_N_EVENTS:
        break;
    case NEGOTIATE_OFFER:
        contract->state = HUB_OFFERED;
        break;
    case NEGOTIATE_SIGN:
        sign(contract, act->side, now_ms);
        break;
    case NEGOTIATE_SUSPEND:
        contract->state = HUB_SUSPENDED;
        contract->suspended_by = act->side;
        break;
    case NEGOTIATE_RESUME:
        contract->state = HUB_AGREED;
        contract->suspended_by = NEGOTIATE_NOBODY;
        break;
    case NEGOTIATE_REVOKE:
    case NEGOTIATE_WITHDRAW:
    case NEGOTIATE_EXPIRE:
        contract->state = HUB_ENDED;
        break;
    case NEGOTIATE_CONFIRM:
        contract->confirmed_ms = now_ms;
        break;
    }
    return NEGOTIATE_DONE;
}

bool negotiate_may(const struct negotiate *contract, const struct negotiate_act *act, int64_t now_ms)
{
    struct negotiate_act asked = *act;
    asked.is_signature_good = true;
    return refuse(contract, &asked, now_ms) == NEGOTIATE_DONE;
}

const char *negotiate_rule_text(int rule)
{
    static const char *const texts[NEGOTIATE_N_RULES] = {
        "done",
        "there is no such contract of yours",
        "your role does not manage contracts",
        "a draft is its drafter's alone",
        "the contract has ended",
        "the contract's time is over",
        "the contract is no draft any more",
        "the contract is not offered",
        "your side has signed already",
        "the signature is not your party's over these terms",
        "the contract is not in force",
        "the contract is not suspended, or the other side suspended it",
        "only the provider revokes",
        "only the consumer withdraws",
        "only the provider confirms, and only a contract in force that has a limit of freshness",
        "the contract's time is not over",
    };
    return rule >= 0 && rule < NEGOTIATE_N_RULES ? texts[rule] : "no such rule";
}
