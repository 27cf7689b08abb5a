/*
 * What the tests of the counting scene share: a hub that keeps what is published, a small city in a folder, and a scene that runs in it.
 */
#ifndef SCENE_COUNT_SCENE_TESTING_H
#define SCENE_COUNT_SCENE_TESTING_H

#include "base/mem.h"
#include "hub/alert.h"
#include "hub/indicator.h"
#include "hub/offer.h"
#include "scene/count/city_testing.h"
#include "scene/count/health.h"
#include "scene/count/scene.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define T0 1700000000000

/* ---- the stand-in of the hub ---- */

struct hub {
    struct area_tree *tree;
};

extern struct hub_field fields_of[7][HUB_FIELDS_MAX];
extern struct rows *published[6][2000]; /* indicator, road_state, road_index, -, camera, junction_index */
extern size_t n_published[6];
extern char alerts[8][1600]; /* kind|area|party|key|state|title|detail */
extern size_t n_alerts;
extern bool is_refusing;
extern bool is_deaf; /* to alerts */
extern size_t n_unheard;
extern struct buf object;   /* the road */
extern hub_answer *offered; /* the table of ways; NULL: it is not */
extern void *offered_to;
extern size_t n_reports[3];                     /* of sources, by their health */
extern const struct scene_parts_ops *parts_ops; /* of the next start; NULL: no bus */

void forget_published(void);

/* ---- the city's folder ---- */

extern char folder[];       /* made by setup() */
extern char areas_path[64]; /* in it */

void write_text(const char *path, const char *text);
int setup(void **state); /* of a group, and its end */
int teardown(void **state);

/* ---- the scene in it ---- */

struct bench {
    struct hub hub;
    struct clock_fake clock;
    struct yaml *yaml;
    void *scene;
};

#define CONFIG "scene: count\nparty: h/count\ntitle: {zh: 数数, en: Counting}\nneeds: {passage: h/police/passage}\n"

enum err bench_start(struct bench *bench, const char *config, struct diag_list *ret_diags); /* what it says of errors is in *ret_diags */
enum err bench_start_at(struct bench *bench, int64_t ms, const char *config, struct diag_list *ret_diags); /* it is T0 + ms */
void bench_halt(struct bench *bench);                                                                      /* its snapshot stays */
void bench_stop(struct bench *bench);

/* A passage that was seen at seen_ms and arrived at arrived_ms; pass(): 100 ms later. */
void pass_at(struct bench *bench, const char *camera, const char *vehicle, int64_t seen_ms, int64_t arrived_ms, double lon, double heading);
void pass(struct bench *bench, const char *camera, const char *vehicle, int64_t ms, double lon, double heading);
void locate(struct bench *bench, const char *vehicle, int64_t ms, double lon, int64_t status); /* a row of the other need */
/* A loop's row of the third need, of `vehicles` since a minute. */
void count_over(struct bench *bench, const char *loop, int64_t ms, struct value vehicles, double lon, double heading);
void tick(struct bench *bench, int64_t ms); /* the clock is there from now on */

/* The latest indicator of this name, area and period. */
const struct value *indicator(const char *name, const char *area, int64_t period_ms);

#endif
