/*
 * One part of a city's plates, in a process of its own: it knows which vehicle each of its passages was, and nothing of the sums. It is
 * asked by the one that has these (parts.h), with passages in their order, and answers with what they say of roads (move.h): no plate, and
 * no key of one, but where two vehicles have the same.
 *
 * What it knows is what its questions told it, in their order: so a point of it has a name, the run and the number of the last question
 * (struct count_part_point). It keeps two of them on a disk, where the one that asks says so (COUNT_PART_MARK), and goes on from whichever
 * the next question follows upon. Where it has none that fits, it says which it has, and is asked again from there on.
 *
 * Pure: bytes in, bytes out; the disk is its owner's. The same question again gets the same answer, so that it may be asked again when an
 * answer is lost.
 */
#ifndef SCENE_COUNT_PART_H
#define SCENE_COUNT_PART_H

#include "base/diag.h"
#include "scene/count/part_wire.h"

/* Where snapshots (snapshot.h) are kept, slots 0 to COUNT_PART_SLOTS - 1. Each may block. */
struct count_part_store {
    enum err (*write)(void *context, uint32_t slot, struct str bytes); /* durably all of it, or what was there before */
    enum err (*read)(void *context, uint32_t slot, struct buf *out);   /* ERR_NOT_FOUND: nothing */
    void (*refused)(void *context, uint32_t slot, const char *why);    /* what was there cannot be used, for the owner's log */
    void *context;
};

struct count_part;

struct count_part_counters {
    uint64_t n_questions, n_again, n_passages;
    uint64_t n_runs;             /* begun with no vehicle */
    uint64_t n_kept, n_not_kept; /* marks; not_kept: without a store, or by its fault */
    uint64_t n_loaded, n_lost;   /* gone on from a snapshot; questions that nothing here could be gone on to */
    uint32_t n_known;            /* vehicles now */
};

/* The part number `part` from 0 of `n_parts`; `map` is borrowed until count_part_destroy(), and what `store` points to, of which NULL keeps
 * nothing. Looks what is in the store. ERR_NO_MEMORY. */
enum err count_part_create(const struct count_settings *settings, const struct count_map *map, uint32_t part, uint32_t n_parts,
    const struct count_part_store *store, struct count_part **ret_part) MUST_CHECK;
void count_part_destroy(struct count_part *part); /* takes NULL */
/* *ret_answer is borrowed until the next question. ERR_SYNTAX, ERR_CORRUPT: no question of ours, nothing was changed and nothing is to be
 * answered. ERR_NO_MEMORY: its vehicles are given up; asked again, it goes on from its store. ERR_IO of the store: ask again. */
enum err count_part_answer(struct count_part *part, struct str question, struct str *ret_answer) MUST_CHECK;
struct count_part_counters count_part_counters(const struct count_part *part);

#endif
