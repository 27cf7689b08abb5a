/*
 * Canonical JSON, RFC 8785 (JCS): what is hashed or signed. Keys in the order of their UTF-16 code units, no white space, numbers as
 * ECMAScript writes them.
 *
 * Integers past ±2^53 are refused rather than rounded: a leaf that says another number than was meant is worse than none.
 */
#include "base/json.h"

#include "base/json_number.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define CANONICAL_INTEGER_MAX INT64_C(9007199254740992)

static enum err write_any(struct json_writer *w, const json_t *json);

/* Rank of a UTF-8 lead byte in UTF-16 order: what needs surrogates (F0…F4) sorts before U+E000…U+FFFF (EE, EF). */
static int rank(uint8_t byte)
{
    if (byte >= 0xF0)
        return 0xEE + (byte - 0xF0);
    return byte >= 0xEE ? byte + 0x10 : byte;
}

static int compare_keys(const void *a, const void *b)
{
    const uint8_t *x = *(const uint8_t *const *)a, *y = *(const uint8_t *const *)b;

    while (*x && *x == *y) {
        x++;
        y++;
    }
    return rank(*x) - rank(*y);
}

static enum err write_object(struct json_writer *w, const json_t *json)
{
    size_t n = json_object_size(json), at = 0;
    const char **keys = NULL;
    enum err err = ERR_OK;

    json_begin_object(w);
    if (n > 0) {
        keys = mem_alloc_zero(n, sizeof(*keys));
        if (!keys)
            return ERR_NO_MEMORY;
        for (void *it = json_object_iter((json_t *)json); it; it = json_object_iter_next((json_t *)json, it))
            keys[at++] = json_object_iter_key(it);
        qsort(keys, n, sizeof(*keys), compare_keys);
    }
    for (size_t i = 0; i < n && !err; i++) {
        json_key(w, keys[i]);
        err = write_any(w, json_object_get(json, keys[i]));
    }
    mem_free(keys);
    if (!err)
        json_end_object(w);
    return err;
}

static enum err write_array(struct json_writer *w, const json_t *json)
{
    json_begin_array(w);
    for (size_t i = 0; i < json_array_size(json); i++) {
        enum err err = write_any(w, json_array_get(json, i));
        if (err)
            return err;
    }
    json_end_array(w);
    return ERR_OK;
}

static enum err write_any(struct json_writer *w, const json_t *json)
{
    char number[JSON_NUMBER_MAX];

    if (w->depth >= JSON_DEPTH_MAX && (json_is_object(json) || json_is_array(json)))
        return ERR_TOO_LARGE;
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        return write_object(w, json);
    case JSON_ARRAY:
        return write_array(w, json);
    case JSON_STRING:
        json_put_str(w, (struct str){json_string_value(json), json_string_length(json)});
        break;
    case JSON_INTEGER:
        if (json_integer_value(json) > CANONICAL_INTEGER_MAX || json_integer_value(json) < -CANONICAL_INTEGER_MAX)
            return ERR_UNSUPPORTED;
        json_put_i64(w, json_integer_value(json));
        break;
    case JSON_REAL:
        json_number_format(json_real_value(json), number); /* jansson holds finite ones only */
        json_put_raw(w, str_from_c(number));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        json_put_bool(w, json_is_true(json));
        break;
    case JSON_NULL:
        json_put_null(w);
        break;
    }
    return ERR_OK;
}

enum err json_write_canonical(const json_t *json, struct buf *out)
{
    struct json_writer w;
    enum err err;

    json_writer_init(&w, out);
    err = write_any(&w, json);
    return err ? err : out->err;
}
