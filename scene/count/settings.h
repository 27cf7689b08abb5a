/*
 * The numbers of the count, each with its reason. A city's file turns three of them: `vehicles_max`, `record_every`, `stale_after`; the
 * others are one set for every city. Formulas: docs/count-method.md.
 */
#ifndef SCENE_COUNT_SETTINGS_H
#define SCENE_COUNT_SETTINGS_H

#include <stdint.h>

struct count_settings {
    /* limits of memory */
    uint32_t vehicles_max; /* known at once, counted and remembered: three million plates of a city, and those misread */
    uint32_t cameras_max;
    uint32_t pairs_max; /* remembered ways between cameras */
    /* the balance */
    int64_t keep_s;                   /* a vehicle not seen for this long has ended its trip; when it comes back it is a new one */
    double fade_s;                    /* time constant of what is learned of the present */
    double settle_gaps;               /* a cohort is settled this many mean gaps ... */
    double settle_s;                  /* ... and this much after it was due at the next camera, behind the queue there */
    double settle_default_s;          /* due, where no vehicle was ever sighted again */
    double settled_fade_s;            /* settled passages of this age weigh e^-1 */
    double rate_ways;                 /* rates of passages fade with this many ways between two cameras: faster they do not change ... */
    double rate_least_s, rate_most_s; /* ... and within these */
    double late_s;                    /* a camera later than this is behind a queue: red twice at a signal is 90 s at the most ... */
    double late_signal_s;             /* ... and this much more for each further signal since the camera before: red once */
    double jam_from;    /* share of cameras behind queues that makes a city with queues; from twice of it on it is fully one */
    double late_margin; /* there a cohort is settled this many mean latenesses of the next cameras later ... */
    double jam_gaps;    /* ... and this many gaps times the share of cameras behind queues */
    double jam_s;       /* next cameras that are this late in the mean: settled is only what their clocks have passed ... */
    double jam_margin;  /* ... by this many latenesses */
    double queue_s;     /* a next camera that none of a camera's vehicles came to for so long has no queue of them */
    double hold_s;      /* whom nobody behind has overtaken is waited for as long as this: a closed road ... */
    double hold_least;  /* ... where so many should have come: fewer may have ended by chance */
    double never_seen;  /* time on the road of trips that end unseen, in ways before the first camera: the slow ones are more of them */
    /* what is wrong beyond chance, one standard deviation: weights of the balance and the life table */
    double sd_balance;   /* a share of unsettled passages */
    double sd_table;     /* a share of the vehicles to be sighted again ... */
    double sd_table_jam; /* ... and this much more in a city with queues */
    /* the interval: one standard deviation */
    double sd_all;    /* of the count, as a share of it */
    double sd_again;  /* of P */
    double sd_unseen; /* of those not yet seen, as a share of them ... */
    double sd_start;  /* ... and this much more at a start */
    double sd_spread; /* of those on one road, as a share of them */
    /* figures */
    double window_s;      /* time constant of flow, speed and delay */
    double road_least;    /* vehicles over its observed length that a road is told from: one slow car ranks no road */
    int64_t record_ms;    /* period of the record */
    double delay_max;     /* a link slower than this many free-flow times ... */
    double delay_slack_s; /* ... and this much more is a stop on the way, not a delay */
    double delay_min;     /* a link faster than this share of free flow is a misread or a clock */
    /* staleness */
    int64_t stale_after_ms;   /* shortest silence that makes an area stale */
    int64_t camera_silent_ms; /* shortest silence of one camera: a long red phase, twice */
    double silence_gaps;      /* silence is longer than this many mean gaps: e^-8 is one in 3,000 by chance */
    int64_t late_max_ms;      /* a passage older than this on arrival is too late to count */
    int64_t future_max_ms;    /* a passage from further ahead than this has a wrong clock */
    int64_t duplicate_ms;     /* the same vehicle at the same camera within this is the same passage */
};

#define COUNT_SETTINGS_DEFAULT                                                                                                             \
    ((struct count_settings){                                                                                                              \
        .vehicles_max = 13u << 18,                                                                                                         \
        .cameras_max = 1u << 14,                                                                                                           \
        .pairs_max = 1u << 15,                                                                                                             \
        .keep_s = 3600,                                                                                                                    \
        .fade_s = 300,                                                                                                                     \
        .settle_gaps = 0.5,                                                                                                                \
        .settle_s = 10,                                                                                                                    \
        .settle_default_s = 300,                                                                                                           \
        .settled_fade_s = 900,                                                                                                             \
        .rate_ways = 1.5,                                                                                                                  \
        .rate_least_s = 60,                                                                                                                \
        .rate_most_s = 900,                                                                                                                \
        .late_s = 90,                                                                                                                      \
        .late_signal_s = 30,                                                                                                               \
        .jam_from = 0.03,                                                                                                                  \
        .late_margin = 7,                                                                                                                  \
        .jam_gaps = 1.5,                                                                                                                   \
        .jam_s = 120,                                                                                                                      \
        .jam_margin = 2,                                                                                                                   \
        .queue_s = 600,                                                                                                                    \
        .hold_s = 900,                                                                                                                     \
        .hold_least = 3,                                                                                                                   \
        .never_seen = 1.7,                                                                                                                 \
        .sd_balance = 0.01,                                                                                                                \
        .sd_table = 0.04,                                                                                                                  \
        .sd_table_jam = 0.3,                                                                                                               \
        .sd_all = 0.04,                                                                                                                    \
        .sd_again = 0.02,                                                                                                                  \
        .sd_unseen = 0.3,                                                                                                                  \
        .sd_start = 0.5,                                                                                                                   \
        .sd_spread = 0.7,                                                                                                                  \
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
