/*
 * The index object (交通指数): what a city calls slow, and by which formulas it says so. A file of the city, with a name and a version
 * that every value made by it carries; no threshold stands in code. Format and sources of the formulas: docs/indices.md.
 *
 * Levels (速度分级) go from the best, 0, to the worst. A level is found from an edge's speed and the class of its road. An area's
 * congestion index is made from the share of its roads that are slow: of their length, road classes weighted by vehicle-kilometres (VKT),
 * or of the vehicle-kilometres themselves; then drawn through a line of points onto the scale that people know.
 */
#ifndef SCENE_COUNT_INDEX_H
#define SCENE_COUNT_INDEX_H

#include "scene/count/usual.h"

#define COUNT_INDEX_NAME_MAX 64 /* bytes of a name; with its version it is told in every row */
#define COUNT_LEVELS_MAX 8
#define COUNT_ROAD_CLASSES_MAX 8
#define COUNT_ROAD_TYPES_MAX 64 /* of all road classes */
#define COUNT_SCALE_POINTS_MAX 16
#define COUNT_LEVEL_NONE 255 /* no speed, or an object without levels */

enum count_measure {
    COUNT_MEASURE_NONE,        /* there is no congestion index */
    COUNT_MEASURE_SLOW_LENGTH, /* share of the observed length that is slow, in each road class; classes weighted by VKT */
    COUNT_MEASURE_SLOW_VKT,    /* share of the vehicle-kilometres driven on slow roads */
    COUNT_MEASURE_TIME_RATIO,  /* actual over free-flow time, weighted by VKT: the delay index */
};

struct count_level {
    struct str name, title_zh, title_en;
};

struct count_road_class {
    struct str name, title_zh, title_en;
    double least_mps[COUNT_LEVELS_MAX - 1]; /* [n_levels - 1] slowest speed of each level but the last */
};

struct count_road_type {
    struct str type; /* of an edge: "highway.primary" */
    uint8_t road_class;
};

struct count_index {                         /* immutable once read */
    struct yaml *yaml;                       /* texts borrow from it */
    char made_by[COUNT_INDEX_NAME_MAX + 16]; /* "hangzhou.traffic/1" */
    size_t n_levels, n_classes, n_types, n_points;
    struct count_level levels[COUNT_LEVELS_MAX];
    struct count_road_class classes[COUNT_ROAD_CLASSES_MAX]; /* the last holds every type that no other names */
    struct count_road_type types[COUNT_ROAD_TYPES_MAX];
    enum count_measure measure;
    uint8_t slow_level;                       /* this level and worse is slow */
    struct count_usual_rules *usual;          /* of the usual day; NULL: there is none */
    double points[COUNT_SCALE_POINTS_MAX][2]; /* measure, index; both grow. None: the measure itself */
};

/* `path`: the object's file. Every mistake is told in `diags`, with line, cause and mend; the first is returned. ERR_NO_MEMORY. */
enum err count_index_load(const char *path, struct diag_list *diags, struct count_index **ret_index) MUST_CHECK;
/* The same from memory; `name` stands for the path. */
enum err count_index_parse(struct str text, const char *name, struct diag_list *diags, struct count_index **ret_index) MUST_CHECK;
void count_index_destroy(struct count_index *index); /* takes NULL */

/* What a value names as its maker; `index` NULL: "delay.ratio/1", the formula alone, which needs no thresholds. */
const char *count_index_made_by(const struct count_index *index);
/* The class of roads of a type ("highway.primary"; may be empty). 0 with NULL. */
uint8_t count_index_class(const struct count_index *index, struct str type);
/* The level of a speed on a road of that class; COUNT_LEVEL_NONE when the speed is no number, or there are no levels. */
uint8_t count_index_level(const struct count_index *index, uint8_t road_class, double speed_mps);

/* Of one area, at one moment: of the edges with a speed. */
struct count_index_sums {
    double vehicle_m[COUNT_ROAD_CLASSES_MAX], length_m[COUNT_ROAD_CLASSES_MAX], slow_m[COUNT_ROAD_CLASSES_MAX];
    double slow_vehicle_m;
};
/* One edge: vehicle-metres (any unit of time), its length and level. */
void count_index_add(
    const struct count_index *index, struct count_index_sums *sums, uint8_t road_class, uint8_t level, double vehicle_m, double length_m);
void count_index_join(struct count_index_sums *to, const struct count_index_sums *from); /* the area above */
/* The congestion index (拥堵指数); NAN when there is none, or nothing was observed. `time_ratio`: the area's delay index. */
double count_index_congestion(const struct count_index *index, const struct count_index_sums *sums, double time_ratio);

#endif
