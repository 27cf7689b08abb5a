/*
 * The life of a contract (契约) as a pure step: drafted → offered → agreed ⇄ suspended → ended. Who may do what, when; the rules are
 * numbered in docs/contract.md, and the same numbers stand in negotiate.c, in its test table and in a refusal.
 *
 * No clock, no I/O, no memory of its own. Whether a signature is good is checked before (hub/sign.h) and comes in with the event.
 */
#ifndef HUB_NEGOTIATE_H
#define HUB_NEGOTIATE_H

#include "base/str.h"
#include "hub/registry.h"

enum negotiate_side { NEGOTIATE_NOBODY, NEGOTIATE_PROVIDER, NEGOTIATE_CONSUMER, NEGOTIATE_HUB };
extern const char *const negotiate_side_names[]; /* NULL-terminated, in this order */

enum negotiate_event {
    NEGOTIATE_CHANGE, /* other terms */
    NEGOTIATE_OFFER,
    NEGOTIATE_SIGN,
    NEGOTIATE_SUSPEND,
    NEGOTIATE_RESUME,
    NEGOTIATE_REVOKE,   /* the provider ends it */
    NEGOTIATE_WITHDRAW, /* the consumer ends it */
    NEGOTIATE_CONFIRM,  /* the provider says that it still holds: fresh for another while */
    NEGOTIATE_EXPIRE,   /* its time is over; the hub's own */
    NEGOTIATE_N_EVENTS
};
extern const char *const negotiate_event_names[]; /* NULL-terminated */

/* Where a contract stands. A new draft is {HUB_DRAFTED, drafter, …}; one from a city's file that says `agreed` counts as signed. */
struct negotiate {
    enum hub_contract_state state;
    enum negotiate_side drafter;      /* of a draft: who alone sees it */
    enum negotiate_side suspended_by; /* who may resume it */
    bool has_provider_signed, has_consumer_signed;
    int64_t from_ms, until_ms; /* since 1970 */
    int64_t fresh_for_ms;      /* DECIDE_NONE: no limit */
    int64_t confirmed_ms;      /* when last confirmed; DECIDE_NONE: never */
};

struct negotiate_act {
    enum negotiate_event event;
    enum negotiate_side side; /* whose hand it is */
    bool may_manage;          /* the person's role (docs/contract.md) */
    bool is_signature_good;   /* of NEGOTIATE_SIGN: made with this side's key over these terms */
};

enum {
    NEGOTIATE_DONE = 0,
    NEGOTIATE_STRANGER = 1,
    NEGOTIATE_ROLE = 2,
    NEGOTIATE_DRAFTER = 3,
    NEGOTIATE_ENDED = 4,
    NEGOTIATE_OVER = 5,
    NEGOTIATE_NOT_DRAFT = 6,
    NEGOTIATE_NOT_OFFERED = 7,
    NEGOTIATE_SIGNED = 8,
    NEGOTIATE_BAD_SIGNATURE = 9,
    NEGOTIATE_NOT_AGREED = 10,
    NEGOTIATE_NOT_SUSPENDED = 11,
    NEGOTIATE_NOT_PROVIDER = 12,
    NEGOTIATE_NOT_CONSUMER = 13,
    NEGOTIATE_NOT_CONFIRMED = 14,
    NEGOTIATE_NOT_OVER = 15,
    NEGOTIATE_N_RULES
};

/* The number of the first rule that refuses; then *contract is untouched. 0: *contract is as it stands afterwards. */
int negotiate_step(struct negotiate *contract, const struct negotiate_act *act, int64_t now_ms) MUST_CHECK;
/* May this side, with its role, do this now? For the screens: the same rules, nothing changed; a signature counts as good. */
bool negotiate_may(const struct negotiate *contract, const struct negotiate_act *act, int64_t now_ms);
/* A few plain words for a rule, never NULL. */
const char *negotiate_rule_text(int rule);

#endif
