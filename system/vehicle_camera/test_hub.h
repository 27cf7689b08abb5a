/*
 * For the door's tests: a hub that keeps what is published and reported, and a city's file with three cameras and a platform. The real
 * hub is held against the door in tests/e2e.
 */
#ifndef SYSTEM_VEHICLE_CAMERA_TEST_HUB_H
#define SYSTEM_VEHICLE_CAMERA_TEST_HUB_H

#include "hub/system.h"
#include "system/vehicle_camera/passage.h"

#define FAKE_CAMERA_1 "33010600001190000001"
#define FAKE_CAMERA_2 "33010600001190000002"
#define FAKE_CAMERA_3 "33010600001190000003"
#define FAKE_PLATFORM "33010600002000000001"

extern const char fake_city_file[]; /* systems/cameras.yaml */
extern const struct hub_resource fake_passage;

/* ---- what was published, on any thread ---- */
void fake_hub_reset(void);
void fake_hub_refuse(bool refuses); /* hub_publish() says ERR_FULL */
size_t fake_hub_n(void);            /* passages published */
size_t fake_hub_n_refused(void);
/* How many of them have this plate. */
size_t fake_hub_count(const char *plate);
/* A text field of the nth passage, copied. */
void fake_hub_text(size_t nth, enum passage_field field, char *out, size_t size);
struct value fake_hub_value(size_t nth, enum passage_field field); /* numbers and times */
void fake_hub_wait(size_t n);                                      /* until n passages are published */

/* ---- the last report of a source ---- */
struct fake_report {
    size_t n; /* reports */
    enum hub_health health;
    int64_t last_heard_ms;
    char area[64], title_zh[64], detail[128];
    struct point place;
};
bool fake_hub_report(const char *source, struct fake_report *ret_report);

/* ---- one object as a camera sends it ---- */
/* The standard's sample with this id, camera, plate and PassTime, into `out`. */
void fake_vehicle(struct buf *out, const char *id, const char *device, const char *plate, const char *pass_time);

#endif
