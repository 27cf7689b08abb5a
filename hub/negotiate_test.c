/*
 * The rules of docs/contract.md, a row each and more where a rule has more than one side; then every state with every event, for the laws
 * that no table would think of.
 */
#include "base/test.h"
#include "hub/decide.h"
#include "hub/negotiate.h"

#include <string.h>

#define P NEGOTIATE_PROVIDER
#define C NEGOTIATE_CONSUMER
#define H NEGOTIATE_HUB

struct row {
    int64_t rule;        /* no hole before `is` */
    struct negotiate is; /* from_ms 0, until_ms 1000 unless given; now is 500 unless given */
    struct negotiate_act act;
    int now_ms;
    enum hub_contract_state becomes;
};

#define DRAFT                                                                                                                              \
    {                                                                                                                                      \
        .state = HUB_DRAFTED, .drafter = C                                                                                                 \
    }
#define OFFERED                                                                                                                            \
    {                                                                                                                                      \
        .state = HUB_OFFERED, .drafter = C                                                                                                 \
    }
#define SIGNED_P                                                                                                                           \
    {                                                                                                                                      \
        .state = HUB_OFFERED, .drafter = C, .has_provider_signed = true                                                                    \
    }
#define AGREED                                                                                                                             \
    {                                                                                                                                      \
        .state = HUB_AGREED, .has_provider_signed = true, .has_consumer_signed = true, .fresh_for_ms = 50                                  \
    }
#define UNLIMITED                                                                                                                          \
    {                                                                                                                                      \
        .state = HUB_AGREED, .has_provider_signed = true, .has_consumer_signed = true, .fresh_for_ms = DECIDE_NONE                         \
    }
#define SUSPENDED(by_)                                                                                                                     \
    {                                                                                                                                      \
        .state = HUB_SUSPENDED, .has_provider_signed = true, .has_consumer_signed = true, .suspended_by = (by_)                            \
    }
#define ENDED                                                                                                                              \
    {                                                                                                                                      \
        .state = HUB_ENDED                                                                                                                 \
    }
#define ACT(event_, side_)                                                                                                                 \
    {                                                                                                                                      \
        .event = NEGOTIATE_##event_, .side = (side_), .may_manage = true, .is_signature_good = true                                        \
    }

static const struct row rows[] = {
    {1, AGREED, ACT(SUSPEND, NEGOTIATE_NOBODY), 0, 0},
    {1, AGREED, ACT(SUSPEND, H), 0, 0},
    {1, AGREED, ACT(EXPIRE, P), 1000, 0},
    {2, AGREED, {NEGOTIATE_SUSPEND, P, false, true}, 0, 0},
    {2, OFFERED, {NEGOTIATE_SIGN, C, false, true}, 0, 0},
    {3, DRAFT, ACT(OFFER, P), 0, 0},
    {3, DRAFT, ACT(REVOKE, P), 0, 0},
    {4, ENDED, ACT(RESUME, P), 0, 0},
    {4, ENDED, ACT(SIGN, C), 0, 0},
    {4, ENDED, ACT(EXPIRE, H), 1000, 0},
    {5, OFFERED, ACT(SIGN, C), 1000, 0},
    {5, SUSPENDED(P), ACT(RESUME, P), 1000, 0},
    {6, OFFERED, ACT(CHANGE, C), 0, 0},
    {6, AGREED, ACT(OFFER, C), 0, 0},
    {7, DRAFT, ACT(SIGN, C), 0, 0},
    {7, AGREED, ACT(SIGN, C), 0, 0},
    {8, SIGNED_P, ACT(SIGN, P), 0, 0},
    {9, OFFERED, {NEGOTIATE_SIGN, C, true, false}, 0, 0},
    {10, OFFERED, ACT(SUSPEND, P), 0, 0},
    {10, SUSPENDED(P), ACT(SUSPEND, C), 0, 0},
    {11, AGREED, ACT(RESUME, P), 0, 0},
    {11, SUSPENDED(P), ACT(RESUME, C), 0, 0},
    {12, AGREED, ACT(REVOKE, C), 0, 0},
    {13, AGREED, ACT(WITHDRAW, P), 0, 0},
    {14, AGREED, ACT(CONFIRM, C), 0, 0},
    {14, UNLIMITED, ACT(CONFIRM, P), 0, 0},
    {14, OFFERED, ACT(CONFIRM, P), 0, 0},
    {15, AGREED, ACT(EXPIRE, H), 999, 0},
    {0, DRAFT, ACT(CHANGE, C), 0, HUB_DRAFTED},
    {0, DRAFT, ACT(OFFER, C), 0, HUB_OFFERED},
    {0, DRAFT, ACT(WITHDRAW, C), 0, HUB_ENDED},
    {0, OFFERED, ACT(SIGN, C), 0, HUB_OFFERED},
    {0, OFFERED, ACT(REVOKE, P), 0, HUB_ENDED},
    {0, SIGNED_P, ACT(SIGN, C), 999, HUB_AGREED},
    {0, AGREED, ACT(SUSPEND, P), 0, HUB_SUSPENDED},
    {0, AGREED, ACT(SUSPEND, C), 0, HUB_SUSPENDED},
    {0, AGREED, ACT(CONFIRM, P), 0, HUB_AGREED},
    {0, SUSPENDED(C), ACT(RESUME, C), 0, HUB_AGREED},
    {0, SUSPENDED(C), ACT(REVOKE, P), 0, HUB_ENDED},
    {0, AGREED, ACT(WITHDRAW, C), 1000, HUB_ENDED},
    {0, AGREED, ACT(EXPIRE, H), 1000, HUB_ENDED},
    {0, DRAFT, ACT(EXPIRE, H), 1000, HUB_ENDED},
};

static void the_rules(void **state)
{
    bool is_covered[NEGOTIATE_N_RULES] = {false};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct negotiate contract = rows[i].is, before;
        contract.until_ms = 1000;
        if (contract.fresh_for_ms == 0)
            contract.fresh_for_ms = 50;
        before = contract;
        int rule = negotiate_step(&contract, &rows[i].act, rows[i].now_ms ? rows[i].now_ms : 500);
        if (rule != (int)rows[i].rule)
            fail_msg("row %zu: rule %d (%s), not %d", i, rule, negotiate_rule_text(rule), (int)rows[i].rule);
        if (rule)
            assert_memory_equal(&contract, &before, sizeof contract);
        else if (contract.state != rows[i].becomes)
            fail_msg("row %zu: became %d, not %d", i, contract.state, rows[i].becomes);
        is_covered[rule] = true;
    }
    for (int rule = 0; rule < NEGOTIATE_N_RULES; rule++)
        if (!is_covered[rule])
            fail_msg("no row for rule %d", rule);
}

/* Who, with which role, may do what to a contract in force: roles keep apart (GB/T 39477). */
static void roles_and_actions(void **state)
{
    static const char *const role_names[] = {"none", "manage", "audit", "operate"};
    for (int role = 0; role < 4; role++)
        for (int event = 0; event < NEGOTIATE_N_EVENTS; event++)
            for (int side = 0; side <= NEGOTIATE_HUB; side++)
                for (int at = HUB_DRAFTED; at <= HUB_ENDED; at++) {
                    struct negotiate contract = {.state = (enum hub_contract_state)at, .drafter = C, .until_ms = 1000, .fresh_for_ms = 5};
                    const struct negotiate_act act = {
                        .event = (enum negotiate_event)event, .side = (enum negotiate_side)side, .may_manage = role == 1};
                    if (role != 1 && side != H && negotiate_may(&contract, &act, 500))
                        fail_msg("role %s may %s", role_names[role], negotiate_event_names[event]);
                }
}

/* One of every combination of what a contract can be and what can be asked. */
static void check_laws(struct negotiate was, const struct negotiate_act *act, int64_t now_ms)
{
    struct negotiate is = was;
    int rule = negotiate_step(&is, act, now_ms);
    if (rule) {
        assert_memory_equal(&is, &was, sizeof is);
        return;
    }
    assert_int_not_equal(was.state, HUB_ENDED); /* the end is the end */
    if (is.state == HUB_AGREED && was.state == HUB_OFFERED)
        assert_true(is.has_provider_signed && is.has_consumer_signed && act->is_signature_good);
    if (is.state == HUB_AGREED || is.state == HUB_SUSPENDED)
        assert_true(was.state != HUB_DRAFTED); /* nothing comes into force unseen by the other side */
    if (is.state == HUB_AGREED)
        assert_true(now_ms < is.until_ms);
    if (was.state == HUB_SUSPENDED && is.state == HUB_AGREED)
        assert_int_equal(was.suspended_by, act->side);
    assert_true(act->side == H || act->may_manage);
    assert_true(is.has_provider_signed >= was.has_provider_signed && is.has_consumer_signed >= was.has_consumer_signed);
}

static void the_laws(void **state)
{
    size_t n = 0;
    for (unsigned bits = 0; bits < 1u << 6; bits++)
        for (int at = HUB_DRAFTED; at <= HUB_ENDED; at++)
            for (int event = 0; event < NEGOTIATE_N_EVENTS; event++)
                for (int side = 0; side <= NEGOTIATE_HUB; side++)
                    for (int64_t now_ms = 998; now_ms <= 1001; now_ms++, n++) {
                        struct negotiate contract = {0}; /* holes and all, for memcmp */
                        contract.state = (enum hub_contract_state)at;
                        contract.drafter = bits & 1 ? P : C;
                        contract.suspended_by = bits & 2 ? P : C;
                        contract.has_provider_signed = bits & 4;
                        contract.has_consumer_signed = bits & 8;
                        contract.until_ms = 1000;
                        contract.fresh_for_ms = bits & 1 ? DECIDE_NONE : 7;
                        const struct negotiate_act act = {.event = (enum negotiate_event)event,
                            .side = (enum negotiate_side)side,
                            .may_manage = bits & 16,
                            .is_signature_good = bits & 32};
                        check_laws(contract, &act, now_ms);
                    }
    assert_int_equal(n, 64 * 5 * NEGOTIATE_N_EVENTS * 4 * 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rules),
        cmocka_unit_test(roles_and_actions),
        cmocka_unit_test(the_laws),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
