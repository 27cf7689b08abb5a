/*
 * UTF-8 and UTF-16. unixODBC hands SQLWCHAR through to drivers that are built for it; its narrow calls would go through the locale's
 * character set, which a server's process does not have.
 */
#include "system/odbc/inside.h"

_Static_assert(sizeof(SQLWCHAR) == 2, "unixODBC is built with SQLWCHAR of 16 bits");

enum err odbc_to_wide(struct arena *arena, struct str text, SQLWCHAR **ret_wide, size_t *ret_n)
{
    SQLWCHAR *wide = arena_alloc(arena, (text.len + 1) * sizeof *wide);
    size_t n = 0;
    if (!wide)
        return ERR_NO_MEMORY;
    if (!str_is_utf8(text))
        return ERR_RANGE;
    for (size_t i = 0; i < text.len;) {
        unsigned char first = (unsigned char)text.ptr[i];
        size_t more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
        uint32_t code = more == 0 ? first : more == 1 ? first & 0x1fu : more == 2 ? first & 0x0fu : first & 0x07u;
        for (size_t j = 1; j <= more; j++)
            code = code << 6 | ((unsigned char)text.ptr[i + j] & 0x3fu);
        i += 1 + more;
        if (code < 0x10000) {
            wide[n++] = (SQLWCHAR)code;
        } else {
            wide[n++] = (SQLWCHAR)(0xd800 + ((code - 0x10000) >> 10));
            wide[n++] = (SQLWCHAR)(0xdc00 + ((code - 0x10000) & 0x3ff));
        }
    }
    wide[n] = 0;
    *ret_wide = wide;
    *ret_n = n;
    return ERR_OK;
}

enum err odbc_from_wide(const SQLWCHAR *wide, size_t n, struct buf *out)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t code = wide[i];
        if (code >= 0xd800 && code < 0xe000) {
            if (code >= 0xdc00 || i + 1 == n || wide[i + 1] < 0xdc00 || wide[i + 1] >= 0xe000)
                return ERR_SYNTAX;
            code = 0x10000 + ((code - 0xd800) << 10) + (wide[++i] - 0xdc00u);
        }
        char bytes[4];
        size_t len = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
        static const unsigned char heads[] = {0, 0, 0xc0, 0xe0, 0xf0};
        for (size_t j = len; j-- > 1; code >>= 6)
            bytes[j] = (char)(0x80 | (code & 0x3f));
        bytes[0] = (char)(heads[len] | code);
        buf_append(out, bytes, len);
    }
    return out->err;
}
