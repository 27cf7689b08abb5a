/*
 * What a camera says and hears, in GA/T 1400's JSON: the list of passages out, the statuses in. Bytes only.
 */
#ifndef WORLD_VIID_H
#define WORLD_VIID_H

#include "base/buf.h"
#include "base/clock.h"
#include "world/plates.h"

#define VIID_MEDIA_TYPE "application/VIID+JSON;charset=utf-8"

/* One reading that waits to be sent. */
struct viid_passage {
    struct wall_time time; /* by the camera's clock, which it took from the brain */
    char plate[PLATE_BYTES_MAX];
    char plate_class[3], vehicle_type[4];
    uint8_t lane; /* from the middle of the road, from 1 */
    uint8_t confidence;
    float speed_mps; /* under 0: not measured, not sent */
    uint32_t number; /* of the camera's passages; with device and time the passage's name */
};

/* MotorVehicleListObject with passages[0..n). Errors stick in `out`. */
void viid_write_passages(const char *device, struct time_zone zone, const struct viid_passage *const *passages, size_t n, struct buf *out);
/* RegisterObject, KeepaliveObject: {"<object>":{"DeviceID":"…"}}. */
void viid_write_device(const char *object, const char *device, struct buf *out);
/* ResponseStatusListObject, or one ResponseStatusObject: how many statuses are 0 and how many are not; `ret_why` (size bytes) gets the
 * words of one that is not. ERR_SYNTAX. */
enum err viid_read_statuses(struct str body, uint32_t *ret_n_ok, uint32_t *ret_n_refused, char *ret_why, size_t size) MUST_CHECK;
/* SystemTimeObject's LocalTime, to the second, in `zone`. ERR_SYNTAX. */
enum err viid_read_time(struct str body, struct time_zone zone, struct wall_time *ret_time) MUST_CHECK;

#endif
