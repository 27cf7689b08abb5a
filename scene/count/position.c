/* Rows of positions; see position.h. */
#include "scene/count/position.h"

#include <math.h>

enum { VEHICLE, TIME, LON, LAT, SPEED_MPS, HEADING, STATUS };

const char *const count_position_fields[] = {"vehicle", "time", "lon", "lat", "speed_mps", "heading", "status", NULL};

static double real_of(struct value value)
{
    double real;
    return value_to_real(value, &real) ? real : NAN;
}

bool count_position_read(const struct value *row, int64_t arrived_ms, struct count_gps_point *ret_point)
{
    if (row[VEHICLE].type != VALUE_TEXT || str_is_empty(row[VEHICLE].s) || row[TIME].type != VALUE_TIME)
        return false;
    bool has_status = row[STATUS].type == VALUE_INTEGER;
    *ret_point = (struct count_gps_point){.vehicle = str_hash(row[VEHICLE].s),
        .fix = {.time_ms = row[TIME].i,
            .point = {real_of(row[LON]), real_of(row[LAT])},
            .speed_mps = real_of(row[SPEED_MPS]),
            .heading = real_of(row[HEADING])},
        .arrived_ms = arrived_ms,
        .has_status = has_status,
        .status = has_status ? (uint32_t)row[STATUS].i : 0};
    return true;
}
