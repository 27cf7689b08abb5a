/* `citybrain census`: what stands still, counted from surveys that overlap, from files. */
#include "brain/commands.h"
#include "brain/told.h"
#include "scene/census/file.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define CHAINS_AGREE 1.2

enum {
    CENSUS_SIGHTINGS,
    CENSUS_COVERED,
    CENSUS_AREAS,
    CENSUS_OUT,
    CENSUS_OBJECTS,
    CENSUS_ERROR,
    CENSUS_DRAWS,
    CENSUS_REPLICATES,
    CENSUS_SEED
};
static const struct command_option options[] = {
    {"sightings", "FILE", "survey,lon,lat (or x,y in metres),class[,error_m][,id]; - is standard input"},
    {"covered", "FILE", "GeoJSON polygons with \"survey\": what each covered (default: the hull of its sightings)"},
    {"areas", "FILE", "GeoJSON polygons with \"name\" or \"area\": areas that are counted each for itself"},
    {"out", "FILE", "where the counts go: area,class,count,low,high,objects,sightings,covered,twice"},
    {"objects", "FILE", "where the objects go that were seen: object,lon,lat,error_m,class,area,sightings,surveys"},
    {"error", "M", "standard error of places in each direction where none is told, 0.05 to 20 (default 2)"},
    {"draws", "N", "of the chains, 20 to 5000 (default 300; 120 from 250,000 sightings on)"},
    {"replicates", "N", "of the bootstrap, 1 to 1000 (default 12; 4 from 250,000 sightings on)"},
    {"seed", "N", "another draw of chance (default 1)"},
    {NULL, NULL, NULL},
};

static void tell(const struct census_files *files)
{
    fprintf(stderr, "%llu lines, %llu of them not used\n", (unsigned long long)files->n_lines, (unsigned long long)files->n_broken);
    for (uint32_t k = 0; k < files->n_surveys; k++)
        fprintf(stderr, "survey %s: %llu sightings, saw %.1f %% of what it covered, %.1f %% of its sightings are doubles\n",
            files->survey_names[k], (unsigned long long)files->surveys[k].n_sightings, 100 * files->surveys[k].detection,
            100 * files->surveys[k].duplicates);
    fprintf(stderr, "errors of places are %.2f times those told\n", files->error_scale);
    if (files->misread > 0)
        fprintf(stderr, "%.1f %% of the classes are read wrongly\n", 100 * files->misread);
    if (files->disagreement > CHAINS_AGREE)
        fprintf(stderr, "the chains disagree (%.2f, 1 is none): the intervals are too narrow; --draws 2000 makes them surer\n",
            files->disagreement);
    if (files->covered_path == NULL)
        fprintf(stderr, "what each survey covered is estimated: the hull of its sightings; --covered makes it known\n");
    else if (files->n_outside > 0)
        fprintf(stderr, "%llu sightings are outside of what their survey covered; they are used\n", (unsigned long long)files->n_outside);
    if (files->n_no_area > 0)
        fprintf(stderr, "%llu sightings are in none of the areas; they count in * alone\n", (unsigned long long)files->n_no_area);
    if (isnan(files->heterogeneity))
        fprintf(
            stderr, "no place was covered by three surveys: if some objects are harder to see in each of them, there are more than told\n");
    fprintf(stderr, "%.0f objects, %.0f to %.0f with 90 %% confidence; matching tells %.0f apart\n", files->all.count, files->all.low,
        files->all.high, files->all.n_objects);
}

static int run_census(const struct command_line *line)
{
    static const int needed[] = {CENSUS_SIGHTINGS, CENSUS_OUT};
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
        if (!line->values[needed[i]]) {
            fprintf(stderr, "citybrain census: --%s is missing; see citybrain census --help\n", options[needed[i]].name);
            return 2;
        }
    double error_m = 2, n_draws = 0, n_replicates = 0, seed = 1;
    if ((line->values[CENSUS_ERROR] &&
            !command_number(line->values[CENSUS_ERROR], "error", CENSUS_ERROR_MIN_M, CENSUS_ERROR_MAX_M, &error_m)) ||
        (line->values[CENSUS_REPLICATES] &&
            !command_number(line->values[CENSUS_REPLICATES], "replicates", 1, CENSUS_REPLICATES_MAX, &n_replicates)) ||
        (line->values[CENSUS_DRAWS] &&
            !command_number(line->values[CENSUS_DRAWS], "draws", CENSUS_DRAWS_MIN, CENSUS_DRAWS_MAX, &n_draws)) ||
        (line->values[CENSUS_SEED] && !command_number(line->values[CENSUS_SEED], "seed", 0, 1e9, &seed)))
        return 2;
    struct told told;
    told_init(&told, "counting");
    struct diag diag = {""};
    struct census_files files = {.sightings_path = line->values[CENSUS_SIGHTINGS],
        .covered_path = line->values[CENSUS_COVERED],
        .areas_path = line->values[CENSUS_AREAS],
        .counts_path = line->values[CENSUS_OUT],
        .objects_path = line->values[CENSUS_OBJECTS],
        .error_m = error_m,
        .n_draws = (uint32_t)n_draws,
        .n_replicates = (uint32_t)n_replicates,
        .seed = (uint64_t)seed,
        .on_broken = told_broken,
        .on_progress = told_progress,
        .context = &told};
    enum err err = census_files_run(&files, &diag);
    told_rest(&told);
    if (err != ERR_OK) {
        fprintf(stderr, "citybrain census: %s\n", diag.text[0] ? diag.text : err_text(err));
        return 2;
    }
    tell(&files);
    return 0;
}

const struct command command_census = {"census", "--sightings … --out FILE",
    "what stands still, from repeated surveys that overlap, with intervals (数清有多少棵树)", options, 0, 0, run_census};
