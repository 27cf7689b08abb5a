/*
 * The names of the newest postings: a provider that has not got its answer sends the posting again under the same name, and its rows go on
 * once.
 *
 * Kept in memory, the newest POSTINGS_KEPT of a file's resources: what was accepted has gone to the subscribers, who keep no names either,
 * so after a restart nobody could tell. Any thread; one lock, held for a look through the ring.
 */
#ifndef SYSTEM_PUSH_POSTINGS_H
#define SYSTEM_PUSH_POSTINGS_H

#include "base/err.h"
#include "base/str.h"

#include <stddef.h>

#define POSTINGS_KEPT 1024

struct push_postings;

enum err push_postings_create(struct push_postings **ret_postings) MUST_CHECK;
void push_postings_destroy(struct push_postings *postings); /* takes NULL */

/* ERR_OK: it is new, and counts as under way until push_postings_end(), which follows in any case. ERR_EXISTS: the same posting was
 * accepted, with *ret_accepted rows. ERR_STATE: the name stands for another body. ERR_BUSY: the same posting is under way, or as many
 * others are as fit. */
enum err push_postings_begin(
    struct push_postings *postings, struct str resource, struct str name, struct str body, size_t *ret_accepted) MUST_CHECK;
/* `is_accepted` false: it is forgotten, and may come again. */
void push_postings_end(struct push_postings *postings, struct str resource, struct str name, bool is_accepted, size_t n_accepted);

#endif
