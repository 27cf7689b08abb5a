/*
 * One passage (过车) of one vehicle past one camera: what a camera said, checked and brought into one form. Pure: no clock, no I/O.
 */
#ifndef SYSTEM_VEHICLE_CAMERA_PASSAGE_H
#define SYSTEM_VEHICLE_CAMERA_PASSAGE_H

#include "base/clock.h"
#include "base/rows.h"
#include "system/vehicle_camera/camera.h"
#include "system/vehicle_camera/plate.h"
#include "system/vehicle_camera/viid.h"

#define PASSAGE_ID_MAX 128     /* bytes of a MotorVehicleID; the standard has 48 and rule 7 says not to insist */
#define PASSAGE_PLATE_MAX 32   /* bytes of a plate after normalising; 浙AD12345 has 10 */
#define PASSAGE_CLASS_MAX 8    /* the standard has 2 */
#define PASSAGE_VEHICLE_MAX 20 /* hexadecimal digits of a pseudonym: 80 bits, so that a nation's day has no two alike */
#define PASSAGE_TEXT_MAX 192   /* of a StatusString */

/* StatusCode of GA/T 1400.4 (ConfirmStatusType) [from memory of the standard]. */
enum viid_status {
    VIID_STATUS_OK = 0,
    VIID_STATUS_OTHER = 1,
    VIID_STATUS_BUSY = 2,
    VIID_STATUS_DEVICE_ERROR = 3,
    VIID_STATUS_INVALID_OPERATION = 4,
    VIID_STATUS_JSON_FORMAT = 7,
    VIID_STATUS_JSON_CONTENT = 8,
};

/* The fields of the resource `passage`, in the order in which a city's file declares them. */
enum passage_field {
    PASSAGE_CAMERA,      /* text */
    PASSAGE_VEHICLE,     /* text: pseudonym of the plate for a day; null when the plate was not read whole */
    PASSAGE_PLATE,       /* text; null: none was read */
    PASSAGE_PLATE_CLASS, /* text */
    PASSAGE_TIME,        /* time: when it passed, by the camera's clock, to the second */
    PASSAGE_ARRIVED,     /* time: when it came in here */
    PASSAGE_LANE,        /* integer */
    PASSAGE_SPEED_MPS,   /* real */
    PASSAGE_CONFIDENCE,  /* integer: percent */
    PASSAGE_LON,         /* real */
    PASSAGE_LAT,         /* real */
    PASSAGE_HEADING,     /* real: degrees from north */
    PASSAGE_PLATE_GROUP, /* text: plate_group() of a plate that was read whole */
    PASSAGE_N_FIELDS
};
struct passage_field_form {
    const char *name;
    enum value_type type;
};
extern const struct passage_field_form passage_fields[PASSAGE_N_FIELDS];

struct passage {
    struct str id;           /* MotorVehicleID; borrowed */
    struct str camera;       /* device; the camera's own text when `place` is known, else borrowed */
    const struct camera *at; /* borrowed; NULL: a camera that is no longer on the list (replay) */
    int64_t time_ms;
    int64_t arrived_ms;
    double speed_mps;   /* NaN: not said */
    int16_t lane;       /* -1: not said */
    int16_t confidence; /* -1: not said */
    bool is_whole;      /* the plate was read, every character */
    uint8_t plate_len, plate_class_len, vehicle_len;
    char plate[PASSAGE_PLATE_MAX];     /* no blanks, no dots, capitals */
    char vehicle[PASSAGE_VEHICLE_MAX]; /* set by the store */
    char plate_class[PASSAGE_CLASS_MAX];
    uint64_t fingerprint; /* of camera and id, keyed; set by the store */
};

struct passage_rules {
    const struct camera_list *cameras;
    struct time_zone zone; /* of PassTime */
    int64_t accept_future_ms, accept_past_ms;
    bool needs_standard; /* every name that the standard requires; else only what we use */
};

/* What the fields of one object say, in order: is it an object, are its names given once, are the required ones there, is the time in
 * the window, does the speaker (the Digest user) speak for the camera, is each value of a form that its field can have.
 * Returns the status and fills `text` with its words; *ret_passage is filled for VIID_STATUS_OK only. */
enum viid_status passage_read(const struct viid_vehicle *vehicle, const struct passage_rules *rules, struct str speaker,
    struct wall_time now, struct passage *ret_passage, char text[PASSAGE_TEXT_MAX]) MUST_CHECK;

/* The values of a passage in the order of the fields; text is borrowed from it. `locals` may be NULL: no group is told. */
void passage_values(const struct passage *passage, const struct plate_locals *locals, struct value values[PASSAGE_N_FIELDS]);

#endif
