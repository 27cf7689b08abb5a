/*
 * A question as a URL and a body: values percent-encoded (RFC 3986) or as JSON, never pasted; and the next page that a Link header names.
 */
#include "base/json.h"
#include "system/http/inside.h"

#include <string.h>

/* ---- values ---- */

static const struct value *given_of(const struct http_part *part, const struct http_given *given)
{
    return part->kind == HTTP_EQ ? given->eq[part->field] : part->kind == HTTP_GE ? given->ge[part->field] : given->le[part->field];
}

static bool is_given(const struct http_template *template, const struct http_given *given)
{
    for (size_t i = 0; i < template->n; i++) {
        const struct value *value = template->parts[i].kind == HTTP_LITERAL ? NULL : given_of(&template->parts[i], given);
        if (template->parts[i].kind != HTTP_LITERAL && (!value || value->type == VALUE_NULL))
            return false;
    }
    return true;
}

static void append_encoded(struct buf *out, struct str text)
{
    static const char *const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c && strchr(plain, c))
            buf_append_byte(out, c);
        else
            buf_printf(out, "%%%02X", (unsigned char)c);
    }
}

/* A template as text; `is_encoded`: its values percent-encoded, its literals as they are. */
static enum err append_template(const struct http_template *template, const struct hub_mapping *mapping, const struct http_given *given,
    bool is_encoded, struct buf *out)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < template->n && !err; i++) {
        const struct http_part *part = &template->parts[i];
        struct buf text;
        if (part->kind == HTTP_LITERAL) {
            buf_append_str(out, part->text);
            continue;
        }
        const struct value *value = given_of(part, given);
        buf_init(&text, HTTP_URL_MAX);
        err = value ? hub_mapping_write(mapping, part->field, *value, &text) : ERR_NOT_FOUND;
        if (!err && is_encoded)
            append_encoded(out, buf_str(&text));
        else if (!err)
            buf_append_str(out, buf_str(&text));
        buf_finish(&text);
    }
    return err ? err : out->err;
}

/* ---- the path ---- */

/* A segment "", "." or ".." that a value made would ask for another resource. */
static bool has_odd_segment(struct str path)
{
    for (struct str rest = path; rest.len > 0;) {
        struct str segment = str_slice(rest, 1, rest.len);
        const char *slash = memchr(segment.len ? segment.ptr : "", '/', segment.len);
        if (slash)
            segment.len = (size_t)(slash - segment.ptr);
        if (segment.len == 0 || str_equal(segment, STR(".")) || str_equal(segment, STR("..")))
            return true;
        rest = str_slice(rest, 1 + segment.len, rest.len);
    }
    return false;
}

static enum err append_path(
    const struct http_form *form, const struct hub_mapping *mapping, const struct http_given *given, struct buf *url)
{
    size_t from = url->len;
    bool is_fixed = form->path.n == 1 && form->path.parts[0].kind == HTTP_LITERAL;
    if (!is_given(&form->path, given))
        return ERR_NOT_FOUND;
    enum err err = append_template(&form->path, mapping, given, true, url);
    if (!err && !is_fixed && has_odd_segment(str_slice(buf_str(url), from, url->len)))
        err = ERR_NOT_FOUND;
    return err;
}

/* ---- the query and the body ---- */

static void append_name(struct buf *url, struct str name, char *sign)
{
    buf_append_byte(url, *sign);
    *sign = '&';
    append_encoded(url, name);
    buf_append_byte(url, '=');
}

static void append_number(struct buf *url, struct str name, int64_t number, char *sign)
{
    append_name(url, name, sign);
    buf_printf(url, "%lld", (long long)number);
}

static enum err append_query(const struct http_form *form, const struct hub_mapping *mapping, const struct http_given *given,
    const struct http_at *at, struct buf *url)
{
    char sign = '?';
    enum err err = ERR_OK;
    for (size_t i = 0; i < form->n_query && !err; i++) {
        const struct http_parameter *parameter = &form->query[i];
        if (!is_given(&parameter->value, given))
            continue;
        append_name(url, parameter->name, &sign);
        err = append_template(&parameter->value, mapping, given, true, url);
    }
    if (err || !at || form->has_body)
        return err ? err : url->err;
    if (at->pages->by == HTTP_BY_CURSOR && at->cursor.len > 0) {
        append_name(url, at->pages->parameter, &sign);
        append_encoded(url, at->cursor);
    } else if (at->pages->by == HTTP_BY_NUMBER || at->pages->by == HTTP_BY_OFFSET) {
        append_number(url, at->pages->parameter, at->number, &sign);
    }
    if (at->pages->size_parameter.len > 0)
        append_number(url, at->pages->size_parameter, at->pages->size, &sign);
    return url->err;
}

/* A member that is one placeholder has the type of its field, a whole number is one, and everything else is a text. */
static enum err put_member(
    struct json_writer *w, const struct http_parameter *parameter, const struct hub_mapping *mapping, const struct http_given *given)
{
    const struct http_part *part = parameter->value.parts;
    struct buf text;
    int64_t number;
    buf_init(&text, HTTP_BODY_MAX);
    enum err err = append_template(&parameter->value, mapping, given, false, &text);
    const struct value *value = parameter->value.n == 1 && part->kind != HTTP_LITERAL ? given_of(part, given) : NULL;
    json_key_str(w, parameter->name);
    bool is_bare = value
                       ? value->type != VALUE_TEXT && !(value->type == VALUE_TIME && mapping->fields[part->field].form != HUB_FORM_SECONDS)
                       : parameter->value.n == 1 && !str_to_i64(buf_str(&text), &number);
    if (!err && is_bare && !(value && mapping->fields[part->field].form == HUB_FORM_TEXT))
        json_put_raw(w, buf_str(&text));
    else if (!err)
        json_put_str(w, buf_str(&text));
    buf_finish(&text);
    return err;
}

static enum err append_body(const struct http_form *form, const struct hub_mapping *mapping, const struct http_given *given,
    const struct http_at *at, struct buf *body)
{
    struct json_writer w;
    enum err err = ERR_OK;
    json_writer_init(&w, body);
    json_begin_object(&w);
    for (size_t i = 0; i < form->n_body && !err; i++)
        if (is_given(&form->body[i].value, given))
            err = put_member(&w, &form->body[i], mapping, given);
    if (at && at->pages->by == HTTP_BY_CURSOR && at->cursor.len > 0) {
        json_key_str(&w, at->pages->parameter);
        json_put_str(&w, at->cursor);
    } else if (at && (at->pages->by == HTTP_BY_NUMBER || at->pages->by == HTTP_BY_OFFSET)) {
        json_key_str(&w, at->pages->parameter);
        json_put_i64(&w, at->number);
    }
    if (at && at->pages->size_parameter.len > 0) {
        json_key_str(&w, at->pages->size_parameter);
        json_put_i64(&w, at->pages->size);
    }
    json_end_object(&w);
    return err ? err : body->err;
}

enum err http_form_write(const struct http_system *system, const struct http_form *form, const struct hub_mapping *mapping,
    const struct http_given *given, const struct http_at *at, struct buf *url, struct buf *body)
{
    buf_reset(url);
    buf_reset(body);
    buf_append_c(url, system->base);
    enum err err = append_path(form, mapping, given, url);
    if (!err)
        err = append_query(form, mapping, given, at, url);
    if (!err && form->has_body)
        err = append_body(form, mapping, given, at, body);
    return err;
}

/* ---- the next page by its link: <https://…?page=2>; rel="next", <…>; rel="last" ---- */

static bool has_next(struct str parameters)
{
    for (struct str rest = parameters, one; rest.len > 0;) {
        struct str tail = STR_NONE, name, value;
        one = rest;
        if (!str_cut(rest, ';', &one, &tail))
            tail = STR_NONE;
        rest = tail;
        if (!str_cut(one, '=', &name, &value) || !str_equal_nocase(str_trim(name), STR("rel")))
            continue;
        value = str_trim(value);
        if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
            value = str_slice(value, 1, value.len - 2);
        for (struct str word; value.len > 0;) {
            struct str others = STR_NONE;
            word = value;
            if (!str_cut(value, ' ', &word, &others))
                others = STR_NONE;
            if (str_equal_nocase(word, STR("next")))
                return true;
            value = others;
        }
    }
    return false;
}

static enum err resolve(const struct http_system *system, struct str target, struct buf *url)
{
    struct str origin = str_from_c(system->origin), path = target;
    for (size_t i = 0; i < target.len; i++)
        if ((unsigned char)target.ptr[i] <= ' ' || (unsigned char)target.ptr[i] >= 0x7f || target.ptr[i] == '\\')
            return ERR_SYNTAX;
    if (str_starts_with(target, origin))
        path = str_slice(target, origin.len, target.len);
    if (path.len == 0 || path.ptr[0] != '/' || (path.len > 1 && path.ptr[1] == '/'))
        return ERR_DENIED;
    buf_reset(url);
    buf_append_str(url, origin);
    buf_append_str(url, path);
    return url->err;
}

enum err http_link_next(const struct http_system *system, struct str links, struct buf *url)
{
    for (struct str rest = links; rest.len > 0;) {
        const char *open = memchr(rest.ptr, '<', rest.len), *close = open ? memchr(open, '>', rest.len - (size_t)(open - rest.ptr)) : NULL;
        if (!close)
            return ERR_NOT_FOUND;
        struct str target = {open + 1, (size_t)(close - open - 1)}, parameters = {close + 1, rest.len - (size_t)(close + 1 - rest.ptr)};
        bool is_quoted = false;
        size_t end = 0;
        for (; end < parameters.len && (is_quoted || parameters.ptr[end] != ','); end++)
            is_quoted ^= parameters.ptr[end] == '"';
        rest = str_slice(parameters, end + 1, parameters.len);
        if (has_next(str_slice(parameters, 0, end)))
            return resolve(system, target, url);
    }
    return ERR_NOT_FOUND;
}
