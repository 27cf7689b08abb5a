/*
 * Vehicles followed by their GPS points as they come (浮动车, floating cars): one track a vehicle, all of one matcher, and when each drove
 * onto an edge and left it.
 *
 * Memory is bounded: past `vehicles_max` vehicles under way the one that was silent longest is told to its end and forgotten; of each at
 * most `match.lag` points are held that are not certain yet (match.h). It is one thread's, and has no clock: time is what the points say.
 */
#ifndef ROAD_FOLLOW_H
#define ROAD_FOLLOW_H

#include "road/passing.h"

#define ROAD_FOLLOW_VEHICLES_MAX 2000000u

struct road_follow_settings {
    struct road_match_settings match;
    uint32_t vehicles_max; /* at once, 1 to ROAD_FOLLOW_VEHICLES_MAX; 6 KB each with a lag of 7, more with a longer one */
};

/* Called from within road_follow_add(), _end(), _expire() and _end_all(), which must not be called from there. */
struct road_follow_told {
    void (*on_matched)(void *context, uint64_t vehicle, const struct road_matched *matched); /* may be NULL */
    void (*on_passing)(void *context, uint64_t vehicle, const struct road_passing *passing); /* may be NULL */
    void *context;
};

struct road_follow;

/* `hierarchy` and `nearest` are kept, and of one network. ERR_NO_MEMORY; ERR_RANGE of a setting. */
enum err road_follow_create(const struct road_hierarchy *hierarchy, const struct road_nearest *nearest,
    const struct road_follow_settings *settings, const struct road_follow_told *told, struct road_follow **ret_follow) MUST_CHECK;
void road_follow_destroy(struct road_follow *follow); /* takes NULL; what was not told is lost */
/* The vehicle's next point. ERR_RANGE: not later than its point before, or no place; ERR_NO_MEMORY: the point is lost. */
enum err road_follow_add(struct road_follow *follow, uint64_t vehicle, const struct road_fix *fix) MUST_CHECK;
/* Time of the vehicle's newest point; INT64_MIN: it is not under way. */
int64_t road_follow_newest_ms(const struct road_follow *follow, uint64_t vehicle);
/* The vehicle's trip is over: the rest of it is told, and it is forgotten. Nothing when it is not under way. */
void road_follow_end(struct road_follow *follow, uint64_t vehicle);
/* The same for each that sent nothing since `before_ms`, as long as those that were heard of longest ago are such: one whose clock is ahead
 * goes with those who are heard of before it. */
void road_follow_expire(struct road_follow *follow, int64_t before_ms);
void road_follow_end_all(struct road_follow *follow);     /* the one that was heard of longest ago first */
uint32_t road_follow_n(const struct road_follow *follow); /* under way */

#endif
