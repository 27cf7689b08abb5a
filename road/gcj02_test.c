/* GCJ-02 by known pairs, and back again anywhere in China. */
#include "road/gcj02.h"

#include "base/test.h"

#include <math.h>

static void known_pairs(void **state)
{
    static const struct {
        struct road_point wgs84, gcj02;
    } rows[] = {
        {{121.5272106, 31.1774276}, {121.531541859215, 31.17530398364597}}, /* Shanghai */
        {{113.912316, 22.543847}, {113.9171764808363, 22.540796131694766}}, /* Shenzhen */
        {{116.377817, 39.911954}, {116.38404722455657, 39.91334545536069}}, /* Beijing */
        {{2.3522, 48.8566}, {2.3522, 48.8566}},                             /* not in China */
        {{NAN, 30}, {NAN, 30}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct road_point there = road_gcj02_of_wgs84(rows[i].wgs84), back = road_gcj02_to_wgs84(rows[i].gcj02);
        if (isnan(rows[i].wgs84.lon)) {
            assert_true(isnan(there.lon) && isnan(back.lon));
            continue;
        }
        assert_true(fabs(there.lon - rows[i].gcj02.lon) < 1e-6 && fabs(there.lat - rows[i].gcj02.lat) < 1e-6);
        assert_true(fabs(back.lon - rows[i].wgs84.lon) < 1e-6 && fabs(back.lat - rows[i].wgs84.lat) < 1e-6);
    }
}

static void there_and_back(void **state)
{
    for (double lon = 75; lon < 135; lon += 1.7)
        for (double lat = 18; lat < 53; lat += 1.3) {
            struct road_point back = road_gcj02_to_wgs84(road_gcj02_of_wgs84((struct road_point){lon, lat}));
            if (!(fabs(back.lon - lon) < 1e-8 && fabs(back.lat - lat) < 1e-8)) /* a millimetre */
                fail_msg("%.1f %.1f comes back as %.9f %.9f", lon, lat, back.lon, back.lat);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(known_pairs), cmocka_unit_test(there_and_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
