/* What the pieces of the scene share: scene.c (its file, its life, passages in), asking.c (passes), tell.c (figures and alerts out). */
#ifndef SCENE_ZONE_INSIDE_H
#define SCENE_ZONE_INSIDE_H

#include "base/metric.h"
#include "base/str_map.h"
#include "scene/scene.h"
#include "scene/zone/answer.h"
#include "scene/zone/kept.h"

#define ZONE_PURPOSE "traffic.zone" /* of both contracts: passages in, passes looked up */
#define ZONE_ALERTS_MAX 4096        /* breaches that nobody has taken yet; past it the oldest is lost, and counted */

#define ZONE_CAMERAS_MAX 65536 /* devices ever named; the passages of more are not seen, and counted */

struct zone_camera {
    double lon, lat, heading; /* what it said last; NAN: not said */
    uint16_t held, ahead;
    int32_t area; /* the deepest one that holds it; -1: none */
};

struct zone_alert {
    struct zone_breach breach;
    char receipt[ZONE_RECEIPT_MAX]; /* of the question that was answered "no pass"; empty: an answer of before */
};

struct zone_asking;

struct zone_measured { /* looked at by any thread; measure.c */
    struct metric_counter taken, late, future, cameras_refused, asked, fresh, put_off, given_up, withheld, alerts_lost, forgotten,
        unanswered, dropped;
    struct metric_counter waiting, alerts, cameras; /* how many there are now */
};

struct scene_zone {
    struct hub *hub;
    struct loop *loop;
    struct clock *clock;
    const struct area_tree *tree;
    struct str party, passes; /* the table of passes; both the file's */
    struct zones zones;
    struct zone_settings settings;
    struct zone_core *core;
    struct zone_kept kept; /* over a restart */
    struct str_map camera_names;
    struct zone_camera *cameras; /* [ZONE_CAMERAS_MAX] by number */
    const struct hub_resource *indicator, *zone_state, *zone;
    char basis[HUB_RECEIPT_MAX]; /* receipt of the window that the latest passages came in */
    int64_t started_ms;
    struct zone_asking *askings[ZONE_ASKS_MAX]; /* under way; NULL: none */
    struct zone_alert *alerts;                  /* [ZONE_ALERTS_MAX] a ring */
    size_t first_alert, n_alerts;
    uint64_t n_unanswered, n_dropped;
    struct zone_measured measured;
    struct zone_pass answer[ZONE_PASSES_MAX]; /* while one is read */
};

/* One event for the core, and what comes of it: alerts, questions. `receipt` belongs to its breaches; may be empty. */
void zone_scene_step(struct scene_zone *scene, const struct zone_event *event, const char *receipt, struct zone_updates *ret_updates);

/* ---- asking.c ---- */
void zone_ask_start(struct scene_zone *scene, const struct zone_ask *ask);
void zone_ask_stop(struct scene_zone *scene); /* those under way end by themselves, and touch the scene no more */

/* ---- measure.c ---- */
void zone_measure_tick(struct scene_zone *scene);
void zone_measure(const void *scene, struct metric_page *page); /* any thread */

/* ---- tell.c ---- */
void zone_tell_figures(struct scene_zone *scene, const struct zone_updates *updates, int64_t now_ms);
void zone_alert_add(struct scene_zone *scene, const struct zone_breach *breach, const char *receipt);
void zone_alerts_send(struct scene_zone *scene); /* what is not taken waits for the next second */
enum err zone_put_object(struct scene_zone *scene);

#endif
