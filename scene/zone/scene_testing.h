/*
 * What the tests of the scene of restricted zones share: a hub that keeps what is published and asked, a city of two zones in one district,
 * and a scene that runs in it.
 */
#ifndef SCENE_ZONE_SCENE_TESTING_H
#define SCENE_ZONE_SCENE_TESTING_H

#include "base/mem.h"
#include "hub/alert.h"
#include "hub/indicator.h"
#include "hub/need.h"
#include "hub/query.h"
#include "scene/zone/inside.h"
#include "scene/zone/scene.h"

#define T0 INT64_C(1789948800000) /* 2026-09-21, 08:00 in Hangzhou */
#define SECOND 1000
#define HOUR (3600 * SECOND)
#define IN_A 120.105 /* longitudes: within zone a, within zone b, in neither */
#define IN_B 120.125
#define OUT 120.115

/* ---- the stand-in of the hub ---- */

struct hub {
    struct area_tree *tree;
};

extern struct rows *told[2]; /* the latest of the indicators, of the zones' states; NULL: none */
extern struct buf object;    /* the outlines */
extern char alerts[16][1024];
extern size_t n_alerts;           /* ever taken */
extern bool is_refusing;          /* what is published, and alerts */
extern struct hub_need needed[4]; /* what the start held against the contracts */
extern size_t n_needs;
extern struct hub_query *asked; /* a query that is under way, the last one first; NULL: none is */
extern size_t n_queries;

void answer_query(const char *rows); /* of JSON; the receipt is h.log/7 */
void refuse_query(enum err err);

/* ---- the scene ---- */

extern char folder[]; /* made by setup() */
int setup(void **state);
int teardown(void **state);

struct bench {
    struct hub hub;
    struct clock_fake clock;
    struct yaml *yaml;
    struct scene_zone *scene;
};

void bench_start(struct bench *bench, int64_t now_ms);
void bench_halt(struct bench *bench); /* its snapshot stays */
void bench_forget(void);              /* the snapshot */
void bench_stop(struct bench *bench); /* both */

/* A passage of camera "C1" and so on, whose plate is of another province, northward; it arrives 100 ms later. NAN: it tells no place. */
void pass(struct bench *bench, const char *camera, const char *vehicle, int64_t time_ms, double lon);
void pass_at(struct bench *bench, const char *camera, const char *vehicle, int64_t time_ms, int64_t arrived_ms, double lon);
void pass_of(
    struct bench *bench, const char *camera, const char *vehicle, const char *group, int64_t time_ms, int64_t arrived_ms, double lon);
void tick(struct bench *bench, int64_t now_ms);

/* The latest of this name and area. */
const struct value *indicator(const char *name, const char *area);
/* The latest of this zone and class of plates; the first: those of other provinces. */
const struct value *zone_state(const char *zone);
const struct value *zone_class(const char *zone, const char *class);

#endif
