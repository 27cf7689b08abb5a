/*
 * The pure core by scenes of a few events, then laws over any events under a printed seed, held against a plain model that keeps
 * everything.
 */
#include "scene/zone/core.h"

#include "base/mem.h"
#include "base/test.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define MONDAY INT64_C(1789948800000) /* 2026-09-21, 08:00 in Hangzhou */
#define SECOND 1000
#define HOUR (3600 * SECOND)
#define INNER 1u /* zones, as bits: one that restricts other provinces from 07:00 to 22:00 on weekdays, */
#define OUTER 2u /* and one that restricts all from elsewhere, always */
#define PLATE STR("沪A12345")

struct bench {
    struct zones zones;
    struct zone_core *core;
    struct zone_updates updates;
};

static void bench_make(struct bench *bench, const struct zone_settings *settings)
{
    memset(bench, 0, sizeof(*bench));
    bench->zones = (struct zones){.n = 2, .n_areas = 2, .time_zone = TIME_ZONE_SHANGHAI, .areas = {{"h", INNER | OUTER}, {"h.x", OUTER}}};
    for (size_t i = 0; i < 2; i++) {
        struct zone *zone = &bench->zones.zones[i];
        zone->until_ms = INT64_MAX;
        zone->n_times = 1;
        zone->times[0] = i == 0 ? (struct zone_time){0x1f, 7 * 60, 22 * 60} : (struct zone_time){0x7f, 0, 1440};
        zone->restricted = i == 0 ? 1 << ZONE_OTHER : 1 << ZONE_OTHER | 1 << ZONE_PROVINCE;
    }
    assert_ok(zone_create(settings, &bench->zones, &bench->core));
}

static void bench_finish(struct bench *bench)
{
    zone_destroy(bench->core);
}

static const struct zone_settings defaults = ZONE_SETTINGS_DEFAULT;

static struct zone_passage passage_of(uint64_t vehicle, enum zone_group group, unsigned held, unsigned ahead, int64_t time_ms)
{
    return (struct zone_passage){.vehicle = vehicle,
        .pseudonym = STR("0123456789abcdef0123"),
        .plate = PLATE,
        .camera = 7,
        .held = (uint16_t)held,
        .ahead = (uint16_t)ahead,
        .group = (uint8_t)group,
        .confidence = 99,
        .time_ms = time_ms,
        .arrived_ms = time_ms + 200};
}

static void put(struct bench *bench, const struct zone_passage *passage)
{
    zone_step(bench->core, &(struct zone_event){.type = ZONE_PASSAGE, .passage = *passage}, &bench->updates);
}

static void pass(struct bench *bench, uint64_t vehicle, enum zone_group group, unsigned held, unsigned ahead, int64_t time_ms)
{
    struct zone_passage passage = passage_of(vehicle, group, held, ahead, time_ms);
    put(bench, &passage);
}

static const struct zone_figures *tick(struct bench *bench, int64_t now_ms)
{
    zone_step(bench->core, &(struct zone_event){.type = ZONE_TICK, .now_ms = now_ms}, &bench->updates);
    return bench->updates.figures;
}

/* Answers the ask of the last step: one pass for its check number 0, or none. */
static void answer(struct bench *bench, const struct zone_pass *passes, size_t n)
{
    assert_non_null(bench->updates.ask);
    struct zone_event event = {.type = ZONE_ANSWER, .answer = {bench->updates.ask->number, passes, n}};
    zone_step(bench->core, &event, &bench->updates);
}

static void no_answer(struct bench *bench, bool is_final)
{
    assert_non_null(bench->updates.ask);
    struct zone_event event = {.type = ZONE_NO_ANSWER, .no_answer = {bench->updates.ask->number, is_final}};
    zone_step(bench->core, &event, &bench->updates);
}

/* ---- where vehicles are ---- */

static void enters_and_leaves(void **state)
{
    struct bench b;
    bench_make(&b, &defaults);
    pass(&b, 1, ZONE_LOCAL, 0, INNER, MONDAY); /* from outside, heading in: in it, so through it */
    const struct zone_figures *inner = tick(&b, MONDAY + SECOND);
    assert_int_equal(inner->now[ZONE_LOCAL], 1);
    assert_int_equal(inner->through[ZONE_LOCAL], 1);
    assert_true(inner->stale_since_ms == ZONE_FRESH && inner->has_camera && inner->n_passages == 1);
    pass(&b, 1, ZONE_LOCAL, INNER, INNER, MONDAY + 30 * SECOND);
    pass(&b, 1, ZONE_LOCAL, INNER, INNER, MONDAY + 31 * SECOND); /* again: one vehicle */
    assert_int_equal(tick(&b, MONDAY + 31 * SECOND)->through[ZONE_LOCAL], 1);
    pass(&b, 2, ZONE_PROVINCE_NEW_ENERGY, INNER, INNER, MONDAY + 32 * SECOND);
    pass(&b, 1, ZONE_LOCAL, INNER, 0, MONDAY + 60 * SECOND); /* from within, heading out */
    inner = tick(&b, MONDAY + 61 * SECOND);
    assert_int_equal(inner->now[ZONE_LOCAL], 0);
    assert_int_equal(inner->now[ZONE_PROVINCE_NEW_ENERGY], 1);
    assert_int_equal(inner->through[ZONE_LOCAL], 1);
    pass(&b, 2, ZONE_PROVINCE_NEW_ENERGY, 0, 0, MONDAY + 90 * SECOND); /* seen elsewhere in the city: it left where no camera is */
    assert_int_equal(tick(&b, MONDAY + 91 * SECOND)->now[ZONE_PROVINCE_NEW_ENERGY], 0);
    pass(&b, 3, ZONE_LOCAL, 0, 0, MONDAY + 92 * SECOND); /* never near a zone: not known */
    assert_int_equal(zone_known_vehicles(b.core)->n, 2);
    bench_finish(&b);
}

static void a_time_out_learned_from_gaps(void **state)
{
    struct bench b;
    bench_make(&b, &defaults);
    int64_t now = MONDAY;
    pass(&b, 1, ZONE_LOCAL, INNER, INNER, now);
    assert_int_equal(tick(&b, now + 599 * SECOND)->now[ZONE_LOCAL], 1); /* of settings, at first */
    assert_int_equal(tick(&b, now + 601 * SECOND)->now[ZONE_LOCAL], 0);
    now += 1000 * SECOND;
    for (uint64_t i = 0; i < 200; i++, now += SECOND) { /* here one is seen again after 100 s */
        pass(&b, 100 + i, ZONE_LOCAL, INNER, INNER, now);
        if (i >= 100)
            pass(&b, i, ZONE_LOCAL, INNER, 0, now);
    }
    const struct zone_figures *inner = tick(&b, now);
    assert_in_range(inner->timeout_ms, 100 * SECOND, 125 * SECOND);
    assert_int_equal(inner->now[ZONE_LOCAL], 100);
    assert_int_equal(tick(&b, now + 150 * SECOND)->now[ZONE_LOCAL], 0);
    assert_int_equal(tick(&b, now + 150 * SECOND)->through[ZONE_LOCAL], 201);
    bench_finish(&b);
}

/* A passage that comes late is overdue by when it was seen, and nobody waits for one whose camera's clock is ahead. */
static void overdue_is_who_was_not_seen(void **state)
{
    struct bench b;
    bench_make(&b, &defaults);
    struct zone_passage early = passage_of(1, ZONE_LOCAL, INNER, INNER, MONDAY + 50 * SECOND);
    early.arrived_ms = MONDAY;
    put(&b, &early);
    pass(&b, 2, ZONE_LOCAL, INNER, INNER, MONDAY);
    struct zone_passage late = passage_of(3, ZONE_LOCAL, INNER, INNER, MONDAY - 500 * SECOND);
    late.arrived_ms = MONDAY + 1 * SECOND;
    put(&b, &late);
    assert_int_equal(tick(&b, MONDAY + 99 * SECOND)->now[ZONE_LOCAL], 3);
    assert_int_equal(tick(&b, MONDAY + 101 * SECOND)->now[ZONE_LOCAL], 2);
    assert_int_equal(tick(&b, MONDAY + 601 * SECOND)->now[ZONE_LOCAL], 1);
    assert_int_equal(tick(&b, MONDAY + 651 * SECOND)->now[ZONE_LOCAL], 0);
    for (uint64_t i = 0; i < 3000; i++) /* longer than the lists go round */
        pass(&b, 10 + i, ZONE_LOCAL, INNER, INNER, MONDAY + 700 * SECOND + (int64_t)i * SECOND);
    assert_int_equal(tick(&b, MONDAY + 3700 * SECOND)->now[ZONE_LOCAL], 600);
    bench_finish(&b);
}

static void times_out_of_order(void **state)
{
    struct bench b;
    bench_make(&b, &defaults);
    pass(&b, 1, ZONE_LOCAL, INNER, 0, MONDAY + 100 * SECOND);
    struct zone_passage late = passage_of(1, ZONE_LOCAL, OUTER, INNER, MONDAY + 50 * SECOND);
    late.arrived_ms = MONDAY + 101 * SECOND;
    put(&b, &late); /* older than what is known: it was through the other zone, and is where it is */
    assert_int_equal(tick(&b, MONDAY + 102 * SECOND)[0].now[ZONE_LOCAL], 0);
    assert_int_equal(tick(&b, MONDAY + 102 * SECOND)[1].through[ZONE_LOCAL], 1);
    assert_int_equal(b.updates.areas[0].through[ZONE_LOCAL], 1); /* one vehicle, of two zones */
    late.arrived_ms = late.time_ms + 601 * SECOND;
    put(&b, &late);
    late.arrived_ms = late.time_ms - 61 * SECOND;
    put(&b, &late);
    assert_int_equal(zone_counters(b.core)->n_late, 1);
    assert_int_equal(zone_counters(b.core)->n_future, 1);
    assert_int_equal(zone_counters(b.core)->n_passages, 2);
    struct zone_passage unread = passage_of(9, ZONE_N_GROUPS, INNER, INNER, MONDAY + 103 * SECOND);
    put(&b, &unread); /* its group is not known: nothing but a sign of life */
    assert_int_equal(zone_known_vehicles(b.core)->n, 1);
    bench_finish(&b);
}

static void silence_and_midnight(void **state)
{
    struct bench b;
    bench_make(&b, &defaults);
    int64_t midnight = MONDAY + 16 * HOUR;
    assert_true(tick(&b, MONDAY)->stale_since_ms == 0); /* nothing was ever heard */
    assert_false(tick(&b, MONDAY)->has_camera);
    pass(&b, 1, ZONE_LOCAL, INNER, INNER, midnight - 10 * SECOND);
    assert_int_equal(tick(&b, midnight - SECOND)->through[ZONE_LOCAL], 1);
    const struct zone_figures *inner = tick(&b, midnight + SECOND);
    assert_int_equal(inner->now[ZONE_LOCAL], 1); /* still in it, under yesterday's pseudonym */
    assert_int_equal(inner->through[ZONE_LOCAL], 1);
    assert_int_equal(inner->through[ZONE_PROVINCE], 0);
    struct zone_passage late = passage_of(2, ZONE_LOCAL, INNER, INNER, midnight - 5 * SECOND);
    late.arrived_ms = midnight + 2 * SECOND;
    put(&b, &late); /* of yesterday, and still in it */
    assert_int_equal(tick(&b, midnight + 3 * SECOND)->now[ZONE_LOCAL], 2);
    assert_int_equal(tick(&b, midnight + 3 * SECOND)->through[ZONE_LOCAL], 2);
    pass(&b, 3, ZONE_LOCAL, INNER, INNER, midnight + 4 * SECOND); /* one of those two under today's: twice in it, until the time-out */
    assert_int_equal(tick(&b, midnight + 5 * SECOND)->through[ZONE_LOCAL], 3);
    pass(&b, 4, ZONE_LOCAL, INNER, INNER, midnight + 5 * SECOND);
    assert_int_equal(tick(&b, midnight + 6 * SECOND)->through[ZONE_LOCAL], 4);
    pass(&b, 4, ZONE_LOCAL, INNER, 0, midnight + 6 * SECOND);
    assert_int_equal(tick(&b, midnight + 7 * SECOND)->through[ZONE_LOCAL], 4); /* never back */
    assert_true(tick(&b, midnight + 31 * SECOND)->stale_since_ms == ZONE_FRESH);
    assert_true(tick(&b, midnight + 600 * SECOND)->stale_since_ms == midnight + 6 * SECOND + 200);
    bench_finish(&b);
}

/* Our clock is set back by three hours: who is silent is so at once, who was in it goes, who is seen is seen. */
static void a_clock_that_is_set_back(void **state)
{
    struct bench b;
    int64_t back = MONDAY - 3 * HOUR;
    bench_make(&b, &defaults);
    for (uint64_t i = 1; i <= 3; i++)
        pass(&b, i, ZONE_LOCAL, INNER | OUTER, INNER | OUTER, MONDAY);
    tick(&b, MONDAY + SECOND);
    assert_true(tick(&b, back)->stale_since_ms == ZONE_FRESH);
    pass(&b, 1, ZONE_LOCAL, 0, 0, back + 10 * SECOND); /* seen elsewhere: that counts, though it was seen "later" before */
    pass(&b, 4, ZONE_LOCAL, INNER, INNER, back + 11 * SECOND);
    const struct zone_figures *zones = tick(&b, back + 60 * SECOND);
    assert_int_equal(zones[0].now[ZONE_LOCAL], 3);
    assert_int_equal(zones[1].now[ZONE_LOCAL], 2);
    assert_true(zones[0].stale_since_ms == back + 11 * SECOND + 200);
    assert_true(zones[1].stale_since_ms == back); /* heard of last when the clock was set */
    zones = tick(&b, back + 605 * SECOND);
    assert_int_equal(zones[0].now[ZONE_LOCAL], 1); /* 2 and 3 are overdue */
    assert_int_equal(zones[1].now[ZONE_LOCAL], 0);
    assert_int_equal(tick(&b, back + 620 * SECOND)->now[ZONE_LOCAL], 0);
    assert_true(tick(&b, back + 620 * SECOND)->missing_since_ms == ZONE_FRESH);
    assert_true(tick(&b, back - 20 * HOUR)->missing_since_ms == MONDAY - 32 * HOUR); /* the day before, once more, and emptied */
    assert_true(tick(&b, back)->missing_since_ms == ZONE_FRESH);
    bench_finish(&b);
}

/* A set clock by a little more than a minute counts; a passage that a door's clock, a minute ahead of ours, dates does not. */
static void clocks_that_differ(void **state)
{
    struct bench b;
    bench_make(&b, &defaults);
    pass(&b, 1, ZONE_LOCAL, INNER, INNER, MONDAY);
    assert_true(tick(&b, MONDAY - 55 * SECOND)->stale_since_ms == ZONE_FRESH);
    assert_int_equal(tick(&b, MONDAY + 601 * SECOND)->now[ZONE_LOCAL], 0);
    pass(&b, 2, ZONE_LOCAL, INNER, INNER, MONDAY + 602 * SECOND);
    tick(&b, MONDAY + 500 * SECOND);
    assert_true(tick(&b, MONDAY + 780 * SECOND)->stale_since_ms == MONDAY + 500 * SECOND);
    bench_finish(&b);
}

/* Who was here on days that are over makes room: the table is no larger than the largest day, and what comes late finds its vehicle. */
static void yesterday_makes_room(void **state)
{
    struct bench b;
    bench_make(&b, &defaults);
    for (int64_t day = 0; day < 5; day++) {
        for (int64_t i = 0; i < 3000; i++)
            pass(&b, (uint64_t)(day * 10000 + i), ZONE_LOCAL, INNER, 0, MONDAY + day * 24 * HOUR + i * SECOND);
        assert_int_equal(tick(&b, MONDAY + day * 24 * HOUR + 3000 * SECOND)->through[ZONE_LOCAL], 3000);
        assert_int_equal(zone_known_vehicles(b.core)->n, 3000);
        assert_int_equal(zone_known_vehicles(b.core)->n_forgotten, 0);
    }
    int64_t midnight = MONDAY + 4 * 24 * HOUR + 16 * HOUR;
    pass(&b, 77, ZONE_OTHER, OUTER, OUTER, midnight - 5 * SECOND);
    tick(&b, midnight - 4 * SECOND);
    answer(&b, NULL, 0);
    assert_int_equal(b.updates.n_breaches, 1);
    pass(&b, 77, ZONE_OTHER, OUTER, 0, midnight - 3 * SECOND);
    for (uint64_t i = 0; i < 4000; i++)
        pass(&b, 100000 + i, ZONE_LOCAL, INNER, 0, midnight + SECOND + (int64_t)i);
    struct zone_passage late = passage_of(77, ZONE_OTHER, OUTER, 0, midnight - 2 * SECOND);
    late.arrived_ms = midnight + 500 * SECOND;
    put(&b, &late);
    tick(&b, midnight + 501 * SECOND);
    assert_null(b.updates.ask); /* it is known that its breach was found */
    bench_finish(&b);
}

/* ---- passes ---- */

static void without_a_pass(void **state)
{
    struct bench b;
    bench_make(&b, &defaults);
    pass(&b, 1, ZONE_OTHER, INNER, INNER, MONDAY);
    assert_int_equal(b.updates.n_breaches, 0); /* nothing is claimed without an answer */
    assert_null(b.updates.ask);
    tick(&b, MONDAY + SECOND);
    assert_int_equal(b.updates.ask->n, 1);
    assert_memory_equal(b.updates.ask->checks[0].plate, PLATE.ptr, PLATE.len);
    pass(&b, 1, ZONE_OTHER, INNER, INNER, MONDAY + 2 * SECOND); /* while it is asked: not asked twice */
    assert_int_equal(zone_n_waiting(b.core), 1);
    struct zone_event event = {.type = ZONE_ANSWER, .answer = {1, NULL, 0}};
    zone_step(b.core, &event, &b.updates);
    assert_int_equal(b.updates.n_breaches, 1);
    assert_string_equal(b.updates.breaches[0].pseudonym, "0123456789abcdef0123");
    assert_true(b.updates.breaches[0].zone == 0 && b.updates.breaches[0].camera == 7 && b.updates.breaches[0].time_ms == MONDAY);
    for (int i = 3; i < 50; i++) { /* and not fifty times */
        pass(&b, 1, ZONE_OTHER, INNER, INNER, MONDAY + i * SECOND);
        assert_int_equal(b.updates.n_breaches, 0);
    }
    assert_int_equal(tick(&b, MONDAY + 50 * SECOND)->breaches, 1);
    assert_int_equal(zone_n_waiting(b.core), 0);
    pass(&b, 1, ZONE_OTHER, OUTER, OUTER, MONDAY + 51 * SECOND); /* another zone: another breach, by the answer that is known */
    assert_int_equal(b.updates.n_breaches, 1);
    assert_int_equal(b.updates.breaches[0].zone, 1);
    assert_int_equal(zone_counters(b.core)->n_asked, 1);
    assert_int_equal(zone_counters(b.core)->n_from_cache, 1);
    bench_finish(&b);
}

static void with_a_pass(void **state)
{
    struct bench b;
    struct zone_pass day = {.check = 0, .zones = INNER, .from_ms = MONDAY - 8 * HOUR, .until_ms = MONDAY + 4 * HOUR};
    bench_make(&b, &defaults);
    pass(&b, 1, ZONE_OTHER, INNER, INNER, MONDAY);
    tick(&b, MONDAY + SECOND);
    answer(&b, &day, 1);
    assert_int_equal(b.updates.n_breaches, 0);
    for (int i = 2; i < 55; i++) { /* fresh: nobody is asked */
        pass(&b, 1, ZONE_OTHER, INNER, INNER, MONDAY + i * SECOND);
        tick(&b, MONDAY + i * SECOND);
        assert_null(b.updates.ask);
        assert_int_equal(b.updates.n_breaches, 0);
    }
    /* It was revoked meanwhile: that takes effect with the first passage after the answer's time. */
    pass(&b, 1, ZONE_OTHER, INNER, INNER, MONDAY + 62 * SECOND);
    tick(&b, MONDAY + 63 * SECOND);
    answer(&b, NULL, 0);
    assert_int_equal(b.updates.n_breaches, 1);
    /* Its pass was for the inner zone alone. */
    pass(&b, 2, ZONE_OTHER, OUTER, OUTER, MONDAY + 70 * SECOND);
    tick(&b, MONDAY + 71 * SECOND);
    answer(&b, &day, 1);
    assert_int_equal(b.updates.n_breaches, 1);
    bench_finish(&b);
}

/* What an answer says holds from the edge of one pass to that of the next: a fresh answer of before noon says nothing of the afternoon. */
static void the_edges_of_passes(void **state)
{
    static const struct {
        int64_t from_ms, until_ms, first_ms, again_ms;
        bool is_breach, is_asked_again;
    } cases[] = {
        {-HOUR, 10 * SECOND, 0, 9 * SECOND, false, false}, {-HOUR, 10 * SECOND, 0, 10 * SECOND, false, true}, /* over */
        {0, HOUR, 0, 5 * SECOND, false, false},         /* its first millisecond is in it */
        {-HOUR, 0, 0, 5 * SECOND, true, false},         /* its last is not */
        {5 * SECOND, HOUR, 0, 4 * SECOND, true, false}, /* begins later */
        {HOUR, -HOUR, 0, 4 * SECOND, true, false},      /* none */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bench b;
        bench_make(&b, &defaults);
        struct zone_pass one = {.zones = INNER | OUTER, .from_ms = MONDAY + cases[i].from_ms, .until_ms = MONDAY + cases[i].until_ms};
        pass(&b, 1, ZONE_OTHER, INNER, INNER, MONDAY + cases[i].first_ms);
        tick(&b, MONDAY + SECOND);
        answer(&b, &one, 1);
        if (b.updates.n_breaches != cases[i].is_breach)
            fail_msg("case %zu: %zu breaches", i, b.updates.n_breaches);
        pass(&b, 1, ZONE_OTHER, OUTER, OUTER, MONDAY + cases[i].again_ms);
        tick(&b, MONDAY + cases[i].again_ms + SECOND);
        if ((b.updates.ask != NULL) != cases[i].is_asked_again)
            fail_msg("case %zu: asked again %d", i, b.updates.ask != NULL);
        bench_finish(&b);
    }
}

static void whom_the_rule_leaves_alone(void **state)
{
    struct bench b;
    bench_make(&b, &defaults);
    pass(&b, 1, ZONE_LOCAL, INNER, INNER, MONDAY);
    pass(&b, 2, ZONE_OTHER_NEW_ENERGY, INNER, INNER, MONDAY);
    pass(&b, 3, ZONE_OTHER, INNER, INNER, MONDAY + 14 * HOUR); /* 22:00 */
    pass(&b, 4, ZONE_OTHER, 0, INNER, MONDAY + 15 * HOUR);     /* at the border it may turn: not yet in it */
    struct zone_passage poor = passage_of(5, ZONE_OTHER, OUTER, OUTER, MONDAY + 15 * HOUR);
    poor.confidence = 79;
    put(&b, &poor);
    poor.confidence = 99;
    poor.plate = STR_NONE;
    put(&b, &poor);
    assert_int_equal(zone_n_waiting(b.core), 0);
    poor.plate = PLATE;
    poor.confidence = -1; /* a camera that tells none */
    put(&b, &poor);
    assert_int_equal(zone_n_waiting(b.core), 1);
    bench_finish(&b);
}

static void a_department_that_is_down(void **state)
{
    struct zone_settings settings = defaults;
    struct bench b;
    settings.checks_max = 3;
    bench_make(&b, &settings);
    for (uint64_t i = 0; i < 5; i++)
        pass(&b, i, ZONE_OTHER, INNER, INNER, MONDAY + (int64_t)i);
    assert_int_equal(zone_n_waiting(b.core), 3); /* bounded, and counted */
    assert_int_equal(zone_counters(b.core)->n_given_up, 2);
    int64_t now = MONDAY;
    int n_asked = 0;
    for (int i = 1; i <= 600; i++) { /* it is asked less and less often, and nothing is claimed */
        tick(&b, now = MONDAY + i * SECOND);
        assert_int_equal(b.updates.n_breaches, 0);
        if (b.updates.ask != NULL) {
            n_asked++;
            no_answer(&b, false);
        }
    }
    assert_in_range(n_asked, 10, 20);
    assert_int_equal(zone_n_waiting(b.core), 3);
    assert_int_equal(zone_counters(b.core)->n_put_off, 3 * n_asked);
    pass(&b, 4, ZONE_OTHER, INNER, INNER, now); /* for which there was no room: still none, and nothing claimed */
    for (int i = 0; i < 61 && b.updates.ask == NULL; i++)
        tick(&b, now += SECOND);
    assert_int_equal(b.updates.ask->n, 3);
    assert_true(b.updates.ask->checks[0].id == 0 && b.updates.ask->checks[2].id == 2); /* in the order of coming */
    answer(&b, &(struct zone_pass){.check = 1, .zones = INNER, .from_ms = 0, .until_ms = INT64_MAX}, 1);
    assert_int_equal(b.updates.n_breaches, 2); /* by what held when they passed */
    pass(&b, 4, ZONE_OTHER, INNER, INNER, now + 2 * SECOND);
    tick(&b, now + 3 * SECOND);
    no_answer(&b, true); /* an answer that cannot be is not asked for again */
    assert_int_equal(zone_n_waiting(b.core), 0);
    assert_int_equal(zone_counters(b.core)->n_given_up, 4);
    bench_finish(&b);
}

static void checks_that_are_too_old(void **state)
{
    struct bench b;
    bench_make(&b, &defaults);
    pass(&b, 1, ZONE_OTHER, INNER, INNER, MONDAY);
    tick(&b, MONDAY + SECOND);
    no_answer(&b, false);
    tick(&b, MONDAY + 25 * HOUR);
    assert_null(b.updates.ask);
    assert_int_equal(zone_n_waiting(b.core), 0);
    assert_int_equal(zone_counters(b.core)->n_given_up, 1);
    bench_finish(&b);
}

/* After the clock was set back no answer of before is believed when the clock comes there again, and no plate is kept until then. */
static void passes_when_the_clock_is_set_back(void **state)
{
    struct bench b;
    struct zone_pass always = {.check = 0, .zones = INNER | OUTER, .from_ms = 0, .until_ms = INT64_MAX};
    bench_make(&b, &defaults);
    pass(&b, 1, ZONE_OTHER, INNER, INNER, MONDAY);
    tick(&b, MONDAY + SECOND);
    answer(&b, &always, 1);
    pass(&b, 2, ZONE_OTHER, INNER, INNER, MONDAY + 2 * SECOND);
    tick(&b, MONDAY - HOUR);
    assert_null(b.updates.ask); /* a check of an hour to come is no check */
    assert_int_equal(zone_n_waiting(b.core), 0);
    assert_int_equal(zone_counters(b.core)->n_given_up, 1);
    pass(&b, 1, ZONE_OTHER, INNER, INNER, MONDAY + 20 * SECOND);
    tick(&b, MONDAY + 21 * SECOND);
    assert_non_null(b.updates.ask); /* an hour later it is asked for again: it may be revoked */
    bench_finish(&b);
}

static void batches(void **state)
{
    struct bench b;
    const struct zone_ask *asks[ZONE_ASKS_MAX] = {NULL};
    size_t n_asks = 0;
    bench_make(&b, &defaults);
    for (uint64_t i = 0; i < 1000; i++) {
        pass(&b, i, ZONE_OTHER, INNER, INNER, MONDAY + (int64_t)i);
        if (b.updates.ask != NULL) {
            assert_int_equal(b.updates.ask->n, ZONE_ASK_MAX); /* full ones at once, without a tick */
            assert_true(n_asks < ZONE_ASKS_MAX);
            asks[n_asks++] = b.updates.ask;
        }
    }
    assert_int_equal(n_asks, ZONE_ASKS_MAX);
    assert_int_equal(zone_n_waiting(b.core), 1000);
    size_t n_breaches = 0;
    for (size_t at = 0; at < n_asks; at++) {
        const struct zone_ask *one = asks[at];
        for (;;) { /* each answer brings the next ask */
            zone_step(b.core, &(struct zone_event){.type = ZONE_ANSWER, .answer = {one->number, NULL, 0}}, &b.updates);
            n_breaches += b.updates.n_breaches;
            if (b.updates.ask == NULL)
                break;
            one = b.updates.ask;
        }
    }
    tick(&b, MONDAY + 2 * SECOND);
    answer(&b, NULL, 0);
    n_breaches += b.updates.n_breaches;
    assert_int_equal(n_breaches, 1000);
    assert_int_equal(tick(&b, MONDAY + 3 * SECOND)->breaches, 1000);
    pass(&b, 5000, ZONE_OTHER, INNER, INNER, MONDAY + 4 * SECOND); /* past what is told one by one: counted */
    tick(&b, MONDAY + 5 * SECOND);
    answer(&b, NULL, 0);
    assert_int_equal(b.updates.n_breaches, 0);
    assert_int_equal(zone_counters(b.core)->n_withheld, 1);
    assert_int_equal(tick(&b, MONDAY + 6 * SECOND)->breaches, 1001);
    bench_finish(&b);
}

/* Plates that nobody drives, and a table that is silent: neither the vehicles nor the checks grow past their limits. */
static void an_attacker(void **state)
{
    struct zone_settings settings = defaults;
    struct bench b;
    settings.vehicles_max = 5000;
    settings.checks_max = 1000;
    bench_make(&b, &settings);
    int64_t n = TEST_TIMES(10000000), n_live = 0;
    clock_t start = clock();
    for (int64_t i = 0; i < n; i++) {
        pass(&b, (uint64_t)i * 0x9e3779b97f4a7c15u, ZONE_OTHER, INNER, i % 2 ? INNER : 0, MONDAY + i / 10);
        if (b.updates.ask != NULL)
            no_answer(&b, false);
        if (i == n / 2)
            n_live = mem_n_live();
    }
    print_message("%.1f million plates a second, each a new one, in the step alone\n",
        (double)n / 1e6 / ((double)(clock() - start + 1) / CLOCKS_PER_SEC));
    assert_int_equal(mem_n_live(), n_live);
    assert_int_equal(zone_known_vehicles(b.core)->n, 5000);
    assert_true(zone_known_vehicles(b.core)->n_forgotten >= (uint64_t)n - 5000);
    assert_true(zone_n_waiting(b.core) <= 1000);
    uint32_t now = tick(&b, MONDAY + n / 10)->now[ZONE_OTHER];
    assert_true(now <= 5000);
    bench_finish(&b);
}

static void without_memory(void **state)
{
    int64_t before = mem_n_live();
    for (uint64_t nth = 1;; nth++) {
        struct bench b;
        memset(&b, 0, sizeof(b));
        b.zones = (struct zones){.n = 1, .time_zone = TIME_ZONE_SHANGHAI};
        mem_fail_nth(nth);
        enum err err = zone_create(&defaults, &b.zones, &b.core);
        for (uint64_t i = 0; i < 3000 && err == ERR_OK; i++)
            pass(&b, i, ZONE_LOCAL, INNER, INNER, MONDAY + (int64_t)i);
        bool is_whole = err == ERR_OK && zone_known_vehicles(b.core)->n == 3000;
        mem_fail_nth(0);
        zone_destroy(b.core);
        assert_int_equal(mem_n_live(), before);
        assert_true(nth < 20);
        if (is_whole)
            return;
    }
}

/* ---- laws ---- */

#define MODEL_VEHICLES 60
#define MODEL_EVENTS 4000

static uint64_t draw(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* Every vehicle either has a pass for all zones for all time (even ones), or never has one; the department is now and then down. */
struct model {
    bool was_through[2][MODEL_VEHICLES];
    int n_breaches[2][MODEL_VEHICLES], n_through[2], n_through_any;
    const struct zone_ask *pending;
    uint64_t seed;
};

static void model_answers(struct model *model, struct bench *b)
{
    struct zone_pass passes[ZONE_ASK_MAX];
    size_t n = 0;
    for (uint32_t at = 0; at < model->pending->n; at++)
        if (model->pending->checks[at].id % 2 == 0)
            passes[n++] = (struct zone_pass){.check = at, .zones = 3, .from_ms = 0, .until_ms = INT64_MAX};
    struct zone_event event = {.type = ZONE_ANSWER, .answer = {model->pending->number, passes, n}};
    zone_step(b->core, &event, &b->updates);
    model->pending = NULL;
}

static void model_passes(struct model *model, struct bench *b, int64_t now)
{
    uint64_t vehicle = draw(&model->seed) % MODEL_VEHICLES;
    unsigned held = (unsigned)(draw(&model->seed) % 4), ahead = (unsigned)(draw(&model->seed) % 4);
    char pseudonym[24];
    snprintf(pseudonym, sizeof(pseudonym), "%llu", (unsigned long long)vehicle);
    struct zone_passage passage = passage_of(vehicle, ZONE_OTHER, held, ahead, now);
    passage.time_ms -= (int64_t)(draw(&model->seed) % 300000);
    passage.pseudonym = str_from_c(pseudonym);
    model->n_through_any += (held | ahead) != 0 && !model->was_through[0][vehicle] && !model->was_through[1][vehicle];
    for (int zone = 0; zone < 2; zone++)
        if ((held | ahead) >> zone & 1 && !model->was_through[zone][vehicle]) {
            model->was_through[zone][vehicle] = true;
            model->n_through[zone]++;
        }
    put(b, &passage);
}

static void model_looks(struct model *model, struct bench *b)
{
    for (int zone = 0; zone < 2 && b->updates.figures != NULL; zone++) {
        assert_int_equal(b->updates.figures[zone].through[ZONE_OTHER], model->n_through[zone]);
        assert_true(b->updates.figures[zone].now[ZONE_OTHER] <= b->updates.figures[zone].through[ZONE_OTHER]);
    }
    if (b->updates.figures != NULL) { /* an area of both, and one of the second alone */
        const struct zone_area_figures *areas = b->updates.areas;
        const uint32_t in[2] = {b->updates.figures[0].now[ZONE_OTHER], b->updates.figures[1].now[ZONE_OTHER]};
        assert_int_equal(areas[0].through[ZONE_OTHER], model->n_through_any);
        assert_true(areas[0].now[ZONE_OTHER] >= (in[0] > in[1] ? in[0] : in[1]) && areas[0].now[ZONE_OTHER] <= in[0] + in[1]);
        assert_int_equal(areas[1].through[ZONE_OTHER], model->n_through[1]);
        assert_int_equal(areas[1].now[ZONE_OTHER], in[1]);
    }
    for (size_t at = 0; at < b->updates.n_breaches; at++) {
        const struct zone_breach *breach = &b->updates.breaches[at];
        uint64_t who = 0;
        assert_ok(str_to_u64(str_from_c(breach->pseudonym), &who));
        assert_int_equal(who % 2, 1);
        assert_int_equal(++model->n_breaches[breach->zone][who], 1);
        assert_true(model->was_through[breach->zone][who]);
    }
    const struct zone_ask *ask = b->updates.ask;
    if (ask == NULL)
        return;
    assert_true(ask != model->pending);
    if (model->pending == NULL) {
        model->pending = ask;
        return;
    }
    struct zone_event event = {.type = ZONE_NO_ANSWER, .no_answer = {ask->number, false}}; /* this model answers one at a time */
    zone_step(b->core, &event, &b->updates);
}

/* Who has a pass never breaches; who has none breaches at most once a zone; what was in a zone is through it, once. */
static void any_events(void **state)
{
    uint64_t first = (uint64_t)time(NULL) * 2654435761u | 1;
    print_message("seed %llu\n", (unsigned long long)first);
    for (uint64_t run = 0; run < TEST_TIMES(40); run++) {
        struct bench b;
        struct model model = {.seed = first + run * 7919};
        int64_t now = MONDAY; /* two hours of it */
        bench_make(&b, &defaults);
        for (int i = 0; i < MODEL_EVENTS; i++, now += (int64_t)(draw(&model.seed) % 3000)) {
            uint64_t what = draw(&model.seed) % 10;
            if (model.pending != NULL && what == 0) {
                model_answers(&model, &b);
            } else if (model.pending != NULL && what == 1) {
                struct zone_event event = {.type = ZONE_NO_ANSWER, .no_answer = {model.pending->number, false}};
                model.pending = NULL;
                zone_step(b.core, &event, &b.updates);
            } else if (what < 4) {
                tick(&b, now);
            } else {
                model_passes(&model, &b, now);
            }
            model_looks(&model, &b);
        }
        assert_true(zone_n_waiting(b.core) <= 2 * MODEL_VEHICLES); /* one a vehicle and zone, however often they passed */
        bench_finish(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(enters_and_leaves),
        cmocka_unit_test(a_time_out_learned_from_gaps),
        cmocka_unit_test(overdue_is_who_was_not_seen),
        cmocka_unit_test(times_out_of_order),
        cmocka_unit_test(silence_and_midnight),
        cmocka_unit_test(a_clock_that_is_set_back),
        cmocka_unit_test(clocks_that_differ),
        cmocka_unit_test(yesterday_makes_room),
        cmocka_unit_test(without_a_pass),
        cmocka_unit_test(with_a_pass),
        cmocka_unit_test(the_edges_of_passes),
        cmocka_unit_test(whom_the_rule_leaves_alone),
        cmocka_unit_test(a_department_that_is_down),
        cmocka_unit_test(checks_that_are_too_old),
        cmocka_unit_test(passes_when_the_clock_is_set_back),
        cmocka_unit_test(batches),
        cmocka_unit_test(an_attacker),
        cmocka_unit_test(without_memory),
        cmocka_unit_test(any_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
