/*
 * Policies over hostile bytes: what is accepted has a quorum that all its witnesses together make, that only grows with the set, and
 * refusals say why.
 */
#include "ledger/policy.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct policy *policy;
    struct diag diag = {""};
    enum err err = policy_parse((struct str){(const char *)data, size}, "policy", &diag, &policy);
    if (err) {
        assert(err == ERR_NO_MEMORY || diag.text[0]);
        return 0;
    }
    uint32_t all = (uint32_t)(((uint64_t)1 << policy_n_witnesses(policy)) - 1), set = 0;
    assert(policy_is_met(policy, all));
    bool was_met = policy_is_met(policy, 0);
    for (size_t i = 0; i < policy_n_witnesses(policy); i++) {
        set |= (uint32_t)1 << i;
        assert(!was_met || policy_is_met(policy, set));
        was_met = policy_is_met(policy, set);
    }
    policy_destroy(policy);
    return 0;
}
