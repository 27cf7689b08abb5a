/*
 * How many decisions one core makes.
 *
 *     decide_per_s   decide() over N_CASES prepared cases, for a second: a contract of a real one's size (12 fields granted, 4 asked for,
 *                    names of the demo city), four of five permitted, the rest denied by each rule in turn
 *
 * Only the pure function: finding the contract, counting and evidence are in call_bench's figures.
 */
#include "base/clock.h"
#include "hub/decide.h"

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>

#define N_CASES 4096
#define N_FIELDS 12
#define N_ASKED 4
#define NOW_MS INT64_C(1795305600000)
#define MEASURED_NS INT64_C(1000000000)

struct prepared {
    struct decide_contract contract;
    struct decide_request request;
    struct decide_counters counters;
    struct str asked[N_ASKED];
    int expected;
};

static struct prepared cases[N_CASES];

static const struct str uses[] = {STR_INIT("query"), STR_INIT("call")};
static const struct str fields[N_FIELDS] = {STR_INIT("plate"), STR_INIT("plate_class"), STR_INIT("brand"), STR_INIT("colour"),
    STR_INIT("first_registered"), STR_INIT("valid_until"), STR_INIT("energy"), STR_INIT("seats"), STR_INIT("owner_kind"),
    STR_INIT("inspection"), STR_INIT("insured_until"), STR_INIT("district")};

/* The one thing that its expected rule denies. */
static void spoil(struct prepared *c)
{
    switch (c->expected) {
    case DECIDE_STATE:
        c->contract.state = STR("suspended");
        break;
    case DECIDE_NOT_YET:
        c->contract.from_ms = NOW_MS + 1;
        break;
    case DECIDE_OVER:
        c->contract.until_ms = NOW_MS;
        break;
    case DECIDE_NOT_FRESH:
        c->contract.fresh_until_ms = NOW_MS;
        break;
    case DECIDE_PARTY:
        c->request.party = STR("hangzhou/scene.parkinh");
        break;
    case DECIDE_RESOURCE:
        c->request.resource = STR("hangzhou/police/vehiclf");
        break;
    case DECIDE_USE:
        c->request.use = STR("act");
        break;
    case DECIDE_PURPOSE:
        c->request.purpose = STR("parking.settlf");
        break;
    case DECIDE_FIELDS:
        c->asked[N_ASKED - 1] = STR("owner");
        break;
    case DECIDE_PER_SECOND:
        c->counters.second = 1000;
        break;
    case DECIDE_PER_DAY:
        c->counters.day = 1000000;
        break;
    case DECIDE_PER_MONTH:
        c->counters.month = 20000000;
        break;
    case DECIDE_SUBJECTS:
        c->request.subjects = 9;
        break;
    default:
        break;
    }
}

static void prepare(struct prepared *c, size_t i)
{
    c->contract = (struct decide_contract){.state = STR("agreed"),
        .provider = STR("hangzhou/police"),
        .consumer = STR("hangzhou/scene.parking"),
        .resource = STR("hangzhou/police/vehicle"),
        .purpose = STR("parking.settle"),
        .uses = uses,
        .n_uses = sizeof uses / sizeof *uses,
        .fields = fields,
        .n_fields = N_FIELDS,
        .from_ms = NOW_MS - 1000,
        .until_ms = NOW_MS + 1000,
        .fresh_until_ms = NOW_MS + 1000,
        .per_second = 1000,
        .per_day = 1000000,
        .per_month = 20000000,
        .min_subjects = 10};
    for (size_t k = 0; k < N_ASKED; k++)
        c->asked[k] = fields[(i + 3 * k) % N_FIELDS];
    c->request = (struct decide_request){.party = STR("hangzhou/scene.parking"),
        .resource = STR("hangzhou/police/vehicle"),
        .use = STR("call"),
        .purpose = STR("parking.settle"),
        .fields = c->asked,
        .n_fields = N_ASKED,
        .subjects = 10};
    c->counters = (struct decide_counters){.second = 999, .day = 999999, .month = 1};
    c->expected = i % 5 ? DECIDE_PERMIT : 1 + (int)(i / 5 % (DECIDE_N_RULES - 1));
    spoil(c);
}

int main(void)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(0, &one);
    sched_setaffinity(0, sizeof one, &one); /* where it may not be pinned it still uses one core at a time */
    for (size_t i = 0; i < N_CASES; i++)
        prepare(&cases[i], i);
    uint64_t n = 0, n_wrong = 0;
    int64_t start = clock_mono(clock_system()).ns, took;
    do {
        for (size_t i = 0; i < N_CASES; i++)
            n_wrong += decide(&cases[i].contract, &cases[i].request, NOW_MS, &cases[i].counters) != cases[i].expected;
        n += N_CASES;
        took = clock_mono(clock_system()).ns - start;
    } while (took < MEASURED_NS);
    if (n_wrong) {
        fprintf(stderr, "decide_bench: %" PRIu64 " wrong answers\n", n_wrong);
        return 1;
    }
    printf("decide_per_s %.0f 1/s\n", (double)n * 1e9 / (double)took);
    return 0;
}
