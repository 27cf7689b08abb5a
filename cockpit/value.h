/*
 * The value of an indicator, and the three pure rules over it: how stale it is, what its thresholds say, how it rolls up the
 * tree of areas. No clock and no I/O.
 */
#ifndef COCKPIT_VALUE_H
#define COCKPIT_VALUE_H

#include "cockpit/indicator.h"
#include "hub/area.h"
#include "hub/hub.h"

enum cockpit_state { COCKPIT_NONE, COCKPIT_CALM, COCKPIT_AMBER, COCKPIT_RED, COCKPIT_STALE };

#define COCKPIT_RECEIPT_MAX HUB_RECEIPT_MAX
#define COCKPIT_CONTRACT_MAX 96
#define COCKPIT_MADE_BY_MAX 84

struct cockpit_value {
    bool is_there;         /* a source or a roll-up has ever given one */
    bool has_number;       /* false: the source says that nothing can be said */
    bool is_rolled_up;     /* from its children, not from the source */
    double number;         /* the last one known, in the source's unit */
    struct wall_time time; /* of the number: the moment, or the period's end */
    int64_t period_ms;
    int64_t n;              /* observations it rests on */
    int64_t stale_since_ms; /* what the source says; 0: fresh */
    double usual;           /* mean at this time of the last seven days' records */
    bool has_usual;
    double source_usual; /* what the source itself calls usual at this time of such a day; it goes before the mean */
    bool has_source_usual;
    char receipt[COCKPIT_RECEIPT_MAX]; /* of the window that it came in */
    char contract[COCKPIT_CONTRACT_MAX];
    char basis[COCKPIT_RECEIPT_MAX];   /* of the window that its source was made from; may be empty */
    char made_by[COCKPIT_MADE_BY_MAX]; /* formula and version that its source names, "hangzhou.traffic/1"; may be empty */
};

/* Since when it is stale, in ms; 0: it is fresh. Stale is: the source says so, nothing can be said, or older than stale_after. */
int64_t cockpit_stale_since(const struct cockpit_indicator *indicator, const struct cockpit_value *value, struct wall_time now);
enum cockpit_state cockpit_value_state(const struct cockpit_indicator *indicator, const struct cockpit_value *value, struct wall_time now);
const char *cockpit_state_name(enum cockpit_state state);

/* Fills, deepest parents first, the values of areas that have none of their own from their children's. `values` holds one a area of
 * `areas`. A child without a number leaves its parent's sum without one too: half a sum is a wrong number. */
void cockpit_roll_up(const struct cockpit_indicator *indicator, const struct area_tree *areas, struct cockpit_value *values);

#endif
