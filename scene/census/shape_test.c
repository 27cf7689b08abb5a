/* Polygons and hulls: what they contain, what is refused and how it is told. */
#include "scene/census/shape.h"

#include "base/mem.h"
#include "base/test.h"

#include <string.h>

#define FEATURE(name_, geometry_) "{\"type\":\"Feature\",\"properties\":{\"survey\":\"" name_ "\"},\"geometry\":" geometry_ "}"
#define COLLECTION(features_) "{\"type\":\"FeatureCollection\",\"features\":[" features_ "]}"
#define SQUARE "{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[10,0],[10,10],[0,10],[0,0]],[[4,4],[6,4],[6,6],[4,6],[4,4]]]}"
#define TWO "{\"type\":\"MultiPolygon\",\"coordinates\":[[[[0,0],[1,0],[0,1],[0,0]]],[[[5,5],[6,5],[5,6],[5,5]]]]}"

static void holes_and_parts(void **state)
{
    struct shapes shapes;
    assert_ok(shapes_parse(STR(COLLECTION(FEATURE("春", SQUARE) "," FEATURE("b", TWO))), "f", "survey", NULL, NULL, &shapes));
    assert_int_equal(shapes.n, 2);
    assert_string_equal(shapes.shapes[0].name, "春");
    assert_true(shape_contains(&shapes.shapes[0], 1, 1));
    assert_true(shape_contains(&shapes.shapes[0], 9.9, 5));
    assert_false(shape_contains(&shapes.shapes[0], 5, 5)); /* the hole */
    assert_false(shape_contains(&shapes.shapes[0], 10.1, 5));
    assert_true(shape_contains(&shapes.shapes[1], 0.2, 0.2));
    assert_true(shape_contains(&shapes.shapes[1], 5.2, 5.2));
    assert_false(shape_contains(&shapes.shapes[1], 3, 3));
    shapes_finish(&shapes);
}

static void what_is_wrong_is_told(void **state)
{
    static const struct {
        const char *text, *told;
        enum err err;
    } cases[] = {
        {"{", "f: not JSON", ERR_SYNTAX},
        {"{}", "no GeoJSON FeatureCollection", ERR_SYNTAX},
        {COLLECTION(""), "no feature in it", ERR_SYNTAX},
        {COLLECTION("7"), "feature 1: its property \"survey\"", ERR_SYNTAX},
        {COLLECTION(FEATURE("a,b", SQUARE)), "feature 1: its property \"survey\"", ERR_SYNTAX},
        {COLLECTION(FEATURE("a", SQUARE) "," FEATURE("", SQUARE)), "feature 2: its property \"survey\"", ERR_SYNTAX},
        {COLLECTION(FEATURE("a", "null")), "no geometry", ERR_SYNTAX},
        {COLLECTION(FEATURE("a", "{\"type\":\"Point\",\"coordinates\":[1,2]}")), "neither a Polygon", ERR_SYNTAX},
        {COLLECTION(FEATURE("a", "{\"type\":\"Polygon\",\"coordinates\":[]}")), "a list of rings", ERR_SYNTAX},
        {COLLECTION(FEATURE("a", "{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[1,1],[0,0]]]}")), "at least four places", ERR_SYNTAX},
        {COLLECTION(FEATURE("a", "{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[1,1],[\"x\",0],[0,0]]]}")), "not [x, y]", ERR_SYNTAX},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct diag diag = {""};
        struct shapes shapes;
        assert_err(shapes_parse(str_from_c(cases[i].text), "f", "survey", NULL, &diag, &shapes), cases[i].err);
        if (strstr(diag.text, cases[i].told) == NULL)
            fail_msg("\"%s\" does not tell \"%s\"", diag.text, cases[i].told);
    }
    struct diag diag = {""};
    struct shapes shapes;
    assert_err(shapes_load("/nowhere/f.geojson", "survey", NULL, &diag, &shapes), ERR_NOT_FOUND);
    assert_non_null(strstr(diag.text, "/nowhere/f.geojson: cannot read"));
    assert_int_equal(mem_n_live(), 0);
}

/* As others export them: with a byte order mark, and the name under another key. */
static void names_of_others_will_do(void **state)
{
    struct shapes shapes;
    struct diag diag = {""};
    assert_ok(shapes_parse(STR("\xef\xbb\xbf" COLLECTION(FEATURE("a", SQUARE))), "f", "survey", NULL, &diag, &shapes));
    assert_string_equal(shapes.shapes[0].name, "a");
    shapes_finish(&shapes);
    assert_ok(shapes_parse(STR(COLLECTION(FEATURE("a", SQUARE))), "f", "name", "survey", &diag, &shapes));
    assert_string_equal(shapes.shapes[0].name, "a");
    shapes_finish(&shapes);
    assert_err(shapes_parse(STR(COLLECTION(FEATURE("a", SQUARE))), "f", "name", "area", &diag, &shapes), ERR_SYNTAX);
    assert_non_null(strstr(diag.text, "f: feature 1: its property \"name\" (or \"area\") is not a name of 1 to 64 bytes"));
    assert_int_equal(mem_n_live(), 0);
}

static void hulls(void **state)
{
    double points[][2] = {{0, 0}, {4, 0}, {4, 4}, {0, 4}, {2, 2}, {2, 0}, {0, 0}};
    struct shape hull;
    assert_ok(shape_hull(points, 7, &hull));
    assert_int_equal(hull.n_points, 5); /* four, and the first again */
    assert_true(shape_contains(&hull, 1, 3));
    assert_false(shape_contains(&hull, 4.1, 3));
    shape_finish(&hull);
    double line[][2] = {{0, 0}, {1, 1}, {2, 2}};
    assert_ok(shape_hull(line, 3, &hull));
    assert_false(shape_contains(&hull, 1, 1));
    shape_finish(&hull);
    assert_ok(shape_hull(line, 1, &hull));
    assert_int_equal(hull.n_points, 0);
    shape_finish(&hull);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holes_and_parts),
        cmocka_unit_test(what_is_wrong_is_told),
        cmocka_unit_test(names_of_others_will_do),
        cmocka_unit_test(hulls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
