/*
 * Cloned plates (套牌): one plate at two places at once.
 *
 * Two sightings of one plate are *apart* when even the fastest way at COUNT_CLONE_SPEEDING times the limits, without a wait, takes longer
 * than the time between them, by a clear margin, and by what both cameras' clocks may be wrong. Such a sighting is not put on the vehicle's
 * way, but on the way of a second one with a key of its own, its *twin*: two ways that each could have been driven, in place of one that
 * could not.
 *
 * One pair that is apart is no clone yet: a misread plate makes one, too, or two that share the misread sighting. Two such pairs
 * without a sighting in common, within COUNT_CLONE_WITHIN_MS, none of them doubtful by its confidence, are. What cannot be told from a
 * clone here: a plate that is misread as the same other one again and again; two cars of one plate that are never far apart.
 *
 * Bounded: COUNT_SUSPECTS plates are remembered; the one of a row that was looked at longest ago makes room.
 */
#ifndef SCENE_COUNT_CLONES_H
#define SCENE_COUNT_CLONES_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define COUNT_CLONE_SPEEDING 1.6
#define COUNT_CLONE_MARGIN_S 5.0
#define COUNT_CLONE_WITHIN_MS ((int64_t)1800 * 1000)
#define COUNT_CLONE_AGAIN_MS ((int64_t)600 * 1000) /* the same plate is told again not sooner */
#define COUNT_CLONE_CONFIDENCE 60                  /* below this a reading is no witness; 0: unknown, and one */
#define COUNT_SUSPECTS 4096                        /* a power of two */
#define COUNT_CLONES_TOLD 64                       /* between two ticks; more are counted */

struct count_sighting {
    uint32_t camera;
    int64_t time_ms; /* corrected */
};

/* Two sightings that are apart; the earlier one first. */
struct count_apart {
    struct count_sighting a, b;
    double least_s; /* what the network allows at the least, at the limits */
};

struct count_clone {
    uint64_t vehicle; /* hash of its pseudonym */
    struct count_apart first, second;
};

struct count_suspect {
    uint64_t vehicle; /* 0: free */
    struct count_apart first;
    int64_t told_ms, used_ms;
};

struct count_clones {
    struct count_suspect *suspects; /* [COUNT_SUSPECTS], in rows of four */
    struct count_clone told[COUNT_CLONES_TOLD];
    uint32_t n_told;
    uint64_t n_apart, n_found, n_untold; /* since the start: pairs, clones told, clones for which there was no room */
};

enum err count_clones_init(struct count_clones *clones) MUST_CHECK; /* ERR_NO_MEMORY */
void count_clones_finish(struct count_clones *clones);
void count_clones_clear(struct count_clones *clones);
/* Key of the second vehicle with this plate. */
uint64_t count_clones_twin(uint64_t vehicle);
/* Is a car that takes `least_s` at the limits too slow by far for `gap_s`, where the clocks may be wrong by `uncertain_s` in all? */
bool count_clones_is_apart(double gap_s, double least_s, double uncertain_s);
/* A pair of the plate was apart; `is_doubtful`: by its confidence no witness. */
void count_clones_apart(struct count_clones *clones, uint64_t vehicle, const struct count_apart *pair, bool is_doubtful);
/* One that was found, here or by a part (parts.h), is told with the next tick. */
void count_clones_tell(struct count_clones *clones, const struct count_clone *clone);

#endif
