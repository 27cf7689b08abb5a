/* The census from files: a street of trees with degrees, areas and coverage; broken lines; what ends a run. */
#include "scene/census/file.h"

#include "base/test_files.h"
#include "scene/census/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/citybrain_census_XXXXXX"; /* mkdtemp() fills it in */
static char sightings[80], covered[80], areas[80], counts[80], objects[80];
static char broken[4000];

static int setup(void **state)
{
    assert_non_null(mkdtemp(folder));
    snprintf(sightings, sizeof(sightings), "%s/sightings.csv", folder);
    snprintf(covered, sizeof(covered), "%s/covered.geojson", folder);
    snprintf(areas, sizeof(areas), "%s/areas.geojson", folder);
    snprintf(counts, sizeof(counts), "%s/counts.csv", folder);
    snprintf(objects, sizeof(objects), "%s/objects.csv", folder);
    return 0;
}

static int teardown(void **state)
{
    const char *paths[] = {sightings, covered, areas, counts, objects};
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        unlink(paths[i]);
    return rmdir(folder);
}

static void on_broken(void *context, const char *text)
{
    const char *name = strrchr(text, '/');
    strncat(broken, name != NULL ? name + 1 : text, sizeof(broken) - strlen(broken) - 1);
    strncat(broken, "\n", sizeof(broken) - strlen(broken) - 1);
}

static struct census_files asked(void)
{
    broken[0] = 0;
    return (struct census_files){.sightings_path = sightings,
        .counts_path = counts,
        .error_m = 2,
        .n_draws = 40,
        .n_replicates = 3,
        .seed = 1,
        .on_broken = on_broken};
}

/* 200 trees, 10 m apart along a parallel of 普洱, camphor and tea in turns; two surveys that see 80 %. */
static void write_street(void)
{
    FILE *file = fopen(sightings, "wb");
    assert_non_null(file);
    fprintf(file, "id,class,lat,lon,survey\n");
    struct census_random random = {7};
    double metre = 1 / 111194.9, shrink = cos(22.78 * M_PI / 180);
    for (int survey = 0; survey < 2; survey++)
        for (int tree = 0; tree < 200; tree++)
            if (census_random_unit(&random) < 0.8)
                fprintf(file, "%d,%s,%.8f,%.8f,%s\n", tree, tree % 2 ? "茶" : "樟", 22.78 + census_random_normal(&random) * metre,
                    100.97 + (10 * tree + census_random_normal(&random)) * metre / shrink, survey ? "秋" : "春");
    assert_int_equal(fclose(file), 0);
}

#define BOX(key_, name_, west_, east_)                                                                                                     \
    "{\"type\":\"Feature\",\"properties\":{\"" key_ "\":\"" name_ "\"},\"geometry\":{\"type\":\"Polygon\",\"coordinates\":[[[" west_       \
    ",22.77],[" east_ ",22.77],[" east_ ",22.79],[" west_ ",22.79],[" west_ ",22.77]]]}}"

static void a_street_is_counted(void **state)
{
    write_street();
    test_write(covered, STR("{\"features\":[" BOX("survey", "春", "100.9", "101.1") "," BOX("survey", "秋", "100.9", "101.1") "]}"));
    test_write(areas, STR("{\"features\":[" BOX("name", "west", "100.96", "100.98") "," BOX("name", "far", "101", "101.2") "]}"));
    struct census_files files = asked();
    files.covered_path = covered;
    files.areas_path = areas;
    files.objects_path = objects;
    struct diag diag = {""};
    if (census_files_run(&files, &diag) != ERR_OK)
        fail_msg("%s", diag.text);
    assert_string_equal(broken, "");
    assert_int_equal(files.n_surveys, 2);
    assert_string_equal(files.survey_names[1], "秋");
    assert_true(files.all.low <= 205 && files.all.high >= 195 && fabs(files.all.count - 200) < 12);
    assert_true(fabs(files.surveys[0].detection - 0.8) < 0.1);
    assert_int_equal(files.n_outside, 0);
    assert_true(files.n_no_area > 100 && files.n_no_area < files.n_lines - 100); /* the street goes on east of "west" */
    assert_int_equal(files.n_lines, files.all.n_sightings);
    char text[4000];
    test_read(counts, text, sizeof(text));
    assert_true(strncmp(text, "area,class,count,low,high,objects,sightings,covered,twice\nwest,", 63) == 0);
    assert_non_null(strstr(text, "\nwest,*,"));
    assert_non_null(strstr(text, ",1.000,1.000\nfar,*,,,,0,0,0.")); /* half of it was covered; nothing was seen, which is not zero */
    assert_non_null(strstr(text, "\n*,樟,"));
    assert_non_null(strstr(text, "\n*,*,"));
    FILE *file = fopen(objects, "rb");
    assert_non_null(file);
    char line[300];
    uint32_t n = 0;
    assert_non_null(fgets(line, sizeof(line), file));
    assert_string_equal(line, "object,lon,lat,error_m,class,area,sightings,surveys\n");
    for (; fgets(line, sizeof(line), file) != NULL; n++) {
        double lon, lat;
        unsigned number;
        assert_int_equal(sscanf(line, "%u,%lf,%lf", &number, &lon, &lat), 3);
        assert_int_equal(number, n + 1);
        assert_true(fabs(lat - 22.78) < 1e-4 && lon > 100.9699 && lon < 100.99);
    }
    fclose(file);
    assert_true(n >= 175 && n <= 205);
}

static void coverage_is_the_hull_when_nobody_tells(void **state)
{
    write_street();
    struct census_files files = asked();
    assert_ok(census_files_run(&files, NULL));
    assert_true(fabs(files.all.count - 200) < 20);
}

static void broken_lines_are_named_and_left_out(void **state)
{
    test_write(sightings, STR("survey,x,y,class,error_m,id\n"
                              "a,1,1,t,1,1\n"
                              ",1,1,t,1,2\n"
                              "a,1,1,,1,2\n"
                              "a,x,1,t,1,2\n"
                              "a,1,1e10,t,1,2\n"
                              "a,1,2000000,t,1,2\n"
                              "a,1,1,t,21,2\n"
                              "a,1,1,t,-1,2\n"
                              "a,1,1,t,1,1\n"
                              "b,1,1,t,1,1\n"
                              "\n"
                              "b,2,1,t,,\n"));
    test_write(covered, STR("{\"features\":[" BOX("survey", "a", "-10", "10") "]}"));
    struct census_files files = asked();
    struct diag diag = {""};
    files.covered_path = covered;
    assert_err(census_files_run(&files, &diag), ERR_NOT_FOUND); /* none for b */
    assert_non_null(strstr(diag.text, "covered.geojson: no polygon has the property \"survey\" of \"b\""));
    assert_string_equal(broken, "sightings.csv:3: a survey's name has 1 to 64 bytes\n"
                                "sightings.csv:4: a class's name has 1 to 64 bytes\n"
                                "sightings.csv:5: the place is not two numbers\n"
                                "sightings.csv:6: the place is more than 1e9 metres away\n"
                                "sightings.csv:7: the place is more than 1,000 km from the first one\n"
                                "sightings.csv:8: error_m is not a number of metres from 0.05 to 20\n"
                                "sightings.csv:9: error_m is not a number of metres from 0.05 to 20\n"
                                "sightings.csv:10: this id was there before in this survey\n");
    assert_int_equal(files.n_broken, 8);
    assert_int_equal(files.n_lines, 11);
}

static void more_surveys_and_classes_than_there_is_room(void **state)
{
    FILE *file = fopen(sightings, "wb");
    assert_non_null(file);
    fprintf(file, "survey,x,y,class\n");
    for (int i = 0; i < 20; i++)
        fprintf(file, "s%d,%d,%d,t\n", i, i % 3, i / 3);
    for (int i = 0; i < 70; i++)
        fprintf(file, "s0,%d,0,c%d\n", i, i);
    assert_int_equal(fclose(file), 0);
    test_write(covered, STR("{\"features\":[" BOX("survey", "s0", "-10", "10") "]}"));
    struct census_files files = asked();
    files.covered_path = covered;
    assert_err(census_files_run(&files, NULL), ERR_NOT_FOUND);
    assert_int_equal(files.n_broken, 4 + 7);
    assert_non_null(strstr(broken, "sightings.csv:18: more than 16 surveys\n"));
    assert_non_null(strstr(broken, "more than 64 classes\n"));
}

static void what_ends_a_run_is_told(void **state)
{
    struct diag diag = {""};
    struct census_files files = asked();
    test_write(sightings, STR("survey,x,lat,class\na,1,1,t\n"));
    assert_err(census_files_run(&files, &diag), ERR_SYNTAX);
    assert_non_null(strstr(diag.text, "sightings.csv:1: sightings need the columns"));
    test_write(sightings, STR("survey,x,y,lon,lat,class\na,1,1,1,1,t\n"));
    assert_err(census_files_run(&files, &diag), ERR_SYNTAX);
    test_write(sightings, STR("survey,x,y,class\n"));
    assert_err(census_files_run(&files, &diag), ERR_NOT_FOUND);
    assert_non_null(strstr(diag.text, "no sighting that can be used"));
    test_write(sightings, STR(""));
    assert_true(census_files_run(&files, &diag) != ERR_OK);
    test_write(sightings, STR("survey,x,y,class\na,0,0,t\na,5,0,t\na,0,5,t\nb,100,0,t\nb,105,0,t\nb,100,5,t\n"));
    assert_err(census_files_run(&files, &diag), ERR_STATE);
    assert_non_null(strstr(diag.text, "survey \"a\" covered nothing that another covered"));
    files.sightings_path = "/nowhere/sightings.csv";
    assert_err(census_files_run(&files, &diag), ERR_NOT_FOUND);
    write_street();
    files = asked();
    files.counts_path = "/nowhere/counts.csv";
    assert_err(census_files_run(&files, &diag), ERR_NOT_FOUND);
    assert_non_null(strstr(diag.text, "cannot write"));
    files.counts_path = "/dev/full";
    assert_err(census_files_run(&files, &diag), ERR_DISK_FULL);
    files.counts_path = sightings; /* which would be empty then */
    assert_err(census_files_run(&files, &diag), ERR_EXISTS);
    files = asked();
    files.objects_path = counts;
    assert_err(census_files_run(&files, &diag), ERR_EXISTS);
    assert_non_null(strstr(diag.text, "two tables would go into it"));
    files.objects_path = NULL;
    assert_ok(census_files_run(&files, &diag));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_street_is_counted),
        cmocka_unit_test(coverage_is_the_hull_when_nobody_tells),
        cmocka_unit_test(broken_lines_are_named_and_left_out),
        cmocka_unit_test(more_surveys_and_classes_than_there_is_room),
        cmocka_unit_test(what_ends_a_run_is_told),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
