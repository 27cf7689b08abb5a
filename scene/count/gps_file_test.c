/* Floating cars' points from a table, beside the passages of `citybrain count`: what they say of roads, their order, broken lines. */
#include "scene/count/gps_file.h"

#include "base/mem.h"
#include "base/test_files.h"
#include "scene/count/city_testing.h"
#include "scene/count/file.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/citybrain_gps_XXXXXX"; /* mkdtemp() fills it in */
static char network[80], cameras[80], passages[80], counts[80], roads[80], points[80];

static int setup(void **state)
{
    assert_non_null(mkdtemp(folder));
    char *paths[] = {network, cameras, passages, counts, roads, points};
    static const char *const names[] = {"ring.net.xml", "cameras.csv", "passages.csv", "counts.csv", "roads.csv", "points.csv"};
    for (size_t i = 0; i < 6; i++)
        snprintf(paths[i], sizeof(network), "%s/%s", folder, names[i]);
    struct buf text;
    buf_init(&text, 1u << 16);
    city_write(&text);
    test_write(network, buf_str(&text));
    buf_finish(&text);
    test_write(cameras, STR("camera,edge\nA,e8\nB,e9\n"));
    test_write(passages, STR("pass_time_ms,arrive_time_ms,camera,lane,plate,confidence\n1000,1200,A,1,P1,97\n599000,599300,B,1,P2,97\n"));
    return 0;
}

static int teardown(void **state)
{
    const char *paths[] = {network, cameras, passages, counts, roads, points};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        unlink(paths[i]);
    return rmdir(folder);
}

static char broken[4000];

static void on_broken(void *context, const char *text)
{
    strncat(broken, strrchr(text, '/') + 1, sizeof(broken) - strlen(broken) - 1);
    strncat(broken, "\n", sizeof(broken) - strlen(broken) - 1);
}

static struct count_files asked(void)
{
    broken[0] = 0;
    return (struct count_files){.network_path = network,
        .cameras_path = cameras,
        .passages_path = passages,
        .counts_path = counts,
        .roads_path = roads,
        .points_path = points,
        .every_s = 60,
        .until_s = -1,
        .settings = COUNT_SETTINGS_DEFAULT,
        .on_broken = on_broken};
}

/* Three cars along the ring from x = 250 at 6 m/s, a point each 10 s for 300 s; some lines are odd. */
static void write_points(const char *header, const char *extra, int64_t late_ms)
{
    struct buf text;
    buf_init(&text, 1u << 20);
    buf_append_c(&text, header);
    for (int i = 0; i <= 30; i++)
        for (int v = 0; v < 3; v++) {
            buf_printf(&text, "taxi%d,%d,%d,2", v, i * 10000 + v, 250 + i * 60);
            if (strstr(header, "arrive_time_ms") != NULL)
                buf_printf(&text, ",%lld", (long long)(i * 10000 + v + late_ms));
            buf_append_byte(&text, '\n');
        }
    buf_append_c(&text, extra);
    test_write(points, buf_str(&text));
    buf_finish(&text);
}

/* Of `edge` in roads.csv at `time_s`: n, or -1; its speed. */
static int told_of(const char *edge, long time_s, double *ret_speed)
{
    static char text[60000];
    test_read(roads, text, sizeof(text));
    for (char *line = strchr(text, '\n'); line != NULL; line = strchr(line + 1, '\n')) {
        long time;
        char name[16];
        int n;
        if (sscanf(line, "\n%ld,%15[^,],%d,%lf", &time, name, &n, ret_speed) == 4 && time == time_s && strcmp(name, edge) == 0)
            return n;
    }
    return -1;
}

static void points_become_speeds_of_roads(void **state)
{
    static const struct {
        const char *header;
        int64_t late_ms;
        long first_s; /* row in which e1, left at 125 s, is told first */
    } rows[] = {{"vehicle,time_ms,x,y\n", 0, 180}, {"vehicle,time_ms,x,y,arrive_time_ms\n", 500, 180},
        {"vehicle,time_ms,x,y,arrive_time_ms\n", 120000, 300}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        double speed = 0;
        struct diag diag = {""};
        struct count_files files = asked();
        write_points(rows[i].header, "", rows[i].late_ms);
        if (count_files_run(&files, &diag) != ERR_OK)
            fail_msg("%s", diag.text);
        assert_int_equal(files.n_point_lines, 93);
        assert_int_equal(files.n_points[COUNT_GPS_TAKEN], 93);
        assert_true(files.counters.n_drives >= 6); /* e1 and e2, whole, of each */
        assert_int_equal(told_of("e1", rows[i].first_s - 60, &speed), -1);
        assert_true(told_of("e1", rows[i].first_s, &speed) > 0);
        assert_near(speed, 6, 0.1);
        assert_string_equal(broken, "");
    }
    char text[4000];
    struct count_files files = asked();
    files.points_path = NULL; /* they say how fast, and never how many */
    assert_ok(count_files_run(&files, NULL));
    test_read(counts, text, sizeof(text));
    files = asked();
    assert_ok(count_files_run(&files, NULL));
    char again[4000];
    test_read(counts, again, sizeof(again));
    assert_string_equal(again, text);
}

static void broken_lines_are_named_and_left_out(void **state)
{
    double speed;
    struct diag diag = {""};
    struct count_files files = asked();
    write_points("vehicle,time_ms,x,y\n",
        "taxi9,soon,1,1\n"
        ",300001,1,1\n"
        "taxi9,300001,here,1\n"
        "taxi9,-1,1,1\n"
        "taxi9,300001,1\n"
        "\n"
        "taxi9,8796093022207,1,1\n" /* a clock that is far ahead */
        "taxi9,300002,90000000,1\n" /* not on this network: gps.h */
        "taxi0,300000,2050,2\n"     /* again */
        "taxi0,299000,2050,2\n",
        0);
    if (count_files_run(&files, &diag) != ERR_OK)
        fail_msg("%s", diag.text);
    assert_string_equal(broken, "points.csv:95: the time is not a whole number of milliseconds from 0 to 2^43\n"
                                "points.csv:96: a point without a vehicle\n"
                                "points.csv:97: the place is not two numbers\n"
                                "points.csv:98: the time is not a whole number of milliseconds from 0 to 2^43\n"
                                "points.csv:99: fewer fields than columns\n"
                                "points.csv:101: it arrives more than an hour ahead of the lines around it\n");
    assert_int_equal(files.n_broken, 6);
    assert_int_equal(files.n_points[COUNT_GPS_TAKEN], 93);
    assert_int_equal(files.n_points[COUNT_GPS_OUTSIDE], 1);
    assert_int_equal(files.n_points[COUNT_GPS_REPEATED], 1);
    assert_int_equal(files.n_points[COUNT_GPS_OLDER], 1);
    assert_true(told_of("e1", 300, &speed) > 0);
    write_points(
        "vehicle,time_ms,x,y,arrive_time_ms\n", "taxi0,300000,2050,2,299000\ntaxi0,310000,2110,2,10\ntaxi1,310000,2110,2,x\n", 400000);
    files = asked();
    assert_ok(count_files_run(&files, &diag)); /* all came, the last too late to be of use */
    assert_string_equal(broken, "points.csv:96: it arrives more than ten minutes before the line above\n"
                                "points.csv:97: the arrival is not a whole number of milliseconds from 0 to 2^43\n");
}

static void what_ends_a_run_is_told(void **state)
{
    struct diag diag = {""};
    struct count_files files = asked();
    files.points_path = "/nowhere/points.csv";
    assert_err(count_files_run(&files, &diag), ERR_NOT_FOUND);
    assert_non_null(strstr(diag.text, "/nowhere/points.csv: cannot open"));
    test_write(points, STR("vehicle,time_ms,lon,lat\na,1,120,30\n"));
    files = asked();
    assert_err(count_files_run(&files, &diag), ERR_SYNTAX);
    assert_non_null(strstr(diag.text, "points.csv:1: points need the columns vehicle, time_ms, x and y"));
    test_write(points, STR(""));
    files = asked();
    assert_err(count_files_run(&files, &diag), ERR_SYNTAX);
    test_write(points, STR("vehicle,time_ms,x,y\n"));
    files = asked();
    assert_ok(count_files_run(&files, &diag));
    files = asked();
    files.roads_path = points; /* which would be empty then */
    assert_err(count_files_run(&files, &diag), ERR_EXISTS);
}

static void memory_may_fail_anywhere(void **state)
{
    int64_t n_live = mem_n_live();
    enum err err = ERR_NO_MEMORY;
    write_points("vehicle,time_ms,x,y\n", "", 0);
    for (uint64_t nth = 1; err != ERR_OK; nth += 3) {
        struct count_files files = asked();
        mem_fail_nth(nth);
        err = count_files_run(&files, NULL);
        mem_fail_nth(0);
        if (err != ERR_OK && err != ERR_NO_MEMORY)
            fail_msg("%llu: %s", (unsigned long long)nth, err_text(err));
        assert_int_equal(mem_n_live(), n_live);
        assert_true(nth < 20000);
        if (err == ERR_OK && (files.n_rows == 0 || files.counters.n_drives < 6))
            err = ERR_NO_MEMORY; /* it did without a vehicle, or without a point */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(points_become_speeds_of_roads),
        cmocka_unit_test(broken_lines_are_named_and_left_out),
        cmocka_unit_test(what_ends_a_run_is_told),
        cmocka_unit_test(memory_may_fail_anywhere),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
