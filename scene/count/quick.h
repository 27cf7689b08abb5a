/*
 * Small things that are done several times for each passage, where a call or a branch that nobody can predict would be felt.
 */
#ifndef SCENE_COUNT_QUICK_H
#define SCENE_COUNT_QUICK_H

#include <stdint.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* fmin() and fmax() where `b` is a number: a NAN for `a` gives `b`, too. */
static inline double count_less(double a, double b)
{
    return a < b ? a : b;
}

static inline double count_more(double a, double b)
{
    return a > b ? a : b;
}

/* Which of the eight tags of a row are this one: a bit each. */
static inline uint32_t count_match8(const uint32_t *tags, uint32_t tag)
{
#ifdef __SSE2__
    const __m128i *row = (const __m128i *)(const void *)tags;
    __m128i wanted = _mm_set1_epi32((int)tag);
    __m128i low = _mm_cmpeq_epi32(_mm_loadu_si128(row), wanted), high = _mm_cmpeq_epi32(_mm_loadu_si128(row + 1), wanted);
    return (uint32_t)_mm_movemask_epi8(_mm_packs_epi16(_mm_packs_epi32(low, high), _mm_setzero_si128()));
#else
    uint32_t places = 0;
    for (uint32_t i = 0; i < 8; i++)
        places |= (uint32_t)(tags[i] == tag) << i;
    return places;
#endif
}

#endif
