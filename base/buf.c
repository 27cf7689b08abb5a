/* A growable buffer that doubles up to its limit and remembers its first failure. */
#include "base/buf.h"

#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define BUF_FIRST 256 /* bytes: most answers fit into the first or second step */

void buf_init(struct buf *buf, size_t max)
{
    *buf = (struct buf){.max = max};
}

void buf_finish(struct buf *buf)
{
    if (!buf)
        return;
    mem_free(buf->ptr);
    *buf = (struct buf){.max = buf->max};
}

void buf_reset(struct buf *buf)
{
    buf->len = 0;
    buf->err = ERR_OK;
}

char *buf_reserve(struct buf *buf, size_t room)
{
    if (buf->err != ERR_OK)
        return NULL;
    if (room > buf->max - buf->len) {
        buf->err = ERR_TOO_LARGE;
        return NULL;
    }
    size_t need = buf->len + room;
    if (need > buf->cap || !buf->ptr) {
        size_t cap = buf->cap ? buf->cap : BUF_FIRST;
        while (cap < need)
            cap = cap > buf->max / 2 ? need : cap * 2;
        char *ptr = mem_resize(buf->ptr, cap);
        if (!ptr) {
            buf->err = ERR_NO_MEMORY;
            return NULL;
        }
        buf->ptr = ptr;
        buf->cap = cap;
    }
    return buf->ptr + buf->len;
}

void buf_advance(struct buf *buf, size_t len)
{
    buf->len += len;
}

void buf_append(struct buf *buf, const void *bytes, size_t len)
{
    if (len == 0)
        return;
    char *at = buf_reserve(buf, len);
    if (!at)
        return;
    memcpy(at, bytes, len);
    buf->len += len;
}

void buf_append_str(struct buf *buf, struct str s)
{
    buf_append(buf, s.ptr, s.len);
}

void buf_append_c(struct buf *buf, const char *text)
{
    buf_append(buf, text, strlen(text));
}

void buf_append_byte(struct buf *buf, char byte)
{
    buf_append(buf, &byte, 1);
}

void buf_append_be(struct buf *buf, uint64_t number, size_t n_bytes)
{
    for (size_t i = n_bytes; i-- > 0;)
        buf_append_byte(buf, (char)(number >> 8 * i));
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    char *at = len >= 0 ? buf_reserve(buf, (size_t)len + 1) : NULL;
    if (at) {
        vsnprintf(at, (size_t)len + 1, format, again);
        buf->len += (size_t)len;
    }
    va_end(again);
    va_end(args);
}

struct str buf_str(const struct buf *buf)
{
    return (struct str){buf->ptr, buf->len};
}
