/* Clocks, and the civil calendar by days since 1970 (H. Hinnant's algorithms). */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

#define MS_PER_DAY 86400000

static int64_t clock_ns(clockid_t id)
{
    struct timespec now;
    clock_gettime(id, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static struct wall_time system_wall(struct clock *clock)
{
    return (struct wall_time){clock_ns(CLOCK_REALTIME) / 1000000};
}

static struct mono_time system_mono(struct clock *clock)
{
    return (struct mono_time){clock_ns(CLOCK_MONOTONIC)};
}

struct clock *clock_system(void)
{
    static struct clock clock = {system_wall, system_mono};
    return &clock;
}

static struct wall_time fast_wall(struct clock *clock)
{
    const struct clock_fast *fast = (const struct clock_fast *)clock;
    double passed_ms = (double)(clock_ns(CLOCK_MONOTONIC) - fast->epoch_mono.ns) / 1e6;
    return (struct wall_time){fast->epoch.ms + (int64_t)(passed_ms * fast->speed)};
}

void clock_fast_init(struct clock_fast *fast, double speed)
{
    *fast = (struct clock_fast){.clock = {fast_wall, system_mono}, .speed = speed};
    fast->epoch = system_wall(NULL);
    fast->epoch_mono = system_mono(NULL);
}

/* A test moves the clock while threads of what it tests read it. */
static struct wall_time fake_wall(struct clock *clock)
{
    return (struct wall_time){__atomic_load_n(&((struct clock_fake *)clock)->wall.ms, __ATOMIC_ACQUIRE)};
}

static struct mono_time fake_mono(struct clock *clock)
{
    return (struct mono_time){__atomic_load_n(&((struct clock_fake *)clock)->mono.ns, __ATOMIC_ACQUIRE)};
}

void clock_fake_init(struct clock_fake *fake, struct wall_time wall)
{
    *fake = (struct clock_fake){.clock = {fake_wall, fake_mono}, .wall = wall};
}

void clock_fake_advance_ms(struct clock_fake *fake, int64_t ms)
{
    __atomic_add_fetch(&fake->wall.ms, ms, __ATOMIC_RELEASE);
    __atomic_add_fetch(&fake->mono.ns, ms * 1000000, __ATOMIC_RELEASE);
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

static int64_t days_from_civil(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = floor_div(year, 400);
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

struct civil_time civil_from_wall(struct wall_time wall, struct time_zone zone)
{
    int64_t ms = wall.ms + (int64_t)zone.offset_s * 1000;
    int64_t days = floor_div(ms, MS_PER_DAY);
    int64_t ms_of_day = ms - days * MS_PER_DAY;
    int64_t z = days + 719468;
    int64_t era = floor_div(z, 146097);
    int64_t day_of_era = z - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month_from_march = (5 * day_of_year + 2) / 153;
    struct civil_time civil = {
        .day = (int32_t)(day_of_year - (153 * month_from_march + 2) / 5 + 1),
        .month = (int32_t)(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9),
        .hour = (int32_t)(ms_of_day / 3600000),
        .minute = (int32_t)(ms_of_day / 60000 % 60),
        .second = (int32_t)(ms_of_day / 1000 % 60),
        .ms = (int32_t)(ms_of_day % 1000),
    };
    civil.year = (int32_t)(year_of_era + era * 400 + (civil.month <= 2));
    return civil;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && is_leap);
}

enum err civil_to_wall(struct civil_time c, struct time_zone zone, struct wall_time *ret_wall)
{
    if (c.year < 1 || c.year > 9999 || c.month < 1 || c.month > 12 || c.day < 1 || c.day > days_in_month(c.year, c.month))
        return ERR_RANGE;
    if (c.hour < 0 || c.hour > 23 || c.minute < 0 || c.minute > 59 || c.second < 0 || c.second > 59 || c.ms < 0 || c.ms > 999)
        return ERR_RANGE;
    int64_t seconds = days_from_civil(c.year, c.month, c.day) * 86400 + c.hour * 3600 + c.minute * 60 + c.second - zone.offset_s;
    *ret_wall = (struct wall_time){seconds * 1000 + c.ms};
    return ERR_OK;
}

/* `n` decimal digits at `at`. */
static enum err read_digits(struct str text, size_t at, size_t n, int32_t *ret_value)
{
    uint64_t value;
    struct str digits = str_slice(text, at, n);
    if (digits.len != n || str_to_u64(digits, &value) != ERR_OK)
        return ERR_SYNTAX;
    *ret_value = (int32_t)value;
    return ERR_OK;
}

enum err wall_parse_compact(struct str text, struct time_zone zone, struct wall_time *ret_wall)
{
    struct civil_time c = {0};
    if (text.len != 14 || read_digits(text, 0, 4, &c.year) || read_digits(text, 4, 2, &c.month) || read_digits(text, 6, 2, &c.day) ||
        read_digits(text, 8, 2, &c.hour) || read_digits(text, 10, 2, &c.minute) || read_digits(text, 12, 2, &c.second))
        return ERR_SYNTAX;
    return civil_to_wall(c, zone, ret_wall);
}

static struct civil_time civil_for_text(struct wall_time wall, struct time_zone zone)
{
    struct civil_time c = civil_from_wall(wall, zone);
    if (c.year < 1 ||
        c.year > 9999) /* what four digits cannot say is never a time of ours; show it as year 1 rather than overrun the text */
        c = (struct civil_time){.year = 1, .month = 1, .day = 1};
    return c;
}

void wall_format_compact(struct wall_time wall, struct time_zone zone, char out[15])
{
    char text[80];
    struct civil_time c = civil_for_text(wall, zone);
    snprintf(text, sizeof(text), "%04d%02d%02d%02d%02d%02d", c.year, c.month, c.day, c.hour, c.minute, c.second);
    for (size_t i = 0; i < 15; i++)
        out[i] = i < 14 ? text[i] : '\0';
}

/* "Z", "+08:00" or "-05:30". */
static enum err read_offset(struct str text, int32_t *ret_offset_s)
{
    int32_t hours, minutes;
    if (str_equal_c(text, "Z") || str_equal_c(text, "z")) {
        *ret_offset_s = 0;
        return ERR_OK;
    }
    if (text.len != 6 || (text.ptr[0] != '+' && text.ptr[0] != '-') || text.ptr[3] != ':' || read_digits(text, 1, 2, &hours) ||
        read_digits(text, 4, 2, &minutes))
        return ERR_SYNTAX;
    if (hours > 18 || minutes > 59)
        return ERR_RANGE;
    *ret_offset_s = (hours * 3600 + minutes * 60) * (text.ptr[0] == '-' ? -1 : 1);
    return ERR_OK;
}

enum err wall_parse_rfc3339(struct str text, struct wall_time *ret_wall)
{
    struct civil_time c = {0};
    struct time_zone zone;
    if (text.len < 20 || text.ptr[4] != '-' || text.ptr[7] != '-' || (text.ptr[10] != 'T' && text.ptr[10] != 't' && text.ptr[10] != ' ') ||
        text.ptr[13] != ':' || text.ptr[16] != ':')
        return ERR_SYNTAX;
    if (read_digits(text, 0, 4, &c.year) || read_digits(text, 5, 2, &c.month) || read_digits(text, 8, 2, &c.day) ||
        read_digits(text, 11, 2, &c.hour) || read_digits(text, 14, 2, &c.minute) || read_digits(text, 17, 2, &c.second))
        return ERR_SYNTAX;
    size_t at = 19;
    if (text.ptr[at] == '.') {
        size_t first = ++at;
        int32_t scale = 100;
        for (; at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9'; at++, scale /= 10)
            c.ms += (text.ptr[at] - '0') * scale;
        if (at == first)
            return ERR_SYNTAX;
    }
    enum err err = read_offset(str_slice(text, at, text.len), &zone.offset_s);
    if (err != ERR_OK)
        return err;
    return civil_to_wall(c, zone, ret_wall);
}

void wall_format_rfc3339(struct wall_time wall, struct time_zone zone, char out[40])
{
    struct civil_time c = civil_for_text(wall, zone);
    char text[128];
    int at = snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%03d", c.year, c.month, c.day, c.hour, c.minute, c.second, c.ms);
    int offset_min = (zone.offset_s < 0 ? -zone.offset_s : zone.offset_s) / 60;
    if (zone.offset_s == 0)
        snprintf(text + at, sizeof(text) - (size_t)at, "Z");
    else
        snprintf(
            text + at, sizeof(text) - (size_t)at, "%c%02d:%02d", zone.offset_s < 0 ? '-' : '+', offset_min / 60 % 100, offset_min % 60);
    snprintf(out, 40, "%.39s", text);
}

enum err time_zone_parse(struct str name, struct time_zone *ret_zone)
{
    if (str_equal_c(name, "Asia/Shanghai"))
        *ret_zone = TIME_ZONE_SHANGHAI;
    else if (str_equal_c(name, "UTC"))
        *ret_zone = (struct time_zone){0};
    else {
        int32_t offset_s;
        if (name.len != 6 || read_offset(name, &offset_s) != ERR_OK)
            return ERR_NOT_FOUND;
        *ret_zone = (struct time_zone){offset_s};
    }
    return ERR_OK;
}

int64_t wall_day_number(struct wall_time wall, struct time_zone zone)
{
    return floor_div(wall.ms + (int64_t)zone.offset_s * 1000, MS_PER_DAY);
}

int64_t wall_month_number(struct wall_time wall, struct time_zone zone)
{
    struct civil_time c = civil_from_wall(wall, zone);
    return ((int64_t)c.year - 1970) * 12 + c.month - 1;
}
