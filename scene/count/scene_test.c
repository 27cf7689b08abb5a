/*
 * The scene around the core: rows in, rows out, its file, its start. The hub is a stand-in that keeps what is published; the real one is
 * held against the scene in tests/e2e. What the scene does over a longer time is in scene_life_test.c.
 */
#include "scene/count/scene_testing.h"
#include "scene/count/ways.h"

static void needs_are_what_the_contract_grants(void **state)
{
    assert_string_equal(scene_count_ops.name, "count");
    assert_int_equal(scene_count_ops.n_needs, 3);
    assert_true(!scene_count_ops.needs[0].is_optional && scene_count_ops.needs[1].is_optional && scene_count_ops.needs[2].is_optional);
    const char *granted[] = {
        "camera", "vehicle", "time", "arrived", "lane", "speed_mps", "confidence", "lon", "lat", "heading"}; /* c-1 of the demo city */
    for (size_t i = 0; scene_count_ops.needs[0].fields[i] != NULL; i++) {
        bool is_granted = false;
        for (size_t k = 0; k < sizeof(granted) / sizeof(granted[0]); k++)
            is_granted |= strcmp(granted[k], scene_count_ops.needs[0].fields[i]) == 0;
        assert_true(is_granted);
    }
}

static void passages_become_figures(void **state)
{
    struct bench bench;
    struct diag_list diags;
    if (bench_start(&bench, CONFIG "network: '{data}/n.net.xml'\n", &diags) != ERR_OK)
        fail_msg("%s", diags.diags[0].text);
    /* The road is an object at once, each edge in its street. */
    assert_non_null(memmem(object.ptr, object.len, "\"edge\":\"west\"", 13));
    assert_non_null(memmem(object.ptr, object.len, "\"area\":\"h.x.east\"", 17));
    tick(&bench, 0);
    assert_int_equal(indicator("vehicles_in_transit", "h", 1000)[HUB_INDICATOR_VALUE].type, VALUE_NULL);
    /* 960 m of 96 s in 192 s: 5 m/s, index 2. The camera of "west" stands beside its end, seen eastward. */
    const char *vehicles[] = {"v1", "v2", "v3"};
    for (int i = 0; i < 3; i++)
        pass(&bench, "C-W", vehicles[i], 1000, 120.1299, 90);
    for (int i = 0; i < 3; i++)
        pass(&bench, "C-E", vehicles[i], 193000, 120.1400, 88);
    tick(&bench, 194000);
    const struct value *row = indicator("mean_speed", "h", 1000);
    assert_near(row[HUB_INDICATOR_VALUE].r, 5, 1e-3);
    assert_int_equal(row[HUB_INDICATOR_TIME].i, T0 + 194000);
    assert_int_equal(row[HUB_INDICATOR_N].i, 3);
    assert_int_equal(row[HUB_INDICATOR_STALE_SINCE].type, VALUE_NULL);
    assert_str(row[HUB_INDICATOR_BASIS].s, "h.log/512");
    assert_near(indicator("delay_index", "h.x.east", 1000)[HUB_INDICATOR_VALUE].r, 2, 1e-3);
    assert_int_equal(indicator("delay_index", "h.x.west", 1000)[HUB_INDICATOR_VALUE].type, VALUE_NULL);
    /* The three that were seen, each with the chance that it has not ended its trip here: there is no camera beyond. */
    assert_true(indicator("vehicles_in_transit", "h.x.east", 1000)[HUB_INDICATOR_VALUE].r > 0.5);
    assert_int_equal(indicator("vehicles_in_transit", "h", 1000)[HUB_INDICATOR_N].i, 3);
    assert_true(indicator("flow", "h.x", 1000)[HUB_INDICATOR_VALUE].r > 0);
    const struct rows *states = published[1][n_published[1] - 1], *roads = published[2][n_published[2] - 1];
    assert_int_equal(rows_n(states), 2);
    assert_int_equal(rows_n(roads), 3); /* 文一路 in the city, the district and the eastern street */
    assert_str(rows_at(roads, 0)[HUB_ROAD_INDEX_ROAD].s, "文一路");
    assert_str(rows_at(roads, 0)[HUB_ROAD_INDEX_SOURCES].s, "camera");
    assert_near(rows_at(roads, 0)[HUB_ROAD_INDEX_DELAY_INDEX].r, 2, 1e-3);
    bench_stop(&bench);
}

/* Floating cars tell of a road beside its cameras, and the rows say so. Without `position:` in the file nobody follows them. */
static void positions_become_speeds(void **state)
{
    for (int is_asked = 0; is_asked <= 1; is_asked++) {
        struct bench bench;
        struct diag_list diags;
        const char *config = is_asked ? "scene: count\nparty: h/count\ntitle: {zh: 数数, en: Counting}\n"
                                        "needs: {passage: h/police/passage, position: h/taxi/position}\n"
                                        "network: '{data}/n.net.xml'\ngps: {error_m: 5, vehicles_max: 100}\n"
                                      : CONFIG "network: '{data}/n.net.xml'\n";
        if (bench_start(&bench, config, &diags) != ERR_OK)
            fail_msg("%s", diags.diags[0].text);
        pass(&bench, "C-E", "v1", 0, 120.1400, 88);
        /* From the middle of "west" to the middle of "far", 0.001 degrees in 16 s: 960 m in 160 s, 6 m/s; some points are none. */
        for (int i = 0; i <= 20; i++) {
            clock_fake_advance_ms(&bench.clock, i == 0 ? 500 : 16000);
            for (int v = 0; v < 6; v++) {
                char name[] = {'t', (char)('0' + v), 0};
                locate(&bench, name, i * 16000, 120.125 + i * 0.001, 3);
            }
            if (i % 3 == 0)
                locate(&bench, "t1", i * 16000 + 1000, 0, 1);
        }
        pass(&bench, "C-E", "v2", 330000, 120.1400, 88);
        tick(&bench, 331000);
        const struct rows *states = published[1][n_published[1] - 1];
        const struct value *east = NULL;
        for (size_t i = 0; i < rows_n(states); i++)
            if (str_equal_c(rows_at(states, i)[HUB_ROAD_STATE_EDGE].s, "east"))
                east = rows_at(states, i);
        assert_non_null(east);
        if (is_asked) {
            assert_near(east[HUB_ROAD_STATE_SPEED_MPS].r, 6, 0.1);
            assert_str(east[HUB_ROAD_STATE_SOURCES].s, "gps");
            assert_int_equal(east[HUB_ROAD_STATE_N].i, lround(6 * exp(-90.0 / 120))); /* they were at its end 90 s ago */
            assert_str(rows_at(published[2][n_published[2] - 1], 0)[HUB_ROAD_INDEX_SOURCES].s, "gps");
        } else {
            assert_int_equal(east[HUB_ROAD_STATE_SPEED_MPS].type, VALUE_NULL);
            assert_int_equal(east[HUB_ROAD_STATE_SOURCES].type, VALUE_NULL);
        }
        bench_stop(&bench);
    }
}

/* The state of an edge, as told last; NULL: it was not. */
static const struct value *state_of(const char *edge)
{
    const struct rows *states = published[1][n_published[1] - 1];
    for (size_t i = 0; i < rows_n(states); i++)
        if (str_equal_c(rows_at(states, i)[HUB_ROAD_STATE_EDGE].s, edge))
            return rows_at(states, i);
    return NULL;
}

/* Loops tell the flow of a road, also of one without a camera, found by place and heading; rows that are none move nothing. */
static void loops_become_flows(void **state)
{
    struct bench bench;
    struct diag_list diags;
    if (bench_start(&bench,
            "scene: count\nparty: h/count\ntitle: {zh: 数数, en: Counting}\nneeds: {passage: h/police/passage, loop: h/police/loop}\n"
            "network: '{data}/n.net.xml'\n",
            &diags) != ERR_OK)
        fail_msg("%s", diags.diags[0].text);
    pass(&bench, "C-E", "v1", 30000, 120.1400, 88);
    tick(&bench, 61000);
    count_over(&bench, "L-E", 60000, value_integer(11), 120.1390, 92);
    count_over(&bench, "L-F", 60000, value_integer(7), 120.1450, 90);
    count_over(&bench, "L-F", 60000, value_integer(9), 120.1450, 90);             /* again */
    count_over(&bench, "L-back", 60000, value_integer(5), 120.1450, 270);         /* nobody drives there */
    count_over(&bench, "L-sea", 60000, value_integer(5), 121.5, 90);              /* beside every road */
    count_over(&bench, "L-W", 60000, value_integer(-5), 120.1250, 90);            /* less than nobody */
    count_over(&bench, "L-W", 60000, value_real(NAN), 120.1250, 90);              /* no number */
    count_over(&bench, "L-W", 946684800000 - T0, value_integer(5), 120.1250, 90); /* its clock was never set */
    count_over(&bench, "", 60000, value_integer(5), 120.1250, 90);
    pass(&bench, "C-E", "v3", 61500, 120.1400, 88);
    tick(&bench, 62000);
    const struct value *east = state_of("east"), *far = state_of("far");
    assert_true(east != NULL && far != NULL && state_of("west") == NULL);
    assert_near(east[HUB_ROAD_STATE_FLOW_VPH].r, 660, 1e-6);
    assert_near(far[HUB_ROAD_STATE_FLOW_VPH].r, 420, 1e-6);
    assert_str(far[HUB_ROAD_STATE_SOURCES].s, "loop");
    assert_int_equal(far[HUB_ROAD_STATE_SPEED_MPS].type, VALUE_NULL);
    assert_near(indicator("flow", "h.x.east", 1000)[HUB_INDICATOR_VALUE].r, 540, 1e-6); /* of both, by their lengths */
    /* Silent: the road is not observed any more. */
    pass(&bench, "C-E", "v2", 240000, 120.1400, 88);
    tick(&bench, 241000);
    assert_true(state_of("far") == NULL || state_of("far")[HUB_ROAD_STATE_FLOW_VPH].type == VALUE_NULL);
    bench_stop(&bench);
}

#define INDEX                                                                                                                              \
    "index: h.traffic\nversion: 4\ntitle: {zh: 指, en: i}\ntext: {zh: 文, en: t}\n"                                                      \
    "levels:\n  - {level: free, title: {zh: 畅通, en: Free}}\n  - {level: slow, title: {zh: 缓行, en: Slow}}\n"                        \
    "roads:\n  - {class: all, title: {zh: 全, en: all}, types: [\"*\"], least_kmh: [20]}\n"                                               \
    "congestion: {measure: slow_length, slow_from: slow, scale: [[0, 0], [1, 10]]}\n"

/* What the city's index object makes of the same drive names it, and its level is in the city's own words. */
static void values_name_the_index_that_made_them(void **state)
{
    struct bench bench;
    struct diag_list diags;
    char index_path[64], config[512];
    snprintf(index_path, sizeof(index_path), "%s/index.yaml", folder);
    snprintf(config, sizeof(config), CONFIG "network: '{data}/n.net.xml'\nindex: %s\n", index_path);
    write_text(index_path, INDEX);
    if (bench_start(&bench, config, &diags) != ERR_OK)
        fail_msg("%s", diags.diags[0].text);
    pass(&bench, "C-W", "v1", 1000, 120.1299, 90);
    pass(&bench, "C-W", "v2", 1000, 120.1299, 90);
    pass(&bench, "C-W", "v3", 1000, 120.1299, 90);
    pass(&bench, "C-E", "v1", 193000, 120.1400, 88);
    pass(&bench, "C-E", "v2", 193000, 120.1400, 88);
    pass(&bench, "C-E", "v3", 193000, 120.1400, 88);
    tick(&bench, 194000);
    assert_str(indicator("delay_index", "h", 1000)[HUB_INDICATOR_MADE_BY].s, "h.traffic/4");
    assert_str(indicator("congestion_index", "h", 1000)[HUB_INDICATOR_MADE_BY].s, "h.traffic/4");
    assert_near(indicator("congestion_index", "h", 1000)[HUB_INDICATOR_VALUE].r, 10, 1e-6);     /* 18 km/h on all that was observed */
    assert_int_equal(indicator("vehicle_km", "h", 1000)[HUB_INDICATOR_VALUE].type, VALUE_NULL); /* not of two windows yet */
    assert_true(n_published[1] > 0 && n_published[2] > 0);
    const struct value *road = rows_at(published[2][n_published[2] - 1], 0), *edge = NULL;
    assert_int_equal(road[HUB_ROAD_INDEX_LEVEL].i, 1);
    assert_int_equal(road[HUB_ROAD_INDEX_LEVELS].i, 2);
    assert_str(road[HUB_ROAD_INDEX_LEVEL_ZH].s, "缓行");
    assert_str(road[HUB_ROAD_INDEX_MADE_BY].s, "h.traffic/4");
    for (size_t i = 0; i < rows_n(published[1][n_published[1] - 1]); i++) {
        const struct value *row = rows_at(published[1][n_published[1] - 1], i);
        edge = str_equal_c(row[HUB_ROAD_STATE_EDGE].s, "east") ? row : edge;
    }
    assert_non_null(edge);
    assert_int_equal(edge[HUB_ROAD_STATE_LEVEL].i, 1);
    /* 96 s lost by each before the signal at the end of "east"; told again no sooner than after five seconds. */
    assert_int_equal(n_published[5], 1);
    const struct value *junction = rows_at(published[5][0], 0);
    assert_int_equal(rows_n(published[5][0]), 1);
    assert_str(junction[HUB_JUNCTION_INDEX_JUNCTION].s, "c");
    assert_str(junction[HUB_JUNCTION_INDEX_TITLE].s, "文一路");
    assert_str(junction[HUB_JUNCTION_INDEX_AREA].s, "h.x.east");
    assert_near(junction[HUB_JUNCTION_INDEX_DELAY_S].r, 96, 0.1);
    assert_near(junction[HUB_JUNCTION_INDEX_DELAY_INDEX].r, 2, 1e-3);
    assert_int_equal(junction[HUB_JUNCTION_INDEX_N].i, 3);
    tick(&bench, 198000);
    assert_int_equal(n_published[5], 1);
    tick(&bench, 199000);
    assert_int_equal(n_published[5], 2);
    bench_stop(&bench);
    /* A mistake in it is told with its own file and line, at a start and at a check. */
    write_text(index_path, "index: h.traffic\nversion: 4\nlevles: []\n");
    assert_int_not_equal(bench_start(&bench, config, &diags), ERR_OK);
    assert_non_null(strstr(diags.diags[0].text, "index.yaml:3: \"levles\" is not a key here"));
    bench_stop(&bench);
    unlink(index_path);
}

static void cameras_beside_every_road_move_nothing(void **state)
{
    struct bench bench;
    struct diag_list diags;
    assert_ok(bench_start(&bench, CONFIG "network: '{data}/n.net.xml'\n", &diags));
    pass(&bench, "far", "v1", 1000, 120.2, 90);       /* no road within 40 m */
    pass(&bench, "wrong", "v2", 1000, 120.1299, 270); /* no road westward */
    pass(&bench, "far", "v3", 2000, 120.2, 90);
    tick(&bench, 3000);
    assert_int_equal(indicator("vehicles_in_transit", "h", 1000)[HUB_INDICATOR_VALUE].type, VALUE_NULL);
    pass(&bench, "C-W", "", 4000, 120.1299, 90); /* a plate that nobody could read */
    tick(&bench, 5000);
    assert_int_equal(indicator("vehicles_in_transit", "h", 1000)[HUB_INDICATOR_N].i, 0);
    bench_stop(&bench);
}

/* The demo's silence: many passages a second, then none. Stale rows carry no number, and say since when. */
static void silence_is_published_as_stale(void **state)
{
    struct bench bench;
    struct diag_list diags;
    assert_ok(bench_start(&bench, CONFIG "network: '{data}/n.net.xml'\n", &diags));
    char vehicle[16];
    for (int s = 0; s < 60; s++) {
        snprintf(vehicle, sizeof(vehicle), "v%d", s);
        pass(&bench, "C-W", vehicle, s * 1000, 120.1299, 90);
        tick(&bench, s * 1000 + 500);
    }
    assert_int_equal(indicator("vehicles_in_transit", "h", 1000)[HUB_INDICATOR_VALUE].type, VALUE_REAL);
    for (int s = 60; s < 69; s++)
        tick(&bench, s * 1000);
    const struct value *row = indicator("vehicles_in_transit", "h", 1000);
    assert_int_equal(row[HUB_INDICATOR_TIME].i, T0 + 68000);
    assert_int_equal(row[HUB_INDICATOR_VALUE].type, VALUE_NULL);
    assert_int_equal(row[HUB_INDICATOR_STALE_SINCE].i, T0 + 59100);
    pass(&bench, "C-W", "back", 90000, 120.1299, 90);
    tick(&bench, 90500);
    assert_int_equal(indicator("vehicles_in_transit", "h", 1000)[HUB_INDICATOR_VALUE].type, VALUE_REAL);
    bench_stop(&bench);
}

/* The record's batches wait for a subscriber that is behind, in order; the screen's do not. */
static void the_record_waits_for_its_subscriber(void **state)
{
    struct bench bench;
    struct diag_list diags;
    assert_ok(bench_start(&bench, CONFIG "network: '{data}/n.net.xml'\nrecord_every: 10s\nstale_after: 30s\n", &diags));
    for (int s = 0; s < 15; s++) {
        pass(&bench, "C-W", "v", s * 1000, 120.1299, 90);
        tick(&bench, s * 1000);
    }
    const struct value *row = indicator("vehicles_in_transit", "h", 10000);
    assert_int_equal(row[HUB_INDICATOR_TIME].i, T0 + 10000);
    forget_published();
    is_refusing = true;
    for (int s = 15; s < 45; s++)
        tick(&bench, s * 1000);
    is_refusing = false;
    tick(&bench, 45000);
    size_t n_records = 0;
    int64_t times[8] = {0};
    for (size_t i = 0; i < n_published[0]; i++)
        if (rows_at(published[0][i], 0)[HUB_INDICATOR_PERIOD_MS].i == 10000)
            times[n_records++] = rows_at(published[0][i], 0)[HUB_INDICATOR_TIME].i;
    assert_int_equal(n_records, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(times[i], T0 + 20000 + i * 10000);
    assert_int_equal(n_published[0], 4); /* and one second */
    bench_stop(&bench);
}

struct refused {
    const char *config;
    enum err err;
    const char *says;
};

static const struct refused refused[] = {
    {CONFIG, ERR_NOT_FOUND, "network"},
    {CONFIG "network: '{data}/missing.net.xml'\n", ERR_NOT_FOUND, "/missing.net.xml: cannot open the road network"},
    {CONFIG "network: relative.net.xml\n", ERR_NOT_FOUND, "/nowhere/relative.net.xml: cannot open"},
    {CONFIG "network: '{data}/areas.yaml'\n", ERR_SYNTAX, "/areas.yaml:1: not well-formed XML"},
    {CONFIG "network: '{data}/n.net.xml'\nrecord_every: 1ms\n", ERR_RANGE, "scenes/count.yaml:6: record_every must be from 1s to 1h"},
    {CONFIG "network: '{data}/n.net.xml'\nstale_after: 1s\n", ERR_RANGE, "scenes/count.yaml:6: stale_after must be from 2s to 1h"},
    {CONFIG "network: '{data}/n.net.xml'\nvehicles_max: 1\n", ERR_SYNTAX, "vehicles_max"},
    {CONFIG "network: '{data}/n.net.xml'\nindex: missing.yaml\n", ERR_IO, "/nowhere/missing.yaml"},
    {CONFIG "network: '{data}/n.net.xml'\nrecord_evry: 120s\n", ERR_SYNTAX, "record_every"},
};

static void broken_files_are_refused_with_their_place(void **state)
{
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct bench bench;
        struct diag_list diags;
        enum err err = bench_start(&bench, refused[i].config, &diags);
        bool is_said = false;
        for (size_t k = 0; k < diags.n; k++)
            is_said |= strstr(diags.diags[k].text, refused[i].says) != NULL;
        if (err == ERR_OK || !is_said)
            fail_msg("case %zu: %s, \"%s\"", i, err_text(err), diags.n > 0 ? diags.diags[0].text : "");
        bench_stop(&bench);
    }
    /* A resource with other fields than its name promises. */
    struct bench bench;
    struct diag_list diags;
    fields_of[0][4].name = STR("number");
    assert_int_not_equal(bench_start(&bench, CONFIG "network: '{data}/n.net.xml'\n", &diags), ERR_OK);
    assert_non_null(strstr(diags.diags[0].text, "field 5 of the resource \"indicator\" is not \"value\""));
    fields_of[0][4].name = STR("value");
    bench_stop(&bench);
}

/* The table of ways: offered while the scene runs, on what it knows. 960 m in 192 s and one of free flow (96 s) are 144 s. */
static void ways_now_are_offered(void **state)
{
    struct bench bench;
    struct diag_list diags;
    struct value keys[COUNT_WAYS_N_FIELDS] = {value_text(STR("west")), value_text(STR("east"))}, values[COUNT_WAYS_N_FIELDS] = {0};
    assert_ok(bench_start(&bench, CONFIG "network: '{data}/n.net.xml'\n", &diags));
    assert_non_null(offered);
    pass(&bench, "W", "v1", 1000, 120.1299, 90);
    pass(&bench, "E", "v1", 193000, 120.1399, 90);
    tick(&bench, 194000);
    assert_ok(offered(offered_to, keys, values));
    assert_near(values[COUNT_WAYS_SECONDS].r, 144, 0.5);
    assert_near(values[COUNT_WAYS_FREE_FLOW_S].r, 96, 0.1);
    assert_near(values[COUNT_WAYS_OBSERVED].r, 1, 1e-9);
    assert_str(values[COUNT_WAYS_EDGES].s, "west east");
    bench_stop(&bench);
    assert_null(offered);
    fields_of[6][COUNT_WAYS_SECONDS].name = STR("minutes");
    assert_int_equal(bench_start(&bench, CONFIG "network: '{data}/n.net.xml'\n", &diags), ERR_RANGE);
    assert_non_null(strstr(diags.diags[0].text, "field 4 of the resource \"route\" is not \"seconds\""));
    fields_of[6][COUNT_WAYS_SECONDS].name = STR("seconds");
    bench_stop(&bench);
}

/* `citybrain check`: the keys and every mistake in them at once; nothing is made, and the data folder is not looked at. */
static void a_check_starts_nothing(void **state)
{
    static const struct {
        const char *config;
        bool has_hub;
        size_t n;
        const char *says[3];
        bool is_camera_wrong;
    } rows[] = {
        {CONFIG "network: '{data}/not/made/yet.net.xml'\n", true, 1, {"field 2 of the resource \"camera\" is not \"time\""}, true},
        {CONFIG "network: '{data}/not/made/yet.net.xml'\n", true, 0, {NULL}},
        {CONFIG, true, 1, {"count.yaml:1: "}},
        {CONFIG "network: mine.net.xml\n", true, 1, {"/nowhere/mine.net.xml: cannot open"}},
        {CONFIG "network: '{data}/n.net.xml'\nrecord_evry: 1s\nstale_after: 1s\nvehicles_max: 1\n", true, 3,
            {"count.yaml:6: ", "count.yaml:8: ", "count.yaml:7: stale_after must be from 2s to 1h"}},
        {CONFIG "network: '{data}/n.net.xml'\ngps: {error_m: 500, vehicles: 3, datum: bd09}\n", true, 3,
            {"count.yaml:6: ", "error_m", "gcj02"}},
        {CONFIG "network: '{data}/n.net.xml'\ngps: 10\n", true, 1, {"count.yaml:6: gps: {error_m: 10"}},
        {CONFIG "network: '{data}/n.net.xml'\nrecord_every: 1ms\n", false, 1, {"count.yaml:6: record_every must be"}},
    };
    int64_t before = mem_n_live();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct diag_list diags = {.n = 0};
        struct yaml *yaml;
        struct hub hub = {NULL};
        void *scene = &hub; /* anything but what a start would leave */
        assert_ok(yaml_load_str(str_from_c(rows[i].config), "count.yaml", NULL, &yaml));
        struct scene_env env = {.hub = rows[i].has_hub ? &hub : NULL,
            .clock = clock_system(),
            .city_dir = "/nowhere",
            .data_dir = "/nothing/made",
            .party = STR("h/count"),
            .check_only = true};
        fields_of[4][COUNT_HEALTH_TIME].name =
            rows[i].is_camera_wrong ? STR("when") : str_from_c(count_health_field_names[COUNT_HEALTH_TIME]);
        enum err err = scene_count_ops.start(&env, yaml_root(yaml), &diags, &scene);
        assert_int_equal(err == ERR_OK, rows[i].n == 0);
        assert_ptr_equal(scene, &hub);
        if (diags.n != rows[i].n)
            fail_msg("row %zu: %zu errors, first \"%s\"", i, diags.n, diags.n > 0 ? diags.diags[0].text : "");
        for (size_t k = 0; k < diags.n; k++)
            if (strstr(diags.diags[k].text, rows[i].says[k]) == NULL)
                fail_msg("row %zu: \"%s\" does not say \"%s\"", i, diags.diags[k].text, rows[i].says[k]);
        yaml_destroy(yaml);
    }
    assert_int_equal(mem_n_live(), before);
}

/* Every allocation of the start fails once; of a tick, too: the second is dropped, the scene goes on. */
static void memory_may_fail_anywhere(void **state)
{
    uint64_t nth = 1;
    for (;; nth++) {
        struct bench bench;
        struct diag_list diags;
        int64_t before = mem_n_live();
        clock_fake_init(&bench.clock, (struct wall_time){T0});
        assert_ok(area_tree_load(areas_path, NULL, &bench.hub.tree));
        assert_ok(yaml_load_str(STR(CONFIG "network: '{data}/n.net.xml'\n"), "count.yaml", NULL, &bench.yaml));
        struct scene_env env = {
            .hub = &bench.hub, .clock = &bench.clock.clock, .city_dir = "", .data_dir = folder, .party = STR("h/count")};
        diags.n = diags.n_dropped = 0;
        bench.scene = NULL;
        mem_fail_nth(nth);
        enum err err = scene_count_ops.start(&env, yaml_root(bench.yaml), &diags, &bench.scene);
        mem_fail_nth(0);
        if (err == ERR_OK) {
            for (uint64_t k = 1; k < 20; k++) {
                pass(&bench, "C-W", "v", (int64_t)k * 1000, 120.1299, 90);
                mem_fail_nth(k);
                tick(&bench, (int64_t)k * 1000);
                mem_fail_nth(0);
            }
            forget_published();
            tick(&bench, 20000);
            assert_true(n_published[0] == 1);
        } else {
            assert_err(err, ERR_NO_MEMORY);
            assert_null(bench.scene);
        }
        bench_stop(&bench);
        if (err == ERR_OK)
            break;
        buf_finish(&object); /* the stand-in's own */
        buf_init(&object, 1u << 20);
        assert_true(mem_n_live() <= before && nth < 500);
    }
    assert_true(nth > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(needs_are_what_the_contract_grants),
        cmocka_unit_test(passages_become_figures),
        cmocka_unit_test(positions_become_speeds),
        cmocka_unit_test(loops_become_flows),
        cmocka_unit_test(values_name_the_index_that_made_them),
        cmocka_unit_test(cameras_beside_every_road_move_nothing),
        cmocka_unit_test(silence_is_published_as_stale),
        cmocka_unit_test(the_record_waits_for_its_subscriber),
        cmocka_unit_test(broken_files_are_refused_with_their_place),
        cmocka_unit_test(ways_now_are_offered),
        cmocka_unit_test(a_check_starts_nothing),
        cmocka_unit_test(memory_may_fail_anywhere),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
