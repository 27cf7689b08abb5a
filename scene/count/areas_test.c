/* Polygons over the road network: who lies in whom, what an edge belongs to, what is refused. */
#include "scene/count/areas.h"

#include "base/mem.h"
#include "scene/count/city_testing.h"

#include <string.h>

static struct city city;

static int setup(void **state)
{
    city_make(&city);
    return 0;
}

static int teardown(void **state)
{
    city_finish(&city);
    return 0;
}

/* A rectangle around the middles of the ring's edges from `first` to `last`: those lie at 250, 750, … 4,750 m. */
static void add_box(struct buf *text, const char *name, int first, int last)
{
    int west = first * 500 + 10, east = last * 500 + 490;
    buf_printf(text,
        "%s{\"type\":\"Feature\",\"properties\":{\"area\":\"%s\"},\"geometry\":{\"type\":\"Polygon\",\"coordinates\":[[[%d,-5],[%d,-5],"
        "[%d,5],[%d,5],[%d,-5]]]}}",
        text->len > 60 ? "," : "", name, west, east, east, west, west);
}

#define BEGIN "{\"type\":\"FeatureCollection\",\"features\":["

static enum err parse(struct buf *text, struct count_areas *ret_areas)
{
    struct diag diag = {""};
    enum err err = count_areas_parse(buf_str(text), "a.geojson", city.network, &diag, ret_areas);
    if (err != ERR_OK && err != ERR_NO_MEMORY)
        fail_msg("%s", diag.text);
    return err;
}

static const char *area_of(const struct count_areas *areas, int edge)
{
    static char name[64];
    struct str found = areas->names[areas->edge_areas[city.edges[edge]]];
    snprintf(name, sizeof(name), STR_FORMAT, STR_ARG(found));
    return name;
}

static const char *parent_of(const struct count_areas *areas, const char *name)
{
    for (size_t i = 1; i < areas->n; i++)
        if (str_equal_c(areas->names[i], name)) {
            static char parent[64];
            snprintf(parent, sizeof(parent), STR_FORMAT, STR_ARG(areas->names[areas->parents[i]]));
            return parent;
        }
    return "none of this name";
}

static void areas_nest_by_what_they_hold(void **state)
{
    struct buf text;
    struct count_areas areas;
    buf_init(&text, 1u << 16);
    buf_append_c(&text, BEGIN);
    add_box(&text, "street", 1, 2); /* before what it lies in: the order of the file says nothing */
    add_box(&text, "city", 0, 8);
    add_box(&text, "district", 0, 4);
    add_box(&text, "neighbour", 4, 7); /* overlaps the district at e4, which holds more */
    add_box(&text, "nowhere", 100, 101);
    buf_append_c(&text, "]}");
    assert_ok(parse(&text, &areas));
    assert_int_equal(areas.n, 6);
    assert_string_equal(parent_of(&areas, "street"), "district");
    assert_string_equal(parent_of(&areas, "district"), "city");
    assert_string_equal(parent_of(&areas, "neighbour"), "city");
    assert_string_equal(parent_of(&areas, "city"), "");
    assert_string_equal(parent_of(&areas, "nowhere"), "");
    static const char *const expected[] = {
        "district", "street", "street", "district", "neighbour", "neighbour", "neighbour", "neighbour", "city", ""};
    for (int i = 0; i < CITY_EDGES; i++)
        assert_string_equal(area_of(&areas, i), expected[i]);
    for (size_t i = 1; i < areas.n; i++)
        assert_true(areas.parents[i] < (int32_t)i);
    assert_int_equal(areas.parents[0], -1);
    assert_int_equal(areas.n_edges[areas.n - 1], 0); /* nowhere */
    count_areas_finish(&areas);
    buf_finish(&text);
}

static void several_polygons_are_one_area_and_a_hole_is_a_hole(void **state)
{
    struct buf text;
    struct count_areas areas;
    buf_init(&text, 1u << 16);
    buf_append_c(&text,
        BEGIN "{\"type\":\"Feature\",\"properties\":{\"area\":\"two\"},\"geometry\":{\"type\":\"MultiPolygon\",\"coordinates\":["
              "[[[10,-5],[490,-5],[490,5],[10,5],[10,-5]]],[[[1010,-5],[2490,-5],[2490,5],[1010,5],[1010,-5]],"
              "[[1510,-4],[1990,-4],[1990,4],[1510,4],[1510,-4]]]]}}");
    add_box(&text, "two", 9, 9);
    buf_append_c(&text, "]}");
    assert_ok(parse(&text, &areas));
    assert_int_equal(areas.n, 2);
    static const bool is_in[] = {true, false, true, false, true, false, false, false, false, true};
    for (int i = 0; i < CITY_EDGES; i++)
        assert_string_equal(area_of(&areas, i), is_in[i] ? "two" : "");
    assert_int_equal(areas.n_edges[1], 4);
    count_areas_finish(&areas);
    buf_finish(&text);
}

/* As others export them: with a byte order mark, and the name under "name". */
static void names_of_others_will_do(void **state)
{
    struct buf text;
    struct count_areas areas;
    buf_init(&text, 1u << 16);
    buf_append_c(&text,
        "\xef\xbb\xbf" BEGIN "{\"type\":\"Feature\",\"properties\":{\"name\":\"西\",\"area\":2500.5},\"geometry\":{\"type\":"
        "\"Polygon\",\"coordinates\":[[[10,-5],[490,-5],[490,5],[10,5],[10,-5]]]}}]}");
    assert_ok(parse(&text, &areas));
    assert_int_equal(areas.n, 2);
    assert_str(areas.names[1], "西");
    assert_string_equal(area_of(&areas, 0), "西");
    assert_string_equal(area_of(&areas, 1), "");
    count_areas_finish(&areas);
    buf_finish(&text);
}

static void what_is_no_area_is_refused_with_its_place(void **state)
{
    static const struct {
        const char *text, *told;
    } cases[] = {
        {"", "a.geojson: "},
        {"[]", "no GeoJSON FeatureCollection"},
        {"{\"features\":[]}", "there is no area in it"},
        {"{\"features\":[{}]}", "feature 1: it has no property \"area\""},
        {"{\"features\":[{\"properties\":{\"area\":\"a,b\"}}]}", "feature 1: it has no property \"area\""},
        {"{\"features\":[{\"properties\":{\"area\":7}}]}", "feature 1: it has no property \"area\" (or \"name\")"},
        {"{\"features\":[{\"properties\":{\"area\":\"a\"}}]}", "feature 1: it has no geometry"},
        {"{\"features\":[{\"properties\":{\"area\":\"a\"},\"geometry\":{\"type\":\"Point\",\"coordinates\":[1,2]}}]}", "neither a Polygon"},
        {"{\"features\":[{\"properties\":{\"area\":\"a\"},\"geometry\":{\"type\":\"Polygon\",\"coordinates\":[]}}]}", "a list of rings"},
        {"{\"features\":[{\"properties\":{\"area\":\"a\"},\"geometry\":{\"type\":\"Polygon\",\"coordinates\":[[[1,2],[3,4],[1,2]]]}}]}",
            "at least four positions"},
        {"{\"features\":[{\"properties\":{\"area\":\"a\"},\"geometry\":{\"type\":\"Polygon\",\"coordinates\":[[[1,2],[3,4],[5,\"6\"],[1,2]]"
         "]}}]}",
            "a position is"},
        {"{\"features\":[{\"properties\":{\"area\":\"a\"},\"geometry\":{\"type\":\"MultiPolygon\",\"coordinates\":{}}}]}",
            "neither a Polygon"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct count_areas areas;
        struct diag diag = {""};
        enum err err = count_areas_parse(str_from_c(cases[i].text), "a.geojson", city.network, &diag, &areas);
        assert_err(err, ERR_SYNTAX);
        if (strstr(diag.text, cases[i].told) == NULL)
            fail_msg("%s: %s", cases[i].text, diag.text);
        count_areas_finish(&areas);
    }
    struct count_areas areas;
    struct diag diag = {""};
    assert_err(count_areas_load("/nowhere/a.geojson", city.network, &diag, &areas), ERR_NOT_FOUND);
    assert_non_null(strstr(diag.text, "/nowhere/a.geojson: cannot read"));
    count_areas_finish(&areas);
}

static void more_areas_than_the_limit_are_refused(void **state)
{
    struct buf text;
    struct count_areas areas;
    struct diag diag = {""};
    buf_init(&text, 1u << 20);
    buf_append_c(&text, BEGIN);
    for (unsigned i = 0; i < COUNT_AREAS_MAX; i++) {
        char name[16];
        snprintf(name, sizeof(name), "a%u", i);
        add_box(&text, name, 0, 1);
    }
    buf_append_c(&text, "]}");
    assert_err(count_areas_parse(buf_str(&text), "a.geojson", city.network, &diag, &areas), ERR_FULL);
    assert_non_null(strstr(diag.text, "feature 2048: more areas than are allowed"));
    count_areas_finish(&areas);
    buf_finish(&text);
}

static void memory_may_be_refused_at_any_point(void **state)
{
    struct buf text;
    int64_t n_live = mem_n_live();
    buf_init(&text, 1u << 16);
    buf_append_c(&text, BEGIN);
    add_box(&text, "city", 0, 9);
    add_box(&text, "part", 0, 2);
    buf_append_c(&text, "]}");
    enum err err = ERR_NO_MEMORY;
    for (uint64_t nth = 1; err != ERR_OK; nth++) {
        struct count_areas areas;
        mem_fail_nth(nth);
        err = count_areas_parse(buf_str(&text), "a.geojson", city.network, NULL, &areas);
        mem_fail_nth(0);
        assert_true(err == ERR_OK || err == ERR_NO_MEMORY);
        count_areas_finish(&areas);
        assert_true(nth < 1000);
    }
    buf_finish(&text);
    assert_int_equal(mem_n_live(), n_live);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(areas_nest_by_what_they_hold),
        cmocka_unit_test(several_polygons_are_one_area_and_a_hole_is_a_hole),
        cmocka_unit_test(names_of_others_will_do),
        cmocka_unit_test(what_is_no_area_is_refused_with_its_place),
        cmocka_unit_test(more_areas_than_the_limit_are_refused),
        cmocka_unit_test(memory_may_be_refused_at_any_point),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
