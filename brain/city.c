/* Reads city.yaml, every key checked. */
#include "brain/city.h"

#include "base/yaml.h"
#include "hub/registry.h"
#include "ledger/policy.h"

#include <stdio.h>
#include <string.h>

#define PASSAGES_KEPT_MAX_MS (366 * 86400000LL)

enum err city_path(const char *dir, const char *name, char out[CITY_PATH_MAX])
{
    int len = snprintf(out, CITY_PATH_MAX, "%s/%s", dir, name);
    return len > 0 && len < CITY_PATH_MAX ? ERR_OK : ERR_TOO_LARGE;
}

static enum err set_folders(const char *dir, const char *data_dir, struct diag_list *diags, struct city *city)
{
    struct str path = str_from_c(dir), parent, last = path;
    while (path.len > 1 && path.ptr[path.len - 1] == '/')
        path.len--;
    if (!str_cut_last(path, '/', &parent, &last))
        last = path;
    int data_len = data_dir ? snprintf(city->data_dir, CITY_PATH_MAX, "%s", data_dir)
                            : snprintf(city->data_dir, CITY_PATH_MAX, "var/" STR_FORMAT, STR_ARG(last));
    int dir_len = snprintf(city->dir, CITY_PATH_MAX, STR_FORMAT, STR_ARG(path));
    /* Room for what is appended to them. */
    if (data_len > CITY_PATH_MAX - 128 || dir_len > CITY_PATH_MAX - 128)
        return diag_add(diags, ERR_TOO_LARGE, dir, 0, "the path is too long; give a shorter one");
    return ERR_OK;
}

static void read_http(struct yaml_node root, struct diag_list *diags, struct city *city)
{
    static const char *const keys[] = {"address", "port", NULL};
    struct yaml_node http = yaml_get(root, "http");
    struct str address = STR("127.0.0.1");
    int64_t port = 8080;
    if (!yaml_is_none(http)) {
        yaml_check_keys(http, keys, diags);
        yaml_get_str(http, "address", false, diags, &address);
        yaml_get_i64(http, "port", false, diags, 0, 65535, &port);
    }
    if (str_to_c(address, city->address, sizeof(city->address)) != ERR_OK)
        yaml_error(http, diags, ERR_SYNTAX, "the address is no address; write one like 127.0.0.1");
    city->port = (uint16_t)port;
}

/* Witnesses with an address: the others a brain cannot ask. */
static uint32_t reachable(const struct policy *policy)
{
    uint32_t set = 0;
    for (size_t i = 0; i < policy_n_witnesses(policy); i++)
        if (policy_witness(policy, i)->url.len > 0)
            set |= (uint32_t)1 << i;
    return set;
}

/* `witnesses: FILE`, a C2SP tlog-policy. One that does not do what a policy is for is refused here, where somebody sees it. */
static void read_policy(struct yaml_node root, struct diag_list *diags, struct city *city)
{
    struct str name;
    char file[CITY_PATH_MAX];
    struct diag diag = {""};
    if (yaml_get_str(root, "witnesses", false, diags, &name) != ERR_OK)
        return;
    struct yaml_node node = yaml_get(root, "witnesses");
    if (str_to_c(name, file, sizeof(file)) != ERR_OK || city_path(city->dir, file, city->policy_path) != ERR_OK)
        yaml_error(node, diags, ERR_TOO_LARGE, "the policy's path is too long");
    else if (policy_load(city->policy_path, &diag, &city->policy) != ERR_OK)
        yaml_error(node, diags, ERR_SYNTAX, "%s", diag.text);
    else if (!policy_is_met(city->policy, reachable(city->policy)))
        yaml_error(
            node, diags, ERR_RANGE, "the policy's witnesses that have an address are no quorum; write an address behind each one's key");
    else if (!policy_is_met(city->policy, 0) && policy_can_split(city->policy))
        yaml_error(node, diags, ERR_RANGE,
            "two sets of witnesses that share nobody would each be a quorum, so that two histories could be shown; ask for more than half");
}

/* A path in the city's files: as it is, below {data}, or beside city.yaml. */
static void read_path(
    struct yaml_node map, const char *key, bool required, struct diag_list *diags, const struct city *city, char out[CITY_PATH_MAX])
{
    struct str path;
    if (yaml_get_str(map, key, required, diags, &path) != ERR_OK)
        return;
    bool is_data = str_starts_with(path, STR("{data}/")), is_absolute = str_starts_with(path, STR("/"));
    struct str rest = is_data ? str_slice(path, strlen("{data}/"), path.len) : path;
    int len = is_absolute ? snprintf(out, CITY_PATH_MAX, STR_FORMAT, STR_ARG(path))
                          : snprintf(out, CITY_PATH_MAX, "%s/" STR_FORMAT, is_data ? city->data_dir : city->dir, STR_ARG(rest));
    if (len <= 0 || len >= CITY_PATH_MAX)
        yaml_error(yaml_get(map, key), diags, ERR_TOO_LARGE, "the path is too long");
}

/* `district:` joins this hub to others (docs/district.md). */
static void read_district(struct yaml_node root, struct diag_list *diags, struct city *city)
{
    static const char *const keys[] = {"federation", "bus", NULL}, *const bus_keys[] = {
                                                                       "url", "nkey_file", "ca_file", "cert_file", "key_file", NULL};
    struct yaml_node district = yaml_get(root, "district"), bus = yaml_get(district, "bus");
    if (yaml_is_none(district))
        return;
    if (yaml_kind(district) != YAML_MAP || yaml_is_none(bus) || yaml_kind(bus) != YAML_MAP) {
        yaml_error(district, diags, ERR_SYNTAX, "a hub is joined to others by district: {federation: FILE, bus: {url: nats://…}}");
        return;
    }
    yaml_check_keys(district, keys, diags);
    yaml_check_keys(bus, bus_keys, diags);
    read_path(district, "federation", true, diags, city, city->federation);
    yaml_get_str(bus, "url", true, diags, &city->bus_url);
    read_path(bus, "nkey_file", false, diags, city, city->bus_nkey);
    read_path(bus, "ca_file", false, diags, city, city->bus_ca);
    read_path(bus, "cert_file", false, diags, city, city->bus_cert);
    read_path(bus, "key_file", false, diags, city, city->bus_key);
}

static void read_all(struct yaml_node root, struct diag_list *diags, struct city *city)
{
    static const char *const keys[] = {"city", "title", "time_zone", "log", "sm_log", "witnesses", "http", "passages_kept", "receipts_kept",
        "epoch_keys_kept", "demo", "district", NULL};
    static const char *const title_keys[] = {"zh", "en", NULL};
    yaml_check_keys(root, keys, diags);
    yaml_get_str(root, "city", true, diags, &city->name);
    struct yaml_node title = yaml_get(root, "title");
    if (yaml_is_none(title))
        yaml_error(root, diags, ERR_NOT_FOUND, "the city has no title; write title: {zh: …, en: …}");
    else {
        yaml_check_keys(title, title_keys, diags);
        yaml_get_str(title, "zh", true, diags, &city->title_zh);
        yaml_get_str(title, "en", true, diags, &city->title_en);
    }
    if (yaml_get_str(root, "time_zone", true, diags, &city->zone_name) == ERR_OK && time_zone_parse(city->zone_name, &city->zone) != ERR_OK)
        yaml_error(yaml_get(root, "time_zone"), diags, ERR_NOT_FOUND,
            "time zone \"" STR_FORMAT "\" is not known; give Asia/Shanghai, UTC, or an offset like +08:00", STR_ARG(city->zone_name));
    yaml_get_str(root, "log", true, diags, &city->log_origin);
    yaml_get_bool(root, "sm_log", false, diags, &city->has_sm_log);
    read_policy(root, diags, city);
    read_http(root, diags, city);
    int64_t passages_kept_ms = 7 * 86400000LL; /* the camera door reads it; checked here, where all of city.yaml is */
    yaml_get_duration_ms(root, "passages_kept", false, diags, &passages_kept_ms);
    if (passages_kept_ms <= 0 || passages_kept_ms > PASSAGES_KEPT_MAX_MS)
        yaml_error(yaml_get(root, "passages_kept"), diags, ERR_RANGE, "passages are kept from a moment to a year; give something like 7d");
    yaml_get_duration_ms(root, "receipts_kept", false, diags, &city->receipts_kept_ms);
    if (!yaml_is_none(yaml_get(root, "receipts_kept")) && city->receipts_kept_ms <= 0)
        yaml_error(yaml_get(root, "receipts_kept"), diags, ERR_RANGE, "receipts are served for some time; give something like 1100d");
    city->epoch_keys_kept_ms = HUB_EPOCHS_KEPT_MS;
    yaml_get_duration_ms(root, "epoch_keys_kept", false, diags, &city->epoch_keys_kept_ms);
    if (city->epoch_keys_kept_ms < HUB_EPOCHS_KEPT_MS_MIN)
        yaml_error(yaml_get(root, "epoch_keys_kept"), diags, ERR_RANGE,
            "what opens a receipt is kept for three years at least, as the record of a use has to be; give something like 1100d");
    yaml_get_bool(root, "demo", false, diags, &city->is_demo);
    read_district(root, diags, city);
}

enum err city_load(const char *dir, const char *data_dir, struct diag_list *diags, struct city *ret_city)
{
    struct city city = {.yaml = NULL};
    char path[CITY_PATH_MAX];
    size_t n_before = diags->n + diags->n_dropped;
    enum err err = set_folders(dir, data_dir, diags, &city);
    if (err == ERR_OK)
        err = city_path(city.dir, "city.yaml", path);
    if (err == ERR_OK)
        err = yaml_load_file(path, diags, &city.yaml);
    if (err != ERR_OK)
        return err;
    read_all(yaml_root(city.yaml), diags, &city);
    if (diags->n + diags->n_dropped > n_before) {
        city_finish(&city);
        return ERR_SYNTAX;
    }
    *ret_city = city;
    return ERR_OK;
}

void city_finish(struct city *city)
{
    policy_destroy(city->policy);
    yaml_destroy(city->yaml);
    city->policy = NULL;
    city->yaml = NULL;
}
