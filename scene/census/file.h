/*
 * The census from files: a table of sightings, the areas that surveys covered and those that are counted, to a table of counts. What
 * `citybrain census` does.
 *
 *     sightings.csv   survey, class, lon and lat (or x and y in metres)[, error_m][, id]       by name, in any order; others passed over
 *     covered.geojson polygons with the property "survey"; without it the hull of each survey's sightings stands for what it covered
 *     areas.geojson   polygons with the property "name", or "area"
 *     counts.csv      area,class,count,low,high,objects,sightings,covered,twice
 *     objects.csv     object,lon,lat (x,y),error_m,class,area,sightings,surveys
 */
#ifndef SCENE_CENSUS_FILE_H
#define SCENE_CENSUS_FILE_H

#include "base/diag.h"
#include "scene/census/core.h"
#include "scene/census/shape.h"

struct census_files {
    /* asked; borrowed */
    const char *sightings_path;                           /* "-": standard input */
    const char *covered_path, *areas_path, *objects_path; /* each may be NULL */
    const char *counts_path;                              /* NULL: none is written, on_row tells */
    double error_m;                                       /* of sightings that tell none */
    uint32_t n_draws, n_replicates;                       /* 0: as many as are worth their time */
    uint64_t seed;
    void (*on_broken)(void *context, const char *text); /* each line that is not used; may be NULL */
    void (*on_progress)(void *context, double share);   /* may be NULL */
    void (*on_row)(void *context, struct str area, struct str class, const struct census_row *row); /* "*": all of them; may be NULL */
    void *context;
    /* answered */
    uint64_t n_lines, n_broken;
    uint32_t n_surveys;
    char survey_names[CENSUS_SURVEYS_MAX][SHAPE_NAME_MAX + 1];
    struct census_survey surveys[CENSUS_SURVEYS_MAX];
    struct census_row all;
    double error_scale, heterogeneity, misread, disagreement;
    uint64_t n_outside; /* sightings outside of what their survey covered; used all the same */
    uint64_t n_no_area; /* sightings that lie in none of the areas: they are in the row of all alone */
};

/* Errors that end it are told in `diag`; broken lines are told, counted and left out. */
enum err census_files_run(struct census_files *files, struct diag *diag) MUST_CHECK;
/* The same with the sightings from memory, and GeoJSON of coverage (or the empty string); writes counts to `counts_path`. */
enum err census_files_parse(struct census_files *files, struct str sightings, struct str covered, struct diag *diag) MUST_CHECK;

#endif
