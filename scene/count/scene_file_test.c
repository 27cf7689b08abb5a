/*
 * One estimator: the same passages give the same count through the scene, second by second as it runs behind the camera door, and from a
 * file by `citybrain count`. The door tells whole seconds only (GA/T 1400), which is the one difference that may be seen.
 */
#include "base/test_files.h"
#include "scene/count/file.h"
#include "scene/count/scene_testing.h"

#define SECONDS 1800
#define KNOWN_FROM_S 300 /* a file's cameras are known from the start, the scene's from when they speak */
#define N_MAX 8000

struct seen {
    int64_t at_ms, arrived_ms;
    uint32_t number; /* of the vehicle */
    bool is_east;
};
static struct seen all[N_MAX];
static size_t n_all;
static double live[SECONDS + 1][3], of_file[SECONDS + 1][3]; /* count, low, high */

static int by_arrival(const void *a, const void *b)
{
    const struct seen *one = a, *other = b;
    return one->arrived_ms != other->arrived_ms ? (one->arrived_ms > other->arrived_ms) - (one->arrived_ms < other->arrived_ms)
                                                : (int)one->number - (int)other->number;
}

static void see(int64_t at_ms, bool is_east, uint32_t number, uint64_t *seed)
{
    if (random_next(seed) % 10 == 0) /* one of ten is not read */
        return;
    assert_true(n_all < N_MAX);
    int64_t delay_ms = (int64_t)(random_next(seed) % 900) + 50;
    if (random_next(seed) % 100 == 0)
        delay_ms += 60000; /* and one of a hundred comes a minute late */
    all[n_all++] = (struct seen){at_ms, at_ms + delay_ms, number, is_east};
}

/* Vehicles along the road of both cameras, more in the middle of the time than before and after; some end between them. */
static void drive_all(uint64_t seed)
{
    uint32_t number = 0;
    n_all = 0;
    all[n_all++] = (struct seen){400, 500, 1000000, false}; /* both cameras are known from the first second on, as a file's are */
    all[n_all++] = (struct seen){400, 500, 1000001, true};
    for (int64_t ms = 1000; ms < SECONDS * 1000; ms += (int64_t)(random_next(&seed) % (ms > 600000 && ms < 1200000 ? 1000 : 2500)) + 50) {
        number++;
        see(ms, false, number, &seed);
        if (random_next(&seed) % 5 != 0)
            see(ms + 90000 + (int64_t)(random_next(&seed) % 90000), true, number, &seed);
    }
    qsort(all, n_all, sizeof(all[0]), by_arrival);
}

static void count_live(int64_t resolution_ms)
{
    struct bench bench;
    struct diag_list diags;
    size_t next = 0;
    assert_ok(bench_start(&bench, CONFIG "network: '{data}/n.net.xml'\n", &diags));
    for (int s = 1; s <= SECONDS; s++) {
        for (; next < n_all && all[next].arrived_ms <= s * 1000; next++) {
            char vehicle[16];
            snprintf(vehicle, sizeof(vehicle), "v%u", all[next].number);
            pass_at(&bench, all[next].is_east ? "east" : "west", vehicle, all[next].at_ms / resolution_ms * resolution_ms,
                all[next].arrived_ms, all[next].is_east ? 120.1398 : 120.1295, 90);
        }
        tick(&bench, s * 1000);
        static const char *const names[] = {"vehicles_in_transit", "vehicles_in_transit_low", "vehicles_in_transit_high"};
        for (int i = 0; i < 3 && s >= KNOWN_FROM_S; i++) {
            const struct value *value = &indicator(names[i], "h", 1000)[HUB_INDICATOR_VALUE];
            assert_int_equal(value->type, VALUE_REAL);
            live[s][i] = value->r;
        }
        if (s % 400 == 0)
            forget_published();
    }
    bench_stop(&bench);
}

static void count_file(void)
{
    char network[96], cameras[96], passages[96], counts[96];
    struct buf text;
    snprintf(network, sizeof(network), "%s/n.net.xml", folder);
    snprintf(cameras, sizeof(cameras), "%s/cameras.csv", folder);
    snprintf(passages, sizeof(passages), "%s/passages.csv", folder);
    snprintf(counts, sizeof(counts), "%s/counts.csv", folder);
    write_text(cameras, "camera,edge,pos_m,x,y\nwest,west,950,0,0\neast,east,950,0,0\n");
    buf_init(&text, 4u << 20);
    buf_append_c(&text, "pass_time_ms,arrive_time_ms,camera,lane,plate,confidence\n");
    for (size_t i = 0; i < n_all; i++)
        buf_printf(&text, "%lld,%lld,%s,1,v%u,97\n", (long long)(T0 + all[i].at_ms), (long long)(T0 + all[i].arrived_ms),
            all[i].is_east ? "east" : "west", all[i].number);
    test_write(passages, buf_str(&text));
    buf_finish(&text);
    struct count_files files = {.network_path = network,
        .cameras_path = cameras,
        .passages_path = passages,
        .counts_path = counts,
        .every_s = 1,
        .until_s = T0 / 1000 + SECONDS,
        .settings = COUNT_SETTINGS_DEFAULT};
    struct diag diag = {""};
    if (count_files_run(&files, &diag) != ERR_OK)
        fail_msg("%s", diag.text);
    FILE *file = fopen(counts, "rb");
    char line[200];
    assert_non_null(file);
    assert_non_null(fgets(line, sizeof(line), file));
    while (fgets(line, sizeof(line), file) != NULL) {
        long long time_s;
        double row[3];
        assert_int_equal(sscanf(line, "%lld,%lf,%lf,%lf", &time_s, &row[0], &row[1], &row[2]), 4);
        int64_t s = time_s - T0 / 1000;
        assert_true(s >= 0 && s <= SECONDS);
        memcpy(of_file[s], row, sizeof(row));
    }
    fclose(file);
    unlink(cameras);
    unlink(passages);
    unlink(counts);
}

/* Largest difference of what is told, and the mean of the live count. */
static double difference(double *ret_mean)
{
    double most = 0, sum = 0;
    for (int s = KNOWN_FROM_S; s <= SECONDS; s++) {
        for (int i = 0; i < 3; i++)
            most = fmax(most, fabs(live[s][i] - of_file[s][i]));
        sum += live[s][0];
    }
    *ret_mean = sum / (SECONDS - KNOWN_FROM_S + 1);
    return most;
}

static void live_and_from_a_file_the_count_is_the_same(void **state)
{
    uint64_t seed = getenv("SEED") != NULL ? strtoull(getenv("SEED"), NULL, 10) : 1;
    double mean, rounded_mean;
    print_message("SEED=%llu\n", (unsigned long long)seed);
    drive_all(seed);
    count_file();
    count_live(1);
    double most = difference(&mean);
    count_live(1000);
    double rounded = difference(&rounded_mean);
    print_message("%zu passages, %.0f vehicles in the mean: live and from the file %.3f apart at most; with whole seconds %.2f\n", n_all,
        mean, most, rounded);
    assert_true(mean > 50);
    assert_true(most <= 0.0501); /* the table has one decimal */
    assert_true(rounded <= 0.03 * rounded_mean);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(live_and_from_a_file_the_count_is_the_same)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
