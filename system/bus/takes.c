/* The rules, in the order of docs/reconcile.md. */
#include "system/bus/takes.h"

#include <string.h>

/* What was asked by a process of the hub before this one may still be answered. */
#define LOST_BEFORE 2

void bus_takes_begin(struct bus_takes *takes)
{
    takes->n_answers = takes->n_lines = 0;
    takes->n_lost = LOST_BEFORE;
}

/* Out of the list; the order of those that wait does not matter. */
static bool take_out(struct bus_takes_one *ones, size_t *n, uint64_t id)
{
    for (size_t i = 0; i < *n; i++)
        if (ones[i].id == id) {
            ones[i] = ones[--*n];
            return true;
        }
    return false;
}

void bus_takes_lost(struct bus_takes *takes)
{
    takes->n_lost += takes->n_lost < BUS_TAKES_LOST_MAX;
}

/* 17: who took the rows is this hub; a question that got no answer may have left one line */
static void unasked(struct bus_takes *takes)
{
    if (takes->n_lost > 0)
        takes->n_lost--;
    else
        takes->n_unasked++;
}

void bus_takes_answer(struct bus_takes *takes, uint64_t id, bool is_excused)
{
    if (take_out(takes->lines, &takes->n_lines, id) || takes->n_answers == BUS_TAKES_MAX)
        return;
    takes->answers[takes->n_answers++] = (struct bus_takes_one){.id = id, .is_excused = is_excused};
}

void bus_takes_line(struct bus_takes *takes, uint64_t id)
{
    if (take_out(takes->answers, &takes->n_answers, id))
        return;
    if (takes->n_lines == BUS_TAKES_MAX)
        unasked(takes);
    else
        takes->lines[takes->n_lines++] = (struct bus_takes_one){.id = id};
}

void bus_takes_tick(struct bus_takes *takes, int64_t ms, bool is_current)
{
    for (size_t i = 0; i < takes->n_lines;)
        if ((takes->lines[i].waited_ms += ms) >= BUS_TAKES_WAIT_MS) {
            unasked(takes);
            takes->lines[i] = takes->lines[--takes->n_lines];
        } else
            i++;
    for (size_t i = 0; i < takes->n_answers && is_current;) /* 18: what we got stands in their journal */
        if ((takes->answers[i].waited_ms += ms) >= BUS_TAKES_WAIT_MS) {
            takes->n_missing += !takes->answers[i].is_excused;
            takes->answers[i] = takes->answers[--takes->n_answers];
        } else
            i++;
}
