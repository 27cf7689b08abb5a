/* Vehicles on edges and roads: against a made town's truth, a queue by hand, and a road of several areas. */
#include "scene/count/state.h"
#include "scene/count/traffic_testing.h"

#include <stdlib.h>

#define T0 ((int64_t)1700000000000)
#define FOR_MS ((int64_t)1800 * 1000)

struct bench {
    struct count *count;
    uint32_t cameras[TOWN_EDGES];
    struct count_updates updates;
};

static void begin(struct bench *bench, const struct count_map *map, const bool *has_camera)
{
    struct count_settings settings = COUNT_SETTINGS_DEFAULT;
    settings.vehicles_max = 1u << 16;
    assert_ok(count_create(&settings, map, &bench->count));
    for (uint32_t e = 0; e < map->network->n_edges; e++)
        if (has_camera[e])
            assert_ok(count_camera_add(bench->count, e, &bench->cameras[e]));
}

static void pass(struct bench *bench, uint64_t vehicle, uint32_t edge, int64_t time_ms, int64_t arrived_ms)
{
    struct count_event event = {.type = COUNT_PASSAGE,
        .passage = {.vehicle = vehicle, .camera = bench->cameras[edge], .time_ms = time_ms, .arrived_ms = arrived_ms}};
    count_step(bench->count, &event, &bench->updates);
}

static void tick(struct bench *bench, int64_t now_ms)
{
    struct count_event event = {.type = COUNT_TICK, .now_ms = now_ms};
    count_step(bench->count, &event, &bench->updates);
}

/* Every edge with a camera: who is seen last at one end of a street is on the next one. */
static void a_town_is_known_by_its_edges(void **state)
{
    static struct town town;
    struct town_options options = {.coverage = 1, .recall = 0.95, .n_trips = 24000, .for_ms = FOR_MS, .misread = 0.02};
    town_make(&town, &options, 31);
    struct bench bench;
    begin(&bench, &town.map, town.has_camera);
    double off = 0, all = 0, n = 0, n_held = 0;
    size_t at = 0;
    for (int m = 0; m < TOWN_MOMENTS; m++) {
        int64_t moment_ms = (int64_t)m * TOWN_MOMENT_MS;
        for (; at < town.n_passages && town.passages[at].arrived_ms <= moment_ms; at++)
            pass(&bench, town.passages[at].vehicle, town.passages[at].edge, T0 + town.passages[at].time_ms,
                T0 + town.passages[at].arrived_ms);
        if (moment_ms < 2 * TOWN_MOMENT_MS || moment_ms > FOR_MS)
            continue;
        tick(&bench, T0 + moment_ms);
        double sum = 0;
        for (uint32_t e = 0; e < TOWN_EDGES; e++) {
            struct count_interval on = count_edge_vehicles(bench.count, e);
            double is_true = town.on_edges[m][e];
            assert_true(on.low >= 0 && on.low <= on.value && on.value < on.high);
            sum += on.value;
            off += fabs(on.value - is_true);
            all += is_true;
            n_held += on.low <= is_true && is_true <= on.high;
            n++;
        }
        assert_near(sum / bench.updates.areas[0].vehicles, 1, 1e-5); /* no more and no fewer than there are */
    }
    double per_edge = all / n, wape = 100 * off / all, held = 100 * n_held / n;
    print_message("%.1f vehicles on an edge in the mean: wrong by %.0f %%, %.0f %% in their intervals\n", per_edge, wape, held);
    /* Of so many, chance alone (a Poisson count) is about 0.8 / sqrt(mean). */
    assert_true(wape < 100 * 1.25 * 0.8 / sqrt(per_edge));
    assert_true(held > 88);
    count_destroy(bench.count);
    town_finish(&town);
}

/* Half of those from one junction turn into a street where they wait for five minutes: sixteen before one camera, one before the other. */
static void a_queue_holds_who_waits_in_it(void **state)
{
    static const struct {
        const char *edge;
        int64_t after_s;
    } ways[2][3] = {{{"0-0-0", 0}, {"1-0-0", 20}, {"2-0-0", 40}}, {{"0-0-0", 0}, {"1-0-1", 320}, {"1-1-1", 340}}};
    static struct town town;
    struct town_options options = {.coverage = 1, .recall = 1, .n_trips = 1, .for_ms = 1000};
    town_make(&town, &options, 1);
    bool has_camera[TOWN_EDGES] = {false};
    uint32_t edges[2][3];
    for (int w = 0; w < 2; w++)
        for (int i = 0; i < 3; i++) {
            edges[w][i] = road_edge_find(town.network, str_from_c(ways[w][i].edge));
            has_camera[edges[w][i]] = true;
        }
    struct bench bench;
    begin(&bench, &town.map, has_camera);
    for (int64_t s = 0; s <= 3600; s += 10)
        for (int64_t vehicle = 1; vehicle <= 360; vehicle++) /* leaves the junction at 10 s times its number */
            for (int i = 0; i < 3; i++)
                if (vehicle * 10 + ways[vehicle % 2][i].after_s == s)
                    pass(&bench, (uint64_t)vehicle << 32 | 7, edges[vehicle % 2][i], T0 + s * 1000, T0 + s * 1000);
    tick(&bench, T0 + 3600 * 1000);
    double waiting = count_edge_vehicles(bench.count, edges[1][1]).value, driving = count_edge_vehicles(bench.count, edges[0][1]).value;
    print_message("%.1f wait, %.1f drive\n", waiting, driving);
    assert_true(waiting > 10 * driving);
    count_destroy(bench.count);
    town_finish(&town);
}

/* The ring: a road is the sum of its edges in each area, and in those above. */
static void a_road_is_the_sum_of_its_edges(void **state)
{
    struct city city;
    city_make(&city);
    bool has_camera[CITY_EDGES] = {false};
    has_camera[city.edges[0]] = has_camera[city.edges[4]] = has_camera[city.edges[8]] = true;
    struct bench bench;
    begin(&bench, &city.map, has_camera);
    tick(&bench, T0);
    assert_true(isnan(count_edge_vehicles(bench.count, 0).value)); /* nothing was heard: not none */
    /* Round and round, a vehicle each 40 s: cameras at 50, 250 and 450 s of 500. */
    for (int64_t s = 0; s <= 3600; s += 10)
        for (int64_t k = 0; k < 12; k++) {
            int64_t at_s = (s - k * 40 + 5000) % 500;
            if (at_s == 50 || at_s == 250 || at_s == 450)
                pass(&bench, (uint64_t)(k + 1) << 32 | 3, city.edges[at_s / 50 - 1], T0 + s * 1000, T0 + s * 1000);
        }
    tick(&bench, T0 + 3600 * 1000);
    assert_true(bench.updates.n_roads > 0);
    for (uint32_t i = 0; i < bench.updates.n_roads; i++) {
        const struct count_road_state *road = &bench.updates.roads[i];
        double sum = 0;
        for (uint32_t e = 0; e < CITY_EDGES; e++) {
            bool is_within = false;
            for (int32_t a = city.edge_areas[e]; a >= 0; a = city_parents[a])
                is_within |= a == road->area;
            sum += is_within && city.network->edges[e].name_number == road->name ? count_edge_vehicles(bench.count, e).value : 0;
        }
        assert_near(road->vehicles.value, sum, 1e-4);
        assert_true(road->vehicles.low < road->vehicles.value && road->vehicles.value < road->vehicles.high);
    }
    /* Twelve on ten edges of the same length. */
    for (uint32_t e = 0; e < CITY_EDGES; e++)
        assert_near(count_edge_vehicles(bench.count, e).value, 1.2, 0.7);
    count_destroy(bench.count);
    city_finish(&city);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_town_is_known_by_its_edges),
        cmocka_unit_test(a_queue_holds_who_waits_in_it),
        cmocka_unit_test(a_road_is_the_sum_of_its_edges),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
