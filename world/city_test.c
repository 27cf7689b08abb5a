/* The demo city's files as the world reads them: outlines that tile, cameras that see roads. argv[1]: the tree's root. */
#include "base/test.h"
#include "world/city.h"
#include "world/rng.h"
#include "world/streets_setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *root;

/* The city's folder, and a data folder with nothing but a password. */
static struct world_city load(void)
{
    char city_dir[512], data_dir[] = "/tmp/world-city-XXXXXX", path[64], folder[64];
    static struct diag_list diags;
    (void)snprintf(city_dir, sizeof city_dir, "%s/city/hangzhou", root);
    assert_non_null(mkdtemp(data_dir));
    (void)snprintf(folder, sizeof folder, "%s/secrets", data_dir);
    (void)snprintf(path, sizeof path, "%s/secrets/camera", data_dir);
    struct world_city city;
    diags.n = 0;
    assert_err(world_city_load(city_dir, data_dir, &diags, &city), ERR_IO); /* no password yet */
    assert_non_null(strstr(diags.diags[0].text, "secrets/camera"));
    assert_int_equal(mkdir(folder, 0700), 0);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs("# of all cameras\n\nsecret\n", file);
    assert_int_equal(fclose(file), 0);
    diags.n = 0;
    if (world_city_load(city_dir, data_dir, &diags, &city))
        fail_msg("%s", diags.diags[0].text);
    (void)unlink(path);
    (void)rmdir(folder);
    (void)rmdir(data_dir);
    return city;
}

static void the_demo_city_is_read(void **state)
{
    struct world_city city = load();
    assert_string_equal(city.name, "hangzhou");
    assert_string_equal(city.password, "secret");
    assert_int_equal(city.port, 8080);
    assert_true(city.n_cameras >= 60);
    assert_int_equal(city.n_areas, 10);
    for (uint32_t i = 0; i < city.n_cameras; i++) {
        assert_int_equal(strlen(city.cameras[i].device), 20);
        assert_true(city.cameras[i].heading >= 0 && city.cameras[i].heading < 360);
        for (uint32_t j = 0; j < i; j++)
            assert_string_not_equal(city.cameras[i].device, city.cameras[j].device);
    }
    world_city_finish(&city);
}

static bool holds(const struct world_area *area, struct road_point p)
{
    bool odd = false;
    for (uint32_t i = 0, j = area->n_points - 1; i < area->n_points; j = i++) {
        struct road_point a = area->outline[i], b = area->outline[j];
        if ((a.lat > p.lat) != (b.lat > p.lat) && p.lon < (b.lon - a.lon) * (p.lat - a.lat) / (b.lat - a.lat) + a.lon)
            odd = !odd;
    }
    return odd;
}

/* Every place of the city is in one district and in one street, and that street is the district's. */
static void the_outlines_tile(void **state)
{
    struct world_city city = load();
    struct rng rng = {2026};
    int n_inside = 0;
    for (int i = 0; i < 200000; i++) {
        const struct road_point p = {120.07 + 0.11 * rng_unit(&rng), 30.235 + 0.09 * rng_unit(&rng)};
        int n[3] = {0}, in[3] = {-1, -1, -1};
        for (uint32_t a = 0; a < city.n_areas; a++) {
            int level = 0;
            for (int up = city.areas[a].parent; up >= 0; up = city.areas[up].parent)
                level++;
            if (holds(&city.areas[a], p)) {
                n[level]++;
                in[level] = (int)a;
            }
        }
        if (n[1] != n[0] || n[2] != n[0] || n[0] > 1)
            fail_msg("%.6f %.6f lies in %d cities, %d districts, %d streets", p.lon, p.lat, n[0], n[1], n[2]);
        if (n[0] == 1)
            assert_int_equal(city.areas[in[2]].parent, in[1]);
        assert_int_equal(world_area_of(&city, p), n[0] ? in[2] : 0);
        n_inside += n[0];
    }
    assert_true(n_inside > 50000);
    world_city_finish(&city);
}

static void loops_have_names(void **state)
{
    static const struct {
        const char *loop;
        bool is_good;
        char kind;
        uint32_t number, lane;
    } rows[] = {{"c12.3", true, 'c', 12, 3}, {"c0.1", true, 'c', 0, 1}, {"l7.2", true, 'l', 7, 2}, {"12.3", false}, {"c12", false},
        {"c12.0", false}, {"c.1", false}, {"c1.", false}, {"c99999999.1", false}, {"", false}, {"c-1.1", false}, {"x1.1", false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char kind = 0;
        uint32_t number = 0, lane = 0;
        assert_int_equal(streets_parse_loop(str_from_c(rows[i].loop), &kind, &number, &lane), rows[i].is_good);
        assert_int_equal(kind, rows[i].kind);
        assert_int_equal(number, rows[i].number);
        assert_int_equal(lane, rows[i].lane);
    }
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        (void)fprintf(stderr, "usage: city_test ROOT\n");
        return 2;
    }
    root = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_demo_city_is_read),
        cmocka_unit_test(the_outlines_tile),
        cmocka_unit_test(loops_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
