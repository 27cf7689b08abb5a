/* The way before the first camera on the ring, by hand. */
#include "scene/count/ends.h"

#include "base/mem.h"
#include "scene/count/city_testing.h"

/*
 * Cameras at the ends of e0 and e3. To the first one from the beginnings of e0 to e9: 50, 150, 100, 50, 350, 300, 250, 200, 150, 100 s, 170
 * in the mean. Between two: 150 from e0 to e3, 350 from e3 to e0, 250 in the mean.
 */
static void the_way_before_is_the_networks(void **state)
{
    struct city city;
    city_make(&city);
    uint8_t has_camera[CITY_EDGES] = {0};
    double before = 0;
    assert_ok(count_ends_before(city.network, has_camera, &before));
    assert_near(before, 1, 0); /* no camera, nothing to say */
    has_camera[city.edges[0]] = has_camera[city.edges[3]] = 1;
    assert_ok(count_ends_before(city.network, has_camera, &before));
    assert_near(before, 170.0 / 250, 1e-3);
    for (int i = 0; i < CITY_EDGES; i++)
        has_camera[i] = 1;
    assert_ok(count_ends_before(city.network, has_camera, &before));
    assert_near(before, 1, 1e-9);
    mem_fail_nth(1);
    before = 7;
    assert_err(count_ends_before(city.network, has_camera, &before), ERR_NO_MEMORY);
    mem_fail_nth(0);
    assert_near(before, 7, 0);
    city_finish(&city);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_way_before_is_the_networks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
