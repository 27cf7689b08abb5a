/*
 * Declared indicators (指标): what a figure of the cockpit is, before it has a value. An indicator without all of its
 * definition, owner, unit, period, source and formula is not shown: the file is refused.
 *
 * Format: docs/city.md, cockpits/indicators.yaml.
 */
#ifndef COCKPIT_INDICATOR_H
#define COCKPIT_INDICATOR_H

#include "base/diag.h"
#include "base/str.h"

#define COCKPIT_INDICATORS_MAX 64 /* reference/cockpit.md asks for at most 12 a level */

enum cockpit_roll_up {
    COCKPIT_ROLL_NONE,     /* the source publishes every area itself */
    COCKPIT_ROLL_SUM,      /* parent = sum of its children */
    COCKPIT_ROLL_MEAN,     /* parent = plain mean of its children */
    COCKPIT_ROLL_WEIGHTED, /* parent = mean of its children, weighted by how many observations each rests on */
};

struct cockpit_text { /* the two languages */
    struct str zh, en;
};

struct cockpit_indicator {
    struct str name;
    struct cockpit_text title, definition, unit;
    struct str owner;  /* party that answers for it */
    struct str source; /* stream resource it comes from */
    struct str formula_name;
    int64_t formula_version;
    struct cockpit_text formula;
    int64_t period_ms;      /* of the record */
    int64_t stale_after_ms; /* a live value older than this is stale */
    enum cockpit_roll_up roll_up;
    bool is_sampled; /* recorded from the live value at each period's end, for sources that publish no record of their own */
    int decimals;
    double scale;                      /* the shown value = value × scale + 0, e.g. 3.6 for m/s shown as km/h */
    bool has_amber, has_red, is_above; /* is_above: crossing upwards is the bad direction */
    double amber, red;
};

struct hub;
struct cockpit_config; /* immutable once loaded; owns all its text */

/* `path`: indicators.yaml. Errors in `diags`. */
enum err cockpit_config_load(const char *path, struct diag_list *diags, struct cockpit_config **ret_config) MUST_CHECK;
void cockpit_config_destroy(struct cockpit_config *config); /* takes NULL */
size_t cockpit_config_n(const struct cockpit_config *config);
const struct cockpit_indicator *cockpit_config_at(const struct cockpit_config *config, size_t at);
int cockpit_config_find(const struct cockpit_config *config, struct str name); /* -1: none */
/* What the cockpit as a party reads: its own name, its purpose, and the resources of roads, zones and sources; empty when not declared. */
struct cockpit_needs {
    struct str party, purpose;
    struct str road_state, road_index, junction_index, road, zone, zone_state, source;
};
const struct cockpit_needs *cockpit_config_needs(const struct cockpit_config *config);

/* `citybrain check`: does the hub have what the file names: every source and every `reads:` a resource of the right kind and fields with a
 * contract for the cockpit (hub/need.h), every owner a party? A running cockpit shows such a figure as stale instead. */
enum err cockpit_config_check(const struct cockpit_config *config, const struct hub *hub, struct diag_list *diags) MUST_CHECK;

#endif
