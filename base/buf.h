/*
 * A growable byte buffer with a limit. Append-only; the first failure sticks, so that a writer checks once at the end.
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/err.h"
#include "base/str.h"

struct buf {
    char *ptr; /* owned, from base/mem.h */
    size_t len, cap;
    size_t max;   /* named limit of the caller; appending past it gives ERR_TOO_LARGE */
    enum err err; /* the first failure; later appends do nothing */
};

void buf_init(struct buf *buf, size_t max); /* allocates nothing */
void buf_finish(struct buf *buf);           /* takes NULL */
void buf_reset(struct buf *buf);            /* empties, keeps the memory, clears the error */
void buf_append(struct buf *buf, const void *bytes, size_t len);
void buf_append_str(struct buf *buf, struct str s);
void buf_append_c(struct buf *buf, const char *text);
void buf_append_byte(struct buf *buf, char byte);
void buf_append_be(struct buf *buf, uint64_t number, size_t n_bytes); /* its lowest bytes, the highest of them first */
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct str buf_str(const struct buf *buf); /* borrowed until the next append */
/* A pointer to at least `room` writable bytes at the end, NULL on failure; buf_advance() then says how many were written. */
char *buf_reserve(struct buf *buf, size_t room) MUST_CHECK;
void buf_advance(struct buf *buf, size_t len);

#endif
