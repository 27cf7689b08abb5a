/*
 * Writing JSON: append-only into a buf. Commas and colons are the writer's, structure is the caller's: a broken promise
 * (a key outside of an object) is the caller's defect and shows in the first test that reads the text back.
 */
#include "base/json.h"

#include "base/clock.h"
#include "base/crypto.h"
#include "base/json_number.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define JSON_WRITER_DEPTH_MAX 63 /* levels that fit the comma bits */

void json_writer_init(struct json_writer *w, struct buf *out)
{
    *w = (struct json_writer){.out = out};
}

/* Before each value: the comma, unless a key has just been written. */
static void separate(struct json_writer *w)
{
    uint64_t bit = UINT64_C(1) << w->depth;

    if (w->after_key) {
        w->after_key = false;
        return;
    }
    if (w->has_item & bit)
        buf_append_byte(w->out, ',');
    w->has_item |= bit;
}

static void begin(struct json_writer *w, char bracket)
{
    separate(w);
    buf_append_byte(w->out, bracket);
    assert(w->depth < JSON_WRITER_DEPTH_MAX);
    w->depth++;
    w->has_item &= ~(UINT64_C(1) << w->depth);
}

static void end(struct json_writer *w, char bracket)
{
    assert(w->depth > 0 && !w->after_key);
    w->depth--;
    buf_append_byte(w->out, bracket);
}

void json_begin_object(struct json_writer *w)
{
    begin(w, '{');
}

void json_end_object(struct json_writer *w)
{
    end(w, '}');
}

void json_begin_array(struct json_writer *w)
{
    begin(w, '[');
}

void json_end_array(struct json_writer *w)
{
    end(w, ']');
}

/* Bytes of the well-formed UTF-8 sequence at `s[at]`, which is not ASCII; 0 when it is malformed (RFC 3629 §4). */
static size_t sequence_length(struct str s, size_t at)
{
    const uint8_t *p = (const uint8_t *)s.ptr + at;
    size_t left = s.len - at;
    uint8_t lead = p[0], low = 0x80, high = 0xBF;
    size_t n;

    if (lead >= 0xC2 && lead <= 0xDF)
        n = 2;
    else if (lead >= 0xE0 && lead <= 0xEF)
        n = 3;
    else if (lead >= 0xF0 && lead <= 0xF4)
        n = 4;
    else
        return 0;
    if (left < n)
        return 0;
    if (lead == 0xE0)
        low = 0xA0;
    else if (lead == 0xED)
        high = 0x9F;
    else if (lead == 0xF0)
        low = 0x90;
    else if (lead == 0xF4)
        high = 0x8F;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if (p[i] < 0x80 || p[i] > 0xBF)
            return 0;
    return n;
}

static void append_escape(struct buf *out, uint8_t c)
{
    static const char hex[] = "0123456789abcdef";
    char text[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};

    switch (c) {
    case '"':
        buf_append(out, "\\\"", 2);
        break;
    case '\\':
        buf_append(out, "\\\\", 2);
        break;
    case '\b':
        buf_append(out, "\\b", 2);
        break;
    case '\f':
        buf_append(out, "\\f", 2);
        break;
    case '\n':
        buf_append(out, "\\n", 2);
        break;
    case '\r':
        buf_append(out, "\\r", 2);
        break;
    case '\t':
        buf_append(out, "\\t", 2);
        break;
    default:
        buf_append(out, text, sizeof(text));
    }
}

/* Escapes only what RFC 8785 §3.2.2.2 escapes, so that the canonical writer can use it too. */
static void append_quoted(struct buf *out, struct str s)
{
    size_t from = 0, at = 0;

    buf_append_byte(out, '"');
    while (at < s.len) {
        uint8_t c = (uint8_t)s.ptr[at];
        size_t n = 1;
        if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
            at++;
            continue;
        }
        if (c >= 0x80 && (n = sequence_length(s, at)) > 0) {
            at += n;
            continue;
        }
        buf_append(out, s.ptr + from, at - from);
        if (c >= 0x80)
            buf_append(out, "\xEF\xBF\xBD", 3);
        else
            append_escape(out, c);
        from = ++at;
    }
    if (at > from)
        buf_append(out, s.ptr + from, at - from);
    buf_append_byte(out, '"');
}

void json_key_str(struct json_writer *w, struct str key)
{
    separate(w);
    append_quoted(w->out, key);
    buf_append_byte(w->out, ':');
    w->after_key = true;
}

void json_key(struct json_writer *w, const char *key)
{
    json_key_str(w, str_from_c(key));
}

void json_put_str(struct json_writer *w, struct str s)
{
    separate(w);
    append_quoted(w->out, s);
}

void json_put_c(struct json_writer *w, const char *text)
{
    json_put_str(w, str_from_c(text));
}

void json_put_u64(struct json_writer *w, uint64_t i)
{
    char digits[20];
    size_t at = sizeof(digits);

    separate(w);
    do {
        digits[--at] = (char)('0' + i % 10);
        i /= 10;
    } while (i);
    buf_append(w->out, digits + at, sizeof(digits) - at);
}

void json_put_i64(struct json_writer *w, int64_t i)
{
    if (i >= 0) {
        json_put_u64(w, (uint64_t)i);
        return;
    }
    separate(w);
    buf_append_byte(w->out, '-');
    w->after_key = true; /* the digits belong to the sign: no comma between */
    json_put_u64(w, UINT64_C(0) - (uint64_t)i);
}

void json_put_real(struct json_writer *w, double r)
{
    char text[JSON_NUMBER_MAX];

    size_t n;

    separate(w);
    if (!isfinite(r)) {
        buf_append(w->out, "null", 4);
        return;
    }
    n = json_number_format(r, text);
    buf_append(w->out, text, n);
    if (n > 16 && strspn(text, "-0123456789") == n) /* or readers take it for an integer that is too big for them */
        buf_append(w->out, ".0", 2);
}

void json_put_fixed(struct json_writer *w, double r, int decimals)
{
    static const double power[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000};

    if (decimals < 0)
        decimals = 0;
    if (isfinite(r) && decimals < (int)(sizeof(power) / sizeof(power[0])) && fabs(r) * power[decimals] < 1e15)
        r = round(r * power[decimals]) / power[decimals];
    json_put_real(w, r);
}

void json_put_bool(struct json_writer *w, bool b)
{
    separate(w);
    buf_append_c(w->out, b ? "true" : "false");
}

void json_put_null(struct json_writer *w)
{
    separate(w);
    buf_append(w->out, "null", 4);
}

void json_put_value(struct json_writer *w, struct value value)
{
    char text[40];

    switch (value.type) {
    case VALUE_NULL:
        json_put_null(w);
        break;
    case VALUE_BOOLEAN:
        json_put_bool(w, value.i != 0);
        break;
    case VALUE_INTEGER:
        json_put_i64(w, value.i);
        break;
    case VALUE_REAL:
        json_put_real(w, value.r);
        break;
    case VALUE_TEXT:
        json_put_str(w, value.s);
        break;
    case VALUE_TIME:
        wall_format_rfc3339((struct wall_time){value.i}, (struct time_zone){0}, text);
        json_put_c(w, text);
        break;
    case VALUE_BYTES:
        separate(w);
        buf_append_byte(w->out, '"');
        crypto_base64(value.s, w->out);
        buf_append_byte(w->out, '"');
        break;
    }
}

void json_put_raw(struct json_writer *w, struct str json)
{
    separate(w);
    buf_append_str(w->out, json);
}

void json_field_str(struct json_writer *w, const char *key, struct str s)
{
    json_key(w, key);
    json_put_str(w, s);
}

void json_field_c(struct json_writer *w, const char *key, const char *text)
{
    json_key(w, key);
    json_put_c(w, text);
}

void json_field_i64(struct json_writer *w, const char *key, int64_t i)
{
    json_key(w, key);
    json_put_i64(w, i);
}

void json_field_real(struct json_writer *w, const char *key, double r)
{
    json_key(w, key);
    json_put_real(w, r);
}

void json_field_bool(struct json_writer *w, const char *key, bool b)
{
    json_key(w, key);
    json_put_bool(w, b);
}
