/* The day as bytes: what is read goes on as if nothing had been; what cannot be is refused, at every length and with any byte changed. */
#include "scene/zone/snapshot.h"

#include "base/mem.h"
#include "base/test.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define MONDAY INT64_C(1789948800000) /* 2026-09-21, 08:00 in Hangzhou */
#define SECOND 1000

static struct zone_settings settings = ZONE_SETTINGS_DEFAULT;
static struct zones zones = {.n = 3, .n_areas = 2, .time_zone = TIME_ZONE_SHANGHAI, .areas = {{"h", 7}, {"h.x", 3}}};

static void pass(struct zone_core *core, uint64_t vehicle, unsigned held, unsigned ahead, int64_t time_ms, struct zone_updates *ret_updates)
{
    struct zone_event event = {.type = ZONE_PASSAGE,
        .passage = {.vehicle = vehicle,
            .pseudonym = STR("0123456789abcdef0123"),
            .plate = STR_NONE,
            .held = (uint16_t)held,
            .ahead = (uint16_t)ahead,
            .group = (uint8_t)(vehicle % ZONE_N_GROUPS),
            .confidence = 99,
            .time_ms = time_ms,
            .arrived_ms = time_ms + 100}};
    zone_step(core, &event, ret_updates);
}

static uint64_t draw(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* One second of a town of 300 vehicles. */
static const struct zone_figures *live(struct zone_core *core, uint64_t *seed, int64_t now_ms, struct zone_updates *updates)
{
    for (int i = 0; i < 5; i++) {
        int64_t time_ms = now_ms - (int64_t)(draw(seed) % 5000);
        uint64_t vehicle = draw(seed) % 300 + 1000 * (uint64_t)zone_day(time_ms, zones.time_zone); /* a pseudonym is of the day */
        pass(core, vehicle, (unsigned)(draw(seed) % 8), (unsigned)(draw(seed) % 8), time_ms, updates);
    }
    zone_step(core, &(struct zone_event){.type = ZONE_TICK, .now_ms = now_ms + 100}, updates);
    return updates->figures;
}

static void goes_on(void **state)
{
    struct zone_updates updates;
    uint64_t seed = (uint64_t)time(NULL) * 2654435761u | 1;
    int64_t until_ms = 0;
    print_message("seed %llu\n", (unsigned long long)seed);
    struct zone_core *whole = NULL, *broken = NULL;
    assert_ok(zone_create(&settings, &zones, &whole));
    assert_ok(zone_create(&settings, &zones, &broken));
    uint64_t same = seed;
    for (int s = 0; s < 2000; s++) { /* past midnight, in the last third */
        int64_t now_ms = MONDAY + 57000 * SECOND + s * SECOND;
        struct zone_figures figures[3];
        memcpy(figures, live(whole, &seed, now_ms, &updates), sizeof(figures));
        struct zone_area_figures areas[2];
        memcpy(areas, updates.areas, sizeof(areas));
        const struct zone_figures *told = live(broken, &same, now_ms, &updates);
        assert_memory_equal(updates.areas, areas, sizeof(areas));
        for (size_t i = 0; i < 3; i++) {
            assert_memory_equal(told[i].now, figures[i].now, sizeof(figures[i].now));
            assert_memory_equal(told[i].through, figures[i].through, sizeof(figures[i].through));
            assert_int_equal(told[i].timeout_ms, figures[i].timeout_ms);
            assert_true(told[i].stale_since_ms == figures[i].stale_since_ms && told[i].missing_since_ms == ZONE_FRESH);
        }
        if (s % 97 != 96)
            continue;
        struct buf bytes;
        buf_init(&bytes, ZONE_SNAPSHOT_MAX);
        zone_snapshot_write(broken, &bytes);
        assert_ok(bytes.err);
        zone_destroy(broken);
        assert_ok(zone_snapshot_read(buf_str(&bytes), &settings, &zones, &broken, &until_ms));
        assert_int_equal(until_ms, now_ms + 100);
        buf_finish(&bytes);
    }
    zone_destroy(whole);
    zone_destroy(broken);
}

static void write_one(struct buf *bytes)
{
    struct zone_updates updates;
    struct zone_core *core = NULL;
    uint64_t seed = 7;
    assert_ok(zone_create(&settings, &zones, &core));
    for (int s = 0; s < 20; s++)
        live(core, &seed, MONDAY + s * SECOND, &updates);
    buf_init(bytes, ZONE_SNAPSHOT_MAX);
    zone_snapshot_write(core, bytes);
    assert_ok(bytes->err);
    zone_destroy(core);
}

static void what_is_refused(void **state)
{
    struct buf bytes;
    struct zone_core *core = NULL;
    int64_t until_ms = 0;
    write_one(&bytes);
    struct str whole = buf_str(&bytes);
    for (size_t len = 0; len < whole.len; len++) { /* a beginning is a snapshot only where a vehicle ends */
        enum err err = zone_snapshot_read(str_slice(whole, 0, len), &settings, &zones, &core, &until_ms);
        if (err == ERR_OK)
            zone_destroy(core);
        assert_true(err != ERR_OK || (whole.len - len) % 29 == 0);
    }
    for (size_t at = 0; at < whole.len; at++) { /* whatever stands there, nothing else happens */
        char *byte = (char *)(uintptr_t)&whole.ptr[at];
        char was = *byte;
        *byte = (char)~was;
        enum err err = zone_snapshot_read(whole, &settings, &zones, &core, &until_ms);
        if (at < 8)
            assert_err(err, ERR_CORRUPT);
        else if (at < 12)
            assert_err(err, ERR_UNSUPPORTED);
        else if (at < 44)
            assert_err(err, ERR_STATE);
        if (err == ERR_OK)
            zone_destroy(core);
        *byte = was;
    }
    struct zones others = zones;
    others.zones[1].n_points = 3;
    assert_err(zone_snapshot_read(whole, &settings, &others, &core, &until_ms), ERR_STATE);
    others = zones;
    others.areas[1].zones = 6;
    assert_err(zone_snapshot_read(whole, &settings, &others, &core, &until_ms), ERR_STATE);
    buf_finish(&bytes);
}

static void without_memory(void **state)
{
    struct buf bytes;
    write_one(&bytes);
    int64_t before = mem_n_live(), until_ms = 0;
    for (uint64_t nth = 1;; nth++) {
        struct zone_core *core = NULL;
        mem_fail_nth(nth);
        enum err err = zone_snapshot_read(buf_str(&bytes), &settings, &zones, &core, &until_ms);
        mem_fail_nth(0);
        if (err == ERR_OK)
            zone_destroy(core);
        else
            assert_err(err, ERR_NO_MEMORY);
        assert_int_equal(mem_n_live(), before);
        assert_true(nth < 20);
        if (err == ERR_OK)
            break;
    }
    buf_finish(&bytes);
}

int main(void)
{
    settings.checks_max = 16; /* none is in a snapshot, and thousands are read here */
    const struct CMUnitTest tests[] = {cmocka_unit_test(goes_on), cmocka_unit_test(what_is_refused), cmocka_unit_test(without_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
