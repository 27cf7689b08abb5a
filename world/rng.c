/* Chance with a seed: the one distribution that is too long for a header. */
#include "world/rng.h"

#include <math.h>

uint32_t rng_poisson(struct rng *rng, double mean)
{
    double limit = exp(-fmin(mean, 500)), product = rng_unit(rng);
    uint32_t n = 0;
    while (product > limit) {
        product *= rng_unit(rng);
        n++;
    }
    return n;
}
