/*
 * The core on the ring of city_testing.h: cameras that are there once they see somebody, passages that arrive 200 ms later, ticks.
 */
#ifndef SCENE_COUNT_CORE_TESTING_H
#define SCENE_COUNT_CORE_TESTING_H

#include "scene/count/city_testing.h"
#include "scene/count/core.h"

#include <string.h>

#define T0 1700000000000 /* some day, whole seconds */

struct bench {
    struct city city;
    struct count *count;
    uint32_t cameras[CITY_EDGES]; /* on e0 … */
    struct count_updates updates; /* of the last tick */
};

static const struct count_settings defaults = COUNT_SETTINGS_DEFAULT;

static inline void bench_make(struct bench *bench, const struct count_settings *settings)
{
    memset(bench, 0, sizeof(*bench));
    city_make(&bench->city);
    assert_ok(count_create(settings, &bench->city.map, &bench->count));
    for (int i = 0; i < CITY_EDGES; i++)
        bench->cameras[i] = COUNT_NONE;
}

static inline void bench_finish(struct bench *bench)
{
    count_destroy(bench->count);
    city_finish(&bench->city);
}

/* A camera on edge e`edge` sees `vehicle` at `s` seconds; it arrives 200 ms later. */
static inline void pass_late(struct bench *bench, int edge, uint64_t vehicle, double s, double delay_s)
{
    if (bench->cameras[edge] == COUNT_NONE)
        assert_ok(count_camera_add(bench->count, bench->city.edges[edge], &bench->cameras[edge]));
    int64_t time_ms = T0 + (int64_t)(s * 1000);
    struct count_event event = {
        .type = COUNT_PASSAGE, .passage = {vehicle, bench->cameras[edge], time_ms, time_ms + (int64_t)(delay_s * 1000)}};
    struct count_updates updates;
    count_step(bench->count, &event, &updates);
    assert_null(updates.areas);
}

static inline void pass(struct bench *bench, int edge, uint64_t vehicle, double s)
{
    pass_late(bench, edge, vehicle, s, 0.2);
}

static inline const struct count_area_figures *tick(struct bench *bench, double s)
{
    struct count_event event = {.type = COUNT_TICK, .now_ms = T0 + (int64_t)(s * 1000)};
    count_step(bench->count, &event, &bench->updates);
    return bench->updates.areas;
}

#endif
