/*
 * A timer that beats for ever, or ends its loop. A step that silently does not come again would leave a city that looks alive and stands
 * still; the loop's owner gets the reason instead, and with it an exit code.
 */
#ifndef WORLD_BEAT_H
#define WORLD_BEAT_H

#include "base/loop.h"

/* From the timer's own function: once more in `wait_ms` (under 0: at once). When that cannot be, *ret_err is set, the loop stops, and
 * standard error says so; *ret_err is untouched otherwise. */
void beat_again(struct loop *loop, struct loop_timer *timer, int64_t wait_ms, enum err *ret_err);

#endif
