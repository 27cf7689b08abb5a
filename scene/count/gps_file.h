/*
 * A table of floating cars' points (浮动车), followed on the map beside the passages of `citybrain count`, on one clock:
 *
 *     vehicle,time_ms,lon,lat (x,y without a projection)[,speed][,heading][,arrive_time_ms][,status]
 *
 * The columns are those of `citybrain match`, found by name. Lines stand in the order of their arrival, which without a column of its own
 * is the point's time; arrivals go on as those of passages do (file.h): back by up to ten minutes is taken as arriving with the line
 * before; by more, or an hour ahead of the next line, is broken. What becomes of a point that is read is gps.h's. Memory does not grow with
 * the table.
 */
#ifndef SCENE_COUNT_GPS_FILE_H
#define SCENE_COUNT_GPS_FILE_H

#include "base/diag.h"
#include "road/nearest.h"
#include "scene/count/gps.h"

struct count_gps_file_asked {
    const char *path; /* all borrowed until it is closed */
    const struct road_hierarchy *hierarchy;
    count_drive_fn on_drive;
    void (*on_broken)(void *context, const char *text); /* "points.csv:7: …"; may be NULL */
    void *context;                                      /* of both */
};
struct count_gps_file;

/* Opens it and reads what its first piece holds. Errors are told in `diag`, which is kept: ERR_NOT_FOUND, ERR_IO, ERR_SYNTAX,
 * ERR_NO_MEMORY. */
enum err count_gps_file_open(const struct count_gps_file_asked *asked, struct diag *diag, struct count_gps_file **ret_file) MUST_CHECK;
bool count_gps_file_is_due(const struct count_gps_file *file, int64_t until_ms); /* has a point arrived by then? NULL: no */
/* Every point that arrived at or before `until_ms`; who is silent by then has ended its trip. */
enum err count_gps_file_take(struct count_gps_file *file, int64_t until_ms) MUST_CHECK;
/* Every line that is left, as far as it can be broken. */
enum err count_gps_file_end(struct count_gps_file *file) MUST_CHECK;
void count_gps_file_close(struct count_gps_file *file); /* takes NULL */
uint64_t count_gps_file_n_lines(const struct count_gps_file *file);
uint64_t count_gps_file_n_broken(const struct count_gps_file *file);
uint64_t count_gps_file_n(const struct count_gps_file *file, enum count_gps_verdict verdict); /* of points that were read */

#endif
