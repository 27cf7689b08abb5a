/*
 * What the scene keeps over a restart: the core's state, the names of its cameras, and up to which passage it had come; in
 * DATA/count/PARTY.snapshot, written each minute (`keep_every`) and, where the plates are here, at the end. Where they are in other
 * processes it is written with a mark of theirs (parts.h), and goes on with it. Here live the devices by name, too, since a core knows
 * cameras by number alone.
 */
#ifndef SCENE_COUNT_KEPT_H
#define SCENE_COUNT_KEPT_H

#include "base/str_map.h"
#include "scene/count/resume.h"
#include "scene/keeper.h"
#include "scene/scene.h"

#define COUNT_CAMERA_NAMES_MAX 65536 /* devices ever named, also those beside every road */
#define COUNT_KEPT_MS 60000          /* how often the state goes to the disk, by default: as much is replayed after a crash */

struct count_kept {
    struct clock *clock;
    struct count *count;                   /* owned */
    struct str_map cameras;                /* devices by name */
    uint32_t *numbers;                     /* [COUNT_CAMERA_NAMES_MAX] the core's; COUNT_NONE beside every road */
    uint32_t *devices;                     /* [COUNT_CAMERA_NAMES_MAX] and back: the device of a core's camera; COUNT_NONE: moved away */
    uint8_t *is_old;                       /* [COUNT_CAMERA_NAMES_MAX] known from a snapshot, and not heard since: has it been moved? */
    uint8_t *told;                         /* [COUNT_CAMERA_NAMES_MAX] by the core's number: alarms of it that are told (resume.h) */
    uint8_t told_at_first;                 /* of a camera that is new here */
    struct scene_keeper *keeper;           /* NULL: there is no folder for it */
    struct mono_time since;                /* the last snapshot */
    struct count_place place, resume;      /* what was taken; what had been taken before the start */
    uint64_t n_resets;                     /* of the core, that the two above know of */
    uint32_t n_parts;                      /* that the plates are in; 0: they are here */
    int64_t keep_ms;                       /* how often the state goes to the disk */
    struct count_parts_mark writing, held; /* of what is on its way there, and of what is there */
    bool is_writing;
    int64_t ahead_max_ms; /* by which an arrival may lie in the future: more would make the core begin anew */
    uint64_t n_ahead;     /* passages that were left out by it */
};

/* The count as it was stopped, or a new one where there is no snapshot that fits; why it does not is logged. `env`'s clock, party and data
 * folder are used; without a folder nothing is kept. `n_parts` and `keep_ms` as above. ERR_NO_MEMORY, ERR_TOO_LARGE; finish it all the
 * same. */
enum err count_kept_start(struct count_kept *kept, const struct scene_env *env, uint32_t n_parts, int64_t keep_ms,
    const struct count_settings *settings, const struct count_map *map, struct count **ret_count) MUST_CHECK;
/* The mark that the count goes on from; NULL: none. */
const struct count_parts_mark *count_kept_from(const struct count_kept *kept);
/* Writes the last snapshot, where the plates are here, and waits for it; destroys the count. */
void count_kept_finish(struct count_kept *kept);
/* The core's number of a device; false where it is to be placed (again): count_kept_place(). */
bool count_kept_find(const struct count_kept *kept, struct str name, uint32_t *ret_number);
/* It stands at the end of `edge`, or nowhere (ROAD_NONE). Its number, or COUNT_NONE. One that was moved is a new camera, and the old one is
 * silent. */
uint32_t count_kept_place(struct count_kept *kept, struct str name, uint32_t edge);
/* Empty: the device that stood there was moved. */
struct str count_kept_name(const struct count_kept *kept, uint32_t camera);
/* Was this passage taken before the stop, or before the clock was set back? */
bool count_kept_was_taken(struct count_kept *kept, int64_t arrived_ms);
/* Now it is in the sums. */
void count_kept_take(struct count_kept *kept, int64_t arrived_ms);
/* Each second. True: it is time for a snapshot (`is_urgent`: sooner than usual), and nothing is on its way to the disk. */
bool count_kept_tick(struct count_kept *kept, bool is_urgent);
/* Into memory, as the count is now; onto the disk by the keeper's thread. `mark`: of the parts. */
void count_kept_write(struct count_kept *kept, const struct count_parts_mark *mark);

#endif
