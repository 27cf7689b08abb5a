/*
 * What the world needs to know of a city: where the brain listens, the areas' outlines, the cameras and their password. Read from
 * the city's own files, as a builder reads a plan; the brain is never asked, and the world changes nothing.
 *
 * It does not check the files: `citybrain check` does. Keys that it does not need are passed over.
 */
#ifndef WORLD_CITY_H
#define WORLD_CITY_H

#include "base/clock.h"
#include "base/diag.h"
#include "road/network.h"
#include "world/gateway.h"

#define WORLD_CAMERAS_MAX 20000
#define WORLD_AREAS_MAX 4096
#define WORLD_OUTLINE_MAX 2000

struct world_camera {
    char device[32]; /* "33010600001190000001" */
    struct road_point place;
    double heading;
};

struct world_area {
    char name[64];
    int parent;                 /* index; -1: the root */
    struct road_point *outline; /* owned */
    uint32_t n_points;
};

struct world_city {
    char name[64]; /* "hangzhou" */
    int64_t port;
    char address[64];
    struct time_zone zone; /* of the cameras' clocks */
    char password[128];    /* of all cameras; their user name is the device */
    struct world_camera *cameras;
    uint32_t n_cameras;
    struct world_area *areas; /* parents before children */
    uint32_t n_areas;
    struct world_broker fleet; /* of a company whose cars tell where they are, by JT/T 808 and its gateway's JSON */
    struct world_broker loops; /* of the gateway of induction loops */
};

/* `city_dir`, `data_dir` as for the brain; `data_dir` NULL: the city's own files only, without the cameras' password. Errors name file,
 * line, cause and mend. */
enum err world_city_load(const char *city_dir, const char *data_dir, struct diag_list *diags, struct world_city *ret_city) MUST_CHECK;
void world_city_finish(struct world_city *city);
/* The deepest area whose outline holds the point; the root when none does. Of neighbours on one border, the first of the file. */
int world_area_of(const struct world_city *city, struct road_point point);

#endif
