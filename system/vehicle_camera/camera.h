/*
 * The cameras (相机) of a city's file: where they stand, and when each was last heard.
 *
 * The list is immutable once loaded; what changes in a camera is atomic, because passages arrive on several loops. A camera that says
 * nothing for `silent_after` is a stale source of the hub, and fresh again with its next passage or keepalive.
 */
#ifndef SYSTEM_VEHICLE_CAMERA_CAMERA_H
#define SYSTEM_VEHICLE_CAMERA_CAMERA_H

#include "base/str_map.h"
#include "base/yaml.h"
#include "hub/hub.h"

#include <stdatomic.h>

#define CAMERA_N_MAX 100000 /* a province's cameras on one door would be past one core long before */
#define CAMERA_DEVICE_MAX 64

struct camera {
    struct str device;
    struct str title_zh, title_en, area;
    struct point place;
    double heading;   /* degrees from north of the traffic that it sees; NaN: not said */
    bool is_platform; /* may speak for every camera: another platform, or a box that gathers several cameras */
    /* any thread */
    _Atomic int64_t heard_wall_ms; /* 0: never */
    _Atomic int64_t heard_mono_ns;
    _Atomic bool has_left; /* it said UnRegister */
    /* the sweep's own */
    enum hub_health reported;
    bool was_reported;
    int64_t reported_mono_ns;
};

struct camera_list {
    struct str_map by_device;
    struct arena arena;
    struct camera *cameras; /* [n], in the arena */
    size_t n;
};

/* `cameras:` and `platforms:` of the file; both lists of maps. `areas` may be NULL: areas are not looked up then. */
enum err camera_list_load(
    struct camera_list *list, struct yaml_node system, const struct area_tree *areas, struct diag_list *diags) MUST_CHECK;
void camera_list_finish(struct camera_list *list);
/* NULL: unknown. Any thread. */
struct camera *camera_find(const struct camera_list *list, struct str device);
void camera_hear(struct camera *camera, struct clock *clock); /* any thread */
void camera_leave(struct camera *camera);                     /* any thread */

/* Reports each camera whose health changed since the last sweep, and every one at least each 30 s. One thread. */
void camera_list_sweep(struct camera_list *list, struct hub *hub, struct str party, struct clock *clock, int64_t silent_after_ms);

#endif
