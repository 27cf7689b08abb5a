/* Tables of induction loops beside the passages: rows by hand, broken lines, clocks that are wrong, what ends a run. */
#include "scene/count/loops_file.h"

#include "base/mem.h"
#include "base/test_files.h"
#include "scene/count/city_testing.h"
#include "scene/count/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/citybrain_loops_XXXXXX"; /* mkdtemp() fills it in */
static char network[80], cameras[80], passages[80], counts[80], loops[80], flows[80];

#define PASSAGES "pass_time_ms,arrive_time_ms,camera,lane,plate,confidence\n"
#define LOOPS "from_time_ms,to_time_ms,arrive_time_ms,edge,lane,vehicles\n"

static int setup(void **state)
{
    static char *const paths[] = {network, cameras, passages, counts, loops, flows};
    static const char *const names[] = {"ring.net.xml", "cameras.csv", "passages.csv", "counts.csv", "loops.csv", "flows.csv"};
    assert_non_null(mkdtemp(folder));
    for (int i = 0; i < 6; i++)
        snprintf(paths[i], 80, "%s/%s", folder, names[i]);
    struct buf text;
    buf_init(&text, 1u << 16);
    city_write(&text);
    test_write(network, buf_str(&text));
    buf_finish(&text);
    test_write(cameras, STR("camera,edge,pos_m,x,y\nA,e0,500.00,500.00,0.00\nB,e2,500.00,1500.00,0.00\n"));
    test_write(
        passages, STR(PASSAGES "70000,70500,A,1,P1,97\n170000,170500,A,1,P2,97\n270000,270500,B,1,P1,97\n400000,400500,A,1,P3,97\n"));
    return 0;
}

static int teardown(void **state)
{
    const char *paths[] = {network, cameras, passages, counts, loops, flows};
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

static enum err run(const char *rows, struct count_files *ret_files, struct diag *diag)
{
    test_write(loops, str_from_c(rows));
    broken[0] = 0;
    *ret_files = (struct count_files){.network_path = network,
        .cameras_path = cameras,
        .passages_path = passages,
        .counts_path = counts,
        .loops_path = loops,
        .flows_path = flows,
        .every_s = 60,
        .until_s = 420,
        .settings = COUNT_SETTINGS_DEFAULT,
        .on_broken = on_broken};
    return count_files_run(ret_files, diag);
}

/* The flow of e3, on which no camera stands, at each time; "-": none. */
static void assert_flows(const char *flows_of_e3)
{
    char text[8000], found[400] = "";
    test_read(flows, text, sizeof(text));
    assert_true(strncmp(text, "time_s,edge,flow_vph,source\n", 28) == 0);
    for (int t = 120; t <= 420; t += 60) {
        char row[40];
        snprintf(row, sizeof(row), "\n%d,e3,", t);
        const char *at = strstr(text, row);
        snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s%.*s", t > 120 ? " " : "",
            at != NULL ? (int)strcspn(at + strlen(row), "\n") : 1, at != NULL ? at + strlen(row) : "-");
    }
    assert_string_equal(found, flows_of_e3);
}

/* A row is known when it has arrived, and not when its interval was over. */
static void rows_are_causal(void **state)
{
    struct count_files files;
    struct diag diag = {""};
    assert_ok(run(LOOPS "60000,120000,120000,e3,,10\n120000,180000,180001,e3,,20\n180000,240000,299000,e3,,20\n", &files, &diag));
    assert_string_equal(broken, "");
    assert_flows("600.0,loop 600.0,loop 973.5,loop 1088.2,loop 1088.2,loop 1088.2,loop");
    assert_int_equal(files.n_loop_rows[COUNT_LOOP_TAKEN], 3);
    assert_int_equal(files.n_loop_lines, 3);
    assert_int_equal(files.n_broken, 0);
    /* The vehicles are those of who has no loops. */
    char with[2000], without[2000];
    test_read(counts, with, sizeof(with));
    files.loops_path = NULL;
    files.flows_path = NULL;
    assert_ok(count_files_run(&files, &diag));
    test_read(counts, without, sizeof(without));
    assert_string_equal(with, without);
}

static void broken_rows_are_named_and_left_out(void **state)
{
    struct buf rows;
    struct count_files files;
    struct diag diag = {""};
    buf_init(&rows, 1u << 16);
    buf_append_c(&rows, LOOPS "60000,120000,121000,e3,,10\n"
                              "60000,120000,121000,e99,,10\n"
                              "120000,180000,181000,e3,,-3\n"
                              "120000,180000,181000,e3,,nan\n"
                              "120000,180000,181000,e3,,2.5\n"
                              "120000,180000,181000,e3,0,3\n"
                              "120000,180000,181000,e3,256,3\n"
                              "180000,120000,181000,e3,,3\n"
                              "120000,1080000,181000,e3,,3\n"
                              "soon,180000,181000,e3,,3\n"
                              "120000,180000,181000,e3,\n"
                              "120000,180000,181000,e3,,3,4\n"
                              "\n");
    for (int i = 0; i < 5000; i++)
        buf_append_c(&rows, "y");
    buf_append_c(&rows, "\n\r\n120000,180000,181000,e3,,10\r\n180000,240000,241000,e3,,10");
    buf_append(&rows, "", 1);
    assert_ok(run(rows.ptr, &files, &diag));
    buf_finish(&rows);
    assert_string_equal(broken, "loops.csv:3: the network has no such edge\n"
                                "loops.csv:4: a count of vehicles is a whole number, 0 or more\n"
                                "loops.csv:5: a count of vehicles is a whole number, 0 or more\n"
                                "loops.csv:6: a count of vehicles is a whole number, 0 or more\n"
                                "loops.csv:7: a lane is a whole number from 1 to 255, or empty\n"
                                "loops.csv:8: a lane is a whole number from 1 to 255, or empty\n"
                                "loops.csv:9: its interval is not one of up to 15 minutes\n"
                                "loops.csv:10: its interval is not one of up to 15 minutes\n"
                                "loops.csv:11: a time is not a whole number of milliseconds\n"
                                "loops.csv:12: a loop's row has six fields\n"
                                "loops.csv:13: a loop's row has six fields\n"
                                "loops.csv:15: the line is too long\n");
    assert_int_equal(files.n_broken, 12);
    assert_int_equal(files.n_loop_lines, 15);
    assert_int_equal(files.n_loop_rows[COUNT_LOOP_TAKEN], 3);
}

/* What a line alone does not show is counted by why. */
static void what_cannot_be_used_is_counted(void **state)
{
    struct count_files files;
    struct diag diag = {""};
    assert_ok(run(LOOPS "60000,120000,121000,e3,,10\n"
                        "60000,120000,122000,e3,,10\n"   /* again */
                        "120000,180000,181000,e3,1,10\n" /* and now by lanes */
                        "120000,180000,181000,e3,,999\n" /* over one lane in a minute */
                        "300000,360000,200000,e3,,10\n", /* of what is still to come */
        &files, &diag));
    static const uint64_t expected[COUNT_LOOP_N_VERDICTS] = {
        [COUNT_LOOP_TAKEN] = 1, [COUNT_LOOP_REPEATED] = 1, [COUNT_LOOP_NO_LANE] = 1, [COUNT_LOOP_NO_COUNT] = 1, [COUNT_LOOP_AHEAD] = 1};
    for (int i = 0; i < COUNT_LOOP_N_VERDICTS; i++)
        assert_int_equal(files.n_loop_rows[i], expected[i]);
    assert_string_equal(broken, "");
}

static void clocks_that_are_wrong_hold_up_nobody(void **state)
{
    struct count_files files;
    struct diag diag = {""};
    assert_ok(run(LOOPS "946684740000,946684800000,946684800000,e3,,10\n" /* the year 2000, and the first line */
                        "60000,120000,121000,e3,,10\n"
                        "8000000000000,8000000060000,8000000061000,e3,,10\n" /* the year 2223 */
                        "120000,180000,181000,e3,,10\n"
                        "180000,240000,180500,e3,,10\n"  /* half a second back: taken */
                        "0,60000,61000,e3,,10\n"         /* told before */
                        "240000,300000,900000,e3,,10\n"  /* arrives after the end: late, and not asked for */
                        "240000,300000,250000,e3,,10\n", /* eleven minutes back */
        &files, &diag));
    assert_string_equal(broken, "loops.csv:2: it arrives more than an hour ahead of the lines around it\n"
                                "loops.csv:4: it arrives more than an hour ahead of the lines around it\n"
                                "loops.csv:9: it arrives more than ten minutes before the line above\n");
    assert_int_equal(files.n_loop_rows[COUNT_LOOP_TAKEN], 3);
    assert_int_equal(files.n_loop_rows[COUNT_LOOP_REPEATED], 1);
    assert_flows("- 600.0,loop 600.0,loop 600.0,loop 600.0,loop 600.0,loop");
    /* The detectors' clock alone is wrong: they are refused alone. */
    assert_ok(run(LOOPS "946684740000,946684800000,121000,e3,,10\n0,60000,700000,e3,,10\n", &files, &diag));
    assert_int_equal(files.n_loop_rows[COUNT_LOOP_AHEAD], 1);
    assert_flows("- - - - - -");
}

static void empty_files_and_other_networks_are_errors(void **state)
{
    static const struct {
        const char *text, *words;
        enum err err;
    } rows[] = {
        {"", "loops.csv:1: the file is empty; its first line is \"from_time_ms,", ERR_SYNTAX},
        {"time_s,edge,count\n", "loops.csv:1: the first line is not \"from_time_ms,", ERR_SYNTAX},
        {LOOPS, "", ERR_OK},
        {"\xef\xbb\xbf" LOOPS, "", ERR_OK},
        {LOOPS "60000,120000,121000,x,,1\n120000,180000,181000,y,,1\n", "loops.csv: none of its 2 rows is of an edge of ", ERR_NOT_FOUND},
        {LOOPS "60000,120000,121000,x,,1\n120000,180000,181000,e3,,1\n", "", ERR_OK},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct count_files files;
        struct diag diag = {""};
        assert_err(run(rows[i].text, &files, &diag), rows[i].err);
        if (strstr(diag.text, rows[i].words) == NULL)
            fail_msg("%s", diag.text);
    }
    struct count_files files;
    struct diag diag = {""};
    assert_ok(run(LOOPS, &files, &diag));
    files.loops_path = "/nowhere/loops.csv";
    assert_err(count_files_run(&files, &diag), ERR_NOT_FOUND);
    assert_non_null(strstr(diag.text, "/nowhere/loops.csv: cannot open"));
}

static void memory_may_fail_anywhere(void **state)
{
    for (uint64_t fail = 1;; fail++) {
        struct count_files files;
        struct diag diag = {""};
        int64_t n_live = mem_n_live();
        test_write(loops, STR(LOOPS "60000,120000,121000,e3,,10\n60000,120000,121000,e0,,10\n"));
        mem_fail_nth(fail);
        enum err err = run(LOOPS "60000,120000,121000,e3,,10\n60000,120000,121000,e0,,10\n", &files, &diag);
        mem_fail_nth(0);
        assert_int_equal(mem_n_live(), n_live);
        if (err == ERR_OK && files.n_loop_rows[COUNT_LOOP_TAKEN] == 2 && files.counters.n_passages == 4)
            return;
        assert_true(fail < 20000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_causal),
        cmocka_unit_test(broken_rows_are_named_and_left_out),
        cmocka_unit_test(what_cannot_be_used_is_counted),
        cmocka_unit_test(clocks_that_are_wrong_hold_up_nobody),
        cmocka_unit_test(empty_files_and_other_networks_are_errors),
        cmocka_unit_test(memory_may_fail_anywhere),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
