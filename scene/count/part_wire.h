/*
 * What goes between the one that has the sums (parts.h) and those that have the plates (part.h), as bytes; numbers are big-endian.
 *
 *     both      "cbpart2\n" | run u64 | number u64 | city u64 | part u16 | parts u16
 *     question  flags u8 | from: point | hold: point | expire i64, ms | cameras known u32 | n u32, edge u32 each | n u32, (camera u32,
 * uncertain f64, s) each | n u32, passages: vehicle u64 | camera u32 | time i64, corrected, ms | arrived i64, ms | confidence u8 answer
 * status u8 | n u32, moves: flags u8 | the plate's trail | the vehicle's trail | clone. Then vehicles known u32 lost: status u8 | n u32,
 * points that it could go on from point     run u64 | number u64: after this question of this run; 0, 0: with no vehicle trail     camera
 * u32 | camera before u32 | ms i64 | ms before i64 | sightings u32 clone     plate u64 | twice: camera u32, ms i64 | camera u32, ms i64 |
 * least f64, s
 *
 * A vehicle is the hash of its day's pseudonym. A move's flags say which of the rest are there. docs/scale.md.
 */
#ifndef SCENE_COUNT_PART_WIRE_H
#define SCENE_COUNT_PART_WIRE_H

#include "base/buf.h"
#include "base/bytes.h"
#include "scene/count/clones.h"
#include "scene/count/move.h"

#define COUNT_PART_PASSAGES_MAX 7000u             /* of a question: the longest answer is 129 bytes for each */
#define COUNT_PART_BYTES_MAX ((size_t)940 * 1000) /* of a question, and of an answer: less than a message of the bus may have */
#define COUNT_PARTS_MAX 64u

#define COUNT_PART_SLOTS 2u /* what a part has on its disk: the one to be held, and a newer one */

enum count_part_status {
    COUNT_PART_OK,
    COUNT_PART_KEPT,  /* the same, and as it is after this question it is on the part's disk */
    COUNT_PART_OTHER, /* it counts for another network, or with other settings, or is another part */
    COUNT_PART_LOST,  /* it was started anew since, and has not the vehicles that it should have */
    COUNT_PART_N_STATUSES
};

/* As it is after this question of this run. */
struct count_part_point {
    uint64_t run, number; /* 0, 0: nothing is known */
};

static inline bool count_part_is_point(struct count_part_point a, struct count_part_point b)
{
    return a.run == b.run && a.number == b.number;
}

struct count_part_head {
    uint64_t run;    /* of the one that asks; drawn at its start */
    uint64_t number; /* of the question, from 1 */
    uint64_t city;   /* count_part_city() */
    uint16_t part, n_parts;
};

#define COUNT_PART_HEAD_LEN 36u

#define COUNT_PART_CLEAR 1u  /* flags of a question: forget every vehicle */
#define COUNT_PART_EXPIRE 2u /* forget those that are too long gone at `expire` */
#define COUNT_PART_MARK 4u   /* keep what you are after it on your disk, and do not give up for it what you are to `hold` */

struct count_part_clone { /* found with a move */
    bool is_there;
    struct count_clone clone;
};

/* What both must have alike: the network, and the settings that decide who a vehicle is. */
uint64_t count_part_city(const struct road_network *network, const struct count_settings *settings);
void count_part_put_head(struct buf *out, const struct count_part_head *head);
enum err count_part_read_head(struct bytes_reader *in, struct count_part_head *ret_head) MUST_CHECK; /* ERR_SYNTAX */
void count_part_put_point(struct buf *out, struct count_part_point point);
struct count_part_point count_part_read_point(struct bytes_reader *in);
void count_part_put_passage(struct buf *out, const struct count_passage *passage);
/* ERR_CORRUPT: no camera of so many, a time that cannot be; ERR_SYNTAX. */
enum err count_part_read_passage(struct bytes_reader *in, uint32_t n_cameras, struct count_passage *ret_passage) MUST_CHECK;
/* Without camera and times, which the other side has. */
void count_part_put_move(struct buf *out, const struct count_move *move, const struct count_part_clone *clone);
enum err count_part_read_move(
    struct bytes_reader *in, uint32_t n_cameras, struct count_move *ret_move, struct count_part_clone *ret_clone) MUST_CHECK;

#endif
