/* Reads a city's demand from its file: see demand.h. Pure arithmetic on it is here as well; trips are in demand.c. */
#include "base/yaml.h"
#include "world/demand.h"

#include <assert.h>
#include <math.h>

static const char *const kind_names[DEMAND_N_KINDS + 1] = {"inner", "in", "out", "through", NULL};

static enum err read_clock(struct yaml_node point, struct diag_list *diags, int32_t *ret_second)
{
    struct str text, hour, minute;
    int64_t h, m;
    enum err err = yaml_get_str(point, "at", true, diags, &text);
    if (err)
        return err;
    if (!str_cut(text, ':', &hour, &minute) || str_to_i64(hour, &h) || str_to_i64(minute, &m) || h < 0 || h > 23 || m < 0 || m > 59)
        return yaml_error(point, diags, ERR_SYNTAX, "\"" STR_FORMAT "\" is no time of day; write it as \"07:45\"", STR_ARG(text));
    *ret_second = (int32_t)(h * 3600 + m * 60);
    return ERR_OK;
}

static enum err read_curve(struct yaml_node root, struct diag_list *diags, struct demand_plan *plan)
{
    static const char *const keys[] = {"at", "share", NULL};
    struct yaml_node curve = yaml_get(root, "curve");
    if (yaml_is_none(curve))
        return yaml_error(root, diags, ERR_NOT_FOUND, "\"curve\" is missing; give the day's shares as [{at: \"07:45\", share: 0.97}, …]");
    plan->n_points = yaml_n_items(curve);
    if (plan->n_points < 2 || plan->n_points > DEMAND_POINTS_MAX)
        return yaml_error(curve, diags, ERR_RANGE, "a curve has 2 to %d points; this one has %zu", DEMAND_POINTS_MAX, plan->n_points);
    for (size_t i = 0; i < plan->n_points; i++) {
        struct yaml_node item = yaml_item(curve, i);
        struct demand_point *point = &plan->points[i];
        enum err err = yaml_check_keys(item, keys, diags);
        err = err ? err : read_clock(item, diags, &point->second);
        err = err ? err : yaml_get_real(item, "share", true, diags, &point->share);
        if (err)
            return err;
        if (point->share < 0 || point->share > 1)
            return yaml_error(item, diags, ERR_RANGE, "share %g; give one from 0 to 1", point->share);
        if (i > 0 && point->second <= plan->points[i - 1].second)
            return yaml_error(item, diags, ERR_RANGE, "this point is not later than the one before it; order them by time of day");
    }
    return ERR_OK;
}

static enum err read_centres(struct yaml_node centres, struct diag_list *diags, struct demand_plan *plan)
{
    static const char *const keys[] = {"title", "place", "reach_m", "pull", NULL};
    plan->n_centres = yaml_n_items(centres);
    if (plan->n_centres > DEMAND_CENTRES_MAX)
        return yaml_error(centres, diags, ERR_TOO_LARGE, "%zu centres; keep at most %d", plan->n_centres, DEMAND_CENTRES_MAX);
    for (size_t i = 0; i < plan->n_centres; i++) {
        struct yaml_node item = yaml_item(centres, i), place = yaml_get(item, "place");
        struct demand_centre *centre = &plan->centres[i];
        enum err err = yaml_check_keys(item, keys, diags);
        err = err ? err : yaml_get_real(item, "reach_m", true, diags, &centre->reach_m);
        err = err ? err : yaml_get_real(item, "pull", true, diags, &centre->pull);
        if (err)
            return err;
        if (yaml_is_none(place) || yaml_n_items(place) != 2 || str_to_double(yaml_text(yaml_item(place, 0)), &centre->place.lon) ||
            str_to_double(yaml_text(yaml_item(place, 1)), &centre->place.lat))
            return yaml_error(item, diags, ERR_SYNTAX, "place is not [longitude, latitude]; write it as [120.13, 30.27]");
        if (centre->reach_m <= 0 || centre->pull < 0)
            return yaml_error(item, diags, ERR_RANGE, "reach_m must be over 0 and pull not under 0");
    }
    return ERR_OK;
}

static enum err read_split(struct yaml_node root, const char *key, struct diag_list *diags, double *ret_split)
{
    struct yaml_node split = yaml_get(root, key);
    if (yaml_is_none(split))
        return yaml_error(root, diags, ERR_NOT_FOUND, "\"%s\" is missing; give the shares of trips {inner, in, out, through}", key);
    enum err err = yaml_check_keys(split, kind_names, diags);
    double sum = 0;
    for (size_t i = 0; i < DEMAND_N_KINDS && !err; i++) {
        err = yaml_get_real(split, kind_names[i], true, diags, &ret_split[i]);
        sum += err ? 0 : ret_split[i];
    }
    if (!err && fabs(sum - 1) > 1e-6)
        err = yaml_error(split, diags, ERR_RANGE, "the shares add up to %g; make them add up to 1", sum);
    return err;
}

static enum err read_peak(struct yaml_node root, struct diag_list *diags, struct demand_plan *plan)
{
    enum err err = yaml_get_real(root, "peak", true, diags, &plan->peak);
    if (!err && (plan->peak < 1 || plan->peak > 1e6))
        err = yaml_error(root, diags, ERR_RANGE, "peak %g; give 1 to 1000000 vehicles", plan->peak);
    return err;
}

enum err demand_plan_load(const char *path, struct diag_list *diags, struct demand_plan *ret_plan)
{
    static const char *const keys[] = {"peak", "curve", "centres", "morning", "evening", NULL};
    struct yaml *yaml;
    enum err err = yaml_load_file(path, diags, &yaml);
    if (err)
        return err;
    struct yaml_node root = yaml_root(yaml);
    struct demand_plan plan = {0};
    const enum err parts[] = {yaml_check_keys(root, keys, diags), read_peak(root, diags, &plan), read_curve(root, diags, &plan),
        read_centres(yaml_get(root, "centres"), diags, &plan), read_split(root, "morning", diags, plan.morning),
        read_split(root, "evening", diags, plan.evening)};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0] && !err; i++)
        err = parts[i]; /* every part has told its own mistake */
    yaml_destroy(yaml);
    if (!err)
        *ret_plan = plan;
    return err;
}

double demand_share(const struct demand_plan *plan, double second)
{
    assert(plan->n_points > 0); /* read_curve() has seen to it */
    double t = fmod(second, DEMAND_DAY_S);
    t = t < 0 ? t + DEMAND_DAY_S : t;
    size_t after = 0;
    while (after < plan->n_points && plan->points[after].second <= t)
        after++;
    const struct demand_point *a = &plan->points[(after + plan->n_points - 1) % plan->n_points];
    const struct demand_point *b = &plan->points[after % plan->n_points];
    double span = b->second - a->second, at = t - a->second; /* round midnight the day comes on top */
    span = span <= 0 ? span + DEMAND_DAY_S : span;
    at = at < 0 ? at + DEMAND_DAY_S : at;
    return a->share + (b->share - a->share) * at / span;
}
