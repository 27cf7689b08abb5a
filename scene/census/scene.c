/*
 * 普查 (census): the shell around the pure core. Surveys lie in files of the city; they are counted once, on the scene's own thread, and
 * what was counted is told as indicators and, by area and class, as rows of a stream for whoever has a contract.
 *
 * Trees do not move by the second: the same figures are told again and again, so that a screen that was opened later has them and one that
 * hears nothing knows that they are stale. New surveys count from the next start on.
 */
#include "scene/census/scene.h"

#include "base/log.h"
#include "base/mem.h"
#include "hub/indicator.h"
#include "hub/need.h"
#include "scene/census/file.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define PATH_MAX_BYTES 4096
#define ROWS_MAX ((CENSUS_AREAS_MAX + 1) * (CENSUS_CLASSES_MAX + 1)) /* each class and all, in each area and the whole city */
#define ROWS_BYTES_MAX ((size_t)ROWS_MAX << 10)
#define ERROR_M 2.0 /* of sightings that tell none */
#define TELL_EVERY_S 10
#define BROKEN_LOGGED_MAX 5
#define ALL "*"

enum { COUNT_AREA, COUNT_CLASS, COUNT_TIME, COUNT_COUNT, COUNT_LOW, COUNT_HIGH, COUNT_SEEN, COUNT_SIGHTINGS, COUNT_N_FIELDS };
static const char *const count_fields[COUNT_N_FIELDS] = {"area", "class", "time", "count", "low", "high", "seen", "sightings"};
static const char *const config_keys[] = {"scene", "party", "title", "sightings", "covered", "areas", "record_every", "resources", NULL};

struct counted {
    char area[SHAPE_NAME_MAX + 1], class[SHAPE_NAME_MAX + 1];
    struct census_row row;
};

struct scene_census {
    struct hub *hub;
    const struct hub_resource *indicator, *tree_count;
    char sightings[PATH_MAX_BYTES], covered[PATH_MAX_BYTES], areas[PATH_MAX_BYTES]; /* the last two may be empty */
    int64_t record_ms, recorded_ms, counted_ms;                                     /* 0: not yet */
    uint32_t ticks, n_broken, n;
    bool is_counted;
    struct counted rows[ROWS_MAX];
};

/* ---- counting ---- */

static void on_row(void *context, struct str area, struct str class, const struct census_row *row)
{
    struct scene_census *scene = context;
    if (scene->n == ROWS_MAX || row->n_sightings == 0)
        return; /* nothing seen is not zero: nothing is told */
    struct counted *counted = &scene->rows[scene->n++];
    snprintf(counted->area, sizeof(counted->area), STR_FORMAT, STR_ARG(area));
    snprintf(counted->class, sizeof(counted->class), STR_FORMAT, STR_ARG(class));
    counted->row = *row;
}

static void on_broken(void *context, const char *text)
{
    struct scene_census *scene = context;
    if (scene->n_broken++ < BROKEN_LOGGED_MAX)
        log_write(LOG_WARNING, "scene/census", "a line of the surveys is not used", LOG_TEXT("line", text), LOG_END);
}

/* Nothing waits for this thread but the next tick. */
static void count(struct scene_census *scene, struct wall_time now)
{
    struct diag diag = {""};
    struct census_files files = {.sightings_path = scene->sightings,
        .covered_path = scene->covered[0] != 0 ? scene->covered : NULL,
        .areas_path = scene->areas[0] != 0 ? scene->areas : NULL,
        .error_m = ERROR_M,
        .seed = 1,
        .on_broken = on_broken,
        .on_row = on_row,
        .context = scene};
    enum err err = census_files_run(&files, &diag);
    scene->is_counted = true; /* also when it failed: the files are the same a second later */
    if (err != ERR_OK) {
        scene->n = 0;
        log_write(LOG_ERROR, "scene/census", "the surveys cannot be counted", LOG_TEXT("why", diag.text), LOG_ERR(err), LOG_END);
        return;
    }
    scene->counted_ms = now.ms;
    log_write(LOG_INFO, "scene/census", "counted", LOG_INT("lines", (int64_t)files.n_lines), LOG_INT("broken", (int64_t)files.n_broken),
        LOG_INT("in_no_area", (int64_t)files.n_no_area), LOG_INT("count", (int64_t)(files.all.count + 0.5)), LOG_END);
}

/* ---- telling ---- */

/* What all of the files hold is the first area's: the city's. */
static struct str area_name(const struct scene_census *scene, const struct counted *counted)
{
    return strcmp(counted->area, ALL) == 0 ? area_at(hub_areas(scene->hub), 0)->name : str_from_c(counted->area);
}

static enum err add_indicator(const struct scene_census *scene, struct rows *rows, const char *name, const struct counted *counted,
    double real, int64_t time_ms, int64_t period_ms)
{
    struct value values[HUB_INDICATOR_N_FIELDS] = {
        [HUB_INDICATOR_NAME] = value_text(str_from_c(name)),
        [HUB_INDICATOR_AREA] = value_text(area_name(scene, counted)),
        [HUB_INDICATOR_TIME] = value_time(time_ms),
        [HUB_INDICATOR_PERIOD_MS] = value_integer(period_ms),
        [HUB_INDICATOR_VALUE] = value_real(real),
        [HUB_INDICATOR_N] = value_integer((int64_t)counted->row.n_sightings),
        [HUB_INDICATOR_STALE_SINCE] = VALUE_NONE,
        [HUB_INDICATOR_BASIS] = value_text(STR_NONE),
    };
    return rows_add(rows, values);
}

static void publish(struct scene_census *scene, const struct hub_resource *resource, struct rows *rows, enum err err)
{
    if (err == ERR_OK && rows_n(rows) > 0)
        err = hub_publish(scene->hub, resource, rows);
    if (err != ERR_OK)
        log_write(LOG_WARNING, "scene/census", "figures were not taken; they are told again", LOG_STR("resource", resource->name),
            LOG_ERR(err), LOG_END);
    rows_release(rows);
}

static void tell_indicators(struct scene_census *scene, int64_t time_ms, int64_t period_ms)
{
    struct rows *rows = NULL;
    enum err err = rows_create(HUB_INDICATOR_N_FIELDS, ROWS_BYTES_MAX, &rows);
    for (uint32_t i = 0; i < scene->n && err == ERR_OK; i++) {
        const struct counted *counted = &scene->rows[i];
        if (strcmp(counted->class, ALL) != 0)
            continue;
        err = add_indicator(scene, rows, "trees_standing", counted, counted->row.count, time_ms, period_ms);
        if (err == ERR_OK)
            err = add_indicator(scene, rows, "trees_standing_low", counted, counted->row.low, time_ms, period_ms);
        if (err == ERR_OK)
            err = add_indicator(scene, rows, "trees_standing_high", counted, counted->row.high, time_ms, period_ms);
    }
    publish(scene, scene->indicator, rows, err);
}

static void tell_counts(struct scene_census *scene)
{
    struct rows *rows = NULL;
    enum err err = rows_create(COUNT_N_FIELDS, ROWS_BYTES_MAX, &rows);
    for (uint32_t i = 0; i < scene->n && err == ERR_OK; i++) {
        const struct counted *counted = &scene->rows[i];
        struct value values[COUNT_N_FIELDS] = {
            [COUNT_AREA] = value_text(area_name(scene, counted)),
            [COUNT_CLASS] = value_text(str_from_c(counted->class)),
            [COUNT_TIME] = value_time(scene->counted_ms),
            [COUNT_COUNT] = value_real(counted->row.count),
            [COUNT_LOW] = value_real(counted->row.low),
            [COUNT_HIGH] = value_real(counted->row.high),
            [COUNT_SEEN] = value_real(counted->row.n_objects),
            [COUNT_SIGHTINGS] = value_integer((int64_t)counted->row.n_sightings),
        };
        err = rows_add(rows, values);
    }
    publish(scene, scene->tree_count, rows, err);
}

static void on_tick(void *self, struct wall_time now)
{
    struct scene_census *scene = self;
    if (!scene->is_counted)
        count(scene, now);
    if (scene->n == 0)
        return;
    int64_t end_ms = now.ms / scene->record_ms * scene->record_ms;
    if (scene->recorded_ms != 0 && end_ms != scene->recorded_ms) /* not of the period that had ended before anything was counted */
        tell_indicators(scene, end_ms, scene->record_ms);
    scene->recorded_ms = end_ms;
    tell_indicators(scene, now.ms, 1000);
    if (scene->ticks++ % TELL_EVERY_S == 0)
        tell_counts(scene);
}

/* ---- start and stop ---- */

/* A path in the city's folder, or absolute. */
static enum err read_path(const struct scene_env *env, struct yaml_node config, const char *key, bool is_needed, struct diag_list *diags,
    char path[PATH_MAX_BYTES])
{
    struct str text = STR_NONE;
    enum err err = yaml_get_str(config, key, is_needed, diags, &text);
    if (err == ERR_NOT_FOUND && !is_needed)
        return ERR_OK;
    if (err != ERR_OK)
        return err;
    bool is_absolute = str_starts_with(text, STR("/"));
    int len = snprintf(path, PATH_MAX_BYTES, "%s%s" STR_FORMAT, is_absolute ? "" : env->city_dir, is_absolute ? "" : "/", STR_ARG(text));
    if (len < 0 || len >= PATH_MAX_BYTES)
        return yaml_error(yaml_get(config, key), diags, ERR_TOO_LARGE, "the path is too long; shorten it");
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return yaml_error(yaml_get(config, key), diags, ERR_NOT_FOUND, "there is no file \"%s\" that can be read; mend the path", path);
    fclose(file);
    return ERR_OK;
}

static enum err first_of(enum err err, enum err one)
{
    return err != ERR_OK ? err : one;
}

static enum err read_config(struct scene_census *scene, const struct scene_env *env, struct yaml_node config, struct diag_list *diags)
{
    scene->record_ms = 3600000;
    enum err err = yaml_check_keys(config, config_keys, diags);
    err = first_of(err, read_path(env, config, "sightings", true, diags, scene->sightings));
    err = first_of(err, read_path(env, config, "covered", false, diags, scene->covered));
    err = first_of(err, read_path(env, config, "areas", false, diags, scene->areas));
    enum err one = yaml_get_duration_ms(config, "record_every", false, diags, &scene->record_ms);
    err = first_of(err, one == ERR_NOT_FOUND ? ERR_OK : one);
    if (scene->record_ms < 60000 || scene->record_ms > 86400000)
        err = first_of(err, yaml_error(yaml_get(config, "record_every"), diags, ERR_RANGE, "record_every must be from 1m to 24h"));
    if (env->hub == NULL)
        return err;
    scene->indicator =
        hub_need_own(env->hub, env->party, "indicator", hub_indicator_field_names, HUB_INDICATOR_N_FIELDS, "docs/census.md", config, diags);
    scene->tree_count = hub_need_own(env->hub, env->party, "tree_count", count_fields, COUNT_N_FIELDS, "docs/census.md", config, diags);
    return first_of(err, scene->indicator == NULL || scene->tree_count == NULL ? ERR_NOT_FOUND : ERR_OK);
}

static void stop(void *self)
{
    mem_free(self);
}

static enum err start(const struct scene_env *env, struct yaml_node config, struct diag_list *diags, void **ret_scene)
{
    struct scene_census *scene = mem_alloc_zero(1, sizeof(*scene));
    if (scene == NULL)
        return ERR_NO_MEMORY;
    scene->hub = env->hub;
    enum err err = read_config(scene, env, config, diags);
    if (err != ERR_OK || env->check_only)
        stop(scene);
    else
        *ret_scene = scene;
    return err;
}

/* The table of contents: a scene's slots, in the order of its life. It needs no stream. */
const struct scene_ops scene_census_ops = {
    .name = "census",
    .start = start,
    .on_tick = on_tick,
    .stop = stop,
};
