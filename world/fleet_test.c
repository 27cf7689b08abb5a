/* What a terminal tells: the form of the message, its error, and how often it knows nothing. */
#include "world/fleet.h"

#include "base/test.h"

#include <math.h>
#include <string.h>

static json_t *write_one(const struct fleet_position *position, int64_t ms, uint32_t serial, struct rng *rng)
{
    struct buf out;
    struct json_writer w;
    buf_init(&out, 4096);
    json_writer_init(&w, &out);
    fleet_write(&w, position, (struct wall_time){ms}, serial, rng);
    json_t *json = NULL;
    assert_ok(json_read(buf_str(&out), NULL, &json));
    buf_finish(&out);
    return json;
}

static double number(const json_t *json, const char *name)
{
    assert_true(json_is_integer(json_object_get(json, name)));
    return (double)json_integer_value(json_object_get(json, name));
}

static void a_position_has_the_standards_units(void **state)
{
    const struct fleet_position position = {17, {120.155, 30.2741}, 9.94, 359.8};
    struct rng rng = {4};
    json_t *json = write_one(&position, 1795331430000, 65536 + 77, &rng); /* 2026-11-22 15:10:30 in Shanghai */
    assert_string_equal(json_string_value(json_object_get(json, "phone")), "013300000017");
    assert_string_equal(json_string_value(json_object_get(json, "time")), "261122151030");
    assert_true(number(json, "serial") == 77 && number(json, "status") == 3 && number(json, "alarm") == 0);
    assert_true(number(json, "speed") == 358 && number(json, "direction") == 0);
    assert_true(fabs(number(json, "lat") - 30274100) < 300 && fabs(number(json, "lon") - 120155000) < 300);
    json_decref(json);
}

static void receivers_err_as_they_should(void **state)
{
    enum { N = 20000 };
    const struct fleet_position position = {17, {120.155, 30.2741}, 5, 90};
    struct rng rng = {9};
    double north = 0, east = 0, n = 0, n_lost = 0;
    for (int i = 0; i < N; i++) {
        json_t *json = write_one(&position, 1795331430000, (uint32_t)i, &rng);
        if (number(json, "status") == 1) {
            assert_true(number(json, "lat") == 0 && number(json, "lon") == 0);
            n_lost++;
        } else {
            double north_m = (number(json, "lat") / 1e6 - 30.2741) * 111195,
                   east_m = (number(json, "lon") / 1e6 - 120.155) * 111195 * 0.86361;
            north += north_m * north_m;
            east += east_m * east_m;
            n++;
        }
        json_decref(json);
    }
    assert_true(n_lost > N * FLEET_LOST * 0.5 && n_lost < N * FLEET_LOST * 1.6);
    assert_true(fabs(sqrt(north / n) - FLEET_ERROR_M) < 0.2 && fabs(sqrt(east / n) - FLEET_ERROR_M) < 0.2);
}

/* Nobody at the broker's place: positions are dropped and counted, nothing waits, nothing grows. */
static void a_fleet_without_a_broker_drops(void **state)
{
    struct world_city city = {.name = "h", .fleet = {.broker = "/nonexistent/mqtt.sock", .topic = "cb/h/gps/taxi"}};
    struct brain_clock clock;
    struct fleet *fleet = NULL;
    struct fleet_counts counts;
    brain_clock_init(&clock, 1);
    assert_ok(fleet_create(&city, &clock, 1, &fleet));
    for (int s = 0; s < 60; s++) {
        for (uint32_t i = 0; i < FLEET_POSITIONS_MAX + 10; i++)
            fleet_add(fleet, &(struct fleet_position){.vehicle = i, .point = {120, 30}});
        fleet_tick(fleet, (struct mono_time){(int64_t)s * 1000000000});
    }
    fleet_count(fleet, &counts);
    assert_true(counts.n_dropped == 60u * (FLEET_POSITIONS_MAX + 10) && counts.n_sent == 0 && !counts.is_connected);
    fleet_destroy(fleet);
    fleet_destroy(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_position_has_the_standards_units),
        cmocka_unit_test(receivers_err_as_they_should),
        cmocka_unit_test(a_fleet_without_a_broker_drops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
