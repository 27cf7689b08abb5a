/* What cameras get wrong: see faults.h. */
#include "world/faults.h"

#include <stdio.h>

struct reading faults_read(const struct faults *faults, struct rng *rng, const char *plate)
{
    struct reading reading = {0};
    /* Every chance is drawn every time, so that one option changed does not change what the others do. */
    bool is_read = rng_chance(rng, faults->recall), is_wrong = rng_chance(rng, faults->misread),
         is_twice = rng_chance(rng, faults->duplicates);
    double sureness = rng_unit(rng);
    char wrong[PLATE_BYTES_MAX];
    plate_misread(plate, rng, wrong);
    reading.is_read = is_read;
    reading.is_twice = is_read && is_twice;
    (void)snprintf(reading.plate, sizeof reading.plate, "%s", is_wrong ? wrong : plate);
    reading.confidence = is_wrong ? 45 + (int)(45 * sureness) : 75 + (int)(25 * sureness);
    return reading;
}

void faults_choose_dead(const struct faults *faults, struct rng *rng, bool *is_dead, uint32_t n)
{
    uint32_t left = faults->n_dead < n ? faults->n_dead : n;
    for (uint32_t i = 0; i < n; i++) { /* selection sampling (Knuth, TAOCP 2, 3.4.2 S) */
        is_dead[i] = rng_unit(rng) * (n - i) < left;
        if (is_dead[i])
            left--;
    }
}
