/* The brain's clock as a camera knows it: see brain_clock.h. */
#include "world/brain_clock.h"

#define DRIFT_MS 5.0 /* allowed between two answers: machines' clocks are steered */

void brain_clock_init(struct brain_clock *clock, double speed)
{
    *clock = (struct brain_clock){.speed = speed};
}

static double scaled_ms(const struct brain_clock *clock, struct mono_time time)
{
    return clock->speed * (double)time.ns / 1e6;
}

void brain_clock_hear(struct brain_clock *clock, struct wall_time told, struct mono_time asked, struct mono_time answered)
{
    double low = (double)told.ms - scaled_ms(clock, answered), high = (double)told.ms + 1000 - scaled_ms(clock, asked);
    bool fits = clock->is_set && low < clock->high_ms && high > clock->low_ms;
    if (!fits) {
        *clock = (struct brain_clock){.speed = clock->speed, .is_set = true, .low_ms = low, .high_ms = high};
        return;
    }
    clock->low_ms = low > clock->low_ms ? low : clock->low_ms;
    clock->high_ms = high < clock->high_ms ? high : clock->high_ms;
    if (clock->high_ms - clock->low_ms < 2 * DRIFT_MS) { /* bounds that touch would refuse the next answer */
        double middle = (clock->low_ms + clock->high_ms) / 2;
        clock->low_ms = middle - DRIFT_MS;
        clock->high_ms = middle + DRIFT_MS;
    }
}

struct wall_time brain_clock_at(const struct brain_clock *clock, struct mono_time now)
{
    return (struct wall_time){(int64_t)((clock->low_ms + clock->high_ms) / 2 + scaled_ms(clock, now))};
}
