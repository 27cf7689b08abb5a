/* Timers that beat: see beat.h. */
#include "world/beat.h"

#include <stdio.h>

void beat_again(struct loop *loop, struct loop_timer *timer, int64_t wait_ms, enum err *ret_err)
{
    enum err err = loop_timer_start(loop, timer, wait_ms > 0 ? wait_ms : 0);
    if (!err)
        return;
    (void)fprintf(stderr, "cityworld: a timer did not start again (%s); start cityworld again to go on\n", err_text(err));
    *ret_err = err;
    loop_stop(loop);
}
