/*
 * Reading JSON on the control path: jansson, made strict.
 *
 * jansson checks UTF-8, numbers and duplicate keys; the depth it would allow (2,048) is far past what any of our formats
 * needs, so the nesting is counted here before it parses. U+0000 inside of strings is refused: our strings end at the libc's door.
 */
#include "base/json.h"

#include "base/clock.h"

#include <math.h>
#include <string.h>

#define JSON_INTEGER_EXACT 9007199254740992.0 /* 2^53: past it a double skips integers */

/* Deepest nesting of brackets outside of strings; malformed text is found later, by the parser. */
static size_t nesting(struct str text)
{
    size_t depth = 0, deepest = 0;
    bool in_string = false;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            depth++;
            if (depth > deepest)
                deepest = depth;
        } else if ((c == ']' || c == '}') && depth > 0) {
            depth--;
        }
    }
    return deepest;
}

/* jansson swallows a zero byte that stands right after a number or a word: it takes it for the end of its own buffer. */
bool json_has_nul(struct str text)
{
    return text.len > 0 && memchr(text.ptr, 0, text.len) != NULL;
}

static enum err err_from_jansson(const json_error_t *error)
{
    switch (json_error_code(error)) {
    case json_error_out_of_memory:
        return ERR_NO_MEMORY;
    case json_error_stack_overflow:
        return ERR_TOO_LARGE;
    case json_error_duplicate_key:
        return ERR_EXISTS;
    default:
        return ERR_SYNTAX;
    }
}

enum err json_read(struct str text, struct diag *diag, json_t **ret_json)
{
    json_error_t error;
    json_t *json;

    if (nesting(text) > JSON_DEPTH_MAX)
        return diag_set(diag, ERR_TOO_LARGE, NULL, 0, "JSON is nested deeper than %d levels", JSON_DEPTH_MAX);
    if (json_has_nul(text))
        return diag_set(diag, ERR_SYNTAX, NULL, 0, "JSON with a zero byte");
    json = json_loadb(text.ptr ? text.ptr : "", text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (!json)
        return diag_set(diag, err_from_jansson(&error), NULL, 0, "JSON, line %d, column %d: %s", error.line, error.column, error.text);
    *ret_json = json;
    return ERR_OK;
}

/* The member, or NULL when it is absent or null. */
static json_t *member(const json_t *object, const char *key)
{
    json_t *found = json_object_get(object, key);
    return found && !json_is_null(found) ? found : NULL;
}

enum err json_get_str(const json_t *object, const char *key, struct str *ret_s)
{
    const json_t *found = member(object, key);

    if (!found)
        return ERR_NOT_FOUND;
    if (!json_is_string(found))
        return ERR_SYNTAX;
    *ret_s = (struct str){json_string_value(found), json_string_length(found)};
    return ERR_OK;
}

enum err json_get_i64(const json_t *object, const char *key, int64_t *ret_i)
{
    const json_t *found = member(object, key);

    if (!found)
        return ERR_NOT_FOUND;
    if (!json_is_integer(found))
        return ERR_SYNTAX;
    *ret_i = json_integer_value(found);
    return ERR_OK;
}

enum err json_get_bool(const json_t *object, const char *key, bool *ret_b)
{
    const json_t *found = member(object, key);

    if (!found)
        return ERR_NOT_FOUND;
    if (!json_is_boolean(found))
        return ERR_SYNTAX;
    *ret_b = json_is_true(found);
    return ERR_OK;
}

static enum err to_integer(const json_t *json, enum value_type type, struct value *ret_value)
{
    int64_t i;

    if (json_is_integer(json)) {
        i = json_integer_value(json);
    } else if (json_is_real(json)) {
        double r = json_real_value(json);
        if (r != floor(r) || fabs(r) > JSON_INTEGER_EXACT)
            return ERR_SYNTAX;
        i = (int64_t)r;
    } else {
        return ERR_SYNTAX;
    }
    *ret_value = (struct value){.type = type, .i = i};
    return ERR_OK;
}

static enum err to_time(const json_t *json, struct value *ret_value)
{
    struct wall_time wall;

    if (!json_is_string(json))
        return to_integer(json, VALUE_TIME, ret_value);
    if (wall_parse_rfc3339((struct str){json_string_value(json), json_string_length(json)}, &wall))
        return ERR_SYNTAX;
    *ret_value = value_time(wall.ms);
    return ERR_OK;
}

enum err json_to_value(const json_t *json, enum value_type type, struct value *ret_value)
{
    if (!json || json_is_null(json)) {
        *ret_value = VALUE_NONE;
        return ERR_OK;
    }
    switch (type) {
    case VALUE_BOOLEAN:
        if (!json_is_boolean(json))
            return ERR_SYNTAX;
        *ret_value = value_boolean(json_is_true(json));
        return ERR_OK;
    case VALUE_INTEGER:
        return to_integer(json, VALUE_INTEGER, ret_value);
    case VALUE_REAL:
        if (!json_is_number(json))
            return ERR_SYNTAX;
        *ret_value = value_real(json_number_value(json));
        return ERR_OK;
    case VALUE_TEXT:
        if (!json_is_string(json))
            return ERR_SYNTAX;
        *ret_value = value_text((struct str){json_string_value(json), json_string_length(json)});
        return ERR_OK;
    case VALUE_TIME:
        return to_time(json, ret_value);
    case VALUE_NULL:
    case VALUE_BYTES: /* would need memory for the decoded bytes */
        break;
    }
    return ERR_SYNTAX;
}
