/* The calendar against known days and against the C library; text forms both ways. */
#include "base/clock.h"
#include "base/test.h"

#include <string.h>
#include <time.h>

static void civil_days(void **state)
{
    static const struct {
        int64_t ms;
        int32_t year, month, day, hour;
    } rows[] = {
        {0, 1970, 1, 1, 8},
        {-28800001, 1969, 12, 31, 23},
        {1709136000000, 2024, 2, 29, 0},
        {951753600000, 2000, 2, 29, 0},
        {1795276800000, 2026, 11, 22, 0},
        {4107513600000, 2100, 3, 1, 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct civil_time c = civil_from_wall((struct wall_time){rows[i].ms}, TIME_ZONE_SHANGHAI);
        struct wall_time back;
        assert_ok(civil_to_wall(c, TIME_ZONE_SHANGHAI, &back));
        assert_true(back.ms == rows[i].ms);
        if (c.year != rows[i].year || c.month != rows[i].month || c.day != rows[i].day || c.hour != rows[i].hour)
            fail_msg("row %zu is %04d-%02d-%02d %02d h", i, c.year, c.month, c.day, c.hour);
    }
}

static void agrees_with_the_c_library(void **state)
{
    for (int64_t s = -62135596800; s < 253402300800; s += 86400 * 91 + 12345) {
        time_t t = (time_t)s;
        struct tm tm;
        gmtime_r(&t, &tm);
        struct civil_time c = civil_from_wall((struct wall_time){s * 1000}, (struct time_zone){0});
        assert_int_equal(c.year, tm.tm_year + 1900);
        assert_int_equal(c.month, tm.tm_mon + 1);
        assert_int_equal(c.day, tm.tm_mday);
        assert_int_equal(c.second, tm.tm_sec);
        struct wall_time back;
        assert_ok(civil_to_wall(c, (struct time_zone){0}, &back));
        assert_true(back.ms == s * 1000);
    }
}

static void text_forms(void **state)
{
    struct wall_time wall;
    assert_ok(wall_parse_compact(STR("20261122003000"), TIME_ZONE_SHANGHAI, &wall));
    char compact[15], text[40];
    wall_format_compact(wall, TIME_ZONE_SHANGHAI, compact);
    assert_string_equal(compact, "20261122003000");
    wall_format_rfc3339(wall, TIME_ZONE_SHANGHAI, text);
    assert_string_equal(text, "2026-11-22T00:30:00.000+08:00");
    struct wall_time again;
    assert_ok(wall_parse_rfc3339(STR("2026-11-21T16:30:00Z"), &again));
    assert_true(again.ms == wall.ms);
    assert_ok(wall_parse_rfc3339(STR("2026-11-21T16:30:00.0619+00:00"), &again));
    assert_true(again.ms == wall.ms + 61);
    static const struct {
        const char *text;
        enum err err;
    } refused[] = {{"20260229000000", ERR_RANGE}, {"20261322003000", ERR_RANGE}, {"20261122243000", ERR_RANGE},
        {"2026112200300", ERR_SYNTAX}, {"2026112200300x", ERR_SYNTAX}, {"-0261122003000", ERR_SYNTAX}, {"", ERR_SYNTAX}};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        assert_err(wall_parse_compact(str_from_c(refused[i].text), TIME_ZONE_SHANGHAI, &wall), refused[i].err);
    static const char *const bad[] = {"2026-11-21T16:30:00", "2026-11-21T16:30:00.Z", "2026-11-21 16.30:00Z", "2026-11-21T16:30:00+0800"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_err(wall_parse_rfc3339(str_from_c(bad[i]), &wall), ERR_SYNTAX);
    wall_format_rfc3339((struct wall_time){INT64_MAX / 2}, TIME_ZONE_SHANGHAI, text); /* never past its 40 bytes */
    assert_true(strlen(text) < 40);
}

static void zones_days_and_months(void **state)
{
    struct time_zone zone;
    assert_ok(time_zone_parse(STR("Asia/Shanghai"), &zone));
    assert_int_equal(zone.offset_s, 28800);
    assert_ok(time_zone_parse(STR("-05:30"), &zone));
    assert_int_equal(zone.offset_s, -19800);
    assert_err(time_zone_parse(STR("Mars/Olympus"), &zone), ERR_NOT_FOUND);
    struct wall_time before, after;
    assert_ok(wall_parse_rfc3339(STR("2026-11-30T23:59:59.999+08:00"), &before));
    after.ms = before.ms + 1;
    assert_int_equal(wall_day_number(before, TIME_ZONE_SHANGHAI) + 1, wall_day_number(after, TIME_ZONE_SHANGHAI));
    assert_int_equal(wall_month_number(before, TIME_ZONE_SHANGHAI) + 1, wall_month_number(after, TIME_ZONE_SHANGHAI));
    assert_int_equal(wall_month_number(after, TIME_ZONE_SHANGHAI), 56 * 12 + 11);
}

static void clocks(void **state)
{
    struct clock_fake fake;
    clock_fake_init(&fake, (struct wall_time){1000});
    clock_fake_advance_ms(&fake, 5);
    assert_true(clock_wall(&fake.clock).ms == 1005);
    assert_true(mono_ms_between((struct mono_time){0}, clock_mono(&fake.clock)) == 5);
    struct clock_fast fast;
    clock_fast_init(&fast, 1000.0);
    int64_t from = clock_wall(&fast.clock).ms;
    struct mono_time mono = clock_mono(clock_system());
    while (mono_ms_between(mono, clock_mono(clock_system())) < 20)
        ;
    assert_true(clock_wall(&fast.clock).ms - from >= 20000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(civil_days),
        cmocka_unit_test(agrees_with_the_c_library),
        cmocka_unit_test(text_forms),
        cmocka_unit_test(zones_days_and_months),
        cmocka_unit_test(clocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
