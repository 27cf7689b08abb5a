/* The count from files: rows by hand, broken lines, what ends a run. */
#include "scene/count/file.h"

#include "scene/count/city_testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/citybrain_count_XXXXXX"; /* mkdtemp() fills it in */
static char network[80], cameras[80], passages[80], counts[80], roads[80];

static void write_text(const char *path, struct str text)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text.ptr, 1, text.len, file), text.len);
    assert_int_equal(fclose(file), 0);
}

static void read_text(const char *path, char *out, size_t size)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t n = fread(out, 1, size - 1, file);
    out[n] = 0;
    fclose(file);
}

static int setup(void **state)
{
    assert_non_null(mkdtemp(folder));
    snprintf(network, sizeof(network), "%s/ring.net.xml", folder);
    snprintf(cameras, sizeof(cameras), "%s/cameras.csv", folder);
    snprintf(passages, sizeof(passages), "%s/passages.csv", folder);
    snprintf(counts, sizeof(counts), "%s/counts.csv", folder);
    snprintf(roads, sizeof(roads), "%s/roads.csv", folder);
    struct buf text;
    buf_init(&text, 1u << 16);
    city_write(&text);
    write_text(network, buf_str(&text));
    buf_finish(&text);
    write_text(cameras, STR("camera,edge,pos_m,x,y\nA,e0,500.00,500.00,0.00\nB,e2,500.00,1500.00,0.00\n"));
    return 0;
}

static int teardown(void **state)
{
    const char *paths[] = {network, cameras, passages, counts, roads};
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
        .every_s = 60,
        .until_s = -1,
        .settings = COUNT_SETTINGS_DEFAULT,
        .on_broken = on_broken};
}

#define HEADER "pass_time_ms,arrive_time_ms,camera,lane,plate,confidence\n"

/* Rows stand on multiples of 60 s, from the first at or after the first arrival to the last arrival; each knows only what came before. */
static void rows_are_on_multiples_and_causal(void **state)
{
    write_text(passages, STR(HEADER "70000,70500,A,1,浙A00001,97\n"
                                    "170000,180000,A,1,浙A00002,97\n"
                                    "180001,180001,A,1,浙A00003,97\n"
                                    "270000,300000,B,1,浙A00001,97\n"));
    struct count_files files = asked();
    files.roads_path = roads;
    struct diag diag = {""};
    if (count_files_run(&files, &diag) != ERR_OK)
        fail_msg("%s", diag.text);
    char text[2000];
    read_text(counts, text, sizeof(text));
    double times[8], values[8];
    int n = 0, used = 0;
    const char *at = strchr(text, '\n') + 1;
    assert_true(strncmp(text, "time_s,count,low,high\n", 22) == 0);
    double low, high;
    while (n < 8 && sscanf(at, "%lf,%lf,%lf,%lf\n%n", &times[n], &values[n], &low, &high, &used) == 4) {
        assert_true(low <= values[n] && values[n] <= high);
        at += used;
        n++;
    }
    assert_int_equal(n, 4); /* 120, 180, 240, 300 */
    for (int i = 0; i < 4; i++)
        assert_near(times[i], 120 + 60 * i, 0);
    /* At 180 s the second had arrived, the third not yet. */
    assert_true(values[1] > values[0] + 0.5 && values[2] > values[1] + 0.3);
    assert_int_equal(files.n_rows, 4);
    assert_int_equal(files.n_lines, 4);
    assert_int_equal(files.n_broken, 0);
    /* 1,000 m of 100 s free flow in 200 s. */
    read_text(roads, text, sizeof(text));
    assert_true(strncmp(text, "time_s,edge,n,speed_mps,delay_index\n", 36) == 0);
    assert_non_null(strstr(text, "\n300,e1,1,5.000,2.000\n"));
    assert_non_null(strstr(text, "\n300,e2,1,5.000,2.000\n"));
    assert_int_equal(strlen(text), 36 + 2 * 21);
}

static void until_gives_rows_beyond_the_last(void **state)
{
    write_text(passages, STR(HEADER "1000,1000,A,1,P,97\n"));
    struct count_files files = asked();
    files.until_s = 600;
    assert_ok(count_files_run(&files, NULL));
    assert_int_equal(files.n_rows, 10);
    write_text(passages, STR(HEADER));
    files = asked();
    assert_ok(count_files_run(&files, NULL)); /* no passage, no row */
    assert_int_equal(files.n_rows, 0);
}

static void broken_lines_are_named_and_left_out(void **state)
{
    struct buf text;
    buf_init(&text, 1u << 16);
    buf_append_c(&text, HEADER "1000,1000,A,1,P1,97\n"
                               "2000,2000,Z,1,P2,97\n"
                               "x,2000,A,1,P3,97\n"
                               "-5,2000,A,1,P3,97\n"
                               "2000,99999999999999999999,A,1,P3,97\n"
                               "2000,2000,A,1,,97\n"
                               "2000,2000,A,1\n"
                               "700000000,700000000,A,1,P9,97\n"
                               "\n");
    for (int i = 0; i < 5000; i++)
        buf_append_c(&text, "y");
    buf_append_c(&text, "\n3000,3000,A,1,P4,97\r\n60000,60000,A,1,P5,97");
    write_text(passages, buf_str(&text));
    buf_finish(&text);
    struct count_files files = asked();
    assert_ok(count_files_run(&files, NULL));
    assert_string_equal(broken, "passages.csv:3: an unknown camera\n"
                                "passages.csv:4: a time is not a whole number of milliseconds\n"
                                "passages.csv:5: a time is outside of 0 to 2^43 milliseconds\n"
                                "passages.csv:6: a time is not a whole number of milliseconds\n"
                                "passages.csv:7: a passage without a plate\n"
                                "passages.csv:8: a passage has six fields\n"
                                "passages.csv:9: it arrives more than a week after the one before\n"
                                "passages.csv:11: the line is too long\n");
    assert_int_equal(files.n_broken, 8);
    assert_int_equal(files.counters.n_passages, 3);
    assert_int_equal(files.n_rows, 1);
}

static void broken_cameras_are_named(void **state)
{
    static char other[96];
    snprintf(other, sizeof(other), "%s/other.csv", folder);
    write_text(other, STR("camera,edge,pos_m,x,y\nA,e0,500,1,2\nB,nowhere,500,1,2\nA,e1,500,1,2\n,e3,1,1,1\n"));
    write_text(passages, STR(HEADER "1000,1000,A,1,P,97\n"));
    struct count_files files = asked();
    files.cameras_path = other;
    assert_ok(count_files_run(&files, NULL));
    unlink(other);
    assert_string_equal(broken,
        "other.csv:3: the network has no such edge\nother.csv:4: the camera is there twice\nother.csv:5: a camera needs a name "
        "and an edge\n");
}

static void what_ends_a_run_is_told(void **state)
{
    write_text(passages, STR("time,plate\n1,P\n"));
    struct count_files files = asked();
    struct diag diag = {""};
    assert_err(count_files_run(&files, &diag), ERR_SYNTAX);
    assert_non_null(strstr(diag.text, "passages.csv:1: the first line is not \"pass_time_ms,"));
    files = asked();
    files.passages_path = "/nowhere/passages.csv";
    assert_err(count_files_run(&files, &diag), ERR_NOT_FOUND);
    assert_non_null(strstr(diag.text, "/nowhere/passages.csv: cannot open"));
    files = asked();
    files.counts_path = "/nowhere/counts.csv";
    assert_err(count_files_run(&files, &diag), ERR_NOT_FOUND);
    assert_non_null(strstr(diag.text, "cannot write"));
    files = asked();
    files.network_path = cameras;
    assert_err(count_files_run(&files, &diag), ERR_SYNTAX);
    assert_non_null(strstr(diag.text, "cameras.csv:1: not well-formed XML"));
    files = asked();
    files.every_s = 0;
    assert_err(count_files_run(&files, &diag), ERR_RANGE);
    write_text(passages, STR(HEADER "1000,1000,A,1,P,97\n"));
    files = asked();
    files.counts_path = "/dev/full";
    files.until_s = 86400;
    assert_err(count_files_run(&files, &diag), ERR_DISK_FULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_on_multiples_and_causal),
        cmocka_unit_test(until_gives_rows_beyond_the_last),
        cmocka_unit_test(broken_lines_are_named_and_left_out),
        cmocka_unit_test(broken_cameras_are_named),
        cmocka_unit_test(what_ends_a_run_is_told),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
