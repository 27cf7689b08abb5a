/*
 * A snapshot: all that the cockpit shows at one moment, immutable, shared by reference count between the cockpit's loop,
 * which makes it, and the HTTP loops, which render it for their viewers.
 */
#ifndef COCKPIT_SNAPSHOT_H
#define COCKPIT_SNAPSHOT_H

#include "base/json.h"
#include "cockpit/value.h"

struct cockpit_edge { /* what is known of one directed edge of the network */
    struct str edge;  /* borrowed from the board, which outlives every snapshot */
    int area;         /* index; -1: not known */
    struct wall_time time;
    bool has_speed, has_delay, has_flow;
    double speed_mps, delay_index, flow_vph;
    int level;        /* 0 the best; -1: none */
    uint64_t changed; /* number of the snapshot in which it last changed */
};

struct cockpit_road { /* one named road in one area */
    struct str road;
    int area;
    struct wall_time time;
    bool has_delay, has_flow, has_vehicle_km, has_usual, has_vehicles;
    double speed_mps, delay_index, flow_vph, length_m, vehicle_km_ph;
    double vehicles, vehicles_low, vehicles_high; /* in transit, with 90 % interval */
    double usual;                                 /* delay index at this time of such a day */
    struct str usual_state;                       /* "learning" "usual" "slower" "faster"; empty: none is learned */
    int64_t usual_since_ms, usual_days;
    int64_t n;
    int level, n_levels; /* 0 the best of so many; -1: none */
    struct cockpit_text level_title;
    struct str made_by; /* formula and version */
    struct str sources; /* of its speed, separated by blanks: "camera", "gps" */
};

struct cockpit_junction {
    struct str junction, title; /* borrowed from the board */
    int area;
    struct point place;
    struct wall_time time;
    bool is_there;
    double delay_s, delay_index; /* a vehicle's, waiting included */
    int64_t n;
    struct str made_by;
};

#define COCKPIT_ZONE_CLASSES_MAX 8
#define COCKPIT_ZONE_STALE_MS 10000 /* its scene tells of it each second */

struct cockpit_estimate {
    bool is_there, has_interval;
    double value, low, high; /* with 90 % interval */
};

struct cockpit_zone { /* a drawn zone: who is in it, by class of plates */
    struct str zone;  /* borrowed from the board */
    int area;
    struct wall_time time; /* of the last row */
    int64_t stale_since_ms, missing_since_ms, breaches;
    bool has_breaches;
    size_t n_classes;
    struct {
        struct str name; /* likewise */
        struct cockpit_estimate now, today;
    } classes[COCKPIT_ZONE_CLASSES_MAX];
    char receipt[COCKPIT_RECEIPT_MAX]; /* of the window that the last row came in */
};

#define COCKPIT_LEVELS_MAX 16

#define COCKPIT_SOURCE_DETAIL_MAX HUB_DETAIL_MAX

struct cockpit_source {
    struct str party, source; /* borrowed from the board */
    struct str title_zh, title_en;
    int area;
    struct point place;
    enum hub_health health;
    int64_t last_heard_ms, since_ms;
    char detail[COCKPIT_SOURCE_DETAIL_MAX];
};

struct cockpit_recorded { /* a value that has become durable since the last snapshot */
    int indicator, area;
    struct wall_time time;
    bool has_number;
    double number;
    char receipt[COCKPIT_RECEIPT_MAX];
};

struct cockpit_snapshot {
    _Atomic uint32_t n_refs;
    uint64_t number; /* 1, 2, 3 … */
    struct wall_time time;
    const struct cockpit_config *config;
    const struct area_tree *areas;
    struct cockpit_value *values; /* [indicator][area] */
    struct cockpit_edge *edges;
    struct cockpit_road *roads;
    struct cockpit_junction *junctions;
    struct cockpit_zone *zones;
    struct cockpit_source *sources;
    struct cockpit_recorded *recorded;
    size_t n_edges, n_roads, n_junctions, n_zones, n_sources, n_recorded;
    bool sources_changed;
};

struct cockpit_snapshot *cockpit_snapshot_hold(struct cockpit_snapshot *snapshot);
void cockpit_snapshot_release(struct cockpit_snapshot *snapshot); /* takes NULL */
const struct cockpit_value *cockpit_snapshot_value(const struct cockpit_snapshot *snapshot, int indicator, int area);

/* A part of a list: at most `limit` items of those from index `at` to `end` are written. Afterwards `at` is where the next part begins,
 * `n` how many were written. */
struct cockpit_part {
    size_t at, end, limit, n;
};

/* ---- views, as JSON into `w`; formats: docs/cockpit.md ---- */
void cockpit_view_indicators(const struct cockpit_snapshot *s, int area, struct json_writer *w); /* GET /cockpit/v1/indicators */
void cockpit_view_live(
    const struct cockpit_snapshot *s, int area, struct json_writer *w); /* the event `indicators`: an area and its children */
/* Within `area`, changed after snapshot number `after`; indexes as in s->edges, which only grows from one snapshot to the next. */
void cockpit_view_edges(const struct cockpit_snapshot *s, int area, uint64_t after, struct cockpit_part *part, struct json_writer *w);
void cockpit_view_ranking(const struct cockpit_snapshot *s, int area, size_t limit, struct json_writer *w, struct arena *arena);
/* The longest wait first, of the area and all within it. */
void cockpit_view_junctions(const struct cockpit_snapshot *s, int area, size_t limit, struct json_writer *w, struct arena *arena);
/* Of the area and all within it, in the order in which they were first told. */
void cockpit_view_zones(const struct cockpit_snapshot *s, int area, struct json_writer *w);
void cockpit_view_sources(const struct cockpit_snapshot *s, int area, struct cockpit_part *part, struct json_writer *w); /* likewise */
void cockpit_view_recorded(const struct cockpit_snapshot *s, const struct cockpit_recorded *recorded, struct json_writer *w);

/* A number in the unit that people see: × scale, rounded; null when there is none. */
void cockpit_put_number(struct json_writer *w, const struct cockpit_indicator *indicator, bool has_number, double number);
void cockpit_put_text(struct json_writer *w, const char *key, const struct cockpit_text *text);

#endif
