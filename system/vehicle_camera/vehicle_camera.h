/*
 * The connector `vehicle_camera`: the door that real plate cameras use (GA/T 1400), as a system of the hub. README.md has the overview,
 * docs/camera.md the formats.
 */
#ifndef SYSTEM_VEHICLE_CAMERA_VEHICLE_CAMERA_H
#define SYSTEM_VEHICLE_CAMERA_VEHICLE_CAMERA_H

#include "hub/system.h"

extern const struct hub_system_ops system_vehicle_camera_ops;

#endif
