/*
 * 限行区 (restricted zones): the shell around the pure core. Rows of camera passages become its events; what it asks goes to the table of
 * passes, a department's, as queries under contract (asking.c); what it finds goes out as figures and alerts (tell.c).
 */
#include "scene/zone/scene.h"

#include "base/log.h"
#include "base/mem.h"
#include "hub/indicator.h"
#include "hub/need.h"
#include "scene/zone/file.h"
#include "scene/zone/inside.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define AHEAD_M 60.0 /* from a stop line across a wide junction */
#define REPLAY_MS 3600000

enum passage_field {
    PASSAGE_CAMERA,
    PASSAGE_VEHICLE,
    PASSAGE_PLATE,
    PASSAGE_PLATE_GROUP,
    PASSAGE_TIME,
    PASSAGE_ARRIVED,
    PASSAGE_CONFIDENCE,
    PASSAGE_LON,
    PASSAGE_LAT,
    PASSAGE_HEADING
};
static const char *const passage_fields[] = {
    "camera", "vehicle", "plate", "plate_group", "time", "arrived", "confidence", "lon", "lat", "heading", NULL};
/* What the counting scene says of the zones' roads (scene/count/outlines.h). */
enum vehicles_field { VEHICLES_OUTLINE, VEHICLES_TIME, VEHICLES_VALUE, VEHICLES_LOW, VEHICLES_HIGH };
static const char *const vehicles_fields[] = {"outline", "time", "vehicles", "vehicles_low", "vehicles_high", NULL};

enum need { NEED_PASSAGE, NEED_VEHICLES };
static const struct scene_need needs[] = {
    [NEED_PASSAGE] = {.name = "passage", .purpose = ZONE_PURPOSE, .fields = passage_fields, .replay_ms = REPLAY_MS},
    [NEED_VEHICLES] = {.name = "vehicles", .purpose = ZONE_PURPOSE, .fields = vehicles_fields, .is_optional = true},
};

/* ---- events ---- */

void zone_scene_step(struct scene_zone *scene, const struct zone_event *event, const char *receipt, struct zone_updates *updates)
{
    zone_step(scene->core, event, updates);
    for (size_t i = 0; i < updates->n_breaches; i++)
        zone_alert_add(scene, &updates->breaches[i], receipt);
    if (updates->n_breaches > 0)
        zone_alerts_send(scene);
    if (updates->ask != NULL)
        zone_ask_start(scene, updates->ask);
}

static bool is_same(double a, double b)
{
    return a == b || (isnan(a) && isnan(b));
}

static void tell_no_room(struct scene_zone *scene, enum err err)
{
    metric_add(&scene->measured.cameras_refused, 1);
    uint64_t n = metric_get(&scene->measured.cameras_refused);
    if ((n & (n - 1)) == 0)
        log_write(LOG_ERROR, "scene/zone", "a passage of a camera for which there is no room", LOG_ERR(err),
            LOG_INT("passages", (int64_t)n), LOG_END);
}

/* The camera's number, and which zones it looks at; told by every passage, so that one that was moved is known at once. NULL: it has no
 * place, or there is no room for it. */
static struct zone_camera *find_camera(struct scene_zone *scene, const struct value *row, uint32_t *ret_number)
{
    struct zone_camera said = {.heading = NAN};
    uint32_t number;
    if (!value_to_real(row[PASSAGE_LON], &said.lon) || !value_to_real(row[PASSAGE_LAT], &said.lat))
        return NULL;
    if (!value_to_real(row[PASSAGE_HEADING], &said.heading))
        said.heading = NAN;
    int64_t known = str_map_find(&scene->camera_names, row[PASSAGE_CAMERA].s);
    enum err err = known < 0 ? str_map_add(&scene->camera_names, row[PASSAGE_CAMERA].s, &number) : ERR_OK;
    if (err != ERR_OK) {
        tell_no_room(scene, err);
        return NULL;
    }
    number = known >= 0 ? (uint32_t)known : number;
    struct zone_camera *camera = &scene->cameras[number];
    *ret_number = number;
    if (known >= 0 && camera->lon == said.lon && camera->lat == said.lat && is_same(camera->heading, said.heading))
        return camera;
    struct zone_point place = {said.lon, said.lat};
    said.held = zones_at(&scene->zones, place);
    said.ahead = isnan(said.heading) ? said.held : zones_at(&scene->zones, zone_ahead(place, said.heading, AHEAD_M));
    said.area = area_of_point(scene->tree, (struct point){said.lon, said.lat});
    *camera = said;
    return camera;
}

static void on_vehicles(struct scene_zone *scene, const struct rows *rows)
{
    for (size_t i = 0; i < rows_n(rows); i++) {
        const struct value *row = rows_at(rows, i);
        struct zone_event event = {.type = ZONE_COUNTED};
        struct zone_estimate *vehicles = &event.counted.vehicles;
        size_t at = 0;
        while (at < scene->zones.n &&
               !(row[VEHICLES_OUTLINE].type == VALUE_TEXT && str_equal_c(row[VEHICLES_OUTLINE].s, scene->zones.zones[at].name)))
            at++;
        bool is_known = value_to_real(row[VEHICLES_VALUE], &vehicles->value) && value_to_real(row[VEHICLES_LOW], &vehicles->low) &&
                        value_to_real(row[VEHICLES_HIGH], &vehicles->high) && row[VEHICLES_TIME].type == VALUE_TIME;
        if (at == scene->zones.n || !is_known)
            continue; /* another's outline, or one of which nothing is known now */
        struct zone_updates updates;
        event.counted.zone = (uint8_t)at;
        event.counted.time_ms = row[VEHICLES_TIME].i;
        zone_scene_step(scene, &event, "", &updates);
    }
}

static void on_event(void *self, size_t need, const struct hub_window *window, struct rows *rows)
{
    struct scene_zone *scene = self;
    if (need == NEED_VEHICLES) {
        on_vehicles(scene, rows);
        return;
    }
    snprintf(scene->basis, sizeof(scene->basis), STR_FORMAT, STR_ARG(window->receipt));
    for (size_t i = 0; i < rows_n(rows); i++) {
        const struct value *row = rows_at(rows, i);
        if (row[PASSAGE_CAMERA].type != VALUE_TEXT || row[PASSAGE_TIME].type != VALUE_TIME || row[PASSAGE_ARRIVED].type != VALUE_TIME)
            continue;
        uint32_t number = 0;
        const struct zone_camera *camera = find_camera(scene, row, &number);
        if (camera == NULL)
            continue;
        bool is_read = row[PASSAGE_VEHICLE].type == VALUE_TEXT && row[PASSAGE_PLATE_GROUP].type == VALUE_TEXT;
        int group = is_read ? zone_group_of(row[PASSAGE_PLATE_GROUP].s) : -1;
        struct str pseudonym = is_read ? row[PASSAGE_VEHICLE].s : STR_NONE;
        struct zone_event event = {.type = ZONE_PASSAGE,
            .passage = {.vehicle = str_hash(pseudonym),
                .pseudonym = pseudonym,
                .plate = row[PASSAGE_PLATE].type == VALUE_TEXT ? row[PASSAGE_PLATE].s : STR_NONE,
                .camera = number,
                .held = camera->held,
                .ahead = camera->ahead,
                .group = group >= 0 ? (uint8_t)group : ZONE_N_GROUPS,
                .confidence = row[PASSAGE_CONFIDENCE].type == VALUE_INTEGER ? (int16_t)row[PASSAGE_CONFIDENCE].i : -1,
                .time_ms = row[PASSAGE_TIME].i,
                .arrived_ms = row[PASSAGE_ARRIVED].i}};
        struct zone_updates updates;
        zone_scene_step(scene, &event, "", &updates);
    }
}

static void on_tick(void *self, struct wall_time now)
{
    struct scene_zone *scene = self;
    struct zone_event event = {.type = ZONE_TICK, .now_ms = now.ms};
    struct zone_updates updates;
    zone_step(scene->core, &event, &updates);
    zone_tell_figures(scene, &updates, now.ms);
    zone_alerts_send(scene);
    if (updates.ask != NULL)
        zone_ask_start(scene, updates.ask);
    zone_kept_tick(&scene->kept, scene->core);
    zone_measure_tick(scene);
}

/* ---- the file ---- */

static const char *const config_keys[] = {"scene", "party", "title", "needs", "zones", "passes", "pass_fresh_for", "check_kept_for",
    "checks_max", "confidence_min", "breaches_per_hour", "stale_after", "vehicles_max", "resources", NULL};

static enum err first_of(enum err err, enum err one)
{
    return err != ERR_OK ? err : one;
}

/* An optional key that was left out is none's fault. */
static enum err optional(enum err err)
{
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err read_duration(
    struct yaml_node config, const char *key, int64_t min_ms, int64_t max_ms, struct diag_list *diags, int64_t *ret_ms)
{
    enum err err = optional(yaml_get_duration_ms(config, key, false, diags, ret_ms));
    if (err == ERR_OK && (*ret_ms < min_ms || *ret_ms > max_ms))
        return yaml_error(yaml_get(config, key), diags, ERR_RANGE, "%s must be from %llds to %llds", key, (long long)min_ms / 1000,
            (long long)max_ms / 1000);
    return err;
}

static enum err read_settings(struct yaml_node config, struct diag_list *diags, struct zone_settings *settings)
{
    int64_t vehicles = settings->vehicles_max, checks = settings->checks_max, confidence = settings->confidence_min,
            breaches = settings->breaches_per_hour;
    enum err err = read_duration(config, "pass_fresh_for", 1000, 3600000, diags, &settings->pass_fresh_ms);
    err = first_of(err, read_duration(config, "check_kept_for", 60000, 7 * INT64_C(86400000), diags, &settings->check_kept_ms));
    err = first_of(err, read_duration(config, "stale_after", 2000, 3600000, diags, &settings->stale_after_ms));
    err = first_of(err, optional(yaml_get_i64(config, "vehicles_max", false, diags, 1000, 1 << 24, &vehicles)));
    err = first_of(err, optional(yaml_get_i64(config, "checks_max", false, diags, 100, 1000000, &checks)));
    err = first_of(err, optional(yaml_get_i64(config, "confidence_min", false, diags, 0, 100, &confidence)));
    err = first_of(err, optional(yaml_get_i64(config, "breaches_per_hour", false, diags, 1, 1000000, &breaches)));
    settings->vehicles_max = (uint32_t)vehicles;
    settings->checks_max = (uint32_t)checks;
    settings->confidence_min = (int16_t)confidence;
    settings->breaches_per_hour = (uint32_t)breaches;
    return err;
}

/* A plate may wait for its answer no longer than the contract of the passages lets it be kept. What else this contract has to grant the
 * host of the scenes looks at, and tells. */
static enum err check_kept_for(
    const struct scene_zone *scene, const struct scene_env *env, struct yaml_node config, struct diag_list *diags)
{
    struct yaml_node resource = yaml_get(yaml_get(config, "needs"), needs[0].name), kept_for = yaml_get(config, "check_kept_for");
    if (yaml_is_none(resource))
        return ERR_OK;
    struct hub_need need = {.party = env->party,
        .resource = yaml_text(resource),
        .purpose = STR(ZONE_PURPOSE),
        .kind = HUB_STREAM,
        .fields = passage_fields,
        .n_fields = sizeof(passage_fields) / sizeof(passage_fields[0]) - 1};
    if (hub_need_check(env->hub, &need, resource, NULL) != ERR_OK)
        return ERR_OK;
    need.keep_ms = scene->settings.check_kept_ms;
    return hub_need_check(env->hub, &need, yaml_is_none(kept_for) ? resource : kept_for, diags);
}

/* What the hub has to give: the scene's own resources, and the table of passes under a contract that lets answers be kept for as long as
 * they are believed. */
static enum err read_hub(struct scene_zone *scene, const struct scene_env *env, struct yaml_node config, struct diag_list *diags)
{
    struct hub_need need = {.party = env->party,
        .resource = scene->passes,
        .purpose = STR(ZONE_PURPOSE),
        .kind = HUB_TABLE,
        .is_query = true,
        .fields = zone_pass_fields,
        .n_fields = sizeof(zone_pass_fields) / sizeof(zone_pass_fields[0]) - 1,
        .keep_ms = scene->settings.pass_fresh_ms};
    scene->indicator =
        hub_need_own(env->hub, env->party, "indicator", hub_indicator_field_names, HUB_INDICATOR_N_FIELDS, "docs/zone.md", config, diags);
    scene->zone_state = hub_need_own(
        env->hub, env->party, "zone_state", hub_zone_state_field_names, HUB_ZONE_STATE_N_FIELDS, "docs/zone.md", config, diags);
    scene->zone = hub_need_own(env->hub, env->party, "zone", NULL, 0, "docs/zone.md", config, diags);
    enum err err = scene->indicator == NULL || scene->zone_state == NULL || scene->zone == NULL ? ERR_NOT_FOUND : ERR_OK;
    err = first_of(err, check_kept_for(scene, env, config, diags));
    return first_of(err, str_is_empty(scene->passes) ? ERR_OK : hub_need_check(env->hub, &need, yaml_get(config, "passes"), diags));
}

static bool has_area(const void *context, struct str area)
{
    return area_find(context, area) >= 0;
}

static enum err read_config(struct scene_zone *scene, const struct scene_env *env, struct yaml_node config, struct diag_list *diags)
{
    scene->settings = (struct zone_settings)ZONE_SETTINGS_DEFAULT;
    enum err err = yaml_check_keys(config, config_keys, diags);
    err = first_of(err, yaml_get_str(config, "passes", true, diags, &scene->passes));
    err = first_of(err, read_settings(config, diags, &scene->settings));
    err = first_of(err, zones_read(config, env->zone, env->hub != NULL ? has_area : NULL, env->hub != NULL ? hub_areas(env->hub) : NULL,
                            diags, &scene->zones));
    return env->hub == NULL ? err : first_of(err, read_hub(scene, env, config, diags));
}

/* ---- start and stop ---- */

static void stop(void *self)
{
    struct scene_zone *scene = self;
    if (scene == NULL)
        return;
    zone_ask_stop(scene);
    zone_kept_finish(&scene->kept, scene->core);
    zone_destroy(scene->core);
    str_map_finish(&scene->camera_names);
    mem_free(scene->cameras);
    mem_free(scene->alerts);
    mem_free(scene);
}

static enum err make(struct scene_zone *scene, const struct scene_env *env)
{
    scene->loop = env->loop;
    scene->clock = env->clock;
    scene->tree = hub_areas(env->hub);
    scene->started_ms = clock_wall(env->clock).ms;
    scene->cameras = mem_alloc_zero(ZONE_CAMERAS_MAX, sizeof(*scene->cameras));
    scene->alerts = mem_alloc_zero(ZONE_ALERTS_MAX, sizeof(*scene->alerts));
    if (scene->cameras == NULL || scene->alerts == NULL)
        return ERR_NO_MEMORY;
    enum err err = zone_kept_start(&scene->kept, env, &scene->settings, &scene->zones, REPLAY_MS, &scene->core);
    return err != ERR_OK ? err : zone_put_object(scene);
}

static enum err start(const struct scene_env *env, struct yaml_node config, struct diag_list *diags, void **ret_scene)
{
    struct scene_zone *scene = mem_alloc_zero(1, sizeof(*scene));
    if (scene == NULL)
        return ERR_NO_MEMORY;
    scene->hub = env->hub;
    scene->party = env->party;
    /* Names of devices come over the wire: their order in the table must not be foreseeable. */
    str_map_init(&scene->camera_names, ZONE_CAMERAS_MAX, (uint64_t)clock_mono(env->clock).ns);
    enum err err = read_config(scene, env, config, diags);
    if (err == ERR_OK && !env->check_only)
        err = make(scene, env);
    if (err != ERR_OK || env->check_only)
        stop(scene);
    else
        *ret_scene = scene;
    return err;
}

/* The table of contents: a scene's slots, in the order of its life. */
const struct scene_ops scene_zone_ops = {
    .name = "zone",
    .needs = needs,
    .n_needs = sizeof(needs) / sizeof(needs[0]),
    .start = start,
    .on_event = on_event,
    .on_tick = on_tick,
    .stop = stop,
    .measure = zone_measure,
};
