/* Map matching from files; see match_file.h. */
#include "road/match_file.h"

#include "base/clock.h"
#include "base/str_map.h"

#include <math.h>
#include <stdio.h>

#define TIME_MAX_MS ((int64_t)1 << 43) /* the year 2248 */
#define SPEED_MAX 1000.0

enum { POINT_VEHICLE, POINT_TIME, POINT_LON, POINT_LAT, POINT_X, POINT_Y, POINT_SPEED, POINT_HEADING };
static const char *const columns[] = {"vehicle", "time_ms", "lon", "lat", "x", "y", "speed", "heading", NULL};

struct matching {
    struct road_match_run *run;
    struct road_follow *follow;
    struct str_map names; /* a vehicle's number is its name's */
};

/* ---- what is told ---- */

static void write_passing(void *context, uint64_t vehicle, const struct road_passing *passing)
{
    const struct matching *matching = context;
    fprintf(matching->run->edges, STR_FORMAT "," STR_FORMAT ",%lld,%lld,%d\n", STR_ARG(str_map_key(&matching->names, (uint32_t)vehicle)),
        STR_ARG(matching->run->network->edges[passing->edge].id), (long long)passing->enter_ms, (long long)passing->leave_ms,
        passing->is_whole);
}

/* Digits by hand: printf's would take as long as the matching. `value` is not negative here by much: a few decimals, at least one digit. */
static void put_fixed(FILE *out, double value, int decimals)
{
    char text[48];
    size_t at = sizeof(text);
    double scale = 1;
    for (int i = 0; i < decimals; i++)
        scale *= 10;
    int64_t number = llround(value * scale);
    uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    for (int i = 0; left > 0 || i <= decimals; i++) {
        if (i == decimals && decimals > 0)
            text[--at] = '.';
        text[--at] = (char)('0' + left % 10);
        left /= 10;
    }
    if (number < 0)
        text[--at] = '-';
    fwrite(text + at, 1, sizeof(text) - at, out);
}

static void put_str(FILE *out, struct str s)
{
    fwrite(s.ptr, 1, s.len, out);
}

static void write_matched(void *context, uint64_t vehicle, const struct road_matched *matched)
{
    struct matching *matching = context;
    struct road_match_run *run = matching->run;
    FILE *out = run->matched;
    int decimals = run->network->is_geographic ? 7 : 2;
    put_str(out, str_map_key(&matching->names, (uint32_t)vehicle));
    fputc(',', out);
    put_fixed(out, (double)matched->fix.time_ms, 0);
    if (matched->kind != ROAD_MATCHED) {
        put_str(out, matched->kind == ROAD_OFF ? STR(",off,,,,,,\n") : STR(",jump,,,,,,\n"));
        *(matched->kind == ROAD_OFF ? &run->n_off : &run->n_jumps) += 1;
        return;
    }
    run->n_matched++;
    run->n_tracks += matched->is_begin;
    put_str(out, matched->is_begin ? STR(",begin,") : STR(",on,"));
    put_str(out, run->network->edges[matched->edge].id);
    fputc(',', out);
    put_fixed(out, matched->offset_m, 1);
    fputc(',', out);
    put_fixed(out, matched->point.lon, decimals);
    fputc(',', out);
    put_fixed(out, matched->point.lat, decimals);
    fputc(',', out);
    put_fixed(out, matched->distance_m, 1);
    fputc(',', out);
    for (uint32_t i = 0; i < matched->n_way; i++) {
        if (i > 0)
            fputc(' ', out);
        put_str(out, run->network->edges[matched->way[i]].id);
    }
    fputc('\n', out);
}

/* ---- points ---- */

static const char *on_header(void *context, uint32_t present)
{
    const struct matching *matching = context;
    uint32_t needed = 1u << POINT_VEHICLE | 1u << POINT_TIME;
    bool is_geographic = matching->run->network->is_geographic;
    needed |= is_geographic ? 1u << POINT_LON | 1u << POINT_LAT : 1u << POINT_X | 1u << POINT_Y;
    if ((present & needed) == needed)
        return NULL;
    return is_geographic ? "points need the columns vehicle, time_ms, lon and lat (WGS 84)"
                         : "points need the columns vehicle, time_ms, x and y: this network has no projection";
}

static bool read_optional(struct str text, double min, double max, double *ret_number)
{
    *ret_number = NAN;
    return str_is_empty(text) || (str_to_double(text, ret_number) == ERR_OK && *ret_number >= min && *ret_number <= max);
}

static const char *on_point(void *context, const struct str *fields)
{
    struct matching *matching = context;
    bool is_geographic = matching->run->network->is_geographic;
    struct str x = fields[is_geographic ? POINT_LON : POINT_X], y = fields[is_geographic ? POINT_LAT : POINT_Y],
               name = fields[POINT_VEHICLE];
    struct road_fix fix;
    if (str_is_empty(name) || name.len > ROAD_MATCH_NAME_MAX)
        return "a vehicle's name has 1 to 64 bytes";
    if (str_to_i64(fields[POINT_TIME], &fix.time_ms) != ERR_OK || fix.time_ms < 0 || fix.time_ms > TIME_MAX_MS)
        return "the time is not a whole number of milliseconds from 0 to 2^43";
    if (str_to_double(x, &fix.point.lon) != ERR_OK || str_to_double(y, &fix.point.lat) != ERR_OK)
        return "the place is not two numbers";
    if (is_geographic && (fabs(fix.point.lon) > 180 || fabs(fix.point.lat) > 90))
        return "the place is not on the globe";
    if (!read_optional(fields[POINT_SPEED], 0, SPEED_MAX, &fix.speed_mps))
        return "the speed is not a number of metres a second from 0 to 1000";
    if (!read_optional(fields[POINT_HEADING], -360, 360, &fix.heading))
        return "the heading is not a number of degrees";
    uint32_t vehicle;
    if (str_map_add(&matching->names, name, &vehicle) != ERR_OK)
        return "no room for another vehicle";
    enum err err = road_follow_add(matching->follow, vehicle, &fix);
    return err == ERR_OK ? NULL : err == ERR_RANGE ? "it is not later than the vehicle's point before" : err_text(err);
}

static void on_broken(void *context, const char *text)
{
    const struct matching *matching = context;
    if (matching->run->on_broken != NULL)
        matching->run->on_broken(matching->run->context, text);
}

static void on_progress(void *context, double share)
{
    const struct matching *matching = context;
    if (matching->run->on_progress != NULL)
        matching->run->on_progress(matching->run->context, share);
}

static enum err run_table(struct road_match_run *run, struct str bytes, bool is_path, const char *name, struct diag *diag)
{
    struct matching matching = {.run = run};
    struct road_table table = {columns, on_header, on_point, on_broken, on_progress, &matching, 0, 0};
    const struct road_follow_settings settings = {run->settings, run->tracks_max};
    const struct road_follow_told told = {write_matched, run->edges != NULL ? write_passing : NULL, &matching};
    str_map_init(&matching.names, ROAD_MATCH_VEHICLES_MAX, (uint64_t)clock_mono(clock_system()).ns); /* names come from outside */
    run->n_lines = run->n_broken = run->n_matched = run->n_off = run->n_jumps = run->n_tracks = 0;
    enum err err = road_follow_create(run->hierarchy, run->nearest, &settings, &told, &matching.follow);
    if (err == ERR_RANGE)
        err = diag_set(diag, ERR_RANGE, NULL, 0, "sigma is 1 to 200 m, lag 1 to %u points", ROAD_MATCH_LAG_MAX);
    if (err == ERR_OK) {
        fprintf(run->matched, "vehicle,time_ms,kind,edge,offset_m,%s,distance_m,way\n", run->network->is_geographic ? "lon,lat" : "x,y");
        if (run->edges != NULL)
            fprintf(run->edges, "vehicle,edge,enter_ms,leave_ms,whole\n");
        err = is_path ? road_table_read(&table, name, diag) : road_table_parse(&table, bytes, name, diag);
    }
    if (matching.follow != NULL)
        road_follow_end_all(matching.follow);
    run->n_lines = table.n_lines;
    run->n_broken = table.n_broken;
    road_follow_destroy(matching.follow);
    str_map_finish(&matching.names);
    return err;
}

enum err road_match_read(struct road_match_run *run, const char *path, struct diag *diag)
{
    return run_table(run, STR_NONE, true, path, diag);
}

enum err road_match_parse(struct road_match_run *run, struct str bytes, const char *name, struct diag *diag)
{
    return run_table(run, bytes, false, name, diag);
}
