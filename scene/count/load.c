/* The files that the scene's file names; see load.h. */
#include "scene/count/load.h"

#include <stdio.h>

#define PATH_MAX_BYTES 4096

/* The network's path from the scene's file; `{data}` is the data folder, what is not absolute lies in the city's folder. */
static enum err network_path(
    const struct scene_env *env, struct yaml_node config, struct diag_list *diags, char path[PATH_MAX_BYTES], bool *ret_is_data)
{
    struct str text, data = STR("{data}/");
    enum err err = yaml_get_str(config, "network", true, diags, &text);
    if (err != ERR_OK)
        return err;
    bool is_data = str_starts_with(text, data);
    struct str rest = is_data ? str_slice(text, data.len, text.len) : text;
    bool is_absolute = str_starts_with(text, STR("/"));
    int len = snprintf(path, PATH_MAX_BYTES, "%s%s" STR_FORMAT,
        is_absolute ? ""
        : is_data   ? env->data_dir
                    : env->city_dir,
        is_absolute ? "" : "/", STR_ARG(rest));
    if (len < 0 || len >= PATH_MAX_BYTES)
        return yaml_error(yaml_get(config, "network"), diags, ERR_TOO_LARGE, "the path is too long; shorten it");
    *ret_is_data = is_data;
    return ERR_OK;
}

enum err count_load_network(const struct scene_env *env, struct yaml_node config, struct diag_list *diags,
    struct road_network **ret_network, struct road_nearest **ret_nearest)
{
    char path[PATH_MAX_BYTES];
    bool is_data = false;
    enum err err = network_path(env, config, diags, path, &is_data);
    if (err != ERR_OK || (env->check_only && is_data)) /* what is made of a city's files is no file of the city */
        return err;
    struct diag diag = {""};
    err = road_network_load(path, &diag, ret_network);
    if (err != ERR_OK)
        return diag_add(diags, err, NULL, 0, "%s", diag.text[0] != 0 ? diag.text : err_text(err));
    if (!(*ret_network)->is_geographic)
        return yaml_error(
            yaml_get(config, "network"), diags, ERR_UNSUPPORTED, "the network has no projection; build it with netconvert --proj.utm");
    return road_nearest_create(*ret_network, ret_nearest);
}

enum err count_load_index(const struct scene_env *env, struct yaml_node config, struct diag_list *diags, struct count_index **ret_index)
{
    char path[PATH_MAX_BYTES];
    struct str text;
    if (yaml_is_none(yaml_get(config, "index")))
        return ERR_OK;
    enum err err = yaml_get_str(config, "index", true, diags, &text);
    if (err != ERR_OK)
        return err;
    int len = snprintf(path, sizeof(path), "%s/" STR_FORMAT, str_starts_with(text, STR("/")) ? "" : env->city_dir, STR_ARG(text));
    if (len < 0 || len >= PATH_MAX_BYTES)
        return yaml_error(yaml_get(config, "index"), diags, ERR_TOO_LARGE, "the path is too long; shorten it");
    return count_index_load(path, diags, ret_index);
}

enum err count_load_gps(struct yaml_node config, struct diag_list *diags, struct count_gps_settings *settings)
{
    static const char *const keys[] = {"error_m", "vehicles_max", "datum", NULL}, *const datums[] = {"wgs84", "gcj02", NULL};
    size_t datum = 0;
    struct yaml_node gps = yaml_get(config, "gps");
    int64_t error_m = (int64_t)settings->follow.match.sigma_m, vehicles_max = settings->follow.vehicles_max;
    if (yaml_is_none(gps))
        return ERR_OK;
    if (yaml_kind(gps) != YAML_MAP)
        return yaml_error(gps, diags, ERR_SYNTAX, "gps: {error_m: 10, vehicles_max: 20000, datum: wgs84}");
    enum err err = first_of(ERR_OK, yaml_check_keys(gps, keys, diags));
    err = first_of(err, yaml_get_i64(gps, "error_m", false, diags, 1, 200, &error_m));
    err = first_of(err, yaml_get_i64(gps, "vehicles_max", false, diags, 1, ROAD_FOLLOW_VEHICLES_MAX, &vehicles_max));
    err = first_of(err, yaml_get_choice(gps, "datum", false, diags, datums, &datum));
    settings->is_gcj02 = datum == 1;
    settings->follow.match.sigma_m = (double)error_m;
    settings->follow.vehicles_max = (uint32_t)vehicles_max;
    return err;
}
