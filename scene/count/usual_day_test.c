/*
 * The usual day around the core: what is told to the hub and when, and what a restart leaves of it. The hub is a stand-in of this file that
 * keeps the alarms; the store is a real one.
 */
#include "scene/count/usual_day.h"

#include "base/mem.h"
#include "base/test_files.h"
#include "hub/alert.h"
#include "scene/count/city_testing.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DAY_MS 86400000ll
#define WEDNESDAY_8 (1795363200000 + 2 * DAY_MS + 8 * 3600000) /* in Shanghai */
#define TICK_MS 30000

/* ---- the stand-in ---- */

static struct {
    char kind[32], area[64], key[128], title_zh[128], detail[160];
    bool is_green;
} alerts[100];
static size_t n_alerts;
static bool is_refusing;

enum err hub_alert(struct hub *hub, const struct hub_alert *alert)
{
    if (is_refusing)
        return ERR_FULL;
    assert_true(n_alerts < sizeof(alerts) / sizeof(alerts[0]));
    assert_str(alert->party, "h/scene.count");
    assert_str(alert->receipt, "h.log/7");
    snprintf(alerts[n_alerts].kind, sizeof(alerts[0].kind), STR_FORMAT, STR_ARG(alert->kind));
    snprintf(alerts[n_alerts].area, sizeof(alerts[0].area), STR_FORMAT, STR_ARG(alert->area));
    snprintf(alerts[n_alerts].key, sizeof(alerts[0].key), STR_FORMAT, STR_ARG(alert->key));
    snprintf(alerts[n_alerts].title_zh, sizeof(alerts[0].title_zh), STR_FORMAT, STR_ARG(alert->title_zh));
    snprintf(alerts[n_alerts].detail, sizeof(alerts[0].detail), STR_FORMAT, STR_ARG(alert->detail));
    alerts[n_alerts++].is_green = alert->is_green;
    return ERR_OK;
}

/* ---- a city ---- */

static const char areas_yaml[] =
    "areas:\n  - {name: h, title: {zh: 市, en: City}, level: city}\n"
    "  - {name: h.x, title: {zh: 区, en: District}, level: district}\n"
    "  - {name: h.x.a, title: {zh: 甲, en: A}, level: street}\n  - {name: h.x.b, title: {zh: 乙, en: B}, level: street}\n";
static const char index_yaml[] =
    "index: t\nversion: 2\ntitle: {zh: 指, en: i}\ntext: {zh: 文, en: t}\n"
    "levels:\n  - {level: free, title: {zh: 好, en: Free}}\n  - {level: jam, title: {zh: 堵, en: Jam}}\n"
    "roads:\n  - {class: all, title: {zh: 全, en: All}, types: [\"*\"], least_kmh: [18]}\n"
    "usual:\n  days:\n    - {day: all, title: {zh: 每天, en: Every day}, weekdays: [mon, tue, wed, thu, fri, sat, sun]}\n"
    "  least_days: 5\n  begin: 4\n  end: 2\n  least_spread: 0.1\n  lasts: 10min\n  alerts_at: district\n";

static char folder[] = "/tmp/citybrain_usual_XXXXXX"; /* mkdtemp() fills it in */
static char areas_path[64], store_path[64];

struct bench {
    struct city city;
    struct area_tree *tree;
    struct count_index *index;
    struct count *count;
    struct count_usual_day *day;
};

static void day_start(struct bench *bench)
{
    struct diag diag = {""};
    const struct count_usual_day_options options = {.tree = bench->tree,
        .network = bench->city.network,
        .count = bench->count,
        .index = bench->index,
        .party = STR("h/scene.count"),
        .zone = TIME_ZONE_SHANGHAI,
        .data_dir = folder};
    if (count_usual_day_start(&options, &diag, &bench->day) != ERR_OK)
        fail_msg("%s", diag.text);
}

static void bench_start(struct bench *bench)
{
    const struct count_settings settings = COUNT_SETTINGS_DEFAULT;
    test_write(areas_path, str_from_c(areas_yaml));
    city_make(&bench->city);
    assert_ok(area_tree_load(areas_path, NULL, &bench->tree));
    assert_ok(count_index_parse(str_from_c(index_yaml), "i.yaml", NULL, &bench->index));
    assert_ok(count_create(&settings, &bench->city.map, &bench->count));
    n_alerts = 0;
    is_refusing = false;
    day_start(bench);
}

static void bench_restart(struct bench *bench)
{
    count_usual_day_stop(bench->day);
    day_start(bench);
}

static void bench_stop(struct bench *bench)
{
    const char *const ends[] = {"", "-wal", "-shm"};
    char path[80];
    count_usual_day_stop(bench->day);
    count_destroy(bench->count);
    count_index_destroy(bench->index);
    area_tree_destroy(bench->tree);
    city_finish(&bench->city);
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "%s%s", store_path, ends[i]);
        unlink(path);
    }
    unlink(areas_path);
    snprintf(path, sizeof(path), "%s/store", folder);
    rmdir(path);
}

/* Every road named so, in every area, at this index; the other roads and the areas at 1.5. */
static void tick(struct bench *bench, int64_t at_ms, double value)
{
    struct count_area_figures areas[4];
    struct count_road_state roads[16];
    uint32_t n = count_n_roads(bench->count);
    assert_true(n <= 16);
    for (int i = 0; i < 4; i++)
        areas[i] = (struct count_area_figures){.is_told = true, .delay_index = 1.5};
    for (uint32_t i = 0; i < n; i++) {
        struct count_road road = count_road_at(bench->count, i);
        bool is_it = str_equal_c(str_map_key(bench->city.network->names, road.name), "环路");
        roads[i] = (struct count_road_state){.road = i, .name = road.name, .area = road.area, .delay_index = is_it ? value : 1.5};
    }
    struct count_updates updates = {.time_ms = at_ms, .areas = areas, .roads = roads, .n_roads = n};
    count_usual_day_tick(bench->day, &updates, "h.log/7");
}

static void live(struct bench *bench, int64_t from_ms, int minutes, double value)
{
    for (int64_t t = 0; t < minutes * 60000; t += TICK_MS)
        tick(bench, from_ms + t, value);
}

/* The district's road of that name. */
static struct count_usual_now road_now(const struct bench *bench)
{
    for (uint32_t i = 0; i < count_n_roads(bench->count); i++) {
        struct count_road road = count_road_at(bench->count, i);
        if (road.area == 1 && str_equal_c(str_map_key(bench->city.network->names, road.name), "环路"))
            return count_usual_day_road(bench->day, i);
    }
    fail_msg("no such road");
    return (struct count_usual_now){.n_days = 0};
}

/* Six days of 2 at 8 o'clock; the next day at 8 is returned. */
static int64_t learn(struct bench *bench)
{
    for (int day = 0; day < 6; day++) {
        live(bench, WEDNESDAY_8 + day * DAY_MS, 15, 2);
        tick(bench, WEDNESDAY_8 + day * DAY_MS + COUNT_SLOT_MS, 2);
    }
    return WEDNESDAY_8 + 6 * DAY_MS;
}

static void a_slower_road_is_one_alarm_until_it_is_back(void **state)
{
    struct bench bench;
    bench_start(&bench);
    int64_t at = learn(&bench);
    assert_int_equal(n_alerts, 0);
    live(&bench, at, 10, 9);
    assert_int_equal(n_alerts, 0); /* not for long enough */
    tick(&bench, at + 600000, 9);
    assert_int_equal(n_alerts, 1); /* the district's; not the city's and the streets', which are as slow */
    assert_string_equal(alerts[0].kind, "road.abnormal");
    assert_string_equal(alerts[0].area, "h.x");
    assert_string_equal(alerts[0].key, "h.x/环路");
    assert_string_equal(alerts[0].title_zh, "环路(区)比平日慢");
    assert_string_equal(alerts[0].detail, "delay index 9.00; usually 2.00, on 6 days; t/2");
    assert_false(alerts[0].is_green);
    assert_int_equal(road_now(&bench).state, COUNT_SLOWER);
    assert_int_equal(road_now(&bench).since_ms, at);
    /* The next quarters are not known: it stays so, and is told again each 15 minutes. */
    live(&bench, at + COUNT_SLOT_MS, 60, 9);
    assert_true(n_alerts >= 4 && n_alerts <= 6);
    size_t n = n_alerts;
    live(&bench, at + DAY_MS, 10, 2);
    n_alerts = n_alerts > n ? n : n_alerts; /* told once more, perhaps */
    tick(&bench, at + DAY_MS + 600000, 2);
    assert_true(n_alerts == n + 1 && alerts[n].is_green);
    assert_string_equal(alerts[n].key, "h.x/环路");
    assert_string_equal(alerts[n].title_zh, "环路(区)恢复平日车速");
    assert_int_equal(road_now(&bench).state, COUNT_USUAL);
    live(&bench, at + DAY_MS + 630000, 120, 2);
    assert_int_equal(n_alerts, n + 1); /* never again */
    bench_stop(&bench);
}

static void what_the_hub_does_not_take_is_told_a_second_later(void **state)
{
    struct bench bench;
    bench_start(&bench);
    int64_t at = learn(&bench);
    is_refusing = true;
    live(&bench, at, 12, 9);
    assert_int_equal(n_alerts, 0);
    is_refusing = false;
    tick(&bench, at + 12 * 60000, 9);
    assert_int_equal(n_alerts, 1);
    tick(&bench, at + 12 * 60000 + 1000, 9);
    assert_int_equal(n_alerts, 1);
    bench_stop(&bench);
}

static void a_restart_forgets_nothing(void **state)
{
    struct bench bench;
    bench_start(&bench);
    int64_t at = learn(&bench);
    bench_restart(&bench);
    tick(&bench, at, 9);
    assert_near(road_now(&bench).usual, 2, 1e-3);
    assert_int_equal(road_now(&bench).n_days, 6);
    assert_near(count_usual_day_area(bench.day, 0).usual, 1.5, 1e-3);
    live(&bench, at + TICK_MS, 11, 9);
    assert_int_equal(n_alerts, 1);
    /* It began before the restart, is told again after it, and ends by what is measured then. */
    bench_restart(&bench);
    tick(&bench, at + DAY_MS, 2);
    assert_true(n_alerts == 2 && !alerts[1].is_green);
    assert_int_equal(road_now(&bench).since_ms, at);
    live(&bench, at + DAY_MS + TICK_MS, 11, 2);
    assert_true(n_alerts == 3 && alerts[2].is_green);
    bench_restart(&bench);
    live(&bench, at + 2 * DAY_MS, 11, 2);
    assert_int_equal(n_alerts, 3);
    assert_int_equal(road_now(&bench).n_days, 6); /* quarters that were cut by a restart are none */
    bench_stop(&bench);
}

static void a_store_that_cannot_be_opened_says_so(void **state)
{
    struct bench bench;
    struct diag diag = {""};
    bench_start(&bench);
    count_usual_day_stop(bench.day);
    bench.day = NULL;
    FILE *file = fopen(store_path, "wb");
    assert_non_null(file);
    fputs("this is no database, and long enough for its header to be looked at as one: 100 bytes and some more of them", file);
    fclose(file);
    const struct count_usual_day_options options = {.tree = bench.tree,
        .network = bench.city.network,
        .count = bench.count,
        .index = bench.index,
        .zone = TIME_ZONE_SHANGHAI,
        .data_dir = folder};
    int64_t before = mem_n_live();
    assert_int_not_equal(count_usual_day_start(&options, &diag, &bench.day), ERR_OK);
    assert_non_null(strstr(diag.text, store_path));
    assert_int_equal(mem_n_live(), before);
    bench_stop(&bench);
}

static void a_level_that_no_area_has_is_told(void **state)
{
    struct bench bench;
    struct diag_list diags = {.n = 0};
    bench_start(&bench);
    assert_ok(count_usual_day_check(bench.index, bench.tree, &diags));
    bench.index->usual->alerts_at = STR("village");
    assert_err(count_usual_day_check(bench.index, bench.tree, &diags), ERR_NOT_FOUND);
    assert_non_null(strstr(diags.diags[0].text, "i.yaml:18: no area of the city is a \"village\""));
    bench_stop(&bench);
}

static int setup(void **state)
{
    assert_non_null(mkdtemp(folder));
    snprintf(areas_path, sizeof(areas_path), "%s/areas.yaml", folder);
    snprintf(store_path, sizeof(store_path), "%s/store/usual.sqlite", folder);
    return 0;
}

static int teardown(void **state)
{
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slower_road_is_one_alarm_until_it_is_back),
        cmocka_unit_test(what_the_hub_does_not_take_is_told_a_second_later),
        cmocka_unit_test(a_restart_forgets_nothing),
        cmocka_unit_test(a_store_that_cannot_be_opened_says_so),
        cmocka_unit_test(a_level_that_no_area_has_is_told),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
