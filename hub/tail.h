/*
 * Following a file that another program writes, line by line, over its rotation: renamed and begun anew, a new file of a pattern, or cut.
 * Where one stands can be stored and taken up again by the next run. Bounded memory whatever the file holds.
 *
 * It only reads, and never waits. What was written and taken away before it was read is told (is_lost), not noticed by guessing.
 */
#ifndef HUB_TAIL_H
#define HUB_TAIL_H

#include "base/err.h"
#include "base/str.h"

#include <sys/types.h>

#define HUB_TAIL_LINE_MAX (64u << 10) /* of a longer line the beginning is given, the rest passed over */
#define HUB_TAIL_HEAD_MAX 256         /* bytes by which a file is known again */

struct hub_tail_place { /* all zero: nowhere yet */
    uint64_t inode, at; /* `at`: behind the last line that was given */
    uint64_t head;      /* of the file's first bytes, at most HUB_TAIL_HEAD_MAX and not more than `at`; 0: none */
};

struct hub_tail;
/* `path`: a file, or a pattern with one `*` in its last part: the files that fit, by the time they were written last. Beginning at `from`,
 * or, with none, behind what is there already. The file may be missing: it is looked for again. ERR_TOO_LARGE, ERR_NO_MEMORY. */
enum err hub_tail_open(const char *path, const struct hub_tail_place *from, struct hub_tail **ret_tail) MUST_CHECK;
void hub_tail_close(struct hub_tail *tail); /* takes NULL */
/* The next whole line, without its end; borrowed until the next call. ERR_NOT_FOUND: there is none now. *ret_is_cut: the line was longer.
 * *ret_is_lost (also without a line): something was cut off or taken away unread. ERR_IO: cannot be read. */
enum err hub_tail_next(struct hub_tail *tail, struct str *ret_line, bool *ret_is_cut, bool *ret_is_lost) MUST_CHECK;
struct hub_tail_place hub_tail_place(struct hub_tail *tail);
bool hub_tail_has_file(const struct hub_tail *tail); /* there is one, and it can be read */

#endif
