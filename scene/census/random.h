/* Chance with a seed (splitmix64, Steele, Lea and Flood 2014): the same on every machine. Not for secrets. */
#ifndef SCENE_CENSUS_RANDOM_H
#define SCENE_CENSUS_RANDOM_H

#include <math.h>
#include <stdint.h>

struct census_random {
    uint64_t state;
};

static inline uint64_t census_random_bits(struct census_random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* In [0, 1). */
static inline double census_random_unit(struct census_random *random)
{
    return (double)(census_random_bits(random) >> 11) * 0x1p-53;
}

static inline uint32_t census_random_below(struct census_random *random, uint32_t n)
{
    return (uint32_t)(census_random_unit(random) * n);
}

static inline double census_random_normal(struct census_random *random)
{
    double u = 1 - census_random_unit(random), v = census_random_unit(random);
    return sqrt(-2 * log(u)) * cos(2 * M_PI * v);
}

/* Of scale 1; shape > 0. Marsaglia and Tsang, A simple method for generating gamma variables, 2000. */
double census_random_gamma(struct census_random *random, double shape);
double census_random_beta(struct census_random *random, double one, double other);
/* Whole; from 1,000 on the normal stands for it. */
double census_random_poisson(struct census_random *random, double mean);

#endif
