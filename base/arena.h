/*
 * An arena: what one exchange needs is taken from it and given back at once. First parameter of whatever allocates for an exchange.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/err.h"
#include "base/str.h"

struct arena_block;

struct arena {
    struct arena_block *blocks; /* owned; newest first */
    size_t n_bytes;             /* taken from base/mem.h */
    size_t max_bytes;           /* named limit of the caller */
};

void arena_init(struct arena *arena, size_t max_bytes); /* allocates nothing */
void arena_finish(struct arena *arena);                 /* takes NULL; may be used again after arena_init() */
void arena_reset(struct arena *arena);                  /* empties, keeps the first block */
/* 16-byte aligned, uninitialised; NULL past the limit or without memory. size 0 gives a valid pointer. */
void *arena_alloc(struct arena *arena, size_t size) MUST_CHECK;
void *arena_alloc_zero(struct arena *arena, size_t n, size_t size) MUST_CHECK;
enum err arena_copy_str(struct arena *arena, struct str s, struct str *ret_copy) MUST_CHECK; /* the copy has a NUL after its end */
enum err arena_printf(struct arena *arena, struct str *ret_text, const char *format, ...) __attribute__((format(printf, 3, 4))) MUST_CHECK;

#endif
