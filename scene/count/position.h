/*
 * A row of a fleet's stream of positions as a point of a floating car: what the scene asks of `needs: {position: …}`, under contract.
 */
#ifndef SCENE_COUNT_POSITION_H
#define SCENE_COUNT_POSITION_H

#include "base/rows.h"
#include "scene/count/gps.h"

/* vehicle (text), time, lon, lat (WGS 84), speed_mps, heading (degrees from north), status (JT/T 808's word, integer); NULL-terminated.
 * All but the first two may be null in a row. */
extern const char *const count_position_fields[];

/* `row`: values of those fields, in their order. False: nobody's point, or of no time. */
bool count_position_read(const struct value *row, int64_t arrived_ms, struct count_gps_point *ret_point);

#endif
