/*
 * One object of a camera → one passage: a row for each tolerance rule of the interface's description and for each rule of passage.c, read
 * from real JSON.
 */
#include "system/vehicle_camera/passage.h"

#include "base/test.h"
#include "system/vehicle_camera/test_hub.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 2026-11-22 12:00:00 in China */
#define NOW_MS 1795320000000LL

static struct yaml *yaml;
static struct camera_list cameras;
static struct viid_parser *parser;

static int set_up(void **state)
{
    struct diag_list *diags = calloc(1, sizeof *diags);
    enum err err = yaml_load_str(str_from_c(fake_city_file), "cameras.yaml", diags, &yaml);
    if (err == ERR_OK)
        err = camera_list_load(&cameras, yaml_root(yaml), NULL, diags);
    if (err == ERR_OK)
        err = viid_parser_create(&parser);
    free(diags);
    return err != ERR_OK;
}

static int tear_down(void **state)
{
    viid_parser_destroy(parser);
    camera_list_finish(&cameras);
    yaml_destroy(yaml);
    return 0;
}

struct result {
    size_t n;
    enum viid_status status;
    struct passage passage;
    char text[PASSAGE_TEXT_MAX];
    struct str speaker;
    bool needs_standard;
    bool zone_is_utc;
};

static enum err visit(void *context, const struct viid_vehicle *vehicle)
{
    struct result *result = context;
    const struct passage_rules rules = {.cameras = &cameras,
        .zone = result->zone_is_utc ? (struct time_zone){0} : TIME_ZONE_SHANGHAI,
        .accept_future_ms = 300000,
        .accept_past_ms = 86400000,
        .needs_standard = result->needs_standard};
    result->n++;
    result->status = passage_read(vehicle, &rules, result->speaker, (struct wall_time){NOW_MS}, &result->passage, result->text);
    return ERR_OK;
}

/* The fields of a whole object; a row of a table replaces one of them, or leaves it out (value NULL). */
static const char *const whole[][2] = {
    {"MotorVehicleID", "\"330106000011900000010220261122120000000010200001\""},
    {"InfoKind", "1"},
    {"SourceID", "\"33010600001190000001022026112212000000001\""},
    {"DeviceID", "\"" FAKE_CAMERA_1 "\""},
    {"StorageUrl1", "\"http://192.0.2.1/a.jpg\""},
    {"LaneNo", "1"},
    {"HasPlate", "\"1\""},
    {"PlateClass", "\"02\""},
    {"PlateNo", "\"浙BY6H39\""},
    {"PlateReliability", "\"97\""},
    {"Speed", "42.0"},
    {"VehicleColor", "\"A\""},
    {"PassTime", "\"20261122115959\""},
};

static void object_with(struct buf *out, const char *name, const char *json)
{
    bool is_first = true, is_used = false;
    buf_append_c(out, "{");
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++) {
        bool is_it = strcmp(whole[i][0], name) == 0;
        const char *value = is_it ? json : whole[i][1];
        is_used = is_used || is_it;
        if (value != NULL)
            buf_printf(out, "%s\"%s\":%s", is_first ? "" : ",", whole[i][0], value);
        is_first = is_first && value == NULL;
    }
    if (!is_used && json != NULL)
        buf_printf(out, ",\"%s\":%s", name, json);
    buf_append_c(out, "}");
}

static void read_body(struct buf *body, struct result *result)
{
    const struct viid_visitor visitor = {.context = result, .vehicle = visit};
    struct diag diag = {""};
    enum err err = viid_read_vehicles(parser, buf_str(body), &visitor, &diag);
    if (err != ERR_OK)
        fail_msg("%s: %s in %.*s", err_text(err), diag.text, (int)body->len, body->ptr);
}

/* One object in which `name` is `json`. */
static struct result read_with(const char *name, const char *json)
{
    struct result result = {.speaker = STR(FAKE_CAMERA_1), .needs_standard = true};
    struct buf body;
    buf_init(&body, 65536);
    buf_append_c(&body, "{\"MotorVehicleListObject\":{\"MotorVehicleObject\":[");
    object_with(&body, name, json);
    buf_append_c(&body, "]}}");
    read_body(&body, &result);
    buf_finish(&body);
    assert_int_equal(result.n, 1);
    return result;
}

static void assert_taken(const struct result *result, const char *what, const char *json)
{
    if (result->status != VIID_STATUS_OK)
        fail_msg("%s %s: status %d, %s", what, json != NULL ? json : "left out", result->status, result->text);
}

/* ---- what is taken ---- */

static void a_whole_passage(void **state)
{
    struct result r = read_with("", NULL);
    struct value values[PASSAGE_N_FIELDS];
    assert_taken(&r, "whole", "");
    assert_string_equal(r.text, "OK");
    assert_int_equal(r.passage.id.len, 48);
    struct plate_locals locals = {.n = 0};
    assert_ok(plate_locals_add(&locals, STR("浙A")));
    passage_values(&r.passage, &locals, values);
    assert_int_equal(values[PASSAGE_PLATE_GROUP].type, VALUE_NULL); /* of a vehicle that has a pseudonym */
    r.passage.vehicle_len = 1;
    passage_values(&r.passage, &locals, values);
    assert_str(values[PASSAGE_PLATE_GROUP].s, "province");
    r.passage.vehicle_len = 0;
    passage_values(&r.passage, NULL, values);
    assert_str(values[PASSAGE_CAMERA].s, FAKE_CAMERA_1);
    assert_int_equal(values[PASSAGE_VEHICLE].type, VALUE_NULL); /* the store's business */
    assert_str(values[PASSAGE_PLATE].s, "浙BY6H39");
    assert_str(values[PASSAGE_PLATE_CLASS].s, "02");
    assert_true(values[PASSAGE_TIME].i == NOW_MS - 1000);
    assert_true(values[PASSAGE_ARRIVED].i == NOW_MS);
    assert_int_equal(values[PASSAGE_LANE].i, 1);
    assert_true(fabs(values[PASSAGE_SPEED_MPS].r - 42.0 / 3.6) < 1e-12);
    assert_int_equal(values[PASSAGE_CONFIDENCE].i, 97);
    assert_true(values[PASSAGE_LON].r == 120.13 && values[PASSAGE_LAT].r == 30.28 && values[PASSAGE_HEADING].r == 87);
    for (size_t i = 0; i < PASSAGE_N_FIELDS; i++)
        assert_true(values[i].type == passage_fields[i].type || values[i].type == VALUE_NULL);
}

/* Rule 2 of the tolerance rules: numbers as text, and HasPlate in its three forms. */
static void numbers_as_text(void **state)
{
    static const struct {
        const char *name, *json;
        double speed_kmh;
        int lane, confidence;
        bool has_plate;
    } rows[] = {
        {"LaneNo", "\"3\"", 42, 3, 97, true},
        {"LaneNo", "3", 42, 3, 97, true},
        {"LaneNo", "\" 3 \"", 42, 3, 97, true},
        {"LaneNo", "-1", 42, -1, 97, true}, /* not measured */
        {"Speed", "\"61.5\"", 61.5, 1, 97, true},
        {"Speed", "61", 61, 1, 97, true},
        {"Speed", "\"-1\"", -1, 1, 97, true},
        {"PlateReliability", "88", 42, 1, 88, true},
        {"PlateReliability", "\"88.6\"", 42, 1, 89, true},
        {"LeftTopX", "\"17\"", 42, 1, 97, true},
        {"HasPlate", "\"1\"", 42, 1, 97, true},
        {"HasPlate", "1", 42, 1, 97, true},
        {"HasPlate", "true", 42, 1, 97, true},
        {"HasPlate", "\"true\"", 42, 1, 97, true},
        {"HasPlate", "\"0\"", 42, 1, 97, false},
        {"HasPlate", "0", 42, 1, 97, false},
        {"HasPlate", "false", 42, 1, 97, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct result r = read_with(rows[i].name, rows[i].json);
        assert_taken(&r, rows[i].name, rows[i].json);
        assert_int_equal(r.passage.lane, rows[i].lane);
        assert_int_equal(r.passage.confidence, rows[i].confidence);
        assert_int_equal(r.passage.plate_len > 0, rows[i].has_plate);
        if (rows[i].speed_kmh < 0)
            assert_true(isnan(r.passage.speed_mps));
        else
            assert_true(fabs(r.passage.speed_mps * 3.6 - rows[i].speed_kmh) < 1e-9);
    }
}

/* Rule 3: an empty string, null and a missing name are the same for every optional name. */
static void three_ways_of_saying_nothing(void **state)
{
    static const char *const names[] = {
        "DeviceID", "LaneNo", "HasPlate", "PlateClass", "PlateNo", "PlateReliability", "Speed", "TollgateID"};
    static const char *const nothing[] = {"\"\"", "null", NULL};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        for (size_t j = 0; j < 3; j++) {
            struct result r = read_with(names[i], nothing[j]);
            assert_taken(&r, names[i], nothing[j]);
            assert_str(r.passage.camera, FAKE_CAMERA_1); /* DeviceID: who speaks */
            if (strcmp(names[i], "LaneNo") == 0)
                assert_int_equal(r.passage.lane, -1);
            if (strcmp(names[i], "Speed") == 0)
                assert_true(isnan(r.passage.speed_mps));
            if (strcmp(names[i], "PlateNo") == 0)
                assert_int_equal(r.passage.plate_len, 0);
        }
}

static void plates(void **state)
{
    static const struct {
        const char *json, *plate;
        bool is_whole;
    } rows[] = {
        {"\"浙A12345\"", "浙A12345", true},
        {"\"浙AD12345\"", "浙AD12345", true},
        {"\"浙A·12345\"", "浙A12345", true},
        {"\"浙A•12345\"", "浙A12345", true},
        {"\" 浙a 12345 \"", "浙A12345", true},
        {"\"\\u6d59A12345\"", "浙A12345", true},
        {"\"浙A1-345\"", "浙A1-345", false}, /* a character that was not read */
        {"\"无车牌\"", "", false},
        {"\" 无车牌 \"", "", false},
        {"\"   \"", "", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct result r = read_with("PlateNo", rows[i].json);
        assert_taken(&r, "PlateNo", rows[i].json);
        assert_str(((struct str){r.passage.plate, r.passage.plate_len}), rows[i].plate);
        assert_int_equal(r.passage.is_whole, rows[i].is_whole);
    }
    struct result r = read_with("PlateClass", "2");
    assert_taken(&r, "PlateClass", "2");
    assert_str(((struct str){r.passage.plate_class, r.passage.plate_class_len}), "02");
}

static void times(void **state)
{
    static const struct {
        const char *json;
        int64_t ms;
    } rows[] = {
        {"\"20261122120000\"", NOW_MS}, {"\"20261122120000123\"", NOW_MS + 123}, {"20261122120000", NOW_MS},
        {"\"20261122120500\"", NOW_MS + 300000},   /* exactly accept_future */
        {"\"20261121120000\"", NOW_MS - 86400000}, /* exactly accept_past */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct result r = read_with("PassTime", rows[i].json);
        assert_taken(&r, "PassTime", rows[i].json);
        assert_true(r.passage.time_ms == rows[i].ms);
    }
}

/* The zone is an option: the same digits, eight hours apart. */
static void the_zone_is_an_option(void **state)
{
    struct result r = {.speaker = STR(FAKE_CAMERA_1), .needs_standard = true, .zone_is_utc = true};
    struct buf body;
    buf_init(&body, 65536);
    buf_append_c(&body, "{\"MotorVehicleListObject\":{\"MotorVehicleObject\":[");
    object_with(&body, "PassTime", "\"20261122035959\"");
    buf_append_c(&body, "]}}");
    read_body(&body, &r);
    buf_finish(&body);
    assert_taken(&r, "PassTime", "in UTC");
    assert_true(r.passage.time_ms == NOW_MS - 1000);
}

/* Rule 7: ids are text of other lengths too. */
static void ids_of_other_lengths(void **state)
{
    char json[PASSAGE_ID_MAX + 8];
    struct result r = read_with("MotorVehicleID", "\"7\"");
    assert_taken(&r, "MotorVehicleID", "\"7\"");
    memset(json, 'x', sizeof json);
    json[0] = json[PASSAGE_ID_MAX + 1] = '"';
    json[PASSAGE_ID_MAX + 2] = 0;
    r = read_with("MotorVehicleID", json);
    assert_taken(&r, "MotorVehicleID", json);
    assert_int_equal(r.passage.id.len, PASSAGE_ID_MAX);
}

/* Rule 9: images inside are skipped; unknown names too, whatever they hold and how often. */
static void skips_what_it_does_not_know(void **state)
{
    static const char *const rows[][2] = {
        {"SubImageList", "{\"SubImageInfoObject\":[{\"ImageID\":\"1\",\"Data\":\"/9j/4AAQSkZJRgABAQAAAQABAAD\"}]}"},
        {"Brand", "{\"deep\":[[[[1]]]]}"},
        {"VendorName", "1,\"VendorName\":2"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct result r = read_with(rows[i][0], rows[i][1]);
        assert_taken(&r, rows[i][0], rows[i][1]);
    }
}

/* ---- what is refused, each with its status and words ---- */

static void refusals(void **state)
{
    static const struct {
        const char *name, *json;
        enum viid_status status;
        const char *text;
    } rows[] = {
        {"MotorVehicleID", NULL, VIID_STATUS_JSON_CONTENT, "MotorVehicleID is missing"},
        {"MotorVehicleID", "\"\"", VIID_STATUS_JSON_CONTENT, "MotorVehicleID is missing"},
        {"MotorVehicleID", "17", VIID_STATUS_JSON_CONTENT, "MotorVehicleID is not text"},
        {"PassTime", NULL, VIID_STATUS_JSON_CONTENT, "PassTime is missing"},
        {"InfoKind", NULL, VIID_STATUS_JSON_CONTENT, "InfoKind is missing"},
        {"SourceID", "null", VIID_STATUS_JSON_CONTENT, "SourceID is missing"},
        {"StorageUrl1", "\"\"", VIID_STATUS_JSON_CONTENT, "StorageUrl1 is missing"},
        {"VehicleColor", NULL, VIID_STATUS_JSON_CONTENT, "VehicleColor is missing"},
        {"VehicleColor", "[]", VIID_STATUS_JSON_CONTENT, "VehicleColor is not text"},
        {"PlateNo", "\"浙A12345\",\"PlateNo\":\"浙B54321\"", VIID_STATUS_JSON_CONTENT, "PlateNo is given twice"},
        {"PlateNo", "12345", VIID_STATUS_JSON_CONTENT, "PlateNo is not text"},
        {"PlateNo", "{\"a\":1}", VIID_STATUS_JSON_CONTENT, "PlateNo is not text"},
        {"PlateNo", "\"浙A\\u0000123\"", VIID_STATUS_JSON_CONTENT, "control character"},
        {"PlateNo", "\"浙A123456789012345678901234567890123456789\"", VIID_STATUS_JSON_CONTENT, "PlateNo has more than"},
        {"PlateClass", "[\"02\"]", VIID_STATUS_JSON_CONTENT, "PlateClass is not text"},
        {"PlateClass", "2.5", VIID_STATUS_JSON_CONTENT, "PlateClass is not text"},
        {"PlateClass", "\"123456789\"", VIID_STATUS_JSON_CONTENT, "PlateClass has 9 bytes"},
        {"LaneNo", "\"left\"", VIID_STATUS_JSON_CONTENT, "LaneNo is not a number"},
        {"LaneNo", "true", VIID_STATUS_JSON_CONTENT, "LaneNo is not a number"},
        {"LaneNo", "100", VIID_STATUS_JSON_CONTENT, "LaneNo is 100"},
        {"Speed", "[42]", VIID_STATUS_JSON_CONTENT, "Speed is not a number"},
        {"Speed", "999", VIID_STATUS_JSON_CONTENT, "Speed is 999"},
        {"Speed", "\"nan\"", VIID_STATUS_JSON_CONTENT, "Speed is not a number"},
        {"PlateReliability", "101", VIID_STATUS_JSON_CONTENT, "PlateReliability is 101"},
        {"HasPlate", "\"maybe\"", VIID_STATUS_JSON_CONTENT, "HasPlate is not 0 or 1"},
        {"HasPlate", "{}", VIID_STATUS_JSON_CONTENT, "HasPlate is not 0 or 1"},
        {"PassTime", "\"yesterday\"", VIID_STATUS_JSON_CONTENT, "is not a time"},
        {"PassTime", "\"20261322115959\"", VIID_STATUS_JSON_CONTENT, "is not a time"},
        {"PassTime", "\"2026112211595\"", VIID_STATUS_JSON_CONTENT, "is not a time"},
        {"PassTime", "\"202611221159590-1\"", VIID_STATUS_JSON_CONTENT, "is not a time"},
        {"PassTime", "17", VIID_STATUS_JSON_CONTENT, "PassTime is not text"},
        {"PassTime", "{}", VIID_STATUS_JSON_CONTENT, "PassTime is not text"},
        {"PassTime", "\"20261122120501\"", VIID_STATUS_JSON_CONTENT, "lies 301 s in the future"},
        {"PassTime", "\"20271122120000\"", VIID_STATUS_JSON_CONTENT, "in the future"},
        {"PassTime", "\"20261121115959\"", VIID_STATUS_JSON_CONTENT, "lies 86401 s in the past"},
        {"PassTime", "\"20261115120000\"", VIID_STATUS_JSON_CONTENT, "lies 604800 s in the past"}, /* last week */
        {"DeviceID", "\"33010600001190009999\"", VIID_STATUS_INVALID_OPERATION, "camera 33010600001190009999 is unknown here"},
        {"DeviceID", "\"" FAKE_CAMERA_2 "\"", VIID_STATUS_INVALID_OPERATION, "does not speak for camera " FAKE_CAMERA_2},
        {"DeviceID", "33", VIID_STATUS_JSON_CONTENT, "DeviceID is not text"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct result r = read_with(rows[i].name, rows[i].json);
        if (r.status != rows[i].status || strstr(r.text, rows[i].text) == NULL)
            fail_msg("%s %s: %d \"%s\", wanted %d \"%s\"", rows[i].name, rows[i].json != NULL ? rows[i].json : "left out", r.status, r.text,
                rows[i].status, rows[i].text);
    }
}

static struct result read_as(struct str speaker, bool needs_standard, const char *object)
{
    struct result result = {.speaker = speaker, .needs_standard = needs_standard};
    struct buf body;
    buf_init(&body, 65536);
    buf_printf(&body, "{\"MotorVehicleListObject\":{\"MotorVehicleObject\":%s}}", object);
    read_body(&body, &result);
    buf_finish(&body);
    return result;
}

static void what_the_standard_requires_is_an_option(void **state)
{
    static const char least[] = "{\"MotorVehicleID\":\"1\",\"PassTime\":\"20261122120000\"}";
    struct result r = read_as(STR(FAKE_CAMERA_1), true, least);
    assert_int_equal(r.status, VIID_STATUS_JSON_CONTENT);
    r = read_as(STR(FAKE_CAMERA_1), false, least);
    assert_taken(&r, "least", least);
    assert_str(r.passage.camera, FAKE_CAMERA_1);
    struct result neither = read_as(STR(FAKE_CAMERA_1), true,
        "{\"MotorVehicleID\":\"1\",\"PassTime\":\"20261122120000\",\"InfoKind\":1,\"SourceID\":\"1\",\"StorageUrl1\":\"a\","
        "\"VehicleColor\":\"A\"}");
    assert_int_equal(neither.status, VIID_STATUS_JSON_CONTENT);
    assert_non_null(strstr(neither.text, "PlateClass and HasPlate are both missing"));
}

static void a_platform_speaks_for_cameras(void **state)
{
    static const char of_camera_2[] = "{\"MotorVehicleID\":\"1\",\"PassTime\":\"20261122120000\",\"DeviceID\":\"" FAKE_CAMERA_2 "\"}";
    struct result r = read_as(STR(FAKE_PLATFORM), false, of_camera_2);
    assert_taken(&r, "platform", of_camera_2);
    assert_str(r.passage.camera, FAKE_CAMERA_2);
    r = read_as(STR(FAKE_PLATFORM), false, "{\"MotorVehicleID\":\"1\",\"PassTime\":\"20261122120000\"}");
    assert_int_equal(r.status, VIID_STATUS_INVALID_OPERATION); /* but it is no camera itself */
}

/* Rule 4: one object where a list should be; and what is no object at all. */
static void one_object_for_a_list(void **state)
{
    struct result r = read_as(STR(FAKE_CAMERA_1), false, "{\"MotorVehicleID\":\"1\",\"PassTime\":\"20261122120000\"}");
    assert_int_equal(r.n, 1);
    assert_taken(&r, "one object", "");
    static const char *const no_objects[] = {"[17]", "[\"text\"]", "[null]", "[[]]", "17"};
    for (size_t i = 0; i < sizeof no_objects / sizeof no_objects[0]; i++) {
        r = read_as(STR(FAKE_CAMERA_1), false, no_objects[i]);
        assert_int_equal(r.n, 1);
        assert_int_equal(r.status, VIID_STATUS_JSON_CONTENT);
        assert_string_equal(r.text, "a MotorVehicleObject is not an object");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_passage),
        cmocka_unit_test(numbers_as_text),
        cmocka_unit_test(three_ways_of_saying_nothing),
        cmocka_unit_test(plates),
        cmocka_unit_test(times),
        cmocka_unit_test(the_zone_is_an_option),
        cmocka_unit_test(ids_of_other_lengths),
        cmocka_unit_test(skips_what_it_does_not_know),
        cmocka_unit_test(refusals),
        cmocka_unit_test(what_the_standard_requires_is_an_option),
        cmocka_unit_test(a_platform_speaks_for_cameras),
        cmocka_unit_test(one_object_for_a_list),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
