/*
 * The scene with its plates in other processes: what it publishes is what it publishes alone, to the bit; while a part is silent it
 * publishes that nobody can say; a part that is killed, or a brain, makes no difference. The parts are here, and the bus between is this
 * file's.
 */
#include "base/mem.h"
#include "scene/count/areas.h"
#include "scene/count/part.h"
#include "scene/count/scene_testing.h"

#define N 3
#define SECONDS 400
#define TRIP_S 110
#define WITH_PARTS CONFIG "network: '{data}/n.net.xml'\nstale_after: 5s\nparts: 3\n"
#define KEPT WITH_PARTS "keep_every: 10s\n"
#define ALONE CONFIG "network: '{data}/n.net.xml'\nstale_after: 5s\n"

static struct road_network *network;
static struct count_areas areas;
static const struct count_settings defaults = COUNT_SETTINGS_DEFAULT;

struct disk { /* a part's */
    struct buf slots[COUNT_PART_SLOTS];
};

static struct {
    struct scene_parts_options options;
    struct count_part *part[N];
    uint32_t n; /* parts */
    struct disk disks[N];
    struct count_part_store stores[N];
    struct str asked[N]; /* empty: nothing */
    bool is_open, is_silent[N];
    int64_t silent_ms;
    uint32_t n_opened;
} bus;

static enum err bus_open(void *context, const struct scene_parts_options *options, void **ret_parts)
{
    assert_true(!bus.is_open && options->n == bus.n && str_equal_c(options->party, "h/count"));
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
        for (uint32_t i = 0; i < bus.n && bus.is_open; i++) {
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

static enum err disk_write(void *context, uint32_t slot, struct str bytes)
{
    struct disk *disk = context;
    buf_reset(&disk->slots[slot]);
    buf_append_str(&disk->slots[slot], bytes);
    return disk->slots[slot].err;
}

static enum err disk_read(void *context, uint32_t slot, struct buf *out)
{
    const struct disk *disk = context;
    if (disk->slots[slot].len == 0)
        return ERR_NOT_FOUND;
    buf_append_str(out, buf_str(&disk->slots[slot]));
    return out->err;
}

static void disk_refused(void *context, uint32_t slot, const char *why)
{
    fail_msg("slot %u: %s", slot, why);
}

static void clear_disk(uint32_t i)
{
    for (uint32_t slot = 0; slot < COUNT_PART_SLOTS; slot++) {
        buf_finish(&bus.disks[i].slots[slot]);
        buf_init(&bus.disks[i].slots[slot], 1u << 26);
    }
}

static void make_part_with(uint32_t i, const struct count_settings *settings)
{
    const struct count_map map = {network, areas.edge_areas, areas.parents, areas.n, NULL};
    count_part_destroy(bus.part[i]);
    bus.part[i] = NULL;
    bus.stores[i] = (struct count_part_store){disk_write, disk_read, disk_refused, &bus.disks[i]};
    assert_ok(count_part_create(settings, &map, i, bus.n, &bus.stores[i], &bus.part[i]));
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
    for (uint32_t i = 0; i < N; i++) {
        count_part_destroy(bus.part[i]);
        clear_disk(i);
    }
    count_areas_finish(&areas);
    road_network_destroy(network);
    return teardown(state);
}

static void begin(struct bench *bench, const char *config)
{
    struct diag_list diags;
    memset(bus.is_silent, 0, sizeof(bus.is_silent));
    bus.silent_ms = 0;
    bus.n = N;
    for (uint32_t i = 0; i < N; i++) {
        clear_disk(i);
        make_part(i);
    }
    parts_ops = &bus_ops;
    if (bench_start(bench, config, &diags) != ERR_OK)
        fail_msg("%s", diags.diags[0].text);
}

/* One second: a vehicle past each camera. */
static void pass_both(struct bench *bench, int s)
{
    char vehicle[16];
    snprintf(vehicle, sizeof(vehicle), "v%d", s);
    pass(bench, "west", vehicle, (int64_t)s * 1000, 120.1295, 90);
    snprintf(vehicle, sizeof(vehicle), "v%d", s - TRIP_S);
    if (s % 10 != 3)
        pass(bench, "east", vehicle, (int64_t)s * 1000 + 20, 120.1398, 90);
}

static void drive(struct bench *bench, int s)
{
    pass_both(bench, s);
    bench->clock.mono = (struct mono_time){(int64_t)s * 1000000000};
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

/* Ended at 250 s, and begun again with the replay of all that was before. */
static void restart(struct bench *bench, const char *config)
{
    struct diag_list diags;
    bench_halt(bench);
    assert_false(bus.is_open);
    if (bench_start_at(bench, 250000, config, &diags) != ERR_OK)
        fail_msg("%s", diags.diags[0].text);
    for (int s = 0; s < 250; s++)
        pass_both(bench, s);
    deliver();
}

/* Of the figures of who operates it. */
static bool measures(struct bench *bench, const char *line)
{
    struct metric_page *metrics = NULL;
    struct buf page;
    assert_ok(metric_page_create(&metrics));
    scene_count_ops.measure(bench->scene, metrics);
    buf_init(&page, METRIC_PAGE_MAX);
    assert_ok(metric_page_write(metrics, &page));
    buf_append_be(&page, 0, 1);
    metric_page_destroy(metrics);
    bool is_there = strstr(page.ptr, line) != NULL;
    if (!is_there)
        print_message("no %s in\n%s", line, page.ptr);
    buf_finish(&page);
    return is_there;
}

/* The brain is killed, and a part with it: they go on from the last mark, and what came since is replayed; no passage is taken twice. */
static void a_restart_leaves_no_dent(void **state)
{
    struct bench bench;
    uint32_t n_opened = bus.n_opened;
    begin(&bench, KEPT);
    for (int s = 0; s < 250; s++)
        drive(&bench, s);
    make_part(1);
    restart(&bench, KEPT);
    for (int s = 250; s < SECONDS; s++) {
        drive(&bench, s);
        note(&joined, s);
        for (int k = 0; k < N_NAMES; k++)
            assert_near(joined.values[s][k], alone.values[s][k], 0.01 * alone.values[s][k]);
    }
    assert_int_equal(bus.n_opened, n_opened + 2);
    tick(&bench, SECONDS * 1000 + 500); /* leaves what is known at its beginning */
    assert_true(measures(&bench, "citybrain_count_passages_total{party=\"h/count\",verdict=\"taken\"} 760\n"));
    bench_stop(&bench);
}

/* A part's disk is gone when all are started again: it says so, and the count begins anew with what came since the snapshot. */
static void a_restart_without_a_parts_disk_begins_anew(void **state)
{
    struct bench bench;
    uint32_t n_opened = bus.n_opened;
    begin(&bench, KEPT);
    for (int s = 0; s < 250; s++)
        drive(&bench, s);
    clear_disk(1);
    make_part(1);
    restart(&bench, KEPT);
    for (int s = 250; s < 260; s++)
        drive(&bench, s);
    assert_int_equal(bus.n_opened, n_opened + 3);
    const struct value *row = indicator("vehicles_in_transit", "h", 1000);
    assert_int_equal(row[HUB_INDICATOR_TIME].i, T0 + 259500);
    assert_true(row[HUB_INDICATOR_N].i > 0 && row[HUB_INDICATOR_N].i < 40);
    bench_stop(&bench);
}

/* Other parts than before: the snapshot is not used, and the last hour is counted again, with them and without any. */
static void another_number_of_parts_counts_the_hour_again(void **state)
{
    static const char *const configs[] = {CONFIG "network: '{data}/n.net.xml'\nstale_after: 5s\nparts: 2\n", ALONE};
    for (uint32_t i = 0; i < 2; i++) {
        struct bench bench;
        begin(&bench, KEPT);
        for (int s = 0; s < 250; s++)
            drive(&bench, s);
        bus.n = 2;
        for (uint32_t k = 0; k < bus.n; k++) {
            clear_disk(k);
            make_part(k);
        }
        restart(&bench, configs[i]);
        for (int s = 250; s < 300; s++)
            drive(&bench, s);
        const struct value *row = indicator("vehicles_in_transit", "h", 1000);
        assert_int_equal(row[HUB_INDICATOR_TIME].i, T0 + 299500);
        assert_true(row[HUB_INDICATOR_N].i > 100);
        bench_stop(&bench);
    }
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
        cmocka_unit_test(a_restart_leaves_no_dent),
        cmocka_unit_test(a_restart_without_a_parts_disk_begins_anew),
        cmocka_unit_test(another_number_of_parts_counts_the_hour_again),
        cmocka_unit_test(parts_need_a_bus_and_a_number),
    };
    return cmocka_run_group_tests(tests, setup_parts, teardown_parts);
}
