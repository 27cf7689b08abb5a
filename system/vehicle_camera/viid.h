/*
 * The bodies of GA/T 1400 (视图库, VIID): JSON in, objects with the names that we keep out.
 *
 * Behind this face is the only C++ of the project (viid_json.cc, simdjson), because a passage must cost microseconds. The reader
 * refuses a body that is not JSON, and leaves everything inside of one object to that object: a wrong type or a name given twice is
 * told with the object, so that one bad passage does not refuse the others. Unknown names, images among them, are skipped undecoded.
 */
#ifndef SYSTEM_VEHICLE_CAMERA_VIID_H
#define SYSTEM_VEHICLE_CAMERA_VIID_H

#include "base/diag.h"
#include "base/str.h"

#define VIID_BODY_MAX (8u << 20)   /* a bulk of passages is about 300 KB; one with inline images a few MB */
#define VIID_VEHICLES_MAX 10000    /* of one body: two seconds of a city's passages */
#define VIID_DEPTH_MAX 32          /* the standard's deepest body has 9 levels */
#define VIID_KEPT_MAX (512u << 10) /* a parser whose buffers grew past this is not kept for the next body */

/* The names that are read; the standard has about 70 in all. */
enum viid_name {
    VIID_MOTOR_VEHICLE_ID,
    VIID_INFO_KIND,
    VIID_SOURCE_ID,
    VIID_DEVICE_ID,
    VIID_STORAGE_URL_1,
    VIID_LANE_NO,
    VIID_HAS_PLATE,
    VIID_PLATE_CLASS,
    VIID_PLATE_NO,
    VIID_PLATE_RELIABILITY,
    VIID_SPEED,
    VIID_VEHICLE_COLOR,
    VIID_PASS_TIME,
    VIID_N_NAMES
};
const char *viid_name_text(enum viid_name name); /* "MotorVehicleID" */

enum viid_type {
    VIID_ABSENT, /* missing, null or an empty string: the same, by tolerance rule 3 */
    VIID_TEXT,
    VIID_NUMBER,
    VIID_BOOLEAN, /* number: 0 or 1 */
    VIID_OTHER,   /* an object or a list */
};

struct viid_value {
    enum viid_type type;
    double number;
    struct str text; /* borrowed from the parser until its next body */
};

struct viid_vehicle {
    bool is_object;          /* what stands in the list is an object at all */
    int twice;               /* a name that is given twice, -1: none */
    struct str notification; /* NotificationID around it; empty in a MotorVehicleListObject */
    struct viid_value values[VIID_N_NAMES];
};

/* What the reader calls, in the order of the body. */
struct viid_visitor {
    void *context;
    enum err (*vehicle)(void *context, const struct viid_vehicle *vehicle); /* an error ends the reading */
    /* After the vehicles of one SubscribeNotificationObject. */
    enum err (*notification)(void *context, struct str id, size_t n_vehicles);
};

struct viid_parser; /* one thread at a time; owns the padded buffer */

enum err viid_parser_create(struct viid_parser **ret_parser) MUST_CHECK;
void viid_parser_destroy(struct viid_parser *parser); /* takes NULL */
bool viid_parser_is_large(const struct viid_parser *parser);

/* MotorVehicleListObject. Nothing is visited unless the whole body is JSON with a list inside. ERR_SYNTAX, ERR_EXISTS (an envelope's name
 * twice), ERR_TOO_LARGE (bytes, depth, vehicles), ERR_NO_MEMORY; the cause in `diag`. */
enum err viid_read_vehicles(struct viid_parser *parser, struct str body, const struct viid_visitor *visitor, struct diag *diag) MUST_CHECK;
/* SubscribeNotificationListObject with the vehicles inside of its notifications. */
enum err viid_read_notifications(
    struct viid_parser *parser, struct str body, const struct viid_visitor *visitor, struct diag *diag) MUST_CHECK;
/* {"RegisterObject":{"DeviceID":"…"}} and its like; the text is borrowed from the parser. */
enum err viid_read_device(
    struct viid_parser *parser, struct str body, const char *object, struct str *ret_device, struct diag *diag) MUST_CHECK;

#endif
