/* A table of floating cars' points; see gps_file.h. */
#include "scene/count/gps_file.h"

#include "base/mem.h"
#include "road/table.h"
#include "scene/count/file.h"
#include "scene/count/passages.h"

#include <math.h>
#include <stdio.h>

enum { VEHICLE, TIME, LON, LAT, X, Y, SPEED, HEADING, ARRIVED, STATUS };
static const char *const columns[] = {"vehicle", "time_ms", "lon", "lat", "x", "y", "speed", "heading", "arrive_time_ms", "status", NULL};

struct count_gps_file {
    struct count_gps_file_asked asked;
    const struct road_network *network;
    struct road_nearest *nearest;
    struct count_gps *gps;
    struct road_table table;
    struct road_table_file *file;
    bool is_end;
    struct count_gps_point *points; /* [n_points] of the piece that was read last, in order; from `next` on they wait */
    size_t n_points, cap_points, next;
    int64_t latest_ms; /* arrival; INT64_MIN: none yet */
    bool is_held;      /* one far ahead of the others, until the next tells whether to believe it */
    struct count_gps_point held;
    uint64_t held_line;
};

/* ---- a line ---- */

static const char *on_header(void *context, uint32_t present)
{
    const struct count_gps_file *file = context;
    bool is_flat = !file->network->is_geographic;
    uint32_t needed = 1u << VEHICLE | 1u << TIME | (is_flat ? 1u << X | 1u << Y : 1u << LON | 1u << LAT);
    if ((present & needed) == needed)
        return NULL;
    return is_flat ? "points need the columns vehicle, time_ms, x and y: this network has no projection"
                   : "points need the columns vehicle, time_ms, lon and lat (WGS 84)";
}

static bool read_time(struct str text, int64_t *ret_ms)
{
    return str_to_i64(text, ret_ms) == ERR_OK && *ret_ms >= 0 && *ret_ms <= COUNT_TIME_FILE_MAX;
}

/* A number that need not be there; what it may be is looked at later (gps.h). */
static bool read_optional(struct str text, double *ret_number)
{
    *ret_number = NAN;
    return str_is_empty(text) || str_to_double(text, ret_number) == ERR_OK;
}

static const char *read_point(const struct count_gps_file *file, const struct str *fields, struct count_gps_point *ret_point)
{
    bool is_flat = !file->network->is_geographic;
    int64_t status = 0;
    struct road_fix *fix = &ret_point->fix;
    *ret_point = (struct count_gps_point){.vehicle = str_hash(fields[VEHICLE]), .has_status = !str_is_empty(fields[STATUS])};
    if (str_is_empty(fields[VEHICLE]))
        return "a point without a vehicle";
    if (!read_time(fields[TIME], &fix->time_ms))
        return "the time is not a whole number of milliseconds from 0 to 2^43";
    ret_point->arrived_ms = fix->time_ms;
    if (!str_is_empty(fields[ARRIVED]) && !read_time(fields[ARRIVED], &ret_point->arrived_ms))
        return "the arrival is not a whole number of milliseconds from 0 to 2^43";
    if (str_to_double(fields[is_flat ? X : LON], &fix->point.lon) != ERR_OK ||
        str_to_double(fields[is_flat ? Y : LAT], &fix->point.lat) != ERR_OK)
        return "the place is not two numbers";
    if (!read_optional(fields[SPEED], &fix->speed_mps) || !read_optional(fields[HEADING], &fix->heading))
        return "the speed or the heading is not a number";
    if (ret_point->has_status && (str_to_i64(fields[STATUS], &status) != ERR_OK || status < 0 || status > UINT32_MAX))
        return "the status is not a number of 32 bits";
    ret_point->status = (uint32_t)status;
    return NULL;
}

/* ---- in the order of arrival ---- */

/* NULL, or why not. */
static const char *put(struct count_gps_file *file, const struct count_gps_point *point)
{
    if (file->n_points == file->cap_points) {
        size_t cap = file->cap_points == 0 ? 1024 : file->cap_points * 2; /* as many as a piece of the table has lines */
        struct count_gps_point *points = mem_resize(file->points, cap * sizeof(*points));
        if (points == NULL)
            return "no memory for another point";
        file->points = points;
        file->cap_points = cap;
    }
    struct count_gps_point *kept = &file->points[file->n_points++];
    *kept = *point;
    if (kept->arrived_ms < file->latest_ms)
        kept->arrived_ms = file->latest_ms;
    file->latest_ms = kept->arrived_ms;
    return NULL;
}

static void tell_held(struct count_gps_file *file, const char *why)
{
    char text[320];
    file->table.n_broken++;
    snprintf(text, sizeof(text), "%.150s:%llu: %.120s", file->asked.path, (unsigned long long)file->held_line, why);
    if (file->asked.on_broken != NULL)
        file->asked.on_broken(file->asked.context, text);
}

/* The one that waited is believed, or not. */
static void settle_held(struct count_gps_file *file, bool is_believed)
{
    const char *wrong = "it arrives more than an hour ahead of the lines around it";
    if (file->is_held && is_believed)
        wrong = put(file, &file->held);
    if (file->is_held && wrong != NULL)
        tell_held(file, wrong);
    file->is_held = false;
}

static const char *on_line(void *context, const struct str *fields)
{
    struct count_gps_file *file = context;
    struct count_gps_point point;
    const char *wrong = read_point(file, fields, &point);
    if (wrong != NULL)
        return wrong;
    settle_held(file, point.arrived_ms >= file->held.arrived_ms - COUNT_BACK_MAX_MS);
    if (file->latest_ms == INT64_MIN || point.arrived_ms - file->latest_ms > COUNT_AHEAD_MAX_MS) {
        file->is_held = true;
        file->held = point;
        file->held_line = file->table.line;
        return NULL;
    }
    return file->latest_ms - point.arrived_ms > COUNT_BACK_MAX_MS ? "it arrives more than ten minutes before the line above"
                                                                  : put(file, &point);
}

/* Some points that wait, unless there are no more. */
static enum err read_on(struct count_gps_file *file)
{
    enum err err = ERR_OK;
    while (err == ERR_OK && file->next == file->n_points && !file->is_end) {
        file->next = file->n_points = 0;
        err = road_table_go_on(file->file, &file->is_end);
        if (err == ERR_OK && file->is_end)
            settle_held(file, true);
    }
    return err;
}

/* ---- the file ---- */

static void on_broken(void *context, const char *text)
{
    const struct count_gps_file *file = context;
    if (file->asked.on_broken != NULL)
        file->asked.on_broken(file->asked.context, text);
}

enum err count_gps_file_open(const struct count_gps_file_asked *asked, struct diag *diag, struct count_gps_file **ret_file)
{
    const struct count_gps_settings settings = COUNT_GPS_SETTINGS_DEFAULT;
    struct count_gps_file *file = mem_alloc_zero(1, sizeof(*file));
    if (file == NULL)
        return ERR_NO_MEMORY;
    *file = (struct count_gps_file){.asked = *asked, .network = asked->hierarchy->network, .latest_ms = INT64_MIN};
    file->table =
        (struct road_table){.columns = columns, .on_header = on_header, .on_line = on_line, .on_broken = on_broken, .context = file};
    enum err err = road_nearest_create(file->network, &file->nearest);
    if (err == ERR_OK)
        err = count_gps_create(asked->hierarchy, file->nearest, &settings, asked->on_drive, asked->context, &file->gps);
    if (err == ERR_OK)
        err = road_table_open(&file->table, asked->path, diag, &file->file);
    if (err == ERR_OK)
        err = read_on(file);
    if (err == ERR_OK)
        *ret_file = file;
    else
        count_gps_file_close(file);
    return err;
}

bool count_gps_file_is_due(const struct count_gps_file *file, int64_t until_ms)
{
    return file != NULL && file->next < file->n_points && file->points[file->next].arrived_ms <= until_ms;
}

enum err count_gps_file_take(struct count_gps_file *file, int64_t until_ms)
{
    enum err err = ERR_OK;
    while (err == ERR_OK && count_gps_file_is_due(file, until_ms)) {
        count_gps_add(file->gps, &file->points[file->next++]);
        err = read_on(file);
    }
    count_gps_tick(file->gps, until_ms);
    return err;
}

enum err count_gps_file_end(struct count_gps_file *file)
{
    enum err err = ERR_OK;
    while (err == ERR_OK && file->next < file->n_points) {
        file->next = file->n_points;
        err = read_on(file);
    }
    return err;
}

void count_gps_file_close(struct count_gps_file *file)
{
    if (file == NULL)
        return;
    road_table_close(file->file);
    count_gps_destroy(file->gps);
    road_nearest_destroy(file->nearest);
    mem_free(file->points);
    mem_free(file);
}

uint64_t count_gps_file_n_lines(const struct count_gps_file *file)
{
    return file->table.n_lines;
}

uint64_t count_gps_file_n_broken(const struct count_gps_file *file)
{
    return file->table.n_broken;
}

uint64_t count_gps_file_n(const struct count_gps_file *file, enum count_gps_verdict verdict)
{
    return count_gps_n(file->gps, verdict);
}
