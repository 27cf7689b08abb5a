/*
 * Chance for tests: a seed that is printed and can be given again, and numbers from it.
 *
 *     SEED=20261122 build/bus/bus_session_test
 */
#ifndef BASE_TEST_RANDOM_H
#define BASE_TEST_RANDOM_H

#include "base/test.h"

#include <stdlib.h>
#include <time.h>

/* The environment's SEED, else another one each second; printed. */
static inline uint64_t test_seed(void)
{
    const char *given = getenv("SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 2654435761u + 1;
    print_message("SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

/* splitmix64: Steele, Lea and Flood, Fast splittable pseudorandom number generators, 2014. Any seed will do. */
static inline uint64_t test_random(uint64_t *seed)
{
    uint64_t z = *seed += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static inline double test_random_unit(uint64_t *seed) /* from 0, below 1 */
{
    return (double)(test_random(seed) >> 11) / 9007199254740992.0;
}

#endif
