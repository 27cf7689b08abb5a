/*
 * Floating cars (浮动车): points of GPS terminals in, times over edges out. Each point is judged by itself (count_gps_judge(), the rules
 * in its order), then its vehicle is followed on the map (road/follow.h), and every edge that it drove from its start to its end is told
 * with the time it took, the junction before it included: as a link between two cameras tells of its way, but edge by edge.
 *
 * Nothing here has a clock, and memory is bounded by the settings. What is refused is counted by why.
 */
#ifndef SCENE_COUNT_GPS_H
#define SCENE_COUNT_GPS_H

#include "road/follow.h"

/* The status word of a position (JT/T 808, message 0x0200): its first two bits. */
#define COUNT_GPS_IGNITION 1u /* ACC on */
#define COUNT_GPS_LOCATED 2u  /* the terminal knows where it is */

struct count_gps_point {
    uint64_t vehicle;    /* hash of its pseudonym */
    struct road_fix fix; /* on the terminal's clock; in the source's datum */
    int64_t arrived_ms;  /* on ours */
    bool has_status;
    uint32_t status;
};

struct count_gps_settings {
    struct road_follow_settings follow;
    int64_t late_ms, ahead_ms; /* of the terminal's clock behind and before ours */
    double margin_m;           /* beside the network: farther is another city */
    bool is_gcj02;             /* the points' datum; WGS 84 otherwise */
};
#define COUNT_GPS_SETTINGS_DEFAULT                                                                                                         \
    ((struct count_gps_settings){.follow = {.match = {.sigma_m = 10, .gap_s = 300, .lag = 7}, .vehicles_max = 20000},                      \
        .late_ms = 600000,                                                                                                                 \
        .ahead_ms = 60000,                                                                                                                 \
        .margin_m = 2000})

enum count_gps_verdict {
    COUNT_GPS_TAKEN,
    COUNT_GPS_NOT_LOCATED, /* its own status says that the position is none */
    COUNT_GPS_NO_PLACE,    /* no numbers, off the globe, or at 0° N 0° E, where terminals are that know nothing */
    COUNT_GPS_OUTSIDE,     /* beside the network: the vehicle's trip ends for us */
    COUNT_GPS_LATE,        /* also a clock that begins in the year 2000 */
    COUNT_GPS_AHEAD,
    COUNT_GPS_REPEATED, /* the same time again */
    COUNT_GPS_OLDER,    /* than the vehicle's newest point */
    COUNT_GPS_PARKED,   /* ignition off: the trip is over */
    COUNT_GPS_NO_ROOM,
    COUNT_GPS_N_VERDICTS
};

struct count_gps;

/* One vehicle over one edge, whole. */
struct count_drive {
    uint32_t edge;
    double actual_s, free_s, length_m; /* the junction before it included */
    int64_t left_ms;                   /* when it was at its end, on the terminal's clock */
};
typedef void (*count_drive_fn)(void *context, const struct count_drive *drive);

const char *count_gps_verdict_text(enum count_gps_verdict verdict); /* for logs: why a point was not used */
/* What the rules say of a point by itself, without the vehicle's history; TAKEN when nothing speaks against it. Makes a speed or a heading
 * that cannot be into one that was not told. */
enum count_gps_verdict count_gps_judge(
    const struct road_network *network, const struct count_gps_settings *settings, struct count_gps_point *point);

/* `hierarchy` and `nearest` are kept. ERR_NO_MEMORY, ERR_RANGE of a setting. */
enum err count_gps_create(const struct road_hierarchy *hierarchy, const struct road_nearest *nearest,
    const struct count_gps_settings *settings, count_drive_fn on_drive, void *context, struct count_gps **ret_gps) MUST_CHECK;
void count_gps_destroy(struct count_gps *gps); /* takes NULL */
/* A point; `on_drive` is called for each edge that is certain now to have been left. */
enum count_gps_verdict count_gps_add(struct count_gps *gps, const struct count_gps_point *point);
/* Vehicles that are silent for longer than a track may be are told to their ends. Cheap; about once a second. */
void count_gps_tick(struct count_gps *gps, int64_t now_ms);
uint64_t count_gps_n(const struct count_gps *gps, enum count_gps_verdict verdict); /* points since the start */
uint32_t count_gps_n_vehicles(const struct count_gps *gps);                        /* under way */

#endif
