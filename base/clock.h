/*
 * Time: two types that cannot be mixed, and a clock that is handed in, never reached for.
 *
 * Wall time is what people and departments mean; monotonic time is what waits and durations mean. Tests and the
 * simulated city use a clock of their own. China has had no summer time since 1991, so a zone is a fixed offset.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/err.h"
#include "base/str.h"

struct wall_time {
    int64_t ms; /* since 1970-01-01T00:00:00Z, leap seconds not counted */
};

struct mono_time {
    int64_t ns; /* since some fixed moment of this process's machine */
};

struct time_zone {
    int32_t offset_s; /* east of Greenwich */
};

#define TIME_ZONE_SHANGHAI ((struct time_zone){8 * 3600})

struct clock {
    struct wall_time (*wall)(struct clock *clock);
    struct mono_time (*mono)(struct clock *clock);
};

struct clock *clock_system(void); /* static storage; safe on every thread */

/* A city whose wall clock runs `speed` times as fast from `epoch` on (demo and tests); the monotonic one is untouched. */
struct clock_fast {
    struct clock clock;
    struct wall_time epoch;
    struct mono_time epoch_mono;
    double speed;
};
void clock_fast_init(struct clock_fast *fast, double speed);

/* A clock that stands still until it is moved; one thread may move it while others read it. */
struct clock_fake {
    struct clock clock;
    struct wall_time wall;
    struct mono_time mono;
};
void clock_fake_init(struct clock_fake *fake, struct wall_time wall);
void clock_fake_advance_ms(struct clock_fake *fake, int64_t ms);

static inline struct wall_time clock_wall(struct clock *clock)
{
    return clock->wall(clock);
}
static inline struct mono_time clock_mono(struct clock *clock)
{
    return clock->mono(clock);
}
static inline int64_t mono_ms_between(struct mono_time from, struct mono_time to)
{
    return (to.ns - from.ns) / 1000000;
}

struct civil_time {
    int32_t year, month, day, hour, minute, second, ms; /* month and day from 1 */
};

/* Proleptic Gregorian, years 1 to 9999 (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms"). */
struct civil_time civil_from_wall(struct wall_time wall, struct time_zone zone);
enum err civil_to_wall(
    struct civil_time civil, struct time_zone zone, struct wall_time *ret_wall) MUST_CHECK; /* ERR_RANGE: no such day or hour */

/* "20261122003000" (GA/T 1400), in `zone`. ERR_SYNTAX, ERR_RANGE. `out` holds 15 bytes. */
enum err wall_parse_compact(struct str text, struct time_zone zone, struct wall_time *ret_wall) MUST_CHECK;
void wall_format_compact(struct wall_time wall, struct time_zone zone, char out[15]);

/* RFC 3339 with milliseconds and the zone's offset, "2026-11-22T08:30:00.000+08:00". `out` holds 40 bytes. */
enum err wall_parse_rfc3339(struct str text, struct wall_time *ret_wall) MUST_CHECK;
void wall_format_rfc3339(struct wall_time wall, struct time_zone zone, char out[40]);

/* "Asia/Shanghai", "UTC", "+08:00"; ERR_NOT_FOUND otherwise. */
enum err time_zone_parse(struct str name, struct time_zone *ret_zone) MUST_CHECK;

/* Number of the civil day (month) that holds `wall` in `zone`: days since 1970-01-01, months since 1970-01. Cuts quotas. */
int64_t wall_day_number(struct wall_time wall, struct time_zone zone);
int64_t wall_month_number(struct wall_time wall, struct time_zone zone);

#endif
