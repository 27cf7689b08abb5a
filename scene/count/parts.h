/*
 * One city in several processes: here are the sums, and no plate; each part of the plates is in a process of its own (part.h), which is
 * asked for what its passages say. Every passage goes to the part of its plate's hash (count_part_of()); what the parts answer is told to
 * the core in the order in which the passages came. So the figures are those of one process, bit for bit.
 *
 * Passages gather until a tick, until something is to be learned of them (each half a minute of the arrivals' clock), or until a question
 * is full; then the parts concerned are asked, all at once, and nothing goes on before all have answered. Who does not answer stops the
 * figures, and is named: they are never of some parts alone.
 *
 * A part that was started anew is asked again what it was asked since it last kept itself (asked.h), and goes on; meanwhile nothing is
 * told. At a mark all of them keep themselves, after the same window: what the sums are then, kept by their owner, and those marks of the
 * parts are one point of the whole, from which all can go on when the sums were ended, too.
 *
 * Pure: no clock, no bus. `ask` carries a question to a part, count_parts_answer() brings its answer.
 */
#ifndef SCENE_COUNT_PARTS_H
#define SCENE_COUNT_PARTS_H

#include "scene/count/part_wire.h"

#define COUNT_PARTS_QUEUE_MAX 1048576u /* events that wait for an answer: three minutes of a city's passages, 48 MB */
#define COUNT_PARTS_ASKED_MAX                                                                                                              \
    ((size_t)128 * 1000000) /* questions since the last mark, of all parts: a minute of 70,000 passages a second */

/* A point of the whole: with the sums of then, after these questions. */
struct count_parts_mark {
    uint64_t run;
    uint32_t n;         /* parts; 0: no mark */
    uint32_t n_cameras; /* that they knew of */
    uint64_t numbers[COUNT_PARTS_MAX];
};

struct count_parts_options {
    struct count *count;         /* the sums; kept, and not stepped by anybody else */
    const struct count_map *map; /* of the core; borrowed, as the settings, until count_parts_create() returns */
    const struct count_settings *settings;
    uint64_t run;                        /* drawn anew by whoever starts; not 0 */
    uint32_t n;                          /* 1 to COUNT_PARTS_MAX */
    const struct count_parts_mark *from; /* `count` is as it was then; NULL: it has just been made. Borrowed, as above */
    size_t asked_max; /* bytes of questions that are held, of all parts, and at least two of each; 0: COUNT_PARTS_ASKED_MAX */
    /* Bring it to the part, again and again until it answers; borrowed until then. Not answered before ask() has returned. */
    void (*ask)(void *context, uint32_t part, struct str question);
    void (*on_updates)(void *context, const struct count_updates *updates); /* of each tick, in order */
    void (*on_taken)(void *context, const struct count_event *event);       /* a passage is in the sums, or refused; may be NULL */
    /* All parts have kept themselves: what the sums are now belongs to it. After it they wait for count_parts_hold(). May be NULL. */
    void (*on_mark)(void *context, const struct count_parts_mark *mark);
    void *context;
};

struct count_parts;

struct count_parts_counters {
    uint64_t n_windows, n_questions;
    uint64_t n_asked_bytes, n_answered_bytes;
    uint64_t n_again;         /* questions asked again, of parts that were started anew */
    uint64_t n_marks, n_bare; /* kept by all parts; by some, or none */
    uint64_t n_held_bytes;    /* of questions, now */
    uint64_t n_known;         /* vehicles, as the parts told last */
};

/* ERR_NO_MEMORY. */
enum err count_parts_create(const struct count_parts_options *options, struct count_parts **ret_parts) MUST_CHECK;
void count_parts_destroy(struct count_parts *parts); /* takes NULL; not the core */
/* The next passage, tick or row of a loop. ERR_FULL: too many wait for an answer; ERR_NO_MEMORY. */
enum err count_parts_put(struct count_parts *parts, const struct count_event *event) MUST_CHECK;
/* Asks for what has gathered, as a tick does. */
void count_parts_flush(struct count_parts *parts);
/* At the next question all parts are to keep themselves. Not before the mark before is either held or not to be used. */
void count_parts_mark(struct count_parts *parts);
/* The sums of this mark are on their owner's disk: parts keep theirs until they are told of another one. At first it is `from`. */
void count_parts_hold(struct count_parts *parts, const struct count_parts_mark *mark);
/* So many questions are held since the last mark that it is time for another. */
bool count_parts_is_full(const struct count_parts *parts);
/* It keeps nothing, and there was no room for all that it was asked: started anew it would have lost its vehicles. */
bool count_parts_is_bare(const struct count_parts *parts, uint32_t part);
/* What a part answered. ERR_SYNTAX, ERR_CORRUPT: it is no answer to what was asked, and nothing was changed. ERR_STATE: it has not the
 * vehicles that it should have, and what would give it them is not here; ERR_UNSUPPORTED: it counts another city, or is another part. After
 * these the count is not to be used any more. */
enum err count_parts_answer(struct count_parts *parts, uint32_t part, struct str answer) MUST_CHECK;
bool count_parts_is_asking(const struct count_parts *parts);
bool count_parts_is_awaited(const struct count_parts *parts, uint32_t part); /* was asked, and has not answered */
struct count_parts_counters count_parts_counters(const struct count_parts *parts);

#endif
