/* What a command that reads files tells on standard error while it works: broken lines, the first of them by name, and how far it is. */
#ifndef BRAIN_TOLD_H
#define BRAIN_TOLD_H

#include <stdbool.h>

struct told {
    const char *doing; /* "counting" */
    bool is_terminal;  /* progress is shown to people only */
    unsigned n;        /* broken lines */
};

void told_init(struct told *told, const char *doing);
void told_broken(void *context, const char *text); /* context: struct told */
void told_progress(void *context, double share);   /* 0 to 1 */
void told_rest(struct told *told);                 /* how many broken lines there were more, of one file */

#endif
