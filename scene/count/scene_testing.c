/* The stand-ins of scene_testing.h: the hub's five calls, the city's files, rows by hand. */
#include "scene/count/scene_testing.h"

#include "base/test_files.h"
#include "hub/need.h"

/* ---- the stand-in of the hub ---- */

struct hub_field fields_of[7][HUB_FIELDS_MAX];
static struct hub_resource resources[7] = {
    {.name = STR_INIT("h/count/indicator"), .kind = HUB_STREAM},
    {.name = STR_INIT("h/count/road_state"), .kind = HUB_STREAM},
    {.name = STR_INIT("h/count/road_index"), .kind = HUB_STREAM},
    {.name = STR_INIT("h/count/road"), .kind = HUB_OBJECT},
    {.name = STR_INIT("h/count/camera"), .kind = HUB_STREAM},
    {.name = STR_INIT("h/count/junction_index"), .kind = HUB_STREAM},
    {.name = STR_INIT("h/count/route"), .kind = HUB_TABLE},
};
struct rows *published[6][2000]; /* in the order of the resources */
size_t n_published[6];
char alerts[8][1600]; /* kind|area|party|key|state|title|detail */
size_t n_alerts;
bool is_refusing, is_deaf;
size_t n_unheard;
size_t n_reports[3];
const struct scene_parts_ops *parts_ops;
struct buf object;
hub_answer *offered;
void *offered_to;

const struct hub_resource *hub_resource_find(const struct hub *hub, struct str name)
{
    for (size_t i = 0; i < 7; i++)
        if (str_equal(resources[i].name, name))
            return &resources[i];
    return NULL;
}

const struct area_tree *hub_areas(const struct hub *hub)
{
    return hub->tree;
}

enum err hub_publish(struct hub *hub, const struct hub_resource *resource, struct rows *rows)
{
    size_t at = (size_t)(resource - resources);
    if (is_refusing)
        return ERR_FULL;
    assert_int_equal(rows_n_fields(rows), resource->n_fields);
    published[at][n_published[at]++] = rows_hold(rows);
    return ERR_OK;
}

enum err hub_alert(struct hub *hub, const struct hub_alert *alert)
{
    n_unheard += is_deaf;
    if (is_deaf)
        return ERR_FULL;
    if (n_alerts < sizeof(alerts) / sizeof(alerts[0]))
        snprintf(alerts[n_alerts], sizeof(alerts[0]),
            STR_FORMAT "|" STR_FORMAT "|" STR_FORMAT "|" STR_FORMAT "|%s|" STR_FORMAT "|" STR_FORMAT, STR_ARG(alert->kind),
            STR_ARG(alert->area), STR_ARG(alert->party), STR_ARG(alert->key), alert->is_green ? "green" : "red", STR_ARG(alert->title_en),
            STR_ARG(alert->detail));
    n_alerts++;
    return ERR_OK;
}

void hub_source_report(struct hub *hub, const struct hub_source *source)
{
    n_reports[source->health]++;
}

enum err hub_need_check(const struct hub *hub, const struct hub_need *need, struct yaml_node node, struct diag_list *diags)
{
    fail_msg("no outlines are named here");
    return ERR_STATE;
}

void hub_object_get_start(struct hub *hub, struct hub_object_get *get)
{
    fail_msg("no outlines are named here");
}

enum err hub_object_put(struct hub *hub, const struct hub_resource *resource, struct str media_type, struct str bytes)
{
    assert_ptr_equal(resource, &resources[3]);
    assert_str(media_type, "application/geo+json");
    buf_reset(&object);
    buf_append_str(&object, bytes);
    return ERR_OK;
}

enum err hub_offer_table(struct hub *hub, const struct hub_resource *resource, struct loop *loop, hub_answer *answer, void *context)
{
    assert_ptr_equal(resource, &resources[6]);
    assert_null(offered);
    offered = answer;
    offered_to = context;
    return ERR_OK;
}

void hub_offer_end(const struct hub_resource *resource)
{
    offered = NULL;
}

void forget_published(void)
{
    for (size_t r = 0; r < 6; r++)
        while (n_published[r] > 0)
            rows_release(published[r][--n_published[r]]);
}

/* ---- a city in a folder: one road of two edges eastward along 30.28 north, from 120.120 to 120.140, and a third one without cameras
 * behind them; streets divided at 120.130 ---- */

static const char areas_yaml[] =
    "areas:\n"
    "  - {name: h, title: {zh: 市, en: City}, level: city, outline: [[120.0, 30.2], [120.3, 30.2], [120.3, 30.4], [120.0, 30.4]]}\n"
    "  - {name: h.x, title: {zh: 区, en: District}, level: district, outline: [[120.1, 30.2], [120.2, 30.2], [120.2, 30.4], [120.1, "
    "30.4]]}\n"
    "  - {name: h.x.west, title: {zh: 西, en: West}, level: street, outline: [[120.11, 30.2], [120.13, 30.2], [120.13, 30.4], [120.11, "
    "30.4]]}\n"
    "  - {name: h.x.east, title: {zh: 东, en: East}, level: street, outline: [[120.13, 30.2], [120.15, 30.2], [120.15, 30.4], [120.13, "
    "30.4]]}\n";
/* Mercator without an ellipsoid's fuss: x = R lon, y = R ln tan(45 + lat / 2); the file is in metres from (120.12, 30.28). */
static const char net_xml[] =
    "<net><location netOffset=\"-13371697.23,-3539592.25\" projParameter=\"+proj=merc +R=6378137 +units=m +no_defs\"/>"
    "<edge id=\"west\" from=\"a\" to=\"b\" name=\"文一路\"><lane id=\"w_0\" index=\"0\" speed=\"10\" length=\"960\" shape=\"0,0 "
    "1110,0\"/></edge>"
    "<edge id=\"east\" from=\"b\" to=\"c\" name=\"文一路\"><lane id=\"e_0\" index=\"0\" speed=\"10\" length=\"960\" shape=\"1116,0 "
    "2226,0\"/></edge>"
    "<edge id=\"far\" from=\"c\" to=\"d\"><lane id=\"f_0\" index=\"0\" speed=\"10\" length=\"960\" shape=\"2232,0 3342,0\"/></edge>"
    "<junction id=\"a\" type=\"priority\" x=\"0\" y=\"0\"/><junction id=\"b\" type=\"traffic_light\" x=\"1113\" y=\"0\"/>"
    "<junction id=\"c\" type=\"traffic_light\" x=\"2226\" y=\"0\"/><junction id=\"d\" type=\"priority\" x=\"3342\" y=\"0\"/>"
    "<connection from=\"east\" to=\"far\" fromLane=\"0\" toLane=\"0\"/>"
    "<connection from=\"west\" to=\"east\" fromLane=\"0\" toLane=\"0\"/></net>";

char folder[] = "/tmp/citybrain_scene_XXXXXX"; /* mkdtemp() fills it in */
char areas_path[64];
static char net_path[64];

void write_text(const char *path, const char *text)
{
    test_write(path, str_from_c(text));
}

static void declare(size_t resource, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        fields_of[resource][i].name = str_from_c(names[i]);
    resources[resource].fields = fields_of[resource];
    resources[resource].n_fields = n;
}

static const char *const route_fields[] = {"from", "to", "time", "seconds", "free_flow_s", "length_m", "observed", "edges"};

int setup(void **state)
{
    assert_non_null(mkdtemp(folder));
    snprintf(areas_path, sizeof(areas_path), "%s/areas.yaml", folder);
    snprintf(net_path, sizeof(net_path), "%s/n.net.xml", folder);
    write_text(areas_path, areas_yaml);
    write_text(net_path, net_xml);
    declare(0, hub_indicator_field_names, HUB_INDICATOR_N_FIELDS_MAX);
    declare(5, hub_junction_index_field_names, HUB_JUNCTION_INDEX_N_FIELDS);
    declare(4, count_health_field_names, COUNT_HEALTH_N_FIELDS);
    declare(1, hub_road_state_field_names, HUB_ROAD_STATE_N_FIELDS);
    declare(2, hub_road_index_field_names, HUB_ROAD_INDEX_N_FIELDS);
    declare(6, route_fields, sizeof(route_fields) / sizeof(route_fields[0]));
    buf_init(&object, 1u << 20);
    return 0;
}

int teardown(void **state)
{
    forget_published();
    buf_finish(&object);
    unlink(areas_path);
    unlink(net_path);
    return rmdir(folder);
}

enum err bench_start(struct bench *bench, const char *config, struct diag_list *ret_diags)
{
    return bench_start_at(bench, 0, config, ret_diags);
}

enum err bench_start_at(struct bench *bench, int64_t ms, const char *config, struct diag_list *ret_diags)
{
    *bench = (struct bench){.scene = NULL};
    n_alerts = n_unheard = 0;
    ret_diags->n = 0;
    clock_fake_init(&bench->clock, (struct wall_time){T0 + ms});
    assert_ok(area_tree_load(areas_path, ret_diags, &bench->hub.tree));
    assert_ok(yaml_load_str(str_from_c(config), "scenes/count.yaml", ret_diags, &bench->yaml));
    struct scene_env env = {.hub = &bench->hub,
        .clock = &bench->clock.clock,
        .city_dir = "/nowhere",
        .data_dir = folder,
        .party = STR("h/count"),
        .parts = parts_ops};
    return scene_count_ops.start(&env, yaml_root(bench->yaml), ret_diags, &bench->scene);
}

/* Also the snapshot that it leaves. */
static void forget_snapshot(void)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/count/h.count.snapshot", folder);
    unlink(path);
    snprintf(path, sizeof(path), "%s/count", folder);
    rmdir(path);
}

void bench_halt(struct bench *bench)
{
    scene_count_ops.stop(bench->scene);
    yaml_destroy(bench->yaml);
    area_tree_destroy(bench->hub.tree);
    forget_published();
    is_refusing = is_deaf = false;
}

void bench_stop(struct bench *bench)
{
    bench_halt(bench);
    forget_snapshot();
}

static void hand_over(struct bench *bench, size_t need, struct hub_window window, const struct value *values, size_t n)
{
    struct rows *rows = NULL;
    assert_ok(rows_create(n, 4096, &rows));
    assert_ok(rows_add(rows, values));
    scene_count_ops.on_event(bench->scene, need, &window, rows);
    rows_release(rows);
}

/* The need's fields: camera vehicle time arrived lon lat heading confidence. */
void pass_at(struct bench *bench, const char *camera, const char *vehicle, int64_t seen_ms, int64_t arrived_ms, double lon, double heading)
{
    const struct value values[] = {value_text(str_from_c(camera)), value_text(str_from_c(vehicle)), value_time(T0 + seen_ms),
        value_time(T0 + arrived_ms), value_real(lon), value_real(30.28), value_real(heading), value_integer(97)};
    hand_over(
        bench, 0, (struct hub_window){.contract = STR("h/c-1"), .receipt = STR("h.log/512")}, values, sizeof(values) / sizeof(values[0]));
}

void pass(struct bench *bench, const char *camera, const char *vehicle, int64_t ms, double lon, double heading)
{
    pass_at(bench, camera, vehicle, ms, ms + 100, lon, heading);
}

/* The other need's fields: vehicle time lon lat speed_mps heading status. */
void locate(struct bench *bench, const char *vehicle, int64_t ms, double lon, int64_t status)
{
    const struct value values[] = {value_text(str_from_c(vehicle)), value_time(T0 + ms), value_real(lon), value_real(30.28), VALUE_NONE,
        VALUE_NONE, value_integer(status)};
    hand_over(
        bench, 1, (struct hub_window){.contract = STR("h/c-7"), .receipt = STR("h.log/513")}, values, sizeof(values) / sizeof(values[0]));
}

void count_over(struct bench *bench, const char *loop, int64_t ms, struct value vehicles, double lon, double heading)
{
    const struct value values[] = {value_text(str_from_c(loop)), value_time(T0 + ms - 60000), value_time(T0 + ms), VALUE_NONE, vehicles,
        value_real(lon), value_real(30.28), value_real(heading)};
    hand_over(
        bench, 2, (struct hub_window){.contract = STR("h/c-8"), .receipt = STR("h.log/514")}, values, sizeof(values) / sizeof(values[0]));
}

void tick(struct bench *bench, int64_t ms)
{
    bench->clock.wall = (struct wall_time){T0 + ms};
    scene_count_ops.on_tick(bench->scene, bench->clock.wall);
}

const struct value *indicator(const char *name, const char *area, int64_t period_ms)
{
    for (size_t batch = n_published[0]; batch-- > 0;)
        for (size_t i = 0; i < rows_n(published[0][batch]); i++) {
            const struct value *row = rows_at(published[0][batch], i);
            if (str_equal_c(row[HUB_INDICATOR_NAME].s, name) && str_equal_c(row[HUB_INDICATOR_AREA].s, area) &&
                row[HUB_INDICATOR_PERIOD_MS].i == period_ms)
                return row;
        }
    fail_msg("no %s of %s", name, area);
    return NULL;
}
