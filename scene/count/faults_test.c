/*
 * Wrong clocks, cloned plates, missed vehicles in a made town (traffic_testing.h) whose truth is known, through the core as it is. Each
 * test prints what it found.
 */
#include "scene/count/state.h"

#include "scene/count/traffic_testing.h"

#define T0 ((int64_t)1700000000000)
#define FOR_MS ((int64_t)3600 * 1000)

static const struct count_settings defaults = COUNT_SETTINGS_DEFAULT;

struct run {
    struct town town;
    struct count *count;
    uint32_t cameras[TOWN_EDGES]; /* by edge; COUNT_NONE */
    double skew_s[TOWN_EDGES];    /* by edge */
    bool arrives_at_once;         /* the time of arrival is the camera's own: an export from a database */
    struct count_clone clones[4096];
    size_t n_clones;
    double error; /* of the count, mean of its size over truth after ten minutes */
    size_t n_moments;
};

static void begin(struct run *run, const struct town_options *options, uint64_t seed)
{
    memset(run, 0, sizeof(*run));
    town_make(&run->town, options, seed);
    assert_ok(count_create(&defaults, &run->town.map, &run->count));
    for (uint32_t e = 0; e < TOWN_EDGES; e++) {
        run->cameras[e] = COUNT_NONE;
        if (run->town.has_camera[e])
            assert_ok(count_camera_add(run->count, e, &run->cameras[e]));
    }
}

static void tick(struct run *run, int64_t now_ms)
{
    struct count_event event = {.type = COUNT_TICK, .now_ms = T0 + now_ms};
    struct count_updates updates;
    count_step(run->count, &event, &updates);
    for (uint32_t i = 0; i < updates.n_clones && run->n_clones < 4096; i++)
        run->clones[run->n_clones++] = updates.clones[i];
    double truth = town_running(&run->town, now_ms);
    if (now_ms < 600000 || truth < 50 || isnan(updates.areas[0].vehicles))
        return;
    run->error += fabs(updates.areas[0].vehicles - truth) / truth;
    run->n_moments++;
}

static void drive(struct run *run)
{
    int64_t next_ms = 0;
    for (size_t i = 0; i < run->town.n_passages; i++) {
        const struct town_passage *passage = &run->town.passages[i];
        for (; next_ms < passage->arrived_ms; next_ms += 10000)
            tick(run, next_ms);
        int64_t time_ms = T0 + passage->time_ms + (int64_t)(run->skew_s[passage->edge] * 1000);
        struct count_event event = {.type = COUNT_PASSAGE,
            .passage = {.vehicle = passage->vehicle,
                .camera = run->cameras[passage->edge],
                .time_ms = time_ms,
                .arrived_ms = run->arrives_at_once ? time_ms : T0 + passage->arrived_ms}};
        struct count_updates updates;
        count_step(run->count, &event, &updates);
    }
    tick(run, next_ms);
    run->error /= (double)run->n_moments;
}

static void finish(struct run *run)
{
    count_destroy(run->count);
    town_finish(&run->town);
}

/* ---- clocks ---- */

struct clock_errors {
    double mean_before_s, mean_s, largest_s;
    int n, n_told; /* cameras; wrong by 5 s or more as learned */
};

static struct clock_errors clock_errors_of(const struct run *run)
{
    struct clock_errors errors = {0};
    for (uint32_t e = 0; e < TOWN_EDGES; e++) {
        if (run->cameras[e] == COUNT_NONE)
            continue;
        struct count_camera_health health;
        count_camera_health(run->count, run->cameras[e], &health);
        double left_s = fabs(health.clock_s - run->skew_s[e]);
        errors.mean_before_s += fabs(run->skew_s[e]);
        errors.mean_s += left_s;
        errors.largest_s = fmax(errors.largest_s, left_s);
        errors.n++;
        errors.n_told += fabs(health.clock_s) >= 5;
    }
    errors.mean_before_s /= errors.n;
    errors.mean_s /= errors.n;
    return errors;
}

struct skew_case {
    const char *name;
    double small_s, large_s; /* every camera is wrong by up to the one; one in ten by plus or minus the other */
    bool arrives_at_once;
    double mean_s, largest_s; /* what may be left */
};

static const struct skew_case skew_cases[] = {
    {"right clocks", 0, 0, false, 0.1, 0.5},
    {"half a second", 0.5, 0, false, 0.1, 0.5},
    {"half a second, and half a minute at one in ten", 0.5, 30, false, 0.5, 31},
    {"five minutes at one in ten", 0, 300, false, 0.2, 2},
    {"right clocks, no times of arrival", 0, 0, true, 0.1, 1},
    {"half a minute at one in ten, no times of arrival", 0, 30, true, 1.5, 30.5},
};

static void clocks_are_learned_and_taken_off(void **state)
{
    static struct run run;
    struct town_options options = {.coverage = 0.6, .recall = 0.9, .n_trips = 16000, .for_ms = FOR_MS};
    for (size_t c = 0; c < sizeof(skew_cases) / sizeof(skew_cases[0]); c++) {
        const struct skew_case *row = &skew_cases[c];
        begin(&run, &options, 7);
        uint64_t seed = 99;
        for (uint32_t e = 0; e < TOWN_EDGES; e++) {
            double share = (double)(random_next(&seed) % 2001) / 1000 - 1;
            run.skew_s[e] = share * row->small_s;
            if (random_next(&seed) % 10 == 0)
                run.skew_s[e] += share > 0 ? row->large_s : -row->large_s;
        }
        run.arrives_at_once = row->arrives_at_once;
        drive(&run);
        struct clock_errors errors = clock_errors_of(&run);
        print_message("%s: %d cameras, wrong by %.3f s in the mean, %.3f s after learning, at most %.3f s; %d told; %zu clones; count "
                      "wrong by %.1f %%\n",
            row->name, errors.n, errors.mean_before_s, errors.mean_s, errors.largest_s, errors.n_told, run.n_clones, run.error * 100);
        assert_true(errors.mean_s <= row->mean_s && errors.largest_s <= row->largest_s);
        assert_int_equal(run.n_clones, 0);
        assert_true(row->large_s > 0 || errors.n_told == 0);
        finish(&run);
    }
}

/* ---- clones ---- */

/* Pairs of vehicles with one plate that were on the road at once, each read twice or more meanwhile: more than that nobody can find. */
static uint32_t clones_to_be_found(const struct run *run, uint32_t n_cloned, bool *ret_is)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < n_cloned; i++) {
        const struct town *town = &run->town;
        uint32_t a = 2 * i, b = a + 1, n_a = 0, n_b = 0;
        int64_t from_ms = town->departs_ms[a] > town->departs_ms[b] ? town->departs_ms[a] : town->departs_ms[b];
        int64_t to_ms = town->ends_ms[a] < town->ends_ms[b] ? town->ends_ms[a] : town->ends_ms[b];
        for (size_t p = 0; p < town->n_passages; p++) {
            const struct town_passage *passage = &town->passages[p];
            bool is_within =
                passage->time_ms >= from_ms && passage->time_ms <= to_ms && passage->vehicle == (uint64_t)(a + 1) * 0x9E3779B97F4A7C15u;
            n_a += is_within && passage->trip == a;
            n_b += is_within && passage->trip == b;
        }
        ret_is[i] = n_a >= 2 && n_b >= 2;
        n += ret_is[i];
    }
    return n;
}

static void clones_are_found_and_nothing_else(void **state)
{
    enum { CLONED = 150 };
    static struct run run;
    /* A tenth of the clones' pairs meet by time; so many that there is something to count. */
    struct town_options options = {
        .coverage = 0.6, .recall = 0.9, .n_trips = 16000, .for_ms = FOR_MS / 2, .n_cloned = CLONED, .misread = 0.02};
    begin(&run, &options, 11);
    drive(&run);
    static bool can_be_found[CLONED], is_found[CLONED];
    uint32_t n_possible = clones_to_be_found(&run, CLONED, can_be_found), n_found = 0, n_of_possible = 0, n_false = 0;
    for (size_t i = 0; i < run.n_clones; i++) {
        uint32_t pair = CLONED;
        for (uint32_t k = 0; k < CLONED; k++)
            if (run.clones[i].vehicle == (uint64_t)(2 * k + 1) * 0x9E3779B97F4A7C15u)
                pair = k;
        n_false += pair == CLONED;
        if (pair < CLONED)
            is_found[pair] = true;
    }
    for (uint32_t k = 0; k < CLONED; k++) {
        n_found += is_found[k];
        n_of_possible += is_found[k] && can_be_found[k];
    }
    print_message(
        "clones: %d pairs, %u of them read twice each at the same time; found %u, %u of those; %u false; count wrong by %.1f %%\n", CLONED,
        n_possible, n_found, n_of_possible, n_false, run.error * 100);
    assert_int_equal(n_false, 0);
    assert_true(n_possible >= 10);
    assert_true(n_of_possible * 10 >= n_possible * 8);
    finish(&run);
}

/* Plates that are misread, also as each other's, are no clones: a witness of one sighting is none. */
static void misread_plates_are_no_clones(void **state)
{
    static struct run run;
    struct town_options options = {.coverage = 0.6, .recall = 0.9, .n_trips = 16000, .for_ms = FOR_MS};
    begin(&run, &options, 13);
    uint64_t seed = 5;
    uint32_t n_misread = 0;
    for (size_t i = 0; i < run.town.n_passages; i++)
        if (random_next(&seed) % 50 == 0) { /* as somebody who is on the road */
            run.town.passages[i].vehicle = run.town.passages[random_next(&seed) % run.town.n_passages].vehicle;
            n_misread++;
        }
    drive(&run);
    print_message("%u plates misread as another vehicle's: %llu pairs apart, %zu told\n", n_misread,
        (unsigned long long)run.count->faults.clones.n_apart, run.n_clones);
    assert_true(run.count->faults.clones.n_apart > 50);
    assert_true(run.n_clones * 100 <= n_misread);
    finish(&run);
}

/* ---- recall ---- */

static void recall_is_learned(void **state)
{
    static struct run run;
    struct town_options options = {.coverage = 1, .recall = 1, .n_trips = 30000, .for_ms = FOR_MS};
    begin(&run, &options, 17);
    /* One camera in five misses half, the others one in ten. */
    uint64_t seed = 3;
    double truth[TOWN_EDGES];
    for (uint32_t e = 0; e < TOWN_EDGES; e++)
        truth[e] = random_next(&seed) % 5 == 0 ? 0.5 : 0.9;
    size_t n = 0;
    for (size_t i = 0; i < run.town.n_passages; i++)
        if ((double)(random_next(&seed) % 1000) < truth[run.town.passages[i].edge] * 1000)
            run.town.passages[n++] = run.town.passages[i];
    run.town.n_passages = n;
    drive(&run);
    double error = 0, bias = 0;
    int n_known = 0, n_cameras = 0, n_wrong_side = 0;
    for (uint32_t e = 0; e < TOWN_EDGES; e++) {
        if (run.cameras[e] == COUNT_NONE)
            continue;
        struct count_camera_health health;
        count_camera_health(run.count, run.cameras[e], &health);
        n_cameras++;
        if (isnan(health.recall))
            continue;
        n_known++;
        error += fabs(health.recall - truth[e]);
        bias += health.recall - truth[e];
        n_wrong_side += (health.recall < 0.7) != (truth[e] < 0.7);
    }
    print_message("recall: known of %d of %d cameras, wrong by %.3f in the mean, bias %+.3f; %d on the wrong side of 0.7\n", n_known,
        n_cameras, error / n_known, bias / n_known, n_wrong_side);
    assert_true(n_known * 4 >= n_cameras);
    assert_true(error / n_known < 0.08 && fabs(bias / n_known) < 0.04);
    assert_true(n_wrong_side * 10 <= n_known);
    finish(&run);
}

/* ---- dead cameras ---- */

#define DEAD_FROM_MS ((int64_t)1500 * 1000)
#define DEAD_MS ((int64_t)900 * 1000)

/* Mean absolute error of the count while some cameras say nothing, and how many of those are told as silent. */
static double error_while(struct run *run, bool are_dead, int *ret_n_dead, int *ret_n_silent, int *ret_n_wrong)
{
    uint64_t seed = 31;
    bool is_dead[TOWN_EDGES];
    int64_t next_ms = 0;
    double error = 0;
    int n = 0;
    *ret_n_dead = *ret_n_silent = *ret_n_wrong = 0;
    for (uint32_t e = 0; e < TOWN_EDGES; e++)
        is_dead[e] = random_next(&seed) % 6 == 0 && are_dead && run->cameras[e] != COUNT_NONE;
    for (size_t i = 0; i < run->town.n_passages && next_ms < DEAD_FROM_MS + DEAD_MS; i++) {
        const struct town_passage *passage = &run->town.passages[i];
        for (; next_ms < passage->arrived_ms; next_ms += 10000) {
            struct count_event event = {.type = COUNT_TICK, .now_ms = T0 + next_ms};
            struct count_updates updates;
            count_step(run->count, &event, &updates);
            if (next_ms < DEAD_FROM_MS)
                continue;
            double truth = town_running(&run->town, next_ms);
            error += fabs(updates.areas[0].vehicles - truth) / truth;
            n++;
        }
        if (is_dead[passage->edge] && passage->time_ms >= DEAD_FROM_MS)
            continue;
        struct count_event event = {.type = COUNT_PASSAGE,
            .passage = {passage->vehicle, run->cameras[passage->edge], T0 + passage->time_ms, T0 + passage->arrived_ms}};
        struct count_updates updates;
        count_step(run->count, &event, &updates);
    }
    for (uint32_t e = 0; e < TOWN_EDGES; e++) {
        struct count_camera_health health = {.is_silent = false};
        if (run->cameras[e] != COUNT_NONE)
            count_camera_health(run->count, run->cameras[e], &health);
        bool was_heard = health.heard_ms > 0;
        *ret_n_dead += is_dead[e] && was_heard;
        *ret_n_silent += is_dead[e] && was_heard && health.is_silent;
        *ret_n_wrong += !is_dead[e] && was_heard && health.is_silent;
    }
    return error / n;
}

/* They are told, and not left out: who passes one unseen is sighted at the next (docs/count.md). */
static void dead_cameras_are_told_and_little_harm(void **state)
{
    static struct run run;
    struct town_options options = {.coverage = 0.6, .recall = 0.9, .n_trips = 12000, .for_ms = FOR_MS};
    int n_dead, n_silent, n_wrong;
    begin(&run, &options, 37);
    double without = error_while(&run, false, &n_dead, &n_silent, &n_wrong);
    finish(&run);
    begin(&run, &options, 37);
    double with = error_while(&run, true, &n_dead, &n_silent, &n_wrong);
    print_message("dead cameras: %d, of these %d told as silent, %d others too; count off by %.1f %% with them, %.1f %% without\n", n_dead,
        n_silent, n_wrong, with * 100, without * 100);
    assert_true(n_dead > 20 && n_silent * 10 >= n_dead * 9 && n_wrong * 20 <= n_dead);
    assert_true(with < without + 0.06);
    finish(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clocks_are_learned_and_taken_off),
        cmocka_unit_test(clones_are_found_and_nothing_else),
        cmocka_unit_test(misread_plates_are_no_clones),
        cmocka_unit_test(recall_is_learned),
        cmocka_unit_test(dead_cameras_are_told_and_little_harm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
