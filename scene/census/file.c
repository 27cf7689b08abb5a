/* The census from files; see file.h. */
#include "scene/census/file.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/outs.h"
#include "base/str_map.h"
#include "road/table.h"
#include "scene/census/random.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define EARTH_M 6371008.8
#define HULL_ERRORS 2.5
#define PLACES_TRIED 10000 /* in an area, for how much of it was covered */

enum { COLUMN_SURVEY, COLUMN_LON, COLUMN_LAT, COLUMN_X, COLUMN_Y, COLUMN_CLASS, COLUMN_ERROR, COLUMN_ID };
static const char *const columns[] = {"survey", "lon", "lat", "x", "y", "class", "error_m", "id", NULL};

struct run {
    struct census_files *files;
    struct diag *diag;
    struct str_map surveys, classes, ids;
    struct census_sighting *sightings; /* places in metres, once all are read */
    double (*places)[2];               /* as the file has them */
    uint32_t n, cap;
    bool is_geographic, is_path; /* is_path: the sightings are a file, not memory */
    struct shapes covered, areas;
    struct shape *hulls; /* [n_surveys], where nothing tells what was covered */
    uint8_t *survey_of;  /* [covered.n], or CENSUS_SURVEYS_MAX: of none that is here */
};

/* ---- lines ---- */

static const char *on_header(void *context, uint32_t present)
{
    struct run *run = context;
    uint32_t degrees = 1u << COLUMN_LON | 1u << COLUMN_LAT, metres = 1u << COLUMN_X | 1u << COLUMN_Y;
    run->is_geographic = (present & degrees) == degrees;
    bool is_flat = (present & metres) == metres;
    if ((present & 1u << COLUMN_SURVEY) == 0 || (present & 1u << COLUMN_CLASS) == 0 || run->is_geographic == is_flat)
        return "sightings need the columns survey, class, and either lon and lat (WGS 84) or x and y (metres)";
    return NULL;
}

static bool make_room(struct run *run)
{
    if (run->n < run->cap)
        return true;
    uint32_t cap = run->cap == 0 ? 1024 : run->cap * 2;
    struct census_sighting *sightings = mem_resize(run->sightings, cap * sizeof(*sightings));
    if (sightings == NULL)
        return false;
    run->sightings = sightings;
    double(*places)[2] = mem_resize(run->places, cap * sizeof(*places));
    if (places == NULL)
        return false;
    run->places = places;
    run->cap = cap;
    return true;
}

static const char *read_place(const struct run *run, const struct str *fields, double place[2])
{
    if (str_to_double(fields[run->is_geographic ? COLUMN_LON : COLUMN_X], &place[0]) != ERR_OK ||
        str_to_double(fields[run->is_geographic ? COLUMN_LAT : COLUMN_Y], &place[1]) != ERR_OK)
        return "the place is not two numbers";
    if (run->is_geographic && (fabs(place[0]) > 180 || fabs(place[1]) > 85))
        return "the place is not on the globe between 85 degrees south and north";
    if (!run->is_geographic && (fabs(place[0]) > 1e9 || fabs(place[1]) > 1e9))
        return "the place is more than 1e9 metres away";
    if (run->n > 0) {
        double metre = run->is_geographic ? EARTH_M * M_PI / 180 : 1;
        if (fabs(place[0] - run->places[0][0]) * metre > CENSUS_REACH_MAX_M ||
            fabs(place[1] - run->places[0][1]) * metre > CENSUS_REACH_MAX_M)
            return "the place is more than 1,000 km from the first one";
    }
    return NULL;
}

/* A sighting of this survey and id came before: the same line sent twice, not a tree seen twice. */
static const char *take_id(struct run *run, uint32_t survey, struct str id)
{
    char key[2 + SHAPE_NAME_MAX];
    uint32_t before = run->ids.n, number;
    if (str_is_empty(id))
        return NULL;
    if (id.len > SHAPE_NAME_MAX)
        return "an id has at most 64 bytes";
    key[0] = (char)survey;
    memcpy(key + 1, id.ptr, id.len);
    if (str_map_add(&run->ids, (struct str){key, id.len + 1}, &number) != ERR_OK)
        return "no room for another id";
    return number == before ? NULL : "this id was there before in this survey";
}

static const char *on_line(void *context, const struct str *fields)
{
    struct run *run = context;
    double place[2], error_m = run->files->error_m;
    uint32_t survey, class;
    if (str_is_empty(fields[COLUMN_SURVEY]) || fields[COLUMN_SURVEY].len > SHAPE_NAME_MAX)
        return "a survey's name has 1 to 64 bytes";
    if (str_is_empty(fields[COLUMN_CLASS]) || fields[COLUMN_CLASS].len > SHAPE_NAME_MAX)
        return "a class's name has 1 to 64 bytes";
    const char *wrong = read_place(run, fields, place);
    if (wrong != NULL)
        return wrong;
    if (!str_is_empty(fields[COLUMN_ERROR]) &&
        (str_to_double(fields[COLUMN_ERROR], &error_m) != ERR_OK || error_m < CENSUS_ERROR_MIN_M || error_m > CENSUS_ERROR_MAX_M))
        return "error_m is not a number of metres from 0.05 to 20";
    if (run->n == CENSUS_SIGHTINGS_MAX || !make_room(run))
        return "no room for another sighting";
    int64_t known_survey = str_map_find(&run->surveys, fields[COLUMN_SURVEY]);
    if (known_survey < 0 && run->surveys.n == CENSUS_SURVEYS_MAX)
        return "more than 16 surveys";
    if (str_map_find(&run->classes, fields[COLUMN_CLASS]) < 0 && run->classes.n == CENSUS_CLASSES_MAX)
        return "more than 64 classes";
    wrong = take_id(run, known_survey < 0 ? run->surveys.n : (uint32_t)known_survey, fields[COLUMN_ID]);
    if (wrong != NULL)
        return wrong;
    /* Last, so that a line that is not used leaves no survey or class without a sighting. */
    if (str_map_add(&run->surveys, fields[COLUMN_SURVEY], &survey) != ERR_OK ||
        str_map_add(&run->classes, fields[COLUMN_CLASS], &class) != ERR_OK)
        return "no room for another name";
    memcpy(run->places[run->n], place, sizeof(place));
    run->sightings[run->n++] =
        (struct census_sighting){.error_m = (float)error_m, .area = CENSUS_NO_AREA, .survey = (uint8_t)survey, .class = (uint8_t) class};
    return NULL;
}

static void on_broken(void *context, const char *text)
{
    const struct run *run = context;
    if (run->files->on_broken != NULL)
        run->files->on_broken(run->files->context, text);
}

/* ---- places ---- */

/* Degrees to metres on a plane that touches at the first sighting: a part in a thousand wrong 100 km away. */
static void to_metres(struct run *run)
{
    double metre = EARTH_M * M_PI / 180, shrink = cos(run->places[0][1] * M_PI / 180);
    for (uint32_t i = 0; i < run->n; i++) {
        run->sightings[i].x_m = run->is_geographic ? (run->places[i][0] - run->places[0][0]) * metre * shrink : run->places[i][0];
        run->sightings[i].y_m = run->is_geographic ? (run->places[i][1] - run->places[0][1]) * metre : run->places[i][1];
    }
}

static void to_place(const struct run *run, double x_m, double y_m, double place[2])
{
    double metre = EARTH_M * M_PI / 180, shrink = cos(run->places[0][1] * M_PI / 180);
    place[0] = run->is_geographic ? run->places[0][0] + x_m / metre / shrink : x_m;
    place[1] = run->is_geographic ? run->places[0][1] + y_m / metre : y_m;
}

/* The hull of a survey's sightings, and as much around it as they err: else each hull would leave out what stands at the other's edge. */
static enum err make_hull(const struct run *run, uint32_t survey, double (*points)[2], struct shape *ret_hull)
{
    uint32_t n = 0, n_around = 0;
    double error_m = 0, metre = run->is_geographic ? EARTH_M * M_PI / 180 : 1;
    double shrink = run->is_geographic ? cos(run->places[0][1] * M_PI / 180) : 1;
    for (uint32_t i = 0; i < run->n; i++)
        if (run->sightings[i].survey == survey) {
            error_m += run->sightings[i].error_m;
            memcpy(points[n++], run->places[i], sizeof(points[0]));
        }
    double wide = HULL_ERRORS * error_m / n / metre;
    struct shape hull;
    enum err err = shape_hull(points, n, &hull);
    if (err != ERR_OK || hull.n_points == 0) {
        if (err == ERR_OK)
            *ret_hull = hull;
        return err;
    }
    double(*around)[2] = mem_alloc((size_t)hull.n_points * 8 * sizeof(*around));
    for (uint32_t i = 0; around != NULL && i < hull.n_points; i++)
        for (int side = 0; side < 8; side++) {
            around[n_around][0] = hull.points[i][0] + wide / shrink * cos(side * M_PI / 4);
            around[n_around++][1] = hull.points[i][1] + wide * sin(side * M_PI / 4);
        }
    err = around == NULL ? ERR_NO_MEMORY : shape_hull(around, n_around, ret_hull);
    mem_free(around);
    shape_finish(&hull);
    return err;
}

static enum err make_hulls(struct run *run)
{
    run->hulls = mem_alloc_zero(run->surveys.n, sizeof(*run->hulls));
    double(*points)[2] = mem_alloc(run->n * sizeof(*points));
    enum err err = run->hulls == NULL || points == NULL ? ERR_NO_MEMORY : ERR_OK;
    for (uint32_t k = 0; err == ERR_OK && k < run->surveys.n; k++)
        err = make_hull(run, k, points, &run->hulls[k]);
    mem_free(points);
    return err;
}

static enum err name_coverage(struct run *run)
{
    run->survey_of = mem_alloc(run->covered.n);
    if (run->survey_of == NULL)
        return ERR_NO_MEMORY;
    uint32_t has_shape = 0;
    for (uint32_t i = 0; i < run->covered.n; i++) {
        int64_t survey = str_map_find(&run->surveys, str_from_c(run->covered.shapes[i].name));
        run->survey_of[i] = survey < 0 ? CENSUS_SURVEYS_MAX : (uint8_t)survey;
        has_shape |= survey < 0 ? 0 : 1u << survey;
    }
    for (uint32_t k = 0; k < run->surveys.n; k++)
        if ((has_shape >> k & 1) == 0)
            return diag_set(run->diag, ERR_NOT_FOUND, run->files->covered_path, 0,
                "no polygon has the property \"survey\" of \"" STR_FORMAT "\"; add what it covered, or leave the survey out",
                STR_ARG(str_map_key(&run->surveys, k)));
    return ERR_OK;
}

static uint16_t covers(const struct run *run, const double place[2])
{
    uint16_t bits = 0;
    for (uint32_t k = 0; run->hulls != NULL && k < run->surveys.n; k++)
        if (shape_contains(&run->hulls[k], place[0], place[1]))
            bits |= (uint16_t)(1u << k);
    for (uint32_t i = 0; i < run->covered.n; i++)
        if (run->survey_of[i] < CENSUS_SURVEYS_MAX && (bits >> run->survey_of[i] & 1) == 0 &&
            shape_contains(&run->covered.shapes[i], place[0], place[1]))
            bits |= (uint16_t)(1u << run->survey_of[i]);
    return bits;
}

static enum err locate(struct run *run)
{
    enum err err = run->covered.n > 0 ? name_coverage(run) : make_hulls(run);
    for (uint32_t i = 0; err == ERR_OK && i < run->n; i++) {
        struct census_sighting *one = &run->sightings[i];
        one->covers = covers(run, run->places[i]);
        run->files->n_outside += run->covered.n > 0 && (one->covers >> one->survey & 1) == 0;
        for (uint32_t a = 0; a < run->areas.n && one->area == CENSUS_NO_AREA; a++)
            if (shape_contains(&run->areas.shapes[a], run->places[i][0], run->places[i][1]))
                one->area = (uint16_t)a;
        run->files->n_no_area += run->areas.n > 0 && one->area == CENSUS_NO_AREA;
    }
    if (err == ERR_OK)
        to_metres(run);
    return err;
}

/* Shares of an area that at least one survey, and two, covered: by places drawn in it. */
static void share_covered(const struct run *run, const struct shape *area, double *ret_once, double *ret_twice)
{
    struct census_random random = {1};
    uint32_t inside = 0, once = 0, twice = 0;
    for (uint32_t i = 0; i < PLACES_TRIED; i++) {
        double place[2];
        for (int axis = 0; axis < 2; axis++)
            place[axis] = area->low[axis] + (area->high[axis] - area->low[axis]) * census_random_unit(&random);
        if (!shape_contains(area, place[0], place[1]))
            continue;
        uint16_t bits = covers(run, place);
        inside++;
        once += bits != 0;
        twice += (bits & (bits - 1)) != 0;
    }
    *ret_once = inside > 0 ? (double)once / inside : 0;
    *ret_twice = inside > 0 ? (double)twice / inside : 0;
}

/* ---- out ---- */

static void write_row(
    const struct run *run, FILE *out, const struct census_row *row, uint32_t area, uint32_t class, double once, double twice)
{
    bool is_all = area == run->areas.n;
    struct str name = class == run->classes.n ? STR("*") : str_map_key(&run->classes, class);
    fprintf(out, "%s," STR_FORMAT ",", is_all ? "*" : run->areas.shapes[area].name, STR_ARG(name));
    if (row->n_sightings > 0)
        fprintf(out, "%.1f,%.1f,%.1f,%.1f,%llu,", row->count, row->low, row->high, row->n_objects, (unsigned long long)row->n_sightings);
    else /* nothing seen is not zero: nobody may have looked */
        fprintf(out, ",,,0,0,");
    if (is_all)
        fprintf(out, ",\n");
    else
        fprintf(out, "%.3f,%.3f\n", once, twice);
}

static void tell_rows(const struct run *run, const struct census_settings *settings, const struct census_result *result)
{
    for (uint32_t a = 0; run->files->on_row != NULL && a <= run->areas.n; a++)
        for (uint32_t c = 0; c <= run->classes.n; c++)
            run->files->on_row(run->files->context, a == run->areas.n ? STR("*") : str_from_c(run->areas.shapes[a].name),
                c == run->classes.n ? STR("*") : str_map_key(&run->classes, c), census_row(result, settings, a, c));
}

static void write_counts(const struct run *run, FILE *out, const struct census_settings *settings, const struct census_result *result)
{
    fprintf(out, "area,class,count,low,high,objects,sightings,covered,twice\n");
    for (uint32_t a = 0; a <= run->areas.n; a++) {
        double once = 0, twice = 0;
        if (a < run->areas.n)
            share_covered(run, &run->areas.shapes[a], &once, &twice);
        for (uint32_t c = 0; c <= run->classes.n; c++) {
            const struct census_row *row = census_row(result, settings, a, c);
            if (row->n_sightings > 0 || c == run->classes.n)
                write_row(run, out, row, a, c, once, twice);
        }
    }
}

static void write_objects(const struct run *run, FILE *out, const struct census_result *result)
{
    int decimals = run->is_geographic ? 7 : 2;
    fprintf(out, "object,%s,error_m,class,area,sightings,surveys\n", run->is_geographic ? "lon,lat" : "x,y");
    for (uint32_t i = 0; i < result->n_objects; i++) {
        const struct census_object *object = &result->objects[i];
        double place[2];
        to_place(run, object->x_m, object->y_m, place);
        fprintf(out, "%u,%.*f,%.*f,%.2f," STR_FORMAT ",%s,%u,", i + 1, decimals, place[0], decimals, place[1], (double)object->error_m,
            STR_ARG(str_map_key(&run->classes, object->class)), object->area < run->areas.n ? run->areas.shapes[object->area].name : "",
            object->n_sightings);
        const char *between = "";
        for (uint32_t k = 0; k < run->surveys.n; k++)
            if (object->seen >> k & 1) {
                fprintf(out, "%s" STR_FORMAT, between, STR_ARG(str_map_key(&run->surveys, k)));
                between = " ";
            }
        fputc('\n', out);
    }
}

static enum err write_all(const struct run *run, const struct census_settings *settings, const struct census_result *result)
{
    const struct census_files *files = run->files;
    const char *const read[] = {run->is_path ? files->sightings_path : NULL, files->covered_path, files->areas_path};
    struct outs outs = {.n = 0};
    FILE *counts = NULL, *objects = NULL;
    enum err err = ERR_OK;
    for (size_t i = 0; i < sizeof(read) / sizeof(read[0]); i++)
        outs_spare(&outs, read[i]);
    if (files->counts_path != NULL)
        err = outs_open(&outs, files->counts_path, run->diag, &counts);
    if (err == ERR_OK && files->objects_path != NULL)
        err = outs_open(&outs, files->objects_path, run->diag, &objects);
    if (err == ERR_OK && counts != NULL)
        write_counts(run, counts, settings, result);
    if (err == ERR_OK && objects != NULL)
        write_objects(run, objects, result);
    enum err closed = outs_close(counts, files->counts_path, err == ERR_OK ? run->diag : NULL);
    err = err != ERR_OK ? err : closed;
    closed = outs_close(objects, files->objects_path, err == ERR_OK ? run->diag : NULL);
    return err != ERR_OK ? err : closed;
}

/* ---- the run ---- */

static void tell(struct run *run, const struct census_settings *settings, const struct census_result *result)
{
    struct census_files *files = run->files;
    files->n_surveys = run->surveys.n;
    for (uint32_t k = 0; k < run->surveys.n; k++) {
        files->surveys[k] = result->surveys[k];
        snprintf(files->survey_names[k], sizeof(files->survey_names[k]), STR_FORMAT, STR_ARG(str_map_key(&run->surveys, k)));
    }
    files->all = *census_row(result, settings, run->areas.n, run->classes.n);
    files->error_scale = result->error_scale;
    files->heterogeneity = result->heterogeneity;
    files->misread = run->classes.n > 1 ? result->misread : 0;
    files->disagreement = result->disagreement;
}

static enum err explain(const struct run *run, enum err err, uint32_t survey)
{
    const char *path = run->files->sightings_path;
    if (err == ERR_STATE)
        return diag_set(run->diag, err, path, 0,
            "survey \"" STR_FORMAT
            "\" covered nothing that another covered, too: nothing tells how many it missed; survey a part again, or "
            "leave it out",
            STR_ARG(str_map_key(&run->surveys, survey)));
    if (err == ERR_FULL)
        return diag_set(run->diag, err, path, 0, "more than 4,096 sightings at one place; is its unit right, or its error_m too large?");
    return err;
}

static enum err count(struct run *run)
{
    struct census_files *files = run->files;
    if (run->n == 0)
        return diag_set(
            run->diag, ERR_NOT_FOUND, files->sightings_path, 0, "it has no sighting that can be used; there is nothing to count");
    if (run->areas.n > CENSUS_AREAS_MAX)
        return diag_set(run->diag, ERR_TOO_LARGE, files->areas_path, 0, "more than %d areas; count a part", CENSUS_AREAS_MAX);
    enum err err = locate(run);
    if (err != ERR_OK)
        return err;
    struct census_settings settings = {.n_surveys = run->surveys.n,
        .n_classes = run->classes.n,
        .n_areas = run->areas.n,
        .n_draws = files->n_draws,
        .n_replicates = files->n_replicates,
        .seed = files->seed,
        .on_progress = files->on_progress,
        .context = files->context};
    struct census_result result;
    uint32_t survey = 0;
    err = census_run(&settings, run->sightings, run->n, &result, &survey);
    if (err != ERR_OK)
        return explain(run, err, survey);
    tell(run, &settings, &result);
    tell_rows(run, &settings, &result);
    err = write_all(run, &settings, &result);
    census_result_finish(&result);
    return err;
}

static enum err run_all(struct census_files *files, struct str text, struct str covered, bool is_path, struct diag *diag)
{
    struct run run = {.files = files, .diag = diag, .is_path = is_path};
    struct road_table table = {columns, on_header, on_line, on_broken, NULL, &run, 0, 0};
    uint64_t seed = (uint64_t)clock_mono(clock_system()).ns; /* of the maps, whose keys come from outside; no figure depends on it */
    str_map_init(&run.surveys, CENSUS_SURVEYS_MAX, seed);
    str_map_init(&run.classes, CENSUS_CLASSES_MAX, seed);
    str_map_init(&run.ids, CENSUS_SIGHTINGS_MAX, seed);
    files->n_lines = files->n_broken = files->n_outside = files->n_no_area = 0;
    enum err err = ERR_OK;
    if (is_path && files->covered_path != NULL)
        err = shapes_load(files->covered_path, "survey", NULL, diag, &run.covered);
    else if (!str_is_empty(covered))
        err = shapes_parse(covered, "covered", "survey", NULL, diag, &run.covered);
    if (err == ERR_OK && files->areas_path != NULL)
        err = shapes_load(files->areas_path, "name", "area", diag, &run.areas);
    if (err == ERR_OK)
        err = is_path ? road_table_read(&table, files->sightings_path, diag) : road_table_parse(&table, text, files->sightings_path, diag);
    files->n_lines = table.n_lines;
    files->n_broken = table.n_broken;
    if (err == ERR_OK)
        err = count(&run);
    for (uint32_t k = 0; run.hulls != NULL && k < run.surveys.n; k++)
        shape_finish(&run.hulls[k]);
    mem_free(run.hulls);
    mem_free(run.survey_of);
    mem_free(run.sightings);
    mem_free(run.places);
    shapes_finish(&run.covered);
    shapes_finish(&run.areas);
    str_map_finish(&run.surveys);
    str_map_finish(&run.classes);
    str_map_finish(&run.ids);
    return err;
}

enum err census_files_run(struct census_files *files, struct diag *diag)
{
    return run_all(files, STR_NONE, STR_NONE, true, diag);
}

enum err census_files_parse(struct census_files *files, struct str sightings, struct str covered, struct diag *diag)
{
    return run_all(files, sightings, covered, false, diag);
}
