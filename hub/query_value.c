/*
 * SQLite's values as values of a resource's column: what a constraint means to a department that knows types. What does not fit is either
 * equal to no row, or left to SQLite, which compares numbers with texts in ways of its own (sqlite.org/datatype3.html §4).
 */
#include "hub/query_parts.h"

#include <math.h>
#include <string.h>

#define WHOLE_REAL 0x1p62 /* broken numbers below are rounded to whole ones without surprise */

/* A whole number compared with a broken one. */
static enum fit fit_broken(double r, uint8_t *op, struct value *value)
{
    if (!(fabs(r) < WHOLE_REAL))
        return IS_OTHER;
    bool is_whole = r == floor(r);
    if (!is_whole && *op == SQL_EQ)
        return IS_EMPTY;
    if (!is_whole && (*op == SQL_LT || *op == SQL_LE)) {
        *op = SQL_LE;
        r = floor(r);
    } else if (!is_whole) {
        *op = SQL_GE;
        r = ceil(r);
    }
    value->i = (int64_t)r;
    return FITS;
}

static enum fit fit_number(enum value_type type, sqlite3_value *from, uint8_t *op, struct value *value)
{
    int kind = sqlite3_value_numeric_type(from); /* a text that is a number is one, beside a column of numbers */
    if (kind != SQLITE_INTEGER && kind != SQLITE_FLOAT)
        return *op == SQL_EQ ? IS_EMPTY : IS_OTHER;
    *value = (struct value){.type = type};
    if (type == VALUE_REAL) {
        value->r = sqlite3_value_double(from) + 0.0;
        return kind == SQLITE_INTEGER && fabs(value->r) > 0x1p53 ? IS_OTHER : FITS;
    }
    value->i = sqlite3_value_int64(from);
    enum fit fit = kind == SQLITE_FLOAT ? fit_broken(sqlite3_value_double(from), op, value) : FITS;
    if (fit == FITS && type == VALUE_BOOLEAN && (value->i & ~INT64_C(1)))
        return IS_EMPTY; /* only = is pushed */
    return fit;
}

static enum fit fit_bytes(enum value_type type, sqlite3_value *from, uint8_t *op, struct value *value)
{
    int kind = sqlite3_value_type(from);
    if (kind == SQLITE_INTEGER || kind == SQLITE_FLOAT)
        return type == VALUE_BYTES && *op == SQL_EQ ? IS_EMPTY : IS_OTHER; /* beside a text it may become one */
    if (kind != (type == VALUE_TEXT ? SQLITE_TEXT : SQLITE_BLOB))
        return *op == SQL_EQ ? IS_EMPTY : IS_OTHER;
    *value = (struct value){.type = type};
    value->s.ptr = type == VALUE_TEXT ? (const char *)sqlite3_value_text(from) : sqlite3_value_blob(from);
    value->s.len = (size_t)sqlite3_value_bytes(from);
    bool is_odd = type == VALUE_TEXT && (!str_is_utf8(value->s) || (value->s.len && memchr(value->s.ptr, '\0', value->s.len)));
    return is_odd ? IS_OTHER : FITS;
}

enum fit query_fit_value(enum value_type type, sqlite3_value *from, uint8_t *op, struct value *value)
{
    if (sqlite3_value_type(from) == SQLITE_NULL)
        return IS_EMPTY;
    return type == VALUE_TEXT || type == VALUE_BYTES ? fit_bytes(type, from, op, value) : fit_number(type, from, op, value);
}

/* A value of one of our tables as a key of another; as query_fit_value() would have it for =. */
bool query_fit_key(enum value_type type, struct value from, struct value *ret)
{
    bool is_whole = type == VALUE_INTEGER || type == VALUE_TIME || type == VALUE_BOOLEAN;
    bool from_whole = from.type == VALUE_INTEGER || from.type == VALUE_TIME || from.type == VALUE_BOOLEAN;
    *ret = (struct value){.type = type};
    if (type == from.type)
        *ret = from;
    else if (is_whole && from_whole)
        ret->i = from.i;
    else if (type == VALUE_REAL && from_whole && fabs((double)from.i) <= 0x1p53)
        ret->r = (double)from.i;
    else if (is_whole && from.type == VALUE_REAL && fabs(from.r) < WHOLE_REAL && from.r == floor(from.r))
        ret->i = (int64_t)from.r;
    else
        return false;
    if (type == VALUE_REAL)
        ret->r += 0.0; /* one zero */
    if (type == VALUE_TEXT)
        return str_is_utf8(ret->s) && !(ret->s.len && memchr(ret->s.ptr, '\0', ret->s.len));
    return type != VALUE_BOOLEAN || (ret->i & ~INT64_C(1)) == 0;
}
