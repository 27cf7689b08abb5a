/*
 * Tables that a command writes while it reads other files: never over one that is read, and never two into one.
 *
 * Opening for writing empties a file. A path given twice by mistake would so lose what was to be read, or mix two tables into one, and the
 * command would end as if all were well. Compared is what lies behind the paths (device and number of the file), so that links and ways
 * around are seen, too. Only plain files: a terminal, a pipe or /dev/null may be given as often as one likes.
 */
#ifndef BASE_OUTS_H
#define BASE_OUTS_H

#include "base/diag.h"

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

#define OUTS_MAX 24 /* files of one command; an assertion: commands have fewer options */

struct outs {
    struct {
        dev_t device;
        ino_t number;
        bool is_read;
    } taken[OUTS_MAX];
    size_t n;
};

/* `path` is read: nothing is written there. NULL, and what is not there or no plain file, is passed over. */
void outs_spare(struct outs *outs, const char *path);
/* For writing, empty, made when absent. Told in `diag`: ERR_EXISTS, it is read or written already; ERR_NOT_FOUND, ERR_DENIED, ERR_IO … */
enum err outs_open(struct outs *outs, const char *path, struct diag *diag, FILE **ret_file) MUST_CHECK;
/* Takes `file` (NULL: nothing to do). ERR_DISK_FULL, ERR_IO: it is not whole, told in `diag`. */
enum err outs_close(FILE *file, const char *path, struct diag *diag) MUST_CHECK;

#endif
