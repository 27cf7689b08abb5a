/*
 * What is wrong with the passages: wrong clocks (clocks.h), one plate on two cars (clones.h), cameras that miss many (recall.h). Where the
 * core meets these three; each of them knows nothing of it.
 *
 * A passage's way: its camera's clock is put right → the vehicle with this plate, or, where it cannot have come from there in this time,
 * its twin → what the link tells of both clocks and of cameras that were passed unread.
 */
#ifndef SCENE_COUNT_FAULTS_H
#define SCENE_COUNT_FAULTS_H

#include "scene/count/clocks.h"
#include "scene/count/clones.h"
#include "scene/count/core.h"
#include "scene/count/recall.h"

struct count_move; /* move.h */

struct count_faults {
    struct count_clocks clocks;
    struct count_clones clones;
    struct count_recall recall;
    int64_t learned_ms;
};

enum err count_faults_init(struct count_faults *faults, const struct road_network *network) MUST_CHECK; /* ERR_NO_MEMORY */
void count_faults_finish(struct count_faults *faults);
void count_faults_clear(struct count_faults *faults);
/* The next camera, whose number this is. After ERR_NO_MEMORY it may be added again. */
enum err count_faults_camera(struct count_faults *faults, uint32_t camera, uint32_t edge) MUST_CHECK;
/* Puts its time right, as its camera's clock should have told it. */
void count_faults_hear(struct count_faults *faults, struct count_passage *passage);
/* Which vehicle is it? `at` is the one with its plate, or COUNT_NONE. Answers a place, or COUNT_NONE: a new one; `passage->vehicle` becomes
 * the key of the twin where it is that one. What it says of clocks and cameras, and that there are two, goes into `move`. */
uint32_t count_faults_track(struct count *count, uint32_t at, struct count_passage *passage, struct count_move *move);
/* What the way of a plate says of clocks and cameras. */
void count_faults_link(struct count *count, const struct count_move *move);
/* Time goes on; every half a minute it is learned. */
void count_faults_learn(struct count *count, int64_t now_ms);

#endif
