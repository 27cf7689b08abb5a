/* Places, times and groups of plates, held against the zones' rules. */
#include "scene/zone/zones.h"

#include <math.h>

#define DAY_MS INT64_C(86400000)
#define METRES_PER_DEGREE 111195.0 /* of latitude, on a sphere of 6,371 km */
#define RADIANS (3.14159265358979323846 / 180)

const char *const zone_group_names[ZONE_N_GROUPS + 1] = {
    "local", "local_new_energy", "province", "province_new_energy", "other", "other_new_energy", "special", NULL};

int zone_group_of(struct str name)
{
    for (int i = 0; i < ZONE_N_GROUPS; i++)
        if (str_equal_c(name, zone_group_names[i]))
            return i;
    return -1;
}

int32_t zone_day(int64_t time_ms, struct time_zone time_zone)
{
    int64_t local_ms = time_ms + (int64_t)time_zone.offset_s * 1000;
    return (int32_t)(local_ms / DAY_MS - (local_ms % DAY_MS < 0));
}

/* ---- places ---- */

void zone_box(struct zone *zone)
{
    zone->low = zone->high = zone->points[0];
    for (size_t i = 1; i < zone->n_points; i++) {
        struct zone_point point = zone->points[i];
        zone->low = (struct zone_point){fmin(zone->low.lon, point.lon), fmin(zone->low.lat, point.lat)};
        zone->high = (struct zone_point){fmax(zone->high.lon, point.lon), fmax(zone->high.lat, point.lat)};
    }
}

/* By the edges that a ray to the east crosses. */
bool zone_holds(const struct zone *zone, struct zone_point at)
{
    bool holds = false;
    if (at.lon < zone->low.lon || at.lon > zone->high.lon || at.lat < zone->low.lat || at.lat > zone->high.lat)
        return false;
    for (size_t i = 0, j = zone->n_points - 1u; i < zone->n_points; j = i++) {
        struct zone_point a = zone->points[i], b = zone->points[j];
        if ((a.lat > at.lat) != (b.lat > at.lat) && at.lon < (b.lon - a.lon) * (at.lat - a.lat) / (b.lat - a.lat) + a.lon)
            holds = !holds;
    }
    return holds;
}

static double turn(struct zone_point a, struct zone_point b, struct zone_point c)
{
    return (b.lon - a.lon) * (c.lat - a.lat) - (b.lat - a.lat) * (c.lon - a.lon);
}

static bool sides_cross(struct zone_point a, struct zone_point b, struct zone_point c, struct zone_point d)
{
    return turn(a, b, c) * turn(a, b, d) < 0 && turn(c, d, a) * turn(c, d, b) < 0;
}

bool zone_crosses_itself(const struct zone *zone)
{
    size_t n = zone->n_points;
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 2; j < n; j++)
            if (sides_cross(zone->points[i], zone->points[(i + 1) % n], zone->points[j], zone->points[(j + 1) % n]))
                return true;
    return false;
}

uint16_t zones_at(const struct zones *zones, struct zone_point point)
{
    uint16_t mask = 0;
    for (size_t i = 0; i < zones->n; i++)
        mask |= (uint16_t)(zone_holds(&zones->zones[i], point) << i);
    return mask;
}

struct zone_point zone_ahead(struct zone_point point, double heading_deg, double distance_m)
{
    double north_deg = distance_m * cos(heading_deg * RADIANS) / METRES_PER_DEGREE;
    double east_deg = distance_m * sin(heading_deg * RADIANS) / METRES_PER_DEGREE / fmax(cos(point.lat * RADIANS), 0.01);
    return (struct zone_point){point.lon + east_deg, point.lat + north_deg};
}

/* ---- times ---- */

static bool is_among(const int32_t *days, size_t n, int32_t day)
{
    for (size_t i = 0; i < n; i++)
        if (days[i] == day)
            return true;
    return false;
}

bool zone_restricts(const struct zones *zones, size_t at, enum zone_group group, int64_t time_ms)
{
    const struct zone *zone = &zones->zones[at];
    if (!(zone->restricted >> group & 1) || time_ms < zone->from_ms || time_ms >= zone->until_ms)
        return false;
    int32_t day = zone_day(time_ms, zones->time_zone);
    if (is_among(zone->free_days, zone->n_free, day))
        return false;
    int weekday = (int)(((int64_t)day + 3) % 7); /* 1970-01-01 was a Thursday */
    weekday = is_among(zone->extra_days, zone->n_extra, day) ? 0 : weekday < 0 ? weekday + 7 : weekday;
    int64_t minute = (time_ms + (int64_t)zones->time_zone.offset_s * 1000 - day * DAY_MS) / 60000;
    for (size_t i = 0; i < zone->n_times; i++) {
        const struct zone_time *time = &zone->times[i];
        if (time->days >> weekday & 1 && minute >= time->from_minute && minute < time->until_minute)
            return true;
    }
    return false;
}
