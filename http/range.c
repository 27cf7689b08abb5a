/* Parts of a body and entity tags: read by hand, since a header holds one line of a small language; never longer than the header itself. */
#include "http/range.h"

#include <string.h>

/* A position too large for 64 bits lies behind every end. False: not digits. */
static bool read_position(struct str digits, uint64_t *ret_position)
{
    if (digits.len == 0)
        return false;
    for (size_t i = 0; i < digits.len; i++)
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
            return false;
    if (str_to_u64(digits, ret_position))
        *ret_position = UINT64_MAX;
    return true;
}

int http_range_read(struct str header, uint64_t total, struct http_range *ret_range)
{
    struct str unit, set, from, to;
    uint64_t first, last = UINT64_MAX;
    *ret_range = (struct http_range){0, total};
    if (!str_cut(header, '=', &unit, &set) || !str_equal_nocase(str_trim(unit), STR("bytes")) || memchr(set.ptr, ',', set.len) ||
        !str_cut(str_trim(set), '-', &from, &to))
        return 200;
    if (from.len == 0) { /* the last so many */
        if (!read_position(to, &last))
            return 200;
        if (last > 0 && total == 0)
            return 200; /* all of nothing, which a Content-Range cannot say */
        *ret_range = (struct http_range){last < total ? total - last : 0, last < total ? last : total};
        return last == 0 ? 416 : 206;
    }
    if (!read_position(from, &first) || (to.len && !read_position(to, &last)) || last < first)
        return 200;
    *ret_range = (struct http_range){0, 0};
    if (first >= total)
        return 416;
    *ret_range = (struct http_range){first, (last < total ? last + 1 : total) - first};
    return 206;
}

bool http_etag_among(struct str list, struct str etag, bool is_strong)
{
    bool is_weak = str_starts_with(etag, STR("W/"));
    struct str opaque = is_weak ? str_slice(etag, 2, etag.len) : etag;
    if (str_equal(str_trim(list), STR("*")))
        return true;
    for (size_t at = 0; at < list.len;) {
        struct str rest = str_slice(list, at, list.len);
        bool weak_one = str_starts_with(rest, STR("W/"));
        size_t open = weak_one ? 2 : 0;
        if (open >= rest.len || rest.ptr[open] != '"') { /* between two, or something else */
            at++;
            continue;
        }
        const char *close = memchr(rest.ptr + open + 1, '"', rest.len - open - 1);
        if (!close)
            return false;
        struct str one = str_slice(rest, open, (size_t)(close - rest.ptr) + 1 - open);
        if (str_equal(one, opaque) && !(is_strong && (is_weak || weak_one)))
            return true;
        at += (size_t)(close - rest.ptr) + 1;
    }
    return false;
}
