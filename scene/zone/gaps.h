/*
 * How long a vehicle in a zone goes on before a camera sees it again: from this the time-out. A fading table of gaps in bins that grow by a
 * factor; the time-out is the gap that 19 of 20 sightings that were followed at all were followed within.
 */
#ifndef SCENE_ZONE_GAPS_H
#define SCENE_ZONE_GAPS_H

#include <stdint.h>

#define ZONE_GAP_BINS 32
#define ZONE_GAP_MIN_MS 5000    /* less is the same passage again */
#define ZONE_GAP_MAX_MS 1800000 /* more is another visit */
#define ZONE_TIMEOUT_MIN_MS 60000
#define ZONE_GAPS_MAX 4000u /* then all that was seen weighs half */

struct zone_gaps {
    uint32_t n[ZONE_GAP_BINS], n_all;
    int64_t timeout_ms;
};

void zone_gaps_init(struct zone_gaps *gaps, int64_t timeout_ms); /* until enough were seen */
void zone_gaps_add(struct zone_gaps *gaps, int64_t gap_ms);

#endif
