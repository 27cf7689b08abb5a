/* Zones as a city writes them, and every mistake with its line. */
#include "scene/zone/file.h"

#include "base/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define POLYGON "polygon: [[120.0, 30.0], [120.1, 30.0], [120.1, 30.1], [120.0, 30.1]]"
#define RULE "restricted: [other], times: [{days: [mon], from: \"07:00\", until: \"09:00\"}], from: 2026-01-01"
#define HEAD "name: inner, title: {zh: 内环, en: Inner}, area: city"

static bool has_area(const void *context, struct str area)
{
    return str_equal_c(area, "city");
}

static enum err read(const char *text, struct diag_list *diags, struct zones *zones)
{
    struct yaml *yaml = NULL;
    memset(diags, 0, sizeof(*diags));
    assert_ok(yaml_load_str(str_from_c(text), "zone.yaml", diags, &yaml));
    enum err err = zones_read(yaml_root(yaml), TIME_ZONE_SHANGHAI, has_area, NULL, diags, zones);
    yaml_destroy(yaml);
    return err;
}

static void a_whole_zone(void **state)
{
    struct diag_list *diags = calloc(1, sizeof(*diags));
    struct zones *zones = calloc(1, sizeof(*zones));
    assert_err(read("zones:\n"
                    "  - name: inner\n"
                    "    title: {zh: 内环, en: Inner}\n"
                    "    area: city\n"
                    "    polygon: [[120.0, 30.0], [120.1, 30.0], [120.1, 30.1]]\n"
                    "    restricted: [province, other_new_energy]\n"
                    "    times:\n"
                    "      - {days: [mon, fri], from: \"07:00\", until: \"09:00\"}\n"
                    "      - {days: [sun], from: \"00:00\", until: \"24:00\"}\n"
                    "    free_days: [2026-10-01, 2026-10-02]\n"
                    "    work_days: [2026-10-10]\n"
                    "    from: 2026-01-01\n"
                    "    until: 2027-01-01\n"
                    "  - {" HEAD ", " POLYGON ", " RULE "}\n",
                   diags, zones),
        ERR_EXISTS);
    assert_int_equal(diags->n, 1);
    assert_string_equal(diags->diags[0].text, "zone.yaml:14: zone \"inner\" is there twice; give one another name");
    const struct zone *zone = &zones->zones[0];
    assert_string_equal(zone->name, "inner");
    assert_string_equal(zone->title_zh, "内环");
    assert_string_equal(zone->area, "city");
    assert_int_equal(zone->n_points, 3);
    assert_true(zone->high.lat == 30.1 && zone->low.lon == 120.0);
    assert_int_equal(zone->restricted, 1 << ZONE_PROVINCE | 1 << ZONE_OTHER_NEW_ENERGY);
    assert_int_equal(zone->n_times, 2);
    assert_int_equal(zone->times[0].days, 0x11);
    assert_int_equal(zone->times[1].until_minute, 1440);
    assert_int_equal(zone->n_free, 2);
    assert_int_equal(zone->free_days[1] - zone->free_days[0], 1);
    assert_int_equal(zone->n_extra, 1);
    assert_true(zone_restricts(zones, 0, ZONE_PROVINCE, 1789945200000)); /* Monday, 2026-09-21, 07:00 there */
    free(zones);
    free(diags);
}

static void mistakes(void **state)
{
    static const struct {
        const char *text, *said;
    } cases[] = {
        {"scene: zone\n", "zone.yaml:1: zones: lists 1 to 16 zones"},
        {"zones: []\n", "zone.yaml:1: zones: lists 1 to 16 zones"},
        {"zones:\n  - inner\n", "zone.yaml:2: a zone is a map with"},
        {"zones:\n  - {" HEAD ", colour: red, " POLYGON ", " RULE "}\n", "zone.yaml:2: "},
        {"zones:\n  - {name: Inner, title: {zh: a, en: b}, area: city, " POLYGON ", " RULE "}\n", "\"Inner\" is no name"},
        {"zones:\n  - {name: inner, area: city, " POLYGON ", " RULE "}\n", "the zone has no title"},
        {"zones:\n  - {name: inner, title: {zh: a}, area: city, " POLYGON ", " RULE "}\n", "\"en\""},
        {"zones:\n  - {name: inner, title: {zh: a, en: b}, area: moon, " POLYGON ", " RULE "}\n", "there is no area \"moon\""},
        {"zones:\n  - {" HEAD ", " RULE "}\n", "the polygon of a zone is a list of 3 to 500 points"},
        {"zones:\n  - {" HEAD ", polygon: [[1, 2], [3, 4]], " RULE "}\n", "the polygon of a zone is a list of 3 to 500 points"},
        {"zones:\n  - {" HEAD ", polygon: [[1, 2], [3, 4], [5]], " RULE "}\n", "a point is [longitude, latitude], as in"},
        {"zones:\n  - {" HEAD ",\n     polygon: [[1, 2], [3, 4],\n       [300, 4]], " RULE "}\n",
            "zone.yaml:4: a point is [longitude, latitude] in degrees"},
        {"zones:\n  - {" HEAD ", polygon: [[1, 2], [3, 4], [5, nan]], " RULE "}\n", "a point is [longitude, latitude], as in"},
        {"zones:\n  - {" HEAD ", polygon: [[1, 2], [3, 4], [5, 4], [1, 2]], " RULE "}\n", "closes by itself"},
        {"zones:\n  - {" HEAD ", polygon: [[1, 2], [1, 4], [1, 5]], " RULE "}\n", "the polygon is a line"},
        {"zones:\n  - {" HEAD ", polygon: [[1, 1], [2, 2], [2, 1], [1, 2]], " RULE "}\n", "the polygon crosses itself"},
        {"zones:\n  - {" HEAD ", " POLYGON
         ", restricted: [], times: [{days: [mon], from: \"07:00\", until: \"09:00\"}], from: 2026-01-01}\n",
            "restricted: lists the groups"},
        {"zones:\n  - {" HEAD ", " POLYGON
         ", restricted: [foreign], times: [{days: [mon], from: \"07:00\", until: \"09:00\"}], from: 2026-01-01}\n",
            "\"foreign\" is no group of plates"},
        {"zones:\n  - {" HEAD ", " POLYGON ", restricted: [other], from: 2026-01-01}\n", "times: lists 1 to 16 times"},
        {"zones:\n  - {" HEAD ", " POLYGON
         ", restricted: [other], times: [{days: [monday], from: \"07:00\", until: \"09:00\"}], from: 2026-01-01}\n",
            "\"monday\" is no weekday"},
        {"zones:\n  - {" HEAD ", " POLYGON
         ", restricted: [other], times: [{days: [mon], from: \"7:00\", until: \"09:00\"}], from: 2026-01-01}\n",
            "\"7:00\" is no time of day"},
        {"zones:\n  - {" HEAD ", " POLYGON
         ", restricted: [other], times: [{days: [mon], from: \"07:00\", until: \"24:01\"}], from: 2026-01-01}\n",
            "\"24:01\" is no time of day"},
        {"zones:\n  - {" HEAD ", " POLYGON
         ", restricted: [other], times: [{days: [mon], from: \"22:00\", until: \"06:00\"}], from: 2026-01-01}\n",
            "the time ends before it begins"},
        {"zones:\n  - {" HEAD ", " POLYGON ", " RULE ", free_days: [2026-13-01]}\n", "\"2026-13-01\" is no date"},
        {"zones:\n  - {" HEAD ", " POLYGON ", " RULE ", work_days: soon}\n", "work_days: is a list"},
        {"zones:\n  - {" HEAD ", " POLYGON ", restricted: [other], times: [{days: [mon], from: \"07:00\", until: \"09:00\"}]}\n",
            "\"from\""},
        {"zones:\n  - {" HEAD ", " POLYGON ", " RULE ", until: 2025-01-01}\n", "the rule ends before it begins"},
    };
    struct diag_list *diags = calloc(1, sizeof(*diags));
    struct zones *zones = calloc(1, sizeof(*zones));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_true(read(cases[i].text, diags, zones) != ERR_OK);
        if (diags->n == 0 || strstr(diags->diags[0].text, cases[i].said) == NULL)
            fail_msg("%s\nsays: %s", cases[i].text, diags->n == 0 ? "nothing" : diags->diags[0].text);
    }
    /* All of a zone's mistakes at once. */
    assert_true(read("zones:\n  - {name: inner, title: {zh: a, en: b}, area: moon, polygon: [[1, 2]], restricted: [x], from: 2026-01-01}\n",
                    diags, zones) != ERR_OK);
    assert_int_equal(diags->n, 4);
    free(zones);
    free(diags);
}

static void too_many_zones(void **state)
{
    struct diag_list *diags = calloc(1, sizeof(*diags));
    struct zones *zones = calloc(1, sizeof(*zones));
    char text[8192];
    size_t len = (size_t)snprintf(text, sizeof(text), "zones:\n");
    for (int i = 0; i <= ZONES_MAX; i++)
        len += (size_t)snprintf(
            text + len, sizeof(text) - len, "  - {name: z%d, title: {zh: a, en: b}, area: city, " POLYGON ", " RULE "}\n", i);
    assert_err(read(text, diags, zones), ERR_RANGE);
    *strstr(text, "  - {name: z16") = 0;
    assert_ok(read(text, diags, zones));
    assert_int_equal(zones->n, ZONES_MAX);
    free(zones);
    free(diags);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_whole_zone), cmocka_unit_test(mistakes), cmocka_unit_test(too_many_zones)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
