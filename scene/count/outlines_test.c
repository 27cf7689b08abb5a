/*
 * Outlines over the ring road of city_testing.h: which edges are within, what is told of them; what is broken is refused. The hub is a
 * stand-in; the real one is held against the scene in tests/e2e/zone_test.py.
 */
#include "scene/count/outlines.h"

#include "base/mem.h"
#include "hub/need.h"
#include "scene/count/city_testing.h"

#include <string.h>

#define T0 INT64_C(1789948800000)
#define FEATURE(name, ring)                                                                                                                \
    "{\"type\":\"Feature\",\"properties\":{\"zone\":\"" name                                                                               \
    "\",\"area\":\"h\"},\"geometry\":{\"type\":\"Polygon\",\"coordinates\":[" ring "]}}"
#define COLLECTION(features) "{\"type\":\"FeatureCollection\",\"features\":[" features "]}"
#define FIRST_TWO "[[-10,-10],[1000,-10],[1000,10],[-10,10],[-10,-10]]" /* e0 and e1 */
#define SECOND "[[500,-10],[1000,-10],[1000,10],[500,10],[500,-10]]"    /* e1 */

/* ---- the stand-in of the hub ---- */

struct hub {
    struct hub_object_get *asked; /* NULL: nobody asks */
    struct rows *told;
    size_t n_asked;
};

static struct hub_resource outline = {.name = STR_INIT("h/count/outline"), .kind = HUB_STREAM};

const struct hub_resource *hub_need_own(const struct hub *hub, struct str party, const char *name, const char *const *fields,
    size_t n_fields, const char *page, struct yaml_node config, struct diag_list *diags)
{
    assert_string_equal(name, "outline");
    assert_int_equal(n_fields, 5);
    return &outline;
}

enum err hub_need_check(const struct hub *hub, const struct hub_need *need, struct yaml_node node, struct diag_list *diags)
{
    assert_str(need->resource, "h/zone/zone");
    assert_true(need->kind == HUB_OBJECT);
    return ERR_OK;
}

void hub_object_get_start(struct hub *hub, struct hub_object_get *get)
{
    assert_null(hub->asked);
    hub->asked = get;
    hub->n_asked++;
}

enum err hub_publish(struct hub *hub, const struct hub_resource *resource, struct rows *rows)
{
    assert_ptr_equal(resource, &outline);
    rows_release(hub->told);
    hub->told = rows_hold(rows);
    return ERR_OK;
}

static void answer(struct hub *hub, enum err err, const char *bytes)
{
    struct hub_object_get *get = hub->asked;
    assert_non_null(get);
    hub->asked = NULL;
    get->refusal.err = err;
    get->bytes = str_from_c(bytes);
    get->done(get);
}

/* ---- which edges ---- */

static void edges_by_their_middle(void **state)
{
    static const char holed[] = "[[-10,-10],[5000,-10],[5000,10],[-10,10],[-10,-10]],[[500,-5],[1000,-5],[1000,5],[500,5],[500,-5]]";
    struct city city;
    struct count_outlines outlines;
    city_make(&city);
    assert_ok(count_outlines_parse(STR(COLLECTION(FEATURE("two", FIRST_TWO) "," FEATURE("one", SECOND))), city.network, &outlines));
    assert_int_equal(outlines.n, 2);
    assert_string_equal(outlines.outlines[0].name, "two");
    assert_int_equal(outlines.outlines[0].n_edges, 2);
    assert_int_equal(outlines.outlines[1].n_edges, 1); /* they may overlap */
    assert_int_equal(outlines.outlines[1].edges[0], city.edges[1]);
    count_outlines_finish(&outlines);
    char text[512];
    snprintf(text, sizeof(text), COLLECTION("{\"properties\":{\"zone\":\"all\"},\"geometry\":{\"type\":\"Polygon\",\"coordinates\":[%s]}}"),
        holed);
    assert_ok(count_outlines_parse(str_from_c(text), city.network, &outlines));
    assert_int_equal(outlines.outlines[0].n_edges, CITY_EDGES - 1); /* less the hole's */
    count_outlines_finish(&outlines);
    road_network_destroy(city.network);
}

static void what_is_broken_is_refused(void **state)
{
    static const char *const broken[] = {"", "{", "[]", "{}", "{\"features\":{}}", COLLECTION("{}"), COLLECTION("7"),
        COLLECTION(FEATURE("a", "")), COLLECTION(FEATURE("a", "[[0,0],[1,0],[0,0]]")),
        COLLECTION(FEATURE("a", "[[0,0],[1,0],[1,\"x\"],[0,0]]")), COLLECTION(FEATURE("a", "[[0,0],[1],[1,1],[0,0]]")),
        COLLECTION(FEATURE("a", "7")), COLLECTION(FEATURE("0123456789012345678901234567890123456789012345678901234567890123", FIRST_TWO)),
        COLLECTION("{\"properties\":{\"zone\":\"a\"},\"geometry\":{\"type\":\"MultiPolygon\",\"coordinates\":[[" FIRST_TWO "]]}}"),
        COLLECTION(FEATURE("a", FIRST_TWO) "," FEATURE("b", "[]"))};
    struct city city;
    struct count_outlines outlines;
    city_make(&city);
    int64_t before = mem_n_live();
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
        if (count_outlines_parse(str_from_c(broken[i]), city.network, &outlines) == ERR_OK)
            fail_msg("%s", broken[i]);
    assert_int_equal(mem_n_live(), before);
    for (uint64_t nth = 1;; nth++) {
        mem_fail_nth(nth);
        enum err err = count_outlines_parse(STR(COLLECTION(FEATURE("two", FIRST_TWO))), city.network, &outlines);
        mem_fail_nth(0);
        if (err == ERR_OK)
            break;
        assert_int_equal(mem_n_live(), before);
        assert_true(nth < 50);
    }
    count_outlines_finish(&outlines);
    road_network_destroy(city.network);
}

/* ---- what is told ---- */

static void their_vehicles_are_told(void **state)
{
    static const char config[] = "scene: count\noutlines: h/zone/zone\n";
    struct hub hub = {.asked = NULL};
    struct diag_list diags = {.n = 0};
    struct count_outline_tell *tell = NULL;
    struct count_settings settings = COUNT_SETTINGS_DEFAULT;
    struct count *count = NULL;
    struct yaml *yaml = NULL;
    struct city city;
    city_make(&city);
    assert_ok(count_create(&settings, &city.map, &count));
    assert_ok(yaml_load_str(str_from_c(config), "scenes/count.yaml", &diags, &yaml));
    struct scene_env env = {.hub = &hub, .party = STR("h/count")};
    assert_ok(count_outline_tell_start(&env, yaml_root(yaml), city.network, &diags, &tell));
    uint32_t cameras[CITY_EDGES];
    for (int i = 0; i < CITY_EDGES; i++)
        assert_ok(count_camera_add(count, city.edges[i], &cameras[i]));
    struct count_updates updates;
    int64_t now_ms = T0;
    for (int lap = 0; lap < 60; lap++) /* sixty round and round, one behind the other */
        for (uint64_t i = 0; i < 60; i++, now_ms += 500) {
            int edge = (int)((lap + i) % CITY_EDGES);
            struct count_event event = {.type = COUNT_PASSAGE, .passage = {i + 1, cameras[edge], now_ms, now_ms + 100, 97}};
            count_step(count, &event, &updates);
        }
    count_step(count, &(struct count_event){.type = COUNT_TICK, .now_ms = now_ms}, &updates);
    count_outline_tell_tick(tell, count, now_ms);
    assert_int_equal(hub.n_asked, 1);
    assert_null(hub.told);
    count_outline_tell_tick(tell, count, now_ms); /* it is under way */
    assert_int_equal(hub.n_asked, 1);
    answer(&hub, ERR_UNAVAILABLE, ""); /* whoever draws them has not begun */
    for (int i = 0; i < 2; i++)
        count_outline_tell_tick(tell, count, now_ms);
    assert_int_equal(hub.n_asked, 2);
    answer(&hub, ERR_OK, COLLECTION(FEATURE("two", FIRST_TWO) "," FEATURE("one", SECOND)));
    count_outline_tell_tick(tell, count, now_ms);
    assert_int_equal(hub.n_asked, 2);
    assert_non_null(hub.told);
    assert_int_equal(rows_n(hub.told), 2);
    const struct value *two = rows_at(hub.told, 0), *one = rows_at(hub.told, 1);
    assert_str(two[0].s, "two");
    assert_int_equal(two[1].i, now_ms);
    double sum = count_edge_vehicles(count, city.edges[0]).value + count_edge_vehicles(count, city.edges[1]).value;
    assert_true(sum > 1 && fabs(two[2].r - sum) < 1e-6);
    assert_true(two[3].r < sum && sum < two[4].r);
    assert_true(fabs(one[2].r - count_edge_vehicles(count, city.edges[1]).value) < 1e-6);
    count_outline_tell_stop(tell);
    /* One that is stopped while it asks is gone when the answer comes. */
    assert_ok(count_outline_tell_start(&env, yaml_root(yaml), city.network, &diags, &tell));
    count_outline_tell_tick(tell, count, now_ms);
    count_outline_tell_stop(tell);
    answer(&hub, ERR_OK, COLLECTION(FEATURE("two", FIRST_TWO)));
    rows_release(hub.told);
    yaml_destroy(yaml);
    count_destroy(count);
    road_network_destroy(city.network);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edges_by_their_middle),
        cmocka_unit_test(what_is_broken_is_refused),
        cmocka_unit_test(their_vehicles_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
