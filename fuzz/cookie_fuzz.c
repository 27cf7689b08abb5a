/*
 * The Cookie header of a browser: what is found is the value that a second, slower reading finds, and lies inside of the header.
 * First line: the name that is looked for; the rest: the header.
 */
#include "http/server.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_MAX_BYTES = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n'; /* as str_trim() */
}

/* One byte at a time: pairs end at ';', blanks around a pair are not of it, its name ends at the first '='. */
static struct str slow_find(struct str header, struct str name)
{
    for (size_t from = 0; from < header.len;) {
        size_t end = from, next;
        while (end < header.len && header.ptr[end] != ';')
            end++;
        next = end + 1;
        while (from < end && is_blank(header.ptr[from]))
            from++;
        while (end > from && is_blank(header.ptr[end - 1]))
            end--;
        for (size_t at = from; at < end; at++) {
            if (header.ptr[at] != '=')
                continue;
            if (at - from == name.len && (name.len == 0 || memcmp(header.ptr + from, name.ptr, name.len) == 0))
                return (struct str){header.ptr + at + 1, end - at - 1};
            break;
        }
        from = next;
    }
    return STR_NONE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str header = {(const char *)data, size}, line, found, expected;
    char name[NAME_MAX_BYTES];

    if (!str_cut(header, '\n', &line, &header) || str_to_c(line, name, sizeof(name)))
        return 0;
    found = http_cookie_find(header, name);
    expected = slow_find(header, line);
    if (found.len != expected.len || (found.len && found.ptr != expected.ptr))
        abort();
    if (found.len && memchr(found.ptr, ';', found.len))
        abort();
    return 0;
}
