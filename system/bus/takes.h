/*
 * Twins of a stream's rows: what the hub got of a department's stream has a line in the journal of what its process served, with the same
 * records, and each such line has an answer that the hub got. A pure step, no clock and no disk; rules 17 and 18 of docs/reconcile.md.
 */
#ifndef SYSTEM_BUS_TAKES_H
#define SYSTEM_BUS_TAKES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BUS_TAKES_WAIT_MS 20000
#define BUS_TAKES_MAX 256     /* of either that wait for the other; past it an answer is not looked for, and a line is of nobody here */
#define BUS_TAKES_LOST_MAX 64 /* questions without an answer that are remembered */

struct bus_takes_one {
    uint64_t id; /* of its records: which numbering, from which number, how many */
    int64_t waited_ms;
    bool is_excused; /* an answer whose line may stand before those that are looked at */
};

struct bus_takes {
    struct bus_takes_one answers[BUS_TAKES_MAX], lines[BUS_TAKES_MAX];
    size_t n_answers, n_lines;
    unsigned n_lost;
    uint64_t n_missing, n_unasked; /* since the start; those before bus_takes_begin() too */
};

/* From now on lines are looked at: at the start, and when their journal is another one. */
void bus_takes_begin(struct bus_takes *takes);
void bus_takes_answer(struct bus_takes *takes, uint64_t id, bool is_excused);
void bus_takes_lost(struct bus_takes *takes); /* a question of ours got no answer: it may have left a line */
void bus_takes_line(struct bus_takes *takes, uint64_t id);
/* As bus_twin_tick()'s `is_current` and `is_one` together. */
void bus_takes_tick(struct bus_takes *takes, int64_t ms, bool is_current);

#endif
