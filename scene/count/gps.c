/* Floating cars; see gps.h. */
#include "scene/count/gps.h"

#include "base/mem.h"
#include "road/gcj02.h"

#include <math.h>

#define NOWHERE_DEG 0.01    /* so near to 0° N 0° E, where no road is */
#define SPEED_MAX_MPS 100.0 /* a terminal that says more says nothing */
#define METRES_A_DEGREE 111000.0
#define FOLLOW_LATER_MS 5000 /* silence ends a trip so much later than it would break the track: the point may be under way */

struct count_gps {
    const struct road_network *network;
    struct count_gps_settings settings;
    struct road_follow *follow;
    count_drive_fn on_drive;
    void *context;
    int64_t now_ms; /* of the last tick */
    uint64_t n[COUNT_GPS_N_VERDICTS];
};

static void on_passing(void *context, uint64_t vehicle, const struct road_passing *passing)
{
    const struct count_gps *gps = context;
    (void)vehicle;
    if (!passing->is_whole || passing->leave_ms <= passing->enter_ms)
        return;
    const struct count_drive drive = {.edge = passing->edge,
        .actual_s = (double)(passing->leave_ms - passing->enter_ms) / 1000,
        .free_s = passing->free_s,
        .length_m = passing->length_m,
        .left_ms = passing->leave_ms};
    gps->on_drive(gps->context, &drive);
}

enum err count_gps_create(const struct road_hierarchy *hierarchy, const struct road_nearest *nearest,
    const struct count_gps_settings *settings, count_drive_fn on_drive, void *context, struct count_gps **ret_gps)
{
    struct count_gps *gps = mem_alloc_zero(1, sizeof(*gps));
    if (gps == NULL)
        return ERR_NO_MEMORY;
    *gps = (struct count_gps){.network = hierarchy->network, .settings = *settings, .on_drive = on_drive, .context = context};
    const struct road_follow_told told = {.on_passing = on_passing, .context = gps};
    enum err err = road_follow_create(hierarchy, nearest, &settings->follow, &told, &gps->follow);
    if (err != ERR_OK)
        mem_free(gps);
    else
        *ret_gps = gps;
    return err;
}

void count_gps_destroy(struct count_gps *gps)
{
    if (gps == NULL)
        return;
    road_follow_destroy(gps->follow);
    mem_free(gps);
}

uint64_t count_gps_n(const struct count_gps *gps, enum count_gps_verdict verdict)
{
    return gps->n[verdict];
}

uint32_t count_gps_n_vehicles(const struct count_gps *gps)
{
    return road_follow_n(gps->follow);
}

const char *count_gps_verdict_text(enum count_gps_verdict verdict)
{
    static const char *const texts[COUNT_GPS_N_VERDICTS] = {[COUNT_GPS_TAKEN] = "taken",
        [COUNT_GPS_NOT_LOCATED] = "its status says that it has no place",
        [COUNT_GPS_NO_PLACE] = "its place is none",
        [COUNT_GPS_OUTSIDE] = "outside the network",
        [COUNT_GPS_LATE] = "its time is too old",
        [COUNT_GPS_AHEAD] = "its time is ahead",
        [COUNT_GPS_REPEATED] = "repeated",
        [COUNT_GPS_OLDER] = "older than the one before",
        [COUNT_GPS_PARKED] = "parked",
        [COUNT_GPS_NO_ROOM] = "no memory"};
    return texts[verdict];
}

/* ---- one point ---- */

static bool is_on_globe(const struct road_network *network, struct road_point point)
{
    if (!isfinite(point.lon) || !isfinite(point.lat))
        return false;
    if (!network->is_geographic)
        return true;
    bool is_nowhere = fabs(point.lon) < NOWHERE_DEG && fabs(point.lat) < NOWHERE_DEG;
    return fabs(point.lon) <= 180 && fabs(point.lat) <= 90 && !is_nowhere;
}

static bool is_beside(const struct road_network *network, struct road_point point, double margin_m)
{
    double north = margin_m, east = margin_m;
    if (network->is_geographic) {
        north /= METRES_A_DEGREE;
        east = north / fmax(cos(network->low.lat * M_PI / 180), 0.01);
    }
    return point.lon < network->low.lon - east || point.lon > network->high.lon + east || point.lat < network->low.lat - north ||
           point.lat > network->high.lat + north;
}

enum count_gps_verdict count_gps_judge(
    const struct road_network *network, const struct count_gps_settings *settings, struct count_gps_point *point)
{
    struct road_fix *fix = &point->fix;
    if (!(fix->speed_mps >= 0 && fix->speed_mps <= SPEED_MAX_MPS))
        fix->speed_mps = NAN;
    if (!(fix->heading >= 0 && fix->heading <= 360))
        fix->heading = NAN;
    if (point->has_status && (point->status & COUNT_GPS_LOCATED) == 0)
        return COUNT_GPS_NOT_LOCATED;
    if (!is_on_globe(network, fix->point))
        return COUNT_GPS_NO_PLACE;
    if (settings->is_gcj02 && network->is_geographic)
        fix->point = road_gcj02_to_wgs84(fix->point);
    if (fix->time_ms < point->arrived_ms - settings->late_ms)
        return COUNT_GPS_LATE;
    if (fix->time_ms > point->arrived_ms + settings->ahead_ms)
        return COUNT_GPS_AHEAD;
    if (point->has_status && (point->status & COUNT_GPS_IGNITION) == 0)
        return COUNT_GPS_PARKED;
    return is_beside(network, fix->point, settings->margin_m) ? COUNT_GPS_OUTSIDE : COUNT_GPS_TAKEN;
}

static enum count_gps_verdict take(struct count_gps *gps, struct count_gps_point *point)
{
    enum count_gps_verdict verdict = count_gps_judge(gps->network, &gps->settings, point);
    bool is_over = verdict == COUNT_GPS_PARKED || verdict == COUNT_GPS_OUTSIDE;
    if (verdict != COUNT_GPS_TAKEN && !is_over)
        return verdict;
    int64_t newest_ms = road_follow_newest_ms(gps->follow, point->vehicle);
    if (point->fix.time_ms <= newest_ms)
        return point->fix.time_ms == newest_ms ? COUNT_GPS_REPEATED : COUNT_GPS_OLDER;
    if (is_over)
        road_follow_end(gps->follow, point->vehicle);
    else if (road_follow_add(gps->follow, point->vehicle, &point->fix) != ERR_OK)
        return COUNT_GPS_NO_ROOM;
    return verdict;
}

enum count_gps_verdict count_gps_add(struct count_gps *gps, const struct count_gps_point *point)
{
    struct count_gps_point judged = *point;
    enum count_gps_verdict verdict = take(gps, &judged);
    gps->n[verdict]++;
    return verdict;
}

void count_gps_tick(struct count_gps *gps, int64_t now_ms)
{
    if (now_ms < gps->now_ms - gps->settings.late_ms) /* our clock was set back: what is known is from a time that has not come */
        road_follow_end_all(gps->follow);
    gps->now_ms = now_ms;
    road_follow_expire(gps->follow, now_ms - (int64_t)(gps->settings.follow.match.gap_s * 1000) - FOLLOW_LATER_MS);
}
