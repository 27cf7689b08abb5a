/*
 * Is a source silent, or only quiet? A source that speaks r times a second is silent when it said nothing for `gaps` / r seconds:
 * by chance (Poisson) that happens once in e^gaps times. A floor keeps bursts, red phases and batches from looking like silence.
 */
#ifndef SCENE_COUNT_SILENCE_H
#define SCENE_COUNT_SILENCE_H

#include "scene/count/fade.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

struct count_silence {
    int64_t first_ms, last_ms; /* heard; first_ms 0 and n 0: never */
    int64_t faded_s;
    double n; /* faded with the window, as of faded_s */
};

static inline bool count_silence_was_heard(const struct count_silence *source)
{
    return source->n > 0;
}

/* It spoke at `heard_ms`, which may be before what is known already: what is replayed comes late. */
static inline void count_silence_hear(struct count_silence *source, int64_t heard_ms, const struct count_fade *fade)
{
    int64_t heard_s = heard_ms / 1000;
    if (source->n <= 0)
        *source = (struct count_silence){.first_ms = heard_ms, .last_ms = heard_ms, .faded_s = heard_s};
    if (heard_s > source->faded_s) {
        source->n *= count_fade_keep(fade, source->faded_s, heard_s);
        source->faded_s = heard_s;
    }
    source->n += heard_s < source->faded_s ? count_fade_keep(fade, heard_s, source->faded_s) : 1;
    source->last_ms = heard_ms > source->last_ms ? heard_ms : source->last_ms;
    source->first_ms = heard_ms < source->first_ms ? heard_ms : source->first_ms;
}

/* Words a second, as of when it spoke last. */
static inline double count_silence_rate(const struct count_silence *source, double window_s)
{
    double age_s = fmax((double)(source->last_ms - source->first_ms) / 1000, 1);
    return source->n / (window_s * -expm1(-age_s / window_s));
}

/* Never heard is not silent: nothing was expected of it. */
static inline bool count_silence_is_silent(
    const struct count_silence *source, int64_t now_ms, double window_s, int64_t least_ms, double gaps)
{
    if (!count_silence_was_heard(source))
        return false;
    double silent_ms = (double)(now_ms - source->last_ms);
    return silent_ms > (double)least_ms && silent_ms > gaps / count_silence_rate(source, window_s) * 1000;
}

#endif
