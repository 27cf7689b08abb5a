/*
 * A value: what a field of a row holds, between databases, streams, JSON and contracts. One type for all, so that a
 * connector, a stream and an answer speak of rows in the same way.
 */
#ifndef BASE_VALUE_H
#define BASE_VALUE_H

#include "base/arena.h"
#include "base/str.h"

enum value_type {
    VALUE_NULL,
    VALUE_BOOLEAN, /* i: 0 or 1 */
    VALUE_INTEGER, /* i */
    VALUE_REAL,    /* r, finite */
    VALUE_TEXT,    /* s, UTF-8 */
    VALUE_TIME,    /* i: wall-clock milliseconds since 1970 UTC */
    VALUE_BYTES,   /* s */
};

struct value {
    enum value_type type;
    union {
        int64_t i;
        double r;
        struct str s; /* borrowed */
    };
};

#define VALUE_NONE ((struct value){.type = VALUE_NULL})
static inline struct value value_integer(int64_t i)
{
    return (struct value){.type = VALUE_INTEGER, .i = i};
}
static inline struct value value_boolean(bool b)
{
    return (struct value){.type = VALUE_BOOLEAN, .i = b};
}
static inline struct value value_real(double r)
{
    return (struct value){.type = VALUE_REAL, .r = r};
}
static inline struct value value_text(struct str s)
{
    return (struct value){.type = VALUE_TEXT, .s = s};
}
static inline struct value value_time(int64_t ms)
{
    return (struct value){.type = VALUE_TIME, .i = ms};
}

/* "boolean integer real text time bytes", as city files spell them; VALUE_NULL is "null". */
const char *value_type_name(enum value_type type);
enum err value_type_parse(struct str name, enum value_type *ret_type) MUST_CHECK;
bool value_equal(struct value a, struct value b);
enum err value_copy(struct arena *arena, struct value value, struct value *ret_copy) MUST_CHECK; /* text and bytes into the arena */
/* A number, whatever its type; false for text, bytes and null. */
bool value_to_real(struct value value, double *ret_real) MUST_CHECK;

#endif
