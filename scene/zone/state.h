/* What the core holds: core.c steps it, snapshot.c writes and reads it. Nobody else looks in. */
#ifndef SCENE_ZONE_STATE_H
#define SCENE_ZONE_STATE_H

#include "scene/zone/core.h"

struct zone_state {
    struct zone_gaps gaps;
    struct zone_figures figures;
    uint64_t through[ZONE_N_GROUPS]; /* different pseudonyms of today that were in it */
    int64_t heard_ms;                /* INT64_MIN: never */
    double heard_gap_ms;             /* between two passages, as of late */
    struct zone_stays stays;         /* of today */
    struct zone_estimate counted;
    int64_t counted_ms; /* INT64_MIN: never */
    int64_t hour;       /* in which n_told were told */
    uint32_t n_told;
};

struct zone_area_state {
    struct zone_area_figures figures;
    uint64_t through[ZONE_N_GROUPS]; /* as a zone's */
};

struct zone_core {
    struct zone_settings settings;
    const struct zones *zones;
    struct zone_vehicles vehicles;
    struct zone_checks checks;
    struct zone_counters counters;
    int64_t now_ms;    /* INT64_MIN: not known yet */
    int64_t ticked_ms; /* 0: not yet */
    int32_t today;
    int64_t missed_since_ms, missed_until_ms; /* passages between them were not handed over; both 0: none */
    int64_t retry_ms, retry_at_ms;            /* 0: the last ask was answered */
    struct zone_state states[ZONES_MAX];
    struct zone_area_state area_states[ZONE_AREAS_MAX];
    struct zone_breach breaches[ZONE_BREACHES_MAX];
    size_t n_breaches;
    struct zone_figures figures[ZONES_MAX];
    struct zone_area_figures area_figures[ZONE_AREAS_MAX];
};

/* Where it is now, one bit a zone; the zones' counts follow. */
void zone_set_inside(struct zone_core *core, struct zone_vehicle *vehicle, uint16_t inside);
/* As zone_vehicles_add(); who has to make room leaves the zones. */
struct zone_vehicle *zone_add_vehicle(struct zone_core *core, uint64_t id);

#endif
