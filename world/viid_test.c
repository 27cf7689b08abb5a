/* What the world writes to the brain, byte for byte, and what it makes of the brain's answers. */
#include "base/json.h"
#include "base/test.h"
#include "world/truth.h"
#include "world/viid.h"

#include <string.h>

static void a_passage_is_written_as_the_standard_has_it(void **state)
{
    const struct viid_passage passage = {.time = {1593590400000},
        .plate = "浙BY6H39",
        .plate_class = "02",
        .vehicle_type = "K33",
        .lane = 1,
        .confidence = 97,
        .speed_mps = 11.6667F,
        .number = 100001};
    const struct viid_passage *list[] = {&passage};
    struct buf out;
    buf_init(&out, 65536);
    viid_write_passages("33010600001190000001", TIME_ZONE_SHANGHAI, list, 1, &out);
    assert_ok(out.err);
    assert_str(buf_str(&out),
        "{\"MotorVehicleListObject\":{\"MotorVehicleObject\":[{\"MotorVehicleID\":\"330106000011900000010220200701160000000010200001\","
        "\"InfoKind\":1,\"SourceID\":\"33010600001190000001022020070116000000001\",\"DeviceID\":\"33010600001190000001\","
        "\"StorageUrl1\":\"http://192.0.2.1/none.jpg\",\"LeftTopX\":0,\"LeftTopY\":0,\"RightBtmX\":0,\"RightBtmY\":0,\"LaneNo\":1,"
        "\"HasPlate\":\"1\",\"PlateClass\":\"02\",\"PlateColor\":\"5\",\"PlateNo\":\"浙BY6H39\",\"PlateReliability\":\"97\","
        "\"Speed\":42,\"VehicleClass\":\"K33\",\"VehicleColor\":\"A\",\"PassTime\":\"20200701160000\"}]}}");
    buf_reset(&out);
    viid_write_device("RegisterObject", "33010600001190000001", &out);
    assert_str(buf_str(&out), "{\"RegisterObject\":{\"DeviceID\":\"33010600001190000001\"}}");
    buf_finish(&out);
}

static void statuses_are_counted(void **state)
{
    static const struct {
        const char *body;
        enum err err;
        uint32_t n_ok, n_refused;
    } rows[] = {
        {"{\"ResponseStatusListObject\":{\"ResponseStatusObject\":[{\"StatusCode\":\"0\"},{\"StatusCode\":0},{\"StatusCode\":\"4\","
         "\"StatusString\":\"from last week\"}]}}",
            ERR_OK, 2, 1},
        {"{\"ResponseStatusObject\":{\"StatusCode\":\"7\",\"StatusString\":\"from last week\"}}", ERR_OK, 0, 1},
        {"{\"ResponseStatusObject\":{\"StatusCode\":null}}", ERR_OK, 0, 1},
        {"{\"ResponseStatusListObject\":{\"ResponseStatusObject\":[]}}", ERR_SYNTAX, 0, 0},
        {"{\"ResponseStatusListObject\":{\"ResponseStatusObject\":\"0\"}}", ERR_SYNTAX, 0, 0},
        {"{}", ERR_SYNTAX, 0, 0},
        {"[1]", ERR_SYNTAX, 0, 0},
        {"not json", ERR_SYNTAX, 0, 0},
        {"", ERR_SYNTAX, 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t n_ok = 0, n_refused = 0;
        char why[64] = "";
        assert_err(viid_read_statuses(str_from_c(rows[i].body), &n_ok, &n_refused, why, sizeof why), rows[i].err);
        assert_int_equal(n_ok, rows[i].n_ok);
        assert_int_equal(n_refused, rows[i].n_refused);
        if (strstr(rows[i].body, "last week"))
            assert_string_equal(why, "from last week");
    }
}

static void the_time_is_read(void **state)
{
    struct wall_time time;
    assert_ok(viid_read_time(STR("{\"SystemTimeObject\":{\"VIIDServerID\":\"\",\"TimeMode\":\"1\",\"LocalTime\":\"20261122083000\"}}"),
        TIME_ZONE_SHANGHAI, &time));
    assert_int_equal(time.ms, 1795307400000);
    assert_err(viid_read_time(STR("{\"SystemTimeObject\":{\"LocalTime\":\"now\"}}"), TIME_ZONE_SHANGHAI, &time), ERR_SYNTAX);
    assert_err(viid_read_time(STR("{\"SystemTimeObject\":{}}"), TIME_ZONE_SHANGHAI, &time), ERR_SYNTAX);
    assert_err(viid_read_time(STR("{}"), TIME_ZONE_SHANGHAI, &time), ERR_SYNTAX);
}

static void the_truth_is_written_for_each_area(void **state)
{
    struct world_area areas[] = {{.name = "hangzhou", .parent = -1}, {.name = "hangzhou.xihu", .parent = 0}};
    const struct world_city city = {.areas = areas, .n_areas = 2};
    const uint32_t counts[] = {4012, 2900};
    struct buf out;
    buf_init(&out, 65536);
    truth_write(&city, counts, (struct wall_time){1795307400000}, false, &out);
    assert_str(buf_str(&out),
        "{\"events\":[{\"name\":\"vehicles_true\",\"area\":\"hangzhou\",\"time\":\"2026-11-22T00:30:00.000Z\",\"period_ms\":1000,"
        "\"value\":4012,\"n\":4012,\"stale_since\":null,\"basis\":\"\"},{\"name\":\"vehicles_true\",\"area\":\"hangzhou.xihu\","
        "\"time\":\"2026-11-22T00:30:00.000Z\",\"period_ms\":1000,\"value\":2900,\"n\":2900,\"stale_since\":null,\"basis\":\"\"}]}");
    buf_reset(&out);
    truth_write(&city, counts, (struct wall_time){1795307400000}, true, &out);
    json_t *json;
    assert_ok(json_read(buf_str(&out), NULL, &json));
    assert_int_equal(json_array_size(json_object_get(json, "events")), 4);
    json_decref(json);
    buf_finish(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_passage_is_written_as_the_standard_has_it),
        cmocka_unit_test(statuses_are_counted),
        cmocka_unit_test(the_time_is_read),
        cmocka_unit_test(the_truth_is_written_for_each_area),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
