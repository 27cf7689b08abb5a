/* GeoJSON: what a reader of JSON finds in it again. */
#include "road/geojson.h"

#include "base/json.h"
#include "base/test.h"
#include "road/test_net.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static struct str area_of(void *context, uint32_t edge)
{
    return edge == *(uint32_t *)context ? STR("hangzhou.xihu") : STR_NONE;
}

static void every_edge_for_cars_is_a_feature(void **state)
{
    struct road_network *network = NULL;
    assert_ok(road_network_parse(STR(NET_HEAD NET_UTM NET_BODY NET_TAIL), "test.net.xml", NULL, &network));
    uint32_t ab = road_edge_find(network, STR("AB"));
    struct buf out;
    buf_init(&out, 1u << 20);
    assert_ok(road_geojson_write(network, area_of, &ab, &out));
    json_t *json = NULL;
    assert_ok(json_read(buf_str(&out), NULL, &json));
    struct str text;
    assert_ok(json_get_str(json, "type", &text));
    assert_str(text, "FeatureCollection");
    const json_t *features = json_object_get(json, "features");
    assert_int_equal(json_array_size(features), 6);
    const json_t *feature = json_array_get(features, ab);
    const json_t *properties = json_object_get(feature, "properties");
    assert_ok(json_get_str(properties, "edge", &text));
    assert_str(text, "AB");
    assert_ok(json_get_str(properties, "road", &text));
    assert_str(text, "文一路");
    assert_ok(json_get_str(properties, "class", &text));
    assert_str(text, "secondary");
    assert_ok(json_get_str(properties, "area", &text));
    assert_str(text, "hangzhou.xihu");
    int64_t lanes;
    assert_ok(json_get_i64(properties, "lanes", &lanes));
    assert_int_equal(lanes, 2); /* the footpath is no lane for cars */
    assert_true(json_number_value(json_object_get(properties, "speed_limit_mps")) == 14);
    assert_true(json_number_value(json_object_get(properties, "length_m")) == 490);
    const json_t *geometry = json_object_get(feature, "geometry");
    assert_ok(json_get_str(geometry, "type", &text));
    assert_str(text, "LineString");
    const json_t *end = json_array_get(json_object_get(geometry, "coordinates"), 1);
    /* The end of its middle lane by Krüger's series, to six decimals; longitude first (RFC 7946, 3.1.1). */
    assert_true(fabs(json_number_value(json_array_get(end, 0)) - 120.125500) < 1e-9);
    assert_true(fabs(json_number_value(json_array_get(end, 1)) - 30.281685) < 1e-9);
    json_decref(json);
    buf_finish(&out);
    road_network_destroy(network);
}

static void flat_networks_have_none(void **state)
{
    struct road_network *network = NULL;
    assert_ok(road_network_parse(STR(NET_HEAD NET_FLAT NET_BODY NET_TAIL), "test.net.xml", NULL, &network));
    struct buf out;
    buf_init(&out, 1u << 20);
    assert_err(road_geojson_write(network, NULL, NULL, &out), ERR_UNSUPPORTED);
    buf_finish(&out);
    road_network_destroy(network);
}

static void the_limit_of_the_buffer_is_told(void **state)
{
    struct road_network *network = NULL;
    assert_ok(road_network_parse(STR(NET_HEAD NET_UTM NET_BODY NET_TAIL), "test.net.xml", NULL, &network));
    struct buf out;
    buf_init(&out, 1000);
    assert_err(road_geojson_write(network, NULL, NULL, &out), ERR_TOO_LARGE);
    buf_finish(&out);
    road_network_destroy(network);
}

/* What others' polygons begin with. */
static void collections_are_read(void **state)
{
    static const char plain[] = "{\"features\":[]}", marked[] = "\xef\xbb\xbf{\"features\":[]}";
    static const struct {
        const char *text, *told;
    } wrong[] = {
        {"", "f: not JSON"},
        {"\xef\xbb\xbf", "f: not JSON"},
        {"\xef\xbb\xbf\xef\xbb\xbf{\"features\":[]}", "f: not JSON"},
        {"\xef\xbb", "f: not JSON"},
        {"[]", "f: it is no GeoJSON FeatureCollection"},
        {"{\"features\":{}}", "f: it is no GeoJSON FeatureCollection"},
    };
    json_t *json = NULL;
    assert_ok(road_geojson_read(STR(plain), "f", NULL, &json));
    json_decref(json);
    assert_ok(road_geojson_read(STR(marked), "f", NULL, &json));
    assert_int_equal(json_array_size(json_object_get(json, "features")), 0);
    json_decref(json);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct diag diag = {""};
        assert_err(road_geojson_read(str_from_c(wrong[i].text), "f", &diag, &json), ERR_SYNTAX);
        if (strstr(diag.text, wrong[i].told) == NULL)
            fail_msg("%s: %s", wrong[i].text, diag.text);
    }
}

static void a_feature_has_its_name_under_one_of_two_keys(void **state)
{
    static const struct {
        const char *properties, *name;
    } cases[] = {
        {"{\"area\":\"a\"}", "a"},
        {"{\"name\":\"n\"}", "n"},
        {"{\"name\":\"n\",\"area\":\"a\"}", "a"},
        {"{\"name\":\"n\",\"area\":12.5}", "n"}, /* square metres */
        {"{\"name\":\"n\",\"area\":\"\"}", "n"},
        {"{\"name\":7}", ""},
        {"{}", ""},
        {"null", ""},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[200];
        json_t *feature = NULL;
        snprintf(text, sizeof(text), "{\"properties\":%s}", cases[i].properties);
        assert_ok(json_read(str_from_c(text), NULL, &feature));
        assert_str(road_geojson_name(feature, "area", "name"), cases[i].name);
        assert_str(road_geojson_name(feature, "nothing", NULL), "");
        json_decref(feature);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_edge_for_cars_is_a_feature),
        cmocka_unit_test(flat_networks_have_none),
        cmocka_unit_test(the_limit_of_the_buffer_is_told),
        cmocka_unit_test(collections_are_read),
        cmocka_unit_test(a_feature_has_its_name_under_one_of_two_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
