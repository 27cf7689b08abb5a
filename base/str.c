/* Strings as {pointer, length}: comparing, cutting, and strict numbers. */
#include "base/str.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_TEXT_MAX 128 /* the longest decimal double people write is far shorter */

struct str str_from_c(const char *text)
{
    return (struct str){text, text ? strlen(text) : 0};
}

bool str_is_empty(struct str s)
{
    return s.len == 0;
}

bool str_equal(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool str_equal_c(struct str a, const char *text)
{
    return str_equal(a, str_from_c(text));
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool str_equal_nocase(struct str a, struct str b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return false;
    return true;
}

int str_compare(struct str a, struct str b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len ? memcmp(a.ptr, b.ptr, len) : 0;
    if (order != 0)
        return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

bool str_starts_with(struct str s, struct str prefix)
{
    return s.len >= prefix.len && str_equal(str_slice(s, 0, prefix.len), prefix);
}

bool str_ends_with(struct str s, struct str suffix)
{
    return s.len >= suffix.len && str_equal(str_slice(s, s.len - suffix.len, suffix.len), suffix);
}

struct str str_slice(struct str s, size_t from, size_t len)
{
    if (from >= s.len)
        return STR_NONE;
    if (len > s.len - from)
        len = s.len - from;
    return (struct str){s.ptr + from, len};
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str s)
{
    while (s.len > 0 && is_blank(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

bool str_cut(struct str s, char separator, struct str *ret_head, struct str *ret_tail)
{
    const char *at = s.len ? memchr(s.ptr, separator, s.len) : NULL;
    if (!at)
        return false;
    size_t head = (size_t)(at - s.ptr);
    *ret_head = str_slice(s, 0, head);
    *ret_tail = str_slice(s, head + 1, s.len);
    return true;
}

bool str_cut_last(struct str s, char separator, struct str *ret_head, struct str *ret_tail)
{
    const char *at = s.len ? memrchr(s.ptr, separator, s.len) : NULL;
    if (!at)
        return false;
    size_t head = (size_t)(at - s.ptr);
    *ret_head = str_slice(s, 0, head);
    *ret_tail = str_slice(s, head + 1, s.len);
    return true;
}

enum err str_to_u64(struct str s, uint64_t *ret_value)
{
    if (s.len == 0)
        return ERR_SYNTAX;
    uint64_t value = 0;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return ERR_SYNTAX;
        if (__builtin_mul_overflow(value, 10u, &value) || __builtin_add_overflow(value, (uint64_t)(s.ptr[i] - '0'), &value))
            return ERR_RANGE;
    }
    *ret_value = value;
    return ERR_OK;
}

enum err str_to_i64(struct str s, int64_t *ret_value)
{
    bool is_negative = s.len > 0 && s.ptr[0] == '-';
    uint64_t magnitude;
    enum err err = str_to_u64(is_negative ? str_slice(s, 1, s.len) : s, &magnitude);
    if (err != ERR_OK)
        return err;
    if (magnitude > (uint64_t)INT64_MAX + is_negative)
        return ERR_RANGE;
    *ret_value = is_negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return ERR_OK;
}

/* Only what a JSON number may look like goes to strtod, so that neither "inf", "0x1p3" nor blanks pass. */
static bool looks_like_number(struct str s)
{
    size_t at = 0, n_digits = 0;
    if (at < s.len && s.ptr[at] == '-')
        at++;
    for (; at < s.len && s.ptr[at] >= '0' && s.ptr[at] <= '9'; at++)
        n_digits++;
    if (n_digits == 0)
        return false;
    if (at < s.len && s.ptr[at] == '.') {
        n_digits = 0;
        for (at++; at < s.len && s.ptr[at] >= '0' && s.ptr[at] <= '9'; at++)
            n_digits++;
        if (n_digits == 0)
            return false;
    }
    if (at < s.len && (s.ptr[at] == 'e' || s.ptr[at] == 'E')) {
        at++;
        if (at < s.len && (s.ptr[at] == '+' || s.ptr[at] == '-'))
            at++;
        n_digits = 0;
        for (; at < s.len && s.ptr[at] >= '0' && s.ptr[at] <= '9'; at++)
            n_digits++;
        if (n_digits == 0)
            return false;
    }
    return at == s.len;
}

/* Up to 15 digits without an exponent: both the digits and the power of ten are exact, and their quotient is rounded once, as strtod() does
 * (W. Clinger, "How to read floating point numbers accurately", 1990). False: it is another number. */
static bool short_to_double(struct str s, double *ret_value)
{
    static const double powers[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    size_t at = s.ptr[0] == '-', n_decimals = 0;
    bool is_behind_point = false;
    int64_t digits = 0;
    if (s.len > at + 16)
        return false;
    for (; at < s.len; at++) {
        if (s.ptr[at] >= '0' && s.ptr[at] <= '9') {
            digits = digits * 10 + (s.ptr[at] - '0');
            n_decimals += is_behind_point;
        } else if (s.ptr[at] == '.') {
            is_behind_point = true;
        } else {
            return false;
        }
    }
    if (digits >= 1000000000000000 || n_decimals > 15)
        return false;
    double value = (double)digits / powers[n_decimals];
    *ret_value = s.ptr[0] == '-' ? -value : value;
    return true;
}

enum err str_to_double(struct str s, double *ret_value)
{
    char text[NUMBER_TEXT_MAX];
    if (!looks_like_number(s))
        return ERR_SYNTAX;
    if (short_to_double(s, ret_value))
        return ERR_OK;
    enum err err = str_to_c(s, text, sizeof(text));
    if (err != ERR_OK)
        return ERR_RANGE;
    /* The program never calls setlocale(), so '.' is the decimal point. */
    double value = strtod(text, NULL);
    if (!isfinite(value))
        return ERR_RANGE;
    *ret_value = value;
    return ERR_OK;
}

enum err str_to_c(struct str s, char *out, size_t size)
{
    if (s.len >= size)
        return ERR_TOO_LARGE;
    if (s.len && memchr(s.ptr, '\0', s.len))
        return ERR_SYNTAX;
    if (s.len)
        memcpy(out, s.ptr, s.len);
    out[s.len] = '\0';
    return ERR_OK;
}

/* Length of the well-formed UTF-8 character at `p` of `left` bytes (Unicode 15, table 3-7); 0 when it is not one. */
static size_t utf8_length(const unsigned char *p, size_t left)
{
    if (p[0] < 0x80)
        return 1;
    size_t len = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
    if (p[0] < 0xC2 || p[0] > 0xF4 || left < len)
        return 0;
    for (size_t i = 1; i < len; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    if ((p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xED && p[1] > 0x9F) || (p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F))
        return 0;
    return len;
}

bool str_is_utf8(struct str s)
{
    for (size_t at = 0; at < s.len;) {
        size_t len = utf8_length((const unsigned char *)s.ptr + at, s.len - at);
        if (len == 0)
            return false;
        at += len;
    }
    return true;
}

uint64_t str_hash(struct str s)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < s.len; i++)
        hash = (hash ^ (unsigned char)s.ptr[i]) * 0x100000001b3u;
    return hash;
}

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

bool str_is_name(struct str s)
{
    if (s.len == 0 || s.len > 64 || !is_name_start(s.ptr[0]))
        return false;
    for (size_t i = 1; i < s.len; i++)
        if (!is_name_start(s.ptr[i]) && s.ptr[i] != '_' && s.ptr[i] != '.' && s.ptr[i] != '-')
            return false;
    return true;
}
