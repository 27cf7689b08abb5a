/* Bins of gaps, from 5 seconds to half an hour, each a fifth wider than the one before. */
#include "scene/zone/gaps.h"

#include <math.h>

#define ENOUGH 50u
#define EVERY 16u /* the time-out moves with each sixteenth gap */

void zone_gaps_init(struct zone_gaps *gaps, int64_t timeout_ms)
{
    *gaps = (struct zone_gaps){.timeout_ms = timeout_ms};
}

static double bin_end_ms(uint32_t bin)
{
    return ZONE_GAP_MIN_MS * pow((double)ZONE_GAP_MAX_MS / ZONE_GAP_MIN_MS, (bin + 1.0) / ZONE_GAP_BINS);
}

static void set_timeout(struct zone_gaps *gaps)
{
    uint32_t n = 0, bin = 0;
    for (; bin + 1 < ZONE_GAP_BINS; bin++) {
        n += gaps->n[bin];
        if (n >= gaps->n_all - gaps->n_all / 20)
            break;
    }
    double end_ms = bin_end_ms(bin);
    gaps->timeout_ms = end_ms < ZONE_TIMEOUT_MIN_MS ? ZONE_TIMEOUT_MIN_MS : (int64_t)end_ms;
}

void zone_gaps_add(struct zone_gaps *gaps, int64_t gap_ms)
{
    if (gap_ms < ZONE_GAP_MIN_MS || gap_ms > ZONE_GAP_MAX_MS)
        return;
    double at = ZONE_GAP_BINS * log((double)gap_ms / ZONE_GAP_MIN_MS) / log((double)ZONE_GAP_MAX_MS / ZONE_GAP_MIN_MS);
    gaps->n[at < ZONE_GAP_BINS - 1 ? (uint32_t)at : ZONE_GAP_BINS - 1]++;
    gaps->n_all++;
    if (gaps->n_all >= ZONE_GAPS_MAX) {
        gaps->n_all = 0;
        for (uint32_t i = 0; i < ZONE_GAP_BINS; i++)
            gaps->n_all += gaps->n[i] /= 2;
    }
    if (gaps->n_all >= ENOUGH && gaps->n_all % EVERY == 0)
        set_timeout(gaps);
}
