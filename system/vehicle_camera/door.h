/*
 * The routes of the camera door (GA/T 1400): what comes in over HTTP, and what each request is answered.
 */
#ifndef SYSTEM_VEHICLE_CAMERA_DOOR_H
#define SYSTEM_VEHICLE_CAMERA_DOOR_H

#include "http/server.h"
#include "system/vehicle_camera/store.h"

struct door;

struct door_options {
    struct store *store;         /* kept */
    struct camera_list *cameras; /* kept */
    struct passage_rules rules;
    struct clock *clock;
    const char *zone_text;  /* "+08:00", as System/Time says it; kept */
    bool status_as_integer; /* StatusCode as 0 instead of "0" (tolerance rule 1) */
};

enum err door_create(const struct door_options *options, struct door **ret_door) MUST_CHECK;
/* After the HTTP servers and the store ended, while the servers' loops still run on threads of their own: their last answers are waited
 * for. Takes NULL. */
void door_destroy(struct door *door);
extern const char vehicle_camera_schemas[];                                      /* door.schema.json */
void door_measure(struct door *door, struct metric_page *page, struct str name); /* any thread */
void door_mount(struct door *door, struct http_mount *ret_mount);

#endif
