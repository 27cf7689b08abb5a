/*
 * Values: names of the types, equality, copies into an arena.
 */
#include "base/value.h"

#include <string.h>

static const char *const type_names[] = {
    [VALUE_NULL] = "null",
    [VALUE_BOOLEAN] = "boolean",
    [VALUE_INTEGER] = "integer",
    [VALUE_REAL] = "real",
    [VALUE_TEXT] = "text",
    [VALUE_TIME] = "time",
    [VALUE_BYTES] = "bytes",
};

#define N_TYPES (sizeof(type_names) / sizeof(type_names[0]))

const char *value_type_name(enum value_type type)
{
    return (size_t)type < N_TYPES ? type_names[type] : "unknown";
}

enum err value_type_parse(struct str name, enum value_type *ret_type)
{
    for (size_t i = VALUE_BOOLEAN; i < N_TYPES; i++) {
        if (str_equal_c(name, type_names[i])) {
            *ret_type = (enum value_type)i;
            return ERR_OK;
        }
    }
    return ERR_NOT_FOUND;
}

bool value_equal(struct value a, struct value b)
{
    if (a.type != b.type)
        return false;
    switch (a.type) {
    case VALUE_NULL:
        return true;
    case VALUE_BOOLEAN:
    case VALUE_INTEGER:
    case VALUE_TIME:
        return a.i == b.i;
    case VALUE_REAL:
        return a.r == b.r;
    case VALUE_TEXT:
    case VALUE_BYTES:
        return str_equal(a.s, b.s);
    }
    return false;
}

enum err value_copy(struct arena *arena, struct value value, struct value *ret_copy)
{
    struct value copy = value;

    if (value.type == VALUE_TEXT || value.type == VALUE_BYTES) {
        enum err err = arena_copy_str(arena, value.s, &copy.s);
        if (err)
            return err;
    }
    *ret_copy = copy;
    return ERR_OK;
}

bool value_to_real(struct value value, double *ret_real)
{
    switch (value.type) {
    case VALUE_BOOLEAN:
    case VALUE_INTEGER:
    case VALUE_TIME:
        *ret_real = (double)value.i;
        return true;
    case VALUE_REAL:
        *ret_real = value.r;
        return true;
    case VALUE_NULL:
    case VALUE_TEXT:
    case VALUE_BYTES:
        break;
    }
    return false;
}
