/* Drives of any source, junctions, levels and vehicle-kilometres: by hand, on small networks. */
#include "scene/count/figures.h"

#include "base/mem.h"
#include "scene/count/city_testing.h"

#define T0 1000000

/* a → j and b → j meet, j → c goes on; 1 s to cross. k is only a bend of c → k → d. All edges 100 m at 10 m/s. */
static const char crossing_xml[] =
    "<net><edge id=\"a\" from=\"A\" to=\"J\" name=\"东路\" type=\"main\"><lane id=\"a_0\" index=\"0\" speed=\"10\" length=\"100\" "
    "shape=\"-100,0 0,0\"/></edge>"
    "<edge id=\"b\" from=\"B\" to=\"J\" name=\"北路\" type=\"back\"><lane id=\"b_0\" index=\"0\" speed=\"10\" length=\"100\" shape=\"0,100 "
    "0,0\"/></edge>"
    "<edge id=\"c\" from=\"J\" to=\"K\" name=\"东路\" type=\"main\"><lane id=\"c_0\" index=\"0\" speed=\"10\" length=\"100\" shape=\"0,0 "
    "100,0\"/></edge>"
    "<edge id=\"d\" from=\"K\" to=\"D\" name=\"东路\" type=\"back\"><lane id=\"d_0\" index=\"0\" speed=\"10\" length=\"100\" shape=\"100,0 "
    "200,0\"/></edge>"
    "<edge id=\":J_0\" function=\"internal\"><lane id=\":J_0_0\" index=\"0\" speed=\"10\" length=\"10\" shape=\"0,0 1,0\"/></edge>"
    "<junction id=\"A\" type=\"priority\" x=\"-100\" y=\"0\"/><junction id=\"B\" type=\"priority\" x=\"0\" y=\"100\"/>"
    "<junction id=\"J\" type=\"priority\" x=\"0\" y=\"0\"/><junction id=\"K\" type=\"priority\" x=\"100\" y=\"0\"/>"
    "<junction id=\"D\" type=\"priority\" x=\"200\" y=\"0\"/>"
    "<connection from=\"a\" to=\"c\" fromLane=\"0\" toLane=\"0\" via=\":J_0_0\" dir=\"s\"/>"
    "<connection from=\"b\" to=\"c\" fromLane=\"0\" toLane=\"0\" dir=\"l\"/>"
    "<connection from=\"c\" to=\"d\" fromLane=\"0\" toLane=\"0\" dir=\"s\"/></net>";

static const char index_yaml[] = "index: t\nversion: 2\ntitle: {zh: 指数, en: Index}\ntext: {zh: 文, en: Text}\n"
                                 "levels:\n  - {level: free, title: {zh: 好, en: Free}}\n  - {level: slow, title: {zh: 缓, en: Slow}}\n  - "
                                 "{level: jam, title: {zh: 堵, en: Jam}}\n"
                                 "roads:\n  - {class: main, title: {zh: 主, en: Main}, types: [main], least_kmh: [32, 18]}\n"
                                 "  - {class: rest, title: {zh: 支, en: Rest}, types: [\"*\"], least_kmh: [18, 9]}\n"
                                 "congestion: {measure: slow_vkt, slow_from: jam}\n";

static const struct count_loops no_loops;

struct crossing {
    struct road_network *network;
    struct count_index *index;
    uint16_t edge_areas[4];
    uint32_t a, b, c, d;
    struct count_fade fade;
    struct count_figures figures;
    struct count_area_figures areas[1];
};

static const int32_t one_area[] = {-1};
static const bool nothing_stale[] = {false};

static void make(struct crossing *crossing)
{
    const struct count_settings settings = COUNT_SETTINGS_DEFAULT;
    struct diag diag = {""};
    *crossing = (struct crossing){.network = NULL};
    if (road_network_parse(str_from_c(crossing_xml), "crossing.net.xml", &diag, &crossing->network) != ERR_OK)
        fail_msg("%s", diag.text);
    assert_ok(count_index_parse(str_from_c(index_yaml), "i.yaml", NULL, &crossing->index));
    crossing->a = road_edge_find(crossing->network, STR("a"));
    crossing->b = road_edge_find(crossing->network, STR("b"));
    crossing->c = road_edge_find(crossing->network, STR("c"));
    crossing->d = road_edge_find(crossing->network, STR("d"));
    struct count_map map = {crossing->network, crossing->edge_areas, one_area, 1, crossing->index};
    count_fade_init(&crossing->fade, settings.window_s);
    assert_ok(count_figures_init(&crossing->figures, &map, &settings, &crossing->fade, &no_loops));
}

static void finish(struct crossing *crossing)
{
    count_figures_finish(&crossing->figures);
    count_index_destroy(crossing->index);
    road_network_destroy(crossing->network);
}

static void tick(struct crossing *crossing)
{
    count_figures_tick(&crossing->figures, T0, nothing_stale, true, crossing->areas);
}

/* `times` floating cars over an edge: 100 m in 10 s of free flow, and the junction before it where they are known to have crossed it. */
static void drive(struct crossing *crossing, uint32_t edge, bool has_crossed, double seconds, int times)
{
    for (int i = 0; i < times; i++)
        count_figures_drive(&crossing->figures, edge, seconds, has_crossed ? 11 : 10, has_crossed ? 110 : 100, T0);
}

static const struct count_edge_state *state_of(const struct crossing *crossing, uint32_t edge)
{
    for (uint32_t i = 0; i < crossing->figures.n_states; i++)
        if (crossing->figures.states[i].edge == edge)
            return &crossing->figures.states[i];
    fail_msg("edge %u was not told", edge);
    return NULL;
}

static void drives_of_any_source_come_into_the_same_sums(void **state)
{
    struct crossing crossing;
    make(&crossing);
    drive(&crossing, crossing.a, false, 20, 1);
    drive(&crossing, crossing.c, true, 22, 1);
    drive(&crossing, crossing.d, false, 10, 1);
    tick(&crossing);
    assert_near(state_of(&crossing, crossing.a)->delay_index, 2, 1e-6);
    assert_near(state_of(&crossing, crossing.c)->delay_index, 2, 1e-6);
    assert_near(state_of(&crossing, crossing.c)->speed_mps, 5, 1e-6);
    assert_near(state_of(&crossing, crossing.d)->delay_index, 1, 1e-6);
    /* A sample tells no flow, and so no vehicle-kilometres; a weight it has all the same. */
    assert_true(isnan(state_of(&crossing, crossing.a)->flow_vph));
    assert_true(isnan(crossing.areas[0].flow_vph) && isnan(crossing.areas[0].vehicle_km_ph));
    assert_near(crossing.areas[0].delay_index, (2 + 2 + 1) / 3.0, 1e-6);
    finish(&crossing);
}

static void junctions_have_the_delay_of_what_leads_to_them(void **state)
{
    struct crossing crossing;
    make(&crossing);
    drive(&crossing, crossing.a, false, 40, 3); /* 30 s beyond free flow */
    drive(&crossing, crossing.b, false, 20, 1); /* 10 s */
    drive(&crossing, crossing.c, true, 60, 5);  /* to a bend, which is no junction */
    tick(&crossing);
    assert_int_equal(crossing.figures.junctions.n_states, 1);
    const struct count_junction_state *told = &crossing.figures.junctions.states[0];
    assert_str(crossing.network->junctions[told->junction].id, "J");
    assert_near(told->delay_s, (3 * 30 + 10) / 4.0, 1e-4);
    assert_near(told->delay_index, 140 / 40.0, 1e-4);
    assert_int_equal(told->n, 4);
    /* Nothing is kept from one tick to the next but the edges' own sums. */
    tick(&crossing);
    assert_near(crossing.figures.junctions.states[0].delay_s, 25, 1e-4);
    finish(&crossing);
}

/* Flow counts for the weights, not the drives alone: 3 vehicles over a in free flow, 1 over b at a ninth of it. */
static void areas_are_weighted_by_vehicle_kilometres(void **state)
{
    struct crossing crossing;
    make(&crossing);
    for (int i = 0; i < 3; i++)
        count_figures_passage(&crossing.figures, crossing.a, T0);
    drive(&crossing, crossing.a, false, 10, 1);
    count_figures_passage(&crossing.figures, crossing.b, T0);
    drive(&crossing, crossing.b, false, 90, 1);
    tick(&crossing);
    assert_near(crossing.areas[0].delay_index, (3 * 1 + 9) / 4.0, 1e-4);
    assert_near(crossing.areas[0].congestion_index, 1 / 4.0, 1e-6); /* the vehicle-kilometres on b, at 4 km/h */
    const struct count_edge_state *a = state_of(&crossing, crossing.a);
    assert_int_equal(a->level, 0);
    assert_int_equal(state_of(&crossing, crossing.b)->level, 2);
    /* A sum over edges is none before there was time to meet them. */
    assert_true(isnan(crossing.areas[0].vehicle_km_ph) && crossing.areas[0].flow_vph > 0);
    crossing.figures.first_ms = T0 - 2 * (int64_t)(crossing.fade.window_s * 1000) + 1;
    tick(&crossing);
    assert_true(isnan(crossing.areas[0].vehicle_km_ph));
    crossing.figures.first_ms--;
    tick(&crossing);
    a = state_of(&crossing, crossing.a);
    assert_near(crossing.areas[0].vehicle_km_ph, (a->flow_vph + state_of(&crossing, crossing.b)->flow_vph) * 0.1, 1e-6);
    finish(&crossing);
}

/* 东路 is of class main for 200 of its 300 m: 5 m/s there is slow, though its last edge by itself would be free. */
static void a_road_has_the_class_of_most_of_its_length(void **state)
{
    struct crossing crossing;
    make(&crossing);
    drive(&crossing, crossing.a, false, 20, 2);
    drive(&crossing, crossing.d, false, 20, 2);
    tick(&crossing);
    assert_int_equal(state_of(&crossing, crossing.d)->level, 0);
    assert_int_equal(crossing.figures.n_roads, 1);
    assert_int_equal(crossing.figures.roads[0].level, 1);
    assert_near(crossing.figures.roads[0].speed_mps, 5, 1e-6);
    finish(&crossing);
}

/* From the end of a over c and d, or from the end of c over d; no junction takes time here. The caller's is static: a line of the cache is
 * more than the sanitizer's stack aligns. */
static void way_of(const struct crossing *crossing, bool has_c, struct count_pair *ret_pair)
{
    ret_pair->free_flow_s = ret_pair->edges_s = has_c ? 20 : 10;
    ret_pair->detour = 1;
    ret_pair->n_edges = has_c ? 2 : 1;
    ret_pair->edges[0] = has_c ? crossing->c : crossing->d;
    ret_pair->edges[1] = crossing->d;
}

static double edge_s(const struct crossing *crossing, uint32_t edge)
{
    return 100 / state_of(crossing, edge)->speed_mps;
}

/* Of 80 s over both edges nobody knows where they were lost, until others need 12 s for the second of them. */
static void ways_that_share_an_edge_tell_the_edges_apart(void **state)
{
    struct crossing crossing;
    make(&crossing);
    static struct count_pair both, last;
    way_of(&crossing, true, &both);
    way_of(&crossing, false, &last);
    count_figures_link(&crossing.figures, &both, 80, T0, T0);
    tick(&crossing);
    assert_near(edge_s(&crossing, crossing.c), 40, 1e-3);
    assert_near(edge_s(&crossing, crossing.d), 40, 1e-3);
    for (int i = 0; i < 60; i++) {
        count_figures_link(&crossing.figures, &last, 12, T0, T0);
        count_figures_link(&crossing.figures, &both, 80, T0, T0);
    }
    tick(&crossing);
    assert_near(edge_s(&crossing, crossing.c), 80 - 12, 8); /* the first ones, too, are in these means */
    assert_near(edge_s(&crossing, crossing.d), 12, 4);
    /* Faster than free flow: by it alone. */
    struct crossing fast;
    make(&fast);
    count_figures_link(&fast.figures, &both, 15, T0, T0);
    tick(&fast);
    assert_near(edge_s(&fast, fast.c), 7.5, 1e-3);
    finish(&fast);
    finish(&crossing);
}

/* 300 s over c and d: c was left 150 s ago. The next, who left it now, weighs e^(150/120) as much there; on the road both are one. */
static void what_was_left_long_ago_weighs_less(void **state)
{
    struct crossing crossing;
    make(&crossing);
    static struct count_pair both;
    way_of(&crossing, true, &both);
    count_figures_link(&crossing.figures, &both, 300, T0, T0);
    tick(&crossing);
    assert_near(edge_s(&crossing, crossing.c), 150, 1e-2);
    assert_int_equal(state_of(&crossing, crossing.c)->n, 0);
    assert_int_equal(state_of(&crossing, crossing.d)->n, 1);
    assert_int_equal(crossing.areas[0].n_links, 2);
    drive(&crossing, crossing.c, false, 10, 1);
    tick(&crossing);
    double old = exp(-150 / 120.0), c_s = (old * 150 + 10) / (old + 1);
    assert_near(edge_s(&crossing, crossing.c), c_s, 0.05);
    assert_near(crossing.areas[0].speed_mps, 300 / (2 * c_s + 150), 0.01);
    finish(&crossing);
}

static void memory_may_fail_anywhere(void **state)
{
    struct crossing crossing;
    make(&crossing);
    for (uint64_t nth = 1;; nth++) {
        const struct count_settings settings = COUNT_SETTINGS_DEFAULT;
        struct count_figures figures;
        int64_t before = mem_n_live();
        mem_fail_nth(nth);
        enum err err = count_figures_init(&figures, &crossing.figures.map, &settings, &crossing.fade, &no_loops);
        mem_fail_nth(0);
        count_figures_finish(&figures);
        assert_int_equal(mem_n_live(), before);
        if (err == ERR_OK)
            break;
        assert_true(nth < 100);
    }
    finish(&crossing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drives_of_any_source_come_into_the_same_sums),
        cmocka_unit_test(junctions_have_the_delay_of_what_leads_to_them),
        cmocka_unit_test(areas_are_weighted_by_vehicle_kilometres),
        cmocka_unit_test(a_road_has_the_class_of_most_of_its_length),
        cmocka_unit_test(ways_that_share_an_edge_tell_the_edges_apart),
        cmocka_unit_test(what_was_left_long_ago_weighs_less),
        cmocka_unit_test(memory_may_fail_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
