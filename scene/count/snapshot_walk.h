/*
 * A walk over a state, for both directions: each step writes a number, or reads it and holds it against what it may be. The first failure
 * sticks, and what is read after it is zero; what is written is never changed. Of snapshot.c and snapshot_loops.c, and nobody else's.
 */
#ifndef SCENE_COUNT_SNAPSHOT_WALK_H
#define SCENE_COUNT_SNAPSHOT_WALK_H

#include "base/buf.h"
#include "base/bytes.h"
#include "scene/count/state.h"

#include <math.h>
#include <string.h>

#define HUGE_SUM 1e15 /* no sum of vehicles, metres or seconds is larger */

struct walk {
    struct buf *out; /* NULL: reading */
    struct bytes_reader in;
    const char *wrong; /* what the first failure was about */
    enum err err;
};

static inline void fail(struct walk *walk, enum err err, const char *what)
{
    if (walk->err == ERR_OK) {
        walk->err = err;
        walk->wrong = what;
    }
}

static inline bool is_reading(const struct walk *walk)
{
    return walk->out == NULL;
}

/* ---- numbers ---- */

static inline void walk_bits(struct walk *walk, uint64_t *bits, size_t n_bytes)
{
    if (!is_reading(walk)) {
        struct buf *out = walk->out;
        uint8_t bytes[8];
        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = (uint8_t)(*bits >> (8 * i));
        if (out->err == ERR_OK && out->cap - out->len >= sizeof(bytes)) { /* the count stands still for it: millions of numbers */
            memcpy(out->ptr + out->len, bytes, sizeof(bytes));
            out->len += n_bytes;
        } else {
            buf_append(out, bytes, n_bytes);
        }
        return;
    }
    uint64_t read = 0;
    if (n_bytes == 8)
        read = bytes_read_u64le(&walk->in);
    else if (n_bytes == 4)
        read = bytes_read_u32le(&walk->in);
    else
        for (size_t i = 0; i < n_bytes; i++)
            read |= (uint64_t)bytes_read_u8(&walk->in) << (8 * i);
    if (walk->in.err != ERR_OK)
        fail(walk, ERR_CORRUPT, "its end");
    *bits = walk->err == ERR_OK ? read : 0;
}

/* A number that cannot be. True: it is of the bytes, and something that can be takes its place. */
static inline bool refuse(struct walk *walk, const char *what)
{
    fail(walk, ERR_CORRUPT, what);
    return is_reading(walk);
}

static inline void walk_u64(struct walk *walk, uint64_t *number)
{
    walk_bits(walk, number, 8);
}

static inline void walk_u32(struct walk *walk, uint32_t *number, uint32_t max, const char *what)
{
    uint64_t bits = *number;
    walk_bits(walk, &bits, 4);
    if (bits > max && refuse(walk, what))
        bits = 0;
    *number = (uint32_t)bits;
}

static inline void walk_u16(struct walk *walk, uint16_t *number)
{
    uint64_t bits = *number;
    walk_bits(walk, &bits, 2);
    *number = (uint16_t)bits;
}

static inline void walk_bool(struct walk *walk, bool *is)
{
    uint64_t bits = *is;
    walk_bits(walk, &bits, 1);
    *is = bits != 0;
}

/* A time, or INT64_MIN for none. */
static inline void walk_time(struct walk *walk, int64_t *time_ms)
{
    uint64_t bits = (uint64_t)*time_ms;
    walk_bits(walk, &bits, 8);
    *time_ms = (int64_t)bits;
    if (*time_ms != INT64_MIN && (*time_ms < 0 || *time_ms > 2 * COUNT_TIME_MAX_MS) && refuse(walk, "a time"))
        *time_ms = 0;
}

/* A time that there is. */
static inline void walk_past(struct walk *walk, int64_t *time_ms)
{
    walk_time(walk, time_ms);
    if (*time_ms < 0 && refuse(walk, "a time"))
        *time_ms = 0;
}

static inline void walk_real(struct walk *walk, double *real, double low, double high)
{
    uint64_t bits;
    memcpy(&bits, real, sizeof(bits));
    walk_bits(walk, &bits, 8);
    memcpy(real, &bits, sizeof(bits));
    if (!(*real >= low && *real <= high) && refuse(walk, "a number"))
        *real = fmin(fmax(0, low), high);
}

static inline void walk_sum(struct walk *walk, double *sum)
{
    walk_real(walk, sum, -HUGE_SUM, HUGE_SUM);
}

static inline void walk_float(struct walk *walk, float *real, float low, float high)
{
    uint32_t small;
    memcpy(&small, real, sizeof(small));
    uint64_t bits = small;
    walk_bits(walk, &bits, 4);
    small = (uint32_t)bits;
    memcpy(real, &small, sizeof(small));
    if (!(*real >= low && *real <= high) && refuse(walk, "a number"))
        *real = fminf(fmaxf(0, low), high);
}

/* snapshot_loops.c */
void count_snapshot_loops(struct walk *walk, struct count_loops *loops);

/* What must be the same here as it was there. */
static inline void walk_same(struct walk *walk, uint64_t here, const char *what)
{
    uint64_t there = here;
    walk_u64(walk, &there);
    if (there != here)
        fail(walk, ERR_STATE, what);
}

#endif
