/*
 * How a process that serves is asked to end: SIGINT, SIGTERM, and SIGHUP where its terminal is its life. They come to the loop as a
 * descriptor, and stop it; what is under way is then finished by whoever ran the loop.
 */
#ifndef BRAIN_ENDING_H
#define BRAIN_ENDING_H

#include "base/loop.h"

#include <stdbool.h>

struct ending {
    int fd; /* -1: not blocked yet */
    struct loop *loop;
    struct loop_watch *watch;
};

#define ENDING_NONE ((struct ending){.fd = -1})

/* Before any thread: they inherit the mask. SIGPIPE is ignored. ERR_IO and what signalfd() says. */
enum err ending_block(struct ending *ending, bool with_hangup) MUST_CHECK;
/* From now on they stop `loop`, which is kept. */
enum err ending_watch(struct ending *ending, struct loop *loop) MUST_CHECK;
/* Before the loop is destroyed; the signals stay blocked. */
void ending_unwatch(struct ending *ending);
void ending_finish(struct ending *ending);

#endif
