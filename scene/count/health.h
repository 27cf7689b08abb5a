/*
 * What the scene tells of its cameras and of plates: a row for each camera at the end of each period (stream PARTY/camera, where the
 * scene's file declares it), and alerts for people: a camera whose clock is wrong or that misses too many (data.quality, whose data it is),
 * and one plate at two places at once (plate.cloned). An alert names cameras and times, and no plate: who has the passages can look.
 */
#ifndef SCENE_COUNT_HEALTH_H
#define SCENE_COUNT_HEALTH_H

#include "base/clock.h"
#include "hub/hub.h"
#include "scene/count/clones.h"
#include "scene/count/core.h"

/* The fields of the stream, in this order. */
enum {
    COUNT_HEALTH_CAMERA,          /* text */
    COUNT_HEALTH_TIME,            /* time */
    COUNT_HEALTH_HEARD,           /* time: its last passage came; null: never */
    COUNT_HEALTH_SILENT,          /* boolean */
    COUNT_HEALTH_CLOCK_MS,        /* integer: its clock is ahead by so much; taken off before the passages are used */
    COUNT_HEALTH_CLOCK_WITHIN_MS, /* integer: known to within this */
    COUNT_HEALTH_RECALL,          /* real: share of the passing vehicles that it reads; null: not known */
    COUNT_HEALTH_N_RECALL,        /* integer: vehicles that this rests on */
    COUNT_HEALTH_N_FIELDS
};
extern const char *const count_health_field_names[COUNT_HEALTH_N_FIELDS];

#define COUNT_CLOCK_RED_S 5.0   /* from here on a clock is an alert ... */
#define COUNT_CLOCK_GREEN_S 3.0 /* ... until it is below this */
#define COUNT_RECALL_RED 0.5
#define COUNT_RECALL_GREEN 0.6
#define COUNT_RED_LOOKS 3 /* looks in a row before it is told */

struct count_health {
    struct hub *hub;
    const struct hub_resource *camera; /* NULL: not declared */
    struct str provider;               /* whose passages they are; kept */
    struct time_zone zone;             /* of the times in an alert */
    /* The name of a core's camera (empty: it was moved away, and nobody is told of it), and the area it stands in; borrowed. */
    struct str (*name_of)(void *context, uint32_t camera);
    struct str (*area_of)(void *context, uint32_t camera);
    void *context;
    uint8_t *told; /* by camera, as in resume.h: clock, recall. Kept by the owner, over restarts too */
    uint8_t *red;  /* [n_red] by camera: looks in a row that were red. Clock and recall by turns */
    uint32_t n_red;
    struct count_clone due[COUNT_CLONES_TOLD]; /* the hub did not take them yet */
    uint32_t n_due;
    uint64_t n_alerts, n_refused, n_lost; /* taken; refused, and tried again; plates that found no room to wait */
};

void count_health_finish(struct count_health *health);
/* Each tick: plates found since the last one; what the hub does not take is told again at the next. */
void count_health_clones(struct count_health *health, const struct count *count, const struct count_clone *clones, uint32_t n);
/* At the end of a period. */
void count_health_tell(struct count_health *health, const struct count *count, int64_t time_ms);

#endif
