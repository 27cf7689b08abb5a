/*
 * Chance with a seed: the same seed gives the same city, on every machine. splitmix64 (Steele, Lea, Flood, OOPSLA 2014).
 * Never for keys or salts: base/crypto.h has those.
 */
#ifndef WORLD_RNG_H
#define WORLD_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
    uint64_t state;
};

static inline uint64_t rng_next(struct rng *rng)
{
    uint64_t z = rng->state += 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

/* In [0, 1). */
static inline double rng_unit(struct rng *rng)
{
    return (double)(rng_next(rng) >> 11) * 0x1p-53;
}

/* In [0, n), n > 0; the bias is below n / 2^64. */
static inline uint32_t rng_below(struct rng *rng, uint32_t n)
{
    return (uint32_t)(rng_next(rng) % n);
}

static inline bool rng_chance(struct rng *rng, double p)
{
    return rng_unit(rng) < p;
}

/* Poisson with a small mean (Knuth, TAOCP 2, 3.4.1): how many come in a second. `mean` at most 500. */
uint32_t rng_poisson(struct rng *rng, double mean);

#endif
