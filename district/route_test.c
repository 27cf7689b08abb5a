/* Routing by area: a table of names, and ways over the nearest common ancestor. */
#include "base/test.h"
#include "district/route.h"

static struct district_node nodes[] = {
    {.area = STR_INIT("hangzhou.xihu.gudang")},
    {.area = STR_INIT("hangzhou")},
    {.area = STR_INIT("hangzhou.gongshu")},
    {.area = STR_INIT("hangzhou.xihu")},
    {.area = STR_INIT("puer")},
};
enum { GUDANG, HANGZHOU, GONGSHU, XIHU, PUER, N };

static void finds_the_hub_of_a_name(void **state)
{
    static const struct {
        const char *name;
        int home;
    } rows[] = {
        {"hangzhou/police/vehicle", HANGZHOU},
        {"hangzhou.xihu/parking/lot", XIHU},
        {"hangzhou.xihu.gudang/toilet/stall", GUDANG},
        {"hangzhou.xihu.xixi/toilet/stall", XIHU}, /* a street without a hub of its own */
        {"hangzhou.xihu.gudang.huacheng/club/room", GUDANG},
        {"hangzhou.xihuqu/parking/lot", HANGZHOU}, /* no prefix of names, but of areas */
        {"hangzhou.gongshu/c-7", GONGSHU},
        {"puer.simao/tea/garden", PUER},
        {"kunming/police/vehicle", -1},
        {"hangzhou", HANGZHOU},
        {"", -1},
    };
    district_nodes_link(nodes, N);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(district_home(nodes, N, str_from_c(rows[i].name)), rows[i].home);
    assert_int_equal(nodes[GUDANG].parent, XIHU);
    assert_int_equal(nodes[XIHU].parent, HANGZHOU);
    assert_int_equal(nodes[HANGZHOU].parent, -1);
}

static void goes_up_down_and_sideways(void **state)
{
    int path[DISTRICT_PATH_MAX];
    district_nodes_link(nodes, N);
    assert_int_equal(district_path(nodes, GUDANG, HANGZHOU, path), 3); /* up */
    assert_int_equal(path[1], XIHU);
    assert_int_equal(district_path(nodes, HANGZHOU, GUDANG, path), 3); /* down */
    assert_int_equal(path[2], GUDANG);
    assert_int_equal(district_path(nodes, GUDANG, GONGSHU, path), 4); /* sideways, over the city */
    assert_int_equal(path[0], GUDANG);
    assert_int_equal(path[1], XIHU);
    assert_int_equal(path[2], HANGZHOU);
    assert_int_equal(path[3], GONGSHU);
    assert_int_equal(district_path(nodes, XIHU, XIHU, path), 1);
    assert_int_equal(district_path(nodes, XIHU, PUER, path), 0); /* another city: no way */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(finds_the_hub_of_a_name), cmocka_unit_test(goes_up_down_and_sideways)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
