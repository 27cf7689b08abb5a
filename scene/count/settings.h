/*
 * The numbers of the count that a city may turn, each with its reason. Formulas: docs/count.md.
 */
#ifndef SCENE_COUNT_SETTINGS_H
#define SCENE_COUNT_SETTINGS_H

#include <stdint.h>

struct count_settings {
    /* limits of memory */
    uint32_t vehicles_max; /* known at once, counted and remembered */
    uint32_t cameras_max;
    uint32_t pairs_max; /* remembered ways between cameras */
    /* the soft time-out */
    int64_t keep_s;        /* a vehicle not seen for this long has ended its trip; when it comes back it is a new one */
    double base_default_s; /* to the next camera where the network shows none */
    double ratio_prior;    /* observed over free-flow time between cameras, before anything was observed */
    double slack_s;        /* added to every expectation: two phases of a signal */
    double after_share;    /* way after the last camera, in mean gaps */
    double lead_share;     /* way before the first camera, in mean gaps */
    double fade_s;         /* time constant of all that is learned about gaps */
    /* figures */
    double window_s;      /* time constant of flow, speed and delay */
    double road_least;    /* vehicles over its observed length that a road is told from: one slow car ranks no road */
    int64_t record_ms;    /* period of the record */
    double delay_max;     /* a link slower than this many free-flow times ... */
    double delay_slack_s; /* ... and this much more is a stop on the way, not a delay */
    double delay_min;     /* a link faster than this share of free flow is a misread or a clock */
    /* staleness */
    int64_t stale_after_ms;   /* shortest silence that makes an area stale */
    int64_t camera_silent_ms; /* shortest silence that takes a camera out of the expectation: a long red phase, twice */
    double silence_gaps;      /* silence is longer than this many mean gaps: e^-8 is one in 3,000 by chance */
    int64_t late_max_ms;      /* a passage older than this on arrival is too late to count */
    int64_t future_max_ms;    /* a passage from further ahead than this has a wrong clock */
    int64_t duplicate_ms;     /* the same vehicle at the same camera within this is the same passage */
};

#define COUNT_SETTINGS_DEFAULT                                                                                                             \
    ((struct count_settings){                                                                                                              \
        .vehicles_max = 1u << 20,                                                                                                          \
        .cameras_max = 1u << 14,                                                                                                           \
        .pairs_max = 1u << 15,                                                                                                             \
        .keep_s = 1800,                                                                                                                    \
        .base_default_s = 120,                                                                                                             \
        .ratio_prior = 2,                                                                                                                  \
        .slack_s = 60,                                                                                                                     \
        .after_share = 0.8,                                                                                                                \
        .lead_share = 1.25,                                                                                                                \
        .fade_s = 300,                                                                                                                     \
        .window_s = 120,                                                                                                                   \
        .road_least = 2,                                                                                                                   \
        .record_ms = 120000,                                                                                                               \
        .delay_max = 12,                                                                                                                   \
        .delay_slack_s = 240,                                                                                                              \
        .delay_min = 0.5,                                                                                                                  \
        .stale_after_ms = 8000,                                                                                                            \
        .camera_silent_ms = 180000,                                                                                                        \
        .silence_gaps = 8,                                                                                                                 \
        .late_max_ms = 600000,                                                                                                             \
        .future_max_ms = 60000,                                                                                                            \
        .duplicate_ms = 5000,                                                                                                              \
    })

#endif
