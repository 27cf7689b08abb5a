/* What may be told of how a use ended, at whichever door: what is denied and what does not exist look the same. */
#include "hub/problem.h"

static struct str unknown_text(void)
{
    return STR("there is no such resource, or no contract for it");
}

struct http_problem hub_problem_of(const struct hub_refusal *refusal)
{
    struct str words = str_from_c(refusal->diag.text);
    switch (refusal->err) {
    case ERR_DENIED:
        return (struct http_problem){404, unknown_text(), refusal->rule};
    case ERR_NOT_FOUND:
        return (struct http_problem){404, unknown_text(), -1};
    case ERR_BUSY:
        return (struct http_problem){429, words, refusal->rule ? refusal->rule : -1};
    case ERR_RANGE:
        return (struct http_problem){400, words, -1};
    default:
        return http_problem_of(refusal->err, words);
    }
}

struct http_problem hub_act_problem(const struct hub_act *act)
{
    if (act->refusal.err == ERR_EXISTS || (act->refusal.err == ERR_BUSY && act->refusal.rule == 0))
        return (struct http_problem){409, str_from_c(act->refusal.diag.text), -1};
    if (act->refusal.err)
        return hub_problem_of(&act->refusal);
    if (act->state != HUB_ACT_UNKNOWN)
        return (struct http_problem){.rule = -1};
    return (struct http_problem){504,
        act->may_repeat ? STR("nobody knows yet whether it was done; ask again with the same key, it acts once")
                        : STR("nobody knows whether it was done; it is not asked again, people look after it"),
        -1};
}
