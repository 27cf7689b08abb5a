/*
 * What the door has stored, read back with the brain down: for an audit, and for the test that kills the brain. No plate is given out.
 */
#ifndef SYSTEM_VEHICLE_CAMERA_LIST_H
#define SYSTEM_VEHICLE_CAMERA_LIST_H

#include "base/diag.h"
#include "system/vehicle_camera/passage.h"

/* Calls `fn` with each passage of {data_dir}/passages in the journal's order; it returns false to stop. ERR_STATE: a brain has the journal
 * open; ERR_CORRUPT, ERR_CRYPTO: told in `diag`. */
enum err vehicle_camera_list(
    const char *data_dir, struct diag *diag, bool (*fn)(void *context, const struct passage *passage), void *context) MUST_CHECK;

#endif
