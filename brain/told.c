/* See told.h. */
#include "brain/told.h"

#include <stdio.h>
#include <unistd.h>

#define BROKEN_SHOWN_MAX 20 /* lines told one by one; all are counted */

void told_init(struct told *told, const char *doing)
{
    *told = (struct told){.doing = doing, .is_terminal = isatty(STDERR_FILENO)};
}

void told_broken(void *context, const char *text)
{
    struct told *told = context;
    if (told->n++ < BROKEN_SHOWN_MAX)
        fprintf(stderr, "%s%s\n", told->is_terminal ? "\r\033[K" : "", text); /* over the bar, which comes again below */
}

void told_progress(void *context, double share)
{
    static const char full[] = "########################################", none[] = "                                        ";
    const struct told *told = context;
    const int cells = (int)sizeof(full) - 1, n = share >= 1 ? cells : (int)(share * cells);
    if (told->is_terminal)
        fprintf(stderr, "\r%s [%.*s%.*s] %3.0f %%%s", told->doing, n, full, cells - n, none, share * 100, share >= 1 ? "\n" : "");
}

void told_rest(struct told *told)
{
    if (told->n > BROKEN_SHOWN_MAX)
        fprintf(stderr, "and %u more lines that are not used\n", told->n - BROKEN_SHOWN_MAX);
    told->n = 0;
}
