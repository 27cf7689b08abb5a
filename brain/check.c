/* `citybrain check CITY`: every file read by the reader that will read it at the start, nothing touched, all errors at once. */
#include "base/mem.h"
#include "brain/city.h"
#include "brain/connectors.h"
#include "brain/run.h"
#include "brain/scenes.h"
#include "business/party/party.h"
#include "cockpit/indicator.h"
#include "hub/registry.h"

#include <stdio.h>

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

static void check_all(const struct city *city, struct diag_list *diags)
{
    char path[CITY_PATH_MAX];
    struct cockpit_config *config;
    enum err err = hub_check(city->dir, city->data_dir, city->name, city->zone, connectors_known, diags);
    check_people(city, diags);
    if (city_path(city->dir, "cockpits/indicators.yaml", path) == ERR_OK && cockpit_config_load(path, diags, &config) == ERR_OK)
        cockpit_config_destroy(config);
    enum err scenes_err = scenes_check(city, diags);
    if ((err != ERR_OK || scenes_err != ERR_OK) && diags->n == 0)
        diag_add(diags, err, city->dir, 0, "%s", err_text(err != ERR_OK ? err : scenes_err));
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
    size_t n = diags->n + diags->n_dropped;
    for (size_t i = 0; i < diags->n; i++)
        fprintf(stderr, "%s\n", diags->diags[i].text);
    if (n == 0)
        printf("%s: no errors\n", city_dir);
    else
        fprintf(stderr, "%zu %s\n", n, n == 1 ? "error" : "errors");
    mem_free(diags);
    return n == 0 ? 0 : 1;
}
