/*
 * Bytes as text: hexadecimal and Base64. Strict when reading: what is not exactly the encoding is refused.
 */
#include "base/crypto.h"

#include <string.h>

void crypto_hex(const void *bytes, size_t len, char *out)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *p = bytes;

    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
    out[2 * len] = '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

enum err crypto_unhex(struct str hex, uint8_t *out, size_t len)
{
    if (hex.len / 2 != len || hex.len % 2)
        return ERR_SYNTAX;
    for (size_t i = 0; i < hex.len; i++)
        if (hex_digit(hex.ptr[i]) < 0)
            return ERR_SYNTAX;
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(hex_digit(hex.ptr[2 * i]) << 4 | hex_digit(hex.ptr[2 * i + 1]));
    return ERR_OK;
}

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void crypto_base64(struct str bytes, struct buf *out)
{
    const uint8_t *p = (const uint8_t *)bytes.ptr;

    for (size_t at = 0; at < bytes.len; at += 3) {
        size_t left = bytes.len - at;
        uint32_t group = (uint32_t)p[at] << 16;
        char text[4];
        if (left > 1)
            group |= (uint32_t)p[at + 1] << 8;
        if (left > 2)
            group |= p[at + 2];
        text[0] = base64_digits[group >> 18];
        text[1] = base64_digits[group >> 12 & 63];
        text[2] = left > 1 ? base64_digits[group >> 6 & 63] : '=';
        text[3] = left > 2 ? base64_digits[group & 63] : '=';
        buf_append(out, text, sizeof(text));
    }
}

static int base64_digit(char c)
{
    const char *found = c ? strchr(base64_digits, c) : NULL;

    return found ? (int)(found - base64_digits) : -1;
}

enum err crypto_unbase64(struct str text, struct buf *out)
{
    size_t n_pad = 0;

    if (text.len % 4)
        return ERR_SYNTAX;
    while (n_pad < 2 && n_pad < text.len && text.ptr[text.len - 1 - n_pad] == '=')
        n_pad++;
    for (size_t i = 0; i < text.len - n_pad; i++)
        if (base64_digit(text.ptr[i]) < 0)
            return ERR_SYNTAX;
    for (size_t at = 0; at < text.len; at += 4) {
        size_t n_bytes = at + 4 == text.len ? 3 - n_pad : 3;
        uint32_t group = 0;
        for (size_t i = 0; i < 4; i++)
            group = group << 6 | (i <= n_bytes ? (uint32_t)base64_digit(text.ptr[at + i]) : 0);
        if (group & (0xFFFFFFu >> 8 * n_bytes)) /* bits that no byte holds must be zero */
            return ERR_SYNTAX;
        for (size_t i = 0; i < n_bytes; i++)
            buf_append_byte(out, (char)(group >> (16 - 8 * i)));
    }
    return out->err;
}
