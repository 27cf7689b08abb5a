/* Reads indicators.yaml: every key checked, every indicator whole. */
#include "cockpit/indicator.h"

#include "base/mem.h"
#include "base/yaml.h"
#include "cockpit/board.h"
#include "hub/indicator.h"
#include "hub/need.h"
#include "hub/registry.h"

struct cockpit_config {
    struct yaml *yaml; /* the strings below borrow from it */
    struct cockpit_needs needs;
    size_t n;
    struct cockpit_indicator indicators[COCKPIT_INDICATORS_MAX];
};

static void read_text(struct yaml_node map, const char *key, struct diag_list *diags, struct cockpit_text *ret_text)
{
    static const char *const keys[] = {"zh", "en", NULL};
    struct yaml_node text = yaml_get(map, key);
    if (yaml_is_none(text) || yaml_kind(text) != YAML_MAP) {
        yaml_error(map, diags, ERR_SYNTAX, "%s needs words in both languages; write %s: {zh: …, en: …}", key, key);
        return;
    }
    yaml_check_keys(text, keys, diags);
    yaml_get_str(text, "zh", true, diags, &ret_text->zh);
    yaml_get_str(text, "en", true, diags, &ret_text->en);
}

static void read_formula(struct yaml_node map, struct diag_list *diags, struct cockpit_indicator *indicator)
{
    static const char *const keys[] = {"name", "version", "text", NULL};
    struct yaml_node formula = yaml_get(map, "formula");
    if (yaml_is_none(formula) || yaml_kind(formula) != YAML_MAP) {
        yaml_error(map, diags, ERR_SYNTAX, "an indicator needs its formula; write formula: {name: …, version: 1, text: {zh: …, en: …}}");
        return;
    }
    yaml_check_keys(formula, keys, diags);
    yaml_get_str(formula, "name", true, diags, &indicator->formula_name);
    yaml_get_i64(formula, "version", true, diags, 1, 1000000, &indicator->formula_version);
    read_text(formula, "text", diags, &indicator->formula);
}

static void read_thresholds(struct yaml_node map, struct diag_list *diags, struct cockpit_indicator *indicator)
{
    static const char *const keys[] = {"amber", "red", "direction", NULL};
    static const char *const directions[] = {"above", "below", NULL};
    struct yaml_node thresholds = yaml_get(map, "thresholds");
    size_t direction = 0;
    if (yaml_is_none(thresholds))
        return;
    yaml_check_keys(thresholds, keys, diags);
    indicator->has_amber = yaml_get_real(thresholds, "amber", false, diags, &indicator->amber) == ERR_OK;
    indicator->has_red = yaml_get_real(thresholds, "red", false, diags, &indicator->red) == ERR_OK;
    yaml_get_choice(thresholds, "direction", true, diags, directions, &direction);
    indicator->is_above = direction == 0;
    if (indicator->has_amber && indicator->has_red &&
        (indicator->is_above ? indicator->amber > indicator->red : indicator->amber < indicator->red))
        yaml_error(thresholds, diags, ERR_RANGE, "amber lies beyond red; swap them, or turn direction round");
}

static void read_indicator(struct yaml_node map, struct diag_list *diags, struct cockpit_indicator *ret)
{
    static const char *const keys[] = {"name", "title", "definition", "unit", "owner", "source", "formula", "period", "stale_after",
        "roll_up", "sampled", "decimals", "scale", "thresholds", NULL};
    static const char *const roll_ups[] = {"none", "sum", "mean", "weighted", NULL};
    int64_t decimals = 0;
    size_t roll_up = 0;
    *ret = (struct cockpit_indicator){.scale = 1};
    yaml_check_keys(map, keys, diags);
    if (yaml_get_str(map, "name", true, diags, &ret->name) == ERR_OK && !str_is_name(ret->name))
        yaml_error(yaml_get(map, "name"), diags, ERR_SYNTAX, "\"" STR_FORMAT "\" is not a name; use small letters, digits, _ . -",
            STR_ARG(ret->name));
    read_text(map, "title", diags, &ret->title);
    read_text(map, "definition", diags, &ret->definition);
    read_text(map, "unit", diags, &ret->unit);
    yaml_get_str(map, "owner", true, diags, &ret->owner);
    yaml_get_str(map, "source", true, diags, &ret->source);
    read_formula(map, diags, ret);
    yaml_get_duration_ms(map, "period", true, diags, &ret->period_ms);
    yaml_get_duration_ms(map, "stale_after", true, diags, &ret->stale_after_ms);
    yaml_get_choice(map, "roll_up", true, diags, roll_ups, &roll_up);
    ret->roll_up = (enum cockpit_roll_up)roll_up;
    yaml_get_bool(map, "sampled", false, diags, &ret->is_sampled);
    yaml_get_i64(map, "decimals", false, diags, 0, 6, &decimals);
    ret->decimals = (int)decimals;
    yaml_get_real(map, "scale", false, diags, &ret->scale);
    read_thresholds(map, diags, ret);
    if (ret->period_ms < 0 || (ret->period_ms > 0 && ret->period_ms < 1000))
        yaml_error(map, diags, ERR_RANGE, "the record's period is under a second; give 1s or more");
}

static void read_needs(struct yaml_node root, struct diag_list *diags, struct cockpit_needs *ret)
{
    static const char *const stream_keys[] = {"road_state", "road_index", "junction_index", "road", "zone", "zone_state", "source", NULL};
    yaml_get_str(root, "party", true, diags, &ret->party);
    yaml_get_str(root, "purpose", true, diags, &ret->purpose);
    struct yaml_node reads = yaml_get(root, "reads");
    if (yaml_is_none(reads))
        return;
    yaml_check_keys(reads, stream_keys, diags);
    yaml_get_str(reads, "road_state", false, diags, &ret->road_state);
    yaml_get_str(reads, "road_index", false, diags, &ret->road_index);
    yaml_get_str(reads, "junction_index", false, diags, &ret->junction_index);
    yaml_get_str(reads, "road", false, diags, &ret->road);
    yaml_get_str(reads, "zone", false, diags, &ret->zone);
    yaml_get_str(reads, "zone_state", false, diags, &ret->zone_state);
    yaml_get_str(reads, "source", false, diags, &ret->source);
}

static void read_indicators(struct yaml_node list, struct diag_list *diags, struct cockpit_config *config)
{
    for (size_t i = 0; i < yaml_n_items(list); i++) {
        struct yaml_node item = yaml_item(list, i);
        if (config->n == COCKPIT_INDICATORS_MAX) {
            yaml_error(item, diags, ERR_FULL, "more than %d indicators; nobody reads so many, take some out", COCKPIT_INDICATORS_MAX);
            return;
        }
        struct cockpit_indicator *indicator = &config->indicators[config->n];
        read_indicator(item, diags, indicator);
        if (cockpit_config_find(config, indicator->name) >= 0)
            yaml_error(item, diags, ERR_EXISTS, "indicator \"" STR_FORMAT "\" is declared twice; give one of them another name",
                STR_ARG(indicator->name));
        config->n++;
    }
}

enum err cockpit_config_load(const char *path, struct diag_list *diags, struct cockpit_config **ret_config)
{
    static const char *const keys[] = {"party", "purpose", "reads", "indicators", NULL};
    size_t n_before = diags ? diags->n + diags->n_dropped : 0;
    struct cockpit_config *config = mem_alloc_zero(1, sizeof(*config));
    if (!config)
        return ERR_NO_MEMORY;
    enum err err = yaml_load_file(path, diags, &config->yaml);
    if (err != ERR_OK)
        goto done;
    struct yaml_node root = yaml_root(config->yaml);
    yaml_check_keys(root, keys, diags);
    read_needs(root, diags, &config->needs);
    struct yaml_node list = yaml_get(root, "indicators");
    if (yaml_is_none(list) || yaml_kind(list) != YAML_LIST)
        err = yaml_error(root, diags, ERR_SYNTAX, "no list of indicators; begin it with \"indicators:\"");
    else
        read_indicators(list, diags, config);
    if (diags && diags->n + diags->n_dropped > n_before)
        err = ERR_SYNTAX;
done:
    if (err == ERR_OK)
        *ret_config = config;
    else
        cockpit_config_destroy(config);
    return err;
}

void cockpit_config_destroy(struct cockpit_config *config)
{
    if (!config)
        return;
    yaml_destroy(config->yaml);
    mem_free(config);
}

size_t cockpit_config_n(const struct cockpit_config *config)
{
    return config->n;
}

const struct cockpit_indicator *cockpit_config_at(const struct cockpit_config *config, size_t at)
{
    return &config->indicators[at];
}

int cockpit_config_find(const struct cockpit_config *config, struct str name)
{
    for (size_t i = 0; i < config->n; i++)
        if (str_equal(config->indicators[i].name, name))
            return (int)i;
    return -1;
}

const struct cockpit_needs *cockpit_config_needs(const struct cockpit_config *config)
{
    return &config->needs;
}

/* ---- held against the hub ---- */

static enum err check_need(const struct cockpit_config *config, const struct hub *hub, struct yaml_node node, enum hub_kind kind,
    const char *const *fields, size_t n_fields, struct diag_list *diags)
{
    if (yaml_is_none(node))
        return ERR_OK;
    const struct hub_need need = {config->needs.party, yaml_text(node), config->needs.purpose, kind, fields, n_fields};
    return hub_need_check(hub, &need, node, diags);
}

static enum err check_party(const struct hub *hub, struct yaml_node node, struct diag_list *diags)
{
    if (hub_party_find(hub, yaml_text(node)))
        return ERR_OK;
    return yaml_error(node, diags, ERR_NOT_FOUND, "there is no party \"" STR_FORMAT "\"; declare it in parties.yaml, or mend the name",
        STR_ARG(yaml_text(node)));
}

static enum err keep_first(enum err err, enum err one)
{
    return err != ERR_OK ? err : one;
}

enum err cockpit_config_check(const struct cockpit_config *config, const struct hub *hub, struct diag_list *diags)
{
    static const char *const road_fields[] = {"bytes"};
    struct yaml_node root = yaml_root(config->yaml), reads = yaml_get(root, "reads"), list = yaml_get(root, "indicators");
    enum err err = check_party(hub, yaml_get(root, "party"), diags);
    if (err != ERR_OK)
        return err; /* no contract can name it */
    if (!yaml_is_none(reads)) {
        err = check_need(config, hub, yaml_get(reads, "road"), HUB_OBJECT, road_fields, 1, diags);
        err = keep_first(err, check_need(config, hub, yaml_get(reads, "zone"), HUB_OBJECT, road_fields, 1, diags));
        err = keep_first(err,
            check_need(config, hub, yaml_get(reads, "road_state"), HUB_STREAM, hub_road_state_field_names, HUB_ROAD_STATE_N_FIELDS, diags));
        err = keep_first(err,
            check_need(config, hub, yaml_get(reads, "road_index"), HUB_STREAM, hub_road_index_field_names, HUB_ROAD_INDEX_N_FIELDS, diags));
        err = keep_first(err, check_need(config, hub, yaml_get(reads, "junction_index"), HUB_STREAM, hub_junction_index_field_names,
                                  HUB_JUNCTION_INDEX_N_FIELDS, diags));
        err = keep_first(err,
            check_need(config, hub, yaml_get(reads, "zone_state"), HUB_STREAM, hub_zone_state_field_names, HUB_ZONE_STATE_N_FIELDS, diags));
        err = keep_first(
            err, check_need(config, hub, yaml_get(reads, "source"), HUB_STREAM, cockpit_source_fields, COCKPIT_N_SOURCE_FIELDS, diags));
    }
    for (size_t i = 0; i < yaml_n_items(list); i++) {
        struct yaml_node item = yaml_item(list, i);
        err = keep_first(err, check_party(hub, yaml_get(item, "owner"), diags));
        err = keep_first(
            err, check_need(config, hub, yaml_get(item, "source"), HUB_STREAM, hub_indicator_field_names, HUB_INDICATOR_N_FIELDS, diags));
    }
    return err;
}
