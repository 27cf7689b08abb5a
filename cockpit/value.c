/* Staleness, thresholds and roll-up, each a few lines of arithmetic. */
#include "cockpit/value.h"

#include <string.h>

int64_t cockpit_stale_since(const struct cockpit_indicator *indicator, const struct cockpit_value *value, struct wall_time now)
{
    if (value->stale_since_ms > 0)
        return value->stale_since_ms;
    if (!value->has_number || now.ms - value->time.ms > indicator->stale_after_ms)
        return value->time.ms > 0 ? value->time.ms : 1;
    return 0;
}

enum cockpit_state cockpit_value_state(const struct cockpit_indicator *indicator, const struct cockpit_value *value, struct wall_time now)
{
    if (!value->is_there)
        return COCKPIT_NONE;
    if (cockpit_stale_since(indicator, value, now) > 0)
        return COCKPIT_STALE;
    double number = indicator->is_above ? value->number : -value->number;
    double amber = indicator->is_above ? indicator->amber : -indicator->amber;
    double red = indicator->is_above ? indicator->red : -indicator->red;
    if (indicator->has_red && number >= red)
        return COCKPIT_RED;
    if (indicator->has_amber && number >= amber)
        return COCKPIT_AMBER;
    return COCKPIT_CALM;
}

const char *cockpit_state_name(enum cockpit_state state)
{
    static const char *const names[] = {"none", "calm", "amber", "red", "stale"};
    return names[state];
}

/* What the children of one area add up to so far. */
struct sum {
    double number, weight;
    int64_t n, n_children, n_without;
    struct wall_time oldest;
    int64_t stale_since_ms, period_ms;
    const struct cockpit_value *example; /* whose receipt stands for the roll-up */
};

static void add_child(const struct cockpit_indicator *indicator, const struct cockpit_value *child, struct sum *sum)
{
    double weight = indicator->roll_up == COCKPIT_ROLL_WEIGHTED ? (double)child->n : 1;
    sum->n_children++;
    if (!child->has_number) {
        /* A mean may leave out what is not known; a sum may not. */
        if (indicator->roll_up == COCKPIT_ROLL_SUM)
            sum->n_without++;
        return;
    }
    sum->number += child->number * weight;
    sum->weight += weight;
    sum->n += child->n;
    if (!sum->example || child->time.ms < sum->oldest.ms) {
        sum->oldest = child->time;
        sum->example = child;
    }
    if (child->stale_since_ms > 0 && (sum->stale_since_ms == 0 || child->stale_since_ms < sum->stale_since_ms))
        sum->stale_since_ms = child->stale_since_ms;
}

static void take_sum(const struct cockpit_indicator *indicator, const struct sum *sum, struct cockpit_value *value)
{
    struct cockpit_value rolled = {.is_there = true, .is_rolled_up = true, .usual = value->usual, .has_usual = value->has_usual};
    if (sum->example) {
        memcpy(rolled.receipt, sum->example->receipt, sizeof(rolled.receipt));
        memcpy(rolled.contract, sum->example->contract, sizeof(rolled.contract));
        memcpy(rolled.basis, sum->example->basis, sizeof(rolled.basis));
        rolled.period_ms = sum->example->period_ms;
    }
    rolled.time = sum->oldest;
    rolled.n = sum->n;
    rolled.stale_since_ms = sum->stale_since_ms;
    rolled.has_number = sum->n_without == 0 && sum->weight > 0;
    if (rolled.has_number)
        rolled.number = indicator->roll_up == COCKPIT_ROLL_SUM ? sum->number : sum->number / sum->weight;
    *value = rolled;
}

void cockpit_roll_up(const struct cockpit_indicator *indicator, const struct area_tree *areas, struct cockpit_value *values)
{
    if (indicator->roll_up == COCKPIT_ROLL_NONE)
        return;
    /* Parents stand before their children, so going backwards meets every child before its parent. */
    for (size_t parent = area_n(areas); parent-- > 0;) {
        if (values[parent].is_there && !values[parent].is_rolled_up)
            continue;
        struct sum sum = {0};
        for (size_t child = parent + 1; child < area_n(areas); child++)
            if (area_at(areas, child)->parent == (int)parent && values[child].is_there)
                add_child(indicator, &values[child], &sum);
        if (sum.n_children > 0)
            take_sum(indicator, &sum, &values[parent]);
    }
}
