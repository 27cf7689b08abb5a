/*
 * The decision as docs/decide.md lists it: thirteen rules in order, the first that fails denies.
 */
#include "hub/decide.h"

static bool among(struct str name, const struct str *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (str_equal(name, names[i]))
            return true;
    return false;
}

static bool is_subset(const struct str *names, size_t n, const struct str *of, size_t n_of)
{
    for (size_t i = 0; i < n; i++)
        if (!among(names[i], of, n_of))
            return false;
    return true;
}

static bool has_reached(int64_t counter, int64_t limit)
{
    return limit != DECIDE_NONE && counter >= limit;
}

int decide(
    const struct decide_contract *contract, const struct decide_request *request, int64_t now_ms, const struct decide_counters *counters)
{
    /* 1: `state` is not `agreed` */
    if (!str_equal(contract->state, STR("agreed")))
        return DECIDE_STATE;
    /* 2: now_ms < from_ms */
    if (contract->from_ms != DECIDE_NONE && now_ms < contract->from_ms)
        return DECIDE_NOT_YET;
    /* 3: now_ms >= until_ms */
    if (contract->until_ms != DECIDE_NONE && now_ms >= contract->until_ms)
        return DECIDE_OVER;
    /* 4: now_ms >= fresh_until_ms: the contract was not confirmed lately enough */
    if (contract->fresh_until_ms != DECIDE_NONE && now_ms >= contract->fresh_until_ms)
        return DECIDE_NOT_FRESH;
    /* 5: request.party is not the consumer */
    if (!str_equal(request->party, contract->consumer))
        return DECIDE_PARTY;
    /* 6: request.resource is not the contract's */
    if (!str_equal(request->resource, contract->resource))
        return DECIDE_RESOURCE;
    /* 7: request.use is not among `uses` */
    if (!among(request->use, contract->uses, contract->n_uses))
        return DECIDE_USE;
    /* 8: request.purpose is not the contract's purpose */
    if (!str_equal(request->purpose, contract->purpose))
        return DECIDE_PURPOSE;
    /* 9: request.fields is empty or not a subset of `fields` */
    if (request->n_fields == 0 || !is_subset(request->fields, request->n_fields, contract->fields, contract->n_fields))
        return DECIDE_FIELDS;
    /* 10, 11, 12: the counter of the second, day, month has reached its limit */
    if (has_reached(counters->second, contract->per_second))
        return DECIDE_PER_SECOND;
    if (has_reached(counters->day, contract->per_day))
        return DECIDE_PER_DAY;
    if (has_reached(counters->month, contract->per_month))
        return DECIDE_PER_MONTH;
    /* 13: min_subjects is set and `subjects` is below it, or the use is not a statistic */
    if (contract->min_subjects != DECIDE_NONE && (request->subjects == DECIDE_NONE || request->subjects < contract->min_subjects))
        return DECIDE_SUBJECTS;
    return DECIDE_PERMIT;
}

const char *decide_rule_text(int rule)
{
    static const char *const texts[DECIDE_N_RULES] = {
        "permitted",
        "the contract is not in force",
        "the contract has not begun",
        "the contract is over",
        "the contract was not confirmed lately enough",
        "the contract is another party's",
        "the contract is for another resource",
        "the contract does not allow this use",
        "the contract is for another purpose",
        "a field is not granted, or none was asked for",
        "the contract's uses of this second are used up",
        "the contract's uses of this day are used up",
        "the contract's uses of this month are used up",
        "fewer subjects than the contract asks for",
    };
    return rule >= 0 && rule < DECIDE_N_RULES ? texts[rule] : "no such rule";
}
