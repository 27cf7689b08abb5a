/*
 * Strings: {pointer, length}, not owned, not NUL-terminated. NUL appears only at the libc's door.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct str {
    const char *ptr; /* borrowed; may be NULL when len is 0 */
    size_t len;      /* bytes */
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})
#define STR_INIT(literal)                                                                                                                  \
    {                                                                                                                                      \
        (literal), sizeof(literal) - 1                                                                                                     \
    } /* for static tables */
#define STR_NONE ((struct str){NULL, 0})
#define STR_FORMAT "%.*s"
#define STR_ARG(s) (int)(s).len, (s).ptr ? (s).ptr : ""

struct str str_from_c(const char *text); /* borrows; NULL gives the empty string */
bool str_is_empty(struct str s);
bool str_equal(struct str a, struct str b);
bool str_equal_c(struct str a, const char *text);
bool str_equal_nocase(struct str a, struct str b); /* ASCII letters only */
int str_compare(struct str a, struct str b);       /* byte order, as memcmp then length */
bool str_starts_with(struct str s, struct str prefix);
bool str_ends_with(struct str s, struct str suffix);
struct str str_slice(struct str s, size_t from, size_t len); /* clipped to s */
struct str str_trim(struct str s);                           /* without ASCII white space at both ends */
/* Cuts at the first (last) `separator`. False, and outputs untouched, when there is none. */
bool str_cut(struct str s, char separator, struct str *ret_head, struct str *ret_tail) MUST_CHECK;
bool str_cut_last(struct str s, char separator, struct str *ret_head, struct str *ret_tail) MUST_CHECK;
/* The whole of `s` as a decimal number; ERR_SYNTAX, ERR_RANGE. No leading blanks, no '+'. */
enum err str_to_i64(struct str s, int64_t *ret_value) MUST_CHECK;
enum err str_to_u64(struct str s, uint64_t *ret_value) MUST_CHECK;
enum err str_to_double(struct str s, double *ret_value) MUST_CHECK; /* finite only, '.' in every locale */
/* Copies into `out` (capacity `size`, NUL included) for the libc's door; ERR_TOO_LARGE, ERR_SYNTAX for a NUL inside. */
enum err str_to_c(struct str s, char *out, size_t size) MUST_CHECK;
bool str_is_utf8(struct str s);  /* strict: no overlong forms, no surrogates */
uint64_t str_hash(struct str s); /* FNV-1a, 64 bits; not for hostile keys in unbounded tables */
/* A name of DESIGN §4: [a-z0-9_.-], 1 to 64 bytes, first byte a letter or a digit. */
bool str_is_name(struct str s);

#endif
