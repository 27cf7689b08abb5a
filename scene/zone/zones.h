/*
 * Restricted zones (限行区): polygons, the hours and weekdays when they restrict, and whom. Pure: answers about a place, a time, a group of
 * plates.
 *
 * A city draws them in its scene's file; file.h reads them. Which vehicles are in them is core.h's affair.
 */
#ifndef SCENE_ZONE_ZONES_H
#define SCENE_ZONE_ZONES_H

#include "base/clock.h"
#include "base/str.h"

#define ZONES_MAX 16 /* a bit each in the vehicles' masks */
#define ZONE_NAME_MAX 32
#define ZONE_TITLE_MAX 96
#define ZONE_AREA_MAX 128
#define ZONE_POINTS_MAX 500
#define ZONE_TIMES_MAX 16
#define ZONE_DATES_MAX 64
#define ZONE_AREAS_MAX 128 /* the zones' own, and all above them */

/* What a plate shows of where it is from and what drives it: the values of the passages' field plate_group (docs/camera.md). */
enum zone_group {
    ZONE_LOCAL, /* 浙A, where the city says so */
    ZONE_LOCAL_NEW_ENERGY,
    ZONE_PROVINCE, /* other places of the same province */
    ZONE_PROVINCE_NEW_ENERGY,
    ZONE_OTHER, /* other provinces */
    ZONE_OTHER_NEW_ENERGY,
    ZONE_SPECIAL, /* police, embassies, Hong Kong and Macao, forces, trailers and learners */
    ZONE_N_GROUPS
};
extern const char *const zone_group_names[ZONE_N_GROUPS + 1]; /* NULL-terminated */
int zone_group_of(struct str name);                           /* -1: none of them */

struct zone_point {
    double lon, lat; /* WGS 84, degrees */
};

struct zone_time {
    uint8_t days; /* bit 0 is Monday */
    uint16_t from_minute, until_minute;
};

struct zone {
    char name[ZONE_NAME_MAX + 1], title_zh[ZONE_TITLE_MAX + 1], title_en[ZONE_TITLE_MAX + 1], area[ZONE_AREA_MAX + 1];
    uint8_t restricted; /* bit of enum zone_group */
    uint16_t n_points, n_times, n_free, n_extra;
    struct zone_point points[ZONE_POINTS_MAX]; /* not closed */
    struct zone_point low, high;               /* the box around them */
    struct zone_time times[ZONE_TIMES_MAX];
    int32_t free_days[ZONE_DATES_MAX];  /* holidays: days since 1970 by the city's calendar on which nothing is restricted */
    int32_t extra_days[ZONE_DATES_MAX]; /* days of the weekend that count as Monday: work made up for a holiday */
    int64_t from_ms, until_ms;          /* when the rule is in force */
};

struct zone_area {
    char name[ZONE_AREA_MAX + 1];
    uint16_t zones; /* one bit a zone of this area, or of one below it */
};

struct zones {
    size_t n, n_areas;
    struct time_zone time_zone;
    struct zone zones[ZONES_MAX];
    struct zone_area areas[ZONE_AREAS_MAX];
};

int32_t zone_day(int64_t time_ms, struct time_zone time_zone); /* days since 1970 by the city's calendar */
void zone_box(struct zone *zone);                              /* from its points */
bool zone_holds(const struct zone *zone, struct zone_point point);
bool zone_crosses_itself(const struct zone *zone);
/* One bit a zone that holds the point. */
uint16_t zones_at(const struct zones *zones, struct zone_point point);
/* The point `distance_m` ahead in the direction `heading_deg`, clockwise from north. Good to a metre for a kilometre outside of the polar
 * circles. */
struct zone_point zone_ahead(struct zone_point point, double heading_deg, double distance_m);
/* Is the group restricted in this zone at this time? Passes are not looked at. */
bool zone_restricts(const struct zones *zones, size_t zone, enum zone_group group, int64_t time_ms);

#endif
