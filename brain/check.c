/*
 * `citybrain check CITY`: every file read by the reader that will read it at the start, nothing touched, all errors at once.
 *
 * What reads each other is held against each other: a scene's needs and an indicator's source against resources and contracts. The brain
 * knows nothing of the simulated world: of world/ only the form of the files is looked at here, and `cityworld --check` reads the keys.
 */
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/yaml.h"
#include "brain/city.h"
#include "brain/connectors.h"
#include "brain/files.h"
#include "brain/joined.h"
#include "brain/run.h"
#include "brain/scenes.h"
#include "brain/secrets.h"
#include "business/case/desk.h"
#include "business/party/party.h"
#include "cockpit/indicator.h"
#include "hub/registry.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define GROUND_MAX (64u << 20) /* as much as one answer of the cockpit holds */

static void check_people(const struct city *city, struct diag_list *diags)
{
    char areas_path[CITY_PATH_MAX], parties_path[CITY_PATH_MAX];
    struct area_tree *areas;
    struct diag_list *already_told = mem_alloc_zero(1, sizeof(*already_told)); /* the hub's check reads the areas, too */
    if (!already_told || city_path(city->dir, "areas.yaml", areas_path) != ERR_OK ||
        city_path(city->dir, "parties.yaml", parties_path) != ERR_OK) {
        mem_free(already_told);
        return;
    }
    if (area_tree_load(areas_path, already_told, &areas) == ERR_OK) {
        struct party_options options = {.parties_path = parties_path, .is_demo = city->is_demo, .areas = areas, .clock = clock_system()};
        enum err err = party_check(&options, diags);
        (void)err; /* told in diags */
        area_tree_destroy(areas);
    }
    mem_free(already_told);
}

/* The map's water and green, which the cockpit hands on as it is: here somebody looks into it. */
static void check_ground(const struct city *city, struct diag_list *diags)
{
    char path[CITY_PATH_MAX];
    struct buf text;
    struct diag diag = {""};
    struct str type;
    json_t *json = NULL;
    buf_init(&text, GROUND_MAX);
    enum err err = city_path(city->dir, "map/water.geojson", path);
    if (err == ERR_OK && (err = file_read(path, &text)) == ERR_NOT_FOUND)
        goto done; /* a map without water */
    if (err != ERR_OK)
        diag_add(diags, err, path, 0, "cannot be read: %s", err_text(err));
    else if ((err = json_read(buf_str(&text), &diag, &json)) != ERR_OK)
        diag_add(diags, err, path, 0, "%s; write it as GeoJSON (RFC 7946)", diag.text);
    else if (json_get_str(json, "type", &type) != ERR_OK || !str_equal(type, STR("FeatureCollection")) ||
             !json_is_array(json_object_get(json, "features")))
        diag_add(
            diags, ERR_SYNTAX, path, 1, "the file is no collection of features; write {\"type\":\"FeatureCollection\",\"features\":[…]}");
done:
    json_decref(json);
    buf_finish(&text);
}

static enum err check_form(void *context, const char *path)
{
    struct yaml *yaml = NULL;
    enum err err = yaml_load_file(path, context, &yaml);
    yaml_destroy(yaml);
    return err == ERR_NO_MEMORY ? err : ERR_OK; /* else told in diags, and the next file has its own */
}

static void check_world(const struct city *city, struct diag_list *diags)
{
    char folder[CITY_PATH_MAX];
    enum err err = city_path(city->dir, "world", folder);
    if (err == ERR_OK)
        err = files_each(folder, ".yaml", check_form, diags);
    if (err != ERR_OK)
        diag_add(diags, err, city->dir, 0, "world/ cannot be read: %s", err_text(err));
}

static enum err check_cockpit(struct hub *hub, const struct city *city, struct diag_list *diags)
{
    char path[CITY_PATH_MAX];
    struct cockpit_config *config;
    enum err err = city_path(city->dir, "cockpits/indicators.yaml", path);
    if (err == ERR_OK)
        err = cockpit_config_load(path, diags, &config);
    if (err != ERR_OK)
        return err;
    if (hub)
        err = cockpit_config_check(config, hub, diags);
    cockpit_config_destroy(config);
    return err;
}

static enum err check_cases(struct hub *hub, const struct city *city, struct diag_list *diags)
{
    char path[CITY_PATH_MAX];
    enum err err = city_path(city->dir, "cases.yaml", path);
    return err != ERR_OK || access(path, F_OK) != 0 ? err : case_check(path, hub, diags);
}

static void check_all(const struct city *city, struct diag_list *diags)
{
    struct hub *hub = NULL; /* stays so when the hub's own files have errors: what names their resources would only repeat them */
    struct joined joined = {.district = NULL};
    const struct joined_options joined_options = {.city = city, .clock = clock_system(), .check_only = true};
    enum err joined_err = joined_open(&joined, &joined_options, diags);
    const struct hub_options options = {.city_dir = city->dir,
        .district = joined.district,
        .data_dir = city->data_dir,
        .area = city->name,
        .zone = city->zone,
        .clock = clock_system(),
        .connectors = connectors_known,
        .check_only = true};
    enum err err = hub_create(&options, diags, &hub);
    if (hub && joined.district)
        joined_err = district_check(joined.district, hub, diags);
    err = err != ERR_OK ? err : joined_err;
    check_people(city, diags);
    enum err cockpit_err = check_cockpit(hub, city, diags), scenes_err = scenes_check(hub, city, diags),
             cases_err = check_cases(hub, city, diags);
    err = err != ERR_OK ? err : cockpit_err != ERR_OK ? cockpit_err : scenes_err != ERR_OK ? scenes_err : cases_err;
    check_ground(city, diags);
    check_world(city, diags);
    secrets_check(city->dir, diags);
    if (err != ERR_OK && diags->n == 0)
        diag_add(diags, err, city->dir, 0, "%s", err_text(err));
    if (hub) {
        hub_stop(hub);
        hub_destroy(hub);
    }
    joined_close(&joined);
}

/* A file that two readers read has its mistake once. */
static bool is_told_before(const struct diag_list *diags, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (strcmp(diags->diags[i].text, diags->diags[at].text) == 0)
            return true;
    return false;
}

int check_city(const char *city_dir, const char *data_dir)
{
    struct city city;
    struct diag_list *diags = mem_alloc_zero(1, sizeof(*diags));
    if (!diags)
        return 2;
    if (city_load(city_dir, data_dir, diags, &city) == ERR_OK) {
        check_all(&city, diags);
        city_finish(&city);
    }
    size_t n = diags->n_dropped;
    for (size_t i = 0; i < diags->n; i++)
        if (!is_told_before(diags, i)) {
            fprintf(stderr, "%s\n", diags->diags[i].text);
            n++;
        }
    if (n == 0)
        printf("%s: no errors\n", city_dir);
    else
        fprintf(stderr, "%zu %s\n", n, n == 1 ? "error" : "errors");
    mem_free(diags);
    return n == 0 ? 0 : 1;
}
