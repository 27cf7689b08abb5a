/*
 * A page of "who used my data" out of several logs. Each process of a hub has a log, day keys and an index of its own (hub/uses.h), so the
 * process that has the screens asks the others for a page each and merges the pages by time. Where it stopped in each log stands in the
 * cursor, so that the next page neither misses nor repeats a use, whichever log it is in.
 *
 * Also the bytes in which one process asks another for its page, and for what stands behind a receipt of its log; docs/bus.md has them. A
 * citizen's keys go along, under a session of the hub with itself and nowhere else.
 *
 * Pure. What is read is bounded and checked before anything is done with it.
 */
#ifndef HUB_USES_PAGE_H
#define HUB_USES_PAGE_H

#include "base/arena.h"
#include "base/buf.h"

#define HUB_USES_PAGE_MAX 200
#define HUB_USES_LOGS_MAX 64             /* asked for a page: this process's and those of all replicas that there may be */
#define HUB_USES_CURSOR_MAX 6000         /* bytes: each of as many logs with its place */
#define HUB_USES_ANSWER_MAX (512u << 10) /* bytes of one process's answer; a page that is longer has more behind it */
#define HUB_USES_SUBJECT_MAX 4096        /* bytes of a citizen's keys */
#define HUB_USES_TEXT_MAX 512            /* bytes of a text of a use, as of a party's name; a leaf's longer one is shown cut */
#define HUB_USES_JSON_MAX (900u << 10)   /* bytes behind a receipt: a leaf of 64 KiB, all of it escaped, with its proof */
#define HUB_USES_FROM_TOP INT64_MAX      /* a place: before any */

/* One use, from its leaf. */
struct hub_use_info {
    uint64_t index;
    int64_t time_ms;
    struct str consumer, provider, resource, contract, purpose, use; /* in the caller's arena, or borrowed from an answer */
};

/* ---- one log's part of a page ---- */

struct hub_uses_part {
    struct str log;            /* "hangzhou.log.r1" */
    int64_t before;            /* it was asked for uses before this leaf */
    enum err err;              /* it did not answer; then nothing below */
    struct hub_use_info *uses; /* the newest first */
    size_t n;
    bool has_more;    /* older ones than these */
    bool is_complete; /* all leaves that it had when it was asked were looked at */
    uint64_t end;     /* leaves that it had: what comes later is of no later page */
    size_t n_taken;   /* merged into the page */
};

struct hub_uses_taken {
    const struct hub_uses_part *part;
    const struct hub_use_info *use;
};
/* The newest of all, at most `max`; counts n_taken. Ends early behind a part that has more than it could send. Returns how many. */
size_t hub_uses_merge(struct hub_uses_part *parts, size_t n_parts, size_t max, struct hub_uses_taken *out);

/* Is there another page? `parts` as merged. */
bool hub_uses_has_next(const struct hub_uses_part *parts, size_t n_parts);
/* Where it begins, as text: "48211,r1:17,r2:204"; parts[0] is the asked process's own, the others' logs are its log's name with a dot and a
 * name behind it. Check out->err. */
void hub_uses_cursor_write(const struct hub_uses_part *parts, size_t n_parts, struct buf *out);
/* Sets each part's `before` from a cursor; those that it does not name begin at the top, names of none are passed over. ERR_SYNTAX. */
enum err hub_uses_cursor_read(struct str text, struct hub_uses_part *parts, size_t n_parts) MUST_CHECK;
/* "r1" of "hangzhou.log.r1" where `own` is "hangzhou.log"; empty: no log of a process of this hub. */
struct str hub_uses_log_name(struct str own, struct str log);

/* ---- questions and answers ---- */

enum hub_uses_what { HUB_USES_LIST = 64, HUB_USES_RECEIPT, HUB_USES_OPENING };

struct hub_uses_question {
    enum hub_uses_what what;
    struct str subject; /* LIST: of whom, as struct http_identity's */
    int64_t before;
    uint16_t n_max;
    uint64_t index;   /* RECEIPT, OPENING: of which leaf */
    struct str party; /* OPENING: who asks to open it */
};
void hub_uses_question_write(const struct hub_uses_question *question, struct buf *out);              /* check out->err */
bool hub_uses_question_is(struct str bytes);                                                          /* by its first bytes */
enum err hub_uses_question_read(struct str bytes, struct hub_uses_question *ret_question) MUST_CHECK; /* ERR_SYNTAX. Borrows */

/* part->err: only that is told. As many uses as fit; then it has more. Texts past HUB_USES_TEXT_MAX are cut, at a character's end. Check
 * out->err. */
void hub_uses_part_write(const struct hub_uses_part *part, struct buf *out);
/* Of an answer to `part->before` and `n_max`: fills the rest of *part; borrows from `bytes`. What does not fit the question is refused, so
 * that a page ends. ERR_SYNTAX, ERR_NO_MEMORY. */
enum err hub_uses_part_read(struct arena *arena, struct str bytes, size_t n_max, struct hub_uses_part *part) MUST_CHECK;
/* Of RECEIPT and OPENING: the JSON that the same is at HTTP, at most HUB_USES_JSON_MAX bytes (else ERR_TOO_LARGE is told), or why not:
 * ERR_NOT_FOUND; ERR_BUSY, not proven yet; ERR_STATE, not any more. */
void hub_uses_json_write(enum hub_uses_what what, enum err told, struct str json, struct buf *out);
enum err hub_uses_json_read(enum hub_uses_what what, struct str bytes, struct str *ret_json, enum err *ret_told) MUST_CHECK;

#endif
