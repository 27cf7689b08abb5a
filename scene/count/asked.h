/*
 * What one part was asked since it last kept itself, in the memory of the one that asks: a part that was started anew is asked it again,
 * and so knows again what it knew. At its limit all but the last question is given up: from then on, until the next mark, a part that loses
 * its vehicles cannot have them back.
 */
#ifndef SCENE_COUNT_ASKED_H
#define SCENE_COUNT_ASKED_H

#include "base/buf.h"

#include <stdbool.h>

struct count_asked {
    struct buf bytes; /* questions, each behind its length, u32 */
    size_t at;        /* where the one is that stands to be answered */
    uint64_t number;  /* of the last question; 0: none yet */
    uint64_t asking;  /* of the one that stands to be answered: the last, or an earlier one once more */
    uint64_t first;   /* of the first that is here */
    bool is_given_up; /* since the last mark there was no room for all */
};

void count_asked_init(struct count_asked *asked, size_t max); /* bytes; allocates nothing */
void count_asked_finish(struct count_asked *asked);
/* The next question, of at most `room` bytes, is appended to what it answers, and then ended. Only when nothing stands to be answered. */
struct buf *count_asked_begin(struct count_asked *asked, size_t room);
enum err count_asked_end(struct count_asked *asked) MUST_CHECK; /* the buffer's error */
struct str count_asked_question(const struct count_asked *asked);
/* It was answered: the next one stands to be, if there is one. */
bool count_asked_next(struct count_asked *asked);
/* All after question `number` (0: from the first on) stand to be answered once more. False: they are not all here, or it would be no step
 * back. */
bool count_asked_back(struct count_asked *asked, uint64_t number);
/* The part has kept itself after the last question: none of them is needed any more. */
void count_asked_forget(struct count_asked *asked);

#endif
