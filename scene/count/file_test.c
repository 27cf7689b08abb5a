/* The count from files: rows by hand, broken lines, what ends a run. */
#include "scene/count/file.h"

#include "base/mem.h"
#include "base/test_files.h"
#include "scene/count/city_testing.h"
#include "scene/count/passages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/citybrain_count_XXXXXX"; /* mkdtemp() fills it in */
static char network[80], cameras[80], passages[80], counts[80], roads[80];

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
    test_write(network, buf_str(&text));
    buf_finish(&text);
    test_write(cameras, STR("camera,edge,pos_m,x,y\nA,e0,500.00,500.00,0.00\nB,e2,500.00,1500.00,0.00\n"));
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
    test_write(passages, STR(HEADER "70000,70500,A,1,浙A00001,97\n"
                                    "170000,180000,A,1,浙A00002,97\n"
                                    "180001,180001,A,1,浙A00003,97\n"
                                    "270000,300000,B,1,浙A00001,97\n"));
    struct count_files files = asked();
    files.roads_path = roads;
    struct diag diag = {""};
    if (count_files_run(&files, &diag) != ERR_OK)
        fail_msg("%s", diag.text);
    char text[2000];
    test_read(counts, text, sizeof(text));
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
    assert_true(values[1] > values[0] + 0.5);
    /* At 300 s one was sighted again, and all ways are shorter than they might have been. */
    assert_true(values[3] < values[2] - 0.5);
    assert_int_equal(files.n_rows, 4);
    assert_int_equal(files.n_lines, 4);
    assert_int_equal(files.n_broken, 0);
    /* Who does not ask for roads is told the same vehicles. */
    char alone[2000];
    files = asked();
    assert_ok(count_files_run(&files, NULL));
    test_read(counts, alone, sizeof(alone));
    assert_string_equal(alone, text);
    /* 1,000 m of 100 s free flow in 200 s; e1 was left 100 s before that was known, which weighs less than half a vehicle by then. */
    test_read(roads, text, sizeof(text));
    assert_true(strncmp(text, "time_s,edge,n,speed_mps,delay_index\n", 36) == 0);
    assert_non_null(strstr(text, "\n300,e1,0,5.000,2.000\n"));
    assert_non_null(strstr(text, "\n300,e2,1,5.000,2.000\n"));
    assert_int_equal(strlen(text), 36 + 2 * 21);
}

static void until_gives_rows_beyond_the_last(void **state)
{
    test_write(passages, STR(HEADER "1000,1000,A,1,P,97\n"));
    struct count_files files = asked();
    files.until_s = 600;
    assert_ok(count_files_run(&files, NULL));
    assert_int_equal(files.n_rows, 10);
    test_write(passages, STR(HEADER));
    files = asked();
    assert_ok(count_files_run(&files, NULL)); /* no passage, no row */
    assert_int_equal(files.n_rows, 0);
}

/* Seconds since 1970 for a file of a simulation's time would be a row a minute for half a century: the rows to the last arrival are
 * written, and the mistake is told. */
static void until_is_at_most_a_week_later(void **state)
{
    struct diag diag = {""};
    test_write(passages, STR(HEADER "1000,1000,A,1,P,97\n61000,61000,A,1,Q,97\n"));
    struct count_files files = asked();
    files.until_s = 7 * 86400 + 61;
    assert_ok(count_files_run(&files, &diag));
    assert_int_equal(files.n_rows, 7 * 1440 + 1);
    files = asked();
    files.until_s = 7 * 86400 + 62;
    assert_err(count_files_run(&files, &diag), ERR_RANGE);
    assert_non_null(strstr(diag.text, "passages.csv: the last passage arrives at 61 s"));
    assert_int_equal(files.n_rows, 1);
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
    test_write(passages, buf_str(&text));
    buf_finish(&text);
    struct count_files files = asked();
    assert_ok(count_files_run(&files, NULL));
    assert_string_equal(broken, "passages.csv:3: an unknown camera\n"
                                "passages.csv:4: a time is not a whole number of milliseconds\n"
                                "passages.csv:5: a time is outside of 0 to 2^43 milliseconds\n"
                                "passages.csv:6: a time is not a whole number of milliseconds\n"
                                "passages.csv:7: a passage without a plate\n"
                                "passages.csv:8: a passage has six fields\n"
                                "passages.csv:11: the line is too long\n"
                                "passages.csv:9: it arrives more than an hour ahead of the lines around it\n");
    assert_int_equal(files.n_broken, 8);
    assert_int_equal(files.counters.n_passages, 3);
    assert_int_equal(files.n_rows, 1);
}

/* Another city's cameras: every table would be empty, and the exit status would say that all is well. */
static void passages_of_other_cameras_are_an_error(void **state)
{
    static const struct {
        const char *lines;
        bool is_known;
    } rows[] = {
        {"1000,1000,Y,1,P1,97\n2000,2000,Z,1,P2,97\n", false},
        {"1000,1000,Y,1,P1,97\nhalf a line\n", false},
        {"half a line\n", true}, /* says nothing of cameras */
        {"1000,1000,Y,1,P1,97\n2000,2000,A,1,P2,97\n", true},
        {"2000,2000,A,1,P2,97\n1000,1000,Y,1,P1,97\n", true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char text[400];
        struct diag diag = {""};
        snprintf(text, sizeof(text), HEADER "%s", rows[i].lines);
        test_write(passages, str_from_c(text));
        struct count_files files = asked();
        assert_err(count_files_run(&files, &diag), rows[i].is_known ? ERR_OK : ERR_NOT_FOUND);
        if (i == 0)
            assert_non_null(strstr(diag.text, "passages.csv: none of its 2 passages can be used, 2 of them as their camera is not in "));
    }
}

static void run_lines(struct count_files *files, const char *lines)
{
    struct buf text;
    buf_init(&text, 1u << 16);
    buf_append_c(&text, HEADER);
    buf_append_c(&text, lines);
    test_write(passages, buf_str(&text));
    buf_finish(&text);
    struct diag diag = {""};
    if (count_files_run(files, &diag) != ERR_OK)
        fail_msg("%s", diag.text);
}

/* First times of counts.csv, as text. */
static void assert_rows(const char *times)
{
    char text[2000], found[400] = "";
    test_read(counts, text, sizeof(text));
    for (const char *at = strchr(text, '\n'); at != NULL && at[1] != 0; at = strchr(at + 1, '\n'))
        snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s%.*s", found[0] ? " " : "", (int)strcspn(at + 1, ","), at + 1);
    assert_string_equal(found, times);
}

static void arrivals_that_go_back_are_taken_or_named(void **state)
{
    struct count_files files = asked();
    run_lines(&files, "100000,100000,A,1,P1,97\n"
                      "99000,100500,A,1,P2,97\n"
                      "98000,99900,A,1,P3,97\n"   /* half a second back: taken */
                      "170000,701000,A,1,P4,97\n" /* late by 531 s, on the camera's clock */
                      "100000,100900,A,1,P5,97\n" /* the receiver's clock ten minutes back */
                      "701000,701000,B,1,P1,97\n");
    assert_string_equal(broken, "passages.csv:6: it arrives more than ten minutes before the line above\n");
    assert_int_equal(files.n_broken, 1);
    assert_int_equal(files.n_back, 1);
    assert_int_equal(files.counters.n_passages, 5);
    assert_int_equal(files.counters.n_resets, 0);
    assert_rows("120 180 240 300 360 420 480 540 600 660");
}

/* One line far ahead must not make broken lines of all that follow; a clock that was set right must not end the count. */
static void arrivals_far_ahead_are_believed_when_time_goes_on_from_there(void **state)
{
    struct count_files files = asked();
    run_lines(&files, "8000000000000,8000000000000,A,1,P1,97\n" /* the year 2223 */
                      "60000,60000,A,1,P2,97\n"
                      "61000,90000000,A,1,P3,97\n"
                      "62000,62000,A,1,P4,97\n"
                      "8000000,8000000,B,1,P5,97\n" /* a quiet night: two hours */
                      "8001000,8001000,B,1,P6,97\n");
    assert_string_equal(broken, "passages.csv:2: it arrives more than an hour ahead of the lines around it\n"
                                "passages.csv:4: it arrives more than an hour ahead of the lines around it\n");
    assert_int_equal(files.counters.n_passages, 4);
    assert_int_equal(files.n_rows, 133); /* 60 to 7,980 */
    /* A receiver that began in the year 2000 and was set right: rows at both times, none for the years between. */
    files = asked();
    run_lines(&files, "946684800000,946684800000,A,1,P1,97\n946684861000,946684861000,A,1,P2,97\n"
                      "1790000000000,1790000000000,A,1,P3,97\n1790000090000,1790000090000,B,1,P3,97\n");
    assert_string_equal(broken, "passages.csv:4: it arrives 9760 days after the line before; no rows between\n");
    assert_int_equal(files.n_broken, 0);
    assert_int_equal(files.n_jumps, 1);
    assert_int_equal(files.counters.n_passages, 4);
    assert_rows("946684800 946684860 1790000040");
    /* Alone, and the last. */
    files = asked();
    run_lines(&files, "7999999980000,7999999980000,A,1,P1,97\n");
    assert_rows("7999999980");
    files = asked();
    run_lines(&files, "60000,60000,A,1,P2,97\n8000000000000,8000000000000,A,1,P1,97\n");
    assert_int_equal(files.n_broken, 1);
    assert_rows("60");
}

/* The camera's clock alone is wrong: its passages are refused and counted, the others are not touched. */
static void a_camera_in_the_year_2000_is_refused_alone(void **state)
{
    struct count_files files = asked();
    run_lines(&files,
        "1790000000000,1790000000100,A,1,P1,97\n946684800000,1790000001000,B,1,P2,97\n"
        "946684801000,1790000002000,B,1,P3,97\n1790000063000,1790000003000,A,1,P4,97\n1790000063001,1790000003000,A,1,P5,97\n");
    assert_int_equal(files.n_broken, 0);
    assert_int_equal(files.counters.n_late, 2);
    assert_int_equal(files.counters.n_future, 1); /* 60 s ahead is skew, more is not */
    assert_int_equal(files.counters.n_passages, 2);
}

/* Two parts of one file: each passage is one's, the rows are at the same times. */
static void parts_of_a_file_add_up(void **state)
{
    uint64_t n_passages = 0, n_duplicates = 0;
    struct count_files files = asked();
    char lines[4096] = "";
    size_t len = 0;
    for (int i = 0; i < 40; i++)
        len += (size_t)snprintf(lines + len, sizeof(lines) - len, "%d,%d,A,1,P%d,97\n", 10000 + i * 5000, 10100 + i * 5000, i / 2 * 7);
    run_lines(&files, lines);
    assert_rows("60 120 180");
    const struct count_counters whole = files.counters;
    for (uint32_t part = 0; part < 2; part++) {
        files = asked();
        files.part = part;
        files.n_parts = 2;
        run_lines(&files, lines);
        assert_rows("60 120 180");
        assert_true(files.counters.n_passages > 4);
        n_passages += files.counters.n_passages;
        n_duplicates += files.counters.n_duplicates;
    }
    assert_int_equal(n_passages, whole.n_passages);
    assert_int_equal(n_duplicates, whole.n_duplicates);
    assert_int_equal(whole.n_passages + whole.n_duplicates, 40);
}

/* Rows' times and areas without their figures. */
static void read_rows(const char *path, char *ret_rows, size_t size)
{
    char text[4000];
    test_read(path, text, sizeof(text));
    ret_rows[0] = 0;
    for (const char *at = text; *at != 0; at = strchr(at, '\n') + 1) {
        int n_commas = 0, len = 0;
        for (const char *end = strchr(at, '\n'); end > at && n_commas < 3; end--)
            if (end[-1] == ',' && ++n_commas == 3)
                len = (int)(end - 1 - at);
        snprintf(ret_rows + strlen(ret_rows), size - strlen(ret_rows), "%.*s\n", len, at);
    }
}

/* Each of five parts, those that hear nobody for a while, or ever, among them, has the rows of the whole: then they add up line by line. */
static void parts_have_the_rows_of_the_whole(void **state)
{
    static char polygons[96], areas[96];
    snprintf(polygons, sizeof(polygons), "%s/areas.geojson", folder);
    snprintf(areas, sizeof(areas), "%s/areas.csv", folder);
    test_write(polygons,
        STR("{\"features\":[{\"properties\":{\"area\":\"a\"},\"geometry\":{\"type\":\"Polygon\",\"coordinates\":[[[200,-5],[300,-5],"
            "[300,5],[200,5],[200,-5]]]}},{\"properties\":{\"area\":\"b\"},\"geometry\":{\"type\":\"Polygon\",\"coordinates\":[[[1200,"
            "-5],[1300,-5],[1300,5],[1200,5],[1200,-5]]]}}]}"));
    /* The first is an hour late and refused: nobody has a row at 3600 for it. */
    static const char lines[] = "1,3600000,B,1,Q,97\n3650000,3650000,A,1,P1,97\n3700000,3700000,A,1,P2,97\n3900000,3900000,B,1,P2,97\n"
                                "4000000,4000000,A,1,P3,97\n";
    char whole[2000], whole_areas[2000], rows[2000];
    bool is_zero = false;
    for (uint32_t part = 0; part <= 5; part++) { /* 0: the whole */
        struct count_files files = asked();
        files.areas_path = polygons;
        files.areas_out_path = areas;
        files.part = part == 0 ? 0 : part - 1;
        files.n_parts = part == 0 ? 0 : 5;
        run_lines(&files, lines);
        read_rows(counts, part == 0 ? whole : rows, sizeof(rows));
        if (part > 0)
            assert_string_equal(rows, whole);
        read_rows(areas, part == 0 ? whole_areas : rows, sizeof(rows));
        if (part > 0)
            assert_string_equal(rows, whole_areas);
        test_read(counts, rows, sizeof(rows));
        is_zero |= strstr(rows, "\n3960,0.0,0.0,0.0\n") != NULL;
    }
    assert_true(is_zero);
    assert_string_equal(whole, "time_s\n3660\n3720\n3780\n3840\n3900\n3960\n");
    assert_non_null(strstr(whole_areas, "\n3660,a\n"));
    assert_null(strstr(whole_areas, "\n3840,b\n"));
    assert_non_null(strstr(whole_areas, "\n3900,b\n"));
    unlink(polygons);
    unlink(areas);
}

/* Late by up to ten minutes counts, once; what was read twice counts once. */
static void late_passages_and_repeats_are_told_apart(void **state)
{
    struct count_files files = asked();
    run_lines(&files, "700000,700100,B,1,P1,97\n"
                      "700000,702000,B,1,P1,97\n"   /* sent again */
                      "102000,702000,A,1,P2,97\n"   /* 600 s late */
                      "101999,702000,A,1,P3,97\n"   /* a millisecond more */
                      "650000,702000,A,1,P1,97\n"); /* an older sighting of a known vehicle */
    assert_int_equal(files.counters.n_duplicates, 1);
    assert_int_equal(files.counters.n_late, 1);
    assert_int_equal(files.counters.n_out_of_order, 1);
    assert_int_equal(files.counters.n_passages, 3);
    assert_int_equal(files.n_broken, 0);
}

/* A plate at two places at once is no way that was driven: no speed comes of it. */
static void a_cloned_plate_makes_no_speed(void **state)
{
    struct count_files files = asked();
    files.roads_path = roads;
    run_lines(&files, "60000,60100,A,1,P1,97\n61000,61100,B,1,P1,97\n62000,62100,A,1,P1,97\n180000,180000,A,1,P2,97\n");
    assert_true(files.counters.n_impossible >= 1);
    char text[400];
    test_read(roads, text, sizeof(text));
    assert_string_equal(text, "time_s,edge,n,speed_mps,delay_index\n");
}

/* Plates without end, as an attacker's camera sends them: no more are known than the limit, and it is told how many went early. */
static void plates_without_end_stay_within_the_limit(void **state)
{
    enum { KNOWN = 4096, PLATES = TEST_TIMES(200000) };
    FILE *file = fopen(passages, "wb");
    assert_non_null(file);
    fputs(HEADER, file);
    for (int i = 0; i < PLATES; i++)
        fprintf(file, "%d,%d,%c,1,P%d,97\n", i, i, "AB"[i & 1], i);
    assert_int_equal(fclose(file), 0);
    struct count_files files = asked();
    files.settings.vehicles_max = KNOWN;
    assert_ok(count_files_run(&files, NULL));
    assert_int_equal(files.counters.n_passages, PLATES);
    assert_int_equal(files.n_evicted, PLATES - KNOWN);
    char text[2000];
    test_read(counts, text, sizeof(text));
    double count = 0;
    for (const char *at = strchr(text, '\n'); at != NULL && at[1] != 0; at = strchr(at + 1, '\n')) {
        assert_int_equal(sscanf(at + 1, "%*d,%lf", &count), 1);
        assert_true(count > 0 && count < 1e6);
    }
}

static void areas_have_rows_of_their_own(void **state)
{
    static char polygons[96], areas[96];
    snprintf(polygons, sizeof(polygons), "%s/areas.geojson", folder);
    snprintf(areas, sizeof(areas), "%s/areas.csv", folder);
    test_write(polygons, STR("{\"type\":\"FeatureCollection\",\"features\":["
                             "{\"type\":\"Feature\",\"properties\":{\"area\":\"西\"},\"geometry\":{\"type\":\"Polygon\",\"coordinates\":"
                             "[[[-9,-9],[900,-9],[900,9],[-9,9],[-9,-9]]]}},"
                             "{\"type\":\"Feature\",\"properties\":{\"area\":\"东\"},\"geometry\":{\"type\":\"Polygon\",\"coordinates\":"
                             "[[[900,-9],[1600,-9],[1600,9],[900,9],[900,-9]]]}},"
                             "{\"type\":\"Feature\",\"properties\":{\"area\":\"blind\"},\"geometry\":{\"type\":\"Polygon\",\"coordinates\":"
                             "[[[1600,-9],[2600,-9],[2600,9],[1600,9],[1600,-9]]]}}]}"));
    struct count_files files = asked();
    files.areas_path = polygons;
    files.areas_out_path = areas;
    run_lines(&files, "59000,59000,A,1,P1,97\n59000,59000,A,1,P2,97\n60000,60000,B,1,P3,97\n");
    char text[400], whole[400];
    test_read(areas, text, sizeof(text));
    test_read(counts, whole, sizeof(whole));
    unlink(polygons);
    unlink(areas);
    double all, west, east;
    assert_int_equal(sscanf(whole, "time_s,count,low,high\n60,%lf", &all), 1);
    assert_int_equal(sscanf(text, "time_s,area,count,low,high\n60,西,%lf,%*f,%*f\n60,东,%lf", &west, &east), 2);
    assert_near(west + east, all, 0.11);
    assert_true(west > 0 && east > 0);
    assert_null(strstr(text, "blind"));
    assert_non_null(strstr(broken, "areas.geojson: area \"blind\" has no camera; it has no rows"));
    assert_int_equal(files.n_broken, 0);
}

/* Every value names the index object that made it; junctions have their delay. A broken object ends it, with its line. */
static void indices_and_junctions_have_rows(void **state)
{
    static char object[96], indices[96], junctions[96];
    snprintf(object, sizeof(object), "%s/index.yaml", folder);
    snprintf(indices, sizeof(indices), "%s/indices.csv", folder);
    snprintf(junctions, sizeof(junctions), "%s/junctions.csv", folder);
    struct str text = STR("index: test.index\nversion: 7\ntitle: {zh: 指, en: i}\ntext: {zh: 文, en: t}\n"
                          "levels:\n  - {level: free, title: {zh: 好, en: f}}\n  - {level: jam, title: {zh: 堵, en: j}}\n"
                          "roads:\n  - {class: all, title: {zh: 全, en: a}, types: [\"*\"], least_kmh: [900]}\n"
                          "congestion: {measure: slow_vkt, slow_from: jam, scale: [[0, 0], [1, 10]]}\n");
    test_write(object, text);
    struct count_files files = asked();
    files.index_path = object;
    files.indices_path = indices;
    files.junctions_path = junctions;
    const char *lines =
        "1000,1000,A,1,P1,97\n1000,1000,A,1,P2,97\n1000,1000,A,1,P3,97\n120000,120000,B,1,P1,97\n120000,120000,B,1,P2,97\n120000,"
        "120000,B,1,P3,97\n300000,300000,B,1,P4,97\n";
    run_lines(&files, lines);
    char rows[2000], places[2000];
    double speed, delay, congestion, vehicle_km;
    char next = 0;
    test_read(indices, rows, sizeof(rows));
    test_read(junctions, places, sizeof(places));
    assert_non_null(strstr(rows, "\n120,,"));
    assert_int_equal(sscanf(strstr(rows, "\n120,,"), "\n120,,%lf,%lf,%lf,%c", &speed, &delay, &congestion, &next), 4);
    assert_int_equal(next, ','); /* not of a whole window: no sum yet */
    const char *last = strstr(rows, "\n300,,");
    assert_non_null(last);
    assert_int_equal(sscanf(last, "\n300,,%lf,%lf,%lf,%lf,test.index/7", &speed, &delay, &congestion, &vehicle_km), 4);
    assert_true(speed > 0 && delay > 1 && vehicle_km > 0);
    assert_near(congestion, 10, 1e-9); /* nobody drives 900 km/h */
    assert_int_equal(strncmp(places, "time_s,junction,n,delay_s,delay_index\n", 38), 0);
    test_write(object, STR("index: test.index\nversion: none\n"));
    struct diag diag = {""};
    assert_int_not_equal(count_files_run(&files, &diag), ERR_OK);
    assert_non_null(strstr(diag.text, "index.yaml:"));
    unlink(object);
    unlink(indices);
    unlink(junctions);
}

/* The binary form gives the same bytes. */
static void both_forms_give_the_same_counts(void **state)
{
    static char binary[96];
    char text[2000], again[2000];
    snprintf(binary, sizeof(binary), "%s/passages.bin", folder);
    struct count_files files = asked();
    run_lines(&files,
        "70000,70500,A,1,浙A00001,97\nx,1,A,1,P,1\n170000,180000,A,,浙A·a plate as long as this,\n270000,300000,B,1,浙A00001,97\n"
        "275000,300000,Z,1,浙A00002,97\n");
    assert_int_equal(files.n_broken, 2);
    test_read(counts, text, sizeof(text));
    struct count_reading reading = {0};
    uint64_t n = 0;
    assert_ok(count_passages_convert(&reading, passages, binary, NULL, &n));
    assert_int_equal(n, 4);
    files = asked();
    files.passages_path = binary;
    assert_ok(count_files_run(&files, NULL));
    unlink(binary);
    test_read(counts, again, sizeof(again));
    assert_string_equal(again, text);
    assert_int_equal(files.n_lines, 4);
    assert_string_equal(broken, "passages.bin:4: an unknown camera\n");
}

static void memory_may_be_refused_at_any_point(void **state)
{
    int64_t n_live = mem_n_live();
    enum err err = ERR_NO_MEMORY;
    test_write(passages, STR(HEADER "1000,1000,A,1,P1,97\n61000,61000,B,1,P1,97\n"));
    for (uint64_t nth = 1; err != ERR_OK; nth++) {
        struct count_files files = asked();
        mem_fail_nth(nth);
        err = count_files_run(&files, NULL);
        mem_fail_nth(0);
        assert_true(err == ERR_OK || err == ERR_NO_MEMORY);
        assert_int_equal(mem_n_live(), n_live);
        assert_true(nth < 10000);
        if (err == ERR_OK && files.n_rows == 0)
            err = ERR_NO_MEMORY; /* it did without one vehicle */
    }
}

static void broken_cameras_are_named(void **state)
{
    static char other[96];
    snprintf(other, sizeof(other), "%s/other.csv", folder);
    test_write(other, STR("camera,edge,pos_m,x,y\nA,e0,500,1,2\nB,nowhere,500,1,2\nA,e1,500,1,2\n,e3,1,1,1\n"));
    test_write(passages, STR(HEADER "1000,1000,A,1,P,97\n"));
    struct count_files files = asked();
    files.cameras_path = other;
    assert_ok(count_files_run(&files, NULL));
    assert_string_equal(broken,
        "other.csv:3: the network has no such edge\nother.csv:4: the camera is there twice\nother.csv:5: a camera needs a name "
        "and an edge\n");
    assert_int_equal(files.n_cameras_broken, 3);
    assert_int_equal(files.n_broken, 0);
    /* Another city's network: no camera is left, and there would be no count. */
    test_write(other, STR("camera,edge,pos_m,x,y\nA,somewhere,500,1,2\nB,nowhere,500,1,2\n"));
    files = asked();
    files.cameras_path = other;
    struct diag diag = {""};
    assert_err(count_files_run(&files, &diag), ERR_NOT_FOUND);
    unlink(other);
    assert_non_null(strstr(diag.text, "other.csv: none of its 2 cameras stands on an edge of /"));
}

/* An edge of another network may have the same name: the camera is used, and it is told. e0 has 500 m. */
static void cameras_beyond_their_edge_are_named(void **state)
{
    static char other[96];
    char lines[2000] = "camera,pos_m,edge\nA,500,e0\nB,505.9,e1\n\nC,507,e2\nD,-20,e3\nE,,e4\nF,somewhere,e5\n", alone[2000], text[2000];
    test_write(passages, STR(HEADER "1000,1000,A,1,P,97\n61000,61000,C,1,P,97\n"));
    snprintf(other, sizeof(other), "%s/other.csv", folder);
    test_write(other, str_from_c(lines));
    struct count_files files = asked();
    files.cameras_path = other;
    assert_ok(count_files_run(&files, NULL));
    assert_string_equal(broken, "other.csv:5: camera \"C\" is beyond the edge's end, 507 m of 500: another network?\n");
    assert_int_equal(files.n_cameras_beyond, 1);
    assert_int_equal(files.n_cameras_broken, 0);
    test_read(counts, text, sizeof(text));
    memcpy(strstr(lines, "507"), "500", 3);
    test_write(other, str_from_c(lines));
    files = asked();
    files.cameras_path = other;
    assert_ok(count_files_run(&files, NULL));
    assert_int_equal(files.n_cameras_beyond, 0);
    assert_string_equal(broken, "");
    test_read(counts, alone, sizeof(alone));
    assert_string_equal(alone, text); /* where on its edge makes no difference */
    /* Many are not told one by one. */
    test_write(other, STR("camera,edge,pos_m\nA,e0,9999\nB,e1,9999\nC,e2,9999\nD,e3,9999\nE,e4,9999\nF,e5,9999\nG,e6,9999\n"));
    files = asked();
    files.cameras_path = other;
    assert_ok(count_files_run(&files, NULL));
    assert_int_equal(files.n_cameras_beyond, 7);
    assert_non_null(strstr(broken, "other.csv:6: camera \"E\""));
    assert_null(strstr(broken, "other.csv:7:"));
    unlink(other);
}

static void what_ends_a_run_is_told(void **state)
{
    test_write(passages, STR("time,plate\n1,P\n"));
    struct count_files files = asked();
    struct diag diag = {""};
    assert_err(count_files_run(&files, &diag), ERR_SYNTAX);
    assert_non_null(strstr(diag.text, "passages.csv:1: the first line is not \"pass_time_ms,"));
    test_write(passages, STR(""));
    files = asked();
    assert_err(count_files_run(&files, &diag), ERR_SYNTAX);
    assert_non_null(strstr(diag.text, "passages.csv:1: the file is empty; its first line is \"pass_time_ms,"));
    files = asked();
    files.cameras_path = passages;
    assert_err(count_files_run(&files, &diag), ERR_SYNTAX);
    assert_non_null(strstr(diag.text, "passages.csv:1: the file is empty"));
    files = asked();
    files.network_path = passages;
    assert_err(count_files_run(&files, &diag), ERR_SYNTAX);
    assert_non_null(strstr(diag.text, "passages.csv:1: "));
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
    test_write(passages, STR(HEADER "1000,1000,A,1,P,97\n"));
    files = asked();
    files.counts_path = "/dev/full";
    files.until_s = 86400;
    assert_err(count_files_run(&files, &diag), ERR_DISK_FULL);
    files = asked();
    files.health_path = "/nowhere/health.csv";
    assert_err(count_files_run(&files, &diag), ERR_NOT_FOUND);
    assert_int_equal(files.n_lines, 0); /* told before the work, not after it */
}

/* Opening a file to write in it would have emptied it. */
static void nothing_is_written_over_what_is_read(void **state)
{
    static const char lines[] = HEADER "1000,1000,A,1,P,97\n61000,61000,B,1,P,97\n";
    char text[2000];
    struct diag diag = {""};
    test_write(passages, STR(lines));
    struct count_files over = asked(), twice = asked();
    over.counts_path = passages;
    assert_err(count_files_run(&over, &diag), ERR_EXISTS);
    assert_non_null(strstr(diag.text, "passages.csv: it is a file that is read"));
    over = asked();
    over.roads_path = cameras;
    assert_err(count_files_run(&over, &diag), ERR_EXISTS);
    over = asked();
    over.health_path = network;
    assert_err(count_files_run(&over, &diag), ERR_EXISTS);
    test_read(passages, text, sizeof(text));
    assert_string_equal(text, lines);
    twice.roads_path = counts;
    assert_err(count_files_run(&twice, &diag), ERR_EXISTS);
    assert_non_null(strstr(diag.text, "counts.csv: two tables would go into it"));
    struct count_files files = asked();
    assert_ok(count_files_run(&files, &diag)); /* cameras and network are whole, too */
    assert_int_equal(files.n_rows, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_on_multiples_and_causal),
        cmocka_unit_test(until_gives_rows_beyond_the_last),
        cmocka_unit_test(until_is_at_most_a_week_later),
        cmocka_unit_test(broken_lines_are_named_and_left_out),
        cmocka_unit_test(passages_of_other_cameras_are_an_error),
        cmocka_unit_test(arrivals_that_go_back_are_taken_or_named),
        cmocka_unit_test(arrivals_far_ahead_are_believed_when_time_goes_on_from_there),
        cmocka_unit_test(a_camera_in_the_year_2000_is_refused_alone),
        cmocka_unit_test(late_passages_and_repeats_are_told_apart),
        cmocka_unit_test(parts_of_a_file_add_up),
        cmocka_unit_test(parts_have_the_rows_of_the_whole),
        cmocka_unit_test(a_cloned_plate_makes_no_speed),
        cmocka_unit_test(plates_without_end_stay_within_the_limit),
        cmocka_unit_test(areas_have_rows_of_their_own),
        cmocka_unit_test(indices_and_junctions_have_rows),
        cmocka_unit_test(both_forms_give_the_same_counts),
        cmocka_unit_test(memory_may_be_refused_at_any_point),
        cmocka_unit_test(broken_cameras_are_named),
        cmocka_unit_test(cameras_beyond_their_edge_are_named),
        cmocka_unit_test(what_ends_a_run_is_told),
        cmocka_unit_test(nothing_is_written_over_what_is_read),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
