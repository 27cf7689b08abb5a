/*
 * The brain's clock as a camera knows it: System/Time tells whole seconds, so each answer bounds it from both sides, and many
 * answers bound it closely. Pure; monotonic time comes in.
 */
#ifndef WORLD_BRAIN_CLOCK_H
#define WORLD_BRAIN_CLOCK_H

#include "base/clock.h"

struct brain_clock {
    double speed; /* brain milliseconds in one of ours */
    bool is_set;
    double low_ms, high_ms; /* of brain time minus speed times our time */
};

void brain_clock_init(struct brain_clock *clock, double speed);
/* The brain said `told` (cut to the second) between `asked` and `answered`. An answer that contradicts what was known, as after a restart
 * of the brain with another clock, replaces it. */
void brain_clock_hear(struct brain_clock *clock, struct wall_time told, struct mono_time asked, struct mono_time answered);
/* The brain's time now. Only when is_set. */
struct wall_time brain_clock_at(const struct brain_clock *clock, struct mono_time now);

#endif
