/* Places, times and groups held against rules, row by row. */
#include "scene/zone/zones.h"

#include "base/test.h"

#include <math.h>
#include <string.h>

/* An L of 0.02 degrees: the corner at the north-east is out of it. */
static struct zones one_zone(void)
{
    static const struct zone_point corners[] = {
        {120.0, 30.0}, {120.02, 30.0}, {120.02, 30.01}, {120.01, 30.01}, {120.01, 30.02}, {120.0, 30.02}};
    struct zones zones = {.n = 1, .time_zone = TIME_ZONE_SHANGHAI};
    struct zone *zone = &zones.zones[0];
    zone->n_points = sizeof(corners) / sizeof(corners[0]);
    memcpy(zone->points, corners, sizeof(corners));
    zone_box(zone);
    zone->until_ms = INT64_MAX;
    return zones;
}

static int64_t at(const char *text)
{
    struct wall_time wall;
    assert_ok(wall_parse_rfc3339(str_from_c(text), &wall));
    return wall.ms;
}

static void places(void **state)
{
    static const struct {
        double lon, lat;
        bool is_in;
    } cases[] = {
        {120.005, 30.005, true},
        {120.015, 30.005, true},
        {120.005, 30.015, true},
        {120.015, 30.015, false}, /* in the box, in the corner that was cut out */
        {119.999, 30.005, false},
        {120.021, 30.005, false},
        {120.005, 29.999, false},
        {120.005, 30.021, false},
        {0, 0, false},
    };
    struct zones zones = one_zone();
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (zones_at(&zones, (struct zone_point){cases[i].lon, cases[i].lat}) != cases[i].is_in)
            fail_msg("place %zu", i);
}

static void ahead(void **state)
{
    struct zone_point from = {120, 30}, north = zone_ahead(from, 0, 111195), east = zone_ahead(from, 90, 1000),
                      back = zone_ahead(from, 270, 1000);
    assert_true(fabs(north.lat - 31) < 1e-6 && fabs(north.lon - 120) < 1e-9);
    assert_true(fabs((east.lon - 120) * 111195 * cos(30 * 3.14159265358979 / 180) - 1000) < 0.01 && fabs(east.lat - 30) < 1e-9);
    assert_true(fabs(east.lon - 120 + back.lon - 120) < 1e-12);
}

static void crossing(void **state)
{
    struct zones zones = one_zone();
    struct zone *zone = &zones.zones[0];
    assert_false(zone_crosses_itself(zone));
    struct zone_point swapped = zone->points[1];
    zone->points[1] = zone->points[4];
    zone->points[4] = swapped;
    assert_true(zone_crosses_itself(zone));
    zone->n_points = 3;
    assert_false(zone_crosses_itself(zone));
}

/* Weekdays 07:00 to 09:00 and all of Sunday, for other provinces; a holiday, a Saturday that is worked, a beginning and an end. */
static void times(void **state)
{
    static const struct {
        const char *time;
        enum zone_group group;
        bool is_restricted;
    } cases[] = {
        {"2026-09-21T07:00:00+08:00", ZONE_OTHER, true}, /* a Monday */
        {"2026-09-21T06:59:59+08:00", ZONE_OTHER, false},
        {"2026-09-21T08:59:59+08:00", ZONE_OTHER, true},
        {"2026-09-21T09:00:00+08:00", ZONE_OTHER, false},
        {"2026-09-20T23:30:00Z", ZONE_OTHER, true}, /* the same Monday, 07:30 there */
        {"2026-09-21T07:00:00+08:00", ZONE_OTHER_NEW_ENERGY, false},
        {"2026-09-21T07:00:00+08:00", ZONE_LOCAL, false},
        {"2026-09-21T07:00:00+08:00", ZONE_SPECIAL, false},
        {"2026-09-26T08:00:00+08:00", ZONE_OTHER, false}, /* Saturday */
        {"2026-09-27T00:00:00+08:00", ZONE_OTHER, true},  /* Sunday, from its first */
        {"2026-09-27T23:59:59+08:00", ZONE_OTHER, true},  /* to its last second */
        {"2026-10-01T08:00:00+08:00", ZONE_OTHER, false}, /* a Thursday, and a holiday */
        {"2026-10-10T08:00:00+08:00", ZONE_OTHER, true},  /* a Saturday that is worked */
        {"2026-10-10T10:00:00+08:00", ZONE_OTHER, false},
        {"2025-12-31T08:00:00+08:00", ZONE_OTHER, false}, /* before it is in force */
        {"2027-01-01T08:00:00+08:00", ZONE_OTHER, false}, /* after it */
        {"1969-12-31T08:00:00+08:00", ZONE_OTHER, false},
    };
    struct zones zones = one_zone();
    struct zone *zone = &zones.zones[0];
    zone->restricted = 1 << ZONE_OTHER;
    zone->n_times = 2;
    zone->times[0] = (struct zone_time){0x1f, 7 * 60, 9 * 60};
    zone->times[1] = (struct zone_time){0x40, 0, 24 * 60};
    zone->free_days[zone->n_free++] = zone_day(at("2026-10-01T12:00:00+08:00"), TIME_ZONE_SHANGHAI);
    zone->extra_days[zone->n_extra++] = zone_day(at("2026-10-10T12:00:00+08:00"), TIME_ZONE_SHANGHAI);
    zone->from_ms = at("2026-01-01T00:00:00+08:00");
    zone->until_ms = at("2027-01-01T00:00:00+08:00");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (zone_restricts(&zones, 0, cases[i].group, at(cases[i].time)) != cases[i].is_restricted)
            fail_msg("%s, %s", cases[i].time, zone_group_names[cases[i].group]);
}

static void names(void **state)
{
    for (int i = 0; i < ZONE_N_GROUPS; i++)
        assert_int_equal(zone_group_of(str_from_c(zone_group_names[i])), i);
    assert_int_equal(zone_group_of(STR("")), -1);
    assert_int_equal(zone_group_of(STR("locals")), -1);
    assert_int_equal(zone_day(-1, (struct time_zone){0}), -1);
    assert_int_equal(zone_day(0, (struct time_zone){-1}), -1);
    assert_int_equal(zone_day(0, TIME_ZONE_SHANGHAI), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places), cmocka_unit_test(ahead), cmocka_unit_test(crossing), cmocka_unit_test(times), cmocka_unit_test(names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
