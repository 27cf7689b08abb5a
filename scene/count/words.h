/*
 * Text read eight bytes at a time ("SIMD within a register"; digits after D. Lemire and W. Muła, "Number parsing at a gigabyte per
 * second", 2021), for lines of which each passage has one. Loads are as the machine's own: the caller must not use these on a big-endian
 * one, where COUNT_WORDS is 0.
 */
#ifndef SCENE_COUNT_WORDS_H
#define SCENE_COUNT_WORDS_H

#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define COUNT_WORDS (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)

#define COUNT_BYTES(byte_) ((byte_)*0x0101010101010101u)

static inline uint64_t count_word(const char *at)
{
    uint64_t word;
    memcpy(&word, at, sizeof(word));
    return word;
}

/* The first `n` bytes, 0 to 8; zeros after them. */
static inline uint64_t count_word_head(uint64_t word, uint32_t n)
{
    return n == 0 ? 0 : word & (UINT64_MAX >> (64 - 8 * n));
}

/* Bytes before the first that is `byte`; 8 when none is. */
static inline uint32_t count_word_find(uint64_t word, uint8_t byte)
{
    uint64_t other = word ^ COUNT_BYTES((uint64_t)byte), found = (other - COUNT_BYTES(1)) & ~other & COUNT_BYTES(0x80u);
    return found == 0 ? 8 : (uint32_t)__builtin_ctzll(found) / 8;
}

/* Bytes before the first comma at `at`, and before the first line's end; 16 when none is within sixteen. */
static inline uint32_t count_find_comma(const char *at, uint32_t *ret_end)
{
#ifdef __SSE2__
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)at);
    *ret_end = (uint32_t)__builtin_ctz((uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\n'))) | 0x10000u);
    return (uint32_t)__builtin_ctz((uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(','))) | 0x10000u);
#else
    uint64_t low = count_word(at), high = count_word(at + 8);
    uint32_t n = count_word_find(low, ','), end = count_word_find(low, '\n');
    *ret_end = end < 8 ? end : 8 + count_word_find(high, '\n');
    return n < 8 ? n : 8 + count_word_find(high, ',');
#endif
}

/* The number that the word's leading digits are; *ret_n: how many, 0 to 8. */
static inline uint64_t count_word_number(uint64_t word, uint32_t *ret_n)
{
    uint64_t digits = word ^ COUNT_BYTES('0'), others = ((digits + COUNT_BYTES(0x76u)) | digits) & COUNT_BYTES(0x80u);
    uint32_t n = others == 0 ? 8 : (uint32_t)__builtin_ctzll(others) / 8;
    *ret_n = n;
    if (n == 0)
        return 0;
    digits <<= 64 - 8 * n; /* the last digit becomes the highest byte, and zeros stand before the first */
    digits = digits * 10 + (digits >> 8);
    return ((digits & 0xff000000ffu) * 0xf424000000064u + (digits >> 16 & 0xff000000ffu) * 0x271000000001u) >> 32;
}

#endif
