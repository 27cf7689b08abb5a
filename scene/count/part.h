/*
 * One part of a city's plates, in a process of its own: it knows which vehicle each of its passages was, and nothing of the sums. It is
 * asked by the one that has these (parts.h), with passages in their order, and answers with what they say of roads (move.h): no plate, and
 * no key of one, but where two vehicles have the same.
 *
 * Pure: bytes in, bytes out. The same question again gets the same answer, so that it may be asked again when an answer is lost.
 */
#ifndef SCENE_COUNT_PART_H
#define SCENE_COUNT_PART_H

#include "base/diag.h"
#include "scene/count/part_wire.h"

struct count_part;

struct count_part_counters {
    uint64_t n_questions, n_again, n_runs, n_passages;
    uint32_t n_known; /* vehicles now */
};

/* The part number `part` from 0 of `n_parts`; `map` is borrowed until count_part_destroy(). ERR_NO_MEMORY. */
enum err count_part_create(const struct count_settings *settings, const struct count_map *map, uint32_t part, uint32_t n_parts,
    struct count_part **ret_part) MUST_CHECK;
void count_part_destroy(struct count_part *part); /* takes NULL */
/* *ret_answer is borrowed until the next question. ERR_SYNTAX, ERR_CORRUPT: no question of ours, nothing was changed and nothing is to be
 * answered. ERR_NO_MEMORY: its vehicles are given up. */
enum err count_part_answer(struct count_part *part, struct str question, struct str *ret_answer) MUST_CHECK;
/* Its vehicles, and which question was the last, as a snapshot (snapshot.h): one that is stopped so and started anew with it goes on where
 * it was, for the one that asked it. Fails as `out` does. */
void count_part_write(const struct count_part *part, struct buf *out);
/* Before the first question. As count_snapshot_read(); the part is as before then. */
enum err count_part_read(struct count_part *part, struct str bytes, struct diag *diag) MUST_CHECK;
struct count_part_counters count_part_counters(const struct count_part *part);

#endif
