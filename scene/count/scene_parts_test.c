/*
 * The scene with its plates in other processes: what it publishes is what it publishes alone, to the bit; while a part is silent it
 * publishes that nobody can say; a part that is killed makes no difference. The parts are here, and the bus between is this file's.
 */
#include "base/mem.h"
#include "scene/count/areas.h"
#include "scene/count/part.h"
#include "scene/count/scene_testing.h"

#define N 3
#define SECONDS 400
#define TRIP_S 110
#define WITH_PARTS CONFIG "network: '{data}/n.net.xml'\nstale_after: 5s\nparts: 3\n"
#define ALONE CONFIG "network: '{data}/n.net.xml'\nstale_after: 5s\n"

static struct road_network *network;
static struct count_areas areas;
static const struct count_settings defaults = COUNT_SETTINGS_DEFAULT;

static struct {
    struct scene_parts_options options;
    struct count_part *part[N];
    struct str asked[N]; /* empty: nothing */
    bool is_open, is_silent[N];
    int64_t silent_ms;
    uint32_t n_opened;
} bus;

static enum err bus_open(void *context, const struct scene_parts_options *options, void **ret_parts)
{
    assert_true(!bus.is_open && options->n == N && str_equal_c(options->party, "h/count"));
    bus.options = *options;
    bus.is_open = true;
    bus.n_opened++;
    memset(bus.asked, 0, sizeof(bus.asked));
    *ret_parts = &bus;
    return ERR_OK;
}

static void bus_ask(void *parts, uint32_t part, struct str question)
{
    bus.asked[part] = question;
}

static int64_t bus_waited_ms(const void *parts, uint32_t part)
{
    return bus.asked[part].len > 0 ? bus.silent_ms : 0;
}

static void bus_close(void *parts)
{
    bus.is_open = false;
}

static const struct scene_parts_ops bus_ops = {bus_open, bus_ask, bus_waited_ms, bus_close};

/* Questions go there and answers come back, until nobody is asked but who is silent. */
static void deliver(void)
{
    bool is_more = bus.is_open;
    while (is_more) {
        is_more = false;
        for (uint32_t i = 0; i < N && bus.is_open; i++) {
            struct str question = bus.asked[i], answer;
            if (question.len == 0 || bus.is_silent[i])
                continue;
            assert_ok(count_part_answer(bus.part[i], question, &answer));
            bus.asked[i] = STR_NONE;
            bus.options.on_answer(bus.options.context, i, answer);
            is_more = true;
        }
    }
}

static void make_part_with(uint32_t i, const struct count_settings *settings)
{
    const struct count_map map = {network, areas.edge_areas, areas.parents, areas.n, NULL};
    count_part_destroy(bus.part[i]);
    bus.part[i] = NULL;
    assert_ok(count_part_create(settings, &map, i, N, NULL, &bus.part[i]));
}

static void make_part(uint32_t i)
{
    make_part_with(i, &defaults);
}

static int setup_parts(void **state)
{
    char path[96];
    struct diag diag = {""};
    if (setup(state) != 0)
        return -1;
    snprintf(path, sizeof(path), "%s/n.net.xml", folder);
    assert_ok(road_network_load(path, &diag, &network));
    assert_ok(count_areas_whole(network, &areas));
    return 0;
}

static int teardown_parts(void **state)
{
    for (uint32_t i = 0; i < N; i++)
        count_part_destroy(bus.part[i]);
    count_areas_finish(&areas);
    road_network_destroy(network);
    return teardown(state);
}

static void begin(struct bench *bench, const char *config)
{
    struct diag_list diags;
    memset(bus.is_silent, 0, sizeof(bus.is_silent));
    bus.silent_ms = 0;
    for (uint32_t i = 0; i < N; i++)
        make_part(i);
    parts_ops = &bus_ops;
    if (bench_start(bench, config, &diags) != ERR_OK)
        fail_msg("%s", diags.diags[0].text);
}

/* One second: a vehicle past each camera, and a tick. */
static void drive(struct bench *bench, int s)
{
    char vehicle[16];
    snprintf(vehicle, sizeof(vehicle), "v%d", s);
    pass(bench, "west", vehicle, (int64_t)s * 1000, 120.1295, 90);
    snprintf(vehicle, sizeof(vehicle), "v%d", s - TRIP_S);
    if (s % 10 != 3)
        pass(bench, "east", vehicle, (int64_t)s * 1000 + 20, 120.1398, 90);
    tick(bench, (int64_t)s * 1000 + 500);
    deliver();
}

static const char *const names[] = {"vehicles_in_transit", "flow", "mean_speed", "delay_index"};
#define N_NAMES 4

struct curve {
    double values[SECONDS][N_NAMES];
};

static void note(struct curve *curve, int s)
{
    for (int k = 0; k < N_NAMES; k++) {
        const struct value *row = indicator(names[k], "h.x.east", 1000);
        bool is_there = row[HUB_INDICATOR_VALUE].type == VALUE_REAL && row[HUB_INDICATOR_TIME].i == T0 + s * 1000 + 500;
        curve->values[s][k] = is_there ? row[HUB_INDICATOR_VALUE].r : -1;
    }
}

static struct curve alone, joined;

static void what_is_published_is_what_one_process_publishes(void **state)
{
    struct bench bench;
    begin(&bench, ALONE);
    for (int s = 0; s < SECONDS; s++) {
        drive(&bench, s);
        note(&alone, s);
    }
    bench_stop(&bench);
    assert_false(bus.is_open);
    begin(&bench, WITH_PARTS);
    for (int s = 0; s < SECONDS; s++) {
        drive(&bench, s);
        note(&joined, s);
    }
    bench_stop(&bench);
    assert_true(alone.values[SECONDS - 1][0] > 20 && alone.values[SECONDS - 1][2] > 5);
    assert_memory_equal(&alone, &joined, sizeof(alone));
}

/* One part of three is silent for twenty seconds: no figure of the others alone; then everything is as if nothing had been. */
static void a_silent_part_makes_the_figures_stale(void **state)
{
    struct bench bench;
    begin(&bench, WITH_PARTS);
    n_reports[HUB_DOWN] = n_reports[HUB_FRESH] = 0;
    for (int s = 0; s < 300; s++)
        drive(&bench, s);
    assert_int_equal(n_reports[HUB_FRESH], N);
    bus.is_silent[1] = true;
    for (int s = 300; s < 320; s++) {
        bus.silent_ms = (s - 299) * 1000;
        drive(&bench, s);
        const struct value *row = indicator("vehicles_in_transit", "h", 1000);
        if (s < 304)
            assert_int_equal(row[HUB_INDICATOR_TIME].i, T0 + 299500); /* as it was, and no other */
        else if (s > 305) {
            assert_int_equal(row[HUB_INDICATOR_VALUE].type, VALUE_NULL);
            assert_int_equal(row[HUB_INDICATOR_STALE_SINCE].i, T0 + 299500);
        }
    }
    assert_int_equal(n_reports[HUB_DOWN], 1);
    bus.is_silent[1] = false;
    bus.silent_ms = 0;
    deliver();
    for (int s = 320; s < SECONDS; s++) {
        drive(&bench, s);
        note(&joined, s);
        if (s > 380) /* ticks were left out: what fades with each of them differs by a hair */
            assert_near(joined.values[s][0], alone.values[s][0], 0.02 * alone.values[s][0]);
    }
    assert_int_equal(n_reports[HUB_FRESH], N + 1);
    assert_int_equal(bus.n_opened, 2);
    bench_stop(&bench);
}

/* Killed and started anew, they are told again what they knew: every figure is as if nothing had been. */
static void parts_that_are_killed_go_on(void **state)
{
    struct bench bench;
    uint32_t n_opened = bus.n_opened;
    begin(&bench, WITH_PARTS);
    for (int s = 0; s < SECONDS; s++) {
        if (s % 70 == 60)
            make_part((uint32_t)s / 70 % N);
        drive(&bench, s);
        note(&joined, s);
    }
    bench_stop(&bench);
    assert_int_equal(bus.n_opened, n_opened + 1);
    assert_memory_equal(&alone, &joined, sizeof(alone));
}

/* One that counts something else tells nothing that is right: the count begins anew, again and again until it is another. */
static void a_part_that_counts_another_city_makes_the_count_begin_anew(void **state)
{
    struct count_settings shorter = defaults;
    struct bench bench;
    shorter.keep_s = 900;
    begin(&bench, WITH_PARTS);
    for (int s = 0; s < 300; s++)
        drive(&bench, s);
    assert_true(indicator("vehicles_in_transit", "h", 1000)[HUB_INDICATOR_N].i > 100);
    make_part_with(2, &shorter);
    for (int s = 300; s < 310; s++)
        drive(&bench, s);
    make_part(2);
    for (int s = 310; s < 320; s++)
        drive(&bench, s);
    const struct value *row = indicator("vehicles_in_transit", "h", 1000);
    assert_int_equal(row[HUB_INDICATOR_TIME].i, T0 + 319500);
    assert_true(row[HUB_INDICATOR_N].i > 0 && row[HUB_INDICATOR_N].i < 40);
    bench_stop(&bench);
}

static void parts_need_a_bus_and_a_number(void **state)
{
    static const struct {
        const char *config, *says;
        bool has_bus;
    } rows[] = {
        {WITH_PARTS, "scenes/count.yaml:7: parts are processes on the bus", false},
        {ALONE "parts: 0\n", "scenes/count.yaml:7: ", true},
        {ALONE "parts: 65\n", "scenes/count.yaml:7: ", true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct bench bench;
        struct diag_list diags;
        parts_ops = rows[i].has_bus ? &bus_ops : NULL;
        assert_int_not_equal(bench_start(&bench, rows[i].config, &diags), ERR_OK);
        assert_non_null(strstr(diags.diags[0].text, rows[i].says));
        bench_stop(&bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_published_is_what_one_process_publishes),
        cmocka_unit_test(a_silent_part_makes_the_figures_stale),
        cmocka_unit_test(parts_that_are_killed_go_on),
        cmocka_unit_test(a_part_that_counts_another_city_makes_the_count_begin_anew),
        cmocka_unit_test(parts_need_a_bus_and_a_number),
    };
    return cmocka_run_group_tests(tests, setup_parts, teardown_parts);
}
