/* The stand-ins of scene_testing.h: the hub's calls that the scene makes, rows by hand. */
#include "scene/zone/scene_testing.h"

#include "base/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the stand-in of the hub ---- */

static struct hub_resource resources[] = {
    {.name = STR_INIT("h/zone/indicator"), .kind = HUB_STREAM},
    {.name = STR_INIT("h/zone/zone_state"), .kind = HUB_STREAM},
    {.name = STR_INIT("h/zone/zone"), .kind = HUB_OBJECT},
};
struct rows *told[2];
struct buf object;
char alerts[16][1024]; /* kind|area|party|key|title|detail|receipt */
size_t n_alerts;
bool is_refusing;
struct hub_need needed[4];
size_t n_needs;
struct hub_query *asked;
static struct hub_query *under_way[ZONE_ASKS_MAX];
size_t n_queries;

const struct area_tree *hub_areas(const struct hub *hub)
{
    return hub->tree;
}

enum err hub_need_check(const struct hub *hub, const struct hub_need *need, struct yaml_node node, struct diag_list *diags)
{
    assert_true(n_needs < sizeof(needed) / sizeof(needed[0]));
    needed[n_needs++] = *need;
    return ERR_OK; /* what it looks at is held by docs/zone.md's command */
}

const struct hub_resource *hub_need_own(const struct hub *hub, struct str party, const char *name, const char *const *fields,
    size_t n_fields, const char *page, struct yaml_node config, struct diag_list *diags)
{
    for (size_t i = 0; i < sizeof(resources) / sizeof(resources[0]); i++)
        if (str_equal_c(str_slice(resources[i].name, sizeof("h/zone/") - 1, resources[i].name.len), name))
            return &resources[i];
    return NULL;
}

enum err hub_publish(struct hub *hub, const struct hub_resource *resource, struct rows *rows)
{
    size_t at = (size_t)(resource - resources);
    assert_true(at < 2);
    if (is_refusing)
        return ERR_FULL;
    rows_release(told[at]);
    told[at] = rows_hold(rows);
    return ERR_OK;
}

enum err hub_alert(struct hub *hub, const struct hub_alert *alert)
{
    if (is_refusing)
        return ERR_FULL;
    if (n_alerts < sizeof(alerts) / sizeof(alerts[0]))
        snprintf(alerts[n_alerts], sizeof(alerts[0]),
            STR_FORMAT "|" STR_FORMAT "|" STR_FORMAT "|" STR_FORMAT "|" STR_FORMAT "|" STR_FORMAT "|" STR_FORMAT, STR_ARG(alert->kind),
            STR_ARG(alert->area), STR_ARG(alert->party), STR_ARG(alert->key), STR_ARG(alert->title_en), STR_ARG(alert->detail),
            STR_ARG(alert->receipt));
    n_alerts++;
    return ERR_OK;
}

enum err hub_object_put(struct hub *hub, const struct hub_resource *resource, struct str media_type, struct str bytes)
{
    assert_ptr_equal(resource, &resources[2]);
    assert_str(media_type, "application/geo+json");
    buf_reset(&object);
    buf_append_str(&object, bytes);
    return ERR_OK;
}

void hub_query_start(struct hub *hub, struct hub_query *query)
{
    size_t at = 0;
    while (at < ZONE_ASKS_MAX && under_way[at] != NULL)
        at++;
    assert_true(at < ZONE_ASKS_MAX);
    asked = under_way[at] = query;
    n_queries++;
}

static void end_query(enum err err, struct str json)
{
    struct hub_query *query = asked;
    assert_non_null(query);
    asked = NULL;
    for (size_t i = 0; i < ZONE_ASKS_MAX; i++) {
        under_way[i] = under_way[i] == query ? NULL : under_way[i];
        asked = under_way[i] != NULL ? under_way[i] : asked;
    }
    query->refusal.err = err;
    query->json = json;
    query->done(query);
}

void answer_query(const char *rows)
{
    char json[4096];
    int len = snprintf(json, sizeof(json),
        "{\"columns\":[\"plate\",\"zone\",\"valid_from\",\"valid_until\"],\"rows\":[%s],\"truncated\":false,\"receipts\":[{\"receipt\":\"h."
        "log/7\"}]}",
        rows);
    assert_true(len < (int)sizeof(json));
    end_query(ERR_OK, (struct str){json, (size_t)len});
}

void refuse_query(enum err err)
{
    end_query(err, STR_NONE);
}

/* ---- the scene ---- */

static const char areas_yaml[] =
    "areas:\n"
    "  - {name: h, title: {zh: 市, en: City}, level: city, outline: [[120.0, 30.2], [120.3, 30.2], [120.3, 30.4], [120.0, 30.4]]}\n"
    "  - {name: h.x, title: {zh: 区, en: District}, level: district, outline: [[120.1, 30.2], [120.2, 30.2], [120.2, 30.4], [120.1, "
    "30.4]]}\n"
    "  - {name: h.x.west, title: {zh: 西, en: West}, level: street, outline: [[120.1, 30.2], [120.12, 30.2], [120.12, 30.4], [120.1, "
    "30.4]]}\n";

#define RULE                                                                                                                               \
    "restricted: [other], times: [{days: [mon, tue, wed, thu, fri, sat, sun], from: \"00:00\", until: \"24:00\"}], from: 2020-01-01}\n"

static const char config[] =
    "scene: zone\nparty: h/zone\ntitle: {zh: 限行区, en: Zones}\nneeds: {passage: h/police/passage}\npasses: h/permit/pass\nzones:\n"
    "  - {name: a, title: {zh: 甲, en: A}, area: h.x, polygon: [[120.10, 30.27], [120.11, 30.27], [120.11, 30.29], [120.10, 30.29]], " RULE
    "  - {name: b, title: {zh: 乙, en: B}, area: h.x, polygon: [[120.12, 30.27], [120.13, 30.27], [120.13, 30.29], [120.12, 30.29]], " RULE;

char folder[] = "/tmp/citybrain_zone_XXXXXX"; /* mkdtemp() fills it in */
static char areas_path[64];

int setup(void **state)
{
    assert_non_null(mkdtemp(folder));
    snprintf(areas_path, sizeof(areas_path), "%s/areas.yaml", folder);
    FILE *file = fopen(areas_path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(areas_yaml, 1, sizeof(areas_yaml) - 1, file), sizeof(areas_yaml) - 1);
    assert_int_equal(fclose(file), 0);
    buf_init(&object, 1u << 20);
    return 0;
}

int teardown(void **state)
{
    buf_finish(&object);
    unlink(areas_path);
    return rmdir(folder);
}

void bench_start(struct bench *bench, int64_t now_ms)
{
    struct diag_list diags = {.n = 0};
    void *scene = NULL;
    *bench = (struct bench){.scene = NULL};
    n_alerts = n_queries = n_needs = 0;
    is_refusing = false;
    clock_fake_init(&bench->clock, (struct wall_time){now_ms});
    assert_ok(area_tree_load(areas_path, &diags, &bench->hub.tree));
    assert_ok(yaml_load_str(str_from_c(config), "scenes/zone.yaml", &diags, &bench->yaml));
    struct scene_env env = {.hub = &bench->hub,
        .clock = &bench->clock.clock,
        .zone = TIME_ZONE_SHANGHAI,
        .city_dir = "/nowhere",
        .data_dir = folder,
        .party = STR("h/zone")};
    if (scene_zone_ops.start(&env, yaml_root(bench->yaml), &diags, &scene) != ERR_OK)
        fail_msg("%s", diags.n > 0 ? diags.diags[0].text : "it did not start");
    bench->scene = scene;
}

void bench_forget(void)
{
    char path[FILE_PATH_MAX];
    assert_ok(scene_keeper_path(folder, "zone", STR("h/zone"), path));
    unlink(path);
    snprintf(path, sizeof(path), "%s/zone", folder);
    rmdir(path);
}

void bench_stop(struct bench *bench)
{
    bench_halt(bench);
    bench_forget();
}

void bench_halt(struct bench *bench)
{
    scene_zone_ops.stop(bench->scene);
    while (asked != NULL)
        refuse_query(ERR_STATE); /* the hub ends what it began */
    yaml_destroy(bench->yaml);
    area_tree_destroy(bench->hub.tree);
    for (size_t i = 0; i < 2; i++) {
        rows_release(told[i]);
        told[i] = NULL;
    }
}

void pass_of(
    struct bench *bench, const char *camera, const char *vehicle, const char *group, int64_t time_ms, int64_t arrived_ms, double lon)
{
    struct hub_window window = {.contract = STR("h/c-60"), .receipt = STR("h.log/512")};
    const struct value values[] = {value_text(str_from_c(camera)), value_text(str_from_c(vehicle)), value_text(STR("沪A12345")),
        value_text(str_from_c(group)), value_time(time_ms), value_time(arrived_ms), value_integer(97),
        isnan(lon) ? VALUE_NONE : value_real(lon), value_real(30.28), value_real(0)};
    struct rows *rows = NULL;
    assert_ok(rows_create(sizeof(values) / sizeof(values[0]), 4096, &rows));
    assert_ok(rows_add(rows, values));
    scene_zone_ops.on_event(bench->scene, 0, &window, rows);
    rows_release(rows);
}

void pass_at(struct bench *bench, const char *camera, const char *vehicle, int64_t time_ms, int64_t arrived_ms, double lon)
{
    pass_of(bench, camera, vehicle, "other", time_ms, arrived_ms, lon);
}

void pass(struct bench *bench, const char *camera, const char *vehicle, int64_t time_ms, double lon)
{
    pass_at(bench, camera, vehicle, time_ms, time_ms + 100, lon);
}

void tick(struct bench *bench, int64_t now_ms)
{
    scene_zone_ops.on_tick(bench->scene, (struct wall_time){now_ms});
}

const struct value *indicator(const char *name, const char *area)
{
    for (size_t i = 0; told[0] != NULL && i < rows_n(told[0]); i++) {
        const struct value *row = rows_at(told[0], i);
        if (str_equal_c(row[HUB_INDICATOR_NAME].s, name) && str_equal_c(row[HUB_INDICATOR_AREA].s, area))
            return row;
    }
    fail_msg("no %s of %s", name, area);
    return NULL;
}

const struct value *zone_state(const char *zone)
{
    return zone_class(zone, "other");
}

const struct value *zone_class(const char *zone, const char *class)
{
    for (size_t i = 0; told[1] != NULL && i < rows_n(told[1]); i++) {
        const struct value *row = rows_at(told[1], i);
        if (str_equal_c(row[HUB_ZONE_STATE_ZONE].s, zone) && str_equal_c(row[HUB_ZONE_STATE_CLASS].s, class))
            return row;
    }
    fail_msg("no state of %s", zone);
    return NULL;
}
