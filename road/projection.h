/*
 * From a network's flat coordinates to WGS 84 and back, by PROJ: the datum shifts and projections are never ours.
 *
 * A SUMO network says in <location> how it was made: netOffset was added to the projected coordinates, projParameter is the
 * PROJ string. The same string is given to PROJ here that SUMO gives it, so both see the same places. Only parameters that
 * compute are allowed; those that read files (nadgrids, init, pipelines) are refused, since the network comes from outside.
 */
#ifndef ROAD_PROJECTION_H
#define ROAD_PROJECTION_H

#include "base/diag.h"
#include "base/str.h"

#define ROAD_PROJ_TEXT_MAX 512 /* bytes of projParameter; EPSG's longest tmerc string has about 130 */

struct road_projection; /* used by one thread at a time */

/* `parameter`: a PROJ string "+proj=utm +zone=50 …". ERR_UNSUPPORTED, ERR_SYNTAX with cause and mend in `diag`, placed at file:line. */
enum err road_projection_create(struct str parameter, double offset_x, double offset_y, const char *file, int line, struct diag *diag,
    struct road_projection **ret_projection) MUST_CHECK;
void road_projection_destroy(struct road_projection *projection); /* takes NULL */
/* Metres of the network to degrees. ERR_RANGE where the projection has no inverse. */
enum err road_projection_to_wgs84(struct road_projection *projection, double x, double y, double *ret_lon, double *ret_lat) MUST_CHECK;
/* Degrees to metres of the network. ERR_RANGE. */
enum err road_projection_from_wgs84(struct road_projection *projection, double lon, double lat, double *ret_x, double *ret_y) MUST_CHECK;

#endif
