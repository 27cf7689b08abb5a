/*
 * What is observed fades: after `window_s` it weighs e^-1. By whole seconds, from a table: an exponential for each passage and edge would
 * be most of the work, and a second of 120 is less than chance is.
 */
#ifndef SCENE_COUNT_FADE_H
#define SCENE_COUNT_FADE_H

#include <math.h>
#include <stdint.h>

#define COUNT_FADE_SECONDS 512

struct count_fade {
    double window_s;
    double keeps[COUNT_FADE_SECONDS]; /* after 0, 1, … seconds */
};

static inline void count_fade_init(struct count_fade *fade, double window_s)
{
    fade->window_s = window_s;
    for (int i = 0; i < COUNT_FADE_SECONDS; i++)
        fade->keeps[i] = exp(-i / window_s);
}

/* What is left of something of the second `from_s` at `to_s`, which is not before it. */
static inline double count_fade_keep(const struct count_fade *fade, int64_t from_s, int64_t to_s)
{
    int64_t age_s = to_s - from_s;
    return age_s < COUNT_FADE_SECONDS ? fade->keeps[age_s] : exp(-(double)age_s / fade->window_s);
}

#endif
