/*
 * Vehicles followed by their points: each as if it were alone, in bounded memory; and drives through a made town, with the noise and the
 * gaps of real receivers, whose length and time must come out again. The seed is printed and can be given (SEED).
 */
#include "road/follow.h"

#include "base/buf.h"
#include "base/mem.h"
#include "base/test_random.h"

#include <math.h>
#include <stdlib.h>

#define SIDE 12 /* junctions, of the town */
#define BLOCK_M 250.0
#define KERB_M 3.0 /* a direction's lane lies so far beside the middle of the road */

static uint64_t first_seed, seed;

static double random_unit(void)
{
    return test_random_unit(&seed);
}

static double random_normal(void) /* Box and Muller, 1958 */
{
    return sqrt(-2 * log(1 - random_unit())) * cos(2 * M_PI * random_unit());
}

/* ---- a town: SIDE by SIDE junctions, two-way streets of one block ---- */

static const int steps[4][2] = {{1, 0}, {0, 1}, {-1, 0}, {0, -1}};

static bool is_inside(int x, int y)
{
    return x >= 0 && x < SIDE && y >= 0 && y < SIDE;
}

static void write_town(struct buf *text)
{
    buf_append_c(text, "<net>");
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++)
            for (int d = 0; d < 4; d++) {
                int to_x = x + steps[d][0], to_y = y + steps[d][1];
                double east = steps[d][1] * KERB_M, north = -steps[d][0] * KERB_M; /* to the right of the way */
                if (is_inside(to_x, to_y))
                    buf_printf(text,
                        "<edge id=\"%d.%d.%d\" from=\"%d.%d\" to=\"%d.%d\"><lane id=\"%d.%d.%d_0\" index=\"0\" speed=\"14\" "
                        "length=\"%.0f\" "
                        "shape=\"%.1f,%.1f %.1f,%.1f\"/></edge>",
                        x, y, d, x, y, to_x, to_y, x, y, d, BLOCK_M, x * BLOCK_M + east, y * BLOCK_M + north, to_x * BLOCK_M + east,
                        to_y * BLOCK_M + north);
            }
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++)
            buf_printf(text, "<junction id=\"%d.%d\" type=\"priority\" x=\"%.0f\" y=\"%.0f\"/>", x, y, x * BLOCK_M, y * BLOCK_M);
    for (int y = 0; y < SIDE; y++)
        for (int x = 0; x < SIDE; x++)
            for (int d = 0; d < 4; d++)
                for (int turn = 3; turn <= 5; turn++) { /* right, straight on, left; nobody turns round */
                    int at_x = x + steps[d][0], at_y = y + steps[d][1], next = (d + turn) % 4;
                    if (is_inside(at_x, at_y) && is_inside(at_x + steps[next][0], at_y + steps[next][1]))
                        buf_printf(
                            text, "<connection from=\"%d.%d.%d\" to=\"%d.%d.%d\" fromLane=\"0\" toLane=\"0\"/>", x, y, d, at_x, at_y, next);
                }
    buf_append_c(text, "</net>");
}

struct town {
    struct road_network *network;
    struct road_hierarchy *hierarchy;
    struct road_nearest *nearest;
};

static void town_make(struct town *town)
{
    struct buf text;
    struct diag diag = {""};
    buf_init(&text, 4u << 20);
    write_town(&text);
    if (road_network_parse(buf_str(&text), "town.net.xml", &diag, &town->network) != ERR_OK)
        fail_msg("%s", diag.text);
    buf_finish(&text);
    assert_ok(road_hierarchy_create(town->network, &town->hierarchy));
    assert_ok(road_nearest_create(town->network, &town->nearest));
}

static void town_finish(struct town *town)
{
    road_nearest_destroy(town->nearest);
    road_hierarchy_destroy(town->hierarchy);
    road_network_destroy(town->network);
}

/* ---- what is told ---- */

struct told {
    const struct road_network *network;
    struct buf text;           /* all of it, as it came */
    double length_m, passed_m; /* by the points; over whole edges */
    double passed_s;
    uint32_t n_matched, n_whole, edge;
    double offset_m;
    bool is_lawful;
};

static void told_init(struct told *told, const struct road_network *network)
{
    *told = (struct told){.network = network, .is_lawful = true};
    buf_init(&told->text, 16u << 20);
}

static void on_matched(void *context, uint64_t vehicle, const struct road_matched *matched)
{
    struct told *told = context;
    const struct road_edge *edges = told->network->edges;
    buf_printf(&told->text, "%llu:%lld:%d:%u:%.2f ", (unsigned long long)vehicle, (long long)matched->fix.time_ms, matched->kind,
        matched->edge, matched->offset_m);
    if (matched->kind != ROAD_MATCHED)
        return;
    told->n_matched++;
    if (!matched->is_begin) {
        told->length_m -= told->offset_m;
        for (uint32_t i = 0; i < matched->n_way; i++)
            told->length_m += edges[i == 0 ? told->edge : matched->way[i - 1]].length_m;
        told->length_m += matched->offset_m;
    }
    told->edge = matched->edge;
    told->offset_m = matched->offset_m;
}

static void on_passing(void *context, uint64_t vehicle, const struct road_passing *passing)
{
    struct told *told = context;
    buf_printf(&told->text, "%llu>%u:%lld:%lld:%d ", (unsigned long long)vehicle, passing->edge, (long long)passing->enter_ms,
        (long long)passing->leave_ms, passing->is_whole);
    told->is_lawful &= passing->leave_ms >= passing->enter_ms;
    if (!passing->is_whole)
        return;
    const struct road_edge *edge = &told->network->edges[passing->edge];
    told->is_lawful &= fabs(passing->length_m - edge->length_m) < 0.01 && fabs(passing->free_s - road_edge_free_flow_s(edge)) < 0.01;
    told->n_whole++;
    told->passed_m += passing->length_m;
    told->passed_s += (double)(passing->leave_ms - passing->enter_ms) / 1000;
}

static struct road_follow *follow_make(const struct town *town, double sigma_m, uint32_t vehicles_max, struct told *told)
{
    const struct road_follow_settings settings = {{.sigma_m = sigma_m, .gap_s = 300, .lag = 7}, vehicles_max};
    const struct road_follow_told to = {on_matched, on_passing, told};
    struct road_follow *follow = NULL;
    assert_ok(road_follow_create(town->hierarchy, town->nearest, &settings, &to, &follow));
    return follow;
}

/* ---- a drive ---- */

struct drive { /* along the streets, mostly straight on */
    int x, y, d;
    double on_m, speed_mps, s, driven_m;
};

static void drive_begin(struct drive *drive)
{
    *drive = (struct drive){.x = 2 + (int)(random_unit() * (SIDE - 4)),
        .y = 2 + (int)(random_unit() * (SIDE - 4)),
        .d = (int)(random_unit() * 4),
        .on_m = random_unit() * BLOCK_M,
        .speed_mps = 9};
}

static void drive_turn(struct drive *drive)
{
    drive->x += steps[drive->d][0];
    drive->y += steps[drive->d][1];
    drive->on_m -= BLOCK_M;
    drive->speed_mps = 5 + 8 * random_unit();
    for (bool is_found = false; !is_found;) {
        double by = random_unit();
        int next = (drive->d + (by < 0.7 ? 4 : by < 0.85 ? 3 : 5)) % 4;
        is_found = is_inside(drive->x + steps[next][0], drive->y + steps[next][1]);
        if (is_found)
            drive->d = next;
    }
}

static void drive_for(struct drive *drive, double s)
{
    while (s > 0) {
        double left_s = (BLOCK_M - drive->on_m) / drive->speed_mps, now_s = fmin(s, left_s);
        drive->on_m += now_s * drive->speed_mps;
        drive->driven_m += now_s * drive->speed_mps;
        drive->s += now_s;
        s -= now_s;
        if (now_s >= left_s)
            drive_turn(drive);
    }
}

static struct road_fix fix_of(const struct drive *drive, double noise_m)
{
    double x = drive->x * BLOCK_M + steps[drive->d][0] * drive->on_m + steps[drive->d][1] * KERB_M;
    double y = drive->y * BLOCK_M + steps[drive->d][1] * drive->on_m - steps[drive->d][0] * KERB_M;
    return (struct road_fix){.time_ms = (int64_t)(drive->s * 1000),
        .point = {x + noise_m * random_normal(), y + noise_m * random_normal()},
        .speed_mps = NAN,
        .heading = NAN};
}

/* ---- the tests ---- */

static void drives_come_out_again(void **state)
{
    static const struct {
        double noise_m, gap_s, length, speed; /* how far off all drives together may be, as a share */
    } rows[] = {{10, 5, 0.02, 0.03}, {10, 30, 0.03, 0.04}, {10, 60, 0.04, 0.05}, {30, 10, 0.03, 0.04}, {30, 60, 0.05, 0.06},
        {50, 20, 0.10, 0.10}, {50, 60, 0.06, 0.07}};
    struct town town;
    town_make(&town);
    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        struct told told;
        double driven_m = 0, took_s = 0;
        told_init(&told, town.network);
        for (uint64_t vehicle = 1; vehicle <= TEST_TIMES(40); vehicle++) {
            struct road_follow *follow = follow_make(&town, rows[r].noise_m, 10, &told);
            struct drive drive;
            double first_m = 0, first_s = 0;
            drive_begin(&drive);
            while (drive.driven_m < 8000) {
                drive_for(&drive, rows[r].gap_s * (0.5 + random_unit()));
                struct road_fix fix = fix_of(&drive, rows[r].noise_m);
                assert_ok(road_follow_add(follow, vehicle, &fix));
                first_m = first_s > 0 ? first_m : drive.driven_m;
                first_s = first_s > 0 ? first_s : drive.s;
            }
            driven_m += drive.driven_m - first_m;
            took_s += drive.s - first_s;
            road_follow_end_all(follow);
            assert_int_equal(road_follow_n(follow), 0);
            road_follow_destroy(follow);
        }
        double length = told.length_m / driven_m - 1, speed = told.passed_m / told.passed_s / (driven_m / took_s) - 1;
        print_message("noise %2.0f m, each %2.0f s: length %+.1f %%, speed %+.1f %%, %u edges\n", rows[r].noise_m, rows[r].gap_s,
            length * 100, speed * 100, told.n_whole);
        if (fabs(length) > rows[r].length || fabs(speed) > rows[r].speed || !told.is_lawful)
            fail_msg("seed %llu: noise %.0f m, each %.0f s: length %+.3f, speed %+.3f, %s", (unsigned long long)first_seed, rows[r].noise_m,
                rows[r].gap_s, length, speed, told.is_lawful ? "lawful" : "a passing is broken");
        buf_finish(&told.text);
    }
    town_finish(&town);
}

static int compare_words(const void *a, const void *b)
{
    struct str x = *(const struct str *)a, y = *(const struct str *)b;
    uint64_t of_x = strtoull(x.ptr, NULL, 10), of_y = strtoull(y.ptr, NULL, 10);
    if (of_x != of_y)
        return of_x < of_y ? -1 : 1;
    return x.ptr < y.ptr ? -1 : x.ptr > y.ptr; /* each vehicle's in the order of their coming */
}

/* The words of a told text, sorted by vehicle. */
static void sort_words(const struct buf *text, struct buf *out)
{
    struct str words[8192], rest = buf_str(text), word, tail;
    size_t n = 0;
    buf_init(out, 16u << 20);
    while (str_cut(rest, ' ', &word, &tail) && n < 8192) {
        words[n++] = word;
        rest = tail;
    }
    assert_true(n < 8192);
    qsort(words, n, sizeof(words[0]), compare_words);
    for (size_t i = 0; i < n; i++) {
        buf_append_str(out, words[i]);
        buf_append_byte(out, ' ');
    }
}

/* Many at once, their points mixed, are told each as if it were alone. */
static void vehicles_do_not_mix(void **state)
{
    enum { N = 20, POINTS = 40 };
    static struct road_fix fixes[N][POINTS];
    struct town town;
    struct told mixed, alone;
    struct buf of_mixed, of_alone;
    town_make(&town);
    told_init(&mixed, town.network);
    told_init(&alone, town.network);
    for (int v = 0; v < N; v++) {
        struct drive drive;
        drive_begin(&drive);
        for (int i = 0; i < POINTS; i++) {
            fixes[v][i] = fix_of(&drive, 15);
            drive_for(&drive, 2 + 20 * random_unit());
        }
    }
    struct road_follow *follow = follow_make(&town, 15, N, &mixed);
    for (int i = 0; i < POINTS; i++)
        for (int v = 0; v < N; v++)
            assert_ok(road_follow_add(follow, (uint64_t)((v * 7 + i) % N), &fixes[(v * 7 + i) % N][i]));
    assert_int_equal(road_follow_n(follow), N);
    assert_true(road_follow_newest_ms(follow, 3) == fixes[3][POINTS - 1].time_ms);
    road_follow_end_all(follow);
    road_follow_destroy(follow);
    for (uint64_t v = 0; v < N; v++) {
        follow = follow_make(&town, 15, 1, &alone);
        for (int i = 0; i < POINTS; i++)
            assert_ok(road_follow_add(follow, v, &fixes[v][i]));
        road_follow_end(follow, v);
        assert_int_equal(road_follow_n(follow), 0);
        road_follow_destroy(follow);
    }
    sort_words(&mixed.text, &of_mixed);
    sort_words(&alone.text, &of_alone);
    if (!str_equal(buf_str(&of_mixed), buf_str(&of_alone)))
        fail_msg("seed %llu: vehicles mix", (unsigned long long)first_seed);
    buf_finish(&of_mixed);
    buf_finish(&of_alone);
    buf_finish(&mixed.text);
    buf_finish(&alone.text);
    town_finish(&town);
}

static struct road_fix fix_at(double s, double x)
{
    return (struct road_fix){.time_ms = (int64_t)(s * 1000), .point = {x, -KERB_M}, .speed_mps = NAN, .heading = NAN};
}

/* The one that is silent longest goes first: at the limit, and by its silence. */
static void memory_is_bounded(void **state)
{
    struct town town;
    struct told told;
    town_make(&town);
    told_init(&told, town.network);
    struct road_follow *follow = follow_make(&town, 10, 3, &told);
    for (uint64_t vehicle = 1; vehicle <= 3; vehicle++) {
        struct road_fix fix = fix_at((double)vehicle, 50);
        assert_ok(road_follow_add(follow, vehicle, &fix));
    }
    struct road_fix again = fix_at(10, 120), other = fix_at(11, 50), not_later = fix_at(10, 130), nowhere = fix_at(12, NAN);
    assert_ok(road_follow_add(follow, 1, &again));
    assert_ok(road_follow_add(follow, 4, &other)); /* 2 goes */
    assert_int_equal(road_follow_n(follow), 3);
    assert_true(road_follow_newest_ms(follow, 2) == INT64_MIN && road_follow_newest_ms(follow, 1) == 10000);
    assert_err(road_follow_add(follow, 1, &not_later), ERR_RANGE);
    assert_err(road_follow_add(follow, 1, &nowhere), ERR_RANGE);
    road_follow_expire(follow, 3001); /* 3 */
    assert_true(road_follow_n(follow) == 2 && road_follow_newest_ms(follow, 3) == INT64_MIN);
    road_follow_end(follow, 77); /* nobody */
    road_follow_expire(follow, 100000);
    assert_int_equal(road_follow_n(follow), 0);
    assert_int_equal(told.n_matched, 5);
    /* Places are used again, whoever comes: nothing grows. */
    for (uint64_t vehicle = 100; vehicle < 5000; vehicle++)
        assert_ok(road_follow_add(follow, vehicle, &again));
    assert_int_equal(road_follow_n(follow), 3);
    road_follow_destroy(follow);
    static const struct road_follow_settings odd[] = {
        {{.sigma_m = 10, .gap_s = 300, .lag = 7}, 0}, {{.sigma_m = 10, .gap_s = 300, .lag = 0}, 5}};
    for (size_t i = 0; i < 2; i++)
        assert_err(
            road_follow_create(town.hierarchy, town.nearest, &odd[i], &(struct road_follow_told){.context = NULL}, &follow), ERR_RANGE);
    buf_finish(&told.text);
    town_finish(&town);
}

static void memory_can_be_short(void **state)
{
    struct town town;
    struct told told;
    town_make(&town);
    told_init(&told, town.network);
    int64_t n_live = mem_n_live();
    enum err err = ERR_NO_MEMORY;
    for (uint64_t nth = 1; err == ERR_NO_MEMORY; nth++) {
        const struct road_follow_settings settings = {{.sigma_m = 10, .gap_s = 300, .lag = 7}, 1000};
        struct road_follow *follow = NULL;
        mem_fail_nth(nth);
        err = road_follow_create(town.hierarchy, town.nearest, &settings, &(struct road_follow_told){.context = NULL}, &follow);
        for (uint64_t vehicle = 0; vehicle < 70 && err == ERR_OK; vehicle++) { /* places grow once */
            struct road_fix fix = fix_at((double)vehicle + 1, 50);
            err = road_follow_add(follow, vehicle, &fix);
        }
        mem_fail_nth(0);
        if (follow != NULL)
            road_follow_end_all(follow);
        road_follow_destroy(follow);
        assert_int_equal(mem_n_live(), n_live);
    }
    assert_ok(err);
    buf_finish(&told.text);
    town_finish(&town);
}

int main(void)
{
    seed = first_seed = test_seed();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drives_come_out_again),
        cmocka_unit_test(vehicles_do_not_mix),
        cmocka_unit_test(memory_is_bounded),
        cmocka_unit_test(memory_can_be_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
