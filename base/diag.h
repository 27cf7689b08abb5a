/*
 * What is wrong, where, and how to mend it: the text that goes with an error a person must act on.
 *
 *     city/hangzhou/systems/police.yaml:31: field "phone" has no class; give it one of open, internal, personal, secret
 *
 * A `struct diag_list` collects several, so that `citybrain check` shows every error of a city at once.
 */
#ifndef BASE_DIAG_H
#define BASE_DIAG_H

#include "base/err.h"

#include <stddef.h>

#define DIAG_TEXT_MAX 512
#define DIAG_LIST_MAX 100 /* more errors than a person mends at one go; the rest are counted */

struct diag {
    char text[DIAG_TEXT_MAX]; /* NUL-terminated; "" when there is nothing to say */
};

struct diag_list {
    size_t n;         /* texts held in `diags` */
    size_t n_dropped; /* errors past DIAG_LIST_MAX */
    struct diag diags[DIAG_LIST_MAX];
};

/* Writes "file:line: cause; mend" into `diag` (borrowed; may be NULL, then nothing happens) and returns `err`,
 * so that `return diag_set(diag, ERR_RANGE, file, line, "…")` reads as one step. `line` 0 leaves out the line, `file` NULL the place. */
enum err diag_set(struct diag *diag, enum err err, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* The same, appended to a list (borrowed; may be NULL). */
enum err diag_add(struct diag_list *list, enum err err, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

#endif
