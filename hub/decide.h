/*
 * The decision (判定): may this use be made under this contract, now? One pure function for every use: no clock, no I/O, no
 * memory of its own. The rules are numbered in docs/decide.md; the same numbers are in decide.c, in its test table and in the
 * answers.
 *
 * It does not choose the contract, cut the day or count the use: the caller does (hub/contract.h).
 */
#ifndef HUB_DECIDE_H
#define HUB_DECIDE_H

#include "base/str.h"

#include <stdio.h>

#define DECIDE_NONE INT64_MIN /* null: no limit, no bound, not a statistic */
#define DECIDE_INTEGER_MAX (INT64_C(1) << 53)
#define DECIDE_LINE_MAX (1u << 20) /* bytes of one line of --stdio: a contract of 64 fields is under 10 kB */
#define DECIDE_NAMES_MAX 4096      /* of `uses` or `fields` in one line */

struct decide_contract {
    struct str state, provider, consumer, resource, purpose;
    const struct str *uses;
    size_t n_uses;
    const struct str *fields;
    size_t n_fields;
    int64_t from_ms, until_ms, fresh_until_ms; /* since 1970 UTC, or DECIDE_NONE */
    int64_t per_second, per_day, per_month;    /* or DECIDE_NONE */
    int64_t min_subjects;                      /* or DECIDE_NONE */
};

struct decide_request {
    struct str party, resource, use, purpose;
    const struct str *fields;
    size_t n_fields;
    int64_t subjects; /* DECIDE_NONE: not a statistic */
};

struct decide_counters { /* uses already permitted in the running second, day, month */
    int64_t second, day, month;
};

enum {
    DECIDE_PERMIT = 0,
    DECIDE_STATE = 1,
    DECIDE_NOT_YET = 2,
    DECIDE_OVER = 3,
    DECIDE_NOT_FRESH = 4,
    DECIDE_PARTY = 5,
    DECIDE_RESOURCE = 6,
    DECIDE_USE = 7,
    DECIDE_PURPOSE = 8,
    DECIDE_FIELDS = 9,
    DECIDE_PER_SECOND = 10,
    DECIDE_PER_DAY = 11,
    DECIDE_PER_MONTH = 12,
    DECIDE_SUBJECTS = 13,
    DECIDE_N_RULES
};

/* The number of the first rule that denies, 0 when the use is permitted. All strings are borrowed. */
int decide(const struct decide_contract *contract, const struct decide_request *request, int64_t now_ms,
    const struct decide_counters *counters) MUST_CHECK;
/* A few plain words for a rule, never NULL; static storage. */
const char *decide_rule_text(int rule);

/* One line (without its newline) of `citybrain decide --stdio`, answered into `answer` without a newline. Bounded memory; any bytes. */
struct buf;
void decide_line(struct str line, struct buf *answer);
/* Answers each line of the descriptor `in` on `out`, flushed before it waits for more, until `in` ends. ERR_IO when reading or writing
 * fails, ERR_NO_MEMORY. */
enum err hub_decide_stdio(int in, FILE *out) MUST_CHECK;

#endif
