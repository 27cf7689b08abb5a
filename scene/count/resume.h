/*
 * Where a count that was stopped goes on: up to which passage it had come, which mark of its parts belongs to it, and which device each of
 * its cameras is. The owner's bytes of a snapshot (snapshot.h).
 *
 * The stream is replayed from an hour before the start, in the order of the journal, in which arrivals go on but for requests that
 * overtake each other, and for a clock that is set back. What arrived before the last passage that was taken is passed over; of those that
 * arrived in its very millisecond, as many as had been taken. Behind the place nothing is passed over any more: it may be earlier only by a
 * clock that was set back meanwhile.
 */
#ifndef SCENE_COUNT_RESUME_H
#define SCENE_COUNT_RESUME_H

#include "scene/count/parts.h"

#include <stdbool.h>

struct count_place {
    int64_t arrived_ms; /* of the last passage; INT64_MIN: none */
    uint64_t n_at;      /* passages that arrived in that millisecond */
};

#define COUNT_PLACE_NONE ((struct count_place){.arrived_ms = INT64_MIN})

#define COUNT_PLACE_BACK_MS 5000 /* a request is not overtaken by more: further back the clock was set, and the place goes back with it */

/* `arrived_ms` of both: 0 to 2^43. */
void count_place_take(struct count_place *place, int64_t arrived_ms);
/* Was it taken before the stop? `resume` is used up. */
bool count_place_was_taken(struct count_place *resume, int64_t arrived_ms);

/* What the owner knows of a camera. */
struct count_resume_camera {
    struct str name; /* of its device; empty: nobody's */
    uint8_t told;    /* the alarms that people were told of, and not yet that they are over: a bit each, COUNT_TOLD_FAULTS of them; above
                        these, as many bits: nobody knows any more whether they were told */
};
#define COUNT_TOLD_FAULTS 2
#define COUNT_TOLD_UNKNOWN (((1u << COUNT_TOLD_FAULTS) - 1) << COUNT_TOLD_FAULTS)

/* `camera_of` is asked for cameras 0 to n - 1. */
void count_resume_write(const struct count_place *place, const struct count_parts_mark *mark, uint32_t n,
    struct count_resume_camera (*camera_of)(void *context, uint32_t camera), void *context, struct buf *out);
/* `on_camera` gets them back, their names borrowed; what it answers ends the reading. ERR_CORRUPT: not such bytes, or not of `n` cameras.
 */
enum err count_resume_read(struct str bytes, uint32_t n, struct count_place *ret_place, struct count_parts_mark *ret_mark,
    enum err (*on_camera)(void *context, uint32_t camera, struct count_resume_camera known), void *context) MUST_CHECK;

#endif
