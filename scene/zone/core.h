/*
 * Restricted zones (限行区), the pure core: passages, answers about passes and time in; breaches, questions and figures out.
 *
 * zone_step() is the whole of it. No clock, no file, no hub: the same events give the same breaches. Memory is bounded by the settings. No
 * breach is claimed without an answer that there is no pass; what cannot be asked is put off, in a bounded queue, and counted. docs/zone.md
 * has the definitions.
 *
 * A passage's way: its times are believable → the vehicle is known (vehicles.h) → where it is now, and by when it is to be seen again
 * (gaps.h) → through this zone today → restricted here and now? (zones.h) → a fresh answer is known, or a check is put off (checks.h).
 */
#ifndef SCENE_ZONE_CORE_H
#define SCENE_ZONE_CORE_H

#include "scene/zone/checks.h"
#include "scene/zone/estimate.h"
#include "scene/zone/gaps.h"
#include "scene/zone/vehicles.h"
#include "scene/zone/zones.h"

#define ZONE_FRESH INT64_MIN           /* stale_since_ms of what is fresh */
#define ZONE_BREACHES_MAX ZONE_ASK_MAX /* of one step: an answer's, or a passage's in every zone */

struct zone_settings {
    uint32_t vehicles_max, checks_max;
    int64_t pass_fresh_ms;      /* an answer is believed so long: a pass that was revoked counts no longer than this */
    int64_t check_kept_ms;      /* a check is put off no longer */
    int64_t timeout_ms;         /* until the gaps are known */
    int64_t stale_after_ms;     /* of silence of a zone's cameras, at least */
    int16_t confidence_min;     /* percent: a worse reading claims no breach */
    uint32_t breaches_per_hour; /* of a zone that are told one by one; more are counted */
};
#define ZONE_SETTINGS_DEFAULT                                                                                                              \
    {                                                                                                                                      \
        .vehicles_max = 1u << 20, .checks_max = 10000, .pass_fresh_ms = 60000, .check_kept_ms = 86400000, .timeout_ms = 600000,            \
        .stale_after_ms = 30000, .confidence_min = 80, .breaches_per_hour = 1000                                                           \
    }

struct zone_passage {
    uint64_t vehicle;            /* hash of the pseudonym */
    struct str pseudonym, plate; /* borrowed; kept only while a check is put off */
    uint32_t camera;             /* the caller's number */
    uint16_t held, ahead;        /* zones that hold the camera's place, and the place where the traffic it sees goes */
    uint8_t group;               /* enum zone_group; ZONE_N_GROUPS: not said */
    int16_t confidence;          /* percent; -1: not said */
    int64_t time_ms, arrived_ms; /* by the camera's clock, by ours */
};

struct zone_pass {  /* one row of the answer */
    uint32_t check; /* which of the ask's */
    uint16_t zones; /* where it lets one be */
    int64_t from_ms, until_ms;
};

#define ZONE_COUNTED_FOR_MS 10000 /* what the count said is believed; it speaks each second */

enum zone_event_type { ZONE_PASSAGE, ZONE_ANSWER, ZONE_NO_ANSWER, ZONE_COUNTED, ZONE_TICK };

struct zone_event {
    enum zone_event_type type;
    union {
        struct zone_passage passage;
        struct {
            uint32_t number; /* of the ask */
            const struct zone_pass *passes;
            size_t n;
        } answer;
        struct {
            uint32_t number;
            bool is_final; /* asking again would bring the same: the checks are given up */
        } no_answer;
        struct { /* so many are on its roads */
            uint8_t zone;
            struct zone_estimate vehicles;
            int64_t time_ms; /* on our clock */
        } counted;
        int64_t now_ms; /* tick */
    };
};

struct zone_breach {
    char pseudonym[ZONE_PSEUDONYM_MAX + 1];
    uint32_t camera;
    uint8_t zone, group;
    int32_t day; /* zone_day() of the passage */
    int64_t time_ms;
};

struct zone_figures {
    int64_t stale_since_ms;          /* its cameras are silent since then; ZONE_FRESH */
    int64_t missing_since_ms;        /* passages of today are missing since then: `through` and `breaches` are too small; ZONE_FRESH */
    bool has_camera;                 /* one has been heard since the start */
    uint32_t now[ZONE_N_GROUPS];     /* in it, of those that were seen */
    uint64_t through[ZONE_N_GROUPS]; /* different ones that were seen in it today, never less than now */
    bool is_counted;
    struct zone_estimate counted; /* in it, as the count has it: seen or not */
    double factor;                /* so many times as many as were seen were in it today; NAN: not known */
    uint64_t breaches;            /* found, of today */
    int64_t timeout_ms;
    uint32_t n_passages; /* since the last tick */
};

/* Of the zones of an area together: who is in several of them is one vehicle. */
struct zone_area_figures {
    uint32_t now[ZONE_N_GROUPS];
    uint64_t through[ZONE_N_GROUPS];
};

/* Borrowed until the next step. */
struct zone_updates {
    const struct zone_breach *breaches;
    size_t n_breaches;
    const struct zone_ask *ask; /* to be asked now, answered by ZONE_ANSWER or ZONE_NO_ANSWER with its number; its checks stay until then */
    const struct zone_figures *figures;    /* of a tick: [n of the zones] */
    const struct zone_area_figures *areas; /* of a tick: [n_areas of the zones] */
};

struct zone_counters {                     /* since the start */
    uint64_t n_passages, n_late, n_future; /* taken; refused by their time */
    uint64_t n_asked, n_from_cache;        /* checks answered by the table, by an answer that was fresh */
    uint64_t n_put_off;                    /* put back since no answer came */
    uint64_t n_given_up;                   /* too old, no room, an answer that cannot be: nothing is claimed of them */
    uint64_t n_withheld;                   /* breaches past those that are told one by one */
};

struct zone_core;

/* `zones` is borrowed until zone_destroy(). ERR_NO_MEMORY. */
enum err zone_create(const struct zone_settings *settings, const struct zones *zones, struct zone_core **ret_core) MUST_CHECK;
void zone_destroy(struct zone_core *core); /* wipes what plates there are; takes NULL */
/* Passages between were not handed over, as while nothing ran: that day's figures say so. */
void zone_missed(struct zone_core *core, int64_t since_ms, int64_t until_ms);
void zone_step(struct zone_core *core, const struct zone_event *event, struct zone_updates *ret_updates);
const struct zone_counters *zone_counters(const struct zone_core *core);
uint32_t zone_n_waiting(const struct zone_core *core); /* checks that are put off or asked now */
const struct zone_vehicles *zone_known_vehicles(const struct zone_core *core);

#endif
